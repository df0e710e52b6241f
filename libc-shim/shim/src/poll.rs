//! Waiting on many descriptors: `poll` and `select`. Readiness is the kernel's: no server is asked.

use crate::block::{int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::signalfd;
use crate::sys::{self, Errno, Outcome, PollSets};
use crate::time::{self, NANOSECONDS, Timespec};
use core::sync::atomic::Ordering::Relaxed;
use neutrino_abi::handle::{FD_LIMIT, PollEntry, ready};
use neutrino_abi::signal::SignalSet;
use neutrino_abi::time::FOREVER;

/// Milliseconds of `poll` in nanoseconds; negative is for ever.
pub(crate) fn milliseconds(raw: u64) -> u64 {
    u64::try_from(int(raw)).map_or(FOREVER, |time| time * 1_000_000)
}

/// `poll(entries, count, timeout)`.
pub(crate) fn poll(caller: &mut Caller<'_>, [entries, count, timeout, ..]: Args) -> Outcome {
    wait(caller, entries, count, Limit::after(milliseconds(timeout)), None)
}

/// `ppoll(entries, count, timeout, mask, size)`.
pub(crate) fn ppoll(
    caller: &mut Caller<'_>,
    [entries, count, timeout, mask, size, _]: Args,
) -> Outcome {
    let limit = Limit::after(time::optional(timeout)?);
    let mask = read_mask(mask, size)?;
    let outcome = wait(caller, entries, count, limit, mask.as_ref());
    write_rest(timeout, limit, NANOSECONDS);
    outcome
}

/// A signal mask argument.
pub(crate) fn read_mask(mask: u64, size: u64) -> Result<Option<SignalSet>, Errno> {
    match (mask, size) {
        (0, _) => Ok(None),
        (_, 8) => copy::read(mask).map(Some),
        _ => Err(Errno::EINVAL),
    }
}

/// When a wait ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// In monotonic time; `FOREVER`: not by itself.
    end: u64,
}

impl Limit {
    pub(crate) fn after(nanoseconds: u64) -> Self {
        let end = match nanoseconds {
            FOREVER => FOREVER,
            0 => 0,
            _ => time::monotonic().saturating_add(nanoseconds),
        };
        Self { end }
    }

    /// What is left.
    pub(crate) fn rest(self) -> u64 {
        match self.end {
            FOREVER => FOREVER,
            0 => 0,
            end => end.saturating_sub(time::monotonic()),
        }
    }
}

/// Writes back what is left of a time, as Linux does; `unit` is that of its second word.
fn write_rest(address: u64, limit: Limit, unit: u64) {
    if address != 0 && limit.end != FOREVER {
        let Timespec { seconds, nanoseconds } = Timespec::from_nanoseconds(limit.rest());
        let rest = [seconds, nanoseconds / (NANOSECONDS / unit).cast_signed()];
        let _ignored_as_linux_does = copy::write(address, &rest);
    }
}

fn wait(
    caller: &Caller<'_>,
    entries: u64,
    count: u64,
    limit: Limit,
    mask: Option<&SignalSet>,
) -> Outcome {
    let count = low(count);
    if u64::from(count) > caller.process.descriptor_limit.load(Relaxed) {
        return Err(Errno::EINVAL);
    }
    poll_entries(caller, (entries, count), limit, mask)
}

/// Waits for what is in an array of the program's or the shim's.
fn poll_entries(
    caller: &Caller<'_>,
    (entries, count): (u64, u32),
    limit: Limit,
    mask: Option<&SignalSet>,
) -> Outcome {
    let mut awaited = caller.process.signal_reads.load(Relaxed);
    if awaited == 0 {
        let sets = PollSets::new(mask.copied(), 0);
        return caller.interruptible(|| sys::poll(entries, count, limit.rest(), &sets));
    }
    loop {
        let sets = PollSets::new(mask.copied(), awaited);
        let outcome = sys::poll(entries, count, limit.rest(), &sets);
        let read = caller.process.signal_reads.load(Relaxed);
        let pending = sys::signal_pending()? & read;
        match outcome {
            Ok(ready) => {
                return signalfd::mark(caller, entries, count, pending).map(|more| ready + more);
            }
            Err(Errno::EINTR | Errno::ERESTART) => {
                if caller.is_interrupted() {
                    return Err(Errno::EINTR);
                }
                let marked = signalfd::mark(caller, entries, count, pending)?;
                if marked > 0 {
                    return Ok(marked);
                }
                // None of these descriptors reads them.
                awaited &= !pending;
            }
            Err(error) => return Err(error),
        }
    }
}

/// `select(count, readable, writable, exceptional, timeout)`.
pub(crate) fn select(
    caller: &mut Caller<'_>,
    [count, readable, writable, exceptional, timeout, _]: Args,
) -> Outcome {
    const MICROSECONDS: u64 = 1_000_000;
    let nanoseconds = match timeout {
        0 => FOREVER,
        _ => {
            let [seconds, microseconds]: [i64; 2] = copy::read(timeout)?;
            let extra = microseconds / 1_000_000;
            let nanoseconds = microseconds % 1_000_000 * 1000;
            Timespec { seconds: seconds.saturating_add(extra), nanoseconds }.to_nanoseconds()?
        }
    };
    let limit = Limit::after(nanoseconds);
    let sets = [readable, writable, exceptional];
    let outcome = select_until(caller, count, sets, limit, None);
    write_rest(timeout, limit, MICROSECONDS);
    outcome
}

