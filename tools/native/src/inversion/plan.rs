//! What is to be played, as `cargo xtask inversion` writes it: one word and its numbers a line.
//!
//! ```text
//! run NAME LIMIT        begins a run; LIMIT: nanoseconds after which it is given up
//! lock none|inherit     a lock; they are numbered from 0, as conditions, flags and servers are
//! condition
//! flag
//! partition PERCENT     a share of the CPU; they are numbered from 0
//! in PARTITION          where the thread that follows is
//! server fixed|inherit PRIORITY THREADS      its steps follow
//! thread fifo|rr PRIORITY                    its steps follow
//! thread sporadic LOW BUDGET PERIOD PENDING PRIORITY
//! ```
//! Lanes (threads, and each thread of a server) are numbered in the order of the file.

use alloc::string::String;
use alloc::vec::Vec;
use neutrino_rt::lock::Protocol;

/// One thing that a thread does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Uses the CPU for so many nanoseconds of its own.
    Compute(u64),
    /// Sleeps until so long after the run's start.
    Until(u64),
    /// Sleeps for so long.
    Sleep(u64),
    /// Sleeps until the next multiple of this after the run's start.
    Period(u64),
    /// Waits for a lock.
    Lock(usize),
    /// Waits for a lock for so long at most; without it the steps up to its unlock are left out.
    LockWithin(usize, u64),
    /// Frees a lock.
    Unlock(usize),
    /// Sends to a server and waits for its answer.
    Send(usize),
    /// The same for so long at most.
    SendWithin(usize, u64),
    /// Answers the client; what follows is done after that.
    Reply,
    /// Waits for a condition, with a lock.
    Wait(usize, usize),
    /// Wakes one who waits for a condition.
    Signal(usize),
    /// Wakes all.
    Broadcast(usize),
    /// Gives a lane another priority of its own.
    Priority(usize, u8),
    /// Ends a lane where it is.
    Kill(usize),
    /// Sets a flag.
    Mark(usize),
    /// Resets the system (ends the run) if a flag is not set; clears it.
    Check(usize),
    /// Opens a file and reads all of it.
    Read(String),
    /// Does the steps so many times.
    Repeat(u64, Vec<Step>),
}

/// How a thread shares its priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Until it blocks.
    Fifo,
    /// By slices.
    RoundRobin,
    /// At its priority for a budget.
    Sporadic(Terms),
}

/// What a sporadic thread asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its priority without budget.
    pub low: u8,
    /// Nanoseconds in a period.
    pub budget: u64,
    /// Nanoseconds after which budget comes back.
    pub period: u64,
    /// In how many parts.
    pub pending: u32,
}

/// Whether a server's threads take over their clients' priorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// They keep their own.
    Fixed,
    /// They do: QNX's default.
    Inherit,
}

/// A server, or a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A thread that goes through its steps once.
    Thread(Policy),
    /// So many threads that go through the steps for each message.
    Server(Rule, usize),
}

/// Who takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What it is.
    pub role: Role,
    /// Its own priority.
    pub priority: u8,
    /// Which of the run's partitions it is in; none: *System*.
    pub partition: Option<usize>,
    /// What it does.
    pub steps: Vec<Step>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Plan {
    /// Its name, for the record.
    pub name: String,
    /// When it is given up.
    pub limit_ns: u64,
    /// Percent of the CPU that each partition has.
    pub partitions: Vec<u32>,
    /// Its locks.
    pub locks: Vec<Protocol>,
    /// How many conditions and flags it has.
    pub conditions: usize,
    #[allow(missing_docs, reason = "as the field above says")]
    pub flags: usize,
    /// Who takes part.
    pub actors: Vec<Actor>,
}

/// Reads plans.
///
/// # Errors
/// The number of the first line that means nothing.
pub fn parse(text: &str) -> Result<Vec<Plan>, usize> {
    let mut lines = text.lines().zip(1..).peekable();
    let mut plans: Vec<Plan> = Vec::new();
    let mut partition = None;
    while let Some((line, number)) = lines.next() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["run", name, limit] = *words {
            let limit_ns = limit.parse().map_err(|_| number)?;
            plans.push(Plan { name: String::from(name), limit_ns, ..Plan::default() });
            continue;
        }
        let plan = plans.last_mut().ok_or(number)?;
        match *words {
            ["lock", "none"] => plan.locks.push(Protocol::None),
            ["lock", "inherit"] => plan.locks.push(Protocol::Inherit),
            ["partition", percent] => {
                plan.partitions.push(percent.parse().map_err(|_| number)?);
            }
            ["in", number_of] => partition = Some(number_of.parse().map_err(|_| number)?),
            ["condition"] => plan.conditions += 1,
            ["flag"] => plan.flags += 1,
            _ => {
                let (role, priority) = actor(&words).ok_or(number)?;
                let mut steps = Vec::new();
                while let Some((line, number)) = lines.next_if(|(line, _)| is_step(line)) {
                    steps.push(step(line, number, &mut lines)?);
                }
                let partition = partition.take();
                plan.actors.push(Actor { role, priority, partition, steps });
            }
        }
    }
    Ok(plans)
}

