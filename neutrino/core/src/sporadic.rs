//! Sporadic servers (POSIX.1-2024, 2.8.4 `SCHED_SPORADIC`): a thread that runs at its normal priority
//! until it has used its budget up, and at a low one until budget comes back.
//!
//! What a thread has used since it became ready comes back one period after that moment; so it never
//! runs at its normal priority for more than its budget in any period. Its own priority (`base`) is
//! one of the two, and inheritance starts from that as from any other: a boost above the low priority
//! stays, and time is charged while `base` is the normal one, whoever else lends more.
//!
//! POSIX lets budget that comes back while the thread runs count as if it had been there from the
//! beginning, so that it comes back too early the next time. Here what was used before is booked
//! first, and a new count begins.
//!
//! Nothing ticks: a running thread's budget ends by its CPU's timer, budget comes back by a deadline
//! to a thread at its low priority only, and to others when they next become ready or run out.
//!
//! I13: what a thread has left and what is to come back are its budget together; it has its low
//! priority exactly if nothing is left or no more may be pending, and then a deadline.

use neutrino_abi::Errno;
use neutrino_abi::sched::{REPLENISHMENTS_MAX, SchedParam};

use crate::Kernel;
use crate::limits::REPLENISHMENTS;
use crate::machine::Machine;
use crate::slab::{Id, Maybe, Slot};
use crate::thread::{Policy, Priority, State, Thread, ThreadId};
use crate::time::deadline::{Position, Who};

/// Index of a [`Sporadic`].
pub(crate) type SporadicId = Id<Sporadic>;

/// What a sporadic thread asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Terms {
    pub(crate) normal: Priority,
    pub(crate) low: Priority,
    pub(crate) budget: u64,
    pub(crate) period: u64,
    /// How many replenishments may be pending, up to [`REPLENISHMENTS`].
    pub(crate) most: u8,
}

impl Terms {
    /// What parameters ask for, their priorities being checked already.
    ///
    /// # Errors
    /// EINVAL: the low priority is not below the normal one, the budget is nothing or more than the
    /// period, or too many replenishments may be pending, or none.
    pub(crate) fn new(wanted: &SchedParam, normal: Priority, low: Priority) -> Result<Self, Errno> {
        let SchedParam { budget, period, replenishments, .. } = *wanted;
        let most = u8::try_from(replenishments).map_err(|_| Errno::EINVAL)?;
        let has_sense = low.0 < normal.0 && budget > 0 && budget <= period && most > 0;
        if !has_sense || replenishments > REPLENISHMENTS_MAX {
            return Err(Errno::EINVAL);
        }
        Ok(Self { normal, low, budget, period, most })
    }

    /// The terms beside a thread's other parameters.
    pub(crate) fn tell(&self, others: &SchedParam) -> SchedParam {
        SchedParam {
            priority: self.normal.0.into(),
            low_priority: self.low.0.into(),
            budget: self.budget,
            period: self.period,
            replenishments: self.most.into(),
            ..*others
        }
    }
}

#[derive(Clone, Copy, Debug, Hash)]
struct Replenishment {
    at: u64,
    amount: u64,
}

/// What is kept of a sporadic thread.
#[derive(Clone, Debug, Hash)]
pub struct Sporadic {
    pub(crate) owner: Maybe<Thread>,
    pub(crate) terms: Terms,
    /// What was left when the count began.
    pub(crate) left: u64,
    /// When the count began.
    pub(crate) began: u64,
    /// The thread's CPU time then.
    mark: u64,
    pending: [Replenishment; REPLENISHMENTS],
    count: u8,
    pub(crate) position: Position,
}

const NO_TERMS: Terms =
    Terms { normal: Priority::system(0), low: Priority::system(0), budget: 0, period: 0, most: 0 };

impl Slot for Sporadic {
    const VACANT: Self = Self {
        owner: Maybe::NOBODY,
        terms: NO_TERMS,
        left: 0,
        began: 0,
        mark: 0,
        pending: [Replenishment { at: 0, amount: 0 }; REPLENISHMENTS],
        count: 0,
        position: Position::NONE,
    };
    fn is_vacant(&self) -> bool {
        self.terms.most == 0
    }
}

impl Sporadic {
    /// A whole budget for nobody yet.
    pub(crate) const fn new(terms: Terms) -> Self {
        Self { terms, left: terms.budget, ..Self::VACANT }
    }

    /// Books what was used since the count began, adds what has come back, and begins a new count.
    // Bound: the replenishments pending.
    fn settle(&mut self, now: u64, used: u64) {
        let amount = used.min(self.left);
        if amount > 0 {
            self.left = self.left.wrapping_sub(amount);
            let at = self.began.saturating_add(self.terms.period);
            if let Some(place) = self.pending.get_mut(usize::from(self.count)) {
                *place = Replenishment { at, amount };
                self.count = self.count.wrapping_add(1);
            } else {
                debug_assert!(false, "I13: a replenishment without a place");
            }
        }
        while let Some(first) = self.first().filter(|first| first.at <= now) {
            self.left = self.left.wrapping_add(first.amount);
            self.pending.copy_within(1.., 0);
            self.count = self.count.wrapping_sub(1);
        }
        self.began = now;
    }

