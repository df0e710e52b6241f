//! Threads: `clone`, thread numbers, `arch_prctl`, scheduling, futexes.

use crate::block::{Birth, Restart, Space, Thread, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::process::{self, Child};
use crate::sys::{self, Errno, Outcome};
use crate::time;
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::general as linux;
use neutrino_abi::calls::futex as flag;
use neutrino_abi::process::{ThreadArgs, thread_ctl, thread_flag};
use neutrino_abi::signal::how;
use neutrino_abi::time::FOREVER;

/// `clone(flags, stack, parent tid, child tid, tls)`.
pub(crate) fn clone(
    caller: &mut Caller<'_>,
    [flags, stack, parent_tid, child_tid, tls, _]: Args,
) -> Outcome {
    let signal = low(flags) & 0xff;
    let wanted = Cloning { flags: low(flags) & !0xff, signal, stack, parent_tid, child_tid, tls };
    clone_any(caller, &wanted)
}

/// `clone3(arguments, size)`.
pub(crate) fn clone3(caller: &mut Caller<'_>, [arguments, size, ..]: Args) -> Outcome {
    if size < 64 {
        return Err(Errno::EINVAL);
    }
    let [flags, _, child_tid, parent_tid, signal, stack, stack_size, tls]: [u64; 8] =
        copy::read(arguments)?;
    let stack = if stack == 0 { 0 } else { stack.wrapping_add(stack_size) };
    let (flags, signal) = (low(flags), low(signal));
    clone_any(caller, &Cloning { flags, signal, stack, parent_tid, child_tid, tls })
}

/// What `clone` and `clone3` ask for.
#[derive(Clone, Copy, Debug)]
struct Cloning {
    flags: u32,
    signal: u32,
    stack: u64,
    parent_tid: u64,
    child_tid: u64,
    tls: u64,
}

impl Cloning {
    const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    const fn when(&self, flag: u32, value: u64) -> u64 {
        if self.has(flag) { value } else { 0 }
    }
}

fn clone_any(caller: &mut Caller<'_>, wanted: &Cloning) -> Outcome {
    if wanted.has(linux::CLONE_THREAD) {
        return create_thread(caller, wanted);
    }
    let child = Child {
        stack: wanted.stack,
        set_tid: wanted.when(linux::CLONE_CHILD_SETTID, wanted.child_tid),
        clear_tid: wanted.when(linux::CLONE_CHILD_CLEARTID, wanted.child_tid),
        exit_signal: wanted.signal,
    };
    let pid = match (wanted.has(linux::CLONE_VM), wanted.has(linux::CLONE_VFORK)) {
        (true, true) => process::vfork_child(caller, child),
        (false, false) => process::fork_child(caller, child),
        // A copy that waits, or a process beside this one in the same memory.
        (false, true) | (true, false) => Err(Errno::EINVAL),
    }?;
    if wanted.has(linux::CLONE_PARENT_SETTID) {
        copy::write(wanted.parent_tid, &low(pid))?;
    }
    Ok(pid)
}

fn create_thread(caller: &Caller<'_>, wanted: &Cloning) -> Outcome {
    const NEEDED: u32 =
        linux::CLONE_VM | linux::CLONE_SIGHAND | linux::CLONE_FILES | linux::CLONE_FS;
    if wanted.flags & NEEDED != NEEDED || wanted.stack == 0 {
        return Err(Errno::EINVAL);
    }
    let thread = Thread::create(caller.process)?;
    let fs_base =
        if wanted.has(linux::CLONE_SETTLS) { wanted.tls } else { caller.thread.fs_base.get() };
    thread.birth.set(Birth::Thread);
    thread.fs_base.set(fs_base);
    thread.set_tid.set(wanted.when(linux::CLONE_CHILD_SETTID, wanted.child_tid));
    let mut registers = *caller.frame;
    registers.rsp = wanted.stack;
    thread.set_frame(&registers);
    let arguments = ThreadArgs {
        entry: crate::entry::child_entry(),
        stack: thread.frame_address(),
        argument: thread.frame_address(),
        fs_base,
        gs_base: thread.address(),
        signal_area: thread.area_address(),
        clear_tid: wanted.when(linux::CLONE_CHILD_CLEARTID, wanted.child_tid),
        like_tid: caller.tid(),
        flags: thread_flag::HELD,
        ..ThreadArgs::default()
    };
    let tid = match sys::thread_create(&arguments) {
        Ok(tid) => tid,
        Err(error) => {
            Space::get().release_thread(thread.slot);
            return Err(error);
        }
    };
    caller.process.threads.fetch_add(1, Relaxed);
    // Before the thread runs: it may end, and clear the word, at once.
    if wanted.has(linux::CLONE_PARENT_SETTID) {
        let _ignored_as_linux_does = copy::write(wanted.parent_tid, &low(tid));
    }
    sys::thread_ctl(low(tid), thread_ctl::CONTINUE, 0)?;
    Ok(tid)
}

/// `set_tid_address(word)`.
pub(crate) fn set_tid_address(caller: &mut Caller<'_>, [word, ..]: Args) -> Outcome {
    caller.thread.clear_tid.set(word);
    sys::thread_ctl(0, thread_ctl::CLEAR_TID, word)?;
    Ok(u64::from(caller.tid()))
}

/// `gettid()`.
pub(crate) fn gettid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    Ok(u64::from(caller.tid()))
}

