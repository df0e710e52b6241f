//! All sockets, by number, and the requests on them.

use crate::options;
use crate::socket::{CAPACITY, Direction, Form, Kind, Maker, Socket, Wanted};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use io_msg::kind;
use io_msg::socket::{Control, Receive, Send, control, flag};
use neutrino_rt::Errno;
use neutrino_rt::abi::handle::ready;
use resmgr::{DataAt, Outcome, Request};

/// Free bytes from which on a socket counts as writable.
const WRITABLE: usize = 4096;

/// The sockets of the system.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    sockets: BTreeMap<u64, Socket>,
    last: u64,
    changed: Vec<u64>,
}

impl Sockets {
    pub(crate) fn get(&self, id: u64) -> Option<&Socket> {
        self.sockets.get(&id)
    }

    /// To change: its clients are looked at afterwards, and those of its peer.
    pub(crate) fn get_mut(&mut self, id: u64) -> Result<&mut Socket, Errno> {
        let socket = self.sockets.get_mut(&id).ok_or(Errno::EBADF)?;
        self.changed.push(id);
        self.changed.extend(socket.peer);
        Ok(socket)
    }

    /// Makes two sockets, each the other's peer.
    pub(crate) fn pair(&mut self, request: &Request<'_>, number: u32) -> Result<(u64, u64), Errno> {
        let kind = Kind::of(number)?;
        let maker =
            Maker { pid: request.info().pid, uid: request.info().euid, gid: request.info().egid };
        let (one, two) = (self.last + 1, self.last + 2);
        self.last = two;
        self.sockets.insert(one, Socket::new(kind, maker, two));
        self.sockets.insert(two, Socket::new(kind, maker, one));
        Ok((one, two))
    }

    /// Sends data of the request's message.
    pub(crate) fn send(
        &mut self,
        request: &Request<'_>,
        id: u64,
        data: DataAt,
        flags: u32,
    ) -> Outcome {
        Outcome::Reply(match self.try_send(request, id, data, flags) {
            Ok(Some(count)) => Ok(count as i64),
            Ok(None) => return Outcome::Pending,
            Err(errno) => Err(errno),
        })
    }

    fn try_send(
        &mut self,
        request: &Request<'_>,
        id: u64,
        data: DataAt,
        flags: u32,
    ) -> Result<Option<usize>, Errno> {
        let socket = self.get_mut(id)?;
        if socket.sending == Direction::Shut {
            return Err(Errno::EPIPE);
        }
        let kind = socket.kind;
        let unconnected =
            if kind == Kind::Datagram { Errno::ECONNREFUSED } else { Errno::ENOTCONN };
        let peer = socket.peer.ok_or(unconnected)?;
        let peer = self.get_mut(peer)?;
        if peer.receiving == Direction::Shut {
            return Err(Errno::EPIPE);
        }
        match kind {
            Kind::Stream if data.length == 0 => return Ok(Some(0)),
            Kind::Datagram | Kind::SeqPacket if data.length > CAPACITY => {
                return Err(Errno::EMSGSIZE);
            }
            Kind::Stream | Kind::Datagram | Kind::SeqPacket => {}
        }
        match (peer.accepts_next(data.length), flags & flag::DONTWAIT != 0) {
            (None, true) => Err(Errno::EAGAIN),
            (Some(count), is_nonblocking) if count == data.length || is_nonblocking => {
                peer.put(&request.data(data.offset, count)?);
                Ok(Some(count))
            }
            (Some(_) | None, _) => {
                peer.wait_to_send(request.rcvid, data);
                Ok(None)
            }
        }
    }

