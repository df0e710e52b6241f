//! `dispatch_t`: a channel, and what to call for what arrives on it.

use crate::kernel::{address_of_mut, call, functions};
use crate::memory::{self, Address, Lock, view};
use crate::resmgr::binding::Bindings;
use crate::resmgr::layout::Context;
use crate::resmgr::path::Mount;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::{c_int, c_uint, c_void};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::{SELF, SIDE_CHANNEL};
use neutrino_abi::info::HandleInfo;
use neutrino_abi::message::chf;

/// A function of `message_attach`, `pulse_attach` or `select_attach`: context, code or descriptor,
/// flags, handle.
pub type EventHandler = extern "C" fn(*const Context, c_int, c_uint, *mut c_void) -> c_int;
/// `other_func` of `resmgr_attr_t`.
pub type OtherHandler = Option<extern "C" fn(*const Context, *mut u8) -> c_int>;

/// Bytes that a context's buffer has at least: both paths of a connect message and its head.
const BUFFER_MIN: usize = 2 * io_msg::connect::PATH_MAX + 256;
/// Parts that a context has at least.
const PARTS_MIN: usize = 4;

/// A function for messages of some types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageRow {
    pub(crate) low: c_int,
    pub(crate) high: c_int,
    pub(crate) func: EventHandler,
    pub(crate) handle: Address<c_void>,
}

/// A function for pulses of a code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PulseRow {
    pub(crate) code: c_int,
    pub(crate) func: EventHandler,
    pub(crate) handle: Address<c_void>,
}

/// A function for a descriptor that is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SelectRow {
    pub(crate) id: u32,
    pub(crate) fd: c_int,
    pub(crate) flags: c_uint,
    pub(crate) func: EventHandler,
    pub(crate) handle: Address<c_void>,
}

/// What changes while the loop runs.
pub(crate) struct State {
    pub(crate) mounts: Vec<Option<Arc<Mount>>>,
    pub(crate) bindings: Bindings,
    pub(crate) messages: Vec<MessageRow>,
    pub(crate) pulses: Vec<PulseRow>,
    pub(crate) selects: Vec<SelectRow>,
    pub(crate) next_select: u32,
    pub(crate) other: OtherHandler,
}

/// C's `dispatch_t`.
pub struct Dispatch {
    chid: AtomicU32,
    /// A connection to the channel for pulses of the library's own, and its server-side id.
    own: AtomicU32,
    own_scoid: AtomicU32,
    /// Nanoseconds that `dispatch_block` waits; 0: for ever.
    pub(crate) timeout: AtomicU64,
    pub(crate) buffer: AtomicUsize,
    pub(crate) parts: AtomicUsize,
    /// Open files whose readiness a handler knows.
    pub(crate) notifiers: AtomicUsize,
    pub(crate) state: Lock<State>,
}

impl core::fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Dispatch").field("chid", &self.chid).finish_non_exhaustive()
    }
}

impl Dispatch {
    fn new(chid: u32) -> Self {
        Self {
            chid: AtomicU32::new(chid),
            own: AtomicU32::new(0),
            own_scoid: AtomicU32::new(0),
            timeout: AtomicU64::new(0),
            buffer: AtomicUsize::new(BUFFER_MIN),
            parts: AtomicUsize::new(PARTS_MIN),
            notifiers: AtomicUsize::new(0),
            state: Lock::new(State {
                mounts: Vec::new(),
                bindings: Bindings::default(),
                messages: Vec::new(),
                pulses: Vec::new(),
                selects: Vec::new(),
                next_select: 0,
                other: None,
            }),
        }
    }

    /// The channel, which the first who needs it makes.
    ///
    /// # Errors
    /// EAGAIN.
    pub(crate) fn channel(&self) -> Result<u32, Errno> {
        let known = self.chid.load(Ordering::Acquire);
        if known != 0 {
            return Ok(known);
        }
        let flags = chf::DISCONNECT | chf::UNBLOCK | chf::COID_DISCONNECT;
        let chid = call(Call::ChannelCreate { flags })? as u32;
        match self.chid.compare_exchange(0, chid, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(chid),
            Err(others) => {
                let _unused = call(Call::ChannelDestroy { chid });
                Ok(others)
            }
        }
    }

