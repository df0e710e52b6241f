//! `cargo xtask bench ipc` and `bench posix`: programs that measure inside the system, beside peers.
//!
//! The unit is the instruction: under `--icount` a nanosecond of the guest is one. Peers' figures are
//! in `tests/bench/peers.toml`, measured in the same emulator with the same program, where it runs
//! there. Records go to `target/bench/NAME.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::shell;
use crate::workspace::Workspace;

/// What a program measured, beside its peers.
#[derive(Debug, Serialize)]
struct Record {
    measure: String,
    /// None: the program said that the system does not support it.
    value: Option<f64>,
    unit: &'static str,
    command: String,
    peers: Peers,
}

/// Figures of others for one measure.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Peers {
    #[serde(skip_serializing_if = "Option::is_none")]
    linux: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linux_rt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sel4: Option<f64>,
}

/// Messages and kernel calls, beside seL4's fast path.
///
/// # Errors
/// When the system cannot be built or booted, or says nonsense.
pub(crate) fn ipc(workspace: &Workspace) -> Result<ExitCode> {
    let records = measure(workspace, "kernbench", &[])?;
    report(workspace, "ipc", &records)
}

/// `peerbench`, an ordinary static Linux program, beside Linux.
///
/// # Errors
/// As [`ipc`]; when the program cannot be compiled.
pub(crate) fn posix(workspace: &Workspace) -> Result<ExitCode> {
    let folder = folder(workspace)?;
    let mut add = Vec::new();
    for name in ["peerbench", "hello"] {
        let program = folder.join(name);
        let source = workspace.root.join("tests/bench").join(format!("{name}.c"));
        let mut compiler = Command::new("musl-gcc");
        compiler.args(["-static", "-O2", "-o"]).arg(&program).arg(source);
        shell::quiet(&mut compiler)?;
        add.push(format!("{}:/bin/{name}", program.display()));
    }
    let records = measure(workspace, "peerbench", &add)?;
    report(workspace, "posix", &records)
}

fn folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

fn measure(workspace: &Workspace, program: &str, add: &[String]) -> Result<Vec<Record>> {
    let mut run = Command::new(std::env::current_exe()?);
    run.current_dir(&workspace.root).env("CARGO_TARGET_DIR", &workspace.target);
    run.arg("--manifest").arg(&workspace.manifest);
    run.args(["run", "--direct", "--icount"]);
    for file in add {
        run.args(["--add", file]);
    }
    run.args(["--exec", program]);
    let said = shell::output(&mut run)?;
    let path = workspace.root.join("tests/bench/peers.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let peers = toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    Ok(records(&said, program, &peers))
}

/// Lines are `name median …` or `name unsupported …`; others are left out.
fn records(said: &str, program: &str, peers: &BTreeMap<String, Peers>) -> Vec<Record> {
    let record = |line: &str| {
        let mut words = line.split_whitespace();
        let (measure, value) = (words.next()?.to_owned(), words.next()?);
        let value = match value {
            "unsupported" => None,
            number => Some(number.parse().ok()?),
        };
        let peers = peers.get(&measure).cloned().unwrap_or_default();
        let command = format!("cargo xtask run --direct --icount --exec {program}");
        Some(Record { measure, value, unit: "instructions", command, peers })
    };
    said.lines().filter_map(record).collect()
}

fn report(workspace: &Workspace, name: &str, records: &[Record]) -> Result<ExitCode> {
    print!("{}", table(records));
    let path = folder(workspace)?.join(format!("{name}.json"));
    fs::write(&path, serde_json::to_string_pretty(records)?)
        .with_context(|| format!("writing {}", path.display()))?;
    eprintln!("records: {}", path.display());
    Ok(if records.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A table for people, in Markdown; ratios below 1 are better than the peer.
fn table(records: &[Record]) -> String {
    let mut text = String::from(
        "| measure | here | Linux | ratio | Linux RT | seL4 | ratio |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value}"));
    for record in records {
        let ratio = |peer: Option<f64>| match (record.value, peer) {
            (Some(value), Some(peer)) if peer > 0.0 => format!("{:.2}", value / peer),
            _ => String::new(),
        };
        let here = record.value.map_or("unsupported".to_owned(), |value| format!("{value}"));
        let Peers { linux, linux_rt, sel4 } = record.peers;
        text += &format!(
            "| {} | {here} | {} | {} | {} | {} | {} |\n",
            record.measure,
            number(linux),
            ratio(linux),
            number(linux_rt),
            number(sel4),
            ratio(sel4),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_peers() -> BTreeMap<String, Peers> {
        toml::from_str("[read_1]\nlinux = 1000\n").unwrap()
    }

    #[test]
    fn lines_of_measures_become_records_and_others_are_left_out() {
        let said = "booting\nread_1 500 490 510 ns\neventfd_rt unsupported 38\n";
        let records = records(said, "peerbench", &some_peers());
        let found: Vec<_> = records.iter().map(|r| (r.measure.as_str(), r.value)).collect();
        assert_eq!(found, [("read_1", Some(500.0)), ("eventfd_rt", None)]);
        assert_eq!(records[0].peers.linux, Some(1000.0));
        assert!(table(&records).contains("| read_1 | 500 | 1000 | 0.50 |"));
        assert!(table(&records).contains("| eventfd_rt | unsupported |"));
    }

    #[test]
    fn the_file_of_peers_is_well_formed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/bench/peers.toml");
        let text = fs::read_to_string(path).unwrap();
        let peers: BTreeMap<String, Peers> = toml::from_str(&text).unwrap();
        assert!(peers.len() > 40);
    }
}
