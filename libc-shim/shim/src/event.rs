//! Descriptors that count events (Linux: `eventfd`), and how all that has no name is made. The
//! counters are the pipe server's.

use crate::block::low;
use crate::dispatch::{Args, Caller};
use crate::open;
use crate::path::{self, Base, Found, Request, request};
use crate::sys::{Errno, Outcome};
use io_msg::connect::{Connect, EVENT_SEMAPHORE, subtype};
use io_msg::stat::open as flag;
use linux_raw_sys::general as linux;
use neutrino_abi::message::SendExtra;

/// `eventfd(value)`.
pub(crate) fn eventfd(caller: &mut Caller<'_>, [value, ..]: Args) -> Outcome {
    eventfd2(caller, [value, 0, 0, 0, 0, 0])
}

/// `eventfd2(value, flags)`.
pub(crate) fn eventfd2(caller: &mut Caller<'_>, [value, flags, ..]: Args) -> Outcome {
    let flags = low(flags);
    if flags & !(linux::EFD_SEMAPHORE | flag::CLOEXEC | flag::NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let is_semaphore = flags & linux::EFD_SEMAPHORE != 0;
    let connect = Connect {
        subtype: subtype::EVENT,
        mode: low(value),
        flags: if is_semaphore { EVENT_SEMAPHORE } else { 0 },
        ..Connect::default()
    };
    make(caller, flags, connect)
}

/// Makes what has no name: `asked` says what, `flags` are `O_CLOEXEC` and `O_NONBLOCK`.
pub(crate) fn make(caller: &mut Caller<'_>, flags: u32, asked: Connect) -> Outcome {
    caller.scratch.paths[0].set(b"/dev/pipe")?;
    make_at(caller, flags, asked)
}

/// As [`make`], by the server of the path in buffer 0.
pub(crate) fn make_at(caller: &mut Caller<'_>, flags: u32, asked: Connect) -> Outcome {
    let accept = SendExtra {
        accepted_count: 1,
        accepted_flags: open::close_on_exec(flags),
        ..SendExtra::default()
    };
    let general = request(asked.subtype, asked.mode, asked.flags).connect;
    let connect = Connect { ioflag: flags & flag::NONBLOCK, rdev: asked.rdev, ..general };
    let request = Request { connect, accept, ..Request::default() };
    match path::walk(caller, Base::Cwd, &request)? {
        Found::Reply(reply) => Ok(u64::from(reply.coid.cast_unsigned())),
        Found::Descriptor(_) => Err(Errno::ENODEV),
    }
}
