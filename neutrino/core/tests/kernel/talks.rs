//! Walks of servers and clients that mostly talk, so that the fast path is taken often, and of what
//! makes threads special in between: time-outs, stops, holds, mutexes, priorities, ends of slices,
//! deaths. A twin that never takes the fast path comes to the same after every entry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::{Event, kind};
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::message::{SendExtra, chf};
use neutrino_abi::process::{process_ctl, thread_ctl};
use neutrino_abi::signal::{disposition, number};
use neutrino_abi::time::FOREVER;
use neutrino_abi::wire::Wire;
use neutrino_core::Input;

use crate::dice::{Dice, control};
use crate::fast::{Taken, Twin};
use crate::world::{BUFFER, DATA, INFO, WORD, World, kill, world};

const PARAMETERS: u64 = DATA + 0x500;
const REPLY: u64 = DATA + 0x100;
const EXTRA: u64 = DATA + 0x540;
const EVENT: u64 = DATA + 0x580;
/// Not mapped.
const BAD: u64 = 0x1000;
const STEPS: u32 = 1_500;
/// For every call that has a fast path.
const MINIMUM: usize = 500;

struct Talk {
    dice: Dice,
    /// The first thread: it never waits and disturbs the others when they do.
    keeper: u16,
    /// Servers with their channels.
    servers: BTreeMap<u16, u32>,
    /// What servers have to answer.
    held: BTreeMap<u16, u64>,
    children: Vec<u32>,
    /// Threads of children, which have the manager's connection only.
    foreign: BTreeSet<u16>,
    tids: Vec<u32>,
    trail: Vec<String>,
}

