//! The Neutrino kernel for x86-64: boot, traps, page tables, interrupts and time for `neutrino-core`.
//!
//! Boot runs through [`boot::start`] in the order it is read; afterwards every way into the kernel
//! ends in [`entry::dispatch`], which gives the core an input and the CPU to the thread it names.
#![cfg_attr(not(test), no_std, no_main)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "addresses and table indexes; bounds are stated where they matter"
)]
#![cfg_attr(test, allow(dead_code, reason = "only pure modules are built for tests"))]

mod boot;
mod irq;

#[cfg(not(test))]
mod calibrate;
#[cfg(not(test))]
mod clock;
#[cfg(not(test))]
mod cpu;
#[cfg(not(test))]
mod entry;
#[cfg(not(test))]
mod firmware;
#[cfg(not(test))]
mod lock;
#[cfg(not(test))]
mod log;
#[cfg(not(test))]
mod machine;
#[cfg(not(test))]
mod mmu;
#[cfg(not(test))]
mod panic;
#[cfg(not(test))]
mod power;
#[cfg(not(test))]
mod timer;
#[cfg(not(test))]
mod trace;

#[cfg(not(test))]
core::arch::global_asm!(include_str!("boot/start.s"));
#[cfg(not(test))]
core::arch::global_asm!(include_str!("boot/smp.s"));
#[cfg(not(test))]
core::arch::global_asm!(include_str!("entry/syscall.s"));
#[cfg(not(test))]
core::arch::global_asm!(include_str!("entry/trap.s"));

/// Entered from `boot/start.s`, which goes on to the context returned.
#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn start(kind: u32, address: u32, tsc: u64) -> u64 {
    // SAFETY: this is the one call, with the boot loader's values.
    unsafe { boot::start(kind, address, tsc) };
    boot::finish()
}
