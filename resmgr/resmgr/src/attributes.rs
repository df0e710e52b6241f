//! What every node has: type, permissions, owner, times (QNX: `iofunc_attr_t`).

use io_msg::stat::{Stat, mode};
use neutrino_rt::Errno;

/// Attributes of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Serial number (`st_ino`).
    pub inode: u64,
    /// Type and permissions (`st_mode`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names.
    pub links: u32,
    /// Size in bytes.
    pub size: u64,
    /// Units of 512 bytes in use.
    pub blocks: u64,
    /// Device number of a device node.
    pub rdev: u64,
    /// Access time: seconds, nanoseconds.
    pub atime: [i64; 2],
    /// Modification time.
    pub mtime: [i64; 2],
    /// Status change time.
    pub ctime: [i64; 2],
}

impl Attributes {
    /// Attributes of a node of this type and permissions, owned by root, made now.
    #[must_use]
    pub fn new(inode: u64, mode: u32) -> Self {
        let now = neutrino_rt::clock::timestamp();
        Self { inode, mode, links: 1, atime: now, mtime: now, ctime: now, ..Self::default() }
    }

    /// The type alone (`S_IFMT` bits).
    #[must_use]
    pub const fn kind(&self) -> u32 {
        self.mode & mode::IFMT
    }

    /// Whether it is a directory.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        self.kind() == mode::IFDIR
    }

    /// Whether it is a symbolic link.
    #[must_use]
    pub const fn is_link(&self) -> bool {
        self.kind() == mode::IFLNK
    }

    /// Whether it is a regular file.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        self.kind() == mode::IFREG
    }

    /// Whether owner, group and others all have these rights.
    #[must_use]
    #[inline]
    pub const fn everybody_may(&self, rights: u32) -> bool {
        let all = rights & 7;
        self.mode & (all << 6 | all << 3 | all) == all << 6 | all << 3 | all
    }

    /// As `struct stat`, on device `dev`.
    #[must_use]
    pub fn stat(&self, dev: u64) -> Stat {
        Stat {
            dev,
            ino: self.inode,
            nlink: u64::from(self.links),
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            rdev: self.rdev,
            size: self.size.cast_signed(),
            blksize: 4096,
            blocks: self.blocks.cast_signed(),
            atime: self.atime,
            mtime: self.mtime,
            ctime: self.ctime,
            ..Stat::default()
        }
    }
}

/// Access rights, as in a permission triple.
pub mod right {
    /// Read.
    pub const READ: u32 = 4;
    /// Write.
    pub const WRITE: u32 = 2;
    /// Execute, or search a directory.
    pub const EXECUTE: u32 = 1;
}

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Whether one of the supplementary groups is the node's.
    pub in_group: bool,
}

/// Checks rights the POSIX way: owner, else group, else others; root may all, but execute only
/// what somebody may.
///
/// # Errors
/// EACCES.
pub fn check(attributes: &Attributes, who: &Identity, rights: u32) -> Result<(), Errno> {
    if who.uid == 0 {
        let executable = attributes.mode & 0o111 != 0 || attributes.is_directory();
        let refused = rights & right::EXECUTE != 0 && !executable;
        return if refused { Err(Errno::EACCES) } else { Ok(()) };
    }
    let shift = if who.uid == attributes.uid {
        6
    } else if who.gid == attributes.gid || who.in_group {
        3
    } else {
        0
    };
    let granted = (attributes.mode >> shift) & 7;
    if rights & !granted == 0 { Ok(()) } else { Err(Errno::EACCES) }
}

/// A change of attributes that the framework has checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Permissions (`chmod`), 07777.
    Mode(u32),
    /// Owner and group; `None` leaves it.
    Owner(Option<u32>, Option<u32>),
    /// Access and modification time; `None` leaves it.
    Times(Option<[i64; 2]>, Option<[i64; 2]>),
}

impl Change {
    /// Applies the change, with the change time set to now.
    pub fn apply(&self, attributes: &mut Attributes) {
        match *self {
            Self::Mode(bits) => {
                attributes.mode = attributes.mode & mode::IFMT | bits & 0o7777;
            }
            Self::Owner(uid, gid) => {
                attributes.uid = uid.unwrap_or(attributes.uid);
                attributes.gid = gid.unwrap_or(attributes.gid);
                if attributes.is_file() && attributes.mode & 0o111 != 0 {
                    attributes.mode &= !(mode::ISUID | mode::ISGID);
                }
            }
            Self::Times(atime, mtime) => {
                attributes.atime = atime.unwrap_or(attributes.atime);
                attributes.mtime = mtime.unwrap_or(attributes.mtime);
            }
        }
        attributes.ctime = neutrino_rt::clock::timestamp();
    }
}
