//! Walks through the kernel's states: whoever runs makes a call chosen by a number, and after each
//! entry every invariant holds, a call that failed has changed nothing, and a kernel that never takes
//! the fast path has come to the same.
//!
//! Two processes (the manager and a child that shares its memory), up to six threads, two channels,
//! connections, pulses, mutexes, futexes, polls, timers, signals, time-outs and deaths. A failure
//! prints the seed and the last calls; the walk of a seed is always the same. `SEED=n WALKS=m`
//! choose others.

use std::sync::{Arc, Mutex};

use neutrino_abi::calls::{Call, futex};
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::message::chf;
use neutrino_abi::process::process_ctl;
use neutrino_core::Input;

use crate::dice::Dice;
use crate::fast::{Taken, Twin};
use crate::world::{DATA, DATA_LENGTH, INFO, World, world};

const THREAD_ARGS: u64 = DATA + 0x8000;
const PROCESS_ARGS: u64 = DATA + 0x8100;
const EVENT: u64 = DATA + 0x8200;
const SETTING: u64 = DATA + 0x8280;
const SIGNAL: u64 = DATA + 0x8300;
const PARAMETERS: u64 = DATA + 0x8380;
pub(crate) const EXTRA: u64 = DATA + 0x83c0;
const ENTRIES: u64 = DATA + 0x8400;
const WORDS: u64 = DATA + 0x8500;

/// Entries of a walk, and calls that must be among them.
const STEPS: u32 = 1_000;
const MINIMUM: usize = 400;

pub(crate) struct Walk {
    pub(crate) dice: Dice,
    rcvids: Vec<u64>,
    last_pid: u32,
    /// The first thread: it never waits and never ends, and runs when nobody else does.
    keeper: u16,
    children: Vec<u32>,
    threads: u32,
    trail: Vec<String>,
    /// Who has a time-out armed; the next call of theirs clears it, failing or not.
    armed: Vec<u16>,
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
fn halves(halves: &[u32]) -> Vec<u8> {
    halves.iter().flat_map(|half| half.to_le_bytes()).collect()
}

fn prepare(w: &mut World) {
    for flags in [chf::UNBLOCK | chf::DISCONNECT | chf::THREAD_DEATH, chf::COID_DISCONNECT] {
        w.ok(&Call::ChannelCreate { flags });
    }
    w.ok(&Call::SystemCtl { command: 0, value: 1 });
    for chid in [1, 2] {
        w.ok(&Call::ConnectAttach { process: 0, chid, minimum: 0, flags: 0, badge: 5 });
    }
    w.poke(PARAMETERS, &halves(&[2, 2, 0, 0]));
    w.ok(&Call::SchedSet { process: 0, tid: 0, parameters: PARAMETERS });
    w.poke(EXTRA, &halves(&[0, 1, 0, 0, 2, 1, 0, 0]));
    w.poke(WORDS, &[0; 32]);
}

impl Walk {
    pub(crate) fn coid(&mut self) -> u32 {
        self.dice.pick(&[0, 1, 0, 1, 2, 3, SIDE_CHANNEL, SIDE_CHANNEL, SIDE_CHANNEL, 99])
    }
    fn handle(&mut self) -> u32 {
        SIDE_CHANNEL + 3 + self.dice.roll(6) as u32
    }
    pub(crate) fn rcvid(&mut self) -> u64 {
        let count = self.rcvids.len() as u64;
        let back = if self.dice.roll(2) == 0 { 0 } else { self.dice.roll(count.max(1)) };
        self.rcvids.iter().rev().nth(back as usize).copied().unwrap_or(0x1_0001)
    }
    fn time(&mut self) -> u64 {
        self.dice.pick(&[0, 100, 1_000, 50_000])
    }

