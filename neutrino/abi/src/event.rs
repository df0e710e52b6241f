//! Events: how somebody wants to be told (QNX: `struct sigevent`).

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// An event. Which members count depends on [`Event::notify`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Event {
    /// One of the kinds in [`kind`].
    pub notify: u32,
    /// `PULSE`: the connection to send it on. `SIGNAL`: the signal. `SIGNAL_THREAD`: the signal.
    pub target: u32,
    /// `PULSE`: the code. `SIGNAL*`: `si_code`.
    pub code: i32,
    /// `PULSE`: the priority, or -1 for that of the process. `SIGNAL_THREAD`: the tid.
    pub priority: i32,
    /// Value that the pulse or signal carries.
    pub value: u64,
}
crate::assert_size!(Event, 24);

/// In `InterruptAttachEvent`: a line that no device has yet, for messages (PCI's MSI and MSI-X).
pub const MESSAGE_LINE: u32 = u32::MAX;

/// The kinds of event.
pub mod kind {
    /// Nothing happens (QNX: `SIGEV_NONE`).
    pub const NONE: u32 = 0;
    /// A signal to the process (QNX: `SIGEV_SIGNAL`).
    pub const SIGNAL: u32 = 1;
    /// A signal to one thread (QNX: `SIGEV_SIGNAL_THREAD`).
    pub const SIGNAL_THREAD: u32 = 3;
    /// A pulse (QNX: `SIGEV_PULSE`).
    pub const PULSE: u32 = 4;
    /// End of an `InterruptWait` (QNX: `SIGEV_INTR`).
    pub const INTR: u32 = 6;
    /// End of a wait by time-out (QNX: `SIGEV_UNBLOCK`).
    pub const UNBLOCK: u32 = 8;
}
