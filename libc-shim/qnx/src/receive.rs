//! Receive, reply, and what a server does with a waiting client.
//!
//! A receive id is 31 bits to C (`int rcvid` in QNX 7): the kernel takes the lower half of its own
//! for the whole. A connection's server-side id carries `_NTO_CONNECTION_SCOID`, so that a server
//! may close one (`ConnectDetach`) without closing a descriptor of the same number.

use crate::connection::SCOID;
use crate::kernel::{
    address_of_mut, at, call, call_all, cancellable, copy, flat, functions, parts, store,
};
use core::ffi::{c_int, c_long, c_void};
use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, number};
use neutrino_abi::message::{Head, Iov, MessagePlace, MsgInfo as Info, WORDS_BYTES, Words};
use neutrino_abi::pulse::{self, Pulse};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bits of a receive id that C sees.
pub(crate) const RCVID: u64 = 0x7fff_ffff;

/// C's `struct _msg_info`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CInfo {
    nd: [u32; 2],
    pid: u32,
    tid: u32,
    chid: u32,
    scoid: u32,
    coid: u32,
    priority: u16,
    flags: u16,
    msglen: u64,
    srcmsglen: u64,
    dstmsglen: u64,
    type_id: u32,
    reserved: u32,
}

impl CInfo {
    pub(crate) fn new(info: &Info) -> Self {
        Self {
            nd: [0; 2],
            pid: info.pid,
            tid: info.tid,
            chid: info.chid,
            scoid: info.scoid | SCOID,
            coid: info.coid,
            priority: info.priority,
            // _NTO_MI_BITS_64.
            flags: info.flags | 0x1000,
            msglen: info.msglen,
            srcmsglen: info.srcmsglen,
            dstmsglen: info.dstmsglen,
            type_id: 0,
            reserved: 0,
        }
    }
}

impl CInfo {
    /// What is known of a pulse.
    pub(crate) fn of_pulse(scoid: u32) -> Self {
        Self { scoid, ..Self::default() }
    }

    /// The client's thread and process.
    pub(crate) fn client(&self) -> (u32, u32) {
        (self.pid, self.tid)
    }
}

/// A receive id as the kernel takes it.
///
/// # Errors
/// ESRCH: a negative one names nobody.
pub(crate) fn rcvid(of: c_int) -> Result<u64, Errno> {
    u64::try_from(of).map_err(|_| Errno::ESRCH)
}

/// Puts bytes where a receiver wants them: a flat buffer or parts.
///
/// # Errors
/// EFAULT; also if there is room for fewer than `least`.
fn scatter(bytes: &[u8], message: u64, parts: i64, least: usize) -> Result<(), Errno> {
    let address = |slice: &[u8]| slice.as_ptr().addr() as u64;
    if parts <= 0 {
        let length = bytes.len().min(parts.unsigned_abs() as usize);
        if length < least {
            return Err(Errno::EFAULT);
        }
        return copy(address(bytes), message, length as u64);
    }
    let mut left = bytes;
    for index in 0..parts.unsigned_abs() {
        if left.is_empty() {
            break;
        }
        let mut part = Iov::default();
        let size = size_of::<Iov>() as u64;
        copy(message.wrapping_add(index * size), address_of_mut(&mut part), size)?;
        let here = left.len().min(usize::try_from(part.length).unwrap_or(usize::MAX));
        copy(address(left), part.base, here as u64)?;
        left = left.get(here..).unwrap_or_default();
    }
    if bytes.len() - left.len() < least { Err(Errno::EFAULT) } else { Ok(()) }
}

/// As [`scatter`] for what every message and pulse in registers needs: a buffer in one piece is
/// written straight, without the kernel's help.
#[inline(always)]
fn deliver(words: &Words, length: usize, buffer: (u64, i64), least: usize) -> Result<(), Errno> {
    let (message, parts) = buffer;
    let bytes = words.as_bytes().get(..length).unwrap_or_default();
    let room = parts.unsigned_abs() as usize;
    if parts > 0 || room < least || message < 0x1000 {
        return scatter(bytes, message, parts, least);
    }
    let place = core::ptr::with_exposed_provenance_mut::<u8>(message as usize);
    // SAFETY: C says that `room` bytes at its pointer are the receiver's to write, and this copies
    // no more; Rust has no references to them.
    unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len().min(room)) };
    Ok(())
}

/// What a pulse says, as C sees it.
fn seen(words: &Words) -> Words {
    let mut words = *words;
    let [head, value, last, ..] = &mut words;
    let [_, _, _, _, code, ..] = head.to_le_bytes();
    if code.cast_signed() == pulse::UNBLOCK {
        *value &= RCVID;
    }
    if *last as u32 != 0 {
        *last |= u64::from(SCOID);
    }
    words
}

#[inline(always)]
fn receive(
    call: u64,
    chid: c_int,
    (message, parts): (u64, i64),
    info: *mut CInfo,
) -> Result<i64, Errno> {
    let chid = u64::try_from(chid).map_err(|_| Errno::ESRCH)?;
    let mut known = Info::default();
    let wanted = if info.is_null() { 0 } else { address_of_mut(&mut known) };
    let all = [chid, message, parts.cast_unsigned(), wanted, 0, 0, 0, 0, 0, 0];
    let (result, back) = call_all(call, all);
    let rcvid = match result {
        // The caller knows the channel by number; that there is none is ESRCH.
        Err(Errno::EBADF) => return Err(Errno::ESRCH),
        other => other?.cast_unsigned(),
    };
    let [badge, packed, words @ .., source, target] = back;
    if rcvid == 0 {
        let length = size_of::<Pulse>();
        deliver(&seen(&words), length, (message, parts), length)?;
        return Ok(0);
    }
    let head = Head::unpack(badge, packed, source, target);
    if head.place == MessagePlace::Words {
        let length = head.srcmsglen.min(WORDS_BYTES) as usize;
        deliver(&words, length, (message, parts), 0)?;
        known.msglen = known.msglen.min(total(message, parts)?);
    }
    if !info.is_null() {
        store(info, &CInfo::new(&known))?;
    }
    Ok((rcvid & RCVID).cast_signed())
}

