//! Transfers between the cache and the device: several at a time, neighbouring lines in one.

use alloc::vec::Vec;

use neutrino_rt::Errno;

use crate::cache::{Cache, End, LINE, Slot, State};
use crate::disk::{Disk, Done, Flushing, Operation, SECTOR, Segment, Shape};

/// A transfer that takes longer, in nanoseconds, never ends.
pub(crate) const PATIENCE: u64 = 30_000_000_000;

/// A transfer that the device has.
#[derive(Debug)]
struct Transfer {
    kind: Kind,
    slots: Vec<Slot>,
    began: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Flush(u64),
}

/// The cache, the device, and what is between them.
pub(crate) struct Queue<D> {
    pub(crate) cache: Cache,
    pub(crate) disk: D,
    pub(crate) shape: Shape,
    /// Where the cache is, as the device sees it.
    physical: u64,
    transfers: Vec<Option<Transfer>>,
    flushes: Flushes,
    is_dead: bool,
}

/// Flushes by number: one is asked for by many at once.
#[derive(Debug, Default)]
struct Flushes {
    /// Somebody waits for the next one.
    is_wanted: bool,
    /// How many were begun, ended, and which one failed last.
    begun: u64,
    ended: u64,
    failed: u64,
}

impl<D: Disk> Queue<D> {
    /// A queue over memory at a physical address for a cache of so many lines.
    pub(crate) fn new(disk: D, physical: u64, lines: usize) -> Self {
        let shape = disk.shape();
        let transfers = (0..shape.transfers).map(|_| None).collect();
        let (cache, flushes) = (Cache::new(lines), Flushes::default());
        Self { cache, disk, shape, physical, transfers, flushes, is_dead: false }
    }

    /// The device's size in bytes.
    pub(crate) const fn bytes(&self) -> u64 {
        self.shape.sectors * SECTOR
    }

    /// Bytes of a line: fewer at the end of the device.
    pub(crate) fn line_bytes(&self, number: u64) -> u64 {
        self.bytes().saturating_sub(number * LINE).min(LINE)
    }

    /// Asks for a flush that begins from now on; returns its number.
    pub(crate) const fn flush(&mut self) -> u64 {
        match self.shape.flushing {
            Flushing::Needed => {
                self.flushes.is_wanted = true;
                self.flushes.begun + 1
            }
            Flushing::Needless => self.flushes.ended,
        }
    }

    /// Whether a flush has ended, and how.
    pub(crate) const fn flushed(&self, number: u64) -> Option<End> {
        if self.is_dead || number != 0 && self.flushes.failed >= number {
            Some(End::Bad)
        } else if self.flushes.ended >= number {
            Some(End::Good)
        } else {
            None
        }
    }

    /// Whether the device does nothing any more.
    pub(crate) const fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// When the oldest transfer of all began.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.transfers.iter().flatten().map(|transfer| transfer.began).min()
    }

    /// Gives the device what it can take.
    pub(crate) fn pump(&mut self, now: u64) {
        let mut has_new = false;
        // Bound: the device's transfers.
        while let Some(number) = self.free() {
            let Some((operation, transfer)) = self.next(now) else { break };
            let segments = self.segments(&transfer, operation);
            self.transfers[usize::from(number)] = Some(transfer);
            self.disk.submit(number, operation, &segments);
            has_new = true;
        }
        if has_new {
            self.disk.kick();
        }
    }

    fn free(&self) -> Option<u16> {
        if self.is_dead {
            return None;
        }
        let free = self.transfers.iter().position(Option::is_none)?;
        u16::try_from(free).ok()
    }

    /// The next transfer: clients wait for reads, so those go first, while there is room in the cache.
    fn next(&mut self, began: u64) -> Option<(Operation, Transfer)> {
        if core::mem::take(&mut self.flushes.is_wanted) {
            self.flushes.begun += 1;
            let kind = Kind::Flush(self.flushes.begun);
            return Some((Operation::Flush, Transfer { kind, slots: Vec::new(), began }));
        }
        let order = if self.cache.is_crowded() {
            [Kind::Write, Kind::Read]
        } else {
            [Kind::Read, Kind::Write]
        };
        for kind in order {
            let run = match kind {
                Kind::Read => self.cache.next_read(self.shape.segments),
                Kind::Write | Kind::Flush(_) => self.cache.next_write(self.shape.segments),
            };
            if let Some((_, first)) = run.first() {
                let sector = first * (LINE / SECTOR);
                let slots = run.iter().map(|(slot, _)| *slot).collect();
                let operation = match kind {
                    Kind::Read => Operation::Read(sector),
                    Kind::Write | Kind::Flush(_) => Operation::Write(sector),
                };
                return Some((operation, Transfer { kind, slots, began }));
            }
        }
        None
    }

    fn segments(&self, transfer: &Transfer, operation: Operation) -> Vec<Segment> {
        let first = match operation {
            Operation::Read(sector) | Operation::Write(sector) => sector / (LINE / SECTOR),
            Operation::Flush => 0,
        };
        let segment = |(number, slot): (u64, &Slot)| Segment {
            physical: self.physical + u64::from(*slot) * LINE,
            bytes: self.line_bytes(number) as u32,
        };
        (first..).zip(&transfer.slots).map(segment).collect()
    }

    /// The device has interrupted: notes what is done.
    pub(crate) fn interrupt(&mut self) {
        if self.is_dead {
            return;
        }
        self.disk.interrupt();
        // Bound: the device's transfers; one that tells of others is not to be trusted.
        loop {
            match self.disk.completed() {
                Ok(None) => return,
                Ok(Some(Done { number, result })) => {
                    let done = self.transfers.get_mut(usize::from(number));
                    match done.and_then(Option::take) {
                        Some(transfer) => self.end(&transfer, result),
                        None => return self.give_up(),
                    }
                }
                Err(_) => return self.give_up(),
            }
        }
    }

    fn end(&mut self, transfer: &Transfer, result: Result<(), Errno>) {
        let end = if result.is_ok() { End::Good } else { End::Bad };
        match transfer.kind {
            Kind::Read => transfer.slots.iter().for_each(|s| self.cache.end_read(*s, end)),
            Kind::Write => transfer.slots.iter().for_each(|s| self.cache.end_write(*s, end)),
            Kind::Flush(number) => {
                self.flushes.ended = self.flushes.ended.max(number);
                if end == End::Bad {
                    self.flushes.failed = number;
                }
            }
        }
    }

    /// The device is broken, or does not answer: it is stopped, and nothing is asked of it any more.
    pub(crate) fn give_up(&mut self) {
        self.disk.stop();
        self.is_dead = true;
        for place in 0..self.transfers.len() {
            if let Some(transfer) = self.transfers[place].take() {
                self.end(&transfer, Err(Errno::EIO));
            }
        }
        // What was not begun fails too; nothing becomes dirty or wanted afterwards.
        while let run @ [_, ..] = self.cache.next_read(usize::MAX).as_slice() {
            run.iter().for_each(|(slot, _)| self.cache.end_read(*slot, End::Bad));
        }
        while let run @ [_, ..] = self.cache.next_write(usize::MAX).as_slice() {
            run.iter().for_each(|(slot, _)| self.cache.end_write(*slot, End::Bad));
        }
    }

    /// Whether a line is there to be used, now.
    pub(crate) fn present(&mut self, number: u64) -> Option<(Slot, State)> {
        self.cache.find(number)
    }
}
