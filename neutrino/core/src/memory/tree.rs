//! The mappings of a space by address: a treap, whose weights are a hash of the index, so that its
//! depth is logarithmic and nothing is ever rebalanced. Loops are bounded by the depth, which is
//! at most the number of mappings of the space. Splitting or joining neighbours changes ranges in
//! place and never the order.

use super::limits::MAPPINGS;
use super::mapping::{Mapping, MappingId};
use super::table::{SlotId, Table};

/// Where all mappings live.
pub(super) type Mappings = Table<Mapping, MAPPINGS>;

/// Which link leads to a subtree.
#[derive(Clone, Copy)]
enum Hook {
    Root,
    Left(MappingId),
    Right(MappingId),
}

/// The first mapping that ends above `address`.
pub(super) fn first_ending_above(
    mappings: &Mappings,
    root: MappingId,
    address: u64,
) -> Option<MappingId> {
    let mut best = None;
    let mut at = root;
    while let Some(id) = at.some() {
        let mapping = &mappings[id];
        if mapping.range.end() > address {
            best = Some(id);
            at = mapping.left;
        } else {
            at = mapping.right;
        }
    }
    best
}

/// The last mapping that starts below `address`.
pub(super) fn last_starting_below(
    mappings: &Mappings,
    root: MappingId,
    address: u64,
) -> Option<MappingId> {
    let mut best = None;
    let mut at = root;
    while let Some(id) = at.some() {
        let mapping = &mappings[id];
        if mapping.range.start() < address {
            best = Some(id);
            at = mapping.right;
        } else {
            at = mapping.left;
        }
    }
    best
}

/// Puts a mapping into the tree; returns the new root.
pub(super) fn insert(mappings: &mut Mappings, root: MappingId, new: MappingId) -> MappingId {
    let key = mappings[new].range.start();
    let mut root = root;
    let mut hook = Hook::Root;
    let mut at = root;
    while let Some(id) = at.some().filter(|id| weight(*id) >= weight(new)) {
        (hook, at) = step(mappings, id, key);
    }
    set(mappings, &mut root, hook, new);
    // What hung here is split into what lies before and behind the new mapping.
    let (mut before, mut behind) = (Hook::Left(new), Hook::Right(new));
    while let Some(id) = at.some() {
        if mappings[id].range.start() < key {
            set(mappings, &mut root, before, id);
            before = Hook::Right(id);
            at = mappings[id].right;
        } else {
            set(mappings, &mut root, behind, id);
            behind = Hook::Left(id);
            at = mappings[id].left;
        }
    }
    set(mappings, &mut root, before, MappingId::NONE);
    set(mappings, &mut root, behind, MappingId::NONE);
    root
}

/// Takes a mapping out of the tree; returns the new root.
pub(super) fn remove(mappings: &mut Mappings, root: MappingId, old: MappingId) -> MappingId {
    let key = mappings[old].range.start();
    let mut root = root;
    let mut hook = Hook::Root;
    let mut at = root;
    while let Some(id) = at.some().filter(|id| *id != old) {
        (hook, at) = step(mappings, id, key);
    }
    debug_assert!(at == old, "a mapping is in the tree of its space");
    let (mut left, mut right) = (mappings[old].left, mappings[old].right);
    while let (Some(low), Some(high)) = (left.some(), right.some()) {
        if weight(low) >= weight(high) {
            set(mappings, &mut root, hook, low);
            hook = Hook::Right(low);
            left = mappings[low].right;
        } else {
            set(mappings, &mut root, hook, high);
            hook = Hook::Left(high);
            right = mappings[high].left;
        }
    }
    set(mappings, &mut root, hook, left.some().unwrap_or(right));
    root
}

/// One step down from `id` towards `key`.
fn step(mappings: &Mappings, id: MappingId, key: u64) -> (Hook, MappingId) {
    let mapping = &mappings[id];
    if key < mapping.range.start() {
        (Hook::Left(id), mapping.left)
    } else {
        (Hook::Right(id), mapping.right)
    }
}

fn set(mappings: &mut Mappings, root: &mut MappingId, hook: Hook, child: MappingId) {
    match hook {
        Hook::Root => *root = child,
        Hook::Left(parent) => mappings[parent].left = child,
        Hook::Right(parent) => mappings[parent].right = child,
    }
}

/// Nearer the root is what weighs more.
fn weight(id: MappingId) -> u32 {
    let mixed = u32::from(id.index()).wrapping_mul(0x9e37_79b1);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca77)
}
