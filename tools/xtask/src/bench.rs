//! `cargo xtask bench`: measurements in instructions, the same on every machine.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::shell;
use crate::workspace::Workspace;

/// Linux 6.1 needs 1,670 million to its init; this is the promise to stay well below.
const BOOT_BUDGET: u64 = 600_000_000;

/// What the guest prints, when it has come as far as the shell: the cycle counter at the kernel's entry
/// and now. Under `--icount` a cycle is an instruction.
const COUNTERS: &str = "uptime -c";

/// Boots once and prints the instructions from kernel entry to the shell.
///
/// # Errors
/// When the system cannot be built or booted, or does not answer.
pub(crate) fn boot(workspace: &Workspace) -> Result<ExitCode> {
    let mut run = Command::new(std::env::current_exe()?);
    run.current_dir(&workspace.root);
    run.args(["run", "--direct", "--icount", "--exec", COUNTERS]);
    let said = shell::output(&mut run)?;
    let numbers: Vec<u64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [entry, now] = numbers[..] else { bail!("`{COUNTERS}` said: {said}") };
    let count = now.checked_sub(entry).context("the counter ran backwards")?;
    println!("boot: {count} instructions from kernel entry to the shell, of {BOOT_BUDGET}");
    Ok(if count <= BOOT_BUDGET { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
