//! Memory: protection and mapping flags, memory objects, and what a mapping looks like.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Pages are 4 KiB.
pub const PAGE_SIZE: u64 = 4096;
/// User addresses end here; the last page of the lower half is never mapped.
pub const USER_END: u64 = 0x7fff_ffff_f000;
/// Lowest address that may be mapped.
pub const USER_START: u64 = 0x1_0000;

/// Protection bits, as `mmap`'s.
pub mod prot {
    /// No access.
    pub const NONE: u32 = 0;
    /// Readable.
    pub const READ: u32 = 1;
    /// Writable.
    pub const WRITE: u32 = 2;
    /// Executable.
    pub const EXEC: u32 = 4;
    /// Uncached (device memory).
    pub const NOCACHE: u32 = 0x100;
}

/// Mapping flags, as `mmap`'s (Linux x86-64 values).
pub mod map {
    /// Writes go to the object.
    pub const SHARED: u32 = 0x01;
    /// Writes stay private (copy on write).
    pub const PRIVATE: u32 = 0x02;
    /// At exactly this address, replacing what is there.
    pub const FIXED: u32 = 0x10;
    /// Zero-filled memory of no object.
    pub const ANONYMOUS: u32 = 0x20;
    /// Charged when touched, not when mapped.
    pub const NORESERVE: u32 = 0x4000;
    /// Make the pages present now.
    pub const POPULATE: u32 = 0x8000;
    /// At exactly this address, or fail with EEXIST.
    pub const FIXED_NOREPLACE: u32 = 0x10_0000;
}

/// Arguments of `MemMap`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MapArgs {
    /// Wanted address, or 0 for "anywhere".
    pub address: u64,
    /// Length in bytes; rounded up to whole pages.
    pub length: u64,
    /// Protection ([`prot`]).
    pub protection: u32,
    /// Flags ([`map`]).
    pub flags: u32,
    /// Handle of the memory object; 0 with `ANONYMOUS`.
    pub object: u32,
    /// Not used; 0.
    pub reserved: u32,
    /// Offset into the object in bytes; a multiple of the page size.
    pub offset: u64,
}
crate::assert_size!(MapArgs, 40);

/// Arguments of `MemRemap` (Linux: `mremap`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct RemapArgs {
    /// Old address.
    pub address: u64,
    /// Old length in bytes.
    pub old_length: u64,
    /// New length in bytes.
    pub new_length: u64,
    /// New address with [`REMAP_FIXED`].
    pub new_address: u64,
    /// `REMAP_*` bits.
    pub flags: u32,
    /// Not used; 0.
    pub reserved: u32,
}
crate::assert_size!(RemapArgs, 40);
/// The mapping may move (Linux: `MREMAP_MAYMOVE`).
pub const REMAP_MAYMOVE: u32 = 1;
/// The mapping moves to `new_address` (Linux: `MREMAP_FIXED`).
pub const REMAP_FIXED: u32 = 2;

/// Kinds of memory object for `MemObjectCreate`.
pub mod object {
    /// Zero-filled on demand, shared by all who map it; all of it is charged at once.
    pub const ANONYMOUS: u32 = 0;
    /// Physically contiguous RAM, zeroed (for DMA); needs `able::PHYSICAL`.
    pub const CONTIGUOUS: u32 = 1;
    /// A physical range at a given address (device registers); needs `able::PHYSICAL`.
    pub const PHYSICAL: u32 = 2;
    /// The boot image, as the boot loader left it; read-only. Needs `able::PHYSICAL`.
    pub const BOOT_IMAGE: u32 = 3;
    /// The boot framebuffer, if there is one; see [`crate::info::Framebuffer`]. Needs `able::PHYSICAL`.
    pub const FRAMEBUFFER: u32 = 4;
    /// The kernel's clock page ([`crate::time::TimePage`]); read-only; free for all.
    pub const TIME_PAGE: u32 = 5;
    /// As [`ANONYMOUS`], but a page is charged when it is touched: ENOMEM or SIGBUS if none is left.
    pub const SPARSE: u32 = 6;
}

/// What `MemObjectInfo` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ObjectInfo {
    /// Size in bytes.
    pub size: u64,
    /// Pages present.
    pub resident_pages: u64,
    /// Physical address of a contiguous or physical object, else 0.
    pub physical: u64,
    /// Kind ([`object`]).
    pub kind: u32,
    /// System-wide number of the object: equal for two handles if they name the same one.
    pub identity: u32,
}
crate::assert_size!(ObjectInfo, 32);

/// One mapping, as `SpaceMapping` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MappingInfo {
    /// First address.
    pub start: u64,
    /// Address behind the last byte.
    pub end: u64,
    /// Offset into the object.
    pub offset: u64,
    /// Protection ([`prot`]).
    pub protection: u32,
    /// `SHARED` or `PRIVATE`, and `ANONYMOUS` and `NORESERVE` where they apply.
    pub flags: u32,
    /// System-wide number of the object, 0 for anonymous memory.
    pub object: u32,
    /// Pages present.
    pub resident_pages: u32,
}
crate::assert_size!(MappingInfo, 40);
