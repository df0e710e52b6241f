//! `map`: where memory goes, and what is behind it.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{MapArgs, PAGE_SIZE, USER_START, map, object};

use super::layout::CUTS;
use super::mapping::{Backing, Charge, Mapping, Window};
use super::page::{BadRange, PageRange, Protection, page_of, round_up};
use super::table::Slot;
use super::tree;
use super::{Extent, Memory, ObjectId};
use crate::machine::{Access, Machine, SpaceSlot};
use crate::step::price::PROVIDE_PAGE;

/// "Anywhere" is below this; what is above is for stacks and what programs ask for.
const SEARCH_END: u64 = 0x7f00_0000_0000;

/// What came of mapping memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mapped {
    /// It is mapped here.
    At(u64),
    /// What was there is not yet gone; the same call goes on.
    NotYet,
}

/// Where the mapping goes.
#[derive(Clone, Copy)]
enum Placement {
    /// Wherever there is room, at this address if possible.
    Anywhere { hint: u64 },
    /// Here, and what is here goes.
    Replacing(u64),
    /// Here, if nothing is.
    Vacant(u64),
}

impl Placement {
    fn decode(arguments: &MapArgs) -> Self {
        if arguments.flags & map::FIXED_NOREPLACE != 0 {
            Self::Vacant(arguments.address)
        } else if arguments.flags & map::FIXED != 0 {
            Self::Replacing(arguments.address)
        } else {
            Self::Anywhere { hint: arguments.address }
        }
    }
}

/// A decoded request.
#[derive(Clone, Copy)]
struct Request {
    length: u64,
    placement: Placement,
    protection: Protection,
    allowed: Protection,
    source: Source,
}

/// What shall be behind it.
#[derive(Clone, Copy)]
enum Source {
    Anonymous,
    /// A new object that the mapping's descendants share.
    SharedAnonymous,
    Shared(Window),
    Private(Window),
}

impl Memory {
    /// Maps memory; returns its address. `object` is what `arguments.object` names, if anything.
    ///
    /// # Errors
    /// - `EINVAL`: bad length, offset, protection, address or flags.
    /// - `EBADF`: an object is needed.
    /// - `EACCES`: the object cannot be mapped so.
    /// - `EEXIST`: something is mapped there (`FIXED_NOREPLACE`).
    /// - `ENOMEM`: no memory, no room in the space, too many mappings.
    pub fn map(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        arguments: &MapArgs,
        object: Option<ObjectId>,
    ) -> Result<Mapped, Errno> {
        self.map_within(m, space, arguments, object, u32::MAX)
    }

    /// Maps memory like [`Memory::map`], and never lets `protect` give more than `allowed`: a
    /// handle without the right to write allows no writable shared mapping.
    ///
    /// # Errors
    /// As [`Memory::map`]; `EACCES` if more than `allowed` is asked for.
    pub fn map_within(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        arguments: &MapArgs,
        object: Option<ObjectId>,
        allowed: u32,
    ) -> Result<Mapped, Errno> {
        let request = self.decode(arguments, object, allowed)?;
        let range = self.place(space, request.length, request.placement)?;
        let charge = request.charge(arguments.flags);
        self.has_room(space, CUTS.saturating_add(1))?;
        if self.reserve(m, space, range) == Extent::Part {
            return Ok(Mapped::NotYet);
        }
        let (backing, created) = self.back(m, request.source, range)?;
        if charge == Charge::Whole {
            self.frames.charge(range.pages())?;
        }
        // Commit: nothing below fails.
        self.clear_range(m, space, range);
        let Request { protection, allowed, .. } = request;
        self.insert_mapping(Mapping {
            range,
            backing,
            charge,
            protection,
            allowed,
            space,
            ..Mapping::VACANT
        });
        self.add_mapped(space, range);
        if let Some(created) = created {
            self.object_release(m, created);
        }
        self.join_around(m, space, range);
        Ok(Mapped::At(range.start()))
    }

    /// Empties a range before something else is mapped there. If the budget does not allow that at
    /// once, what is already empty is held by a mapping that allows nothing, so that it does not go
    /// to another thread that looks for room meanwhile.
    fn reserve(&mut self, m: &mut impl Machine, space: SpaceSlot, range: PageRange) -> Extent {
        let held = self.mapping_at(space, range.start()).map(|id| self.mappings[id]);
        let held = held.filter(|held| held.allowed == Protection::NONE);
        let start = held.map_or(range.start(), |held| held.range.end());
        if start >= range.end() {
            return Extent::Whole;
        }
        let reached = self.clear_some(m, space, range.part(start, u64::MAX));
        if reached == range.end() && held.is_none() {
            return Extent::Whole;
        }
        let range = range.part(start, u64::MAX).part(0, reached);
        if !range.is_empty() {
            self.append_mapping(Mapping {
                range,
                charge: Charge::NoReserve,
                space,
                ..Mapping::VACANT
            });
        }
        if reached == range.end() && !self.budget.is_spent() { Extent::Whole } else { Extent::Part }
    }

