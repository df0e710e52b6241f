//! Messages with a path.

use crate::attributes::{Attributes, Change, right};
use crate::engine::Engine;
use crate::mount::Mount;
use crate::ocb::Ocb;
use crate::request::Request;
use crate::server::{Node, Opening, Outcome, Server};
use crate::walk::{Found, Start, Walked, walk};
use alloc::vec::Vec;
use io_msg::connect::{self, Connect, ConnectReply, FLAG_EXECUTE, FLAG_NOFOLLOW, subtype};
use io_msg::io::{Chown, Space, Utime};
use io_msg::stat::{mode, open};
use neutrino_rt::message;
use neutrino_rt::{Errno, clock};
use zerocopy::{FromBytes, IntoBytes};

/// How a connect message ends, if it does not fail.
enum Done {
    /// With a reply and data.
    Reply(ConnectReply, Vec<u8>),
    /// Elsewhere: which path (0, or 1 for the second), and where.
    Redirect(u32, Vec<u8>),
}

impl Done {
    fn plain() -> Self {
        Self::Reply(ConnectReply::default(), Vec::new())
    }

    fn data(bytes: &[u8]) -> Self {
        Self::Reply(ConnectReply::default(), Vec::from(bytes))
    }
}

/// A connect message with its paths, and where they start.
struct Asked {
    message: Connect,
    mount: usize,
    start: Start,
    path: Vec<u8>,
    extra: Vec<u8>,
}

