//! Long calls, a step at a time.
//!
//! A kernel entry is not interrupted, so it must be short. A call that needs longer does a part, notes
//! in [`Work`] how far it came and ends as [`crate::call::Outcome::Unfinished`]; the machine lets
//! interrupts come and makes the call again, whose registers have not changed. The thread is running
//! or ready meanwhile, like any other of its priority, and only its death or a stop keeps it from
//! going on: a signal handler waits for the end of the call.
//!
//! Whatever is true between two entries is true between two parts: each checks everything before it
//! changes anything, and a part that fails has changed nothing, but those before it stay.

use neutrino_abi::Errno;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::Place;
use crate::machine::{Machine, SpaceSlot, ThreadSlot};
use crate::process::ProcessId;
use crate::slab::{Id, Maybe};
use crate::thread::{Plain, State, Thread, ThreadId};

/// What one kernel entry may still do, in about instructions: so much that the shortest path into
/// the kernel and out of it stays within 1,500 with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget(u32);

impl Budget {
    /// For one entry.
    pub(crate) const ENTRY: Self = Self(600);
    /// For what is not done in steps.
    pub const ENDLESS: Self = Self(u32::MAX);

    /// A budget of so many.
    #[must_use]
    pub const fn new(instructions: u32) -> Self {
        Self(instructions)
    }

    /// Uses some of it up.
    #[inline(always)]
    pub(crate) fn spend(&mut self, instructions: u32) {
        if self.0 != u32::MAX {
            self.0 = self.0.saturating_sub(instructions);
        }
    }

    /// For how many pages it is enough, at a price for each; for one it always is.
    pub(crate) fn pages(self, price: u32) -> usize {
        let pages = self.0.checked_div(price).unwrap_or(1).max(1);
        usize::try_from(pages).unwrap_or(usize::MAX)
    }

    /// Whether nothing is left.
    #[inline(always)]
    pub(crate) const fn is_spent(self) -> bool {
        self.0 == 0
    }
}

/// What parts of calls take, in instructions, as measured on the way through them.
pub(crate) mod price {
    /// A search for a page that finds none.
    pub(crate) const SEARCH: u32 = 150;
    /// A page or a handle that is passed over.
    pub(crate) const SKIP_PAGE: u32 = 60;
    /// To find the two ends of a piece that is copied.
    pub(crate) const COPY_PIECE: u32 = 120;
    /// To clear a page.
    pub(crate) const CLEAR_PAGE: u32 = 550;
    /// To show a page in a child.
    pub(crate) const FORK_PAGE: u32 = 120;
    /// To give a child a mapping.
    pub(crate) const FORK_MAPPING: u32 = 250;
    /// To take a page away.
    pub(crate) const DROP_PAGE: u32 = 100;
    /// To take a mapping away.
    pub(crate) const DROP_MAPPING: u32 = 250;
    /// To change what may be done with a mapping, beside its pages.
    pub(crate) const PROTECT_MAPPING: u32 = 400;
    /// To change what may be done with a page.
    pub(crate) const PROTECT_PAGE: u32 = 150;
    /// To bring a page into being.
    pub(crate) const PROVIDE_PAGE: u32 = 900;
    /// To free a page of an object.
    pub(crate) const FREE_PAGE: u32 = 100;
    /// To end a thread.
    pub(crate) const END_THREAD: u32 = 600;
    /// To close a handle.
    pub(crate) const CLOSE_HANDLE: u32 = 300;
    /// To copy a handle to a child.
    pub(crate) const HANDLE: u32 = 150;
}

/// What a call that is not finished has to remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// There is none.
    None,
    /// An address, an offset or a place up to which the call is done.
    Until(u64),
    /// `SpaceFork` up to an address.
    Fork {
        /// Held until the copy is complete.
        parent: SpaceSlot,
        /// Held by nobody else yet.
        child: SpaceSlot,
        /// Below it everything is copied.
        at: u64,
    },
    /// `ProcessCreate`: the child has the parent's handles below a place.
    Spawn {
        /// Which no handle names yet.
        child: ProcessId,
        /// The next place.
        from: Place,
    },
    /// `MemMap` has mapped memory, and makes its pages present up to an address.
    Populate {
        /// Where the memory is.
        start: u64,
        /// Below it the pages are present.
        at: u64,
    },
    /// A receive that another thread's message made go on, or that is not over: what it answers
    /// before is answered.
    Receive {
        /// The channel's number.
        chid: u32,
        /// Whose message is being copied, and its place in the channel's history, so that it is known
        /// again: a more important one may come first meanwhile.
        client: Maybe<Thread>,
        /// See above.
        arrival: u64,
        /// So many bytes of it are there.
        copied: u64,
    },
    /// The call has its result, and what the thread let go is being freed.
    Free,
}

impl Work {
    /// How many bytes of a client's message are already where they belong.
    pub(crate) fn copied_of(&self, sender: ThreadId, message: u64) -> u64 {
        match *self {
            Self::Receive { client, arrival, copied, .. }
                if client.get() == Some(sender) && arrival == message =>
            {
                copied
            }
            Self::None
            | Self::Until(_)
            | Self::Fork { .. }
            | Self::Spawn { .. }
            | Self::Populate { .. }
            | Self::Receive { .. }
            | Self::Free => 0,
        }
    }
}

