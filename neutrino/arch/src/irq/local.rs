//! The local APIC of the CPU that runs, and its one-shot timer.
//!
//! Each CPU finds its own registers at the same place, so one object does for all.

use x2apic::lapic::{LocalApic, LocalApicBuilder, TimerDivide, TimerMode, xapic_base};
use x86_64::registers::model_specific::Msr;

use super::{ERROR_VECTOR, SPURIOUS_VECTOR, TIMER_VECTOR, ipi};
use crate::cpu::features::Features;
use crate::mmu::kernel_map::KernelMap;
use crate::panic::needed;

const TSC_DEADLINE: u32 = 0x6e0;

/// The local APIC.
#[derive(Debug)]
pub(crate) struct Local(LocalApic);

// SAFETY: a CPU reaches its own registers through it, whoever made it; it is used inside the kernel
// lock, and at boot.
unsafe impl Send for Local {}

impl Local {
    /// Switches the APIC on, its timer in one-shot mode and stopped.
    ///
    /// # Safety
    /// - Called once, with interrupts off and traps installed.
    pub(crate) unsafe fn enable(map: &KernelMap) -> Self {
        // SAFETY: reads an MSR that every 64-bit CPU has.
        let registers = map.map_device(unsafe { xapic_base() });
        // SAFETY: the registers are mapped uncached.
        let local = unsafe { Self::enable_at(registers) };
        ipi::set_registers(registers);
        local
    }

    /// The same on another CPU, with interrupts off and traps installed.
    pub(crate) fn enable_other(features: &Features) {
        // SAFETY: the registers are mapped uncached, at the same address for all.
        let mut own = unsafe { Self::enable_at(ipi::registers()) };
        own.use_deadlines(features);
    }

    /// # Safety
    /// - `registers` are those of a local APIC, mapped uncached.
    unsafe fn enable_at(registers: u64) -> Self {
        let built = LocalApicBuilder::new()
            .timer_vector(TIMER_VECTOR.into())
            .error_vector(ERROR_VECTOR.into())
            .spurious_vector(SPURIOUS_VECTOR.into())
            .timer_mode(TimerMode::OneShot)
            .timer_divide(TimerDivide::Div1)
            .timer_initial(0)
            .set_xapic_base(registers)
            .build();
        let mut apic = needed(built.ok(), "this CPU has no local APIC");
        // SAFETY: its registers are mapped uncached; all its vectors have stubs.
        unsafe { apic.enable() };
        Self(apic)
    }

    /// Acknowledges the interrupt in service.
    pub(crate) fn acknowledge(&mut self) {
        // SAFETY: an interrupt of this CPU is in service, or the write has no effect.
        unsafe { self.0.end_of_interrupt() };
    }

    /// Starts the timer; 0 stops it.
    pub(crate) fn count_down(&mut self, ticks: u32) {
        // SAFETY: the timer's vector has a stub.
        unsafe { self.0.set_timer_initial(ticks) };
    }

    /// Ticks that are left.
    pub(crate) fn ticks_left(&self) -> u32 {
        // SAFETY: reads a register.
        unsafe { self.0.timer_current() }
    }

    /// Lets the timer compare with the TSC.
    pub(crate) fn use_deadlines(&mut self, features: &Features) -> bool {
        if features.tsc_deadline {
            // SAFETY: the CPU has this mode.
            unsafe { self.0.set_timer_mode(TimerMode::TscDeadline) };
        }
        features.tsc_deadline
    }

    /// Sets the TSC value to interrupt at; 0 for never.
    pub(crate) fn set_deadline(&mut self, tsc: u64) {
        let mut deadline = Msr::new(TSC_DEADLINE);
        // SAFETY: called after `use_deadlines` said that the CPU has the MSR.
        unsafe { deadline.write(tsc) };
    }

    /// The number of this CPU's APIC.
    pub(crate) fn id(&self) -> u32 {
        // SAFETY: reads a register.
        let id = unsafe { self.0.id() };
        if ipi::is_x2apic() { id } else { id >> 24 }
    }
}
