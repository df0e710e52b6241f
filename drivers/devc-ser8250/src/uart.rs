//! The 16550 UART: its registers, and what an interrupt asks for.
//!
//! Register numbers and bits are those of the National Semiconductor PC16550D data sheet. The model
//! owns no buffers: bytes go to and come from a [`Device`], the line behind it.

/// The eight registers, by offset.
pub trait Registers {
    /// Reads a register.
    fn read(&mut self, offset: u8) -> u8;
    /// Writes a register.
    fn write(&mut self, offset: u8, value: u8);
}

/// What the UART received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A byte.
    Byte(u8),
    /// A byte with a parity or framing error.
    Damaged(u8),
    /// A break.
    Break,
}

/// The line that the UART serves.
pub trait Device {
    /// Takes what came in.
    fn receive(&mut self, received: Received);
    /// Gives bytes to send; 0 if there are none, or they are held.
    fn next_output(&mut self, buffer: &mut [u8]) -> usize;
    /// Learns of the modem lines.
    fn modem(&mut self, modem: Modem);
}

/// The modem lines that come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modem(u8);

impl Modem {
    /// The other side is ready for bytes (CTS).
    #[must_use]
    pub fn is_clear_to_send(self) -> bool {
        self.0 & MSR_CTS != 0
    }

    /// There is another side (DCD).
    #[must_use]
    pub fn has_carrier(self) -> bool {
        self.0 & MSR_DCD != 0
    }

    /// Gives the lines as `TIOCMGET` numbers them.
    #[must_use]
    pub fn bits(self) -> u32 {
        let table = [(MSR_CTS, 0x20), (MSR_DSR, 0x100), (MSR_RI, 0x80), (MSR_DCD, 0x40)];
        let set = table.iter().filter(|(bit, _)| self.0 & bit != 0);
        set.fold(0, |bits, (_, modem)| bits | modem)
    }
}

/// How bytes are framed: `c_cflag` as the line control register has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing(u8);

impl Framing {
    /// Eight bits, no parity, one stop bit.
    pub const EIGHT_N_ONE: Self = Self(3);

    /// Reads Linux's `CSIZE`, `CSTOPB`, `PARENB` and `PARODD` out of `c_cflag`.
    #[must_use]
    pub fn from_control_flags(flags: u32) -> Self {
        let size = u8::try_from(flags >> 4 & 3).unwrap_or(3);
        let table = [(0x40, 0x04), (0x100, 0x08)];
        let set = table.iter().filter(|(flag, _)| flags & flag != 0);
        let bits = set.fold(size, |bits, (_, bit)| bits | bit);
        let even = flags & 0x100 != 0 && flags & 0x200 == 0;
        Self(if even { bits | 0x10 } else { bits })
    }
}

/// Whether CTS holds the transmitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// It does not.
    None,
    /// It does (`CRTSCTS`).
    RtsCts,
}

const RBR: u8 = 0;
const THR: u8 = 0;
const IER: u8 = 1;
const IIR: u8 = 2;
const FCR: u8 = 2;
const LCR: u8 = 3;
const MCR: u8 = 4;
const LSR: u8 = 5;
const MSR: u8 = 6;
const SCRATCH: u8 = 7;

const IER_RECEIVE: u8 = 0x01;
const IER_TRANSMIT: u8 = 0x02;
const IER_STATUS: u8 = 0x04;
const IER_MODEM: u8 = 0x08;
const IIR_NONE: u8 = 0x01;
/// FIFOs on and emptied, interrupt at 8 bytes: the rest of the FIFO covers late service.
const FCR_SETUP: u8 = 0x87;
const LCR_DIVISOR: u8 = 0x80;
const LCR_BREAK: u8 = 0x40;
const MCR_DTR: u8 = 0x01;
const MCR_RTS: u8 = 0x02;
/// On a PC, OUT2 connects the interrupt line.
const MCR_OUT2: u8 = 0x08;
const LSR_DATA: u8 = 0x01;
const LSR_PARITY: u8 = 0x04;
const LSR_FRAMING: u8 = 0x08;
const LSR_BREAK: u8 = 0x10;
const LSR_SPACE: u8 = 0x20;
const LSR_IDLE: u8 = 0x40;
const MSR_CTS: u8 = 0x10;
const MSR_DSR: u8 = 0x20;
const MSR_RI: u8 = 0x40;
const MSR_DCD: u8 = 0x80;

/// Bytes that the transmitter takes at once.
const FIFO: usize = 16;
/// Turns of the interrupt loop before other ports get theirs; a stuck line cannot hold the driver.
const TURN_LIMIT: usize = 64;
/// Bytes taken in one go, for the same reason.
const RECEIVE_LIMIT: usize = 256;
/// The clock, divided by 16: bits per second at divisor 1.
const CLOCK: u32 = 115_200;

/// A 16550.
#[derive(Debug)]
pub struct Uart<R> {
    registers: R,
    enabled: u8,
    handshake: Handshake,
    framing: Framing,
    /// The speed that is set; setting it again would disturb bytes in flight.
    baud: Option<u32>,
    modem: Modem,
}

