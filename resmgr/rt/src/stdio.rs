//! Standard output and error, and the kernel's log.

use crate::file;
use crate::sys::pure;
use core::fmt::{self, Write};
use neutrino_abi::calls::Call;

/// A descriptor to write text to.
#[derive(Clone, Copy, Debug)]
pub struct Stream(pub u32);

impl Write for Stream {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        file::write_all(self.0, text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// The kernel's log.
#[derive(Clone, Copy, Debug)]
pub struct Log;

impl Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let address = text.as_ptr().addr() as u64;
        let length = u32::try_from(text.len()).map_err(|_| fmt::Error)?;
        pure(Call::DebugWrite { address, length }).map(drop).map_err(|_| fmt::Error)
    }
}

/// Writes formatted text in one piece; failures are ignored, as nobody is left to be told.
pub fn print_to(mut stream: impl Write, arguments: fmt::Arguments<'_>) {
    let text = alloc::fmt::format(arguments);
    let _nobody_to_tell = stream.write_str(&text);
}

/// Prints to standard output.
#[macro_export]
macro_rules! print {
    ($($part:tt)*) => { $crate::stdio::print_to($crate::stdio::Stream(1), format_args!($($part)*)) };
}

/// Prints a line to standard output.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($part:tt)*) => { $crate::print!("{}\n", format_args!($($part)*)) };
}

/// Prints a line to standard error.
#[macro_export]
macro_rules! eprintln {
    ($($part:tt)*) => {
        $crate::stdio::print_to(
            $crate::stdio::Stream(2),
            format_args!("{}\n", format_args!($($part)*)),
        )
    };
}

/// Prints a line to the kernel's log.
#[macro_export]
macro_rules! log {
    ($($part:tt)*) => {
        $crate::stdio::print_to($crate::stdio::Log, format_args!("{}\n", format_args!($($part)*)))
    };
}
