//! `fork` and `vfork`: a child that goes on with a copy of the parent's memory and handles, or
//! with its very memory while the parent waits.

use crate::process::limits::{resource, tell_kernel};
use crate::process::table::{
    Condition, Consumption, Executable, Generation, Process, Program, VforkParent,
};
use crate::state::{Answer, Client, State};
use crate::system::{Clock, System};
use io_msg::proc::{FORK_VFORK, Fork};
use neutrino_abi::Errno;
use neutrino_abi::process::{ProcessArgs, ThreadArgs};

/// How often a number is tried that the kernel already uses for a thread.
const PID_ATTEMPTS: u32 = 256;

/// Serves `PROC_FORK`.
///
/// # Errors
/// EAGAIN at a limit, ENOMEM.
pub fn fork(
    state: &mut State,
    system: &impl System,
    client: &Client,
    message: &Fork,
) -> Result<Answer, Errno> {
    let parent = state.processes.get(client.info.pid)?;
    let parent_handle = parent.live_handle()?;
    check_limit(state, parent)?;
    let shares = message.flags & FORK_VFORK != 0;
    let space =
        if shares { system.space_of(parent_handle)? } else { system.space_fork(parent_handle)? };
    let created = create(
        state,
        system,
        ProcessArgs { space, parent: parent_handle, ..ProcessArgs::default() },
    );
    system.close(space);
    let (pid, handle) = created?;
    let arguments = thread_arguments(message, client.info.tid);
    if let Err(errno) = start(state, system, (pid, handle), &arguments, client.info.pid) {
        // The child never ran: nobody else knows of it.
        let _ended = system.control(handle, crate::system::Control::Terminate);
        system.close(handle);
        return Err(errno);
    }
    let child = state.processes.get_mut(pid)?;
    child.exit_signal = message.exit_signal;
    if shares {
        child.vfork_parent = Some(VforkParent { rcvid: client.rcvid, owed_stop: None });
        return Ok(Answer::Later);
    }
    Ok(Answer::Status(i64::from(pid)))
}

fn check_limit(state: &State, parent: &Process) -> Result<(), Errno> {
    let uid = parent.credentials.ruid;
    let limit = parent.limits.get(resource::NPROC).soft;
    if uid != 0 && state.processes.count_of_user(uid) >= limit {
        return Err(Errno::EAGAIN);
    }
    Ok(())
}

/// Makes a kernel process under a number that is free in both worlds; gives number and handle.
///
/// # Errors
/// EAGAIN, ENOMEM.
pub fn create(
    state: &mut State,
    system: &impl System,
    arguments: ProcessArgs,
) -> Result<(u32, u32), Errno> {
    for _ in 0..PID_ATTEMPTS {
        let pid = state.processes.free_pid()?;
        match system.process_create(&ProcessArgs { pid, ..arguments }) {
            // The kernel refuses numbers that it uses with EINVAL.
            Err(Errno::EEXIST | Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
            Ok(handle) => return Ok((pid, handle)),
        }
    }
    Err(Errno::EAGAIN)
}

/// The child's thread; priority, policy and partition are those of the thread that it is like.
fn thread_arguments(message: &Fork, tid: u32) -> ThreadArgs {
    ThreadArgs {
        entry: message.entry,
        stack: message.stack,
        argument: message.argument,
        fs_base: message.fs_base,
        gs_base: message.gs_base,
        signal_area: message.signal_area,
        clear_tid: message.clear_tid,
        like_tid: tid,
        ..ThreadArgs::default()
    }
}

/// Enters the child in the table and lets it run.
fn start(
    state: &mut State,
    system: &impl System,
    (pid, handle): (u32, u32),
    arguments: &ThreadArgs,
    parent: u32,
) -> Result<(), Errno> {
    let parent = state.processes.get(parent)?;
    let program = share_program(system, &parent.program);
    system.set_name(handle, &program.name);
    for resource in [resource::NOFILE, resource::AS] {
        tell_kernel(system, handle, resource, parent.limits.get(resource));
    }
    let child = Process {
        pid,
        parent: parent.pid,
        group: parent.group,
        session: parent.session,
        handle: Some(handle),
        condition: Condition::Running,
        credentials: parent.credentials,
        abilities: parent.abilities,
        limits: parent.limits,
        program,
        exit_signal: 0,
        nice: parent.nice,
        started_ns: system.now(Clock::Monotonic),
        children_usage: Consumption::default(),
        vfork_parent: None,
    };
    if let Err(errno) = system.thread_create(handle, arguments) {
        if let Some(executable) = child.program.executable {
            system.close(executable.object);
        }
        return Err(errno);
    }
    state.processes.insert(child);
    Ok(())
}

/// The child's own copy of what it runs.
fn share_program(system: &impl System, program: &Program) -> Program {
    let executable = program.executable.and_then(|executable| {
        let object = system.duplicate(executable.object).ok()?;
        Some(Executable { object, ..executable })
    });
    Program { executable, generation: Generation::Forked, ..program.clone() }
}
