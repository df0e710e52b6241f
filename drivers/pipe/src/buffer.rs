//! One pipe: its bytes, and who waits for them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use neutrino_rt::{Errno, message};
use resmgr::DataAt;

/// Bytes that a pipe holds (Linux's default).
pub(crate) const CAPACITY: usize = 64 * 1024;
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
    bytes: VecDeque<u8>,
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
        CAPACITY - self.bytes.len()
    }

    /// Takes up to `length` bytes; `None` if the reader has to wait.
    pub(crate) fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        if self.bytes.is_empty() {
            return (self.writers.open == 0).then(Vec::new);
        }
        Some(self.bytes.drain(..length.min(self.bytes.len())).collect())
    }

    /// Appends bytes; the caller has looked at [`Pipe::space`].
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Whether a write may go ahead of nobody.
    pub(crate) fn has_waiting_writers(&self) -> bool {
        !self.waiting_writers.is_empty()
    }

    pub(crate) fn wait_to_read(&mut self, rcvid: u64, length: usize) {
        self.waiting_readers.push_back(Reader { rcvid, length });
    }

    pub(crate) fn wait_to_write(&mut self, rcvid: u64, data: DataAt) {
        self.waiting_writers.push_back(Writer { rcvid, data, done: 0 });
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
        let Some(bytes) = self.take(length) else { return false };
        if let Some(reader) = self.waiting_readers.pop_front()
            && message::reply(reader.rcvid, bytes.len() as i64, &bytes).is_err()
        {
            // The reader died: what it did not get is the next one's.
            bytes.iter().rev().for_each(|&byte| self.bytes.push_front(byte));
        }
        true
    }

    fn serve_writer(&mut self) -> bool {
        let space = self.space();
        let gone = self.readers.open == 0;
        let Some(writer) = self.waiting_writers.front_mut() else { return false };
        let rest = writer.data.length - writer.done;
        let needed = if writer.data.length <= ATOMIC { rest } else { 1 };
        if !gone && space < needed {
            return false;
        }
        if !gone {
            let mut chunk = alloc::vec![0; rest.min(space)];
            let offset = (writer.data.offset + writer.done) as u64;
            match message::read(writer.rcvid, &mut chunk, offset) {
                Ok(n) if n > 0 => {
                    writer.done += n;
                    let done = writer.done == writer.data.length;
                    self.bytes.extend(chunk.get(..n).unwrap_or_default());
                    if !done {
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
