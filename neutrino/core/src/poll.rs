//! `ConnectPoll`: one wait on many connections. Readiness is a word on each, which its server sets.

use neutrino_abi::Errno;
use neutrino_abi::handle::{POLL_AWAIT, PollEntry, ready};
use neutrino_abi::signal::SignalSet;
use neutrino_abi::wire::Wire;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::Target;
use crate::ipc::connection::ConnectionId;
use crate::list::{Link, List};
use crate::machine::{Machine, Place};
use crate::process::ProcessId;
use crate::slab::{Id, Slot};
use crate::thread::{State, ThreadId, linked};

/// Most entries of one poll: the descriptors that a process can have.
const ENTRIES_MAX: u32 = neutrino_abi::handle::FD_LIMIT;

/// Entries that are read at once.
const BATCH: usize = 32;
const BATCH_BYTES: u64 = (BATCH * PollEntry::SIZE) as u64;

/// What is done with the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    /// It is written back.
    Write,
}

/// The array that a thread polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Poll {
    entries: u64,
    count: u32,
    /// Signals that end the wait though they are blocked.
    awaited: SignalSet,
}

/// Lists of a thread's nodes.
#[derive(Clone, Copy, Debug)]
pub enum ByThread {}
/// Lists of a connection's nodes.
#[derive(Clone, Copy, Debug)]
pub enum ByConnection {}

/// A thread that polls a connection.
#[derive(Clone, Debug, Hash)]
pub struct PollNode {
    thread: Option<ThreadId>,
    connection: ConnectionId,
    by_thread: Link<PollNode>,
    by_connection: Link<PollNode>,
}

impl Slot for PollNode {
    const VACANT: Self = Self {
        thread: None,
        connection: Id::NOBODY,
        by_thread: Link::NONE,
        by_connection: Link::NONE,
    };
    fn is_vacant(&self) -> bool {
        self.thread.is_none()
    }
}
linked!(PollNode, ByThread, by_thread);
linked!(PollNode, ByConnection, by_connection);

/// The arguments of `ConnectPoll`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PollArgs {
    pub(crate) entries: u64,
    pub(crate) count: u32,
    pub(crate) timeout: u64,
    pub(crate) mask: u64,
    pub(crate) flags: u32,
}

impl Kernel {
    /// `ConnectPoll`.
    pub(crate) fn connect_poll(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        arguments: &PollArgs,
    ) -> Result<Outcome, Errno> {
        let PollArgs { entries, count, timeout, mask, flags } = *arguments;
        if count > ENTRIES_MAX || flags & !POLL_AWAIT != 0 {
            return Err(Errno::EINVAL);
        }
        let at = |address| Place { space: self.space(t), address };
        let (own, others) = (at(mask), at(mask.wrapping_add(8)));
        let new_mask: Option<SignalSet> = if mask == 0 { None } else { Some(self.load(m, own)?) };
        let awaited = if flags & POLL_AWAIT == 0 { 0 } else { self.load(m, others)? };
        let poll = Poll { entries, count, awaited };
        let ready = self.poll_evaluate(m, t, &poll)?;
        let old_mask = self.threads[t].mask;
        if let Some(mask) = new_mask {
            self.unsettled = true;
            self.threads[t].mask = mask & !crate::signal::UNBLOCKABLE;
        }
        if (self.deliverable(t) != 0 || self.pending(t) & awaited != 0) && ready == 0 {
            // SignalTake restores the old mask when the handler has been chosen.
            self.threads[t].saved_mask = new_mask.and(Some(old_mask));
            return Err(Errno::EINTR);
        }
        if ready > 0 || timeout == 0 {
            self.unsettled = true;
            self.threads[t].mask = old_mask;
            return Ok(Outcome::value(ready));
        }
        if let Err(errno) = self.poll_enter(m, t, &poll) {
            self.unsettled = true;
            self.threads[t].mask = old_mask;
            return Err(errno);
        }
        self.threads[t].saved_mask = new_mask.and(Some(old_mask));
        self.transition(t, State::Poll(poll));
        self.start_waiting(m, t);
        self.deadline_limit(t, m.now().saturating_add(timeout));
        Ok(Outcome::Blocked)
    }

    /// Reads the entries, a few at a time, and gives each to `each`; writes them back if that is
    /// wanted.
    // Bound: one turn for each entry, 1024.
    fn poll_each(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        (poll, access): (&Poll, Access),
        mut each: impl FnMut(&mut Self, &mut PollEntry) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let space = self.space(t);
        let mut entries = [PollEntry::default(); BATCH];
        let mut left = poll.count as usize;
        let mut address = poll.entries;
        while left > 0 {
            let count = left.min(BATCH);
            let bytes = ..count.saturating_mul(PollEntry::SIZE);
            let place = Place { space, address };
            self.memory.read(m, place, entries.bytes_mut().get_mut(bytes).unwrap_or_default())?;
            for entry in entries.iter_mut().take(count) {
                each(self, entry)?;
            }
            if access == Access::Write {
                self.memory.write(m, place, entries.bytes().get(bytes).unwrap_or_default())?;
            }
            left = left.saturating_sub(BATCH);
            address = address.wrapping_add(BATCH_BYTES);
        }
        Ok(())
    }

