//! `cargo xtask test`: rings of tests, from single functions outwards to the booted system.
//!
//! Every ring is a `cargo test`; the count at the end is the sum of what they report. A ring that does
//! not even compile counts as one failure.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::cli::{CampaignOptions, TestOptions};
use crate::members::{Members, host_cargo, members};
use crate::progress::{note, step};
use crate::system::{self, System};
use crate::workspace::Workspace;

/// The crates that look at the source instead of running it.
const TIDY: &str = "tidy";
/// The model checker, and the build of the core that it explores.
const MODEL: [&str; 2] = ["model", "neutrino-core-explored"];
/// The crate that boots the system.
const BOOT: &str = "boot-tests";

/// Programs of the system whose logic is tested on the host, too.
const HOST_TESTED: [&str; 6] =
    ["procnto", "native-tools", "devc-ser8250", "devc-con", "devc-pty", "pci-server"];

/// One ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ring {
    Unit,
    Tidy,
    Model,
    Boot,
}

impl Ring {
    const ALL: [Self; 4] = [Self::Unit, Self::Tidy, Self::Model, Self::Boot];

    fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Tidy => "tidy",
            Self::Model => "model",
            Self::Boot => "boot",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Unit => "crates that run on the host: single functions up to the kernel's core",
            Self::Tidy => "the rules of the source tree",
            Self::Model => "the kernel's core in ten million states",
            Self::Boot => "the system, booted in QEMU",
        }
    }

    fn packages(self, members: &Members) -> Vec<&str> {
        let host = members.host.iter().map(String::as_str);
        match self {
            Self::Unit => {
                let others = [TIDY, BOOT].into_iter().chain(MODEL).collect::<Vec<_>>();
                host.filter(|name| !others.contains(name)).chain(HOST_TESTED).collect()
            }
            Self::Tidy => vec![TIDY],
            Self::Model => vec![MODEL[0]],
            Self::Boot => vec![BOOT],
        }
    }

    /// What cargo is told beside the packages, before and behind the filter.
    fn options(self) -> [&'static [&'static str]; 2] {
        match self {
            Self::Model => [&["--profile", "model"], &["--", "--nocapture"]],
            Self::Unit | Self::Tidy | Self::Boot => [&[], &[]],
        }
    }
}

/// What a ring reported.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Explores the kernel's core for as long as it takes.
///
/// # Errors
/// When cargo cannot be started.
pub(crate) fn campaign(workspace: &Workspace, options: &CampaignOptions) -> Result<ExitCode> {
    let mut cargo = host_cargo(workspace, "run");
    cargo.args(["--profile", "model", "-p", MODEL[0], "--", "--states"]);
    cargo.arg(options.states.to_string()).args(&options.name);
    let is_success = cargo.status().context("starting cargo")?.success();
    Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the rings; the last line on standard output is `N passed, N failed`.
///
/// # Errors
/// When the system cannot be built or cargo cannot be started.
pub(crate) fn command(workspace: &Workspace, options: &TestOptions) -> Result<ExitCode> {
    if options.list {
        Ring::ALL.iter().for_each(|ring| println!("{:<6} {}", ring.name(), ring.sentence()));
        return Ok(ExitCode::SUCCESS);
    }
    let members = members(workspace, &system::manifest(workspace)?)?;
    let is_wanted = |ring: &Ring| {
        options.ring.is_empty() || options.ring.iter().any(|name| name == ring.name())
    };
    let mut total = Count::default();
    for ring in Ring::ALL.into_iter().filter(is_wanted) {
        if ring == Ring::Boot {
            // Here, where its progress is seen, and not inside the first test.
            System::build(workspace)?;
        }
        let what = format!("ring {}", ring.name());
        let filter = options.filter.as_deref();
        let count = step(&what, || run(workspace, ring, &ring.packages(&members), filter))?;
        note(&format!("{what}: {} passed, {} failed", count.passed, count.failed));
        total.passed += count.passed;
        total.failed += count.failed;
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(
    workspace: &Workspace,
    ring: Ring,
    packages: &[&str],
    filter: Option<&str>,
) -> Result<Count> {
    let [options, of_test] = ring.options();
    let mut cargo = host_cargo(workspace, "test");
    cargo.args(["--no-fail-fast", "--color", "never"]);
    for package in packages {
        cargo.args(["-p", package]);
    }
    cargo.args(options).args(filter).args(of_test);
    cargo.env("XTASK", std::env::current_exe()?);
    let mut output = String::new();
    let is_success = follow(&mut cargo, |line| {
        output.push_str(line);
        output.push('\n');
        if ring == Ring::Model && line.contains(" states") {
            note(line);
        }
    })?;
    let mut count = count(&output);
    if !is_success {
        note(output.trim_end());
        // Nothing ran, or something died without a report.
        count.failed = count.failed.max(1);
    }
    Ok(count)
}

/// Runs `command`, gives each line of either output to `take`, and says whether it succeeded.
fn follow(command: &mut Command, mut take: impl FnMut(&str)) -> Result<bool> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().context("starting cargo")?;
    // The command holds the writing ends, which would keep the pipe open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        take(&line);
        if line.starts_with("test ") && line.ends_with("FAILED") {
            note(&line);
        }
    }
    Ok(child.wait()?.success())
}

/// Sums up lines like `test result: ok. 3 passed; 1 failed; …`.
fn count(output: &str) -> Count {
    let mut count = Count::default();
    for line in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        let words: Vec<&str> = line.split([' ', ';']).collect();
        for pair in words.windows(2) {
            match (pair[0].parse::<u64>(), pair[1]) {
                (Ok(number), "passed") => count.passed += number,
                (Ok(number), "failed") => count.failed += number,
                (Ok(_) | Err(_), _) => {}
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reports_of_all_test_programs_are_added_up() {
        let output = "running 3 tests\ntest a ... ok\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
            test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(count(output), Count { passed: 6, failed: 1 });
    }

    #[test]
    fn no_report_is_no_pass() {
        assert_eq!(count("error: could not compile\n"), Count::default());
    }
}
