//! The trait that a server implements; every function but [`Server::attributes`] has a default.

use crate::attributes::{Attributes, Change};
use crate::ocb::{Ocb, Ocbs};
use crate::request::Request;
use alloc::vec::Vec;
use io_msg::io::MmapReply;
use io_msg::stat::{Statfs, mode};
use neutrino_rt::Errno;
use neutrino_rt::abi::handle::ready;
use neutrino_rt::abi::pulse::Pulse;

/// Names a node of a server: a number of its own choice.
pub type Node = u64;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answer now, with this status or errno; [`Request::reply`] is the data.
    Reply(Result<i64, Errno>),
    /// The server keeps the rcvid and answers later, or has answered already.
    Pending,
}

impl From<Result<i64, Errno>> for Outcome {
    fn from(result: Result<i64, Errno>) -> Self {
        Self::Reply(result)
    }
}

/// What became of an open.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is open: this node (a cloning device may give another than was asked for) with this
    /// readiness.
    Open(Node, u32),
    /// The client goes on with this absolute path.
    Redirect(Vec<u8>),
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Serial number.
    pub inode: u64,
    /// Type (`S_IF*`).
    pub mode: u32,
    /// Name.
    pub name: Vec<u8>,
    /// Position of the entry behind this one; more than this one's, stable while others are removed.
    pub next: u64,
}

/// A resource manager.
#[allow(unused_variables, reason = "defaults ignore most arguments")]
pub trait Server {
    /// Attributes of a node.
    ///
    /// # Errors
    /// ENOENT if it is gone.
    fn attributes(&self, node: Node) -> Result<Attributes, Errno>;

    /// Device number of the file system (`st_dev`).
    fn device(&self) -> u64 {
        1
    }

    /// The node with this name in a directory; never `.` or `..`.
    ///
    /// # Errors
    /// ENOENT.
    fn lookup(&mut self, directory: Node, name: &[u8]) -> Result<Node, Errno> {
        Err(Errno::ENOENT)
    }

    /// The directory above; a root is its own parent.
    fn parent(&self, directory: Node) -> Node {
        directory
    }

    /// The path of a node below its mount now, if the server knows; else the framework tells the
    /// path that it was opened by.
    fn path(&self, node: Node) -> Option<Vec<u8>> {
        None
    }

