//! A state: the kernel, its machine, and what threads keep in mind.

use neutrino_abi::calls::{Call, Frame};
use neutrino_abi::process::{ProcessArgs, ThreadArgs};
use neutrino_abi::sched::SchedParam;
use neutrino_abi::signal::{disposition, number};
use neutrino_abi::wire::Wire;
use neutrino_core_explored::limits::{CPUS, THREADS};
use neutrino_core_explored::machine::{FrameNumber, ThreadContexts, ThreadSlot};
use neutrino_core_explored::{Input, Kernel};

use crate::configurations::{Configuration, Policy, TERMS};
use crate::machine::{FIRST_FRAME, FRAMES, ModelMachine};
use crate::moves::{self, Caller, Doing, Move, tag};
use crate::properties::{self, Waiting};
use crate::step::{Event, Step};

/// Messages that a thread has received and not answered.
const HELD: usize = 2;

/// See above.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) kernel: Box<Kernel>,
    pub(crate) machine: ModelMachine,
    /// What each CPU runs.
    running: [Option<ThreadSlot>; CPUS],
    /// By thread: rcvids of messages that it received and has not answered.
    held: [[u64; HELD]; THREADS],
    doing: [Doing; THREADS],
    /// The last call of each thread, for those that are not finished.
    calls: [Option<Frame>; THREADS],
    /// The handle of the second process.
    process: u32,
    configuration: &'static Configuration,
    /// Whether the fast path is never taken.
    is_general: bool,
}

impl Clone for State {
    fn clone(&self) -> Self {
        Self { kernel: Box::new((*self.kernel).clone()), machine: self.machine.clone(), ..*self }
    }
    fn clone_from(&mut self, source: &Self) {
        self.kernel.clone_from(&source.kernel);
        self.machine.clone_from(&source.machine);
        self.running = source.running;
        self.held = source.held;
        self.doing = source.doing;
        self.calls = source.calls;
        self.process = source.process;
        self.configuration = source.configuration;
        self.is_general = source.is_general;
    }
}

/// What a step did.
struct Made {
    caller: u16,
    step: Option<Move>,
    /// The result of the call, if it has one yet.
    result: Option<i64>,
    /// The client that was answered.
    answered: Option<u16>,
}

impl State {
    /// The state in which every thread of a configuration is ready.
    pub(crate) fn new(configuration: &'static Configuration) -> Self {
        let mut kernel = Box::new(Kernel::new());
        let mut machine = ModelMachine::new();
        kernel.add_memory(&mut machine, FrameNumber(FIRST_FRAME), FRAMES);
        let boot = kernel.boot_process(&mut machine);
        let boot = boot.unwrap_or_else(|errno| panic!("no first process: {errno:?}"));
        kernel.boot_start(&mut machine, boot.thread, 0, 0, 0);
        for _ in 1..configuration.cpus {
            kernel.add_cpu();
        }
        let mut running = [None; CPUS];
        running[0] = kernel.enter(&mut machine, 0, Input::Reschedule);
        let (held, doing, process) = ([[0; HELD]; THREADS], [Doing::Else; THREADS], 0);
        let (calls, is_general) = ([None; THREADS], false);
        let mut state = Self {
            kernel,
            machine,
            running,
            held,
            doing,
            calls,
            process,
            configuration,
            is_general,
        };
        state.set_up();
        state
    }

