//! `cargo xtask bench`: measurements in instructions, the same on every machine.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::shell;
use crate::workspace::Workspace;

/// Linux 6.1 needs 1,670 million to its init; this is the promise to stay well below.
const BOOT_BUDGET: u64 = 600_000_000;

/// The kernel's clock starts at its first instruction, and under `--icount` a nanosecond is an
/// instruction. The command runs where the prompt would appear; its own start is counted, too.
const COUNTERS: &str = "cat /proc/nto/system";

/// Boots once and prints the instructions from kernel entry to the shell.
///
/// # Errors
/// When the system cannot be built or booted, or does not answer.
pub(crate) fn boot(workspace: &Workspace) -> Result<ExitCode> {
    let mut run = Command::new(std::env::current_exe()?);
    run.current_dir(&workspace.root).env("CARGO_TARGET_DIR", &workspace.target);
    run.arg("--manifest").arg(&workspace.manifest);
    run.args(["run", "--direct", "--icount", "--exec", COUNTERS]);
    let said = shell::output(&mut run)?;
    let total = counter(&said, "uptime_ns")?;
    let idle = counter(&said, "idle_ns")?;
    println!("boot: {total} instructions from kernel entry to the shell, of {BOOT_BUDGET}");
    println!("      {idle} of them idle");
    Ok(if total <= BOOT_BUDGET { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
