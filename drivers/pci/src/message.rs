//! Messages on an open function, which has to be open for writing.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Gives a base address register's range: a memory object, or ports. Reply: [`Given`].
pub const PCI_BAR: u16 = 0x1000;
/// Gives memory for the device: one piece, zeroed. Reply: [`Given`].
pub const PCI_DMA: u16 = 0x1001;
/// Gives one of its interrupts, to be attached to by handle. Reply: [`Given`].
pub const PCI_INTERRUPT: u16 = 0x1002;
/// Lets the device reach memory. A driver says so when it has reset the device, which may still
/// remember where its last driver had its memory.
pub const PCI_MASTER: u16 = 0x1003;

/// Any of the messages.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ask {
    /// Type.
    pub kind: u16,
    /// Which base address register or interrupt.
    pub index: u16,
    /// Not used; 0.
    pub zero: u32,
    /// `PCI_DMA`: how many bytes.
    pub size: u64,
}

/// What was given.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Given {
    /// The handle in the caller's table.
    pub handle: u32,
    /// What it is ([`given`]).
    pub kind: u32,
    /// `MEMORY`: where the range begins in the object.
    pub offset: u64,
    /// `MEMORY`, `PORTS`, `RAM`: bytes. May be less than the register's range: the pages from the
    /// interrupt table on stay with the server.
    pub length: u64,
}

/// Kinds of what was given.
pub mod given {
    /// A memory object of registers.
    pub const MEMORY: u32 = 1;
    /// I/O ports.
    pub const PORTS: u32 = 2;
    /// RAM for the device, contiguous.
    pub const RAM: u32 = 3;
    /// An interrupt line that is wired and may be shared.
    pub const WIRED: u32 = 4;
    /// An interrupt that comes as a message: the device's own, and never masked.
    pub const MESSAGE: u32 = 5;
}
