//! What lies where in a space: finding, inserting, cutting, joining and dropping mappings.
//!
//! Nothing here fails. Whoever cuts or inserts has asked [`Memory::has_room`] before.

use neutrino_abi::memory::PAGE_SIZE;

use super::Memory;
use super::frames::OutOfMemory;
use super::limits::MAPPINGS_PER_SPACE;
use super::mapping::{Backing, Charge, Mapping, MappingId};
use super::page::PageRange;
use super::run::Run;
use super::tree;
use crate::machine::{Access, FrameNumber, Machine, PageRights, SpaceSlot};
use crate::step::Budget;
use crate::step::price::{DROP_MAPPING, DROP_PAGE, SEARCH};

/// Mappings that cutting a range out of its neighbours may add.
pub(super) const CUTS: u32 = 2;

impl Memory {
    /// The mapping at `address`.
    pub(super) fn mapping_at(&self, space: SpaceSlot, address: u64) -> Option<MappingId> {
        let id = self.next_mapping(space, address)?;
        self.mappings[id].range.contains(address).then_some(id)
    }

    /// The first mapping that ends above `address`.
    pub(super) fn next_mapping(&self, space: SpaceSlot, address: u64) -> Option<MappingId> {
        tree::first_ending_above(&self.mappings, self.spaces[space].root, address)
    }

    /// The first mapping that ends above `at` and begins before `end`.
    pub(super) fn next_before(&self, space: SpaceSlot, at: u64, end: u64) -> Option<MappingId> {
        let id = self.next_mapping(space, at)?;
        (at < end && self.mappings[id].range.start() < end).then_some(id)
    }

    /// Whether nothing is mapped in `range`.
    pub(super) fn is_unmapped(&self, space: SpaceSlot, range: PageRange) -> bool {
        self.next_before(space, range.start(), range.end()).is_none()
    }

    /// Whether every page of `range` is mapped.
    pub(super) fn is_mapped(&self, space: SpaceSlot, range: PageRange) -> bool {
        let mut at = range.start();
        // Bound: mappings in the range.
        while at < range.end() {
            let Some(id) = self.mapping_at(space, at) else { return false };
            at = self.mappings[id].range.end();
        }
        true
    }

    /// Whether `more` mappings can be added.
    pub(super) fn has_room(&self, space: SpaceSlot, more: u32) -> Result<(), OutOfMemory> {
        let wanted = usize::try_from(more).unwrap_or(usize::MAX);
        let mappings = self.spaces[space].mappings.saturating_add(more);
        if mappings > MAPPINGS_PER_SPACE || self.mappings.room() < wanted {
            return Err(OutOfMemory);
        }
        Ok(())
    }

    /// Adds a mapping to its space and to its object.
    pub(super) fn insert_mapping(&mut self, mapping: Mapping) {
        let space = mapping.space;
        let Some(id) = self.mappings.insert(mapping) else {
            debug_assert!(false, "room for a mapping was promised");
            return;
        };
        let root = self.spaces[space].root;
        self.spaces[space].root = tree::insert(&mut self.mappings, root, id);
        self.spaces[space].mappings = self.spaces[space].mappings.saturating_add(1);
        self.link_to_object(id);
    }

    /// Takes a mapping out of its space and its object.
    pub(super) fn remove_mapping(&mut self, m: &mut impl Machine, id: MappingId) {
        let space = self.mappings[id].space;
        let root = self.spaces[space].root;
        self.spaces[space].root = tree::remove(&mut self.mappings, root, id);
        self.spaces[space].mappings = self.spaces[space].mappings.saturating_sub(1);
        self.unlink_from_object(m, id);
        self.mappings.remove(id);
    }

    /// Takes a mapping without pages away.
    pub(super) fn drop_mapping(&mut self, m: &mut impl Machine, id: MappingId) {
        let Mapping { space, range, charge, .. } = self.mappings[id];
        match charge {
            Charge::Whole => self.frames.uncharge(range.pages()),
            Charge::Object | Charge::Touched | Charge::NoReserve => {}
        }
        self.remove_mapping(m, id);
        let space = &mut self.spaces[space];
        space.mapped_pages = space.mapped_pages.saturating_sub(range.pages());
        self.budget.spend(DROP_MAPPING);
    }

    /// Takes the front of a mapping away, up to `at`; its pages are gone.
    fn drop_front(&mut self, id: MappingId, at: u64) {
        let whole = self.mappings[id];
        let rest = whole.part(whole.range.part(at, u64::MAX));
        let gone = rest.range.start().saturating_sub(whole.range.start()) / PAGE_SIZE;
        match whole.charge {
            Charge::Whole => self.frames.uncharge(gone),
            Charge::Object | Charge::Touched | Charge::NoReserve => {}
        }
        self.mappings[id] = rest;
        let space = &mut self.spaces[whole.space];
        space.mapped_pages = space.mapped_pages.saturating_sub(gone);
    }

    /// Unmaps whatever is in `range`, however long it takes.
    pub(super) fn clear_range(&mut self, m: &mut impl Machine, space: SpaceSlot, range: PageRange) {
        self.without_budget(|memory| memory.clear_some(m, space, range));
    }

