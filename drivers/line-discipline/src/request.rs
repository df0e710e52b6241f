//! `ioctl` on a terminal: decodes the request and does it.
//!
//! Numbers and layouts are Linux x86-64's.

use linux_raw_sys::{general as linux, ioctl};
use neutrino_abi::Errno;

use crate::terminal::errno;
use crate::waiting::Then;
use crate::{
    Access, Caller, Client, Control, Flush, Group, Id, Session, Signal, System, Terminal, Termios,
    WindowSize,
};

/// What a request gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Done,
    /// An `int`.
    Int(i32),
    /// Bytes: the first `length` of `bytes`.
    Bytes {
        /// The bytes.
        bytes: [u8; Termios::SIZE2],
        /// How many count.
        length: usize,
    },
    /// The answer comes when output is sent.
    Later,
}

impl Answer {
    pub(crate) fn bytes(data: &[u8]) -> Self {
        let mut bytes = [0; Termios::SIZE2];
        for (slot, byte) in bytes.iter_mut().zip(data) {
            *slot = *byte;
        }
        Self::Bytes { bytes, length: data.len().min(Termios::SIZE2) }
    }
}

/// The hardware behind a line, as far as requests reach it.
pub trait Device {
    /// Takes over speed, framing and handshake.
    fn configure(&mut self, termios: &Termios);
    /// Begins or ends a break.
    fn set_break(&mut self, state: BreakState);
    /// Gives the modem lines as `TIOCMGET` numbers them.
    ///
    /// # Errors
    /// [`Errno::ENOTTY`] if there are none.
    fn modem_lines(&mut self) -> Result<u32, Errno>;
}

/// Whether a break is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakState {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// A line without hardware: console and pseudo-terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDevice;

impl Device for NoDevice {
    fn configure(&mut self, _termios: &Termios) {}
    fn set_break(&mut self, _state: BreakState) {}
    fn modem_lines(&mut self) -> Result<u32, Errno> {
        Err(Errno::ENOTTY)
    }
}

/// A request as a client sends it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The `ioctl` number.
    pub number: u32,
    /// The argument, where it is a number.
    pub argument: u64,
    /// The data behind the argument, where it is an address.
    pub data: &'a [u8],
}

impl Request<'_> {
    fn int(&self) -> Result<i32, Errno> {
        let bytes = self.data.first_chunk().ok_or(Errno::EINVAL)?;
        Ok(i32::from_le_bytes(*bytes))
    }
}

/// Where a request comes from and goes to.
#[derive(Debug)]
pub struct Context<'a, S, D> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The process manager.
    pub system: &'a mut S,
    /// The hardware.
    pub device: &'a mut D,
}

/// Gives how many bytes a request takes from and gives to the client: what a server must fetch.
#[must_use]
pub fn data_size(number: u32) -> usize {
    match number {
        ioctl::TCGETS | ioctl::TCSETS | ioctl::TCSETSW | ioctl::TCSETSF => Termios::SIZE,
        ioctl::TCGETS2 | ioctl::TCSETS2 | ioctl::TCSETSW2 | ioctl::TCSETSF2 => Termios::SIZE2,
        ioctl::TIOCGWINSZ | ioctl::TIOCSWINSZ => WindowSize::SIZE,
        _ => 4,
    }
}

impl<C: Client> Terminal<C> {
    /// Does a request; `client` is kept, and answered later, where it must wait for output.
    pub fn request<S: System, D: Device>(
        &mut self,
        client: C,
        request: Request<'_>,
        context: &mut Context<'_, S, D>,
        reply: impl FnOnce(C, Result<Answer, Errno>),
    ) {
        match self.decode(request, context) {
            Ok(Step::Answer(answer)) => reply(client, Ok(answer)),
            Ok(Step::Drain(then)) => self.drain(client, then),
            Err(errno) => reply(client, Err(errno)),
        }
    }

