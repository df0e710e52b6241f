//! Sporadic threads: budget, what comes back of it and when, and what others lend.

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::sched::{REPLENISHMENTS_MAX, SchedParam, policy};
use neutrino_abi::time::FOREVER;
use neutrino_abi::wire::Wire;
use neutrino_core::Input;

use crate::dice::Dice;
use crate::world::{BUFFER, DATA, WORD, World, receive, world};

const AT: u64 = DATA + 0x8600;

/// Priority 40 for 1000 ns in 10,000, else 5.
fn terms() -> SchedParam {
    SchedParam {
        policy: policy::SPORADIC,
        priority: 40,
        low_priority: 5,
        budget: 1000,
        period: 10_000,
        replenishments: 4,
        ..SchedParam::default()
    }
}

fn set(w: &mut World, tid: u32, terms: &SchedParam) -> Option<i64> {
    w.poke(AT, terms.bytes());
    w.call(&Call::SchedSet { process: 0, tid, parameters: AT })
}

/// A sporadic thread, which runs. Returns its tid.
fn start(w: &mut World, terms: &SchedParam) -> u32 {
    let tid = w.spawn(40);
    assert_eq!(set(w, 0, terms), Some(0));
    tid
}

/// The running thread's priority.
fn runs_at(w: &World) -> u8 {
    w.kernel.priority_of(w.me())
}

fn sleep_for(w: &mut World, time: u64) {
    w.blocks(&Call::ClockNanosleep { clock: 1, flags: 0, time, remaining: 0 });
}

/// Lets whoever runs work until the timer comes, and says how long that was.
fn work(w: &mut World) -> u64 {
    let time = w.machine.armed - w.machine.now;
    w.wait(time);
    time
}

#[test]
fn a_budget_lasts_as_long_as_it_says_and_comes_back_a_period_after_its_first_use() {
    world(|w| {
        start(w, &terms());
        let sporadic = w.me();
        for _ in 0..3 {
            assert_eq!((w.me(), runs_at(w)), (sporadic, 40));
            assert_eq!(work(w), 1000);
            assert_eq!(runs_at(w), 20, "the first thread runs");
            assert_eq!(w.kernel.priority_of(sporadic), 5);
            assert_eq!(work(w), 9000);
        }
    });
}

#[test]
fn parts_of_a_budget_come_back_one_by_one() {
    world(|w| {
        start(w, &terms());
        let (sporadic, begin) = (w.me(), w.machine.now);
        w.machine.now += 300;
        sleep_for(w, 700);
        work(w);
        w.machine.now += 200;
        sleep_for(w, 800);
        work(w);
        assert_eq!((w.machine.now - begin, runs_at(w)), (2000, 40));
        assert_eq!(work(w), 500, "what is left");
        let mut back = Vec::new();
        for _ in 0..3 {
            work(w);
            assert_eq!(w.me(), sporadic);
            let from = w.machine.now - begin;
            back.push((from, work(w)));
        }
        assert_eq!(back, [(10_000, 300), (11_000, 200), (12_000, 500)]);
    });
}

#[test]
fn no_more_replenishments_are_pending_than_were_asked_for() {
    world(|w| {
        let tid = start(w, &SchedParam { replenishments: 1, ..terms() });
        w.machine.now += 100;
        sleep_for(w, 500);
        work(w);
        assert_eq!(runs_at(w), 20, "a part is pending, so there is no second one");
        assert_eq!(w.priority_of(tid), 5);
        assert_eq!(work(w), 10_000 - 600);
        assert_eq!((runs_at(w), work(w)), (40, 1000));
    });
}

#[test]
fn budget_that_comes_back_while_it_runs_does_not_come_back_early_again() {
    world(|w| {
        start(w, &terms());
        let begin = w.machine.now;
        w.machine.now += 400;
        sleep_for(w, 9100);
        work(w);
        // From 9,500 on: 600 are left, 400 come at 10,000.
        assert_eq!((w.machine.now - begin, work(w)), (9500, 600));
        assert_eq!((runs_at(w), work(w)), (40, 400));
        assert_eq!(w.machine.now - begin, 10_500);
        // A period behind their use, not behind 9,500.
        assert_eq!((runs_at(w), work(w)), (20, 9000));
        assert_eq!((runs_at(w), work(w)), (40, 600));
        assert_eq!(w.machine.now - begin, 20_100);
        assert_eq!((runs_at(w), work(w)), (40, 400));
    });
}

#[test]
fn a_boost_above_the_low_priority_stays_when_the_budget_ends() {
    world(|w| {
        w.poke(WORD, &[0; 8]);
        let lock = Call::SyncMutexLock { address: WORD, flags: 0, deadline: FOREVER };
        let tid = start(w, &terms());
        w.ok(&lock);
        w.spawn(50);
        w.blocks(&lock);
        assert_eq!(runs_at(w), 50);
        assert_eq!(work(w), 1000);
        assert_eq!(runs_at(w), 50, "for whom it works");
        assert_eq!(w.call(&Call::SyncMutexUnlock { address: WORD, flags: 0 }), Some(0));
        assert_eq!(runs_at(w), 50, "who has it now");
        assert_eq!(w.priority_of(tid), 5);
    });
}

