//! The calls that only the process manager makes, on handles as plain numbers: it keeps its own
//! tables of them. They are safe, as they change other processes and never the memory of the caller
//! beyond the buffers that they are given.

use crate::memory::MemObject;
use crate::sys::{self, address_of, address_of_mut, pure, pure_u32};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::{SELF, SIDE_CHANNEL};
use neutrino_abi::info::{HandleInfo, ProcessInfo, ThreadInfo};
use neutrino_abi::memory::{MapArgs, MappingInfo, ObjectInfo};
use neutrino_abi::process::{
    Credentials, ExecArgs, ProcessArgs, ThreadArgs, process_ctl, thread_ctl,
};
use neutrino_abi::sched::SchedParam;
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

/// The clock page, to map into others.
///
/// # Errors
/// ENOMEM.
pub fn time_page() -> Result<MemObject, Errno> {
    MemObject::create(neutrino_abi::memory::object::TIME_PAGE, 0, 0)
}

/// Copies a handle into the high part of the caller's table (`ConnectDup`).
///
/// # Errors
/// EBADF, EMFILE.
pub fn duplicate(handle: u32) -> Result<u32, Errno> {
    pure_u32(Call::ConnectDup { coid: handle, minimum: SIDE_CHANNEL, flags: 0 })
}

/// Connects to a channel of another process.
///
/// # Errors
/// ESRCH, EPERM for a private channel, EAGAIN, EMFILE.
pub fn connect(process: u32, chid: u32) -> Result<u32, Errno> {
    let minimum = SIDE_CHANNEL;
    pure_u32(Call::ConnectAttach { process, chid, minimum, flags: 0, badge: 0 })
}

/// Makes a process without threads (`ProcessCreate`).
///
/// # Errors
/// EPERM, EINVAL, EAGAIN.
pub fn process_create(arguments: &ProcessArgs) -> Result<u32, Errno> {
    pure_u32(Call::ProcessCreate { arguments: address_of(arguments) })
}

/// Replaces the program of another process (`ProcessExec`).
///
/// # Errors
/// EPERM, ESRCH, EBADF.
pub fn process_exec(process: u32, arguments: &ExecArgs) -> Result<(), Errno> {
    pure(Call::ProcessExec { process, arguments: address_of(arguments) }).map(drop)
}

/// Changes a process by a command that takes a number (`ProcessCtl`).
///
/// # Errors
/// EPERM, EINVAL, EBADF.
pub fn process_control(process: u32, command: u32, value: u64) -> Result<(), Errno> {
    pure(Call::ProcessCtl { process, command, value }).map(drop)
}

/// Copies a handle of another process into the caller's table.
///
/// # Errors
/// EPERM, EBADF, EMFILE.
pub fn copy_handle(process: u32, number: u32) -> Result<u32, Errno> {
    let (command, value) = (process_ctl::COPY_HANDLE, u64::from(number));
    pure_u32(Call::ProcessCtl { process, command, value })
}

/// Marks a mutex word of another process as the death of the thread that owns it does.
///
/// # Errors
/// EPERM, ESRCH, EFAULT, EINVAL; EINVAL for the caller's own.
pub fn owner_died(process: u32, tid: u32, value: u64) -> Result<(), Errno> {
    if process == SELF {
        return Err(Errno::EINVAL);
    }
    pure(Call::ThreadCtl { process, tid, command: thread_ctl::OWNER_DIED, value }).map(drop)
}

/// Sets the credentials of a process.
///
/// # Errors
/// EPERM, EBADF.
pub fn set_credentials(process: u32, credentials: &Credentials) -> Result<(), Errno> {
    process_control(process, process_ctl::SET_CREDENTIALS, address_of(credentials))
}

/// Sets the name of a process.
///
/// # Errors
/// EPERM, EBADF.
pub fn set_name(process: u32, name: &[u8; 16]) -> Result<(), Errno> {
    process_control(process, process_ctl::SET_NAME, address_of(name))
}

