//! The CPU itself: segments, traps, protection features, floating point.

pub(crate) mod features;
pub(crate) mod fpu;
mod gdt;
mod idt;
pub(crate) mod percpu;

use x86_64::VirtAddr;

/// Sets up CPU 0 so that it can run user code and take traps.
///
/// # Safety
/// - Called once, at boot, with interrupts off.
/// - `stack` is the end of the kernel stack in use.
pub(crate) unsafe fn install(stack: VirtAddr) {
    // SAFETY: called once, at boot.
    let block = unsafe { percpu::boot_block() };
    gdt::install(block);
    idt::install();
    percpu::install(block, stack);
    gdt::enable_syscall();
}
