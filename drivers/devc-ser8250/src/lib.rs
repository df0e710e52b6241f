//! The parts of `devc-ser8250` that need no machine: the 16550 and the options.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release builds"
)]

mod options;
mod uart;

pub use options::{Mistake, Mode, Options, PORT_LIMIT, Port};
pub use uart::{Device, Framing, Handshake, Modem, Received, Registers, Uart};
