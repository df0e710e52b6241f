//! What CPUs ask of each other: to forget a page table, and to leave a thread.
//!
//! Who asks holds the kernel lock and waits. Who is asked is in user code, where the interrupt brings
//! it to the kernel lock; or on its way into or out of the kernel with interrupts off, and so comes
//! to the lock or to user code within a few instructions. At the lock it serves ([`serve`]), as it
//! cannot get it before. So every wait ends: see `docs/decisions/0002-one-kernel-lock.md`.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use neutrino_core::limits::CPUS;

use super::fpu::{self, Area};
use super::percpu;
use crate::irq::ipi;

/// Nothing is asked.
const NOTHING: u64 = 0;
/// Only the page table is to be left.
const LEAVE_SPACE: u64 = 1;

/// What each CPU is asked for: one of the above, or where it is to save its floating-point state.
static REQUESTS: [AtomicU64; CPUS] = [const { AtomicU64::new(NOTHING) }; CPUS];
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);

/// Remembers the page table that every CPU may use at any time.
pub(crate) fn set_kernel_root(root: u64) {
    KERNEL_ROOT.store(root, Ordering::Release);
}

/// Does what another CPU asks of this one.
pub(crate) fn serve() {
    let Some(request) = REQUESTS.get(percpu::index()) else { return };
    let wanted = request.load(Ordering::Acquire);
    if wanted == NOTHING {
        return;
    }
    if wanted != LEAVE_SPACE {
        let area = core::ptr::with_exposed_provenance_mut::<Area>(wanted as usize);
        // SAFETY: the asker holds the kernel lock and waits for this, so nobody else reaches the
        // area, which is one of the static table of contexts.
        fpu::save_asked(unsafe { &mut *area });
    }
    let root = KERNEL_ROOT.load(Ordering::Acquire);
    // SAFETY: the kernel's own table maps all that the kernel uses; writing CR3 also drops every
    // translation of user addresses.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
    request.store(NOTHING, Ordering::Release);
}

fn ask(cpu: usize, wanted: u64) {
    let Some(request) = REQUESTS.get(cpu) else { return };
    request.store(wanted, Ordering::Release);
    ipi::reschedule(cpu);
}

fn wait(cpu: usize) {
    let Some(request) = REQUESTS.get(cpu) else { return };
    // Bound: what the other CPU does with interrupts off before it serves: see above.
    while request.load(Ordering::Acquire) != NOTHING {
        core::hint::spin_loop();
    }
}

/// Makes CPUs (bits), others than this one, leave the user space that they use. Called with the
/// kernel lock held.
pub(crate) fn leave_space(cpus: u8) {
    let each = |cpu: &usize| cpus >> cpu & 1 != 0;
    (0..CPUS).filter(each).for_each(|cpu| ask(cpu, LEAVE_SPACE));
    (0..CPUS).filter(each).for_each(wait);
}

/// Makes another CPU enter the kernel and save its floating-point state. Called with the kernel lock
/// held.
pub(crate) fn leave_thread(cpu: usize, area: &mut Area) {
    ask(cpu, (&raw mut *area).expose_provenance() as u64);
    wait(cpu);
}
