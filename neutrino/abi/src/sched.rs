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
    /// At its priority for a budget, at a low one until that comes back (QNX, POSIX:
    /// `SCHED_SPORADIC`).
    pub const SPORADIC: u32 = 4;
}

/// The most partitions, *System* included (QNX 6: 8).
pub const PARTITIONS_MAX: u32 = 8;

/// Commands of `SchedCtl`.
pub mod partition {
    /// Tells about partition `id` (a `PartitionInfo`).
    pub const INFO: u32 = 0;
    /// Makes a partition below `id` with the name and share of a `PartitionInfo`; returns its number.
    pub const CREATE: u32 = 1;
    /// Makes `value` the share of partition `id`; its parent gives or gets the difference.
    pub const MODIFY: u32 = 2;
    /// Makes the averaging window `value` nanoseconds long; what was used before is forgotten.
    pub const WINDOW: u32 = 3;
    /// Puts the thread `value` (`process handle << 32 | tid`) into partition `id`.
    pub const JOIN: u32 = 4;
    /// Returns the partition that a thread is in, and in the next byte that which pays for it now.
    pub const OF: u32 = 5;
    /// As a thread for `JOIN`: whoever receives a pulse of the process.
    pub const PULSES: u32 = u32::MAX;
}

/// A partition: a share of the time of all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PartitionInfo {
    /// Its name, with a NUL at the end.
    pub name: [u8; 16],
    /// The partition that it was made out of.
    pub parent: u32,
    /// Percent of all CPUs that it is sure of.
    pub share: u32,
    /// Partitions in the system; they are numbered from 0.
    pub count: u32,
    /// CPUs in the system.
    pub cpus: u32,
    /// Nanoseconds over which use is averaged.
    pub window: u64,
    /// Nanoseconds of CPU time that it has used in the last window.
    pub used: u64,
    /// Nanoseconds since it was made.
    pub total: u64,
}
crate::assert_size!(PartitionInfo, 56);

/// The most replenishments that can be pending for a sporadic thread (POSIX: `SS_REPL_MAX`).
pub const REPLENISHMENTS_MAX: u32 = 16;

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
    /// Sporadic: priority without budget (QNX: `sched_ss_low_priority`).
    pub low_priority: u32,
    /// Sporadic: how much it may run in a period, in nanoseconds (`sched_ss_init_budget`).
    pub budget: u64,
    /// Sporadic: after what time budget comes back, in nanoseconds (`sched_ss_repl_period`).
    pub period: u64,
    /// Sporadic: how many times it may come back in parts, up to [`REPLENISHMENTS_MAX`]
    /// (`sched_ss_max_repl`).
    pub replenishments: u32,
    /// Not used; 0.
    pub reserved: u32,
}
crate::assert_size!(SchedParam, 40);