    fn decode<S: System, D: Device>(
        &mut self,
        request: Request<'_>,
        context: &mut Context<'_, S, D>,
    ) -> Result<Step, Errno> {
        match request.number {
            ioctl::TCGETS
            | ioctl::TCGETS2
            | ioctl::TIOCGWINSZ
            | ioctl::FIONREAD
            | ioctl::TIOCOUTQ
            | ioctl::TIOCGETD
            | ioctl::TIOCMGET => self.look(request.number, context.device).map(Step::Answer),
            ioctl::TIOCGPGRP
            | ioctl::TIOCSPGRP
            | ioctl::TIOCGSID
            | ioctl::TIOCSCTTY
            | ioctl::TIOCNOTTY
            | ioctl::TIOCSWINSZ => self.own(request, context).map(Step::Answer),
            ioctl::TIOCSTI => Err(Errno::EIO),
            _ => {
                self.admit_change(request.number, context)?;
                self.change(request, context)
            }
        }
    }

    fn admit_change<S: System, D>(
        &self,
        number: u32,
        context: &mut Context<'_, S, D>,
    ) -> Result<(), Errno> {
        match number {
            ioctl::TIOCMBIS | ioctl::TIOCMBIC | ioctl::TIOCMSET | ioctl::TIOCSETD => Ok(()),
            _ => self.admit(context.caller, Access::Change, context.system),
        }
    }

    /// Requests that only look.
    fn look(&self, number: u32, device: &mut impl Device) -> Result<Answer, Errno> {
        let count = |count: usize| Answer::Int(i32::try_from(count).unwrap_or(i32::MAX));
        match number {
            ioctl::TCGETS => Ok(Answer::bytes(&self.line.termios().to_bytes())),
            ioctl::TCGETS2 => Ok(Answer::bytes(&self.line.termios().to_bytes2())),
            ioctl::TIOCGWINSZ => Ok(Answer::bytes(&self.line.size().to_bytes())),
            ioctl::FIONREAD => Ok(count(self.line.readable_bytes())),
            ioctl::TIOCOUTQ => Ok(count(self.line.unsent_bytes())),
            ioctl::TIOCMGET => Ok(Answer::Int(device.modem_lines()?.cast_signed())),
            // The line discipline: there is one.
            _ => Ok(Answer::Int(0)),
        }
    }

    /// Requests about sessions, groups and the window.
    fn own<S: System, D>(
        &mut self,
        request: Request<'_>,
        context: &mut Context<'_, S, D>,
    ) -> Result<Answer, Errno> {
        let caller = context.caller;
        match request.number {
            ioctl::TIOCGPGRP => {
                let group = self.control.foreground_for(caller).map_err(errno)?;
                Ok(Answer::Int(group.0))
            }
            ioctl::TIOCGSID => Ok(Answer::Int(self.control.session_for(caller).map_err(errno)?.0)),
            ioctl::TIOCSPGRP => self.set_foreground(Group(request.int()?), caller, context.system),
            ioctl::TIOCSCTTY => self.acquire(caller, context.system),
            ioctl::TIOCNOTTY => self.release(caller, context.system),
            _ => {
                let bytes = request.data.first_chunk().ok_or(Errno::EINVAL)?;
                let signal = self.line.set_size(WindowSize::from_bytes(*bytes));
                self.signal_foreground(signal, context.system);
                Ok(Answer::Done)
            }
        }
    }

    fn set_foreground(
        &mut self,
        group: Group,
        caller: &Caller,
        system: &mut impl System,
    ) -> Result<Answer, Errno> {
        let not_stopped = self.admit(caller, Access::Change, system);
        not_stopped.map_err(|errno| if errno == Errno::EIO { Errno::ENOTTY } else { errno })?;
        if group.0 < 0 {
            return Err(Errno::EINVAL);
        }
        let of = system.group(group).map(|state| state.session);
        self.control.set_foreground(caller, group, of).map_err(errno)?;
        let control = self.control;
        self.waiting.restart_readers(|reader| control.is_background(reader));
        Ok(Answer::Done)
    }

    fn acquire(&mut self, caller: &Caller, system: &mut impl System) -> Result<Answer, Errno> {
        if let Control::Owned { session, .. } = self.control
            && session != caller.session
            && !system.is_alive(session)
        {
            self.forget_session(session, system);
        }
        let was = self.control;
        self.control.acquire(caller).map_err(errno)?;
        if matches!(was, Control::Free)
            && let Err(errno) = system.gain(caller.session)
        {
            self.control = was;
            return Err(errno);
        }
        Ok(Answer::Done)
    }

