//! Message types. Names are QNX's where QNX has one.

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: u16 = $value;)+
        /// The name of a message type, for traces and errors.
        #[must_use]
        pub const fn name(kind: u16) -> &'static str {
            match kind { $($value => stringify!($name),)+ _ => "?" }
        }
    };
}

kinds! {
    /// A message with a path ([`crate::connect::Connect`]); the subtype says what to do.
    IO_CONNECT = 0x100;
    /// Read ([`crate::io::Transfer`]); reply: data, status = bytes.
    IO_READ = 0x101;
    /// Write ([`crate::io::Transfer`], then data); status = bytes.
    IO_WRITE = 0x102;
    /// The client closes the last descriptor ([`crate::io::Simple`]); counts only if the kernel says
    /// that it is the last message (`MI_LAST`). QNX: `_IO_CLOSE`.
    IO_CLOSE = 0x103;
    /// Status of the open file ([`crate::io::Simple`]); reply: [`crate::stat::Stat`].
    IO_STAT = 0x104;
    /// Ask to be told ([`crate::io::Simple`]); refused with ENOSYS: readiness is the kernel's.
    IO_NOTIFY = 0x105;
    /// Device control ([`crate::io::Devctl`], then data); reply: data, status = the call's result.
    IO_DEVCTL = 0x106;
    /// Move the file offset ([`crate::io::Lseek`]); status = new offset.
    IO_LSEEK = 0x109;
    /// Change permissions ([`crate::io::Chmod`]).
    IO_CHMOD = 0x10a;
    /// Change owner and group ([`crate::io::Chown`]).
    IO_CHOWN = 0x10b;
    /// Change times ([`crate::io::Utime`]).
    IO_UTIME = 0x10c;
    /// Path and flags of the open file ([`crate::io::Simple`]); reply: the absolute path.
    IO_FDINFO = 0x10e;
    /// Record and whole-file locks ([`crate::io::Lock`]); reply: the same structure.
    IO_LOCK = 0x10f;
    /// Change the size ([`crate::io::Space`]).
    IO_SPACE = 0x110;
    /// A memory object to map ([`crate::io::Mmap`]); reply: [`crate::io::MmapReply`].
    IO_MMAP = 0x112;
    /// A message of the server's own ([`crate::io::Simple`]).
    IO_MSG = 0x113;
    /// Write out what is cached ([`crate::io::Simple`]).
    IO_SYNC = 0x117;
    /// Read and change `O_APPEND` and `O_NONBLOCK` ([`crate::io::Flags`]); status = flags now.
    IO_FLAGS = 0x118;
    /// Status of the file system ([`crate::io::Simple`]); reply: [`crate::stat::Statfs`].
    IO_STATVFS = 0x119;
    /// [`crate::socket::Send`], then address, control data and data; status = bytes.
    SOCKET_SEND = 0x120;
    /// [`crate::socket::Receive`]; reply: [`crate::socket::Received`], control data, data.
    SOCKET_RECEIVE = 0x121;
    /// [`crate::socket::Control`], then data; status = bytes of the reply.
    SOCKET_CONTROL = 0x122;
    /// [`crate::special::TimerSet`]; reply: [`crate::special::TimerValue`].
    TIMER_SET = 0x130;
    /// [`crate::io::Simple`]; reply: [`crate::special::TimerValue`].
    TIMER_GET = 0x131;
    /// [`crate::special::SetChange`]; offers a descriptor.
    SET_CHANGE = 0x132;
    /// [`crate::special::SetTake`]; reply: [`crate::special::SetEvent`]s, status = how many.
    SET_TAKE = 0x133;
    /// [`crate::special::Signals`]; reply: a signal set, status = 1 if the descriptor does not wait.
    SIGNALS = 0x134;

    /// [`crate::proc::Fork`]; status = pid of the child.
    PROC_FORK = 0x200;
    /// [`crate::proc::Exec`], then strings; no reply if it succeeds.
    PROC_EXEC = 0x201;
    /// [`crate::proc::Exit`]; no reply.
    PROC_EXIT = 0x202;
    /// [`crate::proc::Wait`]; reply: [`crate::proc::WaitReply`], status = pid or 0.
    PROC_WAIT = 0x203;
    /// [`crate::proc::Kill`].
    PROC_KILL = 0x204;
    /// [`crate::proc::Target`]; reply: [`crate::proc::Ids`].
    PROC_GETIDS = 0x205;
    /// [`crate::proc::SetIds`]; subtype: which.
    PROC_SETIDS = 0x206;
    /// [`crate::proc::Rlimit`]; reply: [`crate::proc::RlimitReply`].
    PROC_RLIMIT = 0x207;
    /// [`crate::proc::Priority`]; status = priority (`getpriority` of Linux: 20 - nice).
    PROC_PRIORITY = 0x208;
    /// [`crate::proc::Sched`]; reply: the same structure. Scheduling of any thread by tid.
    PROC_SCHED = 0x209;
    /// [`crate::proc::Target`] (pid 0: self, -1: children); reply: [`crate::proc::Usage`].
    PROC_USAGE = 0x20a;
    /// [`crate::proc::TtySignal`], from terminal servers.
    PROC_TTY_SIGNAL = 0x20b;
    /// [`crate::proc::Target`] (a process group); reply: [`crate::proc::PgrpReply`].
    PROC_PGRP = 0x20c;
    /// [`crate::proc::SetTty`], then a path: the session's controlling terminal.
    PROC_SET_TTY = 0x20d;
    /// [`crate::proc::Attach`]; gives a connection; status = its number in the caller's table.
    PROC_ATTACH = 0x210;
    /// [`crate::proc::PathAttach`], then a path; offers a connection; status = attach id.
    PATH_ATTACH = 0x220;
    /// [`crate::proc::Target`] (an attach id).
    PATH_DETACH = 0x221;
    /// [`crate::proc::PathResolve`], then a path; gives a connection; reply:
    /// [`crate::proc::PathResolveReply`].
    PATH_RESOLVE = 0x222;
    /// [`crate::proc::Target`] (an attach id); reply: its prefix.
    PATH_PREFIX = 0x223;
    /// [`crate::proc::Shutdown`]: ends the system.
    SYS_SHUTDOWN = 0x230;
}

/// Pulse to a server below whose prefix somebody attached: the value is the new attach id.
pub const PULSE_COVERED: i8 = -70;
/// Pulse to a server: an attachment below its prefix is gone; the value is the attach id.
pub const PULSE_UNCOVERED: i8 = -71;