    /// Receives into the reply.
    pub(crate) fn receive(
        &mut self,
        request: &mut Request<'_>,
        id: u64,
        wanted: Wanted,
    ) -> Outcome {
        let socket = match self.get_mut(id) {
            Ok(socket) => socket,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        match socket.take(&wanted) {
            Some(Ok(taken)) => {
                let (status, data) = taken.reply(wanted.form);
                request.reply = data;
                Outcome::Reply(Ok(status))
            }
            Some(Err(errno)) => Outcome::Reply(Err(errno)),
            None if wanted.flags & flag::DONTWAIT != 0 => Outcome::Reply(Err(Errno::EAGAIN)),
            None => {
                socket.wait_to_receive(request.rcvid, wanted);
                Outcome::Pending
            }
        }
    }

    /// The messages of `io_msg::socket`; `extra` are flags that the open file adds.
    pub(crate) fn message(
        &mut self,
        request: &mut Request<'_>,
        id: u64,
        which: u16,
        extra: u32,
    ) -> Outcome {
        let result = match which {
            kind::SOCKET_SEND => request.header::<Send>().and_then(|message| {
                let data = Self::data_of(request, &message)?;
                Ok(self.send(request, id, data, message.flags | extra))
            }),
            kind::SOCKET_RECEIVE => request.header::<Receive>().map(|message| {
                let room = usize::try_from(request.head.dstmsglen).unwrap_or(usize::MAX);
                let length = usize::try_from(message.nbytes).unwrap_or(usize::MAX).min(room);
                let control = (message.control_max as usize).min(room);
                let flags = message.flags | extra;
                self.receive(request, id, Wanted { length, flags, form: Form::Message(control) })
            }),
            kind::SOCKET_CONTROL => request.header::<Control>().and_then(|message| {
                self.control(request, id, &message).map(|n| Outcome::Reply(Ok(n)))
            }),
            _ => Err(Errno::ENOSYS),
        };
        result.unwrap_or_else(|errno| Outcome::Reply(Err(errno)))
    }

    /// Where the data of a message to send are. An address leads nowhere: nothing has one yet.
    fn data_of(request: &Request<'_>, message: &Send) -> Result<DataAt, Errno> {
        if message.control_length != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if message.address_length != 0 {
            return Err(Errno::EISCONN);
        }
        let offset = size_of::<Send>();
        let sent = request.head.srcmsglen.saturating_sub(offset as u64);
        let length = usize::try_from(message.nbytes.min(sent)).map_err(|_| Errno::EMSGSIZE)?;
        Ok(DataAt { offset, length })
    }

    fn control(
        &mut self,
        request: &mut Request<'_>,
        id: u64,
        message: &Control,
    ) -> Result<i64, Errno> {
        let data = request.data(size_of::<Control>(), (message.nbytes as usize).min(256))?;
        let socket = self.get(id).ok_or(Errno::EBADF)?;
        let peer = socket.peer.and_then(|peer| self.get(peer));
        match message.subtype {
            control::SHUTDOWN => return self.shutdown(id, message.argument).map(|()| 0),
            control::NAME => request.reply = options::address(),
            control::PEER if peer.is_some() => request.reply = options::address(),
            control::PEER => return Err(Errno::ENOTCONN),
            control::GET_OPTION if message.level == options::SOL_SOCKET => {
                if message.argument == options::SO_ERROR {
                    let error = self.get_mut(id)?.error.take();
                    request.reply = options::number(error.map_or(0, |errno| errno.number().into()));
                } else {
                    request.reply = options::get(socket, peer, message.argument)?;
                }
            }
            control::SET_OPTION if message.level == options::SOL_SOCKET => {
                options::set(message.argument, &data)?;
            }
            control::GET_OPTION | control::SET_OPTION => return Err(Errno::EOPNOTSUPP),
            control::CONNECT => return Err(Errno::EISCONN),
            control::LISTEN | control::ACCEPT => return Err(Errno::EINVAL),
            _ => return Err(Errno::EOPNOTSUPP),
        }
        Ok(request.reply.len() as i64)
    }

    /// Ends directions of a socket and, of a connection, the peer's ends of them.
    fn shutdown(&mut self, id: u64, how: u32) -> Result<(), Errno> {
        const READING: u32 = 0;
        const WRITING: u32 = 1;
        const BOTH: u32 = 2;
        let (receiving, sending) = match how {
            READING => (true, false),
            WRITING => (false, true),
            BOTH => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        let socket = self.get_mut(id)?;
        let (peer, is_connection) = (socket.peer, socket.kind != Kind::Datagram);
        if receiving {
            socket.receiving = Direction::Shut;
        }
        if sending {
            socket.sending = Direction::Shut;
        }
        if let Some(peer) = peer
            && is_connection
        {
            let peer = self.get_mut(peer)?;
            if receiving {
                peer.sending = Direction::Shut;
            }
            if sending {
                peer.receiving = Direction::Shut;
            }
        }
        Ok(())
    }

    /// The last descriptor of a socket is gone.
    pub(crate) fn close(&mut self, id: u64) {
        let Some(mut gone) = self.sockets.remove(&id) else { return };
        let is_connection = gone.kind != Kind::Datagram;
        gone.dismiss_senders(if is_connection { Errno::EPIPE } else { Errno::ECONNREFUSED });
        let Some(peer) = gone.peer.and_then(|peer| self.get_mut(peer).ok()) else { return };
        peer.peer = None;
        if is_connection {
            peer.receiving = Direction::Shut;
            peer.sending = Direction::Shut;
            if gone.has_data() {
                // As Linux: what was sent was not read.
                peer.error = Some(Errno::ECONNRESET);
            }
        }
    }

    /// A client wants to leave; returns whether it waited at a socket.
    pub(crate) fn unblock(&mut self, rcvid: u64) -> bool {
        let found =
            self.sockets.iter_mut().find_map(|(&id, socket)| socket.unblock(rcvid).then_some(id));
        self.changed.extend(found);
        found.is_some()
    }

    /// Lets the clients of what has changed go on; `tell` gets each socket's new readiness.
    pub(crate) fn settle(&mut self, mut tell: impl FnMut(u64, u32)) {
        let changed = core::mem::take(&mut self.changed);
        for id in &changed {
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.pump();
            }
        }
        for id in changed {
            let bits = self.readiness(id);
            if let Some(socket) = self.sockets.get_mut(&id)
                && socket.told != bits
            {
                socket.told = bits;
                tell(id, bits);
            }
        }
    }

    fn readiness(&self, id: u64) -> u32 {
        let Some(socket) = self.get(id) else { return 0 };
        let (receiving, sending) = (socket.receiving, socket.sending);
        let peer = socket.peer.and_then(|peer| self.get(peer));
        let is_over = receiving == Direction::Shut;
        let is_deaf = sending == Direction::Shut;
        let is_writable =
            is_deaf || peer.is_none_or(|peer| peer.accepts(WRITABLE) == Some(WRITABLE));
        let bits = [
            (is_over || socket.has_data() || socket.error.is_some(), ready::IN),
            (is_over, ready::RDHUP),
            (is_over && is_deaf, ready::HUP),
            (is_writable, ready::OUT),
            (socket.error.is_some(), ready::ERR),
        ];
        bits.into_iter().filter(|(holds, _)| *holds).fold(0, |all, (_, bit)| all | bit)
    }
}
