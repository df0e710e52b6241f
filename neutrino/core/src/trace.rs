//! Which event happened: records of what the kernel does, for whoever traces it.
//!
//! The format is abi's, the rings are arch's. Records of one entry are collected here and handed to
//! the machine at its end, so that a place that tells something needs nothing but the kernel. While
//! nothing is traced, each such place costs one test and one branch. The fast path is not taken while
//! something is traced: it tells nothing.

use neutrino_abi::calls::{Registers, number};
use neutrino_abi::trace::{Kind, Record, class, name_words, pack, unpack};

use crate::Kernel;
use crate::input::Input;
use crate::ipc::channel::ChannelId;
use crate::ipc::pulse::NewPulse;
use crate::machine::Machine;
use crate::process::ProcessId;
use crate::thread::{Latch, Priority, Sending, State, ThreadId};

/// Records that one entry can collect before it has to hand them on; most make five.
const NOTES: usize = 64;
const NOTHING: Record = Record { time: 0, kind: 0, cpu: 0, detail: 0, tid: 0, first: 0, second: 0 };

/// What is traced, and what this entry has told.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Trace {
    /// Classes that are noted; 0: nothing is.
    pub(crate) classes: u32,
    /// Tid of the thread that reads the rings, or 0.
    pub(crate) logger: u32,
    pub(crate) starts: u32,
    /// Records that an entry had no room for.
    pub(crate) lost: u64,
    cpu: u8,
    /// The time of this entry, or of its end.
    now: u64,
    count: usize,
    notes: [Record; NOTES],
}

impl Trace {
    /// Nothing is traced.
    pub(crate) const OFF: Self = Self {
        classes: 0,
        logger: 0,
        starts: 0,
        lost: 0,
        cpu: 0,
        now: 0,
        count: 0,
        notes: [NOTHING; NOTES],
    };

    /// Whether anything is traced.
    #[inline(always)]
    pub(crate) const fn is_on(&self) -> bool {
        self.classes != 0
    }

    #[inline(always)]
    const fn has(&self, class: u32) -> bool {
        self.classes & class != 0
    }

    pub(crate) fn note(&mut self, kind: Kind, tid: u32, detail: u16, words: (u64, u64)) {
        let (first, second) = words;
        let (time, cpu) = (self.now, self.cpu);
        let Some(place) = self.notes.get_mut(self.count) else {
            self.lost = self.lost.wrapping_add(1);
            return;
        };
        *place = Record { time, kind: kind as u8, cpu, detail, tid, first, second };
        self.count = self.count.wrapping_add(1);
    }

    /// Notes a state. One that a thread leaves within the entry it took it in, as RUNNING on its way
    /// from a queue to another, was none.
    // Bound: NOTES.
    fn note_state(&mut self, tid: u32, now: (u16, u64), before: (u32, u32)) {
        let (number, on) = now;
        let running = u64::from(neutrino_abi::info::state::RUNNING);
        let (kind, notes) = (Kind::State as u8, self.notes.get_mut(..self.count));
        let last = notes.and_then(|notes| {
            notes.iter_mut().rev().find(|note| note.kind == kind && note.tid == tid)
        });
        match last {
            Some(last) if u64::from(last.detail) == running && last.time == self.now => {
                (last.detail, last.first) = (number, on);
            }
            Some(_) | None => {
                let (priority, state) = before;
                self.note(Kind::State, tid, number, (on, pack(priority, state)));
            }
        }
    }
}

/// How a thread was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// With a status.
    Status(i64),
    /// With an error.
    Error(u16),
}

/// The places that tell something.
impl Kernel {
    /// An entry begins.
    #[inline(always)]
    pub(crate) fn trace_begin(&mut self, cpu: usize) {
        if self.trace.is_on() {
            self.trace.cpu = u8::try_from(cpu).unwrap_or(u8::MAX);
            self.trace.now = self.cpus.get(cpu).map_or(0, |cpu| cpu.since);
        }
    }

    /// What made the kernel run is dealt with, and somebody is to be chosen.
    #[inline(always)]
    pub(crate) fn trace_alarm(&mut self, m: &mut impl Machine) {
        if self.trace.is_on() {
            self.trace.now = m.now();
            if self.trace.logger != 0 && m.trace_counts().is_half_full {
                self.wake_logger(m);
            }
        }
    }

    /// The end of an entry: the machine gets its records.
    #[inline(always)]
    pub(crate) fn trace_flush(&mut self, m: &mut impl Machine) {
        if self.trace.count != 0 {
            self.hand_notes(m);
        }
    }

