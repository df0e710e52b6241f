//! Watches on connections, and polls that signals end.

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::{Event, kind};
use neutrino_abi::handle::{POLL_AWAIT, ready};
use neutrino_abi::signal::{how, number};
use neutrino_abi::time::FOREVER;
use neutrino_abi::wire::Wire;

use crate::world::{INFO, WORD, World, kill, manager, read_pulse, receive, world};

/// A connection as its server names it.
fn scoid(w: &mut World, coid: u32) -> u32 {
    w.ok(&Call::ConnectServerInfo { process: 0, coid, info: INFO });
    u32::from_le_bytes(w.peek(INFO + 16))
}

fn watch(w: &mut World, coid: u32, to: u32) -> u32 {
    let event = Event { notify: kind::PULSE, target: to, code: 7, priority: 12, value: 99 };
    w.poke(WORD, event.bytes());
    w.number(&Call::ConnectWatch { coid, event: WORD })
}

/// What a poll of one number says now.
fn look(w: &mut World, number: u32) -> u16 {
    let entry = [number, ready::IN | ready::OUT];
    w.poke(WORD, entry.bytes());
    w.ok(&Call::ConnectPoll { entries: WORD, count: 1, timeout: 0, mask: 0, flags: 0 });
    u16::from_le_bytes(w.peek(WORD + 6))
}

#[test]
fn a_watch_tells_of_every_change_and_keeps_nothing_open() {
    world(|w| {
        let (_, coid) = w.channel(0);
        let (chid, to) = w.channel(0);
        let id = scoid(w, coid);
        let number = watch(w, coid, to);
        let set = |bits| Call::ConnectReady { scoid: id, badge: 77, bits };
        w.ok(&set(ready::IN));
        w.ok(&set(ready::IN));
        w.ok(&receive(chid));
        assert_eq!(read_pulse(w), (7, 99, 2), "the second went with the first");
        assert_eq!(u32::from(look(w, number)), ready::IN);
        w.ok(&set(0));
        w.ok(&receive(chid));
        assert_eq!(look(w, number), 0);
        w.ok(&Call::ConnectDetach { coid });
        w.ok(&receive(chid));
        assert_eq!(read_pulse(w), (7, 99, 1));
        assert_eq!(u32::from(look(w, number)), ready::NVAL);
        w.ok(&Call::ConnectDetach { coid: number });
    });
}

#[test]
fn a_watch_that_is_closed_tells_nothing_more() {
    world(|w| {
        let (_, coid) = w.channel(0);
        let (chid, to) = w.channel(0);
        let id = scoid(w, coid);
        let number = watch(w, coid, to);
        w.ok(&Call::ConnectDetach { coid: number });
        w.ok(&Call::ConnectReady { scoid: id, badge: 77, bits: ready::IN });
        w.blocks(&receive(chid));
    });
}

#[test]
fn a_watch_of_what_is_no_connection_is_refused_and_changes_nothing() {
    world(|w| {
        let (_, coid) = w.channel(0);
        let number = watch(w, coid, coid);
        w.fails(&Call::ConnectWatch { coid: number, event: WORD }, Errno::EBADF);
        w.fails(&Call::ConnectWatch { coid: 99, event: WORD }, Errno::EBADF);
        w.fails(&Call::ConnectWatch { coid, event: 8 }, Errno::EFAULT);
        let event = Event { notify: kind::PULSE, target: 99, ..Event::default() };
        w.poke(WORD, event.bytes());
        w.fails(&Call::ConnectWatch { coid, event: WORD }, Errno::EBADF);
    });
}

#[test]
fn who_polls_what_another_thread_closes_goes_on() {
    world(|w| {
        let (_, coid) = w.channel(0);
        let entry = [coid, ready::IN];
        w.poke(WORD, entry.bytes());
        w.spawn(30);
        let poller = w.me();
        let entries = WORD;
        w.blocks(&Call::ConnectPoll { entries, count: 1, timeout: FOREVER, mask: 0, flags: 0 });
        assert_eq!(w.call(&Call::ConnectDetach { coid }), Some(0));
        assert_eq!(w.me(), poller);
        assert_eq!(w.result_of(poller), Some(1));
        assert_eq!(u32::from(u16::from_le_bytes(w.peek(WORD + 6))), ready::NVAL);
    });
}

#[test]
fn a_blocked_signal_ends_a_poll_that_awaits_it() {
    world(|w| {
        manager(w);
        let poll = |timeout, flags| Call::ConnectPoll {
            entries: WORD,
            count: 0,
            timeout,
            mask: WORD,
            flags,
        };
        let set = bit(number::SIGUSR1);
        let block = Call::SignalProcmask { how: how::BLOCK, set, old: 0 };
        w.poke(WORD, [set, set].bytes());
        w.fails(&poll(0, 2), Errno::EINVAL);
        w.ok(&block);
        let main = w.me();
        w.spawn(30);
        let poller = w.me();
        w.ok(&block);
        w.blocks(&poll(FOREVER, POLL_AWAIT));
        assert_eq!(w.me(), main);
        kill(w, 0, 0, number::SIGUSR1);
        assert_eq!(w.me(), poller);
        assert_eq!(w.result_of(poller), Some(Errno::EINTR.to_result()));
        w.fails(&poll(FOREVER, POLL_AWAIT), Errno::EINTR);
        assert_eq!(w.ok(&Call::SignalPending {}), set, "it is still pending");
    });
}

fn bit(number: u32) -> u64 {
    1 << (number - 1)
}
