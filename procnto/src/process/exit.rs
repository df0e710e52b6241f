//! The end of a process, by whatever cause: one path.
//!
//! Order: mutexes that its threads hold are marked, the kernel ends threads and handles (so that every peer is free), a `vfork` parent goes
//! on, children find a new parent, the session loses its terminal, stopped orphans are woken, and
//! at last the parent learns of it. A child whose parent does not care leaves no zombie.

use crate::path::attach;
use crate::process::signal::{child_signal, signal_process};
use crate::process::table::{Condition, Consumption, Report};
use crate::process::wait;
use crate::process::{robust, session};
use crate::state::{Answer, Client, FirstProgram, Job, State};
use crate::system::{Clock, Control, System};
use alloc::format;
use alloc::vec::Vec;
use neutrino_abi::Errno;
use neutrino_abi::handle::SYSMGR_PID;
use neutrino_abi::signal::number::{SIGCHLD, SIGCONT};

/// `si_code` of a child's signal (Linux).
mod cld {
    pub(super) const EXITED: i32 = 1;
    pub(super) const KILLED: i32 = 2;
    pub(super) const STOPPED: i32 = 5;
    pub(super) const CONTINUED: i32 = 6;
}

/// Serves `PROC_EXIT`: the client is gone afterwards.
///
/// # Errors
/// ESRCH for a client that is no process of the table.
pub fn exit(
    state: &mut State,
    system: &impl System,
    client: &Client,
    status: u32,
) -> Result<Answer, Errno> {
    state.processes.get(client.info.pid)?;
    end(state, system, client.info.pid, status);
    Ok(Answer::Later)
}

/// Ends a process with a wait status.
pub fn end(state: &mut State, system: &impl System, pid: u32, status: u32) {
    let Some(usage) = terminate(state, system, pid) else { return };
    state.waiters.retain(|waiter| waiter.parent != pid);
    attach::detach_all(state, system, pid);
    let orphans_before = session::stopped_groups_with_a_parent_outside(&state.processes, pid);
    adopt_children(state, system, pid);
    session::leave(state, pid);
    let Ok(process) = state.processes.get_mut(pid) else { return };
    process.condition = Condition::Zombie { status, usage };
    let (parent, started_ns) = (process.parent, process.started_ns);
    session::wake_new_orphans(state, system, &orphans_before);
    tell_parent(state, system, pid, status);
    note_first_program(state, system, pid, status);
    if pid == state.first_server {
        replace_first_server(state, system, started_ns);
    }
    wait::wake(state, system, parent);
}

/// Ends threads and handles; gives what was used, or nothing if the process had ended before.
fn terminate(state: &mut State, system: &impl System, pid: u32) -> Option<Consumption> {
    let process = state.processes.get_mut(pid).ok()?;
    if pid == SYSMGR_PID {
        return None;
    }
    let handle = process.handle.take()?;
    let info = system.process_info(handle).unwrap_or_default();
    robust::release(system, handle);
    // A process that cannot be ended any more has ended.
    let _ended = system.control(handle, Control::Terminate);
    system.close(handle);
    if let Some(executable) = process.program.executable.take() {
        system.close(executable.object);
    }
    if let Some(parent) = process.vfork_parent.take() {
        system.reply(parent.rcvid, Ok(i64::from(pid)), &[]);
    }
    Some(Consumption { cpu_ns: info.cpu_time, max_resident_pages: info.resident_pages })
}

/// Children go to procnto, which waits for nobody: their zombies vanish.
fn adopt_children(state: &mut State, system: &impl System, pid: u32) {
    let children: Vec<(u32, bool)> =
        state.processes.children(pid).map(|child| (child.pid, child.is_zombie())).collect();
    if children.is_empty() {
        return;
    }
    for (child, is_zombie) in children {
        if is_zombie {
            state.processes.remove(child);
        } else if let Ok(child) = state.processes.get_mut(child) {
            child.parent = SYSMGR_PID;
            child.exit_signal = SIGCHLD;
        }
    }
    state.tell_families(system);
}

/// Signals the parent, or removes the zombie if nobody will ask for it.
fn tell_parent(state: &mut State, system: &impl System, pid: u32, status: u32) {
    let Ok(process) = state.processes.get(pid) else { return };
    let (parent, exit_signal) = (process.parent, process.exit_signal);
    let ignores = match state.processes.get(parent).ok().and_then(|p| p.handle) {
        Some(handle) => ignores_children(system, handle),
        None => true,
    };
    if parent == SYSMGR_PID || ignores {
        state.processes.remove(pid);
        if parent == SYSMGR_PID {
            return;
        }
    }
    let (code, value) = match status & 0x7f {
        0 => (cld::EXITED, status >> 8 & 0xff),
        signal => (cld::KILLED, signal),
    };
    if exit_signal != 0 {
        child_signal(state, system, pid, (exit_signal, code, value), parent);
    }
}

fn ignores_children(system: &impl System, handle: u32) -> bool {
    let ignored = system.process_info(handle).map(|info| info.ignored).unwrap_or_default();
    ignored & 1 << (SIGCHLD - 1) != 0
}

/// The first server is started again, unless it has hardly lived: it would die for ever.
fn replace_first_server(state: &mut State, system: &impl System, started_ns: u64) {
    const LIFE_MIN_NS: u64 = 100_000_000;
    if system.now(Clock::Monotonic).saturating_sub(started_ns) >= LIFE_MIN_NS {
        state.jobs.push_back(Job::FirstServer);
    } else {
        system.log("procnto: the server of / died at its start and is not started again\n");
    }
}

fn note_first_program(state: &State, system: &impl System, pid: u32, status: u32) {
    if state.first_program == FirstProgram::Started(pid) {
        let how = match status & 0x7f {
            0 => format!("exit code {}", status >> 8 & 0xff),
            signal => format!("signal {signal}"),
        };
        system.log(&format!("procnto: process {pid}, the first program, has ended: {how}\n"));
    }
}

/// A signal stopped a process.
pub fn stopped(state: &mut State, system: &impl System, pid: u32, signal: u32) {
    let Ok(process) = state.processes.get_mut(pid) else { return };
    if process.is_zombie() {
        return;
    }
    if let Some(parent) = &mut process.vfork_parent {
        parent.owed_stop = Some(signal);
        signal_process(state, system, pid, SIGCONT);
        return;
    }
    process.condition = Condition::Stopped { signal, report: Report::Due };
    changed(state, system, pid, (SIGCHLD, cld::STOPPED, signal));
}

/// A stopped process goes on.
pub fn continued(state: &mut State, system: &impl System, pid: u32) {
    let Ok(process) = state.processes.get_mut(pid) else { return };
    if !matches!(process.condition, Condition::Stopped { .. }) {
        return;
    }
    process.condition = Condition::Continued;
    changed(state, system, pid, (SIGCHLD, cld::CONTINUED, SIGCONT));
}

fn changed(state: &mut State, system: &impl System, pid: u32, what: (u32, i32, u32)) {
    let Ok(process) = state.processes.get(pid) else { return };
    let parent = process.parent;
    child_signal(state, system, pid, what, parent);
    wait::wake(state, system, parent);
}
