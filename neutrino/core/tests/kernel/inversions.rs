//! Priority inversion: that the monitor finds each kind, and the mistakes that other kernels made.

use neutrino_abi::calls::{Call, futex};
use neutrino_abi::message::chf;
use neutrino_abi::sched::{SchedParam, policy};
use neutrino_abi::time::FOREVER;

use crate::world::{BUFFER, DATA, WORD, World, receive, sleep, world};

fn lock(address: u64) -> Call {
    Call::SyncMutexLock { address, flags: 0, deadline: FOREVER }
}

fn unlock(address: u64) -> Call {
    Call::SyncMutexUnlock { address, flags: 0 }
}

fn send(coid: u32) -> Call {
    Call::MsgSend { coid, message: BUFFER, parts: -8, reply: BUFFER, reply_parts: -8, extra: 0 }
}

const A: u64 = WORD;
const B: u64 = WORD + 8;

fn free(w: &mut World) {
    w.poke(A, &[0; 16]);
}

fn own_tid(w: &mut World) -> u32 {
    (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32
}

fn set_priority(w: &mut World, tid: u32, priority: u32) {
    let parameters = DATA + 0x8600;
    let wanted = SchedParam { policy: policy::FIFO, priority, ..Default::default() };
    let [low, high] = [wanted.policy, wanted.priority].map(u32::to_le_bytes);
    w.poke(parameters, &[low, high].concat());
    w.call(&Call::SchedSet { process: 0, tid, parameters });
}

#[test]
fn the_monitor_finds_an_owner_below_a_waiter() {
    world(|w| {
        free(w);
        w.ok(&lock(A));
        w.spawn(40);
        w.blocks(&lock(A));
        let owner = w.me();
        assert_eq!(w.kernel.find_inversions(), 0);
        w.kernel.plant_priority(owner, 40);
        assert_eq!(w.kernel.find_inversions(), 0);
        w.kernel.plant_priority(owner, 39);
        assert_eq!(w.kernel.find_inversions(), 1);
    });
}

#[test]
fn the_monitor_finds_a_waiter_above_its_owner() {
    world(|w| {
        free(w);
        w.ok(&lock(A));
        w.spawn(40);
        let waiter = w.me();
        w.blocks(&lock(A));
        w.kernel.plant_priority(waiter, 41);
        assert_eq!(w.kernel.find_inversions(), 1);
    });
}

#[test]
fn the_monitor_finds_a_ready_thread_that_outranks_the_running_one() {
    world(|w| {
        let main = w.me();
        w.spawn(15);
        assert_eq!(w.kernel.find_inversions(), 0);
        w.kernel.plant_priority(main, 14);
        assert_eq!(w.kernel.find_inversions(), 1);
    });
}

/// The first thread serves one client and another queues, both of priority 40.
fn served(w: &mut World, flags: u32) {
    let (chid, coid) = w.channel(flags);
    for _ in 0..2 {
        w.spawn(40);
        w.blocks(&send(coid));
    }
    w.call(&receive(chid));
}

#[test]
fn the_monitor_finds_clients_above_all_who_serve_them() {
    world(|w| {
        served(w, 0);
        let server = w.me();
        assert_eq!(w.kernel.find_inversions(), 0);
        w.kernel.plant_priority(server, 39);
        assert_eq!(w.kernel.find_inversions(), 1);
    });
}

#[test]
fn the_monitor_asks_nothing_of_a_channel_with_a_fixed_priority() {
    world(|w| {
        served(w, chf::FIXED_PRIORITY);
        let server = w.me();
        w.kernel.plant_priority(server, 1);
        assert_eq!(w.kernel.find_inversions(), 0);
    });
}

#[test]
fn freeing_one_of_two_mutexes_keeps_the_boost_of_the_other() {
    for (first, second, between) in [(B, A, 40), (A, B, 30)] {
        world(move |w| {
            free(w);
            let tid = own_tid(w);
            w.ok(&lock(A));
            w.ok(&lock(B));
            w.spawn(30);
            w.blocks(&lock(B));
            w.spawn(40);
            w.blocks(&lock(A));
            assert_eq!(w.priority_of(tid), 40);
            w.call(&unlock(first));
            if first == A {
                // The one of 40 has the mutex and runs.
                w.blocks(&sleep());
            }
            assert_eq!(w.priority_of(tid), between);
            w.call(&unlock(second));
            // Who waited goes on, and only then the owner of before.
            while w.kernel.priority_of(w.me()) > 20 {
                w.blocks(&sleep());
            }
            assert_eq!(w.priority_of(tid), 20);
        });
    }
}

#[test]
fn a_boost_goes_through_a_chain_and_back() {
    world(|w| {
        free(w);
        let tid = own_tid(w);
        w.ok(&lock(A));
        let middle = w.spawn(30);
        w.ok(&lock(B));
        w.blocks(&lock(A));
        w.spawn(40);
        let deadline = w.machine.now + 1000;
        w.blocks(&Call::SyncMutexLock { address: B, flags: 0, deadline });
        assert_eq!((w.priority_of(middle), w.priority_of(tid)), (40, 40));
        w.wait(2000);
        w.blocks(&sleep());
        assert_eq!((w.priority_of(middle), w.priority_of(tid)), (30, 30));
    });
}

#[test]
fn a_boost_does_not_become_the_base() {
    world(|w| {
        free(w);
        let tid = own_tid(w);
        w.ok(&lock(A));
        w.spawn(40);
        w.blocks(&lock(A));
        set_priority(w, tid, 25);
        assert_eq!(w.priority_of(tid), 40);
        w.call(&unlock(A));
        w.blocks(&sleep());
        assert_eq!(w.priority_of(tid), 25);
    });
}

#[test]
fn a_waiter_that_becomes_more_important_raises_the_owner() {
    world(|w| {
        free(w);
        let tid = own_tid(w);
        w.ok(&lock(A));
        let waiter = w.spawn(30);
        w.blocks(&lock(A));
        set_priority(w, waiter, 50);
        assert_eq!(w.priority_of(tid), 50);
        set_priority(w, waiter, 10);
        assert_eq!(w.priority_of(tid), 20);
    });
}

#[test]
fn a_client_queued_behind_a_busy_server_raises_it() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let tid = own_tid(w);
        w.spawn(30);
        w.blocks(&send(coid));
        w.call(&receive(chid));
        assert_eq!(w.priority_of(tid), 30);
        let queued = w.spawn(40);
        w.blocks(&send(coid));
        assert_eq!(w.priority_of(tid), 40);
        set_priority(w, queued, 45);
        assert_eq!(w.priority_of(tid), 45);
    });
}

