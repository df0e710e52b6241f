//! Process groups, sessions, controlling terminals, orphaned groups (POSIX.1-2017, 11.1).

use crate::process::signal::{signal_group, signal_process};
use crate::process::table::{Condition, Generation, Table};
use crate::state::{Answer, Client, Job, State};
use crate::system::{Control, System};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use io_msg::proc::{PgrpReply, TtySignal};
use neutrino_abi::Errno;
use neutrino_abi::process::able;
use neutrino_abi::signal::SIGNAL_MAX;
use neutrino_abi::signal::number::{SIGCONT, SIGHUP};
use zerocopy::IntoBytes;

/// A session's controlling terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Its absolute path.
    pub path: Vec<u8>,
    /// Its device number.
    pub rdev: u32,
}

/// The sessions that have a terminal.
#[derive(Debug, Default)]
pub struct Sessions {
    terminals: BTreeMap<u32, Terminal>,
}

impl Sessions {
    /// The terminal of a session.
    #[must_use]
    pub fn terminal(&self, session: u32) -> Option<&Terminal> {
        self.terminals.get(&session)
    }
}

/// `setsid`: the caller leads a new session and a new group.
///
/// # Errors
/// EPERM if it leads a group already.
pub fn new_session(
    state: &mut State,
    system: &impl System,
    client: &Client,
) -> Result<Answer, Errno> {
    let pid = client.info.pid;
    if state.processes.members(pid).next().is_some() {
        return Err(Errno::EPERM);
    }
    let process = state.processes.get_mut(pid)?;
    let handle = process.live_handle()?;
    system.control(handle, Control::Session(pid))?;
    system.control(handle, Control::Group(pid))?;
    process.session = pid;
    process.group = pid;
    state.tell_families(system);
    Ok(Answer::Status(i64::from(pid)))
}

/// `setpgid`: 0 for `pid` is the caller, 0 for `group` the process itself.
///
/// # Errors
/// ESRCH, EACCES, EPERM as POSIX has them.
pub fn set_group(
    state: &mut State,
    system: &impl System,
    client: &Client,
    (pid, group): (u32, u32),
) -> Result<Answer, Errno> {
    let caller = state.processes.get(client.info.pid)?;
    let pid = if pid == 0 { caller.pid } else { pid };
    let group = if group == 0 { pid } else { group };
    if i32::try_from(group).is_err() {
        return Err(Errno::EINVAL);
    }
    let target = state.processes.get(pid)?;
    if target.pid != caller.pid && target.parent != caller.pid {
        return Err(Errno::ESRCH);
    }
    if target.pid != caller.pid && target.program.generation == Generation::Executed {
        return Err(Errno::EACCES);
    }
    let exists = || state.processes.members(group).any(|p| p.session == caller.session);
    let leads = target.session == target.pid;
    if leads || target.session != caller.session || (group != pid && !exists()) {
        return Err(Errno::EPERM);
    }
    if let Some(handle) = target.handle {
        system.control(handle, Control::Group(group))?;
    }
    state.processes.get_mut(pid)?.group = group;
    state.tell_families(system);
    Ok(Answer::Status(0))
}

/// Whether no member of a group has a parent in another group of the same session.
#[must_use]
pub fn is_orphaned(table: &Table, group: u32) -> bool {
    !table.group(group).any(|member| {
        table.get(member.parent).is_ok_and(|parent| {
            parent.session == member.session && parent.group != group && !parent.is_zombie()
        })
    })
}

/// Serves `PROC_PGRP`.
///
/// # Errors
/// None: a group that does not exist has session 0.
pub fn group_info(state: &State, group: u32) -> Result<Answer, Errno> {
    let session = state.processes.members(group).next().map(|member| member.session);
    let reply = PgrpReply {
        session: session.unwrap_or(0),
        orphaned: u32::from(is_orphaned(&state.processes, group)),
    };
    Ok(Answer::Data(0, reply.as_bytes().to_vec()))
}

/// The groups with stopped members that are not orphaned now and that the end of `pid` may orphan:
/// its own and its children's.
#[must_use]
pub fn stopped_groups_with_a_parent_outside(table: &Table, pid: u32) -> Vec<u32> {
    let own = table.get(pid).map(|process| process.group).into_iter();
    let mut groups: Vec<u32> = table.children(pid).map(|child| child.group).chain(own).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.retain(|&group| has_stopped(table, group) && !is_orphaned(table, group));
    groups
}

fn has_stopped(table: &Table, group: u32) -> bool {
    table.group(group).any(|p| matches!(p.condition, Condition::Stopped { .. }))
}

/// Wakes those of `groups` that have become orphaned.
pub fn wake_new_orphans(state: &State, system: &impl System, groups: &[u32]) {
    for &group in groups {
        if is_orphaned(&state.processes, group) && has_stopped(&state.processes, group) {
            signal_group(state, system, group, SIGHUP);
            signal_group(state, system, group, SIGCONT);
        }
    }
}

/// A process ends: if it leads a session, the session loses its terminal.
pub fn leave(state: &mut State, pid: u32) {
    let leads = state.processes.get(pid).is_ok_and(|process| process.session == pid);
    if !leads {
        return;
    }
    if let Some(terminal) = state.sessions.terminals.remove(&pid) {
        state.jobs.push_back(Job::HangUp { session: pid, terminal: terminal.path });
    }
}

/// Serves `PROC_SET_TTY`: a terminal server gives a session its terminal, or takes it (empty path).
///
/// # Errors
/// EPERM for a client that is no server and for a session that has another terminal (POSIX.1-2017,
/// 11.1.3), ESRCH for no session.
pub fn set_terminal(
    state: &mut State,
    client: &Client,
    session: u32,
    terminal: Option<Terminal>,
) -> Result<Answer, Errno> {
    check_server(state, client)?;
    match terminal {
        Some(terminal) => {
            let leader = state.processes.get(session)?;
            if leader.session != session || leader.is_zombie() {
                return Err(Errno::ESRCH);
            }
            if state.sessions.terminal(session).is_some_and(|own| own.path != terminal.path) {
                return Err(Errno::EPERM);
            }
            state.sessions.terminals.insert(session, terminal);
        }
        None => drop(state.sessions.terminals.remove(&session)),
    }
    Ok(Answer::Status(0))
}

/// Serves `PROC_TTY_SIGNAL`: a terminal server signals a group of its session.
///
/// # Errors
/// EPERM for a client that is no server or another session's group, ESRCH for nobody, EINVAL.
pub fn terminal_signal(
    state: &State,
    system: &impl System,
    client: &Client,
    message: &TtySignal,
) -> Result<Answer, Errno> {
    check_server(state, client)?;
    if message.signal == 0 || message.signal > SIGNAL_MAX {
        return Err(Errno::EINVAL);
    }
    if message.pgrp == 0 {
        state.processes.get(message.session)?;
        signal_process(state, system, message.session, message.signal);
        return Ok(Answer::Status(0));
    }
    let member = state.processes.members(message.pgrp).next().ok_or(Errno::ESRCH)?;
    if member.session != message.session {
        return Err(Errno::EPERM);
    }
    signal_group(state, system, message.pgrp, message.signal);
    Ok(Answer::Status(0))
}

/// Terminals are served by processes that may attach paths.
fn check_server(state: &State, client: &Client) -> Result<(), Errno> {
    let server = state.processes.get(client.info.pid)?;
    if server.abilities & able::PATHSPACE == 0 { Err(Errno::EPERM) } else { Ok(()) }
}
