//! Loads the process manager's ELF file out of the boot image.

use elf::ElfBytes;
use elf::abi::{PF_R, PF_W, PF_X, PT_LOAD};
use elf::endian::LittleEndian;
use neutrino_abi::image::Image;
use neutrino_abi::memory::{PAGE_SIZE, prot};
use neutrino_core::Kernel;
use neutrino_core::machine::{PhysicalRange, Place, SpaceSlot};

use crate::machine::Machine;
use crate::mmu::direct_map;
use crate::panic::{needed, stop};

const STACK_END: u64 = 0x7fff_ff00_0000;
const STACK_SIZE: u64 = 256 * 1024;
/// Zeroes above the first stack pointer: no arguments, no environment.
const STACK_HEAD: u64 = 256;

/// The boot image's bytes.
pub(crate) fn image(range: PhysicalRange) -> &'static [u8] {
    let start = direct_map::pointer(range.address);
    // SAFETY: the loader put the image there; boot keeps it out of free memory, and nobody writes it.
    unsafe { core::slice::from_raw_parts(start, range.length as usize) }
}

/// Starts the process manager.
///
/// # Panics
/// If there is none, or no memory for it.
pub(crate) fn start(kernel: &mut Kernel, machine: &mut Machine, range: PhysicalRange) {
    if range.length == 0 {
        stop("no boot image: give one by -initrd or as a Multiboot2 module");
    }
    let image = match Image::new(image(range)) {
        Ok(image) => image,
        Err(error) => stop(error.sentence()),
    };
    let file = needed(image.procnto(), "the boot image has no procnto");
    let process = needed(kernel.boot_process(machine).ok(), "too little memory for procnto");
    let entry = load(kernel, machine, (process.space, file.data()));
    let stack = Place { space: process.space, address: STACK_END - STACK_SIZE };
    let mapped = kernel.boot_map(machine, stack, STACK_SIZE, prot::READ | prot::WRITE, &[]);
    needed(mapped.ok(), "too little memory for procnto's stack");
    kernel.boot_start(machine, process.thread, entry, STACK_END - STACK_HEAD, 0);
}

fn load(kernel: &mut Kernel, machine: &mut Machine, (space, file): (SpaceSlot, &[u8])) -> u64 {
    let elf = ElfBytes::<LittleEndian>::minimal_parse(file).ok();
    let elf = needed(elf, "procnto is not an ELF file");
    let segments = needed(elf.segments(), "procnto has no program headers");
    // Bound: program headers.
    for segment in segments.iter().filter(|segment| segment.p_type == PT_LOAD) {
        // The bytes before the segment in its first page come along, as in any ELF loader.
        let before = segment.p_vaddr % PAGE_SIZE;
        let bytes = segment.p_offset.checked_sub(before).and_then(|start| {
            file.get(start as usize..)?.get(..(before + segment.p_filesz) as usize)
        });
        let bytes = needed(bytes, "procnto's segments do not lie in its file");
        let mapped = kernel.boot_map(
            machine,
            Place { space, address: segment.p_vaddr - before },
            (before + segment.p_memsz).next_multiple_of(PAGE_SIZE),
            protection(segment.p_flags),
            bytes,
        );
        needed(mapped.ok(), "too little memory for procnto");
    }
    elf.ehdr.e_entry
}

fn protection(flags: u32) -> u32 {
    let bit = |flag: u32, protection: u32| if flags & flag != 0 { protection } else { 0 };
    bit(PF_R, prot::READ) | bit(PF_W, prot::WRITE) | bit(PF_X, prot::EXEC)
}
