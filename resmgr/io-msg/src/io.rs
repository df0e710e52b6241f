//! Messages on an open descriptor.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A message that is its type alone.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Simple {
    /// Type.
    pub kind: u16,
    /// Subtype.
    pub subtype: u16,
    /// Not used; 0.
    pub zero: u32,
}

/// Read or write at the file offset.
pub const XTYPE_NONE: u16 = 0;
/// Read or write at `offset`, which the file offset does not follow (`pread`; QNX:
/// `_IO_XTYPE_OFFSET`).
pub const XTYPE_OFFSET: u16 = 1;
/// Read directory entries (`struct linux_dirent64` records; QNX: `_IO_XTYPE_READDIR`).
pub const XTYPE_READDIR: u16 = 2;

/// `IO_READ` and `IO_WRITE`; the data of a write follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Transfer {
    /// Type.
    pub kind: u16,
    /// `XTYPE_*`.
    pub xtype: u16,
    /// Not used; 0.
    pub zero: u32,
    /// Most bytes to move.
    pub nbytes: u64,
    /// Offset with `XTYPE_OFFSET`.
    pub offset: u64,
}

/// `IO_DEVCTL`; `nbytes` of data follow. The request is Linux's `ioctl` number where there is one.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Devctl {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Request.
    pub dcmd: u32,
    /// Argument by value (`ioctl`s that take a number), else 0.
    pub argument: u64,
    /// Bytes of data that follow.
    pub nbytes: u32,
    /// Most bytes of data that the client takes back.
    pub reply_max: u32,
}

/// `IO_LSEEK`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Lseek {
    /// Type.
    pub kind: u16,
    /// `SEEK_*` (0 set, 1 current, 2 end, 3 data, 4 hole).
    pub whence: u16,
    /// Not used; 0.
    pub zero: u32,
    /// Distance.
    pub offset: i64,
}

/// `IO_CHMOD`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Chmod {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Permissions (07777).
    pub mode: u32,
}

/// `IO_CHOWN`; `u32::MAX` leaves an id as it is.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Chown {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Nanoseconds that stand for "now" (Linux: `UTIME_NOW`).
pub const UTIME_NOW: i64 = 0x3fff_ffff;
/// Nanoseconds that stand for "as it is" (Linux: `UTIME_OMIT`).
pub const UTIME_OMIT: i64 = 0x3fff_fffe;

/// `IO_UTIME`; two `struct timespec`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Utime {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Not used; 0.
    pub zero: u32,
    /// Access time: seconds, nanoseconds.
    pub atime: [i64; 2],
    /// Modification time: seconds, nanoseconds.
    pub mtime: [i64; 2],
}

/// Lock requests: the `F_*` commands of Linux, and these for `flock`.
pub mod lock {
    /// Test (`F_GETLK`).
    pub const GETLK: u16 = 5;
    /// Set or clear (`F_SETLK`).
    pub const SETLK: u16 = 6;
    /// Set, waiting (`F_SETLKW`).
    pub const SETLKW: u16 = 7;
    /// `flock`, not waiting.
    pub const FLOCK: u16 = 0x100;
    /// `flock`, waiting.
    pub const FLOCKW: u16 = 0x101;
}

/// `IO_LOCK`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Lock {
    /// Type.
    pub kind: u16,
    /// Request ([`lock`]).
    pub command: u16,
    /// `F_RDLCK` 0, `F_WRLCK` 1, `F_UNLCK` 2.
    pub lock_type: u16,
    /// `SEEK_*` that `start` counts from.
    pub whence: u16,
    /// First byte.
    pub start: i64,
    /// Length in bytes; 0 is "to the end".
    pub length: i64,
    /// Reply to `GETLK`: the owner.
    pub pid: u32,
    /// Not used; 0.
    pub zero: u32,
}

/// Set the size (`ftruncate`).
pub const SPACE_TRUNCATE: u16 = 0;
/// Make sure there is room for [offset, offset + size) and grow the file to hold it
/// (`posix_fallocate`).
pub const SPACE_ALLOCATE: u16 = 1;

/// `IO_SPACE`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Space {
    /// Type.
    pub kind: u16,
    /// `SPACE_*`.
    pub operation: u16,
    /// Not used; 0.
    pub zero: u32,
    /// Start of the range; 0 for `TRUNCATE`.
    pub offset: u64,
    /// New size, or length of the range.
    pub size: u64,
}

/// Subtype of `IO_MMAP`: behind the reply come the file's `Stat` and its absolute path, whose length is
/// the reply's status. So an exec asks a file's server once.
pub const MMAP_DESCRIBE: u16 = 1;

/// `IO_MMAP`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Mmap {
    /// Type.
    pub kind: u16,
    /// 0 or [`MMAP_DESCRIBE`].
    pub subtype: u16,
    /// Protection wanted (`PROT_*`).
    pub protection: u32,
    /// `MAP_SHARED` or `MAP_PRIVATE`.
    pub flags: u32,
    /// Not used; 0.
    pub zero: u32,
}

/// Reply to `IO_MMAP`: the object's handle was given to the client.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MmapReply {
    /// Number of the object in the client's table.
    pub object: u32,
    /// Protection that the descriptor allows.
    pub protection: u32,
    /// Where the file starts in the object, in bytes; a multiple of the page size.
    pub offset: u64,
    /// Size of the file now.
    pub size: u64,
}

/// `IO_FLAGS`: bits outside `mask` stay.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flags {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// Which flags to change; 0 only reads.
    pub mask: u32,
    /// Their new values.
    pub bits: u32,
    /// Not used; 0.
    pub zero: u32,
}
