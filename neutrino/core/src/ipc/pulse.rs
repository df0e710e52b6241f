//! Pulses: queued with the senders of a channel, by priority and then by arrival.
//!
//! Pulses that the kernel sends cannot be lost: what they tell of has room for one each (a
//! connection's end, a client's request to leave, a timer, an interrupt, a watch, a process), and those
//! of timers, interrupts and watches count how often they came. Pulses of programs are charged to the sender.

use neutrino_abi::Errno;
use neutrino_abi::event::Event;

use crate::Kernel;
use crate::call::Outcome;
use crate::interrupt::InterruptId;
use crate::ipc::channel::ChannelId;
use crate::ipc::connection::{ConnectionId, Phase};
use crate::ipc::watch::WatchId;
use crate::limits;
use crate::list::{Link, List};
use crate::machine::Machine;
use crate::process::{Notice, ProcessId};
use crate::slab::{Id, Slot};
use crate::thread::{Priority, Queue, Thread, ThreadId, linked};
use crate::time::timer::TimerId;

/// Index of a [`Pulse`].
pub type PulseId = Id<Pulse>;

/// Whose room a queued pulse takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The slot is free.
    Vacant,
    /// A program's that sent it.
    Program(ProcessId),
    /// Nobody's: what it tells of is gone.
    Orphan,
    /// A connection that nobody holds any more.
    Disconnect(ConnectionId),
    /// A client that wants to leave.
    Unblock(ThreadId),
    /// A timer.
    Timer(TimerId),
    /// An interrupt attachment.
    Interrupt(InterruptId),
    /// A watch.
    Watch(WatchId),
    /// A process.
    Notice(ProcessId, Notice),
}

/// The queue of a channel.
#[derive(Clone, Copy, Debug)]
pub enum Queued {}
/// The pulses that a program sent.
#[derive(Clone, Copy, Debug)]
pub enum Charged {}

/// A queued pulse.
#[derive(Clone, Debug, Hash)]
pub struct Pulse {
    pub(crate) owner: Owner,
    pub(crate) channel: ChannelId,
    pub(crate) code: i8,
    pub(crate) value: u64,
    pub(crate) scoid: u32,
    pub(crate) count: u32,
    pub(crate) priority: Priority,
    pub(crate) arrival: u64,
    pub(crate) queued: Link<Pulse>,
    pub(crate) charged: Link<Pulse>,
}

impl Slot for Pulse {
    const VACANT: Self = Self {
        owner: Owner::Vacant,
        channel: Id::NOBODY,
        code: 0,
        value: 0,
        scoid: 0,
        count: 0,
        priority: Priority::system(0),
        arrival: 0,
        queued: Link::NONE,
        charged: Link::NONE,
    };
    fn is_vacant(&self) -> bool {
        self.owner == Owner::Vacant
    }
}
linked!(Pulse, Queued, queued);
linked!(Pulse, Charged, charged);

/// What a new pulse says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewPulse {
    pub(crate) code: i8,
    pub(crate) value: u64,
    pub(crate) priority: Priority,
    pub(crate) scoid: u32,
}

impl Kernel {
    /// `MsgSendPulse`.
    pub(crate) fn msg_send_pulse(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        coid: u32,
        event: &Event,
    ) -> Result<Outcome, Errno> {
        let process = self.process_of(t);
        let connection = self.handle_connection(process, coid)?;
        let channel = self.connections[connection].channel.get().ok_or(Errno::ESRCH)?;
        let code = i8::try_from(event.code).map_err(|_| Errno::EINVAL)?;
        if code < 0 && self.processes[process].abilities & neutrino_abi::process::able::PROCESS == 0
        {
            return Err(Errno::EINVAL);
        }
        let priority = match event.priority {
            -1 => self.threads[t].effective,
            given => Priority::system(u8::try_from(given).map_err(|_| Errno::EINVAL)?.max(1)),
        };
        if self.pulse_receiver(channel).is_none() {
            self.pulse_allowance(process)?;
        }
        // Commit: nothing below fails.
        let scoid = u32::from(connection.index());
        let pulse = NewPulse { code, value: event.value, priority, scoid };
        self.pulse_send(m, channel, pulse, Owner::Program(process));
        Ok(Outcome::DONE)
    }

