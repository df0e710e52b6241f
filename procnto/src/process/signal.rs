//! Signals: who may send which to whom (POSIX.1-2017 `kill`).

use crate::process::session;
use crate::process::table::Process;
use crate::state::{Answer, Client, Ending, Job, State};
use crate::system::System;
use alloc::vec::Vec;
use io_msg::proc::Kill;
use neutrino_abi::Errno;
use neutrino_abi::handle::SYSMGR_PID;
use neutrino_abi::signal::number::{SIGCONT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
use neutrino_abi::signal::{SIGNAL_MAX, SignalInfo};

const SI_USER: i32 = 0;
const SI_KERNEL: i32 = 0x80;

/// Subtype of `PROC_KILL` for one thread.
const THREAD: u16 = 1;

/// Serves `PROC_KILL`.
///
/// # Errors
/// EINVAL for no signal, ESRCH for nobody, EPERM for nobody that may be signalled.
pub fn kill(
    state: &mut State,
    system: &impl System,
    client: &Client,
    message: &Kill,
) -> Result<Answer, Errno> {
    if message.signal > SIGNAL_MAX {
        return Err(Errno::EINVAL);
    }
    let sender = state.processes.get(client.info.pid)?;
    let info = SignalInfo {
        number: message.signal,
        code: if message.code < 0 { message.code } else { SI_USER },
        pid: sender.pid,
        uid: sender.credentials.ruid,
        value: message.value,
        ..SignalInfo::default()
    };
    if message.subtype == THREAD {
        return kill_thread(state, system, client, message, &info);
    }
    let targets = targets(state, sender, message.pid)?;
    if targets == [SYSMGR_PID] {
        return signal_system(state, client, message.signal);
    }
    let mut allowed = false;
    for &pid in &targets {
        if permits(state, client.info.pid, pid, message.signal) {
            allowed = true;
            send(state, system, pid, &info)?;
        }
    }
    if allowed { Ok(Answer::Status(0)) } else { Err(Errno::EPERM) }
}

/// The processes that `kill`'s pid names.
fn targets(state: &State, sender: &Process, pid: i32) -> Result<Vec<u32>, Errno> {
    let own = sender.pid;
    let group = |group: u32| -> Vec<u32> {
        let members = state.processes.iter().filter(|p| p.group == group && p.pid != SYSMGR_PID);
        members.map(|p| p.pid).collect()
    };
    let found = match pid {
        1.. => Vec::from([state.processes.get(pid.unsigned_abs())?.pid]),
        0 => group(sender.group),
        -1 => {
            let all = state.processes.iter().filter(|p| p.pid != SYSMGR_PID && p.pid != own);
            all.map(|p| p.pid).collect()
        }
        ..=-2 => group(pid.unsigned_abs()),
    };
    if found.is_empty() { Err(Errno::ESRCH) } else { Ok(found) }
}

/// Whether one process may send a signal to another.
fn permits(state: &State, from: u32, to: u32, signal: u32) -> bool {
    let (Ok(sender), Ok(target)) = (state.processes.get(from), state.processes.get(to)) else {
        return false;
    };
    let (own, other) = (&sender.credentials, &target.credentials);
    own.euid == 0
        || sender.pid == target.pid
        || [own.ruid, own.euid].iter().any(|&id| id == other.ruid || id == other.suid)
        || (signal == SIGCONT && sender.session == target.session)
}

/// Sends a signal to a process; a zombie takes it without effect.
fn send(state: &State, system: &impl System, pid: u32, info: &SignalInfo) -> Result<(), Errno> {
    let process = state.processes.get(pid)?;
    let Some(handle) = process.handle else { return Ok(()) };
    if is_lost_on_orphan(state, system, process, info.number) {
        return Ok(());
    }
    match system.kill(handle, 0, info) {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}

/// A stop signal from a terminal has no default effect on an orphaned group: nobody could make it
/// go on (POSIX.1-2017, 2.4.3).
fn is_lost_on_orphan(state: &State, system: &impl System, to: &Process, signal: u32) -> bool {
    if !matches!(signal, SIGTSTP | SIGTTIN | SIGTTOU)
        || !session::is_orphaned(&state.processes, to.group)
    {
        return false;
    }
    let Some(handle) = to.handle else { return false };
    let handled = system.process_info(handle).map(|info| info.handled).unwrap_or_default();
    handled & 1 << (signal - 1) == 0
}

fn kill_thread(
    state: &State,
    system: &impl System,
    client: &Client,
    message: &Kill,
    info: &SignalInfo,
) -> Result<Answer, Errno> {
    let tid = u32::try_from(message.tid).map_err(|_| Errno::EINVAL)?;
    let process = match message.pid {
        0 => process_of_thread(state, system, tid)?,
        pid => state.processes.get(pid.unsigned_abs())?,
    };
    let handle = process.live_handle()?;
    if !permits(state, client.info.pid, process.pid, message.signal) {
        return Err(Errno::EPERM);
    }
    system.kill(handle, tid, info)?;
    Ok(Answer::Status(0))
}

/// The process that a thread belongs to.
///
/// # Errors
/// ESRCH.
pub fn process_of_thread<'a>(
    state: &'a State,
    system: &impl System,
    tid: u32,
) -> Result<&'a Process, Errno> {
    let has_thread = |process: &&Process| {
        let Some(handle) = process.handle else { return false };
        system.thread_info(handle, tid).is_ok_and(|info| info.tid == tid)
    };
    if let Ok(process) = state.processes.get(tid) {
        return Ok(process);
    }
    state.processes.iter().find(has_thread).ok_or(Errno::ESRCH)
}

/// Signals to process 1 end the system, as they do on Linux with busybox's init.
fn signal_system(state: &mut State, client: &Client, signal: u32) -> Result<Answer, Errno> {
    if client.info.euid != 0 && signal != 0 {
        return Err(Errno::EPERM);
    }
    let ending = match signal {
        SIGUSR1 | SIGUSR2 => Some(Ending::PowerOff(0)),
        SIGTERM => Some(Ending::Reset),
        _ => None,
    };
    if let Some(ending) = ending {
        state.jobs.push_back(Job::Shutdown(ending));
    }
    Ok(Answer::Status(0))
}

/// Sends a signal of the system's own to every member of a group.
pub fn signal_group(state: &State, system: &impl System, group: u32, signal: u32) {
    for process in state.processes.group(group) {
        signal_process(state, system, process.pid, signal);
    }
}

/// Sends a signal of the system's own to a process.
pub fn signal_process(state: &State, system: &impl System, pid: u32, signal: u32) {
    let info = SignalInfo { number: signal, code: SI_KERNEL, ..SignalInfo::default() };
    // Whoever ends meanwhile needs no signal.
    let _gone = send(state, system, pid, &info);
}

/// Tells a parent about a child: signal, code and status.
pub fn child_signal(
    state: &State,
    system: &impl System,
    child: u32,
    (signal, code, status): (u32, i32, u32),
    parent: u32,
) {
    let uid = state.processes.get(child).map(|p| p.credentials.ruid).unwrap_or_default();
    let Ok(parent) = state.processes.get(parent) else { return };
    let Some(handle) = parent.handle else { return };
    let info = SignalInfo { number: signal, code, pid: child, uid, value: 0, status, trap: 0 };
    // A parent that ends meanwhile needs no signal.
    let _gone = system.kill(handle, 0, &info);
}
