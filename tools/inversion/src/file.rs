//! Scenario files: TOML in, [`Scenario`] out, or one sentence with file, line and what would be right.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use crate::scenario::{
    Compare, Measure, Mutex, Partition, Policy, Quantity, Resets, Rule, Scenario, Server, Step,
    Thread, Without,
};
use crate::steps::{self, Names, priority};
use crate::units::{sum, time};

type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    title: String,
    what: String,
    #[serde(default)]
    thread: Vec<RawThread>,
    #[serde(default)]
    server: Vec<RawServer>,
    #[serde(default)]
    mutex: Vec<RawMutex>,
    #[serde(default)]
    partition: Vec<RawPartition>,
    measure: RawMeasure,
    limit: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawThread {
    name: Text,
    priority: Spanned<i64>,
    policy: Option<Text>,
    cpu: Option<Spanned<i64>>,
    low: Option<Spanned<i64>>,
    budget: Option<Text>,
    period: Option<Text>,
    pending: Option<Spanned<i64>>,
    partition: Option<Text>,
    steps: Spanned<Vec<Text>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    name: Text,
    priority: Spanned<i64>,
    threads: Option<Spanned<i64>>,
    nested: Option<Spanned<i64>>,
    rule: Option<Text>,
    steps: Spanned<Vec<Text>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMutex {
    name: Text,
    protocol: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPartition {
    name: Text,
    percent: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMeasure {
    thread: Text,
    of: Option<Text>,
    bound: Text,
    why: String,
    without: Option<Text>,
    compare: Option<Text>,
    resets: Option<Text>,
}

/// What is wrong with a file, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for Mistake {}

/// A place in the text, and what is wrong there.
type Wrong = (Range<usize>, String);

fn at<T>(place: &Spanned<T>) -> impl FnOnce(String) -> Wrong + use<T> {
    let span = place.span();
    |what| (span, what)
}

/// Reads the text of a scenario file.
///
/// # Errors
/// The first mistake.
pub fn read(file: &str, text: &str) -> Result<Scenario, Mistake> {
    let stem = file.rsplit('/').next().unwrap_or(file);
    let name = stem.strip_suffix(".toml").unwrap_or(stem).replace(char::is_whitespace, "-");
    let raw: Result<RawFile, Wrong> = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        (span, error.message().trim().replace('\n', "; "))
    });
    raw.and_then(|raw| resolve(name, raw)).map_err(|(span, what)| {
        let before = text.get(..span.start.min(text.len())).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Mistake { file: file.to_owned(), line, what }
    })
}

fn resolve(name: String, raw: RawFile) -> Result<Scenario, Wrong> {
    let mut names = Names::default();
    for thread in &raw.thread {
        add(&mut names.threads, &thread.name, thread.name.get_ref().clone())?;
    }
    for server in &raw.server {
        for number in 1..=count(server.nested.as_ref(), 1..=64)? {
            let own = server.name.get_ref();
            let own = if server.nested.is_none() { own.clone() } else { format!("{own}{number}") };
            add(&mut names.servers, &server.name, own)?;
        }
    }
    for mutex in &raw.mutex {
        add(&mut names.mutexes, &mutex.name, mutex.name.get_ref().clone())?;
    }
    let mutexes = raw.mutex.iter().map(mutex).collect::<Result<_, _>>()?;
    let mut partitions = Vec::new();
    for own in &raw.partition {
        add(&mut names.partitions, &own.name, own.name.get_ref().clone())?;
        let percent = count(Some(&own.percent), 1..=90)? as u64;
        partitions.push(Partition { name: own.name.get_ref().clone(), percent });
        if partitions.len() > 6 || partitions.iter().map(|one| one.percent).sum::<u64>() > 90 {
            let what = "six partitions may have 90 percent together; System needs the rest";
            return Err(at(&own.percent)(what.into()));
        }
    }
    let threads = raw.thread.iter().map(|raw| thread(raw, &mut names)).collect::<Result<_, _>>()?;
    let mut servers = Vec::new();
    for raw in &raw.server {
        nest(raw, &mut names, &mut servers)?;
    }
    let measure = measure(&raw.measure, &names)?;
    let limit_ns = match &raw.limit {
        Some(limit) => time(limit.get_ref()).map_err(at(limit))?,
        None => 200_000_000,
    };
    let Names { conditions, flags, files, .. } = names;
    let RawFile { title, what, .. } = raw;
    Ok(Scenario {
        name,
        title,
        what,
        threads,
        servers,
        mutexes,
        partitions,
        conditions,
        flags,
        files,
        measure,
        limit_ns,
    })
}

fn add(names: &mut Vec<String>, place: &Text, name: String) -> Result<(), Wrong> {
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(at(place)(format!("`{name}` is no name; write one word, like H")));
    }
    if names.contains(&name) {
        return Err(at(place)(format!("`{name}` is there twice; give the second another name")));
    }
    names.push(name);
    Ok(())
}

