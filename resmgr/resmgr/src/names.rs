//! Messages that make, move and remove names.

use crate::attributes::{Attributes, right};
use crate::connect::{Asked, Done};
use crate::engine::Engine;
use crate::request::Request;
use crate::server::{Node, Server};
use crate::walk::{Found, Walked};
use io_msg::connect::{self, Connect, FLAG_NOFOLLOW};
use io_msg::stat::mode;
use neutrino_rt::Errno;

impl<S: Server> Engine<S> {
    /// Makes a node, as its directory's rights allow.
    pub(crate) fn create(
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
            uid: request.info().euid,
            gid: if inherits { parent.gid } else { request.info().egid },
            rdev,
            ..Attributes::new(0, kind)
        })
    }

    pub(crate) fn make(&mut self, request: &Request<'_>, asked: &Asked<'_>) -> Result<Done, Errno> {
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
        if is_device && request.info().euid != 0 {
            return Err(Errno::EPERM);
        }
        self.create(request, directory, &name, kind, rdev)?;
        Ok(Done::plain())
    }

    pub(crate) fn symlink(
        &mut self,
        request: &Request<'_>,
        asked: &Asked<'_>,
    ) -> Result<Done, Errno> {
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

    pub(crate) fn link(&mut self, request: &Request<'_>, asked: &Asked<'_>) -> Result<Done, Errno> {
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
        if found.name().is_empty() {
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

    pub(crate) fn unlink(
        &mut self,
        request: &Request<'_>,
        asked: &Asked<'_>,
    ) -> Result<Done, Errno> {
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
        self.server.unlink(found.directory, found.name(), found.node)?;
        self.maybe_released(found.node);
        Ok(Done::plain())
    }

    fn maybe_released(&mut self, node: Node) {
        if !self.ocbs.iter().any(|ocb| ocb.node == node) {
            self.server.released(node);
        }
    }

    pub(crate) fn rename(
        &mut self,
        request: &Request<'_>,
        asked: &Asked<'_>,
    ) -> Result<Done, Errno> {
        const NOREPLACE: u32 = 1;
        let from = match self.walk(request, asked, &asked.path, FLAG_NOFOLLOW)? {
            Walked::Redirect(path) => return Ok(Done::Redirect(0, path)),
            Walked::Missing { .. } => return Err(Errno::ENOENT),
            Walked::Found(found) => found,
        };
        let moved = self.may_remove(request, &from)?;
        let (directory, name, path, replaced) =
            match self.walk(request, asked, &asked.extra, FLAG_NOFOLLOW)? {
                Walked::Redirect(path) => return Ok(Done::Redirect(1, path)),
                Walked::Found(_) if asked.message.mode & NOREPLACE != 0 => {
                    return Err(Errno::EEXIST);
                }
                Walked::Found(to) => {
                    self.may_replace(request, &moved, &to)?;
                    (to.directory, to.name().to_vec(), to.path, Some(to.node))
                }
                Walked::Missing { must_be_directory: true, .. } if !moved.is_directory() => {
                    return Err(Errno::ENOTDIR);
                }
                Walked::Missing { directory, name, path, .. } => {
                    let parent = self.server.attributes(directory)?;
                    request.check(&parent, right::WRITE | right::EXECUTE, 0)?;
                    (directory, name, path, None)
                }
            };
        if replaced == Some(from.node) {
            return Ok(Done::plain());
        }
        self.server.rename((from.directory, from.name()), (directory, &name))?;
        self.ocbs.renamed((asked.mount, from.node), &from.path, &path);
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
}
