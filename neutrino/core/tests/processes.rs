//! Processes, signals, locks, timers and waiting, one sentence a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use common::{DATA, World, world};
use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, futex};
use neutrino_abi::handle::{SIDE_CHANNEL, ready};
use neutrino_abi::message::chf;
use neutrino_abi::process::process_ctl;
use neutrino_abi::pulse;
use neutrino_abi::signal::{disposition, how, number};
use neutrino_abi::time::FOREVER;
use neutrino_core::Input;

const BUFFER: u64 = DATA + 0x200;
const INFO: u64 = DATA + 0x300;
const WORD: u64 = DATA + 0x400;

fn receive(chid: u32) -> Call {
    Call::MsgReceive { chid, message: BUFFER, parts: -64, info: INFO }
}
fn sleep() -> Call {
    Call::ClockNanosleep { clock: 1, flags: 0, time: 1 << 40, remaining: 0 }
}
fn read_pulse(w: &mut World) -> (i8, u64) {
    let bytes: [u8; 24] = w.peek(BUFFER);
    (i8::from_le_bytes([bytes[4]]), u64::from_le_bytes(bytes[8..16].try_into().unwrap()))
}
/// The first process as process manager: channel 1 gets the process pulses.
fn manager(w: &mut World) -> u32 {
    let chid = w.ok(&Call::ChannelCreate { flags: chf::UNBLOCK | chf::DISCONNECT }) as u32;
    assert_eq!(chid, 1);
    w.ok(&Call::SystemCtl { command: 0, value: 1 });
    chid
}
fn kill(w: &mut World, process: u32, tid: u32, signal: u32) -> Option<i64> {
    let mut info = [0; 32];
    info[..4].copy_from_slice(&signal.to_le_bytes());
    w.poke(DATA + 0x600, &info);
    w.call(&Call::SignalKill { process, tid, info: DATA + 0x600 })
}

#[test]
fn a_child_speaks_to_the_process_manager_through_its_first_handle() {
    world(|w| {
        let chid = manager(w);
        let (_, pid) = w.child(10);
        w.blocks(&receive(chid));
        assert_eq!(w.ok(&Call::ThreadSelf {}), u64::from(pid) << 32 | u64::from(pid));
        let child = w.me();
        let send = Call::MsgSend {
            coid: SIDE_CHANNEL,
            message: DATA,
            parts: -5,
            reply: DATA + 0x700,
            reply_parts: -8,
            extra: 0,
        };
        w.blocks(&send);
        assert_ne!(w.me(), child);
        assert_eq!(u32::from_le_bytes(w.peek(INFO)), pid);
    });
}

