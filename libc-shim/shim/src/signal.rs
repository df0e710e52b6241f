//! Signals: actions, masks, waiting, sending (POSIX.1-2017, `<signal.h>`).

use crate::block::{Restart, int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::frame::{self, DEFAULT, IGNORE, SS_AUTODISARM, SS_DISABLE, bit};
use crate::sys::{self, Errno, Outcome, part};
use crate::time;
use core::sync::atomic::Ordering::Relaxed;
use io_msg::kind;
use io_msg::proc::Kill;
use linux_raw_sys::general as linux;
use neutrino_abi::handle::SYSMGR_COID;
use neutrino_abi::signal::{
    SIGNAL_MAX, SignalInfo, disposition, how, number::SIGKILL, number::SIGSTOP,
};
use neutrino_abi::time::FOREVER;

/// `si_code` of `kill`, `sigqueue`, `tkill`.
const SI_USER: i32 = 0;
const SI_TKILL: i32 = -6;

fn signal_number(raw: u64) -> Result<u32, Errno> {
    match low(raw) {
        signal @ 1..=SIGNAL_MAX => Ok(signal),
        _ => Err(Errno::EINVAL),
    }
}

const fn check_size(size: u64) -> Result<(), Errno> {
    if size == 8 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// `rt_sigaction(signal, new, old, size)`.
pub(crate) fn rt_sigaction(caller: &mut Caller<'_>, [signal, new, old, size, ..]: Args) -> Outcome {
    check_size(size)?;
    let signal = signal_number(signal)?;
    let wanted: Option<[u64; 4]> = if new == 0 { None } else { Some(copy::read(new)?) };
    if wanted.is_some() && matches!(signal, SIGKILL | SIGSTOP) {
        return Err(Errno::EINVAL);
    }
    let action = caller.process.action(signal).ok_or(Errno::EINVAL)?;
    let before = {
        let _held = caller.process.lock(caller.thread);
        let before = action.load();
        if let Some(wanted) = wanted {
            let kind = kind_of(wanted[0]);
            let mask = wanted[3] & !(bit(SIGKILL) | bit(SIGSTOP));
            // The entry must be there before the kernel sends anybody to it.
            action.store([wanted[0], wanted[1], wanted[2], mask]);
            // The kernel knows handlers only as such. (The others anew: pending signals go.)
            if kind != disposition::HANDLER || kind_of(before[0]) != kind {
                sys::signal_action(signal, kind)?;
            }
        }
        before
    };
    if old != 0 {
        copy::write(old, &before)?;
    }
    Ok(0)
}

/// What the kernel knows of a handler.
const fn kind_of(handler: u64) -> u32 {
    match handler {
        DEFAULT => disposition::DEFAULT,
        IGNORE => disposition::IGNORE,
        _ => disposition::HANDLER,
    }
}

/// `rt_sigprocmask(how, set, old, size)`.
pub(crate) fn rt_sigprocmask(_: &mut Caller<'_>, [how, set, old, size, ..]: Args) -> Outcome {
    check_size(size)?;
    let before = if set == 0 {
        sys::signal_mask()
    } else {
        let how = low(how);
        if how > how::SET {
            return Err(Errno::EINVAL);
        }
        sys::procmask(how, copy::read(set)?)?
    };
    if old != 0 {
        copy::write(old, &before)?;
    }
    Ok(0)
}

/// `rt_sigpending(set, size)`.
pub(crate) fn rt_sigpending(_: &mut Caller<'_>, [set, size, ..]: Args) -> Outcome {
    check_size(size)?;
    copy::write(set, &sys::signal_pending()?).map(|()| 0)
}

/// `rt_sigsuspend(mask, size)`.
pub(crate) fn rt_sigsuspend(caller: &mut Caller<'_>, [mask, size, ..]: Args) -> Outcome {
    check_size(size)?;
    let mask: u64 = copy::read(mask)?;
    caller.interruptible(|| sys::signal_suspend(mask))
}

/// `pause()`.
pub(crate) fn pause(caller: &mut Caller<'_>, _: Args) -> Outcome {
    let mask = sys::signal_mask();
    caller.interruptible(|| sys::signal_suspend(mask))
}

/// `rt_sigtimedwait(set, info, timeout, size)`.
pub(crate) fn rt_sigtimedwait(
    caller: &mut Caller<'_>,
    [set, info, timeout, size, ..]: Args,
) -> Outcome {
    check_size(size)?;
    let set: u64 = copy::read(set)?;
    let end = match time::optional(timeout)? {
        FOREVER => FOREVER,
        time => time::monotonic().saturating_add(time),
    };
    let mut taken = SignalInfo::default();
    let signal = caller.interruptible(|| {
        let rest = if end == FOREVER { FOREVER } else { end.saturating_sub(time::monotonic()) };
        sys::signal_wait(set, &mut taken, rest)
    })?;
    if info != 0 {
        copy::write(info, &frame::info_words(&taken))?;
    }
    Ok(signal)
}

/// `sigaltstack(new, old)`.
pub(crate) fn sigaltstack(caller: &mut Caller<'_>, [new, old, ..]: Args) -> Outcome {
    let before = caller.thread.alternate.get();
    let flags = frame::stack_flags(caller.frame.rsp, before);
    if new != 0 {
        let [start, new_flags, size]: [u64; 3] = copy::read(new)?;
        let new_flags = new_flags & 0xffff_ffff;
        if flags & frame::SS_ONSTACK != 0 {
            return Err(Errno::EPERM);
        }
        if new_flags & !(SS_DISABLE | SS_AUTODISARM | frame::SS_ONSTACK) != 0 {
            return Err(Errno::EINVAL);
        }
        if new_flags & SS_DISABLE != 0 {
            caller.thread.alternate.set([0, SS_DISABLE, 0]);
        } else if size < u64::from(linux::MINSIGSTKSZ) {
            return Err(Errno::ENOMEM);
        } else {
            caller.thread.alternate.set([start, new_flags & SS_AUTODISARM, size]);
        }
    }
    if old != 0 {
        copy::write(old, &[before[0], flags, before[2]])?;
    }
    Ok(0)
}

fn own_info(caller: &Caller<'_>, signal: u32, code: i32) -> SignalInfo {
    SignalInfo {
        number: signal,
        code,
        pid: caller.process.pid.load(Relaxed),
        uid: caller.process.ids[0].load(Relaxed),
        ..SignalInfo::default()
    }
}

/// `kill(pid, signal)`.
pub(crate) fn kill(caller: &mut Caller<'_>, [pid, signal, ..]: Args) -> Outcome {
    let signal = low(signal);
    if signal > SIGNAL_MAX {
        return Err(Errno::EINVAL);
    }
    let own = caller.process.pid.load(Relaxed).cast_signed();
    if int(pid) == own {
        return sys::signal_self(0, &own_info(caller, signal, SI_USER)).map(|_| 0);
    }
    send_kill(caller, &Kill { pid: int(pid), signal, code: SI_USER, ..Kill::default() })
}

fn send_kill(caller: &mut Caller<'_>, message: &Kill) -> Outcome {
    caller.restart = Restart::Always;
    let message = Kill { kind: kind::PROC_KILL, ..*message };
    caller.send(SYSMGR_COID, &[part(&message)], &[], None).map(|_| 0)
}

/// `tkill(tid, signal)`.
pub(crate) fn tkill(caller: &mut Caller<'_>, [tid, signal, ..]: Args) -> Outcome {
    send_to_thread(caller, 0, int(tid), low(signal))
}

/// `tgkill(pid, tid, signal)`.
pub(crate) fn tgkill(caller: &mut Caller<'_>, [pid, tid, signal, ..]: Args) -> Outcome {
    if int(pid) <= 0 {
        return Err(Errno::EINVAL);
    }
    send_to_thread(caller, int(pid), int(tid), low(signal))
}

fn send_to_thread(caller: &mut Caller<'_>, pid: i32, tid: i32, signal: u32) -> Outcome {
    let own = caller.process.pid.load(Relaxed).cast_signed();
    let thread = u32::try_from(tid).ok().filter(|tid| *tid > 0).ok_or(Errno::EINVAL)?;
    if signal > SIGNAL_MAX {
        return Err(Errno::EINVAL);
    }
    if pid == own || thread == caller.tid() {
        return sys::signal_self(thread, &own_info(caller, signal, SI_TKILL)).map(|_| 0);
    }
    let message = Kill { subtype: 1, pid, tid, signal, code: SI_TKILL, ..Kill::default() };
    send_kill(caller, &message)
}

/// `rt_sigqueueinfo(pid, signal, info)`.
pub(crate) fn rt_sigqueueinfo(caller: &mut Caller<'_>, [pid, signal, info, ..]: Args) -> Outcome {
    let [_, code, _, value]: [u64; 4] = copy::read(info)?;
    let (signal, code) = (low(signal), int(code));
    if signal > SIGNAL_MAX {
        return Err(Errno::EINVAL);
    }
    let own = caller.process.pid.load(Relaxed).cast_signed();
    if code >= 0 && int(pid) != own {
        return Err(Errno::EPERM);
    }
    if int(pid) == own {
        let info = SignalInfo { value, ..own_info(caller, signal, code) };
        return sys::signal_self(0, &info).map(|_| 0);
    }
    send_kill(caller, &Kill { pid: int(pid), signal, code, value, ..Kill::default() })
}

/// `rt_tgsigqueueinfo(pid, tid, signal, info)`.
pub(crate) fn rt_tgsigqueueinfo(
    caller: &mut Caller<'_>,
    [pid, tid, signal, info, ..]: Args,
) -> Outcome {
    let [_, code, _, value]: [u64; 4] = copy::read(info)?;
    let own = caller.process.pid.load(Relaxed).cast_signed();
    if int(pid) == own {
        let info = SignalInfo { value, ..own_info(caller, low(signal), int(code)) };
        return sys::signal_self(low(tid), &info).map(|_| 0);
    }
    let (pid, tid, signal, code) = (int(pid), int(tid), low(signal), int(code));
    send_kill(caller, &Kill { subtype: 1, pid, tid, signal, code, value, ..Kill::default() })
}
