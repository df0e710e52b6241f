//! All sockets, by number, and the requests on them.

use crate::address::Key;
use crate::options;
use crate::packet::{Form, Origin, Wanted};
use crate::socket::{CAPACITY, Direction, Kind, Sender, Socket, Standing};
use crate::special::PULSE_TIMEOUT;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use io_msg::kind;
use io_msg::socket::{Control, Credentials, HANDLES_MAX, Receive, Send, control, flag};
use neutrino_rt::abi::handle::ready;
use neutrino_rt::channel::Handle;
use neutrino_rt::clock::{self, Timer};
use neutrino_rt::{Errno, message};
use resmgr::{DataAt, Outcome, Request};

/// Free bytes from which on a socket counts as writable.
const WRITABLE: usize = 4096;

/// The sockets of the system.
#[derive(Debug)]
pub(crate) struct Sockets {
    sockets: BTreeMap<u64, Socket>,
    last: u64,
    changed: Vec<u64>,
    /// Sockets that have names.
    pub(crate) names: BTreeMap<Key, u64>,
    pub(crate) last_name: u64,
    /// Rings when somebody has waited for as long as a socket's time-out; none: no socket has one.
    alarm: Option<Timer>,
    /// A connection to the server's own channel.
    pulses: u32,
}

/// Who sends a request.
pub(crate) fn credentials_of(request: &Request<'_>) -> Credentials {
    let info = request.info();
    Credentials { pid: info.pid, uid: info.euid, gid: info.egid }
}

/// The point in monotonic time at the end of a limit.
pub(crate) fn deadline_in(limit: u64) -> u64 {
    if limit == u64::MAX { limit } else { clock::monotonic().saturating_add(limit) }
}

impl Sockets {
    pub(crate) const fn new(pulses: u32) -> Self {
        Self {
            sockets: BTreeMap::new(),
            last: 0,
            changed: Vec::new(),
            names: BTreeMap::new(),
            last_name: 0,
            alarm: None,
            pulses,
        }
    }

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

