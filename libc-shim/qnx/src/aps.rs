//! Adaptive partitions: QNX's structures for the kernel's commands.

use crate::kernel::{address_of, address_of_mut, at, call, copy, functions, load, store, whoami};
use core::ffi::{c_int, c_void};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::sched::{PARTITIONS_MAX, PartitionInfo, partition};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The numbers of `<sys/sched_aps.h>`.
mod command {
    use core::ffi::c_int;
    pub(super) const QUERY_PARMS: c_int = 1;
    pub(super) const SET_PARMS: c_int = 2;
    pub(super) const CREATE_PARTITION: c_int = 3;
    pub(super) const MODIFY_PARTITION: c_int = 4;
    pub(super) const JOIN_PARTITION: c_int = 5;
    pub(super) const LOOKUP: c_int = 6;
    pub(super) const QUERY_PARTITION: c_int = 7;
    pub(super) const PARTITION_STATS: c_int = 8;
    pub(super) const QUERY_THREAD: c_int = 9;
    /// The last one that answers ENOSYS.
    pub(super) const LAST: c_int = 15;
}

const USE_PARENT_ID: u32 = 1;
const NAME: usize = 16;
const MS: u64 = 1_000_000;

macro_rules! structures {
    ($($(#[$about:meta])* $name:ident { $($member:ident: $type:ty),* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
        #[repr(C)]
        struct $name { $($member: $type),* }
    )*};
}
structures! {
    /// `sched_aps_info`.
    Info { cycles_per_ms: u64, window: u64, count: u32, most: u32 }
    /// `sched_aps_parms`.
    Parms { window_ms: i32, reserved: i32 }
    /// `sched_aps_create_parms`.
    Create { name: u64, budget: i32, critical: i32, parent: i32, flags: u32, id: i32, reserved: i32 }
    /// `sched_aps_modify_parms`.
    Modify { id: i32, budget: i32, critical: i32 }
    /// `sched_aps_join_parms`.
    Join { id: i32, pid: i32, tid: i32 }
    /// `sched_aps_lookup_parms`.
    Lookup { name: u64, id: i32, reserved: i32 }
    /// `sched_aps_partition_info`.
    Partition { id: i32, parent: i32, budget: i32, critical: i32, cycles: u64, name: [u8; NAME] }
    /// `sched_aps_partition_stats`.
    Stats { id: i32, reserved: i32, used: u64, total: u64 }
    /// `sched_aps_query_thread_parms`.
    QueryThread { pid: i32, tid: i32, id: i32, inherited: i32 }
}

/// A C structure that has room for it.
///
/// # Errors
/// EINVAL: it has not, EFAULT.
fn load_sized<T: FromBytes + IntoBytes>(data: *mut c_void, length: c_int) -> Result<T, Errno> {
    if usize::try_from(length) != Ok(size_of::<T>()) {
        return Err(Errno::EINVAL);
    }
    load(data.cast_const().cast())
}

fn control(command: u32, id: i32, value: u64, data: u64) -> Result<i64, Errno> {
    call(Call::SchedCtl { command, id: unsigned(id)?, value, data })
}

fn unsigned(number: i32) -> Result<u32, Errno> {
    u32::try_from(number).map_err(|_| Errno::EINVAL)
}

fn info(id: i32) -> Result<PartitionInfo, Errno> {
    let mut info = PartitionInfo::default();
    control(partition::INFO, id, 0, address_of_mut(&mut info))?;
    Ok(info)
}

/// The name at C's address, which has its end.
///
/// # Errors
/// EINVAL: it is longer than a partition's can be. EFAULT.
fn name_at(address: u64) -> Result<[u8; NAME], Errno> {
    let mut name = [0; NAME];
    // Byte by byte: behind its end there may be no memory.
    for (place, byte) in (address..).zip(&mut name) {
        copy(place, at(byte), 1)?;
        if *byte == 0 {
            return Ok(name);
        }
    }
    Err(Errno::EINVAL)
}

fn lookup(name: &[u8; NAME]) -> Result<i32, Errno> {
    let mut all = 0..PARTITIONS_MAX.cast_signed();
    all.find(|&id| info(id).is_ok_and(|info| info.name == *name)).ok_or(Errno::EINVAL)
}

/// A thread of the caller's process, as the kernel's commands name it.
///
/// # Errors
/// EACCES: it is another process's.
fn whom(pid: i32, tid: i32) -> Result<u64, Errno> {
    if pid != 0 && unsigned(pid) != Ok(whoami().0) {
        return Err(Errno::EACCES);
    }
    match tid {
        -1 => Ok(partition::PULSES.into()),
        tid => unsigned(tid).map(u64::from),
    }
}

fn create(data: *mut c_void, wanted: &Create) -> Result<i64, Errno> {
    if wanted.critical != 0 {
        return Err(Errno::ENOSYS);
    }
    let share = u32::try_from(wanted.budget).map_err(|_| Errno::EDOM)?;
    let new = PartitionInfo { name: name_at(wanted.name)?, share, ..PartitionInfo::default() };
    let parent = if wanted.flags & USE_PARENT_ID != 0 {
        wanted.parent
    } else {
        control(partition::OF, 0, 0, 0)? as i32 & 0xff
    };
    let id = control(partition::CREATE, parent, 0, address_of(&new))? as i32;
    store(data.cast(), &Create { id, ..*wanted })?;
    Ok(0)
}

fn query(data: *mut c_void, length: c_int) -> Result<i64, Errno> {
    let Partition { id, .. } = load_sized(data, length)?;
    let info = info(id)?;
    let cycles = info.window * u64::from(info.cpus) * u64::from(info.share) / 100;
    let (parent, budget) = (info.parent as i32, info.share as i32);
    store(data.cast(), &Partition { id, parent, budget, critical: 0, cycles, name: info.name })?;
    Ok(0)
}

fn thread(data: *mut c_void, length: c_int) -> Result<i64, Errno> {
    let asked: QueryThread = load_sized(data, length)?;
    let both = control(partition::OF, 0, whom(asked.pid, asked.tid)?, 0)? as i32;
    let (id, inherited) = (both & 0xff, both >> 8);
    store(data.cast(), &QueryThread { id, inherited, ..asked })?;
    Ok(0)
}

functions! {
    /// Makes, changes and tells of adaptive partitions.
    /// Partial: no critical budgets, threads of other processes, security, events
    status SchedCtl [SchedCtl_r] (command: c_int, data: *mut c_void, length: c_int) -> c_int {
        match command {
            command::QUERY_PARMS => {
                let Info { .. } = load_sized(data, length)?;
                let info = info(0)?;
                let told = Info { cycles_per_ms: MS, window: info.window, count: info.count, most: PARTITIONS_MAX };
                store(data.cast(), &told)?;
                Ok(0)
            }
            command::SET_PARMS => {
                let Parms { window_ms, .. } = load_sized(data, length)?;
                control(partition::WINDOW, 0, u64::from(unsigned(window_ms)?) * MS, 0)
            }
            command::CREATE_PARTITION => create(data, &load_sized(data, length)?),
            command::MODIFY_PARTITION => {
                let Modify { id, budget, critical } = load_sized(data, length)?;
                if critical != 0 {
                    return Err(Errno::ENOSYS);
                }
                let share = u64::try_from(budget).map_err(|_| Errno::EDOM)?;
                control(partition::MODIFY, id, share, 0)
            }
            command::JOIN_PARTITION => {
                let Join { id, pid, tid } = load_sized(data, length)?;
                control(partition::JOIN, id, whom(pid, tid)?, 0)
            }
            command::LOOKUP => {
                let asked: Lookup = load_sized(data, length)?;
                let id = lookup(&name_at(asked.name)?)?;
                store(data.cast(), &Lookup { id, ..asked })?;
                Ok(0)
            }
            command::QUERY_PARTITION => query(data, length),
            command::PARTITION_STATS => {
                let asked: Stats = load_sized(data, length)?;
                let PartitionInfo { used, total, .. } = info(asked.id)?;
                store(data.cast(), &Stats { used, total, ..asked })?;
                Ok(0)
            }
            command::QUERY_THREAD => thread(data, length),
            ..=0 => Err(Errno::EINVAL),
            number if number <= command::LAST => Err(Errno::ENOSYS),
            _ => Err(Errno::EINVAL),
        }
    }
}
