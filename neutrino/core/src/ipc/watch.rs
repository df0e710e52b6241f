//! Watches: an event each time that the readiness word of a connection is set, and one when the
//! connection is gone. A watch is no reference: who watches a descriptor does not keep it open.
//!
//! What Linux programs know as `epoll` is built on them, in user space (the pipe server). The words
//! themselves are read with `ConnectPoll`, which takes a watch for its connection.

use neutrino_abi::Errno;
use neutrino_abi::event::Event;
use neutrino_abi::handle::SIDE_CHANNEL;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Handle, Target};
use crate::ipc::connection::ConnectionId;
use crate::ipc::event::Action;
use crate::ipc::pulse::{Owner, PulseId};
use crate::list::{Link, List};
use crate::machine::{Machine, Place};
use crate::process::ProcessId;
use crate::slab::{Id, Slot};
use crate::thread::{ThreadId, linked};

/// Index of a [`Watch`].
pub type WatchId = Id<Watch>;

/// Lists of the watches of a connection.
#[derive(Clone, Copy, Debug)]
pub enum OfConnection {}

/// A watch.
#[derive(Clone, Debug, Hash)]
pub struct Watch {
    process: Option<ProcessId>,
    /// What is watched; none: it is gone.
    connection: Option<ConnectionId>,
    of_connection: Link<Watch>,
    action: Action,
    pub(crate) pulse: Option<PulseId>,
}

impl Slot for Watch {
    const VACANT: Self = Self {
        process: None,
        connection: None,
        of_connection: Link::NONE,
        action: Action::None,
        pulse: None,
    };
    fn is_vacant(&self) -> bool {
        self.process.is_none()
    }
}
linked!(Watch, OfConnection, of_connection);

impl Watch {
    /// What happens when the word is set.
    pub(crate) const fn action(&self) -> Action {
        self.action
    }

    /// What is watched, while it is there.
    pub(crate) const fn connection(&self) -> Option<ConnectionId> {
        self.connection
    }
}

impl Kernel {
    /// `ConnectWatch`.
    pub(crate) fn connect_watch(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        coid: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let process = self.process_of(t);
        let connection = self.handle_connection(process, coid)?;
        let event: Event = self.load(m, Place { space: self.space(t), address })?;
        self.handle_room(process, SIDE_CHANNEL)?;
        if !self.watches.has_room(1) {
            return Err(Errno::EAGAIN);
        }
        let action = self.event_decode(t, &event)?;
        // Commit: nothing below fails.
        let new =
            Watch { process: Some(process), connection: Some(connection), action, ..Watch::VACANT };
        let id = self.watches.insert(new).ok_or(Errno::EAGAIN)?;
        let mut watches = self.connections[connection].watches;
        watches.push_back(&mut self.watches, id);
        self.connections[connection].watches = watches;
        let handle = Handle { target: Target::Watch(id), flags: 0 };
        self.handle_add(process, SIDE_CHANNEL, handle).map(Outcome::value)
    }

    /// The readiness word of a connection was set.
    // Bound: its watches.
    pub(crate) fn watches_fire(&mut self, m: &mut impl Machine, connection: ConnectionId) {
        let mut at = self.connections[connection].watches.first();
        while let Some(id) = at {
            at = List::<Watch, OfConnection>::next(&self.watches, id);
            self.watch_fire(m, id);
        }
    }

    /// Nobody holds a connection any more.
    // Bound: its watches.
    pub(crate) fn watches_cut(&mut self, m: &mut impl Machine, connection: ConnectionId) {
        while let Some(id) = self.connections[connection].watches.first() {
            self.watch_unlink(id);
            self.watch_fire(m, id);
        }
    }

    fn watch_fire(&mut self, m: &mut impl Machine, id: WatchId) {
        let Watch { process, action, .. } = self.watches[id];
        if let Some(process) = process {
            self.event_fire(m, process, &action, Owner::Watch(id));
        }
    }

    fn watch_unlink(&mut self, id: WatchId) {
        if let Some(connection) = self.watches[id].connection.take() {
            let mut watches = self.connections[connection].watches;
            watches.remove(&mut self.watches, id);
            self.connections[connection].watches = watches;
        }
    }

    /// A watch's handle is gone.
    pub(crate) fn watch_end(&mut self, m: &mut impl Machine, id: WatchId) {
        self.watch_unlink(id);
        if let Some(pulse) = self.watches[id].pulse {
            self.orphan(pulse);
        }
        let Watch { action, .. } = self.watches.remove(id);
        self.event_release(m, &action);
    }
}
