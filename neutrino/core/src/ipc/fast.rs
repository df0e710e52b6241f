//! The fast path: a send to a server that waits, and the answer of a server that waits again.
//!
//! Both hand the CPU over without a queue. Taken when nothing asks for more: one piece of memory or
//! registers on each side, an inheriting channel, no time-outs, signals, holds or mutexes. In every
//! other case nothing has changed (user bytes excepted) and the general path does the call. What
//! comes of it is the same: `tests/kernel/fast.rs` runs the two in lockstep.
//!
//! Why nobody ready is looked at: by I8 none outranks the caller, and who takes its place here has
//! the caller's priority or a higher one.

use neutrino_abi::calls::{Registers, number};
use neutrino_abi::message::WORDS_BYTES;

use crate::Kernel;
use crate::ipc::channel::ChannelId;
use crate::ipc::deliver::rcvid;
use crate::ipc::reply::RegisterAnswer;
use crate::ipc::send::register_buffers;
use crate::ipc::transfer::{Buffer, to_bytes, to_words};
use crate::limits::SHORT_FAST;
use crate::machine::{Machine, Place, ThreadSlot};
use crate::slab::Maybe;
use crate::thread::{Asked, Plain, Sending, State, Takes, ThreadId, slot};

/// An answer, and where its server waits next.
struct Turn {
    rcvid: u64,
    status: i64,
    answer: Buffer,
    chid: u32,
    buffer: Buffer,
}

/// Who runs after a call on the fast path, and who has its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// Who runs.
    pub to: ThreadSlot,
    /// Where the machine is to load the registers of words from.
    pub words: WordsOf,
}

/// Whose saved registers hold the words of the thread that runs next: a message in registers need not
/// move through memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordsOf {
    /// Its own.
    Next,
    /// The caller's.
    Caller,
}

/// What is done with a handover. A trait and no closure, so that it is compiled into each case.
pub trait Switch<M> {
    /// What comes of it.
    type Loaded;
    /// Gives a CPU to who runs next.
    fn switch(machine: &mut M, cpu: usize, next: Handover) -> Self::Loaded;
}

/// Leaves it to the caller.
#[derive(Debug)]
pub(crate) enum Later {}

impl<M> Switch<M> for Later {
    type Loaded = Handover;
    fn switch(_machine: &mut M, _cpu: usize, next: Handover) -> Handover {
        next
    }
}

impl Kernel {
    /// Carries out the running thread's call, if it is one of the two most common cases, and gives
    /// the CPU to who runs now.
    #[inline(always)]
    pub fn fast<M: Machine, S: Switch<M>>(
        &mut self,
        m: &mut M,
        cpu: usize,
        call: impl Registers,
    ) -> Option<S::Loaded> {
        if self.trace.is_on() {
            return None;
        }
        let next = match call.number() {
            number::MsgSendRegisters => {
                let (message, reply) = word_buffers(call.argument(1))?;
                self.fast_send(m, cpu, call.argument(0), (message, reply))?
            }
            number::MsgReplyReceiveRegisters => {
                let RegisterAnswer { rcvid, status, chid, length } =
                    RegisterAnswer::unpack(call.argument(0), call.argument(1));
                if length > WORDS_BYTES {
                    return None;
                }
                let (status, answer) = (i64::from(status), Buffer::words(length));
                let buffer = flat(call.argument(8), call.argument(9))?;
                self.fast_turn(m, cpu, &Turn { rcvid, status, answer, chid, buffer })?
            }
            _ => return None,
        };
        Some(S::switch(m, cpu, next))
    }

    /// The same with messages in memory.
    pub(super) fn fast_memory(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        call: &impl Registers,
    ) -> Option<Handover> {
        match call.number() {
            number::MsgSendRegisters => {
                let buffers = register_buffers(call.argument(1), call.argument(8))?;
                self.fast_send(m, cpu, call.argument(0), buffers)
            }
            number::MsgSend if call.argument(5) == 0 => {
                let message = flat(call.argument(1), call.argument(2))?;
                let reply = flat(call.argument(3), call.argument(4))?;
                self.fast_send(m, cpu, call.argument(0), (message, reply))
            }
            number::MsgReplyReceive if call.argument(5) == 0 => {
                let (rcvid, status) = (call.argument(0), call.argument(1).cast_signed());
                let answer = flat(call.argument(2), call.argument(3))?;
                let chid = u32::try_from(call.argument(4)).ok()?;
                let buffer = flat(call.argument(6), call.argument(7))?;
                self.fast_turn(m, cpu, &Turn { rcvid, status, answer, chid, buffer })
            }
            _ => None,
        }
    }

