//! The report: one HTML page without scripts, and the same figures as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::scenario::{Quantity, Scenario};
use crate::svg::{self, escape};
use crate::units::instructions;
use crate::verdict::{Outcome, Outcomes};

const STYLE: &str = "body{font:15px/1.5 system-ui,'DejaVu Sans',sans-serif;color:#1d2733;margin:0 auto;\
    max-width:1420px;padding:24px}h1{font-size:26px;margin:0 0 8px}h2{font-size:19px;margin:44px 0 6px}\
    p{max-width:900px;margin:6px 0}.pair{display:flex;flex-wrap:wrap;gap:18px;margin:12px 0}\
    figure{margin:0;flex:1 1 640px;border:1px solid #dfe4ea;border-radius:6px;padding:10px;background:#fff}\
    figcaption{font-weight:600;margin-bottom:6px}.bars{max-width:760px;display:block;margin:6px 0}\
    table{border-collapse:collapse;margin:16px 0;font-size:14px}td,th{padding:5px 12px;text-align:right;\
    border-bottom:1px solid #e6eaee}td:first-child,th:first-child{text-align:left}th{color:#6b7684;\
    font-weight:600}.bad{color:#d3202a;font-weight:600}.good{color:#217a43;font-weight:600}\
    .key{display:flex;flex-wrap:wrap;gap:6px 20px;font-size:13.5px;margin:14px 0}.key>span{display:flex;\
    align-items:center;gap:7px}.key i{display:inline-block;width:30px;height:14px;border-radius:2px}\
    a{color:#2b66a3;text-decoration:none}.dim{color:#6b7684}";

const INTRODUCTION: &str = "<p><b>Priority inversion</b>: somebody important waits, and the CPU works \
    for somebody less important. That it waits while the owner of a mutex finishes, or while a server \
    answers, cannot be helped, and is as short as they make it; that a third one, who has nothing to \
    do with it, keeps <i>them</i> from running is the inversion, and it lasts as long as the third one \
    likes. <b>Priority inheritance</b> ends it: whoever holds a mutex, or serves a client, runs at the \
    priority of the most important one who waits for that.</p>\
    <p>Every scenario ran twice on the booted system: once without inheritance (plain locks, channels of \
    fixed priority) and once with it; those of budgets once without sporadic threads and partitions and once with them. Time is counted in executed instructions; one takes a nanosecond. \
    A bigger number is a higher priority. Point at a bar to read what it is.</p>";

const KEY: [(&str, &str); 6] = [
    ("background:#3f7fbf", "runs at its own priority"),
    ("background:#7a3fb0", "runs at another one: inherited, or a client's"),
    (
        "background:repeating-linear-gradient(45deg,#f2f4f6 0 3px,#b4bcc6 3px 5px)",
        "ready, waits for the CPU",
    ),
    ("background:#f7dfa3", "blocked, and the CPU works for it or for somebody more important"),
    (
        "background:#d3202a",
        "<b>inversion</b>: waits, and the CPU works for somebody less important",
    ),
    ("background:#2e9d57;height:4px", "holds a mutex"),
];

/// The page.
#[must_use]
pub fn page(all: &[Outcomes]) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Priority inversion</title>\
         <style>{STYLE}</style><h1>Priority inversion, {} scenarios</h1>{INTRODUCTION}",
        all.len()
    );
    out.push_str("<div class=\"key\">");
    for (style, words) in KEY {
        write!(out, "<span><i style=\"{style}\"></i><span>{words}</span></span>")
            .unwrap_or_default();
    }
    out.push_str("</div>");
    table(&mut out, all);
    for outcomes in all {
        section(&mut out, outcomes);
    }
    out.push_str("</html>\n");
    out
}

