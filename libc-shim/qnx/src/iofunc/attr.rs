//! Attributes of a file or device: C's `iofunc_attr_t`, and their lock.

use crate::connection::ClientInfo;
use crate::kernel::{at, call, own_tid};
use crate::memory::view;
use crate::resmgr::layout::code;
use core::cell::Cell;
use core::ffi::{c_int, c_uint, c_void};
use core::sync::atomic::{AtomicU32, Ordering};
use io_msg::stat::mode;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::time::FOREVER;

/// In `flags`: these times are to be set to now when somebody looks (`IOFUNC_ATTR_*`).
pub mod flag {
    /// Modification.
    pub const MTIME: u32 = 1;
    /// Access.
    pub const ATIME: u32 = 2;
    /// Status change.
    pub const CTIME: u32 = 4;
    /// The size has changed.
    pub const DIRTY_SIZE: u32 = 0x10;
    /// Owner or group has.
    pub const DIRTY_OWNER: u32 = 0x20;
    /// A time has.
    pub const DIRTY_TIME: u32 = 0x40;
    /// The mode has.
    pub const DIRTY_MODE: u32 = 0x80;
    /// The number of links has.
    pub const DIRTY_NLINK: u32 = 0x100;
}

/// C's `iofunc_attr_t`, which a server's own structure may begin with.
#[derive(Debug)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Attr {
    pub mount: Cell<*const Mount>,
    pub flags: Cell<u32>,
    /// The lock's word: 0, or the thread that has it.
    pub lock_tid: AtomicU32,
    pub lock_count: Cell<u16>,
    pub count: Cell<u16>,
    pub rcount: Cell<u16>,
    pub wcount: Cell<u16>,
    pub rlocks: Cell<u16>,
    pub wlocks: Cell<u16>,
    pub mmap_list: Cell<*mut c_void>,
    pub lock_list: Cell<*mut c_void>,
    pub list: Cell<*mut c_void>,
    pub list_size: Cell<u32>,
    pub nbytes: Cell<i64>,
    pub inode: Cell<u64>,
    pub uid: Cell<u32>,
    pub gid: Cell<u32>,
    pub mtime: Cell<i64>,
    pub atime: Cell<i64>,
    pub ctime: Cell<i64>,
    pub mode: Cell<u32>,
    pub nlink: Cell<u64>,
    pub rdev: Cell<u64>,
    pub mtime_ns: Cell<u32>,
    pub atime_ns: Cell<u32>,
    pub ctime_ns: Cell<u32>,
}

/// C's `iofunc_mount_t`.
#[derive(Debug)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Mount {
    pub flags: Cell<u32>,
    pub conf: Cell<u32>,
    pub dev: Cell<u64>,
    pub blocksize: Cell<i32>,
    pub funcs: Cell<*const Funcs>,
    pub power: Cell<*mut c_void>,
    pub size: Cell<usize>,
    pub ext_flags: Cell<u32>,
    pub timeres: Cell<u32>,
    pub reserved: [Cell<u64>; 4],
}

/// C's `iofunc_funcs_t`.
#[derive(Debug)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Funcs {
    pub nfuncs: Cell<c_uint>,
    pub ocb_calloc: Cell<Option<extern "C" fn(*const c_void, *const Attr) -> *mut c_void>>,
    pub ocb_free: Cell<Option<extern "C" fn(*mut c_void)>>,
    pub attr_lock: Cell<Option<extern "C" fn(*const Attr) -> c_int>>,
    pub attr_unlock: Cell<Option<extern "C" fn(*const Attr) -> c_int>>,
    pub attr_trylock: Cell<Option<extern "C" fn(*const Attr) -> c_int>>,
}

/// In a mutex word: the thread.
const TID_MASK: u32 = 0x3fff_ffff;
/// `_MOUNT_READONLY`.
const READONLY: u32 = 1;

impl Attr {
    /// The type bits of the mode.
    #[must_use]
    pub fn kind(&self) -> u32 {
        self.mode.get() & mode::IFMT
    }

    /// The functions of the mount that the node is on, from the `least`th on.
    #[must_use]
    pub fn funcs<'a>(&self, least: c_uint) -> Option<&'a Funcs> {
        let mount = view(self.mount.get())?;
        view(mount.funcs.get()).filter(|funcs| funcs.nfuncs.get() >= least)
    }

    /// Whether nothing on the mount may change.
    #[must_use]
    pub fn is_readonly(&self) -> bool {
        view(self.mount.get()).is_some_and(|mount| mount.flags.get() & READONLY != 0)
    }

    /// Notes what has changed.
    pub fn mark(&self, flags: u32) {
        self.flags.set(self.flags.get() | flags);
    }

