//! Reading, writing and the offset between them.

use crate::iofunc::attr::{Attr, flag};
use crate::iofunc::ocb::{Ocb, open_file};
use crate::memory::view;
use crate::resmgr::layout::{Context, Lseek, Transfer, code, number, result};
use core::ffi::{c_int, c_uint};
use io_msg::stat::{mode, open};
use neutrino_abi::Errno;

/// Checks that a file was opened for something, and tells whether the client waits.
fn verify(ocb: *const Ocb, access: u32, nonblock: *mut c_int) -> Result<(), Errno> {
    let (open, node) = open_file(ocb)?;
    if !open.is_open_for(access) {
        return Err(Errno::EBADF);
    }
    if let Some(place) = view(nonblock.cast::<core::cell::Cell<c_int>>()) {
        place.set(c_int::from(open.ioflag.get() & open::NONBLOCK != 0));
    }
    if access == number::FLAG_WR && open.ioflag.get() & open::APPEND != 0 {
        open.offset.set(node.nbytes.get());
    }
    Ok(())
}

/// Checks a read: EBADF if the file was not opened for it.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_read_verify(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    nonblock: *mut c_int,
) -> c_int {
    let _nothing = (ctp, msg);
    result(verify(ocb, number::FLAG_RD, nonblock))
}

/// Checks a write: EBADF if the file was not opened for it. With `O_APPEND` the offset is the end now.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_write_verify(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    nonblock: *mut c_int,
) -> c_int {
    let _nothing = (ctp, msg);
    result(verify(ocb, number::FLAG_WR, nonblock))
}

/// Answers a read: there is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_read_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    let checked = verify(ocb, number::FLAG_RD, core::ptr::null_mut()).and_then(|()| {
        let context = view(ctp).ok_or(Errno::EINVAL)?;
        let (_, node) = open_file(ocb)?;
        let xtype = context.header::<Transfer>()?.xtype & number::xtype::MASK;
        match (node.kind() == mode::IFDIR, xtype == number::xtype::READDIR) {
            (true, false) => Err(Errno::EISDIR),
            (false, true) => Err(Errno::ENOTDIR),
            (true, true) | (false, false) => {
                context.status.set(0);
                node.mark(flag::ATIME);
                Ok(())
            }
        }
    });
    let _the_context_has_it = msg;
    result(checked)
}

/// Answers a write: everything goes nowhere.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_write_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    let _the_context_has_it = msg;
    let checked = verify(ocb, number::FLAG_WR, core::ptr::null_mut()).and_then(|()| {
        let context = view(ctp).ok_or(Errno::EINVAL)?;
        let (_, node) = open_file(ocb)?;
        context.status.set(i64::from(context.header::<Transfer>()?.nbytes));
        node.mark(flag::MTIME | flag::CTIME);
        Ok(())
    });
    result(checked)
}

/// Moves the offset of an open file, and answers with it.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_lseek(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
) -> c_int {
    let _the_context_has_it = msg;
    let moved = view(ctp).zip(view(ocb)).ok_or(Errno::EBADF).and_then(|(context, open)| {
        let node = view(attr).or_else(|| open.node()).ok_or(Errno::EBADF)?;
        let asked: Lseek = context.header()?;
        if matches!(node.kind(), mode::IFIFO | mode::IFSOCK) {
            return Err(Errno::ESPIPE);
        }
        let size = node.nbytes.get();
        let base = match asked.whence {
            0 => 0,
            1 => open.offset.get(),
            2 => size,
            // Data everywhere up to the end, where the only hole is.
            3 | 4 => {
                if !(0..size).contains(&asked.offset) {
                    return Err(Errno::ENXIO);
                }
                if asked.whence == 3 { 0 } else { size - asked.offset }
            }
            _ => return Err(Errno::EINVAL),
        };
        let offset = base.checked_add(asked.offset).ok_or(Errno::EOVERFLOW)?;
        if offset < 0 {
            return Err(Errno::EINVAL);
        }
        open.offset.set(offset);
        Ok((context, offset))
    });
    match moved {
        Ok((context, offset)) => context.answer(&offset),
        Err(errno) => code(errno),
    }
}

/// As [`iofunc_lseek`], on the OCB's own attributes.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_lseek_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    iofunc_lseek(ctp, msg, ocb, core::ptr::null())
}

/// Checks a change of the size: the file must be open for writing, and a regular one.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_space_verify(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    nonblock: *mut c_int,
) -> c_int {
    let _nothing = (ctp, msg);
    let checked = verify(ocb, number::FLAG_WR, nonblock).and_then(|()| {
        let (_, node) = open_file(ocb)?;
        if node.kind() == mode::IFREG { Ok(()) } else { Err(Errno::EINVAL) }
    });
    result(checked)
}

/// Whether a mapping may be made: what the file was opened for.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_mmap(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
) -> c_int {
    let _the_context_has_it = (msg, attr);
    const WRITE: c_uint = 2;
    const SHARED: c_uint = 1;
    let checked = view(ctp).ok_or(Errno::EINVAL).and_then(|context| {
        let (open, _) = open_file(ocb)?;
        let asked: crate::resmgr::layout::Mmap = context.header()?;
        let writes = asked.flags & SHARED != 0 && asked.prot & WRITE != 0;
        let may =
            open.is_open_for(number::FLAG_RD) && (!writes || open.is_open_for(number::FLAG_WR));
        if may { Ok(()) } else { Err(Errno::EACCES) }
    });
    result(checked)
}

/// Answers `mmap`: allowed as far as the file was opened for it, but there is no object to map.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_mmap_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    iofunc_mmap(ctp, msg, ocb, core::ptr::null())
}
