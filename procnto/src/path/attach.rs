//! `PATH_ATTACH`, `PATH_DETACH`, `PATH_RESOLVE`, `PATH_PREFIX`; and who is told about whom.
//!
//! The server around a new attachment gets `PULSE_COVERED` with its id, and answers walks that
//! reach it with a redirect. A server whose attachment surrounds older ones gets a pulse for each.

use crate::path::tree::{Attachment, Extent, Order, prefix_of};
use crate::state::{Answer, Client, FirstProgram, Job, State};
use crate::system::System;
use alloc::vec::Vec;
use io_msg::kind::{PULSE_COVERED, PULSE_UNCOVERED};
use io_msg::proc::{ATTACH_AFTER, ATTACH_DIRECTORY, Attach, PathAttach, PathResolveReply};
use neutrino_abi::Errno;
use neutrino_abi::process::able;
use zerocopy::IntoBytes;

/// Serves `PATH_ATTACH`; status = attach id.
///
/// # Errors
/// EPERM without the right, EINVAL for a bad path or no connection.
pub fn attach(
    state: &mut State,
    system: &impl System,
    client: &Client,
    message: &PathAttach,
    path: &[u8],
) -> Result<Answer, Errno> {
    let server = state.processes.get(client.info.pid)?;
    if server.abilities & able::PATHSPACE == 0 {
        return Err(Errno::EPERM);
    }
    let prefix = prefix_of(path)?;
    let connection = system.take(client.rcvid, 0)?;
    let is_tree = message.flags & ATTACH_DIRECTORY != 0;
    let order = if message.flags & ATTACH_AFTER != 0 { Order::Back } else { Order::Front };
    let new = Attachment {
        id: 0,
        prefix: prefix.clone(),
        connection,
        pid: client.info.pid,
        mode: message.mode,
        extent: if is_tree { Extent::Tree } else { Extent::Node },
    };
    let id = state.paths.attach(new, order);
    state.tell_paths(system);
    tell_surroundings(state, system, &prefix, (PULSE_COVERED, id));
    for below in state.paths.directly_below(&prefix) {
        system.pulse(connection, PULSE_COVERED, u64::from(below.id));
    }
    if prefix.is_empty() && state.first_program == FirstProgram::WaitsForRoot {
        state.first_program = FirstProgram::Started(0);
        state.jobs.push_back(Job::FirstProgram);
    }
    Ok(Answer::Status(i64::from(id)))
}

fn tell_surroundings(state: &State, system: &impl System, prefix: &[u8], (code, id): (i8, u32)) {
    if let Some(owner) = state.paths.around(prefix) {
        system.pulse(owner.connection, code, u64::from(id));
    }
}

/// Serves `PROC_ATTACH`: gives the client a connection to a channel of another process, which takes
/// messages from whoever knows its numbers, unless it is private. The client never holds the process.
///
/// # Errors
/// ESRCH: no such process or channel. EPERM: a private channel, or the client takes no connection.
/// EAGAIN, EMFILE.
pub fn connect(
    state: &State,
    system: &impl System,
    client: &Client,
    message: &Attach,
) -> Result<Answer, Errno> {
    let server = state.processes.get(message.pid)?.live_handle()?;
    let connection = system.connect(server, message.chid)?;
    let given = system.give(client.rcvid, connection);
    system.close(connection);
    given.map(|coid| Answer::Status(i64::from(coid)))
}

/// Serves `PATH_DETACH`.
///
/// # Errors
/// ENOENT, EPERM for another's attachment.
pub fn detach(
    state: &mut State,
    system: &impl System,
    client: &Client,
    id: i32,
) -> Result<Answer, Errno> {
    let id = u32::try_from(id).map_err(|_| Errno::EINVAL)?;
    let attachment = state.paths.get(id).ok_or(Errno::ENOENT)?;
    if attachment.pid != client.info.pid && client.info.euid != 0 {
        return Err(Errno::EPERM);
    }
    remove(state, system, id);
    Ok(Answer::Status(0))
}

/// Takes out everything that a process has attached.
pub fn detach_all(state: &mut State, system: &impl System, pid: u32) {
    let ids: Vec<u32> =
        state.paths.iter().filter(|attachment| attachment.pid == pid).map(|a| a.id).collect();
    for id in ids {
        remove(state, system, id);
    }
}

fn remove(state: &mut State, system: &impl System, id: u32) {
    let Some(gone) = state.paths.detach(id) else { return };
    state.tell_paths(system);
    tell_surroundings(state, system, &gone.prefix, (PULSE_UNCOVERED, id));
    // What it surrounded is now in the midst of its own surroundings.
    if let Some(owner) = state.paths.around(&gone.prefix) {
        for below in state.paths.directly_below(&owner.prefix) {
            if below.prefix.starts_with(&gone.prefix) {
                system.pulse(owner.connection, PULSE_COVERED, u64::from(below.id));
            }
        }
    }
    system.close(gone.connection);
}

/// Serves `PATH_RESOLVE`: gives the client a connection to the owner of a path.
///
/// # Errors
/// ENOENT, EINVAL; EPERM, EMFILE if the client takes no connection.
pub fn resolve(
    state: &State,
    system: &impl System,
    client: &Client,
    path: &[u8],
) -> Result<Answer, Errno> {
    let found = state.paths.resolve(path)?;
    let coid = system.give(client.rcvid, found.attachment.connection)?;
    let reply = PathResolveReply {
        coid,
        attach: found.attachment.id,
        prefix_length: u32::try_from(found.length).map_err(|_| Errno::ENAMETOOLONG)?,
        generation: state.paths.generation,
        scope_length: u32::try_from(state.paths.scope(path, &found)).unwrap_or(0),
        zero: 0,
    };
    Ok(Answer::Data(0, reply.as_bytes().to_vec()))
}

/// Serves `PATH_PREFIX`: status = length, data = the path of an attachment.
///
/// # Errors
/// ENOENT.
pub fn prefix(state: &State, id: i32) -> Result<Answer, Errno> {
    let id = u32::try_from(id).map_err(|_| Errno::EINVAL)?;
    let attachment = state.paths.get(id).ok_or(Errno::ENOENT)?;
    let path = match attachment.prefix.as_slice() {
        [] => b"/".to_vec(),
        prefix => prefix.to_vec(),
    };
    let length = i64::try_from(path.len()).map_err(|_| Errno::EOVERFLOW)?;
    Ok(Answer::Data(length, path))
}
