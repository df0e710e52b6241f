//! What the process manager does for the dead and the stopped, one sentence a test.

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, futex};
use neutrino_abi::info::ThreadInfo;
use neutrino_abi::memory::{map, prot};
use neutrino_abi::process::{process_ctl, thread_ctl};
use neutrino_abi::pulse;
use neutrino_abi::signal::number;
use neutrino_abi::time::FOREVER;

use crate::world::{BUFFER, DATA, WORD, World, manager, read_pulse, receive, sleep, world};

fn kill(w: &mut World, process: u32, signal: u32) {
    assert_eq!(crate::world::kill(w, process, 0, signal), Some(0));
}

fn pulse_code(w: &mut World) -> i8 {
    assert_eq!(w.ok(&receive(1)), 0);
    read_pulse(w).0
}

fn map_more(w: &mut World, address: u64, length: u64, flags: u32) -> Option<i64> {
    let mut bytes = Vec::new();
    for word in [address, length] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for half in [prot::READ | prot::WRITE, flags | map::ANONYMOUS, 0, 0, 0, 0] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    w.poke(DATA + 0x700, &bytes);
    w.call(&Call::MemMap { space: 0, arguments: DATA + 0x700 })
}

fn word(w: &mut World, address: u64) -> u32 {
    u32::from_le_bytes(w.peek(address))
}

#[test]
fn a_signal_that_ends_a_process_waits_while_it_is_stopped() {
    world(|w| {
        manager(w);
        let (process, _) = w.child(10);
        kill(w, process, number::SIGSTOP);
        assert_eq!(pulse_code(w), pulse::PROCESS_STOPPED);
        kill(w, process, number::SIGTERM);
        w.ok(&Call::TimerTimeout { states: 1 << 5, time: 1000, flags: 0 });
        w.blocks(&receive(1));
        w.wait(2000);
        kill(w, process, number::SIGCONT);
        assert_eq!(pulse_code(w), pulse::PROCESS_CONTINUED);
        assert_eq!(pulse_code(w), pulse::PROCESS_TERMINATE);
    });
}

#[test]
fn sigkill_ends_a_stopped_process_at_once() {
    world(|w| {
        manager(w);
        let (process, _) = w.child(10);
        kill(w, process, number::SIGSTOP);
        assert_eq!(pulse_code(w), pulse::PROCESS_STOPPED);
        kill(w, process, number::SIGKILL);
        assert_eq!(pulse_code(w), pulse::PROCESS_TERMINATE);
    });
}

