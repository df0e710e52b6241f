//! The way into the kernel, and back to C: the library's `syscall` instructions, `errno`, and copies
//! that cannot fault.

use neutrino_abi::Errno;
use neutrino_abi::calls::{ARGUMENTS, Call};
use neutrino_abi::handle::{SELF, SYSMGR_COID};
use neutrino_abi::message::{Iov, SendExtra};
use zerocopy::{FromBytes, Immutable, IntoBytes};

unsafe extern "C" {
    fn __errno_location() -> *mut i32;
    safe fn pthread_testcancel();
    safe fn gettid() -> i32;
}

/// Behind the addresses that a program can have.
pub(crate) const USER_END: u64 = 1 << 47;

/// The registers of a call, in the order of the table's arguments.
pub(crate) type All = [u64; ARGUMENTS];

/// A kernel call of at most six arguments.
///
/// Memory that it writes is C's, or a local of the caller that is passed by [`address_of_mut`].
#[inline(always)]
pub(crate) fn call(call: Call) -> Result<i64, Errno> {
    let frame = call.encode();
    let [a, b, c, d, e, f, ..] = frame.arguments;
    let result: i64;
    // SAFETY: the native call convention: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9,
    // result in rax; rcx and r11 are lost; the stack is not touched. The kernel writes only where
    // the arguments lead: to memory of C's, which Rust has no references to, or to a local that the
    // caller has borrowed mutably for the call.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") frame.number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    Errno::split(result)
}

/// A call that uses all registers, and what it leaves in them.
#[inline(always)]
pub(crate) fn call_all(number: u64, arguments: All) -> (Result<i64, Errno>, All) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h, mut i, mut j] = arguments;
    let result: i64;
    // SAFETY: as in `call`; calls that give more than one result change all argument registers.
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
    (Errno::split(result), [a, b, c, d, e, f, g, h, i, j])
}

/// The address of what a call reads.
#[inline(always)]
pub(crate) fn address_of<T: ?Sized>(value: &T) -> u64 {
    core::ptr::from_ref(value).addr() as u64
}

/// The address of what a call writes.
#[inline(always)]
pub(crate) fn address_of_mut<T: ?Sized>(value: &mut T) -> u64 {
    core::ptr::from_mut(value).addr() as u64
}

/// A pointer of C's as the kernel takes it.
#[inline(always)]
pub(crate) fn at<T>(pointer: *const T) -> u64 {
    pointer.addr() as u64
}

/// Copies within the process; the kernel checks both addresses.
///
/// # Errors
/// EFAULT.
pub(crate) fn copy(from: u64, to: u64, length: u64) -> Result<(), Errno> {
    let read = Call::SpaceRead { space: SELF, address: from, buffer: to, length };
    if call(read)?.cast_unsigned() == length { Ok(()) } else { Err(Errno::EFAULT) }
}

/// A structure of C's.
///
/// # Errors
/// EFAULT.
pub(crate) fn load<T: FromBytes + IntoBytes>(pointer: *const T) -> Result<T, Errno> {
    let mut value = T::new_zeroed();
    copy(at(pointer), address_of_mut(&mut value), size_of::<T>() as u64)?;
    Ok(value)
}

/// The word at C's address, without a kernel call: that would use up a time-out which is meant for
/// the call that follows. An address that is no program's at all is EFAULT.
///
/// # Errors
/// EFAULT.
pub(crate) fn peek(pointer: *const u64) -> Result<u64, Errno> {
    if !(0x1000..USER_END).contains(&at(pointer)) {
        return Err(Errno::EFAULT);
    }
    // SAFETY: C says that a word is there.
    Ok(unsafe { pointer.read_unaligned() })
}

/// Puts a structure into C's memory.
///
/// # Errors
/// EFAULT.
pub(crate) fn store<T: IntoBytes + Immutable>(pointer: *mut T, value: &T) -> Result<(), Errno> {
    copy(address_of(value), at(pointer), size_of::<T>() as u64)
}

/// As [`store`], where a null pointer means that nobody wants to know.
///
/// # Errors
/// EFAULT.
pub(crate) fn store_optional<T: IntoBytes + Immutable>(
    pointer: *mut T,
    value: &T,
) -> Result<(), Errno> {
    if pointer.is_null() { Ok(()) } else { store(pointer, value) }
}

/// The `parts` argument for a flat buffer.
///
/// # Errors
/// EOVERFLOW: no buffer is that long.
#[inline(always)]
pub(crate) fn flat(bytes: usize) -> Result<i64, Errno> {
    i64::try_from(bytes).map(|bytes| -bytes).map_err(|_| Errno::EOVERFLOW)
}

