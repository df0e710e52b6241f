//! Timers that are read (Linux: `timerfd`). They are the pipe server's.

use crate::block::low;
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::event;
use crate::path::descriptor;
use crate::sys::{Errno, Outcome, part, room};
use crate::time::{self, Timespec};
use io_msg::connect::{Connect, subtype};
use io_msg::io::Simple;
use io_msg::kind;
use io_msg::special::{TIMER_ABSOLUTE, TIMER_RELATIVE, TimerSet, TimerValue};
use io_msg::stat::open as flag;
use linux_raw_sys::general as linux;

/// `TFD_TIMER_ABSTIME` and `TFD_TIMER_CANCEL_ON_SET`.
const ABSOLUTE: u32 = 1;
const CANCEL_ON_SET: u32 = 2;

/// `timerfd_create(clock, flags)`.
pub(crate) fn timerfd_create(caller: &mut Caller<'_>, [clock, flags, ..]: Args) -> Outcome {
    let clock = match low(clock) {
        linux::CLOCK_REALTIME
        | linux::CLOCK_MONOTONIC
        | linux::CLOCK_BOOTTIME
        | linux::CLOCK_REALTIME_ALARM
        | linux::CLOCK_BOOTTIME_ALARM => low(clock),
        _ => return Err(Errno::EINVAL),
    };
    if low(flags) & !(flag::CLOEXEC | flag::NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    // The system does not sleep, so that an alarm's clock is the clock.
    let clock = match clock {
        linux::CLOCK_REALTIME_ALARM => linux::CLOCK_REALTIME,
        linux::CLOCK_BOOTTIME_ALARM => linux::CLOCK_BOOTTIME,
        other => other,
    };
    let mode = time::clock_of(clock.into())?;
    event::make(caller, low(flags), Connect { subtype: subtype::TIMER, mode, ..Connect::default() })
}

/// A server's answer to a message about timers: another descriptor is none.
fn answer(outcome: Outcome) -> Outcome {
    match outcome {
        Err(Errno::ENOSYS) => Err(Errno::EINVAL),
        other => other,
    }
}

/// `timerfd_settime(fd, flags, new, old)`.
pub(crate) fn timerfd_settime(caller: &mut Caller<'_>, [fd, flags, new, old, ..]: Args) -> Outcome {
    if low(flags) & !(ABSOLUTE | CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let [interval_s, interval_ns, value_s, value_ns]: [i64; 4] = copy::read(new)?;
    let spec = |seconds, nanoseconds| Timespec { seconds, nanoseconds }.to_nanoseconds();
    let message = TimerSet {
        kind: kind::TIMER_SET,
        subtype: if low(flags) & ABSOLUTE != 0 { TIMER_ABSOLUTE } else { TIMER_RELATIVE },
        zero: 0,
        new: TimerValue {
            value: spec(value_s, value_ns)?,
            interval: spec(interval_s, interval_ns)?,
        },
    };
    let mut before = TimerValue::default();
    answer(caller.send(descriptor(fd)?, &[part(&message)], &[room(&mut before)], None))?;
    if old == 0 { Ok(0) } else { write(old, &before) }
}

/// `timerfd_gettime(fd, value)`.
pub(crate) fn timerfd_gettime(caller: &mut Caller<'_>, [fd, value, ..]: Args) -> Outcome {
    let message = Simple { kind: kind::TIMER_GET, ..Simple::default() };
    let mut now = TimerValue::default();
    answer(caller.send(descriptor(fd)?, &[part(&message)], &[room(&mut now)], None))?;
    write(value, &now)
}

/// Writes a `struct itimerspec`.
fn write(to: u64, value: &TimerValue) -> Outcome {
    let pair = |time| {
        let Timespec { seconds, nanoseconds } = Timespec::from_nanoseconds(time);
        [seconds, nanoseconds]
    };
    let ([a, b], [c, d]) = (pair(value.interval), pair(value.value));
    copy::write(to, &[a, b, c, d]).map(|()| 0)
}
