//! Descriptors: open, close, dup, fcntl, pipe (POSIX.1-2017, `<fcntl.h>`, `<unistd.h>`).

use crate::block::{Scratch, int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::path::{self, Base, Found, Request, descriptor, request};
use crate::sys::{self, Errno, Outcome, part, room};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::connect::{Connect, ConnectReply, FLAG_NOFOLLOW, subtype};
use io_msg::io::{Flags, Lock, lock};
use io_msg::kind;
use io_msg::stat::{Stat, mode, open as flag};
use linux_raw_sys::general as linux;
use neutrino_abi::handle::{COF_CLOEXEC, COF_NOSHARE, FD_LIMIT, SIDE_CHANNEL};
use neutrino_abi::info::HandleInfo;
use neutrino_abi::message::SendExtra;

/// `open(path, flags, mode)`.
pub(crate) fn open(caller: &mut Caller<'_>, [name, flags, mode, ..]: Args) -> Outcome {
    open_from(caller, Base::Cwd, name, Opening { flags: low(flags), mode: low(mode) })
}

/// `creat(path, mode)`.
pub(crate) fn creat(caller: &mut Caller<'_>, [name, mode, ..]: Args) -> Outcome {
    let flags = flag::WRONLY | flag::CREAT | flag::TRUNC;
    open_from(caller, Base::Cwd, name, Opening { flags, mode: low(mode) })
}

/// `openat(directory, path, flags, mode)`.
pub(crate) fn openat(caller: &mut Caller<'_>, [from, name, flags, mode, ..]: Args) -> Outcome {
    let from = path::base(from);
    open_from(caller, from, name, Opening { flags: low(flags), mode: low(mode) })
}

/// `openat2(directory, path, how, size)`; nothing of `how.resolve` is supported.
pub(crate) fn openat2(caller: &mut Caller<'_>, [from, name, how, size, ..]: Args) -> Outcome {
    let from = path::base(from);
    if size < 24 {
        return Err(Errno::EINVAL);
    }
    let [flags, mode, resolve]: [u64; 3] = copy::read(how)?;
    if resolve != 0 {
        return Err(Errno::EINVAL);
    }
    open_from(caller, from, name, Opening { flags: low(flags), mode: low(mode) })
}

/// Flags and mode of an `open`.
#[derive(Clone, Copy, Debug)]
struct Opening {
    flags: u32,
    mode: u32,
}

fn open_from(caller: &mut Caller<'_>, from: Base, name: u64, opening: Opening) -> Outcome {
    const TMPFILE: u32 = linux::O_TMPFILE & !flag::DIRECTORY;
    if opening.flags & TMPFILE != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    path::load(caller.scratch, 0, name)?;
    let accept = SendExtra {
        accepted_count: 1,
        accepted_flags: close_on_exec(opening.flags),
        ..SendExtra::default()
    };
    match open_loaded(caller, from, opening.flags, opening.mode, accept)? {
        Found::Reply(reply) => Ok(u64::from(reply.coid.cast_unsigned())),
        Found::Descriptor(coid) => reopen(caller, coid, opening, accept),
    }
}

/// Opens what a descriptor has open: files and directories anew by their paths, other things (a
/// pipe, a terminal, a file without a name) as by `dup`.
fn reopen(caller: &mut Caller<'_>, coid: u32, opening: Opening, accept: SendExtra) -> Outcome {
    let mut status = Stat::default();
    path::simple(caller, coid, kind::IO_STAT, room(&mut status))?;
    if matches!(status.mode & mode::IFMT, mode::IFREG | mode::IFDIR) && status.nlink > 0 {
        let length = path::path_of(caller, coid)?;
        let Scratch { paths, reply, .. } = &mut *caller.scratch;
        paths[0].set(&reply[..length])?;
        match open_loaded(caller, Base::Cwd, opening.flags, opening.mode, accept) {
            Ok(Found::Reply(reply)) => return Ok(u64::from(reply.coid.cast_unsigned())),
            Err(Errno::ENOENT) | Ok(Found::Descriptor(_)) => {}
            Err(error) => return Err(error),
        }
    }
    sys::duplicate(coid, 0, close_on_exec(opening.flags))
}

/// Opens the path in buffer 0.
fn open_loaded(
    caller: &mut Caller<'_>,
    from: Base,
    flags: u32,
    permissions: u32,
    accept: SendExtra,
) -> Result<Found, Errno> {
    let is_nofollow = flags & flag::NOFOLLOW != 0
        || flags & (flag::CREAT | flag::EXCL) == flag::CREAT | flag::EXCL;
    let umask = caller.process.umask.load(Relaxed);
    let connect = Connect {
        ioflag: flags,
        mode: mode::IFREG | (permissions & !umask & 0o7777),
        ..request(subtype::OPEN, 0, if is_nofollow { FLAG_NOFOLLOW } else { 0 }).connect
    };
    path::walk(caller, from, &Request { connect, accept, ..Request::default() })
}

/// Opens the path in buffer 0 for the shim itself, outside the descriptors.
///
/// # Errors
/// Those of `open`.
pub(crate) fn open_side(
    caller: &mut Caller<'_>,
    from: Base,
    flags: u32,
    connect_flags: u32,
) -> Result<u32, Errno> {
    let accept = SendExtra {
        accepted_count: 1,
        accepted_minimum: SIDE_CHANNEL,
        accepted_flags: COF_CLOEXEC,
        ..SendExtra::default()
    };
    let connect = Connect { ioflag: flags, ..request(subtype::OPEN, 0, connect_flags).connect };
    match path::walk(caller, from, &Request { connect, accept, ..Request::default() })? {
        Found::Reply(reply) => Ok(reply.coid.cast_unsigned()),
        Found::Descriptor(coid) => sys::duplicate(coid, SIDE_CHANNEL, COF_CLOEXEC).map(low),
    }
}

pub(crate) const fn close_on_exec(flags: u32) -> u32 {
    if flags & flag::CLOEXEC != 0 { COF_CLOEXEC } else { 0 }
}

/// `close(fd)`.
pub(crate) fn close(caller: &mut Caller<'_>, [fd, ..]: Args) -> Outcome {
    let coid = descriptor(fd)?;
    drop_locks(caller, coid);
    sys::close(coid)
}

/// Record locks of a file go with any descriptor of it that the process closes.
fn drop_locks(caller: &Caller<'_>, coid: u32) {
    if caller.process.has_locks.load(Relaxed) != 0 {
        let message = Lock {
            kind: kind::IO_LOCK,
            command: lock::SETLK,
            lock_type: UNLOCK,
            ..Lock::default()
        };
        let _not_lockable = sys::msg_send(coid, &[part(&message)], &[], None);
    }
}

/// Closes all descriptors of a process that ends, so that their servers have let go before anybody
/// can have waited for it. Beside other threads, which could open files under the same numbers,
/// that is left to the kernel.
pub(crate) fn close_all(caller: &Caller<'_>) {
    drop_all_locks(caller);
    if caller.process.threads.load(Relaxed) > 1 {
        return;
    }
    let mut next = 0;
    let mut info = HandleInfo::default();
    loop {
        // Most descriptors are neighbours.
        while next < FD_LIMIT && sys::close(next) != Err(Errno::EBADF) {
            next += 1;
        }
        match sys::next_handle(next, &mut info).map(low) {
            Ok(coid) if coid < SIDE_CHANNEL => {
                let _closed = sys::close(coid);
                next = coid + 1;
            }
            Ok(_) | Err(_) => return,
        }
    }
}

/// All record locks of the process go with it.
fn drop_all_locks(caller: &Caller<'_>) {
    let mut next = 0;
    let mut info = HandleInfo::default();
    while caller.process.has_locks.load(Relaxed) != 0 {
        match sys::next_handle(next, &mut info).map(low) {
            Ok(coid) if coid < SIDE_CHANNEL => {
                drop_locks(caller, coid);
                next = coid + 1;
            }
            Ok(_) | Err(_) => return,
        }
    }
}

/// `F_UNLCK`.
const UNLOCK: u16 = 2;

/// `close_range(first, last, flags)`.
pub(crate) fn close_range(caller: &mut Caller<'_>, [first, last, flags, ..]: Args) -> Outcome {
    const ONLY_MARK: u32 = 1 << 2;
    let (first, last, flags) = (low(first), low(last).min(SIDE_CHANNEL - 1), low(flags));
    if first > low(last.into()) && last != SIDE_CHANNEL - 1 || flags & !(ONLY_MARK | 2) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut next = first;
    let mut info = HandleInfo::default();
    while next <= last {
        let Ok(coid) = sys::next_handle(next, &mut info).map(low) else { break };
        if coid > last {
            break;
        }
        if flags & ONLY_MARK != 0 {
            sys::connect_flags(coid, COF_CLOEXEC, COF_CLOEXEC)?;
        } else {
            drop_locks(caller, coid);
            sys::close(coid)?;
        }
        next = coid + 1;
    }
    Ok(0)
}

/// `dup(fd)`.
pub(crate) fn dup(_: &mut Caller<'_>, [fd, ..]: Args) -> Outcome {
    sys::duplicate(descriptor(fd)?, 0, 0)
}

/// `dup2(old, new)`.
pub(crate) fn dup2(caller: &mut Caller<'_>, [old, new, ..]: Args) -> Outcome {
    if low(old) == low(new) {
        let coid = descriptor(old)?;
        sys::connect_flags(coid, 0, 0)?;
        return Ok(u64::from(coid));
    }
    dup3(caller, [old, new, 0, 0, 0, 0])
}

/// `dup3(old, new, flags)`.
pub(crate) fn dup3(caller: &mut Caller<'_>, [old, new, flags, ..]: Args) -> Outcome {
    let (from, to) = (descriptor(old)?, descriptor(new)?);
    if from == to || low(flags) & !flag::CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    if to >= FD_LIMIT {
        return Err(Errno::EBADF);
    }
    drop_locks(caller, to);
    // Held a little longer, what was there is closed as by `close`.
    let old = sys::duplicate(to, SIDE_CHANNEL, COF_CLOEXEC | COF_NOSHARE);
    let outcome = sys::duplicate_to(from, to, close_on_exec(low(flags)));
    if let Ok(old) = old {
        let _closed = sys::close(low(old));
    }
    outcome.map(|_| u64::from(to))
}

/// `pipe(fds)`.
pub(crate) fn pipe(caller: &mut Caller<'_>, [fds, ..]: Args) -> Outcome {
    pipe2(caller, [fds, 0, 0, 0, 0, 0])
}

/// `pipe2(fds, flags)`.
pub(crate) fn pipe2(caller: &mut Caller<'_>, [fds, flags, ..]: Args) -> Outcome {
    let flags = low(flags);
    if flags & !(flag::CLOEXEC | flag::NONBLOCK | linux::O_DIRECT) != 0 {
        return Err(Errno::EINVAL);
    }
    caller.scratch.paths[0].set(b"/dev/pipe")?;
    // First outside the descriptors: so that there are two new ones, or none.
    let accept = SendExtra {
        accepted_count: 2,
        accepted_minimum: SIDE_CHANNEL,
        accepted_flags: COF_CLOEXEC | COF_NOSHARE,
        ..SendExtra::default()
    };
    let connect =
        Connect { ioflag: flags & flag::NONBLOCK, ..request(subtype::PIPE, 0, 0).connect };
    let request = Request { connect, accept, ..Request::default() };
    let Found::Reply(reply) = path::walk(caller, Base::Cwd, &request)? else {
        return Err(Errno::ENXIO);
    };
    place_pair(&reply, flags, fds)
}

/// Makes descriptors of two new handles, which were outside of them, and tells both or neither.
///
/// # Errors
/// EMFILE, EFAULT.
pub(crate) fn place_pair(reply: &ConnectReply, flags: u32, address: u64) -> Outcome {
    let ends = [reply.coid, reply.coid2].map(i32::cast_unsigned);
    let outcome = place(ends, close_on_exec(flags), address);
    for end in ends {
        let _closed = sys::detach(end);
    }
    outcome
}

/// Gives both the lowest free numbers, and tells them.
fn place([first, second]: [u32; 2], flags: u32, address: u64) -> Outcome {
    let first = low(sys::duplicate(first, 0, flags)?);
    let placed = sys::duplicate(second, 0, flags).map(low).and_then(|second| {
        copy::write(address, &[first, second]).inspect_err(|_| {
            let _closed = sys::detach(second);
        })
    });
    if placed.is_err() {
        let _closed = sys::detach(first);
    }
    placed.map(|()| 0)
}

/// `fcntl(fd, command, argument)`.
pub(crate) fn fcntl(caller: &mut Caller<'_>, [fd, command, argument, ..]: Args) -> Outcome {
    const PIPE_SIZE: u64 = 65536;
    let coid = descriptor(fd)?;
    match low(command) {
        linux::F_DUPFD => duplicate(caller, coid, argument, 0),
        linux::F_DUPFD_CLOEXEC => duplicate(caller, coid, argument, COF_CLOEXEC),
        linux::F_GETFD => {
            sys::connect_flags(coid, 0, 0).map(|flags| flags & u64::from(COF_CLOEXEC))
        }
        linux::F_SETFD => {
            let bits = if argument & 1 != 0 { COF_CLOEXEC } else { 0 };
            sys::connect_flags(coid, COF_CLOEXEC, bits).map(|_| 0)
        }
        linux::F_GETFL => change_flags(caller, coid, 0, 0),
        linux::F_SETFL => {
            change_flags(caller, coid, flag::APPEND | flag::NONBLOCK, low(argument)).map(|_| 0)
        }
        linux::F_GETLK => record_lock(caller, coid, lock::GETLK, argument),
        linux::F_SETLK => record_lock(caller, coid, lock::SETLK, argument),
        linux::F_SETLKW => record_lock(caller, coid, lock::SETLKW, argument),
        linux::F_GETOWN | linux::F_SETOWN | linux::F_GETSIG | linux::F_SETSIG => {
            sys::connect_flags(coid, 0, 0).map(|_| 0)
        }
        linux::F_SETPIPE_SZ | linux::F_GETPIPE_SZ => {
            sys::connect_flags(coid, 0, 0).map(|_| PIPE_SIZE)
        }
        _ => sys::connect_flags(coid, 0, 0).and(Err(Errno::EINVAL)),
    }
}

fn duplicate(caller: &Caller<'_>, coid: u32, minimum: u64, flags: u32) -> Outcome {
    if int(minimum) < 0 || low(minimum) >= FD_LIMIT {
        return Err(Errno::EINVAL);
    }
    if u64::from(low(minimum)) >= caller.process.descriptor_limit.load(Relaxed) {
        // A bad descriptor comes first.
        return sys::connect_flags(coid, 0, 0).and(Err(Errno::EINVAL));
    }
    sys::duplicate(coid, low(minimum), flags)
}

/// Reads and changes the flags of an open file; returns what they are now.
///
/// # Errors
/// What the server answers.
pub(crate) fn change_flags(caller: &Caller<'_>, coid: u32, mask: u32, bits: u32) -> Outcome {
    let message = Flags { kind: kind::IO_FLAGS, mask, bits: bits & mask, ..Flags::default() };
    caller.send(coid, &[part(&message)], &[], None)
}

/// Words of `struct flock`: types, start, length, pid.
type Flock = [u64; 4];

fn record_lock(caller: &Caller<'_>, coid: u32, command: u16, address: u64) -> Outcome {
    let [types, start, length, _]: Flock = copy::read(address)?;
    let mut message = Lock {
        kind: kind::IO_LOCK,
        command,
        lock_type: (low(types) & 0xffff) as u16,
        whence: (low(types) >> 16) as u16,
        start: start.cast_signed(),
        length: length.cast_signed(),
        ..Lock::default()
    };
    if message.lock_type > 2 || message.whence > 2 {
        return Err(Errno::EINVAL);
    }
    let sent = message;
    if command != lock::GETLK && sent.lock_type != UNLOCK {
        caller.process.has_locks.store(1, Relaxed);
    }
    caller.send(coid, &[part(&sent)], &[room(&mut message)], None)?;
    if command == lock::GETLK {
        let types = u64::from(message.lock_type) | u64::from(message.whence) << 16;
        let (start, length) = (message.start.cast_unsigned(), message.length.cast_unsigned());
        let found: Flock = if message.lock_type == UNLOCK {
            [types, sent.start.cast_unsigned(), sent.length.cast_unsigned(), 0]
        } else {
            [types, start, length, u64::from(message.pid)]
        };
        copy::write(address, &found)?;
    }
    Ok(0)
}

/// `flock(fd, operation)`.
pub(crate) fn flock(caller: &mut Caller<'_>, [fd, operation, ..]: Args) -> Outcome {
    let coid = descriptor(fd)?;
    let operation = low(operation);
    let command = if operation & linux::LOCK_NB != 0 { lock::FLOCK } else { lock::FLOCKW };
    let lock_type = match operation & !linux::LOCK_NB {
        linux::LOCK_SH => 0,
        linux::LOCK_EX => 1,
        linux::LOCK_UN => 2,
        _ => return Err(Errno::EINVAL),
    };
    let message = Lock { kind: kind::IO_LOCK, command, lock_type, ..Lock::default() };
    caller.send(coid, &[part(&message)], &[], None).map(|_| 0)
}
