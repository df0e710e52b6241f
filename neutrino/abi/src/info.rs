//! What the kernel tells about itself: for `pidin`, `ps`, `/proc` and tests.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Thread states (QNX 7.1 numbers).
pub mod state {
    /// Gone.
    pub const DEAD: u32 = 0;
    /// On a CPU.
    pub const RUNNING: u32 = 1;
    /// Waits for a CPU.
    pub const READY: u32 = 2;
    /// Held or stopped.
    pub const STOPPED: u32 = 3;
    /// In `MsgSend`, not yet received.
    pub const SEND: u32 = 4;
    /// In `MsgReceive`.
    pub const RECEIVE: u32 = 5;
    /// In `MsgSend`, received, not yet replied to.
    pub const REPLY: u32 = 6;
    /// Waits for a page of a pager.
    pub const WAITPAGE: u32 = 9;
    /// In `SignalSuspend`.
    pub const SIGSUSPEND: u32 = 10;
    /// In `SignalWaitinfo`.
    pub const SIGWAITINFO: u32 = 11;
    /// Sleeps.
    pub const NANOSLEEP: u32 = 12;
    /// Waits for a mutex.
    pub const MUTEX: u32 = 13;
    /// Waits on a futex word or condition variable.
    pub const CONDVAR: u32 = 14;
    /// Waits for a thread's end.
    pub const JOIN: u32 = 15;
    /// In `InterruptWait`.
    pub const INTR: u32 = 16;
    /// Waits for a semaphore.
    pub const SEM: u32 = 17;
    /// Waits on several connections (`ConnectPoll`).
    pub const POLL: u32 = 23;

    /// The name that `pidin` shows.
    #[must_use]
    pub const fn name(state: u32) -> &'static str {
        match state {
            DEAD => "DEAD",
            RUNNING => "RUNNING",
            READY => "READY",
            STOPPED => "STOPPED",
            SEND => "SEND",
            RECEIVE => "RECEIVE",
            REPLY => "REPLY",
            WAITPAGE => "WAITPAGE",
            SIGSUSPEND => "SIGSUSPEND",
            SIGWAITINFO => "SIGWAITINFO",
            NANOSLEEP => "NANOSLEEP",
            MUTEX => "MUTEX",
            CONDVAR => "CONDVAR",
            JOIN => "JOIN",
            INTR => "INTR",
            SEM => "SEM",
            POLL => "POLL",
            _ => "?",
        }
    }
}

/// One thread, as `ThreadInfo` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ThreadInfo {
    /// System-wide number.
    pub tid: u32,
    /// Its state ([`state`]).
    pub state: u32,
    /// SEND, REPLY: pid of the server. RECEIVE: chid. MUTEX: tid of the owner.
    pub blocked_on: u32,
    /// SEND, REPLY: channel of the server.
    pub blocked_channel: u32,
    /// Priority it was given, priority it runs at, policy.
    pub priority: u32,
    #[doc(hidden)]
    pub current_priority: u32,
    #[doc(hidden)]
    pub policy: u32,
    /// CPU it ran on last.
    pub cpu: u32,
    /// CPU time in nanoseconds.
    pub cpu_time: u64,
    /// Instruction and stack pointers.
    pub ip: u64,
    #[doc(hidden)]
    pub sp: u64,
    /// Blocked signals, pending signals.
    pub mask: u64,
    #[doc(hidden)]
    pub pending: u64,
    /// Address of its robust list, or 0.
    pub robust_list: u64,
    /// Its name, NUL-padded.
    pub name: [u8; 16],
}
crate::assert_size!(ThreadInfo, 96);