/// How many bytes a buffer takes.
fn total(message: u64, parts: i64) -> Result<u64, Errno> {
    if parts <= 0 {
        return Ok(parts.unsigned_abs());
    }
    let mut sum = 0_u64;
    for index in 0..parts.unsigned_abs() {
        let mut part = Iov::default();
        let size = size_of::<Iov>() as u64;
        copy(message.wrapping_add(index * size), address_of_mut(&mut part), size)?;
        sum = sum.saturating_add(part.length);
    }
    Ok(sum)
}

fn reply(id: c_int, status: c_long, message: u64, parts: i64) -> Result<i64, Errno> {
    // A client of the resource manager framework may want another reply than QNX's.
    match crate::resmgr::answer::by_hand(id, status, message, parts) {
        Some(answered) => answered,
        None => call(Call::MsgReply { rcvid: rcvid(id)?, status, message, parts }),
    }
}

fn offset_of(offset: usize) -> u64 {
    offset as u64
}

functions! {
    /// Waits for a message or pulse; returns a receive id, or 0 for a pulse.
    value MsgReceive [MsgReceive_r] (chid: c_int, msg: *mut c_void, bytes: usize, info: *mut CInfo) -> c_int {
        let parts = flat(bytes)?;
        cancellable(|| receive(number::MsgReceive, chid, (at(msg), parts), info))
    }
    /// As `MsgReceive`, into parts.
    value MsgReceivev [MsgReceivev_r] (chid: c_int, iov: *const Iov, count: usize, info: *mut CInfo) -> c_int {
        let parts = parts(count)?;
        cancellable(|| receive(number::MsgReceive, chid, (at(iov), parts), info))
    }
    /// Waits for a pulse and leaves messages queued.
    value MsgReceivePulse [MsgReceivePulse_r] (chid: c_int, pulse: *mut c_void, bytes: usize, info: *mut CInfo) -> c_int {
        // Nothing is told of a pulse.
        let _not_filled = info;
        let parts = flat(bytes)?;
        let none = core::ptr::null_mut();
        cancellable(|| receive(number::MsgReceivePulse, chid, (at(pulse), parts), none))
    }
    /// Answers a client with a status and data.
    status MsgReply [MsgReply_r] (id: c_int, status: c_long, msg: *const c_void, bytes: usize) -> c_int {
        reply(id, status, at(msg), flat(bytes)?)
    }
    /// As `MsgReply`, from parts.
    status MsgReplyv [MsgReplyv_r] (id: c_int, status: c_long, iov: *const Iov, count: usize) -> c_int {
        reply(id, status, at(iov), parts(count)?)
    }
    /// Answers a client with an error; EOK is a success.
    /// Partial: ERESTART does not send again, the client gets it; -1 is EINTR
    status MsgError [MsgError_r] (id: c_int, error: c_int) -> c_int {
        if error == 0 {
            return reply(id, 0, 0, 0);
        }
        // -1: the error for which the unblock pulse was sent; the kernel keeps none but EINTR.
        let errno = if error == -1 { u32::from(Errno::EINTR.number()) } else { error.cast_unsigned() };
        crate::resmgr::answer::forget(id);
        call(Call::MsgError { rcvid: rcvid(id)?, errno })
    }
    /// Reads from the message of a client that waits for a reply.
    value MsgRead [MsgRead_r] (id: c_int, msg: *mut c_void, bytes: usize, offset: usize) -> isize {
        let (message, parts, offset) = (at(msg), flat(bytes)?, offset_of(offset));
        call(Call::MsgRead { rcvid: rcvid(id)?, message, parts, offset })
    }
    /// As `MsgRead`, into parts.
    value MsgReadv [MsgReadv_r] (id: c_int, iov: *const Iov, count: usize, offset: usize) -> isize {
        let (message, parts, offset) = (at(iov), parts(count)?, offset_of(offset));
        call(Call::MsgRead { rcvid: rcvid(id)?, message, parts, offset })
    }
    /// Writes into the reply buffer of a client that waits for a reply.
    value MsgWrite [MsgWrite_r] (id: c_int, msg: *const c_void, bytes: usize, offset: usize) -> isize {
        let (message, parts, offset) = (at(msg), flat(bytes)?, offset_of(offset));
        call(Call::MsgWrite { rcvid: rcvid(id)?, message, parts, offset })
    }
    /// As `MsgWrite`, from parts.
    value MsgWritev [MsgWritev_r] (id: c_int, iov: *const Iov, count: usize, offset: usize) -> isize {
        let (message, parts, offset) = (at(iov), parts(count)?, offset_of(offset));
        call(Call::MsgWrite { rcvid: rcvid(id)?, message, parts, offset })
    }
    /// Tells about a client that waits for a reply.
    status MsgInfo [MsgInfo_r] (id: c_int, info: *mut CInfo) -> c_int {
        let mut known = Info::default();
        call(Call::MsgInfo { rcvid: rcvid(id)?, info: address_of_mut(&mut known) })?;
        store(info, &CInfo::new(&known))?;
        Ok(0)
    }
    /// Makes the caller run at the priority of a waiting client.
    status MsgCurrent [MsgCurrent_r] (id: c_int) -> c_int {
        call(Call::MsgCurrent { rcvid: rcvid(id)? })
    }
}
