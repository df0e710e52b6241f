//! The suites: programs that measure inside the system, and what they are compared with.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::record::{self, Peers, Record};
use crate::shell;
use crate::workspace::Workspace;

/// The kernel's clock starts at its first instruction, and under `--icount` a nanosecond is an
/// instruction. The command runs where the prompt would appear; its own start is counted, too.
const COUNTERS: &str = "cat /proc/nto/system";

/// What is measured in one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Messages and kernel calls (kernbench, a native program), beside seL4
    Ipc,
    /// POSIX calls (peerbench, an ordinary static Linux program), beside Linux and Linux PREEMPT_RT
    Posix,
    /// Instructions from kernel entry to the shell's prompt
    Boot,
}

impl Suite {
    /// All, in the order in which they are told.
    pub(super) const ALL: [Self; 3] = [Self::Ipc, Self::Posix, Self::Boot];

    /// Its name on the command line and in files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ipc => "ipc",
            Self::Posix => "posix",
            Self::Boot => "boot",
        }
    }

    /// What runs in the guest.
    const fn program(self) -> &'static str {
        match self {
            Self::Ipc => "kernbench",
            Self::Posix => "peerbench",
            Self::Boot => COUNTERS,
        }
    }
}

/// Boots once and measures.
///
/// # Errors
/// When the system cannot be built or booted, or says nothing that is a measure.
pub(super) fn measure(
    workspace: &Workspace,
    suite: Suite,
    peers: &BTreeMap<String, Peers>,
) -> Result<Vec<Record>> {
    let said = run(workspace, suite)?;
    let command = format!("cargo xtask bench {}", suite.name());
    let records = match suite {
        Suite::Ipc | Suite::Posix => record::read(&said, &command, peers),
        Suite::Boot => {
            let total = counter(&said, "uptime_ns")?;
            record::read(&format!("boot {total}"), &command, peers)
        }
    };
    if records.is_empty() {
        anyhow::bail!("`{}` measured nothing; it said:\n{said}", suite.program());
    }
    let path = folder(workspace)?.join(format!("{}.json", suite.name()));
    fs::write(&path, serde_json::to_string_pretty(&records)?)
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(records)
}

fn run(workspace: &Workspace, suite: Suite) -> Result<String> {
    let mut run = Command::new(std::env::current_exe()?);
    run.current_dir(&workspace.root).env("CARGO_TARGET_DIR", &workspace.target);
    run.arg("--manifest").arg(&workspace.manifest);
    run.args(["run", "--direct", "--icount"]);
    if suite == Suite::Posix {
        for (name, program) in programs(workspace)? {
            run.args(["--add", &format!("{}:/bin/{name}", program.display())]);
        }
    }
    run.args(["--exec", suite.program()]);
    if suite == Suite::Ipc {
        // The device whose interrupt is measured.
        run.args(["--", "-chardev", "null,id=nobody"]);
        run.args(["-device", "isa-parallel,chardev=nobody,iobase=0x378,irq=7"]);
    }
    shell::output(&mut run)
}

/// Compiles the programs of `tests/bench`, as they run here and on Linux.
///
/// # Errors
/// When the compiler fails.
pub(super) fn programs(workspace: &Workspace) -> Result<[(&'static str, PathBuf); 2]> {
    let folder = folder(workspace)?;
    let build = |name: &'static str| {
        let program = folder.join(name);
        let source = workspace.root.join("tests/bench").join(format!("{name}.c"));
        let mut compiler = Command::new("musl-gcc");
        compiler.args(["-static", "-O2", "-o"]).arg(&program).arg(source);
        shell::quiet(&mut compiler)?;
        Ok((name, program))
    };
    let programs: [Result<_>; 2] = ["peerbench", "hello"].map(build);
    let [peerbench, hello] = programs;
    Ok([peerbench?, hello?])
}

/// Where results go.
///
/// # Errors
/// When it cannot be made.
pub(super) fn folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Finds a line `name number`.
fn counter(said: &str, name: &str) -> Result<u64> {
    let mut lines = said.lines().filter_map(|line| line.split_once(' '));
    let value = lines.find(|(key, _)| *key == name).map(|(_, value)| value);
    value
        .and_then(|value| value.trim().parse().ok())
        .with_context(|| format!("`{COUNTERS}` told no {name}:\n{said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_name() {
        assert_eq!(counter("a 1\nidle_ns 23\n", "idle_ns").unwrap(), 23);
        assert!(counter("a 1\n", "idle_ns").is_err());
    }
}
