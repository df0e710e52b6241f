//! Who a process is: `PROC_GETIDS`, `PROC_SETIDS`, `PROC_USAGE`.

use crate::process::table::Consumption;
use crate::process::{credentials, session};
use crate::state::{Answer, Client, State};
use crate::system::{Control, System};
use io_msg::proc::{Ids, SetIds, setids};
use neutrino_abi::Errno;
use zerocopy::IntoBytes;

/// Serves `PROC_GETIDS`; 0 is the caller.
///
/// # Errors
/// ESRCH.
pub fn get(state: &State, client: &Client, id: i32) -> Result<Answer, Errno> {
    let pid =
        if id == 0 { client.info.pid } else { u32::try_from(id).map_err(|_| Errno::ESRCH)? };
    let process = state.processes.get(pid)?;
    let c = &process.credentials;
    let ids = Ids {
        pid: process.pid,
        ppid: process.parent,
        pgrp: process.group,
        session: process.session,
        uids: [c.ruid, c.euid, c.suid],
        gids: [c.rgid, c.egid, c.sgid],
        group_count: c.group_count,
        groups: c.groups,
    };
    Ok(Answer::Data(0, ids.as_bytes().to_vec()))
}

/// Serves `PROC_SETIDS`.
///
/// # Errors
/// As POSIX has them for the call that the subtype names.
pub fn set(
    state: &mut State,
    system: &impl System,
    client: &Client,
    message: &SetIds,
) -> Result<Answer, Errno> {
    match message.subtype {
        setids::PGID => {
            session::set_group(state, system, client, (message.values[0], message.values[1]))
        }
        setids::SID => session::new_session(state, system, client),
        _ => set_credentials(state, system, client, message),
    }
}

fn set_credentials(
    state: &mut State,
    system: &impl System,
    client: &Client,
    message: &SetIds,
) -> Result<Answer, Errno> {
    let process = state.processes.get_mut(client.info.pid)?;
    let new = credentials::apply(&process.credentials, message)?;
    let abilities = credentials::abilities(&process.credentials, &new, process.abilities);
    let handle = process.live_handle()?;
    system.set_credentials(handle, &new)?;
    if abilities != process.abilities {
        system.control(handle, Control::Abilities(abilities))?;
    }
    process.credentials = new;
    process.abilities = abilities;
    Ok(Answer::Status(0))
}

/// Serves `PROC_USAGE`: 0 is the caller, -1 the children it has waited for.
///
/// # Errors
/// ESRCH.
pub fn usage(
    state: &State,
    system: &impl System,
    client: &Client,
    id: i32,
) -> Result<Answer, Errno> {
    let process = match id {
        0 | -1 => state.processes.get(client.info.pid)?,
        id => state.processes.get(u32::try_from(id).map_err(|_| Errno::ESRCH)?)?,
    };
    let consumption = match (id, process.handle) {
        (-1, _) => process.children_usage,
        (_, Some(handle)) => {
            let info = system.process_info(handle)?;
            Consumption { cpu_ns: info.cpu_time, max_resident_pages: info.resident_pages }
        }
        (_, None) => Consumption::default(),
    };
    Ok(Answer::Data(0, consumption.to_message().as_bytes().to_vec()))
}
