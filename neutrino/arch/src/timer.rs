//! The one-shot timer of this CPU.

use crate::calibrate::Rates;
use crate::clock::Clock;
use crate::cpu::features::Features;
use crate::irq::local::Local;

const NEVER: u64 = u64::MAX;
/// Longer waits fire early and are armed again; keeps the products below in 64 bits.
const LONGEST_NS: u64 = 1 << 30;
const SECOND: u64 = 1_000_000_000;

/// How the hardware is told.
#[derive(Clone, Copy, Debug)]
enum Mode {
    /// The TSC value to fire at.
    TscDeadline,
    /// Ticks to count down; ticks for 2^32 ns.
    CountDown { multiplier: u64 },
}

/// The timer.
#[derive(Debug)]
pub(crate) struct Timer {
    mode: Mode,
    deadline: u64,
}

impl Timer {
    /// A stopped timer.
    pub(crate) fn new(features: &Features, rates: &Rates, local: &mut Local) -> Self {
        let mode = if local.use_deadlines(features) {
            Mode::TscDeadline
        } else {
            let multiplier = (u128::from(rates.timer) << 32) / u128::from(SECOND);
            Mode::CountDown { multiplier: u64::try_from(multiplier).unwrap_or(u64::MAX) }
        };
        Self { mode, deadline: NEVER }
    }

    /// Asks for an interrupt at `deadline`, in nanoseconds since boot.
    pub(crate) fn arm(&mut self, deadline: u64, clock: &Clock, local: &mut Local) {
        if deadline != self.deadline {
            self.deadline = deadline;
            self.program(clock, local);
        }
    }

    /// After the interrupt: whether the deadline has come; if not, goes on waiting.
    pub(crate) fn has_expired(&mut self, clock: &Clock, local: &mut Local) -> bool {
        if clock.now() < self.deadline {
            self.program(clock, local);
            return false;
        }
        self.deadline = NEVER;
        true
    }

    fn program(&self, clock: &Clock, local: &mut Local) {
        match (self.mode, self.deadline) {
            (Mode::TscDeadline, NEVER) => local.set_deadline(0),
            (Mode::TscDeadline, deadline) => local.set_deadline(clock.tsc_at(deadline).max(1)),
            (Mode::CountDown { .. }, NEVER) => local.count_down(0),
            (Mode::CountDown { multiplier }, deadline) => {
                let distance = deadline.saturating_sub(clock.now()).min(LONGEST_NS);
                let ticks = (u128::from(distance) * u128::from(multiplier)) >> 32;
                local.count_down(u32::try_from(ticks).unwrap_or(u32::MAX).max(1));
            }
        }
    }
}
