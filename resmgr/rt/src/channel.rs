//! Channels, connections and other handles.

use crate::sys::{address_of, call, pure, pure_u32};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::Event;
use neutrino_abi::handle::{PollEntry, SELF, SIDE_CHANNEL};

/// A handle that is closed when it is dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Handle(u32);

impl Handle {
    /// Takes charge of a handle by number.
    #[must_use]
    pub const fn from_raw(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn raw(&self) -> u32 {
        self.0
    }

    /// Gives up charge: the handle stays open.
    #[must_use]
    pub const fn into_raw(self) -> u32 {
        let number = self.0;
        let _stays_open = core::mem::ManuallyDrop::new(self);
        number
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A handle that is gone already needs no closing.
        let _closed = detach(self.0);
    }
}

/// Makes a channel; returns its chid (QNX: `ChannelCreate`).
///
/// # Errors
/// EINVAL for unknown flags, EAGAIN at a limit.
pub fn create(flags: u32) -> Result<u32, Errno> {
    pure_u32(Call::ChannelCreate { flags })
}

/// Ends a channel; who waits on it gets an error (QNX: `ChannelDestroy`).
///
/// # Errors
/// EBADF if there is no such channel.
pub fn destroy(chid: u32) -> Result<(), Errno> {
    pure(Call::ChannelDestroy { chid }).map(drop)
}

/// Makes a side-channel connection to a channel of the caller, with a badge.
///
/// # Errors
/// EBADF if there is no such channel, EAGAIN at a limit.
pub fn connect_self(chid: u32, badge: u64) -> Result<Handle, Errno> {
    let call = Call::ConnectAttach { process: SELF, chid, minimum: SIDE_CHANNEL, flags: 0, badge };
    pure_u32(call).map(Handle)
}

/// Closes a handle of any kind (QNX: `ConnectDetach`).
///
/// # Errors
/// EBADF.
pub fn detach(handle: u32) -> Result<(), Errno> {
    pure(Call::ConnectDetach { coid: handle }).map(drop)
}

/// Names the same object by the lowest free number from `minimum` on.
///
/// # Errors
/// EBADF, EMFILE.
pub fn duplicate(handle: u32, minimum: u32, flags: u32) -> Result<u32, Errno> {
    pure_u32(Call::ConnectDup { coid: handle, minimum, flags })
}

/// Names the same object by exactly `target` (`dup2`).
///
/// # Errors
/// EBADF.
pub fn duplicate_to(handle: u32, target: u32, flags: u32) -> Result<(), Errno> {
    pure(Call::ConnectDupTo { coid: handle, target, flags }).map(drop)
}

/// Changes the `COF_*` flags in `mask` to `bits`; returns the old ones.
///
/// # Errors
/// EBADF.
pub fn flags(handle: u32, mask: u32, bits: u32) -> Result<u32, Errno> {
    pure_u32(Call::ConnectFlags { coid: handle, mask, bits })
}

/// As its server: sets the readiness word of a connection.
///
/// # Errors
/// EBADF if it is gone or not the caller's.
pub fn set_ready(scoid: u32, badge: u64, bits: u32) -> Result<(), Errno> {
    pure(Call::ConnectReady { scoid, badge, bits }).map(drop)
}

/// Delivers an event of the caller's own (QNX: `MsgDeliverEvent`).
///
/// # Errors
/// EBADF, EINVAL, EAGAIN.
pub fn deliver(event: &Event) -> Result<(), Errno> {
    pure(Call::MsgDeliverEvent { rcvid: 0, event: address_of(event) }).map(drop)
}

/// Watches a connection: each time that its readiness word is set, and when nobody holds it any more,
/// there is an event. The handle does not hold the connection.
///
/// # Errors
/// EBADF, EAGAIN, EMFILE.
pub fn watch(coid: u32, event: &Event) -> Result<Handle, Errno> {
    pure_u32(Call::ConnectWatch { coid, event: address_of(event) }).map(Handle)
}

/// What is true now of the connections in `entries`, and of those that are watched.
///
/// # Errors
/// EAGAIN, EINVAL.
pub fn look(entries: &mut [PollEntry]) -> Result<(), Errno> {
    let (count, timeout) = (entries.len() as u32, 0);
    let entries = entries.as_mut_ptr().addr() as u64;
    // SAFETY: what is written are the entries, which are borrowed mutably for the whole call.
    unsafe { call(Call::ConnectPoll { entries, count, timeout, mask: 0, flags: 0 }) }.map(drop)
}

/// Sends a pulse (QNX: `MsgSendPulse`); priority -1 is the caller's.
///
/// # Errors
/// EBADF, EINVAL, EAGAIN.
pub fn send_pulse(coid: u32, priority: i32, code: i8, value: u64) -> Result<(), Errno> {
    pure(Call::MsgSendPulse { coid, priority, code: i32::from(code), value }).map(drop)
}
