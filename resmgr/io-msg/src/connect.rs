//! Messages with a path (QNX: `struct _io_connect`).
//!
//! Sent on a *mount connection* (then the path is relative to the mount's root) or on the
//! connection of an open directory (then relative to it). The path has no leading slash and may be
//! empty: then it names the mount's root or the directory itself.
//!
//! A server that meets a symbolic link with an absolute target, `..` above its root, or a point
//! where another server is attached answers [`RESULT_REDIRECT`] with the absolute path to go on
//! with; a client gives up with ELOOP after [`REDIRECTS_MAX`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most redirects of one path (Linux: `MAXSYMLINKS`).
pub const REDIRECTS_MAX: u32 = 40;
/// Longest path, with its end (POSIX: `PATH_MAX`).
pub const PATH_MAX: usize = 4096;
/// Longest name in a directory (POSIX: `NAME_MAX`).
pub const NAME_MAX: usize = 255;

/// What to do; the subtype of `IO_CONNECT`.
pub mod subtype {
    /// Open (and create, with `O_CREAT`); grants one connection. `extra` is not used.
    pub const OPEN: u16 = 0;
    /// Remove a name; `mode` holds [`super::REMOVE_DIRECTORY`] or 0.
    pub const UNLINK: u16 = 1;
    /// Rename to the path in `extra` (same mount, relative like `path`); `mode`: `RENAME_*` of Linux.
    pub const RENAME: u16 = 2;
    /// Make a directory, FIFO, device or file: `mode` holds type and permissions.
    pub const MKNOD: u16 = 3;
    /// Read a symbolic link; reply: its target behind [`super::ConnectReply`].
    pub const READLINK: u16 = 4;
    /// Make the path in `extra` another name of `path`.
    pub const LINK: u16 = 5;
    /// Make `path` a symbolic link with the target in `extra`.
    pub const SYMLINK: u16 = 6;
    /// Status; reply: [`crate::stat::Stat`] behind [`super::ConnectReply`].
    pub const STAT: u16 = 7;
    /// Check access: `mode` holds `R_OK`, `W_OK`, `X_OK`.
    pub const ACCESS: u16 = 8;
    /// Change permissions to `mode`.
    pub const CHMOD: u16 = 9;
    /// Change owner: `extra` is [`crate::io::Chown`].
    pub const CHOWN: u16 = 10;
    /// Change times: `extra` is [`crate::io::Utime`].
    pub const UTIME: u16 = 11;
    /// Change the size: `extra` is [`crate::io::Space`].
    pub const TRUNCATE: u16 = 12;
    /// Status of the file system; reply: [`crate::stat::Statfs`] behind [`super::ConnectReply`].
    pub const STATVFS: u16 = 13;
    /// Make a pipe (on `/dev/pipe`): grants two connections, reading end first; `ioflag`:
    /// `O_NONBLOCK`.
    pub const PIPE: u16 = 14;
    /// Make two connected sockets (on a domain's path): grants two connections; `ioflag`:
    /// `O_NONBLOCK`; `mode`: the type ([`crate::socket::kind`]).
    pub const SOCKET_PAIR: u16 = 15;
    /// Make a counter (on `/dev/pipe`; Linux: `eventfd`): grants one connection; `ioflag`:
    /// `O_NONBLOCK`; `mode`: its value; `flags`: [`super::EVENT_SEMAPHORE`] or 0.
    pub const EVENT: u16 = 16;
    /// Make a timer (on `/dev/pipe`; Linux: `timerfd_create`): grants one connection; `ioflag`:
    /// `O_NONBLOCK`; `mode`: the clock.
    pub const TIMER: u16 = 17;
    /// Make a set of descriptors to wait for (on `/dev/pipe`; Linux: `epoll_create`): grants one
    /// connection.
    pub const SET: u16 = 18;
    /// Make a descriptor that reads the reader's signals (on `/dev/pipe`; Linux: `signalfd`): grants
    /// one connection; `ioflag`: `O_NONBLOCK`; `rdev`: which signals.
    pub const SIGNALS: u16 = 19;
    /// Make a socket (on a domain's path): grants one connection; `ioflag`: `O_NONBLOCK`; `mode`: the
    /// type ([`crate::socket::kind`]).
    pub const SOCKET: u16 = 20;
    /// Take a connection that waits (on a socket that listens): grants one connection; `ioflag`:
    /// `O_NONBLOCK`. EAGAIN: none waits.
    pub const ACCEPT: u16 = 21;
}

/// In `mode` of `UNLINK`: remove a directory (`rmdir`).
pub const REMOVE_DIRECTORY: u32 = 1;

/// In `flags` of `EVENT`: a read takes one.
pub const EVENT_SEMAPHORE: u32 = 1;

/// Do not follow a symbolic link at the end of the path.
pub const FLAG_NOFOLLOW: u32 = 1;
/// Check with real, not effective ids (`access`).
pub const FLAG_REAL_IDS: u32 = 2;
/// `OPEN` for execution: the file must be regular and executable, and is opened for reading even
/// if it is not readable.
pub const FLAG_EXECUTE: u32 = 4;

/// The message; `path_length` bytes of path and `extra_length` bytes of extra data follow.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Connect {
    /// [`crate::kind::IO_CONNECT`].
    pub kind: u16,
    /// What to do ([`subtype`]).
    pub subtype: u16,
    /// `O_*` flags of Linux (access mode, CREAT, EXCL, TRUNC, APPEND, NONBLOCK, DIRECTORY, PATH …).
    pub ioflag: u32,
    /// Type and permissions of a new node (the client has taken its umask off), or see [`subtype`].
    pub mode: u32,
    /// `FLAG_*`.
    pub flags: u32,
    /// Length of the path in bytes, without an end.
    pub path_length: u32,
    /// Length of the extra data.
    pub extra_length: u32,
    /// `MKNOD`: device number.
    pub rdev: u64,
}

/// The operation is done.
pub const RESULT_DONE: u32 = 0;
/// Go on with the path that follows the reply.
pub const RESULT_REDIRECT: u32 = 1;

/// The reply; data follows it.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ConnectReply {
    /// `RESULT_*`.
    pub result: u32,
    /// `REDIRECT`: 0 if `path`, 1 if `extra` (a second path) is to be replaced.
    pub which: u32,
    /// `OPEN`: the new descriptor. `PIPE`: the reading end.
    pub coid: i32,
    /// `PIPE`: the writing end.
    pub coid2: i32,
    /// `OPEN`: type and permissions (`st_mode`).
    pub mode: u32,
    /// Length of the data that follows.
    pub data_length: u32,
}
