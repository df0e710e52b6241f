//! The console driver: `devc-con` serves the boot framebuffer and the PS/2 keyboard as `/dev/con1`.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

extern crate alloc;

#[cfg(target_os = "none")]
mod i8042;
#[cfg(target_os = "none")]
mod picture;
#[cfg(target_os = "none")]
mod program;

#[cfg(not(target_os = "none"))]
fn main() {}
