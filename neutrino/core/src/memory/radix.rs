//! The pages of a memory object: a tree of table frames, each of 1024 words.
//!
//! A word is a frame number, 0 if there is none. A tree of depth 0 is one page and no table, so a
//! small object costs no more than its page; depth 3 reaches 4 TiB. The object holds each of its
//! pages once; page-table entries of mappings are not counted, because a mapping holds the object.

use super::frames::{Frames, OutOfMemory};
use crate::machine::{FrameNumber, Machine};

/// Bits of a page index that one level decodes.
const LEVEL_BITS: u32 = 10;
/// Words of a table.
const WORDS: u32 = 1 << LEVEL_BITS;
/// Levels at most.
const DEPTH: u32 = 3;
/// Holes and pages that are looked at for that.
const STEPS: u32 = 24;
/// Pages that go at a time.
pub(super) const CUT: u32 = 4;
/// Pages that an object can have.
pub(super) const MAX_PAGES: u64 = 1 << (LEVEL_BITS * DEPTH);

/// Pages of an object by index.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Radix {
    root: u32,
    depth: u32,
    resident: u32,
}

impl Radix {
    /// No pages.
    pub(super) const EMPTY: Self = Self { root: 0, depth: 0, resident: 0 };

    /// How many pages are present.
    pub(super) const fn resident(&self) -> u32 {
        self.resident
    }

    /// The page's frame, if it is present.
    pub(super) fn lookup(&self, m: &impl Machine, page: u32) -> Option<FrameNumber> {
        if self.root == 0 || page_span(self.depth) <= u64::from(page) {
            return None;
        }
        let mut node = self.root;
        // Bound: DEPTH.
        for level in (0..self.depth).rev() {
            node = m.table_word(FrameNumber(node), slot(page, level));
            if node == 0 {
                return None;
            }
        }
        Some(FrameNumber(node))
    }

    /// The page's frame; a new one is full of zeroes. Tables that were made before memory ran out
    /// stay: they are empty and go with the object.
    pub(super) fn reach(
        &mut self,
        frames: &mut Frames,
        m: &mut impl Machine,
        page: u32,
    ) -> Result<FrameNumber, OutOfMemory> {
        self.deepen(frames, m, page)?;
        if self.root == 0 {
            self.root = self.new_node(frames, m, self.depth)?;
        }
        let mut node = self.root;
        // Bound: DEPTH.
        for level in (0..self.depth).rev() {
            let index = slot(page, level);
            let mut child = m.table_word(FrameNumber(node), index);
            if child == 0 {
                child = self.new_node(frames, m, level)?;
                m.set_table_word(FrameNumber(node), index, child);
            }
            node = child;
        }
        Ok(FrameNumber(node))
    }

    /// Where to cut an object of `end` pages so that a few go, and no fewer than `least` are left.
    pub(super) fn cut_point(&self, m: &impl Machine, end: u32, least: u32) -> u32 {
        let (mut at, mut pages) = (end, 0);
        // Bound: STEPS.
        for _ in 0..STEPS {
            let Some(last) = at.checked_sub(1).filter(|_| at > least && pages < CUT) else { break };
            if let Some(start) = self.hole(m, last) {
                at = start;
            } else {
                at = last;
                pages = pages.saturating_add(1);
            }
        }
        at.max(least)
    }

    /// The first page of a hole in the tree, as far as one table shows it, that a page is in.
    fn hole(&self, m: &impl Machine, page: u32) -> Option<u32> {
        let span = page_span(self.depth);
        if self.root == 0 || span <= u64::from(page) {
            let first = if self.root == 0 { 0 } else { span };
            return u32::try_from(first).ok();
        }
        let mut node = self.root;
        // Bound: DEPTH.
        for level in (0..self.depth).rev() {
            node = m.table_word(FrameNumber(node), slot(page, level));
            if node == 0 {
                return Some(page & !span_mask(level));
            }
        }
        None
    }

