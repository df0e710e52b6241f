//! One function: what it has, and what its driver was given.

use alloc::vec::Vec;

use neutrino_rt::Errno;
use neutrino_rt::abi::memory::object;
use neutrino_rt::channel::Handle;
use neutrino_rt::interrupt::{Interrupt, Message};
use neutrino_rt::memory::MemObject;
use neutrino_rt::mmio::Mmio;
use neutrino_rt::port::IoPort;
use pci::PciAddress;
use pci::config::{
    self, BARS, Bar, Config, MessageTable, bars, capabilities, capability, command, register,
};
use pci::message::{Given, given};
use resmgr::Attributes;

/// Most memory that one device is given.
const DMA_BYTES: u64 = 64 << 20;
/// Most pieces of memory, and most interrupts, of one device.
const PIECES: usize = 64;
const PAGE: u64 = 4096;

/// A function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) address: PciAddress,
    pub(crate) attributes: Attributes,
    pub(crate) bars: [Bar; BARS],
    interrupts: Source,
    grant: Option<Grant>,
}

/// How its interrupts come, the best way that it has.
#[derive(Clone, Copy, Debug)]
enum Source {
    None,
    Table(MessageTable),
    Message { at: u16 },
    Wire { line: u32 },
}

/// What its driver was given, to be taken back.
#[derive(Debug, Default)]
struct Grant {
    memory: Vec<MemObject>,
    bytes: u64,
    interrupts: Vec<(u16, Interrupt)>,
    table: Option<Mmio>,
}

/// A handle to give away, and what is told about it. It may be closed when it was given.
pub(crate) struct Gift {
    /// Closed with this.
    pub(crate) _owned: Option<Handle>,
    /// Its number.
    pub(crate) number: u32,
    /// What is told.
    pub(crate) given: Given,
}

impl Function {
    /// Looks at a function.
    pub(crate) fn new(address: PciAddress, config: &impl Config, attributes: Attributes) -> Self {
        const ORDINARY: u32 = 0;
        let is_ordinary = config.read(register::HEADER) >> 16 & 0x7f == ORDINARY;
        let bars = if is_ordinary { bars(config) } else { [Bar::None; BARS] };
        Self { address, attributes, bars, interrupts: source(config), grant: None }
    }

    /// Whether a driver has it.
    pub(crate) const fn is_taken(&self) -> bool {
        self.grant.is_some()
    }

    /// A driver has it now.
    pub(crate) fn take(&mut self) {
        self.grant = Some(Grant::default());
    }

    /// Its driver is gone: the device is kept from memory first, and then its memory is let go.
    pub(crate) fn release(&mut self, config: &impl Config) {
        let Some(grant) = self.grant.take() else { return };
        config::command(config, command::NO_PIN, command::MASTER);
        match self.interrupts {
            Source::Table(MessageTable { at, entries, .. }) => {
                config.write(at, config.read(at) & !TABLE_ENABLE);
                if let Some(table) = &grant.table {
                    (0..entries).for_each(|entry| table.write_u32(control(entry), MASKED));
                }
            }
            Source::Message { at } => config.write(at, config.read(at) & !MESSAGE_ENABLE),
            Source::None | Source::Wire { .. } => {}
        }
    }

    /// Whether one of its ranges has a part of these addresses.
    pub(crate) fn touches(&self, start: u64, end: u64) -> bool {
        self.bars.iter().any(|bar| match *bar {
            Bar::Memory { address, length } => address < end && start < address + length,
            Bar::None | Bar::Ports { .. } => false,
        })
    }

    /// The addresses of a range that may be handed out: whole pages, if nobody else has a part.
    pub(crate) fn window(&self, index: usize) -> Option<(u64, u64)> {
        match *self.bars.get(index)? {
            Bar::Memory { address, length } => {
                let limit = match &self.interrupts {
                    Source::Table(table) => table.limit(index, length),
                    Source::None | Source::Message { .. } | Source::Wire { .. } => length,
                };
                Some((address, address + limit))
            }
            Bar::None | Bar::Ports { .. } => None,
        }
    }

    /// A base address register's range, and lets the device answer there.
    ///
    /// # Errors
    /// ENXIO if there is none, or it has no address, or nothing of it can be handed out.
    pub(crate) fn range(&self, index: usize, config: &impl Config) -> Result<Gift, Errno> {
        if let Some(Bar::Ports { base, count }) = self.bars.get(index) {
            let ports = IoPort::attach(*base, *count)?;
            config::command(config, command::IO, 0);
            let given = Given { kind: given::PORTS, length: u64::from(*count), ..Given::default() };
            return Ok(Gift::owned(ports.into_handle(), given));
        }
        let (start, end) =
            self.window(index).filter(|(s, e)| *s != 0 && e > s).ok_or(Errno::ENXIO)?;
        let offset = start % PAGE;
        let object = MemObject::create(object::PHYSICAL, end - start + offset, start - offset)?;
        config::command(config, command::MEMORY, 0);
        let given = Given { kind: given::MEMORY, offset, length: end - start, handle: 0 };
        Ok(Gift::owned(object.into_handle(), given))
    }

