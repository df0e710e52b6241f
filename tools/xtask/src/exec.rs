//! `run --exec`: the guest's command line by line on this process's own outputs.
//!
//! The guest has three serial ports beside its console: the command's standard output and standard
//! error, and a control port on which the start script writes `exit N` before it powers off. Each is a
//! UNIX socket, which keeps what QEMU wrote even after QEMU has ended: no byte is lost at shutdown. The
//! console goes to a log, shown only when something went wrong.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, Result, anyhow};

use crate::guest::{End, Guest, Terminal};
use crate::progress::note;
use crate::qemu::{Backend, PORTS, Serial};
use crate::workspace::Workspace;

/// xtask itself could not do what was asked; as `env` and `timeout` have it.
pub(crate) const EXIT_XTASK_FAILED: u8 = 125;
/// The command's time was up; as `timeout` has it.
const EXIT_TIMEOUT: u8 = 124;

/// A signal ended the run; as shells have it for ^C.
pub(crate) const EXIT_SIGNAL: u8 = 130;

/// Boots what `qemu` says and passes the command's outputs and status on.
///
/// # Errors
/// When QEMU cannot be started or the sockets fail.
pub(crate) fn run(
    workspace: &Workspace,
    limit: Option<Duration>,
    qemu: impl FnOnce(&Serial) -> Result<Command>,
) -> Result<ExitCode> {
    // Not below target: a socket's path has to be short.
    let folder = tempfile::Builder::new().prefix("neutrino-").tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let listeners = PORTS.map(|port| UnixListener::bind(path(port.name)));
    let ports = PORTS.map(|port| Backend::Socket(path(port.name)));
    let log = path("console.log");
    let command = qemu(&Serial::Exec { log: log.clone(), ports })?;

    let mut guest = Guest::start(&command, Terminal::Log)?;
    let mut streams = Vec::new();
    for listener in listeners {
        streams.push(guest.accept(&listener?)?);
    }
    let [stdout, stderr, control] = <[UnixStream; 3]>::try_from(streams)
        .map_err(|_| anyhow!("QEMU did not open its three ports"))?;
    let stdout = forward(stdout, io::stdout());
    let stderr = forward(stderr, io::stderr());
    let control = thread::spawn(move || read_control(control));

    let end = guest.wait(limit)?;
    join(stdout)?;
    join(stderr)?;
    let said = join(control)?;
    let kept_log = workspace.target.join("console.log");
    fs::copy(&log, &kept_log).unwrap_or_default();
    let status = match (exit_status(&said), inversions(&said)) {
        (Some(_), Some(count @ 1..)) => {
            note(&format!("the kernel's monitor counted {count} priority inversions"));
            Some(EXIT_XTASK_FAILED)
        }
        (status, Some(_) | None) => status,
    };
    Ok(conclude(&end, status, &log, &kept_log))
}

fn conclude(end: &End, status: Option<u8>, log: &Path, kept_log: &Path) -> ExitCode {
    let (complaint, code) = match (end, status) {
        (End::Qemu(qemu), Some(status)) if qemu.success() => return ExitCode::from(status),
        (End::Qemu(qemu), Some(_)) => {
            (format!("the guest did not power off cleanly (QEMU: {qemu})"), EXIT_XTASK_FAILED)
        }
        (End::Qemu(qemu), None) => (
            format!("the guest ended without the command's status (QEMU: {qemu})"),
            EXIT_XTASK_FAILED,
        ),
        (End::Timeout, _) => ("the time is up (--timeout)".to_owned(), EXIT_TIMEOUT),
        (End::Signal, _) => return ExitCode::from(EXIT_SIGNAL),
    };
    let console = fs::read(log).unwrap_or_default();
    note("--- the guest's console ---");
    io::stderr().write_all(&console).unwrap_or_default();
    note(&format!("\n--- {complaint}; the console is in {} ---", kept_log.display()));
    ExitCode::from(code)
}

/// Copies a port to an output, each byte as soon as it is there. When nobody reads the output any more
/// the port is still emptied, so that the guest is not held up.
fn forward(
    mut from: UnixStream,
    mut to: impl Write + Send + 'static,
) -> JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        let mut is_heard = true;
        each_chunk(&mut from, |bytes| {
            is_heard = is_heard && to.write_all(bytes).and_then(|()| to.flush()).is_ok();
        })
    })
}

fn read_control(mut from: UnixStream) -> io::Result<String> {
    let mut said = Vec::new();
    each_chunk(&mut from, |bytes| said.extend_from_slice(bytes))?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn each_chunk(from: &mut UnixStream, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = [0; 65536];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // QEMU ended with something unread: everything it wrote has been read by now.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn join<T>(thread: JoinHandle<io::Result<T>>) -> Result<T> {
    let result = thread.join().map_err(|_| anyhow!("a port's thread died"))?;
    result.context("reading a serial port")
}

/// Finds the last `exit N` of the control port.
fn exit_status(said: &str) -> Option<u8> {
    let lines = said.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix("exit "))
        .filter_map(|text| text.parse().ok())
        .next_back()
}

/// Finds `inversions N` on the control port: what the kernel's monitor has counted.
fn inversions(said: &str) -> Option<u64> {
    let mut lines = said.lines().map(str::trim);
    lines.find_map(|line| line.strip_prefix("inversions ")).and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monitors_count_is_found_beside_the_status() {
        assert_eq!(inversions("exit 0\ninversions 2\r\n"), Some(2));
        assert_eq!(inversions("exit 0\n"), None);
        assert_eq!(exit_status("exit 3\ninversions 0\n"), Some(3));
    }

    #[test]
    fn the_status_is_found_whatever_the_line_end() {
        assert_eq!(exit_status("exit 3\n"), Some(3));
        assert_eq!(exit_status("hello\r\nexit 0\r\n"), Some(0));
        assert_eq!(exit_status("exit 300\n"), None);
        assert_eq!(exit_status("exi"), None);
    }
}
