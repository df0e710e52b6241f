//! `cargo xtask bench`: measurements in instructions, the same on every machine.
//!
//! Under `--icount` a nanosecond of the guest is an instruction, so a figure is a count. The whole command
//! also runs Linux and Linux PREEMPT_RT in the same emulator; a single suite is compared with what they reached when
//! `tests/bench/peers.toml` was written. Results go to `target/bench`; `--record` puts them into the
//! repository: tables and plots for `docs/benchmarks.md`, and the ledger.

mod ledger;
mod linux;
mod plot;
mod record;
mod suite;
mod table;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};

use self::ledger::Ledger;
use self::record::{Record, Summary};
pub(crate) use self::suite::Suite;
use crate::cli::BenchOptions;
use crate::workspace::{Workspace, write_file};

/// Linux needs 1,670 million instructions to its init; this is the promise to stay well below.
const BOOT_BUDGET: f64 = 600_000_000.0;

/// Measures what is asked for, and prints tables.
///
/// # Errors
/// When the system cannot be built or booted, says nonsense, or Linux cannot be had.
pub(crate) fn command(workspace: &Workspace, options: &BenchOptions) -> Result<ExitCode> {
    let mut peers = record::recorded_peers(workspace)?;
    let suites = options.suite.map_or_else(|| Suite::ALL.to_vec(), |suite| vec![suite]);
    let commit = options.record.then(|| ledger::commit(&workspace.root)).transpose()?;
    if options.suite.is_none() && !options.no_linux {
        linux::measure(workspace, &mut peers)?;
    }
    let mut results = Vec::new();
    for suite in suites {
        results.push((suite, suite::measure(workspace, suite, &peers)?));
    }
    for (suite, records) in &results {
        print!("{}", section(*suite, records));
    }
    let mut ledger = Ledger::open(workspace)?;
    if let Some(commit) = commit {
        for (_, records) in &results {
            ledger.add(&commit, records);
        }
        record_in_docs(workspace, &results)?;
        eprintln!("ledger: {}", ledger.save(workspace)?.display());
    }
    let plots = plots(&results, &ledger)?;
    let page = page(&results, &plots);
    let path = suite::folder(workspace)?.join("index.html");
    write_file(&path, page.as_bytes())?;
    if options.record {
        for (name, svg) in &plots {
            write_file(&workspace.root.join(format!("docs/bench/{name}.svg")), svg.as_bytes())?;
        }
    }
    eprintln!("page: {}", path.display());
    Ok(verdict(&results))
}

/// Only the budget of boot can fail: the rest are figures.
fn verdict(results: &[(Suite, Vec<Record>)]) -> ExitCode {
    let mut boots = results.iter().filter(|(suite, _)| *suite == Suite::Boot);
    let is_late = |record: &Record| record.value.is_some_and(|value| value > BOOT_BUDGET);
    if boots.any(|(_, records)| records.iter().any(is_late)) {
        eprintln!("boot takes more than its budget of {BOOT_BUDGET} instructions");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A suite's table and what it sums up to.
fn section(suite: Suite, records: &[Record]) -> String {
    let mut text = table::markdown(records);
    if let Some(Summary { mean, reached, all }) = record::summary(records)
        && suite == Suite::Posix
    {
        text += &format!(
            "\nGeometric mean of the ratios to Linux: {mean:.2}; {reached} of {all} rows are at or below 1.\n"
        );
    }
    text
}

/// Puts the tables in their places in `docs/benchmarks.md`.
fn record_in_docs(workspace: &Workspace, results: &[(Suite, Vec<Record>)]) -> Result<()> {
    let path = workspace.root.join("docs/benchmarks.md");
    let mut page =
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    for (suite, records) in results {
        let name = format!("bench {}", suite.name());
        page = table::replace(&page, &name, &section(*suite, records)).with_context(|| {
            format!(
                "{} has no marks `<!-- {name} -->` and `<!-- end of {name} -->`",
                path.display()
            )
        })?;
    }
    write_file(&path, page.as_bytes())
}

/// The names of the plots' files, and the plots.
fn plots(results: &[(Suite, Vec<Record>)], ledger: &Ledger) -> Result<Vec<(&'static str, String)>> {
    let mut plots = Vec::new();
    for (suite, records) in results {
        match suite {
            Suite::Ipc => plots.push(("round-trips", plot::round_trips(records)?)),
            Suite::Posix => plots.push(("ratios", plot::ratios(records)?)),
            Suite::Boot => {}
        }
    }
    let commits = ledger.commits();
    for (name, measure, title) in HISTORIES {
        let points = ledger.history(measure);
        if !points.is_empty() {
            plots.push((name, plot::history(title, &commits, &points)?));
        }
    }
    Ok(plots)
}

/// What is drawn from commit to commit: the plot's name, the measure, the title.
const HISTORIES: [(&str, &str, &str); 2] = [
    ("history-messages", "round_trip_words_0", "Empty round trip, instructions, by commit"),
    ("history-posix", ledger::MEAN, "Mean ratio to Linux (peerbench), by commit"),
];

/// A page with everything, for a browser.
fn page(results: &[(Suite, Vec<Record>)], plots: &[(&str, String)]) -> String {
    let mut page = String::from(
        "<!doctype html><meta charset=\"utf-8\"><title>Neutrino: benchmarks</title>\
         <style>body{font:14px system-ui,sans-serif;max-width:60rem;margin:2rem auto;color:#1d2733}\
         td,th{padding:.15rem .6rem;text-align:right;border-bottom:1px solid #e4e8ed}\
         td:first-child,th:first-child{text-align:left}table{border-collapse:collapse}</style>\
         <h1>Benchmarks</h1><p>Instructions under QEMU's TCG with <code>-icount shift=0</code>; ratios below 1 are \
         better than the peer.</p>",
    );
    for (_, svg) in plots {
        page += svg;
    }
    for (suite, records) in results {
        page += &format!("<h2><code>cargo xtask bench {}</code></h2>", suite.name());
        page += &html(&section(*suite, records));
    }
    page
}

/// The Markdown of [`section`] as HTML; names and numbers hold nothing that would have to be escaped.
fn html(markdown: &str) -> String {
    let (mut text, mut is_table) = (String::new(), false);
    for line in markdown.lines().filter(|line| !line.starts_with("| ---")) {
        let row = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        match row {
            Some(row) => {
                text += if is_table { "<tr><td>" } else { "<table><tr><td>" };
                text += &row.replace(" | ", "</td><td>");
                is_table = true;
            }
            None => text += &format!("{}<p>{line}", if is_table { "</table>" } else { "" }),
        }
    }
    text + "</table>"
}
