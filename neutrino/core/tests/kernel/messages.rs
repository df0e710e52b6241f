//! Send, receive, reply, pulses, inheritance.

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::message::chf;

use crate::world::{MEMORY, World};

const MINE: u64 = MEMORY;
const REPLY: u64 = MEMORY + 0x100;
const SERVER: u64 = MEMORY + 0x200;
const ANSWER: u64 = MEMORY + 0x300;

/// A world with a channel of process 1 and a connection to it.
fn with_channel(flags: u32) -> (World, u32, u32) {
    let mut world = World::new();
    let chid = world.number(&Call::ChannelCreate { flags });
    let attach =
        Call::ConnectAttach { process: 0, chid, minimum: SIDE_CHANNEL, flags: 0, badge: 77 };
    let coid = world.number(&attach);
    (world, chid, coid)
}

fn send(coid: u32) -> Call {
    Call::MsgSend { coid, message: MINE, parts: -5, reply: REPLY, reply_parts: -8, extra: 0 }
}

fn receive(chid: u32) -> Call {
    Call::MsgReceive { chid, message: SERVER, parts: -64, info: 0 }
}

#[test]
fn a_message_reaches_a_waiting_server_and_its_reply_comes_back() {
    let (mut world, chid, coid) = with_channel(0);
    world.poke(MINE, b"hello");
    world.poke(ANSWER, b"world!");
    world.spawn(30);
    let server = world.running();
    assert_eq!(world.call(&receive(chid)), None, "the server waits");
    let client = world.running();
    assert_ne!(client, server);
    assert_eq!(world.call(&send(coid)), None, "the client waits");
    assert_eq!(world.running(), server);
    let rcvid = world.result(server).expect("a message").cast_unsigned();
    assert_eq!(world.peek(SERVER, 5), b"hello");
    world.good(&Call::MsgReply { rcvid, status: 9, message: ANSWER, parts: -6 });
    assert_eq!(world.call(&receive(chid)), None);
    assert_eq!(world.running(), client);
    assert_eq!(world.result(client), Ok(9));
    assert_eq!(world.peek(REPLY, 6), b"world!");
}

#[test]
fn a_second_reply_to_the_same_message_is_refused() {
    let (mut world, chid, coid) = with_channel(0);
    world.spawn(30);
    world.call(&receive(chid));
    world.call(&send(coid));
    let rcvid = world.result(world.running()).expect("a message").cast_unsigned();
    let reply = Call::MsgReply { rcvid, status: 0, message: 0, parts: 0 };
    world.good(&reply);
    assert_eq!(world.call(&reply), Some(Err(Errno::ESRCH)));
}

#[test]
fn a_client_with_bad_memory_gets_efault_and_the_server_goes_on_waiting() {
    let (mut world, chid, coid) = with_channel(0);
    world.spawn(30);
    world.call(&receive(chid));
    let bad = Call::MsgSend { coid, message: 8, parts: -5, reply: 0, reply_parts: 0, extra: 0 };
    assert_eq!(world.call(&bad), Some(Err(Errno::EFAULT)));
}

#[test]
fn a_queued_client_raises_a_busy_server_and_the_reply_keeps_the_priority() {
    let (mut world, chid, coid) = with_channel(0);
    let server = world.running();
    // A client of priority 10 cannot run before the server (20) waits.
    world.spawn(10);
    assert_eq!(world.call(&receive(chid)), None);
    assert_eq!(world.call(&send(coid)), None);
    assert_eq!(world.running(), server, "the server runs for the client");
    assert_eq!(world.kernel.priority_of(server), 10, "at the client's priority");
    world.spawn(40);
    assert_ne!(world.running(), server);
    assert_eq!(world.call(&send(coid)), None);
    assert_eq!(world.running(), server);
    assert_eq!(world.kernel.priority_of(server), 40, "the queued client raises it");
}

#[test]
fn pulses_come_by_priority_and_then_in_order() {
    let (mut world, chid, coid) = with_channel(0);
    for (priority, value) in [(5, 1), (9, 2), (5, 3)] {
        world.good(&Call::MsgSendPulse { coid, priority, code: 4, value });
    }
    for expected in [2_u64, 1, 3] {
        assert_eq!(world.good(&receive(chid)), 0);
        assert_eq!(world.peek(SERVER + 8, 8), expected.to_le_bytes());
    }
}

#[test]
fn the_last_close_of_a_connection_is_one_disconnect_pulse() {
    let (mut world, chid, coid) = with_channel(chf::DISCONNECT);
    let copy = world.number(&Call::ConnectDup { coid, minimum: 0, flags: 0 });
    world.good(&Call::ConnectDetach { coid });
    world.good(&Call::ConnectDetach { coid: copy });
    assert_eq!(world.good(&receive(chid)), 0);
    assert_eq!(world.peek(SERVER + 4, 1), [(-33_i8).cast_unsigned()]);
    assert_eq!(world.peek(SERVER + 8, 8), 77_u64.to_le_bytes());
    assert_eq!(world.call(&receive(chid)), None, "there is only one");
}

#[test]
fn destroying_a_channel_frees_its_clients_with_esrch() {
    let (mut world, chid, coid) = with_channel(0);
    world.spawn(30);
    let client = world.running();
    assert_eq!(world.call(&send(coid)), None);
    world.call(&Call::ChannelDestroy { chid });
    assert_eq!(world.running(), client);
    assert_eq!(world.result(client), Err(Errno::ESRCH));
    assert_eq!(world.call(&send(coid)), Some(Err(Errno::ESRCH)));
}

#[test]
fn a_client_that_accepts_nothing_is_given_nothing() {
    let (mut world, chid, coid) = with_channel(0);
    world.spawn(30);
    world.call(&receive(chid));
    world.call(&send(coid));
    let rcvid = world.result(world.running()).expect("a message").cast_unsigned();
    let grant = Call::MsgGrant { rcvid, badge: 1, bits: 0 };
    assert_eq!(world.call(&grant), Some(Err(Errno::EPERM)));
}
