//! Contexts: what a thread receives into, and the way of a message through the library.

use crate::kernel::{address_of_mut, call, call_all, own_tid, with_errno};
use crate::memory::{self, bytes, bytes_mut, container, view};
use crate::receive::{CInfo, RCVID};
use crate::resmgr::answer;
use crate::resmgr::binding::Binding;
use crate::resmgr::dispatch::{Dispatch, dispatch};
use crate::resmgr::layout::{Context, number};
use crate::resmgr::path::{self, Mount};
use crate::resmgr::{connect, event, io, readiness};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ffi::c_int;
use core::mem::offset_of;
use core::sync::atomic::Ordering;
use io_msg::kind;
use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, number as calls};
use neutrino_abi::message::{Head, Iov, MessagePlace, MsgInfo, WORDS_BYTES, Words};
use neutrino_abi::pulse::{self, Pulse};
use neutrino_abi::time::timeout;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What becomes of an open that a handler answers.
#[derive(Default)]
pub(crate) enum Opening {
    /// Nothing is being opened.
    #[default]
    None,
    /// A handler is to open this.
    Asked { mount: Arc<Mount>, path: Vec<u8> },
    /// It has.
    Bound(Arc<Binding>),
}

/// What the library keeps beside C's part of a context.
pub(crate) struct Own {
    pub(crate) head: Cell<Head>,
    buffer: Cell<*mut u8>,
    capacity: Cell<usize>,
    parts: Cell<usize>,
    received: Cell<Received>,
    pub(crate) opening: RefCell<Opening>,
    /// The open file that a handler is called for, by badge.
    pub(crate) acts_for: Cell<u64>,
    /// Whether it is the library that asks for its readiness.
    pub(crate) asks_ready: Cell<bool>,
}

/// What the last `dispatch_block` brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Received {
    #[default]
    Nothing,
    Message,
    Pulse,
}

#[repr(C)]
struct Whole {
    own: Own,
    context: Context,
}

impl Context {
    /// The library's part.
    pub(crate) fn own(&self) -> &Own {
        let whole = container::<Whole, Context>(self, offset_of!(Whole, context));
        // A context is always part of a whole: the library makes them all.
        view(whole).map_or_else(no_own, |whole| &whole.own)
    }

    /// The message's buffer.
    pub(crate) fn buffer(&self) -> &mut [u8] {
        bytes_mut(self.own().buffer.get(), self.own().capacity.get())
    }

    /// What is at the start of the message, as far as it was received.
    pub(crate) fn message(&self) -> &[u8] {
        bytes(self.own().buffer.get(), self.size.get().min(self.own().capacity.get()))
    }

    /// The structure at the start of the message.
    ///
    /// # Errors
    /// EBADMSG: it is shorter.
    pub(crate) fn header<T: FromBytes + KnownLayout + Immutable>(&self) -> Result<T, Errno> {
        T::read_from_prefix(self.message()).map(|(header, _)| header).map_err(|_| Errno::EBADMSG)
    }

    /// Puts a structure at the start of the message's buffer: what the handler sees.
    pub(crate) fn show<T: IntoBytes + Immutable>(&self, message: &T) {
        if let Some(place) = self.buffer().get_mut(..size_of::<T>()) {
            place.copy_from_slice(message.as_bytes());
            self.size.set(self.size.get().max(size_of::<T>()));
        }
    }

    /// Answers with a structure that takes the message's place (`_RESMGR_PTR` of `msg->o`).
    pub(crate) fn answer<T: IntoBytes + Immutable>(&self, reply: &T) -> c_int {
        self.answer_with(reply, size_of::<T>())
    }

    /// As [`Context::answer`], with so many bytes from the structure's start on.
    pub(crate) fn answer_with<T: IntoBytes + Immutable>(&self, reply: &T, length: usize) -> c_int {
        let msg = self.msg.get();
        let place = bytes_mut(msg, size_of::<T>());
        place.copy_from_slice(reply.as_bytes());
        let [iov] = &self.iov;
        iov.set(Iov { base: msg.addr() as u64, length: length as u64 });
        -1
    }

    /// The dispatch structure that it belongs to.
    ///
    /// # Errors
    /// EINVAL: it has none.
    pub(crate) fn dispatch(&self) -> Result<&Dispatch, Errno> {
        dispatch(self.dpp.get())
    }

    /// The parts of a reply.
    pub(crate) fn parts(&self, count: usize) -> &[Cell<Iov>] {
        let parts = core::ptr::from_ref(&self.iov).cast::<Cell<Iov>>();
        memory::slice(parts, count.min(self.own().parts.get()))
    }

    /// All that the kernel knows of the client.
    ///
    /// # Errors
    /// ESRCH: it is gone.
    pub(crate) fn client(&self) -> Result<MsgInfo, Errno> {
        let mut info = MsgInfo::default();
        let rcvid = crate::receive::rcvid(self.rcvid.get())?;
        call(Call::MsgInfo { rcvid, info: address_of_mut(&mut info) })?;
        Ok(info)
    }
}

