//! Messages to the process manager, sent on `SYSMGR_COID`.

use crate::start::Inherited;
use neutrino_abi::sched::SchedParam;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The child shares the address space and the parent waits for its exec or exit (`vfork`).
pub const FORK_VFORK: u32 = 1;

/// `PROC_FORK`: the child's only thread starts at `entry`. All addresses are the child's.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Fork {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// `FORK_*`.
    pub flags: u32,
    /// First instruction of the child.
    pub entry: u64,
    /// Its stack pointer.
    pub stack: u64,
    /// Its rdi.
    pub argument: u64,
    /// Its FS base.
    pub fs_base: u64,
    /// Its GS base.
    pub gs_base: u64,
    /// Its signal area.
    pub signal_area: u64,
    /// Its word to clear at the end, or 0.
    pub clear_tid: u64,
    /// Signal to the parent when it ends (SIGCHLD for `fork`), or 0.
    pub exit_signal: u32,
    /// Not used; 0.
    pub zero: u32,
}

/// `PROC_EXEC`: handle 0 offered is the executable, opened with
/// [`crate::connect::FLAG_EXECUTE`]. `strings_length` bytes follow: the path (`AT_EXECFN`), then
/// `argc` arguments, then `envc` variables, each with its NUL.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Exec {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Arguments.
    pub argc: u32,
    /// Variables.
    pub envc: u32,
    /// Length of all strings.
    pub strings_length: u32,
    /// Descriptor number of the executable in the caller (closed by the exec).
    pub fd: u32,
    /// Not used; 0.
    pub zero: u32,
    /// State handed to the new program.
    pub inherited: Inherited,
}
/// Longest strings of one exec, in bytes (E2BIG beyond).
pub const EXEC_STRINGS_MAX: u32 = 1 << 20;

/// `PROC_EXIT`: the wait status (`exit code << 8`, or a signal).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Exit {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Wait status.
    pub status: u32,
}

/// In [`Wait::options`]: children that ended count.
pub const WEXITED: u32 = 4;

/// `PROC_WAIT`: as `wait4`, which always asks for [`WEXITED`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Wait {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// > 0: this child; 0: any of the caller's group; -1: any; < -1: any of that group.
    pub pid: i32,
    /// `WNOHANG` 1, `WUNTRACED` 2, `WEXITED` 4, `WCONTINUED` 8, `WNOWAIT` 0x0100_0000.
    pub options: u32,
}

/// Reply to `PROC_WAIT`; status = pid.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct WaitReply {
    /// Wait status as Linux encodes it.
    pub status: u32,
    /// Real user of the child.
    pub uid: u32,
    /// What it used.
    pub usage: Usage,
}

/// Resource usage.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Usage {
    /// CPU time in user space, nanoseconds.
    pub user_ns: u64,
    /// CPU time in the system, nanoseconds (0: it is not told apart).
    pub system_ns: u64,
    /// Most resident pages.
    pub max_resident_pages: u64,
}

/// `PROC_KILL`: as `kill` (subtype 0) and `tgkill` (subtype 1).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Kill {
    /// Type.
    pub kind: u16,
    /// 0: process or group; 1: thread.
    pub subtype: u16,
    /// As `kill`'s pid; with subtype 1 the thread group, or 0 for "whichever".
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// Signal; 0 only tests.
    pub signal: u32,
    /// `si_code`.
    pub code: i32,
    /// Not used; 0.
    pub zero: u32,
    /// `si_value`.
    pub value: u64,
}

/// A message that names a process, group or attachment.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Target {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Which; 0 is the caller where that makes sense.
    pub id: i32,
}

/// Reply to `PROC_GETIDS`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ids {
    /// Process.
    pub pid: u32,
    /// Parent.
    pub ppid: u32,
    /// Process group.
    pub pgrp: u32,
    /// Session.
    pub session: u32,
    /// Real, effective, saved user.
    pub uids: [u32; 3],
    /// Real, effective, saved group.
    pub gids: [u32; 3],
    /// How many groups count.
    pub group_count: u32,
    /// Supplementary groups.
    pub groups: [u32; 16],
}

/// Subtypes of `PROC_SETIDS`.
pub mod setids {
    /// `setpgid(values[0], values[1])`.
    pub const PGID: u16 = 1;
    /// `setsid()`; status = session.
    pub const SID: u16 = 2;
    /// `setresuid(values[0..3])`; -1 leaves as is.
    pub const RESUID: u16 = 3;
    /// `setresgid(values[0..3])`.
    pub const RESGID: u16 = 4;
    /// `setuid(values[0])`.
    pub const UID: u16 = 5;
    /// `setgid(values[0])`.
    pub const GID: u16 = 6;
    /// `setreuid(values[0..2])`.
    pub const REUID: u16 = 7;
    /// `setregid(values[0..2])`.
    pub const REGID: u16 = 8;
    /// `setgroups(values[..count])`.
    pub const GROUPS: u16 = 9;
}

/// `PROC_SETIDS`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetIds {
    /// Type.
    pub kind: u16,
    /// Which ([`setids`]).
    pub subtype: u16,
    /// How many values count.
    pub count: u32,
    /// Values.
    pub values: [u32; 16],
}

