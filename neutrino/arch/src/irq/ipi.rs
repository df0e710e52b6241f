//! Interrupts from one CPU to another, by the local APIC's command register (SDM vol. 3, 11.6).
//!
//! It takes no lock: a panic stops the other CPUs whoever holds what.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use neutrino_core::limits::CPUS;
use x86_64::registers::model_specific::Msr;

use super::RESCHEDULE_VECTOR;

const COMMAND: usize = 0x300;
const DESTINATION: usize = 0x310;
const COMMAND_MSR: u32 = 0x830;
const ASSERT: u32 = 1 << 14;
const NMI: u32 = 4 << 8;
const INIT: u32 = 5 << 8;
const STARTUP: u32 = 6 << 8;
const ALL_BUT_SELF: u32 = 3 << 18;
/// Set while the APIC still sends the last one.
const PENDING: u32 = 1 << 12;
/// Reads of that bit before it is taken for stuck.
const PATIENCE: u32 = 100_000;

/// Address of the registers, at which each CPU finds its own; 0 before boot has mapped them.
static REGISTERS: AtomicU64 = AtomicU64::new(0);
/// Local APIC of each CPU.
static IDS: [AtomicU32; CPUS] = [const { AtomicU32::new(0) }; CPUS];

/// Tells where the registers are.
pub(crate) fn set_registers(address: u64) {
    REGISTERS.store(address, Ordering::Release);
}

/// Where they are.
pub(crate) fn registers() -> u64 {
    REGISTERS.load(Ordering::Acquire)
}

/// Whether the APIC's registers are MSRs.
pub(crate) fn is_x2apic() -> bool {
    const APIC_BASE: u32 = 0x1b;
    // SAFETY: reads an MSR that every 64-bit CPU has.
    unsafe { Msr::new(APIC_BASE).read() & 1 << 10 != 0 }
}

/// Names the local APIC of a CPU.
pub(crate) fn set_id(cpu: usize, id: u32) {
    if let Some(place) = IDS.get(cpu) {
        place.store(id, Ordering::Release);
    }
}

fn send(command: u32, id: u32) {
    if is_x2apic() {
        let value = u64::from(id) << 32 | u64::from(command);
        // SAFETY: the APIC is in x2APIC mode, so the MSR exists; every vector sent has a stub.
        unsafe { Msr::new(COMMAND_MSR).write(value) };
        return;
    }
    let registers = registers() as usize;
    let at = |offset: usize| core::ptr::with_exposed_provenance_mut::<u32>(registers + offset);
    // Bound: PATIENCE.
    for _ in 0..PATIENCE {
        // SAFETY: a register of the local APIC, mapped uncached; reading it has no effect.
        if unsafe { at(COMMAND).read_volatile() } & PENDING == 0 {
            break;
        }
        core::hint::spin_loop();
    }
    // SAFETY: the destination register of the local APIC, mapped uncached.
    unsafe { at(DESTINATION).write_volatile(id << 24) };
    // SAFETY: the command register of the local APIC; every vector sent has a stub.
    unsafe { at(COMMAND).write_volatile(command) };
}

/// The APIC of CPU 0, which device interrupts go to.
pub(crate) fn first_id() -> u32 {
    IDS.first().map_or(0, |id| id.load(Ordering::Acquire))
}

/// Makes another CPU enter the kernel.
pub(crate) fn reschedule(cpu: usize) {
    if let Some(id) = IDS.get(cpu) {
        send(ASSERT | u32::from(RESCHEDULE_VECTOR), id.load(Ordering::Acquire));
    }
}

/// Resets a CPU that was not started yet.
pub(crate) fn init(id: u32) {
    send(ASSERT | INIT, id);
}

/// Starts a CPU in real mode at the page with number `page`.
pub(crate) fn start_up(id: u32, page: u8) {
    send(ASSERT | STARTUP | u32::from(page), id);
}

/// Stops all others, wherever they are.
pub(crate) fn stop_others() {
    if registers() != 0 {
        send(ASSERT | ALL_BUT_SELF | NMI, 0);
    }
}
