//! Adaptive partitions: shares of the time of all CPUs (QNX: `SchedCtl`).

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::sched::{PARTITIONS_MAX, PartitionInfo, partition};

use crate::sys::{self, address_of, address_of_mut, pure, pure_u32};

/// Tells about a partition; they are numbered from 0, *System*.
///
/// # Errors
/// EINVAL: there is none of this number.
pub fn info(id: u32) -> Result<PartitionInfo, Errno> {
    let mut info = PartitionInfo::default();
    let data = address_of_mut(&mut info);
    let call = Call::SchedCtl { command: partition::INFO, id, value: 0, data };
    // SAFETY: the only memory written is `info`, borrowed mutably for the whole call.
    unsafe { sys::call(call) }?;
    Ok(info)
}

/// The name of a partition, which ends with a NUL in its structure.
#[must_use]
pub fn name(info: &PartitionInfo) -> &str {
    let end = info.name.iter().position(|&byte| byte == 0).unwrap_or(info.name.len());
    info.name.get(..end).and_then(|name| core::str::from_utf8(name).ok()).unwrap_or("?")
}

/// The number of the partition with this name.
#[must_use]
pub fn by_name(wanted: &str) -> Option<u32> {
    // Bound: as many as there can be.
    (0..PARTITIONS_MAX).find(|&id| info(id).is_ok_and(|info| name(&info) == wanted))
}

/// Makes a partition out of `share` percent of its parent's.
///
/// # Errors
/// EINVAL: no parent, or a name of nothing or of more than 15 bytes. EDOM: the parent has not so much. EEXIST. EAGAIN:
/// there are too many. EPERM.
pub fn create(parent: u32, name: &str, share: u32) -> Result<u32, Errno> {
    let mut wanted = PartitionInfo { share, ..PartitionInfo::default() };
    let room = wanted.name.get_mut(..name.len()).ok_or(Errno::EINVAL)?;
    room.copy_from_slice(name.as_bytes());
    let data = address_of(&wanted);
    pure_u32(Call::SchedCtl { command: partition::CREATE, id: parent, value: 0, data })
}

/// Gives a partition another share.
///
/// # Errors
/// EINVAL: *System*, or none. EDOM: its parent has not so much. EPERM.
pub fn modify(id: u32, share: u32) -> Result<(), Errno> {
    control(partition::MODIFY, id, share.into())
}

/// Makes the window over which use is averaged so many nanoseconds long.
///
/// # Errors
/// EINVAL: less than 8 or more than 400 milliseconds. EPERM.
pub fn window(nanoseconds: u64) -> Result<(), Errno> {
    control(partition::WINDOW, 0, nanoseconds)
}

/// Puts a thread of the process, 0 being the caller, into a partition; what it starts is there, too.
///
/// # Errors
/// EINVAL: there is no such partition. ESRCH.
pub fn join(id: u32, tid: u32) -> Result<(), Errno> {
    control(partition::JOIN, id, tid.into())
}

fn control(command: u32, id: u32, value: u64) -> Result<(), Errno> {
    pure(Call::SchedCtl { command, id, value, data: 0 }).map(drop)
}
