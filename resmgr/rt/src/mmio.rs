//! Device registers and framebuffers in memory.

use crate::memory::MemObject;
use neutrino_abi::Errno;
use neutrino_abi::memory::prot;

/// A mapped range of device memory. Accesses outside it read all ones and write nothing.
#[derive(Debug)]
pub struct Mmio {
    address: usize,
    length: usize,
    _object: MemObject,
}

impl Mmio {
    /// Maps the first `length` bytes of a physical object.
    ///
    /// # Errors
    /// ENOMEM, EACCES, EINVAL.
    pub fn map(object: MemObject, length: u64) -> Result<Self, Errno> {
        let address = object.map(0, length, prot::READ | prot::WRITE)?;
        let address = usize::try_from(address).map_err(|_| Errno::EOVERFLOW)?;
        let length = usize::try_from(length).map_err(|_| Errno::EOVERFLOW)?;
        Ok(Self { address, length, _object: object })
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

    /// Reads the aligned 32-bit register at `offset`.
    #[must_use]
    pub fn read_u32(&self, offset: usize) -> u32 {
        match self.pointer::<u32>(offset) {
            // SAFETY: `pointer` checked range and alignment; the mapping lives as long as `self`.
            Some(pointer) => unsafe { pointer.read_volatile() },
            None => u32::MAX,
        }
    }

    /// Writes the aligned 32-bit register at `offset`.
    pub fn write_u32(&self, offset: usize, value: u32) {
        if let Some(pointer) = self.pointer::<u32>(offset) {
            // SAFETY: `pointer` checked range and alignment; the mapping lives as long as `self`.
            unsafe { pointer.write_volatile(value) }
        }
    }

    /// Copies bytes to `offset` (for framebuffers; the order of the stores is not defined).
    pub fn write_bytes(&self, offset: usize, bytes: &[u8]) {
        let end = offset.checked_add(bytes.len());
        if let (Some(start), true) =
            (self.pointer::<u8>(offset), end.is_some_and(|e| e <= self.length))
        {
            // SAFETY: the whole range was checked; device memory never overlaps Rust's.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len()) }
        }
    }

    fn pointer<T>(&self, offset: usize) -> Option<*mut T> {
        let end = offset.checked_add(size_of::<T>())?;
        let aligned = offset.is_multiple_of(align_of::<T>());
        (end <= self.length && aligned)
            .then(|| core::ptr::with_exposed_provenance_mut(self.address + offset))
    }
}