/// The `parts` argument for an array of `iov_t`.
///
/// # Errors
/// EINVAL: no array is that long.
#[inline(always)]
pub(crate) fn parts(count: usize) -> Result<i64, Errno> {
    i64::try_from(count).map_err(|_| Errno::EINVAL)
}

/// A message to the process manager of a structure and, behind it, bytes; its reply.
///
/// # Errors
/// What the process manager answers.
pub(crate) fn manager<M: IntoBytes + Immutable, R: FromBytes + IntoBytes>(
    message: &M,
    tail: &[u8],
    reply: &mut R,
    extra: &SendExtra,
) -> Result<i64, Errno> {
    let message = [
        Iov { base: address_of(message), length: size_of::<M>() as u64 },
        Iov { base: address_of(tail), length: tail.len() as u64 },
    ];
    call(Call::MsgSend {
        coid: SYSMGR_COID,
        message: address_of(&message),
        parts: 2,
        reply: address_of_mut(reply),
        reply_parts: flat(size_of::<R>())?,
        extra: address_of(extra),
    })
}

/// The caller's `pid << 32 | tid`.
pub(crate) fn whoami() -> (u32, u32) {
    let both = call(Call::ThreadSelf {}).unwrap_or_default().cast_unsigned();
    ((both >> 32) as u32, both as u32)
}

/// The caller's tid; musl keeps it in the thread's block, so this is no kernel call.
pub(crate) fn own_tid() -> u32 {
    gettid().cast_unsigned()
}

/// Sets `errno`.
fn set_errno(errno: Errno) {
    // SAFETY: musl's function has no conditions.
    let place = unsafe { __errno_location() };
    // SAFETY: it returns the address of the calling thread's `errno`, which nobody else uses.
    unsafe { place.write(i32::from(errno.number())) }
}

/// A success as a number, or -1 and `errno`.
#[inline(always)]
pub(crate) fn with_errno(result: Result<i64, Errno>) -> i64 {
    result.unwrap_or_else(|errno| {
        set_errno(errno);
        -1
    })
}

/// A success as a number, or the negated error.
#[inline(always)]
pub(crate) fn negated(result: Result<i64, Errno>) -> i64 {
    result.unwrap_or_else(Errno::to_result)
}

/// `EOK`, or the error.
#[inline(always)]
pub(crate) fn positive(result: Result<i64, Errno>) -> i64 {
    match result {
        Ok(_) => 0,
        Err(errno) => i64::from(errno.number()),
    }
}

/// Makes a call a cancellation point (POSIX.1-2017, 2.9.5).
#[inline(always)]
pub(crate) fn cancellable(body: impl FnOnce() -> Result<i64, Errno>) -> Result<i64, Errno> {
    pthread_testcancel();
    let result = body();
    if result == Err(Errno::EINTR) {
        pthread_testcancel();
    }
    result
}

/// Defines C functions in pairs, `X` and `X_r`.
///
/// `value`: a success is a number, and `X_r` negates errors. `status`: a success is EOK, and `X_r`
/// returns errors as they are. `single`: there is no `X_r`.
macro_rules! functions {
    ($($(#[doc = $doc:literal])+
        $kind:ident $name:ident $([$twin:ident])? ($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block
    )+) => { $($crate::kernel::functions!(@ $kind $name $([$twin])? [$(#[doc = $doc])+] ($($arg: $ty),*) $ret $body);)+ };
    (@ value $name:ident [$twin:ident] $docs:tt $args:tt $ret:ty $body:block) => {
        $crate::kernel::functions!(! $name with_errno $docs $args $ret $body);
        $crate::kernel::functions!(! $twin negated $docs $args $ret $body);
    };
    (@ status $name:ident [$twin:ident] $docs:tt $args:tt $ret:ty $body:block) => {
        $crate::kernel::functions!(! $name with_errno $docs $args $ret $body);
        $crate::kernel::functions!(! $twin positive $docs $args $ret $body);
    };
    (@ single $name:ident $docs:tt $args:tt $ret:ty $body:block) => {
        $crate::kernel::functions!(! $name with_errno $docs $args $ret $body);
    };
    (! $name:ident $finish:ident [$(#[doc = $doc:literal])+] ($($arg:ident: $ty:ty),*) $ret:ty $body:block) => {
        $(#[doc = $doc])+
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "the name that C programs call")]
        pub extern "C" fn $name($($arg: $ty),*) -> $ret {
            #[inline(always)]
            fn body($($arg: $ty),*) -> Result<i64, neutrino_abi::Errno> $body
            $crate::kernel::$finish(body($($arg),*)) as $ret
        }
    };
}
pub(crate) use functions;
