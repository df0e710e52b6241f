//! Advisory locks: POSIX record locks by process, `flock` locks by open file.

use crate::ocb::Ocb;
use crate::request::Request;
use crate::server::{Node, Outcome};
use alloc::vec::Vec;
use io_msg::io::{Lock, lock};
use neutrino_rt::Errno;
use neutrino_rt::message;
use zerocopy::IntoBytes;

const READ: u16 = 0;
const WRITE: u16 = 1;
const UNLOCK: u16 = 2;

/// Who holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A process (`fcntl`).
    Process(u32),
    /// An open file (`flock`).
    OpenFile(u64),
}

#[derive(Debug, Clone, Copy)]
struct Held {
    node: Node,
    owner: Owner,
    /// The open file it was set through: its close releases it.
    badge: u64,
    exclusive: bool,
    start: u64,
    end: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    rcvid: u64,
    wanted: Held,
}

/// The locks of a server.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    held: Vec<Held>,
    waiting: Vec<Waiting>,
}

impl Locks {
    /// Answers `IO_LOCK`; `base` is what `start` counts from.
    pub(crate) fn handle(
        &mut self,
        request: &mut Request<'_>,
        message: &Lock,
        ocb: &Ocb,
        base: u64,
    ) -> Outcome {
        let wanted = match Self::wanted(request, message, ocb, base) {
            Ok(wanted) => wanted,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        if message.command == lock::GETLK {
            request.reply = Vec::from(self.test(message, &wanted).as_bytes());
            return Outcome::Reply(Ok(0));
        }
        if message.lock_type == UNLOCK {
            self.clear(&wanted);
            self.wake();
            return Outcome::Reply(Ok(0));
        }
        if self.conflict(&wanted).is_none() {
            self.clear(&wanted);
            self.held.push(wanted);
            self.wake();
            return Outcome::Reply(Ok(0));
        }
        if message.command == lock::SETLKW || message.command == lock::FLOCKW {
            self.waiting.push(Waiting { rcvid: request.rcvid, wanted });
            return Outcome::Pending;
        }
        Outcome::Reply(Err(Errno::EAGAIN))
    }

    fn wanted(request: &Request<'_>, message: &Lock, ocb: &Ocb, base: u64) -> Result<Held, Errno> {
        if message.lock_type > UNLOCK {
            return Err(Errno::EINVAL);
        }
        let (badge, node) = (ocb.badge, ocb.node);
        let exclusive = message.lock_type == WRITE;
        if matches!(message.command, lock::FLOCK | lock::FLOCKW) {
            let owner = Owner::OpenFile(badge);
            return Ok(Held { node, owner, badge, exclusive, start: 0, end: u64::MAX });
        }
        if !matches!(message.command, lock::GETLK | lock::SETLK | lock::SETLKW) {
            return Err(Errno::EINVAL);
        }
        let may = match message.lock_type {
            READ => ocb.is_readable(),
            WRITE => ocb.is_writable(),
            _ => true,
        };
        if message.command != lock::GETLK && !may {
            return Err(Errno::EBADF);
        }
        let from = base.checked_add_signed(message.start).ok_or(Errno::EINVAL)?;
        let (start, end) = match message.length {
            0 => (from, u64::MAX),
            length if length > 0 => (from, from.saturating_add(length.unsigned_abs())),
            length => (from.checked_sub(length.unsigned_abs()).ok_or(Errno::EINVAL)?, from),
        };
        Ok(Held { node, owner: Owner::Process(request.info().pid), badge, exclusive, start, end })
    }

    fn test(&self, message: &Lock, wanted: &Held) -> Lock {
        let Some(other) = self.conflict(wanted) else {
            return Lock { lock_type: UNLOCK, ..*message };
        };
        let pid = match other.owner {
            Owner::Process(pid) => pid,
            Owner::OpenFile(_) => u32::MAX,
        };
        let length = if other.end == u64::MAX { 0 } else { other.end - other.start };
        Lock {
            lock_type: if other.exclusive { WRITE } else { READ },
            whence: 0,
            start: other.start.cast_signed(),
            length: length.cast_signed(),
            pid,
            ..*message
        }
    }

    fn conflict(&self, wanted: &Held) -> Option<&Held> {
        self.held.iter().find(|held| {
            let same_kind = matches!(
                (held.owner, wanted.owner),
                (Owner::Process(_), Owner::Process(_)) | (Owner::OpenFile(_), Owner::OpenFile(_))
            );
            same_kind
                && held.node == wanted.node
                && held.owner != wanted.owner
                && (held.exclusive || wanted.exclusive)
                && held.start < wanted.end
                && wanted.start < held.end
        })
    }

    /// Takes the owner's locks out of a range, splitting those that reach beyond it.
    fn clear(&mut self, range: &Held) {
        let mut kept = Vec::with_capacity(self.held.len() + 1);
        for held in self.held.drain(..) {
            let apart = held.end <= range.start || range.end <= held.start;
            if held.node != range.node || held.owner != range.owner || apart {
                kept.push(held);
                continue;
            }
            if held.start < range.start {
                kept.push(Held { end: range.start, ..held });
            }
            if range.end < held.end {
                kept.push(Held { start: range.end, ..held });
            }
        }
        self.held = kept;
    }

    /// Gives waiting clients what has become free, in their order.
    fn wake(&mut self) {
        let mut index = 0;
        while let Some(waiting) = self.waiting.get(index).copied() {
            if self.conflict(&waiting.wanted).is_some() {
                index += 1;
                continue;
            }
            self.waiting.remove(index);
            if message::reply(waiting.rcvid, 0, &[]).is_ok() {
                self.clear(&waiting.wanted);
                self.held.push(waiting.wanted);
            }
        }
    }

    /// An open file is closed: its locks go.
    pub(crate) fn release(&mut self, node: Node, badge: u64) {
        self.held.retain(|held| held.node != node || held.badge != badge);
        self.wake();
    }

    /// A client wants to leave.
    pub(crate) fn unblock(&mut self, rcvid: u64) {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.rcvid != rcvid);
        if self.waiting.len() != before {
            let _it_may_be_gone = message::error(rcvid, Errno::EINTR);
        }
    }
}
