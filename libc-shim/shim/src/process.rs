//! Processes: fork, exit, wait.

use crate::block::{Birth, Space, Thread, int, low};
use crate::copy;
use crate::dispatch::{self, Args, Caller};
use crate::entry;
use crate::sys::{self, Errno, Outcome, part, room};
use crate::{open, robust};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::kind;
use io_msg::proc::{Exit, FORK_VFORK, Fork, Usage, Wait, WaitReply};
use linux_raw_sys::general as linux;
use neutrino_abi::handle::SYSMGR_COID;
use neutrino_abi::info::ProcessInfo;
use neutrino_abi::signal::{how, number::SIGCHLD};

/// How a child is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    /// Its stack pointer, or 0 for the parent's.
    pub(crate) stack: u64,
    /// Where the child writes its number, or 0.
    pub(crate) set_tid: u64,
    /// Where the kernel clears it, or 0.
    pub(crate) clear_tid: u64,
    /// Signal to the parent at its end.
    pub(crate) exit_signal: u32,
}

impl Child {
    pub(crate) const PLAIN: Self =
        Self { stack: 0, set_tid: 0, clear_tid: 0, exit_signal: SIGCHLD };
}

/// `fork()`.
pub(crate) fn fork(caller: &mut Caller<'_>, _: Args) -> Outcome {
    fork_child(caller, Child::PLAIN)
}

/// `vfork()`.
pub(crate) fn vfork(caller: &mut Caller<'_>, _: Args) -> Outcome {
    vfork_child(caller, Child::PLAIN)
}

fn message(thread: &Thread, child: Child, flags: u32) -> Fork {
    Fork {
        kind: kind::PROC_FORK,
        subtype: 0,
        flags,
        entry: entry::child_entry(),
        stack: thread.frame_address(),
        argument: thread.frame_address(),
        fs_base: thread.fs_base.get(),
        gs_base: thread.address(),
        signal_area: thread.area_address(),
        clear_tid: child.clear_tid,
        exit_signal: child.exit_signal,
        zero: 0,
    }
}

/// Makes a copy of the process; it starts on the copy of this thread's frame and stack.
pub(crate) fn fork_child(caller: &mut Caller<'_>, child: Child) -> Outcome {
    let thread = caller.thread;
    let old_stack = caller.frame.rsp;
    if child.stack != 0 {
        caller.frame.rsp = child.stack;
    }
    thread.birth.set(Birth::Fork);
    thread.set_tid.set(child.set_tid);
    let message = message(thread, child, 0);
    let outcome = {
        let _held = caller.process.lock(thread);
        caller.send(SYSMGR_COID, &[part(&message)], &[], None)
    };
    thread.set_tid.set(0);
    caller.frame.rsp = old_stack;
    outcome
}

/// Makes a process on this address space and waits for its exec or exit. It has blocks of its own;
/// signals wait, because this thread must not go on before the child is gone.
pub(crate) fn vfork_child(caller: &mut Caller<'_>, child: Child) -> Outcome {
    let process = caller.process.copy()?;
    let thread = match Thread::create(process) {
        Ok(thread) => thread,
        Err(error) => {
            Space::get().release_process(process.slot);
            return Err(error);
        }
    };
    let mask = sys::procmask(how::SET, u64::MAX)?;
    thread.birth.set(Birth::Vfork);
    thread.birth_mask.set(Some(mask));
    thread.fs_base.set(caller.thread.fs_base.get());
    thread.alternate.set(caller.thread.alternate.get());
    thread.set_tid.set(child.set_tid);
    thread.mounts.copy(&caller.thread.mounts);
    let mut registers = *caller.frame;
    if child.stack != 0 {
        registers.rsp = child.stack;
    }
    thread.set_frame(&registers);
    let message = message(thread, child, FORK_VFORK);
    let outcome = sys::msg_send(SYSMGR_COID, &[part(&message)], &[], None);
    process.release_exec_strings();
    Space::get().release_thread(thread.slot);
    Space::get().release_process(process.slot);
    let _set = sys::procmask(how::SET, mask);
    outcome
}

/// `exit_group(status)`.
pub(crate) fn exit_group(caller: &mut Caller<'_>, [status, ..]: Args) -> Outcome {
    open::close_all(caller);
    send_exit((low(status) & 0xff) << 8)
}

/// Ends the process with a wait status.
pub(crate) fn send_exit(status: u32) -> ! {
    let message = Exit { kind: kind::PROC_EXIT, subtype: 0, status };
    let _mask = sys::procmask(how::SET, u64::MAX);
    loop {
        let _no_reply = sys::msg_send(SYSMGR_COID, &[part(&message)], &[], None);
    }
}

