//! From a path to a node: permissions, links, mount points, `..`.

use crate::attributes::right;
use crate::mount::Mount;
use crate::request::Request;
use crate::server::{Node, Server};
use alloc::vec::Vec;
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
    /// The last name; empty if the path ended in `.`, `..` or at the start.
    pub(crate) name: Vec<u8>,
    /// The node.
    pub(crate) node: Node,
    /// Its path below the mount.
    pub(crate) path: Vec<u8>,
}

/// A place to start from.
#[derive(Debug, Clone)]
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
    /// What is left to walk, last component first.
    rest: Vec<Vec<u8>>,
    must_be_directory: bool,
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
    let must_be_directory = path.last() == Some(&b'/');
    let mut walk = Walk {
        server,
        mount,
        request,
        flags,
        links: 0,
        here: start,
        rest: components(path),
        must_be_directory,
    };
    walk.rest.reverse();
    walk.run()
}

fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).map(Vec::from).collect()
}

fn join(base: &[u8], name: &[u8]) -> Vec<u8> {
    if base.is_empty() { Vec::from(name) } else { [base, b"/", name].concat() }
}

impl<S: Server> Walk<'_, S> {
    fn run(&mut self) -> Result<Walked, Errno> {
        let mut found = self.start();
        // Bound: every turn takes a component; links add at most REDIRECTS_MAX paths.
        while let Some(name) = self.rest.pop() {
            let attributes = self.server.attributes(self.here.node)?;
            if !attributes.is_directory() {
                return Err(Errno::ENOTDIR);
            }
            self.request.check(&attributes, right::EXECUTE, self.flags)?;
            if name == b"." {
                found = self.start();
            } else if name == b".." {
                if self.here.node == self.mount.root {
                    return Ok(Walked::Redirect(self.above()));
                }
                self.here.node = self.server.parent(self.here.node);
                let up = self.here.path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                self.here.path.truncate(up);
                found = self.start();
            } else {
                match self.step(name)? {
                    Step::At(next) => found = next,
                    Step::Again => found = self.start(),
                    Step::Done(walked) => return Ok(walked),
                }
            }
        }
        if self.must_be_directory && !self.server.attributes(found.node)?.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok(Walked::Found(found))
    }

    fn start(&self) -> Found {
        let Start { node, path } = self.here.clone();
        Found { directory: node, name: Vec::new(), node, path }
    }

    /// Goes down by one name.
    fn step(&mut self, name: Vec<u8>) -> Result<Step, Errno> {
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let directory = self.here.node;
        let path = join(&self.here.path, &name);
        if self.mount.is_covered(&path) {
            return Ok(Step::Done(Walked::Redirect(self.elsewhere(&self.mount.absolute(&path)))));
        }
        let node = match self.server.lookup(directory, &name) {
            Ok(node) => node,
            Err(Errno::ENOENT) if self.rest.is_empty() => {
                let must_be_directory = self.must_be_directory;
                let missing = Walked::Missing { directory, name, path, must_be_directory };
                return Ok(Step::Done(missing));
            }
            Err(errno) => return Err(errno),
        };
        let last = self.rest.is_empty() && !self.must_be_directory;
        let follow = !last || self.flags & FLAG_NOFOLLOW == 0;
        if follow && self.server.attributes(node)?.is_link() {
            return self.follow(node);
        }
        self.here = Start { node, path: path.clone() };
        Ok(Step::At(Found { directory, name, node, path }))
    }

    fn follow(&mut self, link: Node) -> Result<Step, Errno> {
        self.links += 1;
        if self.links > REDIRECTS_MAX {
            return Err(Errno::ELOOP);
        }
        let target = self.server.read_link(self.request, link)?;
        if target.first() == Some(&b'/') {
            return Ok(Step::Done(Walked::Redirect(self.elsewhere(&target))));
        }
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if self.rest.is_empty() {
            self.must_be_directory |= target.last() == Some(&b'/');
        }
        self.rest.extend(components(&target).into_iter().rev());
        Ok(Step::Again)
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
        for part in self.rest.iter().rev() {
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

enum Step {
    At(Found),
    Again,
    Done(Walked),
}
