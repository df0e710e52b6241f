//! The server of a disk: node 0 is all of it, the others are its partitions.

use alloc::string::String;
use alloc::vec::Vec;

use io_msg::stat::open;
use neutrino_rt::abi::handle::ready;
use neutrino_rt::abi::pulse::Pulse;
use neutrino_rt::channel::Handle;
use neutrino_rt::clock::{self, Timer};
use neutrino_rt::message::{self, Received};
use neutrino_rt::mmio::Dma;
use neutrino_rt::{Errno, eprintln, manager};
use resmgr::{Attributes, Change, DataAt, Node, Ocb, Ocbs, Opening, Outcome, Request, Server};

use crate::cache::{LINE, State};
use crate::control::{Control, control};
use crate::disk::{Disk, Writing};
use crate::job::{Durability, Job, Mover, is_here};
use crate::queue::{PATIENCE, Queue};
use crate::start::{INTERRUPT, TIMER};

/// `O_DSYNC`, which is part of `O_SYNC`.
const DURABLE: u32 = 0o10000;

/// The disk or a partition of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    pub(crate) first: u64,
    pub(crate) bytes: u64,
    pub(crate) attributes: Attributes,
}

/// The server.
pub(crate) struct Disks<D> {
    pub(crate) queue: Queue<D>,
    pub(crate) volumes: Vec<Volume>,
    /// For messages to people.
    pub(crate) name: String,
    memory: Dma,
    jobs: Vec<Job>,
    timer: Timer,
    /// Whether the timer watches the device.
    is_watched: bool,
    was_dead: bool,
    _pulses: Handle,
}

/// Moves bytes by kernel calls, between clients and the object that the cache is in.
struct Kernel(u32);

impl Mover for Kernel {
    fn give(&mut self, rcvid: u64, to: u64, from: u64, bytes: u64) -> Result<(), Errno> {
        all(message::write_object(rcvid, to, self.0, from, bytes)?, bytes)
    }

    fn take(&mut self, rcvid: u64, from: u64, to: u64, bytes: u64) -> Result<(), Errno> {
        all(message::read_object(rcvid, from, self.0, to, bytes)?, bytes)
    }

    fn get(&mut self, from: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        all(manager::object_read(self.0, from, bytes)? as u64, bytes.len() as u64)
    }

    fn put(&mut self, to: u64, bytes: &[u8]) -> Result<(), Errno> {
        all(manager::object_write(self.0, to, bytes)? as u64, bytes.len() as u64)
    }
}

fn all(moved: u64, bytes: u64) -> Result<(), Errno> {
    if moved == bytes { Ok(()) } else { Err(Errno::EFAULT) }
}

impl<D: Disk> Disks<D> {
    /// A server whose cache is in this memory.
    ///
    /// # Errors
    /// EAGAIN if there is no timer.
    pub(crate) fn new(disk: D, memory: Dma, name: &str, pulses: Handle) -> Result<Self, Errno> {
        let lines = memory.memory().len() as u64 / LINE;
        Ok(Self {
            queue: Queue::new(disk, memory.physical(0), lines as usize),
            volumes: Vec::new(),
            name: String::from(name),
            memory,
            jobs: Vec::new(),
            timer: Timer::create(pulses.raw(), TIMER, 0)?,
            is_watched: false,
            was_dead: false,
            _pulses: pulses,
        })
    }

    fn volume(&self, node: Node) -> Result<&Volume, Errno> {
        usize::try_from(node).ok().and_then(|node| self.volumes.get(node)).ok_or(Errno::ENOENT)
    }

    const fn pool(&self) -> Kernel {
        Kernel(self.memory.memory().object().raw())
    }

    /// Begins with a request, and answers at once if it is done at once.
    fn begin(&mut self, request: &mut Request<'_>, mut job: Job) -> Outcome {
        let mut mover = self.pool();
        let step = job.advance(&mut self.queue, &mut mover);
        match step {
            Some(_) => request.reply = job.take_gathered(),
            None => self.jobs.push(job),
        }
        self.settle();
        step.map_or(Outcome::Pending, Outcome::Reply)
    }

    /// Goes on with all requests, and answers those that are done.
    fn go_on(&mut self) {
        let mut mover = self.pool();
        let queue = &mut self.queue;
        self.jobs.retain_mut(|job| {
            let step = job.advance(queue, &mut mover);
            // A client that is gone needs no answer.
            let _gone = match step {
                None => return true,
                Some(Ok(status)) => message::reply(job.rcvid, status, &job.take_gathered()),
                Some(Err(errno)) => message::error(job.rcvid, errno),
            };
            false
        });
        self.settle();
    }

    /// Gives the device what is to be done, and watches it while it has something to do.
    fn settle(&mut self) {
        self.queue.pump(clock::monotonic());
        if !self.is_watched
            && let Some(began) = self.queue.oldest()
        {
            self.timer.arm_at(began + PATIENCE);
            self.is_watched = true;
        }
        if self.queue.is_dead() && !core::mem::replace(&mut self.was_dead, true) {
            eprintln!(
                "{}: the device does not answer, or nonsense: it is stopped; start the driver again",
                self.name
            );
        }
    }

