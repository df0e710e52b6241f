//! Running host programs: quietly, and with all their output when they fail.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, Result, bail};

/// Runs `command` and returns its standard output.
///
/// # Errors
/// When it cannot be started or fails; the error carries what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = finish(command)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `command` for its effect.
///
/// # Errors
/// When it cannot be started or fails; the error carries what it printed.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    finish(command).map(|_| ())
}

/// Runs `command` for its effect, and kills it after `limit`.
///
/// # Errors
/// When it cannot be started or waited for.
pub(crate) fn within(limit: Duration, command: &mut Command) -> Result<Option<ExitStatus>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {}", name(command)))?;
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Finds a program as the shell does, and where only root has the folder in its path too.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(program))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Writes `command` so that it can be pasted into a shell.
pub(crate) fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quote).collect::<Vec<_>>().join(" ")
}

fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn finish(command: &mut Command) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", name(command)))?;
    if output.status.success() {
        return Ok(output);
    }
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    bail!("{} failed ({}):\n{}", name(command), output.status, printed.trim_end())
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_command_survives_the_shell() {
        let mut command = Command::new("qemu");
        command.args(["-m", "512M", "a b", "it's", ""]);
        assert_eq!(display(&command), r"qemu -m 512M 'a b' 'it'\''s' ''");
    }

    #[test]
    fn a_failing_program_is_quoted_in_the_error() {
        let error = output(Command::new("sh").args(["-c", "echo why; exit 3"])).unwrap_err();
        assert!(format!("{error}").contains("why"), "{error}");
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed() {
        let mut command = Command::new("sleep");
        command.arg("60");
        assert_eq!(within(Duration::from_millis(100), &mut command).unwrap(), None);
    }
}
