//! Reaching configuration space: by the old ports, or by memory where the chip set has that.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use core::cell::RefCell;

use neutrino_rt::Errno;
use neutrino_rt::abi::memory::object;
use neutrino_rt::memory::MemObject;
use neutrino_rt::mmio::Mmio;
use neutrino_rt::port::IoPort;
use pci::PciAddress;
use pci::config::{Config, register};

/// Bytes of configuration space by the ports.
const OLD_BYTES: u16 = 256;
/// And by memory.
const EXPRESS_BYTES: u16 = 4096;
/// Intel's Q35 host bridge, and its register with the place of configuration space in memory.
const Q35: u32 = 0x29c0_8086;
const Q35_PLACE: u16 = 0x60;

/// Both ways.
#[derive(Debug)]
pub(crate) struct Access {
    ports: IoPort,
    express: Option<Express>,
}

#[derive(Debug)]
struct Express {
    base: u64,
    buses: RefCell<BTreeMap<u8, Mmio>>,
}

impl Access {
    /// Looks what there is.
    ///
    /// # Errors
    /// EPERM without the right to ports.
    pub(crate) fn new() -> Result<Self, Errno> {
        let mut access = Self { ports: IoPort::attach(0xcf8, 8)?, express: None };
        let host = PciAddress::new(0, 0, 0, 0);
        if access.read(host, register::ID) == Q35 {
            let [low, high] = [0, 4].map(|at| access.read(host, Q35_PLACE + at));
            access.express = Express::new(u64::from(high) << 32 | u64::from(low));
        }
        Ok(access)
    }

    /// Bytes of configuration space of a function.
    pub(crate) const fn bytes(&self) -> u16 {
        if self.express.is_some() { EXPRESS_BYTES } else { OLD_BYTES }
    }

    /// Configuration space of one function.
    pub(crate) const fn of(&self, address: PciAddress) -> Function<'_> {
        Function { access: self, address }
    }

    fn read(&self, address: PciAddress, offset: u16) -> u32 {
        if let Some(value) = self.express.as_ref().and_then(|e| e.read(address, offset)) {
            return value;
        }
        match select(address, offset) {
            Some(selected) => {
                self.ports.write_u32(0, selected);
                self.ports.read_u32(4)
            }
            None => u32::MAX,
        }
    }

    fn write(&self, address: PciAddress, offset: u16, value: u32) {
        if self.express.as_ref().is_some_and(|e| e.write(address, offset, value)) {
            return;
        }
        if let Some(selected) = select(address, offset) {
            self.ports.write_u32(0, selected);
            self.ports.write_u32(4, value);
        }
    }
}

/// What the address port takes.
fn select(address: PciAddress, offset: u16) -> Option<u32> {
    const ENABLE: u32 = 1 << 31;
    let function = u32::from(address.device()) << 3 | u32::from(address.function());
    let place = u32::from(address.bus()) << 16 | function << 8;
    (offset < OLD_BYTES).then(|| ENABLE | place | u32::from(offset & 0xfc))
}

impl Express {
    fn new(register: u64) -> Option<Self> {
        const ENABLED: u64 = 1;
        const PLACE: u64 = 0xf_f000_0000;
        let base = register & PLACE;
        (register & ENABLED != 0 && base != 0).then(|| Self { base, buses: RefCell::default() })
    }

    /// Does something with the registers of a bus, which are mapped at first use.
    fn with<T>(&self, bus: u8, act: impl FnOnce(&Mmio) -> T) -> Option<T> {
        const BUS_BYTES: u64 = 1 << 20;
        let mut buses = self.buses.borrow_mut();
        let registers = match buses.entry(bus) {
            Entry::Occupied(mapped) => mapped.into_mut(),
            Entry::Vacant(place) => {
                let at = self.base + u64::from(bus) * BUS_BYTES;
                let registers = MemObject::create(object::PHYSICAL, BUS_BYTES, at).ok()?;
                place.insert(Mmio::map(registers, BUS_BYTES).ok()?)
            }
        };
        Some(act(registers))
    }

    fn read(&self, address: PciAddress, offset: u16) -> Option<u32> {
        self.with(address.bus(), |bus| bus.read_u32(place(address, offset)))
    }

    fn write(&self, address: PciAddress, offset: u16, value: u32) -> bool {
        self.with(address.bus(), |bus| bus.write_u32(place(address, offset), value)).is_some()
    }
}

fn place(address: PciAddress, offset: u16) -> usize {
    usize::from(address.device()) << 15
        | usize::from(address.function()) << 12
        | usize::from(offset & 0xffc)
}

/// Configuration space of one function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function<'a> {
    access: &'a Access,
    address: PciAddress,
}

impl Config for Function<'_> {
    fn read(&self, offset: u16) -> u32 {
        self.access.read(self.address, offset)
    }

    fn write(&self, offset: u16, value: u32) {
        self.access.write(self.address, offset, value);
    }
}