/// The child takes a shared mutex, another thread waits for it, the child is buried. Returns the
/// word, its place and the waiter.
fn owner_dies_with_a_waiter(w: &mut World, mark_first: impl Fn(&mut World, u32, u32, u64)) {
    manager(w);
    let place = map_more(w, 0, 4096, map::SHARED).unwrap().cast_unsigned();
    w.poke(place, &0_u32.to_le_bytes());
    let main = w.me();
    let lock = Call::SyncMutexLock { address: place, flags: futex::SHARED, deadline: FOREVER };
    let (process, pid) = w.child(30);
    assert_ne!(w.me(), main);
    w.ok(&lock);
    assert_eq!(word(w, place), pid);
    w.blocks(&sleep());
    let heir = w.spawn(30);
    let waiter = w.me();
    w.blocks(&lock);
    assert_eq!(word(w, place), pid | futex::WAITERS);
    mark_first(w, process, pid, place);
    // The heir outranks the caller, which goes on with the burial when that sleeps.
    w.call(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
    assert_eq!(w.result_of(waiter), Some(0));
    assert_eq!(word(w, place), heir | futex::OWNER_DIED);
    w.blocks(&sleep());
    assert_eq!(w.result_of(main), Some(0));
}

#[test]
fn a_shared_mutex_of_a_dead_owner_goes_to_its_waiter() {
    world(|w| owner_dies_with_a_waiter(w, |_, _, _, _| {}));
}

#[test]
fn a_contended_mutex_on_a_robust_list_has_one_heir() {
    world(|w| {
        owner_dies_with_a_waiter(w, |w, process, tid, value| {
            w.call(&Call::ThreadCtl { process, tid, command: thread_ctl::OWNER_DIED, value });
        });
    });
}

#[test]
fn a_mutex_on_a_robust_list_that_nobody_waits_for_is_marked() {
    world(|w| {
        manager(w);
        let (process, tid) = w.child(10);
        let died = |value| Call::ThreadCtl { process, tid, command: thread_ctl::OWNER_DIED, value };
        w.poke(WORD, &(tid | futex::WAITERS).to_le_bytes());
        w.ok(&died(WORD));
        assert_eq!(word(w, WORD), futex::WAITERS | futex::OWNER_DIED);
        w.poke(WORD, &77_u32.to_le_bytes());
        w.ok(&died(WORD));
        assert_eq!(word(w, WORD), 77);
        w.fails(&died(8), Errno::EFAULT);
        w.fails(&died(WORD + 1), Errno::EINVAL);
    });
}

#[test]
fn who_waits_for_a_mutex_that_was_being_unlocked_is_woken() {
    world(|w| {
        manager(w);
        let (process, tid) = w.child(10);
        w.poke(WORD, &5_u32.to_le_bytes());
        w.spawn(40);
        let waiter = w.me();
        let (expected, deadline, bitset) = (5, FOREVER, futex::ANY);
        w.blocks(&Call::FutexWait { address: WORD, expected, flags: 0, deadline, bitset });
        w.poke(WORD, &0_u32.to_le_bytes());
        w.call(&Call::ThreadCtl { process, tid, command: thread_ctl::OWNER_DIED, value: WORD });
        assert_eq!(w.result_of(waiter), Some(0));
        assert_eq!(word(w, WORD), 0);
    });
}

#[test]
fn a_thread_tells_where_its_robust_list_is() {
    world(|w| {
        let command = thread_ctl::ROBUST_LIST;
        w.ok(&Call::ThreadCtl { process: 0, tid: 0, command, value: 0x1234 });
        w.ok(&Call::ThreadInfo { process: 0, tid: 0, info: BUFFER });
        let place = BUFFER + core::mem::offset_of!(ThreadInfo, robust_list) as u64;
        assert_eq!(w.word(place), 0x1234);
    });
}

#[test]
fn the_manager_copies_a_handle_of_a_process_that_can_be_copied() {
    world(|w| {
        manager(w);
        let (process, _) = w.child(10);
        let copy = |value| Call::ProcessCtl { process, command: process_ctl::COPY_HANDLE, value };
        let number = neutrino_abi::handle::SIDE_CHANNEL;
        let own = w.ok(&copy(u64::from(number))) as u32;
        w.ok(&Call::ConnectServerInfo { process: 0, coid: own, info: BUFFER });
        w.ok(&Call::ConnectDetach { coid: own });
        w.fails(&copy(5), Errno::EBADF);
        w.fails(&copy(1 << 40), Errno::EBADF);
    });
}

#[test]
fn a_process_maps_no_more_than_its_limit_except_in_the_place_of_others() {
    world(|w| {
        manager(w);
        let (process, _) = w.child(30);
        let child = w.me();
        let here = map_more(w, 0, 0x4000, map::PRIVATE).unwrap().cast_unsigned();
        w.blocks(&Call::ClockNanosleep { clock: 1, flags: 0, time: 1000, remaining: 0 });
        w.ok(&Call::ProcessInfo { process, info: BUFFER });
        let mapped_at = core::mem::offset_of!(neutrino_abi::info::ProcessInfo, mapped_bytes);
        let value = w.word(BUFFER + mapped_at as u64) + 0x1000;
        let command = process_ctl::SET_SPACE_LIMIT;
        w.ok(&Call::ProcessCtl { process, command, value });
        w.wait(2000);
        assert_eq!(w.me(), child);
        let refused = Some(Errno::ENOMEM.to_result());
        assert_eq!(map_more(w, 0, 0x1001, map::PRIVATE), refused);
        assert_eq!(map_more(w, here, 0x4000, map::PRIVATE | map::FIXED), Some(here as i64));
        assert_eq!(map_more(w, here, 0x6000, map::PRIVATE | map::FIXED), refused);
        assert!(map_more(w, 0, 0x1000, map::PRIVATE).unwrap() > 0);
        assert_eq!(map_more(w, 0, 1, map::PRIVATE), refused);
    });
}
