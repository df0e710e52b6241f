//! QNX's structures as `include/sys/dispatch.h`, `resmgr.h` and `iomsg.h` declare them.
//!
//! Messages have the members that QNX documents; where those leave the size open, a header is as long
//! as this system's own on the wire ([`Transfer`]), so that data need not move.

use crate::receive::CInfo;
use crate::resmgr::dispatch::Dispatch;
use core::cell::Cell;
use core::ffi::{c_int, c_long, c_uint, c_void};
use neutrino_abi::Errno;
use neutrino_abi::message::Iov;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// C's `resmgr_context_t`, which is also `message_context_t` and `dispatch_context_t`.
#[derive(Debug)]
#[repr(C)]
pub struct Context {
    /// Names the client; 0 for a pulse, -1 if there is none.
    pub rcvid: Cell<c_int>,
    /// What is known of the client.
    pub info: Cell<CInfo>,
    /// The message.
    pub msg: Cell<*mut u8>,
    /// The dispatch structure.
    pub dpp: Cell<*const Dispatch>,
    /// Attach id.
    pub id: Cell<c_int>,
    /// Thread that receives.
    pub tid: Cell<c_uint>,
    /// Bytes of a message that are received at once.
    pub msg_max_size: Cell<usize>,
    /// What the client's call returns.
    pub status: Cell<c_long>,
    /// What `resmgr_msgread` adds to offsets.
    pub offset: Cell<usize>,
    /// Bytes of the message in the buffer.
    pub size: Cell<usize>,
    /// Parts of the reply; `nparts_max` of them.
    pub iov: [Cell<Iov>; 1],
}

/// Return values of handlers beside EOK, errors and numbers of parts (`_RESMGR_*`).
pub mod answer {
    use core::ffi::c_int;
    /// The client stays blocked.
    pub const NOREPLY: c_int = c_int::MIN;
    /// The library's default.
    pub const DEFAULT: c_int = c_int::MIN + 1;
}

/// An error as handlers return it.
#[must_use]
pub const fn code(errno: Errno) -> c_int {
    errno.number() as c_int
}

/// What a function of this library comes to, as handlers return it.
#[must_use]
pub fn result(result: Result<(), Errno>) -> c_int {
    result.map_or_else(code, |()| 0)
}

/// A function of `resmgr_connect_funcs_t`: context, message, handle, extra.
pub type ConnectHandler =
    Option<extern "C" fn(*const Context, *mut u8, *mut c_void, *mut c_void) -> c_int>;
/// A function of `resmgr_io_funcs_t`: context, message, OCB.
pub type IoHandler = Option<extern "C" fn(*const Context, *mut u8, *mut c_void) -> c_int>;

/// Functions in `resmgr_connect_funcs_t`.
pub const CONNECT_FUNCS: usize = 8;
/// Functions in `resmgr_io_funcs_t`.
pub const IO_FUNCS: usize = 27;

/// Which connect function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the members of resmgr_connect_funcs_t, in their order")]
pub enum ConnectFunc {
    Open,
    Unlink,
    Rename,
    Mknod,
    Readlink,
    Link,
    Unblock,
    Mount,
}

/// Which I/O function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the members of resmgr_io_funcs_t, in their order")]
pub enum IoFunc {
    Read,
    Write,
    CloseOcb,
    Stat,
    Notify,
    Devctl,
    Unblock,
    Pathconf,
    Lseek,
    Chmod,
    Chown,
    Utime,
    Openfd,
    Fdinfo,
    Lock,
    Space,
    Shutdown,
    Mmap,
    Msg,
    Reserved,
    Dup,
    CloseDup,
    LockOcb,
    UnlockOcb,
    Sync,
    Power,
    Acl,
}

/// `resmgr_connect_funcs_t`.
#[derive(Debug)]
#[repr(C)]
pub struct ConnectFuncs {
    /// How many functions there are.
    pub nfuncs: Cell<c_uint>,
    /// The functions.
    pub funcs: [Cell<ConnectHandler>; CONNECT_FUNCS],
}