    /// The thread that runs on a CPU; the slot that is never used, which is not plain, if none does.
    #[inline(always)]
    pub(super) fn runner(&self, cpu: usize) -> ThreadId {
        self.cpus.get(cpu).map_or(Maybe::NOBODY, |cpu| cpu.current).slot()
    }

    /// Whether one of the two can take the place of the other, and the slice and the timer stay
    /// what they are. False if one of them is nobody.
    #[inline(always)]
    fn are_alike(&self, t: ThreadId, other: ThreadId) -> bool {
        let (plain, other) = (self.threads[t].plain, self.threads[other].plain);
        plain == other && plain != Plain::NO
    }

    /// `other` takes the place of the caller on the CPU.
    #[inline(always)]
    fn take_place(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        (t, other): (ThreadId, ThreadId),
        words: WordsOf,
    ) -> Option<Handover> {
        self.counters.handovers = self.counters.handovers.wrapping_add(1);
        self.threads[other].state = State::Running;
        let now = m.now();
        let own = self.cpus.get_mut(cpu)?;
        let spent = now.wrapping_sub(own.since);
        own.since = now;
        own.current = Maybe::new(Some(other));
        let thread = &mut self.threads[t];
        thread.cpu_time = thread.cpu_time.wrapping_add(spent);
        Some(Handover { to: slot(other), words })
    }

    #[inline(always)]
    fn fast_send(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        number: u64,
        (message, reply): (Buffer, Buffer),
    ) -> Option<Handover> {
        let t = self.runner(cpu);
        let connection = self.connection_in(self.threads[t].process, number)?;
        let channel = self.connections[connection].channel.slot();
        // By I3 it waits to receive here, and by I9 as the fast path can serve it.
        let receiver = self.channels[channel].receivers.first_slot();
        if !self.are_alike(t, receiver)
            || !message.is_words() && !self.fast_copy_message(m, (t, &message), receiver)
        {
            return None;
        }
        // Commit: nothing below fails.
        #[expect(clippy::cast_possible_truncation, reason = "a number that names something fits")]
        let coid = number as u32;
        let sending = Sending { connection, coid, message, reply, written: 0 };
        m.set_head(slot(receiver), &self.head(&sending));
        let sequence = self.next_sequence();
        m.set_result(slot(receiver), rcvid(t, sequence).cast_signed());
        self.connection_share(connection);
        self.channels[channel].receivers.remove_first_inline(&mut self.threads);
        let client = &mut self.threads[t];
        client.served_by = Maybe::new(Some(receiver));
        client.state = State::Reply { channel, sending, sequence, asked: Asked::No };
        let priority = client.effective;
        let server = &mut self.threads[receiver];
        server.serving = Maybe::new(Some(t));
        server.inherited = Some(priority);
        server.effective = priority;
        let words = if message.is_words() { WordsOf::Caller } else { WordsOf::Next };
        self.take_place(m, cpu, (t, receiver), words)
    }

    /// By I9 and I12, a plain client that the caller serves waits for an answer on the channel that
    /// the caller serves, which is its process's, and nothing is between them but the answer.
    #[inline(always)]
    fn fast_turn(&mut self, m: &mut impl Machine, cpu: usize, turn: &Turn) -> Option<Handover> {
        let t = self.runner(cpu);
        let client = self.threads[t].serving.slot();
        let State::Reply { channel, sending, sequence, .. } = self.threads[client].state else {
            return None;
        };
        if !self.are_alike(t, client)
            || rcvid(client, sequence) != turn.rcvid
            || self.threads[client].effective != self.threads[t].effective
            || !self.is_quiet_at(channel, turn.chid)
            || turn.status < 0
            || self.connections[sending.connection].references < 2
            || !self.fast_copy(m, (t, &turn.answer), (client, &sending.reply))
        {
            return None;
        }
        // Commit: nothing below fails.
        let are_words = sending.reply.is_words() && turn.answer.is_words();
        let words = if are_words { WordsOf::Caller } else { WordsOf::Next };
        if sending.reply.is_words() {
            let length = turn.answer.length.min(sending.reply.length);
            m.set_answer_length(slot(client), length);
        }
        m.set_result(slot(client), turn.status);
        let connection = &mut self.connections[sending.connection];
        connection.references = connection.references.wrapping_sub(1);
        self.channels[channel].receivers.push_front_inline(&mut self.threads, t);
        self.threads[client].served_by = Maybe::NOBODY;
        let server = &mut self.threads[t];
        server.serving = Maybe::NOBODY;
        server.inherited = None;
        server.effective = server.base;
        let (buffer, takes) = (turn.buffer, Takes::All);
        server.state = State::Receive { channel, buffer, info: 0, takes };
        self.take_place(m, cpu, (t, client), words)
    }

