//! Frames of RAM: who holds how many, which are free, and how many are promised.
//!
//! Every frame has a record, which the machine stores. Frames that were never used lie in *fresh*
//! ranges, and their records are not even read, so that start-up takes no time for each; frames
//! that came back are linked into a free list. Frame 0 is never handed out: 0 means "none".
//!
//! A promise (*commitment*) is made when memory is mapped, so that touching it later cannot fail.
//! Frames of tables are not promised but counted as they are taken; [`Frames::limit`] leaves a part
//! of RAM for them.

use super::limits::RAM_RANGES;
use crate::machine::{FrameNumber, FrameRecord, Machine};

/// No frame is free, or no more memory can be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfMemory;

/// Frames that mapping one page may need for page tables.
pub(super) const TABLES_PER_PAGE: usize = 3;
/// Frames that a new space needs beside those.
pub(super) const TABLES_PER_SPACE: usize = 1;

/// End of the free list.
const END: u32 = u32::MAX;

/// A range of RAM; `next..fresh_end` was never used.
#[derive(Clone, Copy, Debug)]
struct RamRange {
    first: u32,
    next: u32,
    fresh_end: u32,
    end: u32,
}

/// All frames.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    ranges: [RamRange; RAM_RANGES],
    /// Head of the free list, or 0.
    head: u32,
    total: u64,
    free: u64,
    committed: u64,
}

impl Frames {
    /// No frames.
    pub(super) const fn new() -> Self {
        let none = RamRange { first: 0, next: 0, fresh_end: 0, end: 0 };
        Self { ranges: [none; RAM_RANGES], head: 0, total: 0, free: 0, committed: 0 }
    }

    /// Adds fresh frames; more than [`RAM_RANGES`] ranges are ignored.
    pub(super) fn add(&mut self, first: FrameNumber, count: u32) {
        let end = first.0.saturating_add(count);
        let first = first.0.max(1);
        let frames = u64::from(end.saturating_sub(first));
        // Bound: RAM_RANGES.
        let Some(range) = self.ranges.iter_mut().find(|range| range.end == 0) else { return };
        *range = RamRange { first, next: first, fresh_end: end, end };
        self.total = self.total.saturating_add(frames);
        self.free = self.free.saturating_add(frames);
    }

    /// All frames there are.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Frames that nobody holds.
    pub(super) const fn free(&self) -> u64 {
        self.free
    }

    /// Pages promised, and frames of tables.
    pub(super) const fn committed(&self) -> u64 {
        self.committed
    }

    /// How much can be promised: all but a thirty-second, which is for tables.
    pub(super) const fn limit(&self) -> u64 {
        self.total.saturating_sub(self.total / 32)
    }

    /// Promises `pages` pages.
    #[inline(never)]
    pub(super) fn charge(&mut self, pages: u64) -> Result<(), OutOfMemory> {
        let committed = self.committed.saturating_add(pages);
        if pages != 0 && committed > self.limit() {
            return Err(OutOfMemory);
        }
        self.committed = committed;
        Ok(())
    }

    /// Takes a promise back.
    pub(super) fn uncharge(&mut self, pages: u64) {
        debug_assert!(self.committed >= pages, "more is given back than was promised");
        self.committed = self.committed.saturating_sub(pages);
    }

    /// Takes a frame, held once; its bytes are whatever they were.
    pub(super) fn allocate(&mut self, m: &mut impl Machine) -> Result<FrameNumber, OutOfMemory> {
        let frame = if self.head == 0 {
            self.take_fresh().ok_or(OutOfMemory)?
        } else {
            let frame = FrameNumber(self.head);
            let next = m.frame(frame).next;
            self.head = if next == END { 0 } else { next };
            frame
        };
        self.free = self.free.saturating_sub(1);
        *m.frame(frame) = FrameRecord { references: 1, next: END };
        Ok(frame)
    }

    /// Takes a frame full of zeroes.
    pub(super) fn allocate_clear(
        &mut self,
        m: &mut impl Machine,
    ) -> Result<FrameNumber, OutOfMemory> {
        let frame = self.allocate(m)?;
        m.clear_frame(frame);
        Ok(frame)
    }

    /// One more holder.
    pub(super) fn share(&mut self, m: &mut impl Machine, frame: FrameNumber) {
        let record = m.frame(frame);
        record.references = record.references.saturating_add(1);
    }

    /// Whether there is more than one holder.
    pub(super) fn is_shared(&self, m: &mut impl Machine, frame: FrameNumber) -> bool {
        m.frame(frame).references > 1
    }

