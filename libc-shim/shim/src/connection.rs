//! Names of sockets and connections to them: `bind`, `listen`, `connect`, `accept`.

use crate::block::low;
use crate::dispatch::{Args, Caller};
use crate::open;
use crate::path::descriptor;
use crate::poll::Limit;
use crate::sockaddr::Named;
use crate::socket::{answer, control, control_parts, name};
use crate::sys::{self, Errno, Outcome, PollSets, part, room};
use io_msg::connect::{Connect, ConnectReply, subtype};
use io_msg::kind;
use io_msg::socket::{Control, control};
use io_msg::stat::open as flag;
use neutrino_abi::handle::{PollEntry, ready};
use neutrino_abi::message::SendExtra;
use neutrino_abi::time::FOREVER;

const SOL_SOCKET: u32 = 1;
const SO_RCVTIMEO: u32 = 20;

/// `bind(fd, address, length)`.
pub(crate) fn bind(caller: &mut Caller<'_>, [fd, address, length, ..]: Args) -> Outcome {
    let mut named = Named::read(address, length)?;
    // A name is made for a socket that has none, and for nothing else.
    let known = Control { subtype: control::NAME, ..Control::default() };
    if control(caller, fd, &known, 0)? > 2 {
        return Err(Errno::EINVAL);
    }
    named.create(caller)?;
    let bound = tell(caller, fd, control::BIND, &named);
    if bound.is_err() {
        named.remove(caller);
    }
    bound
}

/// `listen(fd, backlog)`.
pub(crate) fn listen(caller: &mut Caller<'_>, [fd, backlog, ..]: Args) -> Outcome {
    let argument = low(backlog);
    let message = Control { subtype: control::LISTEN, argument, ..Control::default() };
    control(caller, fd, &message, 0).map(|_| 0)
}

/// `connect(fd, address, length)`.
pub(crate) fn connect(caller: &mut Caller<'_>, [fd, address, length, ..]: Args) -> Outcome {
    let mut named = Named::read(address, length)?;
    named.find(caller)?;
    tell(caller, fd, control::CONNECT, &named)
}

fn tell(caller: &mut Caller<'_>, fd: u64, subtype: u16, named: &Named) -> Outcome {
    let message = Control { subtype, nbytes: named.length(), ..Control::default() };
    control_parts(caller, fd, &message, named.parts()).map(|_| 0)
}

/// `accept(fd, address, length)`.
pub(crate) fn accept(caller: &mut Caller<'_>, [fd, address, length, ..]: Args) -> Outcome {
    accept4(caller, [fd, address, length, 0, 0, 0])
}

/// `accept4(fd, address, length, flags)`.
pub(crate) fn accept4(caller: &mut Caller<'_>, [fd, address, length, flags, ..]: Args) -> Outcome {
    let flags = low(flags);
    if flags & !(flag::CLOEXEC | flag::NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let coid = descriptor(fd)?;
    let taken = match take(caller, coid, flags) {
        Err(Errno::EAGAIN) => wait(caller, coid, flags)?,
        other => other?,
    };
    if address != 0
        && let Err(errno) = name(caller, control::PEER, [taken, address, length])
        // The other side may have left already.
        && errno != Errno::ENOTCONN
    {
        let _closed = sys::close(low(taken));
        return Err(errno);
    }
    Ok(taken)
}

/// Takes a connection that waits at a socket.
fn take(caller: &Caller<'_>, coid: u32, flags: u32) -> Outcome {
    let message = Connect {
        kind: kind::IO_CONNECT,
        subtype: subtype::ACCEPT,
        ioflag: flags & flag::NONBLOCK,
        ..Connect::default()
    };
    let accept = SendExtra {
        accepted_count: 1,
        accepted_flags: open::close_on_exec(flags),
        ..SendExtra::default()
    };
    let mut reply = ConnectReply::default();
    answer(caller.send(coid, &[part(&message)], &[room(&mut reply)], Some(&accept)))?;
    Ok(u64::from(reply.coid.cast_unsigned()))
}

/// None waits: unless the descriptor does not wait either, until one does.
fn wait(caller: &mut Caller<'_>, coid: u32, flags: u32) -> Outcome {
    let own = open::change_flags(caller, coid, 0, 0)?;
    if low(own) & flag::NONBLOCK != 0 {
        return Err(Errno::EAGAIN);
    }
    let limit = Limit::after(time_limit(caller, coid)?);
    loop {
        let events = i16::try_from(ready::IN).unwrap_or(0);
        let mut entry = PollEntry { coid: coid.cast_signed(), events, revents: 0 };
        let sets = PollSets::default();
        let address = sys::address_mut(&mut entry);
        match caller.interruptible(|| sys::poll(address, 1, limit.rest(), &sets))? {
            0 => return Err(Errno::EAGAIN),
            _ => match take(caller, coid, flags) {
                Err(Errno::EAGAIN) => {}
                other => return other,
            },
        }
    }
}

/// How long receivers wait at a socket.
fn time_limit(caller: &mut Caller<'_>, coid: u32) -> Outcome {
    let message = Control {
        subtype: control::GET_OPTION,
        level: SOL_SOCKET,
        argument: SO_RCVTIMEO,
        ..Control::default()
    };
    control(caller, coid.into(), &message, 0)?;
    let (words, _) = caller.scratch.reply.as_chunks::<8>();
    let word = |at: usize| words.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes));
    match word(0).saturating_mul(1_000_000).saturating_add(word(1)) {
        0 => Ok(FOREVER),
        microseconds => Ok(microseconds.saturating_mul(1000)),
    }
}
