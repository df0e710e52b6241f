//! The signals that a terminal can cause, with Linux's numbers.

use linux_raw_sys::general as linux;

/// A signal that the terminal wants sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGHUP`: the line is gone.
    HangUp,
    /// `SIGINT`: the interrupt character, or a break.
    Interrupt,
    /// `SIGQUIT`: the quit character.
    Quit,
    /// `SIGTSTP`: the suspend character.
    Suspend,
    /// `SIGCONT`: follows a hang-up so that stopped processes learn of it.
    Continue,
    /// `SIGTTIN`: a background process read.
    BackgroundRead,
    /// `SIGTTOU`: a background process wrote or changed the terminal.
    BackgroundWrite,
    /// `SIGWINCH`: the window has a new size.
    WindowChange,
}

impl Signal {
    /// Gives the signal's number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::HangUp => linux::SIGHUP,
            Self::Interrupt => linux::SIGINT,
            Self::Quit => linux::SIGQUIT,
            Self::Suspend => linux::SIGTSTP,
            Self::Continue => linux::SIGCONT,
            Self::BackgroundRead => linux::SIGTTIN,
            Self::BackgroundWrite => linux::SIGTTOU,
            Self::WindowChange => linux::SIGWINCH,
        }
    }
}
