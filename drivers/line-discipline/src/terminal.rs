//! A terminal as a server offers it: a line, who controls it, and the clients that wait for it.
//!
//! The same for serial line, console and pseudo-terminal. A server calls [`Terminal::service`] after
//! anything happened, then arms its timer for [`Terminal::deadline`].

use alloc::vec;
use alloc::vec::Vec;

use neutrino_abi::Errno;
use neutrino_abi::handle::ready;

use crate::waiting::{Drainer, Reader, Then, Waiting, Writer};
use crate::{
    Access, Caller, Client, Control, Done, Group, Line, LocalFlags, Parentage, Read, Refusal,
    Signal, System, Termios, Timer, When, WindowSize,
};

/// Whether a call may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It may.
    Blocking,
    /// It may not (`O_NONBLOCK`).
    NonBlocking,
}

/// When written output counts as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// When the device has it.
    ByDevice,
    /// At once: behind a pseudo-terminal is a program, which need not read now.
    AtOnce,
}

/// Bytes that one read takes at most; POSIX lets a read be short.
const READ_LIMIT: usize = crate::INPUT_LIMIT;
/// Stands for the session's leader alone where a signal is sent.
const LEADER: Group = Group(0);
/// Nanoseconds in the unit of `VTIME`.
const TENTH: u64 = 100_000_000;

/// A terminal.
#[derive(Debug)]
pub struct Terminal<C> {
    pub(crate) line: Line,
    pub(crate) control: Control,
    pub(crate) waiting: Waiting<C>,
    defaults: Termios,
    sending: Sending,
    deadline: Option<u64>,
    /// Bytes of input when the deadline was set: only another byte moves it.
    timed_bytes: usize,
}

impl<C: Client> Terminal<C> {
    /// Makes a terminal; `termios` are also its settings after a hang-up.
    #[must_use]
    pub fn new(termios: Termios, size: WindowSize) -> Self {
        Self {
            line: Line::new(termios.clone(), size),
            control: Control::Free,
            waiting: Waiting::new(),
            defaults: termios,
            sending: Sending::ByDevice,
            deadline: None,
            timed_bytes: 0,
        }
    }

    /// Sets when output counts as sent; [`Sending::ByDevice`] otherwise.
    #[must_use]
    pub fn with_sending(self, sending: Sending) -> Self {
        Self { sending, ..self }
    }

