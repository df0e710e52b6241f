//! Messages, pulses and inheritance, one sentence a test.

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::message::chf;
use neutrino_abi::pulse;
use neutrino_abi::time::timeout;

use crate::world::{BUFFER, DATA, INFO, World, read_pulse, world};

const MESSAGE: u64 = DATA;
const REPLY: u64 = DATA + 0x100;

fn send(coid: u32) -> Call {
    Call::MsgSend { coid, message: MESSAGE, parts: -5, reply: REPLY, reply_parts: -5, extra: 0 }
}
fn receive(chid: u32) -> Call {
    Call::MsgReceive { chid, message: BUFFER, parts: -24, info: INFO }
}
fn reply(rcvid: u64, status: i64) -> Call {
    Call::MsgReply { rcvid, status, message: DATA + 2, parts: -3 }
}
#[test]
fn a_message_reaches_a_waiting_server_and_the_reply_its_client() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let main = w.me();
        w.spawn(30);
        let server = w.me();
        assert_ne!(main, server);
        w.blocks(&receive(chid));
        assert_eq!(w.me(), main);
        w.blocks(&send(coid));
        assert_eq!(w.me(), server);
        let rcvid = w.result_of(server).unwrap();
        assert!(rcvid > 0);
        assert_eq!(&w.peek::<5>(BUFFER), b"hello");
        assert_eq!(w.word(INFO + 48), 77, "the badge");
        assert_eq!(w.ok(&reply(rcvid.cast_unsigned(), 42)), 0);
        w.blocks(&receive(chid));
        assert_eq!(w.result_of(main), Some(42));
        assert_eq!(&w.peek::<3>(REPLY), b"llo");
    });
}

#[test]
fn queued_messages_come_by_priority_then_by_time() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let server = w.me();
        let mut clients = Vec::new();
        for priority in [21, 25, 25, 22] {
            w.spawn(priority);
            clients.push(w.me());
            w.blocks(&send(coid));
            assert_eq!(w.me(), server);
        }
        for expected in [1, 2, 3, 0] {
            let rcvid = w.ok(&receive(chid));
            assert_eq!((rcvid & 0xffff) as u16, clients[expected].0);
            w.ok(&reply(rcvid, 0));
            while w.me() != server {
                w.blocks(&Call::ClockNanosleep { clock: 1, flags: 0, time: 1 << 40, remaining: 0 });
            }
        }
    });
}

#[test]
fn a_server_runs_at_its_clients_priority_and_keeps_it_until_the_next_receive() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let tid = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        w.spawn(50);
        w.blocks(&send(coid));
        assert_eq!(w.priority_of(tid), 20);
        let rcvid = w.ok(&receive(chid));
        assert_eq!(w.priority_of(tid), 50);
        let server = w.me();
        w.ok(&reply(rcvid, 0));
        assert_eq!(w.me(), server, "the client waits for its turn among equals");
        assert_eq!(w.priority_of(tid), 50);
        w.blocks(&receive(chid));
    });
}

#[test]
fn a_client_that_queues_behind_a_busy_server_boosts_it_at_once() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let tid = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        w.spawn(21);
        w.blocks(&send(coid));
        w.ok(&receive(chid));
        assert_eq!(w.priority_of(tid), 21);
        let server = w.me();
        w.spawn(60);
        assert_ne!(w.me(), server);
        w.ok(&Call::TimerTimeout { states: 1 << 4, time: 1000, flags: 0 });
        w.blocks(&send(coid));
        assert_eq!(w.me(), server);
        assert_eq!(w.priority_of(tid), 60);
        w.wait(2000);
        while w.me() != server {
            w.blocks(&Call::ClockNanosleep { clock: 1, flags: 0, time: 1 << 40, remaining: 0 });
        }
        assert_eq!(w.priority_of(tid), 21, "the boost ends with the time-out");
    });
}

#[test]
fn inheritance_goes_through_chains() {
    world(|w| {
        let (chid1, coid1) = w.channel(0);
        let (chid2, coid2) = w.channel(0);
        let first = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        // A second server at 15 receives from main (which serves the first channel).
        w.spawn(21);
        w.blocks(&send(coid1));
        w.ok(&receive(chid1));
        let second = w.spawn(19);
        w.blocks(&send(coid2));
        let rcvid = w.ok(&receive(chid2));
        assert_eq!(w.priority_of(second), 21);
        let server = w.me();
        w.spawn(55);
        w.blocks(&send(coid1));
        assert_eq!(w.me(), server);
        assert_eq!(w.priority_of(second), 55);
        assert_eq!(w.priority_of(first), 55);
        w.ok(&reply(rcvid, 0));
    });
}

