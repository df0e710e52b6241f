//! Names of sockets, and connections to them.

use crate::address::{Address, is_nobody};
use crate::socket::{Connector, Direction, Kind, Listener, Socket, Standing};
use crate::sockets::{Sockets, credentials_of, deadline_in};
use io_msg::socket::flag;
use neutrino_rt::{Errno, message};
use resmgr::Request;

/// The most connections that wait at a socket (Linux: `SOMAXCONN`).
const BACKLOG_MAX: u32 = 4096;

impl Sockets {
    /// Makes a socket that is connected to nothing.
    ///
    /// # Errors
    /// ESOCKTNOSUPPORT.
    pub(crate) fn make(&mut self, request: &Request<'_>, number: u32) -> Result<u64, Errno> {
        let kind = Kind::of(number)?;
        Ok(self.insert(Socket::new(kind, credentials_of(request), Standing::Fresh)))
    }

    /// Gives a socket a name.
    ///
    /// # Errors
    /// EINVAL: it has one, or this is none. EADDRINUSE.
    pub(crate) fn bind(&mut self, id: u64, data: &[u8]) -> Result<(), Errno> {
        let mut address = Address::parse(data)?;
        if self.get(id).ok_or(Errno::EBADF)?.name.is_some() {
            return Err(Errno::EINVAL);
        }
        // Bound: there are fewer sockets than numbers.
        while address.key.as_ref().is_none_or(|key| self.names.contains_key(key)) {
            if address.key.is_some() && data.len() > size_of::<io_msg::socket::Place>() + 2 {
                return Err(Errno::EADDRINUSE);
            }
            self.last_name += 1;
            address = Address::numbered(self.last_name);
        }
        if let Some(key) = &address.key {
            self.names.insert(key.clone(), id);
        }
        self.get_mut(id)?.name = Some(address);
        Ok(())
    }

    /// The socket with a name, of the kind that is meant.
    ///
    /// # Errors
    /// ECONNREFUSED: nobody has the name. EPROTOTYPE.
    pub(crate) fn find(&self, data: &[u8], kind: Kind) -> Result<u64, Errno> {
        let key = Address::parse(data)?.key.ok_or(Errno::EINVAL)?;
        let id = *self.names.get(&key).ok_or(Errno::ECONNREFUSED)?;
        let found = self.get(id).ok_or(Errno::ECONNREFUSED)?;
        if found.kind == kind { Ok(id) } else { Err(Errno::EPROTOTYPE) }
    }

    /// Lets others connect to a socket.
    ///
    /// # Errors
    /// EOPNOTSUPP: datagrams need none. EINVAL: it has no name, or is connected.
    pub(crate) fn listen(
        &mut self,
        request: &Request<'_>,
        id: u64,
        backlog: u32,
    ) -> Result<(), Errno> {
        let maker = credentials_of(request);
        // A negative number is as many as there can be.
        let backlog = backlog.min(BACKLOG_MAX) as usize;
        let socket = self.get_mut(id)?;
        if socket.kind == Kind::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        match &mut socket.standing {
            Standing::Connected => return Err(Errno::EINVAL),
            Standing::Fresh if socket.name.is_none() => return Err(Errno::EINVAL),
            Standing::Fresh => {
                socket.standing = Standing::Listening(Listener { backlog, ..Listener::default() });
            }
            Standing::Listening(listener) => listener.backlog = backlog,
        }
        socket.maker = maker;
        self.admit(id);
        Ok(())
    }

    /// Connects a socket; `None`: the client waits.
    ///
    /// # Errors
    /// EISCONN, EINVAL, ECONNREFUSED, EPROTOTYPE, EPERM; EAGAIN: too many wait.
    pub(crate) fn connect(
        &mut self,
        request: &Request<'_>,
        id: u64,
        data: &[u8],
        flags: u32,
    ) -> Result<Option<()>, Errno> {
        let socket = self.get(id).ok_or(Errno::EBADF)?;
        let kind = socket.kind;
        if kind == Kind::Datagram {
            return self.aim(id, data).map(Some);
        }
        let deadline = deadline_in(socket.settings.send_limit);
        match socket.standing {
            Standing::Fresh => {}
            Standing::Listening(_) => return Err(Errno::EINVAL),
            Standing::Connected => return Err(Errno::EISCONN),
        }
        let target = self.find(data, kind)?;
        let Standing::Listening(listener) = &mut self.get_mut(target)?.standing else {
            return Err(Errno::ECONNREFUSED);
        };
        if listener.waiting.len() <= listener.backlog {
            return self.establish(request, id, target).map(Some);
        }
        if flags & flag::DONTWAIT != 0 {
            return Err(Errno::EAGAIN);
        }
        listener.connectors.push_back(Connector { rcvid: request.rcvid, socket: id, deadline });
        Ok(None)
    }

