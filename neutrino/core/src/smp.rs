//! Several CPUs: which of them a ready thread goes to, and which are asked to choose again.
//!
//! A thread becomes ready where it ran last. Whoever leaves the kernel first takes what outranks its
//! own threads from the queues of the others (`pull`), and then hands what is left to the CPU that
//! does the least important work (`spread`), which it asks by an interrupt. What such a CPU was asked
//! for is the first thread of its queue, and nobody else takes that. Equals that run by slices take
//! turns on all CPUs (`share`).

use neutrino_abi::Errno;

use crate::Kernel;
use crate::limits::CPUS;
use crate::machine::{CallUnderWay, Machine, ThreadSlot};
use crate::partition::Rank;
use crate::sched::{End, TOLD};
use crate::slab::Maybe;
use crate::step::Work;
use crate::thread::{Plain, Policy, Priority, State, ThreadId};

/// CPUs, one bit each.
pub(crate) type RunMask = u8;
const _: () = assert!(CPUS <= 8);

/// Whether a CPU knows that it is to choose again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Attention {
    /// What it runs is what it ought to run.
    Quiet,
    /// It was asked, and will enter the kernel.
    Asked,
}

const fn bit(cpu: usize) -> RunMask {
    1_u8.wrapping_shl(cpu.to_le_bytes()[0] as u32 & 7)
}

/// As threads keep it; below [`CPUS`].
const fn number(cpu: usize) -> u8 {
    cpu.to_le_bytes()[0]
}

impl Kernel {
    /// One more CPU runs; they are numbered in the order in which they come.
    pub fn add_cpu(&mut self) {
        self.online = self.online.saturating_add(1).min(CPUS);
    }

    /// CPUs that run.
    #[must_use]
    pub const fn cpu_count(&self) -> usize {
        self.online
    }

    /// The thread that a CPU runs.
    #[must_use]
    pub fn running_on(&self, cpu: usize) -> Option<ThreadSlot> {
        self.cpus.get(cpu)?.current.get().map(crate::thread::slot)
    }

    fn online_mask(&self) -> RunMask {
        u8::MAX.wrapping_shr(8_u32.wrapping_sub(number(self.online).into()) & 7)
    }

    pub(crate) fn allows(&self, t: ThreadId, cpu: usize) -> bool {
        self.threads[t].run_mask & bit(cpu) != 0
    }

    /// Makes another CPU choose again.
    pub(crate) fn ask(&mut self, m: &mut impl Machine, cpu: usize) {
        let is_other = cpu != self.cpu;
        let Some(own) = self.cpus.get_mut(cpu) else { return };
        if is_other && own.attention == Attention::Quiet {
            own.attention = Attention::Asked;
            m.reschedule(cpu);
        }
    }

    /// A thread that may be running on another CPU is to look at something.
    pub(crate) fn ask_thread(&mut self, m: &mut impl Machine, t: ThreadId) {
        if self.threads[t].state == State::Running {
            self.ask(m, usize::from(self.threads[t].cpu));
        }
    }

    /// Takes a thread off whichever CPU runs it; its state is the caller's to set. Afterwards no
    /// CPU is in its user code, and its registers are in its context.
    pub(crate) fn take_off(&mut self, m: &mut impl Machine, t: ThreadId) {
        let cpu = usize::from(self.threads[t].cpu);
        let is_other = cpu != self.cpu;
        let Some(own) = self.cpus.get_mut(cpu) else { return };
        if own.current.get() != Some(t) {
            return;
        }
        own.current = Maybe::NOBODY;
        // Another CPU is on its way into the kernel then, and chooses.
        own.attention = if is_other { Attention::Asked } else { own.attention };
        self.unsettled = true;
        let has_begun = self.threads[t].work != Work::None;
        let call = if has_begun { CallUnderWay::Begun } else { CallUnderWay::New };
        if is_other && let Some(trap) = m.stop_cpu(cpu, call) {
            self.trap_later(t, &trap);
        }
    }

    /// What a CPU runs, as others see it: the more important, the greater; `None` idles.
    fn rank(&self, cpu: usize) -> Option<Rank> {
        let current = self.cpus.get(cpu)?.current.get()?;
        Some(self.partitions.rank(self.threads[current].effective))
    }

    /// The most important ready thread above a rank that waits for another CPU and may run here.
    // Bound: the ready threads above the rank that may not run here; else one for each CPU and
    // partition.
    fn elsewhere(&self, cpu: usize, above: Option<Rank>) -> Option<ThreadId> {
        let (mut best, mut bar) = (None, above);
        for (index, other) in self.cpus.iter().enumerate().take(self.online) {
            if index == cpu {
                continue;
            }
            let is_asked = other.attention == Attention::Asked;
            let asked = if is_asked { other.first(&self.partitions) } else { None };
            for (number, ready) in (0..).zip(&other.ready).take(self.partitions.count) {
                let rank = |level: u8| self.partitions.rank(Priority(level, number));
                let mut at = ready.highest();
                'levels: while let Some(level) =
                    at.filter(|&level| bar.is_none_or(|bar| rank(level) > bar))
                {
                    let queue = ready.queues.get(usize::from(level));
                    for t in queue.iter().flat_map(|queue| queue.iter(&self.threads)) {
                        if asked == Some(t) || !self.allows(t, cpu) {
                            continue;
                        }
                        (best, bar) = (Some(t), Some(rank(level)));
                        break 'levels;
                    }
                    at = ready.highest_below(level);
                }
            }
        }
        best
    }

