//! Messages and pulses of the program's own, and descriptors that become ready, in the same loop.

use crate::kernel::{call, functions};
use crate::memory::Address;
use crate::receive::CInfo;
use crate::resmgr::answer;
use crate::resmgr::context::handed;
use crate::resmgr::dispatch::{Dispatch, EventHandler, MessageRow, PulseRow, SelectRow, dispatch};
use crate::resmgr::layout::Context;
use crate::resmgr::readiness;
use core::ffi::{c_int, c_uint, c_void};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::pulse::{self, Pulse};

/// `MSG_FLAG_ALLOC_PULSE`.
const ALLOC_PULSE: c_int = 2;
/// `MSG_FLAG_DEFAULT_FUNC`.
const DEFAULT_FUNC: c_uint = 8;

/// Codes of the library's own pulses, which come through its own connection.
mod own {
    /// Nothing but a reason to wake up.
    pub(super) const WAKE: i32 = 0;
    /// A descriptor is ready; the value is the row.
    pub(super) const SELECTED: i32 = 1;
}

/// `select_attach`'s flags: what to wait for, in `poll`'s words.
mod flag {
    pub(super) const READ: u32 = 1;
    pub(super) const WRITE: u32 = 2;
    pub(super) const EXCEPT: u32 = 4;
    pub(super) const REARM: u32 = 8;
}

/// C's `message_attr_t`, as far as it matters.
#[derive(Clone, Copy, Debug, Default, zerocopy::FromBytes, zerocopy::IntoBytes)]
#[repr(C)]
pub struct MessageAttr {
    flags: u32,
    nparts_max: u32,
    msg_max_size: u64,
}

/// A message that is neither about a path nor about an open file.
pub(crate) fn message(context: &Context, which: u16) {
    let Ok(dispatch) = context.dispatch() else { return };
    let code = c_int::from(which);
    let (row, other) = {
        let state = dispatch.state.lock();
        let row = state.messages.iter().find(|row| (row.low..=row.high).contains(&code)).copied();
        (row, state.other)
    };
    let (ctp, msg) = handed(context);
    if let Some(MessageRow { func, handle, .. }) = row {
        // The function answers the client itself.
        func(ctp, code, 0, handle.0);
    } else if let Some(other) = other {
        let value = other(ctp, msg);
        answer::Reply::of(context, value, Errno::ENOSYS).send(context);
    } else {
        answer::error(context, Errno::ENOSYS);
    }
    readiness::refresh(context);
}

/// A pulse of the program's own.
pub(crate) fn pulse(context: &Context, dispatch: &Dispatch, pulse: &Pulse) {
    let code = c_int::from(pulse.code);
    let scoid = crate::connection::marked(pulse.scoid);
    context.show(&Pulse { scoid, ..*pulse });
    context.info.set(CInfo::of_pulse(scoid));
    let row = dispatch.state.lock().pulses.iter().find(|row| row.code == code).copied();
    if let Some(PulseRow { func, handle, .. }) = row {
        func(handed(context).0, code, 0, handle.0);
    }
}

/// A pulse of the library's own.
pub(crate) fn own_pulse(context: &Context, dispatch: &Dispatch, pulse: &Pulse) {
    if i32::from(pulse.code) != own::SELECTED {
        return;
    }
    let id = pulse.value as u32;
    let row = dispatch.state.lock().selects.iter().find(|row| row.id == id).copied();
    let Some(row) = row else { return };
    (row.func)(handed(context).0, row.fd, (pulse.value >> 32) as c_uint, row.handle.0);
    readiness::refresh(context);
    if row.flags & flag::REARM != 0 {
        watch(dispatch, row);
    }
}

/// Makes a thread return from `dispatch_block`.
pub(crate) fn wake(dispatch: &Dispatch) {
    // A full queue wakes it as well.
    let _queued = dispatch.own().and_then(|coid| {
        call(Call::MsgSendPulse { coid, priority: -1, code: own::WAKE, value: 0 })
    });
}

