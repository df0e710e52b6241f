//! Spaces and objects that nobody holds any more, until their pages are free.
//!
//! Whoever lets the last hold go frees as much as the budget allows at once; the rest goes on a list,
//! which the thread takes with it and works off before it returns to user space. Nothing leads to
//! what is on a list, so it may be half gone between two entries.

use super::frames::{TABLES_PER_PAGE, TABLES_PER_SPACE};
use super::page::PageRange;
use super::{Memory, ObjectId};
use crate::machine::{Machine, SpaceSlot};

/// Two lists, linked through their members; 0 ends them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dying {
    space: SpaceSlot,
    object: ObjectId,
}

impl Dying {
    /// Nothing.
    pub(crate) const NOTHING: Self = Self { space: SpaceSlot(0), object: ObjectId(0) };

    /// Whether there is nothing.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }
}

impl Memory {
    /// Takes what was let go and is not yet freed.
    pub fn take_dying(&mut self) -> Dying {
        core::mem::take(&mut self.dying)
    }

    /// Puts one list behind another.
    // Bound: what the first has, which is what one entry let go.
    pub(crate) fn join_dying(&mut self, first: Dying, then: Dying) -> Dying {
        let (mut space, mut object) = (first.space, first.object);
        if space != SpaceSlot(0) && then.space != SpaceSlot(0) {
            while self.spaces[space].link != 0 {
                space = SpaceSlot(self.spaces[space].link);
            }
            self.spaces[space].link = then.space.0;
        }
        if object != ObjectId(0) && then.object != ObjectId(0) {
            while self.objects[object].next != ObjectId(0) {
                object = self.objects[object].next;
            }
            self.objects[object].next = then.object;
        }
        Dying {
            space: if first.space == SpaceSlot(0) { then.space } else { first.space },
            object: if first.object == ObjectId(0) { then.object } else { first.object },
        }
    }

    /// Leaves what a thread would have freed to whoever comes next.
    pub(crate) fn leave_dying(&mut self, dying: Dying) {
        let others = self.take_dying();
        self.dying = self.join_dying(others, dying);
    }

    /// A space without holders: frees it, or leaves that for later.
    pub(super) fn end_space(&mut self, m: &mut impl Machine, space: SpaceSlot) {
        if !self.free_space(m, space) {
            self.spaces[space].link = self.dying.space.0;
            self.dying.space = space;
        }
    }

    /// An object without holders: frees it, or leaves that for later.
    pub(super) fn end_object(&mut self, m: &mut impl Machine, object: ObjectId) {
        if !self.free_object(m, object) {
            self.objects[object].next = self.dying.object;
            self.dying.object = object;
        }
    }

    /// Frees what is on a list until the budget is spent; the rest of the list.
    pub fn free_some(&mut self, m: &mut impl Machine, dying: Dying) -> Dying {
        let mut left = dying;
        while left.space != SpaceSlot(0) && !self.budget.is_spent() {
            let next = SpaceSlot(self.spaces[left.space].link);
            if !self.free_space(m, left.space) {
                break;
            }
            left.space = next;
        }
        while left.object != ObjectId(0) && !self.budget.is_spent() {
            let next = self.objects[left.object].next;
            if !self.free_object(m, left.object) {
                break;
            }
            left.object = next;
        }
        // Objects of a space that went.
        let others = self.take_dying();
        self.join_dying(others, left)
    }

    /// Frees pages and mappings of a space, and when there are none the space.
    fn free_space(&mut self, m: &mut impl Machine, space: SpaceSlot) -> bool {
        let reached = self.clear_some(m, space, PageRange::ALL);
        self.frames.drain_tables(m, TABLES_PER_PAGE.saturating_add(TABLES_PER_SPACE));
        if reached < PageRange::ALL.end() || self.budget.is_spent() {
            return false;
        }
        m.space_destroy(space);
        self.frames.drain_tables(m, TABLES_PER_PAGE.saturating_add(TABLES_PER_SPACE));
        self.spaces.remove(space);
        self.budget.spend(200);
        true
    }

    /// Frees pages of an object from its end, and when there are none the object.
    fn free_object(&mut self, m: &mut impl Machine, object: ObjectId) -> bool {
        // Bound: the budget.
        while self.objects[object].pages() > 0 {
            if self.budget.is_spent() {
                return false;
            }
            self.shorten(m, object, 0);
        }
        self.objects.remove(object);
        self.budget.spend(50);
        true
    }
}