/// `PROC_RLIMIT`: as `prlimit64`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rlimit {
    /// Type.
    pub kind: u16,
    /// 1: set, 0: only read.
    pub subtype: u16,
    /// Process, 0 is the caller.
    pub pid: i32,
    /// Resource (Linux numbers).
    pub resource: u32,
    /// Not used; 0.
    pub zero: u32,
    /// New soft limit.
    pub soft: u64,
    /// New hard limit.
    pub hard: u64,
}

/// Reply to `PROC_RLIMIT`: the limits before.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RlimitReply {
    /// Soft limit.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// `PROC_PRIORITY`: `getpriority` (subtype 0), `setpriority` (subtype 1).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Priority {
    /// Type.
    pub kind: u16,
    /// 1: set.
    pub subtype: u16,
    /// `PRIO_PROCESS` 0, `PRIO_PGRP` 1, `PRIO_USER` 2.
    pub which: u32,
    /// Whom.
    pub who: u32,
    /// Nice value.
    pub nice: i32,
}

/// `PROC_SCHED`: reads (subtype 0) or sets (subtype 1) policy and priority of a thread.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sched {
    /// Type.
    pub kind: u16,
    /// 1: set.
    pub subtype: u16,
    /// Thread (system-wide) or process; 0 is the caller.
    pub tid: i32,
    /// Policy (`neutrino_abi::sched::policy`).
    pub policy: u32,
    /// Native priority.
    pub priority: u32,
    /// Priority it runs at (reply).
    pub current_priority: u32,
    /// Sporadic: priority without budget.
    pub low_priority: u32,
    /// Sporadic: nanoseconds in a period.
    pub budget: u64,
    /// Sporadic: nanoseconds after which budget comes back.
    pub period: u64,
    /// Sporadic: in how many parts.
    pub replenishments: u32,
    /// Not used; 0.
    pub zero: u32,
}

impl Sched {
    /// With the parameters that the kernel told.
    #[must_use]
    pub const fn telling(self, now: &SchedParam) -> Self {
        Self {
            policy: now.policy,
            priority: now.priority,
            current_priority: now.current_priority,
            low_priority: now.low_priority,
            budget: now.budget,
            period: now.period,
            replenishments: now.replenishments,
            ..self
        }
    }

    /// The parameters that it names, for the kernel.
    #[must_use]
    pub const fn parameters(&self) -> SchedParam {
        SchedParam {
            policy: self.policy,
            priority: self.priority,
            current_priority: self.current_priority,
            low_priority: self.low_priority,
            budget: self.budget,
            period: self.period,
            replenishments: self.replenishments,
            reserved: 0,
        }
    }
}

/// `PROC_ATTACH`: a connection to a channel of another process (QNX: `ConnectAttach`).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Attach {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Process.
    pub pid: u32,
    /// Channel.
    pub chid: u32,
}

/// `PROC_TTY_SIGNAL`: a signal to a process group of a terminal's session.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TtySignal {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Session that the terminal controls.
    pub session: u32,
    /// Process group; 0 is the session leader alone.
    pub pgrp: u32,
    /// Signal.
    pub signal: u32,
}

/// Reply to `PROC_PGRP`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PgrpReply {
    /// Its session; 0 if the group does not exist.
    pub session: u32,
    /// Not 0: no member has a parent in another group of the session.
    pub orphaned: u32,
}

/// `PROC_SET_TTY`, from a terminal server: the session (of which it has a message of the leader)
/// gets the terminal whose path follows, or loses it if the path is empty.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetTty {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Session.
    pub session: u32,
    /// Length of the path.
    pub path_length: u32,
    /// Device number of the terminal (`tty_nr`).
    pub rdev: u32,
}

/// The attachment owns everything below its path (QNX: `_RESMGR_FLAG_DIR`).
pub const ATTACH_DIRECTORY: u32 = 1;
/// Behind an attachment at the same path, not before it (QNX: `_RESMGR_FLAG_AFTER`).
pub const ATTACH_AFTER: u32 = 2;

/// `PATH_ATTACH`: the absolute path follows; handle 0 offered is a connection to the server.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PathAttach {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// `ATTACH_*`.
    pub flags: u32,
    /// Length of the path.
    pub path_length: u32,
    /// Type of the node (`S_IF*` and permissions), as a listing of the parent shows it.
    pub mode: u32,
}

/// `PATH_RESOLVE`: an absolute path follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PathResolve {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Length of the path.
    pub path_length: u32,
}

/// Reply to `PATH_RESOLVE`: the mount connection was given to the caller.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PathResolveReply {
    /// Its number in the caller's table.
    pub coid: u32,
    /// Attach id.
    pub attach: u32,
    /// Bytes of the path that the prefix covers (with the slash behind it); the rest is the server's.
    pub prefix_length: u32,
    /// Changes whenever an attachment comes or goes.
    pub generation: u32,
    /// Bytes of the path that name a place at or below which nothing else is attached: until the
    /// generation changes, all paths from there on have this answer. 0: none.
    pub scope_length: u32,
    /// Not used; 0.
    pub zero: u32,
}

/// `SYS_SHUTDOWN`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Shutdown {
    /// Type.
    pub kind: u16,
    /// 0: power off; 1: reset.
    pub subtype: u16,
    /// Status for the emulator.
    pub status: u32,
}
