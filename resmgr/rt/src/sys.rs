//! The `syscall` instructions of native programs: one for calls of six arguments and one result, one
//! for calls that use all registers.

use neutrino_abi::Errno;
use neutrino_abi::calls::{ARGUMENTS, Call, Frame};
use neutrino_abi::message::{Head, Words};

/// Makes a kernel call of at most six arguments and one result.
///
/// Addresses among the arguments are the kernel's to check: it answers EFAULT for memory that the
/// caller may not touch. What the kernel writes to memory that Rust knows is the danger.
///
/// # Safety
/// - Memory that the call writes is exclusively the caller's, for as long as the call lasts, or
///   not memory of Rust's at all.
/// - Memory that the call unmaps, protects or replaces is not referenced by Rust.
///
/// # Errors
/// What the call's row in [`neutrino_abi::calls`] says.
#[inline(always)]
pub unsafe fn call(call: Call) -> Result<i64, Errno> {
    let frame = call.encode();
    // SAFETY: the caller keeps the promise that `raw` asks for.
    Errno::split(unsafe { raw(&frame) })
}

/// Makes a kernel call that touches no memory of the caller's but to read it.
///
/// # Errors
/// What the call's row says.
#[inline(always)]
pub(crate) fn pure(call_: Call) -> Result<i64, Errno> {
    // SAFETY: the crate uses this for calls that write no memory of the caller.
    unsafe { call(call_) }
}

/// As [`call`], for results that are numbers by nature.
///
/// # Safety
/// As [`call`].
///
/// # Errors
/// As [`call`].
#[inline(always)]
pub(crate) unsafe fn call_u32(call_: Call) -> Result<u32, Errno> {
    // SAFETY: the caller keeps the promise.
    let result = unsafe { call(call_) }?;
    u32::try_from(result).map_err(|_| Errno::EOVERFLOW)
}

/// As [`pure`], for results that are handles or counts.
#[inline(always)]
pub(crate) fn pure_u32(call_: Call) -> Result<u32, Errno> {
    u32::try_from(pure(call_)?).map_err(|_| Errno::EOVERFLOW)
}

/// The registers of a call that uses them all, in the order of [`Frame::arguments`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct All(pub(crate) [u64; ARGUMENTS]);

impl All {
    /// The message or pulse in them.
    #[inline(always)]
    pub(crate) fn words(&self) -> Words {
        let [_, _, words @ .., _, _] = self.0;
        words
    }

    /// What a receive call tells.
    #[inline(always)]
    pub(crate) fn head(&self) -> Head {
        let [badge, packed, .., source, target] = self.0;
        Head::unpack(badge, packed, source, target)
    }
}

/// A call that uses all registers, and what it leaves in them.
///
/// # Safety
/// As [`call`].
#[cfg(target_os = "none")]
#[inline(always)]
pub(crate) unsafe fn call_all(number: u64, arguments: &All) -> (i64, All) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h, mut i, mut j] = arguments.0;
    let result: i64;
    // SAFETY: the native call convention: number in rax, arguments as named, results in the same;
    // rcx and r11 are lost; the stack is not touched. Memory is the caller's promise.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            inlateout("rdi") a, inlateout("rsi") b, inlateout("rdx") c, inlateout("r10") d,
            inlateout("r8") e, inlateout("r9") f, inlateout("r12") g, inlateout("r13") h,
            inlateout("r14") i, inlateout("r15") j,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    (result, All([a, b, c, d, e, f, g, h, i, j]))
}

/// On the host no call works.
///
/// # Safety
/// None to keep: nothing is done.
#[cfg(not(target_os = "none"))]
#[inline(always)]
pub(crate) unsafe fn call_all(_number: u64, arguments: &All) -> (i64, All) {
    (Errno::ENOSYS.to_result(), *arguments)
}

#[cfg(target_os = "none")]
#[inline(always)]
unsafe fn raw(frame: &Frame) -> i64 {
    let [a, b, c, d, e, f, ..] = frame.arguments;
    let result: i64;
    // SAFETY: the native call convention: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9,
    // result in rax; rcx and r11 are lost; the stack is not touched. Memory is the caller's promise.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") frame.number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

#[cfg(not(target_os = "none"))]
#[inline(always)]
unsafe fn raw(_frame: &Frame) -> i64 {
    Errno::ENOSYS.to_result()
}

/// The address of a value that a call reads or writes.
#[inline(always)]
pub(crate) fn address_of<T>(value: &T) -> u64 {
    core::ptr::from_ref(value).addr() as u64
}

/// The address of a value that a call writes.
#[inline(always)]
pub(crate) fn address_of_mut<T>(value: &mut T) -> u64 {
    core::ptr::from_mut(value).addr() as u64
}

/// Address and `parts` argument of a flat buffer that a call reads.
#[inline(always)]
pub(crate) fn flat(bytes: &[u8]) -> (u64, i64) {
    (bytes.as_ptr().addr() as u64, (bytes.len() as i64).wrapping_neg())
}

/// Address and `parts` argument of a flat buffer that a call writes.
#[inline(always)]
pub(crate) fn flat_mut(bytes: &mut [u8]) -> (u64, i64) {
    (bytes.as_mut_ptr().addr() as u64, (bytes.len() as i64).wrapping_neg())
}
