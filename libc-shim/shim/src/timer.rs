//! Timers: `alarm`, `setitimer`, `timer_create`. A timer's number is its kernel handle.

use crate::block::{int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::sys::{self, Errno, Outcome};
use crate::time::{self, NANOSECONDS, Timespec};
use core::sync::atomic::Ordering::Relaxed;
use neutrino_abi::event::{Event, kind};
use neutrino_abi::handle::{COF_CLOEXEC, COF_NOSHARE, SIDE_CHANNEL};
use neutrino_abi::signal::number::SIGALRM;
use neutrino_abi::time::{Itimer, TIMER_ABSTIME, TimerInfo, clock};

const SI_KERNEL: i32 = 0x80;
const SI_TIMER: i32 = -2;
const MICROSECONDS: u64 = 1_000_000;

/// The timer behind `alarm`, made when it is first needed.
fn alarm_timer(caller: &Caller<'_>) -> Result<u32, Errno> {
    let process = caller.process;
    let _held = process.lock(caller.thread);
    let known = process.alarm.load(Relaxed);
    if known != 0 {
        return Ok(known);
    }
    let event =
        Event { notify: kind::SIGNAL, target: SIGALRM, code: SI_KERNEL, ..Event::default() };
    let timer = create(clock::MONOTONIC, &event)?;
    process.alarm.store(timer, Relaxed);
    Ok(timer)
}

/// Makes a timer that neither a child nor the next program has.
fn create(id: u32, event: &Event) -> Result<u32, Errno> {
    let timer = low(sys::timer_create(id, event)?);
    sys::connect_flags(timer, COF_CLOEXEC | COF_NOSHARE, COF_CLOEXEC | COF_NOSHARE)?;
    Ok(timer)
}

/// Sets the alarm again that the program before the exec had set.
pub(crate) fn restore_alarm(caller_block: &crate::block::Thread, deadline: u64) {
    let process = caller_block.process();
    let event =
        Event { notify: kind::SIGNAL, target: SIGALRM, code: SI_KERNEL, ..Event::default() };
    if let Ok(timer) = create(clock::MONOTONIC, &event) {
        process.alarm.store(timer, Relaxed);
        let new = Itimer { nsec: deadline, interval_nsec: 0 };
        let _set = sys::timer_settime(timer, TIMER_ABSTIME, &new, &mut Itimer::default());
    }
}

/// Sets the alarm to a distance from now; returns what it was.
fn set_alarm(caller: &Caller<'_>, new: Itimer) -> Result<Itimer, Errno> {
    let timer = alarm_timer(caller)?;
    let mut old = Itimer::default();
    sys::timer_settime(timer, 0, &new, &mut old)?;
    Ok(old)
}

/// `alarm(seconds)`.
pub(crate) fn alarm(caller: &mut Caller<'_>, [seconds, ..]: Args) -> Outcome {
    let nsec = u64::from(low(seconds)) * NANOSECONDS;
    let old = set_alarm(caller, Itimer { nsec, interval_nsec: 0 })?;
    let rest = old.nsec.saturating_add(NANOSECONDS / 2) / NANOSECONDS;
    Ok(if old.nsec == 0 { 0 } else { rest.max(1) })
}

/// `setitimer(which, new, old)`: `ITIMER_REAL`.
pub(crate) fn setitimer(caller: &mut Caller<'_>, [which, new, old, ..]: Args) -> Outcome {
    if low(which) != 0 {
        return Err(Errno::EINVAL);
    }
    let wanted = if new == 0 { [0; 4] } else { copy::read(new)? };
    let [interval_s, interval_us, value_s, value_us]: [i64; 4] = wanted;
    let nanoseconds = |seconds, microseconds: i64| {
        let nanoseconds = microseconds.saturating_mul(1000);
        Timespec { seconds, nanoseconds }.to_nanoseconds()
    };
    let new = Itimer {
        nsec: nanoseconds(value_s, value_us)?,
        interval_nsec: nanoseconds(interval_s, interval_us)?,
    };
    let before = set_alarm(caller, new)?;
    if old != 0 { write_itimer(old, &before, MICROSECONDS) } else { Ok(0) }
}

/// `getitimer(which, value)`.
pub(crate) fn getitimer(caller: &mut Caller<'_>, [which, value, ..]: Args) -> Outcome {
    if low(which) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut info = TimerInfo::default();
    sys::timer_info(alarm_timer(caller)?, &mut info)?;
    write_itimer(value, &info.remaining, MICROSECONDS)
}

/// Writes interval and value; `unit` is that of their second words.
fn write_itimer(address: u64, timer: &Itimer, unit: u64) -> Outcome {
    let pair = |time: u64| [time / NANOSECONDS, time % NANOSECONDS / (NANOSECONDS / unit)];
    let ([a, b], [c, d]) = (pair(timer.interval_nsec), pair(timer.nsec));
    copy::write(address, &[a, b, c, d]).map(|()| 0)
}

/// `timer_create(clock, event, timer)`.
pub(crate) fn timer_create(_: &mut Caller<'_>, [id, event, timer, ..]: Args) -> Outcome {
    const SIGNAL: i32 = 0;
    const NONE: i32 = 1;
    const THREAD_ID: i32 = 4;
    let id = time::clock_of(id)?;
    let words: [u64; 3] = match event {
        0 => [0, u64::from(SIGALRM), 0],
        _ => copy::read(event)?,
    };
    let (signal, notify) = (low(words[1]), int(words[1] >> 32));
    let mut wanted = Event { target: signal, code: SI_TIMER, value: words[0], ..Event::default() };
    match notify {
        SIGNAL => wanted.notify = kind::SIGNAL,
        NONE => wanted.notify = kind::NONE,
        THREAD_ID => {
            wanted.notify = kind::SIGNAL_THREAD;
            wanted.priority = int(words[2]);
        }
        _ => return Err(Errno::EINVAL),
    }
    if notify != NONE && !(1..=64).contains(&signal) {
        return Err(Errno::EINVAL);
    }
    let handle = create(id, &wanted)?;
    copy::write(timer, &handle).map(|()| 0)
}

/// A timer argument.
const fn handle(raw: u64) -> Result<u32, Errno> {
    let handle = low(raw);
    if handle & SIDE_CHANNEL == 0 || handle.cast_signed() < 0 {
        Err(Errno::EINVAL)
    } else {
        Ok(handle)
    }
}

/// The kernel says EBADF of what is no timer, Linux EINVAL.
fn as_linux(outcome: Outcome) -> Outcome {
    match outcome {
        Err(Errno::EBADF) => Err(Errno::EINVAL),
        other => other,
    }
}

/// `timer_settime(timer, flags, new, old)`.
pub(crate) fn timer_settime(_: &mut Caller<'_>, [timer, flags, new, old, ..]: Args) -> Outcome {
    let timer = handle(timer)?;
    let [interval_s, interval_ns, value_s, value_ns]: [i64; 4] = copy::read(new)?;
    let new = Itimer {
        nsec: Timespec { seconds: value_s, nanoseconds: value_ns }.to_nanoseconds()?,
        interval_nsec: Timespec { seconds: interval_s, nanoseconds: interval_ns }
            .to_nanoseconds()?,
    };
    let mut before = Itimer::default();
    as_linux(sys::timer_settime(timer, low(flags) & TIMER_ABSTIME, &new, &mut before))?;
    if old != 0 { write_itimer(old, &before, NANOSECONDS) } else { Ok(0) }
}

/// `timer_gettime(timer, value)`.
pub(crate) fn timer_gettime(_: &mut Caller<'_>, [timer, value, ..]: Args) -> Outcome {
    let mut info = TimerInfo::default();
    as_linux(sys::timer_info(handle(timer)?, &mut info))?;
    write_itimer(value, &info.remaining, NANOSECONDS)
}

/// `timer_getoverrun(timer)`.
pub(crate) fn timer_getoverrun(_: &mut Caller<'_>, [timer, ..]: Args) -> Outcome {
    let mut info = TimerInfo::default();
    as_linux(sys::timer_info(handle(timer)?, &mut info))?;
    Ok(u64::from(info.overruns))
}

/// `timer_delete(timer)`.
pub(crate) fn timer_delete(_: &mut Caller<'_>, [timer, ..]: Args) -> Outcome {
    let timer = handle(timer)?;
    // Only a timer answers this; no other handle is closed by mistake.
    as_linux(sys::timer_info(timer, &mut TimerInfo::default()))?;
    as_linux(sys::detach(timer))
}
