//! `cargo xtask mutants`: changes the kernel's core in small ways, one at a time, and asks the model checker
//! whether it notices.
//!
//! cargo-mutants makes the changes; each is built into the explored core and explored for a while. What no
//! exploration noticed is in `target/mutants/mutants.out/missed.txt`. Changes that mean nothing are
//! named, with the reason, in `.cargo/mutants.toml`.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::cli::MutantsOptions;
use crate::progress::{note, step};
use crate::shell;
use crate::workspace::Workspace;

/// States of each configuration: a second or two for all, and a planted bug was found among the first thousands.
const STATES: &str = "20000";
/// Seconds that an exploration may take; a mutant can make it endless.
const LIMIT: &str = "60";

/// Runs the campaign, or the part of it that is asked for.
///
/// # Errors
/// When cargo-mutants cannot be had or started.
pub(crate) fn command(workspace: &Workspace, options: &MutantsOptions) -> Result<ExitCode> {
    let program = program(workspace)?;
    let output = workspace.target.join("mutants");
    std::fs::create_dir_all(&output)?;
    let mut mutants = Command::new(program);
    mutants.current_dir(&workspace.root).env("STATES", STATES).env_remove("CARGO_TARGET_DIR");
    mutants.args(["mutants", "--package", "neutrino-core", "--test-package", "model"]);
    mutants.args(["--profile", "model", "--timeout", LIMIT, "--build-timeout", "600"]);
    mutants.args(["--colors", "never", "--no-times", "--output"]).arg(&output);
    if let Some(shard) = &options.shard {
        mutants.args(["--shard", shard]);
    }
    if let Some(revision) = &options.since {
        let diff = output.join("since.diff");
        let mut git = Command::new("git");
        git.args(["diff", revision, "--", "neutrino/core/src"]).current_dir(&workspace.root);
        let text = shell::output(&mut git)?;
        if text.is_empty() {
            println!("the core is as it was at {revision}");
            return Ok(ExitCode::SUCCESS);
        }
        std::fs::write(&diff, text).with_context(|| format!("writing {}", diff.display()))?;
        mutants.arg("--in-diff").arg(&diff);
    }
    for file in &options.file {
        mutants.args(["--file", file]);
    }
    let is_success = mutants.status().context("starting cargo-mutants")?.success();
    note(&format!("results: {}", output.join("mutants.out").display()));
    Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Finds cargo-mutants, or builds it once.
fn program(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.target.join("tools");
    let own = root.join("bin/cargo-mutants");
    if let Some(program) =
        shell::find("cargo-mutants").or_else(|| own.exists().then(|| own.clone()))
    {
        return Ok(program);
    }
    note(&format!("installing cargo-mutants from cargo's registry into {}", root.display()));
    let mut install = Command::new("cargo");
    install.args(["install", "cargo-mutants", "--locked", "--root"]).arg(&root);
    install.env_remove("CARGO_TARGET_DIR");
    step("building cargo-mutants", || shell::quiet(&mut install))?;
    if own.exists() { Ok(own) } else { bail!("cargo installed no {}", own.display()) }
}
