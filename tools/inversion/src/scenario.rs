//! A scenario, checked: every name is resolved, every number is in its range.

/// Threads of the scenario lie below the one that directs the run.
pub const PRIORITIES: std::ops::RangeInclusive<u8> = 1..=60;

/// One thing that a thread does; things are named by their place in [`Scenario`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs/real-time.md lists the steps; numbers are nanoseconds")]
pub enum Step {
    Compute(u64),
    SleepUntil(u64),
    Sleep(u64),
    Period(u64),
    Lock(usize),
    LockWithin(usize, u64),
    Unlock(usize),
    Send(usize),
    SendWithin(usize, u64),
    /// Sends to the next server of a nest; the last one has none.
    Next,
    Reply,
    Wait(usize, usize),
    Signal(usize),
    Broadcast(usize),
    /// Of the thread with this index.
    Priority(usize, u8),
    Kill(usize),
    Mark(usize),
    Check(usize),
    /// A file of the guest.
    Read(usize),
    Repeat(u64),
    End,
}

/// How a thread shares its priority with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Policy {
    Fifo,
    RoundRobin,
    /// At its priority for `budget` in each `period`, then at `low`.
    Sporadic {
        low: u8,
        budget: u64,
        period: u64,
        pending: u64,
    },
}

/// A share of the CPU that is guaranteed under overload.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Partition {
    pub name: String,
    pub percent: u64,
}

/// What the two runs differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Whether priorities are inherited.
    Inheritance,
    /// Whether there are budgets: without, sporadic threads run until they block, and there are no
    /// partitions. Priorities are inherited in both.
    Budgets,
}

impl Compare {
    /// In a word, for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inheritance => "inheritance",
            Self::Budgets => "budgets",
        }
    }
}

/// A thread.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Thread {
    pub name: String,
    pub priority: u8,
    pub policy: Policy,
    /// Its partition; none: *System*.
    pub partition: Option<usize>,
    pub steps: Vec<Step>,
}

/// Whether something inherits priorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Whenever the run has inheritance on.
    AsTheRun,
    /// Never.
    Never,
}

/// A server; `nested` makes so many of them, each of which can send to the next.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Server {
    pub name: String,
    pub priority: u8,
    pub threads: usize,
    pub rule: Rule,
    /// The server that `next` sends to.
    pub next: Option<usize>,
    pub steps: Vec<Step>,
}

/// A mutex.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Mutex {
    pub name: String,
    pub rule: Rule,
}

/// What of a thread is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The time from asking for locks to having them, and from sending to being answered.
    Blocked,
    /// The time from the end of its first sleep to its own end.
    Response,
}

/// What is expected of the run without inheritance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// The bound does not hold.
    Exceeds,
    /// It holds, too.
    Holds,
}

/// Whether a watchdog is expected to reset the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resets {
    /// In neither run.
    Never,
    /// In the run without inheritance, and not in the other.
    Without,
}

/// What is measured, and the bound.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Measure {
    pub thread: usize,
    pub quantity: Quantity,
    pub bound_ns: u64,
    /// The bound as the file has it.
    pub bound: String,
    pub why: String,
    pub without: Without,
    pub compare: Compare,
    pub resets: Resets,
}

/// The whole.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Scenario {
    /// The file's name without its ending.
    pub name: String,
    pub title: String,
    /// What happens, for people.
    pub what: String,
    pub threads: Vec<Thread>,
    pub servers: Vec<Server>,
    pub mutexes: Vec<Mutex>,
    pub partitions: Vec<Partition>,
    pub conditions: Vec<String>,
    pub flags: Vec<String>,
    pub files: Vec<String>,
    pub measure: Measure,
    /// When a run is given up.
    pub limit_ns: u64,
}

/// A line of the picture: a thread, or one thread of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// What people read.
    pub name: String,
    /// Its own priority.
    pub priority: u8,
    /// The server that it belongs to.
    pub server: Option<usize>,
}

impl Scenario {
    /// Whether it is more than the priorities that says who runs, so that a more important thread may
    /// wait and nothing is wrong: a sporadic thread without budget, or anybody among partitions.
    #[must_use]
    pub fn has_budgets(&self, lane: usize) -> bool {
        let thread = self.threads.get(lane);
        let is_sporadic = |thread: &Thread| matches!(thread.policy, Policy::Sporadic { .. });
        !self.partitions.is_empty() || thread.is_some_and(is_sporadic)
    }

    /// The lanes, in the order in which the playing program numbers them.
    #[must_use]
    pub fn lanes(&self) -> Vec<Lane> {
        let mut lanes: Vec<Lane> = self
            .threads
            .iter()
            .map(|t| Lane { name: t.name.clone(), priority: t.priority, server: None })
            .collect();
        for (index, server) in self.servers.iter().enumerate() {
            for number in 1..=server.threads {
                let name = match server.threads {
                    1 => server.name.clone(),
                    _ => format!("{}.{number}", server.name),
                };
                lanes.push(Lane { name, priority: server.priority, server: Some(index) });
            }
        }
        lanes
    }
}
