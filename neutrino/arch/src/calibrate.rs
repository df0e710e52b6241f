//! How fast the TSC and the local timer count, against a clock of known rate.
//!
//! Never by a loop of guessed length: under an instruction count such a loop proves nothing.

use x86_64::instructions::port::Port;

use crate::clock;
use crate::irq::local::Local;
use crate::panic::needed;

const PM_TIMER_HZ: u64 = 3_579_545;
const PM_TIMER_MASK: u32 = 0x00ff_ffff;
const SECOND: u64 = 1_000_000_000;
const FEMTOSECONDS: u64 = 1_000_000_000_000_000;
const GOOD_ENOUGH: u64 = 100_000;
const SHORT_NS: u64 = 1_000_000;
const LONG_NS: u64 = 20_000_000;

/// Ticks a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// Of the TSC.
    pub(crate) tsc: u64,
    /// Of the local APIC timer.
    pub(crate) timer: u64,
}

/// A clock of known rate.
#[derive(Debug)]
enum Reference {
    Hpet { counter: *const u32, hz: u64 },
    PmTimer(Port<u32>),
}

impl Reference {
    fn hpet(registers: u64) -> Option<Self> {
        let base = core::ptr::with_exposed_provenance_mut::<u32>(registers as usize);
        // SAFETY: the HPET's capabilities; the caller mapped its registers.
        let period = unsafe { base.wrapping_byte_add(4).read_volatile() };
        let hz = FEMTOSECONDS.checked_div(period.into())?;
        let configuration = base.wrapping_byte_add(0x10);
        // SAFETY: the HPET's configuration register.
        let old = unsafe { configuration.read_volatile() };
        // SAFETY: bit 0 lets the main counter run; no comparator is enabled by that.
        unsafe { configuration.write_volatile(old | 1) };
        Some(Self::Hpet { counter: base.wrapping_byte_add(0xf0).cast_const(), hz })
    }

    fn read(&mut self) -> u32 {
        match self {
            // SAFETY: the HPET's main counter; its registers are mapped.
            Self::Hpet { counter, .. } => unsafe { counter.read_volatile() },
            // SAFETY: reading the ACPI timer has no effect.
            Self::PmTimer(port) => unsafe { port.read() },
        }
    }

    fn since(&mut self, start: u32) -> u64 {
        let passed = self.read().wrapping_sub(start);
        match self {
            Self::Hpet { .. } => passed.into(),
            Self::PmTimer(_) => (passed & PM_TIMER_MASK).into(),
        }
    }

    fn hz(&self) -> u64 {
        match self {
            Self::Hpet { hz, .. } => *hz,
            Self::PmTimer(_) => PM_TIMER_HZ,
        }
    }
}

/// Measures both rates with whichever reference there is.
///
/// # Panics
/// If there is none.
pub(crate) fn measure(hpet: Option<u64>, timer_port: Option<u16>, local: &mut Local) -> Rates {
    let reference = hpet.and_then(Reference::hpet);
    let reference =
        reference.or_else(|| timer_port.map(|port| Reference::PmTimer(Port::new(port))));
    let mut reference = needed(reference, "this machine has neither an HPET nor an ACPI timer");
    let rates = measure_for(SHORT_NS, &mut reference, local);
    if rates.tsc.abs_diff(SECOND) < GOOD_ENOUGH {
        return Rates { tsc: SECOND, timer: snapped(rates.timer) };
    }
    let rates = measure_for(LONG_NS, &mut reference, local);
    Rates { tsc: rates.tsc, timer: snapped(rates.timer) }
}

fn snapped(hz: u64) -> u64 {
    if hz.abs_diff(SECOND) < GOOD_ENOUGH { SECOND } else { hz }
}

fn measure_for(time_ns: u64, reference: &mut Reference, local: &mut Local) -> Rates {
    let hz = reference.hz();
    let wanted = (time_ns * hz).div_ceil(SECOND);
    local.count_down(u32::MAX);
    let before = reference.read();
    let mut start = before;
    // Bound: one tick of the reference.
    while start == before {
        start = reference.read();
    }
    let tsc_start = clock::tsc();
    let timer_start = local.ticks_left();
    let mut passed = 0;
    // Bound: `time_ns`.
    while passed < wanted {
        passed = reference.since(start);
    }
    let tsc = clock::tsc().wrapping_sub(tsc_start);
    let timer = timer_start.wrapping_sub(local.ticks_left());
    local.count_down(0);
    let per_second = |ticks: u64| {
        let rate = u128::from(ticks) * u128::from(hz) / u128::from(passed.max(1));
        u64::try_from(rate).unwrap_or(u64::MAX)
    };
    Rates { tsc: per_second(tsc), timer: per_second(timer.into()) }
}
