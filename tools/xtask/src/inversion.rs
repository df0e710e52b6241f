//! `cargo xtask inversion`: plays scenarios of priority inversion on the booted system, all in one boot,
//! and writes the report.
//!
//! Standard output has one line for each scenario, `inversion: ok NAME` or `inversion: FAILED NAME: why`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use ::inversion::compile::{self, Mode};
use ::inversion::scenario::Scenario;
use ::inversion::verdict::{self, Outcomes};
use ::inversion::{file, page, record, svg};
use anyhow::{Context, Result, anyhow, bail};

use crate::cli::InversionOptions;
use crate::progress::note;
use crate::workspace::Workspace;

/// Where the scenarios are that ship.
const FOLDER: &str = "tests/scenario";
/// Where the playing program finds what to play.
const GUEST_PATH: &str = "/etc/scenarios";

/// Reads, plays and reports.
///
/// # Errors
/// A mistake in a scenario file; when the system cannot be built or booted.
pub(crate) fn command(workspace: &Workspace, options: &InversionOptions) -> Result<ExitCode> {
    let files = match options.scenario.as_slice() {
        [] => shipped(workspace)?,
        files => files.to_vec(),
    };
    let scenarios = files.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let folder = workspace.target.join("inversion");
    fs::create_dir_all(&folder)?;
    let said = play(workspace, &folder, &scenarios)?;
    fs::write(folder.join("record.txt"), &said)?;
    let outcomes = judge(scenarios, &said)?;
    let report = folder.join("index.html");
    fs::write(&report, page::page(&outcomes))?;
    let figures = serde_json::to_string_pretty(&page::json(&outcomes))?;
    fs::write(folder.join("inversion.json"), format!("{figures}\n"))?;
    pictures(&folder, &outcomes)?;
    let mut failed = 0;
    for one in &outcomes {
        let (name, complaints) = (&one.scenario.name, one.complaints());
        if complaints.is_empty() {
            println!("inversion: ok {name}");
        } else {
            failed += 1;
            println!("inversion: FAILED {name}: {}", complaints.join("; "));
        }
    }
    note(&format!("the report is {}", report.display()));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The timelines as files of their own, for documents.
fn pictures(folder: &Path, all: &[Outcomes]) -> Result<()> {
    for Outcomes { scenario, off, on } in all {
        let end = off.timeline.end.max(on.timeline.end);
        for outcome in [off, on] {
            let name = format!("{}.svg", compile::run_name(scenario, outcome.mode));
            fs::write(folder.join(name), svg::timeline(scenario, outcome, end))?;
        }
    }
    Ok(())
}

fn shipped(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let folder = workspace.root.join(FOLDER);
    let mut files = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Scenario> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    Ok(file::read(&path.display().to_string(), &text)?)
}

/// Boots once and returns what the playing program printed. A run in which the kernel's monitor has
/// counted something fails, but here each scenario is asked for its own count.
fn play(workspace: &Workspace, folder: &Path, scenarios: &[Scenario]) -> Result<String> {
    let plans = folder.join("scenarios");
    fs::write(&plans, compile::compile(scenarios))?;
    let mut run = Command::new(std::env::current_exe()?);
    run.current_dir(&workspace.root).env("CARGO_TARGET_DIR", &workspace.target);
    run.arg("--manifest").arg(&workspace.manifest);
    run.args(["run", "--direct", "--icount", "--add"]);
    run.arg(format!("{}:{GUEST_PATH}", plans.display()));
    run.args(["--exec", &format!("inversion {GUEST_PATH}")]);
    let output = run.stderr(Stdio::inherit()).output().context("starting xtask")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if said.is_empty() {
        bail!("the playing program printed nothing ({})", output.status);
    }
    Ok(said)
}

fn judge(scenarios: Vec<Scenario>, said: &str) -> Result<Vec<Outcomes>> {
    let mut runs = record::read(said).map_err(|why| anyhow!(why))?;
    let mut all = Vec::new();
    for scenario in scenarios {
        let [off, on] = Mode::BOTH.map(|mode| {
            let run = runs.remove(&compile::run_name(&scenario, mode));
            run.map(|run| verdict::outcome(&scenario, mode, run))
        });
        let (Some(off), Some(on)) = (off, on) else {
            bail!("{}: the playing program did not come to it", scenario.name);
        };
        all.push(Outcomes { scenario, off, on });
    }
    Ok(all)
}
