//! `resmgr_attach` and its kin: paths of the name space, and OCBs of open files.

use crate::kernel::{functions, store, with_errno};
use crate::memory::{Address, Lock, bytes_mut, text, view};
use crate::resmgr::answer;
use crate::resmgr::binding::Binding;
use crate::resmgr::context::{Opening, dispatch_context_alloc, dispatch_context_free};
use crate::resmgr::dispatch::{Dispatch, OtherHandler, dispatch};
use crate::resmgr::io;
use crate::resmgr::layout::{ConnectFuncs, Context, IoFuncs};
use crate::resmgr::path::{self, Mount, Served};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::sync::atomic::{AtomicI32, Ordering};
use io_msg::connect::PATH_MAX;
use neutrino_abi::Errno;

/// `RESMGR_FLAG_ATTACH_OTHERFUNC`.
const OTHERFUNC: c_uint = 4;
/// `_RESMGR_DETACH_PATHNAME`: open files stay.
const DETACH_PATHNAME: c_uint = 1;
/// Most bytes of a message that a context takes at once: the rest is read where it is needed.
const MESSAGE_MAX: u64 = 1 << 20;
/// Most parts of a reply.
const PARTS_MAX: u32 = 1024;

/// C's `resmgr_attr_t`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Attr {
    flags: c_uint,
    nparts_max: c_uint,
    msg_max_size: u64,
    other_func: OtherHandler,
    reserved: [c_uint; 4],
}

/// The numbers of attachments count through the whole program.
static NEXT_ID: AtomicI32 = AtomicI32::new(1);
/// Their paths.
static PATHS: Lock<Vec<(c_int, Vec<u8>)>> = Lock::new(Vec::new());

unsafe extern "C" {
    fn getcwd(buffer: *mut c_char, size: usize) -> *mut c_char;
}

/// Attaches a path of the name space, or none if `path` is null; returns an id, or -1 and `errno`.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "they are QNX's")]
pub extern "C" fn resmgr_attach(
    dpp: *mut Dispatch,
    attr: *const Attr,
    path: *const c_char,
    file_type: c_int,
    flags: c_uint,
    connect: *mut ConnectFuncs,
    io: *mut IoFuncs,
    handle: *mut c_void,
) -> c_int {
    // What is behind a path its attributes tell.
    let _any = file_type;
    let served = Served { connect: Address(connect), io: Address(io), handle: Address(handle) };
    with_errno(attach(dpp, attr, path, flags, served)) as c_int
}

fn attach(
    dpp: *mut Dispatch,
    attr: *const Attr,
    path: *const c_char,
    flags: c_uint,
    served: Served,
) -> Result<i64, Errno> {
    let dispatch = dispatch(dpp)?;
    if view(served.connect.0).is_none() || view(served.io.0).is_none() {
        return Err(Errno::EINVAL);
    }
    let path = text(path).map(absolute).transpose()?;
    if let Some(attr) = view(attr) {
        dispatch.grow(
            attr.msg_max_size.min(MESSAGE_MAX) as usize,
            attr.nparts_max.min(PARTS_MAX) as usize,
        );
        if attr.flags & OTHERFUNC != 0 {
            dispatch.state.lock().other = attr.other_func;
        }
    }
    let chid = dispatch.channel()?;
    let index = {
        let mut state = dispatch.state.lock();
        state.mounts.push(None);
        state.mounts.len() - 1
    };
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let known = path.clone();
    let place = (chid, index, id);
    let mount = Arc::new(Mount::attach(place, path, path::attach_flags(flags), served)?);
    PATHS.lock().push((id, known.unwrap_or_default()));
    if let Some(place) = dispatch.state.lock().mounts.get_mut(index) {
        *place = Some(mount);
    }
    Ok(i64::from(id))
}

/// A path from the root, without slashes at its end.
fn absolute(path: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut whole = if path.first() == Some(&b'/') {
        Vec::from(path)
    } else {
        let mut here = alloc::vec![0_u8; PATH_MAX];
        // SAFETY: the buffer has that size.
        let found = unsafe { getcwd(here.as_mut_ptr().cast(), PATH_MAX) };
        if found.is_null() {
            return Err(Errno::ENOENT);
        }
        let here = here.split(|&byte| byte == 0).next().unwrap_or_default();
        [here, b"/", path].concat()
    };
    if whole.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    while whole.last() == Some(&b'/') {
        whole.pop();
    }
    Ok(whole)
}

