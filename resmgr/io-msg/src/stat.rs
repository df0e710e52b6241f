//! Status structures with the layout that Linux x86-64 programs expect, and the flags that both
//! worlds share.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct stat`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stat {
    /// Device of the file system.
    pub dev: u64,
    /// Serial number.
    pub ino: u64,
    /// Names.
    pub nlink: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Padding.
    pub zero: u32,
    /// Device number of a device node.
    pub rdev: u64,
    /// Size in bytes.
    pub size: i64,
    /// Good unit for input and output.
    pub blksize: i64,
    /// Units of 512 bytes in use.
    pub blocks: i64,
    /// Access time: seconds, nanoseconds.
    pub atime: [i64; 2],
    /// Modification time.
    pub mtime: [i64; 2],
    /// Status change time.
    pub ctime: [i64; 2],
    /// Padding.
    pub reserved: [i64; 3],
}

/// `struct statfs`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Statfs {
    /// Kind of file system.
    pub fs_type: i64,
    /// Block size.
    pub bsize: i64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub bfree: u64,
    /// Free blocks for everybody.
    pub bavail: u64,
    /// File nodes in all.
    pub files: u64,
    /// Free file nodes.
    pub ffree: u64,
    /// Identity.
    pub fsid: [i32; 2],
    /// Longest name.
    pub namelen: i64,
    /// Fragment size.
    pub frsize: i64,
    /// Flags (`ST_RDONLY` 1).
    pub flags: i64,
    /// Padding.
    pub spare: [i64; 4],
}

/// File types and permission bits (`st_mode`).
pub mod mode {
    /// Mask of the type.
    pub const IFMT: u32 = 0o170_000;
    /// Socket.
    pub const IFSOCK: u32 = 0o140_000;
    /// Symbolic link.
    pub const IFLNK: u32 = 0o120_000;
    /// Regular file.
    pub const IFREG: u32 = 0o100_000;
    /// Block device.
    pub const IFBLK: u32 = 0o060_000;
    /// Directory.
    pub const IFDIR: u32 = 0o040_000;
    /// Character device.
    pub const IFCHR: u32 = 0o020_000;
    /// FIFO.
    pub const IFIFO: u32 = 0o010_000;
    /// Set user id.
    pub const ISUID: u32 = 0o4000;
    /// Set group id.
    pub const ISGID: u32 = 0o2000;
    /// Sticky.
    pub const ISVTX: u32 = 0o1000;
}

/// `open` flags (Linux x86-64 values).
pub mod open {
    /// Mask of the access mode.
    pub const ACCMODE: u32 = 3;
    /// Read only.
    pub const RDONLY: u32 = 0;
    /// Write only.
    pub const WRONLY: u32 = 1;
    /// Both.
    pub const RDWR: u32 = 2;
    /// Create.
    pub const CREAT: u32 = 0o100;
    /// Fail if it exists.
    pub const EXCL: u32 = 0o200;
    /// Do not acquire a controlling terminal.
    pub const NOCTTY: u32 = 0o400;
    /// Make it empty.
    pub const TRUNC: u32 = 0o1000;
    /// Write at the end.
    pub const APPEND: u32 = 0o2000;
    /// Do not wait.
    pub const NONBLOCK: u32 = 0o4000;
    /// Must be a directory.
    pub const DIRECTORY: u32 = 0o200_000;
    /// Do not follow a link.
    pub const NOFOLLOW: u32 = 0o400_000;
    /// Close at exec.
    pub const CLOEXEC: u32 = 0o2_000_000;
    /// Only a place in the file system.
    pub const PATH: u32 = 0o10_000_000;
}

/// Appends a `struct linux_dirent64` record to `buffer` at `at`; returns its end, or `None` if it
/// does not fit. `next` is the position (`d_off`) of the entry behind it.
#[must_use]
pub fn put_dirent(
    buffer: &mut [u8],
    at: usize,
    node: (u64, u32),
    next: u64,
    name: &[u8],
) -> Option<usize> {
    const HEADER: usize = 19;
    let (ino, file_mode) = node;
    let length = HEADER.checked_add(name.len())?.checked_add(8)? & !7;
    let end = at.checked_add(length)?;
    let record = buffer.get_mut(at..end)?;
    record.fill(0);
    record.get_mut(0..8)?.copy_from_slice(&ino.to_le_bytes());
    record.get_mut(8..16)?.copy_from_slice(&next.to_le_bytes());
    record.get_mut(16..18)?.copy_from_slice(&u16::try_from(length).ok()?.to_le_bytes());
    *record.get_mut(18)? = u8::try_from((file_mode & mode::IFMT) >> 12).ok()?;
    record.get_mut(HEADER..HEADER.checked_add(name.len())?)?.copy_from_slice(name);
    Some(end)
}
