//! Clocks and timers. Times are nanoseconds in 64 bits.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Clock ids; the values are Linux's.
pub mod clock {
    /// Wall-clock time since 1970.
    pub const REALTIME: u32 = 0;
    /// Time since boot.
    pub const MONOTONIC: u32 = 1;
    /// CPU time of the process.
    pub const PROCESS_CPUTIME: u32 = 2;
    /// CPU time of the thread.
    pub const THREAD_CPUTIME: u32 = 3;
}

/// The time is a point on the clock, not a distance (Linux: `TIMER_ABSTIME`).
pub const TIMER_ABSTIME: u32 = 1;
/// "No time-out" where a call takes a relative time in nanoseconds by value.
pub const FOREVER: u64 = u64::MAX;

/// A timer's setting (QNX: `struct _itimer`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Itimer {
    /// Time of the next expiry; 0 disarms.
    pub nsec: u64,
    /// Distance between expiries; 0 for a single one.
    pub interval_nsec: u64,
}
crate::assert_size!(Itimer, 16);

/// What `TimerInfo` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct TimerInfo {
    /// Time left, and the interval.
    pub remaining: Itimer,
    /// Expiries since the last event was taken, less one.
    pub overruns: u32,
    /// The clock.
    pub clock: u32,
}
crate::assert_size!(TimerInfo, 24);

/// The page that lets every process read clocks without a kernel call.
///
/// Monotonic time is `((rdtsc - tsc_base) * multiplier) >> shift`, in 128 bits; wall-clock time is
/// that plus `realtime_offset`. A reader takes `sequence` before and after, and starts again if it
/// was odd or has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct TimePage {
    /// Odd while the kernel writes.
    pub sequence: u32,
    /// See above.
    pub shift: u32,
    /// TSC at monotonic time 0.
    pub tsc_base: u64,
    /// See above.
    pub multiplier: u64,
    /// Wall-clock time at monotonic time 0, in nanoseconds.
    pub realtime_offset: i64,
    /// TSC ticks in a second, for people.
    pub tsc_hz: u64,
}
crate::assert_size!(TimePage, 40);

/// Thread states that `TimerTimeout` can end: one bit for each state, 1 << state
/// (QNX: `_NTO_TIMEOUT_*`); see [`crate::info::state`].
pub mod timeout {
    use crate::info::state;
    /// `MsgSend`, not yet received.
    pub const SEND: u32 = 1 << state::SEND;
    /// `MsgReceive`.
    pub const RECEIVE: u32 = 1 << state::RECEIVE;
    /// `MsgSend`, received.
    pub const REPLY: u32 = 1 << state::REPLY;
    /// `SignalSuspend`.
    pub const SIGSUSPEND: u32 = 1 << state::SIGSUSPEND;
    /// `SignalWaitinfo`.
    pub const SIGWAITINFO: u32 = 1 << state::SIGWAITINFO;
    /// Sleeping.
    pub const NANOSLEEP: u32 = 1 << state::NANOSLEEP;
    /// `SyncMutexLock`.
    pub const MUTEX: u32 = 1 << state::MUTEX;
    /// `FutexWait`.
    pub const CONDVAR: u32 = 1 << state::CONDVAR;
    /// `FutexWait` for a thread's end.
    pub const JOIN: u32 = 1 << state::JOIN;
    /// `FutexWait` on a semaphore.
    pub const SEM: u32 = 1 << state::SEM;
    /// `InterruptWait`.
    pub const INTR: u32 = 1 << state::INTR;
}
