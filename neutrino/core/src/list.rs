//! Doubly linked lists through slabs: an object carries its links, the list its ends.
//!
//! I1: an object is on the list that its state names, once, and on no other of the same kind. `K`
//! tells apart the lists that one object can be on at the same time.

use core::marker::PhantomData;

use crate::slab::{Id, Slab, Slot};

/// The links of an object for one kind of list.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Link<T> {
    next: Option<Id<T>>,
    previous: Option<Id<T>>,
}

impl<T> Link<T> {
    /// Not linked.
    pub(crate) const NONE: Self = Self { next: None, previous: None };
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
    first: Option<Id<T>>,
    last: Option<Id<T>>,
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
    pub(crate) const EMPTY: Self = Self { first: None, last: None, kind: PhantomData };

    /// The first object.
    pub(crate) const fn first(&self) -> Option<Id<T>> {
        self.first
    }

    /// Whether nothing is on it.
    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The object behind `id`.
    pub(crate) fn next<const N: usize>(slab: &Slab<T, N>, id: Id<T>) -> Option<Id<T>> {
        slab[id].link().next
    }

    /// Appends an object that is on no list of this kind.
    pub(crate) fn push_back<const N: usize>(&mut self, slab: &mut Slab<T, N>, id: Id<T>) {
        self.insert_after(slab, self.last, id);
    }

    /// Puts an object in front.
    pub(crate) fn push_front<const N: usize>(&mut self, slab: &mut Slab<T, N>, id: Id<T>) {
        self.insert_after(slab, None, id);
    }

    /// Inserts an object behind `after`, or in front.
    #[inline(never)]
    fn insert_after<const N: usize>(
        &mut self,
        slab: &mut Slab<T, N>,
        after: Option<Id<T>>,
        id: Id<T>,
    ) {
        let next = match after {
            Some(after) => slab[after].link_mut().next.replace(id),
            None => self.first.replace(id),
        };
        *slab[id].link_mut() = Link { next, previous: after };
        match next {
            Some(next) => slab[next].link_mut().previous = Some(id),
            None => self.last = Some(id),
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
        let mut after = self.last;
        while let Some(other) = after {
            if precedes(&slab[other], &slab[id]) {
                break;
            }
            after = slab[other].link().previous;
        }
        self.insert_after(slab, after, id);
    }

    /// Takes an object out.
    #[inline(never)]
    pub(crate) fn remove<const N: usize>(&mut self, slab: &mut Slab<T, N>, id: Id<T>) {
        let Link { next, previous } = core::mem::replace(slab[id].link_mut(), Link::NONE);
        match previous {
            Some(previous) => slab[previous].link_mut().next = next,
            None => self.first = next,
        }
        match next {
            Some(next) => slab[next].link_mut().previous = previous,
            None => self.last = previous,
        }
    }

    /// Takes the first object out.
    pub(crate) fn pop_front<const N: usize>(&mut self, slab: &mut Slab<T, N>) -> Option<Id<T>> {
        let first = self.first?;
        self.remove(slab, first);
        Some(first)
    }

    /// The objects in order.
    pub(crate) fn iter<'a, const N: usize>(
        &self,
        slab: &'a Slab<T, N>,
    ) -> impl Iterator<Item = Id<T>> + use<'a, T, K, N> {
        let mut at = self.first;
        core::iter::from_fn(move || {
            let id = at?;
            at = slab[id].link().next;
            Some(id)
        })
    }
}
