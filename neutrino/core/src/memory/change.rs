//! `unmap`, `protect`, `remap` and `advise`: changes to what is mapped.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{PAGE_SIZE, REMAP_FIXED, REMAP_MAYMOVE, RemapArgs};

use super::Memory;
use super::frames::OutOfMemory;
use super::layout::CUTS;
use super::mapping::{Charge, Mapping, MappingId};
use super::page::{BadRange, PageRange, Protection};
use super::tree;
use crate::machine::{Access, Found, Machine, Page, SpaceSlot};
use crate::step::price::{PROTECT_MAPPING, PROTECT_PAGE, SEARCH, SKIP_PAGE};

/// `MADV_DONTNEED`.
const DONTNEED: u32 = 4;

impl Memory {
    /// Unmaps whole pages as far as the budget allows, and returns up to where; holes are no error.
    ///
    /// # Errors
    /// - `EINVAL`: the range is empty, not aligned, or not in user space.
    /// - `ENOMEM`: too many mappings.
    pub fn unmap(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        address: u64,
        length: u64,
    ) -> Result<u64, Errno> {
        let range = PageRange::of_user(address, length).map_err(|_| Errno::EINVAL)?;
        self.has_room(space, CUTS)?;
        // Commit: nothing below fails.
        Ok(self.clear_some(m, space, range))
    }

    /// Changes protection as far as the budget allows, and returns up to where.
    ///
    /// # Errors
    /// - `EINVAL`: the range is not aligned, or the protection has unknown bits.
    /// - `ENOMEM`: part of the range is not mapped, too many mappings, or pages that become
    ///   writable cannot be promised.
    /// - `EACCES`: a mapping does not allow it.
    pub fn protect(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        address: u64,
        length: u64,
        protection: u32,
    ) -> Result<u64, Errno> {
        let protection = Protection::from_bits(protection).ok_or(Errno::EINVAL)?;
        let range = match PageRange::of_user(address, length) {
            Err(BadRange::Shape) if length == 0 && address.is_multiple_of(PAGE_SIZE) => {
                return Ok(address);
            }
            other => other?,
        };
        self.may_protect(space, range, protection)?;
        self.has_room(space, CUTS)?;
        let mut at = range.start();
        // Bound: mappings in the range, and the budget.
        while let Some(id) = self.next_before(space, at, range.end()) {
            if self.budget.is_spent() {
                break;
            }
            let part = self.mappings[id].part(range.part(at, u64::MAX));
            at = self.protect_part(m, &part, protection)?;
        }
        Ok(at)
    }

    /// Changes the protection of (a part of) one mapping as far as the budget allows, and returns up
    /// to where.
    fn protect_part(
        &mut self,
        m: &mut impl Machine,
        part: &Mapping,
        protection: Protection,
    ) -> Result<u64, OutOfMemory> {
        let becomes_whole = part.charge == Charge::Touched && protection.allows(Access::Write);
        self.has_room(part.space, CUTS)?;
        let mut part = *part;
        if becomes_whole {
            let (reached, charged) = self.count_owned(m, &part);
            part = part.part(part.range.part(0, reached));
            self.frames.charge(part.range.pages().saturating_sub(charged))?;
        }
        // Commit: nothing below fails.
        part.protection = protection;
        let reached = if becomes_whole {
            self.without_budget(|memory| memory.refresh_rights(m, &part))
        } else {
            self.refresh_rights(m, &part)
        };
        let changed = part.range.part(0, reached);
        self.cut_out(part.space, changed);
        if let Some(id) = self.mapping_at(part.space, changed.start()) {
            let mapping = &mut self.mappings[id];
            mapping.protection = protection;
            if becomes_whole {
                mapping.charge = Charge::Whole;
            }
        }
        self.join_around(m, part.space, changed);
        self.budget.spend(PROTECT_MAPPING);
        Ok(reached)
    }

    /// Whether all of a range is mapped, and may have a protection.
    // Bound: mappings in the range.
    fn may_protect(
        &self,
        space: SpaceSlot,
        range: PageRange,
        protection: Protection,
    ) -> Result<(), Errno> {
        let mut at = range.start();
        while at < range.end() {
            let id = self.mapping_at(space, at).ok_or(Errno::ENOMEM)?;
            if !protection.is_within(self.mappings[id].allowed) {
                return Err(Errno::EACCES);
            }
            at = self.mappings[id].range.end();
        }
        Ok(())
    }

