//! Timers and time-outs.

use crate::event::{SigEvent, take};
use crate::kernel::{
    address_of, address_of_mut, at, call, functions, load, store, store_optional, whoami,
};
use core::ffi::{c_int, c_long, c_void};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::kind;
use neutrino_abi::handle::{COF_CLOEXEC, COF_NOSHARE};
use neutrino_abi::time::{Itimer, TIMER_ABSTIME, TimerInfo as Info, clock, timeout};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// C's `struct timespec`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

const NANOSECONDS: u64 = 1_000_000_000;

impl Timespec {
    fn from_ns(ns: u64) -> Self {
        let (seconds, nanoseconds) = (ns / NANOSECONDS, ns % NANOSECONDS);
        Self { seconds: seconds.cast_signed(), nanoseconds: nanoseconds.cast_signed() }
    }

    fn ns(self) -> Result<u64, Errno> {
        let seconds = u64::try_from(self.seconds).map_err(|_| Errno::EINVAL)?;
        let part = u64::try_from(self.nanoseconds).map_err(|_| Errno::EINVAL)?;
        if part >= NANOSECONDS {
            return Err(Errno::EINVAL);
        }
        Ok(seconds.saturating_mul(NANOSECONDS).saturating_add(part))
    }
}

/// C's `struct itimerspec`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Itimerspec {
    interval: Timespec,
    value: Timespec,
}

/// C's `struct _timer_info`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct TimerInfo {
    left: [u64; 2],
    setting: [u64; 2],
    flags: u32,
    tid: u32,
    notify: u32,
    clock: u32,
    overruns: u32,
    zero: u32,
}

/// `_NTO_TI_ACTIVE`.
const ACTIVE: u32 = 1;
/// `_NTO_TIMER_SEARCH`: the first timer from this number on.
const SEARCH: c_int = 1;
/// Flags of a setting that change nothing here: timers are as precise as the machine.
const PRECISE: c_int = 0x0004_0000;

/// Every state that a time-out can end.
const STATES: u32 = timeout::SEND
    | timeout::RECEIVE
    | timeout::REPLY
    | timeout::SIGSUSPEND
    | timeout::SIGWAITINFO
    | timeout::NANOSLEEP
    | timeout::MUTEX
    | timeout::CONDVAR
    | timeout::INTR
    | timeout::JOIN
    | timeout::SEM;
/// `_NTO_TIMEOUT_ACTIVE`: only for show.
const TIMEOUT_ACTIVE: u32 = 1 << 24;

/// The kernel knows a timer by handle; that there is none is EINVAL to C.
fn number(timer: c_int) -> Result<u32, Errno> {
    u32::try_from(timer).map_err(|_| Errno::EINVAL)
}

fn invalid(result: Result<i64, Errno>) -> Result<i64, Errno> {
    if result == Err(Errno::EBADF) { Err(Errno::EINVAL) } else { result }
}

fn info(timer: c_int) -> Result<Info, Errno> {
    let mut known = Info::default();
    let asked = Call::TimerInfo { timer: number(timer)?, info: address_of_mut(&mut known) };
    invalid(call(asked))?;
    Ok(known)
}

fn create(id: c_int, event: *const SigEvent) -> Result<i64, Errno> {
    let clock = u32::try_from(id).map_err(|_| Errno::EINVAL)?;
    let mut native = neutrino_abi::event::Event {
        notify: kind::SIGNAL,
        target: neutrino_abi::signal::number::SIGALRM,
        ..Default::default()
    };
    if !event.is_null() {
        native = take(event)?;
    }
    // A bad connection in the event is EINVAL, too.
    let timer = invalid(call(Call::TimerCreate { clock, event: address_of(&native) }))?;
    // Neither a child nor the next program has it (POSIX.1-2017, fork and exec).
    let (coid, mask) = (timer as u32, COF_CLOEXEC | COF_NOSHARE);
    call(Call::ConnectFlags { coid, mask, bits: mask })?;
    Ok(timer)
}

/// Closes a timer; nothing else that has a number.
fn destroy(timer: c_int) -> Result<i64, Errno> {
    info(timer)?;
    invalid(call(Call::ConnectDetach { coid: number(timer)? }))
}

