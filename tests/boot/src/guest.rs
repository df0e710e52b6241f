//! The programs and scripts of `tests/guest`, which pass on a Linux host as well, and those of
//! `tests/qnx`, which do not: built here, put into the image, and run one after the other in a single
//! boot.

use crate::{Report, exec};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where they are in the image.
const FOLDER: &str = "/opt/guest";
/// What is no test but serves them.
const HELPERS: [&str; 2] = ["run", "helper.sh"];

/// So are the resource managers of `tests/qnx/resmgr`.
fn is_helper(name: &str) -> bool {
    HELPERS.contains(&name) || name.starts_with("rm-")
}

/// Programs that one boot runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// `tests/guest`: what Linux programs see.
    Guest,
    /// `tests/qnx`: QNX's kernel calls from C.
    Qnx,
}

impl Suite {
    /// Its folder below `tests`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Qnx => "qnx",
        }
    }
}

/// Builds the tests in `out`, runs them in the guest with so many CPUs and returns one report for
/// each. A test that
/// was not reached has failed.
///
/// # Errors
/// A sentence about what could not be built or started.
pub fn run(suite: Suite, out: &Path, cpus: &str, limit: Duration) -> Result<Vec<Report>, String> {
    let out = out.join(suite.name());
    build(suite, &out)?;
    let files = files(&out)?;
    let add: Vec<String> =
        files.iter().map(|name| format!("{}:{FOLDER}/{name}", out.join(name).display())).collect();
    let mut options = vec!["--direct", "--smp", cpus];
    add.iter().for_each(|argument| options.extend(["--add", argument]));
    let names = files.iter().map(String::as_str);
    let names: Vec<&str> = names.filter(|name| !is_helper(name)).collect();
    // A failed test is no reason to lose the others' results.
    let text = exec(&script(&names), &options, limit).unwrap_or_else(|text| text);
    Ok(names.into_iter().map(|name| verdict(name, &text)).collect())
}

/// Runs each test and writes a line with its exit code behind what it printed.
fn script(names: &[&str]) -> String {
    let names = names.join(" ");
    format!(
        "cd {FOLDER}; export GUEST_FILL=/tmp; for name in {names}; do \
         echo \"== $name\"; if ./run {FOLDER} $name 2>&1; then echo \"== ok $name\"; fi; done"
    )
}

/// What the output says of one test.
fn verdict(name: &str, text: &str) -> Report {
    let behind = text.split_once(&format!("== {name}\n")).map(|(_, behind)| behind);
    let failure = match behind {
        None => Some(format!("the system did not get to it; it printed:\n{text}")),
        Some(behind) => match behind.split_once("\n== ") {
            Some((_, rest)) if rest.starts_with(&format!("ok {name}\n")) => None,
            Some((printed, _)) => Some(printed.to_string()),
            None => Some(behind.to_string()),
        },
    };
    Report { name: name.into(), failure }
}

fn build(suite: Suite, out: &Path) -> Result<(), String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = tests.join(suite.name()).join("build");
    let output = Command::new(&script)
        .arg(out)
        .output()
        .map_err(|error| format!("cannot start {}: {error}", script.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} failed ({}): {said}", script.display(), output.status))
}

/// The names of what was built.
fn files(out: &Path) -> Result<Vec<String>, String> {
    let complaint = |error| format!("cannot read {}: {error}", out.display());
    let entries = fs::read_dir(out).map_err(complaint)?;
    let paths: Result<Vec<PathBuf>, _> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let paths = paths.map_err(complaint)?;
    let mut names: Vec<String> = paths
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "== a\n1 passed, 0 failed\n== ok a\n== b\nb.c:3: no\n== c\nstuck\n";

    #[test]
    fn each_test_has_its_own_verdict() {
        assert_eq!(verdict("a", TEXT).failure, None);
        assert_eq!(verdict("b", TEXT).failure.as_deref(), Some("b.c:3: no"));
        assert_eq!(verdict("c", TEXT).failure.as_deref(), Some("stuck\n"));
    }

    #[test]
    fn a_test_that_was_not_reached_has_failed() {
        let why = verdict("d", TEXT).failure.unwrap();
        assert!(why.starts_with("the system did not get to it"), "{why}");
    }
}
