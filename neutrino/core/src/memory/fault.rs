//! Faults: what a missing page or right means, and how it comes into being.

use neutrino_abi::memory::PAGE_SIZE;

use super::frames::{OutOfMemory, TABLES_PER_PAGE};
use super::layout::rights;
use super::mapping::{Backing, Mapping, Window};
use super::page::page_of;
use super::run::{self, Run};
use super::{BadAccess, Memory};
use crate::machine::{Access, FrameNumber, Machine, Page, SpaceSlot};

/// Pages of an object that are shown at once, if it has them: those of a run of this many that begins
/// at a multiple of it. A power of two, so that one table holds them.
const AROUND: u64 = run::PAGES as u64;
const AROUND_BYTES: u64 = AROUND * PAGE_SIZE;
const _: () = assert!(AROUND.is_power_of_two());

/// What a page is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// Its bytes are read or executed.
    Load,
    /// Its bytes change, so a private page must belong to nobody else.
    Store,
}

impl Memory {
    /// Makes an access possible: brings the page into being, or copies it if others see it.
    ///
    /// # Errors
    /// Why it never will be possible.
    pub fn resolve(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        address: u64,
        access: Access,
    ) -> Result<(), BadAccess> {
        let id = self.mapping_at(space, address).ok_or(BadAccess::NotMapped)?;
        let mapping = self.mappings[id];
        if !mapping.protection.allows(access) {
            return Err(BadAccess::Protection);
        }
        let intent = match access {
            Access::Read | Access::Execute => Intent::Load,
            Access::Write => Intent::Store,
        };
        self.provide(m, &mapping, page_of(address), intent)?;
        if intent == Intent::Load {
            self.show_around(m, &mapping, address);
        }
        Ok(())
    }

    /// Shows pages around one that has just been provided, if their object has them: a program that
    /// reads or executes one page of a file soon wants its neighbours, and a fault costs more than
    /// all of them.
    fn show_around(&mut self, m: &mut impl Machine, mapping: &Mapping, address: u64) {
        let start = address & !(AROUND_BYTES - 1);
        let range = mapping.range.part(start, start.saturating_add(AROUND_BYTES));
        let Some(window) = mapping.backing_at(range.start()).window() else { return };
        let rights = rights(mapping, matches!(mapping.backing, Backing::Shared(_)));
        let mut found = Run::new();
        let mut page = window.page;
        let mut at = range.start();
        // Bound: AROUND.
        while at < range.end() {
            if let Some(frame) = self.object_frame(m, window.object, page) {
                found.push(Page { address: at, frame, rights });
            }
            page = page.saturating_add(1);
            at = at.saturating_add(PAGE_SIZE);
        }
        let shown = m.map_absent(mapping.space, found.pages());
        let space = &mut self.spaces[mapping.space];
        space.resident_pages = space.resident_pages.saturating_add(shown);
    }

    /// Makes the page at `address` of a mapping present with all the rights it can have; the
    /// mapping's protection is not asked.
    pub(super) fn provide(
        &mut self,
        m: &mut impl Machine,
        mapping: &Mapping,
        address: u64,
        intent: Intent,
    ) -> Result<Page, BadAccess> {
        self.frames.fill_tables(m, TABLES_PER_PAGE)?;
        let present = m.lookup(mapping.space, address).map(|page| page.frame);
        let frame = match mapping.backing_at(address) {
            Backing::Shared(window) => self.reach_object_frame(m, window.object, window.page)?,
            Backing::Anonymous => match present {
                Some(frame) => self.own(m, frame, intent)?,
                None => self.new_private(m, mapping, None)?,
            },
            Backing::Private(window) => self.private_frame(m, mapping, window, present, intent)?,
        };
        if present.is_none() {
            self.add_resident(mapping.space);
        }
        let rights = self.rights_of(m, mapping, address, frame);
        let page = Page { address, frame, rights };
        m.map(mapping.space, page);
        Ok(page)
    }

    /// The frame of a page of a private mapping of an object.
    fn private_frame(
        &mut self,
        m: &mut impl Machine,
        mapping: &Mapping,
        window: Window,
        present: Option<FrameNumber>,
        intent: Intent,
    ) -> Result<FrameNumber, BadAccess> {
        let Window { object, page } = window;
        if u64::from(page) >= self.objects[object].pages() {
            return Err(BadAccess::BeyondObject);
        }
        let original = self.object_frame(m, object, page);
        match present {
            Some(frame) if original != Some(frame) => Ok(self.own(m, frame, intent)?),
            Some(_) | None => match intent {
                Intent::Load => self.reach_object_frame(m, object, page),
                Intent::Store => Ok(self.new_private(m, mapping, original)?),
            },
        }
    }

    /// A private page for `intent`: a copy if it is to change and others see it.
    fn own(
        &mut self,
        m: &mut impl Machine,
        frame: FrameNumber,
        intent: Intent,
    ) -> Result<FrameNumber, OutOfMemory> {
        if intent == Intent::Load || !self.frames.is_shared(m, frame) {
            return Ok(frame);
        }
        let copy = self.frames.allocate(m)?;
        m.copy_frame(frame, copy);
        self.frames.release(m, frame);
        Ok(copy)
    }

    /// A new private page with the bytes of `original`, or with zeroes.
    fn new_private(
        &mut self,
        m: &mut impl Machine,
        mapping: &Mapping,
        original: Option<FrameNumber>,
    ) -> Result<FrameNumber, OutOfMemory> {
        let charge = u64::from(mapping.charge.is_by_page());
        self.frames.charge(charge)?;
        let Ok(frame) = self.frames.allocate(m) else {
            self.frames.uncharge(charge);
            return Err(OutOfMemory);
        };
        match original {
            Some(original) => m.copy_frame(original, frame),
            None => m.clear_frame(frame),
        }
        Ok(frame)
    }
}

impl From<OutOfMemory> for BadAccess {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::NoMemory
    }
}

/// Most faults that a copy of `length` bytes can meet: each page may be absent and then shared.
pub(super) fn most_faults(length: u64) -> u64 {
    (length / PAGE_SIZE).saturating_add(2).saturating_mul(2)
}
