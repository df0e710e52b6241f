//! One pair: the terminal that is its slave, its master, and who has them open.

use alloc::format;
use alloc::vec::Vec;

use devc_pty::{Master, Slave};
use line_discipline::server::{Tty, Waiter, mode_of};
use line_discipline::{NoDevice, Signal};
use linux_raw_sys::{general as linux, ioctl};
use neutrino_rt::Errno;
use neutrino_rt::abi::handle::ready;
use resmgr::{DataAt, Node, Ocb, Ocbs, Outcome, Request};

/// Linux's number of slaves.
const MAJOR: u32 = 136;
/// The group that may write to others' terminals (`tty`), and what it may.
const TTY_GROUP: u32 = 5;
const MODE: u32 = io_msg::stat::mode::IFCHR | 0o620;
/// Bytes taken of one write at once.
const WRITE_LIMIT: usize = 64 * 1024;

/// Whether the slave may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Locked,
    Unlocked,
}

/// Whether the master is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Open,
    Gone,
}

/// One pair.
#[derive(Debug)]
pub(crate) struct Pair {
    number: u32,
    pub(crate) tty: Tty,
    master: Master<Waiter>,
    master_side: Side,
    slave: Slave,
    lock: Lock,
    told: Option<u32>,
}

impl Pair {
    pub(crate) fn new(number: u32, uid: u32) -> Self {
        let path = format!("/dev/pts/{number}");
        let mut tty = Tty::pseudo(&path, (u64::from(number) + 3, MAJOR << 8 | number));
        tty.attributes.mode = MODE;
        tty.attributes.uid = uid;
        tty.attributes.gid = TTY_GROUP;
        Self {
            number,
            tty,
            master: Master::default(),
            master_side: Side::Open,
            slave: Slave::NeverOpened,
            lock: Lock::Locked,
            told: None,
        }
    }

    /// Decides if the slave may be opened.
    ///
    /// # Errors
    /// EIO while it is locked, and when the master is gone.
    pub(crate) fn check_open(&self) -> Result<(), Errno> {
        match (self.lock, self.master_side) {
            (Lock::Unlocked, Side::Open) => Ok(()),
            (Lock::Locked, _) | (_, Side::Gone) => Err(Errno::EIO),
        }
    }

    pub(crate) fn slave_opened(&mut self, request: &Request<'_>, ocb: &Ocb) {
        self.set_slave(Slave::Open);
        self.tty.opened(request, ocb);
    }

    fn set_slave(&mut self, slave: Slave) {
        self.slave = slave;
        self.master.set_slave(slave);
    }

    /// Takes note that the last open file of a side is closed; tells if the pair is over.
    pub(crate) fn slave_closed(&mut self) -> Side {
        if self.slave == Slave::Open {
            self.set_slave(Slave::Closed);
        }
        self.master_side
    }

    /// As [`Pair::slave_closed`], for the master: the slave is hung up.
    pub(crate) fn master_closed(&mut self) -> Side {
        self.master_side = Side::Gone;
        self.tty.terminal.hang_up(&mut self.tty.manager);
        match self.slave {
            Slave::Open => Side::Open,
            Slave::NeverOpened | Slave::Closed => Side::Gone,
        }
    }

    pub(crate) fn master_read(&mut self, request: &Request<'_>, ocb: &Ocb, size: usize) -> Outcome {
        self.master.read(Waiter(request.rcvid), size, mode_of(ocb), &self.tty.terminal);
        Outcome::Pending
    }

    pub(crate) fn master_write(
        &mut self,
        request: &Request<'_>,
        ocb: &Ocb,
        data: DataAt,
    ) -> Outcome {
        match request.data(data.offset, data.length.min(WRITE_LIMIT)) {
            Ok(bytes) => {
                let Tty { terminal, manager, .. } = &mut self.tty;
                let waiter = Waiter(request.rcvid);
                self.master.write(waiter, (bytes, mode_of(ocb)), terminal, manager);
                Outcome::Pending
            }
            Err(errno) => Outcome::Reply(Err(errno)),
        }
    }