    /// Whether a channel of the caller's process has this number, and nothing is queued on it.
    #[inline(always)]
    pub(super) fn is_quiet_at(&self, channel: ChannelId, chid: u32) -> bool {
        let own = &self.channels[channel];
        own.chid == chid && own.senders.is_empty() && own.pulses.is_empty()
    }

    /// Copies a message to where a receiver wants it.
    #[inline(always)]
    fn fast_copy_message(
        &mut self,
        m: &mut impl Machine,
        from: (ThreadId, &Buffer),
        receiver: ThreadId,
    ) -> bool {
        let State::Receive { buffer, .. } = self.threads[receiver].state else { return false };
        self.fast_copy(m, from, (receiver, &buffer))
    }

    /// Copies what is in memory on one side at least; false if that is not to be done here.
    #[inline(always)]
    pub(super) fn fast_copy(
        &mut self,
        m: &mut impl Machine,
        from: (ThreadId, &Buffer),
        to: (ThreadId, &Buffer),
    ) -> bool {
        let length = from.1.length.min(to.1.length);
        if length == 0 || from.1.is_words() && to.1.is_words() {
            return true;
        }
        length <= SHORT_FAST && self.fast_copy_memory(m, from, to, length)
    }

    #[inline(never)]
    fn fast_copy_memory(
        &mut self,
        m: &mut impl Machine,
        (from, source): (ThreadId, &Buffer),
        (to, target): (ThreadId, &Buffer),
        length: u64,
    ) -> bool {
        let has_parts = |buffer: &Buffer| !buffer.is_words() && buffer.flat_address().is_none();
        if has_parts(source) || has_parts(target) {
            return false;
        }
        let at = |kernel: &Self, t, address| Place { space: kernel.space(t), address };
        let source = source.flat_address().map(|address| at(self, from, address));
        let target = target.flat_address().map(|address| at(self, to, address));
        let short = usize::try_from(length).ok();
        match (source, target) {
            (Some(source), Some(target)) => m.copy(source, target, length).is_ok(),
            (None, Some(target)) => {
                let bytes = to_bytes(&m.words(slot(from)));
                let bytes = short.and_then(|length| bytes.get(..length));
                bytes.is_some_and(|bytes| m.write(target, bytes).is_ok())
            }
            (Some(source), None) => {
                let mut bytes = to_bytes(&m.words(slot(to)));
                let part = short.and_then(|length| bytes.get_mut(..length));
                let is_read = part.is_some_and(|part| m.read(source, part).is_ok());
                if is_read {
                    m.set_words(slot(to), &to_words(&bytes));
                }
                is_read
            }
            // Words on both sides, which `fast_copy` has done.
            (None, None) => true,
        }
    }
}

/// Message and answer, if both are words.
#[inline(always)]
fn word_buffers(lengths: u64) -> Option<(Buffer, Buffer)> {
    let (message, reply) = (lengths & 0xffff_ffff, lengths.wrapping_shr(32));
    let are_words = message <= WORDS_BYTES && reply <= WORDS_BYTES;
    are_words.then_some((Buffer::words(message), Buffer::words(reply)))
}

/// A buffer of one piece, as calls name it.
#[inline(always)]
pub(super) fn flat(address: u64, parts: u64) -> Option<Buffer> {
    let parts = parts.cast_signed();
    if parts > 0 { None } else { Some(Buffer::flat(address, parts.unsigned_abs())) }
}