    fn set_up(&mut self) {
        let Configuration { channels, threads, .. } = self.configuration;
        self.poke_policy(Policy::Fifo, 63);
        self.ok(&Call::SchedSet { process: 0, tid: 0, parameters: moves::PARAMETERS });
        for flags in *channels {
            let chid = self.ok(&Call::ChannelCreate { flags: *flags }) as u32;
            let attach = Call::ConnectAttach { process: 0, chid, minimum: 0, flags: 0, badge: 7 };
            self.ok(&attach);
        }
        if !channels.is_empty() {
            self.ok(&Call::SystemCtl { command: 0, value: 1 });
        }
        let signal = number::SIGUSR1;
        self.machine.poke(moves::SIGNAL, &signal.to_le_bytes());
        let disposition = disposition::HANDLER;
        self.ok(&Call::SignalAction { process: 0, signal, disposition });
        if threads.iter().any(|role| role.process == 2) {
            let space = self.ok(&Call::SpaceOf { process: 0 }) as u32;
            let args = ProcessArgs { pid: 2, space, pgrp: 2, session: 2, ..ProcessArgs::default() };
            self.machine.poke(moves::ARGUMENTS, args.bytes());
            let arguments = moves::ARGUMENTS;
            self.process = self.ok(&Call::ProcessCreate { arguments }) as u32;
            self.ok(&Call::ConnectDetach { coid: space });
        }
        for role in threads.iter().skip(1) {
            self.poke_thread(role.priority, role.policy);
            let process = if role.process == 2 { self.process } else { 0 };
            let arguments = moves::ARGUMENTS;
            let tid = self.ok(&Call::ThreadCreate { process, arguments }) as u32;
            if role.policy == Policy::Sporadic {
                self.poke_policy(role.policy, role.priority);
                self.ok(&Call::SchedSet { process: 0, tid, parameters: moves::PARAMETERS });
            }
        }
        for slot in 1..=threads.len() as u16 {
            self.machine.poke(moves::message(slot), &u64::from(slot).to_le_bytes());
        }
        self.poke_policy(threads[0].policy, threads[0].priority);
        self.ok(&Call::SchedSet { process: 0, tid: 0, parameters: moves::PARAMETERS });
        self.doing = [Doing::Else; THREADS];
    }

    fn poke_policy(&mut self, policy: Policy, priority: u32) {
        let wanted = match policy {
            Policy::Fifo => SchedParam { policy: 1, ..SchedParam::default() },
            Policy::RoundRobin => SchedParam { policy: 2, ..SchedParam::default() },
            Policy::Sporadic => TERMS,
        };
        let wanted = SchedParam { priority, ..wanted };
        self.machine.poke(moves::PARAMETERS, wanted.bytes());
    }

    fn poke_thread(&mut self, priority: u32, policy: Policy) {
        let policy = match policy {
            Policy::Fifo | Policy::Sporadic => 1,
            Policy::RoundRobin => 2,
        };
        let args = ThreadArgs { entry: 1, stack: 1, priority, policy, ..ThreadArgs::default() };
        self.machine.poke(moves::ARGUMENTS, args.bytes());
    }

    fn ok(&mut self, call: &Call) -> u64 {
        let caller = self.running[0].map_or(0, |thread| thread.0);
        self.machine.forget_results();
        self.enter(0, Input::Call(call.encode()));
        let result = self.machine.given().iter().find(|given| given.0 == caller);
        match result {
            Some((_, value)) if *value >= 0 => value.cast_unsigned(),
            other => panic!("setting up: {call:?} gave {other:?}"),
        }
    }

