//! Doubly linked lists through slabs: an object carries its links, the list its ends.
//!
//! I1: an object is on the list that its state names, once, and on no other of the same kind. `K`
//! tells apart the lists that one object can be on at the same time.

use core::marker::PhantomData;

use crate::slab::{Id, Maybe, Slab, Slot};

/// The links of an object for one kind of list.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Link<T> {
    next: Maybe<T>,
    previous: Maybe<T>,
}

impl<T> Link<T> {
    /// Not linked.
    pub(crate) const NONE: Self = Self { next: Maybe::NOBODY, previous: Maybe::NOBODY };
}
impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Link<T> {}

/// An object that has links for lists of kind `K`.
pub trait Linked<K>: Slot {
    /// Its links.
    fn link(&self) -> &Link<Self>;
    /// Its links.
    fn link_mut(&mut self) -> &mut Link<Self>;
}

/// The ends of a list.
#[derive(Debug)]
pub struct List<T, K> {
    first: Maybe<T>,
    last: Maybe<T>,
    kind: PhantomData<fn() -> K>,
}

impl<T, K> Clone for List<T, K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, K> Copy for List<T, K> {}
impl<T, K> core::hash::Hash for List<T, K> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.first.hash(state);
        self.last.hash(state);
    }
}
impl<T, K> PartialEq for List<T, K> {
    fn eq(&self, other: &Self) -> bool {
        self.first == other.first && self.last == other.last
    }
}
impl<T, K> Eq for List<T, K> {}

impl<T: Linked<K>, K> List<T, K> {
    /// An empty list.
    pub(crate) const EMPTY: Self =
        Self { first: Maybe::NOBODY, last: Maybe::NOBODY, kind: PhantomData };

    /// The first object.
    #[inline(always)]
    pub(crate) const fn first(&self) -> Option<Id<T>> {
        self.first.get()
    }

    /// The first object, or the slot that is never used.
    #[inline(always)]
    pub(crate) const fn first_slot(&self) -> Id<T> {
        self.first.slot()
    }

    /// Whether nothing is on it.
    #[inline(always)]
    pub(crate) const fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// The object behind `id`.
    #[inline(always)]
    pub(crate) fn next<const N: usize>(slab: &Slab<T, N>, id: Id<T>) -> Option<Id<T>> {
        slab[id].link().next.get()
    }

    /// Appends an object that is on no list of this kind.
    #[inline(always)]
    pub(crate) fn push_back<const N: usize>(&mut self, slab: &mut Slab<T, N>, id: Id<T>) {
        self.insert_after(slab, self.last.get(), id);
    }

    /// Puts an object in front.
    #[inline(always)]
    pub(crate) fn push_front<const N: usize>(&mut self, slab: &mut Slab<T, N>, id: Id<T>) {
        self.insert_after(slab, None, id);
    }

    /// As [`List::push_front`], in the caller's code: for the fast path.
    #[inline(always)]
    pub(crate) fn push_front_inline<const N: usize>(&mut self, slab: &mut Slab<T, N>, id: Id<T>) {
        self.link_after(slab, None, id);
    }

    /// Inserts an object behind `after`, or in front.
    #[inline(never)]
    fn insert_after<const N: usize>(
        &mut self,
        slab: &mut Slab<T, N>,
        after: Option<Id<T>>,
        id: Id<T>,
    ) {
        self.link_after(slab, after, id);
    }

    #[inline(always)]
    fn link_after<const N: usize>(
        &mut self,
        slab: &mut Slab<T, N>,
        after: Option<Id<T>>,
        id: Id<T>,
    ) {
        let own = Maybe::new(Some(id));
        let place = match after {
            Some(after) => &mut slab[after].link_mut().next,
            None => &mut self.first,
        };
        let next = core::mem::replace(place, own);
        *slab[id].link_mut() = Link { next, previous: Maybe::new(after) };
        match next.get() {
            Some(next) => slab[next].link_mut().previous = own,
            None => self.last = own,
        }
    }

    /// Inserts an object behind the last one that `precedes` it.
    // Bound: one turn for each object that it overtakes; none in the common case of equals.
    pub(crate) fn insert_ordered<const N: usize>(
        &mut self,
        slab: &mut Slab<T, N>,
        id: Id<T>,
        precedes: impl Fn(&T, &T) -> bool,
    ) {
        let mut after = self.last.get();
        while let Some(other) = after {
            if precedes(&slab[other], &slab[id]) {
                break;
            }
            after = slab[other].link().previous.get();
        }
        self.insert_after(slab, after, id);
    }

    /// Takes the first object out, in the caller's code: for the fast path.
    #[inline(always)]
    pub(crate) fn remove_first_inline<const N: usize>(&mut self, slab: &mut Slab<T, N>) {
        let first = self.first.slot();
        let Link { next, .. } = core::mem::replace(slab[first].link_mut(), Link::NONE);
        self.first = next;
        // The slot that is never used has links, too, and they stay none.
        slab[next.slot()].link_mut().previous = Maybe::NOBODY;
        if next.get().is_none() {
            self.last = Maybe::NOBODY;
        }
    }

    /// Takes an object out.
    #[inline(never)]
    pub(crate) fn remove<const N: usize>(&mut self, slab: &mut Slab<T, N>, id: Id<T>) {
        self.remove_inline(slab, id);
    }

    /// As [`List::remove`], in the caller's code.
    #[inline(always)]
    pub(crate) fn remove_inline<const N: usize>(&mut self, slab: &mut Slab<T, N>, id: Id<T>) {
        let Link { next, previous } = core::mem::replace(slab[id].link_mut(), Link::NONE);
        match previous.get() {
            Some(previous) => slab[previous].link_mut().next = next,
            None => self.first = next,
        }
        match next.get() {
            Some(next) => slab[next].link_mut().previous = previous,
            None => self.last = previous,
        }
    }

    /// Takes the first object out.
    pub(crate) fn pop_front<const N: usize>(&mut self, slab: &mut Slab<T, N>) -> Option<Id<T>> {
        let first = self.first.get()?;
        self.remove(slab, first);
        Some(first)
    }

    /// The objects in order.
    pub(crate) fn iter<'a, const N: usize>(
        &self,
        slab: &'a Slab<T, N>,
    ) -> impl Iterator<Item = Id<T>> + use<'a, T, K, N> {
        let mut at = self.first.get();
        core::iter::from_fn(move || {
            let id = at?;
            at = slab[id].link().next.get();
            Some(id)
        })
    }
}
