//! Send, receive, reply.

use crate::sys::{self, address_of, address_of_mut, flat, flat_mut, pure, pure_u32};
use alloc::vec::Vec;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::info::state;
use neutrino_abi::message::{Iov, MsgInfo, ReceiveArgs, SendExtra};
use neutrino_abi::process::Credentials;
use neutrino_abi::pulse::Pulse;
use zerocopy::{FromBytes, IntoBytes};

/// What `MsgReceive` brought.
#[derive(Clone, Copy, Debug)]
pub enum Received {
    /// A message: the rcvid; its first bytes are in the buffer.
    Message {
        /// Names the waiting client.
        rcvid: u64,
        /// What is known of it.
        info: MsgInfo,
    },
    /// A pulse.
    Pulse(Pulse),
}

fn iovs(parts: &[&[u8]]) -> Vec<Iov> {
    parts
        .iter()
        .map(|part| Iov { base: part.as_ptr().addr() as u64, length: part.len() as u64 })
        .collect()
}

fn parts_of(iovs: &[Iov]) -> (u64, i64) {
    (iovs.as_ptr().addr() as u64, iovs.len() as i64)
}

/// Sends one flat message and waits for the reply; returns its status.
///
/// # Errors
/// EBADF, ESRCH, EFAULT, EINTR, and what the server answers.
pub fn send(coid: u32, message: &[u8], reply: &mut [u8]) -> Result<i64, Errno> {
    send_extra(coid, message, reply, None)
}

/// As [`send`], offering and accepting handles.
///
/// # Errors
/// As [`send`].
pub fn send_extra(
    coid: u32,
    message: &[u8],
    reply: &mut [u8],
    extra: Option<&SendExtra>,
) -> Result<i64, Errno> {
    let (message, parts) = flat(message);
    let (reply, reply_parts) = flat_mut(reply);
    let extra = extra.map_or(0, address_of);
    // SAFETY: the only memory written is `reply`, which is borrowed mutably for the whole call.
    unsafe { sys::call(Call::MsgSend { coid, message, parts, reply, reply_parts, extra }) }
}

/// As [`send`], for so many nanoseconds at most.
///
/// # Errors
/// As [`send`]; ETIMEDOUT.
pub fn send_within(
    coid: u32,
    message: &[u8],
    reply: &mut [u8],
    nanoseconds: u64,
) -> Result<i64, Errno> {
    let states = 1 << state::SEND | 1 << state::REPLY;
    pure(Call::TimerTimeout { states, time: nanoseconds, flags: 0 })?;
    send(coid, message, reply)
}

/// Sends a message of several parts, with a reply of two: a header and data.
///
/// # Errors
/// As [`send`].
pub fn send_parts(
    coid: u32,
    message: &[&[u8]],
    reply: (&mut [u8], &mut [u8]),
    extra: Option<&SendExtra>,
) -> Result<i64, Errno> {
    let message = iovs(message);
    let (head, data) = reply;
    let reply = [
        Iov { base: head.as_mut_ptr().addr() as u64, length: head.len() as u64 },
        Iov { base: data.as_mut_ptr().addr() as u64, length: data.len() as u64 },
    ];
    let (message, parts) = parts_of(&message);
    let (reply, reply_parts) = parts_of(&reply);
    let extra = extra.map_or(0, address_of);
    // SAFETY: the only memory written is `head` and `data`, borrowed mutably for the whole call.
    unsafe { sys::call(Call::MsgSend { coid, message, parts, reply, reply_parts, extra }) }
}

/// Waits for a message or a pulse.
///
/// # Errors
/// EBADF, EINTR, ETIMEDOUT, EFAULT.
pub fn receive(chid: u32, buffer: &mut [u8]) -> Result<Received, Errno> {
    let mut info = MsgInfo::default();
    let (message, parts) = flat_mut(buffer);
    let call = Call::MsgReceive { chid, message, parts, info: address_of_mut(&mut info) };
    // SAFETY: the memory written is `buffer` and `info`, both borrowed mutably for the whole call.
    let rcvid = unsafe { sys::call(call) }?;
    Ok(received(rcvid, info, buffer))
}

/// Answers a client (status and data, or an errno) and waits for the next message or pulse in one
/// kernel entry. A client that is gone is no error.
///
/// # Errors
/// As [`receive`].
pub fn reply_receive(
    rcvid: u64,
    answer: Result<i64, Errno>,
    data: &[u8],
    chid: u32,
    buffer: &mut [u8],
) -> Result<Received, Errno> {
    let mut info = MsgInfo::default();
    let status = answer.unwrap_or_else(Errno::to_result);
    let (message, parts) = flat(data);
    let (into, into_parts) = flat_mut(buffer);
    let receive = ReceiveArgs {
        chid,
        reserved: 0,
        message: into,
        parts: into_parts,
        info: address_of_mut(&mut info),
    };
    let receive = address_of(&receive);
    // SAFETY: the memory written is `buffer` and `info`, both borrowed mutably for the whole call.
    let next =
        unsafe { sys::call(Call::MsgReplyReceive { rcvid, status, message, parts, receive }) }?;
    Ok(received(next, info, buffer))
}

fn received(rcvid: i64, info: MsgInfo, buffer: &[u8]) -> Received {
    match u64::try_from(rcvid) {
        Ok(rcvid) if rcvid > 0 => Received::Message { rcvid, info },
        Ok(_) | Err(_) => Received::Pulse(pulse_from(buffer)),
    }
}