    fn connection_call(&mut self) -> Call {
        let coid = self.coid();
        match self.dice.roll(8) {
            0 => Call::ConnectDup { coid, minimum: 0, flags: 0 },
            1 => Call::ConnectDupTo { coid, target: 2 + self.dice.roll(3) as u32, flags: 0 },
            2 => Call::ConnectDetach { coid: 2 + self.dice.roll(3) as u32 },
            3 if self.dice.roll(2) == 0 => Call::ConnectDetach { coid: self.handle() },
            3 => Call::ConnectClose { coid: self.handle(), message: DATA, parts: -8 },
            4 | 5 => {
                let chid = self.dice.pick(&[1, 2]);
                Call::ConnectAttach { process: 0, chid, minimum: 0, flags: 0, badge: 6 }
            }
            6 => {
                let scoid = self.dice.roll(6) as u32;
                let bits = self.dice.roll(8) as u32;
                Call::ConnectReady { scoid, badge: self.dice.pick(&[5, 6, 9]), bits }
            }
            _ => Call::MsgGive { rcvid: self.rcvid(), handle: coid, flags: 0 },
        }
    }

    fn thread_call(&mut self, w: &mut World) -> Call {
        let process = self.dice.pick(&[0, 0, SIDE_CHANNEL + 3, SIDE_CHANNEL + 4]);
        let priority = 10 + self.dice.roll(30) as u32;
        match self.dice.roll(8) {
            0..=2 => {
                let args = words(&[DATA, DATA + DATA_LENGTH, 0, 0, 0, 0, WORDS]);
                w.poke(THREAD_ARGS, &[args, halves(&[priority, 2, 0, 0])].concat());
                Call::ThreadCreate { process, arguments: THREAD_ARGS }
            }
            3 => Call::ThreadDestroy { tid: 0, status: 0 },
            4 | 5 => {
                w.poke(PARAMETERS, &halves(&[2, priority, 0, 0]));
                Call::SchedSet { process, tid: 0, parameters: PARAMETERS }
            }
            6 => Call::SchedYield {},
            _ => Call::ThreadCtl { process, tid: 0, command: 9, value: 0 },
        }
    }

    fn process_call(&mut self, w: &mut World) -> Call {
        let process = self.handle();
        match self.dice.roll(10) {
            0 | 1 => {
                self.last_pid += 1;
                let pid = self.last_pid;
                let parent = self.dice.pick(&[0, 0, process]);
                w.poke(PROCESS_ARGS, &halves(&[pid, process, parent, 1, 1, 0, 0, 0]));
                Call::ProcessCreate { arguments: PROCESS_ARGS }
            }
            2 | 3 => Call::SpaceOf { process: 0 },
            4 => Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 },
            5 => Call::ProcessCtl { process, command: process_ctl::STOP, value: 0 },
            6 => Call::ProcessCtl { process, command: process_ctl::CONTINUE, value: 0 },
            7 => Call::SpaceFork { process: 0 },
            _ => {
                let signal = self.dice.pick(&[9, 10, 17, 18, 19, 40]);
                w.poke(SIGNAL, &[halves(&[signal]), vec![0; 28]].concat());
                Call::SignalKill { process, tid: 0, info: SIGNAL }
            }
        }
    }

    fn waiting_call(&mut self, w: &mut World) -> Call {
        let time = self.time();
        let address = WORDS + 4 * self.dice.roll(2);
        let deadline = self.dice.pick(&[u64::MAX, w.machine.now + 700]);
        match self.dice.roll(12) {
            0 => Call::ClockNanosleep { clock: 1, flags: 0, time, remaining: 0 },
            1 | 2 => Call::SyncMutexLock { address, flags: 0, deadline },
            3 => Call::SyncMutexUnlock { address, flags: 0 },
            4 => {
                let address = WORDS + 16;
                Call::FutexWait { address, expected: 0, flags: 0, deadline, bitset: futex::ANY }
            }
            5 => Call::FutexWake { address: WORDS + 16, count: 1, flags: 0, bitset: 1 },
            6 => {
                let coid = self.coid();
                w.poke(ENTRIES, &halves(&[coid, 5, 0, 5]));
                Call::ConnectPoll { entries: ENTRIES, count: 2, timeout: time, mask: 0, flags: 0 }
            }
            7 => Call::SignalWaitinfo { set: 1 << 16, info: INFO, timeout: time },
            8 => {
                Call::SignalProcmask { how: 2, set: self.dice.pick(&[0, 1 << 16, 1 << 9]), old: 0 }
            }
            9 => {
                let coid = self.coid();
                w.poke(EVENT, &[halves(&[4, coid, 7, 12]), words(&[3])].concat());
                Call::TimerCreate { clock: 1, event: EVENT }
            }
            10 => {
                let interval = self.dice.pick(&[0, 300]);
                w.poke(SETTING, &words(&[time, interval]));
                Call::TimerSettime { timer: self.handle(), flags: 0, new: SETTING, old: 0 }
            }
            _ => Call::TimerTimeout { states: 0x7ff0, time, flags: 0 },
        }
    }