/// Tells about a process.
///
/// # Errors
/// EBADF.
pub fn process_info(process: u32) -> Result<ProcessInfo, Errno> {
    let mut info = ProcessInfo::default();
    // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
    unsafe { sys::call(Call::ProcessInfo { process, info: address_of_mut(&mut info) }) }?;
    Ok(info)
}

/// Starts a thread in another process.
///
/// # Errors
/// EAGAIN, EBADF; EINVAL for the caller's own.
pub fn thread_create(process: u32, arguments: &ThreadArgs) -> Result<u32, Errno> {
    if process == SELF {
        return Err(Errno::EINVAL);
    }
    pure_u32(Call::ThreadCreate { process, arguments: address_of(arguments) })
}

/// Tells about the first thread with at least this tid.
///
/// # Errors
/// ESRCH, EBADF.
pub fn thread_info(process: u32, tid: u32) -> Result<ThreadInfo, Errno> {
    let mut info = ThreadInfo::default();
    let call = Call::ThreadInfo { process, tid, info: address_of_mut(&mut info) };
    // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
    unsafe { sys::call(call) }?;
    Ok(info)
}

/// Reads a thread's scheduling parameters.
///
/// # Errors
/// ESRCH, EBADF.
pub fn sched_get(process: u32, tid: u32) -> Result<SchedParam, Errno> {
    let mut parameters = SchedParam::default();
    let call = Call::SchedGet { process, tid, parameters: address_of_mut(&mut parameters) };
    // SAFETY: the only memory written is `parameters`, borrowed mutably for the whole call.
    unsafe { sys::call(call) }?;
    Ok(parameters)
}

/// Sets a thread's scheduling parameters.
///
/// # Errors
/// ESRCH, EBADF, EINVAL, EPERM.
pub fn sched_set(process: u32, tid: u32, parameters: &SchedParam) -> Result<(), Errno> {
    pure(Call::SchedSet { process, tid, parameters: address_of(parameters) }).map(drop)
}

/// Tells about the first handle at or above a number in a process's table.
///
/// # Errors
/// EBADF: there is none.
pub fn handle_info(process: u32, from: u32) -> Result<(u32, HandleInfo), Errno> {
    let mut info = HandleInfo::default();
    let call = Call::ConnectServerInfo { process, coid: from, info: address_of_mut(&mut info) };
    // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
    let number = unsafe { sys::call_u32(call) }?;
    Ok((number, info))
}

/// Sends a signal to a process, or to one of its threads if `tid` is not 0.
///
/// # Errors
/// ESRCH, EINVAL, EAGAIN, EBADF.
pub fn signal(process: u32, tid: u32, info: &SignalInfo) -> Result<(), Errno> {
    pure(Call::SignalKill { process, tid, info: address_of(info) }).map(drop)
}

/// Makes an empty address space.
///
/// # Errors
/// EPERM, ENOMEM, EAGAIN.
pub fn space_create() -> Result<u32, Errno> {
    pure_u32(Call::SpaceCreate {})
}

/// Copies the address space of a process (`SELF`: the caller's), copy on write.
///
/// # Errors
/// EPERM, ENOMEM, EAGAIN.
pub fn space_fork(process: u32) -> Result<u32, Errno> {
    pure_u32(Call::SpaceFork { process })
}

/// Makes a handle of the address space of another process.
///
/// # Errors
/// EPERM, EBADF; EINVAL for the caller's own.
pub fn space_of(process: u32) -> Result<u32, Errno> {
    if process == SELF {
        return Err(Errno::EINVAL);
    }
    pure_u32(Call::SpaceOf { process })
}

/// Reads another address space; returns the number of bytes.
///
/// # Errors
/// EFAULT, EBADF.
pub fn space_read(space: u32, address: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
    let buffer = bytes.as_mut_ptr().addr() as u64;
    let call = Call::SpaceRead { space, address, buffer, length: bytes.len() as u64 };
    // SAFETY: the only memory written is `bytes`, borrowed mutably for the whole call.
    let n = unsafe { sys::call(call) }?;
    usize::try_from(n).map_err(|_| Errno::EOVERFLOW)
}

