//! Start-up, and the server of all pairs.

use alloc::collections::BTreeMap;
use alloc::format;

use io_msg::stat::mode;
use neutrino_rt::abi::handle::ready;
use neutrino_rt::abi::message::chf;
use neutrino_rt::abi::pulse::Pulse;
use neutrino_rt::channel::Handle;
use neutrino_rt::clock::Timer;
use neutrino_rt::start::Arguments;
use neutrino_rt::{Errno, channel, eprintln};
use resmgr::{
    Attributes, Change, DataAt, DirectoryEntry, Engine, Node, Ocb, Ocbs, Opening, Outcome, Request,
    Server, serve,
};

use crate::pair::{Pair, Side};

/// Pulse of the timer for `VTIME`.
const TIMER: i8 = 1;
/// Pairs at once; Linux's default limit is the same size.
const PAIR_LIMIT: u32 = 4096;
/// `/dev/ptmx` and `/dev/pts`; the nodes of pairs are above.
const CLONE: Node = 0;
const DIRECTORY: Node = 1;
/// Linux's number of `/dev/ptmx`.
const CLONE_DEVICE: u64 = 5 << 8 | 2;

/// What a node is.
enum Place {
    Clone,
    Directory,
    Master(u32),
    Slave(u32),
}

fn place(node: Node) -> Place {
    match node {
        CLONE => Place::Clone,
        DIRECTORY => Place::Directory,
        _ => {
            let number = u32::try_from((node >> 1) - 1).unwrap_or(u32::MAX);
            if node & 1 == 0 { Place::Master(number) } else { Place::Slave(number) }
        }
    }
}

const fn master(number: u32) -> Node {
    (number as Node + 1) << 1
}

const fn slave(number: u32) -> Node {
    master(number) | 1
}

/// All pairs.
struct Pairs {
    pairs: BTreeMap<u32, Pair>,
    clone: Attributes,
    directory: Attributes,
    timer: Timer,
    armed: Option<u64>,
    _pulses: Handle,
}

impl Pairs {
    fn pair(&mut self, number: u32) -> Result<&mut Pair, Errno> {
        self.pairs.get_mut(&number).ok_or(Errno::EIO)
    }

    fn create(&mut self, uid: u32) -> Result<u32, Errno> {
        let free = (0..PAIR_LIMIT).find(|number| !self.pairs.contains_key(number));
        let number = free.ok_or(Errno::ENOSPC)?;
        self.pairs.insert(number, Pair::new(number, uid));
        Ok(number)
    }
}

fn outcome(result: Result<Outcome, Errno>) -> Outcome {
    result.unwrap_or_else(|errno| Outcome::Reply(Err(errno)))
}

