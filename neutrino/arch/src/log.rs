//! The kernel's log: QEMU's debug console, and COM1 too once all is lost.
//!
//! Numbers are written here: `core::fmt` would be a tenth of the kernel's code.

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

/// Where words and numbers can be written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Log {
    /// The debug console.
    Console,
    /// The debug console and COM1.
    Epitaph,
}

impl Log {
    /// Writes words.
    #[inline(never)]
    pub(crate) fn text(self, text: &str) -> Self {
        write(text.as_bytes());
        match self {
            Self::Console => {}
            Self::Epitaph => {
                for byte in text.bytes() {
                    if byte == b'\n' {
                        write_com1(b'\r');
                    }
                    write_com1(byte);
                }
            }
        }
        self
    }

    /// Writes a number in decimal digits.
    pub(crate) fn decimal(self, value: u64) -> Self {
        self.number(value, 10, 1)
    }

    /// Writes a number in 16 hexadecimal digits.
    pub(crate) fn hex(self, value: u64) -> Self {
        self.number(value, 16, 16)
    }

    #[inline(never)]
    fn number(self, value: u64, base: u64, digits_min: usize) -> Self {
        const DIGITS_MAX: usize = 20;
        let mut text = [b'0'; DIGITS_MAX];
        let mut rest = value;
        let mut used = 0;
        // Bound: DIGITS_MAX.
        for (index, place) in text.iter_mut().enumerate().rev() {
            let digit = (rest % base) as u8;
            *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            rest /= base;
            used = index;
            if rest == 0 {
                break;
            }
        }
        let digits = text.get(used.min(DIGITS_MAX - digits_min)..).unwrap_or_default();
        self.text(core::str::from_utf8(digits).unwrap_or_default())
    }
}
