//! The transmit queue: output processing (`OPOST`), the column, and start and stop.
//!
//! Keeps: `queue.len() <= OUTPUT_LIMIT + ECHO_LIMIT`, the capacity it is made with.

use alloc::collections::VecDeque;

use crate::{ECHO_LIMIT, OUTPUT_LIMIT, OutputFlags, Termios};

/// Whether the device may take output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It may.
    Running,
    /// The stop character holds it; the start character (or, with `IXANY`, any) releases it.
    HeldByCharacter,
    /// `TCXONC` with `TCOOFF` holds it; only `TCOON` releases it.
    HeldByCall,
}

/// What kind of byte is put: decides the limit and the counting of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Written,
    Echo,
}

impl Kind {
    const fn limit(self) -> usize {
        match self {
            Self::Written => OUTPUT_LIMIT,
            Self::Echo => OUTPUT_LIMIT + ECHO_LIMIT,
        }
    }
}

/// The transmit queue.
#[derive(Debug)]
pub(crate) struct Output {
    queue: VecDeque<u8>,
    column: usize,
    /// Where the line being edited began, for erasing tabs.
    canonical_column: usize,
    flow: Flow,
}

/// Tells if `byte` continues a UTF-8 character, for a line that is UTF-8.
pub(crate) fn is_continuation(byte: u8, termios: &Termios) -> bool {
    termios.input.contains(crate::InputFlags::IUTF8) && byte & 0xc0 == 0x80
}

impl Output {
    pub(crate) fn new() -> Self {
        Self {
            queue: VecDeque::with_capacity(OUTPUT_LIMIT + ECHO_LIMIT),
            column: 0,
            canonical_column: 0,
            flow: Flow::Running,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn room(&self) -> usize {
        OUTPUT_LIMIT.saturating_sub(self.queue.len())
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }

    pub(crate) fn set_flow(&mut self, flow: Flow) {
        self.flow = flow;
    }

    /// Releases output that the stop character holds.
    pub(crate) fn start(&mut self) {
        match self.flow {
            Flow::HeldByCharacter => self.flow = Flow::Running,
            Flow::Running | Flow::HeldByCall => {}
        }
    }

    /// Holds output, by character.
    pub(crate) fn stop(&mut self) {
        match self.flow {
            Flow::Running => self.flow = Flow::HeldByCharacter,
            Flow::HeldByCharacter | Flow::HeldByCall => {}
        }
    }

    pub(crate) fn canonical_column(&self) -> usize {
        self.canonical_column
    }

    pub(crate) fn remember_column(&mut self) {
        self.canonical_column = self.column;
    }

    pub(crate) fn advance(&mut self, columns: usize) {
        self.column += columns;
    }

    pub(crate) fn step_back(&mut self) {
        self.column = self.column.saturating_sub(1);
    }

    /// Moves queued bytes to the device; nothing while output is held.
    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> usize {
        match self.flow {
            Flow::HeldByCharacter | Flow::HeldByCall => 0,
            Flow::Running => {
                let count = buffer.len().min(self.queue.len());
                for (slot, byte) in buffer.iter_mut().zip(self.queue.drain(..count)) {
                    *slot = byte;
                }
                count
            }
        }
    }

    /// Puts a byte that must overtake what is queued (`TCIOFF`, `IXOFF`).
    pub(crate) fn put_first(&mut self, byte: u8) {
        if self.queue.len() < Kind::Echo.limit() {
            self.queue.push_front(byte);
        }
    }

    /// Queues `bytes` untouched, all or none; tells if they fitted.
    pub(crate) fn put_raw(&mut self, bytes: &[u8], kind: Kind) -> bool {
        let fits = self.queue.len() + bytes.len() <= kind.limit();
        if fits {
            self.queue.extend(bytes);
        }
        fits
    }

    /// Queues one byte, processed as `termios` asks; tells if it fitted.
    pub(crate) fn put(&mut self, byte: u8, termios: &Termios, kind: Kind) -> bool {
        if !termios.output.contains(OutputFlags::OPOST) {
            return self.put_raw(&[byte], kind);
        }
        // The longest answer to one byte is a tab's eight spaces.
        if self.queue.len() + 8 > kind.limit() {
            return false;
        }
        match byte {
            b'\n' => self.put_newline(termios),
            b'\r' => self.put_return(termios),
            b'\t' => self.put_tab(termios),
            0x08 => {
                self.step_back();
                self.queue.push_back(byte);
            }
            _ => self.put_plain(byte, termios),
        }
        true
    }

    fn put_newline(&mut self, termios: &Termios) {
        if termios.output.contains(OutputFlags::ONLRET) {
            self.column = 0;
        }
        if termios.output.contains(OutputFlags::ONLCR) {
            self.column = 0;
            self.queue.push_back(b'\r');
        }
        self.canonical_column = self.column;
        self.queue.push_back(b'\n');
    }

    fn put_return(&mut self, termios: &Termios) {
        if termios.output.contains(OutputFlags::ONOCR) && self.column == 0 {
            return;
        }
        if termios.output.contains(OutputFlags::OCRNL) {
            if termios.output.contains(OutputFlags::ONLRET) {
                self.column = 0;
                self.canonical_column = 0;
            }
            self.queue.push_back(b'\n');
            return;
        }
        self.column = 0;
        self.canonical_column = 0;
        self.queue.push_back(b'\r');
    }

    fn put_tab(&mut self, termios: &Termios) {
        let spaces = 8 - self.column % 8;
        self.column += spaces;
        if termios.output.contains(OutputFlags::XTABS) {
            self.queue.extend(core::iter::repeat_n(b' ', spaces));
        } else {
            self.queue.push_back(b'\t');
        }
    }

    fn put_plain(&mut self, byte: u8, termios: &Termios) {
        if !byte.is_ascii_control() && !is_continuation(byte, termios) {
            self.column += 1;
        }
        let upper = termios.output.contains(OutputFlags::OLCUC);
        self.queue.push_back(if upper { byte.to_ascii_uppercase() } else { byte });
    }
}