fn actor(words: &[&str]) -> Option<(Role, u8)> {
    let (role, priority) = match *words {
        ["thread", "fifo", priority] => (Role::Thread(Policy::Fifo), priority),
        ["thread", "rr", priority] => (Role::Thread(Policy::RoundRobin), priority),
        ["thread", "sporadic", low, budget, period, pending, priority] => {
            let terms = Terms {
                low: low.parse().ok()?,
                budget: budget.parse().ok()?,
                period: period.parse().ok()?,
                pending: pending.parse().ok()?,
            };
            (Role::Thread(Policy::Sporadic(terms)), priority)
        }
        ["server", "fixed", priority, threads] => {
            (Role::Server(Rule::Fixed, threads.parse().ok()?), priority)
        }
        ["server", "inherit", priority, threads] => {
            (Role::Server(Rule::Inherit, threads.parse().ok()?), priority)
        }
        _ => return None,
    };
    Some((role, priority.parse().ok()?))
}

/// Steps are indented.
fn is_step(line: &str) -> bool {
    line.starts_with(' ')
}

fn step<'a>(
    line: &str,
    number: usize,
    lines: &mut impl Iterator<Item = (&'a str, usize)>,
) -> Result<Step, usize> {
    let mut words = line.split_whitespace();
    let name = words.next().ok_or(number)?;
    if name == "read" {
        return words.next().map(|path| Step::Read(String::from(path))).ok_or(number);
    }
    let mut next = || words.next().and_then(|word| word.parse::<u64>().ok()).ok_or(number);
    let index = |value: u64| usize::try_from(value).map_err(|_| number);
    Ok(match name {
        "compute" => Step::Compute(next()?),
        "until" => Step::Until(next()?),
        "sleep" => Step::Sleep(next()?),
        "period" => Step::Period(next()?),
        "lock" => Step::Lock(index(next()?)?),
        "lock_within" => Step::LockWithin(index(next()?)?, next()?),
        "unlock" => Step::Unlock(index(next()?)?),
        "send" => Step::Send(index(next()?)?),
        "send_within" => Step::SendWithin(index(next()?)?, next()?),
        "reply" => Step::Reply,
        "wait" => Step::Wait(index(next()?)?, index(next()?)?),
        "signal" => Step::Signal(index(next()?)?),
        "broadcast" => Step::Broadcast(index(next()?)?),
        "priority" => Step::Priority(index(next()?)?, next()?.try_into().map_err(|_| number)?),
        "kill" => Step::Kill(index(next()?)?),
        "mark" => Step::Mark(index(next()?)?),
        "check" => Step::Check(index(next()?)?),
        "repeat" => {
            let (count, mut body) = (next()?, Vec::new());
            loop {
                let (line, number) = lines.next().ok_or(number)?;
                if line.trim() == "end" {
                    break Step::Repeat(count, body);
                }
                body.push(step(line, number, lines)?);
            }
        }
        _ => return Err(number),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_plan_is_read_with_its_loops() {
        let text = "run a 9\nlock inherit\npartition 30\nserver fixed 5 2\n reply\nin 0\nthread rr 7\n repeat 2\n lock 0\n \
                    repeat 3\n compute 4\n end\n end\n unlock 0\n";
        let plans = parse(text).unwrap();
        let inner = Step::Repeat(3, vec![Step::Compute(4)]);
        let steps = vec![Step::Repeat(2, vec![Step::Lock(0), inner]), Step::Unlock(0)];
        let server = Role::Server(Rule::Fixed, 2);
        let actors = vec![
            Actor { role: server, priority: 5, partition: None, steps: vec![Step::Reply] },
            Actor {
                role: Role::Thread(Policy::RoundRobin),
                priority: 7,
                partition: Some(0),
                steps,
            },
        ];
        let locks = vec![Protocol::Inherit];
        let name = String::from("a");
        let partitions = vec![30];
        let expected = Plan { name, limit_ns: 9, partitions, locks, actors, ..Plan::default() };
        assert_eq!(plans, [expected]);
    }

    #[test]
    fn a_line_that_means_nothing_is_named_by_its_number() {
        assert_eq!(parse("run a 1\nthread fifo 3\n jump 4\n"), Err(3));
        assert_eq!(parse("lock none\n"), Err(1));
        assert_eq!(parse("run a 1\nthread fifo 3\n repeat 4\n"), Err(3));
    }
}
