//! Messages on an open file.

use crate::engine::Engine;
use crate::ocb::Ocb;
use crate::request::Request;
use crate::server::{DataAt, Outcome, Server};
use alloc::vec::Vec;
use io_msg::io::{
    Chmod, Chown, Devctl, Flags, Lock, Lseek, MMAP_DESCRIBE, Mmap, SPACE_ALLOCATE, SPACE_TRUNCATE,
    Space, Transfer, Utime, XTYPE_NONE, XTYPE_OFFSET, XTYPE_READDIR,
};
use io_msg::kind;
use io_msg::stat::{mode, open, put_dirent};
use neutrino_rt::Errno;
use neutrino_rt::message;
use zerocopy::IntoBytes;

/// Most bytes of one read or write (as Linux: 2 GiB less a page).
const TRANSFER_MAX: u64 = 0x7fff_f000;

impl<S: Server> Engine<S> {
    pub(crate) fn io(&mut self, request: &mut Request<'_>, message_kind: u16) -> Outcome {
        let badge = request.head.badge;
        // The OCB is out of the table while its server works on it, and goes back changed.
        let Some(mut ocb) = self.ocbs.borrow(badge) else {
            return Outcome::Reply(Err(Errno::EBADF));
        };
        let outcome = self.on_ocb(request, message_kind, &mut ocb);
        self.ocbs.put_back(ocb);
        outcome
    }

    fn on_ocb(&mut self, request: &mut Request<'_>, which: u16, ocb: &mut Ocb) -> Outcome {
        let path_only = ocb.ioflag & open::PATH != 0;
        let allowed = matches!(which, kind::IO_STAT | kind::IO_FDINFO | kind::IO_STATVFS);
        if path_only && !allowed {
            return Outcome::Reply(Err(Errno::EBADF));
        }
        let result = match which {
            kind::IO_READ => return self.read(request, ocb),
            kind::IO_WRITE => return self.write(request, ocb),
            kind::IO_DEVCTL => return self.devctl(request, ocb),
            kind::IO_LOCK => return self.lock(request, ocb),
            kind::IO_SYNC => return self.server.sync(request, ocb.node),
            kind::IO_STAT => self.stat(request, ocb),
            kind::IO_LSEEK => self.lseek(request, ocb),
            kind::IO_CHMOD => request
                .header::<Chmod>()
                .and_then(|message| self.change_mode(request, ocb.node, message.mode))
                .map(|()| 0),
            kind::IO_CHOWN => request
                .header::<Chown>()
                .and_then(|message| self.change_owner(request, ocb.node, &message))
                .map(|()| 0),
            kind::IO_UTIME => request
                .header::<Utime>()
                .and_then(|message| self.change_times(request, ocb.node, &message))
                .map(|()| 0),
            kind::IO_FDINFO => self.fdinfo(request, ocb),
            kind::IO_SPACE => self.space(request, ocb),
            kind::IO_MMAP => self.mmap(request, ocb),
            kind::IO_FLAGS => Self::flags(request, ocb),
            kind::IO_STATVFS => self.server.statfs().map(|status| {
                request.reply = Vec::from(status.as_bytes());
                0
            }),
            _ => Err(Errno::ENOSYS),
        };
        Outcome::Reply(result)
    }