fn settime(timer: c_int, flags: u32, new: *const Itimer, old: *mut Itimer) -> Result<i64, Errno> {
    invalid(call(Call::TimerSettime { timer: number(timer)?, flags, new: at(new), old: at(old) }))
}

fn time_out(
    id: c_int,
    flags: u32,
    notify: *const SigEvent,
    time: Option<u64>,
    old: *mut u64,
) -> Result<i64, Errno> {
    let states = flags & STATES;
    let absolute = flags & TIMER_ABSTIME;
    let known = STATES | TIMEOUT_ACTIVE | TIMER_ABSTIME | PRECISE.cast_unsigned();
    let clock = u32::try_from(id).map_err(|_| Errno::EINVAL)?;
    if flags & !known != 0 || !matches!(clock, clock::REALTIME | clock::MONOTONIC) {
        return Err(Errno::EINVAL);
    }
    if !notify.is_null() && take(notify)?.notify != kind::UNBLOCK {
        // Only the blocked call is ended; it is said, not overlooked.
        return Err(Errno::EOPNOTSUPP);
    }
    let mut time = time.unwrap_or(0);
    if states & timeout::NANOSLEEP != 0 {
        let remaining = at(old);
        return call(Call::ClockNanosleep { clock, flags: absolute, time, remaining });
    }
    if absolute != 0 && clock == clock::REALTIME {
        time = monotonic(time)?;
    }
    store_optional(old, &0)?;
    call(Call::TimerTimeout { states, time, flags: absolute })
}

/// A point of the wall clock on the monotonic one.
fn monotonic(at_realtime: u64) -> Result<u64, Errno> {
    let mut now = [0_u64; 2];
    let [real, mono] = &mut now;
    call(Call::ClockTime { clock: clock::REALTIME, new: 0, old: address_of_mut(real) })?;
    call(Call::ClockTime { clock: clock::MONOTONIC, new: 0, old: address_of_mut(mono) })?;
    Ok(at_realtime.saturating_sub(*real).saturating_add(*mono))
}

