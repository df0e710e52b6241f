//! The keyboard controller: gives scan codes of set 1.

use neutrino_rt::Errno;
use neutrino_rt::interrupt::Interrupt;
use neutrino_rt::port::IoPort;

const DATA_PORT: u16 = 0x60;
const COMMAND_PORT: u16 = 0x64;
const KEYBOARD_LINE: u32 = 1;

const STATUS_OUTPUT: u8 = 0x01;
const STATUS_INPUT: u8 = 0x02;
/// The byte is the mouse's.
const STATUS_MOUSE: u8 = 0x20;
const READ_CONFIGURATION: u8 = 0x20;
const WRITE_CONFIGURATION: u8 = 0x60;
const ENABLE_KEYBOARD: u8 = 0xae;
const CONFIGURATION_INTERRUPT: u8 = 0x01;
const CONFIGURATION_CLOCK_OFF: u8 = 0x10;
const CONFIGURATION_TRANSLATE: u8 = 0x40;
/// Turns to wait for a controller that may not be there.
const PATIENCE: usize = 10_000;
/// Bytes taken for one interrupt.
const BURST: usize = 64;

/// The controller.
#[derive(Debug)]
pub(crate) struct Controller {
    data: IoPort,
    command: IoPort,
    interrupt: Interrupt,
}

impl Controller {
    /// Sets the controller up; interrupts send pulses with `code` on `coid`.
    ///
    /// # Errors
    /// EPERM without the rights to ports and interrupts.
    pub(crate) fn open(coid: u32, code: i8) -> Result<Self, Errno> {
        let controller = Self {
            data: IoPort::attach(DATA_PORT, 1)?,
            command: IoPort::attach(COMMAND_PORT, 1)?,
            interrupt: Interrupt::attach(KEYBOARD_LINE, coid, code, 0)?,
        };
        controller.set_up();
        Ok(controller)
    }

    fn set_up(&self) {
        while self.take().is_some() {}
        self.command(READ_CONFIGURATION);
        let answer = (0..PATIENCE).find_map(|_| self.raw());
        let old = answer.map_or(0, |(byte, _)| byte);
        let wanted = old & !CONFIGURATION_CLOCK_OFF;
        self.command(WRITE_CONFIGURATION);
        self.wait_to_write();
        self.data.write_u8(0, wanted | CONFIGURATION_INTERRUPT | CONFIGURATION_TRANSLATE);
        self.command(ENABLE_KEYBOARD);
    }

    fn wait_to_write(&self) {
        for _ in 0..PATIENCE {
            if self.command.read_u8(0) & STATUS_INPUT == 0 {
                return;
            }
        }
    }

    fn command(&self, command: u8) {
        self.wait_to_write();
        self.command.write_u8(0, command);
    }

    /// Takes a byte with its status; nothing if there is none, or no controller.
    fn raw(&self) -> Option<(u8, u8)> {
        let status = self.command.read_u8(0);
        let present = status & STATUS_OUTPUT != 0 && status != 0xff;
        present.then(|| (self.data.read_u8(0), status))
    }

    /// Takes a byte of the keyboard, or `Some(None)` for one of the mouse.
    fn take(&self) -> Option<Option<u8>> {
        self.raw().map(|(byte, status)| (status & STATUS_MOUSE == 0).then_some(byte))
    }

    /// Serves an interrupt: gives the scan codes that came.
    pub(crate) fn interrupt(&self, mut scan: impl FnMut(u8)) {
        let mut drain = || {
            for code in (0..BURST).map_while(|_| self.take()).flatten() {
                scan(code);
            }
        };
        drain();
        self.interrupt.unmask();
        // The line is edge-triggered: what came up before the unmask makes no new edge.
        drain();
    }
}
