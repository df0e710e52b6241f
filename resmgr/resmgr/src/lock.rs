//! Advisory locks: POSIX record locks by process, `flock` locks by open file.

use crate::ocb::Ocb;
use crate::request::Request;
use crate::server::{Node, Outcome};
use alloc::vec::Vec;
use file_locks::{Held, Owner, Sharing, range};
use io_msg::io::{Lock, lock};
use neutrino_rt::Errno;
use neutrino_rt::message;
use zerocopy::IntoBytes;

const READ: u16 = 0;
const WRITE: u16 = 1;
const UNLOCK: u16 = 2;

/// The locks of a server.
#[derive(Debug, Default)]
pub(crate) struct Locks(file_locks::Locks);

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
            self.0.clear(&wanted);
            self.wake();
            return Outcome::Reply(Ok(0));
        }
        if self.0.set(&wanted) {
            self.wake();
            return Outcome::Reply(Ok(0));
        }
        if message.command == lock::SETLKW || message.command == lock::FLOCKW {
            self.0.wait(request.rcvid, &wanted);
            return Outcome::Pending;
        }
        Outcome::Reply(Err(Errno::EAGAIN))
    }

    fn wanted(request: &Request<'_>, message: &Lock, ocb: &Ocb, base: u64) -> Result<Held, Errno> {
        if message.lock_type > UNLOCK {
            return Err(Errno::EINVAL);
        }
        let (badge, node) = (ocb.badge, ocb.node);
        let sharing = if message.lock_type == WRITE { Sharing::Exclusive } else { Sharing::Shared };
        if matches!(message.command, lock::FLOCK | lock::FLOCKW) {
            let owner = Owner::OpenFile(badge);
            return Ok(Held { node, owner, badge, sharing, start: 0, end: u64::MAX });
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
        let (start, end) = range(base, message.start, message.length).ok_or(Errno::EINVAL)?;
        Ok(Held { node, owner: Owner::Process(request.info().pid), badge, sharing, start, end })
    }

    fn test(&self, message: &Lock, wanted: &Held) -> Lock {
        let Some(other) = self.0.conflict(wanted) else {
            return Lock { lock_type: UNLOCK, ..*message };
        };
        Lock {
            lock_type: if other.sharing == Sharing::Exclusive { WRITE } else { READ },
            whence: 0,
            start: other.start.cast_signed(),
            length: other.length().cast_signed(),
            pid: other.process().unwrap_or(u32::MAX),
            ..*message
        }
    }

    fn wake(&mut self) {
        self.0.wake(|rcvid| message::reply(rcvid, 0, &[]).is_ok());
    }

    /// An open file is closed: its locks go.
    pub(crate) fn release(&mut self, node: Node, badge: u64) {
        self.0.release(node, badge);
        self.wake();
    }

    /// A client wants to leave.
    pub(crate) fn unblock(&mut self, rcvid: u64) {
        if self.0.cancel(rcvid) {
            let _it_may_be_gone = message::error(rcvid, Errno::EINTR);
        }
    }
}
