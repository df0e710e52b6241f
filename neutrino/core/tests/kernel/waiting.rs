//! Sleeping, futexes, mutexes, timers, polling.

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::{SIDE_CHANNEL, ready};
use neutrino_abi::time::{FOREVER, clock, timeout};
use neutrino_core::Input;

use crate::world::{MEMORY, World};

const WORD: u64 = MEMORY + 0x400;

#[test]
fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
    let mut world = World::new();
    let sleeper = world.running();
    let start = world.machine.now;
    let sleep =
        Call::ClockNanosleep { clock: clock::MONOTONIC, flags: 0, time: 5000, remaining: 0 };
    assert_eq!(world.call(&sleep), None);
    assert!(world.machine.timer >= start + 5000);
    world.enter(Input::Timer);
    assert_eq!(world.current, None, "too early");
    world.machine.now = world.machine.timer;
    world.enter(Input::Timer);
    assert_eq!(world.current, Some(sleeper));
    assert_eq!(world.result(sleeper), Ok(0));
}

#[test]
fn a_receive_with_a_timeout_ends_with_etimedout() {
    let mut world = World::new();
    let chid = world.number(&Call::ChannelCreate { flags: 0 });
    world.good(&Call::TimerTimeout { states: timeout::RECEIVE, time: 700, flags: 0 });
    let caller = world.running();
    let receive = Call::MsgReceive { chid, message: MEMORY, parts: -64, info: 0 };
    assert_eq!(world.call(&receive), None);
    world.machine.now = world.machine.timer;
    world.enter(Input::Timer);
    assert_eq!(world.result(caller), Err(Errno::ETIMEDOUT));
}

#[test]
fn a_futex_waits_only_while_the_word_is_as_expected() {
    let mut world = World::new();
    world.poke(WORD, &7_u32.to_le_bytes());
    let wait = |expected| Call::FutexWait {
        address: WORD,
        expected,
        flags: 0,
        deadline: FOREVER,
        bitset: u32::MAX,
    };
    assert_eq!(world.call(&wait(6)), Some(Err(Errno::EAGAIN)));
    world.spawn(30);
    let waiter = world.running();
    assert_eq!(world.call(&wait(7)), None);
    let wake = Call::FutexWake { address: WORD, count: 9, flags: 0, bitset: u32::MAX };
    world.call(&wake);
    assert_eq!(world.running(), waiter);
    assert_eq!(world.result(waiter), Ok(0));
}

#[test]
fn the_owner_of_a_mutex_runs_at_its_waiters_priority_until_it_unlocks() {
    let mut world = World::new();
    let owner = world.running();
    world.poke(WORD, &1_u32.to_le_bytes());
    world.spawn(50);
    let waiter = world.running();
    let lock = Call::SyncMutexLock { address: WORD, flags: 0, deadline: FOREVER };
    assert_eq!(world.call(&lock), None);
    assert_eq!(world.running(), owner);
    assert_eq!(world.kernel.priority_of(owner), 50);
    world.call(&Call::SyncMutexUnlock { address: WORD, flags: 0 });
    assert_eq!(world.running(), waiter);
    assert_eq!(world.kernel.priority_of(owner), 20);
    assert_eq!(world.result(waiter), Ok(0));
}

#[test]
fn a_poll_ends_when_the_server_sets_a_bit_that_is_asked_for() {
    let mut world = World::new();
    let chid = world.number(&Call::ChannelCreate { flags: 0 });
    let attach =
        Call::ConnectAttach { process: 0, chid, minimum: SIDE_CHANNEL, flags: 0, badge: 5 };
    let coid = world.number(&attach);
    let mut entry = Vec::from(coid.to_le_bytes());
    entry.extend([1, 0, 0, 0]);
    world.poke(WORD, &entry);
    world.spawn(30);
    let poller = world.running();
    let poll = Call::ConnectPoll { entries: WORD, count: 1, timeout: FOREVER, mask: 0, flags: 0 };
    assert_eq!(world.call(&poll), None);
    let info = world.kernel.scoid_of(world.running(), coid);
    world.call(&Call::ConnectReady { scoid: info, badge: 5, bits: ready::OUT });
    assert_ne!(world.running(), poller, "nobody asked for OUT");
    world.call(&Call::ConnectReady { scoid: info, badge: 5, bits: ready::IN });
    assert_eq!(world.running(), poller);
    assert_eq!(world.result(poller), Ok(1));
    assert_eq!(world.peek(WORD + 6, 2), [1, 0]);
}

#[test]
fn equals_take_turns_when_a_slice_is_over() {
    let mut world = World::new();
    let first = world.running();
    world.spawn(20);
    assert_eq!(world.running(), first);
    world.machine.now = world.machine.timer;
    world.enter(Input::Timer);
    assert_ne!(world.running(), first);
}
