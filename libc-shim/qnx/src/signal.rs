//! Signals. Dispositions are musl's to set, as it keeps handlers of its own; the rest is the
//! kernel's, and the process manager's where another process is meant.

use crate::kernel::{
    address_of_mut, at, call, copy, functions, load, manager, peek, store_optional, whoami,
};
use core::ffi::{c_int, c_void};
use io_msg::kind;
use io_msg::proc::Kill;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::message::SendExtra;
use neutrino_abi::signal::{SignalInfo, how, number};
use neutrino_abi::time::FOREVER;

/// Size of C's `struct sigaction`.
const ACTION: usize = 152;
/// Signals that musl keeps for itself: 32 to 34.
const RESERVED: u64 = 7 << 31;
/// The process has it, not one thread.
const TO_THREAD: u16 = 1;

unsafe extern "C" {
    fn sigaction(signo: c_int, act: *const c_void, old: *mut c_void) -> c_int;
    fn __errno_location() -> *mut c_int;
}

fn own(pid: c_int) -> Result<(), Errno> {
    match u32::try_from(pid) {
        Ok(pid) if pid == 0 || pid == whoami().0 => Ok(()),
        Ok(_) => Err(Errno::EPERM),
        Err(_) => Err(Errno::ESRCH),
    }
}

fn kill(pid: c_int, tid: c_int, signo: c_int, code: c_int, value: u64) -> Result<i64, Errno> {
    let signal = u32::try_from(signo).map_err(|_| Errno::EINVAL)?;
    let subtype = if tid == 0 { 0 } else { TO_THREAD };
    // Of a thread, the process that it must be of; 0 would mean any.
    let pid = if tid != 0 && pid == 0 { whoami().0.cast_signed() } else { pid };
    let kind = kind::PROC_KILL;
    let message = Kill { kind, subtype, pid, tid, signal, code, zero: 0, value };
    manager(&message, &[], &mut [0_u8; 0], &SendExtra::default())
}

fn action(signo: c_int, act: *const c_void, old: *mut c_void) -> Result<i64, Errno> {
    let (mut new, mut before) = ([0_u8; ACTION], [0_u8; ACTION]);
    let mut given = core::ptr::null();
    if !act.is_null() {
        copy(at(act), address_of_mut(&mut new), ACTION as u64)?;
        given = (&raw const new).cast();
    }
    if !old.is_null() {
        // Before anything changes: that it can be told.
        copy(at(old), address_of_mut(&mut before), ACTION as u64)?;
    }
    // SAFETY: musl's function has no conditions.
    let errno = unsafe { __errno_location() };
    // SAFETY: the calling thread's own.
    let kept = unsafe { errno.read() };
    // SAFETY: null, or locals of the structure's size.
    let result = unsafe { sigaction(signo, given, (&raw mut before).cast()) };
    // SAFETY: as above.
    unsafe { errno.write(kept) };
    if result != 0 {
        return Err(Errno::EINVAL);
    }
    if !old.is_null() {
        copy(before.as_ptr().addr() as u64, at(old), ACTION as u64)?;
    }
    Ok(0)
}

/// Words of C's `siginfo_t`.
type CInfo = [u32; 32];

fn told(info: &SignalInfo) -> CInfo {
    let [low, high] = match info.number {
        number::SIGCHLD => [info.status, 0],
        _ => [info.value as u32, (info.value >> 32) as u32],
    };
    let mut words = [0; 32];
    let [signo, _, code, _, pid, uid, value_low, value_high, ..] = &mut words;
    (*signo, *code) = (info.number, info.code.cast_unsigned());
    (*pid, *uid) = (info.pid, info.uid);
    (*value_low, *value_high) = (low, high);
    words
}

functions! {
    /// Sends a signal to a process, a group (as `kill`), or one thread.
    /// Partial: codes of 0 and above are told as SI_USER
    status SignalKill [SignalKill_r] (nd: u32, pid: c_int, tid: c_int, signo: c_int, code: c_int, value: c_int) -> c_int {
        if nd != 0 {
            return Err(Errno::EINVAL);
        }
        kill(pid, tid, signo, code, u64::from(value.cast_unsigned()))
    }
    /// As `SignalKill`, with a whole `union sigval`.
    status SignalKillSigval [SignalKillSigval_r] (nd: u32, pid: c_int, tid: c_int, signo: c_int, code: c_int, value: *const u64) -> c_int {
        if nd != 0 {
            return Err(Errno::EINVAL);
        }
        kill(pid, tid, signo, code, load(value)?)
    }
    /// Sets what the caller's process does with a signal. The stub is musl's.
    /// Partial: own process
    status SignalAction [SignalAction_r] (pid: c_int, stub: *const c_void, signo: c_int, act: *const c_void, old: *mut c_void) -> c_int {
        let _musl_has_its_own = stub;
        own(pid)?;
        action(signo, act, old)
    }
    /// Changes the caller's mask.
    /// Partial: the calling thread
    status SignalProcmask [SignalProcmask_r] (pid: c_int, tid: c_int, change: c_int, set: *const u64, old: *mut u64) -> c_int {
        own(pid)?;
        match u32::try_from(tid) {
            Ok(tid) if tid == 0 || tid == whoami().1 => {}
            // Another thread's mask is its own.
            Ok(_) | Err(_) => return Err(Errno::ESRCH),
        }
        let change = u32::try_from(change).map_err(|_| Errno::EINVAL)?;
        if change > how::SET {
            return Err(Errno::EINVAL);
        }
        let (how, set) = if set.is_null() { (how::QUERY, 0) } else { (change, load(set)?) };
        call(Call::SignalProcmask { how, set: set & !RESERVED, old: at(old) })
    }
    /// Waits, with this mask, for a signal that has a handler; always fails, with EINTR.
    status SignalSuspend [SignalSuspend_r] (set: *const u64) -> c_int {
        call(Call::SignalSuspend { set: peek(set)? & !RESERVED })
    }
    /// Takes a pending signal of a set, or waits for one; returns its number.
    value SignalWaitinfo [SignalWaitinfo_r] (set: *const u64, info: *mut CInfo) -> c_int {
        let set = peek(set)? & !RESERVED;
        let mut found = SignalInfo::default();
        let wait = Call::SignalWaitinfo { set, info: address_of_mut(&mut found), timeout: FOREVER };
        let signal = match call(wait) {
            // There was no limit but TimerTimeout's.
            Err(Errno::EAGAIN) => return Err(Errno::ETIMEDOUT),
            other => other?,
        };
        store_optional(info, &told(&found))?;
        Ok(signal)
    }
}
