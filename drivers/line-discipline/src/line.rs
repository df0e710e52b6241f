//! The state of one line, and the program's side of it: read, write, settings, flushing.
//!
//! The device's side is in `receive`, echo and erasing in `echo`.

use crate::input_queue::InputQueue;
use crate::output::{Kind, Output};
use crate::{
    Flow, INPUT_LIMIT, Id, InputFlags, LocalFlags, OUTPUT_LIMIT, Signal, Termios, WindowSize,
};

/// What `read` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes; 0 is an end of file, or `VMIN` 0 and nothing there.
    Data(usize),
    /// Nothing yet: try again after input, and after this long at the latest.
    Wait(Timer),
}

/// How long a reader waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Until there is input.
    Never,
    /// So many tenths of a second from now, and then `read` is called with [`When::TimeIsUp`].
    Tenths(u8),
}

/// Whether the time that the last `read` named has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It has not, or none was named.
    Waiting,
    /// It has: `read` takes what there is.
    TimeIsUp,
}

/// What a queue selector of `TCFLSH` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// `TCIFLUSH`: what has come and was not read.
    Input,
    /// `TCOFLUSH`: what was written and not sent.
    Output,
    /// `TCIOFLUSH`.
    Both,
}

/// Whether the next byte is taken literally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    AsItIs,
    Literal,
}

/// Whether an erasure printed with `ECHOPRT` is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Printing {
    Text,
    Erasure,
}

/// One line.
#[derive(Debug)]
pub struct Line {
    pub(crate) termios: Termios,
    pub(crate) input: InputQueue,
    pub(crate) output: Output,
    pub(crate) next: Next,
    pub(crate) printing: Printing,
    size: WindowSize,
}

impl Line {
    /// Makes an idle line.
    #[must_use]
    pub fn new(termios: Termios, size: WindowSize) -> Self {
        Self {
            termios,
            input: InputQueue::new(),
            output: Output::new(),
            next: Next::AsItIs,
            printing: Printing::Text,
            size,
        }
    }

    /// Gives the settings.
    #[must_use]
    pub fn termios(&self) -> &Termios {
        &self.termios
    }

    /// Sets the settings at once (`TCSETS`). `TCSETSW` waits for [`Line::is_drained`] before, and
    /// `TCSETSF` flushes input as well.
    pub fn set_termios(&mut self, new: Termios) {
        let toggled = self.termios.local ^ new.local;
        if toggled.intersects(LocalFlags::ICANON | LocalFlags::EXTPROC) {
            if new.local.contains(LocalFlags::ICANON) && self.input.len() > 0 {
                self.input.make_canonical();
            } else {
                self.input.make_raw();
            }
            self.next = Next::AsItIs;
            self.printing = Printing::Text;
        }
        // Output held by ^S could otherwise never be released.
        if self.termios.input.contains(InputFlags::IXON) && !new.input.contains(InputFlags::IXON) {
            self.output.start();
        }
        self.termios = new;
    }

    /// Gives the window's size.
    #[must_use]
    pub fn size(&self) -> WindowSize {
        self.size
    }

    /// Sets the window's size; a change is signalled to the foreground group.
    #[must_use]
    pub fn set_size(&mut self, size: WindowSize) -> Option<Signal> {
        let changed = self.size != size;
        self.size = size;
        changed.then_some(Signal::WindowChange)
    }

