//! Pulses: small messages that never block their sender.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A received pulse (QNX: `struct _pulse`); what `MsgReceive` leaves in the buffer when it
/// returns 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Pulse {
    /// Always 0: tells a pulse from a message.
    pub kind: u16,
    /// Always 0.
    pub subtype: u16,
    /// The code; negative ones are the system's.
    pub code: i8,
    /// Always 0.
    pub zero: [u8; 3],
    /// The value (QNX: `union sigval`).
    pub value: u64,
    /// Server-side id of the connection it came through.
    pub scoid: u32,
    /// How often it happened since it was last received; more than 1 only for pulses that coalesce.
    pub count: u32,
}
crate::assert_size!(Pulse, 24);

/// A client wants to leave; the value is its rcvid (QNX: `_PULSE_CODE_UNBLOCK`).
pub const UNBLOCK: i8 = -32;
/// The last handle on a connection is gone; the value is its badge (QNX: `_PULSE_CODE_DISCONNECT`).
pub const DISCONNECT: i8 = -33;
/// A thread died; the value is its tid (QNX: `_PULSE_CODE_THREADDEATH`).
pub const THREADDEATH: i8 = -34;
/// A server's channel vanished; the value is the coid (QNX: `_PULSE_CODE_COIDDEATH`).
pub const COIDDEATH: i8 = -35;
/// To the process manager: a process must end; the value is its pid.
pub const PROCESS_TERMINATE: i8 = -64;
/// To the process manager: a process was stopped by a signal; the value is its pid.
pub const PROCESS_STOPPED: i8 = -65;
/// To the process manager: a process goes on; the value is its pid.
pub const PROCESS_CONTINUED: i8 = -66;
/// First code of a program's own (QNX: `_PULSE_CODE_MINAVAIL`).
pub const MINAVAIL: i8 = 0;
/// Last code of a program's own (QNX: `_PULSE_CODE_MAXAVAIL`).
pub const MAXAVAIL: i8 = 127;
