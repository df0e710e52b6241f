//! Nice values, and scheduling parameters of threads by their system-wide number.

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

/// Serves `PROC_PRIORITY`. Nice values are remembered and have no effect on scheduling.
///
/// # Errors
/// EINVAL, ESRCH, EPERM, EACCES.
pub fn nice(state: &mut State, client: &Client, message: &Priority) -> Result<Answer, Errno> {
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
    for process in chosen {
        let is_own =
            [process.credentials.ruid, process.credentials.euid].contains(&caller_ids.euid);
        if caller_ids.euid != 0 && !is_own {
            return Err(Errno::EPERM);
        }
        if caller_ids.euid != 0 && nice < process.nice {
            return Err(Errno::EACCES);
        }
        process.nice = nice;
    }
    Ok(Answer::Status(0))
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
        let new = requested(message)?;
        check_rights(state.processes.get(client.info.pid)?, target, &before, &new)?;
        system.sched_set(handle, tid, &new)?;
    }
    let now = if message.subtype == 1 { system.sched_get(handle, tid)? } else { before };
    let reply = Sched {
        kind: PROC_SCHED,
        policy: now.policy,
        priority: now.priority,
        current_priority: now.current_priority,
        ..*message
    };
    Ok(Answer::Data(0, reply.as_bytes().to_vec()))
}

fn requested(message: &Sched) -> Result<SchedParam, Errno> {
    let priority = match message.policy {
        policy::OTHER if message.priority == 0 => u32::from(PRIORITY_DEFAULT),
        policy::OTHER | policy::FIFO | policy::ROUND_ROBIN => message.priority,
        _ => return Err(Errno::EINVAL),
    };
    if priority == 0 || priority > 255 {
        return Err(Errno::EINVAL);
    }
    Ok(SchedParam { policy: message.policy, priority, ..SchedParam::default() })
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
    let is_higher = new.priority > before.priority && new.priority > u32::from(PRIORITY_DEFAULT);
    if is_higher && own.euid != 0 {
        return Err(Errno::EPERM);
    }
    if new.priority > PRIORITY_UNPRIVILEGED && caller.abilities & able::PRIORITY == 0 {
        return Err(Errno::EPERM);
    }
    Ok(())
}
