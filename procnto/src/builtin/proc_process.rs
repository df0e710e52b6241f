//! Files of `/proc/PID`.

use crate::builtin::proc_system::TICK_NS;
use crate::process::table::{Condition, Process};
use crate::state::State;
use crate::system::System;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use neutrino_abi::Errno;
use neutrino_abi::handle::SELF;
use neutrino_abi::info::{ProcessInfo, ThreadInfo, state as thread_state};
use neutrino_abi::memory::{PAGE_SIZE, map, prot};
use neutrino_abi::sched::policy;

/// A file of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// Arguments.
    Cmdline,
    /// Name.
    Comm,
    /// One line of numbers.
    Stat,
    /// Memory, in pages.
    Statm,
    /// The same for people.
    Status,
    /// Mappings.
    Maps,
    /// Threads (native).
    Threads,
    /// Nothing: procnto does not know it.
    Environ,
}

/// The files of a process, by name.
pub const FILES: [(&str, File); 8] = [
    ("cmdline", File::Cmdline),
    ("comm", File::Comm),
    ("stat", File::Stat),
    ("statm", File::Statm),
    ("status", File::Status),
    ("maps", File::Maps),
    ("threads", File::Threads),
    ("environ", File::Environ),
];

/// Most mappings and threads that are listed.
const LIST_MAX: usize = 4096;

/// The contents of a file of process `pid` for process `reader`.
///
/// # Errors
/// ESRCH if the process is gone.
pub fn contents(
    state: &State,
    system: &impl System,
    (pid, reader): (u32, u32),
    file: File,
) -> Result<Vec<u8>, Errno> {
    let process = state.processes.get(pid)?;
    let text = match file {
        File::Cmdline => return Ok(process.program.arguments.clone()),
        File::Environ => return Ok(Vec::new()),
        File::Comm => format!("{}\n", String::from_utf8_lossy(process.name())),
        File::Stat => stat(state, system, process, reader),
        File::Statm => statm(&info_of(system, process)),
        File::Status => status(system, process, reader),
        File::Maps => maps(system, process),
        File::Threads => threads(system, process),
    };
    Ok(text.into_bytes())
}

/// The kernel's number for a process: procnto names itself by `SELF`.
fn handle_of(process: &Process) -> Option<u32> {
    if process.pid == 1 { Some(SELF) } else { process.handle }
}

fn info_of(system: &impl System, process: &Process) -> ProcessInfo {
    let info = handle_of(process).and_then(|handle| system.process_info(handle).ok());
    info.unwrap_or_default()
}

fn threads_of(system: &impl System, process: &Process) -> Vec<ThreadInfo> {
    let mut found = Vec::new();
    let Some(handle) = handle_of(process) else { return found };
    let mut tid = 0;
    while let Ok(info) = system.thread_info(handle, tid) {
        tid = info.tid.saturating_add(1);
        found.push(info);
        if found.len() >= LIST_MAX {
            break;
        }
    }
    found
}

/// The letter that `ps` shows. Who asks runs, although its thread waits for the answer.
fn letter(process: &Process, threads: &[ThreadInfo], reader: u32) -> (char, &'static str) {
    let runs = |t: &ThreadInfo| {
        matches!(t.state, thread_state::RUNNING | thread_state::READY) || process.pid == reader
    };
    match process.condition {
        Condition::Zombie { .. } => ('Z', "zombie"),
        Condition::Stopped { .. } => ('T', "stopped"),
        Condition::Running | Condition::Continued if threads.iter().any(runs) => ('R', "running"),
        Condition::Running | Condition::Continued => ('S', "sleeping"),
    }
}

fn stat(state: &State, system: &impl System, process: &Process, reader: u32) -> String {
    let info = info_of(system, process);
    let threads = threads_of(system, process);
    let terminal = state.sessions.terminal(process.session).map_or(0, |terminal| terminal.rdev);
    let (letter, _) = letter(process, &threads, reader);
    let first = threads.first().copied().unwrap_or_default();
    let foreground = if terminal == 0 { -1 } else { i64::from(process.group) };
    let mut text = format!(
        "{} ({}) {letter} {} {} {} {terminal} {foreground} 0 0 0 0 0 {} 0 {} 0 {} {} {} 0 {} {} {} ",
        process.pid,
        String::from_utf8_lossy(process.name()),
        process.parent,
        process.group,
        process.session,
        info.cpu_time / TICK_NS,
        process.children_usage.cpu_ns / TICK_NS,
        20 + process.nice,
        process.nice,
        threads.len().max(1),
        process.started_ns / TICK_NS,
        info.mapped_bytes,
        info.resident_pages,
    );
    let _infallible = writeln!(
        text,
        "18446744073709551615 0 0 0 {} {} {} {} {} {} 0 0 0 {} {} {} {} 0 0 0",
        first.sp,
        first.ip,
        first.pending & 0xffff_ffff,
        first.mask & 0xffff_ffff,
        info.ignored & 0xffff_ffff,
        info.handled & 0xffff_ffff,
        process.exit_signal,
        first.cpu,
        first.priority,
        first.policy,
    );
    text
}

