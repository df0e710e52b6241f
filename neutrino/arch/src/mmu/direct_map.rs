//! All RAM, at a fixed distance in the upper half: how the kernel reaches frames and user memory.
//!
//! Kernel text and read-only data are mapped read-only here too; everything is no-execute. The page
//! tables that this module's words may be part of are guarded by `mmu::space`.

use core::arch::asm;

use neutrino_core::machine::FrameNumber;

/// Where physical address 0 is mapped.
pub(crate) const BASE: u64 = 0xffff_8000_0000_0000;
/// Bytes of a page.
pub(crate) const PAGE: u64 = 4096;
/// Words of a page.
const WORDS: usize = 512;

/// The kernel's address of a physical one.
#[inline(always)]
pub(crate) fn pointer(physical: u64) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut((BASE | physical) as usize)
}

/// The physical address of a frame.
#[inline(always)]
pub(crate) fn address(frame: FrameNumber) -> u64 {
    u64::from(frame.0) * PAGE
}

/// The frame of a physical address.
pub(crate) fn frame(physical: u64) -> FrameNumber {
    FrameNumber(u32::try_from(physical / PAGE).unwrap_or(u32::MAX))
}

/// The kernel's address of a frame.
#[inline(always)]
pub(crate) fn frame_pointer(frame: FrameNumber) -> *mut u8 {
    pointer(address(frame))
}

/// Reads word `index` (masked) of a frame.
pub(crate) fn read_word(frame: FrameNumber, index: usize) -> u64 {
    let word = frame_pointer(frame).cast::<u64>().wrapping_add(index & (WORDS - 1));
    // SAFETY: frames come from the core or from page tables and are RAM, all of which is mapped; the
    // index is masked. Volatile, as the CPU sets bits in page tables.
    unsafe { word.read_volatile() }
}

/// Reads word `index` (masked) of the page table at a physical address (rounded down to a page).
#[inline(always)]
pub(crate) fn read_entry(table: u64, index: usize) -> u64 {
    let offset = (index & (WORDS - 1)) as u64 * 8;
    let word = pointer(table & !(PAGE - 1) | offset).cast::<u64>();
    // SAFETY: tables come from page tables and are RAM, all of which is mapped; the offset stays in
    // the page. Volatile, as the CPU sets bits in page tables.
    unsafe { word.read_volatile() }
}

/// Writes word `index` (masked) of a frame.
pub(crate) fn write_word(frame: FrameNumber, index: usize, value: u64) {
    let word = frame_pointer(frame).cast::<u64>().wrapping_add(index & (WORDS - 1));
    // SAFETY: frames come from the core or from page tables and are RAM that the core manages, so no
    // Rust object lives there; the index is masked.
    unsafe { word.write_volatile(value) };
}

/// Fills part of a frame with zeroes; what lies beyond its end is left out.
pub(crate) fn clear(frame: FrameNumber, offset: u64, length: u64) {
    let offset = offset.min(PAGE);
    let length = length.min(PAGE - offset);
    let start = frame_pointer(frame).wrapping_add(offset as usize);
    if (offset | length).is_multiple_of(8) {
        // SAFETY: the range lies in a frame of RAM that the core manages; nothing else is written.
        // STOSQ, as STOSB counts every byte under icount.
        unsafe {
            asm!("rep stosq", inout("rdi") start => _, inout("rcx") length / 8 => _, in("rax") 0,
                options(nostack, preserves_flags));
        }
    } else {
        // SAFETY: the range lies in a frame of RAM that the core manages; nothing else is written.
        unsafe {
            asm!("rep stosb", inout("rdi") start => _, inout("rcx") length => _, in("al") 0_u8,
                options(nostack, preserves_flags));
        }
    }
}

/// Copies bytes, in words as far as possible (MOVSB counts every byte under icount). Ranges may
/// overlap, with any result.
///
/// # Safety
/// - `from` is readable and `to` writable for `length` bytes.
/// - No Rust reference leads to the bytes at `to` while they change.
pub(crate) unsafe fn copy(to: *mut u8, from: *const u8, length: usize) {
    let rest = length & 7;
    // SAFETY: reads and writes within `length` bytes, which the caller vouches for; with a rest, the
    // last word overlaps the one before it, and with less than a word bytes are moved.
    unsafe {
        asm!(
            "rep movsq",
            "test {rest}, {rest}",
            "jz 3f",
            "cmp {length}, 8",
            "jb 2f",
            "mov rcx, [rsi + {rest} - 8]",
            "mov [rdi + {rest} - 8], rcx",
            "jmp 3f",
            "2:",
            "mov rcx, {rest}",
            "rep movsb",
            "3:",
            rest = in(reg) rest,
            length = in(reg) length,
            inout("rsi") from => _,
            inout("rdi") to => _,
            inout("rcx") length / 8 => _,
            options(nostack),
        );
    }
}

/// Copies a whole frame.
pub(crate) fn copy_frame(from: FrameNumber, to: FrameNumber) {
    // SAFETY: both are whole frames of RAM that the core manages, so no Rust object lives there.
    unsafe { copy(frame_pointer(to), frame_pointer(from), PAGE as usize) };
}

/// Reads 32-bit word `index` (masked) of a frame.
pub(crate) fn read_half(frame: FrameNumber, index: usize) -> u32 {
    let word = frame_pointer(frame).cast::<u32>().wrapping_add(index & (2 * WORDS - 1));
    // SAFETY: the frame is one of RAM that the core manages; the index is masked.
    unsafe { word.read_volatile() }
}

/// Writes 32-bit word `index` (masked) of a frame.
pub(crate) fn write_half(frame: FrameNumber, index: usize, value: u32) {
    let word = frame_pointer(frame).cast::<u32>().wrapping_add(index & (2 * WORDS - 1));
    // SAFETY: the frame is one of RAM that the core manages, so no Rust object lives there; the
    // index is masked.
    unsafe { word.write_volatile(value) };
}
