//! Pictures: the timeline of a run, and the bars that hold what was measured against the bound.

use std::fmt::Write;

use crate::record::{Event, What};
use crate::scenario::{Lane, Scenario};
use crate::timeline::{Doing, Inversion, Span};
use crate::units::instructions;
use crate::verdict::{Outcome, Outcomes};

const WIDTH: f64 = 660.0;
const LABEL: f64 = 104.0;
const RIGHT: f64 = 8.0;
const AXIS: f64 = 34.0;
/// Room for one letter.
const LETTER: f64 = 6.3;

/// The styles that the pictures use; they go into each, so that each stands alone.
pub const STYLE: &str = "text{font:11px system-ui,'DejaVu Sans',sans-serif;fill:#1d2733}\
    .s{font-size:10px}.name{font-weight:600}.dim{fill:#6b7684}.w{fill:#fff;font-weight:600}\
    .run{fill:#3f7fbf}.up{fill:#7a3fb0}.ready{fill:url(#h);stroke:#b4bcc6;stroke-width:.6}\
    .wait{fill:#f7dfa3;stroke:#d9b65c;stroke-width:.6}.bad{fill:#d3202a}.alert{fill:#d3202a;font-weight:700}.own{fill:#2e9d57}.m{font-size:9px;fill:#217a43}\
    .base{stroke:#dfe4ea}.grid{stroke:#edf0f3}.mark{stroke:#d3202a;stroke-width:1.5;stroke-dasharray:4 3}\
    .bound{stroke:#1d2733;stroke-width:1.5}.good{fill:#2e9d57}";

const HATCH: &str = "<defs><pattern id=\"h\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" \
    patternTransform=\"rotate(45)\"><rect width=\"5\" height=\"5\" fill=\"#f2f4f6\"/>\
    <line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"5\" stroke=\"#b4bcc6\" stroke-width=\"1.6\"/></pattern></defs>";

/// Text as HTML and SVG want it.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Milliseconds.
fn ms(ns: u64) -> String {
    format!("{:.2} ms", ns as f64 / 1e6)
}

struct Drawing<'a> {
    scenario: &'a Scenario,
    outcome: &'a Outcome,
    lanes: Vec<Lane>,
    /// The row of each lane.
    rows: Vec<usize>,
    row: f64,
    end: u64,
    out: String,
}

/// The timeline of one run, on an axis that ends at `end`.
#[must_use]
pub fn timeline(scenario: &Scenario, outcome: &Outcome, end: u64) -> String {
    let lanes = scenario.lanes();
    // Threads by importance, then the servers in their order.
    let mut order: Vec<usize> = (0..lanes.len()).collect();
    order.sort_by_key(|lane| (lanes[*lane].server, std::cmp::Reverse(lanes[*lane].priority)));
    let mut rows = vec![0; lanes.len()];
    order.iter().enumerate().for_each(|(row, lane)| rows[*lane] = row);
    let row = if lanes.len() > 12 { 15.0 } else { 30.0 };
    let mut drawing =
        Drawing { scenario, outcome, lanes, rows, row, end: end.max(1), out: String::new() };
    drawing.all();
    drawing.out
}