#[test]
fn a_client_whose_budget_ends_or_comes_back_takes_its_server_along() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let low = SchedParam { low_priority: 25, ..terms() };
        let tid = start(w, &low);
        w.machine.now += 1000;
        w.enter(Input::Timer);
        assert_eq!(runs_at(w), 25);
        let send = Call::MsgSend {
            coid,
            message: BUFFER,
            parts: -8,
            reply: BUFFER,
            reply_parts: -8,
            extra: 0,
        };
        w.blocks(&send);
        w.call(&receive(chid));
        assert_eq!((runs_at(w), w.priority_of(tid)), (25, 25));
        work(w);
        assert_eq!((runs_at(w), w.priority_of(tid)), (40, 40));
    });
}

#[test]
fn terms_without_sense_are_refused() {
    world(|w| {
        let tid = w.spawn(30);
        for wrong in [
            SchedParam { low_priority: 0, ..terms() },
            SchedParam { low_priority: 40, ..terms() },
            SchedParam { budget: 0, ..terms() },
            SchedParam { budget: 10_001, ..terms() },
            SchedParam { replenishments: 0, ..terms() },
            SchedParam { replenishments: REPLENISHMENTS_MAX + 1, ..terms() },
            SchedParam { priority: 0, ..terms() },
        ] {
            assert_eq!(set(w, tid, &wrong), Some(Errno::EINVAL.to_result()), "{wrong:?}");
        }
        assert_eq!(w.priority_of(tid), 30);
        assert_eq!(set(w, tid, &terms()), Some(0));
        w.ok(&Call::SchedGet { process: 0, tid, parameters: AT + 64 });
        let told = SchedParam { current_priority: 40, ..terms() };
        assert_eq!(w.peek::<40>(AT + 64), *told.bytes());
    });
}

#[test]
fn a_budget_ends_with_its_thread_or_its_policy() {
    world(|w| {
        let mut tids = Vec::new();
        let full = loop {
            let tid = w.spawn(10);
            match set(w, tid, &terms()) {
                Some(0) => tids.push(tid),
                refused => break refused,
            }
            // It has the higher priority now.
            sleep_for(w, FOREVER);
        };
        assert_eq!(full, Some(Errno::EAGAIN.to_result()));
        let plain = SchedParam { policy: policy::FIFO, priority: 3, ..SchedParam::default() };
        assert_eq!(set(w, tids[0], &plain), Some(0));
        w.ok(&Call::ThreadDestroy { tid: tids[1], status: 0 });
        for _ in 0..2 {
            let tid = w.spawn(10);
            assert_eq!(set(w, tid, &terms()), Some(0));
            sleep_for(w, FOREVER);
        }
        let tid = w.spawn(10);
        assert_eq!(set(w, tid, &terms()), full);
    });
}

#[test]
fn what_a_sporadic_thread_makes_has_a_budget_of_its_own() {
    world(|w| {
        start(w, &terms());
        w.machine.now += 600;
        let child = w.spawn(0);
        let maker = w.me();
        assert_eq!((work(w), w.kernel.priority_of(maker)), (400, 5));
        assert_eq!((runs_at(w), w.priority_of(child)), (40, 40));
        assert_eq!(work(w), 1000);
        assert_eq!(w.priority_of(child), 5);
    });
}

/// Whatever a thread does, in no period has it run at its normal priority for longer than its budget.
#[test]
fn no_period_holds_more_than_a_budget() {
    for seed in 0..60 {
        world(move |w| {
            let mut dice = Dice(seed + 1);
            let replenishments = dice.roll(u64::from(REPLENISHMENTS_MAX)) as u32 + 1;
            let wanted = SchedParam { replenishments, low_priority: 30, ..terms() };
            start(w, &wanted);
            let sporadic = w.me();
            let mut ran: Vec<(u64, u64)> = Vec::new();
            for _ in 0..300 {
                let (from, level) = (w.machine.now, runs_at(w));
                let left = w.machine.armed.saturating_sub(from).max(1);
                let time = dice.roll(900) + 1;
                w.wait(time.min(left));
                if level == 40 {
                    ran.push((from, w.machine.now));
                }
                if w.me() == sporadic && dice.roll(3) == 0 {
                    let time = dice.roll(3000) + 1;
                    sleep_for(w, time);
                }
            }
            assert!(ran.len() > 10);
            for &(end, _) in &ran {
                let begin = end.saturating_sub(10_000);
                let inside = ran.iter().map(|&(a, b)| b.min(end).saturating_sub(a.max(begin)));
                assert!(inside.sum::<u64>() <= 1000, "seed {seed}, before {end}");
            }
            let all: u64 = ran.iter().map(|&(from, to)| to - from).sum();
            assert!(all > 1000, "budget comes back");
        });
    }
}
