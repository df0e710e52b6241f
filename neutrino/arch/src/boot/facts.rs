//! What the boot loader tells, by either protocol, in one form.

use multiboot2::{BootInformation, BootInformationHeader, FramebufferType, MemoryAreaType};
use neutrino_abi::info::Framebuffer;
use neutrino_core::machine::PhysicalRange;

use super::memory_map::{MemoryMap, Range};
use crate::mmu::direct_map;
use crate::panic::needed;

/// The loader's facts.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// RAM that firmware does not keep for itself.
    pub(crate) ram: MemoryMap,
    /// The boot image.
    pub(crate) image: PhysicalRange,
    /// Physical address of a copy of ACPI's root pointer.
    pub(crate) rsdp: Option<u64>,
    /// The boot framebuffer.
    pub(crate) framebuffer: Option<(PhysicalRange, Framebuffer)>,
}

impl Facts {
    const fn new() -> Self {
        Self {
            ram: MemoryMap::new(),
            image: PhysicalRange { address: 0, length: 0 },
            rsdp: None,
            framebuffer: None,
        }
    }

    /// Reads them; `kind` is 0 for Multiboot2 and 1 for PVH.
    ///
    /// # Safety
    /// - `address` is what the loader left in ebx, and nothing has overwritten its data.
    pub(crate) unsafe fn read(kind: u32, address: u32) -> Self {
        if kind == 0 {
            // SAFETY: the caller's promise.
            unsafe { multiboot(address) }
        } else {
            // SAFETY: the caller's promise.
            unsafe { super::pvh::read(address) }
        }
    }

    /// No facts, for a protocol to fill.
    pub(super) const fn empty() -> Self {
        Self::new()
    }
}

fn physical<T: ?Sized>(reference: &T) -> u64 {
    (&raw const *reference).addr() as u64 & !direct_map::BASE
}

/// # Safety
/// - `address` is that of Multiboot2 information.
unsafe fn multiboot(address: u32) -> Facts {
    let start = direct_map::pointer(address.into()).cast::<BootInformationHeader>();
    // SAFETY: the loader's information, in the first 4 GiB, which are mapped.
    let loaded = unsafe { BootInformation::load(start) };
    let information = needed(loaded.ok(), "the boot loader's Multiboot2 information is damaged");
    let mut facts = Facts::new();
    if let Some(map) = information.memory_map_tag() {
        for area in map.memory_areas() {
            if area.typ() == MemoryAreaType::Available {
                facts.ram.add(Range { start: area.start_address(), end: area.end_address() });
            }
        }
    }
    if let Some(module) = information.module_tags().next() {
        let (start, end) = (u64::from(module.start_address()), u64::from(module.end_address()));
        facts.image = PhysicalRange { address: start, length: end.saturating_sub(start) };
    }
    // The tag's eight bytes of header come before the root pointer.
    let second = information.rsdp_v2_tag().map(physical);
    facts.rsdp = second.or_else(|| information.rsdp_v1_tag().map(physical)).map(|tag| tag + 8);
    facts.framebuffer = framebuffer(&information);
    facts
}

fn framebuffer(information: &BootInformation<'_>) -> Option<(PhysicalRange, Framebuffer)> {
    let tag = information.framebuffer_tag()?.ok()?;
    let FramebufferType::RGB { red, green, blue } = tag.buffer_type().ok()? else { return None };
    let length = u64::from(tag.pitch()).saturating_mul(tag.height().into());
    let framebuffer = Framebuffer {
        width: tag.width(),
        height: tag.height(),
        pitch: tag.pitch(),
        depth: tag.bpp().into(),
        red: red.position,
        green: green.position,
        blue: blue.position,
        reserved: [0; 5],
    };
    Some((PhysicalRange { address: tag.address(), length }, framebuffer))
}
