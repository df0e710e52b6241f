//! Clocks and sleeping. Clocks are read from the kernel's page, without a kernel call.

use crate::block::{index, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::sys::{self, Errno, Outcome};
use core::ptr::with_exposed_provenance;
use core::sync::atomic::{AtomicU32, Ordering::Acquire};
use io_msg::start::TIME_PAGE;
use linux_raw_sys::general as linux;
use neutrino_abi::time::{FOREVER, TIMER_ABSTIME, TimePage, clock};

/// Nanoseconds in a second.
pub(crate) const NANOSECONDS: u64 = 1_000_000_000;

/// `struct timespec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timespec {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: i64,
}

impl Timespec {
    pub(crate) fn read(address: u64) -> Result<Self, Errno> {
        let [seconds, nanoseconds] = copy::read(address)?;
        Ok(Self { seconds, nanoseconds })
    }

    pub(crate) const fn from_nanoseconds(time: u64) -> Self {
        Self {
            seconds: (time / NANOSECONDS).cast_signed(),
            nanoseconds: (time % NANOSECONDS).cast_signed(),
        }
    }

    /// # Errors
    /// EINVAL: it is negative, or has a second or more of nanoseconds.
    pub(crate) fn to_nanoseconds(self) -> Result<u64, Errno> {
        let seconds = u64::try_from(self.seconds).map_err(|_| Errno::EINVAL)?;
        let nanoseconds = u64::try_from(self.nanoseconds).map_err(|_| Errno::EINVAL)?;
        if nanoseconds >= NANOSECONDS {
            return Err(Errno::EINVAL);
        }
        Ok(seconds.saturating_mul(NANOSECONDS).saturating_add(nanoseconds).min(FOREVER - 1))
    }

    pub(crate) fn write(self, address: u64) -> Result<(), Errno> {
        copy::write(address, &[self.seconds, self.nanoseconds])
    }
}

/// A time-out argument: null is for ever.
pub(crate) fn optional(address: u64) -> Result<u64, Errno> {
    if address == 0 { Ok(FOREVER) } else { Timespec::read(address)?.to_nanoseconds() }
}

/// Reads the clock page: monotonic time, and what to add for wall-clock time.
fn read_page() -> (u64, i64) {
    let page = with_exposed_provenance::<TimePage>(index(TIME_PAGE));
    let sequence = with_exposed_provenance::<AtomicU32>(index(TIME_PAGE));
    loop {
        // SAFETY: the process manager maps the page into every process; `sequence` comes first.
        let before = unsafe { &*sequence }.load(Acquire);
        // SAFETY: as above; a torn read is thrown away.
        let copy = unsafe { page.read_volatile() };
        core::sync::atomic::fence(Acquire);
        // SAFETY: as above.
        let after = unsafe { &*sequence }.load(Acquire);
        if before == after && before % 2 == 0 {
            // SAFETY: every x86-64 processor has the instruction.
            let ticks = unsafe { core::arch::x86_64::_rdtsc() }.wrapping_sub(copy.tsc_base);
            let time = (u128::from(ticks) * u128::from(copy.multiplier)) >> copy.shift;
            return (u64::try_from(time).unwrap_or(u64::MAX), copy.realtime_offset);
        }
        core::hint::spin_loop();
    }
}

/// Nanoseconds since boot.
pub(crate) fn monotonic() -> u64 {
    read_page().0
}

/// Nanoseconds since 1970.
pub(crate) fn realtime() -> u64 {
    let (time, offset) = read_page();
    time.saturating_add_signed(offset)
}