    /// Sets or forgets whom a socket sends datagrams to.
    fn aim(&mut self, id: u64, data: &[u8]) -> Result<(), Errno> {
        let peer = if is_nobody(data) {
            None
        } else {
            let target = self.find(data, Kind::Datagram)?;
            self.may_send(id, target)?;
            Some(target)
        };
        self.get_mut(id)?.peer = peer;
        Ok(())
    }

    /// A socket that is connected takes datagrams of its peer only.
    ///
    /// # Errors
    /// EPERM. ECONNREFUSED: it is gone.
    pub(crate) fn may_send(&self, from: u64, to: u64) -> Result<(), Errno> {
        let target = self.get(to).ok_or(Errno::ECONNREFUSED)?;
        let takes = target.peer.is_none_or(|peer| peer == from);
        if takes { Ok(()) } else { Err(Errno::EPERM) }
    }

    fn establish(&mut self, request: &Request<'_>, id: u64, target: u64) -> Result<(), Errno> {
        let maker = credentials_of(request);
        self.join(id, target)?;
        self.get_mut(id)?.maker = maker;
        Ok(())
    }

    /// Makes the other end of a socket that connects, which waits at the one that listens.
    fn join(&mut self, id: u64, target: u64) -> Result<(), Errno> {
        let listening = self.get(target).ok_or(Errno::ECONNREFUSED)?;
        let mut end = Socket::new(listening.kind, listening.maker, Standing::Connected);
        end.name.clone_from(&listening.name);
        end.settings = listening.settings;
        end.peer = Some(id);
        let end = self.insert(end);
        let socket = self.get_mut(id)?;
        (socket.peer, socket.standing) = (Some(end), Standing::Connected);
        if let Standing::Listening(listener) = &mut self.get_mut(target)?.standing {
            listener.waiting.push_back(end);
        }
        Ok(())
    }

    /// Takes a connection that waits.
    ///
    /// # Errors
    /// EAGAIN: none does. EINVAL: the socket does not listen. EOPNOTSUPP.
    pub(crate) fn accept(&mut self, id: u64) -> Result<u64, Errno> {
        let socket = self.get_mut(id)?;
        let Standing::Listening(listener) = &mut socket.standing else {
            let is_datagram = socket.kind == Kind::Datagram;
            return Err(if is_datagram { Errno::EOPNOTSUPP } else { Errno::EINVAL });
        };
        if socket.receiving == Direction::Shut {
            return Err(Errno::EINVAL);
        }
        let taken = listener.waiting.pop_front().ok_or(Errno::EAGAIN)?;
        // A new open file has not been told anything yet.
        self.get_mut(taken)?.told = u32::MAX;
        self.admit(id);
        Ok(taken)
    }

    /// Lets those connect who have waited, as far as there is room.
    // Bound: who waits.
    fn admit(&mut self, id: u64) {
        loop {
            let Ok(socket) = self.get_mut(id) else { return };
            let Standing::Listening(listener) = &mut socket.standing else { return };
            if listener.waiting.len() > listener.backlog {
                return;
            }
            let Some(Connector { rcvid, socket, .. }) = listener.connectors.pop_front() else {
                return;
            };
            let is_fresh =
                self.get(socket).is_some_and(|own| matches!(own.standing, Standing::Fresh));
            let joined = if is_fresh { self.join(socket, id) } else { Err(Errno::EISCONN) };
            let _it_may_be_gone = match joined {
                Ok(()) => message::reply(rcvid, 0, &[]),
                Err(errno) => message::error(rcvid, errno),
            };
        }
    }

    /// The last descriptor of a socket is gone.
    pub(crate) fn close(&mut self, id: u64) {
        let Some(mut gone) = self.remove(id) else { return };
        if let Some(key) = gone.name.as_ref().and_then(|name| name.key.as_ref())
            && self.names.get(key) == Some(&id)
        {
            self.names.remove(key);
        }
        let is_connection = gone.kind != Kind::Datagram;
        gone.dismiss(if is_connection { Errno::EPIPE } else { Errno::ECONNREFUSED });
        if let Standing::Listening(listener) = &gone.standing {
            // Bound: BACKLOG_MAX; what waits does not listen.
            listener.waiting.iter().for_each(|end| self.close(*end));
        }
        let Some(peer) = gone.peer.and_then(|peer| self.get_mut(peer).ok()) else { return };
        // One that sends datagrams learns of it when it sends the next.
        if is_connection {
            peer.peer = None;
            peer.receiving = Direction::Shut;
            peer.sending = Direction::Shut;
            if gone.has_data() {
                // As Linux: what was sent was not read.
                peer.error = Some(Errno::ECONNRESET);
            }
        }
    }
}
