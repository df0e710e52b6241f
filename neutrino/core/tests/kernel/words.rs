//! Messages in registers, and what becomes of servers that got theirs by the fast path. A twin that
//! never takes it follows every step.

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, number};
use neutrino_abi::message::MessagePlace;
use neutrino_core::Input;
use neutrino_core::machine::{ThreadContexts, ThreadSlot};

use crate::dice::control;
use crate::fast::Twin;
use crate::world::{BUFFER, DATA, World, kill, world};

/// A server of priority 10 that waits and has answered once; the first thread, of 20, runs.
struct Served {
    chid: u32,
    coid: u32,
    server: ThreadSlot,
    client: ThreadSlot,
}

const TEXT: &[u8; 48] = b"forty-eight bytes that are in registers, not out";
const ABOVE: u64 = DATA + 0x600;

fn send(coid: u32, length: u64, room: u64) -> Call {
    let [w0, w1, w2, w3, w4, w5] =
        core::array::from_fn(|at| u64::from_le_bytes(TEXT[at * 8..at * 8 + 8].try_into().unwrap()));
    let (lengths, reply) = (length | room << 32, DATA + 0x100);
    Call::MsgSendRegisters { coid, lengths, w0, w1, w2, w3, w4, w5, reply }
}

fn receive(chid: u32) -> Call {
    Call::MsgReceive { chid, message: BUFFER, parts: -64, info: 0 }
}

fn answer(rcvid: u64, chid: u32, length: u64) -> Call {
    let control = control(7, chid, length);
    let [w0, w1, w2, w3, w4, w5] = [u64::from_le_bytes(*b"answered"), 2, 3, 4, 5, 6];
    let (message, parts) = (BUFFER, -64);
    Call::MsgReplyReceiveRegisters { rcvid, control, w0, w1, w2, w3, w4, w5, message, parts }
}