#[test]
fn a_killed_process_is_buried_by_the_manager_and_leaves_nothing() {
    world(|w| {
        let chid = manager(w);
        let before: [u8; 120] = system(w);
        let (process, pid) = w.child(10);
        assert_eq!(kill(w, process, 0, number::SIGKILL), Some(0));
        assert_eq!(w.ok(&receive(chid)), 0);
        assert_eq!(read_pulse(w), (pulse::PROCESS_TERMINATE, u64::from(pid)));
        w.ok(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
        w.ok(&Call::ConnectDetach { coid: process });
        // The child's connection to the manager is told of.
        assert_eq!(w.ok(&receive(chid)), 0);
        assert_eq!(read_pulse(w).0, pulse::DISCONNECT);
        let after = system(w);
        assert_eq!(before[24..64], after[24..64], "threads, processes, channels, connections ...");
    });
}

fn system(w: &mut World) -> [u8; 120] {
    w.ok(&Call::SystemInfo { info: DATA + 0x900 });
    w.peek(DATA + 0x900)
}

#[test]
fn a_killed_client_leaves_its_server_an_unblock_pulse_and_a_stale_rcvid() {
    world(|w| {
        let chid = manager(w);
        let (process, _) = w.child(10);
        w.blocks(&receive(chid));
        let send = Call::MsgSend {
            coid: SIDE_CHANNEL,
            message: DATA,
            parts: -5,
            reply: DATA + 0x700,
            reply_parts: -8,
            extra: 0,
        };
        w.blocks(&send);
        let rcvid = w.machine.results[&w.me().0].cast_unsigned();
        assert_eq!(kill(w, process, 0, number::SIGKILL), Some(0));
        let mut codes = Vec::new();
        for _ in 0..2 {
            assert_eq!(w.ok(&receive(chid)), 0);
            codes.push(read_pulse(w));
        }
        assert!(codes.contains(&(pulse::UNBLOCK, rcvid)), "{codes:?}");
        w.fails(&Call::MsgReply { rcvid, status: 0, message: 0, parts: 0 }, Errno::ESRCH);
        w.ok(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
        w.ok(&Call::ConnectDetach { coid: process });
    });
}

#[test]
fn a_stopped_process_does_not_run_until_it_is_continued() {
    world(|w| {
        let chid = manager(w);
        let (process, pid) = w.child(10);
        let main = w.me();
        assert_eq!(kill(w, process, 0, number::SIGSTOP), Some(0));
        assert_eq!(w.ok(&receive(chid)), 0);
        assert_eq!(read_pulse(w).0, pulse::PROCESS_STOPPED);
        w.ok(&Call::TimerTimeout { states: 1 << 5, time: 1000, flags: 0 });
        w.blocks(&receive(chid));
        assert_eq!(w.running, None);
        w.wait(2000);
        assert_eq!(w.me(), main);
        assert_eq!(w.result_of(main), Some(Errno::ETIMEDOUT.to_result()));
        assert_eq!(kill(w, process, 0, number::SIGCONT), Some(0));
        assert_eq!(w.ok(&receive(chid)), 0);
        assert_eq!(read_pulse(w), (pulse::PROCESS_CONTINUED, u64::from(pid)));
        w.blocks(&receive(chid));
        assert_ne!(w.me(), main);
    });
}

fn personality(w: &mut World) {
    let mut bytes = Vec::new();
    for word in [0_u64, 0x7000, 0x9000, 0xa000, 0x9f00, 0x9f80, 0x9800, 0x9900, 0x9a00] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    w.poke(DATA + 0xa00, &bytes);
    w.ok(&Call::PersonalityAttach { personality: DATA + 0xa00 });
    w.ok(&Call::ThreadCtl { process: 0, tid: 0, command: 3, value: DATA + 0xb00 });
}

#[test]
fn a_handled_signal_diverts_its_thread_outside_the_guarded_text_only() {
    world(|w| {
        manager(w);
        personality(w);
        let me = w.me().0;
        let signal = number::SIGUSR1;
        w.ok(&Call::SignalAction { process: 0, signal, disposition: disposition::HANDLER });
        w.machine.registers.get_mut(&me).unwrap().rip = 0x9100;
        kill(w, 0, 0, signal);
        assert_eq!(w.machine.registers[&me].rip, 0x9100);
        assert_eq!(u32::from_le_bytes(w.peek(DATA + 0xb00)), 1, "pending");
        w.machine.registers.get_mut(&me).unwrap().rip = 0x9f10;
        w.enter(Input::Reschedule);
        assert_eq!(w.machine.registers[&me].rip, 0x9f00, "restarted");
        w.machine.registers.get_mut(&me).unwrap().rip = 0x5000;
        w.enter(Input::Reschedule);
        assert_eq!(w.machine.registers[&me].rip, 0x7000, "diverted");
        assert_eq!(u32::from_le_bytes(w.peek(DATA + 0xb04)), 1, "diverted");
        w.machine.registers.get_mut(&me).unwrap().rip = 0x9100;
        let take = Call::SignalTake { info: DATA + 0xc00, mask: DATA + 0xc80 };
        assert_eq!(w.ok(&take), u64::from(signal));
        assert_eq!(w.ok(&take), 0);
    });
}

#[test]
fn a_signal_ends_a_sleep_and_suspend_returns_with_the_mask_to_restore() {
    world(|w| {
        manager(w);
        personality(w);
        let signal = number::SIGUSR1;
        w.ok(&Call::SignalAction { process: 0, signal, disposition: disposition::HANDLER });
        let main = w.me();
        let tid = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        w.machine.registers.get_mut(&main.0).unwrap().rip = 0x9100;
        w.ok(&Call::SignalProcmask { how: how::BLOCK, set: 1 << 9, old: 0 });
        w.spawn(19);
        w.blocks(&Call::SignalSuspend { set: 0 });
        w.ok(&Call::SignalProcmask { how: how::BLOCK, set: 1 << 9, old: 0 });
        kill(w, 0, tid, signal);
        assert_eq!(w.me(), main);
        assert_eq!(w.result_of(main), Some(Errno::EINTR.to_result()));
        assert_eq!(w.ok(&Call::SignalTake { info: INFO, mask: WORD }), u64::from(signal));
        assert_eq!(w.word(WORD), 1 << 9);
    });
}

#[test]
fn a_fault_in_a_copy_routine_goes_on_at_its_fix_up_and_elsewhere_ends_the_process() {
    world(|w| {
        let chid = manager(w);
        let (_, pid) = w.child(10);
        w.blocks(&receive(chid));
        personality(w);
        let child = w.me();
        w.machine.registers.get_mut(&child.0).unwrap().rip = 0x9810;
        let access = neutrino_core::machine::Access::Read;
        w.enter(Input::PageFault { address: 0x1000, access, error: 4 });
        assert_eq!(w.machine.registers[&child.0].rip, 0x9a00);
        w.enter(Input::PageFault { address: 0x1000, access, error: 4 });
        assert_ne!(w.me(), child);
        assert_eq!(read_pulse(w), (pulse::PROCESS_TERMINATE, u64::from(pid)));
    });
}

#[test]
fn a_waiter_in_waitinfo_takes_a_blocked_signal() {
    world(|w| {
        manager(w);
        w.ok(&Call::SignalProcmask { how: how::BLOCK, set: 1 << 16, old: 0 });
        kill(w, 0, 0, number::SIGCHLD);
        let wait = Call::SignalWaitinfo { set: 1 << 16, info: INFO, timeout: FOREVER };
        assert_eq!(w.ok(&wait), 17);
        w.blocks(&Call::SignalWaitinfo { set: 1 << 16, info: INFO, timeout: 1000 });
        assert_eq!(w.running, None);
        w.wait(2000);
        assert_eq!(w.result_of(w.me()), Some(Errno::EAGAIN.to_result()));
    });
}

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

#[test]
fn poll_wakes_when_a_server_says_ready() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let main = w.me();
        w.ok(&Call::ConnectServerInfo { process: 0, coid, info: INFO });
        let scoid = u32::from_le_bytes(w.peek(INFO + 16));
        let mut entry = Vec::new();
        entry.extend_from_slice(&coid.to_le_bytes());
        entry.extend_from_slice(&(ready::IN as u16).to_le_bytes());
        entry.extend_from_slice(&0_u16.to_le_bytes());
        w.poke(WORD, &entry);
        let poll =
            |timeout| Call::ConnectPoll { entries: WORD, count: 1, timeout, mask: 0, flags: 0 };
        assert_eq!(w.ok(&poll(0)), 0);
        w.spawn(30);
        let poller = w.me();
        w.blocks(&poll(FOREVER));
        assert_eq!(w.me(), main);
        w.ok(&Call::ConnectReady { scoid, badge: 77, bits: ready::OUT });
        assert_eq!(w.me(), main);
        assert_eq!(
            w.call(&Call::ConnectReady { scoid, badge: 77, bits: ready::IN | ready::OUT }),
            Some(0)
        );
        assert_eq!(w.me(), poller);
        assert_eq!(w.result_of(poller), Some(1));
        let entry: [u8; 8] = w.peek(WORD);
        assert_eq!(entry[6], 1);
        w.ok(&Call::ChannelDestroy { chid });
        assert_eq!(w.ok(&poll(FOREVER)), 1, "a dead connection is ready with HUP");
    });
}

