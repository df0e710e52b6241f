//! Closes that wait for the server.

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::message::{LET_GO, MI_LAST};
use neutrino_abi::pulse;
use neutrino_core::machine::ThreadSlot;

use crate::world::{DATA, INFO, World, manager, pulse_of, read_pulse, receive, world};

/// A child's first handle leads to the process manager.
const COID: u32 = SIDE_CHANNEL;
const CLOSE: Call = Call::ConnectClose { coid: COID, message: DATA, parts: -4 };

/// A manager that waits in a receive; its child, of priority 10, runs. Returns both.
fn with_client(w: &mut World) -> (ThreadSlot, ThreadSlot) {
    let chid = manager(w);
    w.child(10);
    let server = w.me();
    w.blocks(&receive(chid));
    (server, w.me())
}

/// Whether the message that was received is its connection's last.
fn is_last(w: &mut World) -> bool {
    u16::from_le_bytes(w.peek(INFO + 22)) & MI_LAST != 0
}

#[test]
fn the_last_close_waits_until_the_server_has_let_go() {
    world(|w| {
        let (server, client) = with_client(w);
        w.blocks(&CLOSE);
        assert_eq!(w.me(), server);
        let rcvid = w.result_of(server).unwrap().cast_unsigned();
        let tid = w.ok(&Call::ThreadSelf {}) as u32;
        assert_eq!(w.priority_of(tid), 10, "it runs for the closer");
        assert!(is_last(w));
        w.ok(&Call::MsgReply { rcvid, status: 0, message: 0, parts: 0 });
        assert_eq!(w.ok(&receive(1)), 0);
        assert_eq!(read_pulse(w).0, pulse::DISCONNECT);
        w.blocks(&receive(1));
        assert_eq!(w.me(), client);
        assert_eq!(w.result_of(client), Some(0));
        w.fails(&CLOSE, Errno::EBADF);
    });
}

#[test]
fn a_server_that_says_that_it_has_let_go_gets_no_pulse() {
    world(|w| {
        let (server, client) = with_client(w);
        w.blocks(&CLOSE);
        let rcvid = w.result_of(server).unwrap().cast_unsigned();
        w.ok(&Call::MsgReply { rcvid, status: LET_GO, message: 0, parts: 0 });
        w.blocks(&receive(1));
        assert_eq!(w.me(), client);
        assert_eq!(w.result_of(client), Some(LET_GO));
        w.fails(&CLOSE, Errno::EBADF);
    });
}

#[test]
fn to_let_go_of_what_is_not_closing_changes_nothing() {
    world(|w| {
        let (server, client) = with_client(w);
        let (message, reply) = (DATA, 0);
        let (parts, reply_parts, extra) = (-4, 0, 0);
        w.blocks(&Call::MsgSend { coid: COID, message, parts, reply, reply_parts, extra });
        let rcvid = w.result_of(server).unwrap().cast_unsigned();
        w.ok(&Call::MsgReply { rcvid, status: LET_GO, message: 0, parts: 0 });
        w.blocks(&receive(1));
        assert_eq!(w.me(), client);
        w.blocks(&CLOSE);
        assert_eq!(w.me(), server);
        assert!(is_last(w));
    });
}

#[test]
fn a_close_that_is_not_the_last_tells_nobody() {
    world(|w| {
        with_client(w);
        w.ok(&Call::ConnectDup { coid: COID, minimum: 0, flags: 0 });
        w.ok(&CLOSE);
        w.fails(&CLOSE, Errno::EBADF);
    });
}

#[test]
fn an_ordinary_message_is_not_the_last() {
    world(|w| {
        let (server, _) = with_client(w);
        let (message, reply) = (DATA, 0);
        let (parts, reply_parts, extra) = (-4, 0, 0);
        w.blocks(&Call::MsgSend { coid: COID, message, parts, reply, reply_parts, extra });
        assert_eq!(w.me(), server);
        assert!(!is_last(w));
    });
}

#[test]
fn a_close_with_a_bad_message_is_a_close_all_the_same() {
    world(|w| {
        let (server, _) = with_client(w);
        w.ok(&Call::ConnectClose { coid: COID, message: 8, parts: -4 });
        w.fails(&CLOSE, Errno::EBADF);
        assert_eq!(pulse_of(w, server).0, pulse::DISCONNECT, "the manager is told");
    });
}

#[test]
fn a_server_that_closes_a_connection_to_itself_does_not_wait() {
    world(|w| {
        let (_, coid) = w.channel(0);
        w.ok(&Call::ConnectClose { coid, message: DATA, parts: -4 });
    });
}
