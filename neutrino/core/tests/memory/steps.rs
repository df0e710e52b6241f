//! Random calls.

use neutrino_abi::memory::{PAGE_SIZE, prot};
use proptest::prelude::*;

use super::scenario::RW;

/// Pages that calls name.
pub(crate) const PAGES: u64 = 24;
/// Pages that objects have at first.
pub(crate) const OBJECT_PAGES: u64 = 6;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Anonymous,
    NoReserve,
    SharedAnonymous,
    Shared(usize, u64),
    Private(usize, u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) space: usize,
    pub(crate) page: u64,
    pub(crate) pages: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Map { span: Span, protection: u32, kind: Kind, replace: bool },
    Unmap(Span),
    Protect { span: Span, protection: u32 },
    Discard(Span),
    Write { space: usize, page: u64, value: u8 },
    Check { space: usize, page: u64 },
    Copy { space: usize, page: u64, to_space: usize, to: u64 },
    Fork(usize),
    Release(usize),
    Remap { span: Span, new: u64, to: Option<u64> },
    Resize { object: usize, size: u64 },
    WriteObject { object: usize, page: u64, space: usize, from: u64 },
    ReadObject { object: usize, page: u64, space: usize, to: u64 },
}

fn span() -> impl Strategy<Value = Span> {
    (0..3_usize, 0..PAGES, 1..8_u64).prop_map(|(space, page, pages)| Span { space, page, pages })
}

fn protection() -> impl Strategy<Value = u32> {
    prop_oneof![
        1 => Just(prot::NONE),
        1 => Just(prot::READ),
        4 => Just(RW),
        1 => Just(prot::READ | prot::EXEC),
        1 => Just(RW | prot::EXEC),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Anonymous),
        1 => Just(Kind::NoReserve),
        1 => Just(Kind::SharedAnonymous),
        3 => (0..2_usize, 0..OBJECT_PAGES).prop_map(|(object, page)| Kind::Shared(object, page)),
        3 => (0..2_usize, 0..OBJECT_PAGES).prop_map(|(object, page)| Kind::Private(object, page)),
    ]
}

fn size() -> impl Strategy<Value = u64> {
    (0..=OBJECT_PAGES, prop_oneof![Just(0), Just(4), Just(100)])
        .prop_map(|(pages, rest)| pages * PAGE_SIZE + rest)
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let space = || 0..3_usize;
    let page = || 0..PAGES + 7;
    prop_oneof![
        6 => (span(), protection(), kind(), any::<bool>()).prop_map(
            |(span, protection, kind, replace)| Step::Map { span, protection, kind, replace }),
        2 => span().prop_map(Step::Unmap),
        4 => (span(), protection()).prop_map(|(span, protection)| Step::Protect { span, protection }),
        1 => span().prop_map(Step::Discard),
        12 => (space(), page(), 1..=255_u8).prop_map(
            |(space, page, value)| Step::Write { space, page, value }),
        6 => (space(), page()).prop_map(|(space, page)| Step::Check { space, page }),
        3 => (space(), page(), space(), page()).prop_map(
            |(space, page, to_space, to)| Step::Copy { space, page, to_space, to }),
        2 => space().prop_map(Step::Fork),
        1 => space().prop_map(Step::Release),
        4 => (span(), 1..8_u64, prop::option::of(0..PAGES)).prop_map(
            |(span, new, to)| Step::Remap { span, new, to }),
        2 => (0..2_usize, size()).prop_map(|(object, size)| Step::Resize { object, size }),
        3 => (0..2_usize, 0..=OBJECT_PAGES, space(), page()).prop_map(
            |(object, page, space, from)| Step::WriteObject { object, page, space, from }),
        3 => (0..2_usize, 0..=OBJECT_PAGES, space(), page()).prop_map(
            |(object, page, space, to)| Step::ReadObject { object, page, space, to }),
    ]
}
