//! A trace as Perfetto and `chrome://tracing` open it: Chrome's JSON format of trace events.
//!
//! One track for each thread, grouped by process. On it, slices for its states one behind the other,
//! and in RUNNING the kernel calls that return at once; a call that waits is told by the state that it
//! waits in. Arrows (flows) lead from a client that sends to the server when it runs with the
//! message, and from the answer back to the client. Times are microseconds.

use std::collections::BTreeMap;

use native_tools::trace::{Names, call};
use neutrino_abi::info::state;
use neutrino_abi::trace::{Kind, Record, unpack};
use serde_json::{Value, json};

use super::kind;

/// The "process" whose threads are the CPUs' interrupts; no pid is so high.
const INTERRUPTS: u32 = 1 << 30;

/// A state that a thread is in.
struct Open {
    since: u64,
    name: &'static str,
    on: u64,
    priority: u32,
}

/// A message or an answer on its way.
struct Flow {
    id: u64,
    name: String,
    from: (u32, u64),
}

/// What one thread is about.
#[derive(Default)]
struct Track {
    open: Option<Open>,
    /// The call that it has entered: number, time, arguments.
    call: Option<(u16, u64, u64, u64)>,
    /// What reaches it when it runs.
    coming: Vec<Flow>,
    /// What it has sent.
    sent: Option<Flow>,
}

#[derive(Default)]
struct Writer {
    names: Names,
    tracks: BTreeMap<u32, Track>,
    events: Vec<Value>,
    flows: u64,
}

/// The whole file.
pub(super) fn events(records: &[Record]) -> Value {
    let mut writer = Writer::default();
    for record in records {
        writer.names.learn(record);
        writer.add(record);
    }
    let end = records.last().map_or(0, |record| record.time);
    let tids: Vec<u32> = writer.tracks.keys().copied().collect();
    for tid in tids {
        writer.close(tid, end);
    }
    writer.name_tracks();
    json!({ "displayTimeUnit": "ns", "traceEvents": writer.events })
}

/// Nanoseconds as the format has them. Perfetto multiplies by 1000 and cuts off what is behind the
/// point: without the quarter some would lose a nanosecond, and a slice would reach into the next.
fn micros(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 + 0.25) / 1000.0
}

impl Writer {
    fn add(&mut self, record: &Record) {
        let Record { time, tid, detail, first, second, .. } = *record;
        match kind(record) {
            Kind::State => self.state(record),
            Kind::CallEnter => self.track(tid).call = Some((detail, time, first, second)),
            Kind::CallExit => self.call(record),
            Kind::Send => {
                let name = io_msg::kind::name(detail).to_owned();
                let flow = self.flow(name, tid, time);
                self.track(tid).sent = Some(flow);
            }
            Kind::Receive => {
                let client = unpack(second).0;
                if let Some(flow) = self.track(client).sent.take() {
                    self.deliver(flow, tid, time);
                }
            }
            Kind::Reply | Kind::Error => {
                let client = unpack(second).0;
                let flow = self.flow(kind(record).name().to_owned(), tid, time);
                self.deliver(flow, client, time);
            }
            Kind::Priority => {
                let name = format!("PRIORITY {first} to {detail}");
                self.instant(tid, time, &name, &json!({ "own": second }));
            }
            Kind::Pulse | Kind::PulseReceive | Kind::User if tid != 0 => {
                let name = format!("{} {detail}", kind(record).name());
                self.instant(tid, time, &name, &json!({ "first": first, "second": second }));
            }
            Kind::Fault => {
                let arguments = json!({ "address": format!("{first:#x}"), "error": second });
                self.instant(tid, time, &format!("FAULT {detail}"), &arguments);
            }
            Kind::Interrupt | Kind::Timer | Kind::Reschedule => {
                let mut name = kind(record).name().to_owned();
                if kind(record) == Kind::Interrupt {
                    name += &format!(" {detail}");
                }
                self.events.push(json!({
                    "ph": "i", "s": "t", "name": name, "cat": "interrupt",
                    "pid": INTERRUPTS, "tid": record.cpu, "ts": micros(time),
                }));
            }
            Kind::ThreadEnd => self.close(tid, time),
            Kind::ThreadCreate => {
                self.track(tid);
            }
            Kind::Start
            | Kind::Stop
            | Kind::Lost
            | Kind::ProcessCreate
            | Kind::ProcessName
            | Kind::ProcessEnd
            | Kind::ThreadName
            | Kind::Pulse
            | Kind::PulseReceive
            | Kind::User => {}
        }
    }

