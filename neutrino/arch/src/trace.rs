//! The rings that records of a trace go into, one for each CPU.

use core::cell::UnsafeCell;

use neutrino_abi::trace::Record;
use neutrino_core::limits::{CPUS, TRACE_RECORDS};
use neutrino_core::machine::{TraceCounts, WhenFull};

struct Table<T>(UnsafeCell<T>);

// SAFETY: reached through `Rings` only, of which there is one, inside the kernel lock.
unsafe impl<T> Sync for Table<T> {}

const EMPTY: Record = Record { time: 0, kind: 0, cpu: 0, detail: 0, tid: 0, first: 0, second: 0 };

#[unsafe(link_section = ".bss..tables")]
static RECORDS: Table<[[Record; TRACE_RECORDS]; CPUS]> =
    Table(UnsafeCell::new([[EMPTY; TRACE_RECORDS]; CPUS]));

const _: () = assert!(TRACE_RECORDS.is_power_of_two());
const _: () = assert!(CPUS.is_power_of_two());

/// How many records were ever put into a ring, and taken out.
#[derive(Clone, Copy, Debug)]
struct Ring {
    written: u64,
    read: u64,
}

impl Ring {
    const fn length(self) -> u64 {
        self.written.wrapping_sub(self.read)
    }
}

/// All rings.
#[derive(Debug)]
pub(crate) struct Rings {
    rings: [Ring; CPUS],
    when_full: WhenFull,
    lost: u64,
}

impl Rings {
    /// Takes hold of the memory.
    ///
    /// # Safety
    /// - Called once.
    pub(crate) const unsafe fn new() -> Self {
        let rings = [Ring { written: 0, read: 0 }; CPUS];
        Self { rings, when_full: WhenFull::Stop, lost: 0 }
    }

    /// Empties the rings.
    pub(crate) fn reset(&mut self, when_full: WhenFull) {
        self.rings = [Ring { written: 0, read: 0 }; CPUS];
        (self.when_full, self.lost) = (when_full, 0);
    }

    /// Puts a record into the ring of its CPU.
    pub(crate) fn put(&mut self, record: &Record) {
        let cpu = usize::from(record.cpu);
        let Some(ring) = self.rings.get_mut(cpu) else { return };
        if ring.length() >= TRACE_RECORDS as u64 {
            self.lost = self.lost.wrapping_add(1);
            match self.when_full {
                WhenFull::Stop => return,
                WhenFull::Overwrite => ring.read = ring.read.wrapping_add(1),
            }
        }
        let at = ring.written;
        ring.written = at.wrapping_add(1);
        *self.place(cpu, at) = *record;
    }

    /// Copies the oldest records of a ring; returns how many.
    // Bound: the length of `into`.
    pub(crate) fn peek(&mut self, cpu: usize, into: &mut [Record]) -> usize {
        let Some(&Ring { read, written }) = self.rings.get(cpu) else { return 0 };
        let mut count = 0;
        for (at, record) in (read..written).zip(into) {
            *record = *self.place(cpu, at);
            count += 1;
        }
        count
    }

    /// Forgets the oldest records of a ring.
    pub(crate) fn drop_oldest(&mut self, cpu: usize, count: usize) {
        if let Some(ring) = self.rings.get_mut(cpu) {
            ring.read = ring.read.wrapping_add(count as u64).min(ring.written);
        }
    }

    /// What is in the rings.
    // Bound: CPUS.
    pub(crate) fn counts(&self) -> TraceCounts {
        let lengths = || self.rings.iter().map(|ring| ring.length());
        let is_half_full = self.when_full == WhenFull::Stop
            && lengths().any(|length| length >= TRACE_RECORDS as u64 / 2);
        TraceCounts { waiting: lengths().sum(), lost: self.lost, is_half_full }
    }

    fn place(&mut self, cpu: usize, at: u64) -> &mut Record {
        let index = (cpu & (CPUS - 1)) * TRACE_RECORDS + (at as usize & (TRACE_RECORDS - 1));
        let place = RECORDS.0.get().cast::<Record>().wrapping_add(index);
        // SAFETY: both indices are masked, so the element exists, and any bytes are a record; only
        // `self`, which is unique and borrowed here, leads to the table.
        unsafe { &mut *place }
    }
}
