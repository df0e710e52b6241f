//! Nice values, and scheduling parameters of threads by their system-wide number.
//!
//! Priorities are strict here: a nice value is a priority, not a share. It moves the threads of a
//! process that are `SCHED_OTHER`; a nicer one runs when nobody less nice is ready.

use crate::process::signal::process_of_thread;
use crate::process::table::Process;
use crate::state::{Answer, Client, State};
use crate::system::System;
use alloc::vec::Vec;
use io_msg::kind::PROC_SCHED;
use io_msg::proc::{Priority, Sched};
use neutrino_abi::Errno;
use neutrino_abi::process::able;
use neutrino_abi::sched::{PRIORITY_DEFAULT, SchedParam, policy};
use zerocopy::IntoBytes;

/// Priorities above this need `able::PRIORITY`.
const PRIORITY_UNPRIVILEGED: u32 = 63;

const PRIO_PROCESS: u32 = 0;
const PRIO_PGRP: u32 = 1;
const PRIO_USER: u32 = 2;

/// The priority of `SCHED_OTHER` threads at a nice value: 10 at 0, down to 1 at 19, up to 20 at -20.
/// Every value but 0 has an effect, and two steps apart always differ from each other.
#[must_use]
pub fn of_nice(nice: i32) -> u32 {
    const BELOW: u32 = PRIORITY_DEFAULT as u32 - 1;
    let steps = nice.unsigned_abs();
    if nice > 0 {
        u32::from(PRIORITY_DEFAULT) - (steps.min(19) * BELOW).div_ceil(19)
    } else {
        u32::from(PRIORITY_DEFAULT) + steps.min(20).div_ceil(2)
    }
}

/// Serves `PROC_PRIORITY`.
///
/// # Errors
/// EINVAL, ESRCH, EPERM, EACCES.
pub fn nice(
    state: &mut State,
    system: &impl System,
    client: &Client,
    message: &Priority,
) -> Result<Answer, Errno> {
    let caller = state.processes.get(client.info.pid)?;
    let (caller_ids, group) = (caller.credentials, caller.group);
    let who = message.who;
    let matches: &dyn Fn(&Process) -> bool = match message.which {
        PRIO_PROCESS if who == 0 => &|p| p.pid == client.info.pid,
        PRIO_PROCESS => &|p| p.pid == who,
        PRIO_PGRP if who == 0 => &|p| p.group == group,
        PRIO_PGRP => &|p| p.group == who,
        PRIO_USER if who == 0 => &|p| p.credentials.ruid == caller_ids.ruid,
        PRIO_USER => &|p| p.credentials.ruid == who,
        _ => return Err(Errno::EINVAL),
    };
    let chosen: Vec<&mut Process> = state.processes.iter_mut().filter(|p| matches(p)).collect();
    let lowest = chosen.iter().map(|p| p.nice).min().ok_or(Errno::ESRCH)?;
    if message.subtype != 1 {
        return Ok(Answer::Status(i64::from(20 - lowest)));
    }
    let nice = message.nice.clamp(-20, 19);
    for process in &chosen {
        let is_own =
            [process.credentials.ruid, process.credentials.euid].contains(&caller_ids.euid);
        if caller_ids.euid != 0 && !is_own {
            return Err(Errno::EPERM);
        }
        if caller_ids.euid != 0 && nice < process.nice {
            return Err(Errno::EACCES);
        }
    }
    for process in chosen {
        process.nice = nice;
        apply_nice(system, process);
    }
    Ok(Answer::Status(0))
}

/// Moves the `SCHED_OTHER` threads of a process to where its nice value puts them. New threads are
/// born where their makers are.
fn apply_nice(system: &impl System, process: &Process) {
    let Some(handle) = process.handle else { return };
    let priority = of_nice(process.nice);
    let mut tid = 0;
    // Bound: the threads of the process.
    while let Ok(thread) = system.thread_info(handle, tid) {
        tid = thread.tid.saturating_add(1);
        if thread.policy == policy::OTHER {
            let new = SchedParam { policy: policy::OTHER, priority, ..SchedParam::default() };
            // A thread that ends meanwhile needs no priority.
            let _gone = system.sched_set(handle, thread.tid, &new);
        }
    }
}

/// Serves `PROC_SCHED`.
///
/// # Errors
/// ESRCH, EINVAL, EPERM.
pub fn sched(
    state: &State,
    system: &impl System,
    client: &Client,
    message: &Sched,
) -> Result<Answer, Errno> {
    let tid = match message.tid {
        0 => client.info.tid,
        tid => u32::try_from(tid).map_err(|_| Errno::EINVAL)?,
    };
    let target = process_of_thread(state, system, tid)?;
    let handle = target.live_handle()?;
    let before = system.sched_get(handle, tid)?;
    if message.subtype == 1 {
        let new = requested(message, target.nice)?;
        check_rights(state.processes.get(client.info.pid)?, target, &before, &new)?;
        system.sched_set(handle, tid, &new)?;
    }
    let now = if message.subtype == 1 { system.sched_get(handle, tid)? } else { before };
    let reply = Sched { kind: PROC_SCHED, ..*message }.telling(&now);
    Ok(Answer::Data(0, reply.as_bytes().to_vec()))
}

/// What a message asks for; `SCHED_OTHER` without a priority is where the nice value puts it.
fn requested(message: &Sched, nice: i32) -> Result<SchedParam, Errno> {
    let priority = match message.policy {
        policy::OTHER if message.priority == 0 => of_nice(nice),
        policy::OTHER | policy::FIFO | policy::ROUND_ROBIN | policy::SPORADIC => message.priority,
        _ => return Err(Errno::EINVAL),
    };
    if priority == 0 || priority > 255 {
        return Err(Errno::EINVAL);
    }
    Ok(SchedParam { priority, ..message.parameters() })
}

fn check_rights(
    caller: &Process,
    target: &Process,
    before: &SchedParam,
    new: &SchedParam,
) -> Result<(), Errno> {
    let own = &caller.credentials;
    if own.euid != 0 && ![target.credentials.ruid, target.credentials.euid].contains(&own.euid) {
        return Err(Errno::EPERM);
    }
    let ceiling = of_nice(target.nice).max(u32::from(PRIORITY_DEFAULT));
    let is_higher = new.priority > before.priority && new.priority > ceiling;
    if is_higher && own.euid != 0 {
        return Err(Errno::EPERM);
    }
    if new.priority > PRIORITY_UNPRIVILEGED && caller.abilities & able::PRIORITY == 0 {
        return Err(Errno::EPERM);
    }
    Ok(())
}
