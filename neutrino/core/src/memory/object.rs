//! Memory objects: what several spaces can map.
//!
//! An object lives as long as a handle or a mapping holds it. Its frames are its own; mappings show
//! them without being counted. Every mapping of an object is in the object's list, so that
//! shrinking it reaches each page-table entry.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{ObjectInfo, PAGE_SIZE, object};

use super::frames::OutOfMemory;
use super::mapping::{Mapping, MappingId};
use super::page::{PageRange, offset_in_page, page_of, round_up};
use super::radix::{CUT, MAX_PAGES, Radix};
use super::table::{Slot, SlotId};
use super::{BadAccess, Extent, Memory, ObjectId};
use crate::machine::{FrameNumber, Machine, PhysicalRange};
use crate::step::price::FREE_PAGE;

/// Whose neighbouring frames an object shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// RAM of its own.
    Contiguous,
    /// A device's.
    Physical,
    /// The boot image.
    BootImage,
    /// The boot framebuffer.
    Framebuffer,
    /// The clock page.
    TimePage,
}

/// Which pages of a sparse object are promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// All: touching one cannot fail.
    Size,
    /// Those that are present: a hole costs nothing.
    Present,
}

/// What an object consists of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Contents {
    /// There is no such object; the next vacant slot.
    Vacant(u16),
    /// Pages that come into being when they are touched.
    Sparse(Radix, Promise),
    /// Neighbouring frames.
    Run { run: Run, physical: u64 },
}

impl Promise {
    /// Pages that are promised to an object of `size` pages.
    fn pages(self, radix: &Radix, size: u64) -> u64 {
        match self {
            Self::Size => size,
            Self::Present => u64::from(radix.resident()),
        }
    }
}

/// A memory object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object {
    pub(super) contents: Contents,
    references: u32,
    size: u64,
    mappings: MappingId,
    /// Next object without holders, if this is one.
    pub(super) next: ObjectId,
}

impl Object {
    /// Pages that it has, present or not.
    pub(super) const fn pages(&self) -> u64 {
        self.size.div_ceil(PAGE_SIZE)
    }

    /// Size in bytes.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Whether it may ever be written.
    pub(super) const fn is_writable(&self) -> bool {
        match self.contents {
            Contents::Vacant(_) => false,
            Contents::Sparse(..) => true,
            Contents::Run { run, .. } => match run {
                Run::Contiguous | Run::Physical | Run::Framebuffer => true,
                Run::BootImage | Run::TimePage => false,
            },
        }
    }

    /// Whether its frames are RAM, which the kernel can copy.
    pub(super) const fn is_ram(&self) -> bool {
        match self.contents {
            Contents::Vacant(_) => false,
            Contents::Sparse(..) => true,
            Contents::Run { run, .. } => match run {
                Run::Contiguous | Run::BootImage | Run::TimePage => true,
                Run::Physical | Run::Framebuffer => false,
            },
        }
    }
}

impl SlotId for ObjectId {
    fn from_index(index: u16) -> Self {
        Self(index)
    }
    fn index(self) -> u16 {
        self.0
    }
}

impl Slot for Object {
    type Id = ObjectId;
    const VACANT: Self = Self {
        contents: Contents::Vacant(0),
        references: 0,
        size: 0,
        mappings: MappingId::NONE,
        next: ObjectId(0),
    };

    fn link(&self) -> u16 {
        match self.contents {
            Contents::Vacant(link) => link,
            Contents::Sparse(..) | Contents::Run { .. } => 0,
        }
    }
    fn vacate(&mut self, link: u16) {
        *self = Self { contents: Contents::Vacant(link), ..Self::VACANT };
    }
}

