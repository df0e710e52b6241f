//! Handing a message or a pulse to a thread.

use neutrino_abi::Errno;
use neutrino_abi::message::{Head, MI_LAST, MI_UNBLOCK_REQ, MessagePlace, MsgInfo, chf};

use crate::Kernel;
use crate::call::Outcome;
use crate::ipc::channel::ChannelId;
use crate::ipc::connection::Phase;
use crate::ipc::pulse::NewPulse;
use crate::ipc::transfer::{Buffer, Side, Span};
use crate::machine::{Machine, Place};
use crate::slab::Maybe;
use crate::thread::{Asked, Sending, State, ThreadId, slot};

/// Where a receiver wants its message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Into {
    pub(crate) receiver: ThreadId,
    pub(crate) buffer: Buffer,
    pub(crate) info: u64,
    /// Bytes of it that are there already.
    pub(crate) copied: u64,
}

/// How much of a message a receiver has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// All; this is its number.
    Whole { rcvid: u64 },
    /// So many bytes.
    Part(u64),
}

impl Kernel {
    /// Gives a pulse to a thread that waits for one, and wakes it.
    pub(crate) fn hand_pulse(
        &mut self,
        m: &mut impl Machine,
        receiver: ThreadId,
        channel: ChannelId,
        pulse: &NewPulse,
        count: u32,
    ) {
        write_pulse(m, receiver, pulse, count);
        self.trace_pulse_receive(receiver, channel, pulse, count);
        self.take_priority(m, receiver, channel, pulse);
        self.wake_with(m, receiver, Ok(0));
    }

    /// A receiver runs at the pulse's priority.
    pub(crate) fn take_priority(
        &mut self,
        m: &mut impl Machine,
        receiver: ThreadId,
        channel: ChannelId,
        pulse: &NewPulse,
    ) {
        self.serve_nobody(receiver);
        if self.channels[channel].has(chf::FIXED_PRIORITY) {
            self.stop_serving(receiver);
        } else {
            self.start_serving(receiver, channel);
            self.threads[receiver].inherited = Some(pulse.priority);
        }
        self.refresh(m, receiver);
    }

    /// Moves the message of `client` (which is on no queue) to a receiver, or what is left of it, as
    /// far as the budget allows. When all of it is there the client waits for the reply.
    ///
    /// # Errors
    /// The side whose memory is bad; nothing has changed.
    pub(crate) fn hand_message(
        &mut self,
        m: &mut impl Machine,
        client: ThreadId,
        sending: &Sending,
        channel: ChannelId,
        into: &Into,
    ) -> Result<Handed, Side> {
        let receiver = into.receiver;
        let moved = if sending.message.is_words() {
            sending.message.length
        } else {
            let offset = into.copied;
            let from = Span { thread: client, buffer: sending.message, offset };
            let to = Span { thread: receiver, buffer: into.buffer, offset };
            let moved = offset.saturating_add(self.transfer(m, &from, &to)?);
            if moved < sending.message.length.min(into.buffer.length) {
                return Ok(Handed::Part(moved));
            }
            moved
        };
        if into.info != 0 {
            let info = self.message_info(client, sending, channel, Asked::No, moved);
            let place = Place { space: self.space(receiver), address: into.info };
            self.store(m, place, &info).map_err(|_| Side::Target)?;
        }
        // Commit: nothing below fails.
        let is_last = self.connections[sending.connection].phase == Phase::Leaving;
        m.set_head(slot(receiver), &Head { is_last, ..self.head(sending) });
        if sending.message.is_words() {
            m.move_words(slot(client), slot(receiver));
        }
        let sequence = self.next_sequence();
        self.trace_receive(m, receiver, (client, sending, channel), rcvid(client, sequence));
        self.transition(
            client,
            State::Reply { channel, sending: *sending, sequence, asked: Asked::No },
        );
        self.check_wait(client);
        // A time-out that covers SEND only ends here; one that covers REPLY begins or goes on.
        self.deadline_clear(client);
        self.watch(m, client);
        self.serve_nobody(receiver);
        if self.channels[channel].has(chf::FIXED_PRIORITY) {
            self.stop_serving(receiver);
        } else {
            self.start_serving(receiver, channel);
            self.threads[receiver].serving = Maybe::new(Some(client));
            self.threads[receiver].inherited = Some(self.threads[client].effective);
            self.threads[client].served_by = Maybe::new(Some(receiver));
        }
        self.touch(receiver);
        self.refresh(m, receiver);
        // Other servers were boosted by this sender while it queued.
        self.boost_servers(m, channel);
        Ok(Handed::Whole { rcvid: rcvid(client, sequence) })
    }

