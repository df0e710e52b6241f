//! The CPU itself: segments, traps, protection features, floating point.

pub(crate) mod features;
pub(crate) mod fpu;
mod gdt;
mod idt;
pub(crate) mod percpu;
pub(crate) mod remote;

use x86_64::VirtAddr;

/// Sets up the CPU that runs so that it can run user code and take traps.
///
/// # Safety
/// - Called once for each CPU, at boot, with interrupts off.
/// - `stack` is the end of the kernel stack in use.
pub(crate) unsafe fn install(cpu: usize, stack: VirtAddr) {
    // SAFETY: called once for each, at boot.
    let block = unsafe { percpu::block(cpu) };
    gdt::install(block);
    idt::install();
    percpu::install(block, stack);
    gdt::enable_syscall();
}
