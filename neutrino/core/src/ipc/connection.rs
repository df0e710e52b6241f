//! Connections: capabilities to send to a channel.
//!
//! A connection object is shared by every handle on it, in whatever process; a message on its way
//! and an event that will go through it hold references too. When the last is gone, the server
//! gets one disconnect pulse, for which the object itself has the room: it stays until the pulse
//! is received. I6: a connection is on the list of its channel, or its channel is gone.

use neutrino_abi::Errno;
use neutrino_abi::handle::{self, COF_CLOEXEC, COF_DEAD, COF_NOEVENT, COF_NOSHARE, ready};
use neutrino_abi::message::chf;
use neutrino_abi::process::Credentials;
use neutrino_abi::pulse;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Handle, Place as HandlePlace, Target};
use crate::ipc::channel::{Channel, ChannelId};
use crate::ipc::pulse::{NewPulse, Owner};
use crate::ipc::watch::{OfConnection, Watch};
use crate::limits;
use crate::list::{Link, List};
use crate::machine::{Machine, Place};
use crate::poll::{ByConnection, PollNode};
use crate::process::ProcessId;
use crate::slab::{Id, Maybe, Slot};
use crate::thread::{Priority, State, ThreadId, linked};

/// Index of a [`Connection`]; the scoid is its number.
pub type ConnectionId = Id<Connection>;

/// What a connection is at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The slot is free.
    Vacant,
    /// Somebody holds it.
    Open,
    /// Only its last message holds it: nobody else can any more.
    Leaving,
    /// The server has answered that message and needs no pulse; only within the entry.
    LetGo,
    /// Nobody does; its disconnect pulse is queued.
    Closing,
}

/// Lists of the connections to a channel.
#[derive(Clone, Copy, Debug)]
pub enum OfChannel {}

/// One connection.
#[derive(Clone, Debug, Hash)]
pub struct Connection {
    pub(crate) phase: Phase,
    /// Where it leads; none if that is gone.
    pub(crate) channel: Maybe<Channel>,
    pub(crate) of_channel: Link<Connection>,
    /// Handles, messages on their way and events.
    pub(crate) references: u32,
    /// The server's name for it.
    pub(crate) badge: u64,
    /// The readiness word.
    pub(crate) ready: u32,
    /// Threads that poll it.
    pub(crate) pollers: List<PollNode, ByConnection>,
    /// What is told when the word is set.
    pub(crate) watches: List<Watch, OfConnection>,
}

impl Slot for Connection {
    const VACANT: Self = Self {
        phase: Phase::Vacant,
        channel: Maybe::NOBODY,
        of_channel: Link::NONE,
        references: 0,
        badge: 0,
        ready: 0,
        pollers: List::EMPTY,
        watches: List::EMPTY,
    };
    fn is_vacant(&self) -> bool {
        self.phase == Phase::Vacant
    }
}
linked!(Connection, OfChannel, of_channel);

/// The flags that a caller may set.
const SETTABLE: u32 = COF_CLOEXEC | COF_NOSHARE | COF_NOEVENT;

/// The settable flags in a call's argument.
pub(crate) fn handle_bits(flags: u32) -> u16 {
    u16::try_from(flags & SETTABLE).unwrap_or(0)
}

impl Kernel {
    /// `ConnectAttach`.
    pub(crate) fn connect_attach(
        &mut self,
        t: ThreadId,
        target: (u32, u32),
        minimum: u32,
        flags: u32,
        badge: u64,
    ) -> Result<Outcome, Errno> {
        let (process, chid) = target;
        let caller = self.process_of(t);
        let server = self.process_argument(caller, process)?;
        let channel = self.handle_channel(server, chid).map_err(|_| Errno::ESRCH)?;
        if server != caller && self.channels[channel].has(chf::PRIVATE) {
            return Err(Errno::EPERM);
        }
        self.handle_room(caller, minimum)?;
        let connection = self.connection_create(channel, badge, 0)?;
        // Commit: nothing below fails.
        let handle = Handle { target: Target::Connection(connection), flags: handle_bits(flags) };
        let coid = self.handle_add(caller, minimum, handle)?;
        Ok(Outcome::value(coid))
    }

    /// Makes a connection with one reference.
    ///
    /// # Errors
    /// EAGAIN: a limit is reached.
    pub(crate) fn connection_create(
        &mut self,
        channel: ChannelId,
        badge: u64,
        ready: u32,
    ) -> Result<ConnectionId, Errno> {
        let server = self.channels[channel].process;
        if self.processes[server].connection_count >= limits::CONNECTIONS_EACH {
            return Err(Errno::EAGAIN);
        }
        let connection = Connection {
            phase: Phase::Open,
            channel: Maybe::new(Some(channel)),
            references: 1,
            badge,
            ready,
            ..Connection::VACANT
        };
        let id = self.connections.insert(connection).ok_or(Errno::EAGAIN)?;
        self.channels[channel].connections.push_back(&mut self.connections, id);
        let count = &mut self.processes[server].connection_count;
        *count = count.wrapping_add(1);
        Ok(id)
    }

