//! Touches the program's memory: the only code of the shim that may fault.
//!
//! The routines lie between `shim_copy_start` and `shim_copy_end`. They keep nothing on the stack,
//! so that the kernel can send a thread that faults in them to `shim_copy_fault`, which returns
//! [`FAULT`] to their caller in their stead. Bulk data of reads and writes does not come through
//! here: it goes as a part of the message, and the kernel checks it.

use crate::sys::{Errno, address, address_mut};
use neutrino_abi::handle::PollEntry;
use neutrino_abi::message::{Iov, WORDS_BYTES, Words};

core::arch::global_asm!(
    ".pushsection .text.shim_copy, \"ax\", @progbits",
    ".globl shim_copy_start",
    "shim_copy_start:",
    // rdi: to, rsi: from, rdx: bytes. Returns 0.
    ".globl shim_copy",
    "shim_copy:",
    "mov rcx, rdx",
    "shr rcx, 3",
    "rep movsq",
    "mov ecx, edx",
    "and ecx, 7",
    "rep movsb",
    "xor eax, eax",
    "ret",
    // rdi: to, rsi: from (a string), rdx: room. Returns the length without the NUL, or the room if
    // there is no NUL in it.
    ".globl shim_copy_string",
    "shim_copy_string:",
    "xor eax, eax",
    "movabs r8, 0x0101010101010101",
    "movabs r9, 0x8080808080808080",
    // A byte at a time until the source is aligned: then a whole word lies on one page.
    "2: cmp rax, rdx",
    "je 3f",
    "lea rcx, [rsi + rax]",
    "test cl, 7",
    "je 4f",
    "5: mov cl, [rsi + rax]",
    "mov [rdi + rax], cl",
    "test cl, cl",
    "je 3f",
    "inc rax",
    "jmp 2b",
    // A word at a time, as long as there is room and no byte of it is NUL.
    "4: lea rcx, [rax + 8]",
    "cmp rcx, rdx",
    "ja 6f",
    "mov r10, [rsi + rax]",
    "mov r11, r10",
    "sub r11, r8",
    "mov rcx, r10",
    "not rcx",
    "and r11, rcx",
    "test r11, r9",
    "jne 5b",
    "mov [rdi + rax], r10",
    "add rax, 8",
    "jmp 4b",
    "6: cmp rax, rdx",
    "jne 5b",
    "3: ret",
    // rdi: word, esi: expected, edx: new. Returns the value before.
    ".globl shim_copy_exchange",
    "shim_copy_exchange:",
    "mov eax, esi",
    "lock cmpxchg [rdi], edx",
    "mov eax, eax",
    "ret",
    // rdi: a byte, which is written without being changed. Returns 0.
    ".globl shim_copy_probe",
    "shim_copy_probe:",
    "lock or byte ptr [rdi], 0",
    "xor eax, eax",
    "ret",
    // rdi: 512 bytes, 16-aligned. Returns 0.
    ".globl shim_copy_fxsave",
    "shim_copy_fxsave:",
    "fxsave64 [rdi]",
    "xor eax, eax",
    "ret",
    ".globl shim_copy_fxrstor",
    "shim_copy_fxrstor:",
    "fxrstor64 [rdi]",
    "xor eax, eax",
    "ret",
    // rdi: save area, 64-aligned, its header zeroed. Returns 0.
    ".globl shim_copy_xsave",
    "shim_copy_xsave:",
    "mov eax, -1",
    "mov edx, -1",
    "xsave64 [rdi]",
    "xor eax, eax",
    "ret",
    ".globl shim_copy_xrstor",
    "shim_copy_xrstor:",
    "mov eax, -1",
    "mov edx, -1",
    "xrstor64 [rdi]",
    "xor eax, eax",
    "ret",
    ".globl shim_copy_end",
    "shim_copy_end:",
    ".globl shim_copy_fault",
    "shim_copy_fault:",
    "mov rax, -1",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    pub(crate) fn shim_copy_start();
    pub(crate) fn shim_copy_end();
    pub(crate) fn shim_copy_fault();
    fn shim_copy(to: u64, from: u64, bytes: u64) -> u64;
    fn shim_copy_string(to: u64, from: u64, room: u64) -> u64;
    fn shim_copy_exchange(word: u64, expected: u32, new: u32) -> u64;
    fn shim_copy_probe(byte: u64) -> u64;
    fn shim_copy_fxsave(area: u64) -> u64;
    fn shim_copy_fxrstor(area: u64) -> u64;
    fn shim_copy_xsave(area: u64) -> u64;
    fn shim_copy_xrstor(area: u64) -> u64;
}