impl Drawing<'_> {
    fn x(&self, time: u64) -> f64 {
        LABEL + time as f64 / self.end as f64 * (WIDTH - LABEL - RIGHT)
    }

    fn y(&self, lane: usize) -> f64 {
        4.0 + self.rows[lane] as f64 * self.row
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn all(&mut self) {
        let height = 4.0 + self.lanes.len() as f64 * self.row + AXIS;
        write!(
            self.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
             role=\"img\"><style>{STYLE}</style>{HATCH}"
        )
        .unwrap_or_default();
        self.axis(height);
        for lane in 0..self.lanes.len() {
            self.label(lane);
        }
        let outcome = self.outcome;
        for span in &outcome.timeline.spans {
            self.span(span);
        }
        for inversion in &outcome.timeline.inversions {
            self.inversion(inversion);
        }
        for hold in &outcome.timeline.holders.mutexes {
            self.hold(hold.lane, hold.what, (hold.from, hold.to));
        }
        for event in &outcome.run.events {
            self.event(event, height);
        }
        self.put("</svg>");
    }

    /// Lines at round milliseconds.
    fn axis(&mut self, height: f64) {
        let bottom = height - AXIS + 2.0;
        let wanted = self.end as f64 / 7.0;
        let steps = [1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7];
        let step = steps.into_iter().find(|step| *step >= wanted).unwrap_or(1e8) as u64;
        let mut time = 0;
        while time <= self.end {
            let x = self.x(time);
            let text = time as f64 / 1e6;
            write!(
                self.out,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"2\" x2=\"{x:.1}\" y2=\"{bottom:.0}\"/>\
                 <text class=\"s dim\" x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{text}</text>",
                bottom + 12.0
            )
            .unwrap_or_default();
            time += step;
        }
        write!(
            self.out,
            "<text class=\"s dim\" x=\"{LABEL}\" y=\"{:.0}\">milliseconds = millions of instructions</text>",
            bottom + 26.0
        )
        .unwrap_or_default();
    }

    fn label(&mut self, lane: usize) {
        let y = self.y(lane) + self.row / 2.0;
        let Lane { name, priority, server } = &self.lanes[lane];
        let kind = if server.is_some() { "server" } else { "priority" };
        write!(
            self.out,
            "<line class=\"base\" x1=\"{LABEL}\" y1=\"{y:.1}\" x2=\"{:.0}\" y2=\"{y:.1}\"/>\
             <text x=\"4\" y=\"{:.1}\"><tspan class=\"name\">{}</tspan> \
             <tspan class=\"s dim\">{kind} {priority}</tspan></text>",
            WIDTH - RIGHT,
            y + 4.0,
            escape(name)
        )
        .unwrap_or_default();
    }

    /// A bar with a tip, and the longest of its labels that fits.
    fn bar(&mut self, lane: usize, (from, to): (u64, u64), class: &str, words: (&str, &[&str])) {
        let (x, end) = (self.x(from), self.x(to));
        if end - x < if class == "ready" { 1.0 } else { 0.3 } {
            return;
        }
        let (y, width) = (self.y(lane) + 3.0, (end - x).max(0.7));
        let height = self.row - if self.row > 20.0 { 11.0 } else { 5.0 };
        let (title, labels) = words;
        let name = &self.lanes[lane].name;
        write!(
            self.out,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.0}\">\
             <title>{} {}, {} to {} ({} instructions)</title></rect>",
            escape(name),
            escape(title),
            ms(from),
            ms(to),
            instructions(to - from)
        )
        .unwrap_or_default();
        let is_dark = matches!(class, "run" | "up" | "bad");
        let fits = |label: &&&str| label.chars().count() as f64 * LETTER + 6.0 < width;
        let label = labels.iter().find(fits).filter(|_| height > 12.0);
        if let Some(label) = label {
            let class = if is_dark { "s w" } else { "s" };
            write!(
                self.out,
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" \
                 pointer-events=\"none\">{}</text>",
                x + width / 2.0,
                y + height / 2.0 + 3.5,
                escape(label)
            )
            .unwrap_or_default();
        }
    }

    fn span(&mut self, span: &Span) {
        let Span { from, to, lane, doing } = *span;
        let own = self.lanes[lane].priority;
        let when = (from, to);
        let mutex = |index: usize| self.scenario.mutexes[index].name.clone();
        let server = |index: usize| {
            let server = self.scenario.servers.get(index);
            server.map_or("files".to_owned(), |server| server.name.clone())
        };
        match doing {
            Doing::Runs(priority) if priority == own => {
                self.bar(lane, when, "run", (&format!("runs at its own priority {own}"), &[]));
            }
            Doing::Runs(priority) => {
                let title = format!("runs at {priority} instead of its own {own}");
                self.bar(
                    lane,
                    when,
                    "up",
                    (&title, &[&format!("at {priority}"), &format!("{priority}")]),
                );
            }
            Doing::Ready => {
                self.bar(lane, when, "ready", ("is ready and waits for the CPU", &["ready"]))
            }
            Doing::Mutex(index) => {
                let name = mutex(index);
                let title = format!("waits for mutex {name}");
                self.bar(lane, when, "wait", (&title, &[&format!("waits for {name}"), &name]));
            }
            Doing::Send(index) => {
                let name = server(index);
                let title = format!("has sent to {name}, which has not received it");
                self.bar(lane, when, "wait", (&title, &[&format!("sent to {name}"), &name]));
            }
            Doing::Reply(index) => {
                let name = server(index);
                let title = format!("waits for the answer of {name}");
                self.bar(lane, when, "wait", (&title, &[&format!("served by {name}"), &name]));
            }
            Doing::Rests => {}
        }
    }

    fn inversion(&mut self, inversion: &Inversion) {
        let Inversion { from, to, lane, by } = *inversion;
        let name = self.lanes[by].name.clone();
        let title =
            format!("waits while {name} runs, which works for nobody as important: inversion");
        let label = format!("inversion: {name} runs");
        let short = format!("{name} runs");
        self.bar(lane, (from, to), "bad", (&title, &[&label, &short, &name]));
    }

    /// A strip below the bar for as long as a mutex is held.
    fn hold(&mut self, lane: usize, mutex: usize, (from, to): (u64, u64)) {
        let (x, end) = (self.x(from), self.x(to));
        let offset = if self.row > 20.0 { 7.0 } else { 2.0 };
        // Two mutexes of one lane lie side by side.
        let y = self.y(lane) + self.row - offset + if mutex.is_multiple_of(2) { 0.0 } else { 3.5 };
        let name = escape(&self.scenario.mutexes[mutex].name);
        let (width, owner) = ((end - x).max(0.7), escape(&self.lanes[lane].name));
        write!(
            self.out,
            "<rect class=\"own\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"2.5\">\
             <title>{owner} holds mutex {name}, {} to {}</title></rect>",
            ms(from),
            ms(to)
        )
        .unwrap_or_default();
        if self.row > 20.0 && width > 4.0 {
            let (x, y) = (x - 2.0 - if mutex.is_multiple_of(2) { 0.0 } else { 7.0 }, y + 4.0);
            write!(
                self.out,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\" class=\"m\">{name}</text>"
            )
            .unwrap_or_default();
        }
    }

    fn event(&mut self, event: &Event, height: f64) {
        let x = self.x(event.time);
        let y = self.y(event.lane) + self.row / 2.0;
        if event.time <= self.end && event.what == What::Reset {
            write!(
                self.out,
                "<line class=\"mark\" x1=\"{x:.1}\" y1=\"2\" x2=\"{x:.1}\" y2=\"{:.0}\"/>\
                 <text class=\"s alert\" x=\"{:.1}\" y=\"14\">reset by the watchdog</text>",
                height - AXIS,
                x + 4.0
            )
            .unwrap_or_default();
        }
        if event.time <= self.end && event.what == What::Killed {
            write!(
                self.out,
                "<text class=\"alert\" x=\"{:.1}\" y=\"{:.1}\">✕ ended</text>",
                x + 2.0,
                y + 3.0
            )
            .unwrap_or_default();
        }
    }
}

