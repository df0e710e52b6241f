//! Adaptive partitions: guarantees under overload, borrowing, and who pays for whom.

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::sched::{PARTITIONS_MAX, PartitionInfo, partition};
use neutrino_abi::time::FOREVER;
use neutrino_abi::wire::Wire;
use neutrino_core::Input;

use crate::world::{BUFFER, DATA, WORD, World, receive, world};

const AT: u64 = DATA + 0x8700;
const MS: u64 = 1_000_000;

fn named(name: &str, share: u32) -> PartitionInfo {
    let mut info = PartitionInfo { share, ..PartitionInfo::default() };
    info.name[..name.len()].copy_from_slice(name.as_bytes());
    info
}

fn create_in(w: &mut World, parent: u32, name: &str, share: u32) -> Option<i64> {
    w.poke(AT, named(name, share).bytes());
    w.call(&Call::SchedCtl { command: partition::CREATE, id: parent, value: 0, data: AT })
}

fn create(w: &mut World, name: &str, share: u32) -> u32 {
    number(create_in(w, 0, name, share))
}

/// The id that a call gave.
fn number(result: Option<i64>) -> u32 {
    u32::try_from(result.unwrap()).unwrap()
}

fn control(w: &mut World, command: u32, id: u32, value: u64) -> Option<i64> {
    w.call(&Call::SchedCtl { command, id, value, data: AT })
}

fn info(w: &mut World, id: u32) -> PartitionInfo {
    assert_eq!(control(w, partition::INFO, id, 0), Some(0));
    let half = |w: &mut World, at: u64| u32::from_le_bytes(w.peek(AT + at));
    let [parent, share, count, cpus] = [16, 20, 24, 28].map(|at| half(w, at));
    let [window, used, total] = [32, 40, 48].map(|at| w.word(AT + at));
    PartitionInfo { name: w.peek(AT), parent, share, count, cpus, window, used, total }
}

/// Partitions that a thread is in and that pays for it.
fn of(w: &mut World, tid: u32) -> (u32, u32) {
    let both = number(control(w, partition::OF, 0, tid.into()));
    (both & 0xff, both >> 8)
}

/// A thread of a priority in a partition, which it joined from outside.
fn spawn_in(w: &mut World, id: u32, priority: u32) -> u32 {
    let tid = w.spawn(1);
    assert_eq!(control(w, partition::JOIN, id, tid.into()), Some(0));
    let wanted = [1, priority, 0, 0, 0, 0, 0, 0, 0, 0].map(u32::to_le_bytes).concat();
    w.poke(AT + 64, &wanted);
    assert_eq!(w.call(&Call::SchedSet { process: 0, tid, parameters: AT + 64 }), Some(0));
    tid
}

fn sleep_for(w: &mut World, time: u64) {
    w.blocks(&Call::ClockNanosleep { clock: 1, flags: 0, time, remaining: 0 });
}

/// Lets time pass, every thread working as long as it may, and says how long each slot ran.
fn run(w: &mut World, time: u64) -> std::collections::BTreeMap<u16, u64> {
    let (end, mut ran) = (w.machine.now + time, std::collections::BTreeMap::new());
    while w.machine.now < end {
        let step = w.machine.armed.min(end).saturating_sub(w.machine.now).max(1);
        if let Some(running) = w.running {
            *ran.entry(running.0).or_default() += step;
        }
        w.wait(step);
    }
    ran
}

/// The first thread is out of the way from now on.
fn leave(w: &mut World) {
    sleep_for(w, FOREVER);
}

/// Threads that run for ever: the first in the more important partition.
fn overload(w: &mut World, share: u32) -> (u16, u16) {
    // At the beginning of a slot.
    w.machine.now = 100 * MS;
    let (high, low) = (create(w, "high", share), create(w, "low", 1));
    let first = spawn_in(w, low, 10);
    spawn_in(w, high, 15);
    assert_eq!(of(w, first), (low, low));
    leave(w);
    assert_eq!(control(w, partition::MODIFY, low, u64::from(100 - share)), Some(0));
    let high = w.me().0;
    // The low one was made before.
    (high, high - 1)
}

