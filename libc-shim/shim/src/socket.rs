//! Sockets (POSIX.1-2017, `<sys/socket.h>`): the messages of `io_msg::socket`.
//!
//! A server that knows no sockets answers ENOSYS, which is ENOTSOCK here.

use crate::block::{index, int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::open;
use crate::path::{self, Base, Found, Request, descriptor, request};
use crate::sys::{Errno, Outcome, part, room, user};
use crate::transfer;
use io_msg::connect::{Connect, subtype};
use io_msg::kind;
use io_msg::socket::{ADDRESS_MAX, AF_UNIX, Control, DIRECTORY, Receive, Received, Send, control};
use io_msg::stat::open as flag;
use neutrino_abi::handle::{COF_CLOEXEC, COF_NOSHARE, SIDE_CHANNEL};
use neutrino_abi::message::SendExtra;

const MSG_OOB: u32 = 1;
const MSG_NOSIGNAL: u32 = 0x4000;
/// Longest value of an option.
const OPTION_MAX: usize = 256;

/// The path of a domain goes into buffer 0.
fn load_domain(caller: &mut Caller<'_>, domain: u64) -> Result<(), Errno> {
    // The only one yet: others find no server.
    if low(domain) != u32::from(AF_UNIX) {
        return Err(Errno::EAFNOSUPPORT);
    }
    let mut name = [0; DIRECTORY.len() + 1];
    name[..DIRECTORY.len()].copy_from_slice(DIRECTORY.as_bytes());
    name[DIRECTORY.len()] = b'1';
    caller.scratch.paths[0].set(&name)
}

/// `socketpair(domain, type, protocol, sockets)`.
pub(crate) fn socketpair(
    caller: &mut Caller<'_>,
    [domain, kind, protocol, sockets, ..]: Args,
) -> Outcome {
    const FLAGS: u32 = flag::NONBLOCK | flag::CLOEXEC;
    load_domain(caller, domain)?;
    if !matches!(int(protocol), 0 | 1) {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let (kind, flags) = (low(kind) & !FLAGS, low(kind) & FLAGS);
    // First outside the descriptors: so that there are two new ones, or none.
    let accept = SendExtra {
        accepted_count: 2,
        accepted_minimum: SIDE_CHANNEL,
        accepted_flags: COF_CLOEXEC | COF_NOSHARE,
        ..SendExtra::default()
    };
    let connect = Connect {
        ioflag: flags & flag::NONBLOCK,
        mode: kind,
        ..request(subtype::SOCKET_PAIR, 0, 0).connect
    };
    let request = Request { connect, accept, ..Request::default() };
    let found = path::walk(caller, Base::Cwd, &request).map_err(|errno| {
        let is_unserved = matches!(errno, Errno::ENOENT | Errno::ENOSYS);
        if is_unserved { Errno::EAFNOSUPPORT } else { errno }
    })?;
    let Found::Reply(reply) = found else { return Err(Errno::EAFNOSUPPORT) };
    open::place_pair(&reply, flags, sockets)
}

/// A server's answer to a message about sockets.
fn answer(outcome: Outcome) -> Outcome {
    match outcome {
        Err(Errno::ENOSYS) => Err(Errno::ENOTSOCK),
        other => other,
    }
}

/// A message to send: parts of data are in `scratch.parts[2..]`.
struct Outgoing {
    flags: u32,
    address: u64,
    address_length: u64,
    parts: usize,
    bytes: u64,
}

fn send(caller: &mut Caller<'_>, fd: u64, message: &Outgoing) -> Outcome {
    if message.flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let coid = descriptor(fd)?;
    let length = if message.address == 0 { 0 } else { message.address_length };
    if length > ADDRESS_MAX as u64 {
        return Err(Errno::EINVAL);
    }
    let header = Send {
        kind: kind::SOCKET_SEND,
        flags: message.flags,
        address_length: low(length),
        nbytes: message.bytes,
        ..Send::default()
    };
    caller.scratch.parts[0] = part(&header);
    caller.scratch.parts[1] = user(message.address, length);
    let parts = &caller.scratch.parts[..message.parts + 2];
    let outcome = answer(caller.send(coid, parts, &[], None));
    if message.flags & MSG_NOSIGNAL != 0 {
        return outcome;
    }
    transfer::raise_broken_pipe(caller, outcome)
}

/// `sendto(fd, buffer, count, flags, address, length)`.
pub(crate) fn sendto(
    caller: &mut Caller<'_>,
    [fd, buffer, count, flags, address, address_length]: Args,
) -> Outcome {
    let bytes = transfer::check(buffer, count)?;
    caller.scratch.parts[2] = user(buffer, bytes);
    let address_length = low(address_length).into();
    send(caller, fd, &Outgoing { flags: low(flags), address, address_length, parts: 1, bytes })
}

/// `struct msghdr`: name, its length, parts, their number, control data, their length, flags.
type Header = [u64; 7];

/// `sendmsg(fd, message, flags)`.
pub(crate) fn sendmsg(caller: &mut Caller<'_>, [fd, message, flags, ..]: Args) -> Outcome {
    let [address, address_length, parts, count, control, control_length, _]: Header =
        copy::read(message)?;
    if control != 0 && control_length != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let (parts, bytes) = transfer::load_parts(caller, parts, count, 2)?;
    let address_length = low(address_length).into();
    send(caller, fd, &Outgoing { flags: low(flags), address, address_length, parts, bytes })
}

/// Receives into `scratch.parts[1..=parts]`.
fn receive(
    caller: &mut Caller<'_>,
    fd: u64,
    flags: u32,
    (parts, nbytes): (usize, u64),
) -> Result<(u64, Received), Errno> {
    if flags & MSG_OOB != 0 {
        return Err(Errno::EINVAL);
    }
    let coid = descriptor(fd)?;
    let header = Receive { kind: kind::SOCKET_RECEIVE, flags, nbytes, ..Receive::default() };
    let mut head = Received::default();
    caller.scratch.parts[0] = room(&mut head);
    let reply = &caller.scratch.parts[..=parts];
    let count = answer(caller.send(coid, &[part(&header)], reply, None))?;
    Ok((count, head))
}

/// Writes an address and its length where the program wants them.
fn give_address(bytes: &[u8], address: u64, length_at: u64) -> Result<(), Errno> {
    if address == 0 {
        return Ok(());
    }
    let room: u32 = copy::read(length_at)?;
    if room.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    copy::write_slice(address, &bytes[..bytes.len().min(room as usize)])?;
    copy::write(length_at, &low(bytes.len() as u64))
}

/// The sender's address in a reply.
fn sender(head: &Received) -> &[u8] {
    head.address.get(..head.address_length as usize).unwrap_or_default()
}

/// `recvfrom(fd, buffer, count, flags, address, length)`.
pub(crate) fn recvfrom(
    caller: &mut Caller<'_>,
    [fd, buffer, count, flags, address, length_at]: Args,
) -> Outcome {
    let bytes = transfer::check(buffer, count)?;
    transfer::probe(buffer, bytes)?;
    caller.scratch.parts[1] = user(buffer, bytes);
    let (count, head) = receive(caller, fd, low(flags), (1, bytes))?;
    give_address(sender(&head), address, length_at)?;
    Ok(count)
}

/// `recvmsg(fd, message, flags)`.
pub(crate) fn recvmsg(caller: &mut Caller<'_>, [fd, message, flags, ..]: Args) -> Outcome {
    let header: Header = copy::read(message)?;
    let [address, _, parts, count, ..] = header;
    let (parts, bytes) = transfer::load_parts(caller, parts, count, 1)?;
    for part in &caller.scratch.parts[1..=parts] {
        transfer::probe(part.base, part.length)?;
    }
    let (count, head) = receive(caller, fd, low(flags), (parts, bytes))?;
    if address == 0 {
        copy::write(message + 8, &0_u32)?;
    } else {
        give_address(sender(&head), address, message + 8)?;
    }
    // No control data, and the flags of what was received.
    copy::write(message + 40, &[0_u64, u64::from(head.flags)])?;
    Ok(count)
}

/// Bytes of a `struct mmsghdr`, and where the count is in it.
const MANY_STRIDE: u64 = 64;
const MANY_COUNT: u64 = 56;

/// `sendmmsg(fd, messages, count, flags)`.
pub(crate) fn sendmmsg(caller: &mut Caller<'_>, [fd, messages, count, flags, ..]: Args) -> Outcome {
    many(caller, sendmsg, [fd, messages, count, flags])
}

/// `recvmmsg(fd, messages, count, flags, timeout)`; the time-out is not supported.
pub(crate) fn recvmmsg(
    caller: &mut Caller<'_>,
    [fd, messages, count, flags, timeout, _]: Args,
) -> Outcome {
    if timeout != 0 {
        return Err(Errno::EINVAL);
    }
    many(caller, recvmsg, [fd, messages, count, flags])
}

/// One call for each message; an error counts only if it is the first.
fn many(
    caller: &mut Caller<'_>,
    one: fn(&mut Caller<'_>, Args) -> Outcome,
    [fd, messages, count, flags]: [u64; 4],
) -> Outcome {
    const MANY_MAX: u64 = 1024;
    let mut done = 0;
    while done < u64::from(low(count)).min(MANY_MAX) {
        let message = messages + done * MANY_STRIDE;
        let outcome = one(caller, [fd, message, flags, 0, 0, 0])
            .and_then(|count| copy::write(message + MANY_COUNT, &low(count)));
        match outcome {
            Ok(()) => done += 1,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// Sends a `SOCKET_CONTROL` with `data` of the program's; the reply goes to `scratch.reply`.
fn control(caller: &mut Caller<'_>, fd: u64, message: &Control, data: u64) -> Result<usize, Errno> {
    let coid = descriptor(fd)?;
    let message = Control { kind: kind::SOCKET_CONTROL, ..*message };
    let parts = [part(&message), user(data, message.nbytes.into())];
    let reply = room(&mut caller.scratch.reply[..OPTION_MAX]);
    answer(caller.send(coid, &parts, &[reply], None)).map(index)
}

/// `shutdown(fd, how)`.
pub(crate) fn shutdown(caller: &mut Caller<'_>, [fd, how, ..]: Args) -> Outcome {
    let message = Control { subtype: control::SHUTDOWN, argument: low(how), ..Control::default() };
    control(caller, fd, &message, 0).map(|_| 0)
}

fn name(caller: &mut Caller<'_>, subtype: u16, [fd, address, length_at]: [u64; 3]) -> Outcome {
    let length = control(caller, fd, &Control { subtype, ..Control::default() }, 0)?;
    if address == 0 {
        return Err(Errno::EFAULT);
    }
    give_address(&caller.scratch.reply[..length], address, length_at).map(|()| 0)
}

/// `getsockname(fd, address, length)`.
pub(crate) fn getsockname(caller: &mut Caller<'_>, [fd, address, length, ..]: Args) -> Outcome {
    name(caller, control::NAME, [fd, address, length])
}

/// `getpeername(fd, address, length)`.
pub(crate) fn getpeername(caller: &mut Caller<'_>, [fd, address, length, ..]: Args) -> Outcome {
    name(caller, control::PEER, [fd, address, length])
}

/// `getsockopt(fd, level, option, value, length)`.
pub(crate) fn getsockopt(
    caller: &mut Caller<'_>,
    [fd, level, option, value, length_at, _]: Args,
) -> Outcome {
    let subtype = control::GET_OPTION;
    let (level, argument) = (low(level), low(option));
    let message = Control { subtype, level, argument, ..Control::default() };
    let length = control(caller, fd, &message, 0)?;
    let room: u32 = copy::read(length_at)?;
    if room.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let shown = length.min(room as usize);
    copy::write_slice(value, &caller.scratch.reply[..shown])?;
    copy::write(length_at, &low(shown as u64)).map(|()| 0)
}

/// `setsockopt(fd, level, option, value, length)`.
pub(crate) fn setsockopt(
    caller: &mut Caller<'_>,
    [fd, level, option, value, length, _]: Args,
) -> Outcome {
    let nbytes = low(length);
    if nbytes as usize > OPTION_MAX {
        return Err(Errno::EINVAL);
    }
    let subtype = control::SET_OPTION;
    let (level, argument) = (low(level), low(option));
    let message = Control { subtype, level, argument, nbytes, ..Control::default() };
    control(caller, fd, &message, value).map(|_| 0)
}

/// A call that a connected socket without a name refuses, with what is in `subtype`.
fn refused(caller: &mut Caller<'_>, fd: u64, subtype: u16) -> Outcome {
    control(caller, fd, &Control { subtype, ..Control::default() }, 0).map(|_| 0)
}

/// `connect(fd, address, length)`.
pub(crate) fn connect(caller: &mut Caller<'_>, [fd, ..]: Args) -> Outcome {
    refused(caller, fd, control::CONNECT)
}

/// `bind(fd, address, length)`.
pub(crate) fn bind(caller: &mut Caller<'_>, [fd, ..]: Args) -> Outcome {
    refused(caller, fd, control::BIND)
}

/// `listen(fd, backlog)`.
pub(crate) fn listen(caller: &mut Caller<'_>, [fd, ..]: Args) -> Outcome {
    refused(caller, fd, control::LISTEN)
}

/// `accept(fd, address, length)`, `accept4(fd, address, length, flags)`.
pub(crate) fn accept(caller: &mut Caller<'_>, [fd, ..]: Args) -> Outcome {
    refused(caller, fd, control::ACCEPT)
}
