//! The personality: lets unmodified Linux x86-64 programs run on Neutrino.
//!
//! The kernel bounces a system call whose number is below 0x1000 to [`entry`], in the same thread
//! and address space. The shim saves the registers on a stack of its own, finds the call in
//! [`table`], and carries it out with kernel calls and messages: a file descriptor *is* a
//! connection, so that `read` is one message. Signals come in through [`entry`] too and leave for
//! the program's handlers as Linux's frames ([`frame`]).
//!
//! The shim has no writable segment. All its state is in *blocks* ([`block`]): one for each thread,
//! found through GS, and one for each process. That is what lets a `vfork` child share its
//! parent's memory and yet have a state of its own.
//!
//! What it cannot do it refuses with the errno that the table names. `cargo run -p libc-shim` on
//! the host writes that table into `docs/limits.md`.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "user-space code with overflow checks on; a slip ends the one program it serves"
)]
#![cfg_attr(
    not(target_os = "none"),
    allow(dead_code, reason = "only the pure parts run on a host")
)]

mod attributes;
mod block;
mod connection;
mod copy;
mod dispatch;
mod entry;
mod epoll;
mod event;
mod exec;
mod frame;
mod identity;
mod ioctl;
mod limit;
mod memfd;
mod memory;
mod meta;
mod mounts;
mod names;
mod open;
mod path;
mod poll;
mod process;
mod rights;
mod robust;
mod rows;
mod signal;
mod signalfd;
mod sockaddr;
mod socket;
mod start;
mod sys;
mod system;
mod table;
mod thread;
mod time;
mod timer;
mod timerfd;
mod transfer;
mod vdso;

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    dispatch::abort(info)
}

#[cfg(not(target_os = "none"))]
fn main() -> std::io::Result<()> {
    table::write_page()
}