    /// A wait ends: there may be many of them in one entry, and each must have room.
    #[inline(always)]
    pub(crate) fn trace_wake(&mut self, m: &mut impl Machine, t: ThreadId, result: i64) {
        if self.trace.is_on() {
            if self.trace.count > NOTES / 2 {
                self.hand_notes(m);
            }
            if self.threads[t].state.is_blocked() {
                self.note_exit(t, 0, result);
            }
        }
    }

    /// An entry begins in which a thread makes a call.
    #[inline(always)]
    pub(crate) fn trace_call(&mut self, cpu: usize, t: ThreadId, frame: &impl Registers) {
        if self.trace.is_on() {
            self.trace_begin(cpu);
            let words = (frame.argument(0), frame.argument(1));
            self.note_call(t, frame.number(), words);
        }
    }

    /// The call ends.
    #[inline(always)]
    pub(crate) fn trace_result(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        call: u64,
        result: i64,
    ) {
        if self.trace.is_on() && call != number::TraceEvent {
            self.trace.now = m.now();
            self.note_exit(t, number_of(call), result);
        }
    }

    /// What made the kernel run, if that is no call.
    #[inline(always)]
    pub(crate) fn trace_input(&mut self, input: &Input, current: Option<ThreadId>) {
        if self.trace.is_on() {
            self.note_input(input, current);
        }
    }

    /// A thread is about to change its state.
    #[inline(always)]
    pub(crate) fn trace_state(&mut self, t: ThreadId, to: &State) {
        if self.trace.has(class::THREAD) {
            self.note_transition(t, to);
        }
    }

    /// A thread is about to change its effective priority.
    #[inline(always)]
    pub(crate) fn trace_priority(&mut self, t: ThreadId, to: Priority) {
        if self.trace.has(class::THREAD) {
            let thread = &self.threads[t];
            let words = (thread.effective.0.into(), thread.base.0.into());
            self.trace.note(Kind::Priority, thread.tid, to.0.into(), words);
        }
    }

    /// A client sends.
    #[inline(always)]
    pub(crate) fn trace_send(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        channel: ChannelId,
        sending: &Sending,
    ) {
        if self.trace.has(class::COMM) {
            let kind = self.leading(m, t, &sending.message);
            let length = u32::try_from(sending.message.length).unwrap_or(u32::MAX);
            let words = (self.server_of(channel), pack(sending.coid, length));
            self.trace.note(Kind::Send, self.threads[t].tid, kind, words);
        }
    }

    /// A server has a client's message.
    #[inline(always)]
    pub(crate) fn trace_receive(
        &mut self,
        m: &mut impl Machine,
        receiver: ThreadId,
        client: (ThreadId, &Sending, ChannelId),
        rcvid: u64,
    ) {
        if self.trace.has(class::COMM) {
            let (client, sending, channel) = client;
            let kind = self.leading(m, client, &sending.message);
            let words = (rcvid, pack(self.threads[client].tid, self.channels[channel].chid));
            self.trace.note(Kind::Receive, self.threads[receiver].tid, kind, words);
        }
    }

    /// A client is answered.
    #[inline(always)]
    pub(crate) fn trace_reply(&mut self, t: ThreadId, client: ThreadId, rcvid: u64, how: Answered) {
        if self.trace.has(class::COMM) {
            let (tid, client) = (self.threads[t].tid, self.threads[client].tid);
            match how {
                Answered::Status(status) => {
                    let (_, lower) = unpack(status.cast_unsigned());
                    self.trace.note(Kind::Reply, tid, 0, (rcvid, pack(client, lower)));
                }
                Answered::Error(errno) => {
                    self.trace.note(Kind::Error, tid, errno, (rcvid, pack(client, 0)));
                }
            }
        }
    }

    /// A pulse is sent.
    #[inline(always)]
    pub(crate) fn trace_pulse(&mut self, channel: ChannelId, pulse: &NewPulse) {
        if self.trace.has(class::COMM) {
            let tid = self.caller.map_or(0, |caller| self.threads[caller].tid);
            let words = (pulse.value, self.server_of(channel));
            self.trace.note(Kind::Pulse, tid, pulse.code.cast_unsigned().into(), words);
        }
    }

    /// A server has a pulse.
    #[inline(always)]
    pub(crate) fn trace_pulse_receive(
        &mut self,
        receiver: ThreadId,
        channel: ChannelId,
        pulse: &NewPulse,
        count: u32,
    ) {
        if self.trace.has(class::COMM) {
            let words = (pulse.value, pack(count, self.channels[channel].chid));
            let code = pulse.code.cast_unsigned().into();
            self.trace.note(Kind::PulseReceive, self.threads[receiver].tid, code, words);
        }
    }