    /// Takes a pulse of the interrupt or the timer.
    pub(crate) fn on_pulse(&mut self, code: i8) {
        match code {
            INTERRUPT => self.queue.interrupt(),
            TIMER => {
                self.is_watched = false;
                let now = clock::monotonic();
                if self.queue.oldest().is_some_and(|began| now >= began + PATIENCE) {
                    self.queue.give_up();
                }
            }
            _ => return,
        }
        self.go_on();
    }

    /// Reads bytes of the disk, waiting for it: before there are clients.
    ///
    /// # Errors
    /// EIO.
    // Bound: the device answers or is given up.
    pub(crate) fn read_now(
        &mut self,
        chid: u32,
        offset: u64,
        bytes: &mut [u8],
    ) -> Result<(), Errno> {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let number = at / LINE;
            match self.queue.present(number) {
                Some((slot, state)) if is_here(state) => {
                    let part = ((LINE - at % LINE) as usize).min(bytes.len() - done);
                    let from = u64::from(slot) * LINE + at % LINE;
                    let target = &mut bytes[done..done + part];
                    self.memory.memory().read_bytes(from as usize, target);
                    done += part;
                    continue;
                }
                Some((_, State::Failed)) => return Err(Errno::EIO),
                Some(_) => {}
                None => self.queue.cache.want(number).ok_or(Errno::ENOMEM)?,
            }
            if self.queue.is_dead() {
                return Err(Errno::EIO);
            }
            self.settle();
            if let Received::Pulse(pulse) = message::receive(chid, &mut [])? {
                self.on_pulse(pulse.code);
            }
        }
        Ok(())
    }
}

impl<D: Disk> Server for Disks<D> {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        self.volume(node).map(|volume| volume.attributes)
    }

    fn change(&mut self, node: Node, change: &Change) -> Result<(), Errno> {
        let at = usize::try_from(node).map_err(|_| Errno::ENOENT)?;
        change.apply(&mut self.volumes.get_mut(at).ok_or(Errno::ENOENT)?.attributes);
        Ok(())
    }

    fn is_seekable(&self, _: &Ocb) -> bool {
        true
    }

    fn open(&mut self, _: &Request<'_>, node: Node, ioflag: u32) -> Result<Opening, Errno> {
        let writes = ioflag & open::ACCMODE != open::RDONLY;
        if writes && self.queue.shape.writing == Writing::Refused {
            return Err(Errno::EROFS);
        }
        Ok(Opening::Open(node, ready::IN | ready::OUT))
    }

    fn read(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        length: usize,
    ) -> Outcome {
        let Ok(&Volume { first, bytes: size, .. }) = self.volume(ocb.node) else {
            return Outcome::Reply(Err(Errno::ENOENT));
        };
        let bytes = size.saturating_sub(offset).min(length as u64);
        if bytes == 0 {
            return Outcome::Reply(Ok(0));
        }
        let outcome = self.begin(request, Job::read(request.rcvid, first + offset, bytes));
        if outcome == Outcome::Pending {
            request.move_offset(ocb, bytes);
        }
        outcome
    }

    fn write(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        data: DataAt,
    ) -> Outcome {
        let Ok(&Volume { first, bytes: size, .. }) = self.volume(ocb.node) else {
            return Outcome::Reply(Err(Errno::ENOENT));
        };
        let bytes = size.saturating_sub(offset).min(data.length as u64);
        match (bytes, data.length) {
            (_, 0) => return Outcome::Reply(Ok(0)),
            (0, _) => return Outcome::Reply(Err(Errno::ENOSPC)),
            (_, _) => {}
        }
        let is_durable = ocb.ioflag & DURABLE != 0;
        let durability = if is_durable { Durability::Durable } else { Durability::Cached };
        let place = data.offset as u64;
        let received = request.inline(data.offset, bytes as usize);
        let range = (first + offset, bytes);
        let job = Job::write(request.rcvid, range, place, received, durability);
        let outcome = self.begin(request, job);
        if outcome == Outcome::Pending {
            request.move_offset(ocb, bytes);
        }
        outcome
    }

    fn sync(&mut self, request: &mut Request<'_>, _: Node) -> Outcome {
        self.begin(request, Job::sync(request.rcvid, &self.queue))
    }

    fn devctl(&mut self, request: &mut Request<'_>, ocb: &mut Ocb, dcmd: u32, _: &[u8]) -> Outcome {
        let control = self
            .volume(ocb.node)
            .and_then(|volume| control(dcmd, &self.queue.shape, (volume.first, volume.bytes)));
        match control {
            Ok(Control::Tell(told)) => {
                request.reply = told;
                Outcome::Reply(Ok(0))
            }
            Ok(Control::Sync) => self.sync(request, ocb.node),
            Err(errno) => Outcome::Reply(Err(errno)),
        }
    }

    fn pulse(&mut self, pulse: &Pulse, _: &mut Ocbs) {
        self.on_pulse(pulse.code);
    }

    fn unblock(&mut self, rcvid: u64) {
        let before = self.jobs.len();
        self.jobs.retain(|job| job.rcvid != rcvid);
        if self.jobs.len() < before {
            let _gone = message::error(rcvid, Errno::EINTR);
        }
    }
}
