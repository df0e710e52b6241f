//! `MsgSend` in its eight forms, and pulses.
//!
//! The forms with `nc` are no cancellation points. Messages go by memory, not in registers: so the
//! kernel finds bad addresses, and the answer is EFAULT.

use crate::kernel::{at, call, cancellable, flat, functions, parts};
use core::ffi::{c_int, c_long, c_void};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::message::Iov;

/// A buffer as a call takes it: address and `parts`.
type Buffer = (u64, Result<i64, Errno>);

#[inline(always)]
fn bytes(pointer: *const c_void, length: usize) -> Buffer {
    (at(pointer), flat(length))
}

#[inline(always)]
fn iovs(pointer: *const Iov, count: usize) -> Buffer {
    (at(pointer), parts(count))
}

#[inline(always)]
fn send(coid: c_int, message: Buffer, reply: Buffer) -> Result<i64, Errno> {
    let coid = u32::try_from(coid).map_err(|_| Errno::EBADF)?;
    let (message, parts, reply, reply_parts) = (message.0, message.1?, reply.0, reply.1?);
    call(Call::MsgSend { coid, message, parts, reply, reply_parts, extra: 0 })
}

functions! {
    /// Sends a message and waits for the reply; returns its status.
    value MsgSend [MsgSend_r] (coid: c_int, smsg: *const c_void, sbytes: usize, rmsg: *mut c_void, rbytes: usize) -> c_long {
        cancellable(|| send(coid, bytes(smsg, sbytes), bytes(rmsg, rbytes)))
    }
    /// As `MsgSend`, but no cancellation point.
    value MsgSendnc [MsgSendnc_r] (coid: c_int, smsg: *const c_void, sbytes: usize, rmsg: *mut c_void, rbytes: usize) -> c_long {
        send(coid, bytes(smsg, sbytes), bytes(rmsg, rbytes))
    }
    /// As `MsgSend`, both from parts.
    value MsgSendv [MsgSendv_r] (coid: c_int, siov: *const Iov, sparts: usize, riov: *const Iov, rparts: usize) -> c_long {
        cancellable(|| send(coid, iovs(siov, sparts), iovs(riov, rparts)))
    }
    /// As `MsgSendv`, but no cancellation point.
    value MsgSendvnc [MsgSendvnc_r] (coid: c_int, siov: *const Iov, sparts: usize, riov: *const Iov, rparts: usize) -> c_long {
        send(coid, iovs(siov, sparts), iovs(riov, rparts))
    }
    /// As `MsgSend`, the reply into parts.
    value MsgSendsv [MsgSendsv_r] (coid: c_int, smsg: *const c_void, sbytes: usize, riov: *const Iov, rparts: usize) -> c_long {
        cancellable(|| send(coid, bytes(smsg, sbytes), iovs(riov, rparts)))
    }
    /// As `MsgSendsv`, but no cancellation point.
    value MsgSendsvnc [MsgSendsvnc_r] (coid: c_int, smsg: *const c_void, sbytes: usize, riov: *const Iov, rparts: usize) -> c_long {
        send(coid, bytes(smsg, sbytes), iovs(riov, rparts))
    }
    /// As `MsgSend`, the message from parts.
    value MsgSendvs [MsgSendvs_r] (coid: c_int, siov: *const Iov, sparts: usize, rmsg: *mut c_void, rbytes: usize) -> c_long {
        cancellable(|| send(coid, iovs(siov, sparts), bytes(rmsg, rbytes)))
    }
    /// As `MsgSendvs`, but no cancellation point.
    value MsgSendvsnc [MsgSendvsnc_r] (coid: c_int, siov: *const Iov, sparts: usize, rmsg: *mut c_void, rbytes: usize) -> c_long {
        send(coid, iovs(siov, sparts), bytes(rmsg, rbytes))
    }
    /// Sends a pulse with a 32-bit value.
    status MsgSendPulse [MsgSendPulse_r] (coid: c_int, priority: c_int, code: c_int, value: c_int) -> c_int {
        pulse(coid, priority, code, u64::from(value.cast_unsigned()))
    }
    /// Sends a pulse with a pointer.
    status MsgSendPulsePtr [MsgSendPulsePtr_r] (coid: c_int, priority: c_int, code: c_int, value: *mut c_void) -> c_int {
        pulse(coid, priority, code, at(value))
    }
}

fn pulse(coid: c_int, priority: c_int, code: c_int, value: u64) -> Result<i64, Errno> {
    let coid = u32::try_from(coid).map_err(|_| Errno::EBADF)?;
    call(Call::MsgSendPulse { coid, priority, code, value })
}
