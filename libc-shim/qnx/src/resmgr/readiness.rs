//! What pollers see: the readiness word of each connection, from what a server's `notify` handler
//! says.
//!
//! In QNX `poll` and `select` ask every server, each time. Here the kernel knows: a word for each
//! connection, which its server keeps true. So the library asks the handlers on behalf of all pollers:
//! at the open, and again behind every message and pulse, as each may have changed the answer. What a
//! handler arms meanwhile (`iofunc_notify`) is this question of the library's, and
//! `iofunc_notify_trigger` changes the word. An open file whose server has no handler is always ready.

use crate::memory::Address;
use crate::resmgr::answer;
use crate::resmgr::binding::Binding;
use crate::resmgr::context::handed;
use crate::resmgr::io;
use crate::resmgr::layout::{Context, IoFunc, Notify, NotifyReply, answer as returned};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use io_msg::kind;
use neutrino_abi::handle::ready;
use neutrino_abi::message::Iov;
use zerocopy::{FromBytes, IntoBytes};

/// `_NOTIFY_COND_*`.
pub(crate) mod condition {
    pub(crate) const INPUT: u32 = 0x1000_0000;
    pub(crate) const OUTPUT: u32 = 0x2000_0000;
    pub(crate) const OBAND: u32 = 0x4000_0000;
}

/// `_NOTIFY_ACTION_POLLARM`.
const POLLARM: i32 = 1;

/// Readiness, in `poll`'s words, of conditions.
pub(crate) fn bits(conditions: u32) -> u32 {
    const PAIRS: [(u32, u32); 3] = [
        (condition::INPUT, ready::IN),
        (condition::OUTPUT, ready::OUT),
        (condition::OBAND, ready::PRI),
    ];
    PAIRS.iter().map(|(from, to)| if conditions & from != 0 { *to } else { 0 }).sum()
}

/// An open file comes to be: what is it ready for?
pub(crate) fn begin(context: &Context, binding: &Arc<Binding>) {
    let Ok(dispatch) = context.dispatch() else { return };
    if binding.func(IoFunc::Notify).is_none() {
        binding.set_ready(ready::IN | ready::OUT);
        return;
    }
    // The client that waits gets the connection a moment later; its name is known now.
    binding.name(dispatch);
    dispatch.notifiers.fetch_add(1, Ordering::AcqRel);
    binding.set_ready(ask(context, binding));
}

/// An open file is gone.
pub(crate) fn end(context: &Context, binding: &Arc<Binding>) {
    let Ok(dispatch) = context.dispatch() else { return };
    if binding.badge() != 0 && binding.func(IoFunc::Notify).is_some() {
        dispatch.notifiers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Asks for the readiness of all open files again.
pub(crate) fn refresh(context: &Context) {
    let Ok(dispatch) = context.dispatch() else { return };
    if dispatch.notifiers.load(Ordering::Acquire) == 0 {
        return;
    }
    let badges = dispatch.state.lock().bindings.badges();
    for badge in badges {
        let Some(binding) = dispatch.state.lock().bindings.enter(badge) else { continue };
        if binding.func(IoFunc::Notify).is_some() {
            binding.set_ready(ask(context, &binding));
        }
        let last = dispatch.state.lock().bindings.leave(badge);
        if let Some(binding) = last {
            io::close(context, &binding);
        }
    }
}

/// Asks a server's handler what an open file is ready for, in the midst of another message.
fn ask(context: &Context, binding: &Arc<Binding>) -> u32 {
    let Some(func) = binding.func(IoFunc::Notify) else { return 0 };
    let conditions = condition::INPUT | condition::OUTPUT | condition::OBAND;
    let mut question = Notify {
        kind: kind::IO_NOTIFY,
        combine_len: size_of::<Notify>() as u16,
        action: POLLARM,
        flags: conditions,
        ..Notify::default()
    };
    let kept = Kept::of(context);
    context.status.set(0);
    context.msg.set(question.as_mut_bytes().as_mut_ptr());
    let acted_for = context.own().acts_for.replace(binding.badge());
    context.own().asks_ready.set(true);
    io::lock(context, binding, IoFunc::LockOcb);
    let (ctp, msg) = handed(context);
    let value = func(ctp, msg, binding.ocb.0);
    io::lock(context, binding, IoFunc::UnlockOcb);
    let told = match value {
        returned::NOREPLY | returned::DEFAULT | 0.. => 0,
        parts => {
            let data = answer::gather_parts(context, parts.unsigned_abs() as usize);
            NotifyReply::read_from_prefix(&data).map_or(0, |(reply, _)| reply.flags)
        }
    };
    context.own().asks_ready.set(false);
    context.own().acts_for.set(acted_for);
    kept.restore(context);
    bits(told)
}

/// What of a context a question in the midst of a message must not change.
struct Kept {
    status: i64,
    msg: Address<u8>,
    iov: Iov,
    id: i32,
}

impl Kept {
    fn of(context: &Context) -> Self {
        let (status, msg) = (context.status.get(), Address(context.msg.get()));
        let [iov] = &context.iov;
        Self { status, msg, iov: iov.get(), id: context.id.get() }
    }

    fn restore(self, context: &Context) {
        context.status.set(self.status);
        context.msg.set(self.msg.0);
        let [iov] = &context.iov;
        iov.set(self.iov);
        context.id.set(self.id);
    }
}
