//! From a message to its handler: the table of contents of procnto.

use crate::path::attach;
use crate::process::death;
use crate::process::{exit, fork, identity, limits, priority, session, signal, wait};
use crate::state::{Answer, Client, Ending, Job, State};
use crate::system::System;
use alloc::vec;
use alloc::vec::Vec;
use io_msg::connect::PATH_MAX;
use io_msg::kind;
use io_msg::proc::{
    Attach, Exit, Fork, Kill, PathAttach, PathResolve, Priority, Rlimit, Sched, SetIds, SetTty,
    Shutdown, Target, TtySignal, Wait,
};
use neutrino_abi::Errno;
use neutrino_abi::pulse::{self, Pulse};
use neutrino_abi::signal::number::SIGSTOP;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Handles a message; `bytes` are as much of it as was received.
///
/// # Errors
/// What the client gets: EBADMSG for a message that is too short, ENOSYS for an unknown type, and
/// what the handlers document.
pub fn handle(
    state: &mut State,
    system: &impl System,
    client: &Client,
    bytes: &[u8],
) -> Result<Answer, Errno> {
    let kind: [u8; 2] = header(bytes)?;
    let kind = u16::from_le_bytes(kind);
    match kind {
        kind::PROC_FORK => fork::fork(state, system, client, &header::<Fork>(bytes)?),
        kind::PROC_EXEC => {
            state.jobs.push_back(Job::Exec(*client));
            Ok(Answer::Later)
        }
        kind::PROC_EXIT => exit::exit(state, system, client, header::<Exit>(bytes)?.status),
        kind::PROC_WAIT => wait::wait(state, client, &header::<Wait>(bytes)?),
        kind::PROC_KILL => signal::kill(state, system, client, &header::<Kill>(bytes)?),
        kind::PROC_GETIDS => identity::get(state, client, header::<Target>(bytes)?.id),
        kind::PROC_SETIDS => identity::set(state, system, client, &header::<SetIds>(bytes)?),
        kind::PROC_USAGE => identity::usage(state, system, client, header::<Target>(bytes)?.id),
        kind::PROC_RLIMIT => limits::rlimit(state, system, client, &header::<Rlimit>(bytes)?),
        kind::PROC_PRIORITY => priority::nice(state, system, client, &header::<Priority>(bytes)?),
        kind::PROC_SCHED => priority::sched(state, system, client, &header::<Sched>(bytes)?),
        _ => handle_names(state, system, client, (kind, bytes)),
    }
}

/// Terminals, paths, and the end of the system.
fn handle_names(
    state: &mut State,
    system: &impl System,
    client: &Client,
    (kind, bytes): (u16, &[u8]),
) -> Result<Answer, Errno> {
    match kind {
        kind::PROC_TTY_SIGNAL => {
            session::terminal_signal(state, system, client, &header::<TtySignal>(bytes)?)
        }
        kind::PROC_PGRP => session::group_info(state, header::<Target>(bytes)?.id.unsigned_abs()),
        kind::PROC_SET_TTY => {
            let message = header::<SetTty>(bytes)?;
            let path = tail::<SetTty>(system, client, bytes, message.path_length)?;
            let terminal =
                (!path.is_empty()).then_some(session::Terminal { path, rdev: message.rdev });
            session::set_terminal(state, client, message.session, terminal)
        }
        kind::PATH_ATTACH => {
            let message = header::<PathAttach>(bytes)?;
            let path = tail::<PathAttach>(system, client, bytes, message.path_length)?;
            attach::attach(state, system, client, &message, &path)
        }
        kind::PROC_ATTACH => attach::connect(state, system, client, &header::<Attach>(bytes)?),
        kind::PATH_DETACH => attach::detach(state, system, client, header::<Target>(bytes)?.id),
        kind::PATH_RESOLVE => {
            let message = header::<PathResolve>(bytes)?;
            let path = tail::<PathResolve>(system, client, bytes, message.path_length)?;
            attach::resolve(state, system, client, &path)
        }
        kind::PATH_PREFIX => attach::prefix(state, header::<Target>(bytes)?.id),
        kind::SYS_SHUTDOWN => shutdown(state, client, &header::<Shutdown>(bytes)?),
        _ => Err(Errno::ENOSYS),
    }
}

fn shutdown(state: &mut State, client: &Client, message: &Shutdown) -> Result<Answer, Errno> {
    if client.info.euid != 0 {
        return Err(Errno::EPERM);
    }
    let ending = match message.subtype {
        0 => Ending::PowerOff(message.status),
        1 => Ending::Reset,
        _ => return Err(Errno::EINVAL),
    };
    state.jobs.push_back(Job::Shutdown(ending));
    Ok(Answer::Status(0))
}

/// The structure at the start of a message.
fn header<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Result<T, Errno> {
    T::read_from_prefix(bytes).map(|(header, _)| header).map_err(|_| Errno::EBADMSG)
}

/// The path behind the structure.
fn tail<T>(
    system: &impl System,
    client: &Client,
    bytes: &[u8],
    length: u32,
) -> Result<Vec<u8>, Errno> {
    let length = usize::try_from(length).map_err(|_| Errno::ENAMETOOLONG)?;
    if length >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let start = size_of::<T>();
    if let Some(inline) = bytes.get(start..start + length) {
        return Ok(inline.to_vec());
    }
    let mut path = vec![0; length];
    let n = system.read(client.rcvid, start as u64, &mut path)?;
    if n == length { Ok(path) } else { Err(Errno::EBADMSG) }
}

/// Handles a pulse.
pub fn handle_pulse(state: &mut State, system: &impl System, pulse: &Pulse) {
    let pid = u32::try_from(pulse.value & 0xffff_ffff).unwrap_or(0);
    let detail = u32::try_from(pulse.value >> 32).unwrap_or(0);
    match pulse.code {
        pulse::PROCESS_TERMINATE => terminate(state, system, pid),
        pulse::PROCESS_STOPPED => {
            exit::stopped(state, system, pid, if detail == 0 { SIGSTOP } else { detail });
        }
        pulse::PROCESS_CONTINUED => exit::continued(state, system, pid),
        pulse::UNBLOCK if wait::forget(state, pulse.value) => {
            system.reply(pulse.value, Err(Errno::EINTR), &[]);
        }
        // Exec and vfork do not end early; disconnections of badge 0 say nothing.
        _ => {}
    }
}

/// A process must end: a signal ends it, or its last thread is gone (signal 0; the status is the
/// thread's).
fn terminate(state: &mut State, system: &impl System, pid: u32) {
    let Ok(process) = state.processes.get(pid) else { return };
    let Some(handle) = process.handle else { return };
    let info = system.process_info(handle).unwrap_or_default();
    let signal = info.terminating & 0x7f;
    if death::is_reported(signal)
        && let Some(obituary) = death::record(state, system, pid, &info)
    {
        state.jobs.push_back(Job::Report(obituary));
    }
    let status = if signal == 0 { (info.fault.status & 0xff) << 8 } else { signal };
    exit::end(state, system, pid, status);
}
