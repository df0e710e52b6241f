//! The device's registers (virtio 1.2, 4.1): which features it has, where its queues are.

use alloc::rc::Rc;
use alloc::vec::Vec;

use neutrino_rt::channel::Handle;
use neutrino_rt::interrupt::Interrupt;
use neutrino_rt::mmio::Mmio;
use neutrino_rt::{Errno, clock};
use pci::config::{Config as _, capability};
use pci::{Arrival, Device};

use crate::queue::Queue;

/// Features of all devices.
pub mod feature {
    /// The device follows the standard of version 1 or later.
    pub const VERSION_1: u64 = 1 << 32;
}

const VENDOR: u16 = 0x1af4;
/// PCI devices from here on are of the type that follows.
const MODERN: u16 = 0x1040;
/// Longest wait for a reset, in steps of a millisecond.
const RESET_STEPS: u32 = 1000;
const MILLISECOND: u64 = 1_000_000;

/// Types of register ranges.
const COMMON: u8 = 1;
const NOTIFY: u8 = 2;
const STATUS: u8 = 3;
const OWN: u8 = 4;

/// Offsets of the common registers.
mod register {
    pub(super) const DEVICE_SELECT: usize = 0;
    pub(super) const DEVICE_FEATURES: usize = 4;
    pub(super) const DRIVER_SELECT: usize = 8;
    pub(super) const DRIVER_FEATURES: usize = 12;
    pub(super) const CONFIG_VECTOR: usize = 16;
    pub(super) const STATE: usize = 20;
    pub(super) const QUEUE_SELECT: usize = 22;
    pub(super) const QUEUE_SIZE: usize = 24;
    pub(super) const QUEUE_VECTOR: usize = 26;
    pub(super) const QUEUE_ENABLE: usize = 28;
    pub(super) const QUEUE_NOTIFY: usize = 30;
    pub(super) const QUEUE_PLACES: usize = 32;
}

/// Bits of the state.
mod state {
    pub(super) const KNOWN: u8 = 1;
    pub(super) const DRIVEN: u8 = 2;
    pub(super) const READY: u8 = 4;
    pub(super) const FEATURES: u8 = 8;
}

/// No vector.
const NONE: u16 = 0xffff;

/// A range of registers.
#[derive(Clone, Debug)]
struct Range {
    registers: Rc<Mmio>,
    offset: usize,
    /// At the capability's end: how far notification registers are apart.
    multiplier: usize,
}

/// Registers that only this type of device has.
#[derive(Clone, Debug)]
pub struct Config(Range);

impl Config {
    /// Reads a register of 32 bits.
    #[must_use]
    pub fn read_u32(&self, offset: usize) -> u32 {
        self.0.registers.read_u32(self.0.offset + offset)
    }

    /// Reads two of them.
    #[must_use]
    pub fn read_u64(&self, offset: usize) -> u64 {
        u64::from(self.read_u32(offset + 4)) << 32 | u64::from(self.read_u32(offset))
    }

    /// Reads a byte.
    #[must_use]
    pub fn read_u8(&self, offset: usize) -> u8 {
        self.0.registers.read_u8(self.0.offset + offset)
    }
}

/// A device.
#[derive(Debug)]
pub struct Transport {
    function: Device,
    common: Range,
    notify: Range,
    status: Range,
    /// The registers of its type.
    pub config: Config,
    interrupt: Interrupt,
    arrival: Arrival,
    /// Offset of each queue's notification register.
    notifications: Vec<usize>,
}

/// Whether a function is a virtio device of a type, new or of the time between.
fn is_type(function: &Device, kind: u16, transitional: u16) -> bool {
    let (vendor, device) = function.id();
    vendor == VENDOR && (device == MODERN + kind || device == transitional)
}

impl Transport {
    /// Takes the device with this name, or the first free one, of a type; resets it and lets it send
    /// pulses with `code`.
    ///
    /// # Errors
    /// ENODEV if there is none; EIO if it lacks what the standard asks for.
    pub fn open(
        name: Option<&str>,
        (kind, transitional): (u16, u16),
        (pulses, code): (&Handle, i8),
    ) -> Result<Self, Errno> {
        let function = match name {
            Some(name) => Device::open(name)?,
            None => pci::functions()?
                .iter()
                .filter(|name| Device::look(name).is_ok_and(|f| is_type(&f, kind, transitional)))
                .find_map(|name| Device::open(name).ok())
                .ok_or(Errno::ENODEV)?,
        };
        if !is_type(&function, kind, transitional) {
            return Err(Errno::ENODEV);
        }
        let [common, notify, status, own] = ranges(&function)?;
        let (interrupt, arrival) = function.interrupt(0, pulses.raw(), (code, 0))?;
        let config = Config(own);
        let notifications = Vec::new();
        let transport =
            Self { function, common, notify, status, config, interrupt, arrival, notifications };
        transport.reset()?;
        transport.function.enable_dma()?;
        Ok(transport)
    }

    /// The function, to ask for memory.
    #[must_use]
    pub const fn function(&self) -> &Device {
        &self.function
    }

    fn read_u16(&self, at: usize) -> u16 {
        self.common.registers.read_u16(self.common.offset + at)
    }

    fn write_u16(&self, at: usize, value: u16) {
        self.common.registers.write_u16(self.common.offset + at, value);
    }

    fn read_u32(&self, at: usize) -> u32 {
        self.common.registers.read_u32(self.common.offset + at)
    }

    fn write_u32(&self, at: usize, value: u32) {
        self.common.registers.write_u32(self.common.offset + at, value);
    }

