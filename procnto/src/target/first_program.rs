//! The first program, and farewells to terminals.
//!
//! The first program's process starts as a copy of procnto, on a stack of its own, with nothing
//! open. It opens `/dev/null` three times and the root as its current directory, and then executes
//! the shell, all by the messages that everybody uses. The copy has the locks as they were in the
//! middle of procnto's work, so it neither locks nor allocates.

use super::STATE;
use super::kernel::Kernel;
use alloc::boxed::Box;
use io_msg::connect::{Connect, ConnectReply, FLAG_EXECUTE, RESULT_DONE, subtype};
use io_msg::kind;
use io_msg::proc::{Exec, Exit, PathResolve, PathResolveReply};
use io_msg::start::{INHERITED_MAGIC, Inherited};
use io_msg::stat::open;
use neutrino_rt::abi::handle::{COF_CLOEXEC, SELF, SIDE_CHANNEL, SYSMGR_COID};
use neutrino_rt::abi::message::SendExtra;
use neutrino_rt::abi::process::{ProcessArgs, able};
use neutrino_rt::abi::sched::{PRIORITY_DEFAULT, policy};
use neutrino_rt::{Errno, channel, clock, log, manager, message};
use procnto::process::exec::name_of;
use procnto::process::fork::create;
use procnto::process::table::{Generation, Program};
use procnto::state::{FirstProgram, Shared};
use procnto::system::System;
use zerocopy::IntoBytes;

const SHELL: &[u8] = b"/bin/sh";
/// Path, then the arguments, then the environment.
const STRINGS: &[u8] =
    b"/bin/sh\0/bin/sh\0/etc/rc\0PATH=/bin:/sbin:/usr/bin:/usr/sbin\0HOME=/root\0TERM=linux\0";
const ARGUMENTS: u32 = 2;
const VARIABLES: u32 = 3;
const STACK_BYTES: usize = 64 * 1024;
/// Largest message it sends.
const MESSAGE_MAX: usize = 512;
/// How often and how long it waits for procnto's nodes to be attached.
const PATIENCE: (u32, u64) = (200, 5_000_000);

/// Starts the process.
pub(super) fn start() -> Result<(), Errno> {
    let stack = Box::leak(Box::new([0_u8; STACK_BYTES]));
    let stack_top = stack.as_ptr_range().end.addr() as u64;
    let space = Kernel.space_fork(SELF)?;
    let started = STATE.with(|state| {
        let arguments = ProcessArgs { space, abilities: able::ALL, ..ProcessArgs::default() };
        let (pid, handle) = create(state, &Kernel, arguments)?;
        Kernel.control(handle, procnto::system::Control::Group(pid))?;
        Kernel.control(handle, procnto::system::Control::Session(pid))?;
        let program = Program {
            name: name_of(b"init"),
            path: b"/sbin/procnto".to_vec(),
            arguments: b"init\0".to_vec(),
            cwd: 0,
            executable: None,
            generation: Generation::Executed,
        };
        procnto::boot::enter(state, &Kernel, (pid, handle), program);
        state.first_program = FirstProgram::Started(pid);
        let scheduling = (policy::OTHER, u32::from(PRIORITY_DEFAULT));
        manager::start_copy(handle, first, stack_top, scheduling)
    });
    Kernel.close(space);
    started.map(drop)
}

/// Runs in the copy.
extern "C" fn first() -> ! {
    let status = match become_shell() {
        Ok(()) => 0,
        Err(errno) => u32::from(errno.number()),
    };
    let message = Exit { kind: kind::PROC_EXIT, subtype: 0, status: status << 8 };
    loop {
        let _no_reply = message::send(SYSMGR_COID, message.as_bytes(), &mut []);
    }
}

fn become_shell() -> Result<(), Errno> {
    wait_for_devices();
    for _ in 0..3 {
        open_path(b"/dev/null", open::RDWR, (0, 0), 0)?;
    }
    let cwd = open_path(b"/", open::RDONLY | open::DIRECTORY, (SIDE_CHANNEL, 0), 0)?;
    let file = open_path(SHELL, open::RDONLY, (3, COF_CLOEXEC), FLAG_EXECUTE)?;
    let inherited = Inherited { magic: INHERITED_MAGIC, cwd, umask: 0o022, ..Inherited::default() };
    let head = Exec {
        kind: kind::PROC_EXEC,
        subtype: 0,
        argc: ARGUMENTS,
        envc: VARIABLES,
        strings_length: u32::try_from(STRINGS.len()).map_err(|_| Errno::E2BIG)?,
        fd: file,
        zero: 0,
        inherited,
    };
    let extra = SendExtra { offered: [file, 0, 0, 0], offered_count: 1, ..SendExtra::default() };
    let mut buffer = [0; MESSAGE_MAX];
    let bytes = join(&mut buffer, head.as_bytes(), STRINGS)?;
    message::send_extra(SYSMGR_COID, bytes, &mut [], Some(&extra)).map(drop)
}

