//! What a client waits for: a read, a write, or that what was written is safe.

use alloc::vec::Vec;

use neutrino_rt::Errno;
use neutrino_rt::abi::message::WORDS_BYTES;

use crate::cache::{End, LINE, Slot, State};
use crate::disk::Disk;
use crate::queue::Queue;

/// Lines that are asked for ahead of what a client has got.
const AHEAD: u64 = 256;

/// Moves bytes between the cache and a client that waits.
pub(crate) trait Mover {
    /// From the cache to the client's reply at an offset.
    fn give(&mut self, rcvid: u64, to: u64, from: u64, bytes: u64) -> Result<(), Errno>;
    /// From the client's message at an offset to the cache.
    fn take(&mut self, rcvid: u64, from: u64, to: u64, bytes: u64) -> Result<(), Errno>;
    /// From the cache to here.
    fn get(&mut self, from: u64, bytes: &mut [u8]) -> Result<(), Errno>;
    /// From here to the cache.
    fn put(&mut self, to: u64, bytes: &[u8]) -> Result<(), Errno>;
}

/// When a write is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// When the data are in the cache.
    Cached,
    /// When they outlive a loss of power.
    Durable,
}

/// What is done for a client.
#[derive(Clone, Copy, Debug)]
enum Task {
    Read,
    Write(Durability),
    /// Until what was changed up to a moment is written; then this many bytes are the answer.
    Settle(u64, u64),
    /// Until this flush has ended.
    Flush(u64, u64),
}

/// Where a client's bytes are.
#[derive(Clone, Debug)]
enum Bytes {
    /// In its memory.
    Client,
    /// Here, those of a short write: they came in registers.
    Received(Vec<u8>),
    /// Here, those of a short read: they go with the reply.
    Gathered(Vec<u8>),
}

/// A client's request.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) rcvid: u64,
    task: Task,
    bytes: Bytes,
    /// Where on the device it goes on, and where it ends.
    position: u64,
    end: u64,
    /// Where in the message, or the reply.
    place: u64,
    /// Bytes moved.
    done: u64,
}

/// Whether a request is done.
pub(crate) type Step = Option<Result<i64, Errno>>;

impl Job {
    /// Reads bytes of the device into the reply.
    pub(crate) fn read(rcvid: u64, position: u64, bytes: u64) -> Self {
        let is_short = bytes <= WORDS_BYTES;
        let place = if is_short { Bytes::Gathered(Vec::new()) } else { Bytes::Client };
        Self::new(rcvid, (Task::Read, place), (position, bytes), 0)
    }

    /// Writes bytes of the message, from `place` on, to the device. A short message is not in the
    /// client's memory: its bytes are in `received`.
    pub(crate) fn write(
        rcvid: u64,
        (position, bytes): (u64, u64),
        place: u64,
        received: Option<&[u8]>,
        durability: Durability,
    ) -> Self {
        let here = received.map_or(Bytes::Client, |bytes| Bytes::Received(Vec::from(bytes)));
        Self::new(rcvid, (Task::Write(durability), here), (position, bytes), place)
    }

    fn new(
        rcvid: u64,
        (task, bytes): (Task, Bytes),
        (position, length): (u64, u64),
        place: u64,
    ) -> Self {
        Self { rcvid, task, bytes, position, end: position + length, place, done: 0 }
    }

    /// What goes with the reply.
    pub(crate) fn take_gathered(&mut self) -> Vec<u8> {
        match &mut self.bytes {
            Bytes::Gathered(bytes) => core::mem::take(bytes),
            Bytes::Client | Bytes::Received(_) => Vec::new(),
        }
    }

    /// Waits until everything written so far is safe.
    pub(crate) fn sync<D: Disk>(rcvid: u64, queue: &Queue<D>) -> Self {
        Self::new(rcvid, (Task::Settle(queue.cache.now(), 0), Bytes::Client), (0, 0), 0)
    }

    /// Goes on as far as it can.
    pub(crate) fn advance<D: Disk>(
        &mut self,
        queue: &mut Queue<D>,
        mover: &mut impl Mover,
    ) -> Step {
        if queue.is_dead() {
            return Some(Err(Errno::EIO));
        }
        let step = match self.task {
            Task::Read => self.go_on_reading(queue, mover),
            Task::Write(durability) => match self.go_on_writing(queue, mover) {
                Some(Ok(bytes)) if durability == Durability::Durable => {
                    self.task = Task::Settle(queue.cache.now(), bytes.cast_unsigned());
                    None
                }
                step => step,
            },
            Task::Settle(..) | Task::Flush(..) => None,
        };
        if let Task::Settle(moment, bytes) = self.task
            && queue.cache.is_written(moment)
        {
            if queue.cache.take_lost() {
                return Some(Err(Errno::EIO));
            }
            self.task = Task::Flush(queue.flush(), bytes);
        }
        if let Task::Flush(number, bytes) = self.task {
            return queue.flushed(number).map(|end| match end {
                End::Good => Ok(bytes.cast_signed()),
                End::Bad => Err(Errno::EIO),
            });
        }
        step
    }