    fn release(&mut self, caller: &Caller, system: &mut impl System) -> Result<Answer, Errno> {
        if let Some(group) = self.control.release(caller).map_err(errno)? {
            system.signal(caller.session, group, Signal::HangUp);
            system.signal(caller.session, group, Signal::Continue);
            system.lose(caller.session);
        }
        Ok(Answer::Done)
    }

    /// Ends the control of a session whose leader is gone.
    pub fn forget_session(&mut self, session: Session, system: &mut impl System) {
        if let Some(group) = self.control.session_ended(session) {
            system.signal(session, group, Signal::HangUp);
            system.signal(session, group, Signal::Continue);
            system.lose(session);
        }
    }

    /// Requests that change the line; a background caller was stopped before.
    fn change<S, D: Device>(
        &mut self,
        request: Request<'_>,
        context: &mut Context<'_, S, D>,
    ) -> Result<Step, Errno> {
        let done = Ok(Step::Answer(Answer::Done));
        match request.number {
            ioctl::TCSETS | ioctl::TCSETS2 => {
                self.line.set_termios(self.settings(request)?);
                context.device.configure(self.line.termios());
                done
            }
            ioctl::TCSETSW | ioctl::TCSETSW2 => Ok(Step::Drain(Then::Set(self.settings(request)?))),
            ioctl::TCSETSF | ioctl::TCSETSF2 => {
                Ok(Step::Drain(Then::FlushAndSet(self.settings(request)?)))
            }
            ioctl::TCFLSH => self.flush_request(request.argument),
            ioctl::TCXONC => self.flow_request(request.argument),
            // 0 sends a break, which takes no time here; anything else is `tcdrain`.
            ioctl::TCSBRK if request.argument != 0 => Ok(Step::Drain(Then::Nothing)),
            ioctl::TIOCSBRK => {
                context.device.set_break(BreakState::On);
                done
            }
            ioctl::TCSBRK | ioctl::TCSBRKP | ioctl::TIOCCBRK => {
                context.device.set_break(BreakState::Off);
                done
            }
            ioctl::TIOCEXCL | ioctl::TIOCNXCL => done,
            ioctl::TIOCMBIS | ioctl::TIOCMBIC | ioctl::TIOCMSET => {
                context.device.modem_lines()?;
                done
            }
            ioctl::TIOCSETD if request.int()? == 0 => done,
            ioctl::TIOCSETD => Err(Errno::EINVAL),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn settings(&self, request: Request<'_>) -> Result<Termios, Errno> {
        let old = self.line.termios();
        match request.number {
            ioctl::TCSETS | ioctl::TCSETSW | ioctl::TCSETSF => {
                let bytes = request.data.first_chunk().ok_or(Errno::EINVAL)?;
                Ok(Termios::from_bytes(bytes, old))
            }
            _ => {
                let bytes = request.data.first_chunk().ok_or(Errno::EINVAL)?;
                Ok(Termios::from_bytes2(bytes, old))
            }
        }
    }

    fn flush_request(&mut self, queue: u64) -> Result<Step, Errno> {
        const INPUT: u64 = linux::TCIFLUSH as u64;
        const OUTPUT: u64 = linux::TCOFLUSH as u64;
        const BOTH: u64 = linux::TCIOFLUSH as u64;
        self.line.flush(match queue {
            INPUT => Flush::Input,
            OUTPUT => Flush::Output,
            BOTH => Flush::Both,
            _ => return Err(Errno::EINVAL),
        });
        Ok(Step::Answer(Answer::Done))
    }

    fn flow_request(&mut self, action: u64) -> Result<Step, Errno> {
        const OUTPUT_OFF: u64 = linux::TCOOFF as u64;
        const OUTPUT_ON: u64 = linux::TCOON as u64;
        const INPUT_OFF: u64 = linux::TCIOFF as u64;
        const INPUT_ON: u64 = linux::TCION as u64;
        match action {
            OUTPUT_OFF => self.line.hold_output(),
            OUTPUT_ON => self.line.resume_output(),
            INPUT_OFF => self.line.send_ahead(Id::Stop),
            INPUT_ON => self.line.send_ahead(Id::Start),
            _ => return Err(Errno::EINVAL),
        }
        Ok(Step::Answer(Answer::Done))
    }
}

/// What a request comes to.
enum Step {
    Answer(Answer),
    Drain(Then),
}