/// Writes another address space; returns the number of bytes.
///
/// # Errors
/// EFAULT, EBADF; EINVAL for the caller's own.
pub fn space_write(space: u32, address: u64, bytes: &[u8]) -> Result<usize, Errno> {
    if space == SELF {
        return Err(Errno::EINVAL);
    }
    let buffer = bytes.as_ptr().addr() as u64;
    let n = pure(Call::SpaceWrite { space, address, buffer, length: bytes.len() as u64 })?;
    usize::try_from(n).map_err(|_| Errno::EOVERFLOW)
}

/// Tells about the first mapping that ends above an address.
///
/// # Errors
/// ESRCH: there is none. EBADF.
pub fn space_mapping(space: u32, address: u64) -> Result<MappingInfo, Errno> {
    let mut info = MappingInfo::default();
    let call = Call::SpaceMapping { space, address, info: address_of_mut(&mut info) };
    // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
    unsafe { sys::call(call) }?;
    Ok(info)
}

/// Maps memory in another address space.
///
/// # Errors
/// EINVAL (also for the caller's own), ENOMEM, EACCES, EBADF.
pub fn space_map(space: u32, arguments: &MapArgs) -> Result<u64, Errno> {
    if space == SELF {
        return Err(Errno::EINVAL);
    }
    pure(Call::MemMap { space, arguments: address_of(arguments) }).map(i64::cast_unsigned)
}

/// Makes a memory object.
///
/// # Errors
/// EPERM, EINVAL, ENOMEM, ENODEV.
pub fn object_create(kind: u32, size: u64) -> Result<u32, Errno> {
    pure_u32(Call::MemObjectCreate { kind, size, physical: 0, flags: 0 })
}

/// Tells about a memory object.
///
/// # Errors
/// EBADF.
pub fn object_info(object: u32) -> Result<ObjectInfo, Errno> {
    let mut info = ObjectInfo::default();
    // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
    unsafe { sys::call(Call::MemObjectInfo { object, info: address_of_mut(&mut info) }) }?;
    Ok(info)
}

/// Reads a memory object; returns the number of bytes.
///
/// # Errors
/// EBADF.
pub fn object_read(object: u32, offset: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
    let buffer = bytes.as_mut_ptr().addr() as u64;
    let call = Call::MemObjectRead { object, offset, buffer, length: bytes.len() as u64 };
    // SAFETY: the only memory written is `bytes`, borrowed mutably for the whole call.
    let n = unsafe { sys::call(call) }?;
    usize::try_from(n).map_err(|_| Errno::EOVERFLOW)
}

/// Writes to a memory object; returns the number of bytes.
///
/// # Errors
/// EBADF, EACCES, ENOMEM.
pub fn object_write(object: u32, offset: u64, bytes: &[u8]) -> Result<usize, Errno> {
    let (buffer, length) = (bytes.as_ptr().addr() as u64, bytes.len() as u64);
    let n = pure(Call::MemObjectWrite { object, offset, buffer, length })?;
    usize::try_from(n).map_err(|_| Errno::EOVERFLOW)
}

/// Starts a process as a copy of the caller's memory, with one thread that runs `entry` on the
/// stack that ends at `stack_top`, and no handles but the process manager's connection. Locks are as
/// they were: `entry` must not lock, and so not allocate.
///
/// # Errors
/// EPERM, ENOMEM, EAGAIN.
pub fn start_copy(
    process: u32,
    entry: extern "C" fn() -> !,
    stack_top: u64,
    scheduling: (u32, u32),
) -> Result<u32, Errno> {
    let arguments = ThreadArgs {
        entry: entry as *const () as usize as u64,
        // As after a call: 8 below a multiple of 16.
        stack: (stack_top & !15) - 8,
        fs_base: crate::thread::block_address(),
        policy: scheduling.0,
        priority: scheduling.1,
        ..ThreadArgs::default()
    };
    thread_create(process, &arguments)
}