#[test]
fn a_periodic_timer_sends_pulses_that_coalesce() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let mut event = Vec::new();
        for half in [4_u32, coid, 9, 15] {
            event.extend_from_slice(&half.to_le_bytes());
        }
        event.extend_from_slice(&1234_u64.to_le_bytes());
        w.poke(WORD, &event);
        let timer = w.ok(&Call::TimerCreate { clock: 1, event: WORD }) as u32;
        w.poke(WORD, &[1000_u64.to_le_bytes(), 500_u64.to_le_bytes()].concat());
        w.ok(&Call::TimerSettime { timer, flags: 0, new: WORD, old: 0 });
        w.wait(1100);
        w.wait(500);
        w.wait(500);
        assert_eq!(w.ok(&receive(chid)), 0);
        assert_eq!(read_pulse(w), (9, 1234));
        assert_eq!(u32::from_le_bytes(w.peek(BUFFER + 20)), 3);
        w.ok(&Call::ConnectDetach { coid: timer });
        w.blocks(&receive(chid));
        w.wait(10_000);
        assert_eq!(w.running, None);
    });
}

#[test]
fn an_interrupt_wakes_its_waiter_and_stays_masked_until_unmasked() {
    world(|w| {
        let mut event = [0; 24];
        event[0] = 6;
        w.poke(WORD, &event);
        let handle = w.ok(&Call::InterruptAttachEvent { line: 4, event: WORD, flags: 0 }) as u32;
        let main = w.me();
        w.blocks(&Call::InterruptWait { flags: 0 });
        w.machine.masked.push(4);
        w.enter(Input::Interrupt { line: 4 });
        assert_eq!(w.me(), main);
        assert_eq!(w.result_of(main), Some(0));
        assert!(w.machine.masked.contains(&4));
        w.ok(&Call::InterruptUnmask { interrupt: handle });
        assert!(!w.machine.masked.contains(&4));
        w.enter(Input::Interrupt { line: 4 });
        assert_eq!(w.ok(&Call::InterruptWait { flags: 0 }), 0, "it was latched");
    });
}

