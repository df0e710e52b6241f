//! One pipe: its bytes, and who waits for them.

use crate::ring::Ring;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use neutrino_rt::{Errno, message};
use resmgr::{DataAt, Request};

/// Writes of at most this are atomic (POSIX: `PIPE_BUF`).
pub(crate) const ATOMIC: usize = 4096;

#[derive(Debug)]
struct Reader {
    rcvid: u64,
    length: usize,
}

#[derive(Debug)]
struct Writer {
    rcvid: u64,
    data: DataAt,
    done: usize,
}

/// How many open files an end has, and whether it ever had one: who polls a FIFO without waiting to
/// open it is not told of a hang-up before there was a writer.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct End {
    pub(crate) open: usize,
    pub(crate) seen: bool,
}

impl End {
    /// Whether everybody has left.
    pub(crate) const fn is_gone(self) -> bool {
        self.seen && self.open == 0
    }
}

/// A pipe or an open FIFO.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    bytes: Ring,
    waiting_readers: VecDeque<Reader>,
    waiting_writers: VecDeque<Writer>,
    pub(crate) readers: End,
    pub(crate) writers: End,
    /// The name of a FIFO.
    pub(crate) name: Option<Vec<u8>>,
    /// Serial number that `fstat` shows.
    pub(crate) inode: u64,
    /// Readiness of both ends as the kernel knows it.
    pub(crate) told: (u32, u32),
    /// Bytes came since that was told.
    pub(crate) is_fresh: bool,
}

impl Pipe {
    /// An empty pipe.
    pub(crate) fn new(name: Option<Vec<u8>>, inode: u64) -> Self {
        Self { name, inode, ..Self::default() }
    }

    /// Bytes to read.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that can be written.
    pub(crate) fn space(&self) -> usize {
        self.bytes.space()
    }

    /// Whether a reader need not wait: there are bytes, or there will be none.
    pub(crate) fn has_answer(&self) -> bool {
        !self.bytes.is_empty() || self.writers.open == 0
    }

    /// Moves up to `length` bytes behind those in `to`; returns how many.
    pub(crate) fn take(&mut self, length: usize, to: &mut Vec<u8>) -> usize {
        let (first, second) = self.bytes.front(length);
        let count = first.len() + second.len();
        to.extend_from_slice(first);
        to.extend_from_slice(second);
        self.bytes.forget(count);
        count
    }

    /// Answers a reader with up to `length` bytes straight from where they lie; they are gone only if
    /// it got them.
    ///
    /// # Errors
    /// It is gone, or its memory is bad.
    pub(crate) fn answer(&mut self, rcvid: u64, length: usize) -> Result<(), Errno> {
        let (first, second) = self.bytes.front(length);
        let count = first.len() + second.len();
        if second.is_empty() {
            message::reply(rcvid, count as i64, first)?;
        } else {
            let written = message::write(rcvid, first, 0)
                .and_then(|_| message::write(rcvid, second, first.len() as u64));
            if let Err(errno) = written {
                let _it_may_be_gone = message::error(rcvid, errno);
                return Err(errno);
            }
            message::reply(rcvid, count as i64, &[])?;
        }
        self.bytes.forget(count);
        Ok(())
    }