    /// Gives the line.
    #[must_use]
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// Gives who controls it.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control
    }

    /// Takes a byte from the device.
    pub fn input(&mut self, byte: u8, system: &mut impl System) {
        let signal = self.line.input(byte);
        self.signal_foreground(signal, system);
    }

    /// Takes a break from the device.
    pub fn input_break(&mut self, system: &mut impl System) {
        let signal = self.line.input_break();
        self.signal_foreground(signal, system);
    }

    /// Takes a byte that came with an error.
    pub fn input_damaged(&mut self, byte: u8) {
        self.line.input_damaged(byte);
    }

    /// Gives the device what to send.
    pub fn next_output(&mut self, buffer: &mut [u8]) -> usize {
        self.line.next_output(buffer)
    }

    /// Changes the window's size, as the device sees it.
    pub fn resize(&mut self, size: WindowSize, system: &mut impl System) {
        let signal = self.line.set_size(size);
        self.signal_foreground(signal, system);
    }

    /// Sends a signal to the foreground group, if there is one.
    pub fn signal_foreground(&self, signal: Option<Signal>, system: &mut impl System) {
        if let (Control::Owned { session, foreground }, Some(signal)) = (self.control, signal) {
            system.signal(session, foreground, signal);
        }
    }

    /// Decides if a caller may go on; stops it if it is in the background.
    ///
    /// # Errors
    /// [`Errno::ERESTART`] if it is stopped, [`Errno::EIO`] if it cannot be.
    pub(crate) fn admit(
        &self,
        caller: &Caller,
        access: Access,
        system: &mut impl System,
    ) -> Result<(), Errno> {
        match self.control.check(caller, access) {
            Ok(()) => Ok(()),
            Err(Refusal::Signal(group, signal)) => {
                let state = system.group(group);
                if state.is_none_or(|state| state.parentage == Parentage::Orphaned) {
                    return Err(Errno::EIO);
                }
                system.signal(caller.session, group, signal);
                Err(Errno::ERESTART)
            }
            Err(refusal) => Err(errno(refusal)),
        }
    }

    /// Reads for a client; the answer goes to it now or later.
    pub fn read(
        &mut self,
        client: C,
        caller: &Caller,
        (size, mode): (usize, Mode),
        system: &mut impl System,
    ) {
        if let Err(errno) = self.admit(caller, Access::Read, system) {
            return client.finish(Done::Failed(errno));
        }
        let size = size.min(READ_LIMIT);
        match mode {
            Mode::NonBlocking => {
                let mut buffer = vec![0; size];
                client.finish(match self.line.read_now(&mut buffer) {
                    Some(count) => Done::Data(buffer.get(..count).unwrap_or(&[])),
                    None => Done::Failed(Errno::EAGAIN),
                });
            }
            Mode::Blocking => {
                self.waiting.readers.push_back(Reader { client, caller: *caller, size });
            }
        }
    }

    /// Writes for a client; the answer goes to it now or later.
    pub fn write(
        &mut self,
        client: C,
        caller: &Caller,
        (data, mode): (Vec<u8>, Mode),
        system: &mut impl System,
    ) {
        if self.line.termios().local.contains(LocalFlags::TOSTOP)
            && let Err(errno) = self.admit(caller, Access::Write, system)
        {
            return client.finish(Done::Failed(errno));
        }
        match mode {
            Mode::NonBlocking if !self.waiting.writers.is_empty() => {
                client.finish(Done::Failed(Errno::EAGAIN));
            }
            Mode::NonBlocking => client.finish(match self.line.write(&data) {
                0 if !data.is_empty() => Done::Failed(Errno::EAGAIN),
                count => Done::Count(count),
            }),
            Mode::Blocking => {
                self.waiting.writers.push_back(Writer { client, data, written: 0 });
            }
        }
    }

    /// Queues a client until output is sent.
    pub(crate) fn drain(&mut self, client: C, then: Then) {
        self.waiting.drainers.push_back(Drainer { client, then });
    }

    /// Lets go of a client that a signal or its death has reached; tells if it was here.
    pub fn cancel(&mut self, is_it: impl Fn(&C) -> bool) -> bool {
        self.waiting.cancel(is_it)
    }

    /// Gives whoever can be served what it waits for; `now` is monotonic, in nanoseconds.
    ///
    /// Tells if settings changed meanwhile: the device then takes them over.
    pub fn service(&mut self, now: u64) -> Changed {
        self.serve_writers();
        let changed = self.serve_drainers();
        self.serve_readers(now);
        changed
    }

    fn serve_writers(&mut self) {
        while let Some(writer) = self.waiting.writers.front_mut() {
            let rest = writer.data.get(writer.written..).unwrap_or(&[]);
            writer.written += self.line.write(rest);
            if writer.written < writer.data.len() {
                return;
            }
            if let Some(writer) = self.waiting.writers.pop_front() {
                writer.client.finish(Done::Count(writer.written));
            }
        }
    }

    fn serve_drainers(&mut self) -> Changed {
        let mut changed = Changed::Nothing;
        while self.sending == Sending::AtOnce || self.line.is_drained() {
            let Some(drainer) = self.waiting.drainers.pop_front() else { break };
            match drainer.then {
                Then::Nothing => {}
                Then::Set(termios) => {
                    self.line.set_termios(termios);
                    changed = Changed::Settings;
                }
                Then::FlushAndSet(termios) => {
                    self.line.flush(crate::Flush::Input);
                    self.line.set_termios(termios);
                    changed = Changed::Settings;
                }
            }
            drainer.client.finish(Done::Count(0));
        }
        changed
    }

    /// Serves readers in turn; one whose group went to the background meanwhile waits there.
    fn serve_readers(&mut self, now: u64) {
        let mut buffer = vec![];
        loop {
            let is_ready = |reader: &Reader<C>| !self.control.is_background(&reader.caller);
            let Some(place) = self.waiting.readers.iter().position(is_ready) else {
                self.deadline = None;
                return;
            };
            let size = self.waiting.readers.get(place).map_or(0, |reader| reader.size);
            let up = self.deadline.is_some_and(|deadline| now >= deadline);
            let when = if up { When::TimeIsUp } else { When::Waiting };
            buffer.resize(size, 0);
            match self.line.read(&mut buffer, when) {
                Read::Data(count) => {
                    self.deadline = None;
                    if let Some(reader) = self.waiting.readers.remove(place) {
                        reader.client.finish(Done::Data(buffer.get(..count).unwrap_or(&[])));
                    }
                }
                Read::Wait(timer) => return self.set_deadline(timer, now),
            }
        }
    }

    fn set_deadline(&mut self, timer: Timer, now: u64) {
        let bytes = self.line.readable_bytes();
        let unchanged = self.deadline.is_some() && bytes == self.timed_bytes;
        self.timed_bytes = bytes;
        self.deadline = match timer {
            Timer::Never => None,
            Timer::Tenths(_) if unchanged => self.deadline,
            // Each byte starts the time anew (POSIX.1-2017, 11.1.7, case A).
            Timer::Tenths(tenths) => Some(now.saturating_add(u64::from(tenths) * TENTH)),
        };
    }

    /// Tells when [`Terminal::service`] must be called even if nothing happens.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    /// Gives `poll`'s bits: what a caller could do without waiting.
    #[must_use]
    pub fn readiness(&self) -> u32 {
        let readable = if self.line.is_readable() { ready::IN } else { 0 };
        let writable = self.waiting.writers.is_empty() && self.line.is_writable();
        readable | if writable { ready::OUT } else { 0 }
    }

    /// Makes the terminal control the caller's session on open, where POSIX lets it: the caller
    /// leads a session without a terminal, the terminal is free, and `O_NOCTTY` was not given.
    pub fn acquire_on_open(&mut self, caller: &Caller, system: &mut impl System) {
        let free = matches!(self.control, Control::Free);
        if free && caller.is_leader() && system.gain(caller.session).is_ok() {
            // The terminal is free and the caller leads: this cannot be refused.
            let _granted = self.control.acquire(caller);
        }
    }

    /// Hangs up: the session gets `SIGHUP` and `SIGCONT` and loses the terminal, every wait ends,
    /// and the next opener finds a fresh line.
    pub fn hang_up(&mut self, system: &mut impl System) {
        if let Control::Owned { session, foreground } = self.control {
            system.signal(session, LEADER, Signal::HangUp);
            if foreground.0 != session.0 {
                system.signal(session, foreground, Signal::HangUp);
                system.signal(session, foreground, Signal::Continue);
            }
            system.signal(session, LEADER, Signal::Continue);
            system.lose(session);
        }
        self.control = Control::Free;
        self.waiting.hang_up();
        self.deadline = None;
        self.line.reset(self.defaults.clone());
    }
}

/// What [`Terminal::service`] changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Nothing that the device must know.
    Nothing,
    /// The settings.
    Settings,
}

/// Gives the error of a refusal that sends no signal.
pub(crate) fn errno(refusal: Refusal) -> Errno {
    match refusal {
        Refusal::Signal(..) => Errno::ERESTART,
        Refusal::Unstoppable => Errno::EIO,
        Refusal::NotControlling => Errno::ENOTTY,
        Refusal::NotPermitted => Errno::EPERM,
        Refusal::NoGroup => Errno::ESRCH,
    }
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