    /// A free range of `length` bytes (whole pages), at `hint` if possible, else as high as
    /// possible below [`SEARCH_END`].
    pub(super) fn find_vacant(
        &self,
        space: SpaceSlot,
        length: u64,
        hint: u64,
    ) -> Result<PageRange, Errno> {
        if let Ok(range) = PageRange::of_user(page_of(hint), length)
            && self.is_unmapped(space, range)
        {
            return Ok(range);
        }
        let root = self.spaces[space].root;
        let mut ceiling = SEARCH_END;
        // Bound: mappings of the space.
        loop {
            let below = tree::last_starting_below(&self.mappings, root, ceiling);
            let below = below.map(|id| self.mappings[id].range);
            let floor = below.map_or(USER_START, PageRange::end);
            if ceiling.saturating_sub(floor) >= length {
                let start = ceiling.saturating_sub(length);
                return PageRange::of_user(start, length).map_err(|_| Errno::ENOMEM);
            }
            ceiling = below.ok_or(Errno::ENOMEM)?.start();
        }
    }

    fn decode(
        &self,
        arguments: &MapArgs,
        object: Option<ObjectId>,
        allowed: u32,
    ) -> Result<Request, Errno> {
        let flags = arguments.flags;
        let protection = Protection::from_bits(arguments.protection).ok_or(Errno::EINVAL)?;
        let mut allowed = Protection::from_bits(allowed & 7).ok_or(Errno::EINVAL)?;
        if arguments.length == 0 {
            return Err(Errno::EINVAL);
        }
        let length = round_up(arguments.length).ok_or(Errno::ENOMEM)?;
        let is_shared = match flags & (map::SHARED | map::PRIVATE) {
            map::SHARED => true,
            map::PRIVATE => false,
            _ => return Err(Errno::EINVAL),
        };
        let source = match (flags & map::ANONYMOUS != 0, is_shared) {
            (true, true) => Source::SharedAnonymous,
            (true, false) => Source::Anonymous,
            (false, is_shared) => {
                let object = object.ok_or(Errno::EBADF)?;
                let window = window(object, arguments.offset, length)?;
                let (is_ram, is_writable) =
                    (self.objects[object].is_ram(), self.objects[object].is_writable());
                if is_shared && !is_writable {
                    allowed = allowed.without_write();
                }
                if !is_shared && !is_ram {
                    return Err(Errno::EACCES);
                }
                if is_shared { Source::Shared(window) } else { Source::Private(window) }
            }
        };
        if !protection.is_within(allowed) {
            return Err(Errno::EACCES);
        }
        let placement = Placement::decode(arguments);
        Ok(Request { length, placement, protection, allowed, source })
    }

    fn place(
        &self,
        space: SpaceSlot,
        length: u64,
        placement: Placement,
    ) -> Result<PageRange, Errno> {
        match placement {
            Placement::Anywhere { hint } => self.find_vacant(space, length, hint),
            Placement::Replacing(address) => Ok(PageRange::of_user(address, length)?),
            Placement::Vacant(address) => {
                let range = PageRange::of_user(address, length)?;
                if self.is_unmapped(space, range) { Ok(range) } else { Err(Errno::EEXIST) }
            }
        }
    }

    /// What is behind the mapping, and the object that was made for it.
    fn back(
        &mut self,
        m: &mut impl Machine,
        source: Source,
        range: PageRange,
    ) -> Result<(Backing, Option<ObjectId>), Errno> {
        Ok(match source {
            Source::Anonymous => (Backing::Anonymous, None),
            Source::Shared(window) => (Backing::Shared(window), None),
            Source::Private(window) => (Backing::Private(window), None),
            Source::SharedAnonymous => {
                let length = range.pages().saturating_mul(PAGE_SIZE);
                let object = self.object_create(m, object::ANONYMOUS, length, 0)?;
                (Backing::Shared(Window { object, page: 0 }), Some(object))
            }
        })
    }

    /// Makes pages present as far as there is memory for them and the budget allows; returns up to
    /// where, which is the end if there is no more memory.
    pub fn populate(
        &mut self,
        m: &mut impl Machine,
        space: SpaceSlot,
        start: u64,
        end: u64,
    ) -> u64 {
        let Some(id) = self.mapping_at(space, start) else { return end };
        let protection = self.mappings[id].protection;
        let access = if protection.allows(Access::Write) { Access::Write } else { Access::Read };
        let mut at = start;
        // Bound: pages of the range, and the budget.
        while at < end {
            if self.budget.is_spent() {
                return at;
            }
            if self.resolve(m, space, at, access).is_err() {
                return end;
            }
            at = at.saturating_add(PAGE_SIZE);
            self.budget.spend(PROVIDE_PAGE);
        }
        end
    }
}

impl Request {
    fn charge(&self, flags: u32) -> Charge {
        match self.source {
            Source::Shared(_) | Source::SharedAnonymous => Charge::Object,
            Source::Anonymous | Source::Private(_) => {
                if flags & map::NORESERVE != 0 {
                    Charge::NoReserve
                } else if self.protection.allows(Access::Write) {
                    Charge::Whole
                } else {
                    Charge::Touched
                }
            }
        }
    }
}

/// The window that `length` bytes at `offset` of an object make.
fn window(object: ObjectId, offset: u64, length: u64) -> Result<Window, Errno> {
    if offset != page_of(offset) {
        return Err(Errno::EINVAL);
    }
    let end = offset.checked_add(length).ok_or(Errno::EINVAL)?;
    let page = u32::try_from(offset / PAGE_SIZE).map_err(|_| Errno::EINVAL)?;
    u32::try_from(end / PAGE_SIZE).map_err(|_| Errno::EINVAL)?;
    Ok(Window { object, page })
}

impl From<BadRange> for Errno {
    fn from(bad: BadRange) -> Self {
        match bad {
            BadRange::Shape => Self::EINVAL,
            BadRange::Bounds => Self::ENOMEM,
        }
    }
}
