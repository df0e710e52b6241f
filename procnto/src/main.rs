//! Process 1 on the machine: channels, threads, the kernel behind [`procnto::system::System`].
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a server in user space: overflow checks stay on, and only this process would end"
)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod target;

#[cfg(target_os = "none")]
neutrino_rt::entry!(target::main);

#[cfg(not(target_os = "none"))]
fn main() {}