    /// The next replenishment.
    fn first(&self) -> Option<Replenishment> {
        self.pending.first().copied().filter(|_| self.count > 0)
    }

    /// The priority that the thread has of its own.
    pub(crate) const fn priority(&self) -> Priority {
        if self.left > 0 && self.count < self.terms.most {
            self.terms.normal
        } else {
            self.terms.low
        }
    }

    /// What is pending, as times and amounts.
    pub(crate) fn pending(&self) -> impl Iterator<Item = (u64, u64)> {
        self.pending.iter().take(usize::from(self.count)).map(|one| (one.at, one.amount))
    }

    /// What is left to a thread with this much CPU time.
    pub(crate) const fn left_at(&self, cpu_time: u64) -> u64 {
        self.left.saturating_sub(cpu_time.wrapping_sub(self.mark))
    }
}

impl Kernel {
    /// Gives a thread another policy; a sporadic one comes from a slot that is taken already.
    pub(crate) fn set_policy(&mut self, t: ThreadId, policy: Policy, base: Priority) {
        self.sporadic_end(t);
        (self.threads[t].policy, self.threads[t].base) = (policy, base);
        if let Policy::Sporadic(id) = policy {
            let mark = self.threads[t].cpu_time;
            let began = self.entry_time();
            let own = &mut self.sporadics[id];
            (own.owner, own.began, own.mark) = (Maybe::new(Some(t)), began, mark);
        }
    }

    /// A thread is sporadic no longer, if it was.
    pub(crate) fn sporadic_end(&mut self, t: ThreadId) {
        if let Policy::Sporadic(id) = self.threads[t].policy {
            self.heap_remove(Who::Sporadic(id));
            self.sporadics.remove(id);
        }
    }

    /// When this kernel entry began.
    pub(crate) fn entry_time(&self) -> u64 {
        self.cpus.get(self.cpu).map_or(0, |cpu| cpu.since)
    }

    /// Brings a thread's account up to this entry; its own priority is right then, and the one that it
    /// runs at is to be computed again.
    fn sporadic_settle(&mut self, t: ThreadId, id: SporadicId) {
        let now = self.entry_time();
        let thread = &mut self.threads[t];
        let own = &mut self.sporadics[id];
        let was_normal = thread.base.0 == own.terms.normal.0;
        let used = if was_normal { thread.cpu_time.wrapping_sub(own.mark) } else { 0 };
        own.settle(now, used);
        own.mark = thread.cpu_time;
        thread.base.0 = own.priority().0;
        let next = own.first().filter(|_| thread.base.0 != own.terms.normal.0);
        match next {
            Some(next) => self.heap_set(Who::Sporadic(id), next.at),
            None => self.heap_remove(Who::Sporadic(id)),
        }
    }

    /// A thread that waited becomes ready: a new count begins. Nothing depends on its priority yet.
    #[inline(never)]
    pub(crate) fn sporadic_wake(&mut self, t: ThreadId, id: SporadicId) {
        self.sporadic_settle(t, id);
        let wanted = self.wanted(t);
        if wanted != self.threads[t].effective {
            self.trace_priority(t, wanted);
            self.threads[t].effective = wanted;
        }
    }

    /// Budget comes back to a thread at its low priority.
    pub(crate) fn sporadic_replenish(&mut self, m: &mut impl Machine, id: SporadicId) {
        self.heap_remove(Who::Sporadic(id));
        if let Some(t) = self.sporadics[id].owner.get() {
            if self.threads[t].state == State::Running {
                self.account(m, self.threads[t].cpu.into());
            }
            self.sporadic_settle(t, id);
            self.refresh(m, t);
        }
    }

    /// Looks whether the running thread of a CPU has used its budget up; then it goes behind the
    /// others of its low priority.
    #[inline(never)]
    pub(crate) fn sporadic_rotate(&mut self, t: ThreadId, id: SporadicId) {
        let own = &self.sporadics[id];
        let is_low = self.threads[t].base.0 != own.terms.normal.0;
        if is_low || own.left_at(self.threads[t].cpu_time) > 0 {
            return;
        }
        self.sporadic_settle(t, id);
        let wanted = self.wanted(t);
        if wanted != self.threads[t].effective {
            // It runs, so nobody depends on its priority.
            self.set_effective(t, wanted);
            self.sched_yield(t);
        }
    }

    /// When the budget of the running thread of a CPU ends.
    pub(crate) fn sporadic_limit(&self, t: ThreadId, id: SporadicId, since: u64) -> u64 {
        let own = &self.sporadics[id];
        if self.threads[t].base.0 == own.terms.normal.0 {
            since.saturating_add(own.left_at(self.threads[t].cpu_time))
        } else {
            u64::MAX
        }
    }
}