fn pulse_from(buffer: &[u8]) -> Pulse {
    let word = |at: usize| {
        buffer.get(at..at + 4).and_then(|b| u32::read_from_bytes(b).ok()).unwrap_or_default()
    };
    let long = |at: usize| {
        buffer.get(at..at + 8).and_then(|b| u64::read_from_bytes(b).ok()).unwrap_or_default()
    };
    let code = buffer.get(4).copied().unwrap_or_default().cast_signed();
    Pulse {
        kind: 0,
        subtype: 0,
        code,
        zero: [0; 3],
        value: long(8),
        scoid: word(16),
        count: word(20),
    }
}

/// Answers a client with a status and data (QNX: `MsgReply`).
///
/// # Errors
/// ESRCH if it no longer waits; EFAULT if its buffer is bad.
pub fn reply(rcvid: u64, status: i64, data: &[u8]) -> Result<(), Errno> {
    let (message, parts) = flat(data);
    pure(Call::MsgReply { rcvid, status, message, parts }).map(drop)
}

/// Answers a client with an error (QNX: `MsgError`).
///
/// # Errors
/// ESRCH if it no longer waits.
pub fn error(rcvid: u64, errno: Errno) -> Result<(), Errno> {
    pure(Call::MsgError { rcvid, errno: u32::from(errno.number()) }).map(drop)
}

/// Reads from the message of a waiting client (QNX: `MsgRead`).
///
/// # Errors
/// ESRCH, EFAULT.
pub fn read(rcvid: u64, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let (message, parts) = flat_mut(buffer);
    // SAFETY: the only memory written is `buffer`, borrowed mutably for the whole call.
    let n = unsafe { sys::call(Call::MsgRead { rcvid, message, parts, offset }) }?;
    usize::try_from(n).map_err(|_| Errno::EOVERFLOW)
}

/// Writes into the reply buffer of a waiting client (QNX: `MsgWrite`).
///
/// # Errors
/// ESRCH, EFAULT.
pub fn write(rcvid: u64, data: &[u8], offset: u64) -> Result<usize, Errno> {
    let (message, parts) = flat(data);
    let n = pure(Call::MsgWrite { rcvid, message, parts, offset })?;
    usize::try_from(n).map_err(|_| Errno::EOVERFLOW)
}

/// Moves bytes of a memory object straight into the client's reply buffer.
///
/// # Errors
/// ESRCH, EBADF, EFAULT.
pub fn write_object(
    rcvid: u64,
    message_offset: u64,
    object: u32,
    object_offset: u64,
    bytes: u64,
) -> Result<u64, Errno> {
    let call = Call::MsgWriteObject { rcvid, message_offset, object, object_offset, bytes };
    Ok(pure(call)?.cast_unsigned())
}

/// Moves bytes of the client's message straight into a memory object.
///
/// # Errors
/// ESRCH, EBADF, EFAULT, ENOMEM.
pub fn read_object(
    rcvid: u64,
    message_offset: u64,
    object: u32,
    object_offset: u64,
    bytes: u64,
) -> Result<u64, Errno> {
    let call = Call::MsgReadObject { rcvid, message_offset, object, object_offset, bytes };
    Ok(pure(call)?.cast_unsigned())
}

/// What is known of a waiting client (QNX: `MsgInfo`).
///
/// # Errors
/// ESRCH.
pub fn info(rcvid: u64) -> Result<MsgInfo, Errno> {
    let mut info = MsgInfo::default();
    // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
    unsafe { sys::call(Call::MsgInfo { rcvid, info: address_of_mut(&mut info) }) }?;
    Ok(info)
}

/// The credentials of a waiting client (QNX: `ConnectClientInfo`).
///
/// # Errors
/// ESRCH.
pub fn credentials(rcvid: u64) -> Result<Credentials, Errno> {
    let mut credentials = Credentials::default();
    let call = Call::ConnectClientInfo {
        scoid: 0,
        badge: 0,
        rcvid,
        credentials: address_of_mut(&mut credentials),
    };
    // SAFETY: the only memory written is `credentials`, borrowed mutably for the whole call.
    unsafe { sys::call(call) }?;
    Ok(credentials)
}

/// A connection that was granted to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Server-side number.
    pub scoid: u32,
    /// The client's number.
    pub coid: u32,
}

/// Makes a connection for a waiting client to the channel that its message came on.
///
/// # Errors
/// ESRCH, EMFILE, EAGAIN, EPERM if the client accepts none.
pub fn grant(rcvid: u64, badge: u64, ready: u32) -> Result<Granted, Errno> {
    let both = pure(Call::MsgGrant { rcvid, badge, bits: ready })?.cast_unsigned();
    Ok(Granted { scoid: (both >> 32) as u32, coid: both as u32 })
}

/// Copies a handle of the caller into the table of a waiting client; returns its number there.
///
/// # Errors
/// ESRCH, EBADF, EMFILE, EPERM if the client accepts none.
pub fn give(rcvid: u64, handle: u32, flags: u32) -> Result<u32, Errno> {
    pure_u32(Call::MsgGive { rcvid, handle, flags })
}

/// Copies a handle that a waiting client offered into the caller's table.
///
/// # Errors
/// ESRCH, EINVAL, EMFILE.
pub fn take(rcvid: u64, index: u32) -> Result<crate::channel::Handle, Errno> {
    let minimum = neutrino_abi::handle::SIDE_CHANNEL;
    pure_u32(Call::MsgTake { rcvid, index, minimum, flags: 0 })
        .map(crate::channel::Handle::from_raw)
}

/// The bytes of a message structure and the data behind it, for [`send`].
#[must_use]
pub fn join<T: IntoBytes + zerocopy::Immutable>(header: &T, data: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::from(header.as_bytes());
    data.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}
