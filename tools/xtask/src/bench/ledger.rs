//! The ledger: each figure, commit by commit, in `docs/bench/ledger.csv`.
//!
//! A line is `commit,measure,value`. A commit whose figure equals the one before has no line for it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::record::{self, Record};
use crate::shell;
use crate::workspace::Workspace;

const HEAD: &str = "commit,measure,value\n";

/// All that was recorded, oldest first.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    lines: Vec<Line>,
}

#[derive(Debug, PartialEq)]
struct Line {
    commit: String,
    measure: String,
    value: f64,
}

/// A commit and what changed with it.
#[derive(Debug, PartialEq)]
pub(super) struct Point {
    /// Its abbreviated hash.
    pub(super) commit: String,
    /// The figure from it on.
    pub(super) value: f64,
}

impl Ledger {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// When a line is malformed.
    pub(super) fn open(workspace: &Workspace) -> Result<Self> {
        let path = file(workspace);
        match fs::read_to_string(&path) {
            Ok(text) => Self::read(&text).with_context(|| format!("reading {}", path.display())),
            Err(_) => Ok(Self::default()),
        }
    }

    fn read(text: &str) -> Result<Self> {
        let line = |line: &str| {
            let mut fields = line.split(',').map(str::to_owned);
            let (commit, measure, value) = (fields.next(), fields.next(), fields.next());
            let fields = commit.zip(measure).zip(value.and_then(|value| value.parse().ok()));
            fields
                .map(|((commit, measure), value)| Line { commit, measure, value })
                .with_context(|| format!("`{line}` is not commit,measure,value"))
        };
        let text = text.strip_prefix(HEAD).context("the first line is not the heading")?;
        Ok(Self { lines: text.lines().map(line).collect::<Result<_>>()? })
    }

    /// Adds what `records` change.
    pub(super) fn add(&mut self, commit: &str, records: &[Record]) {
        let mut last: BTreeMap<String, f64> = BTreeMap::new();
        for line in &self.lines {
            last.insert(line.measure.clone(), line.value);
        }
        let mean = record::summary(records).map(|sum| (MEAN.to_owned(), round(sum.mean)));
        let figures = records.iter().filter_map(|r| Some((r.measure.clone(), r.value?)));
        for (measure, value) in figures.chain(mean) {
            if last.get(&measure) != Some(&value) {
                self.lines.push(Line { commit: commit.to_owned(), measure, value });
            }
        }
    }

    /// The figures of one measure.
    pub(super) fn history(&self, measure: &str) -> Vec<Point> {
        let of = self.lines.iter().filter(|line| line.measure == measure);
        of.map(|line| Point { commit: line.commit.clone(), value: line.value }).collect()
    }

    /// The commits, oldest first.
    pub(super) fn commits(&self) -> Vec<&str> {
        let mut commits: Vec<&str> = self.lines.iter().map(|line| line.commit.as_str()).collect();
        commits.dedup();
        commits
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save(&self, workspace: &Workspace) -> Result<PathBuf> {
        let path = file(workspace);
        crate::workspace::write_file(&path, self.text().as_bytes())?;
        Ok(path)
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for Line { commit, measure, value } in &self.lines {
            writeln!(text, "{commit},{measure},{value}").unwrap_or_default();
        }
        text
    }
}

/// The geometric mean of the ratios to Linux, as the ledger calls it.
pub(super) const MEAN: &str = "posix_mean_ratio";

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn file(workspace: &Workspace) -> PathBuf {
    workspace.root.join("docs/bench/ledger.csv")
}

/// The abbreviated hash of the commit that is checked out.
///
/// # Errors
/// When the tree differs from it, so that the figures would not be its own.
pub(super) fn commit(root: &Path) -> Result<String> {
    let git =
        |arguments: &[&str]| shell::output(Command::new("git").args(arguments).current_dir(root));
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    // What an earlier recording wrote does not change what is measured.
    if let Some(file) = changed.lines().find(|line| !line.contains(" docs/")) {
        bail!("figures are recorded for a commit: commit or undo your changes first ({file})");
    }
    Ok(git(&["rev-parse", "--short=9", "HEAD"])?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(said: &str) -> Vec<Record> {
        record::read(said, "bench", &BTreeMap::new())
    }

    #[test]
    fn a_figure_that_did_not_change_has_no_line() {
        let mut ledger = Ledger::default();
        ledger.add("aaa", &some("read_1 5\nstat 7\n"));
        ledger.add("bbb", &some("read_1 5\nstat 6.5\n"));
        let text = "commit,measure,value\naaa,read_1,5\naaa,stat,7\nbbb,stat,6.5\n";
        assert_eq!(ledger.text(), text);
        assert_eq!(Ledger::read(text).unwrap().lines, ledger.lines);
        let points = [("aaa", 7.0), ("bbb", 6.5)];
        let points = points.map(|(commit, value)| Point { commit: commit.into(), value });
        assert_eq!(ledger.history("stat"), points);
    }

    #[test]
    fn a_malformed_line_is_named() {
        let error = Ledger::read("commit,measure,value\nx,y\n").unwrap_err();
        assert!(format!("{error}").contains("`x,y`"), "{error}");
    }
}
