//! The RAM file system: `fs-ram [-s MIB] PATH…` serves one tree at each path.
//!
//! File data are pages of memory objects, so `read`, `write` and mappings see the same frames, and a
//! hole costs nothing.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

extern crate alloc;

#[cfg(target_os = "none")]
mod data;
#[cfg(target_os = "none")]
mod program;
#[cfg(target_os = "none")]
mod server;
#[cfg(target_os = "none")]
mod tree;

#[cfg(not(target_os = "none"))]
fn main() {}