    pub(crate) fn insert(&mut self, socket: Socket) -> u64 {
        self.last += 1;
        self.sockets.insert(self.last, socket);
        self.changed.push(self.last);
        self.last
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Socket> {
        self.sockets.remove(&id)
    }

    /// Makes two sockets, each the other's peer.
    pub(crate) fn pair(&mut self, request: &Request<'_>, number: u32) -> Result<(u64, u64), Errno> {
        let (kind, maker) = (Kind::of(number)?, credentials_of(request));
        let one = self.insert(Socket::new(kind, maker, Standing::Connected));
        let two = self.insert(Socket::new(kind, maker, Standing::Connected));
        self.get_mut(one)?.peer = Some(two);
        self.get_mut(two)?.peer = Some(one);
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
        let origin = Origin { credentials: credentials_of(request), ..Origin::default() };
        let sent = self.try_send(request, id, (data, None), (flags, origin));
        Self::outcome(sent.map(|count| count.map(|count| count as i64)))
    }

    /// An answer, or that there is none yet.
    fn outcome(result: Result<Option<i64>, Errno>) -> Outcome {
        match result {
            Ok(Some(status)) => Outcome::Reply(Ok(status)),
            Ok(None) => Outcome::Pending,
            Err(errno) => Outcome::Reply(Err(errno)),
        }
    }

    /// Where a message goes.
    fn target(&self, id: u64, address: Option<&[u8]>) -> Result<u64, Errno> {
        let socket = self.get(id).ok_or(Errno::EBADF)?;
        if socket.sending == Direction::Shut {
            return Err(Errno::EPIPE);
        }
        match (socket.kind, address, socket.peer) {
            (Kind::Datagram, Some(address), _) => self.find(address, Kind::Datagram),
            (Kind::Stream | Kind::SeqPacket, Some(_), Some(_)) => Err(Errno::EISCONN),
            (Kind::Stream, Some(_), None) => Err(Errno::EOPNOTSUPP),
            (_, None, Some(peer)) => Ok(peer),
            (Kind::Stream | Kind::Datagram | Kind::SeqPacket, _, None) => Err(Errno::ENOTCONN),
        }
    }

    fn try_send(
        &mut self,
        request: &Request<'_>,
        id: u64,
        (data, address): (DataAt, Option<&[u8]>),
        (flags, mut origin): (u32, Origin),
    ) -> Result<Option<usize>, Errno> {
        let target = self.target(id, address)?;
        let socket = self.get_mut(id)?;
        let (kind, limit) = (socket.kind, socket.settings.send_limit);
        if let Some(name) = &socket.name {
            origin.address.clone_from(&name.bytes);
        }
        match kind {
            Kind::Datagram => {
                let allowed = self.may_send(id, target);
                if allowed == Err(Errno::ECONNREFUSED) && address.is_none() {
                    // As Linux: it is told once that the peer is gone.
                    self.get_mut(id)?.peer = None;
                }
                allowed?;
            }
            Kind::Stream if data.length == 0 => return Ok(Some(0)),
            Kind::Stream | Kind::SeqPacket => {}
        }
        let target = self.get_mut(target)?;
        if target.receiving == Direction::Shut {
            return Err(Errno::EPIPE);
        }
        if kind != Kind::Stream && data.length > CAPACITY {
            return Err(Errno::EMSGSIZE);
        }
        match (target.accepts_next(data.length), flags & flag::DONTWAIT != 0) {
            (None, true) => Err(Errno::EAGAIN),
            (Some(count), is_nonblocking) if count == data.length || is_nonblocking => {
                target.put(&request.data(data.offset, count)?, origin);
                Ok(Some(count))
            }
            (Some(_) | None, _) => {
                let (rcvid, deadline) = (request.rcvid, deadline_in(limit));
                target.wait_to_send(Sender { rcvid, data, done: 0, origin, deadline });
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
        match (&socket.standing, socket.kind) {
            (Standing::Connected, _) | (Standing::Fresh, Kind::Datagram) => {}
            (_, Kind::SeqPacket) => return Outcome::Reply(Err(Errno::ENOTCONN)),
            (Standing::Fresh | Standing::Listening(_), _) => {
                return Outcome::Reply(Err(Errno::EINVAL));
            }
        }
        match socket.take(&wanted) {
            Some(Ok(taken)) => {
                let (status, data) = taken.reply(request.rcvid, wanted.form);
                request.reply = data;
                Outcome::Reply(Ok(status))
            }
            Some(Err(errno)) => Outcome::Reply(Err(errno)),
            None if wanted.flags & flag::DONTWAIT != 0 => Outcome::Reply(Err(Errno::EAGAIN)),
            None => {
                let deadline = deadline_in(socket.settings.receive_limit);
                socket.wait_to_receive(request.rcvid, wanted, deadline);
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
                let sent = self.send_message(request, id, &message, extra)?;
                Ok(Self::outcome(Ok(sent.map(|count| count as i64))))
            }),
            kind::SOCKET_RECEIVE => request.header::<Receive>().map(|message| {
                let room = usize::try_from(request.head.dstmsglen).unwrap_or(usize::MAX);
                let length = usize::try_from(message.nbytes).unwrap_or(usize::MAX).min(room);
                let handles = message.handles_max.min(HANDLES_MAX) as usize;
                let flags = message.flags | extra;
                self.receive(request, id, Wanted { length, flags, form: Form::Message(handles) })
            }),
            kind::SOCKET_CONTROL => request.header::<Control>().and_then(|message| {
                self.control(request, id, &message, extra).map(|n| Self::outcome(Ok(n)))
            }),
            _ => Err(Errno::ENOSYS),
        };
        result.unwrap_or_else(|errno| Outcome::Reply(Err(errno)))
    }

    fn send_message(
        &mut self,
        request: &Request<'_>,
        id: u64,
        message: &Send,
        extra: u32,
    ) -> Result<Option<usize>, Errno> {
        let handles = self.offered(request, id, message.handles)?;
        let own = credentials_of(request);
        let mut credentials = own;
        if message.flags & flag::CREDENTIALS != 0 {
            credentials = message.credentials;
            if own.uid != 0 && credentials != own {
                return Err(Errno::EPERM);
            }
        }
        let head = size_of::<Send>();
        let address = request.data(head, (message.address_length as usize).min(256))?;
        let offset = head + address.len();
        let sent = request.head.srcmsglen.saturating_sub(offset as u64);
        let length = usize::try_from(message.nbytes.min(sent)).map_err(|_| Errno::EMSGSIZE)?;
        let data = DataAt { offset, length };
        let address = (!address.is_empty()).then_some(address.as_slice());
        let origin = Origin { credentials, handles, ..Origin::default() };
        self.try_send(request, id, (data, address), (message.flags | extra, origin))
    }

    /// Takes the descriptors that a message offers, behind those that its thread has offered before.
    fn offered(
        &mut self,
        request: &Request<'_>,
        id: u64,
        count: u32,
    ) -> Result<Vec<Handle>, Errno> {
        let tid = if count == 0 { 0 } else { request.info().tid };
        let socket = self.sockets.get_mut(&id).ok_or(Errno::EBADF)?;
        let (own, others) =
            core::mem::take(&mut socket.offered).into_iter().partition(|(whose, _)| *whose == tid);
        socket.offered = others;
        let own: Vec<(u32, Handle)> = own;
        let mut handles: Vec<Handle> = own.into_iter().map(|(_, handle)| handle).collect();
        for index in 0..count {
            handles.push(message::take(request.rcvid, index).map_err(|errno| {
                let is_full = matches!(errno, Errno::EMFILE | Errno::EAGAIN);
                if is_full { Errno::ETOOMANYREFS } else { errno }
            })?);
        }
        Ok(handles)
    }

    fn control(
        &mut self,
        request: &mut Request<'_>,
        id: u64,
        message: &Control,
        extra: u32,
    ) -> Result<Option<i64>, Errno> {
        let data = request.data(size_of::<Control>(), (message.nbytes as usize).min(256))?;
        let socket = self.get(id).ok_or(Errno::EBADF)?;
        let peer = socket.peer.and_then(|peer| self.get(peer));
        match message.subtype {
            control::SHUTDOWN => self.shutdown(id, message.argument)?,
            control::NAME => request.reply = socket.address(),
            control::PEER => request.reply = peer.ok_or(Errno::ENOTCONN)?.address(),
            control::GET_OPTION if message.level == options::SOL_SOCKET => {
                if message.argument == options::SO_ERROR {
                    let error = self.get_mut(id)?.error.take();
                    request.reply = options::number(error.map_or(0, |errno| errno.number().into()));
                } else {
                    request.reply = options::get(socket, peer, message.argument)?;
                }
            }
            control::SET_OPTION if message.level == options::SOL_SOCKET => {
                self.set_option(id, message.argument, &data)?;
            }
            control::GET_OPTION | control::SET_OPTION => return Err(Errno::EOPNOTSUPP),
            control::BIND => self.bind(id, &data)?,
            control::LISTEN => self.listen(request, id, message.argument)?,
            control::CONNECT => {
                return Ok(self.connect(request, id, &data, extra)?.map(|()| 0));
            }
            control::OFFER => {
                let before = self.offered(request, id, message.argument.min(HANDLES_MAX))?;
                let tid = request.info().tid;
                let socket = self.sockets.get_mut(&id).ok_or(Errno::EBADF)?;
                socket.offered.extend(before.into_iter().map(|handle| (tid, handle)));
                if socket.offered.len() > HANDLES_MAX as usize {
                    socket.offered.clear();
                    return Err(Errno::EINVAL);
                }
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        Ok(Some(request.reply.len() as i64))
    }

    fn set_option(&mut self, id: u64, option: u32, value: &[u8]) -> Result<(), Errno> {
        let pulses = self.pulses;
        let socket = self.get_mut(id)?;
        options::set(socket, option, value)?;
        let limits = socket.settings.receive_limit.min(socket.settings.send_limit);
        if limits < u64::MAX && self.alarm.is_none() {
            self.alarm = Some(Timer::create(pulses, PULSE_TIMEOUT, 0)?);
        }
        Ok(())
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

    /// A client wants to leave; returns whether it waited at a socket.
    pub(crate) fn unblock(&mut self, rcvid: u64) -> bool {
        let chosen = |own, _| own == rcvid;
        let found = self
            .sockets
            .iter_mut()
            .find_map(|(&id, socket)| socket.let_go(chosen, Errno::EINTR).then_some(id));
        self.changed.extend(found);
        found.is_some()
    }

    /// Lets those go who have waited for as long as their socket's time-out.
    pub(crate) fn expire(&mut self) {
        let now = clock::monotonic();
        for (&id, socket) in &mut self.sockets {
            if socket.let_go(|_, deadline| deadline <= now, Errno::EAGAIN) {
                self.changed.push(id);
            }
        }
    }

    /// Lets the clients of what has changed go on; `tell` gets each socket's new readiness.
    pub(crate) fn settle(&mut self, edges: bool, mut tell: impl FnMut(u64, u32)) {
        let mut changed = core::mem::take(&mut self.changed);
        if changed.is_empty() {
            return;
        }
        for id in &changed {
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.pump();
            }
        }
        self.add_senders(&mut changed);
        for id in changed {
            let bits = self.readiness(id);
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            let is_fresh = core::mem::take(&mut socket.is_fresh) && edges;
            if socket.told != bits || is_fresh {
                socket.told = bits;
                tell(id, bits);
            }
        }
        if let Some(alarm) = &self.alarm {
            let first = self.sockets.values().map(Socket::deadline).min().unwrap_or(u64::MAX);
            alarm.arm_at(if first == u64::MAX { 0 } else { first });
        }
    }

    /// Who sends datagrams to a socket that has changed may be writable now.
    fn add_senders(&self, changed: &mut Vec<u64>) {
        let is_datagram = |id: &u64| self.get(*id).is_some_and(|own| own.kind == Kind::Datagram);
        if !changed.iter().any(is_datagram) {
            return;
        }
        let senders = self.sockets.iter().filter(|(_, socket)| {
            socket.kind == Kind::Datagram && socket.peer.is_some_and(|peer| changed.contains(&peer))
        });
        let senders: Vec<u64> = senders.map(|(&id, _)| id).collect();
        changed.extend(senders);
    }

    fn readiness(&self, id: u64) -> u32 {
        let Some(socket) = self.get(id) else { return 0 };
        if let Standing::Listening(listener) = &socket.standing {
            return if listener.waiting.is_empty() { 0 } else { ready::IN };
        }
        if matches!(socket.standing, Standing::Fresh) && socket.kind != Kind::Datagram {
            return ready::OUT | ready::HUP;
        }
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
