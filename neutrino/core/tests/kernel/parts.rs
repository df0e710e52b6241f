//! Calls in several parts, and what happens between two of them.

use neutrino_abi::calls::Call;
use neutrino_abi::memory::{MapArgs, PAGE_SIZE, map, prot};
use neutrino_abi::time::clock;
use neutrino_abi::wire::Wire;
use neutrino_core::Input;
use neutrino_core::machine::ThreadSlot;

use crate::world::{DATA, World, sleep, world};

const LONG: u64 = 9000;
const FROM: u64 = DATA + 0x1000;
const TO: u64 = DATA + 0x8000;

fn send(coid: u32, bytes: u64, reply: u64) -> Call {
    let parts = |bytes: u64| -bytes.cast_signed();
    let (parts, reply_parts) = (parts(bytes), parts(reply));
    Call::MsgSend { coid, message: FROM, parts, reply: TO, reply_parts, extra: 0 }
}

fn receive(chid: u32) -> Call {
    Call::MsgReceive { chid, message: TO, parts: -LONG.cast_signed(), info: 0 }
}

/// A channel, a server that waits there at 30, and who sends.
fn served(w: &mut World) -> (u32, u32, ThreadSlot) {
    let (chid, coid) = w.channel(0);
    let bytes: Vec<u8> = (0..LONG).map(|byte| (byte % 251) as u8).collect();
    for (page, part) in bytes.chunks(0x1000).enumerate() {
        w.poke(FROM + page as u64 * 0x1000, part);
    }
    for page in 0..3 {
        w.poke(TO + page * 0x1000, &[0; 0x1000]);
    }
    w.spawn(30);
    let server = w.me();
    w.blocks(&receive(chid));
    (chid, coid, server)
}

fn has_arrived(w: &mut World) {
    let got: [u8; LONG as usize] = w.peek(TO);
    let wrong = (0..LONG).find(|&byte| got[byte as usize] != (byte % 251) as u8);
    assert_eq!(wrong, None, "the first byte that is wrong");
}

/// A thread of priority 40 that sleeps until the clock says 10,000.
fn sleeper(w: &mut World) -> (ThreadSlot, u32) {
    let tid = w.spawn(40);
    let thread = w.me();
    let (clock, time) = (clock::MONOTONIC, 10_000);
    w.blocks(&Call::ClockNanosleep { clock, flags: 1, time, remaining: 0 });
    (thread, tid)
}

fn wake_sleeper(w: &mut World, (sleeper, _): (ThreadSlot, u32)) {
    w.machine.now = 10_000;
    w.enter_once(Input::Timer);
    assert_eq!(w.me(), sleeper);
}

#[test]
fn a_long_message_is_taken_by_its_receiver_and_arrives_whole() {
    world(|w| {
        let (_, coid, server) = served(w);
        w.begin(&send(coid, LONG, 0));
        assert_eq!((w.me(), w.result_of(server)), (server, None));
        assert!(w.goes_on());
        assert_eq!(w.result_of(server), None, "the first part is not all");
        while w.goes_on() {}
        assert!(w.result_of(server).unwrap() > 0xffff);
        has_arrived(w);
    });
}

#[test]
fn a_more_important_message_overtakes_a_long_one_between_two_parts() {
    world(|w| {
        let (chid, coid, server) = served(w);
        let high = sleeper(w);
        let low = w.me();
        w.begin(&send(coid, LONG, 0));
        assert!(w.goes_on());
        wake_sleeper(w, high);
        w.begin(&send(coid, 5, 0));
        assert_eq!(w.me(), server);
        while w.goes_on() {}
        let first = w.result_of(server).unwrap();
        assert_eq!(u16::try_from(first & 0xffff).unwrap(), high.0.0);
        let second = w.ok(&receive(chid));
        assert_eq!((second & 0xffff) as u16, low.0);
        has_arrived(w);
    });
}

#[test]
fn what_a_receiver_that_dies_has_not_taken_is_the_next_ones() {
    world(|w| {
        let (chid, coid, first) = served(w);
        let high = sleeper(w);
        w.spawn(30);
        let second = w.me();
        w.blocks(&receive(chid));
        w.begin(&send(coid, LONG, 0));
        let taker = w.me();
        let (other, _) = if taker == first { (second, first) } else { (first, second) };
        assert!(w.goes_on());
        wake_sleeper(w, high);
        let tid = w.kernel.view().find(|thread| thread.slot == taker.0).unwrap().tid;
        w.ok(&Call::ThreadDestroy { tid, status: 0 });
        w.blocks(&sleep());
        assert_eq!(w.me(), other);
        assert!(w.result_of(other).unwrap() > 0xffff);
        has_arrived(w);
    });
}

#[test]
fn a_long_answer_reaches_its_client_when_all_of_it_is_there() {
    world(|w| {
        let (_, coid, server) = served(w);
        let client = w.me();
        w.blocks(&send(coid, 5, LONG));
        let rcvid = w.result_of(server).unwrap().cast_unsigned();
        let parts = -LONG.cast_signed();
        w.begin(&Call::MsgReply { rcvid, status: 3, message: FROM, parts });
        assert_eq!((w.me(), w.result_of(client)), (server, None));
        while w.goes_on() {}
        assert_eq!(w.result_of(client), Some(3));
        has_arrived(w);
    });
}

#[test]
fn a_client_that_is_gone_ends_the_answer_between_two_parts() {
    world(|w| {
        let (_, coid, server) = served(w);
        let high = sleeper(w);
        let client = w.me();
        w.blocks(&send(coid, 5, LONG));
        let rcvid = w.result_of(server).unwrap().cast_unsigned();
        let parts = -LONG.cast_signed();
        w.begin(&Call::MsgReply { rcvid, status: 3, message: FROM, parts });
        wake_sleeper(w, high);
        let tid = w.kernel.view().find(|thread| thread.slot == client.0).unwrap().tid;
        w.ok(&Call::ThreadDestroy { tid, status: 0 });
        w.blocks(&sleep());
        assert_eq!(w.result_of(server), Some(neutrino_abi::Errno::ESRCH.to_result()));
    });
}

#[test]
fn memory_comes_and_goes_in_parts() {
    world(|w| {
        let length = 60 * PAGE_SIZE;
        let flags = map::PRIVATE | map::ANONYMOUS | map::POPULATE;
        let protection = prot::READ | prot::WRITE;
        let arguments = MapArgs { length, flags, protection, ..MapArgs::default() };
        w.poke(DATA, arguments.bytes());
        let map = Call::MemMap { space: 0, arguments: DATA };
        let mut parts = 0;
        w.begin(&map);
        while w.goes_on() {
            parts += 1;
        }
        assert!(parts > 20, "{parts} parts");
        let address = w.result_of(w.me()).unwrap().cast_unsigned();
        w.begin(&Call::MemUnmap { space: 0, address, length });
        assert!(w.goes_on());
        while w.goes_on() {}
        assert_eq!(w.result_of(w.me()), Some(0));
    });
}
