//! The cache: lines of 4 KiB in memory that the device shares, and what is to become of each.
//!
//! A line's number is its place on the device, its slot its place in memory. Transfers are told to
//! the cache by who starts them; it never starts one.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// Bytes of a line.
pub(crate) const LINE: u64 = 4096;

/// A place in memory.
pub(crate) type Slot = u32;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing.
    Vacant,
    /// To be read.
    Wanted,
    /// Being read.
    Reading,
    /// It could not be read.
    Failed,
    /// As on the device.
    Clean,
    /// To be written.
    Dirty,
    /// Being written.
    Writing,
    /// Being written, and changed since that began: to be written again.
    Rewritten,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Good,
    Bad,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    number: u64,
    state: State,
    /// When it was changed, for `Dirty`, `Writing` and `Rewritten`.
    since: u64,
    /// When it was changed again, for `Rewritten`.
    again: u64,
    /// Used since the hand last passed.
    is_used: bool,
}

/// The cache.
#[derive(Debug)]
pub(crate) struct Cache {
    lines: Vec<Line>,
    places: BTreeMap<u64, Slot>,
    /// Where the search for a slot goes on (the clock algorithm).
    hand: usize,
    /// Counts changes.
    clock: u64,
    /// Changes that are not on the device, oldest first.
    unwritten: BTreeSet<(u64, Slot)>,
    /// Slots that were `Wanted` and `Dirty` when they came here; some may not be any more.
    wanted: VecDeque<Slot>,
    dirty: VecDeque<Slot>,
    /// Writes failed, and nobody was told yet.
    has_lost: bool,
}

impl Cache {
    /// An empty cache of so many lines.
    pub(crate) fn new(lines: usize) -> Self {
        let vacant = Line { number: 0, state: State::Vacant, since: 0, again: 0, is_used: false };
        Self {
            lines: alloc::vec![vacant; lines],
            places: BTreeMap::new(),
            hand: 0,
            clock: 0,
            unwritten: BTreeSet::new(),
            wanted: VecDeque::new(),
            dirty: VecDeque::new(),
            has_lost: false,
        }
    }

    fn line(&mut self, slot: Slot) -> &mut Line {
        &mut self.lines[slot as usize]
    }

    /// A line, if there is anything of it.
    pub(crate) fn find(&mut self, number: u64) -> Option<(Slot, State)> {
        let slot = *self.places.get(&number)?;
        let line = self.line(slot);
        line.is_used = true;
        Some((slot, line.state))
    }

    /// The state of a line.
    fn state(&self, number: u64) -> Option<(Slot, State)> {
        let slot = *self.places.get(&number)?;
        Some((slot, self.lines[slot as usize].state))
    }

    /// Whether so much is waiting to be written that it should go first.
    pub(crate) fn is_crowded(&self) -> bool {
        self.unwritten.len() > self.lines.len() / 2
    }

    /// Makes sure that a line is there or on its way; `None` if there is no room for now.
    pub(crate) fn want(&mut self, number: u64) -> Option<()> {
        if self.places.contains_key(&number) {
            return Some(());
        }
        let slot = self.vacate()?;
        *self.line(slot) = Line { number, state: State::Wanted, since: 0, again: 0, is_used: true };
        self.places.insert(number, slot);
        self.wanted.push_back(slot);
        Some(())
    }

    /// A vacant slot, in which the caller may put a whole line before it says which.
    // Bound: two turns of the hand.
    pub(crate) fn vacate(&mut self) -> Option<Slot> {
        for _ in 0..2 * self.lines.len() {
            let slot = self.hand;
            self.hand = (slot + 1) % self.lines.len();
            let line = &mut self.lines[slot];
            match line.state {
                State::Vacant => return Some(slot as Slot),
                State::Clean | State::Failed if !line.is_used => {
                    line.state = State::Vacant;
                    self.places.remove(&line.number);
                    return Some(slot as Slot);
                }
                State::Clean | State::Failed => line.is_used = false,
                State::Wanted
                | State::Reading
                | State::Dirty
                | State::Writing
                | State::Rewritten => {}
            }
        }
        None
    }

