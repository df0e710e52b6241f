//! The core's record of each frame of RAM, in an array that boot allocates.

use neutrino_core::machine::{FrameNumber, FrameRecord};

use super::direct_map;

/// The array.
#[derive(Debug)]
pub(crate) struct Records {
    records: &'static mut [FrameRecord],
    /// What frames beyond the array share; there are none unless the core is wrong.
    beyond: FrameRecord,
}

impl Records {
    /// Bytes that `count` records take.
    pub(crate) const fn size(count: u64) -> u64 {
        count.saturating_mul(size_of::<FrameRecord>() as u64)
    }

    /// Makes the array at a physical address.
    ///
    /// # Safety
    /// - `physical` is RAM of [`Records::size`] bytes, on a page boundary, that nothing else uses.
    pub(crate) unsafe fn new(physical: u64, count: u64) -> Self {
        let first = direct_map::pointer(physical).cast::<FrameRecord>();
        // SAFETY: the memory is the caller's to give, and aligned to a page.
        unsafe { first.write_bytes(0, count as usize) };
        // SAFETY: the memory is the caller's to give, for good, and all zero is a record.
        let records = unsafe { core::slice::from_raw_parts_mut(first, count as usize) };
        Self { records, beyond: FrameRecord::default() }
    }

    /// The record of a frame.
    pub(crate) fn get(&mut self, frame: FrameNumber) -> &mut FrameRecord {
        self.records.get_mut(frame.0 as usize).unwrap_or(&mut self.beyond)
    }
}
