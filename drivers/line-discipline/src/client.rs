//! What a terminal asks of its surroundings: the clients that wait, and the process manager.

use neutrino_abi::Errno;

use crate::{Group, Session, Signal};

/// How a client's wait ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done<'a> {
    /// With what it read.
    Data(&'a [u8]),
    /// With a number: bytes written, or 0.
    Count(usize),
    /// With an error.
    Failed(Errno),
}

/// A client that waits for an answer.
pub trait Client {
    /// Answers it.
    fn finish(self, done: Done<'_>);
}

/// Whether a group has a parent that could continue it after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parentage {
    /// It has.
    Watched,
    /// It has not: stopping it would be for ever.
    Orphaned,
}

/// What the process manager knows of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// Its session.
    pub session: Session,
    /// Whether it is orphaned.
    pub parentage: Parentage,
}

/// The process manager, as a terminal sees it.
pub trait System {
    /// Tells about a group; nothing if there is none.
    fn group(&mut self, group: Group) -> Option<GroupState>;
    /// Tells if a session's leader lives.
    fn is_alive(&mut self, session: Session) -> bool;
    /// Sends a signal to a group of the session that the terminal controls; group 0 is the leader
    /// alone.
    fn signal(&mut self, session: Session, group: Group, signal: Signal);
    /// Makes this terminal the one that `/dev/tty` means in a session.
    ///
    /// # Errors
    /// [`Errno::EPERM`] if the session has one already.
    fn gain(&mut self, session: Session) -> Result<(), Errno>;
    /// Leaves a session without a terminal.
    fn lose(&mut self, session: Session);
}