    /// The vacant slot has a whole line now, that the device has not.
    pub(crate) fn insert(&mut self, slot: Slot, number: u64) {
        *self.line(slot) = Line { number, state: State::Clean, since: 0, again: 0, is_used: true };
        self.places.insert(number, slot);
        self.change(slot);
    }

    /// A line that is there was changed.
    pub(crate) fn change(&mut self, slot: Slot) {
        self.clock += 1;
        let now = self.clock;
        let line = self.line(slot);
        match line.state {
            State::Clean => {
                line.state = State::Dirty;
                line.since = now;
                self.unwritten.insert((now, slot));
                self.dirty.push_back(slot);
            }
            State::Writing => {
                line.state = State::Rewritten;
                line.again = now;
                self.unwritten.insert((now, slot));
            }
            State::Dirty | State::Rewritten => {}
            State::Vacant | State::Wanted | State::Reading | State::Failed => {}
        }
    }

    /// Forgets a line that could not be read.
    pub(crate) fn forget(&mut self, slot: Slot) {
        let line = self.line(slot);
        if line.state == State::Failed {
            line.state = State::Vacant;
            let number = line.number;
            self.places.remove(&number);
        }
    }

    /// The moment, to be asked about later.
    pub(crate) const fn now(&self) -> u64 {
        self.clock
    }

    /// Whether the device has what was changed up to a moment.
    pub(crate) fn is_written(&self, moment: u64) -> bool {
        self.unwritten.first().is_none_or(|(since, _)| *since > moment)
    }

    /// Whether writes have failed since somebody last asked.
    pub(crate) fn take_lost(&mut self) -> bool {
        core::mem::take(&mut self.has_lost)
    }

    /// The next lines to read, neighbours on the device, at most so many; they are being read now.
    pub(crate) fn next_read(&mut self, most: usize) -> Vec<(Slot, u64)> {
        self.next(State::Wanted, State::Reading, most)
    }

    /// The next lines to write, likewise.
    pub(crate) fn next_write(&mut self, most: usize) -> Vec<(Slot, u64)> {
        self.next(State::Dirty, State::Writing, most)
    }

    fn next(&mut self, from: State, to: State, most: usize) -> Vec<(Slot, u64)> {
        let mut run = Vec::new();
        let queue = if from == State::Wanted { &mut self.wanted } else { &mut self.dirty };
        let first = loop {
            let Some(slot) = queue.pop_front() else { return run };
            if self.lines[slot as usize].state == from {
                break slot;
            }
        };
        let mut next = (first, self.line(first).number);
        loop {
            self.line(next.0).state = to;
            run.push(next);
            match self.state(next.1 + 1) {
                Some((slot, state)) if state == from && run.len() < most => {
                    next = (slot, next.1 + 1);
                }
                Some(_) | None => return run,
            }
        }
    }

    /// A line has been read.
    pub(crate) fn end_read(&mut self, slot: Slot, end: End) {
        let line = self.line(slot);
        debug_assert!(line.state == State::Reading, "a line that is not being read arrives");
        line.state = match end {
            End::Good => State::Clean,
            End::Bad => State::Failed,
        };
        line.is_used = true;
    }

    /// A line has been written. If that failed the device's contents are not known, so the line goes.
    pub(crate) fn end_write(&mut self, slot: Slot, end: End) {
        let line = *self.line(slot);
        self.unwritten.remove(&(line.since, slot));
        match (line.state, end) {
            (State::Rewritten, _) => {
                *self.line(slot) = Line { state: State::Dirty, since: line.again, ..line };
                self.dirty.push_back(slot);
            }
            (_, End::Good) => self.line(slot).state = State::Clean,
            (_, End::Bad) => {
                self.line(slot).state = State::Vacant;
                self.places.remove(&line.number);
            }
        }
        self.has_lost |= end == End::Bad;
    }
}