/// `resmgr_io_funcs_t`.
#[derive(Debug)]
#[repr(C)]
pub struct IoFuncs {
    /// How many functions there are.
    pub nfuncs: Cell<c_uint>,
    /// The functions.
    pub funcs: [Cell<IoHandler>; IO_FUNCS],
}

impl ConnectFuncs {
    /// A function, if the table has it.
    #[must_use]
    pub fn get(&self, which: ConnectFunc) -> ConnectHandler {
        self.funcs.iter().take(self.nfuncs.get() as usize).nth(which as usize)?.get()
    }
}

impl IoFuncs {
    /// A function, if the table has it.
    #[must_use]
    pub fn get(&self, which: IoFunc) -> IoHandler {
        self.funcs.iter().take(self.nfuncs.get() as usize).nth(which as usize)?.get()
    }
}

/// Numbers in messages beside `io_msg::kind`.
pub mod number {
    /// `_IO_PATHCONF`.
    pub const PATHCONF: u16 = 0x107;
    /// `_IO_DUP`.
    pub const DUP: u16 = 0x115;
    /// `_IO_MAX`.
    pub const MAX: u16 = 0x1ff;
    /// `_IO_COMBINE_FLAG`.
    pub const COMBINE: u16 = 0x8000;

    /// `_IO_CONNECT_*`, subtypes.
    pub mod connect {
        /// Open.
        pub const OPEN: u16 = 2;
        /// Open, then an I/O message, then close.
        pub const COMBINE_CLOSE: u16 = 0;
        /// Remove a name.
        pub const UNLINK: u16 = 3;
        /// Rename.
        pub const RENAME: u16 = 4;
        /// Make a node.
        pub const MKNOD: u16 = 5;
        /// Read a link.
        pub const READLINK: u16 = 6;
        /// Make a link.
        pub const LINK: u16 = 7;
    }
    /// `_IO_CONNECT_EXTRA_*`.
    pub mod extra {
        /// Nothing.
        pub const NONE: u8 = 0;
        /// An OCB to link.
        pub const LINK: u8 = 1;
        /// The target of a symbolic link.
        pub const SYMLINK: u8 = 2;
        /// The old name.
        pub const RENAME: u8 = 5;
    }
    /// `_IO_CONNECT_EFLAG_DIR`: the path ended with a slash.
    pub const EFLAG_DIR: u8 = 1;
    /// `_IO_CONNECT_RET_LINK`: the reply is another path.
    pub const RET_LINK: i64 = 1 << 30;

    /// `_IO_FLAG_RD`.
    pub const FLAG_RD: u32 = 1;
    /// `_IO_FLAG_WR`.
    pub const FLAG_WR: u32 = 2;

    /// `_IO_XTYPE_*`.
    pub mod xtype {
        /// At the file offset.
        pub const NONE: u32 = 0;
        /// At an offset that follows the message.
        pub const OFFSET: u32 = 5;
        /// Directory entries.
        pub const READDIR: u32 = 9;
        /// `_IO_XTYPE_MASK`.
        pub const MASK: u32 = 0xff;
    }

    /// `F_FREESP`: frees from `start` on; with length 0 that is the new size.
    pub const FREESP: u16 = 107;
    /// `F_ALLOCSP`: allocates.
    pub const ALLOCSP: u16 = 110;
}

/// `struct _io_connect`; the path follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Connect {
    pub kind: u16,
    pub subtype: u16,
    pub file_type: u32,
    pub reply_max: u16,
    pub entry_max: u16,
    pub key: u32,
    pub handle: u32,
    pub ioflag: u32,
    pub mode: u32,
    pub sflag: u16,
    pub access: u16,
    pub zero: u16,
    pub path_len: u16,
    pub eflag: u8,
    pub extra_type: u8,
    pub extra_len: u16,
}
const _: () = assert!(size_of::<Connect>() == 40);

/// `struct _io_connect_link_reply`; the path follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct LinkReply {
    pub reserved1: u32,
    pub file_type: u32,
    pub eflag: u8,
    pub reserved2: u8,
    pub chroot_len: u16,
    pub umask: u32,
    pub nentries: u16,
    pub path_len: u16,
}
const _: () = assert!(size_of::<LinkReply>() == 20);

