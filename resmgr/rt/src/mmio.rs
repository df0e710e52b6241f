//! Device registers, framebuffers and memory that a device shares, as windows of typed accesses.

use crate::memory::MemObject;
use neutrino_abi::Errno;
use neutrino_abi::memory::prot;

/// A mapped range of device memory. Accesses outside it read all ones and write nothing.
#[derive(Debug)]
pub struct Mmio {
    address: usize,
    length: usize,
    object: MemObject,
}

macro_rules! accesses {
    ($($read:ident $write:ident $type:ty, $width:literal;)+) => {
        impl Mmio { $(
            #[doc = concat!("Reads the aligned ", $width, " register at `offset`.")]
            #[must_use]
            #[inline]
            pub fn $read(&self, offset: usize) -> $type {
                match self.pointer::<$type>(offset) {
                    // SAFETY: `pointer` checked range and alignment; the mapping lives as long as
                    // `self`.
                    Some(pointer) => unsafe { pointer.read_volatile() },
                    None => <$type>::MAX,
                }
            }

            #[doc = concat!("Writes the aligned ", $width, " register at `offset`.")]
            #[inline]
            pub fn $write(&self, offset: usize, value: $type) {
                if let Some(pointer) = self.pointer::<$type>(offset) {
                    // SAFETY: `pointer` checked range and alignment; the mapping lives as long as
                    // `self`.
                    unsafe { pointer.write_volatile(value) }
                }
            }
        )+ }
    };
}

accesses! {
    read_u8 write_u8 u8, "8-bit";
    read_u16 write_u16 u16, "16-bit";
    read_u32 write_u32 u32, "32-bit";
    read_u64 write_u64 u64, "64-bit";
}

impl Mmio {
    /// Maps the first `length` bytes of a physical object.
    ///
    /// # Errors
    /// ENOMEM, EACCES, EINVAL.
    pub fn map(object: MemObject, length: u64) -> Result<Self, Errno> {
        Self::map_part(object, 0, length)
    }

    /// Maps `length` bytes of an object from `offset` on, which is less than a page.
    ///
    /// # Errors
    /// ENOMEM, EACCES, EINVAL.
    pub fn map_part(object: MemObject, offset: u64, length: u64) -> Result<Self, Errno> {
        let whole = offset.checked_add(length).ok_or(Errno::EINVAL)?;
        let address = object.map(0, whole, prot::READ | prot::WRITE)?;
        let address = usize::try_from(address + offset).map_err(|_| Errno::EOVERFLOW)?;
        let length = usize::try_from(length).map_err(|_| Errno::EOVERFLOW)?;
        Ok(Self { address, length, object })
    }

    /// The object that is mapped.
    #[must_use]
    pub const fn object(&self) -> &MemObject {
        &self.object
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether the range is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Copies bytes to `offset` (for framebuffers; the order of the stores is not defined).
    pub fn write_bytes(&self, offset: usize, bytes: &[u8]) {
        if let Some(start) = self.range(offset, bytes.len()) {
            // SAFETY: the whole range was checked; device memory never overlaps Rust's.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len()) }
        }
    }

    /// Copies bytes from `offset` on (the order of the loads is not defined); those outside the
    /// range are left as they were.
    pub fn read_bytes(&self, offset: usize, bytes: &mut [u8]) {
        if let Some(start) = self.range(offset, bytes.len()) {
            // SAFETY: the whole range was checked; device memory never overlaps Rust's.
            unsafe { core::ptr::copy_nonoverlapping(start, bytes.as_mut_ptr(), bytes.len()) }
        }
    }

    fn range(&self, offset: usize, length: usize) -> Option<*mut u8> {
        let end = offset.checked_add(length)?;
        (end <= self.length).then(|| core::ptr::with_exposed_provenance_mut(self.address + offset))
    }

    fn pointer<T>(&self, offset: usize) -> Option<*mut T> {
        let is_aligned = (self.address + offset).is_multiple_of(align_of::<T>());
        self.range(offset, size_of::<T>()).filter(|_| is_aligned).map(<*mut u8>::cast)
    }
}

/// RAM that a device reads and writes: one piece, at a physical address that the device is told.
///
/// The device may change any byte at any time, so nothing here hands out references.
#[derive(Debug)]
pub struct Dma {
    memory: Mmio,
    physical: u64,
}

impl Dma {
    /// Maps a contiguous object (`abi::memory::object::CONTIGUOUS`).
    ///
    /// # Errors
    /// EINVAL for an object of another kind; ENOMEM.
    pub fn map(object: MemObject) -> Result<Self, Errno> {
        let info = object.info()?;
        if info.kind != neutrino_abi::memory::object::CONTIGUOUS {
            return Err(Errno::EINVAL);
        }
        Ok(Self { memory: Mmio::map(object, info.size)?, physical: info.physical })
    }

    /// The memory, as the driver sees it.
    #[must_use]
    pub const fn memory(&self) -> &Mmio {
        &self.memory
    }

    /// The address of a byte of it, as the device sees it.
    #[must_use]
    pub const fn physical(&self, offset: u64) -> u64 {
        self.physical + offset
    }
}
