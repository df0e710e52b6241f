//! Mutexes of the dead: what is marked, and in which order.

use super::{SHELL, exit, fork};
use crate::fake::{Event, Fake, with_shell};
use crate::process::robust;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use neutrino_abi::info::ThreadInfo;

const HEAD: u64 = 0x1000;

/// A kernel with a thread whose robust list is these words; entries are 16 bytes before their word.
fn with_list(words: &[(u64, u64)]) -> Fake {
    let fake = Fake::default();
    let thread = ThreadInfo { tid: 7, robust_list: HEAD, ..ThreadInfo::default() };
    *fake.threads.borrow_mut() = Vec::from([thread]);
    *fake.words.borrow_mut() = words.iter().copied().collect::<BTreeMap<u64, u64>>();
    fake
}

fn marked(fake: &Fake) -> Vec<u64> {
    let events = fake.take_events();
    let addresses = events.iter().filter_map(|event| {
        if let Event::OwnerDied { tid: 7, address } = event { Some(*address) } else { None }
    });
    addresses.collect()
}

#[test]
fn every_mutex_on_the_list_is_marked_and_the_one_under_way_last() {
    let list =
        [(HEAD, 0x2000), (HEAD + 8, 16), (HEAD + 16, 0x4000), (0x2000, 0x3001), (0x3000, HEAD)];
    let fake = with_list(&list);
    robust::release(&fake, 5);
    assert_eq!(marked(&fake), [0x2010, 0x3010, 0x4010]);
    assert!(fake.open.borrow().is_empty());
}

#[test]
fn a_list_without_an_end_is_left() {
    let fake = with_list(&[(HEAD, 0x2000), (HEAD + 8, 16), (HEAD + 16, 0), (0x2000, 0x2000)]);
    robust::release(&fake, 5);
    assert_eq!(marked(&fake).len(), 2048);
}

#[test]
fn a_list_that_cannot_be_read_ends_there() {
    let fake = with_list(&[(HEAD, 0x2000), (HEAD + 8, 16), (HEAD + 16, 0)]);
    robust::release(&fake, 5);
    assert_eq!(marked(&fake), [0x2010]);
    let fake = with_list(&[]);
    robust::release(&fake, 5);
    assert_eq!(marked(&fake), []);
}

#[test]
fn mutexes_are_marked_before_the_memory_goes() {
    let fake = with_list(&[(HEAD, 0x2000), (HEAD + 8, 16), (HEAD + 16, 0), (0x2000, HEAD)]);
    let mut state = with_shell(&fake);
    let child = fork(&mut state, &fake, SHELL);
    fake.take_events();
    exit(&mut state, &fake, child, 0);
    let events = fake.take_events();
    let place = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let mark = place(&|event| matches!(event, Event::OwnerDied { .. }));
    assert!(mark < place(&|event| matches!(event, Event::Control(..))), "{events:?}");
}