    fn state(&self) -> u8 {
        self.common.registers.read_u8(self.common.offset + register::STATE)
    }

    fn add_state(&self, bits: u8) {
        let state = self.state() | bits;
        self.common.registers.write_u8(self.common.offset + register::STATE, state);
    }

    /// Stops the device: it reaches no memory afterwards.
    ///
    /// # Errors
    /// EIO if it does not come to rest.
    // Bound: RESET_STEPS.
    pub fn reset(&self) -> Result<(), Errno> {
        self.common.registers.write_u8(self.common.offset + register::STATE, 0);
        for _ in 0..RESET_STEPS {
            if self.state() == 0 {
                return Ok(());
            }
            clock::sleep(MILLISECOND);
        }
        Err(Errno::EIO)
    }

    /// Agrees on features: those of `wanted` that the device has.
    ///
    /// # Errors
    /// EIO if the device has not all of `needed`, or does not agree.
    pub fn negotiate(&self, wanted: u64, needed: u64) -> Result<u64, Errno> {
        self.add_state(state::KNOWN | state::DRIVEN);
        let offered = [1, 0].into_iter().fold(0, |offered, half| {
            self.write_u32(register::DEVICE_SELECT, half);
            offered << 32 | u64::from(self.read_u32(register::DEVICE_FEATURES))
        });
        let needed = needed | feature::VERSION_1;
        let agreed = offered & (wanted | needed);
        if agreed & needed != needed {
            return Err(Errno::EIO);
        }
        for (half, bits) in [(0, agreed as u32), (1, (agreed >> 32) as u32)] {
            self.write_u32(register::DRIVER_SELECT, half);
            self.write_u32(register::DRIVER_FEATURES, bits);
        }
        self.add_state(state::FEATURES);
        if self.state() & state::FEATURES == 0 { Err(Errno::EIO) } else { Ok(agreed) }
    }

    /// Sets up the next queue, from 0 on, with at most `most` descriptors and requests of at most
    /// `parts` parts. Its interrupt is the device's only one.
    ///
    /// # Errors
    /// EIO if the device has no such queue; ENOMEM.
    pub fn queue(&mut self, most: u16, parts: u16) -> Result<Queue, Errno> {
        let index = u16::try_from(self.notifications.len()).map_err(|_| Errno::EIO)?;
        self.write_u16(register::QUEUE_SELECT, index);
        let largest = self.read_u16(register::QUEUE_SIZE).min(most);
        if largest == 0 {
            return Err(Errno::EIO);
        }
        // A power of two, as the standard asks for.
        let size = 1 << largest.ilog2();
        let queue = Queue::new(self.function.dma(Queue::bytes(size))?, size, parts)?;
        self.write_u16(register::QUEUE_SIZE, size);
        if self.arrival == Arrival::Message {
            self.write_u16(register::CONFIG_VECTOR, NONE);
            self.write_u16(register::QUEUE_VECTOR, 0);
            if self.read_u16(register::QUEUE_VECTOR) != 0 {
                return Err(Errno::EIO);
            }
        }
        for (at, place) in (register::QUEUE_PLACES..).step_by(8).zip(queue.places()) {
            self.write_u32(at, place as u32);
            self.write_u32(at + 4, (place >> 32) as u32);
        }
        let notify = usize::from(self.read_u16(register::QUEUE_NOTIFY)) * self.notify.multiplier;
        self.notifications.push(notify);
        self.write_u16(register::QUEUE_ENABLE, 1);
        Ok(queue)
    }

    /// Lets the device begin.
    pub fn start(&self) {
        self.add_state(state::READY);
    }

    /// Notifies the device of what a queue was told.
    pub fn notify(&self, queue: u16) {
        if let Some(offset) = self.notifications.get(usize::from(queue)) {
            self.notify.registers.write_u16(self.notify.offset + offset, queue);
        }
    }

    /// Acknowledges an interrupt.
    pub fn acknowledge(&self) {
        match self.arrival {
            Arrival::Message => {}
            Arrival::Wired => {
                // Reading takes the interrupt back.
                let _cause = self.status.registers.read_u8(self.status.offset);
                self.interrupt.unmask();
            }
        }
    }
}

/// The four ranges of registers, in the order of their types.
fn ranges(function: &Device) -> Result<[Range; 4], Errno> {
    const MULTIPLIER: u16 = 16;
    let mut mapped: Vec<(u8, Rc<Mmio>)> = Vec::new();
    let mut found = [COMMON, NOTIFY, STATUS, OWN].map(|_| None);
    for (id, at) in function.capabilities() {
        let [_, _, _, kind] = function.read(at).to_le_bytes();
        let place = usize::from(kind).wrapping_sub(1);
        if id != capability::VENDOR || found.get(place).is_none_or(Option::is_some) {
            continue;
        }
        let bar = function.read(at + 4) as u8;
        let registers = match mapped.iter().find(|(other, _)| *other == bar) {
            Some((_, registers)) => Rc::clone(registers),
            None => {
                let registers = Rc::new(function.memory(bar)?);
                mapped.push((bar, Rc::clone(&registers)));
                registers
            }
        };
        let multiplier = if kind == NOTIFY { function.read(at + MULTIPLIER) as usize } else { 0 };
        let offset = function.read(at + 8) as usize;
        found[place] = Some(Range { registers, offset, multiplier });
    }
    let [common, notify, status, own] = found.map(|range| range.ok_or(Errno::EIO));
    Ok([common?, notify?, status?, own?])
}