#[test]
fn the_last_close_is_told_once_with_the_badge() {
    world(|w| {
        let (chid, coid) = w.channel(chf::DISCONNECT);
        let copy = w.ok(&Call::ConnectDup { coid, minimum: 0, flags: 0 }) as u32;
        w.ok(&Call::ConnectDetach { coid });
        w.ok(&Call::ConnectDetach { coid: copy });
        assert_eq!(w.ok(&receive(chid)), 0);
        assert_eq!(read_pulse(w), (pulse::DISCONNECT, 77, 1));
        w.blocks(&receive(chid));
    });
}

#[test]
fn a_client_that_times_out_asks_an_unblock_server_once_and_waits() {
    world(|w| {
        let (chid, coid) = w.channel(chf::UNBLOCK);
        let server = w.me();
        w.spawn(30);
        let client = w.me();
        w.ok(&Call::TimerTimeout { states: 1 << 6, time: 1000, flags: 0 });
        w.blocks(&send(coid));
        assert_eq!(w.me(), server);
        let rcvid = w.ok(&receive(chid));
        // The state it blocked in was SEND; the time-out covers REPLY only.
        w.wait(2000);
        assert_eq!(w.me(), server);
        if w.machine.results.get(&client.0) != Some(&0) {
            assert_eq!(w.ok(&receive(chid)), 0);
            assert_eq!(read_pulse(w), (pulse::UNBLOCK, rcvid, 1));
        }
        w.ok(&Call::MsgError { rcvid, errno: u32::from(Errno::ETIMEDOUT.number()) });
        w.blocks(&receive(chid));
        assert_eq!(w.result_of(client), Some(Errno::ETIMEDOUT.to_result()));
    });
}

#[test]
fn a_stale_rcvid_is_refused() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        w.spawn(30);
        w.blocks(&send(coid));
        let rcvid = w.ok(&receive(chid));
        w.ok(&reply(rcvid, 0));
        w.fails(&reply(rcvid, 0), Errno::ESRCH);
    });
}

#[test]
fn destroying_a_channel_frees_its_clients() {
    world(|w| {
        let (chid, coid) = w.channel(chf::UNBLOCK | chf::DISCONNECT);
        let server = w.me();
        w.spawn(30);
        let received = w.me();
        w.blocks(&send(coid));
        w.spawn(30);
        let queued = w.me();
        assert_ne!(queued, server);
        w.ok(&receive_first(chid, w));
        w.blocks(&send(coid));
        assert_eq!(w.me(), server);
        w.ok(&Call::ChannelDestroy { chid });
        assert_eq!(w.result_of(received), Some(Errno::ESRCH.to_result()));
        assert_eq!(w.result_of(queued), Some(Errno::ESRCH.to_result()));
        w.fails(&send(coid), Errno::ESRCH);
    });
}

/// The server takes the first message while the second client runs: any call of that does.
fn receive_first(_chid: u32, _w: &World) -> Call {
    Call::ThreadSelf {}
}

#[test]
fn pulses_of_a_program_are_limited_and_come_in_order() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let mut sent = 0_u64;
        loop {
            let pulse = Call::MsgSendPulse { coid, priority: 20, code: 5, value: sent };
            match w.call(&pulse) {
                Some(0) => sent += 1,
                other => break assert_eq!(other, Some(Errno::EAGAIN.to_result())),
            }
        }
        assert!(sent >= 100);
        for value in 0..sent {
            assert_eq!(w.ok(&receive(chid)), 0);
            assert_eq!(read_pulse(w), (5, value, 1));
        }
    });
}

#[test]
fn bad_memory_of_a_sender_is_the_senders_own_loss() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let server = w.me();
        w.spawn(30);
        let client = w.me();
        let bad = Call::MsgSend {
            coid,
            message: 0x1000,
            parts: -5,
            reply: REPLY,
            reply_parts: -5,
            extra: 0,
        };
        w.blocks(&bad);
        assert_eq!(w.me(), server);
        w.blocks(&receive(chid));
        assert_eq!(w.me(), client);
        assert_eq!(w.result_of(client), Some(Errno::EFAULT.to_result()));
    });
}