    /// Takes the lock, which one thread may take several times.
    pub fn lock(&self) {
        if let Some(lock) = self.funcs(3).and_then(|funcs| funcs.attr_lock.get()) {
            lock(self);
            return;
        }
        let tid = own_tid();
        let word = &self.lock_tid;
        if word.load(Ordering::Relaxed) & TID_MASK != tid
            && word.compare_exchange(0, tid, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            let address = at(core::ptr::from_ref(word));
            // Bound: turns are interruptions by signals.
            while call(Call::SyncMutexLock { address, flags: 0, deadline: FOREVER }).is_err() {}
        }
        self.lock_count.set(self.lock_count.get().wrapping_add(1));
    }

    /// Gives it back.
    pub fn unlock(&self) {
        if let Some(unlock) = self.funcs(4).and_then(|funcs| funcs.attr_unlock.get()) {
            unlock(self);
            return;
        }
        let tid = own_tid();
        let word = &self.lock_tid;
        if word.load(Ordering::Relaxed) & TID_MASK != tid {
            return;
        }
        let left = self.lock_count.get().saturating_sub(1);
        self.lock_count.set(left);
        if left == 0 && word.compare_exchange(tid, 0, Ordering::Release, Ordering::Relaxed).is_err()
        {
            let address = at(core::ptr::from_ref(word));
            let _it_is_ours = call(Call::SyncMutexUnlock { address, flags: 0 });
        }
    }

    /// Sets the times that are to be set.
    pub fn update_times(&self) {
        let flags = self.flags.get();
        if flags & (flag::ATIME | flag::MTIME | flag::CTIME) == 0 {
            return;
        }
        let [seconds, ns] = crate::clock::timestamp();
        let rows = [
            (flag::ATIME, &self.atime, &self.atime_ns),
            (flag::MTIME, &self.mtime, &self.mtime_ns),
            (flag::CTIME, &self.ctime, &self.ctime_ns),
        ];
        for (_, time, fraction) in rows.iter().filter(|(flag, ..)| flags & flag != 0) {
            time.set(seconds);
            fraction.set(ns as u32);
        }
        let left = flags & !(flag::ATIME | flag::MTIME | flag::CTIME);
        self.flags.set(left | flag::DIRTY_TIME);
    }
}

unsafe extern "C" {
    safe fn geteuid() -> u32;
    safe fn getegid() -> u32;
}

/// Sets the attributes of a new node: on the mount of a directory, if one is given, and owned by a
/// client, or else by the caller.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_attr_init(
    attr: *const Attr,
    mode: c_uint,
    directory: *const Attr,
    info: *const ClientInfo,
) {
    let Some(node) = view(attr) else { return };
    let zeros = [0_u8; size_of::<Attr>()];
    let place = attr.addr() as u64;
    // The caller's structure is there: it has just been looked for.
    let _there = crate::kernel::copy(crate::kernel::address_of(&zeros), place, zeros.len() as u64);
    let [_, uid, _, gid] = view(info).map_or_else(|| [0, geteuid(), 0, getegid()], ClientInfo::ids);
    node.mode.set(mode);
    node.uid.set(uid);
    node.gid.set(gid);
    node.nlink.set(1);
    if let Some(directory) = view(directory) {
        node.mount.set(directory.mount.get());
        if directory.mode.get() & mode::ISGID != 0 {
            node.gid.set(directory.gid.get());
        }
    }
    node.flags.set(flag::ATIME | flag::MTIME | flag::CTIME);
    node.update_times();
}

/// Takes the lock of attributes.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_attr_lock(attr: *const Attr) -> c_int {
    view(attr).map_or(code(Errno::EINVAL), |attr| {
        attr.lock();
        0
    })
}

/// Takes the lock of attributes if it is free; EBUSY if not.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_attr_trylock(attr: *const Attr) -> c_int {
    let Some(attr) = view(attr) else { return code(Errno::EINVAL) };
    if let Some(trylock) = attr.funcs(5).and_then(|funcs| funcs.attr_trylock.get()) {
        return trylock(attr);
    }
    let holder = attr.lock_tid.load(Ordering::Relaxed) & TID_MASK;
    if holder != 0 && holder != own_tid() {
        return code(Errno::EBUSY);
    }
    attr.lock();
    0
}

/// Gives the lock of attributes back.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_attr_unlock(attr: *const Attr) -> c_int {
    view(attr).map_or(code(Errno::EINVAL), |attr| {
        attr.unlock();
        0
    })
}

/// Sets the times that are to be set.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_time_update(attr: *const Attr) -> c_int {
    view(attr).map_or(code(Errno::EINVAL), |attr| {
        attr.update_times();
        0
    })
}