/// What the routines return after a fault.
const FAULT: u64 = u64::MAX;

const fn check(result: u64) -> Result<u64, Errno> {
    if result == FAULT { Err(Errno::EFAULT) } else { Ok(result) }
}

/// Types that any bytes are a value of, and that have no padding.
///
/// # Safety
/// - The implementor makes sure of both.
pub(crate) unsafe trait Plain: Copy {
    /// All bytes zero.
    const ZERO: Self;
}

macro_rules! plain {
    ($($type:ty = $zero:expr),+ $(,)?) => {
        $(
            // SAFETY: integers and structures of integers without gaps.
            unsafe impl Plain for $type { const ZERO: Self = $zero; }
        )+
    };
}
plain! {
    u8 = 0, u16 = 0, u32 = 0, u64 = 0, i16 = 0, i32 = 0, i64 = 0,
    Iov = Iov { base: 0, length: 0 },
    PollEntry = PollEntry { coid: 0, events: 0, revents: 0 },
}

// SAFETY: an array has the bytes of its elements and no others.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {
    const ZERO: Self = [T::ZERO; N];
}

/// Reads a value of the program's.
///
/// # Errors
/// EFAULT: it cannot be read.
pub(crate) fn read<T: Plain>(from: u64) -> Result<T, Errno> {
    let mut value = T::ZERO;
    // SAFETY: the routine writes exactly the value, of which any bytes are valid.
    check(unsafe { shim_copy(address_mut(&mut value), from, size_of::<T>() as u64) })?;
    Ok(value)
}

/// Writes a value into the program's memory.
///
/// # Errors
/// EFAULT: it cannot be written.
pub(crate) fn write<T: Plain>(to: u64, value: &T) -> Result<(), Errno> {
    // SAFETY: the routine reads exactly the value; what it writes is no Rust object.
    check(unsafe { shim_copy(to, address(value), size_of::<T>() as u64) })?;
    Ok(())
}

/// Reads an array of the program's.
///
/// # Errors
/// EFAULT: it cannot be read.
pub(crate) fn read_slice<T: Plain>(from: u64, values: &mut [T]) -> Result<(), Errno> {
    let bytes = size_of_val(values) as u64;
    // SAFETY: the routine writes exactly the values, of which any bytes are valid.
    check(unsafe { shim_copy(address_mut(values), from, bytes) })?;
    Ok(())
}

/// Writes an array into the program's memory.
///
/// # Errors
/// EFAULT: it cannot be written.
pub(crate) fn write_slice<T: Plain>(to: u64, values: &[T]) -> Result<(), Errno> {
    let bytes = size_of_val(values) as u64;
    // SAFETY: the routine reads exactly the values; what it writes is no Rust object.
    check(unsafe { shim_copy(to, address(values), bytes) })?;
    Ok(())
}

/// Writes the first `bytes` of the words (48 at most) into memory of the program or the caller.
///
/// # Errors
/// EFAULT: it cannot be written.
#[inline]
pub(crate) fn write_words(to: u64, words: &Words, bytes: u64) -> Result<(), Errno> {
    let bytes = bytes.min(WORDS_BYTES);
    // SAFETY: the routine reads at most the words; what it writes is no Rust object, or lent to the
    // call that the words came of.
    check(unsafe { shim_copy(to, address(words), bytes) })?;
    Ok(())
}

/// Reads `bytes` of the program's (48 at most) into words, from a whole number of them on.
///
/// # Errors
/// EFAULT: they cannot be read.
#[inline]
pub(crate) fn read_words(from: u64, words: &mut [u64], bytes: u64) -> Result<(), Errno> {
    let bytes = bytes.min(size_of_val(words) as u64);
    // SAFETY: the routine writes at most the words, of which any bytes are valid.
    check(unsafe { shim_copy(address_mut(words), from, bytes) })?;
    Ok(())
}