functions! {
    /// Makes a timer.
    /// Partial: no TIMER_TOLERANCE, no SIGEV_THREAD or SIGEV_MEMORY; CPU-time clocks are EINVAL
    value TimerCreate [TimerCreate_r] (id: c_int, event: *const SigEvent) -> c_int {
        create(id, event)
    }
    /// Destroys a timer.
    status TimerDestroy [TimerDestroy_r] (timer: c_int) -> c_int {
        destroy(timer)
    }
    /// Arms or disarms a timer.
    status TimerSettime [TimerSettime_r] (timer: c_int, flags: c_int, new: *const Itimer, old: *mut Itimer) -> c_int {
        if flags & !(TIMER_ABSTIME.cast_signed() | PRECISE) != 0 {
            return Err(Errno::EINVAL);
        }
        settime(timer, flags.cast_unsigned() & TIMER_ABSTIME, new, old)
    }
    /// Tells about a timer of the caller.
    /// Partial: own timers; `otime` is the interval with the time left, and the event is not told
    value TimerInfo [TimerInfo_r] (pid: c_int, timer: c_int, flags: c_int, place: *mut TimerInfo) -> c_int {
        match u32::try_from(pid) {
            Ok(pid) if pid == 0 || pid == whoami().0 => {}
            Ok(_) | Err(_) => return Err(Errno::ESRCH),
        }
        if flags & !SEARCH != 0 {
            return Err(Errno::EINVAL);
        }
        let known = info(timer)?;
        let Itimer { nsec, interval_nsec } = known.remaining;
        let told = TimerInfo {
            left: [nsec, interval_nsec],
            setting: [nsec, interval_nsec],
            flags: if nsec != 0 { ACTIVE } else { 0 },
            clock: known.clock,
            overruns: known.overruns,
            ..TimerInfo::default()
        };
        store(place, &told)?;
        Ok(i64::from(timer))
    }
    /// Sends SIGALRM after a time.
    status TimerAlarm [TimerAlarm_r] (id: c_int, new: *const Itimer, old: *mut Itimer) -> c_int {
        if !matches!(u32::try_from(id), Ok(clock::REALTIME | clock::MONOTONIC)) {
            return Err(Errno::EINVAL);
        }
        alarm(new, old)
    }
    /// Limits the next kernel call, if it blocks in one of the states of `flags`.
    /// Partial: `notify` is SIGEV_UNBLOCK or null, other events are ENOTSUP
    status TimerTimeout [TimerTimeout_r] (id: c_int, flags: c_int, notify: *const SigEvent, ntime: *const u64, otime: *mut u64) -> c_int {
        let time = if ntime.is_null() { None } else { Some(load(ntime)?) };
        time_out(id, flags.cast_unsigned(), notify, time, otime)
    }
    /// As `TimerTimeout`, with `struct timespec`.
    /// Partial: as TimerTimeout
    status timer_timeout [timer_timeout_r] (id: c_int, flags: c_int, notify: *const SigEvent, ntime: *const Timespec, otime: *mut Timespec) -> c_int {
        let time = if ntime.is_null() { None } else { Some(load(ntime)?.ns()?) };
        let mut left = 0_u64;
        let place = if otime.is_null() { core::ptr::null_mut() } else { &raw mut left };
        let result = time_out(id, flags.cast_unsigned(), notify, time, place);
        store_optional(otime, &Timespec::from_ns(left))?;
        result
    }
    /// `timer_create` for events that Linux does not have (see `include/time.h`).
    single __neutrino_timer_create (id: c_int, event: *const SigEvent, timer: *mut u64) -> c_int {
        let made = create(id, event)?;
        store(timer, &made.cast_unsigned()).inspect_err(|_| {
            let _unknown_to_anybody = destroy(made as c_int);
        })?;
        Ok(0)
    }
    /// `timer_settime` for such a timer.
    single __neutrino_timer_settime (timer: *const c_void, flags: c_int, new: *const Itimerspec, old: *mut Itimerspec) -> c_int {
        let spec = load(new)?;
        let setting = Itimer { nsec: spec.value.ns()?, interval_nsec: spec.interval.ns()? };
        let mut before = Itimer::default();
        let flags = flags.cast_unsigned() & TIMER_ABSTIME;
        settime(at(timer) as c_int, flags, &raw const setting, &raw mut before)?;
        store_optional(old, &spec_of(&before))?;
        Ok(0)
    }
    /// `timer_gettime` for such a timer.
    single __neutrino_timer_gettime (timer: *const c_void, place: *mut Itimerspec) -> c_int {
        store(place, &spec_of(&info(at(timer) as c_int)?.remaining))?;
        Ok(0)
    }
    /// `timer_getoverrun` for such a timer.
    single __neutrino_timer_getoverrun (timer: *const c_void) -> c_int {
        info(at(timer) as c_int).map(|known| i64::from(known.overruns))
    }
    /// `timer_delete` for such a timer.
    single __neutrino_timer_delete (timer: *const c_void) -> c_int {
        destroy(at(timer) as c_int)
    }
}

fn spec_of(timer: &Itimer) -> Itimerspec {
    let Itimer { nsec, interval_nsec } = *timer;
    Itimerspec { interval: Timespec::from_ns(interval_nsec), value: Timespec::from_ns(nsec) }
}

/// `setitimer`'s structure: interval and value, in seconds and microseconds.
type Microseconds = [c_long; 4];

unsafe extern "C" {
    fn setitimer(which: c_int, new: *const Microseconds, old: *mut Microseconds) -> c_int;
}

/// The process's alarm, which C also sets with `alarm` and `setitimer`.
fn alarm(new: *const Itimer, old: *mut Itimer) -> Result<i64, Errno> {
    let micro = |ns: u64| -> [c_long; 2] {
        let us = ns.div_ceil(1000);
        [(us / 1_000_000).cast_signed(), (us % 1_000_000).cast_signed()]
    };
    let nano = |s: c_long, us: c_long| (s.cast_unsigned() * 1_000_000 + us.cast_unsigned()) * 1000;
    let Itimer { nsec, interval_nsec } = load(new)?;
    let ([a, b], [c, d]) = (micro(interval_nsec), micro(nsec));
    let (setting, mut before) = ([a, b, c, d], [0; 4]);
    // SAFETY: both are locals with the structure's layout.
    if unsafe { setitimer(0, &raw const setting, &raw mut before) } != 0 {
        return Err(Errno::EINVAL);
    }
    let [a, b, c, d] = before;
    store_optional(old, &Itimer { nsec: nano(c, d), interval_nsec: nano(a, b) })?;
    Ok(0)
}
