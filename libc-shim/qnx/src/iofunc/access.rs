//! Who may do what: POSIX's permissions on attributes.

use crate::connection::ClientInfo;
use crate::iofunc::attr::Attr;
use crate::iofunc::ocb::client;
use crate::kernel::store;
use crate::memory::view;
use crate::resmgr::layout::{Context, code, result};
use core::ffi::{c_int, c_uint, c_void};
use neutrino_abi::Errno;

/// Checks rights in the owner's bits (`S_IREAD`, `S_IWRITE`, `S_IEXEC`); with `S_ISUID` the client
/// must own the node, too, with `S_ISGID` be of its group. Root may all.
///
/// # Errors
/// EACCES; EPERM: not the owner.
pub(crate) fn check(attr: &Attr, rights: u32, who: &ClientInfo) -> Result<(), Errno> {
    const OWNER: u32 = 0o4000;
    const GROUP: u32 = 0o2000;
    let [_, uid, _, gid] = who.ids();
    if uid == 0 {
        return Ok(());
    }
    let is_owner = uid == attr.uid.get();
    let in_group = gid == attr.gid.get() || who.groups().contains(&attr.gid.get());
    if rights & OWNER != 0 && !is_owner || rights & GROUP != 0 && !in_group {
        return Err(Errno::EPERM);
    }
    let shift = if is_owner {
        6
    } else if in_group {
        3
    } else {
        0
    };
    let granted = attr.mode.get() >> shift & 7;
    if rights >> 6 & 7 & !granted == 0 { Ok(()) } else { Err(Errno::EACCES) }
}

/// Whether the client owns a node, or is root.
///
/// # Errors
/// EPERM.
pub(crate) fn owns(attr: &Attr, who: &ClientInfo) -> Result<(), Errno> {
    let [_, uid, ..] = who.ids();
    if uid == 0 || uid == attr.uid.get() { Ok(()) } else { Err(Errno::EPERM) }
}

/// Checks whether the client may do what `check` says to a node.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_check_access(
    ctp: *const Context,
    attr: *const Attr,
    rights: c_uint,
    info: *const ClientInfo,
) -> c_int {
    let checked = view(ctp).zip(view(attr)).ok_or(Errno::EINVAL).and_then(|(context, attr)| {
        let who = client(context, info)?;
        check(attr, rights, &who)
    });
    result(checked)
}

/// Tells who the client is.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_client_info(
    ctp: *const Context,
    ioflag: c_int,
    info: *mut ClientInfo,
) -> c_int {
    let _none_changes_the_answer = ioflag;
    let told = view(ctp).ok_or(Errno::EINVAL).and_then(|context| {
        let known = client(context, core::ptr::null())?;
        store(info, &known)
    });
    result(told)
}

/// As [`iofunc_client_info`], into memory that it allocates.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_client_info_ext(
    ctp: *const Context,
    ioflag: c_int,
    info: *mut u64,
    flags: c_int,
) -> c_int {
    let _none_changes_the_answer = (ioflag, flags);
    let block = crate::memory::zeroed(size_of::<ClientInfo>()).cast::<ClientInfo>();
    if block.is_null() {
        return code(Errno::ENOMEM);
    }
    let value = iofunc_client_info(ctp, 0, block);
    let stored = if value == 0 { store(info, &(block.addr() as u64)) } else { Err(Errno::EFAULT) };
    if value != 0 || stored.is_err() {
        crate::memory::release(block.cast());
        return if value == 0 { code(Errno::EFAULT) } else { value };
    }
    0
}

/// Frees what [`iofunc_client_info_ext`] allocated.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_client_info_ext_free(info: *mut u64) -> c_int {
    let Ok(block) = crate::kernel::load(info) else { return code(Errno::EFAULT) };
    let _cleared = store(info, &0);
    let block: *mut c_void = core::ptr::with_exposed_provenance_mut(block as usize);
    crate::memory::release(block);
    0
}

/// As [`iofunc_client_info_ext`]; says in the flags whether the client lacks an ability: root has
/// them all.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_client_info_able(
    ctp: *const Context,
    ioflag: c_int,
    info: *mut u64,
    flags: c_int,
    abilities: *mut c_void,
    count: c_int,
) -> c_int {
    let _root_has_them = (abilities, count);
    let value = iofunc_client_info_ext(ctp, ioflag, info, flags);
    if value == 0
        && let Ok(block) = crate::kernel::load(info)
        && let Some(known) = view(core::ptr::with_exposed_provenance::<ClientInfo>(block as usize))
        && count > 0
    {
        let [_, uid, ..] = known.ids();
        if uid != 0 {
            let told = known.unable();
            let _there = store(core::ptr::from_ref(known).cast_mut(), &told);
        }
    }
    value
}