    /// Hands bytes of a writer to those who wait to read, past the empty buffer; returns how many
    /// they took.
    pub(crate) fn hand_over(&mut self, data: &[u8]) -> usize {
        let mut done = 0;
        // Bound: each turn answers a reader.
        while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty())
            && self.bytes.is_empty()
            && let Some(reader) = self.waiting_readers.pop_front()
        {
            let count = reader.length.min(rest.len());
            let taken = rest.get(..count).unwrap_or_default();
            // A reader that died leaves its bytes to the next one.
            if message::reply(reader.rcvid, count as i64, taken).is_ok() {
                done += count;
            }
        }
        done
    }

    /// Appends `length` bytes of a message from `offset` on; the caller has looked at
    /// [`Pipe::space`].
    ///
    /// # Errors
    /// EFAULT: the client's memory is bad. ESRCH: it is gone.
    pub(crate) fn put(
        &mut self,
        request: &Request<'_>,
        offset: usize,
        length: usize,
    ) -> Result<usize, Errno> {
        self.is_fresh = true;
        match request.inline(offset, length) {
            Some(bytes) => Ok(self.bytes.put(bytes)),
            None => self.fetch(request.rcvid, offset, length),
        }
    }

    /// Appends bytes straight from the memory of a writer that waits.
    fn fetch(&mut self, rcvid: u64, offset: usize, length: usize) -> Result<usize, Errno> {
        self.is_fresh = true;
        self.bytes.append(length, |room, done| message::read(rcvid, room, (offset + done) as u64))
    }

    /// Whether a write may go ahead of nobody.
    pub(crate) fn has_waiting_writers(&self) -> bool {
        !self.waiting_writers.is_empty()
    }

    pub(crate) fn wait_to_read(&mut self, rcvid: u64, length: usize) {
        self.waiting_readers.push_back(Reader { rcvid, length });
    }

    pub(crate) fn wait_to_write(&mut self, rcvid: u64, data: DataAt, done: usize) {
        self.waiting_writers.push_back(Writer { rcvid, data, done });
    }

    /// Moves bytes from waiting writers to waiting readers as far as they go.
    pub(crate) fn pump(&mut self) {
        // Bound: each turn answers a client or fills the buffer.
        while self.serve_reader() || self.serve_writer() {}
    }

    fn serve_reader(&mut self) -> bool {
        let Some(length) = self.waiting_readers.front().map(|reader| reader.length) else {
            return false;
        };
        if !self.has_answer() {
            return false;
        }
        if let Some(reader) = self.waiting_readers.pop_front() {
            // What a reader that died did not get is the next one's.
            let _it_may_be_gone = self.answer(reader.rcvid, length);
        }
        true
    }

    fn serve_writer(&mut self) -> bool {
        let space = self.space();
        let gone = self.readers.open == 0;
        let Some(writer) = self.waiting_writers.front() else { return false };
        let (rcvid, offset) = (writer.rcvid, writer.data.offset + writer.done);
        let rest = writer.data.length - writer.done;
        let needed = if writer.data.length <= ATOMIC { rest } else { 1 };
        if !gone && space < needed {
            return false;
        }
        if !gone {
            match self.fetch(rcvid, offset, rest) {
                Ok(n) if n > 0 => {
                    let Some(writer) = self.waiting_writers.front_mut() else { return false };
                    writer.done += n;
                    if writer.done < writer.data.length {
                        return true;
                    }
                }
                // The writer died, or its memory is bad: it keeps what it has written.
                Ok(_) | Err(_) => {}
            }
        }
        if let Some(writer) = self.waiting_writers.pop_front() {
            Self::dismiss(&writer, if gone { Errno::EPIPE } else { Errno::EFAULT });
        }
        true
    }

    /// Answers a writer: what it has written, or why it has written nothing.
    fn dismiss(writer: &Writer, errno: Errno) {
        let _it_may_be_gone = if writer.done > 0 {
            message::reply(writer.rcvid, writer.done as i64, &[])
        } else {
            message::error(writer.rcvid, errno)
        };
    }

    /// A client wants to leave; returns whether it waited here.
    pub(crate) fn unblock(&mut self, rcvid: u64) -> bool {
        let before = self.waiting_readers.len();
        self.waiting_readers.retain(|reader| reader.rcvid != rcvid);
        if self.waiting_readers.len() != before {
            let _it_may_be_gone = message::error(rcvid, Errno::EINTR);
            return true;
        }
        let at = self.waiting_writers.iter().position(|writer| writer.rcvid == rcvid);
        let Some(writer) = at.and_then(|index| self.waiting_writers.remove(index)) else {
            return false;
        };
        Self::dismiss(&writer, Errno::EINTR);
        true
    }
}
