//! The configurations: who there is, what each may do, and how far to look.

use neutrino_abi::message::chf;
use neutrino_abi::sched::{SchedParam, policy};

use crate::moves::Move::{
    self, Attach, Continue, CreateChannel, DestroyChannel, Detach, DetachCopy, Dup, EndOther,
    EndProcess, EndThread, FutexWait, FutexWake, Hold, Kill, Lock, LockFor, Pin, PinOf, Priority,
    PriorityOf, Pulse, Read, Receive, ReceivePulse, Refuse, Reply, ReplyReceive, ReplyReceiveWords,
    Send, SendBadly, SendWords, Sleep, Spawn, TakeSignal, Timeout, Unlock, Work, Yield,
};

/// The connection that every process has: to the first channel.
const MANAGER: u32 = neutrino_abi::handle::SIDE_CHANNEL;

/// How a thread shares its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Until it blocks.
    Fifo,
    /// By slices.
    RoundRobin,
    /// At its priority for a third of the time, see [`TERMS`].
    Sporadic,
}

/// What a sporadic thread asks for beside its priority: in half of the periods its budget comes back
/// in one part.
pub(crate) const TERMS: SchedParam = SchedParam {
    policy: policy::SPORADIC,
    priority: 0,
    current_priority: 0,
    low_priority: 5,
    budget: 300,
    period: 900,
    replenishments: 2,
    reserved: 0,
};

/// One thread; the first is process 1's first.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// 1 or 2: both share memory; the second has one connection, to the first channel.
    pub process: u8,
    /// Its priority.
    pub priority: u32,
    /// See above.
    pub policy: Policy,
    /// What it does when it runs.
    pub moves: &'static [Move],
}

/// See above.
#[derive(Debug)]
pub struct Configuration {
    /// For reports and filters.
    pub name: &'static str,
    /// Flags of the channels; connection n leads to channel n.
    pub channels: &'static [u32],
    /// The threads; number n is slot n + 1.
    pub threads: &'static [Role],
    /// How many CPUs there are.
    pub cpus: usize,
    /// Whether a second kernel does the same without the fast path. With several CPUs it would not be the same: the
    /// fast path leaves timers that another CPU's call made needless, and what it was asked for, to the interrupt.
    pub has_twin: bool,
    /// In the test command, no level is begun behind so many states.
    pub states: usize,
    /// The test fails with fewer.
    pub minimum: usize,
}

impl Configuration {
    /// The moves of all threads.
    pub(crate) fn moves(&self) -> Vec<Move> {
        self.threads.iter().flat_map(|role| role.moves).copied().collect()
    }
}

const fn role(process: u8, priority: u32, moves: &'static [Move]) -> Role {
    Role { process, priority, policy: Policy::Fifo, moves }
}

const fn sliced(priority: u32, moves: &'static [Move]) -> Role {
    Role { process: 1, priority, policy: Policy::RoundRobin, moves }
}

const fn sporadic(priority: u32, moves: &'static [Move]) -> Role {
    Role { process: 1, priority, policy: Policy::Sporadic, moves }
}

const SERVER: &[Move] =
    &[Receive(0), Reply(0), Reply(1), Refuse(0), ReplyReceive(0, 0), Read(0), Priority(15)];
const SERVER_WORDS: &[Move] = &[
    Receive(0),
    ReplyReceive(0, 0),
    ReplyReceiveWords(0, 0),
    ReplyReceiveWords(1, 0),
    Reply(0),
    Refuse(1),
];