/// Reads a string of the program's with its NUL; returns its length without the NUL.
///
/// # Errors
/// EFAULT: it cannot be read. ENAMETOOLONG: there is no room for its NUL.
pub(crate) fn read_string(from: u64, to: &mut [u8]) -> Result<usize, Errno> {
    let room = to.len() as u64;
    // SAFETY: the routine writes at most `room` bytes into `to`.
    let length = check(unsafe { shim_copy_string(address_mut(to), from, room) })?;
    if length == room { Err(Errno::ENAMETOOLONG) } else { Ok(crate::block::index(length)) }
}

/// Compares and exchanges a word of the program's; returns its value before.
///
/// # Errors
/// EFAULT: it cannot be written.
pub(crate) fn exchange(word: u64, expected: u32, new: u32) -> Result<u32, Errno> {
    // SAFETY: the word is the program's, no Rust object.
    let before = check(unsafe { shim_copy_exchange(word, expected, new) })?;
    Ok(crate::block::low(before))
}

/// Checks that a byte of the program's can be written.
///
/// # Errors
/// EFAULT: it cannot.
pub(crate) fn probe(byte: u64) -> Result<(), Errno> {
    // SAFETY: the byte is the program's, no Rust object, and stays what it is.
    check(unsafe { shim_copy_probe(byte) })?;
    Ok(())
}

/// How the program's floating-point state is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FpuFormat {
    /// 512 bytes, by FXSAVE.
    Fxsave,
    /// This many bytes, by XSAVE.
    Xsave(u32),
}

/// Saves the program's floating-point state (the shim itself does not touch it).
///
/// # Errors
/// EFAULT: it cannot be written.
pub(crate) fn save_fpu(area: u64, format: FpuFormat) -> Result<(), Errno> {
    match format {
        // SAFETY: the area is on the program's stack, no Rust object.
        FpuFormat::Fxsave => check(unsafe { shim_copy_fxsave(area) })?,
        // SAFETY: as above; the format says that XSAVE is enabled.
        FpuFormat::Xsave(_) => check(unsafe { shim_copy_xsave(area) })?,
    };
    Ok(())
}

/// Loads the program's floating-point state.
///
/// # Errors
/// EFAULT: it cannot be read, or is none.
pub(crate) fn load_fpu(area: u64, format: FpuFormat) -> Result<(), Errno> {
    match format {
        // SAFETY: the state is the program's; the shim is built without floating point.
        FpuFormat::Fxsave => check(unsafe { shim_copy_fxrstor(area) })?,
        // SAFETY: as above; the format says that XSAVE is enabled.
        FpuFormat::Xsave(_) => check(unsafe { shim_copy_xrstor(area) })?,
    };
    Ok(())
}

/// Copies a string from one place of the program's memory to another; returns its length.
///
/// # Errors
/// EFAULT: it cannot be read. E2BIG: it needs more room.
pub(crate) fn move_string(to: u64, from: u64, room: u64) -> Result<u64, Errno> {
    // SAFETY: both places are memory of the program or of the exec buffer, no Rust objects.
    let length = check(unsafe { shim_copy_string(to, from, room) })?;
    if length == room { Err(Errno::E2BIG) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_length_and_alignment_are_copied_whole() {
        for start in 0..8 {
            for length in 0..40_usize {
                let mut from = [b'x'; 64];
                from[start + length] = 0;
                for room in 0..48 {
                    let mut to = [b'-'; 64];
                    let copied = read_string(address(&from) + start as u64, &mut to[..room]);
                    let fits = length < room;
                    assert_eq!(copied, if fits { Ok(length) } else { Err(Errno::ENAMETOOLONG) });
                    let whole = length.min(room);
                    assert!(to[..whole].iter().all(|&byte| byte == b'x'));
                    assert!(to[room..].iter().all(|&byte| byte == b'-'), "{start} {length} {room}");
                }
            }
        }
    }
}
