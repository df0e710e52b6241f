//! Priority inheritance: a thread's effective priority as a function of who waits for it.
//!
//! QNX's rule: a server thread runs at the priority of the client that it received from, up or
//! down; a client that queues behind it raises it at once; after the reply it keeps what it has
//! until the next receive. The owner of a mutex runs at no less than its most important waiter.

use crate::Kernel;
use crate::limits;
use crate::list::List;
use crate::machine::Machine;
use crate::sched::End;
use crate::thread::{Dirty, Priority, Server, State, ThreadId, precedes};

/// Whether a priority became another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    Made,
}

/// Whether threads that wait for each other in a cycle may still have what only they give.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knot {
    Possible,
    Undone,
}

impl Kernel {
    /// The priority that a thread ought to have (I7).
    // Bound: one turn for each contended mutex of the thread.
    pub(crate) fn wanted(&self, t: ThreadId) -> Priority {
        let thread = &self.threads[t];
        let served = thread.serving.get().map(|client| self.threads[client].effective);
        let mut wanted = served.or(thread.inherited).unwrap_or(thread.base);
        if let Some(channel) = thread.serves
            && !matches!(thread.state, State::Receive { .. })
        {
            wanted = wanted.lent(self.queue_priority(channel));
        }
        for mutex in thread.mutexes.iter(&self.mutexes) {
            if let Some(waiter) = self.mutexes[mutex].waiters.first() {
                wanted = wanted.lent(self.threads[waiter].effective);
            }
        }
        wanted
    }

    /// Restores I7 for a thread and for all whose priority depends on it.
    // Bound: a thread comes again only if its priority has changed; then so many turns as there are
    // threads, times four.
    pub(crate) fn refresh(&mut self, m: &mut impl Machine, t: ThreadId) {
        self.dirty_add(t);
        let mut turns = limits::THREADS.saturating_mul(4);
        let mut knot = Knot::Possible;
        while let Some(next) = self.dirty.pop_front(&mut self.threads) {
            self.threads[next].is_dirty = false;
            turns = turns.saturating_sub(1);
            if turns == 0 || self.refresh_one(m, next) == Change::Made || knot == Knot::Undone {
                continue;
            }
            if self.is_knotted(next) {
                self.loosen();
                knot = Knot::Undone;
            }
        }
    }

    /// Says whether it was not there yet.
    fn dirty_add(&mut self, t: ThreadId) -> bool {
        let was_dirty = core::mem::replace(&mut self.threads[t].is_dirty, true);
        if !was_dirty {
            self.dirty.push_back(&mut self.threads, t);
        }
        !was_dirty
    }

    fn refresh_one(&mut self, _m: &mut impl Machine, t: ThreadId) -> Change {
        let wanted = self.wanted(t);
        if let Some(client) = self.threads[t].serving.get() {
            self.threads[t].inherited = Some(self.threads[client].effective);
        }
        if wanted == self.threads[t].effective {
            return Change::None;
        }
        self.trace_priority(t, wanted);
        self.set_effective(t, wanted);
        self.dirty_add_raised(t);
        Change::Made
    }

    /// Adds those whom a thread raises by waiting for them; says whether all are new.
    // Bound: the threads that serve the channel where it queues.
    fn dirty_add_raised(&mut self, t: ThreadId) -> bool {
        let mut at = match self.threads[t].state {
            State::Send { channel, .. } => self.channels[channel].servers.first(),
            State::Reply { .. } => {
                let server = self.threads[t].served_by.get();
                return server.is_none_or(|server| self.dirty_add(server));
            }
            State::Mutex { mutex, .. } => return self.dirty_add(self.mutexes[mutex].owner),
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
            | State::Poll(_) => None,
        };
        let mut all_new = true;
        while let Some(server) = at {
            all_new &= self.dirty_add(server);
            at = List::<_, Server>::next(&self.threads, server);
        }
        all_new
    }

    /// Whether a thread may raise itself, in a cycle of waits: a deadlock, which time-outs and
    /// signals can end. What it has may then come from nobody but itself. If so, it and all that it
    /// raises are left in `dirty`.
    // Bound: the threads that it raises.
    fn is_knotted(&mut self, t: ThreadId) -> bool {
        self.dirty_add(t);
        let (mut at, mut all_new) = (Some(t), true);
        while let Some(one) = at {
            all_new &= self.dirty_add_raised(one);
            at = List::<_, Dirty>::next(&self.threads, one);
        }
        let mut at = Some(t).filter(|_| all_new);
        while let Some(one) = at {
            at = List::<_, Dirty>::next(&self.threads, one);
            self.dirty.remove(&mut self.threads, one);
            self.threads[one].is_dirty = false;
        }
        !all_new
    }

    /// Takes what they have from all in `dirty` and from those whom they raise, if they raise
    /// anybody: what then rises from the bottom is the least solution of [`Kernel::wanted`].
    // Bound: the table of threads.
    fn loosen(&mut self) {
        let mut at = self.dirty.first();
        while let Some(one) = at {
            self.dirty_add_raised(one);
            if matches!(
                self.threads[one].state,
                State::Send { .. } | State::Reply { .. } | State::Mutex { .. }
            ) {
                self.set_effective(one, Priority::system(0));
            }
            at = List::<_, Dirty>::next(&self.threads, one);
        }
    }

    /// Changes the priority of a thread and its place in the queue that it is on.
    pub(crate) fn set_effective(&mut self, t: ThreadId, priority: Priority) {
        self.unsettled = true;
        self.touch(t);
        let raised = priority.0 > self.threads[t].effective.0;
        match self.threads[t].state {
            State::Ready => {
                self.dequeue(t);
                self.threads[t].effective = priority;
                self.enqueue(t, if raised { End::Back } else { End::Front });
            }
            State::Send { channel, .. } => {
                let mut queue = self.channels[channel].senders;
                queue.remove(&mut self.threads, t);
                self.threads[t].effective = priority;
                queue.insert_ordered(&mut self.threads, t, precedes);
                self.channels[channel].senders = queue;
            }
            State::Mutex { mutex, .. } => {
                let mut queue = self.mutexes[mutex].waiters;
                queue.remove(&mut self.threads, t);
                self.threads[t].effective = priority;
                queue.insert_ordered(&mut self.threads, t, precedes);
                self.mutexes[mutex].waiters = queue;
            }
            State::Futex { key, .. } => {
                self.futex_leave(t, &key);
                self.threads[t].effective = priority;
                self.futex_enter(t, &key);
            }
            State::Vacant
            | State::Running
            | State::Stopped
            | State::Receive { .. }
            | State::Reply { .. }
            | State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Nanosleep { .. }
            | State::Interrupt
            | State::Poll(_) => self.threads[t].effective = priority,
        }
    }
}
