//! Every short sequence of calls, as far as it leads to a state that was not seen before.
//!
//! The kernel is too large to copy, so a state is kept as the moves that lead to it and is made
//! again by repeating them. Two states with the same outline (`Kernel::outline`) and the same next
//! caller count as one: what follows from the second is not looked at.

use std::collections::{BTreeSet, VecDeque};

use neutrino_abi::calls::Call;
use neutrino_abi::message::chf;
use neutrino_abi::process::{process_ctl, thread_ctl};
use neutrino_abi::time::FOREVER;
use neutrino_core::Input;
use neutrino_core::machine::ThreadSlot;

use crate::dice::control;
use crate::fast::{Taken, Twin};
use crate::world::{DATA, World};

const MESSAGE: u64 = DATA;
const BUFFER: u64 = DATA + 0x200;
const WORD: u64 = DATA + 0x400;
const PARAMETERS: u64 = DATA + 0x500;
const RAISED: u64 = DATA + 0x540;
/// Moves in a sequence.
const DEPTH: usize = 5;
/// States that are looked at from.
const STATES: usize = 1000;

/// The same with two CPUs, where there are more moves.
const SMP_STATES: usize = 200;

/// Fewer states than this mean that the exploration is broken.
const MINIMUM: usize = 3000;
const SMP_MINIMUM: usize = 1000;

/// What whoever runs does, or what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Receive(u32),
    ReceivePulse,
    Send(u32),
    BadSend,
    /// A message in registers; the reply comes back in them, or goes to memory if it is long.
    SendWords(u64),
    Reply,
    ReplyReceive(i64),
    ReplyReceiveWords,
    Read,
    Write,
    Error,
    Pulse(u32),
    Timeout,
    Clock,
    Lock,
    Unlock,
    Yield,
    Raise,
    /// Of the most important thread, which may wait.
    RaiseOther,
    Detach,
    EndThread,
    EndProcess,
    DestroyChannel,
    /// Goes on with the other CPU.
    Switch,
    /// Of the caller, to a set of CPUs.
    Pin(u64),
    /// Of the most important thread.
    PinOther(u64),
    HoldOther,
    ContinueOther,
    /// What a thread called for that was taken off while its CPU waited at the lock.
    LateCall,
}

/// What there is beside [`MOVES`] with two CPUs.
const SMP_MOVES: [Move; 8] = [
    Move::Switch,
    Move::Pin(1),
    Move::Pin(2),
    Move::PinOther(2),
    Move::PinOther(3),
    Move::HoldOther,
    Move::ContinueOther,
    Move::LateCall,
];

const MOVES: [Move; 28] = [
    Move::Receive(1),
    Move::Receive(2),
    Move::ReceivePulse,
    Move::Send(0),
    Move::Send(1),
    Move::BadSend,
    Move::SendWords(8),
    Move::SendWords(56),
    Move::Reply,
    Move::ReplyReceive(0),
    Move::ReplyReceive(-8),
    Move::ReplyReceiveWords,
    Move::Read,
    Move::Write,
    Move::Error,
    Move::Pulse(0),
    Move::Pulse(1),
    Move::Timeout,
    Move::Clock,
    Move::Lock,
    Move::Unlock,
    Move::Yield,
    Move::Raise,
    Move::RaiseOther,
    Move::Detach,
    Move::EndThread,
    Move::EndProcess,
    Move::DestroyChannel,
];

/// Two processes with three threads and one, two channels and connections to them.
struct Scene {
    world: World,
    process: u32,
    important: u32,
    coids: [u32; 2],
    /// The rcvid of the message received last.
    rcvid: u64,
    /// Who set a time-out for its next call, which clears it, failing or not.
    armed: Vec<ThreadSlot>,
}

impl Scene {
    fn new(cpus: usize) -> Self {
        let mut world = World::new();
        let mut twin = Twin::new();
        for _ in 1..cpus {
            world.kernel.add_cpu();
            twin.add_cpu();
        }
        world.twin = Some(twin);
        let mut coids = [0; 2];
        for coid in &mut coids {
            let chid = world.number(&Call::ChannelCreate { flags: chf::UNBLOCK | chf::DISCONNECT });
            let attach = Call::ConnectAttach { process: 0, chid, minimum: 0, flags: 0, badge: 7 };
            *coid = world.number(&attach);
        }
        world.poke(WORD, &0_u32.to_le_bytes());
        world.ok(&Call::SystemCtl { command: 0, value: 1 });
        world.poke(RAISED, &policy(40));
        set_priority(&mut world, 60);
        let process = world.fork(15).0;
        let important = world.spawn(25);
        // The least important thread owns a mutex.
        let owner = world.spawn(10);
        world.poke(WORD, &owner.to_le_bytes());
        set_priority(&mut world, 20);
        world.is_checked = false;
        world.pace = 100;
        Self { world, process, important, coids, rcvid: 0x1_0001, armed: Vec::new() }
    }