impl Memory {
    /// Makes a memory object of a kind ([`object`]) and `size` bytes, held once. `physical` is the
    /// address of a [`object::PHYSICAL`] one; boot image, framebuffer and clock page have their own
    /// address and size.
    ///
    /// # Errors
    /// - `EINVAL`: no such kind, or a bad size or address.
    /// - `EPERM`: the physical range is RAM of the kernel's.
    /// - `ENOMEM`: no memory or no slot for it.
    /// - `ENODEV`: there is no such thing.
    pub fn object_create(
        &mut self,
        m: &mut impl Machine,
        kind: u32,
        size: u64,
        physical: u64,
    ) -> Result<ObjectId, Errno> {
        if self.objects.room() == 0 {
            return Err(Errno::ENOMEM);
        }
        let (contents, size) = match kind {
            object::ANONYMOUS => (self.new_sparse(size, Promise::Size)?, size),
            object::SPARSE => (self.new_sparse(size, Promise::Present)?, size),
            object::CONTIGUOUS => (self.new_contiguous(m, size)?, size),
            object::PHYSICAL => {
                let range = PhysicalRange { address: physical, length: size };
                if !m.is_device_memory(range) {
                    return Err(Errno::EPERM);
                }
                show(Run::Physical, range)?
            }
            object::BOOT_IMAGE => show(Run::BootImage, m.boot_image())?,
            object::FRAMEBUFFER => {
                let (range, _) = m.framebuffer().ok_or(Errno::ENODEV)?;
                show(Run::Framebuffer, range)?
            }
            object::TIME_PAGE => {
                let address = u64::from(m.time_page().0).saturating_mul(PAGE_SIZE);
                show(Run::TimePage, PhysicalRange { address, length: PAGE_SIZE })?
            }
            _ => return Err(Errno::EINVAL),
        };
        let object = Object { contents, references: 1, size, ..Object::VACANT };
        self.objects.insert(object).ok_or(Errno::ENOMEM)
    }

    /// One more holder.
    pub fn object_share(&mut self, id: ObjectId) {
        let object = &mut self.objects[id];
        object.references = object.references.saturating_add(1);
    }

    /// One holder fewer; the last one frees the object.
    pub fn object_release(&mut self, m: &mut impl Machine, id: ObjectId) {
        let object = &mut self.objects[id];
        debug_assert!(object.references > 0, "a dead object is released");
        object.references = object.references.saturating_sub(1);
        if object.references == 0 {
            self.end_object(m, id);
        }
    }

    /// Takes a few pages off the end of an object, but leaves it `least` of them.
    pub(super) fn shorten(&mut self, m: &mut impl Machine, id: ObjectId, least: u64) {
        let object = self.objects[id];
        let old = u32::try_from(object.pages()).unwrap_or(u32::MAX);
        let least = u32::try_from(least).unwrap_or(u32::MAX).min(old);
        let new = match object.contents {
            Contents::Vacant(_) => 0,
            Contents::Sparse(mut radix, promise) => {
                let new = radix.cut_point(m, old, least);
                self.hide_pages(m, id, new.into());
                let promised = promise.pages(&radix, old.into());
                radix.truncate(&mut self.frames, m, (new, old));
                let kept = promise.pages(&radix, new.into());
                self.frames.uncharge(promised.saturating_sub(kept));
                self.objects[id].contents = Contents::Sparse(radix, promise);
                new
            }
            Contents::Run { run: Run::Contiguous, physical } => {
                let new = old.saturating_sub(CUT).max(least);
                let first = frame_at(physical);
                // Bound: CUT.
                for page in new..old {
                    self.frames.release(m, FrameNumber(first.0.saturating_add(page)));
                }
                self.frames.uncharge(old.saturating_sub(new).into());
                new
            }
            Contents::Run {
                run: Run::Physical | Run::BootImage | Run::Framebuffer | Run::TimePage,
                ..
            } => 0,
        };
        self.objects[id].size = u64::from(new).saturating_mul(PAGE_SIZE);
        self.budget.spend(FREE_PAGE.saturating_mul(CUT));
    }

