//! Address spaces: made, shared, forked, released, and told about.
//!
//! The truth about a private page is its page-table entry and the references of its frame: a fork
//! maps the frame in both spaces without write rights, and the fault of the next store copies it.
//! Pages of objects are never copied by a fork; the child finds them when it touches them.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{MappingInfo, PAGE_SIZE};

use super::frames::{OutOfMemory, TABLES_PER_PAGE, TABLES_PER_SPACE};
use super::layout::rights;
use super::mapping::{Backing, Charge, Mapping, MappingId};
use super::run::Run;
use super::table::{Slot, SlotId};
use super::{Memory, SpaceUsage};
use crate::machine::{Machine, SpaceSlot};

/// An address space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    references: u32,
    pub(super) mappings: u32,
    pub(super) root: MappingId,
    /// Next vacant slot, if this one is.
    link: u16,
    pub(super) mapped_pages: u64,
    pub(super) resident_pages: u64,
}

impl SlotId for SpaceSlot {
    fn from_index(index: u16) -> Self {
        Self(index)
    }
    fn index(self) -> u16 {
        self.0
    }
}

impl Slot for Space {
    type Id = SpaceSlot;
    const VACANT: Self = Self {
        references: 0,
        mappings: 0,
        root: MappingId::NONE,
        link: 0,
        mapped_pages: 0,
        resident_pages: 0,
    };

    fn link(&self) -> u16 {
        self.link
    }
    fn vacate(&mut self, link: u16) {
        *self = Self { link, ..Self::VACANT };
    }
}

impl Memory {
    /// Makes an empty space, held once.
    ///
    /// # Errors
    /// `ENOMEM`: no frame or no slot for it.
    pub fn space_create(&mut self, m: &mut impl Machine) -> Result<SpaceSlot, Errno> {
        if self.spaces.room() == 0 {
            return Err(Errno::ENOMEM);
        }
        self.frames.fill_tables(m, TABLES_PER_SPACE.saturating_add(TABLES_PER_PAGE))?;
        let slot = self.spaces.insert(Space { references: 1, ..Space::VACANT });
        let slot = slot.ok_or(Errno::ENOMEM)?;
        m.space_create(slot);
        Ok(slot)
    }

    /// One more holder.
    pub fn space_share(&mut self, space: SpaceSlot) {
        let space = &mut self.spaces[space];
        space.references = space.references.saturating_add(1);
    }

    /// One holder fewer; the last one unmaps everything.
    pub fn space_release(&mut self, m: &mut impl Machine, space: SpaceSlot) {
        let held = &mut self.spaces[space];
        debug_assert!(held.references > 0, "a dead space is released");
        held.references = held.references.saturating_sub(1);
        if held.references != 0 {
            return;
        }
        // Bound: mappings of the space.
        while let Some(id) = self.spaces[space].root.some() {
            self.drop_mapping(m, id);
        }
        m.space_destroy(space);
        self.frames.drain_tables(m, TABLES_PER_PAGE.saturating_add(TABLES_PER_SPACE));
        self.spaces.remove(space);
    }

    /// Makes a copy-on-write copy of a space, held once.
    ///
    /// # Errors
    /// `ENOMEM`: no frame or slot, or the copy's private memory cannot be promised.
    pub fn space_fork(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
    ) -> Result<SpaceSlot, Errno> {
        let mappings = usize::try_from(self.spaces[space].mappings).unwrap_or(usize::MAX);
        if self.mappings.room() < mappings {
            return Err(Errno::ENOMEM);
        }
        let child = self.space_create(m)?;
        match self.fork_mappings(m, space, child) {
            Ok(()) => Ok(child),
            Err(OutOfMemory) => {
                self.space_release(m, child);
                Err(Errno::ENOMEM)
            }
        }
    }

    /// What a space uses.
    #[must_use]
    pub fn space_usage(&self, space: SpaceSlot) -> SpaceUsage {
        let space = &self.spaces[space];
        SpaceUsage {
            mapped_bytes: space.mapped_pages.saturating_mul(PAGE_SIZE),
            resident_pages: space.resident_pages,
        }
    }

