//! The runtime that native programs link: kernel-call stubs, start-up, threads, heap, files.
//!
//! A native program is `#![no_std] #![no_main]` with [`entry!`]`(main)`, linked by `link.ld`. All
//! `unsafe` of user space outside the personality lives here, behind types that are safe to use:
//! a driver reaches ports by [`port::IoPort`], registers by [`mmio::Mmio`], and no pointer at all.
//!
//! The crate also builds on the host, so that servers' logic can be tested there; kernel calls then
//! fail with ENOSYS.
#![no_std]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "user space of a 64-bit machine: overflow checks stay on, and addresses fit usize"
)]

extern crate alloc;

pub mod channel;
pub mod clock;
pub mod file;
pub mod interrupt;
pub mod lock;
pub mod manager;
pub mod memory;
pub mod message;
pub mod mmio;
pub mod partition;
pub mod path;
pub mod port;
pub mod process;
pub mod signal;
pub mod spawn;
pub mod start;
pub mod stdio;
pub mod sync;
pub mod sys;
pub mod thread;
pub mod trace;

#[cfg(target_os = "none")]
mod heap;

pub use neutrino_abi as abi;
pub use neutrino_abi::Errno;