    fn next(&mut self, w: &mut World) -> Call {
        match self.dice.roll(16) {
            0..=6 => self.message_call(),
            7..=9 => self.connection_call(),
            10 | 11 => self.thread_call(w),
            12 => self.process_call(w),
            _ => self.waiting_call(w),
        }
    }

    /// Destroys a channel, or makes it and a connection to it if it is gone.
    fn renew(&mut self, w: &mut World) -> Call {
        let chid = self.dice.pick(&[1, 2]);
        let coid = chid - 1;
        if w.call(&Call::ChannelDestroy { chid }) == Some(0) {
            return Call::ConnectDetach { coid };
        }
        w.call(&Call::ChannelCreate { flags: chf::UNBLOCK | chf::DISCONNECT });
        w.call(&Call::SystemCtl { command: 0, value: 1 });
        Call::ConnectAttach { process: 0, chid, minimum: coid, flags: 0, badge: 5 }
    }

    /// What the keeper does: wakes others, makes and ends threads and processes, lets time pass.
    fn keep(&mut self, w: &mut World) -> Option<Call> {
        let process = self.dice.pick(&[0, 0, 1, 2]);
        let process = self.children.get(process).copied().unwrap_or(0);
        match self.dice.roll(14) {
            0 | 1 if self.threads < 60 => {
                self.threads += 1;
                let args = words(&[DATA, DATA + DATA_LENGTH, 0, 0, 0, 0, WORDS + 24]);
                let priority = 10 + self.dice.roll(30) as u32;
                w.poke(THREAD_ARGS, &[args, halves(&[priority, 2, 0, 0])].concat());
                Some(Call::ThreadCreate { process, arguments: THREAD_ARGS })
            }
            2 if self.children.len() < 3 => {
                let priority = 10 + self.dice.roll(30) as u32;
                let (process, _) = w.child(priority);
                self.children.push(process);
                None
            }
            3 if !self.children.is_empty() && self.dice.roll(3) == 0 => {
                let process = self.children.remove(0);
                w.call(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
                None
            }
            4 if process != 0 => {
                let signal = self.dice.pick(&[9, 10, 17, 18, 19, 20, 40]);
                w.poke(SIGNAL, &[halves(&[signal]), vec![0; 28]].concat());
                Some(Call::SignalKill { process, tid: 0, info: SIGNAL })
            }
            5 => Some(Call::FutexWake { address: WORDS + 16, count: 1, flags: 0, bitset: 1 }),
            6 => {
                let value = self.dice.roll(4);
                Some(Call::MsgSendPulse { coid: self.coid(), priority: 15, code: 1, value })
            }
            7 | 8 => Some(Call::MsgError { rcvid: self.rcvid(), errno: 0 }),
            9 => Some(self.connection_call()),
            10 if self.dice.roll(6) == 0 => Some(self.renew(w)),
            _ => {
                w.machine.now += 2_000;
                w.enter(Input::Timer);
                None
            }
        }
    }

    fn step(&mut self, w: &mut World) {
        let Some(caller) = w.running else {
            w.machine.now += 100_000;
            w.machine.armed = u64::MAX;
            w.enter(Input::Timer);
            if w.running.is_none() {
                w.enter(Input::Interrupt { line: 4 });
            }
            return;
        };
        if self.dice.roll(10) == 0 {
            w.machine.now += 400;
            w.enter(Input::Timer);
            return;
        }
        let call = if caller.0 == self.keeper {
            let Some(call) = self.keep(w) else { return };
            call
        } else {
            self.next(w)
        };
        self.trail.push(format!("{caller:?} {call:?}"));
        // What an entry does before the call is not the call's.
        w.enter(Input::Reschedule);
        if w.running != Some(caller) {
            return;
        }
        let before = w.kernel.digest();
        w.machine.results.remove(&caller.0);
        let results = w.machine.results.clone();
        let result = w.call(&call);
        self.trail.push(format!("  = {result:?}, then {:?}", w.running));
        let is_receive = matches!(
            call,
            Call::MsgReceive { .. }
                | Call::MsgReplyReceive { .. }
                | Call::MsgReplyReceiveRegisters { .. }
        );
        if let Some(rcvid) = result.filter(|&rcvid| rcvid > 0 && is_receive) {
            self.rcvids.push(rcvid.cast_unsigned());
        }
        let was_armed = self.armed.contains(&caller.0);
        self.armed.retain(|&other| other != caller.0);
        if matches!(call, Call::TimerTimeout { .. }) {
            self.armed.push(caller.0);
        }
        // A peer whose memory was bad lost its own call on the way.
        let after = w.machine.results.iter().filter(|(thread, _)| **thread != caller.0);
        let peers = after.count() != results.len()
            || results.iter().any(|(thread, result)| w.machine.results.get(thread) != Some(result));
        let pardoned = peers || was_armed || may_change_in_failing(&call);
        if result.is_some_and(|result| result < 0) && !pardoned && w.running == Some(caller) {
            assert_eq!(before, w.kernel.digest(), "a failed call changed something: {call:?}");
        }
        for thread in w.machine.results.values() {
            if *thread > 0xffff && !self.rcvids.contains(&thread.cast_unsigned()) {
                self.rcvids.push(thread.cast_unsigned());
            }
        }
        if self.rcvids.len() > 12 {
            self.rcvids.drain(..6);
        }
    }
}

/// Calls whose failure is that of another, or that end a time-out or another thread's wait.
fn may_change_in_failing(call: &Call) -> bool {
    matches!(
        call,
        Call::MsgReplyReceive { .. }
            | Call::MsgReplyReceiveRegisters { .. }
            | Call::MsgReply { .. }
            | Call::SignalSuspend { .. }
    )
}

/// Walks; returns how many calls were made.
fn walk(w: &mut World, seed: u64, steps: u32) -> usize {
    prepare(w);
    let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut walk = Walk {
        dice,
        rcvids: Vec::new(),
        last_pid: 100,
        keeper: w.me().0,
        children: Vec::new(),
        threads: 0,
        trail: Vec::new(),
        armed: Vec::new(),
    };
    for step in 0..steps {
        if w.machine.off.is_some() {
            break;
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| walk.step(w)));
        if let Err(failure) = done {
            let from = walk.trail.len().saturating_sub(16);
            eprintln!("seed {seed}, step {step}:\n{}", walk.trail[from..].join("\n"));
            std::panic::resume_unwind(failure);
        }
    }
    walk.trail.iter().filter(|line| line.starts_with("  =")).count()
}

#[test]
fn every_invariant_holds_after_every_step_of_many_walks() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("SEED").unwrap_or(0);
    let seeds = first..first + number("WALKS").unwrap_or(100);
    let taken = Arc::new(Mutex::new(Taken::default()));
    for seed in seeds {
        let sum = Arc::clone(&taken);
        world(move |w| {
            w.twin = Some(Twin::new());
            let calls = walk(w, seed, STEPS);
            assert!(calls > MINIMUM, "seed {seed}: only {calls} calls in {STEPS} steps");
            sum.lock().unwrap().add(&w.twin);
        });
    }
    taken.lock().unwrap().assert_fast(1);
}
