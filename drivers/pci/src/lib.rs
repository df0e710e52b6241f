//! PCI for drivers: a function's configuration, and what the bus server hands out of it.
//!
//! `pci-server` alone reaches configuration space. A driver opens its function below `/dev/pci` for
//! writing, which nobody else can while it is open, and asks for register ranges, interrupts and
//! memory that the device may read and write: each comes as a handle, and is all that the driver
//! gets. [`Device`] is the driver's side of it.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "user space: overflow and bounds checks stay on in release; registers are cut to their fields"
)]

extern crate alloc;

pub mod config;
#[cfg(test)]
mod config_tests;
mod device;
pub mod message;

pub use device::{Arrival, Device, functions};
pub use pci_types::PciAddress;
