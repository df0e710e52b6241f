//! One port: the UART, its interrupt, and the terminal behind it.

use alloc::format;

use devc_ser8250::{
    Device as Line, Framing, Handshake, Mode, Modem, Port as Place, Received, Registers, Uart,
};
use line_discipline::server::Tty;
use line_discipline::{
    BreakState, ControlFlags, Device, InputFlags, LocalFlags, OutputFlags, Termios, WindowSize,
};
use neutrino_rt::Errno;
use neutrino_rt::interrupt::Interrupt;
use neutrino_rt::port::IoPort;
use resmgr::{Node, Ocbs, Outcome, Request};

use crate::program::INTERRUPT;

/// I/O ports of a UART.
const PORTS: u16 = 8;
/// Linux's numbers of serial lines: the programs here know these.
const MAJOR: u32 = 4;
const FIRST_MINOR: u32 = 64;
/// What a terminal is taken for that does not tell its size.
const SIZE: WindowSize = WindowSize { rows: 24, columns: 80, width: 0, height: 0 };

/// The registers behind I/O ports.
#[derive(Debug)]
pub(crate) struct Io(IoPort);

impl Registers for Io {
    fn read(&mut self, offset: u8) -> u8 {
        self.0.read_u8(u16::from(offset))
    }

    fn write(&mut self, offset: u8, value: u8) {
        self.0.write_u8(u16::from(offset), value);
    }
}

/// One port.
#[derive(Debug)]
pub(crate) struct Port {
    uart: Uart<Io>,
    interrupt: Interrupt,
    pub(crate) tty: Tty,
}

/// The terminal, as the UART sees it.
struct Wire<'a>(&'a mut Tty);

impl Line for Wire<'_> {
    fn receive(&mut self, received: Received) {
        let Tty { terminal, manager, .. } = &mut *self.0;
        match received {
            Received::Byte(byte) => terminal.input(byte, manager),
            Received::Damaged(byte) => terminal.input_damaged(byte),
            Received::Break => terminal.input_break(manager),
        }
    }

    fn next_output(&mut self, buffer: &mut [u8]) -> usize {
        self.0.terminal.next_output(buffer)
    }

    fn modem(&mut self, modem: Modem) {
        let flags = self.0.terminal.line().termios().control;
        let controlled = self.0.terminal.control().session().is_some();
        if !flags.contains(ControlFlags::CLOCAL) && !modem.has_carrier() && controlled {
            let Tty { terminal, manager, .. } = &mut *self.0;
            terminal.hang_up(manager);
        }
    }
}

/// The UART, as `ioctl` sees it.
struct Hardware<'a>(&'a mut Uart<Io>);

impl Device for Hardware<'_> {
    fn configure(&mut self, termios: &Termios) {
        let framing = Framing::from_control_flags(termios.control.bits());
        self.0.set_speed(termios.output_speed, framing);
        let crtscts = termios.control.contains(ControlFlags::CRTSCTS);
        self.0.set_handshake(if crtscts { Handshake::RtsCts } else { Handshake::None });
    }

    fn set_break(&mut self, state: BreakState) {
        match state {
            BreakState::On => self.0.begin_break(),
            BreakState::Off => self.0.end_break(),
        }
    }

    fn modem_lines(&mut self) -> Result<u32, Errno> {
        Ok(self.0.modem().bits())
    }
}

impl Port {
    /// Opens the UART at a place, and lets its interrupts send pulses on `coid` with `value`;
    /// nothing if there is none.
    ///
    /// # Errors
    /// EPERM without the rights to ports and interrupts.
    pub(crate) fn open(
        number: u32,
        place: Place,
        (coid, value): (u32, u64),
    ) -> Result<Option<Self>, Errno> {
        let registers = Io(IoPort::attach(place.base, PORTS)?);
        let Some(mut uart) = Uart::probe(registers) else { return Ok(None) };
        let interrupt = Interrupt::attach(place.line, coid, INTERRUPT, value)?;
        let path = format!("/dev/ser{number}");
        let termios = settings(place);
        let numbers = (u64::from(number), MAJOR << 8 | (FIRST_MINOR + number - 1));
        let tty = Tty::new(&path, numbers, termios, SIZE);
        uart.start(place.baud);
        Ok(Some(Self { uart, interrupt, tty }))
    }

    /// Serves an interrupt.
    pub(crate) fn interrupt(&mut self) {
        let wire = &mut Wire(&mut self.tty);
        self.uart.interrupt(wire);
        self.interrupt.unmask();
        // The line is edge-triggered: what came up before the unmask makes no new edge.
        self.uart.interrupt(wire);
    }

    /// Does an `ioctl`.
    pub(crate) fn devctl(&mut self, request: &Request<'_>, dcmd: u32, data: &[u8]) -> Outcome {
        self.tty.devctl(request, (dcmd, data), &mut Hardware(&mut self.uart))
    }

    /// Serves clients, starts the transmitter, and serves those whom that made room for.
    pub(crate) fn settle(&mut self, node: Node, ocbs: &Ocbs) {
        self.tty.settle(node, ocbs, &mut Hardware(&mut self.uart));
        if self.tty.terminal.line().has_output() {
            self.uart.transmit(&mut Wire(&mut self.tty));
            self.tty.settle(node, ocbs, &mut Hardware(&mut self.uart));
        }
    }
}

/// Gives the settings that a port starts with.
fn settings(place: Place) -> Termios {
    let control = ControlFlags::CREAD | ControlFlags::CS6 | ControlFlags::CS7;
    let control = (control | ControlFlags::HUPCL | ControlFlags::CLOCAL).with_speed(place.baud);
    let mut termios = Termios { control, ..Termios::default() };
    (termios.input_speed, termios.output_speed) = (place.baud, place.baud);
    match place.mode {
        Mode::Edited => {}
        Mode::Raw => {
            termios.input = InputFlags::empty();
            termios.output = OutputFlags::empty();
            termios.local = LocalFlags::empty();
        }
    }
    termios
}
