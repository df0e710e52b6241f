//! Changes of mode, owner and times, by whoever may make them.

use crate::connection::ClientInfo;
use crate::iofunc::access::{check, owns};
use crate::iofunc::attr::{Attr, flag};
use crate::iofunc::ocb::{Ocb, client};
use crate::memory::view;
use crate::resmgr::layout::{Chown, Context, Utime, Word, result};
use core::ffi::c_int;
use io_msg::stat::mode;
use neutrino_abi::Errno;

/// The node of an OCB or, if it is given, of its own.
fn parts<'a>(
    ctp: *const Context,
    ocb: *const Ocb,
    attr: *const Attr,
    info: *const ClientInfo,
) -> Result<(&'a Context, &'a Attr, ClientInfo), Errno> {
    let context = view(ctp).ok_or(Errno::EINVAL)?;
    let node = view(attr).or_else(|| view(ocb)?.node()).ok_or(Errno::EBADF)?;
    if node.is_readonly() {
        return Err(Errno::EROFS);
    }
    Ok((context, node, client(context, info)?))
}

/// Changes permissions: the owner, or root.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_chmod(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
    info: *const ClientInfo,
) -> c_int {
    let _the_context_has_it = msg;
    result(parts(ctp, ocb, attr, info).and_then(|(context, node, who)| {
        owns(node, &who)?;
        let mut bits = context.header::<Word>()?.word & 0o7777;
        let [_, uid, _, gid] = who.ids();
        let in_group = gid == node.gid.get() || who.groups().contains(&node.gid.get());
        if uid != 0 && !in_group {
            bits &= !mode::ISGID;
        }
        node.mode.set(node.mode.get() & !0o7777 | bits);
        node.mark(flag::CTIME | flag::DIRTY_MODE);
        Ok(())
    }))
}

/// Changes owner and group: root; the owner to a group of theirs.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_chown(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
    info: *const ClientInfo,
) -> c_int {
    let _the_context_has_it = msg;
    result(parts(ctp, ocb, attr, info).and_then(|(context, node, who)| {
        let asked: Chown = context.header()?;
        let uid = if asked.uid == u32::MAX { node.uid.get() } else { asked.uid };
        let gid = if asked.gid == u32::MAX { node.gid.get() } else { asked.gid };
        let [_, own_uid, _, own_gid] = who.ids();
        if own_uid != 0 {
            let is_own_group = gid == own_gid || who.groups().contains(&gid);
            let keeps_group = gid == node.gid.get();
            owns(node, &who)?;
            if uid != node.uid.get() || !(keeps_group || is_own_group) {
                return Err(Errno::EPERM);
            }
        }
        node.uid.set(uid);
        node.gid.set(gid);
        if node.kind() == mode::IFREG && node.mode.get() & 0o111 != 0 {
            node.mode.set(node.mode.get() & !(mode::ISUID | mode::ISGID));
        }
        node.mark(flag::CTIME | flag::DIRTY_OWNER);
        Ok(())
    }))
}

/// Changes times: the owner; to now whoever may write.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_utime(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
    info: *const ClientInfo,
) -> c_int {
    let _the_context_has_it = msg;
    result(parts(ctp, ocb, attr, info).and_then(|(context, node, who)| {
        let asked: Utime = context.header()?;
        if asked.actime_ns >= 1_000_000_000 && asked.omit & 1 == 0
            || asked.modtime_ns >= 1_000_000_000 && asked.omit & 2 == 0
        {
            return Err(Errno::EINVAL);
        }
        if owns(node, &who).is_err() {
            if asked.cur_flag == 0 {
                return Err(Errno::EPERM);
            }
            check(node, 0o200, &who)?;
        }
        if asked.omit & 1 == 0 {
            node.atime.set(asked.actime);
            node.atime_ns.set(asked.actime_ns);
        }
        if asked.omit & 2 == 0 {
            node.mtime.set(asked.modtime);
            node.mtime_ns.set(asked.modtime_ns);
        }
        node.flags.set(node.flags.get() & !(flag::ATIME | flag::MTIME));
        node.mark(flag::CTIME | flag::DIRTY_TIME);
        Ok(())
    }))
}

macro_rules! defaults {
    ($($(#[doc = $doc:literal])+ $name:ident = $helper:ident;)+) => { $(
        $(#[doc = $doc])+
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(ctp: *const Context, msg: *const u8, ocb: *const Ocb) -> c_int {
            $helper(ctp, msg, ocb, core::ptr::null(), core::ptr::null())
        }
    )+ };
}

defaults! {
    /// Answers `chmod`.
    iofunc_chmod_default = iofunc_chmod;
    /// Answers `chown`.
    iofunc_chown_default = iofunc_chown;
    /// Answers `utime`.
    iofunc_utime_default = iofunc_utime;
}