/// All of them.
pub static CONFIGURATIONS: &[Configuration] = &[
    Configuration {
        name: "clients",
        channels: &[0],
        threads: &[
            role(1, 10, SERVER),
            role(1, 11, &[Receive(0), Reply(0), Reply(1), ReplyReceive(1, 0), PriorityOf(3, 30)]),
            role(1, 20, &[Send(0), SendWords(0), Yield, PriorityOf(4, 40)]),
            role(1, 30, &[Send(0), SendWords(0), Priority(12), Priority(30)]),
            role(1, 20, &[Send(0), SendBadly(0), Priority(25), PriorityOf(3, 20)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_000_000,
        minimum: 5_722,
    },
    Configuration {
        name: "fast path",
        channels: &[chf::UNBLOCK, 0],
        threads: &[
            role(1, 20, SERVER_WORDS),
            role(1, 20, &[SendWords(0), Send(0), Receive(1), ReplyReceiveWords(0, 1)]),
            role(1, 20, &[SendWords(0), SendWords(1), Send(1), Timeout(700)]),
            role(1, 20, &[SendWords(0), SendWords(1), Lock(0), Unlock(0), Yield]),
            role(1, 20, &[SendWords(0), SendWords(1), Priority(21), Priority(20)]),
        ],
        cpus: 1,
        has_twin: true,
        states: 1_000_000,
        minimum: 33_368,
    },
    Configuration {
        name: "chain of servers",
        channels: &[0, 0, 0],
        threads: &[
            role(1, 10, &[Receive(0), Send(1), Reply(0), ReplyReceive(0, 0), Priority(11)]),
            role(1, 11, &[Receive(1), SendWords(2), Reply(0), Refuse(0)]),
            role(1, 12, &[Receive(2), Reply(0), ReplyReceiveWords(0, 2), Yield]),
            role(1, 20, &[Send(0), Send(1), Priority(35), Priority(20)]),
            role(1, 30, &[Send(0), SendWords(2), PriorityOf(4, 5), Priority(9)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_000_000,
        minimum: 106_722,
    },
    Configuration {
        name: "mutexes",
        channels: &[],
        threads: &[
            role(1, 10, &[Lock(0), Lock(1), Unlock(0), Unlock(1), Yield, Priority(12)]),
            role(1, 20, &[Lock(0), LockFor(1, 500), Unlock(0), Unlock(1), Sleep(300)]),
            role(1, 30, &[LockFor(0, 700), Lock(1), Unlock(0), Unlock(1), Sleep(300)]),
            role(1, 40, &[LockFor(0, 300), LockFor(1, 900), Unlock(0), Unlock(1), Sleep(200)]),
            role(1, 25, &[Lock(1), Unlock(1), PriorityOf(1, 35), PriorityOf(1, 5), Sleep(200)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_500_000,
        minimum: 1_370_538,
    },
    Configuration {
        name: "mutexes in servers",
        channels: &[0],
        threads: &[
            role(1, 10, &[Receive(0), Lock(0), Unlock(0), Reply(0), Reply(1)]),
            role(1, 12, &[Receive(0), LockFor(0, 300), Unlock(0), Reply(0)]),
            role(1, 20, &[Lock(0), Unlock(0), Send(0), Sleep(200)]),
            role(1, 30, &[Lock(0), Unlock(0), Send(0), SendWords(0), Sleep(300)]),
            role(1, 40, &[LockFor(0, 500), Unlock(0), Timeout(500), Send(0), Sleep(400)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_500_000,
        minimum: 1_500_000,
    },
    Configuration {
        name: "time-outs",
        channels: &[chf::UNBLOCK, 0],
        threads: &[
            role(1, 10, &[Receive(0), Receive(1), Reply(0), Reply(1), Timeout(300), Sleep(100)]),
            role(1, 11, &[Receive(0), ReceivePulse(0), Reply(0), Refuse(0), Timeout(500)]),
            role(1, 20, &[Timeout(400), Send(0), Send(1), Sleep(200)]),
            role(1, 30, &[Timeout(700), Send(0), SendWords(1), Sleep(300)]),
            role(1, 30, &[Timeout(300), SendWords(0), Sleep(400)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_500_000,
        minimum: 1_500_000,
    },
    Configuration {
        name: "pulses",
        channels: &[0, 0],
        threads: &[
            role(1, 10, &[Receive(0), Receive(1), Reply(0), Pulse(1, 5), Yield]),
            role(1, 12, &[ReceivePulse(0), Receive(0), Reply(0), Pulse(1, -1)]),
            role(1, 20, &[Pulse(0, 15), Pulse(0, 40), Pulse(1, 20), Send(0), ReceivePulse(1)]),
            role(1, 30, &[Pulse(0, 20), Send(0), Send(1), Pulse(1, 31)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_500_000,
        minimum: 1_500_000,
    },
    Configuration {
        name: "signals",
        channels: &[chf::UNBLOCK, 0],
        threads: &[
            role(1, 10, &[Receive(0), Receive(1), Reply(0), Refuse(0), Kill(3), TakeSignal]),
            role(1, 12, &[Receive(0), Reply(0), Kill(1), Kill(3), Kill(4), TakeSignal]),
            role(1, 20, &[Send(0), SendWords(1), TakeSignal, Lock(0), Unlock(0)]),
            role(1, 30, &[Send(0), Send(1), TakeSignal, Kill(3), Lock(0), Unlock(0)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_000_000,
        minimum: 179_820,
    },
    Configuration {
        name: "death of threads",
        channels: &[chf::UNBLOCK | chf::THREAD_DEATH],
        threads: &[
            role(
                1,
                10,
                &[Receive(0), Reply(0), Reply(1), Spawn(20), Spawn(9), EndOther(3), Lock(0)],
            ),
            role(1, 12, &[Receive(0), Reply(0), EndThread, Lock(0), Unlock(0)]),
            role(1, 20, &[Send(0), Lock(0), Unlock(0), EndThread, EndOther(2)]),
            role(1, 30, &[SendWords(0), Lock(0), Unlock(0), EndThread, Spawn(25), EndOther(3)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_500_000,
        minimum: 1_500_000,
    },
    Configuration {
        name: "death of a process",
        channels: &[chf::UNBLOCK | chf::DISCONNECT, chf::COID_DISCONNECT],
        threads: &[
            role(1, 10, &[Receive(0), Reply(0), Reply(1), EndProcess, Send(1), Lock(0), Unlock(0)]),
            role(1, 12, &[Receive(0), Receive(1), Reply(0), Lock(0), Unlock(0), EndProcess]),
            role(2, 20, &[Send(MANAGER), Lock(0), Unlock(0), Detach(MANAGER), EndThread]),
            role(2, 30, &[SendWords(MANAGER), Lock(0), Unlock(0), Pulse(MANAGER, 20), EndThread]),
            role(1, 25, &[Send(0), Lock(0), Unlock(0), Sleep(100)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_500_000,
        minimum: 1_500_000,
    },
    Configuration {
        name: "reuse of handles",
        channels: &[chf::UNBLOCK | chf::DISCONNECT, 0],
        threads: &[
            role(1, 10, &[Receive(0), Reply(0), DestroyChannel(0), CreateChannel(chf::DISCONNECT)]),
            role(1, 12, &[Receive(0), Reply(0), Attach(0), Detach(0), Dup(0), DetachCopy]),
            role(1, 20, &[Send(0), Send(4), Detach(0), Attach(0), DetachCopy]),
            role(1, 30, &[Send(0), SendWords(1), Dup(0), Dup(1), DestroyChannel(0)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_000_000,
        minimum: 271_289,
    },
    Configuration {
        name: "fixed priority",
        channels: &[chf::FIXED_PRIORITY | chf::UNBLOCK, 0],
        threads: &[
            role(1, 15, &[Receive(0), Receive(1), Reply(0), Reply(1), Priority(15), Priority(25)]),
            role(1, 16, &[Receive(0), Receive(1), Reply(0), Pulse(0, 35), Pulse(1, 35)]),
            role(1, 20, &[Send(0), Send(1), Timeout(300)]),
            role(1, 30, &[Send(0), SendWords(1), Priority(10), Priority(30)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_000_000,
        minimum: 218_963,
    },
    Configuration {
        name: "holds and slices",
        channels: &[chf::UNBLOCK],
        threads: &[
            sliced(10, &[Receive(0), Reply(0), Hold(3), Continue(3), Continue(2), Yield]),
            sliced(20, &[Receive(0), Reply(0), Hold(3), Continue(3), Hold(4), Continue(4)]),
            sliced(20, &[Send(0), Yield, Hold(2), Continue(4)]),
            sliced(20, &[SendWords(0), Yield, Hold(3), Continue(2), Continue(3)]),
        ],
        cpus: 1,
        has_twin: true,
        states: 1_000_000,
        minimum: 4_638,
    },
    Configuration {
        name: "sporadic",
        channels: &[0],
        threads: &[
            role(1, 10, &[Receive(0), Reply(0), Lock(0), Unlock(0)]),
            sporadic(20, &[Send(0), Lock(0), Unlock(0), Sleep(400), Work(100)]),
            role(1, 30, &[LockFor(0, 500), Unlock(0), Sleep(300), PriorityOf(2, 35)]),
            sporadic(25, &[Sleep(200), Work(200), EndOther(2), Spawn(15)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 450_000,
        minimum: 450_000,
    },
    Configuration {
        name: "futexes and mutexes",
        channels: &[0],
        threads: &[
            role(1, 10, &[FutexWait, FutexWake, Lock(0), Unlock(0), Receive(0), Reply(0)]),
            role(1, 20, &[Timeout(300), FutexWait, FutexWake, Lock(0), Unlock(0)]),
            role(1, 30, &[FutexWait, LockFor(0, 400), Unlock(0), Send(0), Kill(2)]),
            role(1, 40, &[FutexWake, LockFor(0, 200), Unlock(0), Sleep(300), TakeSignal]),
            role(1, 20, &[FutexWait, FutexWake, Send(0), TakeSignal, Priority(45), Priority(20)]),
        ],
        cpus: 1,
        has_twin: false,
        states: 1_000_000,
        minimum: 456_325,
    },
    Configuration {
        name: "two CPUs",
        channels: &[chf::UNBLOCK],
        threads: &[
            role(1, 10, &[Receive(0), Reply(0), ReplyReceiveWords(0, 0), Lock(0), Unlock(0)]),
            role(1, 20, &[SendWords(0), Yield, PinOf(1, 2), PinOf(1, 3), Lock(0), Unlock(0)]),
            role(1, 20, &[Send(0), Pin(1), Pin(3), PriorityOf(2, 30), PriorityOf(2, 20)]),
            role(1, 15, &[Receive(0), Reply(0), Pulse(0, 25), Timeout(400), Send(0)]),
        ],
        cpus: 2,
        has_twin: false,
        states: 300_000,
        minimum: 300_000,
    },
    Configuration {
        name: "two CPUs, mutexes",
        channels: &[],
        threads: &[
            role(1, 10, &[Lock(0), Lock(1), Unlock(0), Unlock(1), Hold(2), Continue(2)]),
            role(1, 20, &[Lock(0), LockFor(1, 500), Unlock(0), Unlock(1), Sleep(300), Pin(2)]),
            role(1, 30, &[LockFor(0, 300), Lock(1), Unlock(0), Unlock(1), PinOf(2, 3)]),
            role(1, 25, &[Lock(1), Unlock(1), PriorityOf(1, 35), PriorityOf(1, 5), Sleep(200)]),
        ],
        cpus: 2,
        has_twin: false,
        states: 300_000,
        minimum: 300_000,
    },
    Configuration {
        name: "two CPUs, deaths",
        channels: &[chf::UNBLOCK | chf::DISCONNECT],
        threads: &[
            role(1, 10, &[Receive(0), Reply(0), EndProcess, EndOther(2), Hold(3), Continue(3)]),
            role(1, 12, &[Receive(0), Reply(0), EndThread, Kill(1), TakeSignal]),
            role(2, 20, &[Send(MANAGER), Detach(MANAGER), EndThread, Yield]),
            role(2, 20, &[SendWords(MANAGER), Pulse(MANAGER, 20), EndOther(3), Sleep(100)]),
        ],
        cpus: 2,
        has_twin: false,
        states: 1_000_000,
        minimum: 190_000,
    },
];