/// `pselect6(count, readable, writable, exceptional, timeout, (mask, size))`.
pub(crate) fn pselect6(
    caller: &mut Caller<'_>,
    [count, readable, writable, exceptional, timeout, mask]: Args,
) -> Outcome {
    let limit = Limit::after(time::optional(timeout)?);
    let mask = match mask {
        0 => None,
        _ => {
            let [address, size]: [u64; 2] = copy::read(mask)?;
            read_mask(address, size)?
        }
    };
    let sets = [readable, writable, exceptional];
    let outcome = select_until(caller, count, sets, limit, mask.as_ref());
    write_rest(timeout, limit, NANOSECONDS);
    outcome
}

/// Words of an `fd_set`.
const WORDS: usize = 16;
type Set = [u64; WORDS];

/// What makes a descriptor readable, writable, exceptional (Linux: `POLLIN_SET` and so on).
const EVENTS: [u32; 3] = [ready::IN, ready::OUT, ready::PRI];
const RESULTS: [u32; 3] =
    [ready::IN | ready::HUP | ready::ERR, ready::OUT | ready::ERR, ready::PRI];

fn select_until(
    caller: &mut Caller<'_>,
    count: u64,
    addresses: [u64; 3],
    limit: Limit,
    mask: Option<&SignalSet>,
) -> Outcome {
    let count = u32::try_from(int(count)).map_err(|_| Errno::EINVAL)?.min(FD_LIMIT);
    let words = count.div_ceil(64) as usize;
    let mut sets = [[0; WORDS]; 3];
    for (set, address) in sets.iter_mut().zip(addresses) {
        if address != 0 {
            copy::read_slice(address, &mut set[..words])?;
        }
    }
    let entries = fill(&mut caller.scratch.poll, &sets, count);
    let address = sys::address_mut(&mut caller.scratch.poll);
    poll_entries(caller, (address, entries), limit, mask)?;
    let (sets, ready) = collect(&caller.scratch.poll[..entries as usize], &sets)?;
    for (set, address) in sets.iter().zip(addresses) {
        if address != 0 {
            copy::write_slice(address, &set[..words])?;
        }
    }
    Ok(ready)
}

const fn has(set: &Set, descriptor: u32) -> bool {
    set[(descriptor / 64) as usize] >> (descriptor % 64) & 1 != 0
}

/// One entry for each descriptor in a set; returns how many.
fn fill(entries: &mut [PollEntry], sets: &[Set; 3], count: u32) -> u32 {
    let mut used = 0;
    for descriptor in 0..count {
        let events = (0..3)
            .filter(|&which| has(&sets[which], descriptor))
            .fold(0, |events, which| events | EVENTS[which]);
        if events != 0 {
            let coid = descriptor.cast_signed();
            entries[used as usize] = PollEntry { coid, events: bits(events), revents: 0 };
            used += 1;
        }
    }
    used
}

fn bits(events: u32) -> i16 {
    i16::try_from(events).unwrap_or(0)
}

/// The sets of what is ready, and how many bits they have.
fn collect(entries: &[PollEntry], wanted: &[Set; 3]) -> Result<([Set; 3], u64), Errno> {
    let mut sets = [[0; WORDS]; 3];
    let mut ready = 0;
    for entry in entries {
        let descriptor = entry.coid.cast_unsigned();
        if entry.revents & bits(ready::NVAL) != 0 {
            return Err(Errno::EBADF);
        }
        for which in 0..3 {
            let is_ready = entry.revents & bits(RESULTS[which]) != 0;
            if is_ready && has(&wanted[which], descriptor) {
                sets[which][(descriptor / 64) as usize] |= 1 << (descriptor % 64);
                ready += 1;
            }
        }
    }
    Ok((sets, ready))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_become_entries_and_back() {
        let mut sets = [[0; WORDS]; 3];
        sets[0][0] = 1 << 5;
        sets[1][1] = 1 << 1 | 1 << 2;
        sets[0][1] = 1 << 1;
        let mut entries = [PollEntry::default(); 8];
        assert_eq!(fill(&mut entries, &sets, 67), 3);
        assert_eq!(entries[1].coid, 65);
        assert_eq!(entries[1].events, bits(ready::IN | ready::OUT));
        entries[1].revents = bits(ready::OUT);
        entries[0].revents = bits(ready::HUP);
        let (found, ready) = collect(&entries[..3], &sets).unwrap();
        assert_eq!(ready, 2);
        assert_eq!((found[0][0], found[0][1], found[1][1]), (1 << 5, 0, 1 << 1));
    }

    #[test]
    fn a_closed_descriptor_in_a_set_is_an_error() {
        let entries = [PollEntry { coid: 3, events: 1, revents: bits(ready::NVAL) }];
        assert_eq!(collect(&entries, &[[0; WORDS]; 3]), Err(Errno::EBADF));
    }
}
