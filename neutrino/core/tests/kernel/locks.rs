//! Futexes and mutexes.

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, futex};
use neutrino_abi::time::FOREVER;

use crate::world::{WORD, sleep, world};

#[test]
fn futex_waiters_wake_and_move() {
    world(|w| {
        let main = w.me();
        w.poke(WORD, &5_u32.to_le_bytes());
        let wait = |bitset| Call::FutexWait {
            address: WORD,
            expected: 5,
            flags: 0,
            deadline: FOREVER,
            bitset,
        };
        w.fails(
            &Call::FutexWait { address: WORD, expected: 4, flags: 0, deadline: 0, bitset: 1 },
            Errno::EAGAIN,
        );
        for priority in [21, 22, 23] {
            w.spawn(priority);
            w.blocks(&wait(futex::ANY));
            assert_eq!(w.me(), main);
        }
        let requeue = Call::FutexRequeue {
            address: WORD,
            wake: 0,
            requeue: 2,
            target: WORD + 8,
            expected: 5,
            flags: futex::COMPARE,
        };
        assert_eq!(w.ok(&requeue), 2);
        let wake = |address| Call::FutexWake { address, count: 9, flags: 0, bitset: futex::ANY };
        assert_eq!(w.call(&wake(WORD)), Some(1));
        assert_ne!(w.me(), main);
        w.blocks(&sleep());
        assert_eq!(w.me(), main);
        assert_eq!(w.call(&wake(WORD + 8)), Some(2));
    });
}

#[test]
fn a_mutex_owner_inherits_and_hands_over() {
    world(|w| {
        let main = w.me();
        let tid = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        w.poke(WORD, &0_u32.to_le_bytes());
        let lock = Call::SyncMutexLock { address: WORD, flags: 0, deadline: FOREVER };
        let unlock = Call::SyncMutexUnlock { address: WORD, flags: 0 };
        w.ok(&lock);
        w.fails(&lock, Errno::EDEADLK);
        let other = w.spawn(40);
        let thread = w.me();
        w.fails(&unlock, Errno::EPERM);
        w.blocks(&lock);
        assert_eq!(w.me(), main);
        assert_eq!(w.priority_of(tid), 40);
        assert_eq!(w.call(&unlock), Some(0));
        assert_eq!(w.me(), thread);
        assert_eq!(w.result_of(thread), Some(0));
        assert_eq!(u32::from_le_bytes(w.peek(WORD)), other);
        assert_eq!(w.priority_of(tid), 20);
    });
}

#[test]
fn a_mutex_time_out_takes_the_boost_back() {
    world(|w| {
        let tid = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        w.poke(WORD, &0_u32.to_le_bytes());
        w.ok(&Call::SyncMutexLock { address: WORD, flags: 0, deadline: FOREVER });
        w.spawn(40);
        let thread = w.me();
        let deadline = w.machine.now + 1000;
        w.blocks(&Call::SyncMutexLock { address: WORD, flags: 0, deadline });
        assert_eq!(w.priority_of(tid), 40);
        w.wait(2000);
        assert_eq!(w.me(), thread);
        assert_eq!(w.result_of(thread), Some(Errno::ETIMEDOUT.to_result()));
        assert_eq!(w.priority_of(tid), 20);
    });
}