impl Kernel {
    /// Whether a thread's call is to be made again, and does not go back to user space before.
    #[must_use]
    pub fn is_unfinished(&self, thread: ThreadSlot) -> bool {
        Id::from_index(thread.0).is_some_and(|t| self.threads[t].work != Work::None)
    }

    /// How far the call of a thread came before: an address, an offset or a place; at least `start`.
    pub(crate) fn reached(&mut self, t: ThreadId, start: u64) -> u64 {
        match core::mem::replace(&mut self.threads[t].work, Work::None) {
            Work::Until(at) => at.max(start),
            Work::None
            | Work::Fork { .. }
            | Work::Spawn { .. }
            | Work::Populate { .. }
            | Work::Receive { .. }
            | Work::Free => start,
        }
    }

    /// A thread has something to do in the kernel, which the fast path knows nothing of.
    pub(crate) fn set_work(&mut self, t: ThreadId, work: Work) {
        self.threads[t].work = work;
        self.threads[t].plain = Plain::NO;
    }

    /// Ends a part of a call.
    pub(crate) fn leave_off(&mut self, t: ThreadId, work: Work) -> Outcome {
        self.set_work(t, work);
        Outcome::Unfinished
    }

    /// A call on a range of a space, which `act` does in parts: it is given the rest of the range and
    /// tells up to where it came.
    ///
    /// # Errors
    /// What `act` gives.
    pub(crate) fn by_parts(
        &mut self,
        t: ThreadId,
        (address, length): (u64, u64),
        act: impl FnOnce(&mut Self, u64, u64) -> Result<u64, Errno>,
    ) -> Result<Outcome, Errno> {
        let start = self.reached(t, address);
        let rest = length.saturating_sub(start.saturating_sub(address));
        let reached = act(self, start, rest)?;
        if reached.saturating_sub(start) < rest {
            return Ok(self.leave_off(t, Work::Until(reached)));
        }
        Ok(Outcome::DONE)
    }

    /// A copy of `length` bytes has come so far: it goes on if it is the budget that stopped it.
    pub(crate) fn copied(&mut self, t: ThreadId, done: u64, length: u64) -> Outcome {
        if done < length && self.memory.is_spent() {
            return self.leave_off(t, Work::Until(done));
        }
        Outcome::Value(done.cast_signed())
    }

    /// The same for one that may end before `length`: what a part of it moved, after those before.
    ///
    /// # Errors
    /// Of the first part.
    pub(crate) fn moved(
        &mut self,
        t: ThreadId,
        before: u64,
        moved: Result<u64, Errno>,
        length: u64,
    ) -> Result<Outcome, Errno> {
        match moved {
            Ok(moved) => Ok(self.copied(t, before.saturating_add(moved), length)),
            Err(errno) if before == 0 => Err(errno),
            Err(_) => Ok(Outcome::Value(before.cast_signed())),
        }
    }

    /// After (a part of) a call: what it let go, and had no time to free, is the caller's.
    pub(crate) fn take_over_dying(&mut self, caller: ThreadId, outcome: Option<&Outcome>) {
        if self.caller != Some(caller) {
            return;
        }
        let new = self.memory.take_dying();
        if !new.is_nothing() {
            let old = self.threads[caller].dying;
            self.threads[caller].dying = self.memory.join_dying(new, old);
        }
        let is_over = !matches!(outcome, Some(Outcome::Unfinished));
        if is_over
            && !self.threads[caller].dying.is_nothing()
            && self.threads[caller].state == State::Running
        {
            self.set_work(caller, Work::Free);
        }
    }

    /// Goes on freeing, if that is what a thread has to do.
    pub(crate) fn free_some(&mut self, m: &mut impl Machine, t: ThreadId) -> bool {
        if self.threads[t].work != Work::Free {
            return false;
        }
        let left = self.memory.free_some(m, self.threads[t].dying);
        self.threads[t].dying = left;
        if left.is_nothing() {
            self.threads[t].work = Work::None;
        }
        true
    }

    /// A thread is no more: what its call had begun is undone, and what it would have freed is left
    /// to others.
    pub(crate) fn abandon_work(&mut self, m: &mut impl Machine, t: ThreadId) {
        let begun = core::mem::replace(&mut self.threads[t].work, Work::None);
        match begun {
            Work::None | Work::Until(_) | Work::Populate { .. } | Work::Free => {}
            Work::Receive { .. } => self.pass_on(m, t, &begun),
            Work::Fork { parent, child, .. } => {
                self.memory.space_release(m, child);
                self.memory.space_release(m, parent);
            }
            Work::Spawn { child, .. } => self.process_unmake(m, child),
        }
        let dying = core::mem::take(&mut self.threads[t].dying);
        if !dying.is_nothing() {
            self.memory.leave_dying(dying);
        }
    }
}
