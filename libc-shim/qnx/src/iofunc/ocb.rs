//! Open control blocks: C's `iofunc_ocb_t`.

use crate::connection::ClientInfo;
use crate::iofunc::attr::Attr;
use crate::memory::{self, view};
use crate::resmgr::attach::bind;
use crate::resmgr::layout::{Connect, Context, IoFuncs, code, number, result};
use core::cell::Cell;
use core::ffi::{c_int, c_void};
use neutrino_abi::Errno;

/// C's `iofunc_ocb_t`, which a server's own structure may begin with.
#[derive(Debug)]
#[repr(C)]
#[allow(missing_docs, reason = "QNX's members")]
pub struct Ocb {
    pub attr: Cell<*const Attr>,
    pub ioflag: Cell<u32>,
    pub offset: Cell<i64>,
    pub sflag: Cell<u16>,
    pub flags: Cell<u16>,
    pub reserved: Cell<*mut c_void>,
}

/// `iofunc_ocb_detach`: nobody uses, reads, writes it any more.
const LAST_INUSE: c_int = 1;
const LAST_READER: c_int = 2;
const LAST_WRITER: c_int = 4;

impl Ocb {
    /// The attributes of what is open.
    #[must_use]
    pub fn node<'a>(&self) -> Option<&'a Attr> {
        view(self.attr.get())
    }

    /// Whether it was opened for this (`_IO_FLAG_RD`, `_IO_FLAG_WR`).
    #[must_use]
    pub fn is_open_for(&self, access: u32) -> bool {
        self.ioflag.get() & access != 0
    }
}

/// The OCB that C has given.
///
/// # Errors
/// EBADF: none, or one without attributes.
pub(crate) fn open_file<'a>(ocb: *const Ocb) -> Result<(&'a Ocb, &'a Attr), Errno> {
    let ocb = view(ocb).ok_or(Errno::EBADF)?;
    Ok((ocb, ocb.node().ok_or(Errno::EBADF)?))
}

/// Makes an OCB: by the function of the node's mount, if it has one.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_ocb_calloc(ctp: *const Context, attr: *const Attr) -> *mut c_void {
    let own = view(attr).and_then(|attr| attr.funcs(1)?.ocb_calloc.get());
    match own {
        Some(calloc) => calloc(ctp.cast(), attr),
        None => memory::zeroed(size_of::<Ocb>()),
    }
}

/// Frees an OCB: by the function of the node's mount, if it has one.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_ocb_free(ocb: *mut c_void) {
    let own = view(ocb.cast::<Ocb>()).and_then(|ocb| ocb.node()?.funcs(2)?.ocb_free.get());
    match own {
        Some(free) => free(ocb),
        None => memory::release(ocb),
    }
}

/// Initialises an OCB (null: a new one) for what the client opens, counts it, and binds it.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_ocb_attach(
    ctp: *const Context,
    msg: *const u8,
    ocb: *mut c_void,
    attr: *const Attr,
    funcs: *mut IoFuncs,
) -> c_int {
    let _the_context_has_it = msg;
    result(attach(ctp, ocb, attr, funcs))
}

fn attach(
    ctp: *const Context,
    ocb: *mut c_void,
    attr: *const Attr,
    funcs: *mut IoFuncs,
) -> Result<(), Errno> {
    let context = view(ctp).ok_or(Errno::EINVAL)?;
    let node = view(attr).ok_or(Errno::EINVAL)?;
    let is_new = ocb.is_null();
    let place = if is_new { iofunc_ocb_calloc(ctp, attr) } else { ocb };
    let open = view(place.cast::<Ocb>()).ok_or(Errno::ENOMEM)?;
    let message: Connect = context.header()?;
    open.attr.set(attr);
    open.ioflag.set(message.ioflag);
    open.sflag.set(message.sflag);
    open.offset.set(0);
    open.flags.set(0);
    if let Err(errno) = bind(context, place, funcs) {
        if is_new {
            iofunc_ocb_free(place);
        }
        return Err(errno);
    }
    count(node, open, |count| count.wrapping_add(1));
    Ok(())
}

/// Counts an OCB in or out.
fn count(node: &Attr, ocb: &Ocb, change: fn(u16) -> u16) {
    let step = |counter: &Cell<u16>| counter.set(change(counter.get()));
    step(&node.count);
    if ocb.is_open_for(number::FLAG_RD) {
        step(&node.rcount);
    }
    if ocb.is_open_for(number::FLAG_WR) {
        step(&node.wcount);
    }
}

/// Counts an OCB out; returns `IOFUNC_OCB_LAST_*`.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_ocb_detach(ctp: *const Context, ocb: *const Ocb) -> c_int {
    let _nobody_else_is_told = ctp;
    let Ok((ocb, node)) = open_file(ocb) else { return 0 };
    count(node, ocb, |count| count.saturating_sub(1));
    node.update_times();
    let rows =
        [(&node.count, LAST_INUSE), (&node.rcount, LAST_READER), (&node.wcount, LAST_WRITER)];
    rows.iter().map(|(counter, flag)| if counter.get() == 0 { *flag } else { 0 }).sum()
}

/// Closes an OCB: counts it out, drops its locks, frees it.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_close_ocb_default(
    ctp: *const Context,
    reserved: *const c_void,
    ocb: *mut c_void,
) -> c_int {
    let _nothing = reserved;
    if let Ok((_, node)) = open_file(ocb.cast::<Ocb>()) {
        node.lock();
        crate::iofunc::lock::release(node, ocb);
        iofunc_ocb_detach(ctp, ocb.cast());
        node.unlock();
        iofunc_ocb_free(ocb);
    }
    0
}

/// A descriptor is closed: its process's record locks go.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_close_dup(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
) -> c_int {
    let _what_it_says = (ctp, msg);
    if let (Some(_), Some(node)) = (view(ocb), view(attr)) {
        crate::iofunc::lock::release(node, ocb.cast_mut().cast());
    }
    0
}

/// As [`iofunc_close_dup`], on the OCB's own attributes.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_close_dup_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    match open_file(ocb) {
        Ok((_, node)) => iofunc_close_dup(ctp, msg, ocb, node),
        Err(errno) => code(errno),
    }
}

/// Locks the attributes of an OCB.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_lock_ocb_default(
    ctp: *const Context,
    reserved: *const c_void,
    ocb: *const Ocb,
) -> c_int {
    let _nothing = (ctp, reserved);
    if let Ok((_, node)) = open_file(ocb) {
        node.lock();
    }
    0
}

/// Unlocks them.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_unlock_ocb_default(
    ctp: *const Context,
    reserved: *const c_void,
    ocb: *const Ocb,
) -> c_int {
    let _nothing = (ctp, reserved);
    if let Ok((_, node)) = open_file(ocb) {
        node.unlock();
    }
    0
}

/// Tells who the client is, for calls that get null instead.
///
/// # Errors
/// ESRCH: it has gone.
pub(crate) fn client(context: &Context, info: *const ClientInfo) -> Result<ClientInfo, Errno> {
    match view(info) {
        Some(info) => Ok(*info),
        None => {
            let rcvid = crate::receive::rcvid(context.rcvid.get())?;
            crate::connection::client_info_of(0, rcvid, usize::MAX)
        }
    }
}
