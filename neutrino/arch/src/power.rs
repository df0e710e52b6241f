//! Switching off and starting again.

use x86_64::VirtAddr;
use x86_64::instructions::interrupts::int3;
use x86_64::instructions::port::Port;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

/// QEMU's isa-debug-exit: value v ends it with status 2 v + 1.
const DEBUG_EXIT: u16 = 0xf4;
const SLEEP_ENABLE: u16 = 1 << 13;
const KEYBOARD_CONTROLLER: u16 = 0x64;
const PULSE_RESET: u8 = 0xfe;
/// Port reads before switching off by ACPI is given up.
const PATIENCE: u32 = 1_000_000;

/// What the firmware offers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Power {
    /// PM1a control port, and the type of soft-off.
    pub(crate) sleep: Option<(u16, u8)>,
    /// Reset port and value.
    pub(crate) reset: Option<(u16, u8)>,
}

/// Ends an emulator with a failure, if there is one.
pub(crate) fn debug_exit(status: u32) {
    // SAFETY: the port is the emulator's or nobody's.
    unsafe { Port::<u32>::new(DEBUG_EXIT).write(status) };
}

impl Power {
    /// Switches the machine off; comes back if it cannot. A status other than 0 goes to the emulator.
    pub(crate) fn off(&self, status: u64) {
        if status != 0 {
            debug_exit(u32::try_from(status & 0x7f).unwrap_or(1));
        }
        if let Some((control, kind)) = self.sleep {
            let mut control = Port::<u16>::new(control);
            // SAFETY: the firmware says that the port is PM1 control, whose soft-off type this is.
            unsafe { control.write(u16::from(kind) << 10 | SLEEP_ENABLE) };
            // An emulator may take its time. Bound: PATIENCE.
            for _ in 0..PATIENCE {
                // SAFETY: reading PM1 control has no effect.
                unsafe { control.read() };
            }
        }
        debug_exit(0);
    }

    /// Starts the machine again.
    pub(crate) fn restart(&self) {
        if let Some((port, value)) = self.reset {
            // SAFETY: the firmware says that this resets the machine.
            unsafe { Port::<u8>::new(port).write(value) };
        }
        // SAFETY: the keyboard controller's reset line, where there is one.
        unsafe { Port::<u8>::new(KEYBOARD_CONTROLLER).write(PULSE_RESET) };
        let nothing = DescriptorTablePointer { limit: 0, base: VirtAddr::zero() };
        // SAFETY: the exception that follows finds no handler, which shuts the CPU down and so resets
        // the machine; nothing is to survive.
        unsafe { lidt(&nothing) };
        int3();
    }
}
