//! The device's side of a line: what each byte that comes in does.
//!
//! The order of the tests is N_TTY's and matters: flow control, signals, translation of line ends,
//! editing, echo, queue.

use crate::input_queue::End;
use crate::line::Next;
use crate::output::Kind;
use crate::{Flush, INPUT_LIMIT, Id, InputFlags, Line, LocalFlags, Signal};

/// What canonical mode does with a byte.
enum Edit {
    Erase(crate::echo::Erase),
    LiteralNext,
    Reprint,
    End(End),
}

impl Line {
    /// Takes a byte from the device; a signal goes to the foreground group.
    #[must_use]
    pub fn input(&mut self, byte: u8) -> Option<Signal> {
        let mut byte = byte;
        if self.termios.input.contains(InputFlags::ISTRIP) {
            byte &= 0x7f;
        }
        let extended = self.termios.local.contains(LocalFlags::IEXTEN);
        if self.termios.input.contains(InputFlags::IUCLC) && extended {
            byte = byte.to_ascii_lowercase();
        }
        if self.termios.local.contains(LocalFlags::EXTPROC) {
            self.queue(byte);
            return None;
        }
        if self.next == Next::Literal {
            self.next = Next::AsItIs;
            self.release_by_any();
            self.echo_and_queue(byte);
            return None;
        }
        if self.is_flow_control(byte) {
            return None;
        }
        if let Some(signal) = self.signal_for(byte) {
            self.raise(signal, byte);
            return Some(signal);
        }
        self.release_by_any();
        if let Some(translated) = self.translate(byte) {
            self.deliver(translated, byte);
        }
        None
    }

    /// Takes a break from the device.
    #[must_use]
    pub fn input_break(&mut self) -> Option<Signal> {
        let flags = self.termios.input;
        if flags.contains(InputFlags::IGNBRK) {
            return None;
        }
        if flags.contains(InputFlags::BRKINT) {
            self.flush_for_signal();
            return Some(Signal::Interrupt);
        }
        if flags.contains(InputFlags::PARMRK) {
            self.store(0xff);
            self.store(0);
        }
        self.store(0);
        None
    }

    /// Takes a byte that came with a parity or framing error.
    pub fn input_damaged(&mut self, byte: u8) {
        let flags = self.termios.input;
        if !flags.contains(InputFlags::INPCK) {
            self.store(byte);
        } else if flags.contains(InputFlags::IGNPAR) {
            // Dropped, as asked.
        } else if flags.contains(InputFlags::PARMRK) {
            self.store(0xff);
            self.store(0);
            self.store(byte);
        } else {
            self.store(0);
        }
    }

    fn is_flow_control(&mut self, byte: u8) -> bool {
        if !self.termios.input.contains(InputFlags::IXON) {
            return false;
        }
        if self.termios.is(Id::Start, byte) {
            self.output.start();
            true
        } else if self.termios.is(Id::Stop, byte) {
            self.output.stop();
            true
        } else {
            false
        }
    }

    fn release_by_any(&mut self) {
        if self.termios.input.contains(InputFlags::IXON | InputFlags::IXANY) {
            self.output.start();
        }
    }

    fn signal_for(&self, byte: u8) -> Option<Signal> {
        if !self.termios.local.contains(LocalFlags::ISIG) {
            return None;
        }
        let table = [
            (Id::Interrupt, Signal::Interrupt),
            (Id::Quit, Signal::Quit),
            (Id::Suspend, Signal::Suspend),
        ];
        table.into_iter().find(|(id, _)| self.termios.is(*id, byte)).map(|(_, signal)| signal)
    }

    fn raise(&mut self, _signal: Signal, byte: u8) {
        self.flush_for_signal();
        if self.termios.input.contains(InputFlags::IXON) {
            self.output.start();
        }
        if self.termios.local.contains(LocalFlags::ECHO) {
            self.echo(byte);
        }
    }

    fn flush_for_signal(&mut self) {
        if !self.termios.local.contains(LocalFlags::NOFLSH) {
            self.flush(Flush::Both);
        }
    }

    /// Applies `IGNCR`, `ICRNL` and `INLCR`; nothing if the byte is dropped.
    fn translate(&self, byte: u8) -> Option<u8> {
        let flags = self.termios.input;
        match byte {
            b'\r' if flags.contains(InputFlags::IGNCR) => None,
            b'\r' if flags.contains(InputFlags::ICRNL) => Some(b'\n'),
            b'\n' if flags.contains(InputFlags::INLCR) => Some(b'\r'),
            _ => Some(byte),
        }
    }

