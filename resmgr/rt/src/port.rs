//! I/O ports of a device.

use crate::channel::Handle;
use crate::sys::{pure, pure_u32};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;

/// A range of I/O ports.
#[derive(Debug)]
pub struct IoPort(Handle);

impl IoPort {
    /// Claims `count` ports from `base` on; needs `able::IO`.
    ///
    /// # Errors
    /// EPERM, EINVAL, EAGAIN.
    pub fn attach(base: u16, count: u16) -> Result<Self, Errno> {
        let call = Call::PortAttach { base: u32::from(base), count: u32::from(count) };
        pure_u32(call).map(|number| Self(Handle::from_raw(number)))
    }

    /// Takes charge of a handle on ports that the caller was given.
    #[must_use]
    pub const fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The handle alone.
    #[must_use]
    pub fn into_handle(self) -> Handle {
        self.0
    }

    /// Reads a byte; 0xff (as an empty bus) if `offset` is outside the range.
    #[must_use]
    pub fn read_u8(&self, offset: u16) -> u8 {
        self.read(offset, 1) as u8
    }

    /// Reads a 16-bit word; all ones if `offset` is outside the range.
    #[must_use]
    pub fn read_u16(&self, offset: u16) -> u16 {
        self.read(offset, 2) as u16
    }

    /// Reads a 32-bit word; all ones if `offset` is outside the range.
    #[must_use]
    pub fn read_u32(&self, offset: u16) -> u32 {
        self.read(offset, 4)
    }

    /// Writes a byte; nothing happens if `offset` is outside the range.
    pub fn write_u8(&self, offset: u16, value: u8) {
        self.write(offset, 1, u32::from(value));
    }

    /// Writes a 16-bit word; nothing happens if `offset` is outside the range.
    pub fn write_u16(&self, offset: u16, value: u16) {
        self.write(offset, 2, u32::from(value));
    }

    /// Writes a 32-bit word; nothing happens if `offset` is outside the range.
    pub fn write_u32(&self, offset: u16, value: u32) {
        self.write(offset, 4, value);
    }

    fn read(&self, offset: u16, width: u32) -> u32 {
        let call = Call::PortRead { port: self.0.raw(), offset: u32::from(offset), width };
        pure_u32(call).unwrap_or(u32::MAX)
    }

    fn write(&self, offset: u16, width: u32, value: u32) {
        let call = Call::PortWrite { port: self.0.raw(), offset: u32::from(offset), width, value };
        let _outside_the_range = pure(call);
    }
}