    fn track(&mut self, tid: u32) -> &mut Track {
        self.tracks.entry(tid).or_default()
    }

    /// Another state begins, and what waited for the thread to run has reached it.
    fn state(&mut self, record: &Record) {
        let Record { time, tid, detail, first, second, .. } = *record;
        let number = u32::from(detail);
        let (priority, _) = unpack(second);
        self.close(tid, time);
        let (since, name, on) = (time, state::name(number), first);
        self.track(tid).open = Some(Open { since, name, on, priority });
        if number == state::RUNNING {
            for flow in std::mem::take(&mut self.track(tid).coming) {
                self.arrow(&flow, tid, time);
            }
        }
    }

    /// Writes the state that a thread leaves; one that lasted no time is left out.
    fn close(&mut self, tid: u32, time: u64) {
        let Some(Open { since, name, on, priority }) = self.track(tid).open.take() else { return };
        if time == since {
            return;
        }
        let mut arguments = json!({ "priority": priority });
        let waits = match name {
            "SEND" | "REPLY" => {
                let (pid, chid) = unpack(on);
                format!("{}[{pid}] chid {chid}", self.names.process(pid))
            }
            "RECEIVE" => format!("chid {on}"),
            "MUTEX" => format!("owner {on}"),
            _ => String::new(),
        };
        if !waits.is_empty() {
            arguments["on"] = waits.into();
        }
        if name != "RUNNING"
            && let Some((number, ..)) = self.track(tid).call
        {
            arguments["call"] = call(number).into();
        }
        self.slice(tid, (since, time), name, "state", &arguments);
    }

    /// A call ends; one that waited is told by its states.
    fn call(&mut self, record: &Record) {
        let Record { time, tid, detail, first, .. } = *record;
        let Some((number, since, a, b)) = self.track(tid).call.take() else { return };
        let runs = self
            .track(tid)
            .open
            .as_ref()
            .is_some_and(|open| open.name == "RUNNING" && open.since <= since);
        if detail == number && runs && time > since {
            let arguments = json!({
                "first": format!("{a:#x}"), "second": format!("{b:#x}"),
                "result": first.cast_signed(),
            });
            self.slice(tid, (since, time), &call(number), "call", &arguments);
        }
    }

    fn slice(&mut self, tid: u32, (since, time): (u64, u64), name: &str, cat: &str, args: &Value) {
        self.events.push(json!({
            "ph": "X", "name": name, "cat": cat, "pid": self.names.owner(tid), "tid": tid,
            "ts": micros(since), "dur": micros(time - since), "args": args,
        }));
    }

    fn instant(&mut self, tid: u32, time: u64, name: &str, args: &Value) {
        self.events.push(json!({
            "ph": "i", "s": "t", "name": name, "cat": "event", "pid": self.names.owner(tid),
            "tid": tid, "ts": micros(time), "args": args,
        }));
    }

    /// An arrow begins in the last nanosecond of the slice that the thread is about to leave.
    fn flow(&mut self, name: String, tid: u32, time: u64) -> Flow {
        self.flows += 1;
        let since = self.track(tid).open.as_ref().map_or(0, |open| open.since);
        Flow { id: self.flows, name, from: (tid, since.max(time.saturating_sub(1))) }
    }

    /// It reaches a thread, at once if that runs.
    fn deliver(&mut self, flow: Flow, tid: u32, time: u64) {
        let runs = self.track(tid).open.as_ref().is_some_and(|open| open.name == "RUNNING");
        if runs {
            self.arrow(&flow, tid, time.saturating_sub(1).max(flow.from.1));
        } else {
            self.track(tid).coming.push(flow);
        }
    }

    /// Both ends of an arrow; one without an end is never written.
    fn arrow(&mut self, flow: &Flow, to: u32, time: u64) {
        let (from, since) = flow.from;
        for (ph, tid, at) in [("s", from, since), ("f", to, time)] {
            let mut event = json!({
                "ph": ph, "id": flow.id, "name": flow.name, "cat": "message",
                "pid": self.names.owner(tid), "tid": tid, "ts": micros(at),
            });
            if ph == "f" {
                event["bp"] = "e".into();
            }
            self.events.push(event);
        }
    }