fn detach(dispatch: &Dispatch, dpp: *mut Dispatch, id: c_int, flags: c_uint) -> Result<(), Errno> {
    let is_meant = |mount: &Option<Arc<Mount>>| mount.as_ref().is_some_and(|mount| mount.id == id);
    let taken = {
        let mut state = dispatch.state.lock();
        state.mounts.iter_mut().find(|mount| is_meant(mount)).and_then(Option::take)
    };
    let mount = taken.ok_or(Errno::EINVAL)?;
    mount.withdraw();
    PATHS.lock().retain(|(other, _)| *other != id);
    if flags & DETACH_PATHNAME != 0 {
        return Ok(());
    }
    let closed: Vec<Arc<Binding>> = {
        let mut state = dispatch.state.lock();
        let of_mount = state.bindings.iter().filter(|binding| Arc::ptr_eq(&binding.mount, &mount));
        let badges: Vec<u64> = of_mount.map(|binding| binding.badge()).collect();
        badges.into_iter().filter_map(|badge| state.bindings.close(badge)).collect()
    };
    let ctp = dispatch_context_alloc(dpp);
    if let Some(context) = view(ctp) {
        closed.iter().for_each(|binding| io::close(context, binding));
    }
    dispatch_context_free(ctp);
    Ok(())
}

/// Binds an OCB to what the client is opening.
pub(crate) fn bind(context: &Context, ocb: *mut c_void, funcs: *mut IoFuncs) -> Result<(), Errno> {
    let opening = &context.own().opening;
    match opening.take() {
        Opening::Asked { mount, path } => {
            let funcs = if funcs.is_null() { mount.io.0 } else { funcs };
            let binding = Arc::new(Binding::new(context.dpp.get(), (ocb, funcs), (mount, path)));
            answer::note_bound(context.rcvid.get(), &binding);
            opening.replace(Opening::Bound(binding));
            Ok(())
        }
        other @ (Opening::None | Opening::Bound(_)) => {
            opening.replace(other);
            Err(Errno::EINVAL)
        }
    }
}

/// The open file that a context's message is on.
pub(crate) fn bound(context: &Context) -> Option<Arc<Binding>> {
    let badge = context.own().head.get().badge;
    let dispatch = context.dispatch().ok()?;
    let state = dispatch.state.lock();
    state.bindings.find(badge).map(Arc::clone)
}

functions! {
    /// Undoes `resmgr_attach`: the path is gone, and unless `_RESMGR_DETACH_PATHNAME` is set, what is
    /// open of it is closed: its clients get EBADF.
    single resmgr_detach (dpp: *mut Dispatch, id: c_int, flags: c_uint) -> c_int {
        detach(dispatch(dpp)?, dpp, id, flags)?;
        Ok(0)
    }
    /// Device and serial number for a node behind an attachment.
    single resmgr_devino (id: c_int, devno: *mut u64, ino: *mut u64) -> c_int {
        let number = u64::try_from(id).map_err(|_| Errno::EINVAL)?;
        store(devno, &1)?;
        store(ino, &number)?;
        Ok(0)
    }
    /// Binds an OCB to what the client is opening, with its functions.
    single resmgr_open_bind (ctp: *const Context, ocb: *mut c_void, funcs: *mut IoFuncs) -> c_int {
        bind(view(ctp).ok_or(Errno::EINVAL)?, ocb, funcs)?;
        Ok(0)
    }
    /// Undoes `resmgr_open_bind`, from the same handler.
    single resmgr_unbind (ctp: *const Context) -> c_int {
        let context = view(ctp).ok_or(Errno::EINVAL)?;
        match context.own().opening.take() {
            Opening::Bound(_) => Ok(0),
            Opening::None | Opening::Asked { .. } => Err(Errno::EINVAL),
        }
    }
    /// Tells the path of an attachment; returns its length with the end.
    single resmgr_pathname (id: c_int, flags: c_uint, path: *mut c_char, size: c_int) -> c_int {
        let _there_is_one_form = flags;
        let paths = PATHS.lock();
        let (_, known) = paths.iter().find(|(other, _)| *other == id).ok_or(Errno::EINVAL)?;
        let room = bytes_mut(path.cast(), usize::try_from(size).map_err(|_| Errno::EINVAL)?);
        let place = room.get_mut(..=known.len()).ok_or(Errno::ENAMETOOLONG)?;
        if let Some((end, place)) = place.split_last_mut() {
            place.copy_from_slice(known);
            *end = 0;
        }
        Ok(known.len() as i64 + 1)
    }
    /// Makes room for open files: there always is.
    single resmgr_handle_grow (min: c_uint) -> c_int {
        let _there_is_room = min;
        Ok(0)
    }
}

/// The OCB of the open file that a context's message is on.
#[unsafe(no_mangle)]
pub extern "C" fn resmgr_ocb(ctp: *const Context) -> *mut c_void {
    view(ctp).and_then(bound).map_or(core::ptr::null_mut(), |binding| binding.ocb.0)
}

/// Its functions.
#[unsafe(no_mangle)]
pub extern "C" fn resmgr_iofuncs(ctp: *const Context) -> *mut IoFuncs {
    view(ctp).and_then(bound).map_or(core::ptr::null_mut(), |binding| binding.funcs.0)
}
