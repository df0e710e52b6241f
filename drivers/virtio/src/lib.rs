//! Virtio devices on PCI (virtio 1.2): finding and starting one, and its queues.
//!
//! The crate `virtio-drivers` has both. Its queue keeps addresses of the caller's buffers, so that
//! having several requests in flight takes `unsafe` in each driver; here buffers are memory of the
//! device's own ([`neutrino_rt::mmio::Dma`]), of which only offsets are told.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "user space: overflow and bounds checks stay on in release; registers are cut to their fields"
)]

extern crate alloc;

mod queue;
mod transport;

pub use queue::{Broken, Part, Queue, Way};
pub use transport::{Config, Transport, feature};