#[derive(Debug)]
#[repr(C)]
struct PollEntry {
    fd: c_int,
    events: i16,
    revents: i16,
}

unsafe extern "C" {
    fn poll(entries: *mut PollEntry, count: u64, timeout: c_int) -> c_int;
    fn pthread_create(
        thread: *mut u64,
        attributes: *const c_void,
        function: extern "C" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> c_int;
    safe fn pthread_detach(thread: u64) -> c_int;
}

/// Starts a thread that nobody waits for.
///
/// # Errors
/// EAGAIN.
pub(crate) fn start(
    function: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
    attributes: *const c_void,
) -> Result<(), Errno> {
    let mut thread = 0;
    // SAFETY: the place is a local's, and C says what the attributes are.
    let error = unsafe { pthread_create(&raw mut thread, attributes, function, argument) };
    if error != 0 {
        return Err(Errno::EAGAIN);
    }
    pthread_detach(thread);
    Ok(())
}

/// A wait for a descriptor.
struct Watch {
    coid: u32,
    row: SelectRow,
}

/// Waits, on a thread of its own, until the descriptor of a row is ready, and tells the loop.
fn watch(dispatch: &Dispatch, row: SelectRow) {
    let Ok(coid) = dispatch.own() else { return };
    let argument = crate::memory::place(Watch { coid, row });
    if start(watcher, argument.cast(), core::ptr::null()).is_err() {
        drop(crate::memory::reclaim(argument));
    }
}

extern "C" fn watcher(argument: *mut c_void) -> *mut c_void {
    if let Some(watch) = crate::memory::reclaim(argument.cast::<Watch>()) {
        wait_for(&watch);
    }
    core::ptr::null_mut()
}

/// Waits until a descriptor is ready for one of `poll`'s events; which are true then.
pub(crate) fn wait_until_ready(fd: c_int, events: i16) -> i16 {
    poll_one(fd, events, -1).unwrap_or(0)
}

/// Which of `poll`'s events are true of a descriptor.
///
/// # Errors
/// EBADF.
pub(crate) fn ready_now(fd: c_int, events: i16) -> Result<i16, Errno> {
    const NVAL: i16 = 0x20;
    let now = poll_one(fd, events, 0)?;
    if now & NVAL != 0 { Err(Errno::EBADF) } else { Ok(now) }
}

fn poll_one(fd: c_int, events: i16, limit: c_int) -> Result<i16, Errno> {
    let mut entry = PollEntry { fd, events, revents: 0 };
    // SAFETY: the entry is a local, and there is one.
    let ready = unsafe { poll(&raw mut entry, 1, limit) };
    if ready < 0 { Err(Errno::EINTR) } else { Ok(entry.revents) }
}

fn wait_for(watch: &Watch) {
    const PAIRS: [(u32, i16); 3] = [(flag::READ, 1), (flag::WRITE, 4), (flag::EXCEPT, 2)];
    let wanted = |(flag, bit): (u32, i16)| if watch.row.flags & flag != 0 { bit } else { 0 };
    let events = PAIRS.iter().map(|pair| wanted(*pair)).fold(0, |all, bit| all | bit);
    let revents = wait_until_ready(watch.row.fd, events);
    let came = |(flag, bit): &(u32, i16)| if revents & bit != 0 { *flag } else { 0 };
    let flags = PAIRS.iter().map(came).fold(0, |all, flag| all | flag);
    let value = u64::from(flags) << 32 | u64::from(watch.row.id);
    // A loop that has ended needs no pulse.
    let _ended =
        call(Call::MsgSendPulse { coid: watch.coid, priority: -1, code: own::SELECTED, value });
}

functions! {
    /// Calls a function for messages whose type is in a range above `_IO_MAX`.
    single message_attach (dpp: *mut Dispatch, attr: *const MessageAttr, low: c_int, high: c_int, func: Option<EventHandler>, handle: *mut c_void) -> c_int {
        let dispatch = dispatch(dpp)?;
        let func = func.ok_or(Errno::EINVAL)?;
        let mut flags = 0;
        if !attr.is_null() {
            let attr = crate::kernel::load(attr)?;
            flags = attr.flags;
            dispatch.grow(attr.msg_max_size as usize, attr.nparts_max as usize);
        }
        // The whole range that is the program's, for what no other row takes.
        let is_default = flags & DEFAULT_FUNC != 0;
        if low > high || high > 0xffff || low <= c_int::from(crate::resmgr::layout::number::MAX) {
            return Err(Errno::EINVAL);
        }
        let mut state = dispatch.state.lock();
        let overlaps = |row: &MessageRow| row.low <= high && low <= row.high;
        if !is_default && state.messages.iter().any(overlaps) {
            return Err(Errno::EINVAL);
        }
        let row = MessageRow { low, high, func, handle: Address(handle) };
        state.messages.push(row);
        dispatch.channel()?;
        Ok(0)
    }
    /// Undoes `message_attach` of the same range.
    single message_detach (dpp: *mut Dispatch, low: c_int, high: c_int, flags: c_int) -> c_int {
        let _none_is_known = flags;
        let mut state = dispatch(dpp)?.state.lock();
        let before = state.messages.len();
        state.messages.retain(|row| row.low != low || row.high != high);
        if state.messages.len() == before { Err(Errno::EINVAL) } else { Ok(0) }
    }
    /// Calls a function for pulses of a code; returns the code.
    single pulse_attach (dpp: *mut Dispatch, flags: c_int, code: c_int, func: Option<EventHandler>, handle: *mut c_void) -> c_int {
        let dispatch = dispatch(dpp)?;
        let func = func.ok_or(Errno::EINVAL)?;
        dispatch.channel()?;
        let mut state = dispatch.state.lock();
        let is_taken = |code: c_int| state.pulses.iter().any(|row| row.code == code);
        let code = if flags & ALLOC_PULSE != 0 {
            let mut free = (c_int::from(pulse::MINAVAIL)..=c_int::from(pulse::MAXAVAIL)).rev();
            free.find(|code| !is_taken(*code)).ok_or(Errno::EAGAIN)?
        } else {
            i8::try_from(code).map_err(|_| Errno::EINVAL)?;
            code
        };
        if is_taken(code) {
            return Err(Errno::EINVAL);
        }
        state.pulses.push(PulseRow { code, func, handle: Address(handle) });
        Ok(i64::from(code))
    }
    /// Undoes `pulse_attach`.
    single pulse_detach (dpp: *mut Dispatch, code: c_int, flags: c_int) -> c_int {
        let _none_is_known = flags;
        let mut state = dispatch(dpp)?.state.lock();
        let before = state.pulses.len();
        state.pulses.retain(|row| row.code != code);
        if state.pulses.len() == before { Err(Errno::EINVAL) } else { Ok(0) }
    }
    /// Calls a function when a descriptor is ready: once, or each time with `SELECT_FLAG_REARM`.
    single select_attach (dpp: *mut Dispatch, attr: *const c_void, fd: c_int, flags: c_uint, func: Option<EventHandler>, handle: *mut c_void) -> c_int {
        let _nothing_matters_here = attr;
        let dispatch = dispatch(dpp)?;
        let func = func.ok_or(Errno::EINVAL)?;
        if flags & (flag::READ | flag::WRITE | flag::EXCEPT) == 0 || fd < 0 {
            return Err(Errno::EINVAL);
        }
        dispatch.own()?;
        let row = {
            let mut state = dispatch.state.lock();
            state.next_select = state.next_select.wrapping_add(1);
            let id = state.next_select;
            let row = SelectRow { id, fd, flags, func, handle: Address(handle) };
            state.selects.push(row);
            row
        };
        watch(dispatch, row);
        Ok(0)
    }
    /// Undoes `select_attach`.
    single select_detach (dpp: *mut Dispatch, fd: c_int) -> c_int {
        let mut state = dispatch(dpp)?.state.lock();
        let before = state.selects.len();
        state.selects.retain(|row| row.fd != fd);
        if state.selects.len() == before { Err(Errno::EINVAL) } else { Ok(0) }
    }
}