#[test]
fn reply_and_receive_in_one_entry() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let server = w.me();
        w.spawn(30);
        let client = w.me();
        w.blocks(&send(coid));
        assert_eq!(w.me(), server);
        let rcvid = w.ok(&receive(chid));
        let both = Call::MsgReplyReceive {
            rcvid,
            status: 9,
            answer: DATA,
            answer_parts: 0,
            chid,
            info: INFO,
            message: BUFFER,
            parts: -24,
        };
        w.blocks(&both);
        assert_eq!(w.me(), client);
        assert_eq!(w.result_of(client), Some(9));
        w.blocks(&send(coid));
        assert_eq!(w.me(), server);
    });
}

#[test]
fn a_waiting_server_hears_nothing_of_a_client_with_bad_memory() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        w.spawn(30);
        let server = w.me();
        w.blocks(&receive(chid));
        let bad = Call::MsgSend { coid, message: 8, parts: -5, reply: 0, reply_parts: 0, extra: 0 };
        w.fails(&bad, Errno::EFAULT);
        assert_ne!(w.me(), server);
    });
}

#[test]
fn a_server_runs_at_the_lower_priority_of_its_client_until_a_higher_one_queues() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let server = w.me();
        // A client of priority 10 cannot run before the server (20) waits.
        w.spawn(10);
        w.blocks(&receive(chid));
        w.blocks(&send(coid));
        assert_eq!(w.me(), server, "the server runs for the client");
        assert_eq!(w.kernel.priority_of(server), 10, "at the client's priority");
        w.spawn(40);
        assert_ne!(w.me(), server);
        w.blocks(&send(coid));
        assert_eq!(w.me(), server);
        assert_eq!(w.kernel.priority_of(server), 40, "the queued client raises it");
    });
}

#[test]
fn pulses_come_by_priority_and_then_in_order() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        for (priority, value) in [(5, 1), (9, 2), (5, 3)] {
            w.ok(&Call::MsgSendPulse { coid, priority, code: 4, value });
        }
        for expected in [2, 1, 3] {
            assert_eq!(w.ok(&receive(chid)), 0);
            assert_eq!(read_pulse(w), (4, expected, 1));
        }
    });
}

#[test]
fn a_client_that_accepts_nothing_is_given_nothing() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        w.spawn(30);
        w.blocks(&send(coid));
        let rcvid = w.ok(&receive(chid));
        w.fails(&Call::MsgGrant { rcvid, badge: 1, bits: 0 }, Errno::EPERM);
    });
}

#[test]
fn a_thread_that_a_pulse_wakes_runs_for_who_queued_meanwhile() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let server = w.me();
        w.spawn(60);
        w.blocks(&send(coid));
        assert_eq!(w.me(), server);
        w.spawn(10);
        w.blocks(&Call::MsgReceivePulse { chid, message: 0, parts: 0 });
        assert_eq!(w.kernel.priority_of(server), 20);
        w.call(&Call::MsgSendPulse { coid, priority: 15, code: 1, value: 0 });
        assert_eq!(w.me(), server);
        assert_eq!(w.kernel.priority_of(server), 60);
    });
}

#[test]
fn a_server_may_answer_with_the_reason_for_which_its_client_wants_to_leave() {
    world(|w| {
        let (chid, coid) = w.channel(chf::UNBLOCK);
        w.spawn(30);
        let client = w.me();
        w.ok(&Call::TimerTimeout { states: timeout::REPLY, time: 1000, flags: 0 });
        let (message, reply) = (BUFFER, BUFFER);
        w.blocks(&Call::MsgSend { coid, message, parts: -8, reply, reply_parts: -8, extra: 0 });
        let rcvid = w.ok(&receive(chid));
        w.wait(2000);
        assert_eq!(w.ok(&receive(chid)), 0, "the unblock pulse");
        w.call(&Call::MsgError { rcvid, errno: u32::MAX });
        assert_eq!(w.result_of(client), Some(Errno::ETIMEDOUT.to_result()));
    });
}