    /// The target of a symbolic link. Gets the request, as some links (`/proc/self`) depend on it.
    ///
    /// # Errors
    /// EINVAL if it is none.
    fn read_link(&self, request: &Request<'_>, node: Node) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }

    /// The first entry of a directory at or behind `position`, which starts at 0; without `.` and
    /// `..`.
    fn entry(&mut self, directory: Node, position: u64) -> Option<DirectoryEntry> {
        None
    }

    /// Makes a node: type and permissions in `attributes`, with owner, group and times.
    ///
    /// # Errors
    /// EROFS by default; ENOSPC, EEXIST.
    fn create(
        &mut self,
        directory: Node,
        name: &[u8],
        attributes: &Attributes,
    ) -> Result<Node, Errno> {
        Err(Errno::EROFS)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// EROFS by default; ENOSPC, EEXIST.
    fn symlink(
        &mut self,
        directory: Node,
        name: &[u8],
        target: &[u8],
        attributes: &Attributes,
    ) -> Result<Node, Errno> {
        Err(Errno::EROFS)
    }

    /// Makes another name of a node.
    ///
    /// # Errors
    /// EROFS by default; EMLINK, ENOSPC, EEXIST.
    fn link(&mut self, node: Node, directory: Node, name: &[u8]) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    /// Removes a name. The framework has checked types and permissions. While the node is open (see
    /// [`Ocbs`]) it lives on without a name, until [`Server::released`].
    ///
    /// # Errors
    /// EROFS by default; ENOTEMPTY, EBUSY.
    fn unlink(&mut self, directory: Node, name: &[u8], node: Node) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    /// Moves a name, replacing what `to` names (types and permissions are checked; a directory is
    /// replaced only if it is empty, which the server checks).
    ///
    /// # Errors
    /// EROFS by default; ENOTEMPTY, EINVAL for a directory moved below itself.
    fn rename(&mut self, from: (Node, &[u8]), to: (Node, &[u8])) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    /// Changes attributes; the framework has checked the right to.
    ///
    /// # Errors
    /// EROFS by default.
    fn change(&mut self, node: Node, change: &Change) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    /// Changes the size of a regular file.
    ///
    /// # Errors
    /// EINVAL by default; ENOSPC, EFBIG.
    fn truncate(&mut self, node: Node, size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Makes sure that writing from `offset` to `end` does not run out of space, and lengthens the
    /// file to `end` (`posix_fallocate`). By default it is only lengthened.
    ///
    /// # Errors
    /// ENOSPC, EFBIG, and as [`Server::truncate`].
    fn allocate(&mut self, node: Node, offset: u64, end: u64) -> Result<(), Errno> {
        if end > self.attributes(node)?.size { self.truncate(node, end) } else { Ok(()) }
    }

    /// Status of the file system.
    ///
    /// # Errors
    /// ENOSYS by default.
    fn statfs(&self) -> Result<Statfs, Errno> {
        Ok(Statfs { bsize: 4096, namelen: 255, frsize: 4096, ..Statfs::default() })
    }

    /// Opens a node; access is checked.
    ///
    /// # Errors
    /// Whatever `open` documents.
    fn open(&mut self, request: &Request<'_>, node: Node, ioflag: u32) -> Result<Opening, Errno> {
        Ok(Opening::Open(node, ready::IN | ready::OUT))
    }

    /// The open file is in the table: its badge and scoid are known now.
    fn opened(&mut self, request: &Request<'_>, ocb: &mut Ocb) {}

    /// The last descriptor of an open file is gone; it is out of the table. `ocbs` holds the others.
    fn closed(&mut self, ocb: &Ocb, ocbs: &Ocbs) {}

    /// No open file of the node is left: if it has no name either, its storage can go.
    fn released(&mut self, node: Node) {}

    /// Makes a pipe: nodes of the reading and the writing end (`IO_CONNECT` `PIPE`).
    ///
    /// # Errors
    /// ENOSYS by default.
    fn pipe(&mut self, request: &Request<'_>) -> Result<(Node, Node), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Makes what has no name: its node and its readiness.
    ///
    /// # Errors
    /// ENOSYS by default; EINVAL.
    fn special(&mut self, request: &Request<'_>, what: Special) -> Result<(Node, u32), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Makes two sockets of a type (`io_msg::socket::kind`) that are connected (`IO_CONNECT`
    /// `SOCKET_PAIR`).
    ///
    /// # Errors
    /// ENOSYS by default; ESOCKTNOSUPPORT.
    fn socket_pair(&mut self, request: &Request<'_>, kind: u32) -> Result<(Node, Node), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Reads at most `length` bytes at `offset`; status = bytes. The framework moves the file
    /// offset by the status if the read was not positioned.
    fn read(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        length: usize,
    ) -> Outcome {
        Outcome::Reply(Ok(0))
    }

    /// Writes `length` bytes at `offset` (the end for `O_APPEND`); the data begin at `data` in the
    /// message.
    fn write(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        data: DataAt,
    ) -> Outcome {
        Outcome::Reply(Err(Errno::EBADF))
    }

    /// Whether `lseek` works and reads and writes have offsets; a stream has none.
    fn is_seekable(&self, ocb: &Ocb) -> bool {
        ocb.kind == mode::IFREG
    }

    /// Device control.
    fn devctl(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        dcmd: u32,
        data: &[u8],
    ) -> Outcome {
        Outcome::Reply(Err(Errno::ENOTTY))
    }

    /// A memory object to map the file from.
    ///
    /// # Errors
    /// ENODEV by default.
    fn mmap(&mut self, node: Node, writable: bool) -> Result<(u32, MmapReply), Errno> {
        Err(Errno::ENODEV)
    }

    /// Writes out what is cached (`fsync`); EIO if that fails.
    fn sync(&mut self, request: &mut Request<'_>, node: Node) -> Outcome {
        Outcome::Reply(Ok(0))
    }

    /// A client wants to leave, or has left: if a request of it is pending, drop it and answer EINTR.
    fn unblock(&mut self, rcvid: u64) {}

    /// A pulse of the server's own.
    fn pulse(&mut self, pulse: &Pulse, ocbs: &mut Ocbs) {}

    /// A message that the framework does not know (types outside `IO_*`).
    fn message(&mut self, request: &mut Request<'_>, kind: u16, ocbs: &mut Ocbs) -> Outcome {
        Outcome::Reply(Err(Errno::ENOSYS))
    }

    /// Called after every message and pulse: a place to answer other clients.
    fn idle(&mut self, ocbs: &mut Ocbs) {}
}

/// What has no name, and is made and opened in one (`IO_CONNECT` with the subtype of each).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A counter with a value (`EVENT`).
    Counter(u32, Taking),
    /// A timer on a clock (`TIMER`).
    Timer(u32),
    /// A set of descriptors to wait for (`SET`).
    Set,
    /// The reader's signals, of a set (`SIGNALS`).
    Signals(u64),
    /// A socket of a type (`SOCKET`).
    Socket(u32),
    /// A connection that waits at a socket (`ACCEPT`).
    Connection(Node),
}

/// What a read of a counter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// All there is.
    All,
    /// One (Linux: `EFD_SEMAPHORE`).
    One,
}

/// Where the data of a write are in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataAt {
    /// Offset of the first byte.
    pub offset: usize,
    /// Number of bytes.
    pub length: usize,
}