    fn deliver(&mut self, byte: u8, typed: u8) {
        if self.termios.local.contains(LocalFlags::ICANON) {
            match self.edit_for(byte) {
                Some(Edit::Erase(erase)) => return self.erase(erase),
                Some(Edit::LiteralNext) => return self.begin_literal(),
                Some(Edit::Reprint) => return self.reprint(byte),
                Some(Edit::End(end)) => return self.end_line(byte, end),
                None => {}
            }
        }
        // Raw mode shows a typed newline as ^J, but one made of a return moves the cursor.
        let made = byte == b'\n' && typed != byte;
        if made && self.termios.local.contains(LocalFlags::ECHO) {
            self.finish_erasing();
            self.echo_raw(b'\n');
            self.queue(byte);
        } else {
            self.echo_and_queue(byte);
        }
    }

    /// Decides what canonical mode does with `byte`.
    fn edit_for(&self, byte: u8) -> Option<Edit> {
        use crate::echo::Erase;
        let is = |id| self.termios.is(id, byte);
        let extended = self.termios.local.contains(LocalFlags::IEXTEN);
        let echoing = self.termios.local.contains(LocalFlags::ECHO);
        if is(Id::Erase) {
            Some(Edit::Erase(Erase::Character))
        } else if is(Id::Kill) {
            Some(Edit::Erase(Erase::Line))
        } else if extended && is(Id::WordErase) {
            Some(Edit::Erase(Erase::Word))
        } else if extended && is(Id::LiteralNext) {
            Some(Edit::LiteralNext)
        } else if extended && echoing && is(Id::Reprint) {
            Some(Edit::Reprint)
        } else if byte == b'\n' {
            Some(Edit::End(End::Byte(byte)))
        } else if is(Id::EndOfFile) {
            Some(Edit::End(End::EndOfFile))
        } else if is(Id::EndOfLine) || (extended && is(Id::EndOfLine2)) {
            Some(Edit::End(End::Byte(byte)))
        } else {
            None
        }
    }

    fn begin_literal(&mut self) {
        self.next = Next::Literal;
        if self.termios.local.contains(LocalFlags::ECHO) {
            self.finish_erasing();
            if self.termios.local.contains(LocalFlags::ECHOCTL) {
                self.echo_raw(b'^');
                self.echo_raw(0x08);
            }
        }
    }

    fn end_line(&mut self, byte: u8, end: End) {
        let local = self.termios.local;
        match end {
            End::EndOfFile => {}
            End::Byte(b'\n') => {
                if local.intersects(LocalFlags::ECHO | LocalFlags::ECHONL) {
                    self.echo_raw(b'\n');
                }
            }
            End::Byte(_) => {
                if local.contains(LocalFlags::ECHO) {
                    self.remember_line_start();
                    self.echo(byte);
                }
                self.double_mark(byte);
            }
        }
        self.input.commit(end);
    }

    fn echo_and_queue(&mut self, byte: u8) {
        if self.termios.local.contains(LocalFlags::ECHO) {
            self.finish_erasing();
            self.remember_line_start();
            self.echo(byte);
        }
        self.queue(byte);
    }

    /// Queues a byte; with `PARMRK` a 0xff is doubled, so that it is no mark.
    fn queue(&mut self, byte: u8) {
        if !self.termios.local.contains(LocalFlags::EXTPROC) {
            self.double_mark(byte);
        }
        self.store(byte);
    }

    fn double_mark(&mut self, byte: u8) {
        if byte == 0xff && self.termios.input.contains(InputFlags::PARMRK) {
            self.store(byte);
        }
    }

    /// Stores a byte; a line too long keeps room for the byte that ends it.
    fn store(&mut self, byte: u8) {
        if self.input.len() + 1 >= INPUT_LIMIT && self.termios.is_canonical() {
            self.input.erase(1);
        }
        self.input.push(byte);
    }

    pub(crate) fn remember_line_start(&mut self) {
        if self.input.is_line_start() {
            self.output.remember_column();
        }
    }

    /// Echoes through output processing, without showing control characters as `^X`.
    pub(crate) fn echo_raw(&mut self, byte: u8) {
        self.output.put(byte, &self.termios, Kind::Echo);
    }
}