/// `struct _io_read`, `struct _io_write`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Transfer {
    pub kind: u16,
    pub combine_len: u16,
    pub nbytes: i32,
    pub xtype: u32,
    pub zero: u32,
    pub reserved: u64,
}
const _: () = assert!(size_of::<Transfer>() == size_of::<io_msg::io::Transfer>());

/// Messages that are a type and a word: stat, sync, close, chmod.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Word {
    pub kind: u16,
    pub combine_len: u16,
    pub word: u32,
}

/// `struct _io_lseek`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Lseek {
    pub kind: u16,
    pub combine_len: u16,
    pub whence: i16,
    pub zero: u16,
    pub offset: i64,
}

/// `struct _io_chown`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Chown {
    pub kind: u16,
    pub combine_len: u16,
    pub gid: u32,
    pub uid: u32,
}

/// `struct _io_utime`; in `omit`, 1: leave the access time, 2: the modification time.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Utime {
    pub kind: u16,
    pub combine_len: u16,
    pub cur_flag: i32,
    pub actime: i64,
    pub modtime: i64,
    pub actime_ns: u32,
    pub modtime_ns: u32,
    pub omit: u32,
    pub zero: u32,
}

/// `struct _io_devctl`; data follow.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Devctl {
    pub kind: u16,
    pub combine_len: u16,
    pub dcmd: u32,
    pub nbytes: u32,
    pub zero: i32,
}

/// `struct _io_devctl_reply`; data follow.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct DevctlReply {
    pub zero: u32,
    pub ret_val: i32,
    pub nbytes: u32,
    pub zero2: i32,
}

/// C's `struct flock`, musl's.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "POSIX's members")]
pub struct Flock {
    pub l_type: i16,
    pub l_whence: i16,
    pub padding: u32,
    pub l_start: i64,
    pub l_len: i64,
    pub l_pid: i32,
    pub padding2: u32,
}

/// `struct _io_lock`; `owner` is 0 for the process, 1 for the open file (`flock`).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Lock {
    pub kind: u16,
    pub combine_len: u16,
    pub subtype: u32,
    pub owner: u32,
    pub zero: u32,
    pub flock: Flock,
}

/// `struct _io_lock_reply`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct LockReply {
    pub zero: [u32; 4],
    pub flock: Flock,
}

/// `struct _io_space`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Space {
    pub kind: u16,
    pub combine_len: u16,
    pub subtype: u16,
    pub whence: i16,
    pub start: u64,
    pub len: u64,
}

/// `struct _io_mmap`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Mmap {
    pub kind: u16,
    pub combine_len: u16,
    pub prot: u32,
    pub offset: u64,
    pub required_prot: u32,
    pub flags: u32,
    pub zero: [u32; 2],
}

/// `struct _io_mmap_reply`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct MmapReply {
    pub allowed_prot: u32,
    pub flags: u32,
    pub offset: u64,
    pub coid: i32,
    pub fd: i32,
}

/// `struct _io_notify`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Notify {
    pub kind: u16,
    pub combine_len: u16,
    pub action: i32,
    pub flags: u32,
    pub padding: u32,
    pub event: [u64; 8],
    pub mgr: [i32; 2],
    pub flags_extra_mask: i32,
    pub flags_exten: i32,
    pub nfds: i32,
    pub fd_first: i32,
    pub nfds_ready: i32,
    pub padding2: i32,
    pub timo: i64,
}

/// The part of `struct _io_notify_reply` that counts.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct NotifyReply {
    pub zero: u32,
    pub flags: u32,
    pub flags2: u32,
}

/// `struct _io_fdinfo`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct FdinfoAsked {
    pub kind: u16,
    pub combine_len: u16,
    pub flags: u32,
    pub path_len: i32,
    pub reserved: u32,
}

/// `struct _fdinfo` behind two words of zeros; the path follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Fdinfo {
    pub zero: [u32; 2],
    pub mode: u32,
    pub ioflag: u32,
    pub offset: u64,
    pub size: u64,
    pub flags: u32,
    pub sflag: u16,
    pub count: u16,
    pub rcount: u16,
    pub wcount: u16,
    pub rlocks: u16,
    pub wlocks: u16,
}
