//! The parts of `devc-pty` that need no machine: the master's side of a pair.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release builds"
)]

extern crate alloc;

mod master;

pub use master::{Master, Slave};
