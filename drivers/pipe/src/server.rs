//! All pipes and sockets. A node is a pipe's number and an end of it, or a socket's number.

use crate::buffer::{ATOMIC, Pipe};
use crate::node::{BOTH, READING, SOCKET, WRITING, id_of, is_special, kind_of, node, socket_of};
use crate::opening::Openers;
use crate::packet::{Form, Wanted};
use crate::socket::Socket;
use crate::sockets::Sockets;
use crate::special::{PULSE_TIMEOUT, Specials};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use io_msg::socket::flag;
use io_msg::stat::{mode, open};
use neutrino_rt::abi::handle::ready;
use neutrino_rt::abi::pulse::Pulse;
use neutrino_rt::{Errno, clock};
use resmgr::{Attributes, DataAt, Node, Ocb, Ocbs, Opening, Outcome, Request, Server, Special};

/// Longest read that is answered through the framework's buffer, together with the next receive:
/// copying that much costs less than a kernel call.
const COPIED_MAX: usize = 2048;
const FIONREAD: u32 = 0x541b;

/// The server.
#[derive(Debug)]
pub(crate) struct Pipes {
    pipes: BTreeMap<u64, Pipe>,
    last: u64,
    changed: Vec<u64>,
    /// Who waits to open a FIFO.
    pub(crate) openers: Openers,
    sockets: Sockets,
    specials: Specials,
}

/// What an open file adds to the flags of a message.
fn flags_of(ocb: &Ocb) -> u32 {
    if ocb.is_nonblocking() { flag::DONTWAIT } else { 0 }
}

impl Pipes {
    /// `pulses` is a connection to the server's own channel.
    pub(crate) fn new(pulses: u32) -> Self {
        Self {
            pipes: BTreeMap::new(),
            last: 0,
            changed: Vec::new(),
            openers: Openers::default(),
            sockets: Sockets::new(pulses),
            specials: Specials::new(pulses),
        }
    }

    fn add(&mut self, name: Option<Vec<u8>>) -> u64 {
        self.last += 1;
        let pipe = Pipe::new(name, self.last + 1);
        self.pipes.insert(self.last, pipe);
        self.last
    }

    /// Whether somebody has an end of a pipe open.
    pub(crate) fn is_open(&self, id: u64, end: Node) -> bool {
        let Some(pipe) = self.pipes.get(&id) else { return false };
        let end = if end == READING { pipe.readers } else { pipe.writers };
        end.open > 0
    }

    /// Whether an open of an end may go on, or has to wait for the other.
    fn enter(&mut self, rcvid: u64, (id, end): (u64, Node), ioflag: u32) -> Result<(), Errno> {
        let other = end ^ 1;
        let is_alone = !self.is_open(id, other) && !self.openers.has(id, other);
        if end == BOTH || !is_alone || self.openers.is_admitted(rcvid) {
            return Ok(());
        }
        match (end, ioflag & open::NONBLOCK != 0) {
            (READING, true) => Ok(()),
            (_, true) => Err(Errno::ENXIO),
            (_, false) => Err(self.openers.wait(rcvid, id, end)),
        }
    }

    fn pipe_of(&mut self, node: Node) -> Result<&mut Pipe, Errno> {
        let id = id_of(node);
        self.changed.push(id);
        self.pipes.get_mut(&id).ok_or(Errno::EBADF)
    }

    fn count(&mut self, ocb: &Ocb, by: isize) {
        let id = id_of(ocb.node);
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let (reads, writes) = match kind_of(ocb.node) {
            READING => (true, false),
            WRITING => (false, true),
            _ => (true, true),
        };
        for (end, _) in [(&mut pipe.readers, reads), (&mut pipe.writers, writes)]
            .into_iter()
            .filter(|(_, counts)| *counts)
        {
            end.open = end.open.saturating_add_signed(by);
            end.seen = true;
        }
        self.changed.push(id);
    }

    /// Lets a pipe's clients go on, and tells the kernel who is ready.
    fn settle(&mut self, id: u64, ocbs: &Ocbs) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        pipe.pump();
        let hung_up = if pipe.writers.is_gone() { ready::HUP } else { 0 };
        let readable = hung_up | if pipe.len() > 0 { ready::IN } else { 0 };
        let broken = if pipe.readers.open == 0 { ready::ERR } else { 0 };
        let writable = broken | if pipe.space() >= ATOMIC { ready::OUT } else { 0 };
        let is_fresh = core::mem::take(&mut pipe.is_fresh) && self.specials.wants_edges();
        if pipe.told != (readable, writable) || is_fresh {
            pipe.told = (readable, writable);
            ocbs.notify(node(id, READING), readable);
            ocbs.notify(node(id, WRITING), writable);
            ocbs.notify(node(id, BOTH), (readable | writable) & (ready::IN | ready::OUT));
        }
        if pipe.readers.open == 0 && pipe.writers.open == 0 && !self.openers.any(id) {
            self.pipes.remove(&id);
        }
    }
}

