//! Channels: where servers receive.

use neutrino_abi::Errno;
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::message::chf;
use neutrino_abi::pulse;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Handle, Place as HandlePlace, Target};
use crate::ipc::connection::{Connection, OfChannel};
use crate::ipc::pulse::{NewPulse, Owner, Pulse, Queued};
use crate::list::List;
use crate::machine::Machine;
use crate::process::ProcessId;
use crate::slab::{Id, Maybe, Slot};
use crate::thread::{Priority, Queue, Server, State, Thread, ThreadId};

/// Index of a [`Channel`].
pub type ChannelId = Id<Channel>;

/// Whether a channel slot is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Existence {
    /// It is free.
    Vacant,
    /// It is a channel.
    Exists,
}

/// A place where a server receives.
#[derive(Clone, Debug, Hash)]
pub struct Channel {
    pub(crate) existence: Existence,
    /// The server.
    pub(crate) process: ProcessId,
    /// Its number there.
    pub(crate) chid: u32,
    /// `CHF_*`.
    pub(crate) flags: u32,
    /// Queued senders.
    pub(crate) senders: List<Thread, Queue>,
    /// Queued pulses.
    pub(crate) pulses: List<Pulse, Queued>,
    /// Threads in `MsgReceive`.
    pub(crate) receivers: List<Thread, Queue>,
    /// Threads in `MsgReceivePulse`.
    pub(crate) pulse_receivers: List<Thread, Queue>,
    /// Threads that received here last: those a queued client boosts, if they do not wait.
    pub(crate) servers: List<Thread, Server>,
    /// Connections to it.
    pub(crate) connections: List<Connection, OfChannel>,
}

impl Slot for Channel {
    const VACANT: Self = Self {
        existence: Existence::Vacant,
        process: Id::NOBODY,
        chid: 0,
        flags: 0,
        senders: List::EMPTY,
        pulses: List::EMPTY,
        receivers: List::EMPTY,
        pulse_receivers: List::EMPTY,
        servers: List::EMPTY,
        connections: List::EMPTY,
    };
    fn is_vacant(&self) -> bool {
        self.existence == Existence::Vacant
    }
}

impl Channel {
    /// Whether it has a `CHF_*` flag.
    pub(crate) const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

impl Kernel {
    /// `ChannelCreate`.
    pub(crate) fn channel_create(&mut self, t: ThreadId, flags: u32) -> Result<Outcome, Errno> {
        if flags & !chf::ALL != 0 {
            return Err(Errno::EINVAL);
        }
        let process = self.process_of(t);
        let first = SIDE_CHANNEL.wrapping_add(1);
        self.handle_room(process, first)?;
        let channel = Channel { existence: Existence::Exists, process, flags, ..Channel::VACANT };
        let id = self.channels.insert(channel).ok_or(Errno::EAGAIN)?;
        // Commit: nothing below fails.
        let handle = Handle { target: Target::Channel(id), flags: 0 };
        let number = self.handle_add(process, first, handle)?;
        let chid = number & !SIDE_CHANNEL;
        self.channels[id].chid = chid;
        let owner = &mut self.processes[process];
        if flags & chf::THREAD_DEATH != 0 {
            owner.thread_death = Some(id);
        }
        if flags & chf::COID_DISCONNECT != 0 {
            owner.coid_death = Some(id);
        }
        Ok(Outcome::value(chid))
    }

    /// `ChannelDestroy`.
    pub(crate) fn channel_destroy(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        chid: u32,
    ) -> Result<Outcome, Errno> {
        let process = self.process_of(t);
        let id = self.handle_channel(process, chid)?;
        if let Some(place) = HandlePlace::from_number(chid | SIDE_CHANNEL) {
            self.handle_take(process, place);
        }
        self.channel_end(m, id);
        Ok(Outcome::DONE)
    }