/// The kernel's clock that a Linux clock id means.
pub(crate) fn clock_of(id: u64) -> Result<u32, Errno> {
    match low(id) {
        linux::CLOCK_REALTIME | linux::CLOCK_REALTIME_COARSE | linux::CLOCK_TAI => {
            Ok(clock::REALTIME)
        }
        linux::CLOCK_MONOTONIC
        | linux::CLOCK_MONOTONIC_RAW
        | linux::CLOCK_MONOTONIC_COARSE
        | linux::CLOCK_BOOTTIME => Ok(clock::MONOTONIC),
        linux::CLOCK_PROCESS_CPUTIME_ID => Ok(clock::PROCESS_CPUTIME),
        linux::CLOCK_THREAD_CPUTIME_ID => Ok(clock::THREAD_CPUTIME),
        id if id.cast_signed() < 0 => {
            Ok(if id & 4 != 0 { clock::THREAD_CPUTIME } else { clock::PROCESS_CPUTIME })
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `clock_gettime(clock, time)`.
pub(crate) fn clock_gettime(_: &mut Caller<'_>, [id, address, ..]: Args) -> Outcome {
    let time = match clock_of(id)? {
        clock::REALTIME => realtime(),
        clock::MONOTONIC => monotonic(),
        cpu => {
            let mut time = 0;
            sys::clock_time(cpu, None, Some(&mut time))?;
            time
        }
    };
    Timespec::from_nanoseconds(time).write(address).map(|()| 0)
}

/// `clock_settime(clock, time)`.
pub(crate) fn clock_settime(_: &mut Caller<'_>, [id, address, ..]: Args) -> Outcome {
    let time = Timespec::read(address)?.to_nanoseconds()?;
    if low(id) != linux::CLOCK_REALTIME {
        return Err(Errno::EINVAL);
    }
    sys::clock_time(clock::REALTIME, Some(&time), None)
}

/// `clock_getres(clock, time)`.
pub(crate) fn clock_getres(_: &mut Caller<'_>, [id, address, ..]: Args) -> Outcome {
    clock_of(id)?;
    if address != 0 {
        Timespec { seconds: 0, nanoseconds: 1 }.write(address)?;
    }
    Ok(0)
}

/// `gettimeofday(time, zone)`.
pub(crate) fn gettimeofday(_: &mut Caller<'_>, [address, zone, ..]: Args) -> Outcome {
    let Timespec { seconds, nanoseconds } = Timespec::from_nanoseconds(realtime());
    if address != 0 {
        copy::write(address, &[seconds, nanoseconds / 1000])?;
    }
    if zone != 0 {
        copy::write(zone, &[0_u32; 2])?;
    }
    Ok(0)
}

/// `settimeofday(time, zone)`.
pub(crate) fn settimeofday(_: &mut Caller<'_>, [address, ..]: Args) -> Outcome {
    if address == 0 {
        return Ok(0);
    }
    let [seconds, microseconds]: [i64; 2] = copy::read(address)?;
    let nanoseconds = microseconds.saturating_mul(1000);
    let time = Timespec { seconds, nanoseconds }.to_nanoseconds()?;
    sys::clock_time(clock::REALTIME, Some(&time), None)
}

/// `time(address)`.
pub(crate) fn time(_: &mut Caller<'_>, [address, ..]: Args) -> Outcome {
    let seconds = realtime() / NANOSECONDS;
    if address != 0 {
        copy::write(address, &seconds)?;
    }
    Ok(seconds)
}

/// `nanosleep(time, rest)`.
pub(crate) fn nanosleep(caller: &mut Caller<'_>, [time, rest, ..]: Args) -> Outcome {
    clock_nanosleep(caller, [u64::from(linux::CLOCK_MONOTONIC), 0, time, rest, 0, 0])
}

/// `clock_nanosleep(clock, flags, time, rest)`.
pub(crate) fn clock_nanosleep(
    caller: &mut Caller<'_>,
    [id, flags, time, rest, ..]: Args,
) -> Outcome {
    let id = clock_of(id)?;
    let time = Timespec::read(time)?.to_nanoseconds()?;
    let is_absolute = low(flags) & TIMER_ABSTIME != 0;
    // A relative sleep becomes one until a point in time, so that it can be gone on with.
    let (id, end) = match (is_absolute, id) {
        (true, _) => (id, time),
        (false, clock::REALTIME | clock::MONOTONIC) => {
            (clock::MONOTONIC, monotonic().saturating_add(time))
        }
        (false, _) => return Err(Errno::EINVAL),
    };
    let mut left = 0;
    let outcome = caller.interruptible(|| sys::clock_nanosleep(id, TIMER_ABSTIME, end, &mut left));
    if outcome == Err(Errno::EINTR) && !is_absolute && rest != 0 {
        let left = end.saturating_sub(monotonic());
        Timespec::from_nanoseconds(left).write(rest)?;
    }
    outcome.map(|_| 0)
}