    /// `madvise` as far as the budget allows; returns up to where.
    ///
    /// # Errors
    /// - `EINVAL`: the range is not aligned, or the advice would have an effect that is not known.
    /// - `ENOMEM`: part of the range is not mapped.
    pub fn advise(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        address: u64,
        length: u64,
        advice: u32,
    ) -> Result<u64, Errno> {
        match advice {
            // NORMAL to DONTNEED, FREE; MERGEABLE to DODUMP, KEEPONFORK to PAGEOUT: hints.
            0..=4 | 8 | 12..=17 | 19..=21 => {}
            _ => return Err(Errno::EINVAL),
        }
        let range = match PageRange::of_user(address, length) {
            Err(BadRange::Shape) if length == 0 && address.is_multiple_of(PAGE_SIZE) => {
                return Ok(address);
            }
            other => other?,
        };
        if !self.is_mapped(space, range) {
            return Err(Errno::ENOMEM);
        }
        if advice != DONTNEED {
            return Ok(range.end());
        }
        let mut at = range.start();
        // Bound: mappings in the range, and the budget.
        while let Some(id) = self.next_before(space, at, range.end()) {
            if self.budget.is_spent() {
                break;
            }
            let part = self.mappings[id].range.common(range.part(at, u64::MAX));
            at = self.drop_pages(m, id, part);
        }
        Ok(at)
    }

    /// Grows, shrinks or moves (a part of) a mapping; returns its address.
    ///
    /// # Errors
    /// - `EINVAL`: bad addresses, lengths or flags.
    /// - `EFAULT`: the old range is not in one mapping.
    /// - `ENOMEM`: no room to grow, no memory, too many mappings.
    pub fn remap(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        arguments: &RemapArgs,
    ) -> Result<u64, Errno> {
        let RemapArgs { address, old_length, new_length, new_address, flags, .. } = *arguments;
        let (may_move, is_fixed) = (flags & REMAP_MAYMOVE != 0, flags & REMAP_FIXED != 0);
        if flags & !(REMAP_MAYMOVE | REMAP_FIXED) != 0 || is_fixed && !may_move {
            return Err(Errno::EINVAL);
        }
        let old = PageRange::of_user(address, old_length).map_err(|_| Errno::EINVAL)?;
        let id = self.mapping_at(space, address).ok_or(Errno::EFAULT)?;
        if old.end() > self.mappings[id].range.end() {
            return Err(Errno::EFAULT);
        }
        if is_fixed {
            let new = PageRange::of_user(new_address, new_length).map_err(|_| Errno::EINVAL)?;
            if new.overlaps(old) {
                return Err(Errno::EINVAL);
            }
            return self.relocate(m, space, old, new);
        }
        let new = PageRange::of_user(address, new_length)?;
        if new.end() <= old.end() {
            let rest = old.behind(new.pages());
            if !rest.is_empty() {
                self.has_room(space, CUTS)?;
                self.clear_range(m, space, rest);
            }
            return Ok(address);
        }
        let grown = new.behind(old.pages());
        if self.is_unmapped(space, grown) {
            self.grow(m, id, grown)?;
            return Ok(address);
        }
        if !may_move {
            return Err(Errno::ENOMEM);
        }
        let length = new.pages().saturating_mul(PAGE_SIZE);
        let new = self.find_vacant(space, length, 0)?;
        self.relocate(m, space, old, new)
    }

    /// Makes a mapping longer by the unmapped range behind it.
    fn grow(
        &mut self,
        m: &mut impl Machine,
        id: MappingId,
        grown: PageRange,
    ) -> Result<(), OutOfMemory> {
        let Mapping { space, range, charge, .. } = self.mappings[id];
        if charge == Charge::Whole {
            self.frames.charge(grown.pages())?;
        }
        // Commit: nothing below fails.
        self.mappings[id].range = range.joined(grown);
        self.add_mapped(space, grown);
        self.join_around(m, space, grown);
        Ok(())
    }