    /// Unmaps what is in `range` as far as the budget allows; returns up to where.
    pub(super) fn clear_some(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        range: PageRange,
    ) -> u64 {
        self.cut_out(space, range);
        // Bound: mappings in the range, and the budget.
        while let Some(id) = self.next_before(space, range.start(), range.end()) {
            let Mapping { range, .. } = self.mappings[id];
            if self.budget.is_spent() {
                return range.start();
            }
            let reached = self.drop_pages(m, id, range);
            if reached < range.end() {
                self.drop_front(id, reached);
                return reached;
            }
            self.drop_mapping(m, id);
        }
        range.end()
    }

    /// Takes the pages of a part of a mapping away as far as the budget allows, and returns up to
    /// where; this is where every page leaves a space.
    pub(super) fn drop_pages(
        &mut self,
        m: &mut impl Machine,
        id: MappingId,
        range: PageRange,
    ) -> u64 {
        let mapping = self.mappings[id];
        let mut at = range.start();
        let mut run = Run::new();
        // Bound: pages of the range that are present, and the budget.
        while at < range.end() && !self.budget.is_spent() {
            let most = self.budget.pages(DROP_PAGE);
            at = run.find(m, mapping.space, (at, range.end()), most);
            m.unmap_pages(mapping.space, run.pages());
            // Bound: pages of the run.
            for page in run.pages() {
                if self.owns(m, &mapping, page.address, page.frame) {
                    self.frames.release(m, page.frame);
                    if mapping.charge.is_by_page() {
                        self.frames.uncharge(1);
                    }
                }
                self.budget.spend(DROP_PAGE);
            }
            self.budget.spend(SEARCH);
            let space = &mut self.spaces[mapping.space];
            space.resident_pages = space.resident_pages.saturating_sub(run.count());
        }
        at
    }

    /// Does what is not done in steps.
    pub(super) fn without_budget<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let budget = core::mem::replace(&mut self.budget, Budget::ENDLESS);
        let done = act(self);
        self.budget = budget;
        done
    }

    /// Adds a mapping to its space, or makes the one that ends where it begins longer.
    pub(super) fn append_mapping(&mut self, mapping: Mapping) {
        let Mapping { space, range, .. } = mapping;
        self.add_mapped(space, range);
        let before = self.mapping_at(space, range.start().saturating_sub(1));
        match before.filter(|before| self.mappings[*before].joins(&mapping)) {
            Some(before) => self.mappings[before].range = self.mappings[before].range.joined(range),
            None => self.insert_mapping(mapping),
        }
    }

    /// Cuts mappings in two where `range` begins and ends.
    pub(super) fn cut_out(&mut self, space: SpaceSlot, range: PageRange) {
        self.cut(space, range.start());
        self.cut(space, range.end());
    }

    fn cut(&mut self, space: SpaceSlot, address: u64) {
        let Some(id) = self.mapping_at(space, address) else { return };
        let whole = self.mappings[id];
        if whole.range.start() == address {
            return;
        }
        let right = whole.part(whole.range.part(address, u64::MAX));
        self.mappings[id].range = whole.range.part(0, address);
        self.insert_mapping(right);
    }

    /// Joins neighbours in and around `range` that can be one mapping.
    pub(super) fn join_around(&mut self, m: &mut impl Machine, space: SpaceSlot, range: PageRange) {
        let mut at = self.next_mapping(space, range.start().saturating_sub(1));
        // Bound: mappings in the range and two around it.
        while let Some(id) = at {
            let mapping = self.mappings[id];
            if mapping.range.start() > range.end() {
                return;
            }
            at = self.next_mapping(space, mapping.range.end());
            let Some(next) = at else { return };
            let following = self.mappings[next];
            if mapping.joins(&following) {
                self.remove_mapping(m, next);
                self.mappings[id].range = mapping.range.joined(following.range);
                at = Some(id);
            }
        }
    }

    /// Whether a page of a mapping is private to it, not its object's.
    pub(super) fn owns(
        &self,
        m: &impl Machine,
        mapping: &Mapping,
        address: u64,
        frame: FrameNumber,
    ) -> bool {
        match mapping.backing_at(address) {
            Backing::Anonymous => true,
            Backing::Shared(_) => false,
            Backing::Private(window) => {
                self.object_frame(m, window.object, window.page) != Some(frame)
            }
        }
    }

    /// The rights of a page that the mapping shows now.
    pub(super) fn rights_of(
        &self,
        m: &mut impl Machine,
        mapping: &Mapping,
        address: u64,
        frame: FrameNumber,
    ) -> PageRights {
        let is_writable = match mapping.backing {
            Backing::Shared(_) => true,
            Backing::Anonymous | Backing::Private(_) => {
                self.owns(m, mapping, address, frame) && !self.frames.is_shared(m, frame)
            }
        };
        rights(mapping, is_writable)
    }

    /// Counts pages as mapped.
    pub(super) fn add_mapped(&mut self, space: SpaceSlot, range: PageRange) {
        let space = &mut self.spaces[space];
        space.mapped_pages = space.mapped_pages.saturating_add(range.pages());
    }

    /// Counts a page as present.
    pub(super) fn add_resident(&mut self, space: SpaceSlot) {
        let space = &mut self.spaces[space];
        space.resident_pages = space.resident_pages.saturating_add(1);
    }
}

/// The rights of a page that may be stored to if the mapping's protection allows it, or may not.
pub(super) fn rights(mapping: &Mapping, is_writable: bool) -> PageRights {
    PageRights {
        read: mapping.protection.allows(Access::Read),
        write: is_writable && mapping.protection.allows(Access::Write),
        execute: mapping.protection.allows(Access::Execute),
        uncached: mapping.protection.is_uncached(),
    }
}