    /// A process is there, or has another name.
    pub(crate) fn trace_process(&mut self, id: ProcessId, kind: Kind) {
        if self.trace.has(class::PROCESS) {
            let (pid, name) = (self.processes[id].pid, self.processes[id].name);
            if kind != Kind::ProcessName {
                self.trace.note(kind, pid, 0, (0, 0));
            }
            if kind != Kind::ProcessEnd {
                self.trace.note(Kind::ProcessName, pid, 0, name_words(&name));
            }
        }
    }

    /// A thread is there, or is gone, or has another name.
    pub(crate) fn trace_thread(&mut self, t: ThreadId, kind: Kind) {
        let thread = &self.threads[t];
        let (tid, name, priority) = (thread.tid, thread.name, thread.base.0);
        if kind == Kind::ThreadEnd && self.trace.logger == tid {
            // Nobody is going to read.
            (self.trace.logger, self.trace.classes) = (0, 0);
        }
        if self.trace.has(class::PROCESS) {
            let pid = self.processes[self.threads[t].process].pid;
            if kind != Kind::ThreadName {
                self.trace.note(kind, tid, priority.into(), (pid.into(), 0));
            }
            if kind != Kind::ThreadEnd && name != [0; 16] {
                self.trace.note(Kind::ThreadName, tid, 0, name_words(&name));
            }
        }
    }
}

/// What they tell.
impl Kernel {
    /// Ends the logger's `InterruptWait`, this one or the next.
    pub(crate) fn wake_logger(&mut self, m: &mut impl Machine) {
        let Some(t) = self.thread_by_tid(self.trace.logger) else { return };
        if self.threads[t].state == State::Interrupt {
            self.wake_with(m, t, Ok(0));
        } else {
            self.threads[t].latch = Latch::Set;
        }
    }

    // Bound: NOTES.
    #[inline(never)]
    pub(crate) fn hand_notes(&mut self, m: &mut impl Machine) {
        for note in self.trace.notes.iter().take(self.trace.count) {
            m.trace(note);
        }
        self.trace.count = 0;
    }

    /// A trace does not tell how it is read.
    #[inline(never)]
    fn note_call(&mut self, t: ThreadId, call: u64, words: (u64, u64)) {
        if self.trace.has(class::KERCALL) && call != number::TraceEvent {
            self.trace.note(Kind::CallEnter, self.threads[t].tid, number_of(call), words);
        }
    }

    #[inline(never)]
    fn note_exit(&mut self, t: ThreadId, number: u16, result: i64) {
        if self.trace.has(class::KERCALL) {
            let words = (result.cast_unsigned(), 0);
            self.trace.note(Kind::CallExit, self.threads[t].tid, number, words);
        }
    }

    #[inline(never)]
    fn note_input(&mut self, input: &Input, current: Option<ThreadId>) {
        const PAGE_FAULT: u16 = 14;
        let tid = current.map_or(0, |t| self.threads[t].tid);
        let (kind, tid, detail, words) = match *input {
            Input::Call(_) => return,
            Input::PageFault { address, error, .. } => {
                (Kind::Fault, tid, PAGE_FAULT, (address, error.into()))
            }
            Input::Exception { trap, error, address, .. } => {
                (Kind::Fault, tid, u16::try_from(trap).unwrap_or(0), (address, error.into()))
            }
            Input::Interrupt { line } => {
                (Kind::Interrupt, 0, u16::try_from(line).unwrap_or(u16::MAX), (0, 0))
            }
            Input::Timer => (Kind::Timer, 0, 0, (0, 0)),
            Input::Reschedule => (Kind::Reschedule, 0, 0, (0, 0)),
        };
        if self.trace.has(kind.class()) {
            self.trace.note(kind, tid, detail, words);
        }
    }

    #[inline(never)]
    fn note_transition(&mut self, t: ThreadId, to: &State) {
        let thread = &self.threads[t];
        let before = (u32::from(thread.effective.0), thread.state.number());
        let on = match *to {
            State::Send { channel, .. } | State::Reply { channel, .. } => self.server_of(channel),
            State::Receive { channel, .. } => self.channels[channel].chid.into(),
            State::Mutex { mutex, .. } => self.threads[self.mutexes[mutex].owner].tid.into(),
            State::Vacant
            | State::Ready
            | State::Running
            | State::Stopped
            | State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Nanosleep { .. }
            | State::Futex { .. }
            | State::Interrupt
            | State::Poll(_) => 0,
        };
        let number = u16::try_from(to.number()).unwrap_or(u16::MAX);
        self.trace.note_state(self.threads[t].tid, (number, on), before);
    }

    /// Pid and chid of a channel.
    fn server_of(&self, channel: ChannelId) -> u64 {
        let own = &self.channels[channel];
        pack(self.processes[own.process].pid, own.chid)
    }
}

fn number_of(call: u64) -> u16 {
    u16::try_from(call).unwrap_or(u16::MAX)
}