/// `set_robust_list(head, size)`.
pub(crate) fn set_robust_list(caller: &mut Caller<'_>, [head, size, ..]: Args) -> Outcome {
    if size != 24 {
        return Err(Errno::EINVAL);
    }
    sys::thread_ctl(0, thread_ctl::ROBUST_LIST, head)?;
    caller.thread.robust_list.set(head);
    Ok(0)
}

/// `get_robust_list(tid, head, size)`: of the caller.
pub(crate) fn get_robust_list(caller: &mut Caller<'_>, [tid, head, size, ..]: Args) -> Outcome {
    if low(tid) != 0 && low(tid) != caller.tid() {
        return Err(Errno::ESRCH);
    }
    copy::write(head, &caller.thread.robust_list.get())?;
    copy::write(size, &24_u64).map(|()| 0)
}

/// `arch_prctl(command, address)`.
pub(crate) fn arch_prctl(caller: &mut Caller<'_>, [command, address, ..]: Args) -> Outcome {
    const SET_FS: u32 = 0x1002;
    const GET_FS: u32 = 0x1003;
    match low(command) {
        SET_FS => {
            sys::thread_ctl(0, thread_ctl::FS_BASE, address)?;
            caller.thread.fs_base.set(address);
            Ok(0)
        }
        GET_FS => copy::write(address, &caller.thread.fs_base.get()).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}

/// `futex(word, operation, value, time-out or second value, second word, third value)`.
pub(crate) fn futex(
    caller: &mut Caller<'_>,
    [word, operation, value, time, second, third]: Args,
) -> Outcome {
    let operation = low(operation);
    let shared = if operation & linux::FUTEX_PRIVATE_FLAG != 0 { 0 } else { flag::SHARED };
    let is_realtime = operation & linux::FUTEX_CLOCK_REALTIME != 0;
    if word % 4 != 0 {
        return Err(Errno::EINVAL);
    }
    let (value, third) = (low(value), low(third));
    match operation & !(linux::FUTEX_PRIVATE_FLAG | linux::FUTEX_CLOCK_REALTIME) {
        linux::FUTEX_WAIT => {
            let deadline = match time::optional(time)? {
                FOREVER => FOREVER,
                time => time::monotonic().saturating_add(time),
            };
            let wait = sys::FutexWait {
                address: word,
                expected: value,
                flags: shared,
                deadline,
                bitset: flag::ANY,
            };
            futex_wait(caller, &wait)
        }
        linux::FUTEX_WAIT_BITSET => {
            let flags = shared | if is_realtime { flag::REALTIME } else { 0 };
            let deadline = time::optional(time)?;
            let wait =
                sys::FutexWait { address: word, expected: value, flags, deadline, bitset: third };
            futex_wait(caller, &wait)
        }
        linux::FUTEX_WAIT_REQUEUE_PI => {
            let flags = shared | if is_realtime { flag::REALTIME } else { 0 };
            let (deadline, bitset) = (time::optional(time)?, flag::ANY);
            let wait = sys::FutexWait { address: word, expected: value, flags, deadline, bitset };
            wait_requeue(caller, &wait, second)
        }
        linux::FUTEX_CMP_REQUEUE_PI => {
            requeue_to_lock(word, second, [value, low(time), third], shared)
        }
        linux::FUTEX_WAKE => sys::futex_wake(word, value, shared, flag::ANY),
        linux::FUTEX_WAKE_BITSET => sys::futex_wake(word, value, shared, third),
        operation @ (linux::FUTEX_REQUEUE | linux::FUTEX_CMP_REQUEUE) => {
            let compare = if operation == linux::FUTEX_CMP_REQUEUE { flag::COMPARE } else { 0 };
            sys::futex_requeue(&sys::FutexRequeue {
                address: word,
                wake: value,
                requeue: low(time),
                target: second,
                expected: third,
                flags: shared | compare,
            })
        }
        linux::FUTEX_WAKE_OP => wake_operation(word, second, [value, low(time), third], shared),
        linux::FUTEX_LOCK_PI => {
            let deadline = time::optional(time)?;
            let flags = shared | if deadline == FOREVER { 0 } else { flag::REALTIME };
            caller.restart = Restart::Always;
            caller.interruptible(|| sys::mutex_lock(word, flags, deadline))
        }
        linux::FUTEX_LOCK_PI2 => {
            let flags = shared | if is_realtime { flag::REALTIME } else { 0 };
            let deadline = time::optional(time)?;
            caller.restart = Restart::Always;
            caller.interruptible(|| sys::mutex_lock(word, flags, deadline))
        }
        linux::FUTEX_TRYLOCK_PI => try_lock(word, caller.tid()),
        linux::FUTEX_UNLOCK_PI => sys::mutex_unlock(word, shared),
        _ => Err(Errno::ENOSYS),
    }
}

fn futex_wait(caller: &mut Caller<'_>, wait: &sys::FutexWait) -> Outcome {
    if wait.deadline != FOREVER {
        caller.restart = Restart::Never;
    }
    caller.interruptible(|| sys::futex_wait(wait)).map(|_| 0)
}

/// `FUTEX_WAIT_REQUEUE_PI`: waits on a word and comes back with a mutex of inheritance locked.
fn wait_requeue(caller: &mut Caller<'_>, wait: &sys::FutexWait, mutex: u64) -> Outcome {
    if !mutex.is_multiple_of(4) || mutex == wait.address {
        return Err(Errno::EINVAL);
    }
    caller.restart = Restart::Always;
    caller.interruptible(|| sys::futex_wait(wait))?;
    // The wait is over: a signal does not begin it again.
    loop {
        match sys::mutex_lock(mutex, wait.flags, wait.deadline) {
            Err(Errno::EINTR | Errno::ERESTART) => {
                if caller.is_interrupted() {
                    let mask = sys::procmask(how::SET, u64::MAX)?;
                    let locked = sys::mutex_lock(mutex, wait.flags, wait.deadline);
                    sys::procmask(how::SET, mask)?;
                    return locked.map(|_| 0);
                }
            }
            other => return other.map(|_| 0),
        }
    }
}

/// `FUTEX_CMP_REQUEUE_PI`: who waits on a word that holds a value goes on to wait for a mutex; they queue
/// there themselves, each with its priority. Returns how many.
fn requeue_to_lock(
    word: u64,
    mutex: u64,
    [wake, requeue, expected]: [u32; 3],
    shared: u32,
) -> Outcome {
    if wake != 1 || requeue.cast_signed() < 0 || !mutex.is_multiple_of(4) || mutex == word {
        return Err(Errno::EINVAL);
    }
    copy::probe(mutex)?;
    sys::futex_requeue(&sys::FutexRequeue {
        address: word,
        wake: wake + requeue,
        requeue: 0,
        target: mutex,
        expected,
        flags: shared | flag::COMPARE,
    })
}

fn try_lock(word: u64, tid: u32) -> Outcome {
    match copy::exchange(word, 0, tid)? {
        0 => Ok(0),
        owner if owner & flag::TID_MASK == tid => Err(Errno::EDEADLK),
        _ => Err(Errno::EAGAIN),
    }
}

/// `FUTEX_WAKE_OP`: changes the second word, wakes waiters of the first, and of the second if its
/// old value compares as asked.
fn wake_operation(word: u64, second: u64, [count, count2, how]: [u32; 3], shared: u32) -> Outcome {
    let sign = |twelve: u32| (twelve << 20).cast_signed() >> 20;
    let mut argument = sign(how >> 12 & 0xfff).cast_unsigned();
    if how >> 31 != 0 {
        argument = 1_u32.wrapping_shl(argument);
    }
    let old = loop {
        let old: u32 = copy::read(second)?;
        let new = match how >> 28 & 7 {
            0 => argument,
            1 => old.wrapping_add(argument),
            2 => old | argument,
            3 => old & !argument,
            4 => old ^ argument,
            _ => return Err(Errno::ENOSYS),
        };
        if copy::exchange(second, old, new)? == old {
            break old.cast_signed();
        }
    };
    let compared = sign(how & 0xfff);
    let is_true = match how >> 24 & 15 {
        0 => old == compared,
        1 => old != compared,
        2 => old < compared,
        3 => old <= compared,
        4 => old > compared,
        5 => old >= compared,
        _ => return Err(Errno::ENOSYS),
    };
    let mut woken = sys::futex_wake(word, count, shared, flag::ANY)?;
    if is_true {
        woken += sys::futex_wake(second, count2, shared, flag::ANY)?;
    }
    Ok(woken)
}
