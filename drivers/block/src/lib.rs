//! What block drivers have in common: `/dev/hd0` and its partitions, a cache of blocks, clients that
//! wait. A driver is a [`Disk`]: it starts transfers and tells which are done.
//!
//! ```text
//! client -- IO_READ --> Server -> Job -> Cache: the lines that are here go straight to the client
//!                                    \-> Wanted lines -> Queue -> Disk::submit … interrupt
//!                                                                 Disk::completed -> jobs go on
//! ```
//!
//! The cache is memory that the device reads and writes itself, and the kernel moves bytes between it
//! and clients: the driver never touches them. What was written goes to the device at once, but a
//! client waits for that only when it asks (`fsync`, `O_SYNC`).
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "user space: overflow and bounds checks stay on in release; places in the cache are 32 bits"
)]

extern crate alloc;

mod cache;
#[cfg(test)]
mod cache_tests;
mod control;
mod disk;
mod job;
mod partition;
#[cfg(test)]
mod partition_tests;
mod queue;
#[cfg(test)]
mod queue_tests;
mod server;
mod start;

pub use disk::{Disk, Done, Flushing, Operation, Segment, Shape, Writing};
pub use partition::{Complaint, Partition, partitions};
pub use start::{INTERRUPT, Place, serve};
