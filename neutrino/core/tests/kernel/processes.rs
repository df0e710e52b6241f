//! Processes: their start, their death, and what they leave behind.

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, Frame, futex};
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::process::process_ctl;
use neutrino_abi::pulse;
use neutrino_abi::signal::number;
use neutrino_abi::time::FOREVER;
use neutrino_core::Input;

use crate::world::{DATA, INFO, WORD, World, kill, manager, read_pulse, receive, world};

/// What a child sends through its first handle.
const TO_MANAGER: Call = Call::MsgSend {
    coid: SIDE_CHANNEL,
    message: DATA,
    parts: -5,
    reply: DATA + 0x700,
    reply_parts: -8,
    extra: 0,
};

#[test]
fn a_child_speaks_to_the_process_manager_through_its_first_handle() {
    world(|w| {
        let chid = manager(w);
        let (_, pid) = w.child(10);
        w.blocks(&receive(chid));
        assert_eq!(w.ok(&Call::ThreadSelf {}), u64::from(pid) << 32 | u64::from(pid));
        let child = w.me();
        w.blocks(&TO_MANAGER);
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
        assert_eq!(read_pulse(w), (pulse::PROCESS_TERMINATE, u64::from(pid), 1));
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
        w.blocks(&TO_MANAGER);
        let rcvid = w.machine.results[&w.me().0].cast_unsigned();
        assert_eq!(kill(w, process, 0, number::SIGKILL), Some(0));
        let mut codes = Vec::new();
        for _ in 0..2 {
            assert_eq!(w.ok(&receive(chid)), 0);
            codes.push(read_pulse(w));
        }
        assert!(codes.contains(&(pulse::UNBLOCK, rcvid, 1)), "{codes:?}");
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
        assert_eq!(read_pulse(w), (pulse::PROCESS_CONTINUED, u64::from(pid), 1));
        w.blocks(&receive(chid));
        assert_ne!(w.me(), main);
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
        w.blocks(&TO_MANAGER);
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
        assert_eq!(read_pulse(w), (pulse::PROCESS_TERMINATE, u64::from(pid), 1));
    });
}

#[test]
fn burying_a_process_gives_every_object_and_frame_back() {
    world(|w| {
        let chid = manager(w);
        let live_and_die = |w: &mut World| {
            let (process, _) = w.fork(10);
            w.ok(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
            w.ok(&Call::ConnectDetach { coid: process });
            // Its connection's end is a pulse, which holds the connection until it is received.
            assert_eq!(w.ok(&receive(chid)), 0);
        };
        // The first time fills the store of frames for page tables.
        live_and_die(w);
        let before = system(w);
        for _ in 3..20 {
            live_and_die(w);
        }
        assert_eq!(before[8..64], system(w)[8..64], "free frames, promises, objects");
    });
}

#[test]
fn a_terminated_client_frees_its_server_of_the_request() {
    world(|w| {
        let chid = manager(w);
        let server = w.me();
        let (process, _) = w.fork(10);
        w.blocks(&receive(chid));
        let (coid, message) = (SIDE_CHANNEL, DATA);
        let send = Call::MsgSend { coid, message, parts: -4, reply: 0, reply_parts: 0, extra: 0 };
        w.blocks(&send);
        assert_eq!(w.me(), server);
        let rcvid = w.result_of(server).unwrap().cast_unsigned();
        w.ok(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
        w.fails(&Call::MsgReply { rcvid, status: 0, message: 0, parts: 0 }, Errno::ESRCH);
        assert_eq!(w.ok(&receive(chid)), 0);
        let (code, ..) = read_pulse(w);
        assert!([pulse::UNBLOCK, pulse::DISCONNECT].contains(&code), "{code}");
    });
}

#[test]
fn a_process_without_the_ability_makes_no_processes_and_maps_no_devices() {
    world(|w| {
        let chid = manager(w);
        w.fork(10);
        w.blocks(&receive(chid));
        w.fails(&Call::SpaceCreate {}, Errno::EPERM);
        w.fails(&Call::PortAttach { base: 0x3f8, count: 8 }, Errno::EPERM);
        let device = Call::MemObjectCreate { kind: 2, size: 4096, physical: 0, flags: 0 };
        w.fails(&device, Errno::EPERM);
    });
}

#[test]
fn no_call_with_numbers_that_name_nothing_breaks_an_invariant() {
    world(|w| {
        for number in 0x1001..0x1060_u64 {
            let arguments =
                [u64::from(SIDE_CHANNEL) + 3000, u64::MAX, 1, u64::MAX, 2, 3, 4, 5, 6, 7];
            let before = w.running;
            w.enter(Input::Call(Frame { number, arguments }));
            if w.running.is_none() {
                *w = World::new();
            } else {
                assert_eq!(before, w.running);
            }
        }
    });
}
