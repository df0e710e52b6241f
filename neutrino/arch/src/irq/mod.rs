//! Interrupt controllers, and what each vector means.

#[cfg(not(test))]
pub(crate) mod ioapic;
#[cfg(not(test))]
pub(crate) mod ipi;
pub(crate) mod lines;
#[cfg(not(test))]
pub(crate) mod local;

use neutrino_core::limits::MESSAGE_LINES;

/// The legacy controllers' vectors: masked, so only spurious ones come.
pub(crate) const PIC_VECTOR: u8 = 0x20;
/// Vector of line 0.
pub(crate) const FIRST_LINE_VECTOR: u8 = 0x30;
/// Vectors for lines that are wired; those of messages follow up to the timer's.
pub(crate) const LINE_VECTORS: usize = 128;
/// The local timer.
pub(crate) const TIMER_VECTOR: u8 = 0xf0;
/// Another CPU's request.
pub(crate) const RESCHEDULE_VECTOR: u8 = 0xf1;
/// Errors of the local APIC.
pub(crate) const ERROR_VECTOR: u8 = 0xfe;
/// An interrupt that went away.
pub(crate) const SPURIOUS_VECTOR: u8 = 0xff;

/// What a vector from 32 on means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An interrupt line.
    Line(u32),
    /// The local timer.
    Timer,
    /// Another CPU.
    Reschedule,
    /// An error that the local APIC saw, to be acknowledged only.
    Error,
    /// Nothing; not to be acknowledged.
    Spurious,
}

impl Source {
    /// Reads a vector.
    pub(crate) fn of(vector: u8) -> Self {
        match vector {
            TIMER_VECTOR => Self::Timer,
            RESCHEDULE_VECTOR => Self::Reschedule,
            ERROR_VECTOR => Self::Error,
            FIRST_LINE_VECTOR..TIMER_VECTOR => Self::Line((vector - FIRST_LINE_VECTOR).into()),
            _ => Self::Spurious,
        }
    }
}

const _: () = assert!(
    FIRST_LINE_VECTOR as u32 + MESSAGE_LINES.end == TIMER_VECTOR as u32
        && MESSAGE_LINES.start == LINE_VECTORS as u32
);

/// What a device writes to raise a line of messages, for the APIC with this number: the address in
/// the upper half, the data in the lower (SDM vol. 3, 11.11: fixed delivery, on an edge).
pub(crate) fn message(line: u32, apic: u32) -> u64 {
    const WINDOW: u64 = 0xfee0_0000;
    let address = WINDOW | u64::from(apic & 0xff) << 12;
    address << 32 | u64::from(line.saturating_add(FIRST_LINE_VECTOR.into()))
}

/// Moves the legacy interrupt controllers out of the exceptions' way and masks them.
#[cfg(not(test))]
pub(crate) fn disable_legacy() {
    // SAFETY: the vectors are interrupts' with stubs.
    let mut controllers = unsafe { pic8259::ChainedPics::new(PIC_VECTOR, PIC_VECTOR + 8) };
    // SAFETY: nobody else uses the controllers.
    unsafe { controllers.initialize() };
    // SAFETY: every device interrupt comes through the I/O APIC.
    unsafe { controllers.disable() };
}
