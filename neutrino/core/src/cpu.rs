//! What each CPU has of its own.

use crate::list::List;
use crate::slab::{Id, Maybe};
use crate::smp::Attention;
use crate::thread::{Queue, Thread};

/// Priority levels.
pub(crate) const LEVELS: usize = 256;

/// One CPU.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Cpu {
    /// The running thread; none while it idles.
    pub(crate) current: Maybe<Thread>,
    /// Ready threads by priority.
    pub(crate) ready: [List<Thread, Queue>; LEVELS],
    /// One bit for each level that is not empty.
    pub(crate) levels: [u64; LEVELS / 64],
    /// When the time of the current thread (or of idling) was billed last: the time of this entry.
    pub(crate) since: u64,
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
        ready: [List::EMPTY; LEVELS],
        levels: [0; LEVELS / 64],
        since: 0,
        slice_end: 0,
        idle: 0,
        timer: u64::MAX,
        attention: Attention::Quiet,
    };

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

    /// The first thread of the highest level.
    pub(crate) fn first(&self) -> Option<Id<Thread>> {
        self.ready.get(usize::from(self.highest()?))?.first()
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
        let is_empty = self.ready.get(usize::from(level)).is_none_or(List::is_empty);
        let bit = 1_u64.wrapping_shl(u32::from(level) % 64);
        if let Some(word) = self.levels.get_mut(usize::from(level / 64)) {
            *word = if is_empty { *word & !bit } else { *word | bit };
        }
    }
}
