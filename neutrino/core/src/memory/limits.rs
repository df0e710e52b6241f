//! Limits of memory (see [`crate::limits`] for all others).

use crate::limits::size;

/// Memory objects: shared memory, and files of the memory file system.
pub const OBJECTS: usize = size(16384, 4);
/// Mappings in all address spaces: a small program has about ten.
pub const MAPPINGS: usize = size(32768, 16);
/// Mappings in one address space, so that no program takes them all.
pub const MAPPINGS_PER_SPACE: u32 = 8192;
/// Ranges of free RAM that the boot loader's map may have.
pub const RAM_RANGES: usize = size(32, 1);
