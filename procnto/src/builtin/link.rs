//! `/proc/PID/cwd` and `/proc/PID/fd/N`: links to what another process has open.
//!
//! Only the server of an open file knows its path, and asking it may take for ever. So the thread of
//! `/proc` does not: a worker asks ([`ask`]), with a copy of the connection and for a limited time, and
//! the thread of `/proc` takes the request up again when the answer is there.

use crate::process::table::Process;
use crate::state::Shared;
use crate::system::System;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use io_msg::connect::PATH_MAX;
use io_msg::io::Simple;
use io_msg::kind;
use io_msg::stat::{Stat, mode};
use neutrino_abi::Errno;
use neutrino_abi::handle::FD_LIMIT;
use neutrino_abi::message::MsgInfo;
use zerocopy::{FromZeros, IntoBytes};

/// How long a server may take to say what it has open, in nanoseconds.
const PATIENCE_NS: u64 = 1_000_000_000;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The current directory.
    Cwd,
    /// A descriptor.
    Descriptor(u32),
}

/// A question for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whose.
    pub pid: u32,
    /// What.
    pub link: Link,
    /// The client of `/proc` that waits for the answer.
    pub rcvid: u64,
}

/// What a worker found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The question.
    pub question: Question,
    /// The target of the link.
    pub target: Result<Vec<u8>, Errno>,
}

/// Whether a client may look at what a process has open: root, and the process's own user (Linux:
/// `PTRACE_MODE_READ`).
///
/// # Errors
/// EACCES.
pub fn check(client: &MsgInfo, process: &Process) -> Result<(), Errno> {
    let c = &process.credentials;
    let is_own = [c.ruid, c.euid, c.suid].iter().all(|&id| id == client.euid);
    if client.euid == 0 || is_own { Ok(()) } else { Err(Errno::EACCES) }
}

/// Asks the server of what a process has open. Without the lock while it waits.
pub fn ask(shared: &impl Shared, system: &impl System, question: &Question) -> Found {
    let copied = shared.with(|state| {
        let process = state.processes.get(question.pid)?;
        let number = match question.link {
            // Who was started before there was a directory, or never asked for one, is at the root.
            Link::Cwd if process.program.cwd == 0 => return Ok(None),
            Link::Cwd => process.program.cwd,
            Link::Descriptor(number) if number < FD_LIMIT => number,
            Link::Descriptor(_) => 0,
        };
        system.copy_handle(process.live_handle()?, number).map(Some)
    });
    let target = copied.and_then(|coid| {
        let Some(coid) = coid else { return Ok(b"/".to_vec()) };
        let target = target(system, coid);
        system.close(coid);
        target
    });
    // A process or descriptor that is gone, at whichever step, has no link.
    let is_gone = |errno| matches!(errno, Errno::EBADF | Errno::ESRCH);
    let target = target.map_err(|errno| if is_gone(errno) { Errno::ENOENT } else { errno });
    Found { question: *question, target }
}

fn target(system: &impl System, coid: u32) -> Result<Vec<u8>, Errno> {
    let mut path = vec![0; PATH_MAX];
    let request = Simple { kind: kind::IO_FDINFO, ..Simple::default() };
    let named = system.send_within(coid, request.as_bytes(), &mut path, PATIENCE_NS);
    if named == Err(Errno::ETIMEDOUT) {
        return Err(Errno::ETIMEDOUT);
    }
    let length = named.map_or(0, |status| usize::try_from(status).unwrap_or(0));
    path.truncate(length);
    if path.first() == Some(&b'/') {
        return Ok(path);
    }
    let mut stat = Stat::new_zeroed();
    let request = Simple { kind: kind::IO_STAT, ..Simple::default() };
    system.send_within(coid, request.as_bytes(), stat.as_mut_bytes(), PATIENCE_NS)?;
    let what = match stat.mode & mode::IFMT {
        mode::IFIFO => "pipe",
        mode::IFSOCK => "socket",
        _ => "file",
    };
    Ok(format!("{what}:[{}]", stat.ino).into_bytes())
}
