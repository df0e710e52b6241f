//! What procnto starts by itself: the first server, straight from the boot image.

use crate::memory::space::{self, Launch, Secure, Source};
use crate::memory::stack::Strings;
use crate::process::exec::name_of;
use crate::process::limits::INFINITY;
use crate::process::table::{Executable, Generation, Process, Program};
use crate::state::State;
use crate::system::{Clock, System};
use alloc::vec::Vec;
use io_msg::start::{STACK_SIZE, START_INFO, StartInfo};
use neutrino_abi::Errno;
use neutrino_abi::handle::SYSMGR_PID;
use neutrino_abi::process::{ProcessArgs, ThreadArgs, able};
use neutrino_abi::sched::{PRIORITY_DEFAULT, policy};
use neutrino_abi::signal::number::SIGCHLD;

/// In the boot image, a link to the first server: the one that serves `/`.
pub const ROOT_SERVER: &[u8] = b"/sbin/root-server";

/// Where a link at `link` with this target leads.
#[must_use]
pub fn follow(link: &[u8], target: &[u8]) -> Vec<u8> {
    if target.first() == Some(&b'/') {
        return target.to_vec();
    }
    let directory = link.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    [&link[..directory], target].concat()
}

/// Starts the first server, or another in its place: without one no program could be started.
///
/// # Errors
/// ENOEXEC, ENOMEM, EAGAIN.
pub fn start_first_server(state: &mut State, system: &impl System) -> Result<u32, Errno> {
    let file = state.pieces.first_server;
    let path = state.pieces.first_server_path.clone();
    let source = Source { object: state.pieces.boot_image, offset: file.offset, size: file.size };
    let mut bytes = Vec::new();
    for _ in 0..2 {
        bytes.extend_from_slice(&path);
        bytes.push(0);
    }
    let strings = Strings::new(bytes, 1, 0)?;
    let pid = state.processes.free_pid()?;
    let limits = [INFINITY; 3];
    let info = StartInfo {
        pid,
        ppid: SYSMGR_PID,
        pgrp: pid,
        session: pid,
        limits,
        ..StartInfo::default()
    };
    let launch = Launch { info, secure: Secure::No, stack: STACK_SIZE };
    let ready = space::build(system, &state.pieces, source, &strings, &launch)?;
    let arguments = ProcessArgs {
        space: ready.space,
        pgrp: pid,
        session: pid,
        abilities: able::ALL,
        ..ProcessArgs::default()
    };
    // Under just this number: the program has been told it.
    let created = system.process_create(&ProcessArgs { pid, ..arguments });
    system.close(ready.space);
    let handle = created?;
    let thread = ThreadArgs {
        entry: ready.entry,
        stack: ready.stack,
        argument: START_INFO,
        priority: u32::from(PRIORITY_DEFAULT),
        policy: policy::OTHER,
        ..ThreadArgs::default()
    };
    let executable = system.duplicate(state.pieces.boot_image).ok().map(|object| Executable {
        object,
        offset: file.offset,
        size: file.size,
        load_bias: ready.program.load_bias,
    });
    let program = Program {
        name: name_of(&path),
        path,
        arguments: strings.arguments().to_vec(),
        cwd: 0,
        executable,
        generation: Generation::Executed,
    };
    enter(state, system, (pid, handle), program);
    system.thread_create(handle, &thread)?;
    state.first_server = pid;
    Ok(pid)
}

/// Enters a process of procnto's own making in the table: a child of procnto with every right.
pub fn enter(state: &mut State, system: &impl System, (pid, handle): (u32, u32), program: Program) {
    system.set_name(handle, &program.name);
    let mut process = Process::new(pid, SYSMGR_PID);
    process.handle = Some(handle);
    process.abilities = able::ALL;
    process.exit_signal = SIGCHLD;
    process.started_ns = system.now(Clock::Monotonic);
    process.program = program;
    state.processes.insert(process);
}

#[cfg(test)]
mod tests {
    use super::follow;

    #[test]
    fn a_link_leads_beside_itself_or_to_an_absolute_path() {
        assert_eq!(follow(b"/sbin/root-server", b"server"), b"/sbin/server");
        assert_eq!(follow(b"/sbin/root-server", b"/lib/server"), b"/lib/server");
    }
}