    /// The thread that a CPU ought to run instead of what it runs.
    fn better(&self, cpu: usize) -> Option<ThreadId> {
        let rank = self.rank(cpu);
        let own = self.cpus.get(cpu)?;
        let highest = own.highest(&self.partitions).filter(|&level| Some(level) > rank);
        self.elsewhere(cpu, highest.max(rank)).or(highest.and(own.first(&self.partitions)))
    }

    /// Moves a ready thread to the queue of another CPU.
    fn migrate(&mut self, t: ThreadId, cpu: usize) {
        if usize::from(self.threads[t].cpu) != cpu {
            self.dequeue(t);
            self.threads[t].cpu = number(cpu);
            self.threads[t].plain = Plain::NO;
            self.enqueue(t, End::Back);
        }
    }

    /// Before a CPU chooses: takes the one thread that outranks all of its own.
    pub(crate) fn pull(&mut self, cpu: usize) {
        if self.online > 1
            && let Some(t) = self.better(cpu)
        {
            self.migrate(t, cpu);
        }
    }

    /// After a CPU has chosen: asks the others for which there is something better (I8), the least
    /// important first.
    // Bound: one turn for each CPU.
    pub(crate) fn spread(&mut self, m: &mut impl Machine, cpu: usize) {
        if self.online == 1 {
            return;
        }
        for _ in 0..self.online {
            let quiet = (0..self.online).filter(|&other| other != cpu && self.is_unasked(other));
            let better = quiet.filter_map(|other| Some((other, self.better(other)?)));
            let Some((other, t)) = better.min_by_key(|&(other, _)| self.rank(other)) else { break };
            self.migrate(t, other);
            self.ask(m, other);
        }
        for other in (0..self.online).filter(|&other| other != cpu) {
            if self.lacks_slice(other) {
                self.ask(m, other);
            }
        }
    }

    /// A slice is over and an equal waits: hands that one to the next CPU whose thread is their equal
    /// and has none waiting, so that all of a level take turns on all CPUs. Its thread waits then,
    /// and the caller's has another slice.
    // Bound: one turn for each CPU.
    pub(crate) fn share(&mut self, m: &mut impl Machine, cpu: usize, current: ThreadId) -> bool {
        let level = self.threads[current].effective;
        let queue = self.cpus.get(cpu).and_then(|own| own.queue(level));
        let Some(waiting) = queue.and_then(|queue| queue.first()) else { return false };
        let mut others = (cpu.wrapping_add(1)..self.online).chain(0..cpu);
        let found = others.find(|&other| {
            self.is_unasked(other) && self.allows(waiting, other) && self.may_turn(other, level)
        });
        let Some(other) = found else { return false };
        self.migrate(waiting, other);
        if let Some(own) = self.cpus.get_mut(other) {
            own.slice_end = TOLD;
        }
        self.ask(m, other);
        true
    }

    /// Whether a CPU's thread is of a level, runs by slices, and nobody of that level waits for it.
    fn may_turn(&self, cpu: usize, level: Priority) -> bool {
        let current = self.cpus.get(cpu).and_then(|own| own.current.get());
        current.is_some_and(|current| {
            let thread = &self.threads[current];
            thread.effective == level
                && thread.policy != Policy::Fifo
                && !self.has_equal(cpu, current)
        })
    }

    fn is_unasked(&self, cpu: usize) -> bool {
        self.cpus.get(cpu).is_some_and(|own| own.attention == Attention::Quiet)
    }

    /// Whether a CPU's timer does not end what its thread has got by now: an equal, or another budget.
    fn lacks_slice(&self, cpu: usize) -> bool {
        let Some(own) = self.cpus.get(cpu) else { return false };
        own.current.get().is_some_and(|current| own.timer > self.turn_ends(cpu, current))
    }

    /// Whether another CPU's timer comes before a deadline, so that this one's need not.
    pub(crate) fn is_watched(&self, cpu: usize, deadline: u64) -> bool {
        let cpus = self.cpus.iter().enumerate().take(self.online);
        cpus.filter(|&(other, _)| other != cpu).any(|(_, other)| other.timer <= deadline)
    }

    /// Restricts a thread to some CPUs.
    ///
    /// # Errors
    /// EINVAL: none of them runs.
    pub(crate) fn set_run_mask(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        wanted: u64,
    ) -> Result<(), Errno> {
        let mask = wanted.to_le_bytes()[0] & self.online_mask();
        if mask == 0 {
            return Err(Errno::EINVAL);
        }
        // Commit: nothing below fails.
        self.threads[t].run_mask = mask;
        // A CPU that it may use now can be doing less important work.
        self.unsettled = true;
        let old = usize::from(self.threads[t].cpu);
        if mask & bit(old) != 0 {
            return Ok(());
        }
        let new = mask.trailing_zeros() as usize;
        self.threads[t].plain = Plain::NO;
        match self.threads[t].state {
            State::Ready => self.migrate(t, new),
            State::Running => {
                self.take_off(m, t);
                self.threads[t].cpu = number(new);
                self.transition(t, State::Ready);
                self.enqueue(t, End::Back);
            }
            State::Vacant
            | State::Stopped
            | State::Send { .. }
            | State::Receive { .. }
            | State::Reply { .. }
            | State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Nanosleep { .. }
            | State::Mutex { .. }
            | State::Futex { .. }
            | State::Interrupt
            | State::Poll(_) => self.threads[t].cpu = number(new),
        }
        Ok(())
    }

    /// CPUs that a thread may use.
    pub(crate) fn run_mask(&self, t: ThreadId) -> u64 {
        (self.threads[t].run_mask & self.online_mask()).into()
    }
}