    /// The line that is next, and the part of it: offset and bytes.
    fn part(&self) -> (u64, u64, u64) {
        let (number, offset) = (self.position / LINE, self.position % LINE);
        (number, offset, (LINE - offset).min(self.end - self.position))
    }

    const fn moved(&mut self, bytes: u64) {
        self.position += bytes;
        self.place += bytes;
        self.done += bytes;
    }

    /// What is answered when it cannot go on: what was done, if anything was.
    fn failed(&self, errno: Errno) -> Step {
        Some(if self.done > 0 { Ok(self.done.cast_signed()) } else { Err(errno) })
    }

    // Bound: the lines of the request.
    fn go_on_reading<D: Disk>(&mut self, queue: &mut Queue<D>, mover: &mut impl Mover) -> Step {
        while self.position < self.end {
            let (number, offset, bytes) = self.part();
            match queue.present(number) {
                Some((slot, state)) if is_here(state) => {
                    let from = u64::from(slot) * LINE + offset;
                    if let Err(errno) = self.give(mover, from, bytes) {
                        return self.failed(errno);
                    }
                    self.moved(bytes);
                }
                Some((slot, State::Failed)) => {
                    queue.cache.forget(slot);
                    return self.failed(Errno::EIO);
                }
                Some(_) | None => {
                    let last = ((self.end - 1) / LINE).min(number + AHEAD);
                    let _full_for_now = (number..=last).try_for_each(|n| queue.cache.want(n));
                    return None;
                }
            }
        }
        Some(Ok(self.done.cast_signed()))
    }

    // Bound: the lines of the request.
    fn go_on_writing<D: Disk>(&mut self, queue: &mut Queue<D>, mover: &mut impl Mover) -> Step {
        while self.position < self.end {
            let (number, offset, bytes) = self.part();
            let is_whole = bytes == queue.line_bytes(number);
            let result = match queue.present(number) {
                Some((slot, state)) if is_here(state) => {
                    let result = self.take(mover, slot, offset, bytes);
                    // Part of it may have come even if all did not.
                    queue.cache.change(slot);
                    result
                }
                Some((slot, State::Failed)) => {
                    queue.cache.forget(slot);
                    if is_whole {
                        continue;
                    }
                    Err(Errno::EIO)
                }
                Some(_) => return None,
                None if is_whole => {
                    let slot = queue.cache.vacate()?;
                    let result = self.take(mover, slot, 0, bytes);
                    if result.is_ok() {
                        queue.cache.insert(slot, number);
                    }
                    result
                }
                None => {
                    let _full_for_now = queue.cache.want(number);
                    return None;
                }
            };
            if let Err(errno) = result {
                return self.failed(errno);
            }
            self.moved(bytes);
        }
        Some(Ok(self.done.cast_signed()))
    }

    fn give(&mut self, mover: &mut impl Mover, from: u64, bytes: u64) -> Result<(), Errno> {
        match &mut self.bytes {
            Bytes::Gathered(gathered) => {
                let before = gathered.len();
                gathered.resize(before + bytes as usize, 0);
                mover.get(from, &mut gathered[before..])
            }
            Bytes::Client | Bytes::Received(_) => mover.give(self.rcvid, self.place, from, bytes),
        }
    }

    fn take(
        &self,
        mover: &mut impl Mover,
        slot: Slot,
        offset: u64,
        bytes: u64,
    ) -> Result<(), Errno> {
        let to = u64::from(slot) * LINE + offset;
        let Bytes::Received(received) = &self.bytes else {
            return mover.take(self.rcvid, self.place, to, bytes);
        };
        let from = self.done as usize;
        let part = received.get(from..from + bytes as usize).ok_or(Errno::EBADMSG)?;
        mover.put(to, part)
    }
}

/// Whether a line's bytes are in memory.
pub(crate) const fn is_here(state: State) -> bool {
    match state {
        State::Clean | State::Dirty | State::Writing | State::Rewritten => true,
        State::Vacant | State::Wanted | State::Reading | State::Failed => false,
    }
}
