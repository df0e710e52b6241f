//! Memory: `mmap` and its kind, straight to the kernel; `brk`, which is the shim's own.

use crate::block::low;
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::limit;
use crate::path::descriptor;
use crate::sys::{self, Errno, Outcome, part, room};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::io::{Mmap, MmapReply};
use io_msg::kind;
use linux_raw_sys::general as linux;
use neutrino_abi::handle::{COF_CLOEXEC, COF_NOSHARE, SIDE_CHANNEL};
use neutrino_abi::memory::{MapArgs, MappingInfo, PAGE_SIZE, RemapArgs, map, object, prot};
use neutrino_abi::message::SendExtra;

/// Flags that the kernel knows; the others (`MAP_STACK`, `MAP_DENYWRITE` …) are hints.
const KNOWN: u32 = map::SHARED
    | map::PRIVATE
    | map::FIXED
    | map::ANONYMOUS
    | map::NORESERVE
    | map::POPULATE
    | map::FIXED_NOREPLACE;

/// `mmap(address, length, protection, flags, fd, offset)`.
pub(crate) fn mmap(
    caller: &mut Caller<'_>,
    [address, length, protection, flags, fd, offset]: Args,
) -> Outcome {
    const VALIDATE: u32 = linux::MAP_SHARED_VALIDATE;
    let mut flags = low(flags);
    if flags & VALIDATE == VALIDATE {
        flags &= !map::PRIVATE;
    }
    if flags & linux::MAP_STACK != 0 {
        // glibc's stacks are 8 MiB each and hardly used: charged when touched, as the main stack.
        flags |= map::NORESERVE;
    }
    let is_fixed = flags & (map::FIXED | map::FIXED_NOREPLACE) != 0;
    let kinds = flags & (map::SHARED | map::PRIVATE);
    if length == 0 || kinds == 0 || offset % PAGE_SIZE != 0 || is_fixed && address % PAGE_SIZE != 0
    {
        return Err(Errno::EINVAL);
    }
    let length = length.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
    let arguments = MapArgs {
        address: address & !(PAGE_SIZE - 1),
        length,
        protection: low(protection) & (prot::READ | prot::WRITE | prot::EXEC),
        flags: flags & KNOWN,
        offset,
        ..MapArgs::default()
    };
    match (flags & map::ANONYMOUS != 0, kinds) {
        (true, map::PRIVATE) => {
            limit::mappable(caller, &arguments)?;
            sys::map(&MapArgs { offset: 0, ..arguments })
        }
        (true, _) => map_shared(&arguments),
        (false, _) => map_file(caller, fd, arguments),
    }
}

/// Anonymous memory that children share is an object without another name.
fn map_shared(arguments: &MapArgs) -> Outcome {
    let object = low(sys::object_create(object::ANONYMOUS, arguments.length)?);
    let flags = arguments.flags & !map::ANONYMOUS;
    let outcome = sys::map(&MapArgs { object, flags, offset: 0, ..*arguments });
    let _closed = sys::detach(object);
    outcome
}

fn map_file(caller: &Caller<'_>, fd: u64, arguments: MapArgs) -> Outcome {
    limit::mappable(caller, &arguments)?;
    let message = Mmap {
        kind: kind::IO_MMAP,
        protection: arguments.protection,
        flags: arguments.flags & (map::SHARED | map::PRIVATE),
        ..Mmap::default()
    };
    let extra = SendExtra {
        accepted_count: 1,
        accepted_minimum: SIDE_CHANNEL,
        accepted_flags: COF_CLOEXEC | COF_NOSHARE,
        ..SendExtra::default()
    };
    let mut reply = MmapReply::default();
    match caller.send(descriptor(fd)?, &[part(&message)], &[room(&mut reply)], Some(&extra)) {
        Err(Errno::ENOSYS) => return Err(Errno::ENODEV),
        other => other?,
    };
    let offset = arguments.offset.checked_add(reply.offset).ok_or(Errno::EOVERFLOW);
    let outcome =
        offset.and_then(|offset| sys::map(&MapArgs { object: reply.object, offset, ..arguments }));
    let _closed = sys::detach(reply.object);
    outcome
}

/// `munmap(address, length)`.
pub(crate) fn munmap(_: &mut Caller<'_>, [address, length, ..]: Args) -> Outcome {
    sys::unmap(address, length)
}

/// `mprotect(address, length, protection)`.
pub(crate) fn mprotect(_: &mut Caller<'_>, [address, length, protection, ..]: Args) -> Outcome {
    sys::protect(address, length, low(protection) & (prot::READ | prot::WRITE | prot::EXEC))
}

