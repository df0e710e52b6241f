//! Pages that are looked at together: finding, mapping and unmapping them one by one costs a walk
//! through the page tables each.

use crate::machine::{Machine, Page, SpaceSlot};

/// Most pages of a run.
pub(super) const PAGES: usize = 16;

/// Pages of a space, in order, all in one page table.
pub(super) struct Run {
    pages: [Page; PAGES],
    count: usize,
}

impl Run {
    /// No pages.
    pub(super) fn new() -> Self {
        Self { pages: [Page::default(); PAGES], count: 0 }
    }

    /// Becomes the first pages mapped at or after `from` and before `end`, at most `most` of them, or
    /// none if a short search finds none; returns the address up to which there are no others.
    pub(super) fn find(
        &mut self,
        m: &impl Machine,
        space: SpaceSlot,
        (from, end): (u64, u64),
        most: usize,
    ) -> u64 {
        let most = most.clamp(1, PAGES);
        let Some(pages) = self.pages.get_mut(..most) else { return from };
        let looked = m.next_pages(space, from, end, pages);
        self.count = looked.pages;
        looked.until
    }

    /// Keeps the pages that `keep` takes, which may change them.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut Page) -> bool) {
        let found = core::mem::take(&mut self.count);
        // Bound: pages of the run.
        for index in 0..found {
            let Some(mut page) = self.pages.get(index).copied() else { return };
            if keep(&mut page) {
                self.push(page);
            }
        }
    }

    /// Adds a page; there is room for [`PAGES`].
    pub(super) fn push(&mut self, page: Page) {
        if let Some(place) = self.pages.get_mut(self.count) {
            *place = page;
            self.count = self.count.saturating_add(1);
        }
    }

    /// The pages.
    pub(super) fn pages(&self) -> &[Page] {
        self.pages.get(..self.count).unwrap_or_default()
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.count).unwrap_or(0)
    }
}