#[test]
fn under_overload_each_partition_gets_its_share_whatever_its_priority() {
    for share in [10, 30, 50, 90] {
        world(move |w| {
            let (high, low) = overload(w, share);
            let first = run(w, 100 * MS);
            assert_eq!(first[&high], u64::from(share) * MS, "in the first window");
            let next = run(w, 1000 * MS);
            for (thread, percent) in [(high, share), (low, 100 - share)] {
                let expected = u64::from(percent) * 10 * MS;
                let part = next[&thread] as f64 / expected as f64;
                assert!((0.95..1.05).contains(&part), "{share}: {next:?}");
            }
        });
    }
}

#[test]
fn time_that_others_leave_is_anybodys_without_a_timer() {
    world(|w| {
        let (high, _) = overload(w, 10);
        w.call(&Call::ThreadDestroy { tid: 0, status: 0 });
        let low = w.me().0;
        assert_ne!(high, low);
        assert_eq!(w.machine.armed, u64::MAX, "nobody competes");
        assert_eq!(run(w, 500 * MS)[&low], 500 * MS, "90 % are its own");
        let used = info(w, 2);
        // The slot that is now has only begun.
        assert_eq!((used.share, used.used.div_ceil(MS)), (90, 95));
    });
}

#[test]
fn priorities_decide_while_there_is_budget() {
    world(|w| {
        let (high, low) = overload(w, 40);
        for _ in 0..20 {
            assert_eq!(w.me().0, high);
            w.machine.now += MS;
            sleep_for(w, 9 * MS);
            assert_eq!(w.me().0, low);
            run(w, 9 * MS);
        }
    });
}

#[test]
fn who_has_no_budget_waits_for_those_who_have_but_runs_before_the_idle() {
    world(|w| {
        let none = create(w, "none", 0);
        spawn_in(w, none, 40);
        assert_eq!(w.kernel.priority_of(w.me()), 20, "it has the priority and no budget");
        sleep_for(w, 3 * MS);
        assert_eq!(w.kernel.priority_of(w.me()), 40, "nobody else wants to");
        run(w, 3 * MS);
        assert_eq!(w.kernel.priority_of(w.me()), 20);
    });
}

#[test]
fn a_servers_time_is_its_clients() {
    world(|w| {
        let client = create(w, "client", 30);
        let (chid, coid) = w.channel(0);
        let server = w.spawn(25);
        w.call(&receive(chid));
        spawn_in(w, client, 22);
        let send = Call::MsgSend {
            coid,
            message: BUFFER,
            parts: -8,
            reply: BUFFER,
            reply_parts: -8,
            extra: 0,
        };
        assert_eq!(w.kernel.priority_of(w.me()), 22);
        w.blocks(&send);
        assert_eq!(w.kernel.priority_of(w.me()), 22);
        assert_eq!(of(w, server), (0, client));
        let before = [0, client].map(|id| info(w, id).used);
        run(w, 5 * MS);
        let after = [0, client].map(|id| info(w, id).used);
        assert_eq!((after[0] - before[0], after[1] - before[1]), (0, 5 * MS));
    });
}

#[test]
fn a_server_stops_with_its_clients_budget() {
    world(|w| {
        w.machine.now = 100 * MS;
        let client = create(w, "client", 10);
        let (chid, coid) = w.channel(0);
        w.spawn(25);
        let server = w.me();
        w.call(&receive(chid));
        spawn_in(w, client, 22);
        let send = Call::MsgSend {
            coid,
            message: BUFFER,
            parts: -8,
            reply: BUFFER,
            reply_parts: -8,
            extra: 0,
        };
        w.blocks(&send);
        assert_eq!(w.me(), server);
        let ran = run(w, 100 * MS);
        assert_eq!(ran[&server.0], 10 * MS, "the first thread has the rest");
    });
}

#[test]
fn who_lends_a_mutexs_owner_a_priority_pays() {
    world(|w| {
        w.poke(WORD, &[0; 8]);
        let lock = Call::SyncMutexLock { address: WORD, flags: 0, deadline: FOREVER };
        let rich = create(w, "rich", 50);
        let owner = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        w.ok(&lock);
        spawn_in(w, rich, 30);
        w.blocks(&lock);
        assert_eq!(of(w, owner), (0, rich));
        w.call(&Call::SyncMutexUnlock { address: WORD, flags: 0 });
        assert_eq!(of(w, owner), (0, 0));
    });
}

