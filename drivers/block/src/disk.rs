//! What a driver of a block device does.

use neutrino_rt::Errno;

/// Sectors are counted in 512 bytes, whatever the device's blocks are.
pub(crate) const SECTOR: u64 = 512;

/// Whether a device can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// It can.
    Allowed,
    /// It cannot.
    Refused,
}

/// What it takes for writes to outlive a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushing {
    /// A flush behind them.
    Needed,
    /// Nothing: they do when they are done.
    Needless,
}

/// What a device is like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its size in sectors of 512 bytes.
    pub sectors: u64,
    /// Bytes of one of its blocks: a power of two from 512 to 4096.
    pub block_bytes: u32,
    /// Whether it can be written.
    pub writing: Writing,
    /// What makes writes safe.
    pub flushing: Flushing,
    /// Transfers that it does at a time.
    pub transfers: u16,
    /// Most segments of a transfer.
    pub segments: usize,
}

/// A piece of memory of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address as the device sees it.
    pub physical: u64,
    /// Bytes; whole blocks of the device.
    pub bytes: u32,
}

/// What a transfer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// From the device into memory, from this sector on.
    Read(u64),
    /// From memory to the device, from this sector on.
    Write(u64),
    /// What was written is to outlive a loss of power. It has no segments.
    Flush,
}

/// A transfer that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its number.
    pub number: u16,
    /// How it ended.
    pub result: Result<(), Errno>,
}

/// A block device.
pub trait Disk {
    /// What it is like; always the same.
    fn shape(&self) -> Shape;

    /// Takes a transfer under a number below [`Shape::transfers`] that is not in use; it may wait for
    /// [`Disk::kick`].
    fn submit(&mut self, number: u16, operation: Operation, segments: &[Segment]);

    /// Starts what was submitted.
    fn kick(&mut self);

    /// Acknowledges an interrupt.
    fn interrupt(&mut self);

    /// The next transfer that is done.
    ///
    /// # Errors
    /// EIO: the device answers nonsense and is not to be trusted any more.
    fn completed(&mut self) -> Result<Option<Done>, Errno>;

    /// Stops the device for good: afterwards it reaches no memory.
    fn stop(&mut self);
}
