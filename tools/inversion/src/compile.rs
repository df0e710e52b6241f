//! Scenarios as the playing program reads them; its format is described in
//! `tools/native/src/inversion/plan.rs`.

use std::fmt::Write;

use crate::scenario::{Compare, Policy, Rule, Scenario, Server, Step};

/// One of the two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No priority is inherited: plain locks, channels with `CHF_FIXED_PRIORITY`.
    Off,
    /// QNX's rules.
    On,
}

impl Mode {
    /// Both, in the order in which they are run.
    pub const BOTH: [Self; 2] = [Self::Off, Self::On];

    /// A word for names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

/// The name of a run.
#[must_use]
pub fn run_name(scenario: &Scenario, mode: Mode) -> String {
    format!("{}.{}", scenario.name, mode.word())
}

/// Both runs of every scenario.
#[must_use]
pub fn compile(scenarios: &[Scenario]) -> String {
    let mut text = String::new();
    for scenario in scenarios {
        for mode in Mode::BOTH {
            run(&mut text, scenario, mode);
        }
    }
    text
}

fn run(text: &mut String, scenario: &Scenario, mode: Mode) {
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    line(format!("run {} {}", run_name(scenario, mode), scenario.limit_ns));
    let is_on = |what: Compare| mode == Mode::On || scenario.measure.compare != what;
    let inherits = |rule: Rule| is_on(Compare::Inheritance) && rule == Rule::AsTheRun;
    let has_budgets = is_on(Compare::Budgets);
    for partition in scenario.partitions.iter().filter(|_| has_budgets) {
        line(format!("partition {}", partition.percent));
    }
    for mutex in &scenario.mutexes {
        line(format!("lock {}", if inherits(mutex.rule) { "inherit" } else { "none" }));
    }
    scenario.conditions.iter().for_each(|_| line("condition".into()));
    scenario.flags.iter().for_each(|_| line("flag".into()));
    for thread in &scenario.threads {
        let policy = match thread.policy {
            Policy::RoundRobin => "rr".into(),
            Policy::Sporadic { low, budget, period, pending } if has_budgets => {
                format!("sporadic {low} {budget} {period} {pending}")
            }
            Policy::Fifo | Policy::Sporadic { .. } => "fifo".to_owned(),
        };
        if let Some(partition) = thread.partition.filter(|_| has_budgets) {
            line(format!("in {partition}"));
        }
        line(format!(
            "thread {policy} {}{}",
            thread.priority,
            steps(scenario, &thread.steps, None)
        ));
    }
    for server in &scenario.servers {
        let rule = if inherits(server.rule) { "inherit" } else { "fixed" };
        let Server { priority, threads, next, .. } = server;
        line(format!(
            "server {rule} {priority} {threads}{}",
            steps(scenario, &server.steps, *next)
        ));
    }
}

fn steps(scenario: &Scenario, steps: &[Step], next: Option<usize>) -> String {
    let mut text = String::new();
    for step in steps {
        let words = match *step {
            Step::Compute(time) => format!("compute {time}"),
            Step::SleepUntil(time) => format!("until {time}"),
            Step::Sleep(time) => format!("sleep {time}"),
            Step::Period(time) => format!("period {time}"),
            Step::Lock(mutex) => format!("lock {mutex}"),
            Step::LockWithin(mutex, time) => format!("lock_within {mutex} {time}"),
            Step::Unlock(mutex) => format!("unlock {mutex}"),
            Step::Send(server) => format!("send {server}"),
            Step::SendWithin(server, time) => format!("send_within {server} {time}"),
            Step::Next => match next {
                Some(server) => format!("send {server}"),
                None => continue,
            },
            Step::Reply => "reply".into(),
            Step::Wait(condition, mutex) => format!("wait {condition} {mutex}"),
            Step::Signal(condition) => format!("signal {condition}"),
            Step::Broadcast(condition) => format!("broadcast {condition}"),
            Step::Priority(thread, number) => format!("priority {thread} {number}"),
            Step::Kill(thread) => format!("kill {thread}"),
            Step::Mark(flag) => format!("mark {flag}"),
            Step::Check(flag) => format!("check {flag}"),
            Step::Read(file) => format!("read {}", scenario.files[file]),
            Step::Repeat(count) => format!("repeat {count}"),
            Step::End => "end".into(),
        };
        write!(text, "\n {words}").unwrap_or_default();
    }
    text
}