fn no_own<'a>() -> &'a Own {
    unsafe extern "C" {
        safe fn abort() -> !;
    }
    abort()
}

/// Makes a context of a dispatch structure; null and `errno` if that fails.
#[unsafe(no_mangle)]
pub extern "C" fn dispatch_context_alloc(dpp: *mut Dispatch) -> *const Context {
    let made = dispatch(dpp).and_then(|dispatch| {
        dispatch.channel()?;
        let capacity = dispatch.buffer.load(Ordering::Acquire);
        let parts = dispatch.parts.load(Ordering::Acquire);
        let size = size_of::<Whole>() + parts * size_of::<Iov>();
        let whole = memory::zeroed(size + capacity).cast::<Whole>();
        if whole.is_null() {
            return Err(Errno::ENOMEM);
        }
        let buffer = whole.cast::<u8>().wrapping_add(size);
        let own = Own {
            head: Cell::default(),
            buffer: Cell::new(buffer),
            capacity: Cell::new(capacity),
            parts: Cell::new(parts),
            received: Cell::default(),
            opening: RefCell::default(),
            acts_for: Cell::new(0),
            asks_ready: Cell::new(false),
        };
        let context = Context {
            rcvid: Cell::new(-1),
            info: Cell::default(),
            msg: Cell::new(buffer),
            dpp: Cell::new(dpp),
            id: Cell::new(-1),
            tid: Cell::new(own_tid()),
            msg_max_size: Cell::new(capacity),
            status: Cell::new(0),
            offset: Cell::new(0),
            size: Cell::new(0),
            iov: [Cell::default()],
        };
        memory::write(whole, Whole { own, context });
        view(whole).ok_or(Errno::ENOMEM)
    });
    match made {
        Ok(whole) => &raw const whole.context,
        Err(errno) => {
            with_errno(Err(errno));
            core::ptr::null()
        }
    }
}

/// Frees a context.
#[unsafe(no_mangle)]
pub extern "C" fn dispatch_context_free(ctp: *const Context) {
    let Some(context) = view(ctp) else { return };
    context.own().opening.replace(Opening::None);
    let whole = container::<Whole, Context>(context, offset_of!(Whole, context));
    memory::release(whole.cast_mut().cast());
}

/// Waits for a message or pulse; null and `errno` if that fails (EINTR: a signal).
#[unsafe(no_mangle)]
pub extern "C" fn dispatch_block(ctp: *const Context) -> *const Context {
    let received = view(ctp).ok_or(Errno::EINVAL).and_then(receive);
    match received {
        Ok(()) => ctp,
        Err(errno) => {
            with_errno(Err(errno));
            core::ptr::null()
        }
    }
}

fn receive(context: &Context) -> Result<(), Errno> {
    let dispatch = context.dispatch()?;
    let own = context.own();
    let chid = u64::from(dispatch.channel()?);
    // Bound: turns are messages of clients whose memory is bad, which the kernel has answered.
    loop {
        context.tid.set(own_tid());
        let wait = dispatch.timeout.load(Ordering::Acquire);
        if wait > 0 {
            call(Call::TimerTimeout { states: timeout::RECEIVE, time: wait, flags: 0 })?;
        }
        let mut info = MsgInfo::default();
        let buffer = own.buffer.get().addr() as u64;
        let length = (own.capacity.get() as i64).wrapping_neg().cast_unsigned();
        let all = [chid, buffer, length, address_of_mut(&mut info), 0, 0, 0, 0, 0, 0];
        let (result, back) = call_all(calls::MsgReceive, all);
        match result {
            Err(Errno::EFAULT) => {}
            Err(Errno::ETIMEDOUT) if wait > 0 => {
                own.received.set(Received::Nothing);
                context.rcvid.set(-1);
                return Ok(());
            }
            Err(errno) => return Err(errno),
            Ok(rcvid) => {
                take(context, rcvid.cast_unsigned(), &back, &info);
                return Ok(());
            }
        }
    }
}

/// Notes what was received.
fn take(context: &Context, rcvid: u64, back: &crate::kernel::All, info: &MsgInfo) {
    let own = context.own();
    let [badge, packed, words @ .., source, target] = *back;
    if rcvid == 0 {
        own.received.set(Received::Pulse);
        own.head.set(Head::default());
        context.rcvid.set(0);
        context.info.set(CInfo::default());
        put_words(context, &words, size_of::<Pulse>());
        return;
    }
    let head = Head::unpack(badge, packed, source, target);
    if head.place == MessagePlace::Words {
        put_words(context, &words, head.srcmsglen.min(WORDS_BYTES) as usize);
    } else {
        context.size.set(head.srcmsglen.min(own.capacity.get() as u64) as usize);
    }
    begin(context, rcvid, head, info);
}

