//! Clocks.

use crate::kernel::{address_of_mut, at, call, functions, load, store_optional, whoami};
use core::ffi::c_int;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::SELF;
use neutrino_abi::info::ThreadInfo;
use neutrino_abi::time::clock;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// C's `struct _clockperiod`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Period {
    nsec: u32,
    fract: i32,
}

/// In a clock id: it counts the CPU time of a thread (Linux's encoding of `clockid_t`).
const OF_THREAD: i32 = 6;

/// Linux's id of a thread's CPU-time clock.
fn thread_clock(tid: u32) -> i32 {
    (!tid.cast_signed() << 3) | OF_THREAD
}

/// CPU time of a thread of the caller's process.
///
/// # Errors
/// ESRCH.
fn cpu_time(tid: u32) -> Result<u64, Errno> {
    let mut info = ThreadInfo::default();
    let asked = Call::ThreadInfo { process: SELF, tid, info: address_of_mut(&mut info) };
    let found = call(asked)? as u32;
    if found == tid { Ok(info.cpu_time) } else { Err(Errno::ESRCH) }
}

/// Now, as seconds and nanoseconds since 1970.
pub(crate) fn timestamp() -> [i64; 2] {
    let mut now = 0_u64;
    let old = address_of_mut(&mut now);
    // The clock is there.
    let _read = call(Call::ClockTime { clock: clock::REALTIME, new: 0, old });
    const SECOND: u64 = 1_000_000_000;
    [(now / SECOND).cast_signed(), (now % SECOND).cast_signed()]
}

functions! {
    /// Reads a clock, or sets CLOCK_REALTIME, in nanoseconds.
    status ClockTime [ClockTime_r] (id: c_int, new: *const u64, old: *mut u64) -> c_int {
        if let Ok(clock) = u32::try_from(id) {
            return call(Call::ClockTime { clock, new: at(new), old: at(old) });
        }
        if id & 7 != OF_THREAD || !new.is_null() {
            return Err(Errno::EINVAL);
        }
        store_optional(old, &cpu_time((!(id >> 3)).cast_unsigned())?)?;
        Ok(0)
    }
    /// The clock of the CPU time of the caller's process (`tid` 0) or one of its threads.
    /// Partial: own process only
    value ClockId [ClockId_r] (pid: c_int, tid: c_int) -> c_int {
        let (own, this) = whoami();
        let pid = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
        let tid = u32::try_from(tid).map_err(|_| Errno::ESRCH)?;
        match (pid, tid) {
            // Another's CPU time is not the kernel's to tell.
            (pid, _) if pid != 0 && pid != own => Err(Errno::ESRCH),
            (_, 0) => Ok(i64::from(clock::PROCESS_CPUTIME)),
            (_, tid) if tid == this => Ok(i64::from(clock::THREAD_CPUTIME)),
            (_, tid) => cpu_time(tid).map(|_| i64::from(thread_clock(tid))),
        }
    }
    /// Reads a clock's resolution; it cannot be set (as in QNX 8): there is no tick.
    /// Partial: read only, as in QNX 8: 1 ns, as there is no tick
    status ClockPeriod [ClockPeriod_r] (id: c_int, new: *const Period, old: *mut Period, reserved: c_int) -> c_int {
        if reserved != 0 || !matches!(u32::try_from(id), Ok(clock::REALTIME | clock::MONOTONIC)) {
            return Err(Errno::EINVAL);
        }
        if !new.is_null() {
            load(new)?;
            return Err(Errno::EOPNOTSUPP);
        }
        store_optional(old, &Period { nsec: 1, fract: 0 })?;
        Ok(0)
    }
}

/// The CPU's cycle counter; no kernel call.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the name that C programs call")]
pub extern "C" fn ClockCycles() -> u64 {
    // SAFETY: every CPU that the system runs on has a time-stamp counter, which user space may read.
    unsafe { core::arch::x86_64::_rdtsc() }
}
