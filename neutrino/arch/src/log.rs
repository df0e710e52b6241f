//! The kernel's log: QEMU's debug console, and COM1 too once all is lost.

use core::fmt::{self, Write};

use x86_64::instructions::port::Port;

const DEBUG_CONSOLE: u16 = 0xe9;
const COM1: u16 = 0x3f8;
const COM1_STATUS: u16 = COM1 + 5;
const TRANSMITTER_EMPTY: u8 = 0x20;
/// Polls before a dead UART is given up.
const PATIENCE: u32 = 100_000;

/// Writes bytes to the debug console.
pub(crate) fn write(bytes: &[u8]) {
    let mut port = Port::<u8>::new(DEBUG_CONSOLE);
    for &byte in bytes {
        // SAFETY: the port is the debug console's or nobody's.
        unsafe { port.write(byte) };
    }
}

fn write_com1(byte: u8) {
    let mut status = Port::<u8>::new(COM1_STATUS);
    let mut data = Port::<u8>::new(COM1);
    // Bound: PATIENCE.
    for _ in 0..PATIENCE {
        // SAFETY: reading the line status changes nothing that matters in a panic.
        if unsafe { status.read() } & TRANSMITTER_EMPTY != 0 {
            break;
        }
    }
    // SAFETY: the console driver that owns the UART will not run again.
    unsafe { data.write(byte) };
}

/// Formats to the debug console.
#[derive(Debug)]
pub(crate) struct Log;

impl Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

/// Formats to the debug console and COM1.
#[derive(Debug)]
pub(crate) struct Epitaph;

impl Write for Epitaph {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        for byte in text.bytes() {
            if byte == b'\n' {
                write_com1(b'\r');
            }
            write_com1(byte);
        }
        Ok(())
    }
}