    /// How many bytes of a range are mapped.
    // Bound: mappings of the range.
    #[must_use]
    pub fn mapped_within(&self, space: SpaceSlot, start: u64, length: u64) -> u64 {
        let end = start.saturating_add(length);
        let (mut at, mut mapped) = (start, 0_u64);
        while let Some(id) = self.next_mapping(space, at) {
            let range = self.mappings[id].range;
            if range.start() >= end {
                break;
            }
            let part = range.end().min(end).saturating_sub(range.start().max(start));
            mapped = mapped.saturating_add(part);
            at = range.end();
        }
        mapped
    }

    /// The first mapping that ends above `address`.
    pub fn mapping_info(
        &self,
        m: &mut impl Machine,
        space: SpaceSlot,
        address: u64,
    ) -> Option<MappingInfo> {
        let id = self.next_mapping(space, address)?;
        let mapping = &self.mappings[id];
        let (start, end) = (mapping.range.start(), mapping.range.end());
        let mut resident_pages = 0_u32;
        let mut at = start;
        // Bound: pages of the mapping that are present.
        while let Some(page) = m.next_page(space, at, end) {
            resident_pages = resident_pages.saturating_add(1);
            at = page.address.saturating_add(PAGE_SIZE);
        }
        let window = mapping.backing.window();
        Some(MappingInfo {
            start,
            end,
            offset: window.map_or(0, |window| u64::from(window.page).saturating_mul(PAGE_SIZE)),
            protection: mapping.protection.bits(),
            flags: mapping.flags(),
            object: window.map_or(0, |window| u32::from(window.object.0)),
            resident_pages,
        })
    }

    fn fork_mappings(
        &mut self,
        m: &mut impl Machine,
        parent: SpaceSlot,
        child: SpaceSlot,
    ) -> Result<(), OutOfMemory> {
        let mut at = 0;
        // Bound: mappings of the parent.
        while let Some(id) = self.next_mapping(parent, at) {
            let mapping = self.mappings[id];
            at = mapping.range.end();
            match mapping.charge {
                Charge::Whole => self.frames.charge(mapping.range.pages())?,
                Charge::Object | Charge::Touched | Charge::NoReserve => {}
            }
            self.insert_mapping(Mapping { space: child, ..mapping });
            self.add_mapped(child, mapping.range);
            match mapping.backing {
                Backing::Shared(_) => {}
                Backing::Anonymous | Backing::Private(_) => {
                    self.fork_pages(m, &mapping, child)?;
                }
            }
        }
        Ok(())
    }

    /// Shows the private pages of a mapping in a child, too.
    fn fork_pages(
        &mut self,
        m: &mut impl Machine,
        mapping: &Mapping,
        child: SpaceSlot,
    ) -> Result<(), OutOfMemory> {
        let mut at = mapping.range.start();
        let mut run = Run::new();
        // Bound: pages of the mapping that are present.
        while run.find(m, mapping.space, at, mapping.range.end()) {
            at = run.end();
            self.fork_run(m, mapping, child, &mut run)?;
        }
        Ok(())
    }

    /// As [`Memory::fork_pages`], of some pages of the mapping.
    fn fork_run(
        &mut self,
        m: &mut impl Machine,
        mapping: &Mapping,
        child: SpaceSlot,
        run: &mut Run,
    ) -> Result<(), OutOfMemory> {
        self.frames.fill_tables(m, TABLES_PER_PAGE)?;
        let rights = rights(mapping, false);
        let mut outcome = Ok(());
        let mut was_writable = false;
        run.retain(|page| {
            if outcome.is_err() || !self.owns(m, mapping, page.address, page.frame) {
                return false;
            }
            if mapping.charge.is_by_page() {
                outcome = self.frames.charge(1);
                if outcome.is_err() {
                    return false;
                }
            }
            self.frames.share(m, page.frame);
            was_writable |= page.rights.write;
            page.rights = rights;
            true
        });
        if was_writable {
            m.map_pages(mapping.space, run.pages());
        }
        m.map_pages(child, run.pages());
        let space = &mut self.spaces[child];
        space.resident_pages = space.resident_pages.saturating_add(run.count());
        outcome
    }
}