fn count(
    number: Option<&Spanned<i64>>,
    range: std::ops::RangeInclusive<i64>,
) -> Result<usize, Wrong> {
    let Some(number) = number else { return Ok(1) };
    let value = *number.get_ref();
    if !range.contains(&value) {
        let (first, last) = (range.start(), range.end());
        return Err(at(number)(format!("{value} is not between {first} and {last}")));
    }
    Ok(value as usize)
}

/// One of a few words.
fn choice<T: Copy>(word: Option<&Text>, default: T, words: &[(&str, T)]) -> Result<T, Wrong> {
    let Some(word) = word else { return Ok(default) };
    let known = words.iter().find(|(known, _)| known == word.get_ref());
    known.map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<String> = words.iter().map(|(known, _)| format!("\"{known}\"")).collect();
        at(word)(format!("\"{}\" is not known here; write {}", word.get_ref(), all.join(" or ")))
    })
}

fn mutex(raw: &RawMutex) -> Result<Mutex, Wrong> {
    if let Some(protocol) = &raw.protocol
        && protocol.get_ref() == "protect"
    {
        let what = "the kernel has no priority ceilings for mutexes yet; write \"inherit\", or give a \
                    server a fixed priority as high as the ceiling";
        return Err(at(protocol)(what.into()));
    }
    let rules = [("inherit", Rule::AsTheRun), ("none", Rule::Never)];
    let rule = choice(raw.protocol.as_ref(), Rule::AsTheRun, &rules)?;
    Ok(Mutex { name: raw.name.get_ref().clone(), rule })
}

fn thread(raw: &RawThread, names: &mut Names) -> Result<Thread, Wrong> {
    if let Some(cpu) = &raw.cpu
        && *cpu.get_ref() != 0
    {
        return Err(at(cpu)("only one CPU is started; write cpu = 0 or leave it out".into()));
    }
    let policies =
        [("fifo", Policy::Fifo), ("rr", Policy::RoundRobin), ("sporadic", sporadic(raw)?)];
    let partition = raw.partition.as_ref().map(|own| {
        let known = names.partitions.iter().position(|name| name == own.get_ref());
        known.ok_or_else(|| at(own)(format!("there is no partition `{}`", own.get_ref())))
    });
    Ok(Thread {
        name: raw.name.get_ref().clone(),
        priority: priority(*raw.priority.get_ref()).map_err(at(&raw.priority))?,
        policy: choice(raw.policy.as_ref(), Policy::Fifo, &policies)?,
        partition: partition.transpose()?,
        steps: all_steps(&raw.steps, names, false)?,
    })
}

/// What a thread with the policy `sporadic` asks for; `fifo`, if it has another.
fn sporadic(raw: &RawThread) -> Result<Policy, Wrong> {
    let is_sporadic = raw.policy.as_ref().is_some_and(|policy| policy.get_ref() == "sporadic");
    let (Some(low), Some(budget), Some(period)) = (&raw.low, &raw.budget, &raw.period) else {
        let what = "a sporadic thread has low = 5, budget = \"2ms\" and period = \"10ms\", and perhaps \
                    pending = 4";
        return if is_sporadic { Err(at(&raw.name)(what.into())) } else { Ok(Policy::Fifo) };
    };
    let pending = match &raw.pending {
        None => 4,
        Some(pending) => count(Some(pending), 1..=16)? as u64,
    };
    if low.get_ref() >= raw.priority.get_ref() {
        return Err(at(low)("it is not below the thread's priority; write a lower one".into()));
    }
    let length = time(period.get_ref()).map_err(at(period))?;
    let amount = time(budget.get_ref()).map_err(at(budget))?;
    if amount == 0 || amount > length {
        return Err(at(budget)("it is nothing, or more than the period; write less".into()));
    }
    let low = priority(*low.get_ref()).map_err(at(low))?;
    Ok(Policy::Sporadic { low, budget: amount, period: length, pending })
}

fn nest(raw: &RawServer, names: &mut Names, servers: &mut Vec<Server>) -> Result<(), Wrong> {
    let nested = count(raw.nested.as_ref(), 1..=64)?;
    let rules = [("inherit", Rule::AsTheRun), ("fixed", Rule::Never)];
    let server = Server {
        name: String::new(),
        priority: priority(*raw.priority.get_ref()).map_err(at(&raw.priority))?,
        threads: count(raw.threads.as_ref(), 1..=16)?,
        rule: choice(raw.rule.as_ref(), Rule::AsTheRun, &rules)?,
        next: None,
        steps: all_steps(&raw.steps, names, true)?,
    };
    for number in 1..=nested {
        let own = servers.len();
        let next = (number < nested).then_some(own + 1);
        let name = names.servers[own].clone();
        servers.push(Server { name, next, ..server.clone() });
    }
    Ok(())
}

fn all_steps(
    raw: &Spanned<Vec<Text>>,
    names: &mut Names,
    is_server: bool,
) -> Result<Vec<Step>, Wrong> {
    let mut steps = Vec::new();
    for step in raw.get_ref() {
        steps.push(names.step(step.get_ref()).map_err(at(step))?);
    }
    steps::check(&steps, is_server, &names.mutexes).map_err(|(index, what)| {
        let span = raw.get_ref().get(index).map_or(raw.span(), Spanned::span);
        (span, what)
    })?;
    Ok(steps)
}

