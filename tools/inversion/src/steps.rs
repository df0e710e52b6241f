//! Steps as text: `lock a`, `compute 2ms`.

use crate::scenario::{PRIORITIES, Step};
use crate::units::time;

/// All names that steps can mean. Conditions and flags come to be when a step names them.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Names {
    pub threads: Vec<String>,
    pub servers: Vec<String>,
    pub mutexes: Vec<String>,
    pub(crate) partitions: Vec<String>,
    pub conditions: Vec<String>,
    pub flags: Vec<String>,
    pub files: Vec<String>,
}

const STEPS: &str = "compute, sleep, sleep_until, period, lock, lock_within, unlock, send, \
    send_within, next, reply, wait, signal, broadcast, priority, kill, mark, check, read, repeat, end";

impl Names {
    /// One step.
    ///
    /// # Errors
    /// What is wrong with it and what would be right.
    pub fn step(&mut self, text: &str) -> Result<Step, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, rest) =
            words.split_first().ok_or("a step is empty; write one like `compute 2ms`")?;
        Ok(match (*name, rest) {
            ("compute", [length]) => Step::Compute(time(length)?),
            ("sleep", [length]) => Step::Sleep(time(length)?),
            ("sleep_until", [point]) => Step::SleepUntil(time(point)?),
            ("period", [length]) => Step::Period(time(length)?.max(1)),
            ("lock", [mutex]) => Step::Lock(self.mutex(mutex)?),
            ("lock_within", [mutex, limit]) => Step::LockWithin(self.mutex(mutex)?, time(limit)?),
            ("unlock", [mutex]) => Step::Unlock(self.mutex(mutex)?),
            ("send", [server]) => Step::Send(self.server(server)?),
            ("send_within", [server, limit]) => {
                Step::SendWithin(self.server(server)?, time(limit)?)
            }
            ("next", []) => Step::Next,
            ("reply", []) => Step::Reply,
            ("wait", [condition, mutex]) => {
                Step::Wait(make(&mut self.conditions, condition), self.mutex(mutex)?)
            }
            ("signal", [condition]) => Step::Signal(make(&mut self.conditions, condition)),
            ("broadcast", [condition]) => Step::Broadcast(make(&mut self.conditions, condition)),
            ("priority", [thread, number]) => {
                Step::Priority(self.thread(thread)?, priority(number.parse().unwrap_or(-1))?)
            }
            ("kill", [thread]) => Step::Kill(self.thread(thread)?),
            ("mark", [flag]) => Step::Mark(make(&mut self.flags, flag)),
            ("check", [flag]) => Step::Check(make(&mut self.flags, flag)),
            ("read", [path]) if path.starts_with('/') => Step::Read(make(&mut self.files, path)),
            ("repeat", [count]) => Step::Repeat(
                count
                    .parse()
                    .map_err(|_| format!("`{text}` wants a whole number, as in repeat 4"))?,
            ),
            ("end", []) => Step::End,
            (known, _) if STEPS.split(", ").any(|step| step == known) => {
                return Err(format!("`{text}` is not complete; write {}", usage(known)));
            }
            (unknown, _) => return Err(format!("`{unknown}` is no step; the steps are {STEPS}")),
        })
    }

    fn mutex(&self, name: &str) -> Result<usize, String> {
        find(&self.mutexes, name, "mutex")
    }

    fn server(&self, name: &str) -> Result<usize, String> {
        find(&self.servers, name, "server")
    }

    /// The thread of this name.
    ///
    /// # Errors
    /// Which there are.
    pub fn thread(&self, name: &str) -> Result<usize, String> {
        find(&self.threads, name, "thread")
    }
}

/// A priority in its range.
///
/// # Errors
/// The range.
pub fn priority(number: i64) -> Result<u8, String> {
    u8::try_from(number).ok().filter(|number| PRIORITIES.contains(number)).ok_or_else(|| {
        let (first, last) = (PRIORITIES.start(), PRIORITIES.end());
        format!("the priority {number} is not between {first} and {last}; the run is directed from above")
    })
}

fn find(names: &[String], name: &str, kind: &str) -> Result<usize, String> {
    names.iter().position(|known| known == name).ok_or_else(|| {
        if names.is_empty() {
            format!("there is no {kind} `{name}`, nor any other; add a [[{kind}]] with that name")
        } else {
            format!("there is no {kind} `{name}`; there is {}", names.join(", "))
        }
    })
}

fn make(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

fn usage(step: &str) -> &'static str {
    match step {
        "compute" => "`compute 2ms`",
        "sleep" => "`sleep 2ms`",
        "sleep_until" => "`sleep_until 2ms`, counted from the start",
        "period" => "`period 2ms`, which sleeps until the next multiple",
        "lock" => "`lock MUTEX`",
        "lock_within" => "`lock_within MUTEX 2ms`",
        "unlock" => "`unlock MUTEX`",
        "send" => "`send SERVER`",
        "send_within" => "`send_within SERVER 2ms`",
        "wait" => "`wait CONDITION MUTEX`",
        "signal" => "`signal CONDITION`",
        "broadcast" => "`broadcast CONDITION`",
        "priority" => "`priority THREAD 20`",
        "kill" => "`kill THREAD`",
        "mark" => "`mark FLAG`",
        "check" => "`check FLAG`",
        "read" => "`read /etc/motd`, with the path from the root",
        "repeat" => "`repeat 4`, with an `end` behind what is repeated",
        _ => "it alone",
    }
}

/// Checks what one thread does as a whole.
///
/// # Errors
/// The index of the step that is wrong (or of the last), and why.
pub fn check(steps: &[Step], is_server: bool, mutexes: &[String]) -> Result<(), (usize, String)> {
    let (mut held, mut open) = (Vec::new(), 0_u32);
    for (index, step) in steps.iter().enumerate() {
        let wrong = |why: String| Err((index, why));
        match *step {
            Step::Lock(mutex) | Step::LockWithin(mutex, _) if held.contains(&mutex) => {
                return wrong(format!("it holds `{}` already; unlock it first", mutexes[mutex]));
            }
            Step::Lock(mutex) | Step::LockWithin(mutex, _) => held.push(mutex),
            Step::Unlock(mutex) | Step::Wait(_, mutex) if !held.contains(&mutex) => {
                return wrong(format!(
                    "it does not hold `{0}`; write `lock {0}` before",
                    mutexes[mutex]
                ));
            }
            Step::Unlock(mutex) => held.retain(|own| *own != mutex),
            Step::Reply | Step::Next if !is_server => {
                return wrong(
                    "only a server has a client; leave it out or make this a [[server]]".into(),
                );
            }
            Step::Repeat(_) => open += 1,
            Step::End if open == 0 => {
                return wrong("this `end` ends nothing; write `repeat N` before".into());
            }
            Step::End => open -= 1,
            Step::Compute(_) | Step::SleepUntil(_) | Step::Sleep(_) | Step::Period(_) => {}
            Step::Send(_) | Step::SendWithin(..) | Step::Next | Step::Reply => {}
            Step::Wait(..) | Step::Signal(_) | Step::Broadcast(_) => {}
            Step::Priority(..) | Step::Kill(_) | Step::Mark(_) | Step::Check(_) | Step::Read(_) => {
            }
        }
    }
    let last = steps.len().saturating_sub(1);
    if open > 0 {
        return Err((last, "a `repeat` has no `end`; add one behind what is repeated".into()));
    }
    match held.first() {
        Some(mutex) => {
            Err((last, format!("`{0}` stays locked; add `unlock {0}`", mutexes[*mutex])))
        }
        None => Ok(()),
    }
}
