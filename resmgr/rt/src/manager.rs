//! The calls that only the process manager makes, safe to use: they change other processes, never
//! the memory of the caller beyond the buffers that they are given.

use crate::channel::Handle;
use crate::memory::MemObject;
use crate::sys::{self, address_of, address_of_mut, pure, pure_u32};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::info::{ProcessInfo, ThreadInfo};
use neutrino_abi::memory::MapArgs;
use neutrino_abi::process::{Credentials, ExecArgs, ProcessArgs, ThreadArgs, process_ctl};
use neutrino_abi::signal::SignalInfo;

/// Makes a channel of the caller the one that is told of processes.
///
/// # Errors
/// EPERM, EBADF.
pub fn announce(chid: u32) -> Result<(), Errno> {
    pure(Call::SystemCtl { command: 0, value: u64::from(chid) }).map(drop)
}

/// Switches the machine off.
///
/// # Errors
/// EPERM.
pub fn power_off(status: u32) -> Result<(), Errno> {
    pure(Call::SystemCtl { command: 1, value: u64::from(status) }).map(drop)
}

/// Starts the machine again.
///
/// # Errors
/// EPERM.
pub fn reset() -> Result<(), Errno> {
    pure(Call::SystemCtl { command: 2, value: 0 }).map(drop)
}

/// An address space.
#[derive(Debug)]
pub struct Space(Handle);

impl Space {
    /// An empty one.
    ///
    /// # Errors
    /// EPERM, ENOMEM.
    pub fn create() -> Result<Self, Errno> {
        pure_u32(Call::SpaceCreate {}).map(|number| Self(Handle::from_raw(number)))
    }

    /// The handle's number.
    #[must_use]
    pub const fn raw(&self) -> u32 {
        self.0.raw()
    }

    /// Maps memory in it, at a fixed address.
    ///
    /// # Errors
    /// EINVAL, ENOMEM, EACCES.
    pub fn map(&self, arguments: &MapArgs) -> Result<u64, Errno> {
        let call = Call::MemMap { space: self.raw(), arguments: address_of(arguments) };
        pure(call).map(i64::cast_unsigned)
    }

    /// Writes memory of it, whatever its protection.
    ///
    /// # Errors
    /// EFAULT.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        let buffer = bytes.as_ptr().addr() as u64;
        let length = bytes.len() as u64;
        pure(Call::SpaceWrite { space: self.raw(), address, buffer, length }).map(drop)
    }
}

/// A process.
#[derive(Debug)]
pub struct Process(Handle);

impl Process {
    /// Makes one without threads.
    ///
    /// # Errors
    /// EPERM, EAGAIN, EINVAL.
    pub fn create(arguments: &ProcessArgs) -> Result<Self, Errno> {
        let call = Call::ProcessCreate { arguments: address_of(arguments) };
        pure_u32(call).map(|number| Self(Handle::from_raw(number)))
    }

    /// The handle's number.
    #[must_use]
    pub const fn raw(&self) -> u32 {
        self.0.raw()
    }

    /// Starts a thread in it.
    ///
    /// # Errors
    /// EAGAIN.
    pub fn start(&self, arguments: &ThreadArgs) -> Result<u32, Errno> {
        pure_u32(Call::ThreadCreate { process: self.raw(), arguments: address_of(arguments) })
    }

    /// Replaces its program.
    ///
    /// # Errors
    /// ESRCH, EBADF.
    pub fn exec(&self, arguments: &ExecArgs) -> Result<(), Errno> {
        pure(Call::ProcessExec { process: self.raw(), arguments: address_of(arguments) }).map(drop)
    }

    /// Ends every thread of it and closes every handle.
    ///
    /// # Errors
    /// EINVAL for the caller itself.
    pub fn bury(&self) -> Result<(), Errno> {
        self.control(process_ctl::TERMINATE, 0)
    }

    /// Changes it by a command that takes a number (`abi::process::process_ctl`).
    ///
    /// # Errors
    /// EINVAL.
    pub fn control(&self, command: u32, value: u64) -> Result<(), Errno> {
        pure(Call::ProcessCtl { process: self.raw(), command, value }).map(drop)
    }

    /// Sets its credentials.
    ///
    /// # Errors
    /// EPERM.
    pub fn set_credentials(&self, credentials: &Credentials) -> Result<(), Errno> {
        self.control(process_ctl::SET_CREDENTIALS, address_of(credentials))
    }

    /// Names it for `pidin`; at most 15 bytes count.
    ///
    /// # Errors
    /// EPERM.
    pub fn set_name(&self, name: &[u8]) -> Result<(), Errno> {
        let mut bytes = [0_u8; 16];
        for (slot, byte) in bytes.iter_mut().take(15).zip(name) {
            *slot = *byte;
        }
        self.control(process_ctl::SET_NAME, address_of(&bytes))
    }

    /// What the kernel knows of it.
    ///
    /// # Errors
    /// EBADF.
    pub fn info(&self) -> Result<ProcessInfo, Errno> {
        let mut info = ProcessInfo::default();
        let call = Call::ProcessInfo { process: self.raw(), info: address_of_mut(&mut info) };
        // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
        unsafe { sys::call(call) }?;
        Ok(info)
    }

    /// The first thread with at least this tid.
    ///
    /// # Errors
    /// ESRCH: there is none.
    pub fn thread(&self, tid: u32) -> Result<ThreadInfo, Errno> {
        let mut info = ThreadInfo::default();
        let call = Call::ThreadInfo { process: self.raw(), tid, info: address_of_mut(&mut info) };
        // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
        unsafe { sys::call(call) }?;
        Ok(info)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// ESRCH, EINVAL.
    pub fn signal(&self, info: &SignalInfo) -> Result<(), Errno> {
        let call = Call::SignalKill { process: self.raw(), tid: 0, info: address_of(info) };
        pure(call).map(drop)
    }
}

/// The clock page, to map into others.
///
/// # Errors
/// ENOMEM.
pub fn time_page() -> Result<MemObject, Errno> {
    MemObject::create(neutrino_abi::memory::object::TIME_PAGE, 0, 0)
}
