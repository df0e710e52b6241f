//! Who owns the terminal: its session, its foreground group, and what others may do.
//!
//! Decisions only. The caller's ids and the fate of its stop signals come from the owner, which has
//! them from the kernel; the owner sends what is decided.

use crate::Signal;

/// A session, by its leader's pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session(pub i32);

/// A process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(pub i32);

/// What `SIGTTIN` or `SIGTTOU` would do to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// Stop it or run its handler.
    Acts,
    /// Nothing: it is ignored or blocked.
    Ignored,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its process.
    pub process: i32,
    /// Its group.
    pub group: Group,
    /// Its session.
    pub session: Session,
    /// What `SIGTTIN` does to it.
    pub background_read: StopSignal,
    /// What `SIGTTOU` does to it.
    pub background_write: StopSignal,
}

impl Caller {
    /// Tells if the caller leads its session.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.process == self.session.0
    }
}

/// What the caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Write, where `TOSTOP` is set; without it everybody may.
    Write,
    /// Change settings, flush, send a break, name the foreground group.
    Change,
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller is in the background: send the signal to its group; the call is restarted after
    /// it (`ERESTART`).
    Signal(Group, Signal),
    /// The caller is in the background and cannot be stopped (`EIO`).
    Unstoppable,
    /// The terminal does not control the caller (`ENOTTY`).
    NotControlling,
    /// Not permitted (`EPERM`).
    NotPermitted,
    /// There is no such group (`ESRCH`).
    NoGroup,
}

/// Who controls the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// Nobody.
    #[default]
    Free,
    /// A session, whose `foreground` group may read.
    Owned {
        /// The session.
        session: Session,
        /// The foreground group.
        foreground: Group,
    },
}

impl Control {
    /// Gives the group that signals go to.
    #[must_use]
    pub fn foreground(&self) -> Option<Group> {
        match self {
            Self::Free => None,
            Self::Owned { foreground, .. } => Some(*foreground),
        }
    }

    /// Gives the session.
    #[must_use]
    pub fn session(&self) -> Option<Session> {
        match self {
            Self::Free => None,
            Self::Owned { session, .. } => Some(*session),
        }
    }

    /// Tells if the terminal controls the caller, and another group is in the foreground.
    #[must_use]
    pub fn is_background(&self, caller: &Caller) -> bool {
        match self {
            Self::Free => false,
            Self::Owned { session, foreground } => {
                caller.session == *session && caller.group != *foreground
            }
        }
    }

    /// Decides if `caller` may have `access` now.
    ///
    /// # Errors
    /// [`Refusal::Signal`] stops a background caller (whose group is not orphaned: the owner asks),
    /// [`Refusal::Unstoppable`] refuses one that cannot be stopped.
    pub fn check(&self, caller: &Caller, access: Access) -> Result<(), Refusal> {
        if !self.is_background(caller) {
            return Ok(());
        }
        let (fate, signal) = match access {
            Access::Read => (caller.background_read, Signal::BackgroundRead),
            Access::Write | Access::Change => (caller.background_write, Signal::BackgroundWrite),
        };
        match (fate, access) {
            (StopSignal::Ignored, Access::Read) => Err(Refusal::Unstoppable),
            (StopSignal::Ignored, Access::Write | Access::Change) => Ok(()),
            (StopSignal::Acts, _) => Err(Refusal::Signal(caller.group, signal)),
        }
    }

    /// Makes `group`, of the session `of`, the foreground group (`TIOCSPGRP`); the caller has passed
    /// [`Control::check`].
    ///
    /// # Errors
    /// [`Refusal::NotControlling`] if the terminal is not the caller's, [`Refusal::NoGroup`] if
    /// there is no such group, [`Refusal::NotPermitted`] if it is another session's.
    pub fn set_foreground(
        &mut self,
        caller: &Caller,
        group: Group,
        of: Option<Session>,
    ) -> Result<(), Refusal> {
        match self {
            Self::Owned { session, foreground } if *session == caller.session => {
                match of {
                    None => return Err(Refusal::NoGroup),
                    Some(other) if other != *session => return Err(Refusal::NotPermitted),
                    Some(_) => {}
                }
                // Commit: nothing below fails.
                *foreground = group;
                Ok(())
            }
            Self::Owned { .. } | Self::Free => Err(Refusal::NotControlling),
        }
    }

    /// Tells the foreground group (`TIOCGPGRP`).
    ///
    /// # Errors
    /// [`Refusal::NotControlling`] if the terminal does not control the caller.
    pub fn foreground_for(&self, caller: &Caller) -> Result<Group, Refusal> {
        match self {
            Self::Owned { session, foreground } if *session == caller.session => Ok(*foreground),
            Self::Owned { .. } | Self::Free => Err(Refusal::NotControlling),
        }
    }

    /// Tells the session (`TIOCGSID`).
    ///
    /// # Errors
    /// [`Refusal::NotControlling`] if the terminal does not control the caller.
    pub fn session_for(&self, caller: &Caller) -> Result<Session, Refusal> {
        self.foreground_for(caller).map(|_| caller.session)
    }

    /// Makes the terminal control the caller's session (`TIOCSCTTY`).
    ///
    /// That a session has one terminal only is procnto's to check, which knows the others.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] unless the caller leads a session and the terminal is free.
    pub fn acquire(&mut self, caller: &Caller) -> Result<(), Refusal> {
        match self {
            _ if !caller.is_leader() => Err(Refusal::NotPermitted),
            Self::Owned { session, .. } if *session == caller.session => Ok(()),
            Self::Owned { .. } => Err(Refusal::NotPermitted),
            Self::Free => {
                *self = Self::Owned { session: caller.session, foreground: caller.group };
                Ok(())
            }
        }
    }

    /// Gives the terminal up (`TIOCNOTTY`); the group that gets `SIGHUP` and `SIGCONT` if it was
    /// the leader who did it.
    ///
    /// # Errors
    /// [`Refusal::NotControlling`] if the terminal does not control the caller.
    pub fn release(&mut self, caller: &Caller) -> Result<Option<Group>, Refusal> {
        let foreground = self.foreground_for(caller)?;
        if !caller.is_leader() {
            return Ok(None);
        }
        *self = Self::Free;
        Ok(Some(foreground))
    }

    /// Ends the control of `session`, whose leader is gone; the group that gets `SIGHUP` and
    /// `SIGCONT`.
    pub fn session_ended(&mut self, ended: Session) -> Option<Group> {
        match *self {
            Self::Owned { session, foreground } if session == ended => {
                *self = Self::Free;
                Some(foreground)
            }
            Self::Owned { .. } | Self::Free => None,
        }
    }
}
