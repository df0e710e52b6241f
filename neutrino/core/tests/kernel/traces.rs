//! What a trace tells, and that it tells nothing while it is off.

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, number};
use neutrino_abi::info::state;
use neutrino_abi::process::process_ctl;
use neutrino_abi::trace::{Kind, READ_MAX, class, command, mode, pack, unpack};
use neutrino_core::Input;
use neutrino_core::machine::Access;

use crate::world::{BUFFER, DATA, World, receive, world};

fn event(command: u32, first: u64, second: u64, third: u64) -> Call {
    Call::TraceEvent { command, first, second, third }
}

fn start(w: &mut World, classes: u32) {
    w.ok(&event(command::START, classes.into(), mode::LINEAR, 0));
}

/// Kind, tid and detail of what was told since.
fn told(w: &mut World) -> Vec<(Kind, u32, u16)> {
    let records = std::mem::take(&mut w.machine.traced);
    records.iter().map(|r| (r.kind().expect("a known kind"), r.tid, r.detail)).collect()
}

fn send(coid: u32) -> Call {
    Call::MsgSend { coid, message: DATA, parts: -5, reply: DATA + 0x100, reply_parts: -5, extra: 0 }
}

fn reply(rcvid: u64) -> Call {
    Call::MsgReply { rcvid, status: 3, message: DATA, parts: -3 }
}

/// A thread that waits on a new channel: its tid, the channel, and a connection to it.
fn server(w: &mut World) -> (u32, u32, u32) {
    let (chid, coid) = w.channel(0);
    let tid = w.spawn(30);
    w.blocks(&receive(chid));
    (tid, chid, coid)
}

#[test]
fn a_message_and_its_reply_leave_exactly_three_records() {
    world(|w| {
        let (tid, chid, coid) = server(w);
        start(w, class::COMM);
        assert_eq!(told(w), [(Kind::Start, 1, 0)]);
        w.blocks(&send(coid));
        let rcvid = w.result_of(w.me()).unwrap().cast_unsigned();
        w.ok(&reply(rcvid));
        let records = w.machine.traced.clone();
        let kind = u16::from_le_bytes(*b"he");
        assert_eq!(
            told(w),
            [(Kind::Send, 1, kind), (Kind::Receive, tid, kind), (Kind::Reply, tid, 0)]
        );
        assert_eq!((records[0].first, records[0].second), (pack(1, chid), pack(coid, 5)));
        assert_eq!((records[1].first, records[1].second), (rcvid, pack(1, chid)));
        assert_eq!((records[2].first, records[2].second), (rcvid, pack(1, 3)));
    });
}

#[test]
fn states_and_priorities_are_told_as_they_change() {
    world(|w| {
        let (tid, chid, coid) = server(w);
        start(w, class::THREAD);
        told(w);
        w.blocks(&send(coid));
        let records = w.machine.traced.clone();
        let (reply, ready, running) =
            (state::REPLY as u16, state::READY as u16, state::RUNNING as u16);
        assert_eq!(
            told(w),
            [
                (Kind::State, 1, reply),
                // It takes its client's priority.
                (Kind::Priority, tid, 20),
                (Kind::State, tid, ready),
                (Kind::State, tid, running),
            ]
        );
        assert_eq!(records[0].first, pack(1, chid), "on whom the client waits");
        assert_eq!(records[0].second, pack(20, state::RUNNING), "what it was before");
        assert_eq!((records[1].first, records[1].second), (30, 30));
    });
}

#[test]
fn a_call_has_its_end_also_after_a_wait() {
    world(|w| {
        let (tid, _, coid) = server(w);
        start(w, class::KERCALL);
        told(w);
        w.blocks(&send(coid));
        let rcvid = w.result_of(w.me()).unwrap().cast_unsigned();
        w.ok(&reply(rcvid));
        w.fails(&Call::ConnectDetach { coid: 999 }, Errno::EBADF);
        let records = w.machine.traced.clone();
        let [sending, replying, closing] =
            [number::MsgSend, number::MsgReply, number::ConnectDetach].map(|call| call as u16);
        assert_eq!(
            told(w),
            [
                (Kind::CallEnter, 1, sending),
                (Kind::CallExit, tid, 0),
                (Kind::CallEnter, tid, replying),
                (Kind::CallExit, 1, 0),
                (Kind::CallExit, tid, replying),
                (Kind::CallEnter, tid, closing),
                (Kind::CallExit, tid, closing),
            ]
        );
        assert_eq!(records[1].first, rcvid);
        assert_eq!(records[3].first, 3, "the status is the result");
        assert_eq!(records[6].first.cast_signed(), Errno::EBADF.to_result());
    });
}

#[test]
fn pulses_interrupts_and_faults_are_told() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        start(w, class::COMM | class::INT | class::SYSTEM);
        told(w);
        w.ok(&Call::MsgSendPulse { coid, priority: 12, code: 5, value: 77 });
        w.ok(&receive(chid));
        w.enter(Input::Interrupt { line: 4 });
        w.enter(Input::Timer);
        w.enter(Input::PageFault { address: DATA, access: Access::Read, error: 4 });
        assert_eq!(
            told(w),
            [
                (Kind::Pulse, 1, 5),
                (Kind::PulseReceive, 1, 5),
                (Kind::Interrupt, 0, 4),
                (Kind::Timer, 0, 0),
                (Kind::Fault, 1, 14),
            ]
        );
    });
}