fn statm(info: &ProcessInfo) -> String {
    let size = info.mapped_bytes / PAGE_SIZE;
    format!("{size} {} 0 0 0 {size} 0\n", info.resident_pages)
}

fn status(system: &impl System, process: &Process, reader: u32) -> String {
    let info = info_of(system, process);
    let threads = threads_of(system, process);
    let (letter, word) = letter(process, &threads, reader);
    let c = &process.credentials;
    let first = threads.first().copied().unwrap_or_default();
    let mut text = format!(
        "Name:\t{}\nState:\t{letter} ({word})\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t{}\nTracerPid:\t0\n\
         Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nGroups:\t",
        String::from_utf8_lossy(process.name()),
        process.parent,
        c.ruid,
        c.euid,
        c.suid,
        c.euid,
        c.rgid,
        c.egid,
        c.sgid,
        c.egid,
        pid = process.pid,
    );
    for group in c.groups.iter().take(c.group_count as usize) {
        let _infallible = write!(text, "{group} ");
    }
    let _infallible = write!(
        text,
        "\nVmSize:\t{:>8} kB\nVmRSS:\t{:>8} kB\nThreads:\t{}\nSigPnd:\t{:016x}\nSigBlk:\t{:016x}\n\
         SigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
        info.mapped_bytes / 1024,
        info.resident_pages * 4,
        threads.len().max(1),
        first.pending,
        first.mask,
        info.ignored,
        info.handled,
    );
    text
}

fn maps(system: &impl System, process: &Process) -> String {
    let mut text = String::new();
    // procnto's own space is not for it to map; the others' handles are.
    let Some(space) = process.handle.and_then(|handle| system.space_of(handle).ok()) else {
        return text;
    };
    let mut at = 0;
    for _ in 0..LIST_MAX {
        let Ok(mapping) = system.space_mapping(space, at) else { break };
        at = mapping.end;
        let bit = |bit: u32, letter: char| if mapping.protection & bit != 0 { letter } else { '-' };
        let _infallible = writeln!(
            text,
            "{:08x}-{:08x} {}{}{}{} {:08x} 00:00 {}",
            mapping.start,
            mapping.end,
            bit(prot::READ, 'r'),
            bit(prot::WRITE, 'w'),
            bit(prot::EXEC, 'x'),
            if mapping.flags & map::SHARED != 0 { 's' } else { 'p' },
            mapping.offset,
            mapping.object,
        );
    }
    system.close(space);
    text
}

/// A line for each thread: `tid state blocked-on priority policy name`.
fn threads(system: &impl System, process: &Process) -> String {
    let mut text = String::new();
    for thread in threads_of(system, process) {
        let end = thread.name.iter().position(|&byte| byte == 0).unwrap_or(thread.name.len());
        let name = String::from_utf8_lossy(&thread.name[..end]);
        let blocked = match thread.state {
            thread_state::SEND | thread_state::REPLY | thread_state::MUTEX => {
                format!("{}", thread.blocked_on)
            }
            thread_state::RECEIVE => format!("chid{}", thread.blocked_on),
            _ => String::from("-"),
        };
        let letter = match thread.policy {
            policy::FIFO => 'f',
            policy::ROUND_ROBIN => 'r',
            policy::SPORADIC => 's',
            _ => 'o',
        };
        let _infallible = writeln!(
            text,
            "{} {} {blocked} {} {letter} {}",
            thread.tid,
            thread_state::name(thread.state),
            thread.current_priority,
            if name.is_empty() { "-".into() } else { name },
        );
    }
    text
}

/// The descriptors of a process.
#[must_use]
pub fn descriptors(state: &State, system: &impl System, pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let Some(handle) = state.processes.get(pid).ok().and_then(|process| process.handle) else {
        return found;
    };
    let mut from = 0;
    while let Ok((number, _)) = system.handle_info(handle, from) {
        if number >= neutrino_abi::handle::SIDE_CHANNEL {
            break;
        }
        found.push(number);
        from = number + 1;
    }
    found
}
