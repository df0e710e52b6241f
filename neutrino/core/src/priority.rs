//! Priority inheritance: a thread's effective priority as a function of who waits for it.
//!
//! QNX's rule: a server thread runs at the priority of the client that it received from, up or
//! down; a client that queues behind it raises it at once; after the reply it keeps what it has
//! until the next receive. The owner of a mutex runs at no less than its most important waiter.

use crate::Kernel;
use crate::limits;
use crate::machine::Machine;
use crate::sched::End;
use crate::thread::{Priority, State, ThreadId, precedes};

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
            wanted = wanted.max(self.queue_priority(channel));
        }
        for mutex in thread.mutexes.iter(&self.mutexes) {
            if let Some(waiter) = self.mutexes[mutex].waiters.first() {
                wanted = wanted.max(self.threads[waiter].effective);
            }
        }
        wanted
    }

    /// Restores I7 for a thread and for all whose priority depends on it.
    // Bound: a thread comes again only if its priority has changed; cycles are cut after so many
    // turns as there are threads, times four.
    pub(crate) fn refresh(&mut self, m: &mut impl Machine, t: ThreadId) {
        self.dirty_add(t);
        let mut turns = limits::THREADS.saturating_mul(4);
        while let Some(next) = self.dirty.pop_front(&mut self.threads) {
            self.threads[next].is_dirty = false;
            turns = turns.saturating_sub(1);
            if turns > 0 {
                self.refresh_one(m, next);
            }
        }
    }

    fn dirty_add(&mut self, t: ThreadId) {
        if !self.threads[t].is_dirty {
            self.threads[t].is_dirty = true;
            self.dirty.push_back(&mut self.threads, t);
        }
    }

    fn refresh_one(&mut self, _m: &mut impl Machine, t: ThreadId) {
        let wanted = self.wanted(t);
        if let Some(client) = self.threads[t].serving.get() {
            self.threads[t].inherited = Some(self.threads[client].effective);
        }
        if wanted == self.threads[t].effective {
            return;
        }
        self.set_effective(t, wanted);
        match self.threads[t].state {
            State::Send { channel, .. } => {
                let mut at = self.channels[channel].servers.first();
                while let Some(server) = at {
                    self.dirty_add(server);
                    at = crate::list::List::<_, crate::thread::Server>::next(&self.threads, server);
                }
            }
            State::Reply { .. } => {
                if let Some(server) = self.threads[t].served_by.get() {
                    self.dirty_add(server);
                }
            }
            State::Mutex { mutex, .. } => {
                let owner = self.mutexes[mutex].owner;
                self.dirty_add(owner);
            }
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
            | State::Poll(_) => {}
        }
    }

    /// Changes the priority of a thread and its place in the queue that it is on.
    fn set_effective(&mut self, t: ThreadId, priority: Priority) {
        self.unsettled = true;
        self.trace_priority(t, priority);
        self.touch(t);
        let raised = priority > self.threads[t].effective;
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
            State::Vacant
            | State::Running
            | State::Stopped
            | State::Receive { .. }
            | State::Reply { .. }
            | State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Nanosleep { .. }
            | State::Futex { .. }
            | State::Interrupt
            | State::Poll(_) => self.threads[t].effective = priority,
        }
    }
}
