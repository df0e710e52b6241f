//! Starts the other CPUs, one by one (SDM vol. 3, 9.4.4).
//!
//! Each sets itself up and waits until boot has finished; then it enters the kernel as if asked to
//! choose a thread.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use neutrino_core::Input;
use neutrino_core::limits::CPUS;
use x86_64::registers::control::{Cr4, Cr4Flags};

use super::memory_map::MemoryMap;
use crate::clock::Clock;
use crate::cpu::{self, features, fpu, percpu, remote};
use crate::entry::dispatch::SYSTEM;
use crate::irq::ipi;
use crate::irq::local::Local;
use crate::log::Log;
use crate::mmu::direct_map::{self, PAGE};

/// The start-up code must be below the first of these: the rest belongs to firmware and video.
const REAL_MODE_END: u64 = 0xa_0000;
const INIT_NS: u64 = 10_000_000;
const SECOND_START_NS: u64 = 1_000_000;
/// An emulator on a busy machine may take its time.
const PATIENCE_NS: u64 = 2_000_000_000;

unsafe extern "C" {
    static smp_start: u8;
    static smp_start_end: u8;
    static smp_claim: AtomicU32;
    static smp_root: AtomicU64;
    static smp_stack: AtomicU64;
}

/// CPUs that are set up and wait, this one included.
static ARRIVED: AtomicU32 = AtomicU32::new(1);
/// 1 once boot has finished.
static IS_OPEN: AtomicU32 = AtomicU32::new(0);

/// The local APICs that firmware names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors {
    ids: [u32; CPUS],
    count: usize,
}

impl Processors {
    /// None.
    pub(crate) const fn new() -> Self {
        Self { ids: [0; CPUS], count: 0 }
    }

    /// Adds one; there is no room for more than [`CPUS`].
    pub(crate) fn add(&mut self, id: u32) {
        if let Some(place) = self.ids.get_mut(self.count) {
            *place = id;
            self.count += 1;
        }
    }

    fn others(&self, own: u32) -> impl Iterator<Item = u32> {
        self.ids.iter().take(self.count).copied().filter(move |&id| id != own)
    }
}

/// Starts all others; returns how many CPUs there are then.
pub(crate) fn start_others(
    processors: &Processors,
    ram: &MemoryMap,
    root: u64,
    (clock, local): (&Clock, &Local),
) -> usize {
    let own = local.id();
    ipi::set_id(0, own);
    remote::set_kernel_root(root);
    let mut count = 1;
    let Some(page) = ram.clone().take(PAGE, REAL_MODE_END).filter(|&page| page != 0) else {
        return count;
    };
    copy_start(page);
    // SAFETY: the variable is read by `boot/smp.s` only.
    unsafe { &smp_root }.store(root, Ordering::Release);
    // Bound: CPUS.
    for id in processors.others(own).take(CPUS - 1) {
        if !start_one(count, (id, page), clock) {
            Log::Console.text("neutrino: a CPU did not start: APIC ").decimal(id.into()).text("\n");
            break;
        }
        count += 1;
    }
    count
}

fn copy_start(page: u64) {
    let start = &raw const smp_start;
    let length = (&raw const smp_start_end).addr() - start.addr();
    // SAFETY: the page is RAM that nobody uses, and the code is shorter than it.
    unsafe { direct_map::copy(direct_map::pointer(page), start, length) };
}

fn start_one(cpu: usize, (id, page): (u32, u64), clock: &Clock) -> bool {
    ipi::set_id(cpu, id);
    // SAFETY: the variable is read by `boot/smp.s` only.
    unsafe { &smp_stack }.store(percpu::kernel_stack_top(cpu).as_u64(), Ordering::Release);
    // SAFETY: the variable is a word of its own that is accessed atomically everywhere.
    let claim = unsafe { &smp_claim };
    claim.store(1, Ordering::Release);
    let is_here = || ARRIVED.load(Ordering::Acquire) as usize > cpu;
    let page = (page / PAGE) as u8;
    ipi::init(id);
    wait(INIT_NS, clock, || false);
    ipi::start_up(id, page);
    if !wait(SECOND_START_NS, clock, is_here) {
        ipi::start_up(id, page);
    }
    if wait(PATIENCE_NS, clock, is_here) {
        return true;
    }
    // One that has taken its turn comes; one that has not never does.
    if claim.swap(0, Ordering::AcqRel) == 1 {
        return false;
    }
    // Bound: what `start_other` does up to its arrival.
    while !is_here() {
        spin_loop();
    }
    true
}

fn wait(nanoseconds: u64, clock: &Clock, mut done: impl FnMut() -> bool) -> bool {
    let end = clock.now().saturating_add(nanoseconds);
    // Bound: the time.
    while clock.now() < end {
        if done() {
            return true;
        }
        spin_loop();
    }
    done()
}

/// Lets the others in, after boot.
pub(crate) fn open() {
    IS_OPEN.store(1, Ordering::Release);
}

/// Entered from `boot/smp.s`, which goes on to the context returned.
#[unsafe(no_mangle)]
extern "C" fn start_other() -> u64 {
    let index = ARRIVED.load(Ordering::Acquire) as usize;
    let features = features::enable();
    // SAFETY: called once on this CPU, with interrupts off, on its own stack.
    unsafe { cpu::install(index, percpu::kernel_stack_top(index)) };
    fpu::Method::enable(&features);
    Local::enable_other(&features);
    ARRIVED.store(index as u32 + 1, Ordering::Release);
    // Bound: what is left of boot on CPU 0.
    while IS_OPEN.load(Ordering::Acquire) == 0 {
        spin_loop();
    }
    // Boot's code is no longer mapped; global translations go when they are switched off.
    let cr4 = Cr4::read();
    // SAFETY: paging goes on; only translations are dropped.
    unsafe { Cr4::write(cr4 - Cr4Flags::PAGE_GLOBAL) };
    // SAFETY: as above.
    unsafe { Cr4::write(cr4) };
    match SYSTEM.lock().as_mut() {
        Some(system) => system.run(index, Input::Reschedule),
        None => 0,
    }
}
