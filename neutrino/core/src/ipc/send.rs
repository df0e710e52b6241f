//! `MsgSend`.

use neutrino_abi::Errno;
use neutrino_abi::message::{OFFER_MAX, SendExtra, WORDS_BYTES, chf};

use crate::Kernel;
use crate::call::Outcome;
use crate::ipc::channel::ChannelId;
use crate::ipc::deliver::{Handed, Into};
use crate::ipc::transfer::{Buffer, Side};
use crate::limits::SHORT;
use crate::machine::{Machine, Place};
use crate::sched::End;
use crate::slab::Maybe;
use crate::step::Work;
use crate::thread::{NO_EXTRA, Sending, State, ThreadId, precedes};

/// The arguments of `MsgSend`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendArgs {
    pub(crate) coid: u32,
    pub(crate) message: u64,
    pub(crate) parts: i64,
    pub(crate) reply: u64,
    pub(crate) reply_parts: i64,
    pub(crate) extra: u64,
}

impl Kernel {
    /// `MsgSend`: hands the message to a waiting thread, or queues the caller.
    pub(crate) fn msg_send(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        arguments: &SendArgs,
    ) -> Result<Outcome, Errno> {
        let SendArgs { coid, message, parts, reply, reply_parts, extra } = *arguments;
        let process = self.process_of(t);
        let connection = self.handle_connection(process, coid)?;
        let at = |address| Place { space: self.space(t), address };
        let (message_at, reply_at, extra_at) = (at(message), at(reply), at(extra));
        let message = self.buffer(m, message_at, parts)?;
        let reply = self.buffer(m, reply_at, reply_parts)?;
        let mut extra = NO_EXTRA;
        if extra_at.address != 0 {
            extra = self.load(m, extra_at)?;
            if extra.offered_count as usize > OFFER_MAX {
                return Err(Errno::EINVAL);
            }
            if extra.offered_count == 0 && extra.accepted_count == 0 {
                extra = NO_EXTRA;
            }
        }
        self.send(m, t, &Sending { connection, coid, message, reply, written: 0 }, &extra)
    }

    /// `MsgSendRegisters`; `lengths` are the message's and the reply's.
    pub(crate) fn msg_send_registers(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        coid: u32,
        lengths: u64,
        reply: u64,
    ) -> Result<Outcome, Errno> {
        let connection = self.handle_connection(self.process_of(t), coid)?;
        let (message, reply) = register_buffers(lengths, reply).ok_or(Errno::EINVAL)?;
        self.send(m, t, &Sending { connection, coid, message, reply, written: 0 }, &NO_EXTRA)
    }

    fn send(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        sending: &Sending,
        extra: &SendExtra,
    ) -> Result<Outcome, Errno> {
        let connection = sending.connection;
        let channel = self.connections[connection].channel.get().ok_or(Errno::ESRCH)?;
        self.may_wait(t)?;
        self.threads[t].extra = *extra;
        self.trace_send(m, t, channel, sending);
        // Bound: one turn for each receiver whose buffer is bad.
        while let Some(receiver) = self.channels[channel].receivers.first() {
            let State::Receive { buffer, info, .. } = self.threads[receiver].state else { break };
            if !sending.message.is_words() && sending.message.length.min(buffer.length) > SHORT {
                break;
            }
            let into = Into { receiver, buffer, info, copied: 0 };
            match self.hand_message(m, t, sending, channel, &into) {
                Ok(Handed::Whole { rcvid }) => {
                    self.connection_share(connection);
                    self.start_waiting(m, t);
                    self.wake_at(m, receiver, Ok(rcvid.cast_signed()), End::InPlaceOf(t));
                    return Ok(Outcome::Blocked);
                }
                // Its pages are not all there.
                Ok(Handed::Part(_)) => break,
                Err(Side::Source) => {
                    self.threads[t].extra = NO_EXTRA;
                    return Err(Errno::EFAULT);
                }
                Err(Side::Target) => self.wake_with(m, receiver, Err(Errno::EFAULT)),
            }
        }
        self.connection_share(connection);
        self.queue_sender(m, t, channel, *sending);
        self.call_receiver(m, channel, End::InPlaceOf(t));
        Ok(Outcome::Blocked)
    }

    /// Makes a thread that waits on a channel, on whose queue somebody is, take what is queued by
    /// itself: its call goes on. Whether it does or not, who is left is the next one's.
    // Bound: one turn for each receiver that is held.
    pub(crate) fn call_receiver(&mut self, m: &mut impl Machine, channel: ChannelId, end: End) {
        while let Some(receiver) = self.channels[channel].receivers.first() {
            if self.channels[channel].senders.is_empty() {
                return;
            }
            self.trace_wake(m, receiver, 0);
            self.unlink(m, receiver);
            if !self.channels[channel].has(chf::FIXED_PRIORITY) {
                self.start_serving(receiver, channel);
            }
            let chid = self.channels[channel].chid;
            let client = Maybe::NOBODY;
            self.set_work(receiver, Work::Receive { chid, client, arrival: 0, copied: 0 });
            self.make_ready(receiver, end);
            self.refresh(m, receiver);
            if self.threads[receiver].state == State::Ready {
                return;
            }
        }
    }

    fn queue_sender(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        channel: ChannelId,
        sending: Sending,
    ) {
        self.threads[t].arrival = self.arrive();
        self.transition(t, State::Send { channel, sending });
        let mut queue = self.channels[channel].senders;
        queue.insert_ordered(&mut self.threads, t, precedes);
        self.channels[channel].senders = queue;
        self.start_waiting(m, t);
        self.boost_servers(m, channel);
    }
}

/// Message and reply of a send in registers; none if the message is too long for them.
#[inline(always)]
pub(crate) fn register_buffers(lengths: u64, reply: u64) -> Option<(Buffer, Buffer)> {
    let (length, reply_length) = (lengths & 0xffff_ffff, lengths.wrapping_shr(32));
    if length > WORDS_BYTES {
        return None;
    }
    let reply = if reply_length > WORDS_BYTES {
        Buffer::flat(reply, reply_length)
    } else {
        Buffer::words(reply_length)
    };
    Some((Buffer::words(length), reply))
}
