//! What C programs need beside the rest: short receive ids, private channels, clients by connection,
//! taking over a client, events that are only checked, and the wait for a condition.

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, futex};
use neutrino_abi::event::{Event, kind};
use neutrino_abi::message::chf;
use neutrino_abi::time::FOREVER;
use neutrino_abi::wire::Wire;

use crate::world::{BUFFER, INFO, WORD, World, receive, sleep, world};

fn send(coid: u32) -> Call {
    Call::MsgSend { coid, message: BUFFER, parts: -4, reply: BUFFER, reply_parts: -4, extra: 0 }
}

/// A client of priority `priority` in REPLY, received by the first thread.
fn served(w: &mut World, coid: u32, chid: u32, priority: u32) -> u64 {
    w.spawn(priority);
    w.blocks(&send(coid));
    w.ok(&receive(chid))
}

#[test]
fn the_lower_31_bits_of_a_receive_id_name_its_client() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        // Ids whose upper halves count come only after many messages.
        for _ in 0..40_000 {
            w.ok(&Call::MsgSendPulse { coid, priority: 10, code: 1, value: 0 });
            w.ok(&receive(chid));
        }
        let rcvid = served(w, coid, chid, 30);
        let short = rcvid & 0x7fff_ffff;
        let reply = |rcvid| Call::MsgReply { rcvid, status: 5, message: 0, parts: 0 };
        w.fails(&reply(short ^ 0x1_0000), Errno::ESRCH);
        w.fails(&reply(rcvid ^ 0x1_0000_0000), Errno::ESRCH);
        w.ok(&Call::MsgInfo { rcvid: short, info: INFO });
        w.ok(&reply(short));
        w.fails(&reply(short), Errno::ESRCH);
    });
}

#[test]
fn a_private_channel_is_not_reached_from_outside() {
    world(|w| {
        let (process, _) = w.child(5);
        let parent = w.me();
        let (chid, _) = w.channel(chf::PRIVATE);
        w.blocks(&sleep());
        assert_ne!(w.me(), parent);
        let own = w.number(&Call::ChannelCreate { flags: chf::PRIVATE });
        w.ok(&Call::ConnectAttach { process: 0, chid: own, minimum: 3, flags: 0, badge: 0 });
        w.wait(1 << 41);
        assert_eq!(w.me(), parent);
        let attach = |chid| Call::ConnectAttach { process, chid, minimum: 3, flags: 0, badge: 0 };
        w.fails(&attach(own), Errno::EPERM);
        w.fails(&attach(own + 9), Errno::ESRCH);
        let _own_channel = chid;
    });
}

#[test]
fn a_client_is_known_by_its_connection_while_it_waits() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        w.ok(&Call::ConnectServerInfo { process: 0, coid, info: INFO });
        let scoid = u32::from_le_bytes(w.peek(INFO + 16));
        let ask =
            |scoid| Call::ConnectClientInfo { scoid, badge: 0, rcvid: 0, credentials: BUFFER };
        w.fails(&ask(scoid), Errno::EINVAL);
        let rcvid = served(w, coid, chid, 30);
        let own = w.ok(&Call::ThreadSelf {}) >> 32;
        assert_eq!(w.ok(&ask(scoid)) & 0xffff_ffff, own);
        w.fails(&ask(scoid + 1), Errno::EINVAL);
        w.ok(&Call::MsgReply { rcvid, status: 0, message: 0, parts: 0 });
        w.fails(&ask(scoid), Errno::EINVAL);
    });
}

#[test]
fn msg_current_moves_a_clients_priority_to_another_server() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let first = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        let rcvid = served(w, coid, chid, 40);
        assert_eq!(w.priority_of(first), 40);
        let second = w.spawn(45);
        assert_eq!(w.priority_of(second), 45);
        w.ok(&Call::MsgCurrent { rcvid });
        assert_eq!(w.priority_of(second), 40, "down, too");
        w.fails(&Call::MsgCurrent { rcvid: rcvid ^ 0x1_0000 }, Errno::ESRCH);
        w.ok(&Call::MsgCurrent { rcvid });
        w.ok(&Call::MsgReply { rcvid, status: 0, message: 0, parts: 0 });
        assert_eq!(w.priority_of(first), 40, "kept until it receives again");
    });
}

#[test]
fn an_event_is_checked_without_being_delivered() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let event = |target| Event {
            notify: kind::PULSE,
            target,
            code: 3,
            priority: 10,
            ..Event::default()
        };
        let verify = |rcvid| Call::MsgVerifyEvent { rcvid, event: WORD };
        w.poke(WORD, event(coid).bytes());
        w.ok(&verify(0));
        w.fails(&verify(77), Errno::ESRCH);
        w.poke(WORD, event(99).bytes());
        w.fails(&verify(0), Errno::EBADF);
        w.ok(&Call::ConnectDetach { coid });
        w.blocks(&receive(chid));
    });
}

#[test]
fn waiting_for_a_condition_unlocks_in_one_entry_or_changes_nothing() {
    world(|w| {
        let mutex = WORD + 8;
        let tid = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        w.poke(WORD, &1_u32.to_le_bytes());
        w.poke(mutex, &tid.to_le_bytes());
        let wait = |expected, mutex| Call::SyncCondvarWait {
            address: WORD,
            expected,
            flags: 0,
            mutex,
            mutex_flags: 0,
        };
        w.fails(&wait(2, mutex), Errno::EAGAIN);
        w.fails(&wait(1, 8), Errno::EFAULT);
        assert_eq!(w.peek(mutex), tid.to_le_bytes());
        w.spawn(30);
        w.fails(&wait(1, mutex), Errno::EPERM);
        w.blocks(&Call::SyncMutexLock { address: mutex, flags: 0, deadline: FOREVER });
        assert_eq!(w.priority_of(tid), 30);
        let waiter = w.me();
        w.blocks(&wait(1, mutex));
        assert_ne!(w.me(), waiter, "the mutex went to the other");
        let wake = Call::FutexWake { address: WORD, count: 1, flags: 0, bitset: futex::ANY };
        assert_eq!(w.ok(&wake), 1);
        assert_eq!(w.result_of(waiter), Some(0));
    });
}