#[test]
fn equals_share_by_slices() {
    world(|w| {
        let main = w.me();
        w.spawn(20);
        assert_eq!(w.me(), main);
        w.wait(4_000_001);
        assert_ne!(w.me(), main);
        w.wait(4_000_001);
        assert_eq!(w.me(), main);
    });
}

#[test]
fn exec_keeps_the_pid_and_frees_what_exec_closes() {
    world(|w| {
        let chid = manager(w);
        let (process, pid) = w.child(10);
        let main = w.me();
        w.blocks(&receive(chid));
        let child = w.me();
        let dup = Call::ConnectDup { coid: SIDE_CHANNEL, minimum: 0, flags: 1 };
        assert_eq!(w.ok(&dup), 0);
        let send = Call::MsgSend {
            coid: SIDE_CHANNEL,
            message: DATA,
            parts: -5,
            reply: DATA + 0x700,
            reply_parts: -8,
            extra: 0,
        };
        w.blocks(&send);
        assert_eq!(w.me(), main);
        let rcvid = w.machine.results[&main.0].cast_unsigned();
        let space = w.ok(&Call::SpaceCreate {}) as u32;
        let mut args = Vec::new();
        for half in [space, pid] {
            args.extend_from_slice(&half.to_le_bytes());
        }
        for word in [0x50_0000_u64, 0x60_0000, 3] {
            args.extend_from_slice(&word.to_le_bytes());
        }
        w.poke(DATA + 0x900, &args);
        w.ok(&Call::ProcessExec { process, arguments: DATA + 0x900 });
        w.ok(&Call::ConnectDetach { coid: space });
        w.fails(&Call::MsgReply { rcvid, status: 0, message: 0, parts: 0 }, Errno::ESRCH);
        w.blocks(&receive(chid));
        assert_eq!(w.me(), child);
        assert_eq!(w.machine.registers[&child.0].rip, 0x50_0000);
        assert_eq!(w.ok(&Call::ThreadSelf {}), u64::from(pid) << 32 | u64::from(pid));
    });
}

#[test]
fn a_thread_that_ends_clears_its_word_and_wakes_its_joiner() {
    world(|w| {
        manager(w);
        let main = w.me();
        w.poke(WORD, &9_u32.to_le_bytes());
        let tid = w.spawn(19);
        let set = Call::ThreadCtl { process: 0, tid, command: 4, value: WORD };
        w.ok(&set);
        w.blocks(&Call::FutexWait {
            address: WORD,
            expected: 9,
            flags: 0,
            deadline: FOREVER,
            bitset: futex::ANY,
        });
        assert_eq!(w.call(&Call::ThreadDestroy { tid: 0, status: 0 }), None);
        assert_eq!(w.me(), main);
        assert_eq!(u32::from_le_bytes(w.peek(WORD)), 0);
    });
}

#[test]
fn the_end_of_the_last_thread_is_told_to_the_manager() {
    world(|w| {
        let chid = manager(w);
        let (_, pid) = w.child(10);
        w.blocks(&receive(chid));
        w.call(&Call::ThreadDestroy { tid: 0, status: 0 });
        assert_eq!(read_pulse(w), (pulse::PROCESS_TERMINATE, u64::from(pid)));
    });
}
