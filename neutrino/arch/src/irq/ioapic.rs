//! The I/O APICs. A line's entry is written when it is first unmasked; all start masked.

use x2apic::ioapic::{IoApic, IrqFlags, IrqMode, RedirectionTableEntry};

use super::lines::{LINES, Lines, Signal, Wiring};
use super::{FIRST_LINE_VECTOR, LINE_VECTORS};

/// I/O APICs that are used; QEMU has one.
pub(crate) const CONTROLLERS: usize = 4;

#[derive(Debug)]
struct Controller {
    apic: IoApic,
    first: u32,
    inputs: u32,
}

/// All I/O APICs and what is wired to them.
#[derive(Debug)]
pub(crate) struct Router {
    controllers: [Option<Controller>; CONTROLLERS],
    lines: Lines,
    is_written: [bool; LINES],
}

impl Router {
    /// Without controllers.
    pub(crate) fn new(lines: Lines) -> Self {
        Self { controllers: [const { None }; CONTROLLERS], lines, is_written: [false; LINES] }
    }

    /// Adds a controller and masks its inputs.
    ///
    /// # Safety
    /// - `registers` is the address of an I/O APIC's registers, mapped uncached for good, that
    ///   nobody else uses.
    pub(crate) unsafe fn add(&mut self, registers: u64, first: u32) {
        // SAFETY: the caller's promise.
        let mut apic = unsafe { IoApic::new(registers) };
        // SAFETY: reads a register of the controller.
        let last = unsafe { apic.max_table_entry() };
        for input in 0..=last {
            // SAFETY: the input exists.
            unsafe { apic.disable_irq(input) };
        }
        let controller = Controller { apic, first, inputs: u32::from(last) + 1 };
        if let Some(place) = self.controllers.iter_mut().find(|place| place.is_none()) {
            *place = Some(controller);
        }
    }

    /// Whether there is such a line.
    pub(crate) fn has(&self, line: u32) -> bool {
        let Some(wiring) = self.lines.wiring(line) else { return false };
        self.controllers.iter().flatten().any(|controller| controller.input(wiring).is_some())
    }

    /// Masks a line.
    pub(crate) fn mask(&mut self, line: u32) {
        self.apply(line, |apic, input| {
            // SAFETY: the input exists.
            unsafe { apic.disable_irq(input) };
        });
    }

    /// Unmasks a line.
    pub(crate) fn unmask(&mut self, line: u32) {
        let Some(wiring) = self.lines.wiring(line) else { return };
        let Some(is_written) = self.is_written.get_mut(line as usize) else { return };
        if core::mem::replace(is_written, true) {
            self.apply(line, |apic, input| {
                // SAFETY: the input exists and its entry is written.
                unsafe { apic.enable_irq(input) };
            });
        } else {
            self.apply(line, |apic, input| {
                // SAFETY: the input exists; the vector is one of the lines' and goes to CPU 0.
                unsafe { apic.set_table_entry(input, entry(line, wiring.signal)) };
            });
        }
    }

    fn apply(&mut self, line: u32, change: impl FnOnce(&mut IoApic, u8)) {
        let Some(wiring) = self.lines.wiring(line) else { return };
        // Bound: CONTROLLERS.
        for controller in self.controllers.iter_mut().flatten() {
            if let Some(input) = controller.input(wiring) {
                return change(&mut controller.apic, input);
            }
        }
    }
}

impl Controller {
    fn input(&self, wiring: Wiring) -> Option<u8> {
        let input = wiring.input.checked_sub(self.first)?;
        if input < self.inputs { u8::try_from(input).ok() } else { None }
    }
}

const _: () = assert!(LINES == LINE_VECTORS);

fn entry(line: u32, signal: Signal) -> RedirectionTableEntry {
    let flags = match signal {
        Signal::RisingEdge => IrqFlags::empty(),
        Signal::FallingEdge => IrqFlags::LOW_ACTIVE,
        Signal::High => IrqFlags::LEVEL_TRIGGERED,
        Signal::Low => IrqFlags::LEVEL_TRIGGERED | IrqFlags::LOW_ACTIVE,
    };
    let mut entry = RedirectionTableEntry::default();
    entry.set_mode(IrqMode::Fixed);
    entry.set_flags(flags);
    entry.set_dest(0);
    entry.set_vector(u8::try_from(line).unwrap_or(0).saturating_add(FIRST_LINE_VECTOR));
    entry
}
