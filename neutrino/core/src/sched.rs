//! Who runs: ready queues by priority, time slices, dispatch.

use crate::Kernel;
use crate::limits;
use crate::machine::{Machine, ThreadSlot};
use crate::process::Life;
use crate::slab::Maybe;
use crate::smp::Attention;
use crate::step::Work;
use crate::thread::{Asked, Hold, NO_EXTRA, Plain, Policy, Priority, State, Takes, ThreadId, slot};

/// The end of a slice that another CPU has ended.
pub(crate) const TOLD: u64 = 0;

/// Where in its level a thread becomes ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Before the others: it was preempted.
    Front,
    /// Behind the others.
    Back,
    /// Before the others, with what is left of the slice of a thread that waits for it from now
    /// on, or has answered it and waits.
    InPlaceOf(ThreadId),
}

impl Kernel {
    /// Whether a thread may run as far as holds and stops go.
    fn may_run(&self, t: ThreadId) -> bool {
        let thread = &self.threads[t];
        thread.hold == Hold::No && self.processes[thread.process].life == Life::Alive
    }

    /// Makes a thread that waits for nothing ready (or stopped, if it is held).
    pub(crate) fn make_ready(&mut self, t: ThreadId, end: End) {
        if !self.may_run(t) {
            self.transition(t, State::Stopped);
            return;
        }
        self.touch(t);
        self.transition(t, State::Ready);
        if let Policy::Sporadic(id) = self.threads[t].policy {
            self.sporadic_wake(t, id);
        }
        self.threads[t].slice_left = match end {
            End::Front => self.threads[t].slice_left,
            End::Back => limits::SLICE_NS,
            End::InPlaceOf(other) => self.slice_left(other),
        };
        self.enqueue(t, end);
    }

    pub(crate) fn enqueue(&mut self, t: ThreadId, end: End) {
        self.unsettled = true;
        let Priority(level, number) = self.threads[t].effective;
        let Some(cpu) = self.cpus.get_mut(usize::from(self.threads[t].cpu)) else { return };
        let Some(ready) = cpu.ready.get_mut(usize::from(number)) else { return };
        if let Some(queue) = ready.queues.get_mut(usize::from(level)) {
            match end {
                End::Front | End::InPlaceOf(_) => queue.push_front(&mut self.threads, t),
                End::Back => queue.push_back(&mut self.threads, t),
            }
        }
        ready.mark(level);
    }

    pub(crate) fn dequeue(&mut self, t: ThreadId) {
        self.unsettled = true;
        let Priority(level, number) = self.threads[t].effective;
        let Some(cpu) = self.cpus.get_mut(usize::from(self.threads[t].cpu)) else { return };
        let Some(ready) = cpu.ready.get_mut(usize::from(number)) else { return };
        if let Some(queue) = ready.queues.get_mut(usize::from(level)) {
            queue.remove(&mut self.threads, t);
        }
        ready.mark(level);
    }

    /// Bills the time since the last entry.
    #[inline(always)]
    pub(crate) fn account(&mut self, m: &mut impl Machine, cpu: usize) {
        let now = m.now();
        if self.partitions.are_several() {
            self.partitions_settle(now);
        }
        let Some(cpu) = self.cpus.get_mut(cpu) else { return };
        let spent = now.wrapping_sub(cpu.since);
        cpu.since = now;
        match cpu.current.get() {
            Some(t) => {
                let thread = &mut self.threads[t];
                thread.cpu_time = thread.cpu_time.wrapping_add(spent);
            }
            None => cpu.idle = cpu.idle.wrapping_add(spent),
        }
    }

    /// What is left of the slice of a thread that ran in this entry; a whole one if it runs without.
    pub(crate) fn slice_left(&self, t: ThreadId) -> u64 {
        if !self.is_sliced(t) {
            return limits::SLICE_NS;
        }
        let cpu = self.cpus.get(usize::from(self.threads[t].cpu));
        cpu.map_or(0, |cpu| cpu.slice_end.saturating_sub(cpu.since))
    }

    /// Takes the thread of the CPU that is in the kernel off it (it blocks, or gives way); its state
    /// is the caller's to set.
    pub(crate) fn leave_cpu(&mut self, t: ThreadId) {
        self.unsettled = true;
        if let Some(cpu) = self.cpus.get_mut(usize::from(self.threads[t].cpu))
            && cpu.current.get() == Some(t)
        {
            cpu.current = Maybe::NOBODY;
        }
    }

    /// The caller gives way to others of its priority.
    pub(crate) fn sched_yield(&mut self, t: ThreadId) {
        self.leave_cpu(t);
        self.threads[t].slice_left = limits::SLICE_NS;
        self.transition(t, State::Ready);
        self.enqueue(t, End::Back);
    }

    /// Chooses who runs on a CPU and makes them current.
    // Bound: one more turn for each thread that a pending signal stops or ends.
    pub(crate) fn choose(&mut self, m: &mut impl Machine, cpu: usize) -> Option<ThreadSlot> {
        if let Some(own) = self.cpus.get_mut(cpu) {
            own.attention = Attention::Quiet;
        }
        loop {
            self.rotate(m, cpu);
            self.pull(cpu);
            self.dispatch(cpu);
            let Some(current) = self.cpus.get(cpu).and_then(|cpu| cpu.current.get()) else {
                self.arm(m, cpu, u64::MAX);
                self.spread(m, cpu);
                return None;
            };
            self.prepare(m, current);
            if self.cpus.get(cpu).and_then(|cpu| cpu.current.get()) == Some(current) {
                self.arm_slice(m, cpu, current);
                self.threads[current].plain = self.plain(current);
                self.spread(m, cpu);
                return Some(slot(current));
            }
        }
    }

