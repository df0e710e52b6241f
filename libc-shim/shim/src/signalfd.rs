//! Descriptors that read the reader's pending signals (Linux: `signalfd`). The pipe server keeps which
//! signals a descriptor reads; the signals are taken here, by the thread that reads.

use crate::block::{int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::event;
use crate::frame::bit;
use crate::path::descriptor;
use crate::sys::{self, Errno, Outcome, part, room};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::connect::{Connect, subtype};
use io_msg::kind;
use io_msg::special::Signals;
use io_msg::stat::open as flag;
use neutrino_abi::handle::{PollEntry, ready};
use neutrino_abi::signal::{SignalInfo, SignalSet, number};
use neutrino_abi::time::FOREVER;

/// Bytes of a `struct signalfd_siginfo`.
const INFO_BYTES: u64 = INFO_WORDS as u64 * 8;
const INFO_WORDS: usize = 16;

/// `signalfd(fd, mask, size)`.
pub(crate) fn signalfd(caller: &mut Caller<'_>, [fd, mask, size, ..]: Args) -> Outcome {
    signalfd4(caller, [fd, mask, size, 0, 0, 0])
}

/// `signalfd4(fd, mask, size, flags)`.
pub(crate) fn signalfd4(caller: &mut Caller<'_>, [fd, mask, size, flags, ..]: Args) -> Outcome {
    if size != 8 || low(flags) & !(flag::CLOEXEC | flag::NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let set: SignalSet = copy::read(mask)?;
    let set = set & !(bit(number::SIGKILL) | bit(number::SIGSTOP));
    let outcome = if int(fd) == -1 {
        let connect = Connect { subtype: subtype::SIGNALS, rdev: set, ..Connect::default() };
        event::make(caller, low(flags), connect)?
    } else {
        tell(caller, descriptor(fd)?, 1, set)?;
        u64::from(low(fd))
    };
    caller.process.signal_reads.fetch_or(set, Relaxed);
    Ok(outcome)
}

/// Asks for the signals that a descriptor reads, or changes them (`subtype` 1); returns those before,
/// and whether the descriptor does not wait.
fn tell(
    caller: &Caller<'_>,
    coid: u32,
    subtype: u16,
    set: SignalSet,
) -> Result<(SignalSet, bool), Errno> {
    let message = Signals { kind: kind::SIGNALS, subtype, zero: 0, set };
    let mut before = 0_u64;
    match caller.send(coid, &[part(&message)], &[room(&mut before)], None) {
        Ok(status) => Ok((before, status != 0)),
        Err(Errno::ENOSYS) => Err(Errno::EINVAL),
        Err(error) => Err(error),
    }
}

/// A read of a descriptor that turned out to be one of these.
#[cold]
pub(crate) fn read(caller: &Caller<'_>, fd: u64, buffer: u64, count: u64) -> Outcome {
    let (set, is_nonblocking) = tell(caller, descriptor(fd)?, 0, 0)?;
    if count < INFO_BYTES {
        return Err(Errno::EINVAL);
    }
    let mut done = 0;
    while done + INFO_BYTES <= count {
        let mut info = SignalInfo::default();
        let timeout = if done > 0 || is_nonblocking { 0 } else { FOREVER };
        let taken = caller.interruptible(|| sys::signal_wait(set, &mut info, timeout));
        match taken {
            Ok(_) => copy::write(buffer + done, &words(&info))?,
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
        done += INFO_BYTES;
    }
    Ok(done)
}

/// `struct signalfd_siginfo`: signo, errno, code, pid, uid, fd, tid, band, overrun, trapno, status, int,
/// ptr, utime, stime, addr.
fn words(info: &SignalInfo) -> [u64; INFO_WORDS] {
    let pair = |one: u32, two: u32| u64::from(one) | u64::from(two) << 32;
    let is_child = info.number == number::SIGCHLD;
    let mut words = [0; INFO_WORDS];
    words[0] = u64::from(info.number);
    words[1] = pair(info.code.cast_unsigned(), info.pid);
    words[2] = u64::from(info.uid);
    words[5] = pair(if is_child { info.status } else { 0 }, 0);
    if !is_child {
        words[5] = pair(0, low(info.value));
        words[6] = info.value;
    }
    words
}

/// Marks the entries of a poll whose descriptors read a pending signal; returns how many are true that
/// were not.
pub(crate) fn mark(caller: &Caller<'_>, entries: u64, count: u32, pending: SignalSet) -> Outcome {
    let mut marked = 0;
    if pending == 0 {
        return Ok(0);
    }
    for address in (0..u64::from(count)).map(|at| entries + at * 8) {
        let entry: u64 = copy::read(address)?;
        let (coid, events) = (low(entry), low(entry >> 32) & 0xffff);
        if coid.cast_signed() < 0 || events & (ready::IN | 0x40) == 0 {
            continue;
        }
        let asked = i16::try_from(ready::SIGNALS).unwrap_or(0);
        let mut look = PollEntry { coid: coid.cast_signed(), events: asked, revents: 0 };
        sys::poll(sys::address_mut(&mut look), 1, 0, &sys::PollSets::default())?;
        if look.revents & asked == 0 || tell(caller, coid, 0, 0)?.0 & pending == 0 {
            continue;
        }
        let was_true = entry >> 48 != 0;
        let told = u64::from(events & (ready::IN | 0x40));
        copy::write(address, &(entry | told << 48))?;
        marked += u64::from(!was_true);
    }
    Ok(marked)
}
