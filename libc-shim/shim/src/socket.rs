//! Sockets (POSIX.1-2017, `<sys/socket.h>`): the messages of `io_msg::socket`.
//!
//! A server that knows no sockets answers ENOSYS, which is ENOTSOCK here.

use crate::block::{index, int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::event;
use crate::open;
use crate::path::{self, Base, Found, Request, descriptor, request};
use crate::rights::{self, Passing};
use crate::sockaddr::Named;
use crate::sys::{Errno, Outcome, part, room, user};
use crate::transfer;
use io_msg::connect::{Connect, subtype};
use io_msg::kind;
use io_msg::socket::{
    AF_UNIX, Control, DIRECTORY, Receive, Received, Send, control, kind as types,
};
use io_msg::stat::open as flag;
use neutrino_abi::handle::{COF_CLOEXEC, COF_NOSHARE, SIDE_CHANNEL};
use neutrino_abi::message::{Iov, SendExtra};

const MSG_OOB: u32 = 1;
const MSG_NOSIGNAL: u32 = 0x4000;
/// Longest value of an option.
pub(crate) const OPTION_MAX: usize = 256;
/// `SOCK_RAW`, which is a datagram's here.
const RAW: u32 = 3;
/// Flags that go to the server.
const FLAGS: u32 = 0xffff;

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

/// The type and the flags in a type argument; the protocol is the domain's only one.
fn type_of(kind: u64, protocol: u64) -> Result<(u32, u32), Errno> {
    const FLAGS: u32 = flag::NONBLOCK | flag::CLOEXEC;
    if !matches!(int(protocol), 0 | 1) {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let (kind, flags) = (low(kind) & !FLAGS, low(kind) & FLAGS);
    Ok((if kind == RAW { types::DATAGRAM } else { kind }, flags))
}

/// A server that is not there, or knows nothing of sockets.
fn unserved(errno: Errno) -> Errno {
    if matches!(errno, Errno::ENOENT | Errno::ENOSYS) { Errno::EAFNOSUPPORT } else { errno }
}

/// `socket(domain, type, protocol)`.
pub(crate) fn socket(caller: &mut Caller<'_>, [domain, kind, protocol, ..]: Args) -> Outcome {
    load_domain(caller, domain)?;
    let (mode, flags) = type_of(kind, protocol)?;
    let asked = Connect { subtype: subtype::SOCKET, mode, ..Connect::default() };
    event::make_at(caller, flags, asked).map_err(unserved)
}

/// `socketpair(domain, type, protocol, sockets)`.
pub(crate) fn socketpair(
    caller: &mut Caller<'_>,
    [domain, kind, protocol, sockets, ..]: Args,
) -> Outcome {
    load_domain(caller, domain)?;
    let (kind, flags) = type_of(kind, protocol)?;
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
    let found = path::walk(caller, Base::Cwd, &request).map_err(unserved)?;
    let Found::Reply(reply) = found else { return Err(Errno::EAFNOSUPPORT) };
    open::place_pair(&reply, flags, sockets)
}

/// A server's answer to a message about sockets.
pub(crate) fn answer(outcome: Outcome) -> Outcome {
    match outcome {
        Err(Errno::ENOSYS) => Err(Errno::ENOTSOCK),
        other => other,
    }
}

/// A message to send: parts of data are in `scratch.parts[3..]`.
struct Outgoing {
    flags: u32,
    parts: usize,
    bytes: u64,
}

/// Parts of a message before its data: the header, an address with its place.
const HEAD_PARTS: usize = 3;

fn send(
    caller: &mut Caller<'_>,
    fd: u64,
    message: &Outgoing,
    (to, passing): (&Named, &Passing),
) -> Outcome {
    if message.flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let coid = descriptor(fd)?;
    let last = rights::offer(caller, coid, passing)?;
    let (credentials, has_credentials) = passing.credentials();
    let header = Send {
        kind: kind::SOCKET_SEND,
        flags: message.flags & FLAGS | has_credentials,
        address_length: to.length(),
        handles: last.offered_count,
        credentials,
        nbytes: message.bytes,
        ..Send::default()
    };
    caller.scratch.parts[0] = part(&header);
    [caller.scratch.parts[1], caller.scratch.parts[2]] = to.parts();
    let parts = &caller.scratch.parts[..message.parts + HEAD_PARTS];
    let extra = if last.offered_count > 0 { Some(&last) } else { None };
    let outcome = answer(caller.send(coid, parts, &[], extra));
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
    let to = Named::optional(caller, address, address_length)?;
    caller.scratch.parts[HEAD_PARTS] = user(buffer, bytes);
    let message = Outgoing { flags: low(flags), parts: 1, bytes };
    send(caller, fd, &message, (&to, &Passing::NOTHING))
}

/// `struct msghdr`: name, its length, parts, their number, control data, their length, flags.
type Header = [u64; 7];

/// `sendmsg(fd, message, flags)`.
pub(crate) fn sendmsg(caller: &mut Caller<'_>, [fd, message, flags, ..]: Args) -> Outcome {
    let [address, address_length, parts, count, control, control_length, _]: Header =
        copy::read(message)?;
    let passing = Passing::read(control, control_length)?;
    let to = Named::optional(caller, address, low(address_length).into())?;
    let (parts, bytes) = transfer::load_parts(caller, parts, count, HEAD_PARTS)?;
    let message = Outgoing { flags: low(flags), parts, bytes };
    send(caller, fd, &message, (&to, &passing))
}

/// Receives into `scratch.parts[2..]`; there is room for so many descriptors, whose numbers go to
/// `scratch.reply`.
fn receive(
    caller: &mut Caller<'_>,
    fd: u64,
    flags: u32,
    (parts, nbytes): (usize, u64),
    handles_max: u32,
) -> Result<(u64, Received), Errno> {
    if flags & MSG_OOB != 0 {
        return Err(Errno::EINVAL);
    }
    let coid = descriptor(fd)?;
    let header = Receive {
        kind: kind::SOCKET_RECEIVE,
        flags: flags & FLAGS,
        handles_max,
        nbytes,
        ..Receive::default()
    };
    let mut head = Received::default();
    caller.scratch.parts[0] = room(&mut head);
    caller.scratch.parts[1] = rights::numbers_room(caller, handles_max);
    let reply = &caller.scratch.parts[..parts + 2];
    let accept = rights::accept(flags, handles_max);
    let extra = if handles_max > 0 { Some(&accept) } else { None };
    let count = answer(caller.send(coid, &[part(&header)], reply, extra))?;
    Ok((count, head))
}

/// Writes an address and its length where the program wants them.
pub(crate) fn give_address(bytes: &[u8], address: u64, length_at: u64) -> Result<(), Errno> {
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
    caller.scratch.parts[2] = user(buffer, bytes);
    let (count, head) = receive(caller, fd, low(flags), (1, bytes), 0)?;
    give_address(sender(&head), address, length_at)?;
    Ok(count)
}

/// `recvmsg(fd, message, flags)`.
pub(crate) fn recvmsg(caller: &mut Caller<'_>, [fd, message, flags, ..]: Args) -> Outcome {
    let [address, _, parts, count, control, control_length, _]: Header = copy::read(message)?;
    let (parts, bytes) = transfer::load_parts(caller, parts, count, 2)?;
    for part in &caller.scratch.parts[2..parts + 2] {
        transfer::probe(part.base, part.length)?;
    }
    let control_length = if control == 0 { 0 } else { control_length };
    let most = rights::room_for(control_length);
    let (count, head) = receive(caller, fd, low(flags), (parts, bytes), most)?;
    if address == 0 {
        copy::write(message + 8, &0_u32)?;
    } else {
        give_address(sender(&head), address, message + 8)?;
    }
    let told = rights::tell(caller, &head, control, control_length)?;
    let shown = head.flags & FLAGS | told.flags | low(flags) & rights::CMSG_CLOEXEC;
    copy::write(message + 40, &[told.bytes, u64::from(shown)])?;
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
pub(crate) fn control(
    caller: &mut Caller<'_>,
    fd: u64,
    message: &Control,
    data: u64,
) -> Result<usize, Errno> {
    let data = user(data, message.nbytes.into());
    control_parts(caller, fd, message, [data, user(0, 0)])
}

/// As [`control`], with data in two pieces.
pub(crate) fn control_parts(
    caller: &mut Caller<'_>,
    fd: u64,
    message: &Control,
    [first, second]: [Iov; 2],
) -> Result<usize, Errno> {
    let coid = descriptor(fd)?;
    let message = Control { kind: kind::SOCKET_CONTROL, ..*message };
    let parts = [part(&message), first, second];
    let reply = room(&mut caller.scratch.reply[..OPTION_MAX]);
    answer(caller.send(coid, &parts, &[reply], None)).map(index)
}

/// `shutdown(fd, how)`.
pub(crate) fn shutdown(caller: &mut Caller<'_>, [fd, how, ..]: Args) -> Outcome {
    let message = Control { subtype: control::SHUTDOWN, argument: low(how), ..Control::default() };
    control(caller, fd, &message, 0).map(|_| 0)
}

pub(crate) fn name(
    caller: &mut Caller<'_>,
    subtype: u16,
    [fd, address, length_at]: [u64; 3],
) -> Outcome {
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