    /// Puts a thread whose slice is over behind its equals.
    fn rotate(&mut self, m: &mut impl Machine, cpu: usize) {
        let Some(own) = self.cpus.get_mut(cpu) else { return };
        let Some(current) = own.current.get() else { return };
        if let Policy::Sporadic(id) = self.threads[current].policy {
            return self.sporadic_rotate(current, id);
        }
        if own.slice_end > own.since || self.threads[current].policy == Policy::Fifo {
            return;
        }
        let was_told = own.slice_end == TOLD;
        own.slice_end = own.since.saturating_add(limits::SLICE_NS);
        if self.has_equal(cpu, current) && (was_told || !self.share(m, cpu, current)) {
            self.sched_yield(current);
        }
    }

    /// What the fast path may know of a thread that is let run (I9).
    pub(crate) fn plain(&self, t: ThreadId) -> Plain {
        let thread = &self.threads[t];
        let special = thread.timeout.is_some()
            || thread.deadline.is_some()
            || !thread.mutexes.is_empty()
            || !self.may_run(t)
            || self.deliverable(t) != 0
            || !self.waits_plainly(t)
            || thread.work != Work::None;
        if special { Plain::NO } else { Plain::of(thread.policy, thread.cpu) }
    }

    /// Whether what a thread waits for, if it does, is no more than the fast path gives.
    fn waits_plainly(&self, t: ThreadId) -> bool {
        let thread = &self.threads[t];
        match thread.state {
            State::Receive { channel, info, takes, .. } => {
                info == 0 && takes == Takes::All && thread.serves == Some(channel)
            }
            State::Reply { sending, asked, .. } => {
                asked == Asked::No && sending.written == 0 && thread.extra == NO_EXTRA
            }
            State::Vacant
            | State::Ready
            | State::Running
            | State::Stopped
            | State::Send { .. }
            | State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Nanosleep { .. }
            | State::Mutex { .. }
            | State::Futex { .. }
            | State::Interrupt
            | State::Poll(_) => true,
        }
    }

    /// A thread that begins to wait may be special from now on (I9).
    pub(crate) fn check_wait(&mut self, t: ThreadId) {
        if !self.waits_plainly(t) {
            self.threads[t].plain = Plain::NO;
        }
    }

    pub(crate) fn has_equal(&self, cpu: usize, t: ThreadId) -> bool {
        let own = self.threads[t].effective;
        self.cpus.get(cpu).is_some_and(|cpu| cpu.has(&self.partitions, own))
    }

    /// Switches to the most important ready thread, if it outranks the current one.
    fn dispatch(&mut self, cpu: usize) {
        let Some(own) = self.cpus.get(cpu) else { return };
        let (current, highest) = (own.current.get(), own.highest(&self.partitions));
        let Some(rank) = highest else { return };
        if let Some(current) = current {
            if self.partitions.rank(self.threads[current].effective) >= rank {
                return;
            }
            self.threads[current].slice_left = self.slice_left(current);
            self.leave_cpu(current);
            self.transition(current, State::Ready);
            self.enqueue(current, End::Front);
        }
        let first = self.cpus.get(cpu).and_then(|cpu| cpu.first(&self.partitions));
        let Some(next) = first else { return };
        self.dequeue(next);
        self.transition(next, State::Running);
        self.counters.switches = self.counters.switches.wrapping_add(1);
        if let Some(cpu) = self.cpus.get_mut(cpu) {
            cpu.current = Maybe::new(Some(next));
            cpu.slice_end = cpu.since.saturating_add(self.threads[next].slice_left);
        }
    }

    pub(crate) fn arm_slice(&mut self, m: &mut impl Machine, cpu: usize, current: ThreadId) {
        let ends = self.turn_ends(cpu, current);
        self.arm(m, cpu, ends);
    }

    /// When the running thread of a CPU is to give way to its equals or has no budget left, or another
    /// partition has some again.
    pub(crate) fn turn_ends(&self, cpu: usize, current: ThreadId) -> u64 {
        let Some(own) = self.cpus.get(cpu) else { return u64::MAX };
        let own_limit = match self.threads[current].policy {
            Policy::Other | Policy::RoundRobin if self.has_equal(cpu, current) => own.slice_end,
            Policy::Other | Policy::RoundRobin | Policy::Fifo => u64::MAX,
            Policy::Sporadic(id) => self.sporadic_limit(current, id, own.since),
        };
        if self.partitions.are_several() {
            own_limit.min(self.partition_limit(current, self.entry_time()))
        } else {
            own_limit
        }
    }

    fn is_sliced(&self, t: ThreadId) -> bool {
        matches!(self.threads[t].policy, Policy::Other | Policy::RoundRobin)
    }

    /// Arms the timer for the end of a slice, and for the first deadline of all unless another CPU's
    /// timer comes before it.
    fn arm(&mut self, m: &mut impl Machine, cpu: usize, slice_end: u64) {
        let mut at = slice_end.min(self.deadlines.first());
        if at < slice_end && self.is_watched(cpu, at) {
            at = slice_end;
        }
        if let Some(own) = self.cpus.get_mut(cpu) {
            own.timer = at;
        }
        m.arm_timer(at);
    }
}
