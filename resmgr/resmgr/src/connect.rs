//! Messages with a path.

use crate::attributes::{Attributes, right};
use crate::engine::Engine;
use crate::mount::Mount;
use crate::ocb::Ocb;
use crate::request::Request;
use crate::server::{Node, Opening, Outcome, Server, Special, Taking};
use crate::walk::{Start, Walked, walk};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use io_msg::connect::{self, Connect, ConnectReply, FLAG_EXECUTE, FLAG_NOFOLLOW, subtype};
use io_msg::io::{Chown, Space, Utime};
use io_msg::stat::{Stat, mode, open};
use neutrino_rt::Errno;
use neutrino_rt::abi::handle::ready;
use neutrino_rt::message;
use zerocopy::{FromBytes, IntoBytes};

/// How a connect message ends, if it does not fail.
pub(crate) enum Done {
    /// With a reply and data.
    Reply(ConnectReply, Vec<u8>),
    /// With the status of a file.
    Status(Stat),
    /// Elsewhere: which path (0, or 1 for the second), and where.
    Redirect(u32, Vec<u8>),
}

impl Done {
    pub(crate) fn plain() -> Self {
        Self::Reply(ConnectReply::default(), Vec::new())
    }

    fn data(bytes: &[u8]) -> Self {
        Self::Reply(ConnectReply::default(), Vec::from(bytes))
    }
}

/// A connect message with its paths, and where they start.
pub(crate) struct Asked<'a> {
    pub(crate) message: Connect,
    pub(crate) mount: usize,
    pub(crate) start: Start,
    pub(crate) path: Cow<'a, [u8]>,
    pub(crate) extra: Cow<'a, [u8]>,
}

/// Puts a reply and its data together.
fn answer(request: &mut Request<'_>, reply: ConnectReply, data: &[u8]) -> Outcome {
    let reply = ConnectReply { data_length: data.len() as u32, ..reply };
    request.reply.clear();
    request.reply.reserve(size_of::<ConnectReply>() + data.len());
    request.reply.extend_from_slice(reply.as_bytes());
    request.reply.extend_from_slice(data);
    Outcome::Reply(Ok(0))
}

impl<S: Server> Engine<S> {
    pub(crate) fn connect(&mut self, request: &mut Request<'_>, message: &Connect) -> Outcome {
        match self.connect_to(request, message) {
            Ok(Done::Reply(reply, data)) => answer(request, reply, &data),
            Ok(Done::Status(stat)) => answer(request, ConnectReply::default(), stat.as_bytes()),
            Ok(Done::Redirect(which, path)) => {
                let result = connect::RESULT_REDIRECT;
                answer(request, ConnectReply { result, which, ..ConnectReply::default() }, &path)
            }
            Err(errno) => Outcome::Reply(Err(errno)),
        }
    }

    fn connect_to(&mut self, request: &Request<'_>, message: &Connect) -> Result<Done, Errno> {
        let asked = self.asked(request, message)?;
        match message.subtype {
            subtype::OPEN => self.open(request, &asked),
            subtype::UNLINK => self.unlink(request, &asked),
            subtype::RENAME => self.rename(request, &asked),
            subtype::MKNOD => self.make(request, &asked),
            subtype::SYMLINK => self.symlink(request, &asked),
            subtype::LINK => self.link(request, &asked),
            subtype::PIPE => {
                let ends = self.server.pipe(request)?;
                self.bind_pair(request, &asked, ends, [open::RDONLY, open::WRONLY])
            }
            subtype::SOCKET_PAIR => {
                let ends = self.server.socket_pair(request, message.mode)?;
                self.bind_pair(request, &asked, ends, [open::RDWR; 2])
            }
            subtype::EVENT => {
                let is_semaphore = message.flags & connect::EVENT_SEMAPHORE != 0;
                let taking = if is_semaphore { Taking::One } else { Taking::All };
                self.special(request, &asked, Special::Counter(message.mode, taking))
            }
            subtype::TIMER => self.special(request, &asked, Special::Timer(message.mode)),
            subtype::SET => self.special(request, &asked, Special::Set),
            subtype::SIGNALS => self.special(request, &asked, Special::Signals(message.rdev)),
            subtype::SOCKET => self.special(request, &asked, Special::Socket(message.mode)),
            subtype::ACCEPT => {
                let node = asked.start.node;
                self.special(request, &asked, Special::Connection(node))
            }
            subtype::READLINK
            | subtype::STAT
            | subtype::ACCESS
            | subtype::CHMOD
            | subtype::CHOWN
            | subtype::UTIME
            | subtype::TRUNCATE
            | subtype::STATVFS => self.on_node(request, &asked),
            _ => Err(Errno::ENOSYS),
        }
    }