    /// The scene after some moves; only the last one is checked.
    fn after(trail: &[Move], cpus: usize) -> Self {
        let mut scene = Self::new(cpus);
        if let Some((last, before)) = trail.split_last() {
            for step in before {
                scene.make(*step);
            }
            scene.world.is_checked = true;
            scene.make(*last);
        }
        scene
    }

    /// What stands for the state.
    fn outline(&self) -> (u64, usize, Option<u16>, u64) {
        let running = self.world.running.map(|thread| thread.0);
        (self.world.kernel.outline(), self.world.cpu, running, self.rcvid)
    }

    fn call_of(&self, step: Move) -> Option<Call> {
        let (rcvid, message) = (self.rcvid, MESSAGE);
        let coid = |of: u32| self.coids[of as usize];
        Some(match step {
            Move::Receive(chid) => Call::MsgReceive { chid, message: BUFFER, parts: -64, info: 0 },
            Move::ReceivePulse => Call::MsgReceivePulse { chid: 1, message: BUFFER, parts: -24 },
            Move::Send(of) => {
                let (coid, reply) = (coid(of), DATA + 0x100);
                Call::MsgSend { coid, message, parts: -8, reply, reply_parts: -8, extra: 0 }
            }
            Move::BadSend => {
                let coid = coid(0);
                Call::MsgSend { coid, message: 8, parts: -8, reply: 8, reply_parts: -8, extra: 0 }
            }
            Move::SendWords(room) => send_words(coid(0), room),
            Move::ReplyReceive(answer_parts) => Call::MsgReplyReceive {
                rcvid,
                status: 1,
                answer: MESSAGE,
                answer_parts,
                chid: 1,
                info: 0,
                message: BUFFER,
                parts: -64,
            },
            Move::ReplyReceiveWords => answer_in_words(rcvid),
            Move::Read => Call::MsgRead { rcvid, message: BUFFER, parts: -64, offset: 2 },
            Move::Write => Call::MsgWrite { rcvid, message, parts: -4, offset: 1 },
            Move::Reply => Call::MsgReply { rcvid, status: 1, message, parts: -8 },
            Move::Error => Call::MsgError { rcvid, errno: 4 },
            Move::Pulse(of) => {
                Call::MsgSendPulse { coid: coid(of), priority: 30, code: 3, value: 1 }
            }
            Move::Timeout => Call::TimerTimeout { states: 0x7ff0, time: 700, flags: 0 },
            Move::Lock => Call::SyncMutexLock { address: WORD, flags: 0, deadline: FOREVER },
            Move::Unlock => Call::SyncMutexUnlock { address: WORD, flags: 0 },
            Move::Yield => Call::SchedYield {},
            Move::Raise => Call::SchedSet { process: 0, tid: 0, parameters: RAISED },
            Move::RaiseOther => {
                let (tid, parameters) = (self.important, RAISED);
                Call::SchedSet { process: 0, tid, parameters }
            }
            Move::Detach => Call::ConnectDetach { coid: coid(0) },
            Move::EndThread => Call::ThreadDestroy { tid: 0, status: 0 },
            Move::EndProcess => {
                let (process, command) = (self.process, process_ctl::TERMINATE);
                Call::ProcessCtl { process, command, value: 0 }
            }
            Move::DestroyChannel => Call::ChannelDestroy { chid: 1 },
            Move::Pin(value) => ctl(0, thread_ctl::RUN_MASK_INHERIT, value),
            Move::PinOther(value) => ctl(self.important, thread_ctl::RUN_MASK, value),
            Move::HoldOther => ctl(self.important, thread_ctl::HOLD, 0),
            Move::ContinueOther => ctl(self.important, thread_ctl::CONTINUE, 0),
            Move::Clock | Move::Switch | Move::LateCall => return None,
        })
    }