fn bytes(w: &World, thread: ThreadSlot) -> Vec<u8> {
    w.machine.words(thread).iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn set_priority(w: &mut World, tid: u32, priority: u32) {
    let parameters = [2, priority, 0, 0].into_iter().flat_map(u32::to_le_bytes);
    w.poke(ABOVE, &parameters.collect::<Vec<_>>());
    w.ok(&Call::SchedSet { process: 0, tid, parameters: ABOVE });
}

fn served(w: &mut World) -> Served {
    w.twin = Some(Twin::new());
    let (chid, coid) = w.channel(0);
    let client = w.me();
    let tid = w.spawn(30);
    let server = w.me();
    w.blocks(&receive(chid));
    set_priority(w, tid, 10);
    let served = Served { chid, coid, server, client };
    let rcvid = sent(w, &served, &send(coid, 0, 0));
    w.blocks(&answer(rcvid, chid, 0));
    assert_eq!(w.me(), client);
    served
}

/// The client sends and the server runs; the rcvid.
fn sent(w: &mut World, served: &Served, call: &Call) -> u64 {
    w.blocks(call);
    assert_eq!(w.me(), served.server);
    w.result_of(served.server).unwrap().cast_unsigned()
}

/// The same, by the fast path.
fn sent_fast(w: &mut World, served: &Served) -> u64 {
    let before = taken(w, number::MsgSendRegisters);
    let rcvid = sent(w, served, &send(served.coid, 48, 48));
    assert_eq!(taken(w, number::MsgSendRegisters), before + 1, "the fast path");
    assert_eq!(w.kernel.priority_of(served.server), 20);
    rcvid
}

fn taken(w: &World, call: u64) -> usize {
    w.twin.as_ref().map_or(0, |twin| twin.taken(call))
}

#[test]
fn a_register_message_comes_in_words_and_the_answer_goes_back_in_them() {
    world(|w| {
        let s = served(w);
        let rcvid = sent_fast(w, &s);
        let head = w.machine.heads[&s.server.0];
        assert_eq!((head.place, head.srcmsglen, head.dstmsglen), (MessagePlace::Words, 48, 48));
        assert_eq!(head.badge, 77);
        assert_eq!(bytes(w, s.server), TEXT);
        w.blocks(&answer(rcvid, s.chid, 8));
        assert_eq!(w.me(), s.client);
        assert_eq!(w.result_of(s.client), Some(7));
        assert_eq!(w.machine.lengths[&s.client.0], 8);
        assert_eq!(&bytes(w, s.client)[..8], b"answered");
        assert_eq!(taken(w, number::MsgReplyReceiveRegisters), 2, "both answers were fast");
    });
}

#[test]
fn a_register_message_is_read_by_msg_read() {
    world(|w| {
        let s = served(w);
        let rcvid = sent_fast(w, &s);
        let read = |offset| Call::MsgRead { rcvid, message: BUFFER, parts: -64, offset };
        assert_eq!(w.ok(&read(12)), 36);
        assert_eq!(&w.peek::<36>(BUFFER), &TEXT[12..]);
        assert_eq!(w.ok(&read(48)), 0);
    });
}

#[test]
fn what_was_written_into_words_is_the_answer_of_an_empty_reply() {
    world(|w| {
        let s = served(w);
        w.poke(BUFFER, b"written");
        let rcvid = sent(w, &s, &send(s.coid, 4, 20));
        let write = |offset| Call::MsgWrite { rcvid, message: BUFFER, parts: -7, offset };
        assert_eq!(w.ok(&write(0)), 7);
        assert_eq!(w.ok(&write(5)), 7);
        assert_eq!(w.ok(&write(18)), 2, "cut");
        assert_eq!(w.ok(&Call::MsgReply { rcvid, status: 0, message: 0, parts: 0 }), 0);
        assert_eq!(w.machine.lengths[&s.client.0], 20);
        assert_eq!(&bytes(w, s.client)[..12], b"writtwritten");
        assert_eq!(&bytes(w, s.client)[18..20], b"wr");
    });
}

#[test]
fn an_empty_answer_from_memory_is_told_to_a_client_of_registers() {
    world(|w| {
        let s = served(w);
        let rcvid = sent_fast(w, &s);
        w.blocks(&answer(rcvid, s.chid, 8));
        let rcvid = sent_fast(w, &s);
        let (status, answer, answer_parts) = (0, 0, 0);
        let (chid, info, message, parts) = (s.chid, 0, BUFFER, -64);
        w.blocks(&Call::MsgReplyReceive {
            rcvid,
            status,
            answer,
            answer_parts,
            chid,
            info,
            message,
            parts,
        });
        assert_eq!(w.me(), s.client);
        assert_eq!(w.machine.lengths[&s.client.0], 0);
    });
}

#[test]
fn an_answer_in_registers_goes_to_the_memory_of_a_client_that_has_room_for_more() {
    world(|w| {
        let s = served(w);
        let rcvid = sent(w, &s, &send(s.coid, 4, 60));
        w.fails(&answer(rcvid, s.chid, 49), Errno::EINVAL);
        w.blocks(&answer(rcvid, s.chid, 8));
        assert_eq!(&w.peek::<8>(DATA + 0x100), b"answered");
        assert!(taken(w, number::MsgReplyReceiveRegisters) > 0);
    });
}

#[test]
fn a_register_send_of_more_than_48_bytes_is_einval() {
    world(|w| {
        let s = served(w);
        w.fails(&send(s.coid, 49, 0), Errno::EINVAL);
        w.fails(&send(s.coid, 0xffff_ffff, 0), Errno::EINVAL);
    });
}

#[test]
fn a_server_whose_clients_slice_is_over_goes_behind_its_equals() {
    world(|w| {
        let s = served(w);
        w.spawn(20);
        w.enter(Input::Reschedule);
        assert_eq!(w.me(), s.client);
        w.machine.now += 10_000_000;
        sent_fast(w, &s);
        w.enter(Input::Timer);
        assert!(![s.server, s.client].contains(&w.me()), "the equal's turn");
        w.ok(&Call::SchedYield {});
        assert_eq!(w.me(), s.server);
    });
}

#[test]
fn a_server_that_takes_over_from_a_client_without_slices_begins_one() {
    world(|w| {
        let s = served(w);
        w.poke(ABOVE, &[1_u32, 20, 0, 0].map(u32::to_le_bytes).concat());
        w.ok(&Call::SchedSet { process: 0, tid: 0, parameters: ABOVE });
        w.spawn(20);
        w.enter(Input::Reschedule);
        assert_eq!(w.me(), s.client);
        w.machine.now += 10_000_000;
        sent(w, &s, &send(s.coid, 48, 48));
        w.enter(Input::Reschedule);
        assert_eq!(w.me(), s.server, "it has a slice before its equal's turn");
    });
}

#[test]
fn a_client_that_queues_behind_a_server_after_a_fast_hand_over_boosts_it() {
    world(|w| {
        let s = served(w);
        let rcvid = sent_fast(w, &s);
        w.spawn(60);
        let urgent = w.me();
        w.ok(&Call::TimerTimeout { states: 1 << 4, time: 1000, flags: 0 });
        w.blocks(&send(s.coid, 1, 0));
        assert_eq!(w.me(), s.server);
        assert_eq!(w.kernel.priority_of(s.server), 60);
        w.wait(2000);
        assert_eq!(w.me(), urgent);
        assert_eq!(w.kernel.priority_of(s.server), 20, "the boost ends with the time-out");
        w.blocks(&send(s.coid, 1, 0));
        assert_eq!(w.kernel.priority_of(s.server), 60);
        assert!(w.call(&answer(rcvid, s.chid, 8)).is_some_and(|rcvid| rcvid > 0));
        assert_eq!(w.kernel.priority_of(s.server), 60, "it serves the other now");
    });
}

/// The server keeps its priority until it receives again.
fn gives_back(w: &mut World, s: &Served) {
    if w.me() != s.server {
        w.blocks(&Call::ClockNanosleep { clock: 1, flags: 0, time: 1 << 40, remaining: 0 });
    }
    assert_eq!(w.me(), s.server);
    assert_eq!(w.kernel.priority_of(s.server), 20);
    w.blocks(&receive(s.chid));
    assert_eq!(w.kernel.priority_of(s.server), 10);
}

#[test]
fn a_server_keeps_the_priority_of_a_killed_client_until_it_receives_again() {
    world(|w| {
        let s = served(w);
        let tid = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        let rcvid = sent_fast(w, &s);
        w.ok(&Call::ThreadDestroy { tid, status: 0 });
        w.fails(&Call::MsgError { rcvid, errno: 4 }, Errno::ESRCH);
        gives_back(w, &s);
    });
}

#[test]
fn a_signal_ends_the_wait_of_a_client_after_a_fast_hand_over() {
    world(|w| {
        let s = served(w);
        let tid = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        let (signal, disposition) = (10, neutrino_abi::signal::disposition::HANDLER);
        w.ok(&Call::SignalAction { process: 0, signal, disposition });
        sent_fast(w, &s);
        assert_eq!(kill(w, 0, tid, signal), Some(0));
        assert_eq!(w.result_of(s.client), Some(Errno::EINTR.to_result()));
        gives_back(w, &s);
    });
}
