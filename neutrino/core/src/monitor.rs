//! The always-on monitor of priority inversion (I10): at the end of every kernel entry on the general
//! path it looks at the threads whose state or priority has changed there, and counts
//! - (a) a ready thread that outranks the one running on its CPU,
//! - (b) the owner of an inheriting mutex that runs below a waiter,
//! - (c) on an inheriting channel, a client that waits to be received, or for the answer of a thread
//!   that still serves it, and outranks every thread serving there.
//!
//! It asks who waits for whom directly and not by `priority::wanted`, whose mistakes it is to find.
//! Calls that leave open who runs are not followed by a look: what they touch waits for the next one.
//! An inversion that lasts is counted again whenever an entry touches one of its threads. The fast
//! path needs no look: both threads that it touches leave it at one priority.

use neutrino_abi::message::chf;

use crate::Kernel;
use crate::ipc::channel::ChannelId;
use crate::list::List;
use crate::slab::Maybe;
use crate::thread::{Server, State, Thread, ThreadId};

/// Threads that one entry can have looked at; the others are when they are touched next. Most
/// entries touch two.
const ROOM: usize = 16;

/// What it remembers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monitor {
    touched: [Maybe<Thread>; ROOM],
    count: usize,
    last: Maybe<Thread>,
    /// How often it has found one.
    pub(crate) inversions: u32,
}

impl Monitor {
    pub(crate) const NEW: Self =
        Self { touched: [Maybe::NOBODY; ROOM], count: 0, last: Maybe::NOBODY, inversions: 0 };
}

impl Kernel {
    /// Notes a thread whose state or priority has changed.
    #[inline(always)]
    pub(crate) fn touch(&mut self, t: ThreadId) {
        let Monitor { touched, count, last, .. } = &mut self.monitor;
        // Most threads are touched twice on end.
        if last.get() == Some(t) {
            return;
        }
        *last = Maybe::new(Some(t));
        if let Some(place) = touched.get_mut(*count) {
            *place = *last;
            *count = count.wrapping_add(1);
        }
    }

    /// Looks at what this entry has touched.
    // Bound: the threads noted, times the servers of a channel and the contended mutexes of a thread.
    pub(crate) fn watch_inversions(&mut self, cpu: usize) {
        let count = core::mem::take(&mut self.monitor.count);
        self.monitor.last = Maybe::NOBODY;
        let mut found = u32::from(self.is_outranked(cpu));
        for index in 0..count {
            let noted = self.monitor.touched.get(index).and_then(|noted| noted.get());
            found = found.wrapping_add(u32::from(noted.is_some_and(|t| self.is_inverted(t))));
        }
        if found != 0 {
            self.monitor.inversions = self.monitor.inversions.wrapping_add(found);
        }
    }

    /// (a)
    fn is_outranked(&self, cpu: usize) -> bool {
        let Some(own) = self.cpus.get(cpu) else { return false };
        let runs = own.current.get().map(|t| self.partitions.rank(self.threads[t].effective));
        own.highest(&self.partitions) > runs
    }

    /// (b) and (c), seen from one who waits and from one who is waited for. Priorities are compared
    /// first, since nearly always that settles it.
    #[inline(always)]
    fn is_inverted(&self, t: ThreadId) -> bool {
        let thread = &self.threads[t];
        let own = thread.effective.0;
        let outranks = |other: ThreadId| self.threads[other].effective.0 > own;
        if let Some(client) = thread.serving.get()
            && outranks(client)
            && self.waits_below(client)
        {
            return true;
        }
        if let Some(channel) = thread.serves
            && let Some(sender) = self.channels[channel].senders.first()
            && self.waits_below(sender)
        {
            return true;
        }
        match thread.state {
            State::Vacant => return false,
            State::Mutex { .. } | State::Send { .. } | State::Reply { .. } => {
                if self.waits_below(t) {
                    return true;
                }
            }
            State::Ready
            | State::Running
            | State::Stopped
            | State::Receive { .. }
            | State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Nanosleep { .. }
            | State::Futex { .. }
            | State::Interrupt
            | State::Poll(_) => {}
        }
        !thread.mutexes.is_empty() && self.owns_above(t)
    }

    /// (b), seen from the owner.
    #[inline(never)]
    fn owns_above(&self, t: ThreadId) -> bool {
        let own = self.threads[t].effective.0;
        self.threads[t].mutexes.iter(&self.mutexes).any(|mutex| {
            let waiter = self.mutexes[mutex].waiters.first();
            waiter.is_some_and(|waiter| self.threads[waiter].effective.0 > own)
        })
    }

    /// Whether a thread waits for somebody who runs below it.
    #[inline(never)]
    fn waits_below(&self, t: ThreadId) -> bool {
        match self.threads[t].state {
            State::Mutex { mutex, .. } => {
                self.threads[self.mutexes[mutex].owner].effective.0 < self.threads[t].effective.0
            }
            State::Send { channel, .. } => self.outranks_servers(t, channel),
            State::Reply { channel, .. } => match self.threads[t].served_by.get() {
                Some(server) if self.threads[server].effective.0 < self.threads[t].effective.0 => {
                    self.outranks_servers(t, channel)
                }
                Some(_) | None => false,
            },
            State::Vacant
            | State::Ready
            | State::Running
            | State::Stopped
            | State::Receive { .. }
            | State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Nanosleep { .. }
            | State::Futex { .. }
            | State::Interrupt
            | State::Poll(_) => false,
        }
    }

    /// Whether threads serve an inheriting channel, all of them below a client.
    fn outranks_servers(&self, client: ThreadId, id: ChannelId) -> bool {
        let channel = &self.channels[id];
        if channel.has(chf::FIXED_PRIORITY) {
            return false;
        }
        let own = self.threads[client].effective.0;
        let mut serving = 0_u32;
        let mut next = channel.servers.first();
        while let Some(server) = next {
            next = List::<Thread, Server>::next(&self.threads, server);
            if matches!(self.threads[server].state, State::Receive { .. }) {
                continue;
            }
            if self.threads[server].effective.0 >= own {
                return false;
            }
            serving = serving.wrapping_add(1);
        }
        serving != 0
    }
}