impl Server for Pairs {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        match place(node) {
            Place::Clone | Place::Master(_) => Ok(self.clone),
            Place::Directory => Ok(self.directory),
            Place::Slave(number) => {
                self.pairs.get(&number).map(|pair| pair.tty.attributes).ok_or(Errno::ENOENT)
            }
        }
    }

    fn change(&mut self, node: Node, change: &Change) -> Result<(), Errno> {
        match place(node) {
            Place::Clone | Place::Master(_) => change.apply(&mut self.clone),
            Place::Directory => change.apply(&mut self.directory),
            Place::Slave(number) => change.apply(&mut self.pair(number)?.tty.attributes),
        }
        Ok(())
    }

    fn lookup(&mut self, _directory: Node, name: &[u8]) -> Result<Node, Errno> {
        let number = core::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
        let number = number.filter(|number| self.pairs.contains_key(number));
        // `007` is no name of 7.
        let number = number.filter(|number| format!("{number}").as_bytes() == name);
        number.map(slave).ok_or(Errno::ENOENT)
    }

    fn entry(&mut self, _directory: Node, position: u64) -> Option<DirectoryEntry> {
        let from = u32::try_from(position).ok()?;
        let (number, pair) = self.pairs.range(from..).next()?;
        Some(DirectoryEntry {
            inode: pair.tty.attributes.inode,
            mode: mode::IFCHR,
            name: format!("{number}").into_bytes(),
            next: u64::from(*number) + 1,
        })
    }

    fn open(&mut self, request: &Request<'_>, node: Node, _ioflag: u32) -> Result<Opening, Errno> {
        match place(node) {
            Place::Clone => {
                let number = self.create(request.info().euid)?;
                Ok(Opening::Open(master(number), ready::OUT))
            }
            Place::Directory => Ok(Opening::Open(node, ready::IN)),
            Place::Master(_) => Err(Errno::EIO),
            Place::Slave(number) => {
                let pair = self.pair(number)?;
                pair.check_open()?;
                Ok(Opening::Open(node, pair.tty.terminal.readiness()))
            }
        }
    }

    fn opened(&mut self, request: &Request<'_>, ocb: &mut Ocb) {
        match place(ocb.node) {
            Place::Clone | Place::Directory => {}
            Place::Master(number) => {
                if let Ok(pair) = self.pair(number) {
                    pair.master_opened();
                }
            }
            Place::Slave(number) => {
                if let Ok(pair) = self.pair(number) {
                    pair.slave_opened(request, ocb);
                }
            }
        }
    }

    fn released(&mut self, node: Node) {
        let (number, rest) = match place(node) {
            Place::Clone | Place::Directory => return,
            Place::Master(number) => (number, self.pair(number).map(Pair::master_closed)),
            Place::Slave(number) => (number, self.pair(number).map(Pair::slave_closed)),
        };
        if rest == Ok(Side::Gone) {
            self.pairs.remove(&number);
        }
    }

    fn read(&mut self, request: &mut Request<'_>, ocb: &mut Ocb, _: u64, length: usize) -> Outcome {
        outcome(match place(ocb.node) {
            Place::Clone | Place::Directory => Err(Errno::EINVAL),
            Place::Master(number) => {
                self.pair(number).map(|pair| pair.master_read(request, ocb, length))
            }
            Place::Slave(number) => {
                self.pair(number).map(|pair| pair.slave_read(request, ocb, length))
            }
        })
    }

    fn write(&mut self, request: &mut Request<'_>, ocb: &mut Ocb, _: u64, data: DataAt) -> Outcome {
        outcome(match place(ocb.node) {
            Place::Clone | Place::Directory => Err(Errno::EINVAL),
            Place::Master(number) => {
                self.pair(number).map(|pair| pair.master_write(request, ocb, data))
            }
            Place::Slave(number) => {
                self.pair(number).map(|pair| pair.slave_write(request, ocb, data))
            }
        })
    }

    fn devctl(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        dcmd: u32,
        data: &[u8],
    ) -> Outcome {
        outcome(match place(ocb.node) {
            Place::Clone | Place::Directory => Err(Errno::ENOTTY),
            Place::Master(number) => {
                self.pair(number).map(|pair| pair.master_devctl(request, dcmd, data))
            }
            Place::Slave(number) => {
                self.pair(number).map(|pair| pair.slave_devctl(request, dcmd, data))
            }
        })
    }

    fn unblock(&mut self, rcvid: u64) {
        let _found = self.pairs.values_mut().any(|pair| pair.unblock(rcvid));
    }

    fn pulse(&mut self, _pulse: &Pulse, _ocbs: &mut Ocbs) {
        // Only the timer sends pulses: `idle` serves who waits.
    }

    fn idle(&mut self, ocbs: &mut Ocbs) {
        for (number, pair) in &mut self.pairs {
            pair.settle((master(*number), slave(*number)), ocbs);
        }
        let deadlines = self.pairs.values().filter_map(|pair| pair.tty.terminal.deadline());
        let deadline = deadlines.min();
        if deadline != self.armed {
            self.armed = deadline;
            self.timer.arm_at(deadline.unwrap_or(0));
        }
    }
}

fn start() -> Result<(), Errno> {
    let chid = channel::create(chf::DISCONNECT | chf::UNBLOCK)?;
    let pulses = channel::connect_self(chid, 0)?;
    let timer = Timer::create(pulses.raw(), TIMER, 0)?;
    let clone = Attributes::new(1, mode::IFCHR | 0o666);
    let mut engine = Engine::new(Pairs {
        pairs: BTreeMap::new(),
        clone: Attributes { rdev: CLONE_DEVICE, ..clone },
        directory: Attributes::new(2, mode::IFDIR | 0o755),
        timer,
        armed: None,
        _pulses: pulses,
    });
    engine.attach(chid, "/dev/pts", DIRECTORY, io_msg::proc::ATTACH_DIRECTORY)?;
    engine.attach(chid, "/dev/ptmx", CLONE, 0)?;
    Err(serve(&mut engine, chid))
}

fn main(_arguments: &Arguments) -> i32 {
    if let Err(errno) = start() {
        eprintln!("devc-pty: cannot serve /dev/ptmx and /dev/pts: {errno}");
    }
    1
}

neutrino_rt::entry!(main);
