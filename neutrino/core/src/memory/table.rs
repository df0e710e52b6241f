//! Fixed tables of slots that are reached by typed index.
//!
//! Index 0 names nothing, so that a table of zeroes is an empty table and costs no space in the
//! kernel's file. Indices are masked, never checked: a stale one reaches a vacant or foreign slot,
//! which is wrong but harmless. Vacant slots are linked through [`Slot::link`].

use core::ops::{Index, IndexMut};

/// The type of a table's indices.
pub(super) trait SlotId: Copy + PartialEq {
    /// Makes one.
    fn from_index(index: u16) -> Self;
    /// Its number.
    fn index(self) -> u16;
}

/// What a table can hold.
pub(super) trait Slot {
    /// How it is named.
    type Id: SlotId;
    /// A vacant slot; all zeroes.
    const VACANT: Self;
    /// Next vacant slot (meant for vacant slots only).
    fn link(&self) -> u16;
    /// Makes the slot vacant.
    fn vacate(&mut self, link: u16);
}

/// A table of `N - 1` objects, `N` a power of two.
#[derive(Clone, Debug)]
pub(super) struct Table<T, const N: usize> {
    slots: [T; N],
    /// First vacant slot that was used before, or 0.
    vacant: u16,
    /// Slots that were ever used, without slot 0.
    touched: u16,
    /// Slots in use.
    used: u16,
}

impl<T: Slot, const N: usize> Table<T, N> {
    const MASK: usize = {
        assert!(N.is_power_of_two() && N <= 0x8000, "a table's size is a power of two");
        N - 1
    };

    /// An empty table.
    pub(super) const fn new() -> Self {
        Self { slots: [const { T::VACANT }; N], vacant: 0, touched: 0, used: 0 }
    }

    /// How many more objects it can take.
    pub(super) fn room(&self) -> usize {
        Self::MASK.saturating_sub(usize::from(self.used))
    }

    /// Puts `object` into a vacant slot, if there is one.
    pub(super) fn insert(&mut self, object: T) -> Option<T::Id> {
        if self.room() == 0 {
            return None;
        }
        let id = if self.vacant == 0 {
            self.touched = self.touched.saturating_add(1);
            T::Id::from_index(self.touched)
        } else {
            let id = T::Id::from_index(self.vacant);
            self.vacant = self[id].link();
            id
        };
        self.used = self.used.saturating_add(1);
        self[id] = object;
        Some(id)
    }

    /// Makes a slot vacant.
    pub(super) fn remove(&mut self, id: T::Id) {
        let link = self.vacant;
        self[id].vacate(link);
        self.vacant = id.index();
        self.used = self.used.saturating_sub(1);
    }
}

impl<T: Slot, const N: usize> Index<T::Id> for Table<T, N> {
    type Output = T;

    #[expect(clippy::indexing_slicing, reason = "the mask keeps the index below N")]
    fn index(&self, id: T::Id) -> &T {
        &self.slots[usize::from(id.index()) & Self::MASK]
    }
}

impl<T: Slot, const N: usize> IndexMut<T::Id> for Table<T, N> {
    #[expect(clippy::indexing_slicing, reason = "the mask keeps the index below N")]
    fn index_mut(&mut self, id: T::Id) -> &mut T {
        &mut self.slots[usize::from(id.index()) & Self::MASK]
    }
}