/// Both measured times beside the bound.
#[must_use]
pub fn bars(outcomes: &Outcomes) -> String {
    let Outcomes { scenario, off, on } = outcomes;
    let bound = scenario.measure.bound_ns;
    let most = bound.max(off.measured_ns).max(on.measured_ns).max(1) as f64;
    let x = |ns: u64| 120.0 + ns as f64 / most * 400.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} 62\" class=\"bars\" role=\"img\">\
         <style>{STYLE}</style>",
        WIDTH + 40.0
    );
    let differs = scenario.measure.compare.word();
    for (row, outcome) in [off, on].into_iter().enumerate() {
        let mode = outcome.mode.word();
        let y = 4.0 + row as f64 * 22.0;
        let class = if outcome.measured_ns > bound { "bad" } else { "good" };
        write!(
            out,
            "<text x=\"4\" y=\"{:.0}\">{differs} {mode}</text><rect class=\"{class}\" x=\"120\" y=\"{y:.0}\" \
             width=\"{:.1}\" height=\"16\"/><text class=\"s\" x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            y + 12.0,
            (x(outcome.measured_ns) - 120.0).max(1.0),
            x(outcome.measured_ns).max(x(bound)) + 6.0,
            y + 12.0,
            instructions(outcome.measured_ns)
        )
        .unwrap_or_default();
    }
    let at = x(bound);
    write!(
        out,
        "<line class=\"bound\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"48\"/>\
         <text class=\"s\" x=\"{at:.1}\" y=\"59\" text-anchor=\"middle\">bound {}</text></svg>",
        instructions(bound)
    )
    .unwrap_or_default();
    out
}
