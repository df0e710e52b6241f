//! What a checker that does not trust the kernel's own functions may see of its state: plain numbers.
//!
//! Objects are named by slot, 0 names none.

use crate::Kernel;
use crate::ipc::channel::ChannelId;
use crate::machine::ThreadSlot;
use crate::slab::{Id, Maybe};
use crate::thread::{State, Thread};

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Its turn: it runs or is ready.
    Nothing,
    /// It is held or stopped.
    Stopped,
    /// That somebody receives here.
    Send(u16),
    /// A message here.
    Receive(u16),
    /// An answer.
    Reply {
        /// From where.
        channel: u16,
        /// The thread that works for it now.
        server: u16,
        /// The upper part of its rcvid.
        sequence: u64,
    },
    /// The owner of a mutex.
    Mutex(u16),
    /// Something that no thread gives.
    Else,
}

/// One thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadView {
    /// Its slot.
    pub slot: u16,
    /// Its number.
    pub tid: u32,
    /// Its process.
    pub process: u16,
    /// Its own priority.
    pub base: u8,
    /// The priority it runs at.
    pub effective: u8,
    /// What it keeps of the client or pulse that it received last.
    pub inherited: Option<u8>,
    /// The channel where it received last.
    pub serves: u16,
    /// What it waits for.
    pub waits: Waits,
    /// Order among those that queue at a channel.
    pub arrival: u64,
    /// Whether its next call has a time-out.
    pub has_timeout: bool,
}

fn number<T>(id: Option<Id<T>>) -> u16 {
    Maybe::new(id).get().map_or(0, Id::index)
}

impl Kernel {
    /// Every thread.
    pub fn view(&self) -> impl Iterator<Item = ThreadView> {
        self.threads.iter().map(|(id, thread)| self.view_of(id, thread))
    }

    fn view_of(&self, id: Id<Thread>, thread: &Thread) -> ThreadView {
        ThreadView {
            slot: id.index(),
            tid: thread.tid,
            process: thread.process.index(),
            base: thread.base.0,
            effective: thread.effective.0,
            inherited: thread.inherited.map(|priority| priority.0),
            serves: number(thread.serves),
            waits: self.waits(thread),
            arrival: thread.arrival,
            has_timeout: thread.timeout.is_some(),
        }
    }

    fn waits(&self, thread: &Thread) -> Waits {
        match thread.state {
            State::Vacant | State::Ready | State::Running => Waits::Nothing,
            State::Stopped => Waits::Stopped,
            State::Send { channel, .. } => Waits::Send(channel.index()),
            State::Receive { channel, .. } => Waits::Receive(channel.index()),
            State::Reply { channel, sequence, .. } => Waits::Reply {
                channel: channel.index(),
                server: number(thread.served_by.get()),
                sequence,
            },
            State::Mutex { mutex, .. } => Waits::Mutex(self.mutexes[mutex].owner.index()),
            State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Nanosleep { .. }
            | State::Futex { .. }
            | State::Interrupt
            | State::Poll(_) => Waits::Else,
        }
    }

    /// Whether a channel's slot is in use.
    #[must_use]
    pub fn has_channel(&self, channel: u16) -> bool {
        self.channels.lookup(channel.into()).is_some()
    }

    /// The channel behind a thread's chid; 0: none.
    #[must_use]
    pub fn channel_at(&self, thread: ThreadSlot, chid: u32) -> u16 {
        let process = Id::from_index(thread.0).map(|t| self.process_of(t));
        number(process.and_then(|process| self.handle_channel(process, chid).ok()))
    }

    /// Priority and arrival of every pulse that is queued at a channel.
    pub fn pulses_at(&self, channel: u16) -> impl Iterator<Item = (u8, u64)> {
        let own: Option<ChannelId> = Id::from_index(channel);
        let all = self.pulses.iter().filter(move |(_, pulse)| Some(pulse.channel) == own);
        all.map(|(_, pulse)| (pulse.priority.0, pulse.arrival))
    }
}