    /// Moves `old` (in one mapping) to `new`, which it does not overlap; what is there goes.
    fn relocate(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        old: PageRange,
        new: PageRange,
    ) -> Result<u64, Errno> {
        let mapping = self.mapping_at(space, old.start()).ok_or(Errno::EFAULT)?;
        self.has_room(space, CUTS.saturating_mul(2))?;
        if self.frames.free() < tables_for(new) {
            return Err(Errno::ENOMEM);
        }
        if self.mappings[mapping].charge == Charge::Whole {
            self.frames.charge(new.pages().saturating_sub(old.pages()))?;
        }
        // Commit: nothing below fails.
        self.clear_range(m, space, new);
        let rest = old.behind(new.pages());
        if !rest.is_empty() {
            self.clear_range(m, space, rest);
        }
        let old = old.part(0, old.start().saturating_add(length_of(new)));
        self.cut_out(space, old);
        let Some(id) = self.mapping_at(space, old.start()) else { return Err(Errno::EFAULT) };
        let root = self.spaces[space].root;
        let root = tree::remove(&mut self.mappings, root, id);
        self.mappings[id].range = new;
        self.spaces[space].root = tree::insert(&mut self.mappings, root, id);
        self.add_mapped(space, new.behind(old.pages()));
        self.move_pages(m, space, old, new.start());
        self.join_around(m, space, new);
        Ok(new.start())
    }

    /// Moves the page-table entries of `old` to where `to` begins.
    fn move_pages(&mut self, m: &mut impl Machine, space: SpaceSlot, old: PageRange, to: u64) {
        let mut at = old.start();
        // Bound: pages of the range that are present.
        while at < old.end() {
            let page = match m.next_page(space, at, old.end()) {
                Found::Page(page) => page,
                Found::Nothing { until } => {
                    at = until;
                    continue;
                }
            };
            at = page.address.saturating_add(PAGE_SIZE);
            let filled = self.frames.fill_tables(m, super::frames::TABLES_PER_PAGE);
            debug_assert!(filled.is_ok(), "frames for page tables were counted");
            m.unmap(space, page.address);
            let address = page.address.saturating_sub(old.start()).saturating_add(to);
            m.map(space, Page { address, ..page });
        }
    }

    /// How many pages of a mapping are present and its own, as far as the budget allows to look, and
    /// up to where that is.
    fn count_owned(&mut self, m: &mut impl Machine, mapping: &Mapping) -> (u64, u64) {
        let (mut at, mut owned) = (mapping.range.start(), 0_u64);
        // Bound: pages of the mapping that are present, and the budget.
        while at < mapping.range.end() && !self.budget.is_spent() {
            match m.next_page(mapping.space, at, mapping.range.end()) {
                Found::Nothing { until } => {
                    at = until;
                    self.budget.spend(SEARCH);
                }
                Found::Page(page) => {
                    let is_own = self.owns(m, mapping, page.address, page.frame);
                    owned = owned.saturating_add(is_own.into());
                    at = page.address.saturating_add(PAGE_SIZE);
                    self.budget.spend(PROTECT_PAGE.saturating_add(SKIP_PAGE));
                }
            }
        }
        (at, owned)
    }

    /// Gives the pages of a mapping the rights that its protection says, as far as the budget
    /// allows; returns up to where.
    fn refresh_rights(&mut self, m: &mut impl Machine, mapping: &Mapping) -> u64 {
        let mut at = mapping.range.start();
        // Bound: pages of the mapping that are present, and the budget.
        while at < mapping.range.end() && !self.budget.is_spent() {
            match m.next_page(mapping.space, at, mapping.range.end()) {
                Found::Nothing { until } => {
                    at = until;
                    self.budget.spend(SEARCH);
                }
                Found::Page(page) => {
                    let rights = self.rights_of(m, mapping, page.address, page.frame);
                    m.map(mapping.space, Page { rights, ..page });
                    at = page.address.saturating_add(PAGE_SIZE);
                    self.budget.spend(PROTECT_PAGE);
                }
            }
        }
        at
    }
}

/// Frames that page tables of a range may need: those of three levels.
fn tables_for(range: PageRange) -> u64 {
    let pages = range.pages();
    (pages >> 9).saturating_add(pages >> 18).saturating_add(pages >> 27).saturating_add(6)
}

/// Length in bytes.
fn length_of(range: PageRange) -> u64 {
    range.pages().saturating_mul(PAGE_SIZE)
}

impl From<OutOfMemory> for Errno {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::ENOMEM
    }
}