    /// One holder fewer; the last one frees the frame.
    #[inline(never)]
    pub(super) fn release(&mut self, m: &mut impl Machine, frame: FrameNumber) {
        let next = if self.head == 0 { END } else { self.head };
        let record = m.frame(frame);
        debug_assert!(record.references > 0, "a free frame is freed");
        record.references = record.references.saturating_sub(1);
        if record.references == 0 {
            record.next = next;
            self.head = frame.0;
            self.free = self.free.saturating_add(1);
        }
    }

    /// Takes `count` neighbouring frames, each held once, with their old bytes. Lower ones are
    /// preferred, since some devices reach only 32-bit addresses.
    pub(super) fn allocate_run(
        &mut self,
        m: &mut impl Machine,
        count: u32,
    ) -> Result<FrameNumber, OutOfMemory> {
        let fresh = |range: &RamRange| range.fresh_end.saturating_sub(range.next) >= count;
        // Bound: RAM_RANGES.
        let first = if let Some(range) = self.ranges.iter_mut().find(|range| fresh(range)) {
            range.fresh_end = range.fresh_end.saturating_sub(count);
            range.fresh_end
        } else {
            let first = self.find_free_run(m, count).ok_or(OutOfMemory)?;
            self.unlink_run(m, first, first.saturating_add(count));
            first
        };
        self.free = self.free.saturating_sub(u64::from(count));
        // Bound: the frames of the run.
        for frame in first..first.saturating_add(count) {
            *m.frame(FrameNumber(frame)) = FrameRecord { references: 1, next: END };
        }
        Ok(FrameNumber(first))
    }

    /// Takes a frame for a table: zeroes, counted as promised.
    pub(super) fn allocate_table(
        &mut self,
        m: &mut impl Machine,
    ) -> Result<FrameNumber, OutOfMemory> {
        let frame = self.allocate_clear(m)?;
        self.committed = self.committed.saturating_add(1);
        Ok(frame)
    }

    /// Gives a table's frame back.
    pub(super) fn release_table(&mut self, m: &mut impl Machine, frame: FrameNumber) {
        self.release(m, frame);
        self.uncharge(1);
    }

    /// Fills the machine's store of page-table frames up to `wanted`.
    pub(super) fn fill_tables(
        &mut self,
        m: &mut impl Machine,
        wanted: usize,
    ) -> Result<(), OutOfMemory> {
        // Bound: `wanted`, which is at most 4. The machine clears what it makes a page table of.
        while m.table_frames() < wanted {
            let frame = self.allocate(m)?;
            self.committed = self.committed.saturating_add(1);
            m.add_table_frame(frame);
        }
        Ok(())
    }

    /// Empties the machine's store down to `kept`.
    pub(super) fn drain_tables(&mut self, m: &mut impl Machine, kept: usize) {
        // Bound: the page tables of one space.
        while m.table_frames() > kept {
            let Some(frame) = m.remove_table_frame() else { return };
            self.release_table(m, frame);
        }
    }

    fn take_fresh(&mut self) -> Option<FrameNumber> {
        // Bound: RAM_RANGES.
        let range = self.ranges.iter_mut().find(|range| range.next < range.fresh_end)?;
        let frame = FrameNumber(range.next);
        range.next = range.next.saturating_add(1);
        Some(frame)
    }

    /// Looks for neighbouring frames on the free list.
    fn find_free_run(&self, m: &mut impl Machine, count: u32) -> Option<u32> {
        // Bound: all frames once. Only drivers ask, and only when fresh frames have run out.
        for range in &self.ranges {
            let mut first = range.first;
            for frame in range.first..range.end {
                let is_fresh = (range.next..range.fresh_end).contains(&frame);
                if is_fresh || m.frame(FrameNumber(frame)).references != 0 {
                    first = frame.saturating_add(1);
                } else if frame.saturating_sub(first) >= count.saturating_sub(1) {
                    return Some(first);
                }
            }
        }
        None
    }

    /// Takes the frames from `first` up to `end` off the free list.
    fn unlink_run(&mut self, m: &mut impl Machine, first: u32, end: u32) {
        let mut kept = None;
        let mut next = if self.head == 0 { END } else { self.head };
        self.head = 0;
        // Bound: the free list once.
        while next != END {
            let frame = next;
            next = m.frame(FrameNumber(frame)).next;
            if (first..end).contains(&frame) {
                continue;
            }
            match kept {
                None => self.head = frame,
                Some(kept) => m.frame(FrameNumber(kept)).next = frame,
            }
            m.frame(FrameNumber(frame)).next = END;
            kept = Some(frame);
        }
    }
}
