//! Checks for names that are made, moved and removed.

use crate::connection::ClientInfo;
use crate::iofunc::access::check;
use crate::iofunc::attr::{Attr, flag, iofunc_attr_init};
use crate::iofunc::ocb::client;
use crate::memory::view;
use crate::resmgr::layout::{Connect, Context, code, result};
use core::ffi::c_int;
use io_msg::stat::mode;
use neutrino_abi::Errno;

const STICKY: u32 = 0o1000;

/// Checks that the client may take a name out of a directory.
fn may_remove(node: &Attr, directory: Option<&Attr>, who: &ClientInfo) -> Result<(), Errno> {
    if node.is_readonly() {
        return Err(Errno::EROFS);
    }
    let Some(directory) = directory else { return Ok(()) };
    check(directory, 0o300, who)?;
    let [_, uid, ..] = who.ids();
    let owns = uid == 0 || uid == node.uid.get() || uid == directory.uid.get();
    if directory.mode.get() & STICKY != 0 && !owns { Err(Errno::EPERM) } else { Ok(()) }
}

fn changed(directory: Option<&Attr>) {
    if let Some(directory) = directory {
        directory.mark(flag::MTIME | flag::CTIME);
    }
}

/// Checks an `unlink` or `rmdir`, and counts the name out.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_unlink(
    ctp: *const Context,
    msg: *const u8,
    attr: *const Attr,
    directory: *const Attr,
    info: *const ClientInfo,
) -> c_int {
    let _the_context_has_it = msg;
    let done = view(ctp).zip(view(attr)).ok_or(Errno::EINVAL).and_then(|(context, node)| {
        let asked: Connect = context.header()?;
        let who = client(context, info)?;
        may_remove(node, view(directory), &who)?;
        let wants_directory = asked.mode & mode::IFMT == mode::IFDIR;
        match (wants_directory, node.kind() == mode::IFDIR) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            (true, true) | (false, false) => {}
        }
        node.nlink.set(node.nlink.get().saturating_sub(1));
        node.mark(flag::CTIME | flag::DIRTY_NLINK);
        changed(view(directory));
        Ok(())
    });
    result(done)
}

/// Checks a `link`, and counts the name in.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_link(
    ctp: *const Context,
    msg: *const u8,
    attr: *const Attr,
    directory: *const Attr,
    info: *const ClientInfo,
) -> c_int {
    let _the_context_has_it = msg;
    let done = view(ctp).zip(view(attr)).ok_or(Errno::EINVAL).and_then(|(context, node)| {
        let who = client(context, info)?;
        if node.kind() == mode::IFDIR {
            return Err(Errno::EPERM);
        }
        if node.is_readonly() {
            return Err(Errno::EROFS);
        }
        if let Some(directory) = view(directory) {
            check(directory, 0o300, &who)?;
        }
        node.nlink.set(node.nlink.get() + 1);
        node.mark(flag::CTIME | flag::DIRTY_NLINK);
        changed(view(directory));
        Ok(())
    });
    result(done)
}

/// Checks a `rename`: of a node in a directory, to a name in a directory that another node may have.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "they are QNX's")]
pub extern "C" fn iofunc_rename(
    ctp: *const Context,
    msg: *const u8,
    old: *const Attr,
    old_directory: *const Attr,
    new: *const Attr,
    new_directory: *const Attr,
    info: *const ClientInfo,
) -> c_int {
    let _the_context_has_it = msg;
    let done = view(ctp).zip(view(old)).ok_or(Errno::EINVAL).and_then(|(context, node)| {
        let who = client(context, info)?;
        may_remove(node, view(old_directory), &who)?;
        if let Some(replaced) = view(new) {
            may_remove(replaced, view(new_directory), &who)?;
            match (node.kind() == mode::IFDIR, replaced.kind() == mode::IFDIR) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                (true, true) | (false, false) => {}
            }
            replaced.nlink.set(replaced.nlink.get().saturating_sub(1));
        } else if let Some(directory) = view(new_directory) {
            check(directory, 0o300, &who)?;
        }
        node.mark(flag::CTIME);
        changed(view(old_directory));
        changed(view(new_directory));
        Ok(())
    });
    result(done)
}

/// Checks a `mknod`, `mkdir` or `mkfifo`, and sets the attributes of what is made.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_mknod(
    ctp: *const Context,
    msg: *const u8,
    attr: *const Attr,
    directory: *const Attr,
    info: *const ClientInfo,
) -> c_int {
    let _the_context_has_it = msg;
    let done = view(ctp).ok_or(Errno::EINVAL).and_then(|context| {
        let asked: Connect = context.header()?;
        let who = client(context, info)?;
        if let Some(directory) = view(directory) {
            if directory.is_readonly() {
                return Err(Errno::EROFS);
            }
            check(directory, 0o300, &who)?;
        }
        let is_device = matches!(asked.mode & mode::IFMT, mode::IFCHR | mode::IFBLK);
        let [_, uid, ..] = who.ids();
        if is_device && uid != 0 {
            return Err(Errno::EPERM);
        }
        iofunc_attr_init(attr, asked.mode, directory, &raw const who);
        changed(view(directory));
        Ok(())
    });
    result(done)
}

/// Checks a `readlink`: EINVAL if it is no link.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_readlink(
    ctp: *const Context,
    msg: *const u8,
    attr: *const Attr,
    info: *const ClientInfo,
) -> c_int {
    let _anybody_may = (ctp, msg, info);
    match view(attr) {
        Some(node) if node.kind() == mode::IFLNK => {
            node.mark(flag::ATIME);
            0
        }
        Some(_) | None => code(Errno::EINVAL),
    }
}
