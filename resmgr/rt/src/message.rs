//! Send, receive, reply.

use crate::sys::{self, All, address_of, address_of_mut, flat, flat_mut, pure, pure_u32};
use alloc::vec::Vec;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::calls::number;
use neutrino_abi::info::state;
use neutrino_abi::message::{
    Head, Iov, MessagePlace, MsgInfo, SendExtra, WORDS, WORDS_BYTES, Words,
};
use neutrino_abi::process::Credentials;
use neutrino_abi::pulse::Pulse;
use zerocopy::IntoBytes;

/// What `MsgReceive` brought.
#[derive(Clone, Copy, Debug)]
pub enum Received {
    /// A message: the rcvid; its first bytes are in the buffer.
    Message {
        /// Names the waiting client.
        rcvid: u64,
        /// What is known of it; [`info`] tells more.
        head: Head,
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

/// Sends one flat message and waits for the reply; returns its status. A short message travels in
/// registers.
///
/// # Errors
/// EBADF, ESRCH, EFAULT, EINTR, and what the server answers.
#[inline(always)]
pub fn send(coid: u32, message: &[u8], reply: &mut [u8]) -> Result<i64, Errno> {
    if message.len() > SHORT {
        return send_extra(coid, message, reply, None);
    }
    let [w0, w1, w2, w3, w4, w5] = words(message);
    let lengths = (reply.len() as u64) << 32 | message.len() as u64;
    let place = reply.as_mut_ptr().addr() as u64;
    let registers = All([u64::from(coid), lengths, w0, w1, w2, w3, w4, w5, place, 0]);
    // SAFETY: the only memory written is `reply`, which is borrowed mutably for the whole call.
    let (result, back) = unsafe { sys::call_all(number::MsgSendRegisters, &registers) };
    if reply.len() <= SHORT {
        let [_, length, ..] = back.0;
        store(&back.words(), length, reply);
    }
    Errno::split(result)
}

const SHORT: usize = WORDS_BYTES as usize;

/// The words that hold a short message.
#[inline(always)]
fn words(bytes: &[u8]) -> Words {
    let mut words = [0; WORDS];
    let (whole, rest) = bytes.as_chunks();
    for (word, chunk) in words.iter_mut().zip(whole) {
        *word = u64::from_le_bytes(*chunk);
    }
    if let Some(word) = words.get_mut(whole.len()) {
        *word = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    words
}

/// Puts the first `length` bytes of the words where there is room for them.
#[inline(always)]
fn store(words: &Words, length: u64, buffer: &mut [u8]) {
    if length >= WORDS_BYTES
        && let Some(room) = buffer.first_chunk_mut()
    {
        store_all(words, room);
    } else if !buffer.is_empty() {
        store_part(words, length, buffer);
    }
}

#[inline(always)]
fn store_all(words: &Words, room: &mut [u8; SHORT]) {
    for (chunk, word) in room.as_chunks_mut().0.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
}

#[inline(never)]
fn store_part(words: &Words, length: u64, buffer: &mut [u8]) {
    let length = usize::try_from(length).unwrap_or(SHORT).min(SHORT).min(buffer.len());
    let (whole, rest) = buffer.get_mut(..length).unwrap_or_default().as_chunks_mut();
    for (chunk, word) in whole.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
    let last = words.get(whole.len()).copied().unwrap_or_default();
    for (place, byte) in rest.iter_mut().zip(last.to_le_bytes()) {
        *place = byte;
    }
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
#[inline]
pub fn receive(chid: u32, buffer: &mut [u8]) -> Result<Received, Errno> {
    let (message, parts) = flat_mut(buffer);
    let registers = All([u64::from(chid), message, parts.cast_unsigned(), 0, 0, 0, 0, 0, 0, 0]);
    // SAFETY: the memory written is `buffer`, borrowed mutably for the whole call.
    let (result, back) = unsafe { sys::call_all(number::MsgReceive, &registers) };
    received(result, &back, buffer)
}

/// Answers a client (status and data, or an errno) and waits for the next message or pulse in one
/// kernel entry. A client that is gone is no error. A short answer travels in registers.
///
/// # Errors
/// As [`receive`].
#[inline(always)]
pub fn reply_receive(
    rcvid: u64,
    answer: Result<i64, Errno>,
    data: &[u8],
    chid: u32,
    buffer: &mut [u8],
) -> Result<Received, Errno> {
    let status = answer.unwrap_or_else(Errno::to_result);
    let (message, parts) = flat_mut(buffer);
    let parts = parts.cast_unsigned();
    let (call, registers) = match i32::try_from(status) {
        Ok(status) if data.len() <= SHORT => {
            let [w0, w1, w2, w3, w4, w5] = words(data);
            let status = u64::from(status.cast_unsigned());
            let control = (data.len() as u64) << 48 | u64::from(chid) << 32 | status;
            let registers = All([rcvid, control, w0, w1, w2, w3, w4, w5, message, parts]);
            (number::MsgReplyReceiveRegisters, registers)
        }
        Ok(_) | Err(_) => {
            let (answer, answer_parts) = flat(data);
            let (status, answer_parts) = (status.cast_unsigned(), answer_parts.cast_unsigned());
            let chid = u64::from(chid);
            let registers =
                All([rcvid, status, answer, answer_parts, chid, 0, message, parts, 0, 0]);
            (number::MsgReplyReceive, registers)
        }
    };
    // SAFETY: the memory written is `buffer`, borrowed mutably for the whole call.
    let (result, back) = unsafe { sys::call_all(call, &registers) };
    received(result, &back, buffer)
}

#[inline(always)]
fn received(result: i64, back: &All, buffer: &mut [u8]) -> Result<Received, Errno> {
    let rcvid = Errno::split(result)?.cast_unsigned();
    if rcvid == 0 {
        return Ok(Received::Pulse(pulse(&back.words())));
    }
    let head = back.head();
    if head.place == MessagePlace::Words {
        // What is behind a message is of no account.
        if let Some(room) = buffer.first_chunk_mut() {
            store_all(&back.words(), room);
        } else {
            store_part(&back.words(), head.srcmsglen, buffer);
        }
    }
    Ok(Received::Message { rcvid, head })
}

fn pulse(words: &Words) -> Pulse {
    let [code, value, last, ..] = *words;
    let [_, _, _, _, code, ..] = code.to_le_bytes();
    let (scoid, count) = (last as u32, (last >> 32) as u32);
    Pulse { code: code.cast_signed(), value, scoid, count, ..Pulse::default() }
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
