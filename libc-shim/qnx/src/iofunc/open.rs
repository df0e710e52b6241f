//! Opening: checks, and the default handler.

use crate::connection::ClientInfo;
use crate::iofunc::access::check;
use crate::iofunc::attr::{Attr, flag, iofunc_attr_init};
use crate::iofunc::ocb::{client, iofunc_ocb_attach};
use crate::memory::view;
use crate::resmgr::layout::{Connect, Context, code, number, result};
use core::ffi::{c_int, c_void};
use io_msg::stat::{mode, open};
use neutrino_abi::Errno;

/// Checks whether the client may open a node as its message says. With a directory the node is new:
/// its attributes are set. `O_TRUNC` empties a regular file.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_open(
    ctp: *const Context,
    msg: *const u8,
    attr: *const Attr,
    directory: *const Attr,
    info: *const ClientInfo,
) -> c_int {
    let _the_context_has_it = msg;
    let checked = view(ctp).zip(view(attr)).ok_or(Errno::EINVAL).and_then(|(context, node)| {
        let message: Connect = context.header()?;
        let who = client(context, info)?;
        match view(directory) {
            Some(directory) => {
                check(directory, 0o300, &who)?;
                iofunc_attr_init(attr, message.mode, directory, &raw const who);
                directory.mark(flag::MTIME | flag::CTIME);
                Ok(())
            }
            None => may_open(node, &message, &who),
        }
    });
    result(checked)
}

fn may_open(node: &Attr, message: &Connect, who: &ClientInfo) -> Result<(), Errno> {
    let flags = message.ioflag;
    let is_directory = node.kind() == mode::IFDIR;
    if flags & open::CREAT != 0 && flags & open::EXCL != 0 {
        return Err(Errno::EEXIST);
    }
    if message.eflag & number::EFLAG_DIR != 0 && !is_directory {
        return Err(Errno::ENOTDIR);
    }
    let writes = flags & number::FLAG_WR != 0;
    if is_directory && writes {
        return Err(Errno::EISDIR);
    }
    if writes && node.kind() == mode::IFREG && node.is_readonly() {
        return Err(Errno::EROFS);
    }
    let read = if flags & number::FLAG_RD != 0 { 0o400 } else { 0 };
    let write = if writes { 0o200 } else { 0 };
    check(node, read | write, who)?;
    if writes && flags & open::TRUNC != 0 && node.kind() == mode::IFREG {
        node.nbytes.set(0);
        node.mark(flag::MTIME | flag::CTIME | flag::DIRTY_SIZE);
    }
    Ok(())
}

/// Opens what a path names: checks, and binds a new OCB.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_open_default(
    ctp: *const Context,
    msg: *const u8,
    attr: *const Attr,
    extra: *mut c_void,
) -> c_int {
    let _nothing = extra;
    let Some(node) = view(attr) else { return code(Errno::EINVAL) };
    node.lock();
    let mut value = iofunc_open(ctp, msg, attr, core::ptr::null(), core::ptr::null());
    if value == 0 {
        let (new, same) = (core::ptr::null_mut(), core::ptr::null_mut());
        value = iofunc_ocb_attach(ctp, msg, new, attr, same);
    }
    node.unlock();
    value
}

/// Opening a descriptor again: this system's do so by path.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_openfd(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const c_void,
    attr: *const Attr,
) -> c_int {
    let _nothing = (ctp, msg, ocb, attr);
    code(Errno::ENOSYS)
}

/// As [`iofunc_openfd`].
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_openfd_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const c_void,
) -> c_int {
    iofunc_openfd(ctp, msg, ocb, core::ptr::null())
}
