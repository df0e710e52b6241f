//! Process 1: processes, programs and the name space, as a server in user space.
//!
//! A reader starts in [`server`], which maps each message to a handler; a handler changes [`state`]
//! and acts on the kernel through [`system::System`]. That trait is the only way out, so that the
//! whole of procnto's policy runs on the host, under test, against a recording stand-in.
//!
//! - [`process`]: who exists, who waits for whom, what each may do: fork, exec, exit, wait, signals,
//!   sessions, credentials, limits.
//! - [`memory`]: from an executable file to an address space.
//! - [`path`]: which server owns which prefix.
//! - [`builtin`]: what procnto's own files in `/proc` and `/dev` hold.
//! - [`random`]: the bytes of `/dev/random` and of every program's `AT_RANDOM`.
//!
//! Rules kept everywhere: the state lock is never held across a message to another server, and a
//! message to another server is only sent by a worker while others are left to receive.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a server in user space: overflow checks stay on, and only this process would end"
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod boot;
pub mod builtin;
pub mod memory;
pub mod path;
pub mod process;
pub mod random;
pub mod server;
pub mod state;
pub mod system;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
