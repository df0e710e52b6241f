//! The process that this program is.

use crate::channel::Handle;
use crate::message;
use crate::sys::{address_of, pure};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use io_msg::proc::{Exec, Exit, Kill, SetIds, Shutdown, setids};
use io_msg::start::{INHERITED_MAGIC, Inherited};
use io_msg::{connect, kind, stat};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::{SELF, SYSMGR_COID};
use neutrino_abi::message::SendExtra;
use neutrino_abi::signal::{SignalInfo, number};
use zerocopy::IntoBytes;

/// Connection to the current directory; 0 is the root of the name space.
static CWD: AtomicU32 = AtomicU32::new(0);
static UMASK: AtomicU32 = AtomicU32::new(0o022);

/// Takes over what the process manager and the program before left.
#[cfg(target_os = "none")]
pub(crate) fn adopt(info: &io_msg::start::StartInfo) {
    if info.inherited.magic == INHERITED_MAGIC {
        CWD.store(info.inherited.cwd, Ordering::Relaxed);
        UMASK.store(info.inherited.umask, Ordering::Relaxed);
    }
}

/// Connection to the current directory, if it is not the root.
#[must_use]
pub fn current_directory() -> Option<u32> {
    Some(CWD.load(Ordering::Relaxed)).filter(|&coid| coid != 0)
}

/// The `umask`.
#[must_use]
pub fn umask() -> u32 {
    UMASK.load(Ordering::Relaxed)
}

/// The caller's process id.
#[must_use]
pub fn id() -> u32 {
    (pure(Call::ThreadSelf {}).unwrap_or(0).cast_unsigned() >> 32) as u32
}

/// Ends the process with an exit code.
pub fn exit(status: i32) -> ! {
    let status = (status.cast_unsigned() & 0xff) << 8;
    let message = Exit { kind: kind::PROC_EXIT, subtype: 0, status };
    let _no_reply = message::send(SYSMGR_COID, message.as_bytes(), &mut []);
    // Only the process manager itself, or a program it does not know, comes here.
    abort()
}

/// Ends the process with SIGABRT.
pub fn abort() -> ! {
    let signal = SignalInfo { number: number::SIGABRT, ..SignalInfo::default() };
    loop {
        let info = address_of(&signal);
        let _dies_of_it = pure(Call::SignalKill { process: SELF, tid: 0, info });
        let _or_at_least_stops = pure(Call::ThreadDestroy { tid: 0, status: 0 });
    }
}

/// Sends a signal as `kill` does.
///
/// # Errors
/// ESRCH, EPERM, EINVAL.
pub fn kill(pid: i32, signal: u32) -> Result<(), Errno> {
    let message = Kill { kind: kind::PROC_KILL, pid, signal, ..Kill::default() };
    message::send(SYSMGR_COID, message.as_bytes(), &mut []).map(drop)
}

/// Gives up everything that root may: from now on the process is a user and a group that nobody
/// else is, without abilities. What it holds (open files, handles, attached paths) it keeps; a
/// driver that a device or a client has taken over can reach nothing else.
///
/// # Errors
/// EPERM for a process that is not root's.
pub fn confine() -> Result<(), Errno> {
    const FIRST: u32 = 0x1_0000;
    let alone = FIRST + id();
    let set = |subtype, count| {
        let mut values = [0; 16];
        values.iter_mut().take(3).for_each(|value| *value = alone);
        let message = SetIds { kind: kind::PROC_SETIDS, subtype, count, values };
        message::send(SYSMGR_COID, message.as_bytes(), &mut []).map(drop)
    };
    set(setids::GROUPS, 0)?;
    set(setids::RESGID, 3)?;
    set(setids::RESUID, 3)
}

/// Ends the system: power off, or reset.
///
/// # Errors
/// EPERM.
pub fn shutdown(reset: bool, status: u32) -> Result<(), Errno> {
    let message = Shutdown { kind: kind::SYS_SHUTDOWN, subtype: u16::from(reset), status };
    message::send(SYSMGR_COID, message.as_bytes(), &mut []).map(drop)
}

/// Becomes another program; returns only if that fails.
pub fn exec(path: &[u8], arguments: &[&[u8]], environment: &[&[u8]]) -> Errno {
    match try_exec(path, arguments, environment) {
        Err(errno) => errno,
        Ok(()) => Errno::EINVAL,
    }
}

fn try_exec(path: &[u8], arguments: &[&[u8]], environment: &[&[u8]]) -> Result<(), Errno> {
    let flags = stat::open::RDONLY | stat::open::CLOEXEC;
    let file = crate::path::open(path, flags, 0, connect::FLAG_EXECUTE)?;
    let mut strings: Vec<u8> = Vec::new();
    for text in core::iter::once(&path).chain(arguments).chain(environment) {
        strings.extend_from_slice(text);
        strings.push(0);
    }
    let message = Exec {
        kind: kind::PROC_EXEC,
        subtype: 0,
        argc: u32::try_from(arguments.len()).map_err(|_| Errno::E2BIG)?,
        envc: u32::try_from(environment.len()).map_err(|_| Errno::E2BIG)?,
        strings_length: u32::try_from(strings.len()).map_err(|_| Errno::E2BIG)?,
        fd: file.raw(),
        zero: 0,
        inherited: inherited(),
    };
    offer(&file, &message, &strings)
}

fn offer(file: &Handle, message: &Exec, strings: &[u8]) -> Result<(), Errno> {
    let extra =
        SendExtra { offered: [file.raw(), 0, 0, 0], offered_count: 1, ..SendExtra::default() };
    let parts: [&[u8]; 2] = [message.as_bytes(), strings];
    message::send_parts(SYSMGR_COID, &parts, (&mut [], &mut []), Some(&extra)).map(drop)
}

fn inherited() -> Inherited {
    Inherited {
        magic: INHERITED_MAGIC,
        cwd: CWD.load(Ordering::Relaxed),
        umask: umask(),
        ..Inherited::default()
    }
}