/// `exit(status)`: ends the thread, and with the last one the process.
pub(crate) fn exit(caller: &mut Caller<'_>, [status, ..]: Args) -> Outcome {
    robust::release(caller);
    let _mask = sys::procmask(how::SET, u64::MAX);
    if caller.process.threads.fetch_sub(1, Relaxed) == 1 {
        open::close_all(caller);
        send_exit((low(status) & 0xff) << 8);
    }
    dispatch::end_thread(caller.thread)
}

/// `wait4(pid, status, options, usage)`.
pub(crate) fn wait4(caller: &mut Caller<'_>, [pid, status, options, usage, ..]: Args) -> Outcome {
    const KNOWN: u32 = linux::WNOHANG | linux::WUNTRACED | linux::WCONTINUED;
    const IGNORED: u32 = linux::__WALL | linux::__WNOTHREAD | linux::__WCLONE;
    if low(options) & !(KNOWN | IGNORED) != 0 {
        return Err(Errno::EINVAL);
    }
    let options = low(options) & KNOWN | linux::WEXITED;
    let (child, reply) = wait(caller, int(pid), options)?;
    if child != 0 {
        if status != 0 {
            copy::write(status, &reply.status)?;
        }
        if usage != 0 {
            copy::write(usage, &usage_words(&reply.usage))?;
        }
    }
    Ok(child)
}

fn wait(caller: &Caller<'_>, pid: i32, options: u32) -> Result<(u64, WaitReply), Errno> {
    let message = Wait { kind: kind::PROC_WAIT, subtype: 0, pid, options };
    let mut reply = WaitReply::default();
    let child = caller.send(SYSMGR_COID, &[part(&message)], &[room(&mut reply)], None)?;
    Ok((child, reply))
}

/// `waitid(kind, id, info, options, usage)`.
pub(crate) fn waitid(
    caller: &mut Caller<'_>,
    [kind, id, info, options, usage, _]: Args,
) -> Outcome {
    const CHANGES: u32 = linux::WEXITED | linux::WSTOPPED | linux::WCONTINUED;
    let options = low(options);
    if options & CHANGES == 0 || options & !(CHANGES | linux::WNOHANG | linux::WNOWAIT) != 0 {
        return Err(Errno::EINVAL);
    }
    let pid = match (low(kind), int(id)) {
        (linux::P_ALL, _) => -1,
        (linux::P_PID, id) if id > 0 => id,
        (linux::P_PGID, 0) => 0,
        (linux::P_PGID, id) if id > 1 => -id,
        _ => return Err(Errno::EINVAL),
    };
    let (child, reply) = wait(caller, pid, options)?;
    if info != 0 {
        copy::write(info, &wait_info(low(child), &reply))?;
    }
    if usage != 0 && child != 0 {
        copy::write(usage, &usage_words(&reply.usage))?;
    }
    Ok(0)
}

/// `siginfo_t` of a child; all zero for none.
fn wait_info(child: u32, reply: &WaitReply) -> [u32; 32] {
    let mut words = [0; 32];
    if child != 0 {
        let (code, status) = match reply.status {
            0xffff => (6, 18),
            status if status & 0xff == 0x7f => (5, status >> 8 & 0xff),
            status if status & 0x7f == 0 => (1, status >> 8 & 0xff),
            status => (if status & 0x80 != 0 { 3 } else { 2 }, status & 0x7f),
        };
        words[0] = SIGCHLD;
        words[2] = code;
        words[4..7].copy_from_slice(&[child, reply.uid, status]);
    }
    words
}

/// `struct rusage`: user and system time, resident size in KiB, the rest zero.
pub(crate) fn usage_words(usage: &Usage) -> [u64; 18] {
    let mut words = [0; 18];
    words[0] = usage.user_ns / crate::time::NANOSECONDS;
    words[1] = usage.user_ns % crate::time::NANOSECONDS / 1000;
    words[2] = usage.system_ns / crate::time::NANOSECONDS;
    words[3] = usage.system_ns % crate::time::NANOSECONDS / 1000;
    words[4] = usage.max_resident_pages * 4;
    words
}

/// Ignored signals of the process, as the kernel knows them.
pub(crate) fn ignored_signals() -> u64 {
    let mut info = ProcessInfo::default();
    match sys::process_info(&mut info) {
        Ok(_) => info.ignored,
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_status_becomes_a_code_and_a_number() {
        let show = |status| {
            let words = wait_info(5, &WaitReply { status, uid: 0, usage: Usage::default() });
            (words[2], words[6])
        };
        assert_eq!(show(3 << 8), (1, 3));
        assert_eq!(show(9), (2, 9));
        assert_eq!(show(11 | 0x80), (3, 11));
        assert_eq!(show(0x147f & !0x100 | 0x7f), (5, 0x14));
        assert_eq!(show(0xffff), (6, 18));
    }
}
