//! The one-shot timers of the CPUs.

use neutrino_core::limits::CPUS;

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
    deadlines: [u64; CPUS],
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
        Self { mode, deadlines: [NEVER; CPUS] }
    }

    /// Asks for an interrupt of the CPU that runs at `deadline`, in nanoseconds since boot.
    pub(crate) fn arm(&mut self, cpu: usize, deadline: u64, clock: &Clock, local: &mut Local) {
        let Some(own) = self.deadlines.get_mut(cpu) else { return };
        if core::mem::replace(own, deadline) != deadline {
            self.program(deadline, clock, local);
        }
    }

    /// After the interrupt of the CPU that runs: whether its deadline has come; if not, goes on
    /// waiting.
    pub(crate) fn has_expired(&mut self, cpu: usize, clock: &Clock, local: &mut Local) -> bool {
        let Some(own) = self.deadlines.get_mut(cpu) else { return true };
        if clock.now() < *own {
            let deadline = *own;
            self.program(deadline, clock, local);
            return false;
        }
        *own = NEVER;
        true
    }

    fn program(&self, deadline: u64, clock: &Clock, local: &mut Local) {
        match (self.mode, deadline) {
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