    fn special(
        &mut self,
        request: &Request<'_>,
        asked: &Asked<'_>,
        what: Special,
    ) -> Result<Done, Errno> {
        let (node, readiness) = self.server.special(request, what)?;
        let ioflag = open::RDWR | asked.message.ioflag & open::NONBLOCK;
        let message = Connect { ioflag, flags: 0, ..asked.message };
        let place = (Vec::new(), readiness);
        let bound = (node, self.kind_of(node));
        let coid = self.bind(request, asked.mount, bound, &message, place)?;
        Ok(Done::Reply(ConnectReply { coid, ..ConnectReply::default() }, Vec::new()))
    }

    /// Where the path starts: a mount, or an open directory.
    fn asked<'a>(&self, request: &Request<'a>, message: &Connect) -> Result<Asked<'a>, Errno> {
        let head = size_of::<Connect>();
        let (path_length, extra_length) =
            (message.path_length as usize, message.extra_length as usize);
        if path_length >= connect::PATH_MAX || extra_length > connect::PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let path = request.bytes_at(head, path_length)?;
        let extra = request.bytes_at(head + path_length, extra_length)?;
        let badge = request.head.badge;
        let (mount, start) = match Mount::index(badge) {
            Some(index) => {
                let mount = self.mounts.get(index).ok_or(Errno::EBADF)?;
                (index, Start { node: mount.root, path: Vec::new() })
            }
            None => {
                let ocb = self.ocbs.get(badge).ok_or(Errno::EBADF)?;
                let path = self.server.path(ocb.node).unwrap_or_else(|| ocb.path.clone());
                (ocb.mount, Start { node: ocb.node, path })
            }
        };
        Ok(Asked { message: *message, mount, start, path, extra })
    }

    pub(crate) fn walk(
        &mut self,
        request: &Request<'_>,
        asked: &Asked<'_>,
        path: &[u8],
        flags: u32,
    ) -> Result<Walked, Errno> {
        let mount = self.mounts.get(asked.mount).ok_or(Errno::EBADF)?;
        walk(&mut self.server, mount, request, asked.start.clone(), path, flags)
    }

    fn open(&mut self, request: &Request<'_>, asked: &Asked<'_>) -> Result<Done, Errno> {
        let Connect { ioflag, flags, mode: permissions, .. } = asked.message;
        let exclusive = ioflag & open::CREAT != 0 && ioflag & open::EXCL != 0;
        let nofollow = exclusive || ioflag & open::NOFOLLOW != 0;
        let walk_flags = if nofollow { flags | FLAG_NOFOLLOW } else { flags };
        let (node, path, known) = match self.walk(request, asked, &asked.path, walk_flags)? {
            Walked::Redirect(path) => return Ok(Done::Redirect(0, path)),
            Walked::Found(_) if exclusive => return Err(Errno::EEXIST),
            Walked::Found(found) => {
                let attributes = match found.attributes {
                    Some(attributes) => attributes,
                    None => self.server.attributes(found.node)?,
                };
                (found.node, found.path, Some(attributes))
            }
            Walked::Missing { directory, name, path, must_be_directory } => {
                if ioflag & open::CREAT == 0 {
                    return Err(Errno::ENOENT);
                }
                if must_be_directory {
                    return Err(Errno::EISDIR);
                }
                let kind = mode::IFREG | permissions & 0o7777;
                (self.create(request, directory, &name, kind, 0)?, path, None)
            }
        };
        if let Some(attributes) = &known {
            may_open(request, attributes, &asked.message)?;
        }
        let (node, readiness) = if ioflag & open::PATH != 0 {
            (node, 0)
        } else {
            match self.server.open(request, node, ioflag)? {
                Opening::Open(node, readiness) => (node, readiness),
                Opening::Redirect(path) => return Ok(Done::Redirect(0, path)),
            }
        };
        let attributes = self.server.attributes(node)?;
        if ioflag & open::TRUNC != 0 && known.is_some() && attributes.is_file() {
            self.server.truncate(node, 0)?;
        }
        let bound = (node, attributes.kind());
        let coid = self.bind(request, asked.mount, bound, &asked.message, (path, readiness))?;
        Ok(Done::Reply(
            ConnectReply { coid, mode: attributes.mode, ..ConnectReply::default() },
            Vec::new(),
        ))
    }

    /// Makes the OCB and the client's connection to it.
    fn bind(
        &mut self,
        request: &Request<'_>,
        mount: usize,
        (node, kind): (Node, u32),
        message: &Connect,
        (path, readiness): (Vec<u8>, u32),
    ) -> Result<i32, Errno> {
        let badge = self.ocbs.next_badge();
        let granted = match message::grant(request.rcvid, badge, readiness) {
            Ok(granted) => granted,
            Err(errno) => {
                if !self.ocbs.iter().any(|ocb| ocb.node == node) {
                    self.server.released(node);
                }
                return Err(errno);
            }
        };
        let mut ocb = Ocb {
            node,
            kind,
            ioflag: message.ioflag,
            offset: 0,
            mount,
            path,
            badge,
            scoid: granted.scoid,
            pid: request.info().pid,
            extra: 0,
        };
        if message.flags & FLAG_EXECUTE != 0 {
            // Opened to be run: it can be read and mapped even if it may not be read.
            ocb.ioflag = ocb.ioflag & !open::ACCMODE | open::RDONLY;
        }
        self.server.opened(request, &mut ocb);
        self.ocbs.insert(ocb);
        i32::try_from(granted.coid).map_err(|_| Errno::EIO)
    }

    fn kind_of(&self, node: Node) -> u32 {
        self.server.attributes(node).map_or(0, |attributes| attributes.kind())
    }

    /// Opens two nodes that were made together.
    fn bind_pair(
        &mut self,
        request: &Request<'_>,
        asked: &Asked<'_>,
        (first, second): (Node, Node),
        access: [u32; 2],
    ) -> Result<Done, Errno> {
        let nonblocking = asked.message.ioflag & open::NONBLOCK;
        let [one, two] =
            access.map(|access| Connect { ioflag: access | nonblocking, ..asked.message });
        let readiness = |message: &Connect| {
            if message.ioflag & open::ACCMODE == open::RDONLY { 0 } else { ready::OUT }
        };
        let (first, second) = ((first, self.kind_of(first)), (second, self.kind_of(second)));
        let coid = self.bind(request, asked.mount, first, &one, (Vec::new(), readiness(&one)))?;
        let coid2 = self.bind(request, asked.mount, second, &two, (Vec::new(), readiness(&two)))?;
        Ok(Done::Reply(ConnectReply { coid, coid2, ..ConnectReply::default() }, Vec::new()))
    }

    /// Operations on a node that exists.
    fn on_node(&mut self, request: &Request<'_>, asked: &Asked<'_>) -> Result<Done, Errno> {
        let mut flags = asked.message.flags;
        if asked.message.subtype == subtype::READLINK {
            flags |= FLAG_NOFOLLOW;
        }
        let found = match self.walk(request, asked, &asked.path, flags)? {
            Walked::Redirect(path) => return Ok(Done::Redirect(0, path)),
            Walked::Missing { .. } => return Err(Errno::ENOENT),
            Walked::Found(found) => found,
        };
        let node = found.node;
        let attributes = match found.attributes {
            Some(attributes) => attributes,
            None => self.server.attributes(node)?,
        };
        let bits = asked.message.mode;
        match asked.message.subtype {
            subtype::READLINK => Ok(Done::data(&self.server.read_link(request, node)?)),
            subtype::STAT => Ok(Done::Status(attributes.stat(self.server.device()))),
            subtype::STATVFS => Ok(Done::data(self.server.statfs()?.as_bytes())),
            subtype::ACCESS => {
                request.check(&attributes, bits & 7, flags)?;
                Ok(Done::plain())
            }
            subtype::CHMOD => {
                self.change_mode(request, node, bits)?;
                Ok(Done::plain())
            }
            subtype::CHOWN => {
                let owner = Chown::read_from_bytes(&asked.extra).map_err(|_| Errno::EBADMSG)?;
                self.change_owner(request, node, &owner)?;
                Ok(Done::plain())
            }
            subtype::UTIME => {
                let times = Utime::read_from_bytes(&asked.extra).map_err(|_| Errno::EBADMSG)?;
                self.change_times(request, node, &times)?;
                Ok(Done::plain())
            }
            subtype::TRUNCATE => {
                let space = Space::read_from_bytes(&asked.extra).map_err(|_| Errno::EBADMSG)?;
                if attributes.is_directory() {
                    return Err(Errno::EISDIR);
                }
                request.check(&attributes, right::WRITE, 0)?;
                self.server.truncate(node, space.size)?;
                Ok(Done::plain())
            }
            _ => Err(Errno::ENOSYS),
        }
    }
}

/// Whether the client may open a file as it wants to.
fn may_open(
    request: &Request<'_>,
    attributes: &Attributes,
    message: &Connect,
) -> Result<(), Errno> {
    let ioflag = message.ioflag;
    if ioflag & open::DIRECTORY != 0 && !attributes.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if ioflag & open::PATH != 0 {
        return Ok(());
    }
    if attributes.is_link() {
        return Err(Errno::ELOOP);
    }
    let access = ioflag & open::ACCMODE;
    let writes = access != open::RDONLY || ioflag & open::TRUNC != 0;
    if attributes.is_directory() && (writes || ioflag & open::CREAT != 0) {
        return Err(Errno::EISDIR);
    }
    if message.flags & FLAG_EXECUTE != 0 {
        if !attributes.is_file() {
            return Err(Errno::EACCES);
        }
        return request.check(attributes, right::EXECUTE, 0);
    }
    let reads = access == open::RDONLY || access == open::RDWR;
    let rights = if reads { right::READ } else { 0 } | if writes { right::WRITE } else { 0 };
    request.check(attributes, rights, 0)
}
