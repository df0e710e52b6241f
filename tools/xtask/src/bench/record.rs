//! What was measured, beside what others reach.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::workspace::Workspace;

/// One measure.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Record {
    /// The measure's name.
    pub(super) measure: String,
    /// None: the program said that the system does not support it.
    pub(super) value: Option<f64>,
    unit: &'static str,
    /// The command that measured it.
    pub(super) command: String,
    /// What others reach.
    pub(super) peers: Peers,
}

/// Figures of others for one measure.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peers {
    /// Linux without mitigations, copying by 8 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) linux: Option<f64>,
    /// The same with PREEMPT_RT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) linux_rt: Option<f64>,
    /// seL4 with its fast path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sel4: Option<f64>,
}

impl Record {
    /// How `value` compares to a peer's figure; below 1 is better.
    pub(super) fn ratio(&self, peer: Option<f64>) -> Option<f64> {
        let (value, peer) = (self.value?, peer?);
        (peer > 0.0).then_some(value / peer)
    }

    /// Whether people want to see it: not what only tells whether a measure went well.
    pub(super) fn is_shown(&self) -> bool {
        let ends = ["_hits", "_overruns"];
        !self.measure.starts_with("tsc_") && !ends.iter().any(|end| self.measure.ends_with(end))
    }

    /// Whether the ratio to Linux counts in the mean: not what measures no system (the time-stamp counter, a lock
    /// that never enters the kernel), what another table shows (inversions, lateness), or derived figures.
    pub(super) fn counts(&self) -> bool {
        let is = |starts: &[&str], ends: &[&str]| {
            starts.iter().any(|start| self.measure.starts_with(start))
                || ends.iter().any(|end| self.measure.ends_with(end))
        };
        !is(
            &["tsc_", "mutex_pair", "inversion_", "timer_"],
            &["_per_byte", "_p990", "_p999", "_hits", "_overruns"],
        )
    }
}

/// The ratios to Linux that count, summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    /// Their geometric mean.
    pub(super) mean: f64,
    /// How many are at most 1.
    pub(super) reached: usize,
    /// How many there are.
    pub(super) all: usize,
}

/// Sums up; none without a ratio.
pub(super) fn summary(records: &[Record]) -> Option<Summary> {
    let ratios: Vec<f64> = records
        .iter()
        .filter(|record| record.counts())
        .filter_map(|record| record.ratio(record.peers.linux))
        .collect();
    if ratios.is_empty() {
        return None;
    }
    let sum: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    let mean = (sum / ratios.len() as f64).exp();
    let reached = ratios.iter().filter(|ratio| **ratio <= 1.0).count();
    Some(Summary { mean, reached, all: ratios.len() })
}

/// Reads a program's lines: `name median …` or `name unsupported …`; others are left out.
pub(super) fn read(said: &str, command: &str, peers: &BTreeMap<String, Peers>) -> Vec<Record> {
    let record = |(measure, value): (String, Option<f64>)| {
        let peers = peers.get(&measure).cloned().unwrap_or_default();
        Record { measure, value, unit: "instructions", command: command.to_owned(), peers }
    };
    values(said).map(record).collect()
}

/// The measures among the lines, with their medians.
pub(super) fn values(said: &str) -> impl Iterator<Item = (String, Option<f64>)> + '_ {
    said.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (measure, value) = (words.next()?.to_owned(), words.next()?);
        match value {
            "unsupported" => Some((measure, None)),
            number => Some((measure, Some(number.parse().ok()?))),
        }
    })
}

/// The figures of others in `tests/bench/peers.toml`.
///
/// # Errors
/// When the file is missing or malformed.
pub(super) fn recorded_peers(workspace: &Workspace) -> Result<BTreeMap<String, Peers>> {
    let path = workspace.root.join("tests/bench/peers.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(said: &str) -> Vec<Record> {
        let peers = toml::from_str("[read_1]\nlinux = 1000\n[stat]\nlinux = 100\n").unwrap();
        read(said, "bench", &peers)
    }

    #[test]
    fn lines_of_measures_become_records_and_others_are_left_out() {
        let records = some("booting\nread_1 500 490 510 ns\neventfd_rt unsupported 38\n");
        let found: Vec<_> = records.iter().map(|r| (r.measure.as_str(), r.value)).collect();
        assert_eq!(found, [("read_1", Some(500.0)), ("eventfd_rt", None)]);
        assert_eq!(records[0].peers.linux, Some(1000.0));
    }

    #[test]
    fn the_mean_is_of_the_ratios_that_count() {
        let records = some("read_1 500\nstat 200\ntimer_late_load 9\nfork 1\n");
        let summary = summary(&records).unwrap();
        assert!((summary.mean - 1.0).abs() < 1e-9, "{summary:?}");
        assert_eq!((summary.reached, summary.all), (1, 2));
        assert_eq!(super::summary(&some("fork 1\n")), None);
    }

    #[test]
    fn the_file_of_peers_is_well_formed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/bench/peers.toml");
        let text = fs::read_to_string(path).unwrap();
        let peers: BTreeMap<String, Peers> = toml::from_str(&text).unwrap();
        assert!(peers.len() > 40);
    }
}
