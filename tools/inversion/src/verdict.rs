//! What was measured, and whether that is what the scenario expects.

use crate::compile::Mode;
use crate::record::{Ended, Event, Run, What};
use crate::scenario::{Quantity, Resets, Scenario, Without};
use crate::timeline::{self, Timeline};
use crate::units::instructions;

/// One run with all that was found out about it.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Outcome {
    pub mode: Mode,
    pub run: Run,
    pub timeline: Timeline,
    /// Nanoseconds, which are instructions.
    pub measured_ns: u64,
    /// How long the measured thread suffered inversions.
    pub inverted_ns: u64,
    pub resets: usize,
}

/// Both runs of a scenario.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Outcomes {
    pub scenario: Scenario,
    pub off: Outcome,
    pub on: Outcome,
}

/// Finds out what there is to find out about a run.
#[must_use]
pub fn outcome(scenario: &Scenario, mode: Mode, run: Run) -> Outcome {
    let timeline = timeline::timeline(scenario, &run);
    let thread = scenario.measure.thread;
    let own: Vec<Event> = run.events.iter().copied().filter(|e| e.lane == thread).collect();
    let measured_ns = match scenario.measure.quantity {
        Quantity::Blocked => blocked(&own, timeline.end),
        Quantity::Response => response(&own, timeline.end),
    };
    let suffered = timeline.inversions.iter().filter(|i| i.lane == thread);
    let inverted_ns = suffered.map(|inversion| inversion.to - inversion.from).sum();
    let resets = run.events.iter().filter(|event| event.what == What::Reset).count();
    Outcome { mode, run, timeline, measured_ns, inverted_ns, resets }
}

fn blocked(own: &[Event], end: u64) -> u64 {
    let (mut sum, mut since) = (0, None);
    for event in own {
        match event.what {
            What::Ask { .. } | What::Send { .. } => since = Some(event.time),
            What::Got { .. } | What::GaveUp { .. } | What::Answered | What::Unanswered => {
                sum += since.take().map_or(0, |since| event.time - since);
            }
            What::Sleep { .. } | What::Awake | What::Gap { .. } | What::Free { .. } => {}
            What::Wait { .. } | What::Listen | What::Take { .. } | What::Answer { .. } => {}
            What::Priority { .. } | What::Killed | What::End | What::Reset | What::On => {}
        }
    }
    // It waits to this day.
    sum + since.map_or(0, |since| end.saturating_sub(since))
}

/// From the end of the first sleep that the scenario asked for (the one before it is for the common
/// start) to its end.
fn response(own: &[Event], end: u64) -> u64 {
    let until = |event: Option<&Event>| match event.map(|event| event.what) {
        Some(What::Sleep { until }) => Some(until),
        Some(_) | None => None,
    };
    // Sleep, awake, sleep.
    let released = until(own.get(2)).or(until(own.first())).unwrap_or_default();
    let ended = own.iter().find(|event| event.what == What::End).map_or(end, |event| event.time);
    ended.saturating_sub(released)
}

impl Outcome {
    /// Whether the measured time is within the bound.
    #[must_use]
    pub fn holds(&self, scenario: &Scenario) -> bool {
        let is_done = self.run.ended == Ended::Complete || self.resets > 0;
        is_done && self.measured_ns <= scenario.measure.bound_ns
    }
}

impl Outcomes {
    /// Everything that is not as the scenario expects, a sentence each.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let measure = &self.scenario.measure;
        let bound = instructions(measure.bound_ns);
        let differs = measure.compare.word();
        let mut complaints = Vec::new();
        if !self.on.holds(&self.scenario) {
            let took = instructions(self.on.measured_ns);
            complaints.push(format!("with {differs} {took}, which is more than {bound}"));
        }
        if measure.without == Without::Exceeds && self.off.holds(&self.scenario) {
            let took = instructions(self.off.measured_ns);
            complaints.push(format!("without {differs} only {took} of {bound}: no inversion"));
        }
        if measure.without == Without::Holds && !self.off.holds(&self.scenario) {
            let took = instructions(self.off.measured_ns);
            complaints.push(format!("without {differs} {took}, which is more than {bound}"));
        }
        let expected = usize::from(measure.resets == Resets::Without);
        if (self.off.resets, self.on.resets) != (expected, 0) {
            let (off, on) = (self.off.resets, self.on.resets);
            complaints.push(format!("{off} resets without {differs} and {on} with it"));
        }
        if self.on.run.ended == Ended::Late {
            complaints.push(format!("with {differs} it did not come to its end"));
        }
        for outcome in [&self.off, &self.on] {
            if outcome.run.inversions != 0 {
                let (count, mode) = (outcome.run.inversions, outcome.mode.word());
                complaints.push(format!("the kernel's monitor counted {count} in the run {mode}"));
            }
        }
        complaints
    }
}
