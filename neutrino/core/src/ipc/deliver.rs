//! Handing a message or a pulse to a thread.

use neutrino_abi::message::{MI_LAST, MI_UNBLOCK_REQ, MsgInfo, chf};
use neutrino_abi::wire::Wire;

use crate::Kernel;
use crate::ipc::channel::ChannelId;
use crate::ipc::connection::Phase;
use crate::ipc::pulse::NewPulse;
use crate::ipc::transfer::{Buffer, Side, Span};
use crate::machine::{Machine, Place};
use crate::thread::{Asked, Sending, State, ThreadId};

/// Where a receiver wants its message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Into {
    pub(crate) receiver: ThreadId,
    pub(crate) buffer: Buffer,
    pub(crate) info: u64,
}

impl Kernel {
    /// Gives a pulse to a thread that waits for one, and wakes it; false if its buffer is bad: then
    /// it wakes with EFAULT.
    pub(crate) fn hand_pulse(
        &mut self,
        m: &mut impl Machine,
        receiver: ThreadId,
        channel: ChannelId,
        pulse: &NewPulse,
        count: u32,
    ) -> bool {
        let State::Receive { buffer, .. } = self.threads[receiver].state else { return false };
        if !self.write_pulse(m, receiver, &buffer, pulse, count) {
            self.wake_with(m, receiver, Err(neutrino_abi::Errno::EFAULT));
            return false;
        }
        self.take_priority(m, receiver, channel, pulse);
        self.wake_with(m, receiver, Ok(0));
        true
    }

    /// Writes a pulse into a receiver's buffer; false if that is bad or too short.
    pub(crate) fn write_pulse(
        &mut self,
        m: &mut impl Machine,
        receiver: ThreadId,
        buffer: &Buffer,
        pulse: &NewPulse,
        count: u32,
    ) -> bool {
        let space = self.space(receiver);
        let wire = pulse.wire(count);
        if buffer.length < neutrino_abi::pulse::Pulse::SIZE as u64 {
            return false;
        }
        let bytes = wire.bytes();
        let span = Span { space, buffer: *buffer, offset: 0 };
        let total = bytes.len() as u64;
        let written = self.for_parts(m, &span, total, |kernel, m, place, done, step| {
            let from = usize::try_from(done).unwrap_or(usize::MAX);
            let to = usize::try_from(done.saturating_add(step)).unwrap_or(usize::MAX);
            let part = bytes.get(from..to).unwrap_or_default();
            kernel.memory.write(m, place, part).map(|()| step)
        });
        written == Ok(total)
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
        if !self.channels[channel].has(chf::FIXED_PRIORITY) {
            self.start_serving(receiver, channel);
            self.threads[receiver].inherited = Some(pulse.priority);
        }
        self.refresh(m, receiver);
    }

    /// Moves the message of `client` (which is on no queue) to a receiver; on success the client
    /// waits for the reply and the rcvid comes back.
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
    ) -> Result<u64, Side> {
        let receiver = into.receiver;
        let from = Span { space: self.space(client), buffer: sending.message, offset: 0 };
        let to = Span { space: self.space(receiver), buffer: into.buffer, offset: 0 };
        let moved = self.transfer(m, &from, &to)?;
        let info = self.message_info(client, sending, channel, Asked::No, moved);
        let place = Place { space: to.space, address: into.info };
        self.store_optional(m, place, &info).map_err(|_| Side::Target)?;
        // Commit: nothing below fails.
        self.sequence = self.sequence.wrapping_add(1) & 0x7fff_ffff_ffff;
        let sequence = self.sequence;
        self.transition(
            client,
            State::Reply { channel, sending: *sending, sequence, asked: Asked::No },
        );
        let mut clients = self.channels[channel].clients;
        clients.push_back(&mut self.threads, client);
        self.channels[channel].clients = clients;
        // A time-out that covers SEND only ends here; one that covers REPLY begins or goes on.
        self.deadline_clear(client);
        self.watch(m, client);
        self.serve_nobody(receiver);
        if !self.channels[channel].has(chf::FIXED_PRIORITY) {
            self.start_serving(receiver, channel);
            self.threads[receiver].serving = Some(client);
            self.threads[receiver].inherited = Some(self.threads[client].effective);
            self.threads[client].served_by = Some(receiver);
        }
        self.refresh(m, receiver);
        // Other servers were boosted by this sender while it queued.
        self.boost_servers(m, channel);
        Ok(rcvid(client, sequence))
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
        let asks = if asked == Asked::Yes { MI_UNBLOCK_REQ } else { 0 };
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
            offered_count: sending.extra.offered_count,
            accepted_count: sending.extra.accepted_count,
        }
    }
}

/// The number by which a server names a waiting client.
pub(crate) fn rcvid(client: ThreadId, sequence: u64) -> u64 {
    sequence.wrapping_shl(16) | u64::from(client.index())
}