    /// Whether a program may queue another pulse.
    ///
    /// # Errors
    /// EAGAIN: not before some of them are received.
    pub(crate) fn pulse_allowance(&self, process: ProcessId) -> Result<(), Errno> {
        let is_full = self.processes[process].pulse_count >= limits::PROGRAM_PULSES_EACH
            || self.program_pulses >= limits::PROGRAM_PULSES;
        if is_full { Err(Errno::EAGAIN) } else { Ok(()) }
    }

    /// A thread that waits for a pulse on a channel.
    fn pulse_receiver(&self, channel: ChannelId) -> Option<ThreadId> {
        let channel = &self.channels[channel];
        channel.pulse_receivers.first().or(channel.receivers.first())
    }

    /// The pulse that an owner has in a queue already.
    fn pulse_of(&self, owner: Owner) -> Option<PulseId> {
        match owner {
            Owner::Unblock(client) => self.threads[client].unblock_pulse,
            Owner::Timer(timer) => self.timers[timer].pulse,
            Owner::Interrupt(interrupt) => self.interrupts[interrupt].pulse,
            Owner::Watch(watch) => self.watches[watch].pulse,
            Owner::Notice(process, notice) => {
                self.processes[process].notices.get(notice as usize).copied().flatten()
            }
            Owner::Vacant | Owner::Program(_) | Owner::Orphan | Owner::Disconnect(_) => None,
        }
    }

    fn remember(&mut self, owner: Owner, pulse: Option<PulseId>) {
        match owner {
            Owner::Unblock(client) => self.threads[client].unblock_pulse = pulse,
            Owner::Timer(timer) => self.timers[timer].pulse = pulse,
            Owner::Interrupt(interrupt) => self.interrupts[interrupt].pulse = pulse,
            Owner::Watch(watch) => self.watches[watch].pulse = pulse,
            Owner::Notice(process, notice) => {
                if let Some(place) = self.processes[process].notices.get_mut(notice as usize) {
                    *place = pulse;
                }
            }
            Owner::Vacant | Owner::Program(_) | Owner::Orphan | Owner::Disconnect(_) => {}
        }
    }

    /// Sends a pulse: to a thread that waits for one, or into the queue.
    pub(crate) fn pulse_send(
        &mut self,
        m: &mut impl Machine,
        channel: ChannelId,
        pulse: NewPulse,
        owner: Owner,
    ) {
        self.trace_pulse(channel, &pulse);
        // Who receives it pays for it.
        let payer = self.processes[self.channels[channel].process].partition;
        let pulse = NewPulse { priority: Priority(pulse.priority.0, payer), ..pulse };
        if let Some(queued) = self.pulse_of(owner) {
            let count = &mut self.pulses[queued].count;
            *count = count.saturating_add(1);
            return;
        }
        let Some(receiver) = self.pulse_receiver(channel) else {
            return self.pulse_queue(m, channel, pulse, owner);
        };
        self.hand_pulse(m, receiver, channel, &pulse, 1);
        if let Owner::Disconnect(connection) = owner {
            self.connection_free(connection);
        }
    }

    fn pulse_queue(
        &mut self,
        m: &mut impl Machine,
        channel: ChannelId,
        pulse: NewPulse,
        owner: Owner,
    ) {
        if owner == Owner::Orphan && self.orphan_pulses >= limits::ORPHAN_PULSES {
            return;
        }
        let arrival = self.arrive();
        let NewPulse { code, value, priority, scoid } = pulse;
        let (queued, charged) = (Link::NONE, Link::NONE);
        let new = Pulse {
            owner,
            channel,
            code,
            value,
            scoid,
            count: 1,
            priority,
            arrival,
            queued,
            charged,
        };
        let Some(id) = self.pulses.insert(new) else { return };
        let mut queue = self.channels[channel].pulses;
        queue.insert_ordered(&mut self.pulses, id, |queued, new| queued.priority >= new.priority);
        self.channels[channel].pulses = queue;
        self.remember(owner, Some(id));
        match owner {
            Owner::Program(process) => {
                let mut own = self.processes[process].pulses;
                own.push_back(&mut self.pulses, id);
                let sender = &mut self.processes[process];
                sender.pulses = own;
                sender.pulse_count = sender.pulse_count.wrapping_add(1);
                self.program_pulses = self.program_pulses.wrapping_add(1);
            }
            Owner::Orphan => self.orphan_pulses = self.orphan_pulses.wrapping_add(1),
            Owner::Vacant
            | Owner::Disconnect(_)
            | Owner::Unblock(_)
            | Owner::Timer(_)
            | Owner::Interrupt(_)
            | Owner::Watch(_)
            | Owner::Notice(..) => {}
        }
        self.boost_servers(m, channel);
    }

