//! Clocks and timers.

use crate::channel::Handle;
use crate::interrupt::pulse_event;
use crate::sys::{self, address_of, address_of_mut, pure, pure_u32};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use io_msg::start::TIME_PAGE;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::Event;
use neutrino_abi::time::{Itimer, TIMER_ABSTIME, TimePage, clock};

/// Whether the clock page is mapped: only the process manager, which maps it for all others, has none.
static HAS_PAGE: AtomicBool = AtomicBool::new(false);

/// The process manager started this program, with a clock page.
#[cfg(target_os = "none")]
pub(crate) fn adopt() {
    HAS_PAGE.store(true, Ordering::Relaxed);
}

/// Nanoseconds since boot.
#[must_use]
pub fn monotonic() -> u64 {
    read(clock::MONOTONIC)
}

/// Nanoseconds since 1970.
#[must_use]
pub fn realtime() -> u64 {
    read(clock::REALTIME)
}

/// Seconds and nanoseconds since 1970, as time stamps hold them.
#[must_use]
pub fn timestamp() -> [i64; 2] {
    let now = realtime();
    [(now / 1_000_000_000).cast_signed(), (now % 1_000_000_000).cast_signed()]
}

/// The time-stamp counter: for measuring short stretches of code, and seeds.
#[must_use]
#[inline(always)]
pub fn ticks() -> u64 {
    // SAFETY: every 64-bit CPU has the instruction, and the kernel leaves it to user space.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Monotonic time, and what to add for wall-clock time, from the clock page.
fn read_page() -> (u64, i64) {
    let page = core::ptr::with_exposed_provenance::<TimePage>(TIME_PAGE as usize);
    let sequence = core::ptr::with_exposed_provenance::<AtomicU32>(TIME_PAGE as usize);
    // Bound: the kernel writes for a few instructions, seldom.
    loop {
        // SAFETY: mapped into every program for good (`HAS_PAGE`); the word comes first.
        let before = unsafe { &*sequence }.load(Ordering::Acquire);
        // SAFETY: as above; a torn read is thrown away.
        let copy = unsafe { page.read_volatile() };
        fence(Ordering::Acquire);
        // SAFETY: as above.
        let after = unsafe { &*sequence }.load(Ordering::Relaxed);
        if before == after && before % 2 == 0 {
            let past = ticks().wrapping_sub(copy.tsc_base);
            let time = (u128::from(past) * u128::from(copy.multiplier)) >> copy.shift;
            return (time as u64, copy.realtime_offset);
        }
        core::hint::spin_loop();
    }
}

fn read(clock: u32) -> u64 {
    if HAS_PAGE.load(Ordering::Relaxed) {
        let (time, offset) = read_page();
        return if clock == clock::MONOTONIC { time } else { time.saturating_add_signed(offset) };
    }
    ask(clock)
}

fn ask(clock: u32) -> u64 {
    let mut now = 0_u64;
    // SAFETY: the only memory written is `now`, borrowed mutably for the whole call.
    let _valid_clock =
        unsafe { sys::call(Call::ClockTime { clock, new: 0, old: address_of_mut(&mut now) }) };
    now
}

/// Sets wall-clock time; needs `able::CLOCKSET`.
///
/// # Errors
/// EPERM.
pub fn set_realtime(nanoseconds: u64) -> Result<(), Errno> {
    let new = address_of(&nanoseconds);
    pure(Call::ClockTime { clock: clock::REALTIME, new, old: 0 }).map(drop)
}

/// Sleeps; a signal may end it early.
pub fn sleep(nanoseconds: u64) {
    let call =
        Call::ClockNanosleep { clock: clock::MONOTONIC, flags: 0, time: nanoseconds, remaining: 0 };
    let _may_be_interrupted = pure(call);
}

/// Sleeps until a point of monotonic time; a signal may end it early.
pub fn sleep_until(deadline: u64) {
    let (clock, flags) = (clock::MONOTONIC, TIMER_ABSTIME);
    let _may_be_interrupted =
        pure(Call::ClockNanosleep { clock, flags, time: deadline, remaining: 0 });
}

/// A timer that sends pulses.
#[derive(Debug)]
pub struct Timer(Handle);

impl Timer {
    /// Makes a timer on the monotonic clock; each expiry sends a pulse with `code` on `coid`.
    ///
    /// # Errors
    /// EAGAIN, EINVAL.
    pub fn create(coid: u32, code: i8, value: u64) -> Result<Self, Errno> {
        Self::create_for(&pulse_event(coid, code, value))
    }

    /// Makes a timer on the monotonic clock whose expiry is that event.
    ///
    /// # Errors
    /// EAGAIN, EINVAL.
    pub fn create_for(event: &Event) -> Result<Self, Errno> {
        let call = Call::TimerCreate { clock: clock::MONOTONIC, event: address_of(event) };
        pure_u32(call).map(|number| Self(Handle::from_raw(number)))
    }

    /// Arms it for a point in monotonic time, once; 0 disarms.
    pub fn arm_at(&self, deadline: u64) {
        self.set(TIMER_ABSTIME, Itimer { nsec: deadline, interval_nsec: 0 });
    }

    /// Arms it to expire every `interval` nanoseconds; 0 disarms.
    pub fn arm_every(&self, interval: u64) {
        self.set(0, Itimer { nsec: interval, interval_nsec: interval });
    }

    fn set(&self, flags: u32, setting: Itimer) {
        let new = address_of(&setting);
        let _it_is_ours = pure(Call::TimerSettime { timer: self.0.raw(), flags, new, old: 0 });
    }
}
