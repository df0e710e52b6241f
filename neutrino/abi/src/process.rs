//! Processes and threads: what their calls take.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The user and group ids of a process (POSIX.1-2017, 3.322 ff.).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Credentials {
    /// Real, effective and saved user.
    pub ruid: u32,
    #[doc(hidden)]
    pub euid: u32,
    #[doc(hidden)]
    pub suid: u32,
    /// Real, effective and saved group.
    pub rgid: u32,
    #[doc(hidden)]
    pub egid: u32,
    #[doc(hidden)]
    pub sgid: u32,
    /// How many of `groups` count.
    pub group_count: u32,
    /// Supplementary groups.
    pub groups: [u32; GROUPS_MAX],
}
/// Most supplementary groups of a process.
pub const GROUPS_MAX: usize = 16;
crate::assert_size!(Credentials, 92);

/// Special rights of a process; bits (QNX: `PROCMGR_AID_*`).
pub mod able {
    /// Create and control processes and address spaces: the process manager.
    pub const PROCESS: u64 = 1 << 0;
    /// Port I/O.
    pub const IO: u64 = 1 << 1;
    /// Interrupts.
    pub const INTERRUPT: u64 = 1 << 2;
    /// Physical memory.
    pub const PHYSICAL: u64 = 1 << 3;
    /// Priorities above 63.
    pub const PRIORITY: u64 = 1 << 4;
    /// Set the clock.
    pub const CLOCKSET: u64 = 1 << 5;
    /// Power off and reset.
    pub const REBOOT: u64 = 1 << 6;
    /// Attach paths.
    pub const PATHSPACE: u64 = 1 << 7;
    /// Trace what the kernel does.
    pub const TRACE: u64 = 1 << 16;
    /// Everything.
    pub const ALL: u64 = u64::MAX;
}

/// Argument of `ProcessCreate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ProcessArgs {
    /// Number of the new process, chosen by the process manager.
    pub pid: u32,
    /// Handle of its address space.
    pub space: u32,
    /// Handle of the process whose handle table, credentials, abilities, dispositions, signal mask
    /// and personality it inherits, or 0 for a table with only the process manager's connection.
    pub parent: u32,
    /// Process group and session, if `parent` is 0.
    pub pgrp: u32,
    #[doc(hidden)]
    pub session: u32,
    /// Not used; 0.
    pub reserved: u32,
    /// Abilities, if `parent` is 0.
    pub abilities: u64,
}
crate::assert_size!(ProcessArgs, 32);

/// Argument of `ThreadCreate`: the registers a thread starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ThreadArgs {
    /// First instruction.
    pub entry: u64,
    /// Stack pointer.
    pub stack: u64,
    /// First argument (rdi).
    pub argument: u64,
    /// FS base (thread-local storage).
    pub fs_base: u64,
    /// GS base (the personality's thread block).
    pub gs_base: u64,
    /// Address of its [`crate::signal::SignalArea`], or 0.
    pub signal_area: u64,
    /// Address of a word to clear and wake (futex) when the thread ends, or 0.
    pub clear_tid: u64,
    /// Priority, or 0 for the creator's.
    pub priority: u32,
    /// Policy (see [`crate::sched::policy`]); used if `priority` is not 0.
    pub policy: u32,
    /// Handle of a *thread's* process plus tid whose FPU state and signal mask it copies: the tid,
    /// or 0 for the caller's mask and a fresh FPU state.
    pub like_tid: u32,
    /// Bits of [`thread_flag`].
    pub flags: u32,
}
crate::assert_size!(ThreadArgs, 72);

/// Flags of a new thread.
pub mod thread_flag {
    /// It starts held, until `ThreadCtl` `CONTINUE` or `ProcessContinue`.
    pub const HELD: u32 = 1;
}

/// Argument of `ProcessExec`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ExecArgs {
    /// Handle of the new address space.
    pub space: u32,
    /// The thread that goes on, as the only one; the others are destroyed.
    pub tid: u32,
    /// First instruction.
    pub entry: u64,
    /// Stack pointer.
    pub stack: u64,
    /// First argument (rdi).
    pub argument: u64,
}
crate::assert_size!(ExecArgs, 32);

/// Commands of `ThreadCtl`.
pub mod thread_ctl {
    /// Value: FS base.
    pub const FS_BASE: u32 = 1;
    /// Value: GS base.
    pub const GS_BASE: u32 = 2;
    /// Value: address of the thread's [`crate::signal::SignalArea`].
    pub const SIGNAL_AREA: u32 = 3;
    /// Value: address of the word to clear and wake when the thread ends.
    pub const CLEAR_TID: u32 = 4;
    /// Value: address of a NUL-terminated name of at most 15 bytes (QNX: `_NTO_TCTL_NAME`).
    pub const NAME: u32 = 5;
    /// Value: address of the thread's robust list, which the process manager walks when the thread's
    /// process ends or executes.
    pub const ROBUST_LIST: u32 = 6;
    /// Value: address of a mutex word in the thread's space. If the thread owns it, it goes to the
    /// next waiter, marked `futex::OWNER_DIED`; if nobody does, a waiter is woken. Needs `able::PROCESS`.
    pub const OWNER_DIED: u32 = 7;
    /// Holds the thread (QNX: `_NTO_TCTL_ONE_THREAD_HOLD`).
    pub const HOLD: u32 = 8;
    /// Lets it go on (QNX: `_NTO_TCTL_ONE_THREAD_CONT`).
    pub const CONTINUE: u32 = 9;
    /// Value: the CPUs that the thread may use, one bit each (QNX: `_NTO_TCTL_RUNMASK`).
    pub const RUN_MASK: u32 = 10;
    /// The same, also for the threads that it makes.
    pub const RUN_MASK_INHERIT: u32 = 11;
    /// Result: the CPUs that the thread may use.
    pub const GET_RUN_MASK: u32 = 33;
    /// Result: the FS base.
    pub const GET_FS_BASE: u32 = 32;
}

/// Commands of `ProcessCtl`; the value is a number or the address of a structure.
pub mod process_ctl {
    /// Address of [`super::Credentials`] to set.
    pub const SET_CREDENTIALS: u32 = 1;
    /// Number: process group.
    pub const SET_PGRP: u32 = 2;
    /// Number: session.
    pub const SET_SESSION: u32 = 3;
    /// Number: abilities.
    pub const SET_ABILITIES: u32 = 4;
    /// Address of 16 bytes: the name that `pidin` and traces show.
    pub const SET_NAME: u32 = 5;
    /// Number: highest number of descriptors (`RLIMIT_NOFILE`).
    pub const SET_FD_LIMIT: u32 = 6;
    /// Resets handlers to default and drops the personality, as exec does.
    pub const RESET_SIGNALS: u32 = 7;
    /// Stops every thread (job control).
    pub const STOP: u32 = 8;
    /// Lets them go on.
    pub const CONTINUE: u32 = 9;
    /// Address of a buffer for [`super::Credentials`].
    pub const GET_CREDENTIALS: u32 = 16;
    /// Ends every thread and closes every handle, but keeps the object: peers are freed now.
    pub const TERMINATE: u32 = 10;
    /// Number: highest address-space size in bytes (`RLIMIT_AS`).
    pub const SET_SPACE_LIMIT: u32 = 11;
    /// Number: a handle of that process; result: the same object's number in the caller's table.
    pub const COPY_HANDLE: u32 = 12;
}