/// `mremap(address, old length, new length, flags, new address)`.
pub(crate) fn mremap(
    caller: &mut Caller<'_>,
    [address, old_length, new_length, flags, new_address, _]: Args,
) -> Outcome {
    let flags = low(flags);
    let grown = new_length.saturating_sub(old_length);
    if grown > 0 && is_data(address) {
        limit::growable(caller, grown)?;
    }
    sys::remap(&RemapArgs { address, old_length, new_length, new_address, flags, reserved: 0 })
}

/// Whether an address is in a private writable mapping.
fn is_data(address: u64) -> bool {
    let mut info = MappingInfo::default();
    sys::mapping(address, &mut info).is_ok()
        && info.flags & map::SHARED == 0
        && info.protection & prot::WRITE != 0
}

/// `madvise(address, length, advice)`.
pub(crate) fn madvise(_: &mut Caller<'_>, [address, length, advice, ..]: Args) -> Outcome {
    // musl and glibc advise MADV_FREE (8): to keep the pages is a valid answer.
    match low(advice) {
        linux::MADV_FREE => Ok(0),
        advice => sys::advise(address, length, advice),
    }
}

/// Checks that a range is mapped.
fn check_mapped(address: u64, length: u64) -> Result<(), Errno> {
    let end = address.checked_add(length).ok_or(Errno::ENOMEM)?;
    let mut at = address;
    let mut info = MappingInfo::default();
    while at < end {
        sys::mapping(at, &mut info).map_err(|_| Errno::ENOMEM)?;
        if info.start > at {
            return Err(Errno::ENOMEM);
        }
        at = info.end;
    }
    Ok(())
}

/// `msync(address, length, flags)`: mappings of a file are its pages, there is nothing to write.
pub(crate) fn msync(_: &mut Caller<'_>, [address, length, flags, ..]: Args) -> Outcome {
    const BOTH: u32 = linux::MS_ASYNC | linux::MS_SYNC;
    let flags = low(flags);
    if address % PAGE_SIZE != 0
        || flags & !(BOTH | linux::MS_INVALIDATE) != 0
        || flags & BOTH == BOTH
    {
        return Err(Errno::EINVAL);
    }
    check_mapped(address, length).map(|()| 0)
}

/// `mlock(address, length)`, `munlock`, `mlock2`: memory is never paged out.
pub(crate) fn mlock(_: &mut Caller<'_>, [address, length, ..]: Args) -> Outcome {
    check_mapped(address, length).map(|()| 0)
}

/// `mlockall(flags)`, `munlockall()`.
pub(crate) fn mlockall(_: &mut Caller<'_>, _: Args) -> Outcome {
    Ok(0)
}

/// `mincore(address, length, vector)`: what is mapped is in memory.
pub(crate) fn mincore(_: &mut Caller<'_>, [address, length, vector, ..]: Args) -> Outcome {
    if address % PAGE_SIZE != 0 {
        return Err(Errno::EINVAL);
    }
    check_mapped(address, length)?;
    for page in 0..length.div_ceil(PAGE_SIZE) {
        copy::write(vector + page, &1_u8)?;
    }
    Ok(0)
}

/// `brk(end)`: returns the break there is then, the old one if it could not be moved.
pub(crate) fn brk(caller: &mut Caller<'_>, [wanted, ..]: Args) -> Outcome {
    let process = caller.process;
    let _held = process.lock(caller.thread);
    let start = process.brk_start.load(Relaxed);
    let now = process.brk_end.load(Relaxed);
    let Some(wanted_pages) = wanted.checked_next_multiple_of(PAGE_SIZE) else { return Ok(now) };
    if wanted < start {
        return Ok(now);
    }
    let pages = now.next_multiple_of(PAGE_SIZE);
    if wanted_pages > pages {
        let grown = MapArgs {
            address: pages,
            length: wanted_pages - pages,
            protection: prot::READ | prot::WRITE,
            flags: map::PRIVATE | map::ANONYMOUS | map::FIXED_NOREPLACE,
            ..MapArgs::default()
        };
        if limit::mappable(caller, &grown).is_err() || sys::map(&grown).is_err() {
            return Ok(now);
        }
    } else if wanted_pages < pages {
        let _unmapped = sys::unmap(wanted_pages, pages - wanted_pages);
    }
    process.brk_end.store(wanted, Relaxed);
    Ok(wanted)
}
