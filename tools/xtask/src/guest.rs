//! A running QEMU, which never outlives xtask.

use std::io::{self, ErrorKind};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::shell;

/// How often the end of QEMU, of the time, or a signal is looked for.
const POLL: Duration = Duration::from_millis(5);

/// How a run ended.
#[derive(Debug)]
pub(crate) enum End {
    /// QEMU ended by itself.
    Qemu(ExitStatus),
    /// The time was up.
    Timeout,
    /// xtask was told to stop.
    Signal,
}

/// What QEMU's own standard streams are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Terminal {
    /// This terminal.
    Shared,
    /// Nothing to read; complaints go to standard error.
    Log,
}

/// A running QEMU; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    child: Child,
    is_stopped: Arc<AtomicBool>,
}

impl Guest {
    /// Starts QEMU.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(qemu: &Command, terminal: Terminal) -> Result<Self> {
        let is_stopped = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&is_stopped))?;
        }
        // Where it can be had, the kernel ends QEMU even if xtask is killed outright.
        let mut command = match shell::find("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL"]).arg(qemu.get_program());
                command
            }
            None => Command::new(qemu.get_program()),
        };
        command.args(qemu.get_args());
        match terminal {
            Terminal::Shared => {}
            Terminal::Log => {
                command.stdin(Stdio::null()).stdout(io::stderr());
            }
        }
        Ok(Self { child: command.spawn().context("starting QEMU")?, is_stopped })
    }

    /// Waits for QEMU to open a port; it does so before the guest's first instruction.
    ///
    /// # Errors
    /// When QEMU ends instead.
    pub(crate) fn accept(&mut self, listener: &UnixListener) -> Result<UnixStream> {
        listener.set_nonblocking(true)?;
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("QEMU did not start ({status})");
            }
            thread::sleep(POLL);
        }
    }

    /// Waits for the end, and makes one at a signal or when `limit` is over.
    ///
    /// # Errors
    /// When the operating system cannot tell.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> Result<End> {
        let started = Instant::now();
        let end = loop {
            let status = self.child.try_wait()?;
            // Asked after the status: a terminal sends ^C to QEMU too, which then ends by itself.
            if self.is_stopped.load(Ordering::Relaxed) {
                break End::Signal;
            }
            if let Some(status) = status {
                break End::Qemu(status);
            }
            if limit.is_some_and(|limit| started.elapsed() > limit) {
                break End::Timeout;
            }
            thread::sleep(POLL);
        };
        self.stop();
        Ok(end)
    }

    fn stop(&mut self) {
        // It may have ended by itself in the meantime.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.stop();
    }
}
