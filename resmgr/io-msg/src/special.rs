//! Descriptors that are no files: timers, sets of descriptors to wait for, and the reader's signals
//! (Linux: `timerfd`, `epoll`, `signalfd`).

use neutrino_abi::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Subtype of `TIMER_SET`: the value is a distance.
pub const TIMER_RELATIVE: u16 = 0;
/// Subtype of `TIMER_SET`: the value is a point on the timer's clock.
pub const TIMER_ABSOLUTE: u16 = 1;

/// `TIMER_SET`; reply: the [`TimerValue`] before.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TimerSet {
    /// Type.
    pub kind: u16,
    /// `TIMER_RELATIVE` or `TIMER_ABSOLUTE`.
    pub subtype: u16,
    /// Not used; 0.
    pub zero: u32,
    /// First expiry, and the distance between expiries.
    pub new: TimerValue,
}

/// A setting of a timer, in nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TimerValue {
    /// Time of the next expiry; told: what is left. 0: none.
    pub value: u64,
    /// Distance between expiries; 0: there is one only.
    pub interval: u64,
}

/// What `SET_CHANGE` does; its subtype (Linux: `EPOLL_CTL_*`).
pub mod change {
    /// Puts the offered descriptor into the set.
    pub const ADD: u16 = 1;
    /// Takes it out.
    pub const REMOVE: u16 = 2;
    /// Changes what is waited for.
    pub const MODIFY: u16 = 3;
}

/// Bits of `events` beside readiness (Linux: `EPOLL*`).
pub mod events {
    /// With others on the same descriptor, one is woken: every one is, here.
    pub const EXCLUSIVE: u32 = 1 << 28;
    /// Keeps the system from sleeping, which it does not.
    pub const WAKEUP: u32 = 1 << 29;
    /// Told once, then not before it is modified.
    pub const ONE_SHOT: u32 = 1 << 30;
    /// Told when something happens, not as long as it lasts.
    pub const EDGE: u32 = 1 << 31;
}

/// `SET_CHANGE`; offers the descriptor.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetChange {
    /// Type.
    pub kind: u16,
    /// What to do ([`change`]).
    pub subtype: u16,
    /// The client's number of the descriptor.
    pub descriptor: i32,
    /// What to wait for: `abi::handle::ready` bits and those of [`events`].
    pub events: u32,
    /// Not used; 0.
    pub zero: u32,
    /// What the client is told it by, in halves.
    pub data: [u32; 2],
}

/// `SET_TAKE`; reply: [`SetEvent`]s of 12 bytes; status = how many.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetTake {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// The most that there is room for.
    pub most: u32,
    /// Signals that are pending for the client.
    pub pending: u64,
}

/// Something that is ready (Linux: `struct epoll_event`, which is packed).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SetEvent {
    /// `abi::handle::ready` bits.
    pub events: u32,
    /// The client's data, in halves.
    pub data: [u32; 2],
}

/// `SIGNALS`: which signals a descriptor reads; reply: the set before.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Signals {
    /// Type.
    pub kind: u16,
    /// 0: ask; 1: change to `set`.
    pub subtype: u16,
    /// Not used; 0.
    pub zero: u32,
    /// The signals.
    pub set: u64,
}

/// The answer to a read of the reader's signals: the reader has them, no server.
pub const READ_YOUR_SIGNALS: Errno = Errno::ENODATA;
