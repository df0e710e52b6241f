//! From a path to a node: permissions, links, mount points, `..`.

use crate::attributes::{Attributes, right};
use crate::mount::Mount;
use crate::request::Request;
use crate::server::{Node, Server};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;
use io_msg::connect::{FLAG_NOFOLLOW, NAME_MAX, PATH_MAX, REDIRECTS_MAX};
use neutrino_rt::Errno;

/// Where a walk ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Walked {
    /// At a node.
    Found(Found),
    /// At a name that a directory does not have; all before it exists.
    Missing {
        /// The directory.
        directory: Node,
        /// The name.
        name: Vec<u8>,
        /// Path of the name below the mount.
        path: Vec<u8>,
        /// The path ended with a slash.
        must_be_directory: bool,
    },
    /// Elsewhere: the client goes on with this absolute path.
    Redirect(Vec<u8>),
}

/// A node and the way to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The directory that the last name is in (the node itself for a root).
    pub(crate) directory: Node,
    /// The node.
    pub(crate) node: Node,
    /// Its attributes, if the walk came to know them.
    pub(crate) attributes: Option<Attributes>,
    /// Its path below the mount.
    pub(crate) path: Vec<u8>,
    /// Bytes of the last name, at the end of the path.
    name_length: usize,
}

impl Found {
    /// The last name; empty if the path ended in `.`, `..` or at the start.
    pub(crate) fn name(&self) -> &[u8] {
        self.path.get(self.path.len() - self.name_length..).unwrap_or_default()
    }
}

/// A place to start from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    /// Directory.
    pub(crate) node: Node,
    /// Its path below the mount.
    pub(crate) path: Vec<u8>,
}

struct Walk<'a, S> {
    server: &'a mut S,
    mount: &'a Mount,
    request: &'a Request<'a>,
    flags: u32,
    links: u32,
    here: Start,
    /// Attributes of `here`, if they are known.
    attributes: Option<Attributes>,
    /// The directory that `here` is in, and the length of its name at the end of the path; none if the
    /// last component was no name.
    last: Option<(Node, usize)>,
    rest: Rest<'a>,
    must_be_directory: bool,
}

/// What is left to walk.
struct Rest<'a> {
    path: Cow<'a, [u8]>,
    at: usize,
}

impl Rest<'_> {
    /// Takes the next component off; where it is in `path`.
    fn next(&mut self) -> Option<Range<usize>> {
        let is_slash = |byte: &u8| *byte == b'/';
        let left = self.path.get(self.at..)?;
        let start = self.at + left.iter().position(|byte| !is_slash(byte))?;
        let name = self.path.get(start..)?;
        let end = start + name.iter().position(is_slash).unwrap_or(name.len());
        self.at = end;
        Some(start..end)
    }

    fn left(&self) -> &[u8] {
        self.path.get(self.at..).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.left().iter().all(|&byte| byte == b'/')
    }

    /// Puts a path before what is left.
    fn prepend(&mut self, path: &[u8]) {
        let whole = [path, b"/", self.left()].concat();
        *self = Self { path: Cow::Owned(whole), at: 0 };
    }
}

/// Walks `path` from `start`.
///
/// # Errors
/// ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG.
pub(crate) fn walk<S: Server>(
    server: &mut S,
    mount: &Mount,
    request: &Request<'_>,
    start: Start,
    path: &[u8],
    flags: u32,
) -> Result<Walked, Errno> {
    if path.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let mut walk = Walk {
        server,
        mount,
        request,
        flags,
        links: 0,
        here: start,
        attributes: None,
        last: None,
        rest: Rest { path: Cow::Borrowed(path), at: 0 },
        must_be_directory: path.last() == Some(&b'/'),
    };
    walk.run()
}

