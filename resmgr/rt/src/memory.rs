//! Memory objects and mappings.

use crate::channel::Handle;
use crate::sys::{self, address_of, address_of_mut, pure, pure_u32};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::SELF;
use neutrino_abi::info::{Framebuffer, SystemInfo};
use neutrino_abi::memory::{MapArgs, ObjectInfo, map, object, prot};

/// Maps zero-filled memory; returns its address.
///
/// # Errors
/// ENOMEM.
pub fn map_anonymous(length: u64) -> Result<u64, Errno> {
    let arguments = MapArgs {
        length,
        protection: prot::READ | prot::WRITE,
        flags: map::PRIVATE | map::ANONYMOUS,
        ..MapArgs::default()
    };
    map_raw(&arguments)
}

fn map_raw(arguments: &MapArgs) -> Result<u64, Errno> {
    // Without FIXED the kernel chooses addresses that nothing uses, so nothing of Rust's changes.
    pure(Call::MemMap { space: SELF, arguments: address_of(arguments) }).map(i64::cast_unsigned)
}

/// A memory object.
#[derive(Debug)]
pub struct MemObject(Handle);

impl MemObject {
    /// Makes a zero-filled object of `size` bytes.
    ///
    /// # Errors
    /// ENOMEM, EAGAIN.
    pub fn anonymous(size: u64) -> Result<Self, Errno> {
        Self::create(object::ANONYMOUS, size, 0)
    }

    /// Makes a zero-filled object of `size` bytes that costs only what is written to it.
    ///
    /// # Errors
    /// ENOMEM, EAGAIN, EINVAL.
    pub fn sparse(size: u64) -> Result<Self, Errno> {
        Self::create(object::SPARSE, size, 0)
    }

    /// Makes an object of a kind (`abi::memory::object`); most need `able::PHYSICAL`.
    ///
    /// # Errors
    /// EPERM, EINVAL, ENOMEM, ENODEV.
    pub fn create(kind: u32, size: u64, physical: u64) -> Result<Self, Errno> {
        let call = Call::MemObjectCreate { kind, size, physical, flags: 0 };
        pure_u32(call).map(|number| Self(Handle::from_raw(number)))
    }

    /// Takes charge of an object's handle.
    #[must_use]
    pub const fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The handle alone.
    #[must_use]
    pub fn into_handle(self) -> Handle {
        self.0
    }

    /// The handle's number.
    #[must_use]
    pub const fn raw(&self) -> u32 {
        self.0.raw()
    }

    /// Changes the size; pages behind the end are freed.
    ///
    /// # Errors
    /// EINVAL, ENOMEM.
    pub fn resize(&self, size: u64) -> Result<(), Errno> {
        pure(Call::MemObjectResize { object: self.raw(), size }).map(drop)
    }

    /// What the kernel knows of it.
    ///
    /// # Errors
    /// EBADF.
    pub fn info(&self) -> Result<ObjectInfo, Errno> {
        let mut info = ObjectInfo::default();
        let call = Call::MemObjectInfo { object: self.raw(), info: address_of_mut(&mut info) };
        // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
        unsafe { sys::call(call) }?;
        Ok(info)
    }

    /// Reads bytes at `offset`; returns how many there were.
    ///
    /// # Errors
    /// EBADF.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
        let buffer = bytes.as_mut_ptr().addr() as u64;
        let length = bytes.len() as u64;
        let call = Call::MemObjectRead { object: self.raw(), offset, buffer, length };
        // SAFETY: the only memory written is `bytes`, borrowed mutably for the whole call.
        let n = unsafe { sys::call(call) }?;
        usize::try_from(n).map_err(|_| Errno::EOVERFLOW)
    }

    /// Writes bytes at `offset`, inside the object's size; returns how many.
    ///
    /// # Errors
    /// EACCES for an object that is read-only, ENOMEM.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let buffer = bytes.as_ptr().addr() as u64;
        let length = bytes.len() as u64;
        let n = pure(Call::MemObjectWrite { object: self.raw(), offset, buffer, length })?;
        usize::try_from(n).map_err(|_| Errno::EOVERFLOW)
    }

    /// Maps `length` bytes from `offset` on, shared; returns the address.
    ///
    /// # Errors
    /// EINVAL, ENOMEM, EACCES.
    pub(crate) fn map(&self, offset: u64, length: u64, protection: u32) -> Result<u64, Errno> {
        let arguments = MapArgs {
            length,
            protection,
            flags: map::SHARED,
            object: self.raw(),
            offset,
            ..MapArgs::default()
        };
        map_raw(&arguments)
    }
}

/// The boot image, mapped for reading; needs `able::PHYSICAL`.
///
/// # Errors
/// EPERM, ENODEV, ENOMEM.
pub fn boot_image() -> Result<(MemObject, &'static [u8]), Errno> {
    let image = MemObject::create(object::BOOT_IMAGE, 0, 0)?;
    let size = image.info()?.size;
    let address = image.map(0, size, prot::READ)?;
    let length = usize::try_from(size).map_err(|_| Errno::EOVERFLOW)?;
    let start = core::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: the kernel mapped `size` bytes at an address of its choice; the mapping is never
    // undone, and the boot image never changes.
    let bytes = unsafe { core::slice::from_raw_parts(start, length) };
    Ok((image, bytes))
}

/// The boot framebuffer's shape and object; needs `able::PHYSICAL`.
///
/// # Errors
/// EPERM, ENODEV if there is none.
pub fn framebuffer() -> Result<(MemObject, Framebuffer), Errno> {
    let mut shape = Framebuffer::default();
    let call = Call::SystemCtl { command: 3, value: address_of_mut(&mut shape) };
    // SAFETY: the only memory written is `shape`, borrowed mutably for the whole call.
    unsafe { sys::call(call) }?;
    Ok((MemObject::create(object::FRAMEBUFFER, 0, 0)?, shape))
}

/// The system's counters.
#[must_use]
pub fn system_info() -> SystemInfo {
    let mut info = SystemInfo::default();
    // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
    let _cannot_fail = unsafe { sys::call(Call::SystemInfo { info: address_of_mut(&mut info) }) };
    info
}

/// The time stamp counter.
#[must_use]
pub fn time_stamp() -> u64 {
    // SAFETY: every x86-64 CPU has RDTSC, and the kernel leaves CR4.TSD clear.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// A word of the CPU's generator of random numbers; nothing where it has none, or where it fails.
#[must_use]
pub fn hardware_random() -> Option<u64> {
    const RDRAND: u32 = 1 << 30;
    if core::arch::x86_64::__cpuid(1).ecx & RDRAND == 0 {
        return None;
    }
    let mut word: u64;
    let mut done: u8;
    // Bound: the SDM (vol. 1, 7.3.17) promises success within 10 tries on a working CPU.
    for _ in 0..10 {
        // SAFETY: CPUID says that the instruction exists; it writes two registers and flags.
        unsafe {
            core::arch::asm!("rdrand {}", "setc {}", out(reg) word, out(reg_byte) done, options(nomem, nostack));
        }
        if done != 0 {
            return Some(word);
        }
    }
    None
}