    fn read(&mut self, request: &mut Request<'_>, ocb: &mut Ocb) -> Outcome {
        let message = match request.header::<Transfer>() {
            Ok(message) => message,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        if !ocb.is_readable() {
            return Outcome::Reply(Err(Errno::EBADF));
        }
        let length = message.nbytes.min(TRANSFER_MAX).min(request.head.dstmsglen);
        let length = usize::try_from(length).unwrap_or(0);
        match (message.xtype, ocb.is_directory()) {
            (XTYPE_READDIR, true) => {
                return Outcome::Reply(self.read_directory(request, ocb, length));
            }
            (XTYPE_READDIR, false) => return Outcome::Reply(Err(Errno::ENOTDIR)),
            (_, true) => return Outcome::Reply(Err(Errno::EISDIR)),
            (_, false) => {}
        }
        match message.xtype {
            XTYPE_NONE => {
                let offset = ocb.offset;
                let outcome = self.server.read(request, ocb, offset, length);
                advance(ocb, offset, &outcome);
                outcome
            }
            XTYPE_OFFSET if !self.server.is_seekable(ocb) => Outcome::Reply(Err(Errno::ESPIPE)),
            XTYPE_OFFSET if message.offset > i64::MAX as u64 => Outcome::Reply(Err(Errno::EINVAL)),
            XTYPE_OFFSET => self.server.read(request, ocb, message.offset, length),
            _ => Outcome::Reply(Err(Errno::ENOSYS)),
        }
    }

    fn write(&mut self, request: &mut Request<'_>, ocb: &mut Ocb) -> Outcome {
        let message = match request.header::<Transfer>() {
            Ok(message) => message,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        if !ocb.is_writable() {
            return Outcome::Reply(Err(Errno::EBADF));
        }
        let head = size_of::<Transfer>();
        let sent = request.head.srcmsglen.saturating_sub(head as u64);
        let length = usize::try_from(message.nbytes.min(TRANSFER_MAX).min(sent)).unwrap_or(0);
        let data = DataAt { offset: head, length };
        let seekable = self.server.is_seekable(ocb);
        let append = seekable && ocb.ioflag & open::APPEND != 0;
        let end = if append {
            self.server.attributes(ocb.node).map_or(0, |attributes| attributes.size)
        } else {
            0
        };
        match message.xtype {
            XTYPE_NONE => {
                let offset = if append { end } else { ocb.offset };
                let outcome = self.server.write(request, ocb, offset, data);
                advance(ocb, offset, &outcome);
                outcome
            }
            XTYPE_OFFSET if !seekable => Outcome::Reply(Err(Errno::ESPIPE)),
            XTYPE_OFFSET if message.offset > i64::MAX as u64 => Outcome::Reply(Err(Errno::EINVAL)),
            XTYPE_OFFSET => {
                let offset = if append { end } else { message.offset };
                self.server.write(request, ocb, offset, data)
            }
            _ => Outcome::Reply(Err(Errno::ENOSYS)),
        }
    }

    fn read_directory(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        length: usize,
    ) -> Result<i64, Errno> {
        // Positions 0 and 1 are `.` and `..`; the server's positions start at 2 here.
        let mut buffer = alloc::vec![0_u8; length.min(64 * 1024)];
        let mut at = 0;
        while let Some((inode, file_mode, name, next)) = self.next_entry(ocb) {
            match put_dirent(&mut buffer, at, (inode, file_mode), next, &name) {
                Some(end) => {
                    at = end;
                    ocb.offset = next;
                }
                None if at == 0 => return Err(Errno::EINVAL),
                None => break,
            }
        }
        buffer.truncate(at);
        request.reply = buffer;
        Ok(at as i64)
    }

    fn next_entry(&mut self, ocb: &Ocb) -> Option<(u64, u32, Vec<u8>, u64)> {
        let inode = |engine: &Self, node| {
            engine.server.attributes(node).map_or(1, |attributes| attributes.inode)
        };
        match ocb.offset {
            0 => Some((inode(self, ocb.node), mode::IFDIR, Vec::from(b"."), 1)),
            1 => {
                let parent = self.server.parent(ocb.node);
                Some((inode(self, parent), mode::IFDIR, Vec::from(b".."), 2))
            }
            position => {
                let entry = self.server.entry(ocb.node, position - 2)?;
                Some((entry.inode, entry.mode, entry.name, entry.next.checked_add(2)?))
            }
        }
    }

    fn devctl(&mut self, request: &mut Request<'_>, ocb: &mut Ocb) -> Outcome {
        let asked = request.header::<Devctl>().and_then(|message| {
            let data =
                request.data(size_of::<Devctl>(), (message.nbytes as usize).min(64 * 1024))?;
            Ok((message, data))
        });
        match asked {
            Ok((message, data)) => {
                // A request that takes a number has no data: the number stands for them.
                let number = message.argument.to_le_bytes();
                let data = if data.is_empty() { number.as_slice() } else { data.as_slice() };
                self.server.devctl(request, ocb, message.dcmd, data)
            }
            Err(errno) => Outcome::Reply(Err(errno)),
        }
    }

    fn lock(&mut self, request: &mut Request<'_>, ocb: &Ocb) -> Outcome {
        let message = match request.header::<Lock>() {
            Ok(message) => message,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        let size = self.server.attributes(ocb.node).map_or(0, |attributes| attributes.size);
        let base = match message.whence {
            0 => 0,
            1 => ocb.offset,
            2 => size,
            _ => return Outcome::Reply(Err(Errno::EINVAL)),
        };
        self.locks.handle(request, &message, ocb, base)
    }

    fn stat(&mut self, request: &mut Request<'_>, ocb: &Ocb) -> Result<i64, Errno> {
        let stat = self.server.attributes(ocb.node)?.stat(self.server.device());
        request.reply.clear();
        request.reply.extend_from_slice(stat.as_bytes());
        Ok(0)
    }

    fn lseek(&mut self, request: &Request<'_>, ocb: &mut Ocb) -> Result<i64, Errno> {
        let message = request.header::<Lseek>()?;
        let attributes = self.server.attributes(ocb.node)?;
        if !attributes.is_directory() && !self.server.is_seekable(ocb) {
            return Err(Errno::ESPIPE);
        }
        let size = attributes.size;
        let base = match message.whence {
            0 => 0,
            1 => ocb.offset,
            2 => size,
            // Data everywhere up to the end, where the only hole is.
            3 | 4 => {
                let from = u64::try_from(message.offset).map_err(|_| Errno::ENXIO)?;
                if from >= size {
                    return Err(Errno::ENXIO);
                }
                ocb.offset = if message.whence == 3 { from } else { size };
                return Ok(ocb.offset.cast_signed());
            }
            _ => return Err(Errno::EINVAL),
        };
        let offset = base.checked_add_signed(message.offset).ok_or(Errno::EINVAL)?;
        if offset > i64::MAX as u64 {
            return Err(Errno::EOVERFLOW);
        }
        ocb.offset = offset;
        Ok(offset.cast_signed())
    }

    fn fdinfo(&mut self, request: &mut Request<'_>, ocb: &Ocb) -> Result<i64, Errno> {
        request.reply = self.path_of(ocb)?;
        Ok(request.reply.len() as i64)
    }

    /// The absolute path of an open file.
    fn path_of(&self, ocb: &Ocb) -> Result<Vec<u8>, Errno> {
        let mount = self.mounts.get(ocb.mount).ok_or(Errno::EBADF)?;
        let below = self.server.path(ocb.node);
        Ok(mount.absolute(below.as_deref().unwrap_or(&ocb.path)))
    }

    fn space(&mut self, request: &Request<'_>, ocb: &Ocb) -> Result<i64, Errno> {
        let message = request.header::<Space>()?;
        if !ocb.is_writable() {
            return Err(Errno::EINVAL);
        }
        match message.operation {
            SPACE_TRUNCATE => self.server.truncate(ocb.node, message.size)?,
            SPACE_ALLOCATE => {
                let end = message.offset.checked_add(message.size).ok_or(Errno::EFBIG)?;
                self.server.allocate(ocb.node, message.offset, end)?;
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(0)
    }

    fn mmap(&mut self, request: &mut Request<'_>, ocb: &Ocb) -> Result<i64, Errno> {
        const SHARED: u32 = 1;
        const WRITE: u32 = 2;
        let message = request.header::<Mmap>()?;
        let writes = message.flags & SHARED != 0 && message.protection & WRITE != 0;
        if !ocb.is_readable() || writes && !ocb.is_writable() {
            return Err(Errno::EACCES);
        }
        let attributes = self.server.attributes(ocb.node)?;
        let (object, mut reply) = self.server.mmap(ocb.node, writes)?;
        reply.object = message::give(request.rcvid, object, 0)?;
        if !ocb.is_writable() && message.flags & SHARED != 0 {
            reply.protection &= !WRITE;
        }
        request.reply.clear();
        request.reply.extend_from_slice(reply.as_bytes());
        if message.subtype != MMAP_DESCRIBE {
            return Ok(0);
        }
        let stat = attributes.stat(self.server.device());
        let path = self.path_of(ocb)?;
        request.reply.extend_from_slice(stat.as_bytes());
        request.reply.extend_from_slice(&path);
        Ok(path.len() as i64)
    }

    fn flags(request: &Request<'_>, ocb: &mut Ocb) -> Result<i64, Errno> {
        let message = request.header::<Flags>()?;
        let mask = message.mask & (open::APPEND | open::NONBLOCK);
        ocb.ioflag = ocb.ioflag & !mask | message.bits & mask;
        let shown = ocb.ioflag & !(open::CREAT | open::EXCL | open::TRUNC | open::NOCTTY);
        Ok(i64::from(shown & !open::CLOEXEC))
    }
}

/// Moves the file offset behind what was read or written.
fn advance(ocb: &mut Ocb, offset: u64, outcome: &Outcome) {
    if let Outcome::Reply(Ok(n)) = outcome {
        ocb.offset = offset.saturating_add_signed(*n);
    }
}
