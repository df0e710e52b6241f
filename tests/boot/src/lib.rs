//! Boots an image in QEMU and reads what its tests write to the kernel's log.
//!
//! `cargo xtask test` sets `XTASK` to itself; it builds the image and tells QEMU's command line.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test tool on the host stops with a sentence"
)]

pub mod console;
pub mod disk;
pub mod gdb;
pub mod guest;
pub mod trace;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A line `WHO: ok NAME` or `WHO: FAILED NAME…` of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The test, as the sentence that it proves, with underscores.
    pub name: String,
    /// What went wrong, if anything did.
    pub failure: Option<String>,
}

/// The reports in a log.
#[must_use]
pub fn reports(log: &str) -> Vec<Report> {
    let words = log.lines().filter_map(|line| line.split_once(": ")).map(|(_, rest)| rest);
    words
        .filter_map(|rest| match rest.split_once(' ') {
            Some(("ok", name)) => Some(Report { name: name.into(), failure: None }),
            Some(("FAILED", name)) => {
                let (name, why) = name.split_once(": ").unwrap_or((name, "failed"));
                Some(Report { name: name.into(), failure: Some(why.into()) })
            }
            Some(_) | None => None,
        })
        .collect()
}

/// The words of a command line as `--show-command` prints it: quotes are single.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in line.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().into_iter().for_each(|word| word.push(other)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Boots what a manifest lists, with the emulator's options, and returns the kernel's log.
///
/// # Errors
/// A sentence about what could not be built or started, or that the system did not end in time.
pub fn boot(manifest: &str, options: &[&str], limit: Duration) -> Result<String, String> {
    let xtask = std::env::var("XTASK").map_err(|_| "run me with `cargo xtask test`".to_string())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shown = Command::new(xtask)
        .args(["--manifest", manifest, "run", "--show-command"])
        .args(options)
        .current_dir(&root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start xtask: {error}"))?;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = text.lines().rfind(|line| line.contains("qemu-system")).unwrap_or_default();
    let command = words(line);
    let (program, arguments) = command.split_first().ok_or("xtask showed no command")?;
    let log = std::env::temp_dir().join(format!("neutrino-boot-{}.log", std::process::id()));
    let mut child = Command::new(program)
        .args(arguments)
        .args(["-debugcon", &format!("file:{}", log.display())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .current_dir(&root)
        .spawn()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    let end = Instant::now() + limit;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() > end {
            let _it_may_have_ended = child.kill();
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("the system did not end within {limit:?}; its log:\n{log}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = std::fs::read(&log).map_err(|error| format!("no log: {error}"))?;
    let _left_behind_is_no_harm = std::fs::remove_file(&log);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Makes the ISO afresh and returns its bytes.
///
/// # Errors
/// A sentence about what could not be built or read.
pub fn iso(manifest: &str) -> Result<Vec<u8>, String> {
    let xtask = std::env::var("XTASK").map_err(|_| "run me with `cargo xtask test`".to_string())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let make = || {
        let mut command = Command::new(&xtask);
        let output = command.args(["--manifest", manifest, "iso"]).current_dir(&root).output();
        let output = output.map_err(|error| format!("cannot start xtask: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let path = said.lines().find_map(|line| line.strip_prefix("the ISO is "));
        path.map(PathBuf::from).ok_or(said.clone())
    };
    let old = make()?;
    std::fs::remove_file(&old).map_err(|error| error.to_string())?;
    let sources = old.with_file_name("iso");
    std::fs::remove_dir_all(sources).map_err(|error| error.to_string())?;
    std::fs::read(make()?).map_err(|error| error.to_string())
}

/// A machine that is ready to start, with its serial console on standard input and output.
#[derive(Debug)]
pub struct Machine {
    /// QEMU.
    pub command: Command,
    /// Where the kernel's log goes.
    pub log: PathBuf,
}

/// Builds the ordinary image and prepares QEMU for it.
///
/// # Errors
/// A sentence about what could not be built.
pub fn machine(options: &[&str]) -> Result<Machine, String> {
    let xtask = std::env::var("XTASK").map_err(|_| "run me with `cargo xtask test`".to_string())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shown = Command::new(xtask)
        .args(["run", "--show-command"])
        .args(options)
        .current_dir(&root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start xtask: {error}"))?;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = text.lines().rfind(|line| line.contains("qemu-system")).unwrap_or_default();
    // Without QEMU's monitor beside the console, and without the key that leads there.
    let line = line.replace(" -mon chardev=console,mode=readline", "").replace("mux=on,", "");
    let command_line = words(&line);
    let (program, arguments) = command_line.split_first().ok_or("xtask showed no command")?;
    let log = std::env::temp_dir().join(format!("neutrino-console-{}.log", std::process::id()));
    let mut command = Command::new(program);
    command.args(arguments).args(["-debugcon", &format!("file:{}", log.display())]);
    command.current_dir(&root);
    Ok(Machine { command, log })
}

/// The folder of the system's own programs, as they are in the image.
///
/// # Errors
/// A sentence about what could not be built.
pub fn programs() -> Result<PathBuf, String> {
    let Machine { command, .. } = machine(&["--direct"])?;
    let kernel = command.get_args().skip_while(|word| *word != "-kernel").nth(1);
    let folder = kernel.and_then(|kernel| Path::new(kernel).parent());
    folder.map(PathBuf::from).ok_or_else(|| "xtask showed no kernel".into())
}

/// Runs a script in the guest's shell and returns what it printed.
///
/// # Errors
/// A sentence about what could not be built or started, or the script's exit status with what it
/// printed.
pub fn exec(script: &str, options: &[&str], limit: Duration) -> Result<String, String> {
    let xtask = std::env::var("XTASK").map_err(|_| "run me with `cargo xtask test`".to_string())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let seconds = limit.as_secs().to_string();
    let output = Command::new("timeout")
        .args([seconds.as_str(), &xtask, "run", "--exec", script])
        .args(options)
        .current_dir(&root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start xtask: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err(format!("{}:\n{text}", output.status)) }
}

/// Plays every scenario of priority inversion in one boot and returns a report on each.
///
/// # Errors
/// A sentence about what could not be built or started, or is wrong in a file.
pub fn inversion(limit: Duration) -> Result<String, String> {
    let xtask = std::env::var("XTASK").map_err(|_| "run me with `cargo xtask test`".to_string())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let seconds = limit.as_secs().to_string();
    let output = Command::new("timeout")
        .args([seconds.as_str(), &xtask, "inversion"])
        .current_dir(&root)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start xtask: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Whether scenarios failed is in the text.
    if text.is_empty() {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_which_tests_held() {
        let log = "neutrino: up\nselftest: ok a_b\nselftest: FAILED c_d: EIO\n";
        let found = reports(log);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].failure.as_deref(), Some("EIO"));
    }

    #[test]
    fn quoted_words_stay_together() {
        assert_eq!(words("a 'b c' d"), ["a", "b c", "d"]);
    }
}
