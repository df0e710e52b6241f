//! The line discipline of every terminal: serial line, console and pseudo-terminal alike.
//!
//! [`Line`] is a pure state machine: bytes from the device go in through [`Line::input`], programs
//! call [`Line::read`] and [`Line::write`], and the device drains [`Line::next_output`]. It asks
//! nobody for anything: signals are returned, time is told to it. [`Control`] holds the session and
//! the foreground group and decides who may read, write and change the terminal. Its behaviour is
//! that of Linux's `N_TTY`, byte for byte where the host tests can compare.
//!
//! It does not know messages, clients or devices; [`Terminal`] adds the queues of waiting clients.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: counts are bounded by the queue capacities, overflow checks stay on"
)]

extern crate alloc;

mod client;
mod control;
mod echo;
mod input_queue;
mod line;
mod output;
mod receive;
mod request;
pub mod server;
mod signal;
mod speed;
mod terminal;
mod termios;
mod waiting;
mod window;

pub use client::{Client, Done, GroupState, Parentage, System};
pub use control::{Access, Caller, Control, Group, Refusal, Session, StopSignal};
pub use line::{Flush, Line, Read, Timer, When};
pub use output::Flow;
pub use request::{Answer, BreakState, Context, Device, NoDevice, Request, data_size};
pub use signal::Signal;
pub use terminal::{Changed, Mode, Sending, Terminal};
pub use termios::{ControlFlags, Id, InputFlags, LocalFlags, OutputFlags, Termios};
pub use window::WindowSize;

/// Bytes of input that a line holds; `_POSIX_MAX_CANON` asks for 255, Linux holds 4,095.
pub const INPUT_LIMIT: usize = 4096;
/// Bytes of output that writers may have waiting for the device.
pub const OUTPUT_LIMIT: usize = 4096;
/// Bytes of echo that may wait on top of [`OUTPUT_LIMIT`]; further echo is lost.
pub const ECHO_LIMIT: usize = 4096;
