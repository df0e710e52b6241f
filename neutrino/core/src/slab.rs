//! Fixed tables of kernel objects, reached by typed index.
//!
//! A number from user space is looked up once, and may name nothing. The [`Id`] that comes of it
//! is infallible: indexing by it cannot panic. I0: an `Id` that the kernel holds names a live slot.
//!
//! An all-zero slab is empty, so that it lives in .bss. Free slots form a list; slots that were
//! never used lie above the mark `fresh`. Insertion and removal cost the same however full it is.

use core::marker::PhantomData;
use core::ops::{Index, IndexMut};

/// An index into the slab of `T`s; 0 names the slot that is never used.
#[derive(Debug)]
pub struct Id<T> {
    index: u16,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The slot that is never used: what vacant objects hold, so that a vacant slot is all zeroes.
    pub(crate) const NOBODY: Self = Self { index: 0, of: PhantomData };

    /// The slot number, for messages and tests.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.index
    }

    /// The id of a slot number that once came from [`Id::index`].
    pub(crate) const fn from_index(index: u16) -> Option<Self> {
        if index == 0 { None } else { Some(Self { index, of: PhantomData }) }
    }
}
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}
impl<T> Eq for Id<T> {}
impl<T> core::hash::Hash for Id<T> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.index.hash(state);
    }
}

/// An [`Id`] or nobody, in 16 bits.
#[derive(Debug)]
pub struct Maybe<T>(Id<T>);

impl<T> Maybe<T> {
    /// Nobody.
    pub(crate) const NOBODY: Self = Self(Id::NOBODY);

    /// The id, if there is one.
    #[inline(always)]
    pub(crate) const fn get(self) -> Option<Id<T>> {
        if self.0.index == 0 { None } else { Some(self.0) }
    }

    /// The slot that it names; for nobody the one that is never used, and so is vacant. For the fast
    /// path, where one question at the end finds that out.
    #[inline(always)]
    pub(crate) const fn slot(self) -> Id<T> {
        self.0
    }

    /// As an `Option` says.
    #[inline(always)]
    pub(crate) const fn new(id: Option<Id<T>>) -> Self {
        match id {
            Some(id) => Self(id),
            None => Self::NOBODY,
        }
    }
}
impl<T> Clone for Maybe<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Maybe<T> {}
impl<T> PartialEq for Maybe<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Maybe<T> {}
impl<T> core::hash::Hash for Maybe<T> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// What a slab can hold: an object that has a value for "nobody here", all bytes zero.
pub trait Slot: Sized {
    /// That value.
    const VACANT: Self;
    /// Whether the slot is free.
    fn is_vacant(&self) -> bool;
}

/// A table of `N - 1` objects, `N` a power of two.
#[derive(Debug)]
pub struct Slab<T, const N: usize> {
    slots: [T; N],
    /// For a free slot: the next free one, or 0.
    next: [u16; N],
    free: u16,
    /// Highest slot that was ever used.
    fresh: u16,
    live: u16,
}

impl<T, const N: usize> Slab<T, N> {
    const MASK: usize = {
        assert!(N.is_power_of_two() && N <= 65536, "a slab's size is a power of two");
        N - 1
    };

    /// How many objects it holds.
    pub(crate) const fn live(&self) -> u16 {
        self.live
    }

    /// Whether `count` more fit.
    pub(crate) const fn has_room(&self, count: usize) -> bool {
        (self.live as usize).saturating_add(count) <= Self::MASK
    }
}

impl<T: Slot, const N: usize> Slab<T, N> {
    /// An empty slab.
    pub(crate) const fn new() -> Self {
        Self { slots: [T::VACANT; N], next: [0; N], free: 0, fresh: 0, live: 0 }
    }

    /// Puts `object` into a free slot, if there is one.
    pub(crate) fn insert(&mut self, object: T) -> Option<Id<T>> {
        let id = self.take_slot()?;
        self[id] = object;
        self.live = self.live.wrapping_add(1);
        Some(id)
    }

    fn take_slot(&mut self) -> Option<Id<T>> {
        if let Some(id) = Id::from_index(self.free) {
            let next = self.next.get(usize::from(id.index()));
            self.free = next.copied().unwrap_or(0);
            return Some(id);
        }
        if usize::from(self.fresh) >= Self::MASK {
            return None;
        }
        self.fresh = self.fresh.wrapping_add(1);
        Id::from_index(self.fresh)
    }

    /// Frees a slot and gives back what was in it.
    pub(crate) fn remove(&mut self, id: Id<T>) -> T {
        let object = core::mem::replace(&mut self[id], T::VACANT);
        debug_assert!(!object.is_vacant(), "I0: a free slot was freed");
        if let Some(next) = self.next.get_mut(usize::from(id.index())) {
            *next = self.free;
            self.free = id.index();
            self.live = self.live.wrapping_sub(1);
        }
        object
    }

    /// The object that user space names by number, if there is one.
    pub(crate) fn lookup(&self, number: u64) -> Option<Id<T>> {
        let index = u16::try_from(number).ok()?;
        let slot = self.slots.get(usize::from(index))?;
        if slot.is_vacant() { None } else { Id::from_index(index) }
    }

    /// The first live object behind a slot number; a turn for each free slot on the way.
    pub(crate) fn first_from(&self, index: u16) -> Option<Id<T>> {
        let behind = usize::from(index).saturating_add(1)..=usize::from(self.fresh);
        let place = self.slots.get(behind)?.iter().position(|slot| !slot.is_vacant())?;
        let place = u16::try_from(place).ok()?;
        Id::from_index(index.checked_add(1)?.checked_add(place)?)
    }

    /// Every live object with its index. Costs a turn for each slot ever used.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        (0_u16..=self.fresh).zip(&self.slots).filter_map(|(index, slot)| {
            let id = Id::from_index(index)?;
            (!slot.is_vacant()).then_some((id, slot))
        })
    }
}

impl<T, const N: usize> Index<Id<T>> for Slab<T, N> {
    type Output = T;

    #[expect(clippy::indexing_slicing, reason = "the mask keeps the index below N")]
    fn index(&self, id: Id<T>) -> &T {
        &self.slots[usize::from(id.index) & Self::MASK]
    }
}

impl<T, const N: usize> IndexMut<Id<T>> for Slab<T, N> {
    #[expect(clippy::indexing_slicing, reason = "the mask keeps the index below N")]
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        &mut self.slots[usize::from(id.index) & Self::MASK]
    }
}

impl<T: Slot + Clone, const N: usize> Clone for Slab<T, N> {
    fn clone(&self) -> Self {
        Self {
            slots: self.slots.clone(),
            next: self.next,
            free: self.free,
            fresh: self.fresh,
            live: self.live,
        }
    }

    /// Costs a turn for each slot ever used on either side: a checker copies small states cheaply.
    fn clone_from(&mut self, source: &Self) {
        let used = usize::from(self.fresh.max(source.fresh)).saturating_add(1);
        for (slot, from) in self.slots.iter_mut().zip(&source.slots).take(used) {
            slot.clone_from(from);
        }
        for (next, from) in self.next.iter_mut().zip(&source.next).take(used) {
            *next = *from;
        }
        self.free = source.free;
        self.fresh = source.fresh;
        self.live = source.live;
    }
}

/// Hashes the slots ever used.
impl<T: core::hash::Hash, const N: usize> core::hash::Hash for Slab<T, N> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        for slot in self.slots.iter().take(usize::from(self.fresh).saturating_add(1)) {
            slot.hash(state);
        }
        self.free.hash(state);
    }
}