/// Waits until `/dev` is procnto's own: its thread may attach it later than another attaches `/`.
fn wait_for_devices() {
    const DEV: &[u8] = b"/dev/null";
    // Bound: PATIENCE.
    for _ in 0..PATIENCE.0 {
        let Ok((mount, prefix)) = resolve(DEV) else { return };
        let_close(mount);
        if prefix > 1 {
            return;
        }
        clock::sleep(PATIENCE.1);
    }
}

fn join<'a>(buffer: &'a mut [u8], head: &[u8], tail: &[u8]) -> Result<&'a [u8], Errno> {
    let end = head.len() + tail.len();
    let all = buffer.get_mut(..end).ok_or(Errno::E2BIG)?;
    all[..head.len()].copy_from_slice(head);
    all[head.len()..].copy_from_slice(tail);
    Ok(all)
}

/// A connection to the owner of a path, and how much of the path is its prefix.
fn resolve(path: &[u8]) -> Result<(u32, usize), Errno> {
    let path_length = u32::try_from(path.len()).map_err(|_| Errno::ENAMETOOLONG)?;
    let head = PathResolve { kind: kind::PATH_RESOLVE, subtype: 0, path_length };
    let mut reply = PathResolveReply::default();
    let mut buffer = [0; MESSAGE_MAX];
    let bytes = join(&mut buffer, head.as_bytes(), path)?;
    let extra =
        SendExtra { accepted_count: 1, accepted_minimum: SIDE_CHANNEL, ..SendExtra::default() };
    message::send_extra(SYSMGR_COID, bytes, reply.as_mut_bytes(), Some(&extra))?;
    Ok((reply.coid, usize::try_from(reply.prefix_length).unwrap_or(path.len())))
}

fn let_close(coid: u32) {
    let _it_is_ours = channel::detach(coid);
}

/// Opens a path; follows redirects (of symbolic links, as `/bin/sh` may be one).
fn open_path(
    path: &[u8],
    ioflag: u32,
    (accepted_minimum, accepted_flags): (u32, u32),
    flags: u32,
) -> Result<u32, Errno> {
    let mut current = [0; MESSAGE_MAX];
    let mut length = path.len();
    current.get_mut(..length).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(path);
    // Bound: REDIRECTS_MAX turns.
    for _ in 0..io_msg::connect::REDIRECTS_MAX {
        let (mount, prefix) = resolve(&current[..length])?;
        let rest = &current[prefix..length];
        let head = Connect {
            kind: kind::IO_CONNECT,
            subtype: subtype::OPEN,
            ioflag,
            flags,
            path_length: u32::try_from(rest.len()).map_err(|_| Errno::ENAMETOOLONG)?,
            ..Connect::default()
        };
        let mut buffer = [0; MESSAGE_MAX];
        let bytes = join(&mut buffer, head.as_bytes(), rest)?;
        let extra = SendExtra {
            accepted_count: 1,
            accepted_minimum,
            accepted_flags,
            ..SendExtra::default()
        };
        let mut answer = [0; MESSAGE_MAX];
        let sent = message::send_extra(mount, bytes, &mut answer, Some(&extra));
        let_close(mount);
        sent?;
        let (reply, data) =
            <ConnectReply as zerocopy::FromBytes>::read_from_prefix(answer.as_slice())
                .map_err(|_| Errno::EIO)?;
        if reply.result == RESULT_DONE {
            return u32::try_from(reply.coid).map_err(|_| Errno::EIO);
        }
        length = usize::try_from(reply.data_length).unwrap_or(0).min(data.len());
        current[..length].copy_from_slice(&data[..length]);
    }
    Err(Errno::ELOOP)
}

/// Tells a terminal that its session is over: its foreground group gets SIGHUP.
pub(super) fn hang_up(session: u32, terminal: &[u8]) {
    const TIOCNOTTY: u32 = 0x5422;
    let flags = open::RDWR | open::NOCTTY | open::NONBLOCK | open::CLOEXEC;
    // A terminal that is gone needs no farewell.
    let Ok(file) = neutrino_rt::path::open(terminal, flags, 0, 0) else { return };
    let request = io_msg::io::Devctl {
        kind: kind::IO_DEVCTL,
        dcmd: TIOCNOTTY,
        argument: u64::from(session),
        ..io_msg::io::Devctl::default()
    };
    // Nor does one that is no longer the session's, or whose server dies meanwhile.
    if let Err(errno) = message::send(file.raw(), request.as_bytes(), &mut [])
        && !matches!(errno, Errno::ENOTTY | Errno::ESRCH)
    {
        log!("procnto: session {session}: its terminal does not let go: {errno}");
    }
}
