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
use neutrino_abi::message::{SendExtra, WORDS_BYTES};

use crate::Kernel;
use crate::handles::{self, Target};
use crate::ipc::channel::ChannelId;
use crate::ipc::deliver::rcvid;
use crate::ipc::reply::RegisterAnswer;
use crate::ipc::send::register_buffers;
use crate::ipc::transfer::{Buffer, to_bytes};
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

impl Kernel {
    /// Carries out the running thread's call, if it is one of the common cases, and tells who runs
    /// now.
    #[inline(always)]
    pub fn fast(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        call: &impl Registers,
    ) -> Option<ThreadSlot> {
        if self.trace.is_on() {
            return None;
        }
        match call.number() {
            number::MsgSendRegisters => {
                let coid = call.argument(0);
                let buffers = register_buffers(call.argument(1), call.argument(8))?;
                self.fast_send(m, cpu, coid, buffers)
            }
            number::MsgReplyReceiveRegisters => {
                let RegisterAnswer { rcvid, status, chid, length } =
                    RegisterAnswer::unpack(call.argument(0), call.argument(1));
                if length > WORDS_BYTES {
                    return None;
                }
                let (status, answer) = (i64::from(status), Buffer::words(length));
                let buffer = flat(call.argument(8), call.argument(9))?;
                self.fast_turn(m, cpu, &Turn { rcvid, status, answer, chid, buffer })
            }
            number::MsgSend if call.argument(5) == 0 => {
                let coid = call.argument(0);
                let message = flat(call.argument(1), call.argument(2))?;
                let reply = flat(call.argument(3), call.argument(4))?;
                self.fast_send(m, cpu, coid, (message, reply))
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

    /// Whether one of the two can take the place of the other, and the slice and the timer stay
    /// what they are.
    #[inline(always)]
    fn are_alike(&self, t: ThreadId, other: ThreadId) -> bool {
        let (thread, other) = (&self.threads[t], &self.threads[other]);
        thread.plain != Plain::No && thread.plain == other.plain && thread.cpu == other.cpu
    }

    /// `other` takes the place of the caller on the CPU.
    #[inline(always)]
    fn take_place(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        t: ThreadId,
        other: ThreadId,
    ) -> Option<ThreadSlot> {
        let now = m.now();
        self.counters.calls = self.counters.calls.wrapping_add(1);
        self.counters.switches = self.counters.switches.wrapping_add(1);
        self.transition_untraced(other, State::Running);
        let own = self.cpus.get_mut(cpu)?;
        let spent = now.wrapping_sub(own.since);
        own.since = now;
        own.current = Maybe::new(Some(other));
        let thread = &mut self.threads[t];
        thread.cpu_time = thread.cpu_time.wrapping_add(spent);
        Some(slot(other))
    }

    #[inline(always)]
    fn fast_send(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        coid: u64,
        (message, reply): (Buffer, Buffer),
    ) -> Option<ThreadSlot> {
        let t = self.cpus.get(cpu)?.current.get()?;
        let place = handles::Place::from_register(coid)?;
        #[expect(clippy::cast_possible_truncation, reason = "a number with a place fits")]
        let coid = coid as u32;
        let handle = self.handle_at(self.threads[t].process, place)?;
        let Target::Connection(connection) = handle.target else { return None };
        let channel = self.connections[connection].channel?;
        let receiver = self.channels[channel].receivers.first()?;
        let State::Receive { buffer, info: 0, .. } = self.threads[receiver].state else {
            return None;
        };
        if !self.are_alike(t, receiver)
            || self.threads[receiver].serves != Some(channel)
            || !message.is_words() && !self.fast_copy(m, (t, &message), (receiver, &buffer))
        {
            return None;
        }
        // Commit: nothing below fails.
        let sending = Sending { connection, coid, message, reply, written: 0 };
        m.set_head(slot(receiver), &self.head(&sending));
        if message.is_words() {
            m.move_words(slot(t), slot(receiver));
        }
        let sequence = self.next_sequence();
        m.set_result(slot(receiver), rcvid(t, sequence).cast_signed());
        self.connection_share(connection);
        self.channels[channel].receivers.remove_inline(&mut self.threads, receiver);
        let client = &mut self.threads[t];
        client.served_by = Maybe::new(Some(receiver));
        let priority = client.effective;
        self.transition_untraced(t, State::Reply { channel, sending, sequence, asked: Asked::No });
        let server = &mut self.threads[receiver];
        server.serving = Maybe::new(Some(t));
        server.inherited = Some(priority);
        server.effective = priority;
        self.take_place(m, cpu, t, receiver)
    }

    #[inline(always)]
    fn fast_turn(&mut self, m: &mut impl Machine, cpu: usize, turn: &Turn) -> Option<ThreadSlot> {
        let t = self.cpus.get(cpu)?.current.get()?;
        let client = self.threads[t].serving.get()?;
        let State::Reply { channel, sending, sequence, asked: Asked::No } =
            self.threads[client].state
        else {
            return None;
        };
        if rcvid(client, sequence) != turn.rcvid
            || !self.is_own_quiet(t, channel, turn.chid)
            || turn.status < 0
            || sending.written != 0
            || !self.are_alike(t, client)
            || self.threads[client].effective != self.threads[t].effective
            || self.connections[sending.connection].references < 2
            || !has_no_handles(&self.threads[client].extra)
            || !self.fast_copy(m, (t, &turn.answer), (client, &sending.reply))
        {
            return None;
        }
        // Commit: nothing below fails.
        if sending.reply.is_words() {
            if turn.answer.is_words() {
                m.move_words(slot(t), slot(client));
            }
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
        self.transition_untraced(t, State::Receive { channel, buffer, info: 0, takes });
        self.take_place(m, cpu, t, client)
    }

    /// Whether the number names the channel, on which nothing is queued, and whose queue boosts the
    /// caller.
    #[inline(always)]
    fn is_own_quiet(&self, t: ThreadId, channel: ChannelId, chid: u32) -> bool {
        let (thread, own) = (&self.threads[t], &self.channels[channel]);
        own.process == thread.process
            && own.chid == chid
            && thread.serves == Some(channel)
            && own.senders.is_empty()
            && own.pulses.is_empty()
    }

    /// Copies what is in memory on one side at least; false if that is not to be done here.
    #[inline(always)]
    fn fast_copy(
        &mut self,
        m: &mut impl Machine,
        from: (ThreadId, &Buffer),
        to: (ThreadId, &Buffer),
    ) -> bool {
        if from.1.is_words() && to.1.is_words() {
            return true;
        }
        let length = from.1.length.min(to.1.length);
        if length == 0 {
            return true;
        }
        let Some(target) = to.1.flat_address() else { return false };
        let target = Place { space: self.space(to.0), address: target };
        if from.1.is_words() {
            let bytes = to_bytes(&m.words(slot(from.0)));
            let bytes = usize::try_from(length).ok().and_then(|length| bytes.get(..length));
            return bytes.is_some_and(|bytes| m.write(target, bytes).is_ok());
        }
        let Some(source) = from.1.flat_address() else { return false };
        let source = Place { space: self.space(from.0), address: source };
        m.copy(source, target, length).is_ok()
    }
}

/// Whether a message carries none and takes none.
#[inline(always)]
const fn has_no_handles(extra: &SendExtra) -> bool {
    extra.offered_count == 0 && extra.accepted_count == 0
}

/// A buffer of one piece, as calls name it.
#[inline(always)]
fn flat(address: u64, parts: u64) -> Option<Buffer> {
    let parts = parts.cast_signed();
    if parts > 0 { None } else { Some(Buffer::flat(address, parts.unsigned_abs())) }
}
