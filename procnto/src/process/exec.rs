//! `exec`: a worker fetches the file from its server, builds the new address space, and only then
//! touches the process. Until that point every failure leaves the old program as it was.
//!
//! The worker holds no lock while it waits for the file server, so the process may end meanwhile:
//! what was built is then thrown away.

use crate::memory::space::{self, Launch, Ready, Secure, Source};
use crate::memory::stack::Strings;
use crate::process::limits::resource;
use crate::process::signal::signal_process;
use crate::process::table::{Executable, Generation, Program};
use crate::process::{credentials, robust};
use crate::state::{Client, Shared, State};
use crate::system::{Control, System};
use alloc::vec;
use alloc::vec::Vec;
use io_msg::connect::PATH_MAX;
use io_msg::io::{MMAP_DESCRIBE, Mmap, MmapReply};
use io_msg::kind;
use io_msg::proc::{EXEC_STRINGS_MAX, Exec};
use io_msg::start::{START_INFO, StartInfo};
use io_msg::stat::{Stat, mode};
use neutrino_abi::Errno;
use neutrino_abi::memory::prot;
use neutrino_abi::process::{Credentials, ExecArgs};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Carries out a `PROC_EXEC`; the client gets a reply only if it fails.
pub fn run<Y: System>(shared: &impl Shared, system: &Y, client: &Client) {
    if let Err(errno) = exec(shared, system, client) {
        system.reply(client.rcvid, Err(errno), &[]);
    }
}

fn exec<Y: System>(shared: &impl Shared, system: &Y, client: &Client) -> Result<(), Errno> {
    let mut head = Exec::new_zeroed();
    if system.read(client.rcvid, 0, head.as_mut_bytes())? != size_of::<Exec>() {
        return Err(Errno::EINVAL);
    }
    let strings = strings(system, client, &head)?;
    let file = system.take(client.rcvid, 0)?;
    let opened = open(system, file);
    system.close(file);
    let (executable, path, stat) = opened?;
    let result = replace(shared, system, client, (&head, &strings), (executable, path, stat));
    if result.is_err() {
        system.close(executable.object);
    }
    result
}

fn strings(system: &impl System, client: &Client, head: &Exec) -> Result<Strings, Errno> {
    if head.strings_length > EXEC_STRINGS_MAX {
        return Err(Errno::E2BIG);
    }
    let mut bytes = vec![0; head.strings_length as usize];
    let n = system.read(client.rcvid, size_of::<Exec>() as u64, &mut bytes)?;
    if n != bytes.len() {
        return Err(Errno::EINVAL);
    }
    Strings::new(bytes, head.argc, head.envc)
}

/// Asks the file's server for status, path and memory object, in one message.
fn open(system: &impl System, file: u32) -> Result<(Executable, Vec<u8>, Stat), Errno> {
    const HEAD: usize = size_of::<MmapReply>() + size_of::<Stat>();
    let request = Mmap {
        kind: kind::IO_MMAP,
        subtype: MMAP_DESCRIBE,
        protection: prot::READ | prot::EXEC,
        flags: neutrino_abi::memory::map::PRIVATE,
        ..Mmap::default()
    };
    let mut reply = vec![0; HEAD + PATH_MAX];
    let sent = system.send(file, request.as_bytes(), &mut reply)?;
    let (mapped, rest) = MmapReply::read_from_prefix(&reply).map_err(|_| Errno::EIO)?;
    let (stat, path) = Stat::read_from_prefix(rest).map_err(|_| Errno::EIO)?;
    if stat.mode & mode::IFMT != mode::IFREG || stat.mode & 0o111 == 0 {
        system.close(mapped.object);
        return Err(Errno::EACCES);
    }
    let length = usize::try_from(sent.status).unwrap_or(0).min(path.len());
    let path = path.get(..length).unwrap_or_default().to_vec();
    let MmapReply { object, offset, size, .. } = mapped;
    Ok((Executable { object, offset, size, load_bias: 0 }, path, stat))
}

