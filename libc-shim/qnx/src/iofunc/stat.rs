//! Status of files.

use crate::iofunc::attr::Attr;
use crate::iofunc::ocb::{Ocb, open_file};
use crate::kernel::store;
use crate::memory::view;
use crate::resmgr::layout::{Context, Fdinfo, answer, code, number, result};
use core::ffi::{c_int, c_void};
use io_msg::stat::Stat;
use neutrino_abi::Errno;

/// The status of a node; `id` is its number if it has none of its own.
fn status(attr: &Attr, id: c_int) -> Stat {
    attr.update_times();
    let mount = view(attr.mount.get());
    let blocksize = mount.map_or(0, |mount| mount.blocksize.get());
    let inode = attr.inode.get();
    let time = |seconds: i64, ns: u32| [seconds, i64::from(ns)];
    Stat {
        dev: mount.map_or(0, |mount| mount.dev.get()).max(1),
        ino: if inode == 0 { u64::from(id.max(1).cast_unsigned()) } else { inode },
        nlink: attr.nlink.get(),
        mode: attr.mode.get(),
        uid: attr.uid.get(),
        gid: attr.gid.get(),
        rdev: attr.rdev.get(),
        size: attr.nbytes.get(),
        blksize: if blocksize > 0 { i64::from(blocksize) } else { 4096 },
        blocks: attr.nbytes.get().max(0).cast_unsigned().div_ceil(512).cast_signed(),
        atime: time(attr.atime.get(), attr.atime_ns.get()),
        mtime: time(attr.mtime.get(), attr.mtime_ns.get()),
        ctime: time(attr.ctime.get(), attr.ctime_ns.get()),
        ..Stat::default()
    }
}

/// Fills a `struct stat`.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_stat(ctp: *const Context, attr: *const Attr, stat: *mut Stat) -> c_int {
    let id = view(ctp).map_or(1, |context| context.id.get());
    result(view(attr).ok_or(Errno::EINVAL).and_then(|attr| store(stat, &status(attr, id))))
}

/// Fills a `struct stat` in a format: there is one.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_stat_format(
    ctp: *const Context,
    attr: *const Attr,
    format: *const u32,
    stat: *mut *mut Stat,
    length: usize,
) -> c_int {
    let _there_is_one = format;
    let Some(place) = view(stat.cast::<core::cell::Cell<*mut Stat>>()) else {
        return code(Errno::EINVAL);
    };
    if length < size_of::<Stat>() {
        return code(Errno::EINVAL);
    }
    iofunc_stat(ctp, attr, place.get())
}

/// Answers `stat`.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_stat_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    let _it_says_nothing = msg;
    let Some(context) = view(ctp) else { return code(Errno::EINVAL) };
    match open_file(ocb) {
        Ok((_, attr)) => context.answer(&status(attr, context.id.get())),
        Err(errno) => code(errno),
    }
}

/// Fills a `struct _fdinfo`.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_fdinfo(
    ctp: *const Context,
    ocb: *const Ocb,
    attr: *const Attr,
    info: *mut c_void,
) -> c_int {
    let _nothing = ctp;
    let Some(attr) = view(attr) else { return code(Errno::EINVAL) };
    let known = view(ocb);
    let told = Fdinfo {
        mode: attr.mode.get(),
        ioflag: known.map_or(0, |ocb| ocb.ioflag.get()),
        offset: known.map_or(0, |ocb| ocb.offset.get().cast_unsigned()),
        size: attr.nbytes.get().cast_unsigned(),
        count: attr.count.get(),
        rcount: attr.rcount.get(),
        wcount: attr.wcount.get(),
        rlocks: attr.rlocks.get(),
        wlocks: attr.wlocks.get(),
        ..Fdinfo::default()
    };
    // The words before it are the message's.
    let (from, length) = (size_of_val(&told.zero), size_of::<Fdinfo>() - size_of_val(&told.zero));
    let address = crate::kernel::address_of(&told) + from as u64;
    result(crate::kernel::copy(address, info.addr() as u64, length as u64))
}

/// Answers with the path of an open file: the library knows it.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_fdinfo_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    let _the_library_does = (ctp, msg, ocb);
    answer::DEFAULT
}

/// Answers `pathconf`.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_pathconf_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    iofunc_pathconf(ctp, msg, ocb, core::ptr::null())
}

/// Tells a limit of a node: the ones that do not depend on the file system.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_pathconf(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
) -> c_int {
    const LINK_MAX: u16 = 0;
    const NAME_MAX: u16 = 3;
    const PATH_MAX: u16 = 4;
    const CHOWN_RESTRICTED: u16 = 6;
    const NO_TRUNC: u16 = 7;
    let _the_same_for_all = (msg, ocb, attr);
    let Some(context) = view(ctp) else { return code(Errno::EINVAL) };
    let Ok([_, _, name, _]) = context.header::<[u16; 4]>() else { return code(Errno::EBADMSG) };
    let value = match name {
        LINK_MAX => 127,
        NAME_MAX => io_msg::connect::NAME_MAX as i64,
        PATH_MAX => io_msg::connect::PATH_MAX as i64,
        CHOWN_RESTRICTED | NO_TRUNC => 1,
        _ => return code(Errno::EINVAL),
    };
    context.status.set(value);
    0
}

/// Whether data may be written out.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_sync_verify(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    let _nothing = (ctp, msg);
    match open_file(ocb) {
        Ok((ocb, _)) if ocb.is_open_for(number::FLAG_WR | number::FLAG_RD) => 0,
        Ok(_) | Err(_) => code(Errno::EBADF),
    }
}

/// Writes out what is cached: nothing.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_sync(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    operation: *mut c_int,
) -> c_int {
    let _nothing = operation;
    iofunc_sync_verify(ctp, msg, ocb)
}

/// Answers `fsync`.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_sync_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    iofunc_sync_verify(ctp, msg, ocb)
}
