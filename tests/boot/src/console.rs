//! A boot whose serial console a test types on and reads, with time limits: a small `expect`.

use crate::{Machine, machine};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the shell prints when it waits for a line.
pub const PROMPT: &str = "# ";

/// How long an answer that needs no work may take: the host may be busy with other things.
pub const SOON: Duration = Duration::from_secs(30);

/// What the guest has written so far.
#[derive(Debug, Default)]
struct Received {
    bytes: Mutex<Vec<u8>>,
    has_more: Condvar,
}

/// A running system and both ends of its serial console. It ends with this value.
#[derive(Debug)]
pub struct Console {
    child: Child,
    keyboard: ChildStdin,
    received: Arc<Received>,
    /// Where in what was received the next expectation begins.
    position: usize,
    log: PathBuf,
}

/// What a command line printed, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Standard output and error, as the terminal showed them, with plain line ends.
    pub text: String,
    /// `$?`.
    pub status: i32,
}

impl Console {
    /// Boots the ordinary image with options of `cargo xtask run`; `extra` goes to QEMU.
    ///
    /// # Errors
    /// A sentence about what could not be built or started.
    pub fn boot(options: &[&str], extra: &[&str]) -> Result<Self, String> {
        let Machine { mut command, log } = machine(options)?;
        let mut child = command
            .args(extra)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start QEMU: {error}"))?;
        let keyboard = child.stdin.take().ok_or("QEMU has no standard input")?;
        let mut screen = child.stdout.take().ok_or("QEMU has no standard output")?;
        let received = Arc::<Received>::default();
        let sink = Arc::clone(&received);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                let mut bytes = sink.bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&buffer[..count]);
                sink.has_more.notify_all();
            }
        });
        Ok(Self { child, keyboard, received, position: 0, log })
    }

    /// Types.
    ///
    /// # Errors
    /// If the machine is gone.
    pub fn send(&mut self, text: &str) -> Result<(), String> {
        let sent = self.keyboard.write_all(text.as_bytes()).and_then(|()| self.keyboard.flush());
        sent.map_err(|error| format!("the machine takes no input: {error}"))
    }

    /// Waits for a text and returns what came before it; the next expectation begins behind it.
    ///
    /// # Errors
    /// What came instead.
    pub fn expect(&mut self, wanted: &str, limit: Duration) -> Result<String, String> {
        let end = Instant::now() + limit;
        let mut bytes = self.received.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let new = &bytes[self.position..];
            let found = new.windows(wanted.len()).position(|part| part == wanted.as_bytes());
            if let Some(at) = found {
                let before = String::from_utf8_lossy(&new[..at]).into_owned();
                self.position += at + wanted.len();
                return Ok(before);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let new = String::from_utf8_lossy(new).into_owned();
                self.position = bytes.len();
                return Err(format!("no {wanted:?} within {limit:?}, but {new:?}"));
            }
            let waited = self.received.has_more.wait_timeout(bytes, left);
            bytes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the shell's prompt at the start of a line; returns what came before.
    ///
    /// # Errors
    /// What came instead.
    pub fn prompt(&mut self) -> Result<String, String> {
        self.expect("\r\n# ", SOON)
    }

    /// Runs a command line in the shell.
    ///
    /// # Errors
    /// What came instead of its end.
    pub fn run(&mut self, line: &str, limit: Duration) -> Result<Output, String> {
        // Quotes, so that the echo of the line is not taken for its end.
        self.send(&format!("{line}; echo \"=\"'END='$?\r"))?;
        self.expect("'END='$?\r\n", SOON)?;
        let text = self.expect("=END=", limit)?;
        let status = self.expect("\r\n", SOON)?;
        self.expect(PROMPT, SOON)?;
        let status = status.parse().map_err(|_| format!("the exit status is {status:?}"))?;
        Ok(Output { text: text.replace('\r', ""), status })
    }

    /// Runs a command line that has to succeed and returns what it printed, without the last
    /// line end.
    ///
    /// # Errors
    /// What it printed, if it failed.
    pub fn succeed(&mut self, line: &str, limit: Duration) -> Result<String, String> {
        let Output { text, status } = self.run(line, limit)?;
        if status == 0 {
            Ok(text.trim_end_matches('\n').to_owned())
        } else {
            Err(format!("{line}: exit status {status}: {text}"))
        }
    }

    /// After a failure: brings the shell back to its prompt if that can be done.
    pub fn recover(&mut self) {
        for key in ["\x03", "\r", "\x1b:q!\r", "\x03\r"] {
            if self.send(key).is_err() || self.expect(PROMPT, Duration::from_secs(3)).is_ok() {
                break;
            }
        }
        std::thread::sleep(Duration::from_millis(300));
        let bytes = self.received.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        self.position = bytes.len();
    }

    /// What the kernel and procnto have logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for the machine to switch itself off.
    ///
    /// # Errors
    /// If it does not, or with a failure.
    pub fn end(&mut self, limit: Duration) -> Result<(), String> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return if status.success() { Ok(()) } else { Err(format!("QEMU: {status}")) };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("the machine still runs after {limit:?}"))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        let _reaped = self.child.wait();
        let _left_behind_is_no_harm = std::fs::remove_file(&self.log);
    }
}
