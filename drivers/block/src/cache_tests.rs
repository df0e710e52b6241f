//! The cache alone: what is kept, what is written when, and what a sync waits for.

use crate::cache::{Cache, End, State};

/// A cache with one line that was written by a client.
fn dirty(number: u64) -> (Cache, u32) {
    let mut cache = Cache::new(4);
    let slot = cache.vacate().unwrap();
    cache.insert(slot, number);
    (cache, slot)
}

#[test]
fn neighbours_are_read_in_one_transfer() {
    let mut cache = Cache::new(8);
    [7, 8, 9, 20].into_iter().for_each(|number| cache.want(number).unwrap());
    let numbers = |run: alloc::vec::Vec<(u32, u64)>| -> alloc::vec::Vec<u64> {
        run.into_iter().map(|(_, number)| number).collect()
    };
    assert_eq!(numbers(cache.next_read(2)), [7, 8]);
    assert_eq!(numbers(cache.next_read(2)), [9]);
    assert_eq!(numbers(cache.next_read(2)), [20]);
    assert!(cache.next_read(2).is_empty());
}

#[test]
fn only_what_the_device_has_makes_room() {
    let mut cache = Cache::new(2);
    cache.want(1).unwrap();
    let slot = cache.vacate().unwrap();
    cache.insert(slot, 2);
    assert_eq!(cache.want(3), None, "one is on its way, the other not written");
    let run = cache.next_write(9);
    assert_eq!(cache.want(3), None, "nor is it while it is being written");
    run.iter().for_each(|(slot, _)| cache.end_write(*slot, End::Good));
    assert_eq!(cache.want(3), Some(()));
    assert_eq!(cache.find(2), None);
}

#[test]
fn a_line_changed_while_it_is_written_is_written_again_before_a_sync_is_done() {
    let (mut cache, slot) = dirty(5);
    cache.next_write(1);
    cache.change(slot);
    let moment = cache.now();
    assert_eq!(cache.find(5), Some((slot, State::Rewritten)));
    cache.end_write(slot, End::Good);
    assert!(!cache.is_written(moment), "the change is not on the device");
    assert_eq!(cache.next_write(1), [(slot, 5)]);
    cache.end_write(slot, End::Good);
    assert!(cache.is_written(moment));
}

#[test]
fn a_sync_waits_for_nothing_that_came_later() {
    let (mut cache, first) = dirty(5);
    let moment = cache.now();
    let second = cache.vacate().unwrap();
    cache.insert(second, 9);
    assert_eq!(cache.next_write(1), [(first, 5)]);
    cache.end_write(first, End::Good);
    assert!(cache.is_written(moment));
}

#[test]
fn a_write_that_fails_is_told_once_and_leaves_nothing_behind() {
    let (mut cache, slot) = dirty(5);
    cache.next_write(1);
    cache.end_write(slot, End::Bad);
    assert_eq!(cache.find(5), None);
    assert!(cache.take_lost());
    assert!(!cache.take_lost());
}
