//! A terminal as a resource manager serves it: glue between [`Terminal`], the framework and procnto.

use alloc::vec::Vec;

use io_msg::kind;
use io_msg::proc::{Ids, PgrpReply, SetTty, Target, TtySignal};
use io_msg::stat::{mode, open};
use linux_raw_sys::ioctl;
use neutrino_rt::abi::handle::{SYSMGR_COID, SYSMGR_PID};
use neutrino_rt::abi::message::MsgInfo;
use neutrino_rt::{Errno, clock, message};
use resmgr::{Attributes, DataAt, Node, Ocb, Ocbs, Outcome, Request as Message};
use zerocopy::{FromZeros, IntoBytes};

use crate::{
    Answer, Caller, Changed, Client, Context, Device, Done, Group, GroupState, Mode, Parentage,
    Request, Sending, Session, Signal, StopSignal, System, Terminal, Termios, WindowSize,
};

/// A client that waits, by its rcvid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter(pub u64);

impl Client for Waiter {
    fn finish(self, done: Done<'_>) {
        let length = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        // A client that is gone meanwhile needs no answer.
        let _gone = match done {
            Done::Data(bytes) => message::reply(self.0, length(bytes.len()), bytes),
            Done::Count(count) => message::reply(self.0, length(count), &[]),
            Done::Failed(errno) => message::error(self.0, errno),
        };
    }
}

/// The process manager, for one terminal.
#[derive(Clone, Debug)]
pub struct Manager {
    /// The terminal's path.
    pub path: Vec<u8>,
    /// Its device number.
    pub rdev: u32,
}