fn policy(policy: u32, priority: u32) -> Vec<u8> {
    [policy, priority, 0, 0].into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Sets what a thread of the first process runs at.
fn schedule(w: &mut World, tid: u32, parameters: (u32, u32)) {
    w.poke(PARAMETERS, &policy(parameters.0, parameters.1));
    w.call(&Call::SchedSet { process: 0, tid, parameters: PARAMETERS });
}

impl Talk {
    fn new(w: &mut World, seed: u64) -> Self {
        let usual = chf::UNBLOCK | chf::DISCONNECT;
        for (chid, flags) in [(1, usual), (2, usual), (3, chf::FIXED_PRIORITY)] {
            w.ok(&Call::ChannelCreate { flags });
            w.ok(&Call::ConnectAttach { process: 0, chid, minimum: 0, flags: 0, badge: 5 });
        }
        w.ok(&Call::SystemCtl { command: 0, value: 1 });
        w.poke(WORD, &[0; 4]);
        let extra = SendExtra { accepted_count: 1, ..SendExtra::default() };
        w.poke(EXTRA, extra.bytes());
        let event = Event { notify: kind::PULSE, target: 1, priority: 22, ..Event::default() };
        w.poke(EVENT, event.bytes());
        let (keeper, mut servers) = (w.me().0, BTreeMap::new());
        for chid in [1, 1, 2, 3] {
            w.spawn(21);
            servers.insert(w.me().0, chid);
            w.blocks(&Call::MsgReceive { chid, message: BUFFER, parts: -64, info: 0 });
        }
        schedule(w, 0, (2, 5));
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (held, children, foreign, tids, trail) = Default::default();
        Self { dice, keeper, servers, held, children, foreign, tids, trail }
    }

    fn address(&mut self) -> u64 {
        self.dice.pick(&[DATA, DATA, DATA, REPLY, BUFFER, BAD])
    }

    fn words(&mut self) -> [u64; 6] {
        [(); 6].map(|()| self.dice.roll(u64::MAX))
    }

    fn send(&mut self, coid: u32) -> Call {
        let (message, reply) = (self.address(), self.address());
        let room: u32 = self.dice.pick(&[0, 5, 20, 48, 60]);
        if self.dice.roll(2) == 0 {
            let parts = self.dice.pick(&[0, -9, -60, -100]);
            let (reply_parts, extra) = (-i64::from(room), self.dice.pick(&[0, 0, 0, 0, EXTRA]));
            return Call::MsgSend { coid, message, parts, reply, reply_parts, extra };
        }
        let length = self.dice.pick(&[0, 9, 20, 48, 48, 49]);
        let [w0, w1, w2, w3, w4, w5] = self.words();
        let lengths = length | u64::from(room) << 32;
        Call::MsgSendRegisters { coid, lengths, w0, w1, w2, w3, w4, w5, reply }
    }

    /// Something that makes the caller special, or that it does on the side.
    fn aside(&mut self, w: &mut World) -> Call {
        let priority = self.dice.pick(&[-1, 15, 25]);
        match self.dice.roll(12) {
            0 => Call::TimerTimeout { states: 0x7ff0, time: 700, flags: 0 },
            1 => {
                let deadline = self.dice.pick(&[FOREVER, w.machine.now + 700]);
                Call::SyncMutexLock { address: WORD, flags: 0, deadline }
            }
            2 | 3 => Call::SyncMutexUnlock { address: WORD, flags: 0 },
            4 => Call::SchedYield {},
            5 => Call::SignalProcmask { how: 2, set: self.dice.pick(&[0, 1 << 16]), old: 0 },
            6..=8 => Call::MsgSendPulse { coid: self.coid(), priority, code: 2, value: 3 },
            9 | 10 => Call::MsgDeliverEvent { rcvid: 0, event: EVENT },
            _ => Call::ClockNanosleep { clock: 1, flags: 0, time: 300, remaining: 0 },
        }
    }

    fn coid(&mut self) -> u32 {
        self.dice.pick(&[0, 0, 0, 1, 1, 2])
    }

    fn client_call(&mut self, w: &mut World, client: u16) -> Call {
        let own = self.coid();
        let coid = if self.foreign.contains(&client) { SIDE_CHANNEL } else { own };
        if self.dice.roll(8) == 0 { self.aside(w) } else { self.send(coid) }
    }

    fn server_call(&mut self, w: &mut World, server: u16, chid: u32) -> Call {
        let info = self.dice.pick(&[0, 0, 0, 0, INFO]);
        let chid = if self.dice.roll(16) == 0 { self.dice.pick(&[1, 2, 7]) } else { chid };
        let (message, parts) = (BUFFER, self.dice.pick(&[0, -6, -64, -64]));
        let Some(&rcvid) = self.held.get(&server) else {
            return Call::MsgReceive { chid, message, parts, info };
        };
        let (answer, answer_parts) = (self.address(), self.dice.pick(&[0, -4, -9, -50, -100]));
        let status = self.dice.pick(&[0, 7, 7, -4]);
        match self.dice.roll(14) {
            0..=3 => {
                self.held.remove(&server);
                Call::MsgReplyReceive {
                    rcvid,
                    status,
                    answer,
                    answer_parts,
                    chid,
                    info,
                    message,
                    parts,
                }
            }
            4..=8 => {
                self.held.remove(&server);
                let control = control(status as i32, chid, self.dice.pick(&[0, 5, 9, 48, 49]));
                let [w0, w1, w2, w3, w4, w5] = self.words();
                Call::MsgReplyReceiveRegisters {
                    rcvid,
                    control,
                    w0,
                    w1,
                    w2,
                    w3,
                    w4,
                    w5,
                    message,
                    parts,
                }
            }
            9 => Call::MsgRead { rcvid, message, parts: answer_parts, offset: 3 },
            10 => Call::MsgWrite { rcvid, message: answer, parts: answer_parts, offset: 3 },
            11 => {
                self.held.remove(&server);
                Call::MsgReply { rcvid, status, message: answer, parts: answer_parts }
            }
            12 if self.dice.roll(2) == 0 => Call::MsgGrant { rcvid, badge: 9, bits: 1 },
            12 if chid == 2 => self.send(0),
            _ => self.aside(w),
        }
    }

    fn keep(&mut self, w: &mut World) {
        let tid = self.dice.roll(self.tids.len().max(1) as u64) as usize;
        let tid = self.tids.get(tid).copied().unwrap_or(0x7fff_ffff);
        let priority = self.dice.pick(&[10, 20, 20, 30]);
        let process = 0;
        match self.dice.roll(16) {
            0..=2 if self.children.len() < 3 => {
                let child = w.fork(priority).0;
                self.children.push(child);
            }
            3 if !self.children.is_empty() => {
                let process = self.children.remove(0);
                w.call(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
            }
            4 | 5 if self.tids.len() < 40 => {
                let tid = w.spawn(priority);
                self.tids.push(tid);
            }
            6 | 7 if !self.children.is_empty() => {
                let signals = [number::SIGSTOP, number::SIGCONT, number::SIGCHLD, number::SIGCHLD];
                let signal = self.dice.pick(&signals);
                // A handler makes it deliverable until it is taken.
                let kind = self.dice.pick(&[disposition::HANDLER, disposition::IGNORE]);
                let process = self.dice.pick(&[self.children[0], 0]);
                let which = number::SIGCHLD;
                w.call(&Call::SignalAction { process, signal: which, disposition: kind });
                kill(w, process, 0, if process == 0 { which } else { signal });
            }
            8 => {
                let (kind, command) = (self.dice.pick(&[1, 2, 2]), self.dice.roll(3));
                if command == 0 {
                    w.call(&Call::ThreadDestroy { tid, status: 0 });
                } else {
                    schedule(w, tid, (kind, priority));
                }
            }
            9 | 10 => {
                let holds = [thread_ctl::HOLD, thread_ctl::CONTINUE, thread_ctl::CONTINUE];
                let command = self.dice.pick(&holds);
                w.call(&Call::ThreadCtl { process, tid, command, value: 0 });
            }
            11 => {
                // Clients may wait for answers.
                w.call(&Call::ConnectDetach { coid: 1 });
                let (chid, minimum) = (2, 1);
                w.ok(&Call::ConnectAttach { process, chid, minimum, flags: 0, badge: 6 });
            }
            12 => {
                w.call(&Call::MsgSendPulse { coid: 1, priority: 30, code: 1, value: 4 });
            }
            _ => {
                w.machine.now += 2_000;
                w.enter(Input::Timer);
            }
        }
    }

    fn step(&mut self, w: &mut World) {
        w.pace = self.dice.pick(&[0, 100, 100, 900_000]);
        if w.machine.armed <= w.machine.now {
            w.enter(Input::Timer);
        }
        let Some(caller) = w.running else {
            panic!("the keeper never waits");
        };
        if caller.0 == self.keeper {
            return self.keep(w);
        }
        let is_interrupted = w.result_of(caller) == Some(Errno::EINTR.to_result());
        let call = if is_interrupted {
            Call::SignalTake { info: INFO, mask: 0 }
        } else if let Some(&chid) = self.servers.get(&caller.0) {
            if let Some(rcvid) = w.result_of(caller).filter(|&result| result > 0xffff) {
                self.held.insert(caller.0, rcvid.cast_unsigned());
            }
            self.server_call(w, caller.0, chid)
        } else {
            self.client_call(w, caller.0)
        };
        self.trail.push(format!("{caller:?} {call:?}"));
        let result = w.call(&call);
        if result == Some(Errno::EBADF.to_result()) && !self.foreign.remove(&caller.0) {
            self.foreign.insert(caller.0);
        }
        self.trail.push(format!("  = {result:?}, then {:?}", w.running));
    }
}

fn talk(w: &mut World, seed: u64) {
    w.twin = Some(Twin::new());
    let mut talk = Talk::new(w, seed);
    for step in 0..STEPS {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| talk.step(w)));
        if let Err(failure) = done {
            let from = talk.trail.len().saturating_sub(24);
            eprintln!("seed {seed}, step {step}:\n{}", talk.trail[from..].join("\n"));
            std::panic::resume_unwind(failure);
        }
    }
}

#[test]
fn the_fast_path_comes_to_what_the_general_one_does() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("SEED").unwrap_or(0);
    let taken = Arc::new(Mutex::new(Taken::default()));
    for seed in first..first + number("WALKS").unwrap_or(40) {
        let sum = Arc::clone(&taken);
        world(move |w| {
            talk(w, seed);
            sum.lock().unwrap().add(&w.twin);
        });
    }
    taken.lock().unwrap().assert_all(MINIMUM);
}