    /// Ends a channel whose handle is gone: frees everybody who waits on it, drops its pulses, and
    /// leaves its connections dead.
    // Bound: one turn for each client, pulse and connection of the channel.
    pub(crate) fn channel_end(&mut self, m: &mut impl Machine, id: ChannelId) {
        // First, so that nothing below is told to the channel itself.
        let owner = &mut self.processes[self.channels[id].process];
        if owner.thread_death == Some(id) {
            owner.thread_death = None;
        }
        if owner.coid_death == Some(id) {
            owner.coid_death = None;
        }
        if self.manager == Some(id) {
            self.manager = None;
        }
        while let Some(client) = self.channels[id].senders.first() {
            self.wake_with(m, client, Err(Errno::ESRCH));
        }
        self.free_clients(m, id);
        while let Some(server) = self.channels[id].receivers.first() {
            self.wake_with(m, server, Err(Errno::EBADF));
        }
        while let Some(server) = self.channels[id].pulse_receivers.first() {
            self.wake_with(m, server, Err(Errno::EBADF));
        }
        while let Some(server) = self.channels[id].servers.first() {
            self.stop_serving(server);
            self.refresh(m, server);
        }
        while let Some(pulse) = self.channels[id].pulses.first() {
            self.pulse_drop(id, pulse);
        }
        while let Some(connection) = self.channels[id].connections.first() {
            self.connection_orphan(m, connection);
        }
        self.channels.remove(id);
    }

    /// Frees everybody who waits for a reply. They are on no list, so that sends and replies need
    /// not keep one.
    // Bound: the table of threads.
    fn free_clients(&mut self, m: &mut impl Machine, id: ChannelId) {
        let mut next = self.threads.first_from(0);
        while let Some(t) = next {
            next = self.threads.first_from(t.index());
            if matches!(self.threads[t].state, State::Reply { channel, .. } if channel == id) {
                self.wake_with(m, t, Err(Errno::ESRCH));
            }
        }
    }

    /// The priority that a channel's queue asks of its servers.
    pub(crate) fn queue_priority(&self, id: ChannelId) -> Priority {
        let channel = &self.channels[id];
        if channel.has(chf::FIXED_PRIORITY) {
            return Priority::default();
        }
        let sender = channel.senders.first().map(|sender| self.threads[sender].effective);
        let pulse = channel.pulses.first().map(|pulse| self.pulses[pulse].priority);
        sender.max(pulse).unwrap_or_default()
    }

    /// Whether the queued pulse comes before the queued sender.
    pub(crate) fn pulse_is_first(&self, id: ChannelId) -> bool {
        let channel = &self.channels[id];
        let Some(pulse) = channel.pulses.first() else { return false };
        let Some(sender) = channel.senders.first() else { return true };
        let (pulse, sender) = (&self.pulses[pulse], &self.threads[sender]);
        if pulse.priority.0 == sender.effective.0 {
            pulse.arrival < sender.arrival
        } else {
            pulse.priority.0 > sender.effective.0
        }
    }

    /// The next number of arrival.
    pub(crate) const fn arrive(&mut self) -> u64 {
        self.arrivals = self.arrivals.wrapping_add(1);
        self.arrivals
    }

    /// Tells a process's channel with `CHF_THREAD_DEATH` of the end of one of its threads.
    pub(crate) fn tell_thread_death(&mut self, m: &mut impl Machine, t: ThreadId) {
        let Thread { tid, effective, process, .. } = self.threads[t];
        if let Some(channel) = self.processes[process].thread_death {
            let value = u64::from(tid);
            let pulse = NewPulse { code: pulse::THREADDEATH, value, priority: effective, scoid: 0 };
            self.pulse_send(m, channel, pulse, Owner::Orphan);
        }
    }

    /// Makes a thread one of those that a channel's queue boosts.
    pub(crate) fn start_serving(&mut self, t: ThreadId, channel: ChannelId) {
        if self.threads[t].serves != Some(channel) {
            self.stop_serving(t);
            self.threads[t].serves = Some(channel);
            self.channels[channel].servers.push_back(&mut self.threads, t);
        }
    }

    /// Ends what a thread owes to a channel and to the client that it serves.
    pub(crate) fn stop_serving(&mut self, t: ThreadId) {
        if let Some(channel) = self.threads[t].serves.take() {
            self.channels[channel].servers.remove(&mut self.threads, t);
        }
        self.leave_client(t);
    }

    fn leave_client(&mut self, t: ThreadId) {
        let client = core::mem::replace(&mut self.threads[t].serving, Maybe::NOBODY);
        if let Some(client) = client.get() {
            self.threads[client].served_by = Maybe::NOBODY;
        }
    }

    /// A thread that receives has done with what it received before.
    pub(crate) fn serve_nobody(&mut self, t: ThreadId) {
        self.leave_client(t);
        self.threads[t].inherited = None;
    }

    /// The channel that a blocked thread waits on, if it does.
    pub(crate) fn channel_waited_on(&self, t: ThreadId) -> Option<ChannelId> {
        self.threads[t].state.channel()
    }
}
