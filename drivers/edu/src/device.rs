//! The device: its registers, its interrupt, and the memory that it copies from and to.

use neutrino_rt::Errno;
use neutrino_rt::interrupt::Interrupt;
use neutrino_rt::mmio::{Dma, Mmio};
use pci::Device;

/// Vendor and device.
const ID: (u16, u16) = (0x1234, 0x11e8);
/// Bytes of the device's own memory that are used: QEMU takes a copy that ends with the last one for
/// a copy beyond it, and aborts.
pub(crate) const BUFFER_BYTES: u64 = 4095;
/// Where it is, as the device counts.
const BUFFER: u64 = 0x4_0000;
/// Pulse of the interrupt.
pub(crate) const INTERRUPT: i8 = 1;

/// Offsets of registers (QEMU: docs/specs/edu.rst).
mod register {
    pub(super) const IDENTITY: usize = 0x00;
    pub(super) const ALIVE: usize = 0x04;
    pub(super) const FACTORIAL: usize = 0x08;
    pub(super) const STATUS: usize = 0x20;
    pub(super) const INTERRUPTS: usize = 0x24;
    pub(super) const ACKNOWLEDGE: usize = 0x64;
    pub(super) const SOURCE: usize = 0x80;
    pub(super) const TARGET: usize = 0x88;
    pub(super) const COUNT: usize = 0x90;
    pub(super) const COMMAND: usize = 0x98;
}

/// In the status register: interrupt when the factorial is there.
const TELL_FACTORIAL: u32 = 0x80;
/// In the interrupt register.
const FACTORIAL_DONE: u32 = 1;
const COPY_DONE: u32 = 0x100;
/// Commands: start, and interrupt when it is done; the direction is one bit.
const COPY: u64 = 1 | 4;
const FROM_DEVICE: u64 = 2;

/// The device.
pub(crate) struct Edu {
    registers: Mmio,
    pub(crate) memory: Dma,
    interrupt: Interrupt,
    function: Device,
}

/// What an interrupt tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Factorial(u32),
    Copy,
}

impl Edu {
    /// Takes the device with this name, or the first one that is free.
    ///
    /// # Errors
    /// ENODEV if there is none; EIO if it is not what it says.
    pub(crate) fn open(name: Option<&str>, pulses: u32) -> Result<Self, Errno> {
        let function = match name {
            Some(name) => Device::open(name)?,
            None => pci::functions()?
                .iter()
                .filter(|name| Device::look(name).is_ok_and(|function| function.id() == ID))
                .find_map(|name| Device::open(name).ok())
                .ok_or(Errno::ENODEV)?,
        };
        if function.id() != ID {
            return Err(Errno::ENODEV);
        }
        let registers = function.memory(0)?;
        let memory = function.dma(BUFFER_BYTES)?;
        let (interrupt, _) = function.interrupt(0, pulses, (INTERRUPT, 0))?;
        let edu = Self { registers, memory, interrupt, function };
        edu.check()?;
        edu.function.enable_dma()?;
        Ok(edu)
    }

    /// Whether it answers as an edu device does.
    fn check(&self) -> Result<(), Errno> {
        const LIVE: u32 = 0x0abc_1234;
        self.registers.write_u32(register::ALIVE, LIVE);
        let lives = self.registers.read_u32(register::ALIVE) == !LIVE;
        let is_edu = self.registers.read_u32(register::IDENTITY) & 0xffff == 0xed;
        if lives && is_edu { Ok(()) } else { Err(Errno::EIO) }
    }

    /// Starts to compute; an interrupt tells when it is done.
    pub(crate) fn compute(&self, number: u32) {
        self.registers.write_u32(register::STATUS, TELL_FACTORIAL);
        self.registers.write_u32(register::FACTORIAL, number);
    }

    /// Starts to copy the first `bytes` of the memory into the device's at `offset`.
    pub(crate) fn copy_in(&self, offset: u64, bytes: u64) {
        self.copy((self.memory.physical(0), BUFFER + offset), bytes, COPY);
    }

    /// Starts to copy bytes of the device's memory at `offset` to the beginning of the memory.
    pub(crate) fn copy_out(&self, offset: u64, bytes: u64) {
        self.copy((BUFFER + offset, self.memory.physical(0)), bytes, COPY | FROM_DEVICE);
    }

    fn copy(&self, (source, target): (u64, u64), bytes: u64, command: u64) {
        self.registers.write_u64(register::SOURCE, source);
        self.registers.write_u64(register::TARGET, target);
        self.registers.write_u64(register::COUNT, bytes);
        self.registers.write_u64(register::COMMAND, command);
    }

    /// Acknowledges an interrupt and tells what it was for.
    pub(crate) fn interrupt(&self) -> Option<Done> {
        let raised = self.registers.read_u32(register::INTERRUPTS);
        self.registers.write_u32(register::ACKNOWLEDGE, raised);
        self.interrupt.unmask();
        if raised & FACTORIAL_DONE != 0 {
            return Some(Done::Factorial(self.registers.read_u32(register::FACTORIAL)));
        }
        (raised & COPY_DONE != 0).then_some(Done::Copy)
    }
}