/// Appends a name to a path.
fn push(path: &mut Vec<u8>, name: &[u8]) {
    path.reserve(name.len() + 1);
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

impl<S: Server> Walk<'_, S> {
    fn run(&mut self) -> Result<Walked, Errno> {
        // Bound: every turn takes a component; links add at most REDIRECTS_MAX paths.
        while let Some(range) = self.rest.next() {
            let attributes = self.attributes()?;
            if !attributes.is_directory() {
                return Err(Errno::ENOTDIR);
            }
            self.request.check(&attributes, right::EXECUTE, self.flags)?;
            match self.rest.path.get(range.clone()).unwrap_or_default() {
                b"." => self.last = None,
                b".." => {
                    if self.here.node == self.mount.root {
                        return Ok(Walked::Redirect(self.above()));
                    }
                    self.here.node = self.server.parent(self.here.node);
                    let up = self.here.path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                    self.here.path.truncate(up);
                    (self.attributes, self.last) = (None, None);
                }
                _ => {
                    if let Some(walked) = self.step(range)? {
                        return Ok(walked);
                    }
                }
            }
        }
        if self.must_be_directory && !self.attributes()?.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        let Start { node, path } = core::mem::take(&mut self.here);
        let (directory, name_length) = self.last.unwrap_or((node, 0));
        let attributes = self.attributes;
        Ok(Walked::Found(Found { directory, node, attributes, path, name_length }))
    }

    /// Attributes of the place that the walk is at.
    fn attributes(&mut self) -> Result<Attributes, Errno> {
        match self.attributes {
            Some(attributes) => Ok(attributes),
            None => self.server.attributes(self.here.node),
        }
    }

    /// Goes down by one name, or ends the walk.
    fn step(&mut self, range: Range<usize>) -> Result<Option<Walked>, Errno> {
        let name = self.rest.path.get(range).unwrap_or_default();
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let directory = self.here.node;
        let above = self.here.path.len();
        push(&mut self.here.path, name);
        if self.mount.is_covered(&self.here.path) {
            let place = self.mount.absolute(&self.here.path);
            return Ok(Some(Walked::Redirect(self.elsewhere(&place))));
        }
        let is_last = self.rest.is_empty();
        let node = match self.server.lookup(directory, name) {
            Ok(node) => node,
            Err(Errno::ENOENT) if is_last => {
                return Ok(Some(Walked::Missing {
                    directory,
                    name: Vec::from(name),
                    path: core::mem::take(&mut self.here.path),
                    must_be_directory: self.must_be_directory,
                }));
            }
            Err(errno) => return Err(errno),
        };
        let length = name.len();
        let attributes = self.server.attributes(node);
        let is_link = attributes.as_ref().is_ok_and(Attributes::is_link);
        let follow = !is_last || self.must_be_directory || self.flags & FLAG_NOFOLLOW == 0;
        if follow {
            attributes?;
        }
        if follow && is_link {
            self.here.path.truncate(above);
            return self.follow(node);
        }
        self.here.node = node;
        self.attributes = attributes.ok();
        self.last = Some((directory, length));
        Ok(None)
    }

    fn follow(&mut self, link: Node) -> Result<Option<Walked>, Errno> {
        self.links += 1;
        if self.links > REDIRECTS_MAX {
            return Err(Errno::ELOOP);
        }
        let target = self.server.read_link(self.request, link)?;
        if target.first() == Some(&b'/') {
            return Ok(Some(Walked::Redirect(self.elsewhere(&target))));
        }
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if self.rest.is_empty() {
            self.must_be_directory |= target.last() == Some(&b'/');
        }
        self.rest.prepend(&target);
        self.last = None;
        Ok(None)
    }

    /// The absolute path of the directory above the mount, with what is left.
    fn above(&self) -> Vec<u8> {
        let prefix = &self.mount.prefix;
        let up = prefix.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let parent = if up == 0 { b"/".as_slice() } else { &prefix[..up] };
        self.elsewhere(parent)
    }

    /// An absolute path with what is left behind it.
    fn elsewhere(&self, base: &[u8]) -> Vec<u8> {
        let mut path = Vec::from(base);
        let parts = self.rest.left().split(|&byte| byte == b'/');
        for part in parts.filter(|part| !part.is_empty()) {
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(part);
        }
        if self.must_be_directory && path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path
    }
}