    /// `ioctl` on the master: its own, or the slave's settings.
    pub(crate) fn master_devctl(
        &mut self,
        request: &mut Request<'_>,
        dcmd: u32,
        data: &[u8],
    ) -> Outcome {
        let value = data.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
        let answer = match dcmd {
            ioctl::TIOCGPTN => self.number,
            ioctl::TIOCGPTLCK => u32::from(self.lock == Lock::Locked),
            ioctl::TIOCSPTLCK => {
                self.lock = if value == 0 { Lock::Unlocked } else { Lock::Locked };
                return Outcome::Reply(Ok(0));
            }
            ioctl::FIONREAD => {
                u32::try_from(self.tty.terminal.line().unsent_bytes()).unwrap_or(u32::MAX)
            }
            ioctl::TIOCGPGRP => {
                let group = self.tty.terminal.control().foreground();
                group.and_then(|group| u32::try_from(group.0).ok()).unwrap_or(0)
            }
            ioctl::TIOCSIG => return Outcome::Reply(self.signal(value)),
            // Packet mode is not offered; asking for its absence is fine.
            ioctl::TIOCPKT if value == 0 => return Outcome::Reply(Ok(0)),
            ioctl::TIOCPKT | ioctl::TIOCSCTTY => return Outcome::Reply(Err(Errno::ENOTTY)),
            _ => return self.tty.devctl(request, (dcmd, data), &mut NoDevice),
        };
        request.reply = Vec::from(answer.to_le_bytes());
        Outcome::Reply(Ok(0))
    }

    fn signal(&mut self, number: i32) -> Result<i64, Errno> {
        let signal = match u32::try_from(number) {
            Ok(linux::SIGINT) => Signal::Interrupt,
            Ok(linux::SIGQUIT) => Signal::Quit,
            Ok(linux::SIGTSTP) => Signal::Suspend,
            Ok(_) | Err(_) => return Err(Errno::EINVAL),
        };
        self.tty.terminal.signal_foreground(Some(signal), &mut self.tty.manager);
        Ok(0)
    }

    pub(crate) fn slave_read(&mut self, request: &Request<'_>, ocb: &Ocb, size: usize) -> Outcome {
        match self.master_side {
            Side::Open => self.tty.read(request, ocb, size),
            Side::Gone => Outcome::Reply(Ok(0)),
        }
    }

    pub(crate) fn slave_write(&mut self, request: &Request<'_>, ocb: &Ocb, at: DataAt) -> Outcome {
        match self.master_side {
            Side::Open => self.tty.write(request, ocb, at),
            Side::Gone => Outcome::Reply(Err(Errno::EIO)),
        }
    }

    pub(crate) fn slave_devctl(&mut self, request: &Request<'_>, dcmd: u32, at: &[u8]) -> Outcome {
        match self.master_side {
            Side::Open => self.tty.devctl(request, (dcmd, at), &mut NoDevice),
            Side::Gone => Outcome::Reply(Err(Errno::EIO)),
        }
    }

    pub(crate) fn unblock(&mut self, rcvid: u64) -> bool {
        self.tty.unblock(rcvid) || self.master.cancel(|waiter| *waiter == Waiter(rcvid))
    }

    /// Serves both sides until neither makes room for the other.
    pub(crate) fn settle(&mut self, (master, slave): (Node, Node), ocbs: &Ocbs) {
        if self.master_side == Side::Gone {
            return ocbs.notify(slave, ready::IN | ready::OUT | ready::ERR | ready::HUP);
        }
        // Bound: each turn but the last moves bytes out of the line, which clients brought in.
        loop {
            let before = self.tty.terminal.line().unsent_bytes();
            let Tty { terminal, manager, .. } = &mut self.tty;
            self.master.service(terminal, manager);
            self.tty.settle(slave, ocbs, &mut NoDevice);
            if self.tty.terminal.line().unsent_bytes() == before {
                break;
            }
        }
        let bits = self.master.readiness(&self.tty.terminal);
        if self.told != Some(bits) {
            self.told = Some(bits);
            ocbs.notify(master, bits);
        }
    }

    /// A new open file of the master has not been told anything yet.
    pub(crate) fn master_opened(&mut self) {
        self.told = None;
    }
}
