//! Scheduling: priorities and policies.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Priorities run from 0 (idle) to 255.
pub const PRIORITY_MAX: u8 = 255;
/// The priority of ordinary programs.
pub const PRIORITY_DEFAULT: u8 = 10;

/// Scheduling policies; the values are Linux's.
pub mod policy {
    /// As round-robin (Linux: `SCHED_OTHER`).
    pub const OTHER: u32 = 0;
    /// Until it blocks (`SCHED_FIFO`).
    pub const FIFO: u32 = 1;
    /// By time slices among equals (`SCHED_RR`).
    pub const ROUND_ROBIN: u32 = 2;
}

/// Parameters of a thread, for `SchedGet` and `SchedSet`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedParam {
    /// Policy ([`policy`]).
    pub policy: u32,
    /// Priority it was given (QNX: `sched_priority`).
    pub priority: u32,
    /// Priority it runs at (QNX: `sched_curpriority`); ignored by `SchedSet`.
    pub current_priority: u32,
    /// Not used; 0.
    pub reserved: u32,
}
crate::assert_size!(SchedParam, 16);
