//! The invariants of sporadic threads and of partitions.

use super::{Verdict, claim};
use crate::Kernel;
use crate::thread::{Policy, Priority, Thread};
use crate::time::deadline::Who;

impl Kernel {
    /// I13.
    pub(super) fn check_sporadics(&self) -> Verdict {
        for (id, own) in self.sporadics.iter() {
            let coming = own.pending().map(|(_, amount)| amount).sum::<u64>();
            let sum = own.left.saturating_add(coming);
            claim(sum == own.terms.budget, "I13: a part of a budget is lost or made up")?;
            let Some(t) = own.owner.get() else { continue };
            let thread = &self.threads[t];
            let is_own = thread.policy == Policy::Sporadic(id);
            claim(is_own, "I13: a budget belongs to another thread")?;
            claim(
                thread.base.0 == own.priority().0,
                "I13: a thread has not its budget's priority",
            )?;
            let (first, low) = (own.pending().next(), own.terms.low);
            let at = self.deadlines.iter().find(|&(who, _)| who == Who::Sporadic(id));
            let expected = first.filter(|_| thread.base.0 == low.0).map(|(at, _)| at);
            claim(at.map(|(_, at)| at) == expected, "I13: budget does not come back")?;
        }
        let sporadic = |thread: &Thread| matches!(thread.policy, Policy::Sporadic(_));
        let count = self.threads.iter().filter(|(_, thread)| sporadic(thread)).count();
        claim(count == self.sporadics.iter().count(), "I13: a budget without a thread")
    }

    /// I14.
    pub(super) fn check_partitions(&self) -> Verdict {
        let all = || self.partitions.all.iter().take(self.partitions.count);
        let shares = all().map(|of| u32::from(of.share)).sum::<u32>();
        claim(shares == 100, "I14: a part of the CPUs' time is lost or given twice")?;
        let right = all().all(|of| of.slots.iter().sum::<u64>() == of.used);
        claim(right, "I14: what a partition used is miscounted")?;
        let exists = |Priority(_, number): Priority| usize::from(number) < self.partitions.count;
        let right = self.threads.iter().all(|(_, t)| exists(t.base) && exists(t.effective));
        claim(right, "I14: a thread is in a partition that does not exist")
    }
}
