//! The queues of clients that wait for a terminal: to read, to write, for output to be sent.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use neutrino_abi::Errno;

use crate::{Caller, Client, Done, Termios};

/// A client that waits for input.
#[derive(Debug)]
pub(crate) struct Reader<C> {
    pub(crate) client: C,
    pub(crate) caller: Caller,
    pub(crate) size: usize,
}

/// A client that waits for room.
#[derive(Debug)]
pub(crate) struct Writer<C> {
    pub(crate) client: C,
    pub(crate) data: Vec<u8>,
    pub(crate) written: usize,
}

/// What happens when output is sent.
#[derive(Debug)]
pub(crate) enum Then {
    /// Nothing (`tcdrain`).
    Nothing,
    /// New settings (`TCSETSW`).
    Set(Termios),
    /// New settings, and input is thrown away (`TCSETSF`).
    FlushAndSet(Termios),
}

/// A client that waits for output to be sent.
#[derive(Debug)]
pub(crate) struct Drainer<C> {
    pub(crate) client: C,
    pub(crate) then: Then,
}

/// All who wait.
#[derive(Debug)]
pub(crate) struct Waiting<C> {
    pub(crate) readers: VecDeque<Reader<C>>,
    pub(crate) writers: VecDeque<Writer<C>>,
    pub(crate) drainers: VecDeque<Drainer<C>>,
}

impl<C: Client> Waiting<C> {
    pub(crate) const fn new() -> Self {
        Self { readers: VecDeque::new(), writers: VecDeque::new(), drainers: VecDeque::new() }
    }

    /// Lets go of a client that a signal or its death has reached; tells if it was here.
    ///
    /// A writer that was served in part learns how far it came.
    pub(crate) fn cancel(&mut self, is_it: impl Fn(&C) -> bool) -> bool {
        if let Some(place) = self.readers.iter().position(|reader| is_it(&reader.client)) {
            if let Some(reader) = self.readers.remove(place) {
                reader.client.finish(Done::Failed(Errno::EINTR));
            }
            return true;
        }
        if let Some(place) = self.writers.iter().position(|writer| is_it(&writer.client)) {
            if let Some(writer) = self.writers.remove(place) {
                finish_writer(writer, Errno::EINTR);
            }
            return true;
        }
        let place = self.drainers.iter().position(|drainer| is_it(&drainer.client));
        let drainer = place.and_then(|place| self.drainers.remove(place));
        let found = drainer.is_some();
        if let Some(drainer) = drainer {
            drainer.client.finish(Done::Failed(Errno::EINTR));
        }
        found
    }

    /// Lets readers go whose callers `is_it` picks; they come again when they run, and are judged anew.
    pub(crate) fn restart_readers(&mut self, is_it: impl Fn(&Caller) -> bool) {
        // Bound: one turn for each reader.
        for _ in 0..self.readers.len() {
            let Some(reader) = self.readers.pop_front() else { return };
            if is_it(&reader.caller) {
                reader.client.finish(Done::Failed(Errno::ERESTART));
            } else {
                self.readers.push_back(reader);
            }
        }
    }

    /// Ends all waits, as a hang-up does: readers find the end, writers fail.
    pub(crate) fn hang_up(&mut self) {
        for reader in self.readers.drain(..) {
            reader.client.finish(Done::Data(&[]));
        }
        for writer in self.writers.drain(..) {
            finish_writer(writer, Errno::EIO);
        }
        for drainer in self.drainers.drain(..) {
            drainer.client.finish(Done::Failed(Errno::EIO));
        }
    }
}

fn finish_writer<C: Client>(writer: Writer<C>, errno: Errno) {
    writer.client.finish(if writer.written > 0 {
        Done::Count(writer.written)
    } else {
        Done::Failed(errno)
    });
}
