//! Limits that the personality keeps itself: `RLIMIT_FSIZE` and `RLIMIT_DATA`, and a copy of
//! `RLIMIT_NOFILE`. A process without them pays a comparison.

use crate::dispatch::Caller;
use crate::open;
use crate::path;
use crate::sys::{self, Errno, Outcome, part, room};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::io::Lseek;
use io_msg::kind;
use io_msg::start::{STACK_SIZE, STACK_TOP};
use io_msg::stat::{Stat, mode, open as flag};
use linux_raw_sys::general as linux;
use neutrino_abi::memory::{MapArgs, MappingInfo, PAGE_SIZE, map, prot};
use neutrino_abi::signal::SignalInfo;

/// No limit.
pub(crate) const INFINITY: u64 = u64::MAX;

/// Remembers a limit that the process manager has accepted.
pub(crate) fn remember(caller: &Caller<'_>, resource: u32, soft: u64) {
    match resource {
        linux::RLIMIT_FSIZE => caller.process.file_limit.store(soft, Relaxed),
        linux::RLIMIT_DATA => caller.process.data_limit.store(soft, Relaxed),
        linux::RLIMIT_NOFILE => caller.process.descriptor_limit.store(soft, Relaxed),
        _ => {}
    }
}

/// How many of `count` bytes a write may write to a file; `offset` is `None` for the file's own.
///
/// # Errors
/// EFBIG, and SIGXFSZ to the caller: none.
pub(crate) fn writable(caller: &Caller<'_>, coid: u32, offset: Option<u64>, count: u64) -> Outcome {
    let limit = caller.process.file_limit.load(Relaxed);
    if limit == INFINITY || count == 0 {
        return Ok(count);
    }
    let Some(size) = size_of_file(caller, coid) else { return Ok(count) };
    let flags = open::change_flags(caller, coid, 0, 0)?;
    let start = match offset {
        _ if flags & u64::from(flag::APPEND) != 0 => size,
        Some(offset) => offset,
        None => position(caller, coid)?,
    };
    match limit.checked_sub(start) {
        None | Some(0) => too_large(caller),
        Some(left) => Ok(count.min(left)),
    }
}

/// Whether a file may be made this large; one that is larger already may shrink.
///
/// # Errors
/// EFBIG, and SIGXFSZ to the caller: it may not.
pub(crate) fn resizable(caller: &Caller<'_>, size: u64, now: u64) -> Result<(), Errno> {
    if size.cast_signed() >= 0 && size > now && size > caller.process.file_limit.load(Relaxed) {
        return too_large(caller).map(drop);
    }
    Ok(())
}

/// The size of a regular file, if it is one.
pub(crate) fn size_of_file(caller: &Caller<'_>, coid: u32) -> Option<u64> {
    let mut status = Stat::default();
    path::simple(caller, coid, kind::IO_STAT, room(&mut status)).ok()?;
    let is_file = status.mode & mode::IFMT == mode::IFREG;
    is_file.then(|| status.size.cast_unsigned())
}

fn position(caller: &Caller<'_>, coid: u32) -> Outcome {
    const CURRENT: u16 = 1;
    let message = Lseek { kind: kind::IO_LSEEK, whence: CURRENT, ..Lseek::default() };
    caller.send(coid, &[part(&message)], &[], None)
}

fn too_large(caller: &Caller<'_>) -> Outcome {
    let pid = caller.process.pid.load(Relaxed);
    let info = SignalInfo { number: linux::SIGXFSZ, pid, ..SignalInfo::default() };
    let _sent = sys::signal_self(caller.tid(), &info);
    Err(Errno::EFBIG)
}

/// Whether a mapping may be made.
///
/// # Errors
/// ENOMEM (`RLIMIT_DATA`).
pub(crate) fn mappable(caller: &Caller<'_>, arguments: &MapArgs) -> Result<(), Errno> {
    let is_data = arguments.flags & map::PRIVATE != 0 && arguments.protection & prot::WRITE != 0;
    if is_data { growable(caller, arguments.length) } else { Ok(()) }
}

/// Whether the private writable memory may grow by so many bytes: the heap, and what is mapped so,
/// without the main stack and the personality's own.
///
/// # Errors
/// ENOMEM (`RLIMIT_DATA`).
pub(crate) fn growable(caller: &Caller<'_>, bytes: u64) -> Result<(), Errno> {
    let limit = caller.process.data_limit.load(Relaxed);
    if limit == INFINITY {
        return Ok(());
    }
    let wanted = bytes.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
    if data_bytes().saturating_add(wanted) > limit { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// Bytes of private writable mappings below the main stack.
fn data_bytes() -> u64 {
    const END: u64 = STACK_TOP - STACK_SIZE;
    let (mut at, mut sum) = (0, 0);
    let mut info = MappingInfo::default();
    // Bound: the mappings of the process.
    while sys::mapping(at, &mut info).is_ok() && info.start < END {
        at = info.end;
        if info.flags & map::SHARED == 0 && info.protection & prot::WRITE != 0 {
            sum += info.end - info.start;
        }
    }
    sum
}

/// A number as a length of parts: what is beyond `bytes` is cut off.
pub(crate) fn cut(parts: &mut [neutrino_abi::message::Iov], bytes: u64) {
    let mut left = bytes;
    for part in parts {
        part.length = part.length.min(left);
        left -= part.length;
    }
}

/// The soft limits that a program starts with.
pub(crate) fn start(process: &crate::block::Process, limits: [u64; 3]) {
    process.file_limit.store(limits[0], Relaxed);
    process.data_limit.store(limits[1], Relaxed);
    process.descriptor_limit.store(limits[2], Relaxed);
}
