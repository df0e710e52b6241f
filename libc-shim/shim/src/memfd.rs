//! Files without names (Linux: `memfd_create`): made in the memory file system, and unlinked.

use crate::block::low;
use crate::copy;
use crate::dispatch::{Args, Caller, Line};
use crate::open;
use crate::path::{self, Base, Found, Request, request};
use crate::sys::{self, Errno, Outcome};
use crate::time;
use core::fmt::Write;
use io_msg::connect::{Connect, FLAG_NOFOLLOW, subtype};
use io_msg::stat::{mode, open as flag};
use neutrino_abi::message::SendExtra;

/// `MFD_CLOEXEC`, `MFD_ALLOW_SEALING`, `MFD_NOEXEC_SEAL`, `MFD_EXEC`.
const CLOEXEC: u32 = 1;
const FLAGS: u32 = CLOEXEC | 2 | 8 | 16;
/// Longest name (Linux: `NAME_MAX` less `memfd:`).
const NAME_MAX: usize = 249;
/// How often another name is tried.
const TURNS: u64 = 64;

/// `memfd_create(name, flags)`; the name is not kept.
pub(crate) fn memfd_create(caller: &mut Caller<'_>, [name, flags, ..]: Args) -> Outcome {
    let flags = low(flags);
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let length = copy::read_string(name, &mut caller.scratch.paths[0].bytes);
    match length {
        Ok(length) if length <= NAME_MAX => {}
        Ok(_) | Err(Errno::ENAMETOOLONG) => return Err(Errno::EINVAL),
        Err(errno) => return Err(errno),
    }
    let close_on_exec = if flags & CLOEXEC != 0 { flag::CLOEXEC } else { 0 };
    for turn in 0..TURNS {
        match make(caller, close_on_exec, turn) {
            Err(Errno::EEXIST) => {}
            other => return other,
        }
    }
    Err(Errno::EMFILE)
}

fn make(caller: &mut Caller<'_>, close_on_exec: u32, turn: u64) -> Outcome {
    let mut path = Line::new();
    let unique = time::monotonic().wrapping_add(turn);
    let _fits = write!(path, "/dev/shmem/memfd-{}-{unique:x}", caller.tid());
    caller.scratch.paths[0].set(path.bytes())?;
    let connect = Connect {
        ioflag: flag::RDWR | flag::CREAT | flag::EXCL,
        mode: mode::IFREG | 0o777,
        ..request(subtype::OPEN, 0, FLAG_NOFOLLOW).connect
    };
    let accept = SendExtra {
        accepted_count: 1,
        accepted_flags: open::close_on_exec(close_on_exec),
        ..SendExtra::default()
    };
    let asked = Request { connect, accept, ..Request::default() };
    let Found::Reply(reply) = path::walk(caller, Base::Cwd, &asked)? else {
        return Err(Errno::ENODEV);
    };
    caller.scratch.paths[0].set(path.bytes())?;
    let removed =
        path::walk(caller, Base::Cwd, &request(subtype::UNLINK, 0, FLAG_NOFOLLOW)).map(|_| ());
    let made = reply.coid.cast_unsigned();
    if let Err(errno) = removed {
        let _closed = sys::close(made);
        return Err(errno);
    }
    Ok(u64::from(made))
}