/// Builds the new address space and moves the process into it.
fn replace<Y: System>(
    shared: &impl Shared,
    system: &Y,
    client: &Client,
    (head, strings): (&Exec, &Strings),
    (executable, path, stat): (Executable, Vec<u8>, Stat),
) -> Result<(), Errno> {
    let (info, new, pieces, stack) = shared.with(|state| {
        let (info, new) = start_info(state, client, head, &stat)?;
        let stack = state.processes.get(client.info.pid)?.limits.get(resource::STACK).soft;
        Ok((info, new, state.pieces.clone(), stack))
    })?;
    let secure = if new == new_without_file(shared, client)? { Secure::No } else { Secure::Yes };
    let source =
        Source { object: executable.object, offset: executable.offset, size: executable.size };
    let ready = space::build(system, &pieces, source, strings, &Launch { info, secure, stack })?;
    let program = Program {
        name: name_of(strings.path()),
        path,
        arguments: strings.arguments().to_vec(),
        executable: Some(Executable { load_bias: ready.program.load_bias, ..executable }),
        cwd: head.inherited.cwd,
        generation: Generation::Executed,
    };
    let result = shared.with(|state| commit(state, system, client, &ready, (program, &new)));
    system.close(ready.space);
    result
}

fn new_without_file(shared: &impl Shared, client: &Client) -> Result<Credentials, Errno> {
    shared.with(|state| {
        let old = &state.processes.get(client.info.pid)?.credentials;
        Ok(credentials::after_exec(old, None, None))
    })
}

fn start_info(
    state: &State,
    client: &Client,
    head: &Exec,
    stat: &Stat,
) -> Result<(StartInfo, Credentials), Errno> {
    let process = state.processes.get(client.info.pid)?;
    let user = (stat.mode & mode::ISUID != 0).then_some(stat.uid);
    let group = (stat.mode & mode::ISGID != 0 && stat.mode & 0o010 != 0).then_some(stat.gid);
    let new = credentials::after_exec(&process.credentials, user, group);
    let info = StartInfo {
        pid: process.pid,
        ppid: process.parent,
        ids: [new.ruid, new.euid, new.rgid, new.egid],
        pgrp: process.group,
        session: process.session,
        limits: [resource::FSIZE, resource::DATA, resource::NOFILE]
            .map(|which| process.limits.get(which).soft),
        inherited: head.inherited,
        ..StartInfo::default()
    };
    Ok((info, new))
}

/// The point of no return: nothing that fails behind `process_exec` matters any more.
fn commit(
    state: &mut State,
    system: &impl System,
    client: &Client,
    ready: &Ready,
    (program, new): (Program, &Credentials),
) -> Result<(), Errno> {
    let process = state.processes.get_mut(client.info.pid)?;
    let handle = process.live_handle()?;
    let arguments = ExecArgs {
        space: ready.space,
        tid: client.info.tid,
        entry: ready.entry,
        stack: ready.stack,
        argument: START_INFO,
    };
    if *new != process.credentials {
        system.set_credentials(handle, new)?;
    }
    robust::release(system, handle);
    if let Err(errno) = system.process_exec(handle, &arguments) {
        // The old program goes on as it was; if it is gone, nobody minds.
        let _gone = system.set_credentials(handle, &process.credentials);
        return Err(errno);
    }
    let abilities = credentials::abilities(&process.credentials, new, process.abilities);
    if abilities != process.abilities {
        let _gone = system.control(handle, Control::Abilities(abilities));
        process.abilities = abilities;
    }
    process.credentials = *new;
    system.set_name(handle, &program.name);
    let old = core::mem::replace(&mut process.program, program);
    if let Some(executable) = old.executable {
        system.close(executable.object);
    }
    let pid = process.pid;
    if let Some(parent) = process.vfork_parent.take() {
        system.reply(parent.rcvid, Ok(i64::from(pid)), &[]);
        if let Some(signal) = parent.owed_stop {
            signal_process(state, system, pid, signal);
        }
    }
    Ok(())
}

/// A program's name for `ps`: the last component of its path, 15 bytes at most.
#[must_use]
pub fn name_of(path: &[u8]) -> [u8; 16] {
    let last = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let mut name = [0; 16];
    for (slot, byte) in name.iter_mut().take(15).zip(last) {
        *slot = *byte;
    }
    name
}