#[test]
fn a_pulse_is_paid_where_its_process_says() {
    world(|w| {
        let other = create(w, "other", 50);
        let (chid, coid) = w.channel(0);
        let server = w.spawn(25);
        w.call(&receive(chid));
        let pulse = Call::MsgSendPulse { coid, priority: 30, code: 1, value: 1 };
        w.call(&pulse);
        assert_eq!(of(w, server), (0, 0));
        w.call(&receive(chid));
        let pulses = u64::from(partition::PULSES);
        assert_eq!(control(w, partition::JOIN, other, pulses), Some(0));
        w.call(&pulse);
        assert_eq!(of(w, server), (0, other));
    });
}

#[test]
fn what_a_thread_makes_is_in_its_partition() {
    world(|w| {
        let other = create(w, "other", 50);
        assert_eq!(control(w, partition::JOIN, other, 0), Some(0));
        let tid = w.spawn(5);
        assert_eq!(of(w, tid), (other, other));
        let (_, pid) = w.child(30);
        w.enter(Input::Reschedule);
        assert_eq!(of(w, pid), (other, other));
    });
}

#[test]
fn shares_come_out_of_the_parents() {
    world(|w| {
        let errno = |errno: Errno| Some(errno.to_result());
        assert_eq!(create_in(w, 0, "", 5), errno(Errno::EINVAL));
        assert_eq!(create_in(w, 1, "a", 5), errno(Errno::EINVAL));
        assert_eq!(create_in(w, 0, "a", 101), errno(Errno::EDOM));
        let a = create(w, "a", 60);
        assert_eq!(create_in(w, 0, "a", 5), errno(Errno::EEXIST));
        assert_eq!(create_in(w, 0, "b", 41), errno(Errno::EDOM));
        let b = number(create_in(w, a, "b", 20));
        let shares = |w: &mut World| [0, a, b].map(|id| info(w, id).share);
        assert_eq!(shares(w), [40, 40, 20]);
        assert_eq!(control(w, partition::MODIFY, b, 61), errno(Errno::EDOM));
        assert_eq!(control(w, partition::MODIFY, 0, 1), errno(Errno::EINVAL));
        assert_eq!(control(w, partition::MODIFY, b, 60), Some(0));
        assert_eq!(shares(w), [40, 0, 60]);
        assert_eq!(control(w, partition::WINDOW, 0, MS), errno(Errno::EINVAL));
        assert_eq!(control(w, partition::WINDOW, 0, 50 * MS), Some(0));
        assert_eq!(info(w, b).window, 50 * MS);
        for number in 3..PARTITIONS_MAX {
            assert_eq!(create(w, &format!("n{number}"), 1), number);
        }
        assert_eq!(create_in(w, 0, "more", 1), errno(Errno::EAGAIN));
        assert_eq!(control(w, partition::JOIN, PARTITIONS_MAX, 0), errno(Errno::EINVAL));
        assert_eq!(control(w, 99, 0, 0), errno(Errno::EINVAL));
    });
}

#[test]
fn two_cpus_share_what_there_is() {
    world(|w| {
        w.kernel.add_cpu();
        let (high, low) = (create(w, "high", 25), create(w, "low", 75));
        for _ in 0..2 {
            spawn_in(w, low, 10);
            spawn_in(w, high, 15);
        }
        leave(w);
        let mut ran = [0_u64; 2];
        for _ in 0..4000 {
            for cpu in [0, 1] {
                w.on(cpu);
                w.enter(Input::Timer);
                let priority = w.running.map_or(0, |t| w.kernel.priority_of(t));
                ran[usize::from(priority == 15)] += 1;
            }
            w.machine.now += MS / 4;
        }
        let part = ran[1] as f64 / (ran[0] + ran[1]) as f64;
        assert!((0.23..0.27).contains(&part), "{ran:?}");
    });
}