    /// Frees all pages from `from` on; there are none from `end` on.
    pub(super) fn truncate(
        &mut self,
        frames: &mut Frames,
        m: &mut impl Machine,
        (from, end): (u32, u32),
    ) {
        let span = page_span(self.depth);
        let last = u64::from(end).min(span).saturating_sub(1);
        if self.root != 0 && u64::from(from) < span {
            let pages = (from, u32::try_from(last).unwrap_or(u32::MAX));
            self.root =
                self.prune(frames, m, Subtree { node: self.root, depth: self.depth }, pages);
        }
        if self.root == 0 {
            self.depth = 0;
        }
    }

    /// Adds levels at the root until the tree reaches `page`.
    fn deepen(
        &mut self,
        frames: &mut Frames,
        m: &mut impl Machine,
        page: u32,
    ) -> Result<(), OutOfMemory> {
        // Bound: DEPTH.
        while page_span(self.depth) <= u64::from(page) && self.depth < DEPTH {
            if self.root != 0 {
                let table = frames.allocate_table(m)?;
                m.set_table_word(table, 0, self.root);
                self.root = table.0;
            }
            self.depth = self.depth.saturating_add(1);
        }
        Ok(())
    }

    /// A new subtree with no pages (`depth` > 0) or a new page (`depth` 0).
    fn new_node(
        &mut self,
        frames: &mut Frames,
        m: &mut impl Machine,
        depth: u32,
    ) -> Result<u32, OutOfMemory> {
        if depth > 0 {
            return frames.allocate_table(m).map(|frame| frame.0);
        }
        let frame = frames.allocate_clear(m)?;
        self.resident = self.resident.saturating_add(1);
        Ok(frame.0)
    }

    /// Frees pages of a subtree from its page `from` to its page `last`, behind which it has none;
    /// what is left of it, or 0.
    fn prune(
        &mut self,
        frames: &mut Frames,
        m: &mut impl Machine,
        tree: Subtree,
        (from, last): (u32, u32),
    ) -> u32 {
        let frame = FrameNumber(tree.node);
        let Some(level) = tree.depth.checked_sub(1) else {
            if from == 0 {
                frames.release(m, frame);
                self.resident = self.resident.saturating_sub(1);
                return 0;
            }
            return tree.node;
        };
        let word = |page: u32| page.checked_shr(level.saturating_mul(LEVEL_BITS)).unwrap_or(0);
        let (first, end) = (word(from), word(last));
        // Bound: WORDS a table; depth of the recursion: DEPTH.
        for index in first..=end {
            let at = slot(index, 0);
            let node = m.table_word(frame, at);
            if node == 0 {
                continue;
            }
            let mask = span_mask(level);
            let from = if index == first { from & mask } else { 0 };
            let last = if index == end { last & mask } else { mask };
            let left = self.prune(frames, m, Subtree { node, depth: level }, (from, last));
            m.set_table_word(frame, at, left);
        }
        if from == 0 {
            frames.release_table(m, frame);
            return 0;
        }
        tree.node
    }
}

/// A node and the levels of tables from it to the pages.
#[derive(Clone, Copy)]
struct Subtree {
    node: u32,
    depth: u32,
}

/// Pages that a tree of this depth reaches.
fn page_span(depth: u32) -> u64 {
    1_u64.checked_shl(depth.saturating_mul(LEVEL_BITS)).unwrap_or(u64::MAX)
}

/// Mask of the page indices inside a subtree of this depth.
fn span_mask(depth: u32) -> u32 {
    u32::try_from(page_span(depth).saturating_sub(1)).unwrap_or(u32::MAX)
}

/// The word of a table at `level` that leads to `page`.
fn slot(page: u32, level: u32) -> usize {
    let index = page.checked_shr(level.saturating_mul(LEVEL_BITS)).unwrap_or(0) & (WORDS - 1);
    usize::try_from(index).unwrap_or(0)
}
