//! Who wants to hear that something can be read or written.
//!
//! A server keeps an array of three lists (`iofunc_notify_t`): for input, output and out-of-band data.
//! On them are the library itself, for pollers ([`crate::resmgr::readiness`]), and clients that have
//! sent an event.

use crate::event::SigEvent;
use crate::kernel::{address_of, call};
use crate::memory::{place, reclaim, slice, view};
use crate::resmgr::dispatch::{Dispatch, dispatch};
use crate::resmgr::layout::{Context, Notify, NotifyReply, code};
use crate::resmgr::readiness::{self, condition};
use core::cell::Cell;
use core::ffi::{c_int, c_uint};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use zerocopy::{FromBytes, IntoBytes};

/// Conditions in the order of the lists.
const CONDITIONS: [u32; 3] = [condition::INPUT, condition::OUTPUT, condition::OBAND];
/// `_NOTIFY_ACTION_POLL`, which arms nothing.
const POLL: i32 = 0;
/// `_NOTIFY_ACTION_TRANARM`, which asks for nothing.
const TRANARM: i32 = 2;

/// C's `iofunc_notify_t`.
#[derive(Debug)]
#[repr(C)]
pub struct NotifyList {
    /// The least count that somebody waits for.
    count: Cell<c_int>,
    first: Cell<*mut Entry>,
}

/// Somebody who waits.
#[derive(Debug)]
pub struct Entry {
    next: *mut Entry,
    count: c_int,
    badge: u64,
    waits: Waits,
}

/// How they hear.
#[derive(Clone, Copy, Debug)]
enum Waits {
    /// By the readiness of their connection.
    Polling(*const Dispatch),
    /// By an event.
    Event(c_int, SigEvent),
}

/// Answers `io_notify`: which of the conditions in `trig` the client asks for; the others are armed.
/// `counts` says how much of each must be there, or null: anything.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_notify(
    ctp: *const Context,
    msg: *const u8,
    nop: *const NotifyList,
    trig: c_uint,
    counts: *const c_int,
    armed: *mut c_int,
) -> c_int {
    let Some(context) = view(ctp) else { return code(Errno::EINVAL) };
    let message = crate::memory::bytes(msg, size_of::<Notify>());
    let Ok((asked, _)) = Notify::read_from_prefix(message) else { return code(Errno::EBADMSG) };
    let badge = context.own().acts_for.get();
    let is_own = context.own().asks_ready.get();
    remove(nop, Some(badge));
    let all = CONDITIONS.iter().fold(0, |all, condition| all | condition);
    let wanted = asked.flags & all;
    let true_now = if asked.action == TRANARM { 0 } else { trig & wanted };
    // Who polls and has found something does not wait; the library waits for the rest.
    let arms =
        if asked.action == POLL || !is_own && true_now != 0 { 0 } else { wanted & !true_now };
    let waits = if is_own {
        Waits::Polling(context.dpp.get())
    } else {
        let event = SigEvent::read_from_bytes(asked.event.as_bytes()).unwrap_or_default();
        Waits::Event(context.rcvid.get(), event)
    };
    let least = |index: usize| {
        slice(counts.cast::<Cell<c_int>>(), CONDITIONS.len()).get(index).map_or(1, Cell::get)
    };
    for (index, list) in slice(nop, CONDITIONS.len()).iter().enumerate() {
        let condition = CONDITIONS.get(index).copied().unwrap_or_default();
        if arms & condition != 0 {
            let count = least(index);
            let next = list.first.get();
            list.first.set(place(Entry { next, count, badge, waits }));
            list.count.set(list.count.get().min(count));
        }
    }
    if let Some(place) = view(armed.cast::<Cell<c_int>>()) {
        place.set(c_int::from(arms != 0));
    }
    context.answer(&NotifyReply { flags: true_now, flags2: true_now, ..NotifyReply::default() })
}

/// Takes out of a list who fulfils `test`, and hands them over; the rest stays in its order.
fn take_out(list: &NotifyList, mut test: impl FnMut(&Entry) -> bool, mut each: impl FnMut(&Entry)) {
    let mut waiting = list.first.replace(core::ptr::null_mut());
    let mut kept = alloc::vec::Vec::new();
    while let Some(entry) = reclaim(waiting) {
        waiting = entry.next;
        if test(&entry) { each(&entry) } else { kept.push(entry) }
    }
    let least = kept.iter().map(|entry| entry.count).min();
    list.count.set(least.unwrap_or(c_int::MAX));
    for mut entry in kept.into_iter().rev() {
        entry.next = list.first.get();
        list.first.set(alloc::boxed::Box::into_raw(entry));
    }
}

/// Says that `count` of something is there now: who waits for no more hears it.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_notify_trigger(nop: *const NotifyList, count: c_int, index: c_int) {
    let Ok(index) = usize::try_from(index) else { return };
    let Some(condition) = CONDITIONS.get(index) else { return };
    let Some(list) = slice(nop, CONDITIONS.len()).get(index) else { return };
    take_out(list, |entry| entry.count <= count, |entry| tell(entry, *condition));
}

fn tell(entry: &Entry, condition: u32) {
    match entry.waits {
        Waits::Polling(dpp) => {
            let Ok(dispatch) = dispatch(dpp) else { return };
            let binding = dispatch.state.lock().bindings.find(entry.badge).cloned();
            if let Some(binding) = binding {
                binding.add_ready(readiness::bits(condition));
            }
        }
        Waits::Event(rcvid, event) => {
            let Ok(native) = event.native() else { return };
            let Ok(rcvid) = crate::receive::rcvid(rcvid) else { return };
            // Who has gone hears nothing.
            let _gone = call(Call::MsgDeliverEvent { rcvid, event: address_of(&native) });
        }
    }
}

/// As [`iofunc_notify_trigger`].
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_notify_trigger_strict(
    ctp: *const Context,
    nop: *const NotifyList,
    count: c_int,
    index: c_int,
) {
    let _anybody_may = ctp;
    iofunc_notify_trigger(nop, count, index);
}

fn remove(nop: *const NotifyList, whose: Option<u64>) {
    for list in slice(nop, CONDITIONS.len()) {
        take_out(list, |entry| whose.is_none_or(|badge| entry.badge == badge), |_| {});
    }
}

/// Forgets what a client waits for; null: what all do.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_notify_remove(ctp: *const Context, nop: *const NotifyList) {
    remove(nop, view(ctp).map(|context| context.own().acts_for.get()));
}

/// As [`iofunc_notify_remove`].
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_notify_remove_strict(
    ctp: *const Context,
    nop: *const NotifyList,
    lists: c_int,
) {
    let _there_are_three = lists;
    iofunc_notify_remove(ctp, nop);
}
