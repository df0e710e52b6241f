//! The PVH protocol, by which QEMU's `-kernel` starts the kernel (Xen: `hvm/start_info.h`).

use neutrino_core::machine::PhysicalRange;

use super::facts::Facts;
use super::memory_map::Range;
use crate::mmu::direct_map;
use crate::panic::stop;

const MAGIC: u32 = 0x336e_c578;
const RAM: u32 = 1;

#[derive(Clone, Copy)]
#[repr(C)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    module_count: u32,
    modules: u64,
    command_line: u64,
    rsdp: u64,
    map: u64,
    map_count: u32,
    reserved: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Module {
    address: u64,
    size: u64,
    command_line: u64,
    reserved: u64,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Area {
    address: u64,
    size: u64,
    kind: u32,
    reserved: u32,
}

/// # Safety
/// - `physical` is that of a `T` that nothing changes meanwhile, below 4 GiB.
unsafe fn load<T: Copy>(physical: u64) -> T {
    // SAFETY: the caller's promise; the first 4 GiB are mapped.
    unsafe { direct_map::pointer(physical).cast::<T>().read_unaligned() }
}

/// # Safety
/// - `address` is that of the start information.
pub(super) unsafe fn read(address: u32) -> Facts {
    // SAFETY: the caller's promise.
    let info = unsafe { load::<StartInfo>(address.into()) };
    if info.magic != MAGIC {
        stop("started by an unknown protocol");
    }
    let mut facts = Facts::empty();
    if info.module_count > 0 {
        // SAFETY: the loader says that there is a module list.
        let module = unsafe { load::<Module>(info.modules) };
        facts.image = PhysicalRange { address: module.address, length: module.size };
    }
    facts.rsdp = (info.rsdp != 0).then_some(info.rsdp);
    // Bound: the loader's areas.
    for index in 0..u64::from(info.map_count) {
        // SAFETY: the loader says that there are so many areas.
        let area = unsafe { load::<Area>(info.map + index * size_of::<Area>() as u64) };
        if area.kind == RAM {
            facts
                .ram
                .add(Range { start: area.address, end: area.address.saturating_add(area.size) });
        }
    }
    facts
}