    /// Grows or shrinks an anonymous object. Pages behind the end leave every mapping, private
    /// copies too, and are freed; the rest of the last page is cleared. An object that shrinks does
    /// so page by page, as far as the budget allows.
    ///
    /// # Errors
    /// - `EINVAL`: the object cannot have this size.
    /// - `ENOMEM`: no memory for it.
    pub fn object_resize(
        &mut self,
        m: &mut impl Machine,
        id: ObjectId,
        size: u64,
    ) -> Result<Extent, Errno> {
        let object = self.objects[id];
        let Contents::Sparse(_, promise) = object.contents else {
            return Err(Errno::EINVAL);
        };
        let (old, new) = (object.pages(), size.div_ceil(PAGE_SIZE));
        if new > MAX_PAGES {
            return Err(Errno::EINVAL);
        }
        if promise == Promise::Size {
            self.frames.charge(new.saturating_sub(old))?;
        }
        // Commit: nothing below fails.
        // Bound: pages of the object, and the budget.
        while self.objects[id].pages() > new {
            if self.budget.is_spent() {
                return Ok(Extent::Part);
            }
            self.shorten(m, id, new);
        }
        self.clear_behind(m, id, size.min(object.size));
        self.objects[id].size = size;
        Ok(Extent::Whole)
    }

    /// Tells about an object.
    pub fn object_info(&self, _m: &mut impl Machine, id: ObjectId) -> ObjectInfo {
        let held = &self.objects[id];
        let (kind, physical, resident) = match held.contents {
            Contents::Vacant(_) => return ObjectInfo::default(),
            Contents::Sparse(radix, promise) => {
                let kind = match promise {
                    Promise::Size => object::ANONYMOUS,
                    Promise::Present => object::SPARSE,
                };
                (kind, 0, u64::from(radix.resident()))
            }
            Contents::Run { run, physical } => {
                let kind = match run {
                    Run::Contiguous => object::CONTIGUOUS,
                    Run::Physical => object::PHYSICAL,
                    Run::BootImage => object::BOOT_IMAGE,
                    Run::Framebuffer => object::FRAMEBUFFER,
                    Run::TimePage => object::TIME_PAGE,
                };
                (kind, physical, held.pages())
            }
        };
        let identity = u32::from(id.0);
        ObjectInfo { size: held.size, resident_pages: resident, physical, kind, identity }
    }

    /// The frame of an object's page, if it is present.
    pub(super) fn object_frame(
        &self,
        m: &impl Machine,
        id: ObjectId,
        page: u32,
    ) -> Option<FrameNumber> {
        let object = &self.objects[id];
        match object.contents {
            Contents::Vacant(_) => None,
            Contents::Sparse(radix, _) => radix.lookup(m, page),
            Contents::Run { physical, .. } => (u64::from(page) < object.pages())
                .then(|| FrameNumber(frame_at(physical).0.saturating_add(page))),
        }
    }

    /// The frame of an object's page, which comes into being if it is absent.
    pub(super) fn reach_object_frame(
        &mut self,
        m: &mut impl Machine,
        id: ObjectId,
        page: u32,
    ) -> Result<FrameNumber, BadAccess> {
        let object = &mut self.objects[id];
        if u64::from(page) >= object.pages() {
            return Err(BadAccess::BeyondObject);
        }
        let Contents::Sparse(radix, promise) = &mut object.contents else {
            return self.object_frame(m, id, page).ok_or(BadAccess::BeyondObject);
        };
        if let Some(frame) = radix.lookup(m, page) {
            return Ok(frame);
        }
        let unpromised = match promise {
            Promise::Size => 0,
            Promise::Present => 1,
        };
        self.frames.charge(unpromised)?;
        let reached = radix.reach(&mut self.frames, m, page);
        if reached.is_err() {
            self.frames.uncharge(unpromised);
        }
        Ok(reached?)
    }

    /// Puts a mapping into the list of its object and makes it hold the object.
    pub(super) fn link_to_object(&mut self, id: MappingId) {
        let Some(window) = self.mappings[id].backing.window() else { return };
        self.object_share(window.object);
        let object = &mut self.objects[window.object];
        let next = object.mappings;
        object.mappings = id;
        self.mappings[id].object_next = next;
        self.mappings[id].object_previous = MappingId::NONE;
        if let Some(next) = next.some() {
            self.mappings[next].object_previous = id;
        }
    }