    /// A connection to the channel, for pulses of the library's own.
    ///
    /// # Errors
    /// EAGAIN.
    pub(crate) fn own(&self) -> Result<u32, Errno> {
        let known = self.own.load(Ordering::Acquire);
        if known != 0 {
            return Ok(known);
        }
        let chid = self.channel()?;
        let attach =
            Call::ConnectAttach { process: SELF, chid, minimum: SIDE_CHANNEL, flags: 0, badge: 0 };
        let coid = call(attach)? as u32;
        let mut info = HandleInfo::default();
        let place = address_of_mut(&mut info);
        call(Call::ConnectServerInfo { process: SELF, coid, info: place })?;
        self.own_scoid.store(info.scoid, Ordering::Release);
        self.own.store(coid, Ordering::Release);
        Ok(coid)
    }

    /// Whether a pulse is one of the library's own.
    pub(crate) fn is_own(&self, scoid: u32) -> bool {
        self.own.load(Ordering::Acquire) != 0 && self.own_scoid.load(Ordering::Acquire) == scoid
    }

    /// The attachment with this number.
    pub(crate) fn mount(&self, index: usize) -> Option<Arc<Mount>> {
        self.state.lock().mounts.get(index)?.clone()
    }

    /// Contexts that are made from now on take so much.
    pub(crate) fn grow(&self, bytes: usize, parts: usize) {
        self.buffer.fetch_max(bytes, Ordering::AcqRel);
        self.parts.fetch_max(parts, Ordering::AcqRel);
    }
}

/// Makes a dispatch structure. Its channel is made when something is attached.
#[unsafe(no_mangle)]
pub extern "C" fn dispatch_create() -> *mut Dispatch {
    memory::place(Dispatch::new(0))
}

/// Makes a dispatch structure of a channel, or with a new one if `chid` is -1.
#[unsafe(no_mangle)]
pub extern "C" fn dispatch_create_channel(chid: c_int, flags: c_uint) -> *mut Dispatch {
    let _no_flag_has_an_effect = flags;
    let dispatch = Dispatch::new(u32::try_from(chid).unwrap_or(0));
    match dispatch.channel() {
        Ok(_) => memory::place(dispatch),
        Err(errno) => {
            crate::kernel::with_errno(Err(errno));
            core::ptr::null_mut()
        }
    }
}

/// The channel of a dispatch structure that C has given.
///
/// # Errors
/// EINVAL: none.
pub(crate) fn dispatch<'a>(dpp: *const Dispatch) -> Result<&'a Dispatch, Errno> {
    view(dpp).ok_or(Errno::EINVAL)
}

functions! {
    /// Frees a dispatch structure and destroys its channel: its clients get ESRCH.
    single dispatch_destroy (dpp: *mut Dispatch) -> c_int {
        let taken = memory::reclaim(dpp).ok_or(Errno::EINVAL)?;
        let mounts = core::mem::take(&mut taken.state.lock().mounts);
        for mount in mounts.iter().flatten() {
            mount.withdraw();
        }
        let chid = taken.chid.load(Ordering::Acquire);
        if chid != 0 {
            call(Call::ChannelDestroy { chid })?;
        }
        Ok(0)
    }
    /// Sets how long `dispatch_block` waits: it then returns a context whose rcvid is -1. Null: for
    /// ever.
    single dispatch_timeout (dpp: *mut Dispatch, time: *const [i64; 2]) -> c_int {
        let dispatch = dispatch(dpp)?;
        let wait = if time.is_null() {
            0
        } else {
            let [seconds, ns] = crate::kernel::load(time)?;
            let seconds = u64::try_from(seconds).map_err(|_| Errno::EINVAL)?;
            let ns = u64::try_from(ns).map_err(|_| Errno::EINVAL)?;
            seconds.saturating_mul(1_000_000_000).saturating_add(ns).max(1)
        };
        dispatch.timeout.store(wait, Ordering::Release);
        Ok(0)
    }
    /// Connects to the channel of a dispatch structure; returns the coid.
    single message_connect (dpp: *mut Dispatch, flags: c_int) -> c_int {
        /// `MSG_FLAG_SIDE_CHANNEL`.
        const SIDE: c_int = 4;
        let chid = dispatch(dpp)?.channel()?;
        let minimum = if flags & SIDE != 0 { SIDE_CHANNEL } else { 0 };
        call(Call::ConnectAttach { process: SELF, chid, minimum, flags: 0, badge: 0 })
    }
}