impl<S: Server> Engine<S> {
    pub(crate) fn connect(&mut self, request: &mut Request<'_>, message: &Connect) -> Outcome {
        let (reply, data) = match self.connect_to(request, message) {
            Ok(Done::Reply(reply, data)) => (reply, data),
            Ok(Done::Redirect(which, path)) => {
                let result = connect::RESULT_REDIRECT;
                (ConnectReply { result, which, ..ConnectReply::default() }, path)
            }
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        let reply = ConnectReply { data_length: data.len() as u32, ..reply };
        request.reply = Vec::from(reply.as_bytes());
        request.reply.extend_from_slice(&data);
        Outcome::Reply(Ok(0))
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
            subtype::PIPE => self.pipe(request, &asked),
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

    /// Where the path starts: a mount, or an open directory.
    fn asked(&self, request: &Request<'_>, message: &Connect) -> Result<Asked, Errno> {
        let head = size_of::<Connect>();
        let (path_length, extra_length) =
            (message.path_length as usize, message.extra_length as usize);
        if path_length >= connect::PATH_MAX || extra_length > connect::PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let path = request.data(head, path_length)?;
        let extra = request.data(head + path_length, extra_length)?;
        let badge = request.info.badge;
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

    fn walk(
        &mut self,
        request: &Request<'_>,
        asked: &Asked,
        path: &[u8],
        flags: u32,
    ) -> Result<Walked, Errno> {
        let mount = self.mounts.get(asked.mount).ok_or(Errno::EBADF)?;
        walk(&mut self.server, mount, request, asked.start.clone(), path, flags)
    }

    fn open(&mut self, request: &Request<'_>, asked: &Asked) -> Result<Done, Errno> {
        let Connect { ioflag, flags, mode: permissions, .. } = asked.message;
        let exclusive = ioflag & open::CREAT != 0 && ioflag & open::EXCL != 0;
        let nofollow = exclusive || ioflag & open::NOFOLLOW != 0;
        let walk_flags = if nofollow { flags | FLAG_NOFOLLOW } else { flags };
        let (node, path, is_new) = match self.walk(request, asked, &asked.path, walk_flags)? {
            Walked::Redirect(path) => return Ok(Done::Redirect(0, path)),
            Walked::Found(_) if exclusive => return Err(Errno::EEXIST),
            Walked::Found(found) => (found.node, found.path, false),
            Walked::Missing { directory, name, path, must_be_directory } => {
                if ioflag & open::CREAT == 0 {
                    return Err(Errno::ENOENT);
                }
                if must_be_directory {
                    return Err(Errno::EISDIR);
                }
                let kind = mode::IFREG | permissions & 0o7777;
                (self.create(request, directory, &name, kind, 0)?, path, true)
            }
        };
        if !is_new {
            self.may_open(request, node, &asked.message)?;
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
        if ioflag & open::TRUNC != 0 && !is_new && attributes.is_file() {
            self.server.truncate(node, 0)?;
        }
        let coid = self.bind(request, asked.mount, node, &asked.message, (path, readiness))?;
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
        node: Node,
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
            ioflag: message.ioflag,
            offset: 0,
            mount,
            path,
            badge,
            scoid: granted.scoid,
            pid: request.info.pid,
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

    fn may_open(
        &mut self,
        request: &Request<'_>,
        node: Node,
        message: &Connect,
    ) -> Result<(), Errno> {
        let attributes = self.server.attributes(node)?;
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
            return request.check(&attributes, right::EXECUTE, 0);
        }
        let reads = access == open::RDONLY || access == open::RDWR;
        let rights = if reads { right::READ } else { 0 } | if writes { right::WRITE } else { 0 };
        request.check(&attributes, rights, 0)
    }

    /// Makes a node, as its directory's rights allow.
    fn create(
        &mut self,
        request: &Request<'_>,
        directory: Node,
        name: &[u8],
        kind: u32,
        rdev: u64,
    ) -> Result<Node, Errno> {
        let attributes = self.new_attributes(request, directory, kind, rdev)?;
        self.server.create(directory, name, &attributes)
    }

    fn new_attributes(
        &mut self,
        request: &Request<'_>,
        directory: Node,
        kind: u32,
        rdev: u64,
    ) -> Result<Attributes, Errno> {
        let parent = self.server.attributes(directory)?;
        request.check(&parent, right::WRITE | right::EXECUTE, 0)?;
        let inherits = parent.mode & mode::ISGID != 0;
        let mut kind = kind;
        if inherits && kind & mode::IFMT == mode::IFDIR {
            kind |= mode::ISGID;
        }
        Ok(Attributes {
            uid: request.info.euid,
            gid: if inherits { parent.gid } else { request.info.egid },
            rdev,
            ..Attributes::new(0, kind)
        })
    }

    fn make(&mut self, request: &Request<'_>, asked: &Asked) -> Result<Done, Errno> {
        let Connect { mode: kind, rdev, .. } = asked.message;
        let (directory, name, must_be_directory) =
            match self.walk(request, asked, &asked.path, FLAG_NOFOLLOW)? {
                Walked::Redirect(path) => return Ok(Done::Redirect(0, path)),
                Walked::Found(_) => return Err(Errno::EEXIST),
                Walked::Missing { directory, name, must_be_directory, .. } => {
                    (directory, name, must_be_directory)
                }
            };
        let kind = if kind & mode::IFMT == 0 { kind | mode::IFREG } else { kind };
        let is_directory = kind & mode::IFMT == mode::IFDIR;
        let is_device = matches!(kind & mode::IFMT, mode::IFCHR | mode::IFBLK);
        if must_be_directory && !is_directory {
            return Err(Errno::ENOENT);
        }
        if is_device && request.info.euid != 0 {
            return Err(Errno::EPERM);
        }
        self.create(request, directory, &name, kind, rdev)?;
        Ok(Done::plain())
    }

    fn symlink(&mut self, request: &Request<'_>, asked: &Asked) -> Result<Done, Errno> {
        if asked.extra.is_empty() {
            return Err(Errno::ENOENT);
        }
        match self.walk(request, asked, &asked.path, FLAG_NOFOLLOW)? {
            Walked::Redirect(path) => Ok(Done::Redirect(0, path)),
            Walked::Found(_) => Err(Errno::EEXIST),
            Walked::Missing { must_be_directory: true, .. } => Err(Errno::ENOENT),
            Walked::Missing { directory, name, .. } => {
                let attributes = self.new_attributes(request, directory, mode::IFLNK | 0o777, 0)?;
                self.server.symlink(directory, &name, &asked.extra, &attributes)?;
                Ok(Done::plain())
            }
        }
    }

    fn link(&mut self, request: &Request<'_>, asked: &Asked) -> Result<Done, Errno> {
        let flags = asked.message.flags;
        let found = match self.walk(request, asked, &asked.path, flags)? {
            Walked::Redirect(path) => return Ok(Done::Redirect(0, path)),
            Walked::Missing { .. } => return Err(Errno::ENOENT),
            Walked::Found(found) => found,
        };
        match self.walk(request, asked, &asked.extra, FLAG_NOFOLLOW)? {
            Walked::Redirect(path) => Ok(Done::Redirect(1, path)),
            Walked::Found(_) => Err(Errno::EEXIST),
            Walked::Missing { directory, name, .. } => {
                if self.server.attributes(found.node)?.is_directory() {
                    return Err(Errno::EPERM);
                }
                let parent = self.server.attributes(directory)?;
                request.check(&parent, right::WRITE | right::EXECUTE, 0)?;
                self.server.link(found.node, directory, &name)?;
                Ok(Done::plain())
            }
        }
    }

    /// Checks that the client may take a name out of a directory.
    fn may_remove(&mut self, request: &Request<'_>, found: &Found) -> Result<Attributes, Errno> {
        if found.name.is_empty() {
            return Err(Errno::EBUSY);
        }
        let parent = self.server.attributes(found.directory)?;
        request.check(&parent, right::WRITE | right::EXECUTE, 0)?;
        let node = self.server.attributes(found.node)?;
        let sticky = parent.mode & mode::ISVTX != 0;
        if sticky && !request.owns(&parent) && !request.owns(&node) {
            return Err(Errno::EPERM);
        }
        Ok(node)
    }

    fn unlink(&mut self, request: &Request<'_>, asked: &Asked) -> Result<Done, Errno> {
        let directory_wanted = asked.message.mode & connect::REMOVE_DIRECTORY != 0;
        if directory_wanted && asked.path.ends_with(b".") && !asked.path.ends_with(b"..") {
            let last = asked.path.rsplit(|&byte| byte == b'/').next();
            if last == Some(b".") {
                return Err(Errno::EINVAL);
            }
        }
        let found = match self.walk(request, asked, &asked.path, FLAG_NOFOLLOW)? {
            Walked::Redirect(path) => return Ok(Done::Redirect(0, path)),
            Walked::Missing { .. } => return Err(Errno::ENOENT),
            Walked::Found(found) => found,
        };
        let attributes = self.may_remove(request, &found)?;
        match (directory_wanted, attributes.is_directory()) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            (true, true) | (false, false) => {}
        }
        self.server.unlink(found.directory, &found.name, found.node)?;
        self.maybe_released(found.node);
        Ok(Done::plain())
    }

    fn maybe_released(&mut self, node: Node) {
        if !self.ocbs.iter().any(|ocb| ocb.node == node) {
            self.server.released(node);
        }
    }

    fn rename(&mut self, request: &Request<'_>, asked: &Asked) -> Result<Done, Errno> {
        const NOREPLACE: u32 = 1;
        let from = match self.walk(request, asked, &asked.path, FLAG_NOFOLLOW)? {
            Walked::Redirect(path) => return Ok(Done::Redirect(0, path)),
            Walked::Missing { .. } => return Err(Errno::ENOENT),
            Walked::Found(found) => found,
        };
        let moved = self.may_remove(request, &from)?;
        let (directory, name, replaced) =
            match self.walk(request, asked, &asked.extra, FLAG_NOFOLLOW)? {
                Walked::Redirect(path) => return Ok(Done::Redirect(1, path)),
                Walked::Found(_) if asked.message.mode & NOREPLACE != 0 => {
                    return Err(Errno::EEXIST);
                }
                Walked::Found(to) => {
                    self.may_replace(request, &moved, &to)?;
                    (to.directory, to.name, Some(to.node))
                }
                Walked::Missing { must_be_directory: true, .. } if !moved.is_directory() => {
                    return Err(Errno::ENOTDIR);
                }
                Walked::Missing { directory, name, .. } => {
                    let parent = self.server.attributes(directory)?;
                    request.check(&parent, right::WRITE | right::EXECUTE, 0)?;
                    (directory, name, None)
                }
            };
        if replaced == Some(from.node) {
            return Ok(Done::plain());
        }
        self.server.rename((from.directory, &from.name), (directory, &name))?;
        if let Some(node) = replaced {
            self.maybe_released(node);
        }
        Ok(Done::plain())
    }

    fn may_replace(
        &mut self,
        request: &Request<'_>,
        moved: &Attributes,
        to: &Found,
    ) -> Result<(), Errno> {
        let replaced = self.may_remove(request, to)?;
        match (moved.is_directory(), replaced.is_directory()) {
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            (true, true) | (false, false) => Ok(()),
        }
    }

    fn pipe(&mut self, request: &Request<'_>, asked: &Asked) -> Result<Done, Errno> {
        let (reading, writing) = self.server.pipe(request)?;
        let nonblocking = asked.message.ioflag & open::NONBLOCK;
        let reader = Connect { ioflag: open::RDONLY | nonblocking, ..asked.message };
        let writer = Connect { ioflag: open::WRONLY | nonblocking, ..asked.message };
        let out = neutrino_rt::abi::handle::ready::OUT;
        let coid = self.bind(request, asked.mount, reading, &reader, (Vec::new(), 0))?;
        let coid2 = self.bind(request, asked.mount, writing, &writer, (Vec::new(), out))?;
        Ok(Done::Reply(ConnectReply { coid, coid2, ..ConnectReply::default() }, Vec::new()))
    }

    /// Operations on a node that exists.
    fn on_node(&mut self, request: &Request<'_>, asked: &Asked) -> Result<Done, Errno> {
        let mut flags = asked.message.flags;
        if asked.message.subtype == subtype::READLINK {
            flags |= FLAG_NOFOLLOW;
        }
        let node = match self.walk(request, asked, &asked.path, flags)? {
            Walked::Redirect(path) => return Ok(Done::Redirect(0, path)),
            Walked::Missing { .. } => return Err(Errno::ENOENT),
            Walked::Found(found) => found.node,
        };
        let attributes = self.server.attributes(node)?;
        let bits = asked.message.mode;
        match asked.message.subtype {
            subtype::READLINK => Ok(Done::data(&self.server.read_link(request, node)?)),
            subtype::STAT => Ok(Done::data(attributes.stat(self.server.device()).as_bytes())),
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

    /// `chmod`, by whoever may.
    pub(crate) fn change_mode(
        &mut self,
        request: &Request<'_>,
        node: Node,
        bits: u32,
    ) -> Result<(), Errno> {
        let attributes = self.server.attributes(node)?;
        if !request.owns(&attributes) {
            return Err(Errno::EPERM);
        }
        let mut bits = bits & 0o7777;
        let foreign_group = request.info.euid != 0 && request.info.egid != attributes.gid;
        if foreign_group {
            let ids = request.credentials();
            let count = (ids.group_count as usize).min(ids.groups.len());
            if !ids.groups[..count].contains(&attributes.gid) {
                bits &= !mode::ISGID;
            }
        }
        self.server.change(node, &Change::Mode(bits))
    }

    /// `chown`, by whoever may: root; the owner to a group of theirs.
    pub(crate) fn change_owner(
        &mut self,
        request: &Request<'_>,
        node: Node,
        owner: &Chown,
    ) -> Result<(), Errno> {
        let attributes = self.server.attributes(node)?;
        let uid = Some(owner.uid).filter(|&uid| uid != u32::MAX);
        let gid = Some(owner.gid).filter(|&gid| gid != u32::MAX);
        if request.info.euid != 0 {
            let ids = request.credentials();
            let count = (ids.group_count as usize).min(ids.groups.len());
            let own_group = |gid: u32| gid == ids.egid || ids.groups[..count].contains(&gid);
            let same_owner = uid.is_none_or(|uid| uid == attributes.uid);
            let allowed_group = gid.is_none_or(|gid| gid == attributes.gid || own_group(gid));
            if !request.owns(&attributes) || !same_owner || !allowed_group {
                return Err(Errno::EPERM);
            }
        }
        self.server.change(node, &Change::Owner(uid, gid))
    }

    /// `utimensat`, by whoever may: the owner any time, a writer "now".
    pub(crate) fn change_times(
        &mut self,
        request: &Request<'_>,
        node: Node,
        times: &Utime,
    ) -> Result<(), Errno> {
        use io_msg::io::{UTIME_NOW, UTIME_OMIT};
        let attributes = self.server.attributes(node)?;
        let now = clock::timestamp();
        let is_now = |time: &[i64; 2]| time[1] == UTIME_NOW;
        let pick = |time: [i64; 2]| match time[1] {
            UTIME_OMIT => None,
            UTIME_NOW => Some(now),
            _ => Some(time),
        };
        for time in [&times.atime, &times.mtime] {
            let special = matches!(time[1], UTIME_NOW | UTIME_OMIT);
            if !special && !(0..1_000_000_000).contains(&time[1]) {
                return Err(Errno::EINVAL);
            }
        }
        if !request.owns(&attributes) {
            if !(is_now(&times.atime) && is_now(&times.mtime)) {
                return Err(Errno::EPERM);
            }
            request.check(&attributes, right::WRITE, 0)?;
        }
        self.server.change(node, &Change::Times(pick(times.atime), pick(times.mtime)))
    }
}