    /// `MsgCurrent`: the caller serves this client from now on, and runs at its priority.
    pub(crate) fn msg_current(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        rcvid: u64,
    ) -> Result<Outcome, Errno> {
        let client = self.client(t, rcvid)?;
        let Some(channel) = self.channel_waited_on(client) else { return Err(Errno::ESRCH) };
        // Commit: nothing below fails.
        let before = self.threads[client].served_by.get();
        if before == Some(t) || self.channels[channel].has(chf::FIXED_PRIORITY) {
            return Ok(Outcome::DONE);
        }
        if let Some(other) = before {
            // It keeps what it has until it receives again.
            self.threads[other].serving = Maybe::NOBODY;
            self.threads[other].inherited = Some(self.threads[client].effective);
        }
        self.serve_nobody(t);
        self.start_serving(t, channel);
        self.threads[t].serving = Maybe::new(Some(client));
        self.threads[t].inherited = Some(self.threads[client].effective);
        self.threads[client].served_by = Maybe::new(Some(t));
        self.refresh(m, t);
        Ok(Outcome::DONE)
    }

    /// The upper part of a new rcvid; its lower 16 bits are 0.
    #[inline(always)]
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.sequence = self.sequence.wrapping_add(0x1_0000) & i64::MAX.cast_unsigned();
        self.sequence
    }

    /// What every receive call tells in registers of a message that is not the last.
    #[inline(always)]
    pub(crate) fn head(&self, sending: &Sending) -> Head {
        Head {
            badge: self.connections[sending.connection].badge,
            srcmsglen: sending.message.length,
            dstmsglen: sending.reply.length,
            scoid: sending.connection.index(),
            place: if sending.message.is_words() {
                MessagePlace::Words
            } else {
                MessagePlace::Buffer
            },
            is_last: false,
        }
    }

    /// What a server learns of a client's message.
    pub(crate) fn message_info(
        &self,
        client: ThreadId,
        sending: &Sending,
        channel: ChannelId,
        asked: Asked,
        msglen: u64,
    ) -> MsgInfo {
        let thread = &self.threads[client];
        let process = &self.processes[thread.process];
        let asks = if asked != Asked::No { MI_UNBLOCK_REQ } else { 0 };
        let is_last = self.connections[sending.connection].phase == Phase::Leaving;
        let last = if is_last { MI_LAST } else { 0 };
        MsgInfo {
            pid: process.pid,
            tid: thread.tid,
            chid: self.channels[channel].chid,
            scoid: u32::from(sending.connection.index()),
            coid: sending.coid,
            priority: u16::from(thread.effective.0),
            flags: asks | last,
            msglen,
            srcmsglen: sending.message.length,
            dstmsglen: sending.reply.length,
            badge: self.connections[sending.connection].badge,
            euid: process.credentials.euid,
            egid: process.credentials.egid,
            pgrp: process.pgrp,
            session: process.session,
            signals_held: thread.mask | process.ignored,
            offered_count: thread.extra.offered_count,
            accepted_count: thread.extra.accepted_count,
        }
    }
}

/// Puts a pulse where its receiver finds it.
pub(crate) fn write_pulse(m: &mut impl Machine, receiver: ThreadId, pulse: &NewPulse, count: u32) {
    let code = u64::from(pulse.code.cast_unsigned()).wrapping_shl(32);
    let last = u64::from(count).wrapping_shl(32) | u64::from(pulse.scoid);
    m.set_head(slot(receiver), &Head::default());
    m.set_words(slot(receiver), &[code, pulse.value, last, 0, 0, 0]);
}

/// The number by which a server names a waiting client.
#[inline(always)]
pub(crate) fn rcvid(client: ThreadId, sequence: u64) -> u64 {
    sequence | u64::from(client.index())
}

/// The parts of a rcvid: index of the client, and sequence.
#[inline(always)]
pub(crate) const fn rcvid_parts(rcvid: u64) -> (u64, u64) {
    (rcvid & 0xffff, rcvid & !0xffff)
}

/// Whether the upper part of a rcvid is this sequence number. C programs hold 31 bits of it
/// (`int rcvid`), which count for the whole: one that is answered late could be taken for another of
/// the same client's after 32,768 messages, but never for another server's.
#[inline(always)]
pub(crate) const fn rcvid_names(wanted: u64, sequence: u64) -> bool {
    let short = 0x7fff_ffff;
    sequence == wanted || (wanted <= short && sequence & short == wanted)
}
