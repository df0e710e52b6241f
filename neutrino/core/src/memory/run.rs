//! Pages that are looked at together: finding, mapping and unmapping them one by one costs a walk
//! through the page tables each.

use neutrino_abi::memory::PAGE_SIZE;

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

    /// The first pages mapped at or after `from` and before `end`, if there are any.
    pub(super) fn next(m: &impl Machine, space: SpaceSlot, from: u64, end: u64) -> Option<Self> {
        let mut run = Self::new();
        run.count = m.next_pages(space, from, end, &mut run.pages);
        (run.count != 0).then_some(run)
    }

    /// Adds a page, of which a run has no more than the one that it comes from.
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

    /// The address behind the last one.
    pub(super) fn end(&self) -> u64 {
        self.pages().last().map_or(u64::MAX, |page| page.address.saturating_add(PAGE_SIZE))
    }
}