fn measure(raw: &RawMeasure, names: &Names) -> Result<Measure, Wrong> {
    let quantities = [("blocked", Quantity::Blocked), ("response", Quantity::Response)];
    let without = [("exceeds", Without::Exceeds), ("holds", Without::Holds)];
    let compares = [("inheritance", Compare::Inheritance), ("budgets", Compare::Budgets)];
    let resets = [("never", Resets::Never), ("without", Resets::Without)];
    Ok(Measure {
        thread: names.thread(raw.thread.get_ref()).map_err(at(&raw.thread))?,
        quantity: choice(raw.of.as_ref(), Quantity::Blocked, &quantities)?,
        bound_ns: sum(raw.bound.get_ref()).map_err(at(&raw.bound))?,
        bound: raw.bound.get_ref().clone(),
        why: raw.why.clone(),
        without: choice(raw.without.as_ref(), Without::Exceeds, &without)?,
        compare: choice(raw.compare.as_ref(), Compare::Inheritance, &compares)?,
        resets: choice(raw.resets.as_ref(), Resets::Never, &resets)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "title = \"t\"\nwhat = \"w\"\n[[mutex]]\nname = \"a\"\n[[thread]]\n\
        name = \"H\"\npriority = 30\nsteps = [\n\"lock a\",\n\"compute 1ms\",\n\"unlock a\"]\n\
        [[server]]\nname = \"S\"\npriority = 5\nnested = 2\nsteps = [\"next\", \"compute 1us\"]\n\
        [measure]\nthread = \"H\"\nbound = \"1ms\"\nwhy = \"so\"\n";

    fn mistake(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        read("dir/x.toml", &GOOD.replacen(from, to, 1)).unwrap_err().to_string()
    }

    #[test]
    fn a_good_file_is_read_with_its_nested_servers() {
        let scenario = read("dir/x.toml", GOOD).unwrap();
        assert_eq!(scenario.name, "x");
        assert_eq!(scenario.servers[0].next, Some(1));
        assert_eq!(scenario.servers[1].next, None);
        let lanes: Vec<String> = scenario.lanes().into_iter().map(|lane| lane.name).collect();
        assert_eq!(lanes, ["H", "S1", "S2"]);
    }

    #[test]
    fn every_mistake_is_one_sentence_with_file_line_and_what_would_be_right() {
        let cases = [
            ("\"lock a\"", "\"lock b\"", "x.toml:9: there is no mutex `b`; there is a"),
            ("\"lock a\"", "\"grab a\"", "x.toml:9: `grab` is no step; the steps are compute"),
            ("\"lock a\"", "\"lock\"", "x.toml:9: `lock` is not complete; write `lock MUTEX`"),
            ("1ms\",\n", "1\",\n", "x.toml:10: `1` is no time; write a number and ns, us, ms or s"),
            ("\"unlock a\"", "\"compute 1us\"", "x.toml:11: `a` stays locked; add `unlock a`"),
            (
                "\"lock a\"",
                "\"compute 1us\"",
                "x.toml:11: it does not hold `a`; write `lock a` before",
            ),
            ("\"lock a\"", "\"reply\"", "x.toml:9: only a server has a client"),
            ("\"lock a\"", "\"repeat 2\",\"lock a\"", "x.toml:11: a `repeat` has no `end`"),
            (
                "priority = 30",
                "priority = 300",
                "x.toml:7: the priority 300 is not between 1 and 60",
            ),
            ("priority = 30", "priority = \"x\"", "x.toml:7: invalid type"),
            ("priority = 30", "prority = 30", "x.toml:7: unknown field `prority`, expected one of"),
            ("name = \"a\"", "name = \"a\"\nprotocol = \"protect\"", "x.toml:5: the kernel has no"),
            ("name = \"a\"", "name = \"a\"\nprotocol = \"foo\"", "write \"inherit\" or \"none\""),
            (
                "name = \"H\"",
                "name = \"H\"\ncpu = 1",
                "x.toml:7: only one CPU is started; write cpu = 0",
            ),
            (
                "name = \"H\"",
                "name = \"H\"\npolicy = \"sporadic\"",
                "x.toml:6: a sporadic thread has low",
            ),
            (
                "name = \"H\"",
                "name = \"H\"\npartition = \"p\"",
                "x.toml:7: there is no partition `p`",
            ),
            ("nested = 2", "nested = 99", "x.toml:15: 99 is not between 1 and 64"),
            ("thread = \"H\"", "thread = \"L\"", "x.toml:18: there is no thread `L`; there is H"),
            ("bound = \"1ms\"", "bound = \"n * 1ms\"", "x.toml:19: `n` is no factor"),
            ("title = \"t\"", "title = t", "x.toml:1: "),
        ];
        for (from, to, expected) in cases {
            let said = mistake(from, to);
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
}