    /// Adds a reference.
    pub(crate) fn connection_share(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id];
        connection.references = connection.references.wrapping_add(1);
    }

    /// Drops a reference; with the last one the server is told.
    pub(crate) fn connection_release(&mut self, m: &mut impl Machine, id: ConnectionId) {
        let connection = &mut self.connections[id];
        connection.references = connection.references.wrapping_sub(1);
        if connection.references > 0 {
            return;
        }
        let (badge, channel) = (connection.badge, connection.channel.get());
        let is_let_go = connection.phase == Phase::LetGo;
        self.poll_cut(m, id);
        self.watches_cut(m, id);
        let Some(channel) = channel else {
            self.connections.remove(id);
            return;
        };
        if is_let_go || !self.channels[channel].has(chf::DISCONNECT) {
            self.connection_free(id);
            return;
        }
        self.connections[id].phase = Phase::Closing;
        let scoid = u32::from(id.index());
        let priority = self.caller_priority();
        let pulse = NewPulse { code: pulse::DISCONNECT, value: badge, priority, scoid };
        self.pulse_send(m, channel, pulse, Owner::Disconnect(id));
    }

    /// The priority of what happens now: the current thread's.
    pub(crate) fn caller_priority(&self) -> Priority {
        self.caller.map_or(Priority::system(10), |t| self.threads[t].effective)
    }

    /// Frees a connection to a live channel.
    pub(crate) fn connection_free(&mut self, id: ConnectionId) {
        if let Some(channel) = self.connections[id].channel.get() {
            self.channels[channel].connections.remove(&mut self.connections, id);
            let server = self.channels[channel].process;
            let count = &mut self.processes[server].connection_count;
            *count = count.wrapping_sub(1);
        }
        self.connections.remove(id);
    }

    /// Cuts a connection off its channel, which goes away.
    pub(crate) fn connection_orphan(&mut self, m: &mut impl Machine, id: ConnectionId) {
        if let Some(channel) = self.connections[id].channel.get() {
            self.connections[id].channel = Maybe::NOBODY;
            self.channels[channel].connections.remove(&mut self.connections, id);
            let server = self.channels[channel].process;
            let count = &mut self.processes[server].connection_count;
            *count = count.wrapping_sub(1);
        }
        if self.connections[id].phase == Phase::Closing {
            self.connections.remove(id);
            return;
        }
        self.connections[id].ready = ready::HUP | ready::ERR;
        self.poll_wake(m, id);
        self.watches_fire(m, id);
        self.tell_coid_death(m, id);
    }

    /// Sends COIDDEATH pulses to the processes that asked for them and hold a handle on `dead`.
    // Bound: the handles of those processes.
    fn tell_coid_death(&mut self, m: &mut impl Machine, dead: ConnectionId) {
        let mut at = Id::from_index(1);
        while let Some(process) = at {
            at = process.index().checked_add(1).and_then(Id::from_index);
            if usize::from(process.index()) >= limits::PROCESSES {
                break;
            }
            if let Some(channel) = self.processes[process].coid_death
                && let Some(coid) = self.coid_of(process, dead)
            {
                let value = u64::from(coid);
                let priority = self.caller_priority();
                let pulse = NewPulse { code: pulse::COIDDEATH, value, priority, scoid: 0 };
                self.pulse_send(m, channel, pulse, Owner::Orphan);
            }
        }
    }

    fn coid_of(&self, process: ProcessId, connection: ConnectionId) -> Option<u32> {
        let table = &self.processes[process].handles;
        let mut from = HandlePlace::from_number(0)?;
        while let Some((place, handle)) = table.next(&self.chunks, from) {
            if handle.target == Target::Connection(connection) {
                return Some(place.number());
            }
            from = place.next()?;
        }
        None
    }

    /// `ConnectDetach`, and every other close.
    pub(crate) fn handle_close(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        number: u32,
    ) -> Result<Outcome, Errno> {
        let place = HandlePlace::from_number(number).ok_or(Errno::EBADF)?;
        let handle = self.handle_take(self.process_of(t), place).ok_or(Errno::EBADF)?;
        self.target_release(m, handle.target);
        Ok(Outcome::DONE)
    }

    /// `ConnectFlags`.
    pub(crate) fn connect_flags(
        &mut self,
        t: ThreadId,
        coid: u32,
        mask: u32,
        bits: u32,
    ) -> Result<Outcome, Errno> {
        let process = self.process_of(t);
        let handle = self.handle(process, coid).ok_or(Errno::EBADF)?;
        let place = HandlePlace::from_number(coid).ok_or(Errno::EBADF)?;
        let new = handle.flags & !handle_bits(mask) | handle_bits(mask & bits);
        self.handle_flags(process, place, new);
        Ok(Outcome::value(self.visible_flags(handle)))
    }

    /// The `COF_*` flags of a handle, with the one that the kernel finds out.
    pub(crate) fn visible_flags(&self, handle: Handle) -> u32 {
        let Target::Connection(id) = handle.target else { return u32::from(handle.flags) };
        let dead = if self.connections[id].channel.get().is_none() { COF_DEAD } else { 0 };
        u32::from(handle.flags) | dead
    }

    /// A handle that may be copied: not of what tells its holder something.
    ///
    /// # Errors
    /// EBADF.
    pub(crate) fn handle_to_copy(&self, process: ProcessId, number: u32) -> Result<Handle, Errno> {
        let handle = self.handle(process, number).ok_or(Errno::EBADF)?;
        match handle.target {
            Target::Connection(_)
            | Target::Object(_)
            | Target::Space(_)
            | Target::Process(_)
            | Target::Port(_) => Ok(handle),
            Target::Interrupt(id) if self.interrupt_is_passed(id) => Ok(handle),
            Target::None
            | Target::Channel(_)
            | Target::Timer(_)
            | Target::Interrupt(_)
            | Target::Watch(_) => Err(Errno::EBADF),
        }
    }

    /// `ConnectDup`.
    pub(crate) fn connect_dup(
        &mut self,
        t: ThreadId,
        coid: u32,
        minimum: u32,
        flags: u32,
    ) -> Result<Outcome, Errno> {
        let process = self.process_of(t);
        let Handle { target, .. } = self.handle_to_copy(process, coid)?;
        let copy = Handle { target, flags: handle_bits(flags) };
        let number = self.handle_add(process, minimum, copy)?;
        self.target_share(target);
        Ok(Outcome::value(number))
    }

    /// `ConnectDupTo`.
    pub(crate) fn connect_dup_to(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        coid: u32,
        target_number: u32,
        flags: u32,
    ) -> Result<Outcome, Errno> {
        let process = self.process_of(t);
        let Handle { target, .. } = self.handle_to_copy(process, coid)?;
        let place = HandlePlace::from_number(target_number).ok_or(Errno::EBADF)?;
        if target_number < handle::FD_LIMIT && target_number >= self.processes[process].fd_limit {
            return Err(Errno::EBADF);
        }
        let old = self.handle(process, target_number);
        if old.is_none() && !self.chunks.has_room(1) {
            return Err(Errno::EAGAIN);
        }
        // Commit: nothing below fails.
        self.target_share(target);
        self.handle_take(process, place);
        self.handle_put(process, place, Handle { target, flags: handle_bits(flags) });
        if let Some(old) = old {
            self.target_release(m, old.target);
        }
        Ok(Outcome::value(target_number))
    }

    /// The connection that a server means by number and badge.
    ///
    /// # Errors
    /// EBADF: not one of its channels', or another badge.
    fn server_connection(
        &self,
        t: ThreadId,
        scoid: u32,
        badge: u64,
    ) -> Result<ConnectionId, Errno> {
        let id = self.connections.lookup(u64::from(scoid)).ok_or(Errno::EBADF)?;
        let connection = &self.connections[id];
        let channel = connection.channel.get().ok_or(Errno::EBADF)?;
        if self.channels[channel].process != self.process_of(t) || connection.badge != badge {
            return Err(Errno::EBADF);
        }
        Ok(id)
    }

    /// `ConnectReady`.
    pub(crate) fn connect_ready(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        scoid: u32,
        badge: u64,
        bits: u32,
    ) -> Result<Outcome, Errno> {
        let id = self.server_connection(t, scoid, badge)?;
        let came = bits & !self.connections[id].ready;
        self.connections[id].ready = bits;
        if came != 0 {
            self.poll_wake(m, id);
        }
        self.watches_fire(m, id);
        Ok(Outcome::DONE)
    }

    /// `ConnectClientInfo`.
    pub(crate) fn connect_client_info(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        who: (u64, u32),
        address: u64,
    ) -> Result<Outcome, Errno> {
        let client = match who {
            (0, scoid) => self.client_on(t, scoid).ok_or(Errno::EINVAL)?,
            (rcvid, _) => self.client(t, rcvid)?,
        };
        let process = &self.processes[self.process_of(client)];
        let credentials: Credentials = process.credentials;
        let both = i64::from(process.session).wrapping_shl(32) | i64::from(process.pid);
        self.store(m, Place { space: self.space(t), address }, &credentials)?;
        Ok(Outcome::Value(both))
    }

    /// A client that waits for a reply on a connection: the one that the caller serves, or another.
    // Bound: the table of threads.
    fn client_on(&self, t: ThreadId, scoid: u32) -> Option<ThreadId> {
        let waits = |client: &ThreadId| {
            matches!(self.threads[*client].state, State::Reply { channel, sending, .. }
                if u32::from(sending.connection.index()) == scoid
                    && self.channels[channel].process == self.process_of(t))
        };
        let mut next = self.threads.first_from(0);
        let all = core::iter::from_fn(|| {
            let client = next?;
            next = self.threads.first_from(client.index());
            Some(client)
        });
        self.threads[t].serving.get().filter(waits).or_else(|| { all }.find(waits))
    }
}