/// A message that a client waits for an answer to is the context's now.
fn begin(context: &Context, rcvid: u64, head: Head, info: &MsgInfo) {
    context.own().received.set(Received::Message);
    context.own().head.set(head);
    context.rcvid.set((rcvid & RCVID) as c_int);
    context.info.set(CInfo::new(info));
}

fn put_words(context: &Context, words: &Words, length: usize) {
    let length = length.min(size_of::<Words>());
    if let Some(place) = context.buffer().get_mut(..length) {
        place.copy_from_slice(words.as_bytes().get(..length).unwrap_or_default());
    }
    context.size.set(length);
}

/// Handles what `dispatch_block` brought. 0, or -1 if there was nothing.
#[unsafe(no_mangle)]
pub extern "C" fn dispatch_handler(ctp: *const Context) -> c_int {
    let Some(context) = view(ctp) else { return -1 };
    context.status.set(0);
    context.offset.set(0);
    context.id.set(-1);
    context.msg.set(context.own().buffer.get());
    match context.own().received.replace(Received::Nothing) {
        Received::Nothing => return -1,
        Received::Pulse => pulse_arrived(context),
        Received::Message => message_arrived(context),
    }
    0
}

fn message_arrived(context: &Context) {
    let head = context.own().head.get();
    let which = match context.header::<[u8; 2]>() {
        Ok(bytes) => u16::from_le_bytes(bytes),
        Err(errno) => return answer::error(context, errno),
    };
    let is_open_file = head.badge != 0 && path::index_of(head.badge).is_none();
    match which {
        kind::IO_CONNECT if head.badge != 0 => connect::connect(context),
        // Anybody can send this; only the kernel knows that nobody else has the file open.
        kind::IO_CLOSE if is_open_file && head.is_last => io::close_message(context),
        kind::IO_READ..=number::MAX if is_open_file => io::message(context, which),
        _ => event::message(context, which),
    }
}

fn pulse_arrived(context: &Context) {
    let Ok(dispatch) = context.dispatch() else { return };
    let Ok(pulse) = context.header::<[u8; size_of::<Pulse>()]>() else { return };
    let Ok(pulse) = Pulse::read_from_bytes(&pulse) else { return };
    if dispatch.is_own(pulse.scoid) {
        return event::own_pulse(context, dispatch, &pulse);
    }
    match pulse.code {
        pulse::UNBLOCK => io::unblock(context, pulse.value),
        kind::PULSE_COVERED => cover(dispatch, pulse.value as u32),
        kind::PULSE_UNCOVERED => {
            let state = dispatch.state.lock();
            state.mounts.iter().flatten().for_each(|mount| mount.uncover(pulse.value as u32));
        }
        pulse::DISCONNECT => {
            io::disconnected(context, pulse.value);
            event::pulse(context, dispatch, &pulse);
        }
        _ => event::pulse(context, dispatch, &pulse),
    }
    readiness::refresh(context);
}

fn cover(dispatch: &Dispatch, attach: u32) {
    // An attachment that is gone already covers nothing.
    let Ok(path) = path::prefix_of(attach) else { return };
    dispatch.state.lock().mounts.iter().flatten().for_each(|mount| mount.cover(attach, &path));
}

/// Handles the message of a client that waits once more, from its start; -1 and `errno` if it has
/// gone.
#[unsafe(no_mangle)]
pub extern "C" fn resmgr_msg_again(ctp: *const Context, rcvid: c_int) -> c_int {
    let again = view(ctp).ok_or(Errno::EINVAL).and_then(|context| {
        answer::forget(rcvid);
        let id = crate::receive::rcvid(rcvid)?;
        let mut info = MsgInfo::default();
        call(Call::MsgInfo { rcvid: id, info: address_of_mut(&mut info) })?;
        let message = context.own().buffer.get().addr() as u64;
        let parts = (context.own().capacity.get() as i64).wrapping_neg();
        let length = call(Call::MsgRead { rcvid: id, message, parts, offset: 0 })?;
        context.size.set(length as usize);
        let (srcmsglen, dstmsglen) = (info.srcmsglen, info.dstmsglen);
        let scoid = info.scoid as u16;
        let head = Head { badge: info.badge, srcmsglen, dstmsglen, scoid, ..Head::default() };
        begin(context, id, head, &info);
        Ok(dispatch_handler(ctp))
    });
    again.unwrap_or_else(|errno| with_errno(Err(errno)) as c_int)
}

/// Wakes a thread that waits in `dispatch_block`.
#[unsafe(no_mangle)]
pub extern "C" fn dispatch_unblock(ctp: *const Context) {
    let Some(context) = view(ctp) else { return };
    if let Ok(dispatch) = context.dispatch() {
        event::wake(dispatch);
    }
}

/// Calls a function of the program's with a context, as C has it.
pub(crate) fn handed(context: &Context) -> (*const Context, *mut u8) {
    (core::ptr::from_ref(context), context.msg.get())
}
