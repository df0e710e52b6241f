//! Sets of descriptors (Linux: `epoll`). The sets are the pipe server's, so that `fork` and passing
//! share them; waiting is one kernel call on the set's own readiness word.

use crate::block::{Process, int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::event;
use crate::path::{self, descriptor};
use crate::poll::{Limit, milliseconds, read_mask};
use crate::sys::{self, Errno, Outcome, part, room, user};
use crate::time;
use core::sync::atomic::Ordering::Relaxed;
use io_msg::connect::{Connect, subtype};
use io_msg::kind;
use io_msg::special::{SetChange, SetEvent, SetTake, change};
use io_msg::stat::{Stat, mode, open as flag};
use neutrino_abi::handle::{PollEntry, ready};
use neutrino_abi::message::SendExtra;
use neutrino_abi::signal::SignalSet;

/// `epoll_create(size)`.
pub(crate) fn epoll_create(caller: &mut Caller<'_>, [size, ..]: Args) -> Outcome {
    if int(size) <= 0 { Err(Errno::EINVAL) } else { epoll_create1(caller, [0; 6]) }
}

/// `epoll_create1(flags)`.
pub(crate) fn epoll_create1(caller: &mut Caller<'_>, [flags, ..]: Args) -> Outcome {
    if low(flags) & !flag::CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    event::make(caller, low(flags), Connect { subtype: subtype::SET, ..Connect::default() })
}

/// A server's answer to a message about sets: another server's descriptor is no set.
fn answer(outcome: Outcome) -> Outcome {
    match outcome {
        Err(Errno::ENOSYS) => Err(Errno::EINVAL),
        other => other,
    }
}

/// `epoll_ctl(set, operation, fd, event)`.
pub(crate) fn epoll_ctl(caller: &mut Caller<'_>, [set, operation, fd, event, ..]: Args) -> Outcome {
    let (set, watched) = (descriptor(set)?, descriptor(fd)?);
    let subtype = u16::try_from(low(operation)).map_err(|_| Errno::EINVAL)?;
    // The structure is packed: the data begin in the middle of a word.
    let [events, first, second]: [u32; 3] = match subtype {
        change::ADD | change::MODIFY => copy::read(event)?,
        _ => [0; 3],
    };
    if subtype == change::ADD {
        let mut status = Stat::default();
        path::simple(caller, watched, kind::IO_STAT, room(&mut status))?;
        if matches!(status.mode & mode::IFMT, mode::IFREG | mode::IFDIR) {
            return Err(Errno::EPERM);
        }
    }
    let message = SetChange {
        kind: kind::SET_CHANGE,
        subtype,
        descriptor: int(fd),
        events,
        zero: 0,
        data: [first, second],
    };
    let mut extra = SendExtra { offered_count: 1, ..SendExtra::default() };
    extra.offered[0] = watched;
    answer(caller.send(set, &[part(&message)], &[], Some(&extra))).map(|_| 0)
}

/// `epoll_wait(set, events, most, timeout)`.
pub(crate) fn epoll_wait(
    caller: &mut Caller<'_>,
    [set, events, most, timeout, ..]: Args,
) -> Outcome {
    wait(caller, [set, events, most], Limit::after(milliseconds(timeout)), None)
}

/// `epoll_pwait(set, events, most, timeout, mask, size)`.
pub(crate) fn epoll_pwait(
    caller: &mut Caller<'_>,
    [set, events, most, timeout, mask, size]: Args,
) -> Outcome {
    let mask = read_mask(mask, size)?;
    wait(caller, [set, events, most], Limit::after(milliseconds(timeout)), mask)
}

/// `epoll_pwait2(set, events, most, time, mask, size)`.
pub(crate) fn epoll_pwait2(
    caller: &mut Caller<'_>,
    [set, events, most, timeout, mask, size]: Args,
) -> Outcome {
    let limit = Limit::after(time::optional(timeout)?);
    let mask = read_mask(mask, size)?;
    wait(caller, [set, events, most], limit, mask)
}

fn wait(
    caller: &Caller<'_>,
    [set, events, most]: [u64; 3],
    limit: Limit,
    mask: Option<SignalSet>,
) -> Outcome {
    const BYTES: u64 = size_of::<SetEvent>() as u64;
    let coid = descriptor(set)?;
    let most = u32::try_from(int(most)).map_err(|_| Errno::EINVAL)?;
    if most == 0 || u64::from(most) > i32::MAX as u64 / BYTES {
        return Err(Errno::EINVAL);
    }
    let room = user(events, u64::from(most) * BYTES);
    copy::probe(events)?;
    let mut bits = look(coid, ready::IN | ready::SET)?;
    if bits & ready::NVAL != 0 {
        return Err(Errno::EBADF);
    }
    if bits & ready::SET == 0 {
        return Err(Errno::EINVAL);
    }
    loop {
        let pending = pending(caller.process)?;
        if bits & ready::IN != 0 || pending != 0 {
            let message = SetTake { kind: kind::SET_TAKE, subtype: 0, most, pending };
            let count = answer(caller.send(coid, &[part(&message)], &[room], None))?;
            if count > 0 {
                return Ok(count);
            }
        }
        bits = match block(caller, coid, limit, mask)? {
            Some(bits) => bits,
            None => return Ok(0),
        };
    }
}

/// Signals that descriptors of the process read, and that are pending.
fn pending(process: &Process) -> Result<SignalSet, Errno> {
    match process.signal_reads.load(Relaxed) {
        0 => Ok(0),
        read => sys::signal_pending().map(|pending| pending & read),
    }
}

/// What is true of a connection now.
fn look(coid: u32, wanted: u32) -> Result<u32, Errno> {
    let mut entry = entry(coid, wanted);
    sys::poll(sys::address_mut(&mut entry), 1, 0, &sys::PollSets::default())?;
    Ok(u32::from(entry.revents.cast_unsigned()))
}

fn entry(coid: u32, wanted: u32) -> PollEntry {
    let events = i16::try_from(wanted).unwrap_or(0);
    PollEntry { coid: coid.cast_signed(), events, revents: 0 }
}

/// Waits until a set says that something may be ready, or a signal is pending that is read; `None`: the
/// time is over.
fn block(
    caller: &Caller<'_>,
    coid: u32,
    limit: Limit,
    mask: Option<SignalSet>,
) -> Result<Option<u32>, Errno> {
    let mut entry = entry(coid, ready::IN);
    let awaited = caller.process.signal_reads.load(Relaxed);
    let sets = sys::PollSets::new(mask, awaited);
    loop {
        let outcome = sys::poll(sys::address_mut(&mut entry), 1, limit.rest(), &sets);
        match outcome {
            Ok(0) => return Ok(None),
            Ok(_) if u32::from(entry.revents.cast_unsigned()) & ready::NVAL != 0 => {
                return Err(Errno::EBADF);
            }
            Ok(_) => return Ok(Some(ready::IN)),
            Err(Errno::EINTR | Errno::ERESTART) => {
                if caller.is_interrupted() {
                    return Err(Errno::EINTR);
                }
                if pending(caller.process)? != 0 {
                    return Ok(Some(0));
                }
            }
            Err(error) => return Err(error),
        }
    }
}
