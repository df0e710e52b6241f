//! The serial driver: `devc-ser8250 [-e|-E] [-b baud] [port,irq ...]` serves each port as `/dev/ser1`,
//! `/dev/ser2` and so on. A port that is not there keeps its number and is left out.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

extern crate alloc;

#[cfg(target_os = "none")]
mod port;
#[cfg(target_os = "none")]
mod program;

#[cfg(not(target_os = "none"))]
fn main() {}