    /// Tells if `read` would return at once.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        if self.termios.is_canonical() {
            return self.input.has_line();
        }
        let minimum = usize::from(self.termios.count(Id::Minimum));
        let wanted = if self.termios.count(Id::Time) == 0 { minimum.max(1) } else { 1 };
        self.input.len() >= wanted
    }

    /// Reads into `buffer`, by lines or by `VMIN` and `VTIME`.
    pub fn read(&mut self, buffer: &mut [u8], when: When) -> Read {
        if buffer.is_empty() {
            return Read::Data(0);
        }
        if self.termios.is_canonical() {
            return if self.input.has_line() {
                Read::Data(self.input.take_line(buffer))
            } else {
                Read::Wait(Timer::Never)
            };
        }
        match self.wait_for(buffer.len(), when) {
            Some(timer) => Read::Wait(timer),
            None => Read::Data(self.input.take(buffer)),
        }
    }

    /// Decides if a reader of `size` bytes in raw mode must wait, and how long.
    fn wait_for(&self, size: usize, when: When) -> Option<Timer> {
        let minimum = usize::from(self.termios.count(Id::Minimum));
        let tenths = self.termios.count(Id::Time);
        let have = self.input.len();
        if have >= minimum.min(size).max(1) || when == When::TimeIsUp {
            return None;
        }
        match (minimum, tenths, have) {
            (0, 0, _) => None,
            (0, _, _) => Some(Timer::Tenths(tenths)),
            (_, 0, _) | (_, _, 0) => Some(Timer::Never),
            (..) => Some(Timer::Tenths(tenths)),
        }
    }

    /// Reads whatever there is without waiting; `None` means that a reader would wait.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match self.read(buffer, When::Waiting) {
            Read::Data(count) => Some(count),
            Read::Wait(_) if !self.termios.is_canonical() && self.input.len() > 0 => {
                Some(self.input.take(buffer))
            }
            Read::Wait(_) => None,
        }
    }

    /// Writes as much of `bytes` as there is room for, processed; gives how much.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let mut fits = |byte: &u8| self.output.put(*byte, &self.termios, Kind::Written);
        bytes.iter().take_while(|byte| fits(byte)).count()
    }

    /// Tells if a write would be accepted, at least in part.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        // Hysteresis: a writer is woken when a good part of the queue is free.
        self.output.room() >= OUTPUT_LIMIT / 4
    }

    /// Moves output to the device's `buffer`; nothing while output is held.
    pub fn next_output(&mut self, buffer: &mut [u8]) -> usize {
        self.output.take(buffer)
    }

    /// Tells if the device has something to send now.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.output.flow() == Flow::Running && self.output.len() > 0
    }

    /// Counts the bytes that are ready to be read (`FIONREAD`).
    #[must_use]
    pub fn readable_bytes(&self) -> usize {
        if self.termios.is_canonical() { self.input.committed_bytes() } else { self.input.len() }
    }

    /// Counts the bytes that wait to be sent (`TIOCOUTQ`).
    #[must_use]
    pub fn unsent_bytes(&self) -> usize {
        self.output.len()
    }

    /// Tells if all output went to the device (`tcdrain`).
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.output.len() == 0
    }

    /// Tells how many more bytes the device may bring; 0 asks it to hold the sender.
    ///
    /// A full line without an end leaves room for one: the byte that may end it.
    #[must_use]
    pub fn input_room(&self) -> usize {
        let room = (INPUT_LIMIT - 1).saturating_sub(self.input.len());
        if room == 0 && self.termios.is_canonical() && !self.input.has_line() { 1 } else { room }
    }

    /// Throws queued bytes away (`TCFLSH`).
    pub fn flush(&mut self, which: Flush) {
        match which {
            Flush::Input => self.flush_input(),
            Flush::Output => self.output.clear(),
            Flush::Both => {
                self.flush_input();
                self.output.clear();
            }
        }
    }

    fn flush_input(&mut self) {
        self.input.clear();
        self.next = Next::AsItIs;
        self.printing = Printing::Text;
    }

    /// Tells whether output is held, and by what.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.output.flow()
    }

    /// Holds output until [`Line::resume_output`] (`TCXONC`, `TCOOFF`).
    pub fn hold_output(&mut self) {
        self.output.set_flow(Flow::HeldByCall);
    }

    /// Releases what [`Line::hold_output`] holds (`TCXONC`, `TCOON`).
    pub fn resume_output(&mut self) {
        match self.output.flow() {
            Flow::HeldByCall => self.output.set_flow(Flow::Running),
            Flow::Running | Flow::HeldByCharacter => {}
        }
    }

    /// Sends the stop (`TCIOFF`) or start (`TCION`) character ahead of everything.
    pub fn send_ahead(&mut self, id: Id) {
        if let Some(byte) = self.termios.character(id) {
            self.output.put_first(byte);
        }
    }

    /// Forgets everything queued and all settings: the next opener finds a fresh line.
    pub fn reset(&mut self, termios: Termios) {
        self.flush(Flush::Both);
        self.output.set_flow(Flow::Running);
        self.termios = termios;
    }
}
