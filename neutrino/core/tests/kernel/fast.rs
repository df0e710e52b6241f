//! The fast path against the general one: two kernels that hear the same, of which one never takes
//! the fast path. What comes of every entry is the same: results, who runs, registers, memory and
//! the state.
//!
//! The walks and the explorations have a twin each; they prove nothing if the fast path is not taken.

use std::collections::BTreeMap;

use neutrino_abi::calls::{Frame, number};
use neutrino_abi::message::Words;
use neutrino_core::machine::{ThreadContexts, ThreadSlot};
use neutrino_core::{Input, Kernel};

use crate::machine::Recorder;
use crate::world::World;

/// Stands for interrupts among the numbers of calls.
pub(crate) const INTERRUPT: u64 = 0;

/// Calls that have a short way.
const SHORT: [(u64, &str); 5] = [
    (number::MsgReply, "MsgReply"),
    (number::MsgReceive, "MsgReceive"),
    (number::MsgSendPulse, "MsgSendPulse"),
    (number::MsgDeliverEvent, "MsgDeliverEvent"),
    (number::SchedYield, "SchedYield"),
];

/// Calls that the fast path knows.
const FAST: [(u64, &str); 4] = [
    (number::MsgSend, "MsgSend"),
    (number::MsgSendRegisters, "MsgSendRegisters"),
    (number::MsgReplyReceive, "MsgReplyReceive"),
    (number::MsgReplyReceiveRegisters, "MsgReplyReceiveRegisters"),
];

/// How often the fast path was taken, by call.
#[derive(Debug, Default)]
pub(crate) struct Taken(BTreeMap<u64, usize>);

impl Taken {
    pub(crate) fn add(&mut self, twin: &Option<Twin>) {
        let taken = twin.iter().flat_map(|twin| &twin.taken.0);
        taken.for_each(|(call, times)| *self.0.entry(*call).or_default() += times);
    }

    /// The numbers of all calls.
    pub(crate) fn assert_all(&self, minimum: usize) {
        self.assert_each(&SHORT, minimum / 4);
        self.assert_fast(minimum);
    }

    /// The numbers of the fast path.
    pub(crate) fn assert_fast(&self, minimum: usize) {
        self.assert_each(&FAST, minimum);
    }

    /// Prints numbers; each is to be this at least.
    fn assert_each(&self, calls: &[(u64, &str)], minimum: usize) {
        for (call, name) in calls {
            let times = self.0.get(call).copied().unwrap_or(0);
            println!("{name}: the fast path was taken {times} times");
            assert!(times >= minimum, "{name} took the fast path too seldom");
        }
    }
}

/// A kernel that never takes the fast path, and its machine.
pub(crate) struct Twin {
    kernel: Box<Kernel>,
    machine: Recorder,
    taken: Taken,
}

impl Twin {
    /// The twin of a new world.
    pub(crate) fn new() -> Self {
        let World { kernel, machine, .. } = World::new();
        Self { kernel, machine, taken: Taken::default() }
    }

    /// It has one more CPU, too.
    pub(crate) fn add_cpu(&mut self) {
        self.kernel.add_cpu();
    }

    /// How often the fast path was taken for a call.
    pub(crate) fn taken(&self, call: u64) -> usize {
        self.taken.0.get(&call).copied().unwrap_or(0)
    }

    pub(crate) const fn machine(&mut self) -> &mut Recorder {
        &mut self.machine
    }

    /// The same entry, `then` what came of it in the first kernel.
    pub(crate) fn follow(
        &mut self,
        input: Input,
        before: Recorded,
        (took, cpu): (Took, usize),
    ) -> Option<ThreadSlot> {
        if took == Took::Fast {
            let number = if let Input::Call(frame) = &input { frame.number } else { INTERRUPT };
            *self.taken.0.entry(number).or_default() += 1;
        }
        (self.machine.now, self.machine.results, self.machine.words) =
            (before.now, before.results, before.words);
        self.kernel.enter_slow(&mut self.machine, cpu, input)
    }

    /// Compares what came of an entry.
    pub(crate) fn compare(&self, kernel: &Kernel, machine: &Recorder, input: &Input) {
        let (own, other) = (&self.machine, machine);
        assert_eq!(own.results, other.results, "results of {input:?}");
        assert_eq!(own.heads, other.heads, "heads after {input:?}");
        assert_eq!(own.lengths, other.lengths, "lengths of answers after {input:?}");
        assert_eq!(own.homes, other.homes, "homes after {input:?}");
        self.compare_words(machine, input);
        // A timer that is due is due, whenever that was.
        let due = |machine: &Recorder| machine.armed.max(machine.now);
        assert_eq!(due(own), due(other), "the timer after {input:?}");
        assert!(own.has_memory_of(other), "memory after {input:?}");
        assert_eq!(self.kernel.digest(), kernel.digest(), "the state after {input:?}");
        assert_eq!(self.kernel.schedule(), kernel.schedule(), "ready threads after {input:?}");
    }

    /// Of an answer in registers, only its own bytes count: what is behind them is the server's or
    /// the client's.
    fn compare_words(&self, machine: &Recorder, input: &Input) {
        let answer = if let Input::Call(frame) = input { answered(frame) } else { None };
        for (&thread, words) in &machine.words {
            let length = match answer {
                Some((client, length)) if client == thread => {
                    // The client may have room for less.
                    machine.lengths.get(&client).map_or(length, |room| length.min(*room as usize))
                }
                _ => 48,
            };
            let own = self.machine.words(ThreadSlot(thread));
            assert_eq!(bytes(&own)[..length], bytes(words)[..length], "words after {input:?}");
        }
    }
}

/// The client that an answer in registers is for, and its length.
fn answered(frame: &Frame) -> Option<(u16, usize)> {
    let [rcvid, control, ..] = frame.arguments;
    let length = control.to_le_bytes()[6];
    let is_answer = frame.number == number::MsgReplyReceiveRegisters;
    is_answer.then_some(((rcvid & 0xffff) as u16, usize::from(length.min(48))))
}

fn bytes(words: &Words) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Whether an entry took the fast path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Took {
    Fast,
    Slow,
}

/// What tests change in a machine from outside.
pub(crate) struct Recorded {
    now: u64,
    results: std::collections::HashMap<u16, i64>,
    words: std::collections::HashMap<u16, Words>,
}

impl Recorded {
    pub(crate) fn of(machine: &Recorder) -> Self {
        let Recorder { now, results, words, .. } = machine;
        Self { now: *now, results: results.clone(), words: words.clone() }
    }
}