    fn make(&mut self, step: Move) {
        if matches!(step, Move::Switch | Move::LateCall) {
            self.world.on(1 - self.world.cpu);
            let is_late = matches!(step, Move::LateCall) && self.world.running.is_none();
            let late = Input::Call(Call::SchedYield {}.encode());
            // Else it comes to run what it was asked to.
            return self.world.enter(if is_late { late } else { Input::Reschedule });
        }
        let (Some(call), Some(caller)) = (self.call_of(step), self.world.running) else {
            self.world.machine.now += 5_000;
            self.world.enter(Input::Timer);
            return;
        };
        // What an entry does before the call is not the call's.
        self.world.enter(Input::Reschedule);
        if self.world.running != Some(caller) {
            return;
        }
        let was_armed = self.armed.contains(&caller);
        self.armed.retain(|&other| other != caller);
        if step == Move::Timeout {
            self.armed.push(caller);
        }
        // The failure of a reply is the client's, which goes on.
        let is_reply =
            matches!(step, Move::Reply | Move::ReplyReceive(_) | Move::ReplyReceiveWords);
        let pardoned = was_armed || is_reply;
        self.world.pace = 0;
        let before = self.world.is_checked.then(|| self.world.kernel.digest());
        let result = self.world.call(&call);
        let failed = result.is_some_and(|result| result < 0);
        if let Some(before) = before.filter(|_| failed && !pardoned) {
            let after = self.world.kernel.digest();
            assert_eq!(before, after, "{step:?} failed with {result:?} and changed something");
        }
        self.world.pace = 100;
        let received = self.world.running.and_then(|thread| self.world.result_of(thread));
        if let Some(rcvid) = received
            && rcvid > 0xffff
        {
            self.rcvid = rcvid.cast_unsigned();
        }
    }
}

fn send_words(coid: u32, room: u64) -> Call {
    let (lengths, reply) = (9 | room << 32, DATA + 0x100);
    Call::MsgSendRegisters { coid, lengths, w0: 1, w1: 2, w2: 3, w3: 4, w4: 5, w5: 6, reply }
}

fn answer_in_words(rcvid: u64) -> Call {
    let (control, message, parts) = (control(1, 1, 5), BUFFER, -64);
    let [w0, w1, w2, w3, w4, w5] = [11, 12, 13, 14, 15, 16];
    Call::MsgReplyReceiveRegisters { rcvid, control, w0, w1, w2, w3, w4, w5, message, parts }
}

fn ctl(tid: u32, command: u32, value: u64) -> Call {
    Call::ThreadCtl { process: 0, tid, command, value }
}

fn policy(priority: u32) -> Vec<u8> {
    [2, priority, 0, 0].into_iter().flat_map(u32::to_le_bytes).collect()
}

fn set_priority(world: &mut World, priority: u32) {
    world.poke(PARAMETERS, &policy(priority));
    world.call(&Call::SchedSet { process: 0, tid: 0, parameters: PARAMETERS });
}

/// Makes a sequence and says what it was if a check fails on the way.
fn explored(trail: &[Move], cpus: usize) -> Scene {
    let run = || Scene::after(trail, cpus);
    std::panic::catch_unwind(run).unwrap_or_else(|failure| {
        eprintln!("after {trail:?}");
        std::panic::resume_unwind(failure)
    })
}

#[test]
fn every_invariant_holds_in_every_state_that_short_sequences_lead_to() {
    let states = explore(&MOVES, 1, STATES);
    assert!(states >= MINIMUM, "only {states} states: the moves do not do what they should");
}

#[test]
fn every_invariant_holds_on_two_cpus() {
    let states = explore(&[MOVES.as_slice(), &SMP_MOVES].concat(), 2, SMP_STATES);
    assert!(states >= SMP_MINIMUM, "only {states} states: the moves do not do what they should");
}

/// Looks at what sequences of moves lead to; tells how many states that are.
fn explore(moves: &[Move], cpus: usize, limit: usize) -> usize {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let depth = number("DEPTH").unwrap_or(DEPTH);
    let limit = number("STATES").unwrap_or(limit);
    let mut seen = BTreeSet::from([Scene::new(cpus).outline()]);
    let mut frontier = VecDeque::from([Vec::new()]);
    let (mut steps, mut expanded, mut complete) = (0_usize, 0_usize, 0);
    let mut taken = Taken::default();
    while let Some(trail) = frontier.pop_front().filter(|_| expanded < limit) {
        expanded += 1;
        // Shorter ones come first: all of this length have been made.
        complete = trail.len();
        for &step in moves {
            let longer = [trail.as_slice(), &[step]].concat();
            let scene = explored(&longer, cpus);
            steps += 1;
            taken.add(&scene.world.twin);
            if seen.insert(scene.outline()) && longer.len() < depth {
                frontier.push_back(longer);
            }
        }
    }
    if expanded < limit {
        complete = depth;
    }
    let states = seen.len();
    println!(
        "{states} states, {expanded} expanded, {steps} steps checked, all of length {complete}"
    );
    // On two CPUs client and server meet too seldom for that.
    if cpus == 1 {
        taken.assert_fast(1);
    }
    states
}
