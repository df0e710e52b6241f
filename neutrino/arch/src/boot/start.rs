//! The order of boot.

use neutrino_core::Input;
use neutrino_core::limits::CPUS;
use neutrino_core::machine::{FrameNumber, PhysicalRange};
use x86_64::VirtAddr;

use super::memory_map::{MemoryMap, Range};
use super::smp::Processors;
use super::{Facts, loader, smp};
use crate::clock::Clock;
use crate::cpu::features::{self, Features};
use crate::cpu::{self, fpu};
use crate::entry::context::Contexts;
use crate::entry::dispatch::{Core, SYSTEM, System};
use crate::irq::local::Local;
use crate::log::Log;
use crate::machine::{Machine, Own};
use crate::mmu::direct_map::{self, PAGE};
use crate::mmu::kernel_map::{self, Image, KernelMap};
use crate::mmu::records::Records;
use crate::mmu::space::Spaces;
use crate::timer::Timer;
use crate::trace::Rings;
use crate::{calibrate, firmware, irq, panic};

const FIRST_MIB: Range = Range { start: 0, end: 1 << 20 };

/// Boots up to the point where threads can run. Its code is what [`finish`] frees.
///
/// # Safety
/// - Called once, by `boot/start.s`, with what the loader left in ebx.
#[inline(never)]
#[unsafe(link_section = ".init.text")]
pub(crate) unsafe fn start(kind: u32, address: u32, tsc: u64) {
    let features = features::enable();
    // SAFETY: the loader's data are as it left them.
    let facts = unsafe { Facts::read(kind, address) };
    if features.smap {
        patch_clac();
    }
    let image = Image::new();
    let mut free = facts.ram.clone();
    free.remove(FIRST_MIB);
    free.remove(image.physical());
    free.remove(bytes(facts.image));
    // SAFETY: called once, on the loader's mappings; what is in use is taken out of `free`.
    let map = unsafe { KernelMap::new(free, &facts.ram, &image, &features) };
    panic::remember(facts.image, image.text());
    // SAFETY: called once, with interrupts off, on the boot stack, which stays CPU 0's.
    unsafe { cpu::install(0, stack_top()) };
    irq::disable_legacy();
    let (mut machine, free, processors) = machine(map, facts, (&features, tsc));
    // SAFETY: called once.
    let mut kernel = unsafe { Core::new() };
    let root = machine.spaces.kernel_root();
    let count =
        smp::start_others(&processors, &machine.ram, root, (&machine.clock, &machine.local));
    // Bound: CPUS.
    for _ in 1..count {
        kernel.add_cpu();
        machine.add_cpu();
    }
    prepare(kernel, machine, &free);
}

/// Frees the code that only boot ran; returns the first context to load.
pub(crate) fn finish() -> u64 {
    let mut guard = SYSTEM.lock();
    let Some(system) = guard.as_mut() else { return 0 };
    let init = Image::new().init();
    // Bound: pages of boot's code.
    for page in init.pages() {
        system.machine.spaces.unmap_kernel(page);
    }
    let frames = (init.length() / PAGE) as u32;
    let first = direct_map::frame(kernel_map::physical(init.start));
    system.kernel.add_memory(&mut system.machine, first, frames);
    smp::open();
    system.run(0, Input::Reschedule)
}

fn stack_top() -> VirtAddr {
    unsafe extern "C" {
        static boot_stack_top: u8;
    }
    VirtAddr::from_ptr(&raw const boot_stack_top)
}

fn bytes(range: PhysicalRange) -> Range {
    Range { start: range.address, end: range.address.saturating_add(range.length) }
}

/// Makes traps from user space clear AC, which they inherit, now that CLAC exists.
fn patch_clac() {
    unsafe extern "C" {
        static mut trap_clac: [u8; 3];
    }
    let place = &raw mut trap_clac;
    // SAFETY: three bytes reserved for this instruction; the loader's mappings are writable, and no
    // trap runs before boot replaces them.
    unsafe { place.write_volatile([0x0f, 0x01, 0xca]) };
}

fn machine(
    map: KernelMap,
    facts: Facts,
    (features, tsc): (&Features, u64),
) -> (Machine, MemoryMap, Processors) {
    let firmware = firmware::read(&map, facts.rsdp);
    // SAFETY: called once, with interrupts off and traps installed.
    let mut local = unsafe { Local::enable(&map) };
    let rates = calibrate::measure(firmware.hpet, firmware.timer_port, &mut local);
    let clock = Clock::new(tsc, rates.tsc);
    let count = facts.ram.end().div_ceil(PAGE);
    // SAFETY: the memory is taken for this.
    let records = unsafe { Records::new(map.take(Records::size(count)), count) };
    let machine = Machine {
        // SAFETY: called once.
        contexts: unsafe { Contexts::new() },
        fpu: fpu::Method::enable(features),
        cpu: 0,
        online: 1,
        own: [Own::NOTHING; CPUS],
        spaces: Spaces::new(direct_map::frame(map.root())),
        records,
        clock,
        timer: Timer::new(features, &rates, &mut local),
        local,
        router: firmware.router,
        power: firmware.power,
        ram: facts.ram,
        image: facts.image,
        framebuffer: facts.framebuffer,
        // SAFETY: called once.
        rings: unsafe { Rings::new() },
    };
    (machine, map.into_free(), firmware.processors)
}

fn prepare(mut kernel: Core, mut machine: Machine, free: &MemoryMap) {
    for range in free.iter() {
        let first = direct_map::frame(range.start);
        let count = u32::try_from(range.length() / PAGE).unwrap_or(u32::MAX);
        kernel.add_memory(&mut machine, FrameNumber(first.0), count);
    }
    let image = machine.image;
    loader::start(&mut kernel, &mut machine, image);
    announce(&machine, free);
    *SYSTEM.lock() = Some(System { kernel, machine });
}

fn announce(machine: &Machine, free: &MemoryMap) {
    let log = Log::Console.text("neutrino: ").decimal(free.length() / 1024).text(" KiB free, TSC ");
    let log = log.decimal(machine.clock.page().tsc_hz).text(" Hz, boot image ");
    let log = log.decimal(machine.image.length / 1024).text(" KiB, CPUs ");
    log.decimal(machine.online as u64).text("\n");
}