    /// What the thread may do that runs on a CPU.
    fn moves(&self, cpu: usize) -> &'static [Move] {
        let slot = self.running[cpu].map_or(0, |thread| usize::from(thread.0));
        let role = slot.checked_sub(1).and_then(|index| self.configuration.threads.get(index));
        role.map_or(&[], |role| role.moves)
    }

    /// The move that a step is, and who makes it.
    fn mover(&self, step: Step) -> Option<(Move, u16)> {
        let Event::Move(number) = step.event() else { return None };
        if self.unfinished(step.cpu()).is_some() {
            return None;
        }
        let made = self.moves(step.cpu()).get(number)?;
        Some((*made, self.running[step.cpu()]?.0))
    }

    /// The steps that can be made.
    pub(crate) fn possible(&self) -> Vec<Step> {
        let mut possible = Vec::new();
        for cpu in 0..self.configuration.cpus {
            let unfinished = self.unfinished(cpu).is_some();
            for (number, step) in self.moves(cpu).iter().enumerate().filter(|_| !unfinished) {
                if self.running[cpu].is_some_and(|caller| self.is_possible(*step, caller)) {
                    possible.push(Step::new(cpu, Event::Move(number)));
                }
            }
            let machine = &self.machine;
            let events = [
                (Event::GoOn, self.unfinished(cpu).is_some()),
                (Event::Timer, machine.armed[cpu] != u64::MAX),
                (Event::Asked, machine.asked[cpu]),
                (Event::Late, machine.stopped[cpu]),
            ];
            let events = events.into_iter().filter(|(_, can_be)| *can_be);
            possible.extend(events.map(|(event, _)| Step::new(cpu, event)));
        }
        possible
    }

    /// The thread that a CPU runs, if its call has another part.
    fn unfinished(&self, cpu: usize) -> Option<ThreadSlot> {
        self.running[cpu].filter(|thread| self.kernel.is_unfinished(*thread))
    }

    fn is_possible(&self, step: Move, caller: ThreadSlot) -> bool {
        let held = &self.held[usize::from(caller.0)];
        if let Some(which) = step.answers()
            && held[which] == 0
        {
            return false;
        }
        match step {
            Move::Receive(_) => held[HELD - 1] == 0,
            Move::Read(which) => held[which] != 0,
            Move::Pulse(channel, _) => {
                let channel = self.kernel.channel_at(ThreadSlot(1), channel + 1);
                self.kernel.pulses_at(channel).count() < 2
            }
            Move::Spawn(_) => self.kernel.view().count() < self.configuration.threads.len(),
            Move::CreateChannel(_) => self.kernel.channel_at(caller, 1) == 0,
            Move::Attach(coid) => self.kernel.scoid_of(caller, coid) == 0,
            Move::Dup(_) => self.kernel.scoid_of(caller, 4) == 0,
            _ => step.about().is_none_or(|slot| slot != caller.0),
        }
    }

    /// Of the kernel and the mutexes.
    pub(crate) fn core(&self) -> u64 {
        let mut hash = self.kernel.canon(self.machine.now);
        for number in 0..moves::MUTEXES {
            let word = self.machine.half(moves::mutex(number));
            let (tid, flags) = (word & 0x3fff_ffff, word >> 30);
            let owner = if tid == 0 {
                0
            } else {
                self.kernel.view().find(|t| t.tid == tid).map_or(99, |t| t.slot)
            };
            hash = mix(hash, u64::from(owner) | u64::from(flags) << 16);
        }
        hash
    }

    /// Of all.
    pub(crate) fn canon(&self) -> u64 {
        self.with_minds(self.core())
    }

    fn with_minds(&self, core: u64) -> u64 {
        let mut minds = 0_u64;
        for (thread, _) in (1..).zip(self.configuration.threads) {
            for rcvid in self.held[thread] {
                let waits = rcvid != 0 && self.kernel.awaits_answer(rcvid);
                let held = if waits { rcvid & 0x7 } else { u64::from(rcvid != 0) << 3 };
                minds = minds << 4 | held;
            }
        }
        for (asked, stopped) in self.machine.asked.into_iter().zip(self.machine.stopped) {
            minds = minds << 2 | u64::from(asked) << 1 | u64::from(stopped);
        }
        let mut all = mix(core, minds);
        for (slot, frame) in (0..).zip(self.calls) {
            if let Some(frame) = frame.filter(|_| self.kernel.is_unfinished(ThreadSlot(slot))) {
                let call = mix(all, frame.number);
                all = frame.arguments.iter().fold(call, |all, word| mix(all, *word));
            }
        }
        all
    }

    /// Makes a step without a look at what comes of it.
    pub(crate) fn repeat(&mut self, step: Step) {
        let made = self.step(step);
        // What does not hold was told when the step was made first.
        drop(self.remember(&made));
    }

    /// What a step is, in words.
    pub(crate) fn tell(&self, step: Step) -> String {
        let what = match (self.mover(step), step.event()) {
            (Some((made, who)), _) => format!("thread {who}: {made:?}"),
            (None, Event::GoOn) => "the call goes on".into(),
            (None, Event::Asked) => "enters as it was asked to".into(),
            (None, Event::Late) => "a call of a thread that was taken off".into(),
            (None, Event::Timer | Event::Move(_)) => "the timer".into(),
        };
        let cpu = step.cpu();
        if self.configuration.cpus == 1 { what } else { format!("CPU {cpu}: {what}") }
    }

    /// Makes a step and checks everything; the new state's hash.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn make(&mut self, step: Step, before: u64) -> Result<u64, String> {
        let caller = self.mover(step).map_or(0, |(_, caller)| caller);
        let had_timeout = self.kernel.view().any(|t| t.slot == caller && t.has_timeout);
        // What it was asked for comes with whatever it enters for.
        let was_asked = self.machine.asked[step.cpu()];
        let next = self.next_of(step);
        let twin = self.configuration.has_twin.then(|| Self { is_general: true, ..self.clone() });
        let made = self.step(step);
        if let Some(mut twin) = twin {
            twin.step(step);
            self.compare(&twin)?;
        }
        self.kernel.check()?;
        properties::state(&self.kernel)?;
        self.remember(&made)?;
        if let Some(next) = next {
            properties::received(&next, made.result, &self.kernel)?;
        }
        let core = self.core();
        let is_pardoned = had_timeout
            || was_asked
            || made.step.is_some_and(|m| m.answers().is_some() && m.receives().is_some());
        let failed = made.result.is_some_and(|result| result < 0);
        if failed && !is_pardoned && core != before {
            return Err(format!("a call that failed ({:?}) changed something", made.result));
        }
        Ok(self.with_minds(core))
    }

    /// What a receive is to take.
    fn next_of(&self, step: Step) -> Option<Waiting> {
        let (Move::Receive(channel), caller) = self.mover(step)? else { return None };
        let channel = self.kernel.channel_at(ThreadSlot(caller), channel + 1);
        let is_bad = |slot: u16| self.doing[usize::from(slot)] == Doing::SendsBadly;
        (channel != 0).then(|| properties::next(&self.kernel, channel, is_bad))
    }

    /// What happens to a CPU, and is no move of a thread.
    fn happen(&mut self, cpu: usize, event: Event) -> Made {
        match event {
            Event::Timer | Event::Move(_) => {
                self.machine.now = self.machine.now.max(self.machine.armed[cpu]);
                self.enter(cpu, Input::Timer);
            }
            Event::Asked => {
                self.machine.asked[cpu] = false;
                self.enter(cpu, Input::Reschedule);
            }
            Event::GoOn => return self.go_on(cpu),
            Event::Late => self.enter(cpu, Input::Call(Call::SchedYield {}.encode())),
        }
        Made { caller: 0, step: None, result: None, answered: None }
    }

    /// Another part of the call that a CPU's thread has not finished.
    fn go_on(&mut self, cpu: usize) -> Made {
        let caller = self.unfinished(cpu).map_or(0, |thread| thread.0);
        if let Some(frame) = self.calls[usize::from(caller)] {
            self.enter(cpu, Input::Call(frame));
        }
        let result = self.machine.given().iter().rev().find(|given| given.0 == caller);
        Made { caller, step: None, result: result.map(|given| given.1), answered: None }
    }

    fn step(&mut self, step: Step) -> Made {
        self.machine.forget_results();
        let cpu = step.cpu();
        let Some((step, caller)) = self.mover(step) else {
            return self.happen(cpu, step.event());
        };
        let which = match step {
            Move::Read(which) => Some(which),
            _ => step.answers(),
        };
        let held = &mut self.held[usize::from(caller)];
        let rcvid = which.map_or(0, |which| held[which]);
        if let Some(which) = step.answers() {
            held[which] = 0;
            if which == 0 {
                held.rotate_left(1);
            }
        }
        self.doing[usize::from(caller)] = step.doing();
        let waits = rcvid != 0 && self.kernel.awaits_answer(rcvid);
        let client = (rcvid & 0xffff) as u16;
        self.machine.poke(moves::given(caller), &tag(client).to_le_bytes());
        match step {
            Move::Priority(priority) | Move::PriorityOf(_, priority) => {
                self.poke_policy(Policy::Fifo, priority);
            }
            Move::Work(time) => {
                let until = self.machine.now + time;
                self.machine.now = until.min(self.machine.armed[cpu]);
            }
            Move::Spawn(priority) => self.poke_thread(priority, Policy::Fifo),
            _ => {}
        }
        let about = step.about();
        let tid =
            self.kernel.view().find(|t| Some(t.slot) == about).map_or(u32::MAX >> 2, |t| t.tid);
        let (now, process) = (self.machine.now, self.process);
        let frame = step.call(&Caller { slot: caller, rcvid, now, tid, process }).encode();
        let [_, _, words @ .., _, _] = frame.arguments;
        self.machine.set_registers_of_call(caller, words);
        self.calls[usize::from(caller)] = Some(frame);
        self.enter(cpu, Input::Call(frame));
        let result = self.machine.given().iter().rev().find(|given| given.0 == caller);
        let answered = step.answers().filter(|_| waits).map(|_| client);
        Made { caller, step: Some(step), result: result.map(|given| given.1), answered }
    }

    fn enter(&mut self, cpu: usize, input: Input) {
        let machine = &mut self.machine;
        machine.cpu = cpu;
        machine.stopped[cpu] = false;
        self.running[cpu] = if self.is_general {
            self.kernel.enter_slow(machine, cpu, input)
        } else {
            self.kernel.enter(machine, cpu, input)
        };
        for (runs, stopped) in self.running.iter_mut().zip(self.machine.stopped) {
            *runs = runs.filter(|_| !stopped);
        }
    }

    /// Compares with a copy that made the same step and never takes the fast path.
    ///
    /// # Errors
    /// Something else than here, after the step.
    fn compare(&self, twin: &Self) -> Result<(), String> {
        let results = self.machine.given() == twin.machine.given();
        let timers =
            self.machine.armed == twin.machine.armed && self.machine.asked == twin.machine.asked;
        if !results || !timers || self.running != twin.running || self.core() != twin.core() {
            return Err("the fast path came to something else than the general one".into());
        }
        Ok(())
    }

    /// What the threads learn from results.
    ///
    /// # Errors
    /// A message or an answer that was not theirs.
    fn remember(&mut self, made: &Made) -> Result<(), String> {
        let mut was_answered = false;
        for index in 0..self.machine.given().len() {
            let (thread, value) = self.machine.given()[index];
            was_answered |= made.answered == Some(thread) && thread != made.caller;
            match self.doing[usize::from(thread)] {
                Doing::Receives if value > 0xffff => self.receive(thread, value.cast_unsigned())?,
                doing @ (Doing::Sends | Doing::SendsWords) if value >= 0 => {
                    self.check_answer(thread, value, doing, made)?;
                }
                _ => {}
            }
        }
        if made.answered.is_some() && !was_answered {
            return Err("an answer reached nobody".into());
        }
        let mut alive = [false; THREADS];
        self.kernel.view().for_each(|t| alive[usize::from(t.slot)] = true);
        for (thread, _) in alive.iter().enumerate().filter(|(_, alive)| !**alive) {
            self.held[thread] = [0; HELD];
            self.doing[thread] = Doing::Else;
        }
        Ok(())
    }

    fn check_answer(
        &self,
        thread: u16,
        value: i64,
        doing: Doing,
        made: &Made,
    ) -> Result<(), String> {
        let said = if doing == Doing::Sends {
            self.machine.word(moves::answer(thread))
        } else {
            self.machine.words(ThreadSlot(thread))[0]
        };
        let own = tag(thread);
        if made.answered != Some(thread) || value.cast_unsigned() != own || said != own {
            return Err(format!("thread {thread} got another's answer: {value}, {said}"));
        }
        Ok(())
    }

    fn receive(&mut self, thread: u16, rcvid: u64) -> Result<(), String> {
        let from = if self.machine.is_in_words(thread) {
            self.machine.words(ThreadSlot(thread))[0]
        } else {
            self.machine.word(moves::received(thread))
        };
        if from != rcvid & 0xffff {
            return Err(format!("the message of {rcvid:#x} says that it is from {from}"));
        }
        let held = &mut self.held[usize::from(thread)];
        if let Some(place) = held.iter_mut().find(|held| **held == 0) {
            *place = rcvid;
        }
        Ok(())
    }
}

fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word.wrapping_add(0x9e37_79b9_7f4a_7c15))
        .wrapping_mul(0xa076_1d64_78bd_642f_e703_7ed1_a0b4_28db);
    (product as u64).rotate_left(31) ^ (product >> 64) as u64
}