    /// Memory for the device. It stays here, too, so that it is not used again while the device may
    /// still reach it.
    ///
    /// # Errors
    /// ENOMEM beyond what one device may have.
    pub(crate) fn memory(&mut self, size: u64) -> Result<Gift, Errno> {
        let grant = self.grant.as_mut().ok_or(Errno::EBADF)?;
        let size = size.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
        let total = grant.bytes.checked_add(size).ok_or(Errno::ENOMEM)?;
        if total > DMA_BYTES || grant.memory.len() >= PIECES {
            return Err(Errno::ENOMEM);
        }
        let object = MemObject::create(object::CONTIGUOUS, size, 0)?;
        let given = Given { kind: given::RAM, length: size, ..Given::default() };
        let gift = Gift { _owned: None, number: object.raw(), given };
        grant.memory.push(object);
        grant.bytes = total;
        Ok(gift)
    }

    /// An interrupt; asked for again, it is the same one.
    ///
    /// # Errors
    /// ENXIO if there is none; EAGAIN.
    pub(crate) fn interrupt(&mut self, index: u16, config: &impl Config) -> Result<Gift, Errno> {
        let source = self.interrupts;
        let kind = match source {
            Source::Table(table) if index < table.entries => given::MESSAGE,
            Source::Message { .. } if index == 0 => given::MESSAGE,
            Source::Wire { .. } if index == 0 => given::WIRED,
            Source::None | Source::Table(_) | Source::Message { .. } | Source::Wire { .. } => {
                return Err(Errno::ENXIO);
            }
        };
        let given = Given { kind, ..Given::default() };
        let grant = self.grant.as_mut().ok_or(Errno::EBADF)?;
        if let Some((_, held)) = grant.interrupts.iter().find(|(other, _)| *other == index) {
            return Ok(Gift { _owned: None, number: held.raw(), given });
        }
        if grant.interrupts.len() >= PIECES {
            return Err(Errno::EAGAIN);
        }
        let held = match source {
            Source::None => return Err(Errno::ENXIO),
            Source::Wire { line } => {
                let held = Interrupt::reserve(line)?;
                config::command(config, 0, command::NO_PIN);
                held
            }
            Source::Message { at } => {
                let (held, message) = Interrupt::reserve_message()?;
                set_message(config, at, message);
                held
            }
            Source::Table(table) => {
                let entries = grant.entries(&self.bars, table)?;
                let (held, message) = Interrupt::reserve_message()?;
                set_entry(entries, index, message);
                config::command(config, command::NO_PIN, 0);
                let old = config.read(table.at) & !TABLE_MASK;
                config.write(table.at, old | TABLE_ENABLE);
                held
            }
        };
        let number = held.raw();
        grant.interrupts.push((index, held));
        Ok(Gift { _owned: None, number, given })
    }
}

impl Gift {
    fn owned(handle: Handle, given: Given) -> Self {
        Self { number: handle.raw(), _owned: Some(handle), given }
    }
}

impl Grant {
    /// The table of messages, mapped at first use.
    fn entries(&mut self, bars: &[Bar; BARS], place: MessageTable) -> Result<&Mmio, Errno> {
        let (index, offset) = place.table;
        let size = u64::from(place.entries) * MessageTable::ENTRY;
        let Some(Bar::Memory { address, length }) = bars.get(index) else {
            return Err(Errno::EIO);
        };
        if *address == 0 || offset.checked_add(size).is_none_or(|end| end > *length) {
            return Err(Errno::EIO);
        }
        let start = address + offset;
        let before = start % PAGE;
        if self.table.is_none() {
            let object = MemObject::create(object::PHYSICAL, before + size, start - before)?;
            self.table = Some(Mmio::map_part(object, before, size)?);
        }
        self.table.as_ref().ok_or(Errno::EIO)
    }
}

/// In the message control of a table, read with the capability.
const TABLE_ENABLE: u32 = 1 << 31;
const TABLE_MASK: u32 = 1 << 30;
/// In the control word of an entry.
const MASKED: u32 = 1;
/// In the message control of a single message.
const MESSAGE_ENABLE: u32 = 1 << 16;
const SEVERAL: u32 = 7 << 20;
const WIDE: u32 = 1 << 23;

/// Offset of the control word of a table's entry.
fn control(entry: u16) -> usize {
    usize::from(entry) * MessageTable::ENTRY as usize + 12
}

fn set_entry(table: &Mmio, entry: u16, message: Message) {
    let last = control(entry);
    table.write_u32(last, MASKED);
    table.write_u32(last - 12, message.address);
    table.write_u32(last - 8, 0);
    table.write_u32(last - 4, message.data);
    table.write_u32(last, 0);
}

fn set_message(config: &impl Config, at: u16, message: Message) {
    let control = config.read(at) & !(SEVERAL | MESSAGE_ENABLE);
    config.write(at, control);
    config.write(at + 4, message.address);
    let data = if control & WIDE == 0 {
        at + 8
    } else {
        config.write(at + 8, 0);
        at + 12
    };
    config.write(data, config.read(data) & !0xffff | message.data);
    config::command(config, command::NO_PIN, 0);
    config.write(at, control | MESSAGE_ENABLE);
}

fn source(config: &impl Config) -> Source {
    // Of ISA's interrupts, those that PCI's wires may lead to.
    const LINES: core::ops::Range<u32> = 3..16;
    let all = capabilities(config);
    let find = |wanted| all.iter().find(|(id, _)| *id == wanted).map(|(_, at)| *at);
    if let Some(at) = find(capability::MSIX) {
        return Source::Table(MessageTable::read(config, at));
    }
    if let Some(at) = find(capability::MSI) {
        return Source::Message { at };
    }
    let interrupt = config.read(register::INTERRUPT);
    let (pin, line) = (interrupt >> 8 & 0xff, interrupt & 0xff);
    if pin != 0 && LINES.contains(&line) { Source::Wire { line } } else { Source::None }
}