#[test]
fn processes_and_threads_are_told_from_birth_to_death() {
    world(|w| {
        crate::world::manager(w);
        start(w, class::PROCESS);
        told(w);
        let (process, pid) = w.child(5);
        assert_eq!(
            told(w),
            [
                (Kind::ProcessCreate, pid, 0),
                (Kind::ProcessName, pid, 0),
                (Kind::ThreadCreate, pid, 5)
            ]
        );
        w.poke(BUFFER, b"cat\0\0\0\0\0\0\0\0\0\0\0\0\0");
        w.ok(&Call::ProcessCtl { process, command: process_ctl::SET_NAME, value: BUFFER });
        assert_eq!(&w.machine.traced[0].name()[..4], b"cat\0");
        told(w);
        w.ok(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
        w.ok(&Call::ConnectDetach { coid: process });
        assert_eq!(told(w), [(Kind::ThreadEnd, pid, 5), (Kind::ProcessEnd, pid, 0)]);
    });
}

#[test]
fn nothing_is_told_while_the_trace_is_off() {
    world(|w| {
        let (_, _, coid) = server(w);
        w.blocks(&send(coid));
        let rcvid = w.result_of(w.me()).unwrap().cast_unsigned();
        w.ok(&reply(rcvid));
        start(w, class::ALL);
        w.ok(&event(command::STOP, 0, 0, 0));
        let kinds: Vec<Kind> = told(w).into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(kinds, [Kind::Start, Kind::Stop]);
        w.ok(&event(command::INSERT, 3, 1, 2));
        w.enter(Input::Timer);
        assert_eq!(told(w), []);
    });
}

#[test]
fn what_was_there_before_is_told_on_request() {
    world(|w| {
        let (tid, chid, _) = server(w);
        start(w, class::PROCESS | class::THREAD);
        told(w);
        let mut place = 0;
        loop {
            place = w.ok(&event(command::DESCRIBE, place, 0, 0));
            if place == 0 {
                break;
            }
        }
        let records = w.machine.traced.clone();
        let waiting = records.iter().find(|r| r.kind() == Some(Kind::State) && r.tid == tid);
        assert_eq!(
            waiting.map(|r| (u32::from(r.detail), r.first)),
            Some((state::RECEIVE, chid.into()))
        );
        let threads: Vec<u32> = records
            .iter()
            .filter(|r| r.kind() == Some(Kind::ThreadCreate))
            .map(|r| unpack(r.first).1)
            .collect();
        assert_eq!(threads, [1, 1], "both threads, and whose they are");
    });
}

#[test]
fn records_are_read_once_and_stay_if_the_buffer_is_bad() {
    world(|w| {
        start(w, class::CONTROL);
        w.fails(&event(command::READ, 0, 0x10, 8), Errno::EFAULT);
        w.fails(&event(command::READ, 999, BUFFER, 8), Errno::EINVAL);
        assert_eq!(w.ok(&event(command::READ, 0, BUFFER, READ_MAX as u64)), 1);
        let kind: [u8; 1] = w.peek(BUFFER + 8);
        assert_eq!(kind[0], Kind::Start as u8);
        assert_eq!(w.ok(&event(command::READ, 0, BUFFER, READ_MAX as u64)), 0);
        w.fails(&event(command::START, 0, mode::LINEAR, 0), Errno::EBUSY);
        w.fails(&event(99, 0, 0, 0), Errno::EINVAL);
    });
}

#[test]
fn the_logger_wakes_when_there_is_much_to_read_and_at_the_end() {
    world(|w| {
        start(w, class::ALL);
        w.spawn(30);
        let logger = w.me();
        w.ok(&event(command::LOGGER, 1, 0, 0));
        w.blocks(&Call::InterruptWait { flags: 0 });
        w.fails(&event(command::LOGGER, 0, 0, 0), Errno::EBUSY);
        w.machine.is_half_full = true;
        w.enter(Input::Timer);
        assert_eq!((w.me(), w.result_of(logger)), (logger, Some(0)));
        w.machine.is_half_full = false;
        // The entries between may have left one more wake-up.
        while w.call(&Call::InterruptWait { flags: 0 }).is_some() {}
        w.ok(&event(command::STOP, 0, 0, 0));
        assert_eq!(w.me(), logger);
    });
}

#[test]
fn a_trace_ends_with_its_logger() {
    world(|w| {
        w.spawn(30);
        w.ok(&event(command::LOGGER, 1, 0, 0));
        start(w, class::ALL);
        w.call(&Call::ThreadDestroy { tid: 0, status: 0 });
        told(w);
        w.enter(Input::Timer);
        assert_eq!(told(w), []);
        start(w, class::ALL);
    });
}

#[test]
fn tracing_needs_the_ability_but_inserting_does_not() {
    world(|w| {
        let (process, _) = w.child(5);
        let command = process_ctl::SET_ABILITIES;
        w.ok(&Call::ProcessCtl { process, command, value: 0 });
        let maker = w.me();
        w.blocks(&crate::world::sleep());
        assert_ne!(w.me(), maker);
        for command in [command::START, command::STOP, command::READ, command::LOGGER] {
            w.fails(&event(command, 0, 0, 0), Errno::EPERM);
        }
        w.ok(&event(command::INSERT, 3, 1, 2));
    });
}

#[test]
fn more_waits_than_a_note_book_holds_can_end_in_one_entry() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        for _ in 0..100 {
            w.spawn(20);
            w.blocks(&send(coid));
        }
        start(w, class::ALL);
        told(w);
        w.ok(&Call::ChannelDestroy { chid });
        let ready = |&(kind, _, detail): &(Kind, u32, u16)| {
            kind == Kind::State && u32::from(detail) == state::READY
        };
        assert_eq!(told(w).iter().filter(|told| ready(told)).count(), 100);
    });
}
