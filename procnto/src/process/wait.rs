//! `wait`: which child qualifies, and the clients that wait for one (POSIX.1-2017 `waitpid`).

use crate::process::table::{Condition, Consumption, Process, Report, Table};
use crate::state::{Answer, Client, State};
use crate::system::System;
use alloc::vec::Vec;
use io_msg::proc::{WEXITED, Wait, WaitReply};
use neutrino_abi::Errno;
use zerocopy::IntoBytes;

/// Return at once.
pub const WNOHANG: u32 = 1;
/// Stopped children count too.
pub const WUNTRACED: u32 = 2;
/// Children that went on count too.
pub const WCONTINUED: u32 = 8;
/// Leave the child as it is.
pub const WNOWAIT: u32 = 0x0100_0000;
/// Wait status of a child that went on (Linux).
pub const STATUS_CONTINUED: u32 = 0xffff;

/// A client in `PROC_WAIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Names it.
    pub rcvid: u64,
    /// Its process.
    pub parent: u32,
    /// Which children.
    pub who: Who,
    /// `W*` options.
    pub options: u32,
}

/// Which children a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Any.
    Any,
    /// The one with this pid.
    Pid(u32),
    /// Those of this group.
    Group(u32),
}

impl Who {
    fn from_number(pid: i32, own_group: u32) -> Self {
        match pid {
            -1 => Self::Any,
            0 => Self::Group(own_group),
            1.. => Self::Pid(pid.unsigned_abs()),
            ..=-2 => Self::Group(pid.unsigned_abs()),
        }
    }

    fn includes(self, process: &Process) -> bool {
        match self {
            Self::Any => true,
            Self::Pid(pid) => process.pid == pid,
            Self::Group(group) => process.group == group,
        }
    }
}

/// What a look at the children found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// This child qualifies, with this wait status.
    Child { pid: u32, status: u32 },
    /// Some may qualify later.
    NotYet,
    /// There is no such child.
    NoChild,
}

/// Serves `PROC_WAIT`.
///
/// # Errors
/// ECHILD.
pub fn wait(state: &mut State, client: &Client, message: &Wait) -> Result<Answer, Errno> {
    let parent = state.processes.get(client.info.pid)?;
    let waiter = Waiter {
        rcvid: client.rcvid,
        parent: parent.pid,
        who: Who::from_number(message.pid, parent.group),
        options: message.options,
    };
    match look(&state.processes, &waiter) {
        Found::Child { pid, status } => Ok(collect(&mut state.processes, &waiter, pid, status)),
        Found::NotYet if waiter.options & WNOHANG != 0 => {
            Ok(Answer::Data(0, WaitReply::default().as_bytes().to_vec()))
        }
        Found::NotYet => {
            state.waiters.push(waiter);
            Ok(Answer::Later)
        }
        Found::NoChild => Err(Errno::ECHILD),
    }
}

/// Lets clients go for whom something has changed: a child qualifies, or the last one is gone.
pub fn wake(state: &mut State, system: &impl System, parent: u32) {
    let mut waiting = Vec::new();
    for waiter in core::mem::take(&mut state.waiters) {
        if waiter.parent != parent {
            waiting.push(waiter);
            continue;
        }
        match look(&state.processes, &waiter) {
            Found::Child { pid, status } => {
                if let Answer::Data(status, data) =
                    collect(&mut state.processes, &waiter, pid, status)
                {
                    system.reply(waiter.rcvid, Ok(status), &data);
                }
            }
            Found::NotYet => waiting.push(waiter),
            Found::NoChild => system.reply(waiter.rcvid, Err(Errno::ECHILD), &[]),
        }
    }
    state.waiters = waiting;
}

/// Drops the client with this rcvid, if it waits; true if it did.
pub fn forget(state: &mut State, rcvid: u64) -> bool {
    let before = state.waiters.len();
    state.waiters.retain(|waiter| waiter.rcvid != rcvid);
    state.waiters.len() < before
}

fn look(table: &Table, waiter: &Waiter) -> Found {
    let mut found = Found::NoChild;
    for child in table.children(waiter.parent).filter(|child| waiter.who.includes(child)) {
        if let Some(status) = status_of(child, waiter.options) {
            return Found::Child { pid: child.pid, status };
        }
        // One that ended does nothing more that could be waited for.
        if !child.is_zombie() {
            found = Found::NotYet;
        }
    }
    found
}

fn status_of(child: &Process, options: u32) -> Option<u32> {
    match child.condition {
        Condition::Zombie { status, .. } => (options & WEXITED != 0).then_some(status),
        Condition::Stopped { signal, report: Report::Due } if options & WUNTRACED != 0 => {
            Some(signal << 8 | 0x7f)
        }
        Condition::Continued if options & WCONTINUED != 0 => Some(STATUS_CONTINUED),
        Condition::Stopped { .. } | Condition::Continued | Condition::Running => None,
    }
}

/// Takes the news of a child: a zombie is gone after this.
fn collect(table: &mut Table, waiter: &Waiter, pid: u32, status: u32) -> Answer {
    let Ok(child) = table.get_mut(pid) else { return Answer::Status(0) };
    let mut usage = child.children_usage;
    let uid = child.credentials.ruid;
    let stays = waiter.options & WNOWAIT != 0;
    match child.condition {
        Condition::Zombie { usage: own, .. } => {
            usage = usage.plus(own);
            if !stays {
                table.remove(pid);
                add_usage(table, waiter.parent, usage);
            }
        }
        Condition::Stopped { signal, .. } if !stays => {
            child.condition = Condition::Stopped { signal, report: Report::Done };
        }
        Condition::Continued if !stays => child.condition = Condition::Running,
        Condition::Stopped { .. } | Condition::Continued | Condition::Running => {}
    }
    let reply = WaitReply { status, uid, usage: usage.to_message() };
    Answer::Data(i64::from(pid), reply.as_bytes().to_vec())
}

fn add_usage(table: &mut Table, parent: u32, usage: Consumption) {
    if let Ok(parent) = table.get_mut(parent) {
        parent.children_usage = parent.children_usage.plus(usage);
    }
}