fn table(out: &mut String, all: &[Outcomes]) {
    out.push_str(
        "<table><tr><th>scenario<th>measured<th>off<th>on<th>bound\
         <th>inverted, off<th>inverted, on<th>as expected",
    );
    for outcomes in all {
        let Outcomes { scenario, off, on } = outcomes;
        let bound = scenario.measure.bound_ns;
        let cell = |outcome: &Outcome| {
            let class = if outcome.measured_ns > bound { "bad" } else { "good" };
            format!("<td class=\"{class}\">{}", instructions(outcome.measured_ns))
        };
        let inverted = |outcome: &Outcome| instructions(outcome.inverted_ns);
        let verdict = if outcomes.complaints().is_empty() { "yes" } else { "<b class=bad>no</b>" };
        write!(
            out,
            "<tr><td><a href=\"#{0}\">{1}</a><td>{2}{3}{4}<td>{5}<td>{6}<td>{7}<td>{verdict}",
            escape(&scenario.name),
            escape(&scenario.title),
            quantity(scenario),
            cell(off),
            cell(on),
            instructions(bound),
            inverted(off),
            inverted(on)
        )
        .unwrap_or_default();
    }
    out.push_str("</table>");
}

fn quantity(scenario: &Scenario) -> String {
    let name = escape(&scenario.threads[scenario.measure.thread].name);
    match scenario.measure.quantity {
        Quantity::Blocked => format!("{name} is blocked"),
        Quantity::Response => format!("{name} takes"),
    }
}

fn section(out: &mut String, outcomes: &Outcomes) {
    let Outcomes { scenario, off, on } = outcomes;
    write!(
        out,
        "<h2 id=\"{}\">{}</h2><p>{}</p>",
        escape(&scenario.name),
        escape(&scenario.title),
        escape(&scenario.what)
    )
    .unwrap_or_default();
    let end = off.timeline.end.max(on.timeline.end);
    out.push_str("<div class=\"pair\">");
    let compared = scenario.measure.compare.word();
    for outcome in [off, on] {
        let mode = outcome.mode.word();
        write!(
            out,
            "<figure><figcaption>{compared} {mode}: {}</figcaption>{}</figure>",
            sentence(scenario, outcome),
            svg::timeline(scenario, outcome, end)
        )
        .unwrap_or_default();
    }
    write!(
        out,
        "</div>{}<p class=\"dim\">The bound is {} = {} instructions: {}</p>",
        svg::bars(outcomes),
        escape(&scenario.measure.bound),
        instructions(scenario.measure.bound_ns),
        escape(&scenario.measure.why)
    )
    .unwrap_or_default();
    for complaint in outcomes.complaints() {
        write!(out, "<p class=\"bad\">Not as expected: {}</p>", escape(&complaint))
            .unwrap_or_default();
    }
}

fn sentence(scenario: &Scenario, outcome: &Outcome) -> String {
    let is_over = outcome.measured_ns > scenario.measure.bound_ns;
    let (class, verdict) =
        if is_over { ("bad", "over the bound") } else { ("good", "within the bound") };
    let took = instructions(outcome.measured_ns);
    let reset = if outcome.resets > 0 { "; the watchdog resets the system" } else { "" };
    format!("{} {took}, <span class=\"{class}\">{verdict}{reset}</span>", quantity(scenario))
}

/// The figures.
#[must_use]
pub fn json(all: &[Outcomes]) -> Value {
    let rows = all.iter().map(|outcomes| {
        let Outcomes { scenario, off, on } = outcomes;
        json!({
            "scenario": scenario.name,
            "thread": scenario.threads[scenario.measure.thread].name,
            "quantity": match scenario.measure.quantity {
                Quantity::Blocked => "blocked",
                Quantity::Response => "response",
            },
            "unit": "instructions",
            "compared": scenario.measure.compare.word(),
            "bound": scenario.measure.bound_ns,
            "off": figures(off),
            "on": figures(on),
            "complaints": outcomes.complaints(),
        })
    });
    json!({ "command": "cargo xtask inversion", "scenarios": rows.collect::<Vec<_>>() })
}

fn figures(outcome: &Outcome) -> Value {
    json!({
        "mode": outcome.mode.word(),
        "measured": outcome.measured_ns,
        "inverted": outcome.inverted_ns,
        "resets": outcome.resets,
        "monitor": outcome.run.inversions,
    })
}