impl Server for Pipes {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        if node == 0 {
            return Ok(Attributes::new(1, mode::IFDIR | 0o755));
        }
        let now = clock::timestamp();
        let (inode, mode) = match socket_of(node) {
            Some(id) => {
                self.sockets.get(id).ok_or(Errno::ENOENT)?;
                (id, mode::IFSOCK | 0o777)
            }
            // As on Linux, of no type.
            None if is_special(node) => (id_of(node), 0o600),
            None => {
                let pipe = self.pipes.get(&id_of(node)).ok_or(Errno::ENOENT)?;
                (pipe.inode, mode::IFIFO | if pipe.name.is_some() { 0o666 } else { 0o600 })
            }
        };
        Ok(Attributes {
            inode,
            mode,
            links: 1,
            atime: now,
            mtime: now,
            ctime: now,
            ..Attributes::default()
        })
    }

    fn device(&self) -> u64 {
        0x102
    }

    /// A FIFO, by the name that its file system gave it; it lives while somebody has it open.
    fn lookup(&mut self, _directory: Node, name: &[u8]) -> Result<Node, Errno> {
        let known = self.pipes.iter().find(|(_, pipe)| pipe.name.as_deref() == Some(name));
        let id = match known {
            Some((&id, _)) => id,
            None => self.add(Some(Vec::from(name))),
        };
        Ok(node(id, READING))
    }

    fn open(&mut self, request: &Request<'_>, asked: Node, ioflag: u32) -> Result<Opening, Errno> {
        if asked == 0 {
            return Ok(Opening::Open(0, ready::IN));
        }
        let id = id_of(asked);
        let end = match ioflag & open::ACCMODE {
            open::RDONLY => READING,
            open::WRONLY => WRITING,
            _ => BOTH,
        };
        // One that does not come in leaves no pipe behind.
        self.changed.push(id);
        self.enter(request.rcvid, (id, end), ioflag)?;
        Ok(Opening::Open(node(id, end), 0))
    }

    fn pipe(&mut self, _request: &Request<'_>) -> Result<(Node, Node), Errno> {
        let id = self.add(None);
        Ok((node(id, READING), node(id, WRITING)))
    }

    fn socket_pair(&mut self, request: &Request<'_>, kind: u32) -> Result<(Node, Node), Errno> {
        let (one, two) = self.sockets.pair(request, kind)?;
        Ok((node(one, SOCKET), node(two, SOCKET)))
    }

    fn special(&mut self, request: &Request<'_>, what: Special) -> Result<(Node, u32), Errno> {
        let socket = match what {
            Special::Socket(kind) => self.sockets.make(request, kind)?,
            Special::Connection(at) => {
                self.sockets.accept(socket_of(at).ok_or(Errno::ENOTSOCK)?)?
            }
            Special::Counter(..) | Special::Timer(_) | Special::Set | Special::Signals(_) => {
                return self.specials.make(what);
            }
        };
        Ok((node(socket, SOCKET), 0))
    }

    /// Also of what was made for a client that could not take it.
    fn released(&mut self, which: Node) {
        match socket_of(which) {
            Some(id) => self.sockets.close(id),
            None if is_special(which) => self.specials.close(which),
            None => {}
        }
    }

    fn opened(&mut self, _request: &Request<'_>, ocb: &mut Ocb) {
        if socket_of(ocb.node).is_some() || is_special(ocb.node) {
            return;
        }
        self.count(ocb, 1);
        if let Some(pipe) = self.pipes.get_mut(&id_of(ocb.node)) {
            // A new open file has not been told anything yet.
            pipe.told = (u32::MAX, u32::MAX);
        }
    }

    fn closed(&mut self, ocb: &Ocb, _ocbs: &Ocbs) {
        if socket_of(ocb.node).is_none() && !is_special(ocb.node) {
            self.count(ocb, -1);
        }
    }

    fn message(&mut self, request: &mut Request<'_>, kind: u16, ocbs: &mut Ocbs) -> Outcome {
        let Some(ocb) = ocbs.get(request.head.badge) else {
            return Outcome::Reply(Err(Errno::ENOSYS));
        };
        match socket_of(ocb.node) {
            Some(id) => self.sockets.message(request, id, kind, flags_of(ocb)),
            None if is_special(ocb.node) => {
                self.specials.message(request, (ocb.node, ocb.ioflag), kind, ocbs)
            }
            None => Outcome::Reply(Err(Errno::ENOSYS)),
        }
    }

    fn pulse(&mut self, pulse: &Pulse, _ocbs: &mut Ocbs) {
        if pulse.code == PULSE_TIMEOUT {
            self.sockets.expire();
        }
        self.specials.pulse(pulse);
    }

    fn read(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        _offset: u64,
        length: usize,
    ) -> Outcome {
        if let Some(id) = socket_of(ocb.node) {
            let wanted = Wanted { length, flags: flags_of(ocb), form: Form::Data };
            return self.sockets.receive(request, id, wanted);
        }
        if is_special(ocb.node) {
            return self.specials.read(request, ocb, length);
        }
        let pipe = match self.pipe_of(ocb.node) {
            Ok(pipe) => pipe,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        if length == 0 {
            return Outcome::Reply(Ok(0));
        }
        if !pipe.has_answer() {
            if ocb.is_nonblocking() {
                return Outcome::Reply(Err(Errno::EAGAIN));
            }
            pipe.wait_to_read(request.rcvid, length);
            return Outcome::Pending;
        }
        if length.min(pipe.len()) > COPIED_MAX {
            // Who is gone needs no answer, and who has bad memory got one.
            let _bytes_are_kept = pipe.answer(request.rcvid, length);
            return Outcome::Pending;
        }
        Outcome::Reply(Ok(pipe.take(length, &mut request.reply) as i64))
    }

    fn write(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        _offset: u64,
        data: DataAt,
    ) -> Outcome {
        if let Some(id) = socket_of(ocb.node) {
            return self.sockets.send(request, id, data, flags_of(ocb));
        }
        if is_special(ocb.node) {
            return self.specials.write(request, ocb, data);
        }
        let pipe = match self.pipe_of(ocb.node) {
            Ok(pipe) => pipe,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        if pipe.readers.open == 0 {
            return Outcome::Reply(Err(Errno::EPIPE));
        }
        if data.length == 0 {
            return Outcome::Reply(Ok(0));
        }
        let mut done = 0;
        if let Some(bytes) = request.inline(data.offset, data.length)
            && !pipe.has_waiting_writers()
        {
            done = pipe.hand_over(bytes);
            if done == data.length {
                return Outcome::Reply(Ok(done as i64));
            }
        }
        let (rest, space) = (data.length - done, pipe.space());
        let fits = rest <= space && !pipe.has_waiting_writers();
        if !fits && !ocb.is_nonblocking() {
            pipe.wait_to_write(request.rcvid, data, done);
            return Outcome::Pending;
        }
        let take = rest.min(space);
        if take == 0 || !fits && data.length <= ATOMIC {
            return Outcome::Reply(Err(Errno::EAGAIN));
        }
        let put = pipe.put(request, data.offset + done, take);
        let result = put.map(|count| (done + count) as i64);
        Outcome::Reply(result)
    }

    fn devctl(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        dcmd: u32,
        _data: &[u8],
    ) -> Outcome {
        let count = match socket_of(ocb.node) {
            Some(id) => self.sockets.get(id).map(Socket::readable),
            None if is_special(ocb.node) => None,
            None => self.pipe_of(ocb.node).ok().map(|pipe| pipe.len()),
        };
        match (dcmd, count) {
            (FIONREAD, Some(count)) => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                request.reply = Vec::from(count.to_le_bytes());
                Outcome::Reply(Ok(0))
            }
            _ => Outcome::Reply(Err(Errno::ENOTTY)),
        }
    }

    fn unblock(&mut self, rcvid: u64) {
        if self.sockets.unblock(rcvid) || self.specials.unblock(rcvid) {
            return;
        }
        let found = self.pipes.iter_mut().find_map(|(&id, pipe)| pipe.unblock(rcvid).then_some(id));
        let found = found.or_else(|| self.openers.unblock(rcvid));
        self.changed.extend(found);
    }

    fn idle(&mut self, ocbs: &mut Ocbs) {
        // Bound: settling adds none.
        while let Some(id) = self.changed.pop() {
            self.settle(id, ocbs);
        }
        let edges = self.specials.wants_edges();
        self.sockets.settle(edges, |id, bits| ocbs.notify(node(id, SOCKET), bits));
        self.specials.settle(|which, bits| ocbs.notify(which, bits));
    }
}