    /// Raises the servers of a channel to what its queue asks for.
    pub(crate) fn boost_servers(&mut self, m: &mut impl Machine, channel: ChannelId) {
        // Bound: one turn for each server thread of the channel.
        let mut at = self.channels[channel].servers.first();
        while let Some(server) = at {
            at = List::<Thread, crate::thread::Server>::next(&self.threads, server);
            self.refresh(m, server);
        }
    }

    /// Takes a pulse out of its queue and tells what it said; its owner has its room back.
    pub(crate) fn pulse_take(&mut self, channel: ChannelId, id: PulseId) -> (NewPulse, u32) {
        let mut queue = self.channels[channel].pulses;
        queue.remove(&mut self.pulses, id);
        self.channels[channel].pulses = queue;
        let owner = self.pulses[id].owner;
        self.remember(owner, None);
        match owner {
            Owner::Program(process) => {
                let mut own = self.processes[process].pulses;
                own.remove(&mut self.pulses, id);
                let sender = &mut self.processes[process];
                sender.pulses = own;
                sender.pulse_count = sender.pulse_count.wrapping_sub(1);
                self.program_pulses = self.program_pulses.wrapping_sub(1);
            }
            Owner::Orphan => self.orphan_pulses = self.orphan_pulses.wrapping_sub(1),
            Owner::Disconnect(connection) => self.connection_free(connection),
            Owner::Vacant
            | Owner::Unblock(_)
            | Owner::Timer(_)
            | Owner::Interrupt(_)
            | Owner::Watch(_)
            | Owner::Notice(..) => {}
        }
        let Pulse { code, value, priority, scoid, count, .. } = self.pulses.remove(id);
        (NewPulse { code, value, priority, scoid }, count)
    }

    /// Drops a pulse whose channel goes away.
    pub(crate) fn pulse_drop(&mut self, channel: ChannelId, id: PulseId) {
        let owner = self.pulses[id].owner;
        if let Owner::Disconnect(connection) = owner
            && self.connections[connection].phase == Phase::Vacant
        {
            debug_assert!(false, "I6: a queued disconnect of a free connection");
        }
        self.pulse_take(channel, id);
    }

    /// What a process that goes away has queued is nobody's from now on.
    // Bound: PROGRAM_PULSES_EACH, and three notices.
    pub(crate) fn pulses_orphan(&mut self, process: ProcessId) {
        while let Some(id) = self.processes[process].pulses.first() {
            let mut own = self.processes[process].pulses;
            own.remove(&mut self.pulses, id);
            self.processes[process].pulses = own;
            self.program_pulses = self.program_pulses.wrapping_sub(1);
            self.orphan(id);
        }
        for place in 0..3 {
            if let Some(id) = self.processes[process].notices.get(place).copied().flatten() {
                self.orphan(id);
            }
        }
    }

    /// Gives a queued pulse to nobody.
    pub(crate) fn orphan(&mut self, id: PulseId) {
        let owner = self.pulses[id].owner;
        self.remember(owner, None);
        self.pulses[id].owner = Owner::Orphan;
        self.orphan_pulses = self.orphan_pulses.wrapping_add(1);
    }

    /// Puts a receiving thread on its channel's queue.
    pub(crate) fn queue_receiver(&mut self, channel: ChannelId, t: ThreadId, all: bool) {
        let mut queue: List<Thread, Queue> = if all {
            self.channels[channel].receivers
        } else {
            self.channels[channel].pulse_receivers
        };
        queue.push_front(&mut self.threads, t);
        if all {
            self.channels[channel].receivers = queue;
        } else {
            self.channels[channel].pulse_receivers = queue;
        }
    }
}
