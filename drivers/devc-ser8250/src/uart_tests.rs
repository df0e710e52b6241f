//! The 16550 model against a fake UART.

extern crate std;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use super::*;

/// A UART made of variables, as the data sheet has it.
#[derive(Default)]
struct Fake {
    scratch: u8,
    ier: u8,
    lcr: u8,
    mcr: u8,
    divisor: [u8; 2],
    input: VecDeque<(u8, u8)>,
    sent: Vec<u8>,
    in_fifo: usize,
    msr: u8,
    modem_changed: bool,
    transmit_pending: bool,
}

impl Registers for Fake {
    fn read(&mut self, offset: u8) -> u8 {
        match offset {
            RBR => self.input.pop_front().map_or(0, |(byte, _)| byte),
            IER => self.ier,
            IIR => self.cause(),
            LSR => {
                let errors = self.input.front().map_or(0, |(_, errors)| errors | LSR_DATA);
                errors | if self.in_fifo == 0 { LSR_SPACE | LSR_IDLE } else { 0 }
            }
            MSR => {
                self.modem_changed = false;
                self.msr
            }
            SCRATCH => self.scratch,
            LCR => self.lcr,
            MCR => self.mcr,
            _ => 0,
        }
    }

    fn write(&mut self, offset: u8, value: u8) {
        match offset {
            RBR if self.lcr & LCR_DIVISOR != 0 => self.divisor[0] = value,
            IER if self.lcr & LCR_DIVISOR != 0 => self.divisor[1] = value,
            THR => {
                self.sent.push(value);
                self.in_fifo += 1;
                self.transmit_pending = false;
            }
            IER => {
                if value & IER_TRANSMIT != 0 && self.ier & IER_TRANSMIT == 0 && self.in_fifo == 0 {
                    self.transmit_pending = true;
                }
                self.ier = value;
            }
            LCR => self.lcr = value,
            MCR => self.mcr = value,
            SCRATCH => self.scratch = value,
            _ => {}
        }
    }
}

impl Fake {
    fn cause(&mut self) -> u8 {
        if self.ier & IER_RECEIVE != 0 && !self.input.is_empty() {
            0x04
        } else if self.ier & IER_TRANSMIT != 0 && self.transmit_pending {
            self.transmit_pending = false;
            0x02
        } else if self.ier & IER_MODEM != 0 && self.modem_changed {
            0x00
        } else {
            IIR_NONE
        }
    }

    /// The line sends what the FIFO holds.
    fn empty_fifo(&mut self) {
        self.in_fifo = 0;
        self.transmit_pending = true;
    }
}

/// An empty slot of the bus.
struct Nothing;

impl Registers for Nothing {
    fn read(&mut self, _offset: u8) -> u8 {
        0xff
    }
    fn write(&mut self, _offset: u8, _value: u8) {}
}

#[derive(Default)]
struct Tape {
    received: Vec<Received>,
    output: VecDeque<u8>,
    modem: Option<Modem>,
}

impl Device for Tape {
    fn receive(&mut self, received: Received) {
        self.received.push(received);
    }
    fn next_output(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.output.len());
        for slot in buffer.iter_mut().take(count) {
            *slot = self.output.pop_front().unwrap_or(0);
        }
        count
    }
    fn modem(&mut self, modem: Modem) {
        self.modem = Some(modem);
    }
}

fn started() -> Uart<Fake> {
    let mut uart = Uart::probe(Fake::default()).unwrap();
    uart.start(115_200);
    uart
}

#[test]
fn an_empty_slot_holds_no_uart() {
    assert!(Uart::probe(Nothing).is_none());
}

#[test]
fn the_divisor_follows_from_the_speed() {
    let mut uart = started();
    assert_eq!(uart.registers.divisor, [1, 0]);
    uart.set_speed(300, Framing::EIGHT_N_ONE);
    assert_eq!(uart.registers.divisor, [0x80, 1]);
    assert_eq!(uart.registers.lcr, 3);
    uart.set_speed(0, Framing::EIGHT_N_ONE);
    assert_eq!(uart.registers.mcr & MCR_DTR, 0);
}

#[test]
fn setting_the_speed_leaves_interrupts_as_they_were() {
    let mut uart = started();
    uart.set_speed(9600, Framing::EIGHT_N_ONE);
    assert_eq!(uart.registers.ier, uart.enabled);
}

#[test]
fn control_flags_become_framing() {
    assert_eq!(Framing::from_control_flags(0x30), Framing(3));
    assert_eq!(Framing::from_control_flags(0x20 | 0x100), Framing(2 | 0x18));
    assert_eq!(Framing::from_control_flags(0x30 | 0x40 | 0x300), Framing(3 | 0x04 | 0x08));
}

#[test]
fn an_interrupt_takes_all_that_came() {
    let mut uart = started();
    uart.registers.input.extend([(b'a', 0), (b'b', LSR_PARITY), (0, LSR_BREAK), (b'c', 0)]);
    let mut tape = Tape::default();
    uart.interrupt(&mut tape);
    let expected =
        [Received::Byte(b'a'), Received::Damaged(b'b'), Received::Break, Received::Byte(b'c')];
    assert_eq!(tape.received, expected);
}

#[test]
fn output_goes_out_in_portions_of_a_fifo() {
    let mut uart = started();
    let mut tape = Tape { output: (0..40).collect(), ..Tape::default() };
    uart.transmit(&mut tape);
    let mut portions = vec![uart.registers.sent.len()];
    while uart.registers.ier & IER_TRANSMIT != 0 {
        uart.registers.empty_fifo();
        uart.interrupt(&mut tape);
        portions.push(uart.registers.sent.len());
    }
    assert_eq!(portions, [16, 32, 40, 40]);
    assert_eq!(uart.registers.sent, (0..40).collect::<Vec<u8>>());
}

#[test]
fn output_written_while_the_fifo_is_full_follows() {
    let mut uart = started();
    let mut tape = Tape { output: (0..4).collect(), ..Tape::default() };
    uart.transmit(&mut tape);
    tape.output.extend([9]);
    uart.transmit(&mut tape);
    assert_eq!(uart.registers.sent.len(), 4);
    uart.registers.empty_fifo();
    uart.interrupt(&mut tape);
    assert_eq!(uart.registers.sent, [0, 1, 2, 3, 9]);
}

#[test]
fn cts_holds_and_releases_the_transmitter() {
    let mut uart = started();
    uart.set_handshake(Handshake::RtsCts);
    let mut tape = Tape { output: [1, 2].into(), ..Tape::default() };
    uart.transmit(&mut tape);
    assert!(uart.registers.sent.is_empty());
    uart.registers.msr = MSR_CTS;
    uart.registers.modem_changed = true;
    uart.interrupt(&mut tape);
    assert_eq!(uart.registers.sent, [1, 2]);
    assert!(tape.modem.is_some_and(Modem::is_clear_to_send));
}

#[test]
fn a_line_that_never_stops_interrupting_is_left_after_a_while() {
    struct Stuck;
    impl Registers for Stuck {
        fn read(&mut self, offset: u8) -> u8 {
            if offset == IIR { 0x04 } else { LSR_DATA }
        }
        fn write(&mut self, _offset: u8, _value: u8) {}
    }
    let framing = Framing::EIGHT_N_ONE;
    let mut uart = Uart {
        registers: Stuck,
        enabled: 0,
        handshake: Handshake::None,
        framing,
        baud: None,
        modem: Modem(0),
    };
    let mut tape = Tape::default();
    uart.interrupt(&mut tape);
    assert_eq!(tape.received.len(), TURN_LIMIT * RECEIVE_LIMIT);
}
