//! What each CPU has of its own.

use crate::limits::PARTITIONS;
use crate::list::List;
use crate::partition::{Partitions, Rank};
use crate::slab::{Id, Maybe};
use crate::smp::Attention;
use crate::thread::{Priority, Queue, Thread};

/// Priority levels.
pub(crate) const LEVELS: usize = 256;

/// Threads of one partition that are ready, by priority.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Ready {
    pub(crate) queues: [List<Thread, Queue>; LEVELS],
    /// One bit for each level that is not empty.
    pub(crate) levels: [u64; LEVELS / 64],
}

/// One CPU.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Cpu {
    /// The running thread; none while it idles.
    pub(crate) current: Maybe<Thread>,
    /// Ready threads by the partition that pays for them.
    pub(crate) ready: [Ready; PARTITIONS],
    /// When the time of the current thread (or of idling) was billed last: the time of this entry.
    pub(crate) since: u64,
    /// Until when a partition was billed for this CPU, if there are several.
    pub(crate) billed: u64,
    /// When the slice of the current thread ends, if it runs by slices.
    pub(crate) slice_end: u64,
    /// Nanoseconds without a thread.
    pub(crate) idle: u64,
    /// When its timer interrupts.
    pub(crate) timer: u64,
    pub(crate) attention: Attention,
}

impl Cpu {
    /// A CPU without threads.
    pub(crate) const IDLE: Self = Self {
        current: Maybe::NOBODY,
        ready: [Ready::NONE; PARTITIONS],
        since: 0,
        billed: 0,
        slice_end: 0,
        idle: 0,
        timer: u64::MAX,
        attention: Attention::Quiet,
    };

    /// The rank of the most important ready thread, and the partition that pays for it: among equals
    /// the one with the most left.
    // Bound: the partitions.
    #[inline(always)]
    fn best(&self, partitions: &Partitions) -> Option<(Rank, Priority)> {
        let mut best: Option<(Rank, Priority)> = None;
        for (number, ready) in (0..).zip(&self.ready).take(partitions.count) {
            let Some(level) = ready.highest() else { continue };
            let priority = Priority(level, number);
            let rank = partitions.rank(priority);
            let is_better = best.is_none_or(|(known, other)| {
                rank > known || rank == known && partitions.is_richer(number, other.1)
            });
            if is_better {
                best = Some((rank, priority));
            }
        }
        best
    }

    /// The rank of the most important ready thread.
    pub(crate) fn highest(&self, partitions: &Partitions) -> Option<Rank> {
        self.best(partitions).map(|(rank, _)| rank)
    }

    /// The most important ready thread.
    pub(crate) fn first(&self, partitions: &Partitions) -> Option<Id<Thread>> {
        let (_, priority) = self.best(partitions)?;
        self.queue(priority)?.first()
    }

    /// The ready threads of a priority.
    pub(crate) fn queue(&self, Priority(level, number): Priority) -> Option<&List<Thread, Queue>> {
        self.ready.get(usize::from(number))?.queues.get(usize::from(level))
    }

    /// Whether a thread of a rank is ready.
    // Bound: the partitions.
    pub(crate) fn has(&self, partitions: &Partitions, Priority(level, own): Priority) -> bool {
        let rank = partitions.rank(Priority(level, own));
        let mut numbers = (0..).zip(&self.ready).take(partitions.count);
        numbers.any(|(number, ready)| {
            partitions.rank(Priority(level, number)) == rank
                && ready.queues.get(usize::from(level)).is_some_and(|queue| !queue.is_empty())
        })
    }
}

impl Ready {
    const NONE: Self = Self { queues: [List::EMPTY; LEVELS], levels: [0; LEVELS / 64] };

    /// Whether nobody is.
    pub(crate) fn is_empty(&self) -> bool {
        self.levels == [0; LEVELS / 64]
    }

    /// The highest level with a ready thread.
    // Bound: 4 words.
    pub(crate) fn highest(&self) -> Option<u8> {
        let mut base = 192_u8;
        for word in self.levels.iter().rev() {
            if *word != 0 {
                let bit = 63_u32.wrapping_sub(word.leading_zeros());
                return u8::try_from(bit).ok().map(|bit| base.wrapping_add(bit));
            }
            base = base.wrapping_sub(64);
        }
        None
    }

    /// The highest level below another with a ready thread.
    // Bound: 4 words.
    pub(crate) fn highest_below(&self, level: u8) -> Option<u8> {
        let mut base = 192_u8;
        for word in self.levels.iter().rev() {
            let below = match level.checked_sub(base) {
                None => 0,
                Some(distance @ 0..64) => {
                    word & 1_u64.wrapping_shl(distance.into()).wrapping_sub(1)
                }
                Some(_) => *word,
            };
            if below != 0 {
                let bit = 63_u32.wrapping_sub(below.leading_zeros());
                return u8::try_from(bit).ok().map(|bit| base.wrapping_add(bit));
            }
            base = base.wrapping_sub(64);
        }
        None
    }

    /// Notes whether a level has threads.
    pub(crate) fn mark(&mut self, level: u8) {
        let is_empty = self.queues.get(usize::from(level)).is_none_or(List::is_empty);
        let bit = 1_u64.wrapping_shl(u32::from(level) % 64);
        if let Some(word) = self.levels.get_mut(usize::from(level / 64)) {
            *word = if is_empty { *word & !bit } else { *word | bit };
        }
    }
}