    /// Writes what is true of every entry; returns how many are.
    fn poll_evaluate(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        poll: &Poll,
    ) -> Result<u32, Errno> {
        let mut count = 0_u32;
        let process = self.process_of(t);
        self.poll_each(m, t, (poll, Access::Write), |kernel, entry| {
            let bits = match u32::try_from(entry.coid) {
                Err(_) => 0,
                Ok(coid) => kernel
                    .polled(process, coid)
                    .map_or(ready::NVAL, |id| kernel.connections[id].ready),
            };
            // IN and OUT also ask for their RDNORM and WRNORM twins.
            let asked = u32::from(entry.events.cast_unsigned());
            let shown = bits | (bits & (ready::IN | ready::OUT)).wrapping_shl(6);
            let told = shown & (asked | ready::ERR | ready::HUP | ready::NVAL);
            entry.revents = u16::try_from(told & 0xffff).unwrap_or(0).cast_signed();
            if entry.revents != 0 {
                count = count.wrapping_add(1);
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// The connection that an entry means, by a handle of it or of a watch on it.
    fn polled(&self, process: ProcessId, number: u32) -> Option<ConnectionId> {
        match self.handle(process, number)?.target {
            Target::Connection(id) => Some(id),
            Target::Watch(id) => self.watches[id].connection(),
            Target::None
            | Target::Channel(_)
            | Target::Object(_)
            | Target::Space(_)
            | Target::Process(_)
            | Target::Timer(_)
            | Target::Interrupt(_)
            | Target::Port(_) => None,
        }
    }

    fn poll_enter(&mut self, m: &mut impl Machine, t: ThreadId, poll: &Poll) -> Result<(), Errno> {
        let process = self.process_of(t);
        let entered = self.poll_each(m, t, (poll, Access::Read), |kernel, entry| {
            let coid = u32::try_from(entry.coid).ok();
            let id = coid.and_then(|coid| kernel.polled(process, coid));
            id.map_or(Ok(()), |id| kernel.poll_add(t, id))
        });
        if entered.is_err() {
            self.poll_leave(t);
        }
        entered
    }

    fn poll_add(&mut self, t: ThreadId, connection: ConnectionId) -> Result<(), Errno> {
        let new = PollNode { thread: Some(t), connection, ..PollNode::VACANT };
        let id = self.poll_nodes.insert(new).ok_or(Errno::EAGAIN)?;
        let mut own = self.threads[t].polls;
        List::<PollNode, ByThread>::push_back(&mut own, &mut self.poll_nodes, id);
        self.threads[t].polls = own;
        let mut pollers = self.connections[connection].pollers;
        List::<PollNode, ByConnection>::push_back(&mut pollers, &mut self.poll_nodes, id);
        self.connections[connection].pollers = pollers;
        Ok(())
    }

    /// Takes a thread off every connection that it polls.
    pub(crate) fn poll_leave(&mut self, t: ThreadId) {
        while let Some(id) = self.threads[t].polls.first() {
            let mut own = self.threads[t].polls;
            List::<PollNode, ByThread>::remove(&mut own, &mut self.poll_nodes, id);
            self.threads[t].polls = own;
            let connection = self.poll_nodes[id].connection;
            let mut pollers = self.connections[connection].pollers;
            List::<PollNode, ByConnection>::remove(&mut pollers, &mut self.poll_nodes, id);
            self.connections[connection].pollers = pollers;
            self.poll_nodes.remove(id);
        }
    }

    /// Nobody holds a connection any more: who polled it looks for the last time.
    // Bound: one turn for each poller; each looks at all its entries.
    pub(crate) fn poll_cut(&mut self, m: &mut impl Machine, connection: ConnectionId) {
        while let Some(node) = self.connections[connection].pollers.first() {
            let Some(t) = self.poll_nodes[node].thread else { return };
            let State::Poll(poll) = self.threads[t].state else { return };
            let result = self.poll_evaluate(m, t, &poll);
            self.wake_with(m, t, result.map(i64::from));
        }
    }

    /// A signal is pending: it ends a poll that awaits it.
    pub(crate) fn poll_signal(&mut self, m: &mut impl Machine, t: ThreadId, signal: SignalSet) {
        if matches!(self.threads[t].state, State::Poll(poll) if poll.awaited & signal != 0) {
            self.interrupt(m, t, Errno::EINTR);
        }
    }

    /// A connection became ready: its pollers look again.
    // Bound: one turn for each poller; each looks at all its entries.
    pub(crate) fn poll_wake(&mut self, m: &mut impl Machine, connection: ConnectionId) {
        let mut at = self.connections[connection].pollers.first();
        while let Some(node) = at {
            at = List::<PollNode, ByConnection>::next(&self.poll_nodes, node);
            let Some(t) = self.poll_nodes[node].thread else { continue };
            let State::Poll(poll) = self.threads[t].state else { continue };
            match self.poll_evaluate(m, t, &poll) {
                Ok(0) => {}
                result => {
                    self.wake_with(m, t, result.map(i64::from));
                    // Its nodes are gone, so begin again with the first that is left.
                    at = self.connections[connection].pollers.first();
                }
            }
        }
    }
}