/// One process, as `ProcessInfo` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ProcessInfo {
    /// Its number, process group and session.
    pub pid: u32,
    #[doc(hidden)]
    pub pgrp: u32,
    #[doc(hidden)]
    pub session: u32,
    /// Threads, handles.
    pub threads: u32,
    #[doc(hidden)]
    pub handles: u32,
    /// Not 0: a signal ends it; this is the signal.
    pub terminating: u32,
    /// Ignored signals, signals with handlers.
    pub ignored: u64,
    #[doc(hidden)]
    pub handled: u64,
    /// CPU time in nanoseconds, of threads that are gone too.
    pub cpu_time: u64,
    /// Memory: bytes mapped, pages present.
    pub mapped_bytes: u64,
    #[doc(hidden)]
    pub resident_pages: u64,
    /// If a fault ends it: what happened and where.
    pub fault: crate::signal::SignalInfo,
    /// If a fault ends it: instruction, stack and frame pointers.
    pub fault_ip: u64,
    #[doc(hidden)]
    pub fault_sp: u64,
    #[doc(hidden)]
    pub fault_bp: u64,
    /// Its name, NUL-padded.
    pub name: [u8; 16],
}
crate::assert_size!(ProcessInfo, 136);

/// The system, as `SystemInfo` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SystemInfo {
    /// Frames of RAM in all, free, and promised to mappings.
    pub total_pages: u64,
    #[doc(hidden)]
    pub free_pages: u64,
    #[doc(hidden)]
    pub committed_pages: u64,
    /// Live objects, to be compared before and after a test.
    pub threads: u32,
    #[doc(hidden)]
    pub processes: u32,
    #[doc(hidden)]
    pub channels: u32,
    #[doc(hidden)]
    pub connections: u32,
    #[doc(hidden)]
    pub objects: u32,
    #[doc(hidden)]
    pub spaces: u32,
    #[doc(hidden)]
    pub mappings: u32,
    #[doc(hidden)]
    pub timers: u32,
    /// CPUs.
    pub cpus: u32,
    /// Priority inversions that the kernel's monitor has counted.
    pub inversions: u32,
    /// Nanoseconds since boot, and those of them that no thread ran.
    pub uptime: u64,
    #[doc(hidden)]
    pub idle: u64,
    /// Context switches, interrupts, kernel calls.
    pub switches: u64,
    #[doc(hidden)]
    pub interrupts: u64,
    #[doc(hidden)]
    pub calls: u64,
    /// TSC ticks a second.
    pub tsc_hz: u64,
    /// TSC when the kernel was entered.
    pub tsc_entry: u64,
}
crate::assert_size!(SystemInfo, 120);

/// The boot framebuffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Framebuffer {
    /// Width in pixels; 0 if there is no framebuffer.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes from one row to the next.
    pub pitch: u32,
    /// Bits for each pixel.
    pub depth: u32,
    /// Positions of the lowest bit of red, green and blue.
    pub red: u8,
    #[doc(hidden)]
    pub green: u8,
    #[doc(hidden)]
    pub blue: u8,
    #[doc(hidden)]
    pub reserved: [u8; 5],
}
crate::assert_size!(Framebuffer, 24);

/// One handle of a process, as `ConnectServerInfo` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct HandleInfo {
    /// What it names ([`handle_kind`]).
    pub kind: u32,
    /// `COF_*` flags.
    pub flags: u32,
    /// CONNECTION: pid and chid of the server (0: gone).
    pub pid: u32,
    #[doc(hidden)]
    pub chid: u32,
    /// CONNECTION: server-side id. INTERRUPT: the line.
    pub scoid: u32,
    /// CONNECTION: readiness word.
    pub ready: u32,
    /// CONNECTION: the server's name for it. INTERRUPT: what a device has to write to raise it: the
    /// address in the upper half, the data in the lower; 0 for a line that is wired.
    pub badge: u64,
}
crate::assert_size!(HandleInfo, 32);

/// Kinds of handle.
pub mod handle_kind {
    #[doc(hidden)]
    pub const CONNECTION: u32 = 1;
    #[doc(hidden)]
    pub const CHANNEL: u32 = 2;
    #[doc(hidden)]
    pub const OBJECT: u32 = 3;
    #[doc(hidden)]
    pub const SPACE: u32 = 4;
    #[doc(hidden)]
    pub const PROCESS: u32 = 5;
    #[doc(hidden)]
    pub const TIMER: u32 = 6;
    #[doc(hidden)]
    pub const INTERRUPT: u32 = 7;
    #[doc(hidden)]
    pub const PORT: u32 = 8;
    #[doc(hidden)]
    pub const WATCH: u32 = 9;
}
