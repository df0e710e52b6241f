//! A run with the terminal as the guest's serial console.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::exec::{EXIT_SIGNAL, EXIT_XTASK_FAILED};
use crate::guest::{End, Guest, Terminal};
use crate::progress::note;

/// Starts QEMU on this terminal and waits for its end. QEMU makes the terminal raw, so that ^C and the
/// like reach the guest.
///
/// # Errors
/// When QEMU cannot be started.
pub(crate) fn attend(qemu: &Command, qmp: Option<&Path>) -> Result<ExitCode> {
    note("booting; leave with Ctrl-A x (Ctrl-A c is QEMU's monitor, Ctrl-A h helps)");
    if qmp.is_some() {
        note("the display can be saved with: cargo xtask screendump -o screen.png");
    }
    let _terminal = SavedTerminal::save();
    let status = match Guest::start(qemu, Terminal::Shared)?.wait(None)? {
        End::Qemu(status) => status,
        End::Timeout | End::Signal => return Ok(ExitCode::from(EXIT_SIGNAL)),
    };
    match status.code() {
        Some(0) => return Ok(ExitCode::SUCCESS),
        // isa-debug-exit makes every status odd; 1 is also QEMU's own for a bad command line.
        Some(code) if code % 2 == 1 && code != 1 => {
            note(&format!("the guest's kernel stopped (QEMU's status is {code})"));
        }
        Some(_) | None => note(&format!("QEMU ended: {status}")),
    }
    Ok(ExitCode::from(EXIT_XTASK_FAILED))
}

/// Gives the terminal back as it was, also when QEMU is killed and cannot.
struct SavedTerminal(Option<Termios>);

impl SavedTerminal {
    fn save() -> Self {
        let stdin = std::io::stdin();
        Self(stdin.is_terminal().then(|| tcgetattr(&stdin).ok()).flatten())
    }
}

impl Drop for SavedTerminal {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            tcsetattr(std::io::stdin(), OptionalActions::Drain, state).unwrap_or_default();
        }
    }
}