impl<R: Registers> Uart<R> {
    /// Looks for a UART: where none is, the bus reads 0xff and forgets what is written.
    pub fn probe(mut registers: R) -> Option<Self> {
        for pattern in [0x5a, 0xa5] {
            registers.write(SCRATCH, pattern);
            if registers.read(SCRATCH) != pattern {
                return None;
            }
        }
        registers.write(IER, 0);
        if registers.read(IER) != 0 {
            return None;
        }
        let framing = Framing::EIGHT_N_ONE;
        let handshake = Handshake::None;
        Some(Self { registers, enabled: 0, handshake, framing, baud: None, modem: Modem(0) })
    }

    /// Sets the UART up and lets it interrupt.
    pub fn start(&mut self, baud: u32) {
        self.set_speed(baud, Framing::EIGHT_N_ONE);
        self.registers.write(FCR, FCR_SETUP);
        self.registers.write(MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
        // Reading each clears what a boot loader left pending.
        for register in [LSR, RBR, IIR] {
            self.registers.read(register);
        }
        self.modem = Modem(self.registers.read(MSR));
        self.enabled = IER_RECEIVE | IER_STATUS | IER_MODEM;
        self.registers.write(IER, self.enabled);
    }

    /// Stops interrupts; the next driver finds a quiet UART.
    pub fn stop(&mut self) {
        self.enabled = 0;
        self.registers.write(IER, 0);
    }

    /// Sets speed and framing; speed 0 hangs up (POSIX `B0`).
    pub fn set_speed(&mut self, baud: u32, framing: Framing) {
        if self.baud == Some(baud) && self.framing == framing {
            return;
        }
        self.baud = Some(baud);
        if baud == 0 {
            self.registers.write(MCR, MCR_OUT2);
            return;
        }
        let divisor = u16::try_from((CLOCK + baud / 2) / baud).unwrap_or(u16::MAX).max(1);
        let [low, high] = divisor.to_le_bytes();
        self.framing = framing;
        self.registers.write(LCR, LCR_DIVISOR | framing.0);
        self.registers.write(RBR, low);
        self.registers.write(IER, high);
        self.registers.write(LCR, framing.0);
        self.registers.write(MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
    }

    /// Sets who holds the transmitter.
    pub fn set_handshake(&mut self, handshake: Handshake) {
        self.handshake = handshake;
    }

    /// Starts sending a break.
    pub fn begin_break(&mut self) {
        self.registers.write(LCR, self.framing.0 | LCR_BREAK);
    }

    /// Ends a break.
    pub fn end_break(&mut self) {
        self.registers.write(LCR, self.framing.0);
    }

    /// Gives the modem lines as they were last seen.
    #[must_use]
    pub fn modem(&self) -> Modem {
        self.modem
    }

    /// Tells if the transmitter has sent its last bit.
    pub fn is_idle(&mut self) -> bool {
        self.registers.read(LSR) & LSR_IDLE != 0
    }

    /// Serves an interrupt: all that the UART wants, up to a limit.
    pub fn interrupt(&mut self, device: &mut impl Device) {
        for _ in 0..TURN_LIMIT {
            let cause = self.registers.read(IIR);
            if cause & IIR_NONE != 0 {
                return;
            }
            match cause & 0x0e {
                0x02 => self.transmit(device),
                0x00 => {
                    self.modem = Modem(self.registers.read(MSR));
                    device.modem(self.modem);
                    self.transmit(device);
                }
                // Received data, a time-out of the FIFO, or a receive error: the same work.
                _ => self.receive(device),
            }
        }
    }

    fn receive(&mut self, device: &mut impl Device) {
        for _ in 0..RECEIVE_LIMIT {
            let status = self.registers.read(LSR);
            if status & (LSR_DATA | LSR_BREAK) == 0 || status == 0xff {
                return;
            }
            let byte = self.registers.read(RBR);
            device.receive(if status & LSR_BREAK != 0 {
                Received::Break
            } else if status & (LSR_PARITY | LSR_FRAMING) != 0 {
                Received::Damaged(byte)
            } else {
                Received::Byte(byte)
            });
        }
    }

    /// Sends what there is to send; called as well when new output appears.
    ///
    /// The transmit interrupt is on exactly while bytes are in flight that may be followed by more.
    pub fn transmit(&mut self, device: &mut impl Device) {
        let held = self.handshake == Handshake::RtsCts && !self.modem.is_clear_to_send();
        if held {
            self.enable_transmit(Pending::Nothing);
            return;
        }
        // An emulated UART is empty again at once; a real one fills up after one turn.
        for _ in 0..TURN_LIMIT {
            if self.registers.read(LSR) & LSR_SPACE == 0 {
                break;
            }
            let mut bytes = [0; FIFO];
            let count = device.next_output(&mut bytes);
            if count == 0 {
                return self.enable_transmit(Pending::Nothing);
            }
            for byte in bytes.iter().take(count) {
                self.registers.write(THR, *byte);
            }
        }
        self.enable_transmit(Pending::More);
    }

    fn enable_transmit(&mut self, pending: Pending) {
        let wanted = match pending {
            Pending::More => self.enabled | IER_TRANSMIT,
            Pending::Nothing => self.enabled & !IER_TRANSMIT,
        };
        if wanted != self.enabled {
            self.enabled = wanted;
            self.registers.write(IER, wanted);
        }
    }
}

/// Whether the transmitter will have something to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    More,
    Nothing,
}

#[cfg(test)]
#[path = "uart_tests.rs"]
mod tests;
