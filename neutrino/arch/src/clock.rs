//! Time: the TSC, scaled to nanoseconds, and the page that shares the scale with user space.

use core::arch::x86_64::_rdtsc;
use core::cell::UnsafeCell;
use core::sync::atomic::{Ordering, compiler_fence};

use neutrino_abi::time::TimePage;
use neutrino_core::machine::FrameNumber;

use crate::mmu::{direct_map, kernel_map};

const SHIFT: u32 = 32;
const SECOND: u64 = 1_000_000_000;
/// A rate this close to 1 GHz, in Hz, is 1 GHz: QEMU's instruction count.
const SNAP: u64 = 100_000;

#[repr(C, align(4096))]
struct Page(UnsafeCell<TimePage>);

// SAFETY: written by the one `Clock` only; user space reads it by the sequence protocol.
unsafe impl Sync for Page {}

static PAGE: Page = Page(UnsafeCell::new(TimePage {
    sequence: 0,
    shift: 0,
    tsc_base: 0,
    multiplier: 0,
    realtime_offset: 0,
    tsc_hz: 0,
}));

/// The clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    page: TimePage,
}

/// The time-stamp counter.
pub(crate) fn tsc() -> u64 {
    // SAFETY: every 64-bit CPU has it, and ring 0 may read it.
    unsafe { _rdtsc() }
}

impl Clock {
    /// Time starts at TSC value `entry`, with `hz` ticks a second.
    pub(crate) fn new(entry: u64, hz: u64) -> Self {
        let hz = if hz.abs_diff(SECOND) < SNAP { SECOND } else { hz.max(1) };
        let multiplier = (u128::from(SECOND) << SHIFT) / u128::from(hz);
        let page = TimePage {
            sequence: 0,
            shift: SHIFT,
            tsc_base: entry,
            multiplier: u64::try_from(multiplier).unwrap_or(u64::MAX),
            realtime_offset: 0,
            tsc_hz: hz,
        };
        let clock = Self { page };
        clock.publish();
        clock
    }

    /// Nanoseconds since boot.
    pub(crate) fn now(&self) -> u64 {
        let ticks = tsc().wrapping_sub(self.page.tsc_base);
        ((u128::from(ticks) * u128::from(self.page.multiplier)) >> SHIFT) as u64
    }

    /// The TSC at a point in time.
    pub(crate) fn tsc_at(&self, nanoseconds: u64) -> u64 {
        let ticks = u128::from(nanoseconds) * u128::from(self.page.tsc_hz) / u128::from(SECOND);
        u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(self.page.tsc_base)
    }

    /// Moves wall-clock time.
    pub(crate) fn set_realtime_offset(&mut self, offset: i64) {
        self.page.realtime_offset = offset;
        self.page.sequence = self.page.sequence.wrapping_add(2);
        self.publish();
    }

    /// The page's contents.
    pub(crate) fn page(&self) -> TimePage {
        self.page
    }

    /// The frame of the page.
    pub(crate) fn frame() -> FrameNumber {
        direct_map::frame(kernel_map::physical(PAGE.0.get().addr() as u64))
    }

    fn publish(&self) {
        let page = PAGE.0.get();
        // The first field.
        let sequence = page.cast::<u32>();
        let odd = TimePage { sequence: self.page.sequence.wrapping_sub(1), ..self.page };
        // SAFETY: the static is this module's; the one clock is the only writer.
        unsafe { sequence.write_volatile(odd.sequence) };
        compiler_fence(Ordering::SeqCst);
        // SAFETY: as above.
        unsafe { page.write_volatile(odd) };
        compiler_fence(Ordering::SeqCst);
        // SAFETY: as above.
        unsafe { sequence.write_volatile(self.page.sequence) };
    }
}
