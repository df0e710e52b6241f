//! `libneutrino.a`: QNX's kernel calls for C programs.
//!
//! A C program here is an ordinary static musl ELF file: its Linux calls go to the personality, and
//! the functions of this library issue native kernel calls in the same process. Each `X` returns -1
//! and sets `errno`; its twin `X_r` leaves `errno` alone and returns the error: negated where a
//! success is a number, as it is where a success is `EOK`. Names and arguments are QNX's (7.1's,
//! with 8's additions), numbers and structures of POSIX are Linux's, as everywhere in the system.
//!
//! Every address that a program hands over goes on to the kernel as a number, and the kernel checks
//! it: so the functions are safe to Rust, which has no references to that memory. What the library
//! itself takes from or puts into a structure it copies through the kernel too (`kernel::load`,
//! `kernel::store`), so that a bad address is EFAULT and no crash. The exceptions are in [`kernel`]
//! and [`receive`], where the speed of every message hangs on it.
//!
//! Calls that are there in name only are in [`refused`]; `docs/kernel-calls.md` lists them all.
#![no_std]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "user-space code between C's integers and the kernel's; a slip ends the one program it serves"
)]
#![allow(
    clashing_extern_declarations,
    reason = "each module declares C's functions with the types that it has"
)]

extern crate alloc;

pub mod aps;
mod ceiling;
pub mod channel;
pub mod client;
pub mod clock;
pub mod connection;
pub mod event;
pub mod interrupt;
pub mod iofunc;
mod kernel;
mod memory;
pub mod name;
pub mod receive;
pub mod refused;
pub mod resmgr;
pub mod sched;
pub mod send;
pub mod signal;
pub mod sync;
pub mod thread;
pub mod timer;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        safe fn abort() -> !;
    }
    abort()
}
