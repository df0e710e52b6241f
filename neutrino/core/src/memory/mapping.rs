//! One mapping: a range of pages of a space, what is behind it and how it is charged.

use neutrino_abi::memory::map;

use super::ObjectId;
use super::page::{PageRange, Protection};
use super::table::{Slot, SlotId};
use crate::machine::SpaceSlot;

/// Names a mapping; index 0 names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MappingId(u16);

impl MappingId {
    /// No mapping.
    pub(super) const NONE: Self = Self(0);

    /// The mapping, if there is one.
    pub(super) fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

impl SlotId for MappingId {
    fn from_index(index: u16) -> Self {
        Self(index)
    }
    fn index(self) -> u16 {
        self.0
    }
}

/// Where a mapping begins in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The object, which the mapping holds.
    pub(super) object: ObjectId,
    /// The page of the object that the first page shows.
    pub(super) page: u32,
}

/// What is behind the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backing {
    /// Zeroes, then what the program writes.
    Anonymous,
    /// An object itself.
    Shared(Window),
    /// An object, until the program writes.
    Private(Window),
}

impl Backing {
    /// The window, if there is an object.
    pub(super) const fn window(self) -> Option<Window> {
        match self {
            Self::Anonymous => None,
            Self::Shared(window) | Self::Private(window) => Some(window),
        }
    }

    /// What is behind the page that comes `pages` later.
    pub(super) fn advanced(self, pages: u64) -> Self {
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        let moved = |window: Window| Window { page: window.page.saturating_add(pages), ..window };
        match self {
            Self::Anonymous => Self::Anonymous,
            Self::Shared(window) => Self::Shared(moved(window)),
            Self::Private(window) => Self::Private(moved(window)),
        }
    }
}

/// How pages of the mapping itself (not of its object) are promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// There are none: they are the object's.
    Object,
    /// All were promised when the mapping was made.
    Whole,
    /// Each is charged when it is touched, until the mapping becomes writable.
    Touched,
    /// Each is charged when it is touched (`MAP_NORESERVE`).
    NoReserve,
}

impl Charge {
    /// Whether a page is charged when it is touched.
    pub(super) const fn is_by_page(self) -> bool {
        match self {
            Self::Object | Self::Whole => false,
            Self::Touched | Self::NoReserve => true,
        }
    }
}

/// A mapping. Invariant: mappings of a space do not overlap, and those of an object are in its list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapping {
    pub(super) range: PageRange,
    pub(super) backing: Backing,
    pub(super) charge: Charge,
    pub(super) protection: Protection,
    /// What `protect` may ever give.
    pub(super) allowed: Protection,
    pub(super) space: SpaceSlot,
    /// Children in the space's tree; kept by [`super::tree`].
    pub(super) left: MappingId,
    pub(super) right: MappingId,
    /// Neighbours in the object's list; kept by [`super::object`].
    pub(super) object_next: MappingId,
    pub(super) object_previous: MappingId,
}

impl Mapping {
    /// What is behind the page at `address`.
    pub(super) fn backing_at(&self, address: u64) -> Backing {
        self.backing.advanced(self.range.pages_before(address))
    }

    /// The part of it in `range`, with what is behind that part.
    pub(super) fn part(&self, range: PageRange) -> Self {
        let range = self.range.common(range);
        Self { range, backing: self.backing_at(range.start()), ..*self }
    }

    /// Whether `next`, which follows in the space, can be one mapping with this one.
    pub(super) fn joins(&self, next: &Self) -> bool {
        self.range.end() == next.range.start()
            && self.backing.advanced(self.range.pages()) == next.backing
            && self.charge == next.charge
            && self.protection == next.protection
            && self.allowed == next.allowed
    }

    /// Flags, as `SpaceMapping` tells them ([`map`]).
    pub(super) fn flags(&self) -> u32 {
        let sharing = match self.backing {
            Backing::Anonymous => map::PRIVATE | map::ANONYMOUS,
            Backing::Private(_) => map::PRIVATE,
            Backing::Shared(_) => map::SHARED,
        };
        let reserve = match self.charge {
            Charge::NoReserve => map::NORESERVE,
            Charge::Object | Charge::Whole | Charge::Touched => 0,
        };
        sharing | reserve
    }
}

impl Slot for Mapping {
    type Id = MappingId;
    const VACANT: Self = Self {
        range: PageRange::EMPTY,
        backing: Backing::Anonymous,
        charge: Charge::Object,
        protection: Protection::NONE,
        allowed: Protection::NONE,
        space: SpaceSlot(0),
        left: MappingId::NONE,
        right: MappingId::NONE,
        object_next: MappingId::NONE,
        object_previous: MappingId::NONE,
    };

    fn link(&self) -> u16 {
        self.left.0
    }
    fn vacate(&mut self, link: u16) {
        *self = Self { left: MappingId(link), ..Self::VACANT };
    }
}