    /// Takes a mapping out of the list of its object and lets the object go.
    pub(super) fn unlink_from_object(&mut self, m: &mut impl Machine, id: MappingId) {
        let Mapping { backing, object_next, object_previous, .. } = self.mappings[id];
        let Some(window) = backing.window() else { return };
        match object_previous.some() {
            Some(previous) => self.mappings[previous].object_next = object_next,
            None => self.objects[window.object].mappings = object_next,
        }
        if let Some(next) = object_next.some() {
            self.mappings[next].object_previous = object_previous;
        }
        self.object_release(m, window.object);
    }

    /// Unmaps pages of an object from `first` on, wherever they are mapped.
    fn hide_pages(&mut self, m: &mut impl Machine, id: ObjectId, first: u64) {
        let mut at = self.objects[id].mappings;
        // Bound: mappings of the object.
        while let Some(mapping) = at.some() {
            let Mapping { range, backing, object_next, .. } = self.mappings[mapping];
            let start = backing.window().map_or(0, |window| u64::from(window.page));
            let hidden: PageRange = range.behind(first.saturating_sub(start));
            if !hidden.is_empty() {
                self.without_budget(|memory| memory.drop_pages(m, mapping, hidden));
            }
            at = object_next;
        }
    }

    /// Clears the rest of the page that byte `end` lies in, if the page is present.
    fn clear_behind(&mut self, m: &mut impl Machine, id: ObjectId, end: u64) {
        let offset = offset_in_page(end);
        let Ok(page) = u32::try_from(end / PAGE_SIZE) else { return };
        if offset == 0 {
            return;
        }
        if let Some(frame) = self.object_frame(m, id, page) {
            let length = u32::try_from(PAGE_SIZE).unwrap_or(0).saturating_sub(offset);
            m.clear_part(frame, offset, length);
        }
    }

    fn new_sparse(&mut self, size: u64, promise: Promise) -> Result<Contents, Errno> {
        let pages = size.div_ceil(PAGE_SIZE);
        if pages > MAX_PAGES {
            return Err(Errno::EINVAL);
        }
        self.frames.charge(promise.pages(&Radix::EMPTY, pages))?;
        Ok(Contents::Sparse(Radix::EMPTY, promise))
    }

    fn new_contiguous(&mut self, m: &mut impl Machine, size: u64) -> Result<Contents, Errno> {
        let pages = u32::try_from(size.div_ceil(PAGE_SIZE)).map_err(|_| Errno::EINVAL)?;
        if pages == 0 {
            return Err(Errno::EINVAL);
        }
        self.frames.charge(u64::from(pages))?;
        let first = self.frames.allocate_run(m, pages).inspect_err(|OutOfMemory| {
            self.frames.uncharge(u64::from(pages));
        })?;
        // Bound: pages of the object.
        for page in 0..pages {
            m.clear_frame(FrameNumber(first.0.saturating_add(page)));
        }
        let physical = u64::from(first.0).saturating_mul(PAGE_SIZE);
        Ok(Contents::Run { run: Run::Contiguous, physical })
    }
}

/// Contents and size of an object that shows a physical range. If that begins in the middle of a
/// page, so does what is of interest in the object, and its size counts from the page.
fn show(run: Run, range: PhysicalRange) -> Result<(Contents, u64), Errno> {
    let size = range.length.saturating_add(range.address.saturating_sub(page_of(range.address)));
    let end = round_up(range.address.saturating_add(range.length)).ok_or(Errno::EINVAL)?;
    if range.length == 0 || end / PAGE_SIZE > u64::from(u32::MAX) || size / PAGE_SIZE > MAX_PAGES {
        return Err(Errno::EINVAL);
    }
    Ok((Contents::Run { run, physical: range.address }, size))
}

/// The frame at a physical address, which is known to have one.
fn frame_at(physical: u64) -> FrameNumber {
    FrameNumber(u32::try_from(physical / PAGE_SIZE).unwrap_or(0))
}
