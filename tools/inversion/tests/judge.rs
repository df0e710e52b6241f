//! Records of runs, and what is made of them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code may fail loudly"
)]

use std::path::Path;

use inversion::compile::{self, Mode};
use inversion::scenario::Scenario;
use inversion::verdict::{self, Outcome, Outcomes};
use inversion::{file, page, record, svg};
use native_tools::inversion::plan::{self, Role};

fn shipped() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenario");
    let paths = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        file::read(&path.display().to_string(), &text).unwrap_or_else(|mistake| panic!("{mistake}"))
    };
    let mut all: Vec<Scenario> = paths.map(read).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Three tasks: lanes 0 to 2 are H, M and L.
fn three_tasks() -> Scenario {
    shipped().remove(0)
}

fn outcome(scenario: &Scenario, mode: Mode, lines: &str) -> Outcome {
    let mut runs = record::read(&format!("run x\n{lines}")).unwrap();
    verdict::outcome(scenario, mode, runs.remove("x").unwrap())
}

/// M runs from 2.3 to 7.3 ms, while H waits for L.
const OFF: &str = "0 0 sleep 2000000 30\n0 1 sleep 2000000 20\n0 2 sleep 1000000 10\n\
    1000000 2 awake 0 10\n1002000 2 ask 0 10\n1003000 2 got 0 10\n2000000 0 awake 0 30\n\
    2300000 0 ask 0 30\n2301000 1 awake 0 20\n7300000 1 end 0 20\n7301000 2 gap 2000000 10\n\
    8300000 2 free 0 10\n8301000 0 got 0 30\n8800000 0 free 0 30\n9100000 0 end 0 30\n\
    9102000 2 on 0 10\n9600000 2 end 0 10\ncomplete 0\n";

/// L runs from 2.3 to 3.3 ms, and M after H.
const ON: &str = "0 0 sleep 2000000 30\n0 1 sleep 2000000 20\n0 2 sleep 1000000 10\n\
    1000000 2 awake 0 10\n1002000 2 ask 0 10\n1003000 2 got 0 10\n2000000 0 awake 0 30\n\
    2300000 0 ask 0 30\n2301000 2 gap 2000000 30\n3300000 2 free 0 30\n3301000 0 got 0 30\n\
    3800000 0 free 0 30\n4100000 0 end 0 30\n4101000 1 awake 0 20\n9100000 1 end 0 20\n\
    9101000 2 on 0 10\n9600000 2 end 0 10\ncomplete 0\n";

fn outcomes(off: &str, on: &str) -> Outcomes {
    let scenario = three_tasks();
    let (off, on) = (outcome(&scenario, Mode::Off, off), outcome(&scenario, Mode::On, on));
    Outcomes { scenario, off, on }
}

#[test]
fn a_third_one_that_runs_while_h_waits_is_an_inversion() {
    let off = outcomes(OFF, ON).off;
    let [inversion] = off.timeline.inversions[..] else { panic!("{:?}", off.timeline.inversions) };
    assert_eq!((inversion.lane, inversion.by), (0, 1));
    assert_eq!((inversion.from, inversion.to), (2_301_000, 7_300_000));
    assert_eq!((off.measured_ns, off.inverted_ns), (6_001_000, 4_999_000));
}

#[test]
fn an_owner_that_works_for_a_waiter_is_none() {
    let on = outcomes(OFF, ON).on;
    assert_eq!(on.timeline.inversions, []);
    assert_eq!(on.measured_ns, 1_001_000);
}

#[test]
fn what_is_expected_gives_no_complaint() {
    assert_eq!(outcomes(OFF, ON).complaints(), Vec::<String>::new());
}

#[test]
fn a_bound_that_does_not_hold_is_a_complaint() {
    let complaints = outcomes(OFF, OFF).complaints();
    assert!(complaints[0].contains("with inheritance 6,001,000"), "{complaints:?}");
}

#[test]
fn an_inversion_that_does_not_happen_is_a_complaint() {
    let complaints = outcomes(ON, ON).complaints();
    assert!(complaints[0].contains("no inversion"), "{complaints:?}");
}

#[test]
fn what_the_kernels_monitor_counts_is_a_complaint() {
    let complaints = outcomes(OFF, &ON.replace("complete 0", "complete 7")).complaints();
    assert!(complaints[0].contains("counted 7 in the run on"), "{complaints:?}");
}

#[test]
fn a_run_that_does_not_end_is_a_complaint() {
    let complaints = outcomes(OFF, &ON.replace("complete 0", "late 0")).complaints();
    assert!(complaints.iter().any(|c| c.contains("did not come to its end")), "{complaints:?}");
}

#[test]
fn an_unexpected_reset_is_a_complaint() {
    let reset = ON.replace("4100000 0 end 0 30", "4100000 0 reset 0 30");
    let complaints = outcomes(OFF, &reset).complaints();
    assert!(complaints.iter().any(|c| c.contains("1 with it")), "{complaints:?}");
}

#[test]
fn the_report_names_the_one_that_runs() {
    let outcomes = outcomes(OFF, ON);
    let picture = svg::timeline(&outcomes.scenario, &outcomes.off, 10_000_000);
    assert!(picture.contains("inversion: M runs"), "{picture}");
    let page = page::page(&[outcomes]);
    assert!(page.contains("over the bound") && page.contains("within the bound"));
}

#[test]
fn the_playing_program_reads_every_scenario_that_ships() {
    let scenarios = shipped();
    assert!(scenarios.len() >= 20);
    let plans = plan::parse(&compile::compile(&scenarios)).unwrap();
    assert_eq!(plans.len(), 2 * scenarios.len());
    for (plan, scenario) in plans.iter().step_by(2).zip(&scenarios) {
        assert_eq!(plan.name, compile::run_name(scenario, Mode::Off));
        let lanes = plan.actors.iter().map(|actor| match actor.role {
            Role::Thread(_) => 1,
            Role::Server(_, threads) => threads,
        });
        assert_eq!(lanes.sum::<usize>(), scenario.lanes().len());
    }
}
