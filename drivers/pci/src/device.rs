//! The driver's side: a function that it has opened.

use crate::config;
use crate::message::{Ask, Given, PCI_BAR, PCI_DMA, PCI_INTERRUPT, PCI_MASTER, given};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use io_msg::stat::open;
use neutrino_rt::abi::handle::SIDE_CHANNEL;
use neutrino_rt::abi::message::SendExtra;
use neutrino_rt::channel::Handle;
use neutrino_rt::interrupt::Interrupt;
use neutrino_rt::memory::MemObject;
use neutrino_rt::mmio::{Dma, Mmio};
use neutrino_rt::port::IoPort;
use neutrino_rt::{Errno, file, message, path};
use zerocopy::IntoBytes;

/// Bytes of configuration space that drivers look at.
const CONFIG_BYTES: usize = 256;

/// A function, with its configuration as it was when it was opened.
#[derive(Debug)]
pub struct Device {
    file: Handle,
    config: [u8; CONFIG_BYTES],
}

/// How an interrupt comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// On a wire that other devices may share: masked until [`Interrupt::unmask`].
    Wired,
    /// As a message, which nothing masks.
    Message,
}

impl Device {
    /// Takes a function (`0000:00:04.0`) for the caller alone, until it is dropped. The server then
    /// keeps it from memory and interrupts.
    ///
    /// # Errors
    /// ENOENT, EACCES, EBUSY.
    pub fn open(name: &str) -> Result<Self, Errno> {
        Self::open_for(name, open::RDWR)
    }

    /// Opens a function only to read its configuration.
    ///
    /// # Errors
    /// ENOENT.
    pub fn look(name: &str) -> Result<Self, Errno> {
        Self::open_for(name, open::RDONLY)
    }

    fn open_for(name: &str, access: u32) -> Result<Self, Errno> {
        let path = format!("/dev/pci/{name}");
        let file = path::open(path.as_bytes(), access | open::CLOEXEC, 0, 0)?;
        let mut config = [0; CONFIG_BYTES];
        if file::read(file.raw(), &mut config)? < CONFIG_BYTES {
            return Err(Errno::EIO);
        }
        Ok(Self { file, config })
    }

    /// Vendor and device.
    #[must_use]
    pub fn id(&self) -> (u16, u16) {
        let id = config::Config::read(self, config::register::ID);
        (id as u16, (id >> 16) as u16)
    }

    /// Base class, sub-class, interface and revision.
    #[must_use]
    pub fn class(&self) -> [u8; 4] {
        config::Config::read(self, config::register::CLASS).to_be_bytes()
    }

    /// The capabilities: identifier and offset of each.
    #[must_use]
    pub fn capabilities(&self) -> Vec<(u8, u16)> {
        config::capabilities(self)
    }

    /// Register range `index` in memory.
    ///
    /// # Errors
    /// ENXIO if there is none or it consists of ports; EPERM if other devices are in its pages.
    pub fn memory(&self, index: u8) -> Result<Mmio, Errno> {
        let (handle, given) = self.ask(PCI_BAR, index.into(), 0)?;
        if given.kind != given::MEMORY {
            return Err(Errno::ENXIO);
        }
        Mmio::map_part(MemObject::from_handle(handle), given.offset, given.length)
    }

    /// Register range `index` of ports.
    ///
    /// # Errors
    /// ENXIO if there is none or it is in memory.
    pub fn ports(&self, index: u8) -> Result<IoPort, Errno> {
        let (handle, given) = self.ask(PCI_BAR, index.into(), 0)?;
        if given.kind != given::PORTS {
            return Err(Errno::ENXIO);
        }
        Ok(IoPort::from_handle(handle))
    }

    /// Memory for the device: at least `bytes`, zeroed, in one piece.
    ///
    /// # Errors
    /// ENOMEM, EAGAIN.
    pub fn dma(&self, bytes: u64) -> Result<Dma, Errno> {
        let (handle, _) = self.ask(PCI_DMA, 0, bytes)?;
        Dma::map(MemObject::from_handle(handle))
    }

    /// Interrupt `index`, as pulses with `code` and `value` on `coid`; a function has several only
    /// if it has a table of messages.
    ///
    /// # Errors
    /// ENXIO if there is none; EAGAIN.
    pub fn interrupt(
        &self,
        index: u16,
        coid: u32,
        (code, value): (i8, u64),
    ) -> Result<(Interrupt, Arrival), Errno> {
        let (line, given) = self.ask(PCI_INTERRUPT, index, 0)?;
        let arrival = if given.kind == given::WIRED { Arrival::Wired } else { Arrival::Message };
        Ok((Interrupt::attach_given(&line, coid, code, value)?, arrival))
    }

    /// Lets the device reach memory; it has to be reset before (see [`PCI_MASTER`]).
    ///
    /// # Errors
    /// EBADF if the function is not open for writing.
    pub fn enable_dma(&self) -> Result<(), Errno> {
        let ask = Ask { kind: PCI_MASTER, ..Ask::default() };
        message::send(self.file.raw(), ask.as_bytes(), &mut []).map(drop)
    }

    fn ask(&self, kind: u16, index: u16, size: u64) -> Result<(Handle, Given), Errno> {
        let ask = Ask { kind, index, zero: 0, size };
        let mut given = Given::default();
        let extra =
            SendExtra { accepted_count: 1, accepted_minimum: SIDE_CHANNEL, ..SendExtra::default() };
        let reply = given.as_mut_bytes();
        message::send_extra(self.file.raw(), ask.as_bytes(), reply, Some(&extra))?;
        Ok((Handle::from_raw(given.handle), given))
    }
}

impl config::Config for Device {
    fn read(&self, offset: u16) -> u32 {
        let at = usize::from(offset);
        self.config.get(at..at + 4).map_or(u32::MAX, |bytes| {
            bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
        })
    }

    fn write(&self, _: u16, _: u32) {}
}

/// The names of all functions, in order.
///
/// # Errors
/// ENOENT if `/dev/pci` is not served.
pub fn functions() -> Result<Vec<String>, Errno> {
    let directory = path::open(b"/dev/pci", open::DIRECTORY, 0, 0)?;
    let mut found = Vec::new();
    let mut buffer = [0_u8; 4096];
    // Bound: the entries of the directory.
    loop {
        let length = file::read_directory(directory.raw(), &mut buffer)?;
        if length == 0 {
            found.sort_unstable();
            return Ok(found);
        }
        file::names(&buffer[..length], |name| {
            if !name.starts_with('.') {
                found.push(String::from(name));
            }
        });
    }
}