    /// Says what the tracks are called.
    fn name_tracks(&mut self) {
        let mut named = Vec::new();
        let mut name = |what: &str, pid: u32, tid: u32, name: &str| {
            named.push(json!({
                "ph": "M", "name": what, "pid": pid, "tid": tid, "args": { "name": name },
            }));
        };
        let mut last = None;
        let mut threads: Vec<(u32, u32)> =
            self.tracks.keys().map(|&tid| (self.names.owner(tid), tid)).collect();
        threads.sort_unstable();
        for (pid, tid) in threads {
            if last.replace(pid) != Some(pid) {
                name("process_name", pid, pid, self.names.process(pid));
            }
            name("thread_name", pid, tid, &self.names.thread(tid));
        }
        name("process_name", INTERRUPTS, 0, "interrupts");
        named.append(&mut self.events);
        self.events = named;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::trace::tests::exchange;

    fn written() -> Vec<Value> {
        let text = serde_json::to_string(&events(&exchange())).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        file["traceEvents"].as_array().unwrap().clone()
    }

    fn of<'a>(events: &'a [Value], ph: &str) -> Vec<&'a Value> {
        events.iter().filter(|event| event["ph"] == ph).collect()
    }

    #[test]
    fn every_event_has_what_the_format_asks_for() {
        for event in written() {
            let keys: &[&str] = match event["ph"].as_str().unwrap() {
                "M" => &["name", "pid", "tid", "args"],
                "X" => &["name", "cat", "pid", "tid", "ts", "dur"],
                "i" => &["name", "cat", "pid", "tid", "ts", "s"],
                "s" => &["name", "cat", "pid", "tid", "ts", "id"],
                "f" => &["name", "cat", "pid", "tid", "ts", "id", "bp"],
                other => panic!("ph {other}"),
            };
            assert!(keys.iter().all(|key| !event[key].is_null()), "{event}");
        }
    }

    #[test]
    fn perfetto_reads_every_nanosecond_as_it_was() {
        for nanoseconds in (0..1_000_000_u64).step_by(7).chain(10_000_000_000..10_000_010_000) {
            let text = serde_json::to_string(&micros(nanoseconds)).unwrap();
            let read: f64 = text.parse().unwrap();
            assert_eq!((read * 1000.0).trunc().to_bits(), (nanoseconds as f64).to_bits());
        }
    }

    #[test]
    fn tracks_have_the_names_of_processes_and_threads() {
        let events = written();
        let name = |what: &str, pid: u32| {
            let event = of(&events, "M")
                .into_iter()
                .find(|event| event["name"] == what && event["pid"] == pid)
                .unwrap();
            event["args"]["name"].clone()
        };
        assert_eq!(name("process_name", 9), "cat");
        assert_eq!(name("thread_name", 5), "fs-boot[5]");
    }

    #[test]
    fn arrows_lead_from_running_slices_to_running_slices_in_pairs() {
        let events = written();
        let (starts, ends) = (of(&events, "s"), of(&events, "f"));
        let key = |event: &Value| (event["id"].clone(), event["name"].clone());
        let (from, to): (Vec<_>, Vec<_>) = (
            starts.iter().map(|event| key(event)).collect(),
            ends.iter().map(|event| key(event)).collect(),
        );
        // The last message is never received: it has no arrow.
        assert_eq!(from, [(1.into(), "IO_READ".into()), (2.into(), "REPLY".into())]);
        assert_eq!(from, to);
        for event in starts.into_iter().chain(ends) {
            let at = event["ts"].as_f64().unwrap();
            let encloses = |slice: &&Value| {
                let ts = slice["ts"].as_f64().unwrap();
                slice["name"] == "RUNNING"
                    && slice["tid"] == event["tid"]
                    && (ts..ts + slice["dur"].as_f64().unwrap()).contains(&at)
            };
            assert!(of(&events, "X").iter().any(encloses), "{event}");
        }
    }

    #[test]
    fn slices_of_one_track_follow_or_enclose_each_other() {
        let events = written();
        let mut tracks = BTreeMap::<u64, Vec<(f64, f64)>>::new();
        for slice in of(&events, "X") {
            let nanos = |key: &str| (slice[key].as_f64().unwrap() * 1000.0).trunc();
            let span = (nanos("ts"), nanos("ts") + nanos("dur"));
            tracks.entry(slice["tid"].as_u64().unwrap()).or_default().push(span);
        }
        for spans in tracks.values() {
            for (at, a) in spans.iter().enumerate() {
                for b in &spans[at + 1..] {
                    let apart = a.1 <= b.0 || b.1 <= a.0;
                    let nested = (a.0 <= b.0 && b.1 <= a.1) || (b.0 <= a.0 && a.1 <= b.1);
                    assert!(apart || nested, "{a:?} {b:?}");
                }
            }
        }
        let calls = of(&events, "X").into_iter().filter(|slice| slice["cat"] == "call").count();
        assert_eq!(calls, 1, "the call that returns at once");
    }
}