fn id(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn number(id: i32) -> u32 {
    u32::try_from(id).unwrap_or(0)
}

impl Manager {
    fn set_terminal(&self, session: Session, path: &[u8]) -> Result<(), Errno> {
        let path_length = u32::try_from(path.len()).map_err(|_| Errno::ENAMETOOLONG)?;
        let request = SetTty {
            kind: kind::PROC_SET_TTY,
            subtype: 0,
            session: number(session.0),
            path_length,
            rdev: self.rdev,
        };
        message::send(SYSMGR_COID, &message::join(&request, &[path]), &mut []).map(drop)
    }
}

impl System for Manager {
    fn group(&mut self, group: Group) -> Option<GroupState> {
        let request = Target { kind: kind::PROC_PGRP, subtype: 0, id: group.0 };
        let mut reply = PgrpReply::new_zeroed();
        message::send(SYSMGR_COID, request.as_bytes(), reply.as_mut_bytes()).ok()?;
        let orphaned = reply.orphaned != 0;
        let parentage = if orphaned { Parentage::Orphaned } else { Parentage::Watched };
        let session = Session(id(reply.session));
        (reply.session != 0).then_some(GroupState { session, parentage })
    }

    fn is_alive(&mut self, session: Session) -> bool {
        let request = Target { kind: kind::PROC_GETIDS, subtype: 0, id: session.0 };
        let mut reply = Ids::new_zeroed();
        message::send(SYSMGR_COID, request.as_bytes(), reply.as_mut_bytes()).is_ok()
    }

    fn signal(&mut self, session: Session, group: Group, signal: Signal) {
        let request = TtySignal {
            kind: kind::PROC_TTY_SIGNAL,
            subtype: 0,
            session: number(session.0),
            pgrp: number(group.0),
            signal: signal.number(),
        };
        // A group that is gone is told nothing.
        let _gone = message::send(SYSMGR_COID, request.as_bytes(), &mut []);
    }

    fn gain(&mut self, session: Session) -> Result<(), Errno> {
        self.set_terminal(session, &self.path)
    }

    fn lose(&mut self, session: Session) {
        // A session that is gone has no terminal anyway.
        let _gone = self.set_terminal(session, &[]);
    }
}

/// Gives the caller of a message, as the terminal sees it.
#[must_use]
pub fn caller(info: &MsgInfo) -> Caller {
    let fate = |signal: Signal| {
        let held = info.signals_held >> (signal.number() - 1) & 1 != 0;
        if held { StopSignal::Ignored } else { StopSignal::Acts }
    };
    Caller {
        process: id(info.pid),
        group: Group(id(info.pgrp)),
        session: Session(id(info.session)),
        background_read: fate(Signal::BackgroundRead),
        background_write: fate(Signal::BackgroundWrite),
    }
}

/// Gives whether calls on an open file may wait.
#[must_use]
pub fn mode_of(ocb: &Ocb) -> Mode {
    if ocb.is_nonblocking() { Mode::NonBlocking } else { Mode::Blocking }
}

/// A terminal with its place in the name space.
#[derive(Debug)]
pub struct Tty {
    /// The terminal.
    pub terminal: Terminal<Waiter>,
    /// The process manager, for it.
    pub manager: Manager,
    /// Its attributes.
    pub attributes: Attributes,
    told: Option<u32>,
}

impl Tty {
    /// Makes a terminal at `path` with this serial and device number.
    #[must_use]
    pub fn new(path: &str, (inode, rdev): (u64, u32), termios: Termios, size: WindowSize) -> Self {
        let attributes =
            Attributes { rdev: u64::from(rdev), ..Attributes::new(inode, mode::IFCHR | 0o666) };
        Self {
            terminal: Terminal::new(termios, size),
            manager: Manager { path: Vec::from(path.as_bytes()), rdev },
            attributes,
            told: None,
        }
    }

    /// Makes the slave of a pseudo-terminal: output counts as sent at once.
    #[must_use]
    pub fn pseudo(path: &str, numbers: (u64, u32)) -> Self {
        let tty = Self::new(path, numbers, Termios::default(), WindowSize::default());
        Self { terminal: tty.terminal.with_sending(Sending::AtOnce), ..tty }
    }

    /// Takes note of a new open file; its opener's session may gain the terminal by it.
    pub fn opened(&mut self, message: &Message<'_>, ocb: &Ocb) {
        self.told = None;
        if ocb.ioflag & open::NOCTTY == 0 && ocb.is_readable() {
            self.terminal.acquire_on_open(&caller(message.info()), &mut self.manager);
        }
    }

    /// Reads for a client, which is answered now or later.
    pub fn read(&mut self, message: &Message<'_>, ocb: &Ocb, length: usize) -> Outcome {
        let waiter = Waiter(message.rcvid);
        let (who, how) = (caller(message.info()), (length, mode_of(ocb)));
        self.terminal.read(waiter, &who, how, &mut self.manager);
        Outcome::Pending
    }

    /// Writes for a client, which is answered now or later.
    pub fn write(&mut self, message: &Message<'_>, ocb: &Ocb, data: DataAt) -> Outcome {
        // A longer write is answered short, and the client goes on.
        let length = data.length.min(WRITE_LIMIT);
        match message.data(data.offset, length) {
            Ok(bytes) => {
                let waiter = Waiter(message.rcvid);
                let (who, how) = (caller(message.info()), (bytes, mode_of(ocb)));
                self.terminal.write(waiter, &who, how, &mut self.manager);
                Outcome::Pending
            }
            Err(errno) => Outcome::Reply(Err(errno)),
        }
    }

    /// Does an `ioctl`.
    pub fn devctl(
        &mut self,
        message: &Message<'_>,
        (dcmd, data): (u32, &[u8]),
        device: &mut impl Device,
    ) -> Outcome {
        let mut argument = [0; 8];
        for (slot, byte) in argument.iter_mut().zip(data) {
            *slot = *byte;
        }
        let argument = u64::from_le_bytes(argument);
        if dcmd == ioctl::TIOCNOTTY && message.info().pid == SYSMGR_PID {
            // The leader of the session ended; only procnto knows.
            let session = Session(i32::try_from(argument).unwrap_or(0));
            self.terminal.forget_session(session, &mut self.manager);
            return Outcome::Reply(Ok(0));
        }
        let who = caller(message.info());
        let mut context = Context { caller: &who, system: &mut self.manager, device };
        let request = Request { number: dcmd, argument, data };
        self.terminal.request(Waiter(message.rcvid), request, &mut context, answer);
        Outcome::Pending
    }

    /// Lets go of a client; tells if it waited here.
    pub fn unblock(&mut self, rcvid: u64) -> bool {
        self.terminal.cancel(|waiter| *waiter == Waiter(rcvid))
    }

    /// Serves whoever can be served, and tells pollers. To be called after every message and pulse.
    pub fn settle(&mut self, node: Node, ocbs: &Ocbs, device: &mut impl Device) {
        if self.terminal.service(clock::monotonic()) == Changed::Settings {
            device.configure(self.terminal.line().termios());
        }
        let bits = self.terminal.readiness();
        if self.told != Some(bits) {
            self.told = Some(bits);
            ocbs.notify(node, bits);
        }
    }
}

/// Bytes taken of one write at once.
const WRITE_LIMIT: usize = 64 * 1024;

/// Answers an `ioctl`.
pub fn answer(waiter: Waiter, answer: Result<Answer, Errno>) {
    // A client that is gone meanwhile needs no answer.
    let _gone = match answer {
        Ok(Answer::Done | Answer::Later) => message::reply(waiter.0, 0, &[]),
        Ok(Answer::Int(value)) => message::reply(waiter.0, 0, &value.to_le_bytes()),
        Ok(Answer::Bytes { bytes, length }) => {
            message::reply(waiter.0, 0, bytes.get(..length).unwrap_or(&[]))
        }
        Err(errno) => message::error(waiter.0, errno),
    };
}
