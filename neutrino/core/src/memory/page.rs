//! Ranges of whole pages, and what may be done with them.

use neutrino_abi::memory::{PAGE_SIZE, USER_END, USER_START, prot};

use crate::machine::Access;

/// `length` rounded up to whole pages, if that is still a number.
pub(super) fn round_up(length: u64) -> Option<u64> {
    length.checked_next_multiple_of(PAGE_SIZE)
}

/// The page that `address` lies in.
pub(super) fn page_of(address: u64) -> u64 {
    address & !(PAGE_SIZE - 1)
}

/// Offset of `address` in its page.
pub(super) fn offset_in_page(address: u64) -> u32 {
    u32::try_from(address & (PAGE_SIZE - 1)).unwrap_or(0)
}

/// A range of whole pages that a user may map: not empty, aligned, inside user space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct PageRange {
    start: u64,
    end: u64,
}

/// Why numbers from user space are no [`PageRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRange {
    /// It is empty or does not begin with a page.
    Shape,
    /// It is not inside user space.
    Bounds,
}

impl PageRange {
    /// All of user space.
    pub(super) const ALL: Self = Self { start: 0, end: USER_END };
    /// No pages: what a vacant mapping covers.
    pub(super) const EMPTY: Self = Self { start: 0, end: 0 };

    /// The pages of `length` bytes at `start`.
    #[inline(never)]
    pub(super) fn of_user(start: u64, length: u64) -> Result<Self, BadRange> {
        if start != page_of(start) || length == 0 {
            return Err(BadRange::Shape);
        }
        let end = round_up(length).and_then(|length| start.checked_add(length));
        match end {
            Some(end) if start >= USER_START && end <= USER_END => Ok(Self { start, end }),
            Some(_) | None => Err(BadRange::Bounds),
        }
    }

    /// First address.
    pub(super) const fn start(self) -> u64 {
        self.start
    }

    /// Address behind the last byte.
    pub(super) const fn end(self) -> u64 {
        self.end
    }

    /// How many pages it has.
    pub(super) const fn pages(self) -> u64 {
        self.end.saturating_sub(self.start) / PAGE_SIZE
    }

    /// How many of its pages lie before `address`.
    pub(super) const fn pages_before(self, address: u64) -> u64 {
        address.saturating_sub(self.start) / PAGE_SIZE
    }

    /// The part from `start` to `end`; empty if there is none.
    pub(super) fn part(self, start: u64, end: u64) -> Self {
        let start = self.start.max(start);
        Self { start, end: self.end.min(end).max(start) }
    }

    /// The part that is also in `other`.
    pub(super) fn common(self, other: Self) -> Self {
        self.part(other.start, other.end)
    }

    /// The part behind the first `pages` pages.
    pub(super) fn behind(self, pages: u64) -> Self {
        self.part(self.start.saturating_add(pages.saturating_mul(PAGE_SIZE)), self.end)
    }

    /// Both ranges, the second of which begins where this one ends.
    pub(super) const fn joined(self, next: Self) -> Self {
        Self { start: self.start, end: next.end }
    }

    /// Whether there is no page in it.
    pub(super) const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// Whether they have a page in common.
    pub(super) const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether `address` is in it.
    pub(super) const fn contains(self, address: u64) -> bool {
        self.start <= address && address < self.end
    }
}

/// Protection of a mapping ([`prot`]); holds no other bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Protection(u16);

impl Protection {
    /// Nothing is allowed.
    pub(super) const NONE: Self = Self(0);

    /// The protection with these bits, if there are no others.
    pub(super) fn from_bits(bits: u32) -> Option<Self> {
        let known = prot::READ | prot::WRITE | prot::EXEC | prot::NOCACHE;
        if bits & !known != 0 {
            return None;
        }
        u16::try_from(bits).ok().map(Self)
    }

    /// The bits.
    pub(super) fn bits(self) -> u32 {
        u32::from(self.0)
    }

    /// Whether the access is allowed. What may be written or executed may be read: the hardware
    /// knows no difference.
    pub(super) fn allows(self, access: Access) -> bool {
        match access {
            Access::Read => self.bits() & (prot::READ | prot::WRITE | prot::EXEC) != 0,
            Access::Write => self.bits() & prot::WRITE != 0,
            Access::Execute => self.bits() & prot::EXEC != 0,
        }
    }

    /// Whether pages are device memory.
    pub(super) fn is_uncached(self) -> bool {
        self.bits() & prot::NOCACHE != 0
    }

    /// Whether it allows nothing that `most` does not.
    pub(super) fn is_within(self, most: Self) -> bool {
        self.bits() & !(most.bits() | prot::NOCACHE) == 0
    }

    /// The same without stores.
    pub(super) fn without_write(self) -> Self {
        Self(self.0 & !2)
    }
}
