//! Tables of the defaults.

use crate::iofunc::{change, devctl, lock, ocb, open, position, stat};
use crate::memory::view;
use crate::resmgr::layout::{
    CONNECT_FUNCS, ConnectFunc, ConnectFuncs, ConnectHandler, IO_FUNCS, IoFunc, IoFuncs, IoHandler,
};
use core::cell::Cell;
use core::ffi::{c_int, c_uint};

/// The function of a row, as a table holds it.
macro_rules! handler {
    ($function:path as $handler:ty) => {{
        let function: *const () = $function as *const ();
        // SAFETY: the functions of a table take their three or four arguments as addresses, whatever
        // these point to, and return an int: one calling convention for them all.
        unsafe { core::mem::transmute::<*const (), $handler>(function) }
    }};
}

fn connect_default(which: usize) -> ConnectHandler {
    if which == ConnectFunc::Open as usize {
        handler!(open::iofunc_open_default as ConnectHandler)
    } else {
        None
    }
}

fn io_defaults() -> [(IoFunc, IoHandler); 17] {
    [
        (IoFunc::Read, handler!(position::iofunc_read_default as IoHandler)),
        (IoFunc::Write, handler!(position::iofunc_write_default as IoHandler)),
        (IoFunc::CloseOcb, handler!(ocb::iofunc_close_ocb_default as IoHandler)),
        (IoFunc::Stat, handler!(stat::iofunc_stat_default as IoHandler)),
        (IoFunc::Devctl, handler!(devctl::iofunc_devctl_default as IoHandler)),
        (IoFunc::Unblock, handler!(lock::iofunc_unblock_default as IoHandler)),
        (IoFunc::Pathconf, handler!(stat::iofunc_pathconf_default as IoHandler)),
        (IoFunc::Lseek, handler!(position::iofunc_lseek_default as IoHandler)),
        (IoFunc::Chmod, handler!(change::iofunc_chmod_default as IoHandler)),
        (IoFunc::Chown, handler!(change::iofunc_chown_default as IoHandler)),
        (IoFunc::Utime, handler!(change::iofunc_utime_default as IoHandler)),
        (IoFunc::Openfd, handler!(open::iofunc_openfd_default as IoHandler)),
        (IoFunc::Fdinfo, handler!(stat::iofunc_fdinfo_default as IoHandler)),
        (IoFunc::Lock, handler!(lock::iofunc_lock_default as IoHandler)),
        (IoFunc::Mmap, handler!(position::iofunc_mmap_default as IoHandler)),
        (IoFunc::CloseDup, handler!(ocb::iofunc_close_dup_default as IoHandler)),
        (IoFunc::Sync, handler!(stat::iofunc_sync_default as IoHandler)),
    ]
}

fn locking() -> [(IoFunc, IoHandler); 2] {
    [
        (IoFunc::LockOcb, handler!(ocb::iofunc_lock_ocb_default as IoHandler)),
        (IoFunc::UnlockOcb, handler!(ocb::iofunc_unlock_ocb_default as IoHandler)),
    ]
}

/// Fills the tables of a server with the defaults: of so many functions each.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_func_init(
    connect_count: c_uint,
    connect: *const ConnectFuncs,
    io_count: c_uint,
    io: *const IoFuncs,
) -> c_int {
    if let Some(table) = view(connect) {
        let count = connect_count.min(CONNECT_FUNCS as c_uint);
        table.nfuncs.set(count);
        let places = table.funcs.iter().take(count as usize);
        places.enumerate().for_each(|(which, place)| place.set(connect_default(which)));
    }
    if let Some(table) = view(io) {
        let count = io_count.min(IO_FUNCS as c_uint);
        table.nfuncs.set(count);
        let places: &[Cell<IoHandler>] = table.funcs.get(..count as usize).unwrap_or_default();
        places.iter().for_each(|place| place.set(None));
        for (which, handler) in io_defaults().into_iter().chain(locking()) {
            if let Some(place) = places.get(which as usize) {
                place.set(handler);
            }
        }
    }
    0
}

/// Initialises what a mount has in common: its structure's size and functions.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_mount_init(
    mount: *const crate::iofunc::attr::Mount,
    size: usize,
) -> c_int {
    if let Some(mount) = view(mount) {
        mount.size.set(size);
        mount.timeres.set(1);
    }
    0
}