/// Threads of priority 30 and 25 that wait for each other's mutex; the numbers of both.
fn deadlock(w: &mut World) -> [u32; 2] {
    let first = w.spawn(25);
    w.ok(&lock(A));
    let second = w.spawn(30);
    w.ok(&lock(B));
    w.blocks(&lock(A));
    w.blocks(&lock(B));
    [first, second]
}

#[test]
fn a_cycle_of_waits_keeps_nothing_of_a_waiter_that_leaves() {
    world(|w| {
        free(w);
        let threads = deadlock(w);
        assert_eq!(threads.map(|tid| w.priority_of(tid)), [30, 30]);
        w.spawn(40);
        let deadline = w.machine.now + 1000;
        w.blocks(&Call::SyncMutexLock { address: A, flags: 0, deadline });
        assert_eq!(threads.map(|tid| w.priority_of(tid)), [40, 40]);
        w.wait(2000);
        assert_eq!(threads.map(|tid| w.priority_of(tid)), [30, 30]);
    });
}

#[test]
fn a_cycle_of_waits_follows_the_priorities_of_its_threads() {
    world(|w| {
        free(w);
        let [first, second] = deadlock(w);
        set_priority(w, second, 10);
        assert_eq!([first, second].map(|tid| w.priority_of(tid)), [25, 25]);
        set_priority(w, first, 50);
        assert_eq!([first, second].map(|tid| w.priority_of(tid)), [50, 50]);
        set_priority(w, first, 5);
        assert_eq!([first, second].map(|tid| w.priority_of(tid)), [10, 10]);
    });
}

#[test]
fn equals_keep_their_order_of_arrival_whatever_their_priorities_were() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let early = w.spawn(40);
        let early_thread = w.me();
        w.blocks(&send(coid));
        w.spawn(30);
        w.blocks(&send(coid));
        set_priority(w, early, 30);
        let rcvid = w.call(&receive(chid)).unwrap_or(0);
        assert_eq!(rcvid & 0xffff, i64::from(early_thread.0));
    });
}

#[test]
fn waiters_on_a_word_are_woken_by_the_priority_that_they_have_by_then() {
    world(|w| {
        free(w);
        let wait = Call::FutexWait {
            address: A,
            expected: 0,
            flags: 0,
            deadline: FOREVER,
            bitset: futex::ANY,
        };
        w.spawn(40);
        w.blocks(&wait);
        let late = w.spawn(30);
        let late_thread = w.me();
        w.blocks(&wait);
        set_priority(w, late, 50);
        w.call(&Call::FutexWake { address: A, count: 1, flags: 0, bitset: futex::ANY });
        assert_eq!(w.me(), late_thread);
    });
}
