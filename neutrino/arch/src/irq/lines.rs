//! Interrupt lines: which I/O APIC input each has, and how it is wired (ACPI 6.5, 5.2.12).

/// Numbers of lines that are known.
pub(crate) const LINES: usize = 128;
/// Lines below this are ISA interrupts.
pub(crate) const ISA: u32 = 16;

/// Where an input belongs and how it is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wiring {
    /// Global system interrupt.
    pub(crate) input: u32,
    /// Trigger mode and polarity.
    pub(crate) signal: Signal,
}

/// Trigger modes and polarities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Rising edges: ISA's way.
    RisingEdge,
    /// Falling edges.
    FallingEdge,
    /// While high.
    High,
    /// While low: PCI's way.
    Low,
}

/// The wiring of every line.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    isa: [Option<Wiring>; ISA as usize],
}

impl Lines {
    /// As without overrides: ISA interrupts have the inputs of their numbers.
    pub(crate) fn new() -> Self {
        let mut input = 0;
        let isa = [(); ISA as usize].map(|()| {
            let wiring = Wiring { input, signal: Signal::RisingEdge };
            input = input.saturating_add(1);
            Some(wiring)
        });
        Self { isa }
    }

    /// Takes an interrupt source override in; `flags` are ACPI's MPS INTI flags.
    pub(crate) fn override_isa(&mut self, irq: u8, input: u32, flags: u16) {
        // The input's own ISA interrupt is not wired, unless another override says so.
        if let Some(other) = self.isa.get_mut(input as usize)
            && u32::from(irq) != input
            && other.is_some_and(|other| other.input == input)
        {
            *other = None;
        }
        let is_low = flags & 3 == 3;
        let is_level = flags >> 2 & 3 == 3;
        let signal = match (is_level, is_low) {
            (false, false) => Signal::RisingEdge,
            (false, true) => Signal::FallingEdge,
            (true, false) => Signal::High,
            (true, true) => Signal::Low,
        };
        if let Some(line) = self.isa.get_mut(usize::from(irq)) {
            *line = Some(Wiring { input, signal });
        }
    }

    /// How a line is wired.
    pub(crate) fn wiring(&self, line: u32) -> Option<Wiring> {
        match self.isa.get(line as usize) {
            Some(isa) => *isa,
            None if (line as usize) < LINES => Some(Wiring { input: line, signal: Signal::Low }),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, Signal, Wiring};

    #[test]
    fn without_overrides_isa_is_identity_and_rising_edge() {
        let lines = Lines::new();
        assert_eq!(lines.wiring(4), Some(Wiring { input: 4, signal: Signal::RisingEdge }));
    }

    #[test]
    fn the_timer_override_takes_input_two_from_the_cascade() {
        let mut lines = Lines::new();
        lines.override_isa(0, 2, 0);
        assert_eq!(lines.wiring(0), Some(Wiring { input: 2, signal: Signal::RisingEdge }));
        assert_eq!(lines.wiring(2), None);
    }

    #[test]
    fn flags_select_trigger_and_polarity() {
        let mut lines = Lines::new();
        lines.override_isa(9, 9, 0xd);
        lines.override_isa(10, 10, 0xf);
        lines.override_isa(11, 11, 0x7);
        assert_eq!(lines.wiring(9), Some(Wiring { input: 9, signal: Signal::High }));
        assert_eq!(lines.wiring(10), Some(Wiring { input: 10, signal: Signal::Low }));
        assert_eq!(lines.wiring(11), Some(Wiring { input: 11, signal: Signal::FallingEdge }));
    }

    #[test]
    fn lines_from_sixteen_on_are_level_and_low() {
        let lines = Lines::new();
        assert_eq!(lines.wiring(16), Some(Wiring { input: 16, signal: Signal::Low }));
        assert_eq!(lines.wiring(128), None);
    }
}
