//! The small integers by which a process names kernel objects.
//!
//! A process has one table. Its low part, [0, `FD_LIMIT`), holds connections that are file
//! descriptors; its high part, from [`SIDE_CHANNEL`], holds everything else: side-channel
//! connections, channels, memory objects, timers, interrupts, processes and address spaces.
//! Channel ids are written without the bit (`chid` 1 is handle 0x40000001), as on QNX.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// First number of the high part of the table (QNX: `_NTO_SIDE_CHANNEL`).
pub const SIDE_CHANNEL: u32 = 0x4000_0000;
/// The connection to the process manager that every process has (QNX: `SYSMGR_COID`).
pub const SYSMGR_COID: u32 = SIDE_CHANNEL;
/// The channel of the process manager in its own table (QNX: `SYSMGR_CHID`).
pub const SYSMGR_CHID: u32 = 1;
/// The process manager's process id (QNX: `SYSMGR_PID`).
pub const SYSMGR_PID: u32 = 1;
/// Highest number of descriptors of a process; the default of `RLIMIT_NOFILE`.
pub const FD_LIMIT: u32 = 1024;
/// Names the calling process or its address space where a call takes one by handle.
pub const SELF: u32 = 0;

/// Close the handle at exec (QNX: `_NTO_COF_CLOEXEC`).
pub const COF_CLOEXEC: u32 = 0x0001;
/// The channel behind the connection is gone (QNX: `_NTO_COF_DEAD`).
pub const COF_DEAD: u32 = 0x0002;
/// Do not copy the handle to a child at fork (QNX: `_NTO_COF_NOSHARE`).
pub const COF_NOSHARE: u32 = 0x0040;
/// The client forbids events through this connection (QNX: `_NTO_COF_NOEVENT`).
pub const COF_NOEVENT: u32 = 0x0800;

/// Flag of `ConnectPoll`: behind the signal set to wait with is another, of signals that end the wait
/// with EINTR while they are pending, blocked as they may be.
pub const POLL_AWAIT: u32 = 1;

/// Readiness bits of a connection; the values are `poll`'s.
pub mod ready {
    /// Data can be read (`POLLIN`).
    pub const IN: u32 = 0x001;
    /// Urgent data can be read (`POLLPRI`).
    pub const PRI: u32 = 0x002;
    /// Data can be written (`POLLOUT`).
    pub const OUT: u32 = 0x004;
    /// An error is pending (`POLLERR`).
    pub const ERR: u32 = 0x008;
    /// The other side hung up (`POLLHUP`).
    pub const HUP: u32 = 0x010;
    /// The descriptor is not open (`POLLNVAL`).
    pub const NVAL: u32 = 0x020;
    /// The other side will send no more (`POLLRDHUP`).
    pub const RDHUP: u32 = 0x2000;
    /// It is a set of descriptors to wait for; nobody waits for this bit.
    pub const SET: u32 = 0x1000;
    /// What is read are the reader's own pending signals; nobody waits for this bit.
    pub const SIGNALS: u32 = 0x4000;
}

/// One descriptor of a `ConnectPoll` call; the layout is C's `struct pollfd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PollEntry {
    /// The connection, or a negative number for an entry to skip.
    pub coid: i32,
    /// What to wait for.
    pub events: i16,
    /// What is true on return.
    pub revents: i16,
}
crate::assert_size!(PollEntry, 8);
