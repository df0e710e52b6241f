//! `MsgReceive`.

use neutrino_abi::Errno;

use crate::Kernel;
use crate::call::Outcome;
use crate::ipc::channel::ChannelId;
use crate::ipc::deliver::{Handed, Into, write_pulse};
use crate::ipc::transfer::Side;
use crate::machine::{Machine, Place};
use crate::sched::End;
use crate::slab::Maybe;
use crate::step::Work;
use crate::thread::{State, Takes, ThreadId};

/// The arguments of `MsgReceive`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiveFrom {
    pub(crate) chid: u32,
    pub(crate) message: u64,
    pub(crate) parts: i64,
    pub(crate) info: u64,
    pub(crate) takes: Takes,
}

impl Kernel {
    /// `MsgReceive` and `MsgReceivePulse`: takes what is queued first, or waits.
    pub(crate) fn msg_receive(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        from: &ReceiveFrom,
    ) -> Result<Outcome, Errno> {
        let begun = core::mem::replace(&mut self.threads[t].work, Work::None);
        let ended = self.receive(m, t, from, &begun);
        if ended != Ok(Outcome::Unfinished) {
            self.pass_on(m, t, &begun);
        }
        ended
    }

    /// After the end of a receive that was called for a queued sender, or took more than one part:
    /// who still is in the queue is another receiver's.
    pub(crate) fn pass_on(&mut self, m: &mut impl Machine, t: ThreadId, begun: &Work) {
        if let Work::Receive { chid, .. } = *begun
            && let Ok(channel) = self.handle_channel(self.process_of(t), chid)
        {
            self.call_receiver(m, channel, End::Back);
        }
    }

    fn receive(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        from: &ReceiveFrom,
        begun: &Work,
    ) -> Result<Outcome, Errno> {
        let channel = self.handle_channel(self.process_of(t), from.chid)?;
        let place = Place { space: self.space(t), address: from.message };
        let buffer = self.buffer(m, place, from.parts)?;
        let into = Into { receiver: t, buffer, info: from.info, copied: 0 };
        // Bound: one turn for each queued sender whose buffer is bad.
        loop {
            let pulse = self.channels[channel].pulses.first();
            if let Some(pulse) = pulse
                && (from.takes == Takes::Pulses || self.pulse_is_first(channel))
            {
                return Ok(self.receive_pulse(m, t, channel, pulse));
            }
            let sender = self.channels[channel].senders.first();
            let (Some(client), Takes::All) = (sender, from.takes) else { break };
            let (arrival, chid) = (self.threads[client].arrival, from.chid);
            let copied = begun.copied_of(client, arrival);
            match self.receive_message(m, channel, client, &Into { copied, ..into })? {
                Some(Handed::Whole { rcvid }) => return Ok(Outcome::Value(rcvid.cast_signed())),
                Some(Handed::Part(copied)) => {
                    let client = Maybe::new(Some(client));
                    let work = Work::Receive { chid, client, arrival, copied };
                    return Ok(self.leave_off(t, work));
                }
                None => {}
            }
        }
        self.may_wait(t)?;
        let State::Running = self.threads[t].state else { return Err(Errno::EINVAL) };
        self.serve_nobody(t);
        self.transition(t, State::Receive { channel, buffer, info: from.info, takes: from.takes });
        self.check_wait(t);
        self.queue_receiver(channel, t, from.takes == Takes::All);
        self.start_waiting(m, t);
        self.refresh(m, t);
        Ok(Outcome::Blocked)
    }

    fn receive_pulse(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        channel: ChannelId,
        id: crate::ipc::pulse::PulseId,
    ) -> Outcome {
        let (pulse, count) = self.pulse_take(channel, id);
        write_pulse(m, t, &pulse, count);
        self.trace_pulse_receive(t, channel, &pulse, count);
        self.take_priority(m, t, channel, &pulse);
        self.boost_servers(m, channel);
        Outcome::Value(0)
    }

    /// Takes a queued sender's message; `None` if the sender's memory was bad and it is gone.
    fn receive_message(
        &mut self,
        m: &mut impl Machine,
        channel: ChannelId,
        client: ThreadId,
        into: &Into,
    ) -> Result<Option<Handed>, Errno> {
        let State::Send { sending, .. } = self.threads[client].state else {
            debug_assert!(false, "I3: a queued sender that does not send");
            return Err(Errno::EINVAL);
        };
        let mut queue = self.channels[channel].senders;
        queue.remove(&mut self.threads, client);
        self.channels[channel].senders = queue;
        match self.hand_message(m, client, &sending, channel, into) {
            Ok(Handed::Whole { rcvid }) => Ok(Some(Handed::Whole { rcvid })),
            Ok(Handed::Part(copied)) => {
                self.back_in_front(channel, client);
                Ok(Some(Handed::Part(copied)))
            }
            Err(side) => {
                self.back_in_front(channel, client);
                if side == Side::Target {
                    return Err(Errno::EFAULT);
                }
                self.wake_with(m, client, Err(Errno::EFAULT));
                Ok(None)
            }
        }
    }

    /// Puts a sender back where it was.
    fn back_in_front(&mut self, channel: ChannelId, client: ThreadId) {
        let mut queue = self.channels[channel].senders;
        queue.push_front(&mut self.threads, client);
        self.channels[channel].senders = queue;
    }
}
