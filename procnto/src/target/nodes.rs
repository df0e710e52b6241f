//! procnto's own nodes: `/dev` and the devices that need no driver, on a channel of their own,
//! served by the framework like everybody else's.

use super::{STATE, random};
use alloc::vec::Vec;
use io_msg::proc::ATTACH_DIRECTORY;
use io_msg::stat::mode;
use neutrino_rt::abi::handle::ready;
use neutrino_rt::abi::message::chf;
use neutrino_rt::{Errno, channel, log, message};
use procnto::state::{Shared, State};
use resmgr::{
    Attributes, DataAt, DirectoryEntry, Engine, Node, Ocb, Opening, Outcome, Request, Server,
};

const ROOT: Node = 1;
const NULL: Node = 2;
const ZERO: Node = 3;
const FULL: Node = 4;
const RANDOM: Node = 5;
const URANDOM: Node = 6;
const TTY: Node = 7;
const FD: Node = 8;
const STDIN: Node = 9;
const STDOUT: Node = 10;
const STDERR: Node = 11;
const SHM: Node = 12;

/// Name, node, mode, device number (Linux: major << 8 | minor), target of a link.
type Row = (&'static str, Node, u32, u64, &'static str);
const ROWS: [Row; 11] = [
    ("null", NULL, mode::IFCHR | 0o666, 0x103, ""),
    ("zero", ZERO, mode::IFCHR | 0o666, 0x105, ""),
    ("full", FULL, mode::IFCHR | 0o666, 0x107, ""),
    ("random", RANDOM, mode::IFCHR | 0o666, 0x108, ""),
    ("urandom", URANDOM, mode::IFCHR | 0o666, 0x109, ""),
    ("tty", TTY, mode::IFCHR | 0o666, 0x500, ""),
    ("fd", FD, mode::IFLNK | 0o777, 0, "/proc/self/fd"),
    ("shm", SHM, mode::IFLNK | 0o777, 0, "/dev/shmem"),
    ("stdin", STDIN, mode::IFLNK | 0o777, 0, "/proc/self/fd/0"),
    ("stdout", STDOUT, mode::IFLNK | 0o777, 0, "/proc/self/fd/1"),
    ("stderr", STDERR, mode::IFLNK | 0o777, 0, "/proc/self/fd/2"),
];
/// Largest reply of a device that makes its data up.
const PIECE: usize = 64 * 1024;

fn row(node: Node) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.1 == node)
}

/// First node of the directories that exist because somebody attached a path below them.
const BETWEEN: Node = 100;

/// The devices, and the directories below `/dev` that were ever looked up.
#[derive(Default)]
struct Devices {
    between: Vec<Vec<u8>>,
}

impl Devices {
    /// The path of a directory.
    fn directory(&self, node: Node) -> Option<&[u8]> {
        if node == ROOT {
            return Some(b"/dev");
        }
        let index = usize::try_from(node.checked_sub(BETWEEN)?).ok()?;
        self.between.get(index).map(Vec::as_slice)
    }

    /// A directory on the way to what others have attached.
    fn find_between(&mut self, directory: Node, name: &[u8]) -> Option<Node> {
        let parent = self.directory(directory)?;
        let is_there =
            |state: &mut State| state.paths.children(parent).iter().any(|(child, _)| child == name);
        if !STATE.with(is_there) {
            return None;
        }
        let path = [parent, name].join(&b'/');
        let index = self.between.iter().position(|known| *known == path).unwrap_or_else(|| {
            self.between.push(path);
            self.between.len() - 1
        });
        Some(BETWEEN + index as Node)
    }
}

