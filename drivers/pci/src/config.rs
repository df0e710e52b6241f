//! What a function's configuration space says (PCI 3.0, chapter 6).
//!
//! `pci_types` has its own reader. It stops on a base address register of a reserved type and goes
//! round for ever on a list of capabilities that bites its tail; what stands here must live with a
//! device that answers anything.

use alloc::vec::Vec;

/// Offsets of registers.
pub mod register {
    /// Device and vendor.
    pub const ID: u16 = 0x00;
    /// Status and command.
    pub const COMMAND: u16 = 0x04;
    /// Class and revision.
    pub const CLASS: u16 = 0x08;
    /// Header type and more.
    pub const HEADER: u16 = 0x0c;
    /// The first base address register.
    pub const BAR: u16 = 0x10;
    /// Bus numbers of a bridge.
    pub const BUSES: u16 = 0x18;
    /// Pointer to the capabilities.
    pub const CAPABILITIES: u16 = 0x34;
    /// Interrupt pin and line.
    pub const INTERRUPT: u16 = 0x3c;
}

/// Bits of the command register.
pub mod command {
    /// Answers to ports.
    pub const IO: u32 = 1;
    /// Answers to memory addresses.
    pub const MEMORY: u32 = 1 << 1;
    /// May reach memory itself.
    pub const MASTER: u32 = 1 << 2;
    /// Must not use its interrupt pin.
    pub const NO_PIN: u32 = 1 << 10;
    /// The status register above: writing 0 there changes nothing.
    pub const MASK: u32 = 0xffff;
}

/// Identifiers of capabilities.
pub mod capability {
    /// Interrupts as messages.
    pub const MSI: u8 = 0x05;
    /// The vendor's own.
    pub const VENDOR: u8 = 0x09;
    /// Interrupts as messages, out of a table.
    pub const MSIX: u8 = 0x11;
}

/// Configuration space of one function, by aligned 32-bit registers.
pub trait Config {
    /// Reads a register; all ones where there is none.
    fn read(&self, offset: u16) -> u32;
    /// Writes a register.
    fn write(&self, offset: u16, value: u32);
}

/// The base address registers of an ordinary function.
pub const BARS: usize = 6;

/// A base address register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bar {
    /// Not there, the upper half of another, or nonsense.
    #[default]
    None,
    /// I/O ports.
    Ports {
        /// The first.
        base: u16,
        /// How many.
        count: u16,
    },
    /// Memory.
    Memory {
        /// Physical address; 0: firmware gave it none.
        address: u64,
        /// Bytes; a power of two.
        length: u64,
    },
}

/// Changes the command register, and leaves the status as it is.
pub fn command(config: &impl Config, set: u32, clear: u32) {
    let old = config.read(register::COMMAND) & command::MASK;
    config.write(register::COMMAND, old & !clear | set);
}

/// Reads the base address registers with their sizes. The function does not answer meanwhile.
pub fn bars(config: &impl Config) -> [Bar; BARS] {
    let old = config.read(register::COMMAND) & command::MASK;
    command(config, 0, command::IO | command::MEMORY);
    let mut bars = [Bar::None; BARS];
    let mut index = 0;
    while index < BARS {
        let (bar, registers) = bar(config, index);
        bars[index] = bar;
        index += registers;
    }
    config.write(register::COMMAND, old);
    bars
}

/// Reads one, and tells how many registers it takes.
fn bar(config: &impl Config, index: usize) -> (Bar, usize) {
    let at = register::BAR + 4 * index as u16;
    let value = config.read(at);
    if value & 1 != 0 {
        let mask = sizes(config, at) & 0xfffc;
        let count = (!mask & 0xffff).wrapping_add(1) as u16;
        let is_sound = mask != 0 && count.is_power_of_two();
        let ports = Bar::Ports { base: (value & 0xfffc) as u16, count };
        return (if is_sound { ports } else { Bar::None }, 1);
    }
    let low = u64::from(value & !0xf);
    match value >> 1 & 3 {
        0 => {
            let mask = sizes(config, at) & !0xf;
            let length = u64::from((!mask).wrapping_add(1));
            (memory(low, if mask == 0 { 0 } else { length }), 1)
        }
        2 if index + 1 < BARS => {
            let address = low | u64::from(config.read(at + 4)) << 32;
            let mask = u64::from(sizes(config, at) & !0xf) | u64::from(sizes(config, at + 4)) << 32;
            (memory(address, if mask == 0 { 0 } else { (!mask).wrapping_add(1) }), 2)
        }
        _ => (Bar::None, 1),
    }
}

fn memory(address: u64, length: u64) -> Bar {
    let fits = length.is_power_of_two() && address.checked_add(length).is_some();
    if fits { Bar::Memory { address, length } } else { Bar::None }
}

/// Which bits of a register stick, with the register as it was afterwards.
fn sizes(config: &impl Config, at: u16) -> u32 {
    let old = config.read(at);
    config.write(at, u32::MAX);
    let mask = config.read(at);
    config.write(at, old);
    mask
}

/// The capabilities of a function: identifier and offset of each.
#[must_use]
pub fn capabilities(config: &impl Config) -> Vec<(u8, u16)> {
    const FIRST: u16 = 0x40;
    const HAS_LIST: u32 = 1 << 20;
    let mut found = Vec::new();
    if config.read(register::COMMAND) & HAS_LIST == 0 {
        return found;
    }
    let mut at = (config.read(register::CAPABILITIES) & 0xfc) as u16;
    // Bound: the registers where one can stand; a list that bites its tail ends there.
    for _ in 0..(0x100 - FIRST) / 4 {
        if at < FIRST || found.iter().any(|(_, other)| *other == at) {
            break;
        }
        let value = config.read(at);
        found.push((value as u8, at));
        at = (value >> 8 & 0xfc) as u16;
    }
    found
}

/// Where the table of a function's interrupt messages is (PCI 3.0, 6.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageTable {
    /// Its capability.
    pub at: u16,
    /// Entries.
    pub entries: u16,
    /// Base address register with the table, and the offset there.
    pub table: (usize, u64),
    /// Base address register with the pending bits, and the offset there.
    pub pending: (usize, u64),
}

impl MessageTable {
    /// Bytes of an entry.
    pub const ENTRY: u64 = 16;

    /// Reads the capability at an offset.
    #[must_use]
    pub fn read(config: &impl Config, at: u16) -> Self {
        let place = |register: u32| ((register & 7) as usize, u64::from(register & !7));
        Self {
            at,
            entries: (config.read(at) >> 16 & 0x7ff) as u16 + 1,
            table: place(config.read(at + 4)),
            pending: place(config.read(at + 8)),
        }
    }

    /// How many bytes of a base address register of `length` bytes come before all pages with a part
    /// of the table or its pending bits: what may be handed out.
    #[must_use]
    pub fn limit(&self, index: usize, length: u64) -> u64 {
        const PAGE: u64 = 4096;
        [self.table, self.pending]
            .into_iter()
            .filter(|(bar, _)| *bar == index)
            .fold(length, |length, (_, offset)| length.min(offset & !(PAGE - 1)))
    }
}
