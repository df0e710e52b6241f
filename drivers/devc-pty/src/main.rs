//! The pseudo-terminal server: `devc-pty` serves `/dev/ptmx` and `/dev/pts`.
//!
//! Each open of `/dev/ptmx` makes a pair; its slave is `/dev/pts/N` as long as the master is open.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

extern crate alloc;

#[cfg(target_os = "none")]
mod pair;
#[cfg(target_os = "none")]
mod program;

#[cfg(not(target_os = "none"))]
fn main() {}
