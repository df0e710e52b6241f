//! A handler's access to the client's message and reply buffer.

use crate::kernel::{at, call, flat, functions, parts};
use crate::memory::{bytes_mut, view};
use crate::receive::rcvid;
use crate::resmgr::answer;
use crate::resmgr::layout::Context;
use core::ffi::{c_int, c_void};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::message::Iov;

fn context<'a>(ctp: *const Context) -> Result<&'a Context, Errno> {
    view(ctp).ok_or(Errno::EINVAL)
}

/// Where in the client's message an offset of a handler's is.
fn place(context: &Context, offset: usize) -> u64 {
    offset.wrapping_add(context.offset.get()) as u64
}

functions! {
    /// Reads from the client's message, `offset` bytes behind its start.
    single resmgr_msgread (ctp: *const Context, msg: *mut c_void, size: usize, offset: usize) -> isize {
        let context = context(ctp)?;
        let (message, parts, offset) = (at(msg), flat(size)?, place(context, offset));
        call(Call::MsgRead { rcvid: rcvid(context.rcvid.get())?, message, parts, offset })
    }
    /// As `resmgr_msgread`, into parts.
    single resmgr_msgreadv (ctp: *const Context, iov: *const Iov, count: usize, offset: usize) -> isize {
        let context = context(ctp)?;
        let (message, parts, offset) = (at(iov), parts(count)?, place(context, offset));
        call(Call::MsgRead { rcvid: rcvid(context.rcvid.get())?, message, parts, offset })
    }
    /// As `resmgr_msgread`, from what was received already if it is there.
    single resmgr_msgget (ctp: *const Context, msg: *mut c_void, size: usize, offset: usize) -> isize {
        let context = context(ctp)?;
        let start = place(context, offset) as usize;
        let inline = context.message().get(start..start.saturating_add(size));
        if let Some(inline) = inline.filter(|_| context.offset.get() == 0) {
            bytes_mut(msg.cast(), size).copy_from_slice(inline);
            return Ok(size as i64);
        }
        let (message, parts, offset) = (at(msg), flat(size)?, start as u64);
        call(Call::MsgRead { rcvid: rcvid(context.rcvid.get())?, message, parts, offset })
    }
    /// As `resmgr_msgreadv`, from what was received already if it is there.
    single resmgr_msggetv (ctp: *const Context, iov: *const Iov, count: usize, offset: usize) -> isize {
        let context = context(ctp)?;
        let (message, parts, offset) = (at(iov), parts(count)?, place(context, offset));
        call(Call::MsgRead { rcvid: rcvid(context.rcvid.get())?, message, parts, offset })
    }
    /// Writes into the client's reply buffer.
    single resmgr_msgwrite (ctp: *const Context, msg: *const c_void, size: usize, offset: usize) -> isize {
        let context = context(ctp)?;
        let (message, parts, offset) = (at(msg), flat(size)?, offset as u64);
        call(Call::MsgWrite { rcvid: rcvid(context.rcvid.get())?, message, parts, offset })
    }
    /// As `resmgr_msgwrite`, from parts.
    single resmgr_msgwritev (ctp: *const Context, iov: *const Iov, count: usize, offset: usize) -> isize {
        let context = context(ctp)?;
        let (message, parts, offset) = (at(iov), parts(count)?, offset as u64);
        call(Call::MsgWrite { rcvid: rcvid(context.rcvid.get())?, message, parts, offset })
    }
    /// Answers the client now, with the context's status and bytes.
    single resmgr_msgreply (ctp: *const Context, msg: *const c_void, size: usize) -> c_int {
        let context = context(ctp)?;
        reply(context, at(msg), flat(size)?)
    }
    /// As `resmgr_msgreply`, from parts.
    single resmgr_msgreplyv (ctp: *const Context, iov: *const Iov, count: usize) -> c_int {
        let context = context(ctp)?;
        reply(context, at(iov), parts(count)?)
    }
}

fn reply(context: &Context, message: u64, parts: i64) -> Result<i64, Errno> {
    let (id, status) = (context.rcvid.get(), context.status.get());
    match answer::by_hand(id, status, message, parts) {
        Some(answered) => answered,
        None => call(Call::MsgReply { rcvid: rcvid(id)?, status, message, parts }),
    }
}
