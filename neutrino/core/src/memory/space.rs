//! Address spaces: made, shared, forked, released, and told about.
//!
//! The truth about a private page is its page-table entry and the references of its frame: a fork
//! maps the frame in both spaces without write rights, and the fault of the next store copies it.
//! Pages of objects are never copied by a fork; the child finds them when it touches them.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{MappingInfo, PAGE_SIZE, USER_END};

use super::frames::{OutOfMemory, TABLES_PER_PAGE, TABLES_PER_SPACE};
use super::layout::rights;
use super::mapping::{Backing, Charge, Mapping, MappingId};
use super::page::PageRange;
use super::run::Run;
use super::table::{Slot, SlotId};
use super::{Memory, SpaceUsage};
use crate::machine::{Found, Machine, SpaceSlot};
use crate::step::price::{FORK_MAPPING, FORK_PAGE, SEARCH};

/// An address space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    references: u32,
    pub(super) mappings: u32,
    pub(super) root: MappingId,
    /// Next vacant slot, or space without holders, if this is one.
    pub(super) link: u16,
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
        if held.references == 0 {
            self.end_space(m, space);
        }
    }

    /// Copies a space on write to a new one, `child`, from `start` on, as far as the budget allows;
    /// returns up to where. What a thread of the parent changes meanwhile is in the copy if it lies
    /// above that, as on other systems, which do not stop the parent either.
    ///
    /// # Errors
    /// `ENOMEM`: no frame or slot, or the copy's private memory cannot be promised.
    pub fn space_fork(
        &mut self,
        m: &mut impl Machine,
        parent: SpaceSlot,
        child: SpaceSlot,
        start: u64,
    ) -> Result<u64, Errno> {
        let mut at = start;
        // Bound: mappings of the parent, and the budget.
        while let Some(id) = self.next_mapping(parent, at) {
            if self.budget.is_spent() {
                return Ok(at);
            }
            let whole = self.mappings[id];
            at = self.fork_mapping(m, &whole.part(PageRange::ALL.part(at, u64::MAX)), child)?;
        }
        Ok(USER_END)
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
        while at < end {
            at = match m.next_page(space, at, end) {
                Found::Nothing { until } => until,
                Found::Page(page) => {
                    resident_pages = resident_pages.saturating_add(1);
                    page.address.saturating_add(PAGE_SIZE)
                }
            };
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

    /// Copies a mapping to the child as far as the budget allows; returns up to where.
    fn fork_mapping(
        &mut self,
        m: &mut impl Machine,
        mapping: &Mapping,
        child: SpaceSlot,
    ) -> Result<u64, OutOfMemory> {
        self.has_room(child, 1)?;
        let pages = match mapping.charge {
            Charge::Whole => mapping.range.pages(),
            Charge::Object | Charge::Touched | Charge::NoReserve => 0,
        };
        self.frames.charge(pages)?;
        // Commit: the part of the mapping whose pages the child has is the child's, whatever follows.
        let mut reached = mapping.range.end();
        let copied = match mapping.backing {
            Backing::Shared(_) => Ok(()),
            Backing::Anonymous | Backing::Private(_) => {
                reached = mapping.range.start();
                self.fork_pages(m, mapping, child, &mut reached)
            }
        };
        let part = mapping.part(mapping.range.part(0, reached));
        self.frames.uncharge(pages.saturating_sub(pages.min(part.range.pages())));
        if !part.range.is_empty() {
            self.append_mapping(Mapping { space: child, ..part });
        }
        self.budget.spend(FORK_MAPPING);
        copied.map(|()| reached)
    }

    /// Shows the private pages of a mapping in a child, too, up to `reached`.
    fn fork_pages(
        &mut self,
        m: &mut impl Machine,
        mapping: &Mapping,
        child: SpaceSlot,
        reached: &mut u64,
    ) -> Result<(), OutOfMemory> {
        let mut run = Run::new();
        // Bound: pages of the mapping that are present, and the budget.
        while *reached < mapping.range.end() && !self.budget.is_spent() {
            let most = self.budget.pages(FORK_PAGE);
            let until = run.find(m, mapping.space, (*reached, mapping.range.end()), most);
            self.fork_run(m, mapping, child, &mut run)?;
            *reached = until;
            self.budget.spend(SEARCH);
        }
        Ok(())
    }

    /// As [`Memory::fork_pages`], of some pages of the mapping; on an error of none of them.
    fn fork_run(
        &mut self,
        m: &mut impl Machine,
        mapping: &Mapping,
        child: SpaceSlot,
        run: &mut Run,
    ) -> Result<(), OutOfMemory> {
        run.retain(|page| self.owns(m, mapping, page.address, page.frame));
        if run.count() == 0 {
            return Ok(());
        }
        self.frames.fill_tables(m, TABLES_PER_PAGE)?;
        if mapping.charge.is_by_page() {
            self.frames.charge(run.count())?;
        }
        // Commit: nothing below fails.
        let rights = rights(mapping, false);
        let mut was_writable = false;
        run.retain(|page| {
            self.frames.share(m, page.frame);
            was_writable |= page.rights.write;
            page.rights = rights;
            self.budget.spend(FORK_PAGE);
            true
        });
        if was_writable {
            m.map_pages(mapping.space, run.pages());
        }
        m.map_pages(child, run.pages());
        let space = &mut self.spaces[child];
        space.resident_pages = space.resident_pages.saturating_add(run.count());
        Ok(())
    }
}