impl Server for Devices {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        if self.directory(node).is_some() {
            return Ok(Attributes::new(node, mode::IFDIR | 0o755));
        }
        let &(_, _, kind, rdev, target) = row(node).ok_or(Errno::ENOENT)?;
        Ok(Attributes { rdev, size: target.len() as u64, ..Attributes::new(node, kind) })
    }

    fn device(&self) -> u64 {
        5
    }

    fn lookup(&mut self, directory: Node, name: &[u8]) -> Result<Node, Errno> {
        let found = ROWS.iter().find(|row| directory == ROOT && row.0.as_bytes() == name);
        let found = found.map(|row| row.1);
        found.or_else(|| self.find_between(directory, name)).ok_or(Errno::ENOENT)
    }

    fn read_link(&self, _request: &Request<'_>, node: Node) -> Result<Vec<u8>, Errno> {
        let target = row(node).map(|row| row.4).unwrap_or_default();
        if target.is_empty() { Err(Errno::EINVAL) } else { Ok(target.as_bytes().to_vec()) }
    }

    fn entry(&mut self, directory: Node, position: u64) -> Option<DirectoryEntry> {
        let index = usize::try_from(position).ok()?;
        let next = position + 1;
        let own = if directory == ROOT { &ROWS[..] } else { &[] };
        if let Some(&(name, inode, mode, ..)) = own.get(index) {
            return Some(DirectoryEntry { inode, mode, name: name.as_bytes().to_vec(), next });
        }
        // Behind its own nodes come those that others have attached.
        let path = self.directory(directory)?;
        let others = STATE.with(|state| state.paths.children(path));
        let (name, mode) = others.into_iter().nth(index - own.len())?;
        Some(DirectoryEntry { inode: 100 + position, mode, name, next })
    }

    fn open(&mut self, request: &Request<'_>, node: Node, _ioflag: u32) -> Result<Opening, Errno> {
        if node == TTY {
            let session = request.info().session;
            let path = STATE.with(|s| s.sessions.terminal(session).map(|t| t.path.clone()));
            return path.map(Opening::Redirect).ok_or(Errno::ENXIO);
        }
        Ok(Opening::Open(node, ready::IN | ready::OUT))
    }

    fn read(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        _offset: u64,
        length: usize,
    ) -> Outcome {
        match ocb.node {
            NULL => Outcome::Reply(Ok(0)),
            ZERO | FULL => Outcome::Reply(fill(request.rcvid, length, |_| {})),
            RANDOM | URANDOM => Outcome::Reply(fill(request.rcvid, length, random::fill)),
            _ => Outcome::Reply(Err(Errno::EISDIR)),
        }
    }

    fn write(
        &mut self,
        _request: &mut Request<'_>,
        ocb: &mut Ocb,
        _offset: u64,
        data: DataAt,
    ) -> Outcome {
        match ocb.node {
            FULL => Outcome::Reply(Err(Errno::ENOSPC)),
            node if self.directory(node).is_some() => Outcome::Reply(Err(Errno::EISDIR)),
            _ => Outcome::Reply(i64::try_from(data.length).map_err(|_| Errno::EINVAL)),
        }
    }

    fn is_seekable(&self, ocb: &Ocb) -> bool {
        self.directory(ocb.node).is_none()
    }
}

/// Writes `length` bytes made by `make` into a client's buffer, piece by piece.
fn fill(rcvid: u64, length: usize, make: impl Fn(&mut [u8])) -> Result<i64, Errno> {
    let mut piece = alloc::vec![0; length.min(PIECE)];
    let mut done = 0;
    while done < length {
        let now = (length - done).min(piece.len());
        make(&mut piece[..now]);
        let written = message::write(rcvid, &piece[..now], done as u64)?;
        if written == 0 {
            break;
        }
        done += written;
    }
    i64::try_from(done).map_err(|_| Errno::EINVAL)
}

/// The thread of procnto's own nodes.
pub(super) fn serve() {
    let mut engine = Engine::new(Devices::default());
    let result = channel::create(chf::DISCONNECT | chf::UNBLOCK).and_then(|chid| {
        engine.attach(chid, "/dev", ROOT, ATTACH_DIRECTORY)?;
        Err(resmgr::serve(&mut engine, chid)) as Result<(), _>
    });
    if let Err(errno) = result {
        log!("procnto: cannot serve /dev: {errno}");
    }
}
