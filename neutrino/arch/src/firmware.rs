//! ACPI: what boot needs out of the firmware's tables.

use core::ptr::NonNull;

use acpi::address::{AddressSpace, GenericAddress};
use acpi::fadt::Fadt;
use acpi::madt::{Madt, MadtEntry};
use acpi::{AcpiHandler, AcpiTables, HpetInfo, PhysicalMapping};

use crate::boot::smp::Processors;
use crate::irq::ioapic::Router;
use crate::irq::lines::Lines;
use crate::mmu::kernel_map::KernelMap;
use crate::panic::needed;
use crate::power::Power;

#[derive(Clone, Copy)]
struct Handler<'a>(&'a KernelMap);

impl AcpiHandler for Handler<'_> {
    unsafe fn map_physical_region<T>(
        &self,
        address: usize,
        size: usize,
    ) -> PhysicalMapping<Self, T> {
        let start = self.0.map_tables(address as u64, size as u64).cast::<T>();
        let start = NonNull::new(start).unwrap_or(NonNull::dangling());
        // SAFETY: the region is mapped at the direct map for good.
        unsafe { PhysicalMapping::new(address, start, size, size, *self) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}

/// What boot goes on with.
#[derive(Debug)]
pub(crate) struct Firmware {
    /// The I/O APICs, all lines masked.
    pub(crate) router: Router,
    /// How to switch off and start again.
    pub(crate) power: Power,
    /// Address of the HPET's registers, mapped.
    pub(crate) hpet: Option<u64>,
    /// Port of the ACPI timer.
    pub(crate) timer_port: Option<u16>,
    /// The CPUs.
    pub(crate) processors: Processors,
}

/// Reads the tables.
///
/// # Panics
/// If there are none.
pub(crate) fn read(map: &KernelMap, rsdp: Option<u64>) -> Firmware {
    let handler = Handler(map);
    let tables = match rsdp {
        // SAFETY: the boot loader says that the root pointer is there.
        Some(address) => unsafe { AcpiTables::from_rsdp(handler, address as usize) },
        // SAFETY: without a loader's root pointer this is a BIOS.
        None => unsafe { AcpiTables::search_for_rsdp_bios(handler) },
    };
    let tables = needed(tables.ok(), "this machine has no usable ACPI tables");
    let (router, processors) = router(map, &tables);
    let (power, timer_port) = fixed(map, &tables);
    let hpet = HpetInfo::new(&tables).ok().map(|hpet| map.map_device(hpet.base_address as u64));
    Firmware { router, power, hpet, timer_port, processors }
}

fn router(map: &KernelMap, tables: &AcpiTables<Handler<'_>>) -> (Router, Processors) {
    let madt = tables.find_table::<Madt>().ok();
    let madt = needed(madt, "this machine has no interrupt table (MADT)");
    let mut lines = Lines::new();
    for entry in madt.get().entries() {
        if let MadtEntry::InterruptSourceOverride(entry) = entry {
            lines.override_isa(entry.irq, entry.global_system_interrupt, entry.flags);
        }
    }
    let mut router = Router::new(lines);
    for entry in madt.get().entries() {
        if let MadtEntry::IoApic(entry) = entry {
            let registers = map.map_device(entry.io_apic_address.into());
            // SAFETY: the firmware says that an I/O APIC is there, and it is mapped uncached.
            unsafe { router.add(registers, entry.global_system_interrupt_base) };
        }
    }
    (router, processors(&madt))
}

fn processors(madt: &PhysicalMapping<Handler<'_>, Madt>) -> Processors {
    const ENABLED: u32 = 1;
    let mut all = Processors::new();
    for entry in madt.get().entries() {
        if let MadtEntry::LocalApic(entry) = entry
            && entry.flags & ENABLED != 0
        {
            all.add(entry.apic_id.into());
        } else if let MadtEntry::LocalX2Apic(entry) = entry
            && entry.flags & ENABLED != 0
        {
            all.add(entry.x2apic_id);
        }
    }
    all
}

fn port(address: &GenericAddress) -> Option<u16> {
    let port = u16::try_from(address.address).ok().filter(|&port| port != 0)?;
    (address.address_space == AddressSpace::SystemIo).then_some(port)
}

fn fixed(map: &KernelMap, tables: &AcpiTables<Handler<'_>>) -> (Power, Option<u16>) {
    let Ok(fadt) = tables.find_table::<Fadt>() else { return (Power::default(), None) };
    let timer = fadt.pm_timer_block().ok().flatten().as_ref().and_then(port);
    let control = fadt.pm1a_control_block().ok().as_ref().and_then(port);
    let has_reset = { fadt.flags }.supports_system_reset_via_fadt();
    let reset = if has_reset { fadt.reset_register().ok() } else { None };
    let sleep_type = tables.dsdt().ok().and_then(|dsdt| {
        let start = map.map_tables(dsdt.address as u64, dsdt.length.into());
        // SAFETY: the table is mapped and never changes.
        let code = unsafe { core::slice::from_raw_parts(start.cast_const(), dsdt.length as usize) };
        sleep_type(code)
    });
    let power = Power {
        sleep: control.zip(sleep_type),
        reset: reset.as_ref().and_then(port).map(|port| (port, fadt.reset_value)),
    };
    (power, timer)
}

/// Finds `\_S5` in AML by its name and reads the first element of its package (ACPI 6.5, 7.4.2 and
/// 20.2.5.4), which is as much AML as the kernel knows.
fn sleep_type(code: &[u8]) -> Option<u8> {
    let at = code.windows(4).position(|name| name == b"_S5_")?;
    let package = code.get(at.checked_add(4)?..)?.strip_prefix(&[0x12])?;
    let length_bytes = usize::from(*package.first()? >> 6).checked_add(1)?;
    let elements = package.get(length_bytes.checked_add(1)?..)?;
    match *elements.first()? {
        0x0a => elements.get(1).copied(),
        small @ (0 | 1) => Some(small),
        _ => None,
    }
}
