//! Counters that programs wait for (Linux: `eventfd`).

use alloc::collections::VecDeque;
use neutrino_rt::abi::handle::ready;
use neutrino_rt::{Errno, message};
use resmgr::Taking;

/// Bytes of a number that is read or written.
pub(crate) const BYTES: usize = 8;
/// The most that a counter holds.
const MOST: u64 = u64::MAX - 1;

#[derive(Debug)]
struct Writer {
    rcvid: u64,
    value: u64,
}

/// A counter.
#[derive(Debug)]
pub(crate) struct Event {
    count: u64,
    taking: Taking,
    readers: VecDeque<u64>,
    writers: VecDeque<Writer>,
    /// Readiness as the kernel knows it.
    pub(crate) told: u32,
    /// Something came since that was told.
    pub(crate) is_fresh: bool,
}

impl Event {
    pub(crate) fn new(count: u64, taking: Taking) -> Self {
        let (readers, writers) = (VecDeque::new(), VecDeque::new());
        let mut event = Self { count, taking, readers, writers, told: 0, is_fresh: false };
        event.told = event.readiness();
        event
    }

    pub(crate) const fn readiness(&self) -> u32 {
        let readable = if self.count > 0 { ready::IN } else { 0 };
        readable | if self.count < MOST { ready::OUT } else { 0 }
    }

    /// Takes what a read gets; `None`: it has to wait.
    pub(crate) const fn take(&mut self) -> Option<u64> {
        let taken = match self.taking {
            _ if self.count == 0 => return None,
            Taking::All => self.count,
            Taking::One => 1,
        };
        self.count -= taken;
        Some(taken)
    }

    /// Adds a number; false if the writer has to wait.
    const fn add(&mut self, value: u64) -> bool {
        let fits = value <= MOST - self.count;
        if fits {
            self.count += value;
            self.is_fresh = true;
        }
        fits
    }

    /// As [`Event::add`], for a writer that may not go ahead of others.
    pub(crate) fn add_next(&mut self, value: u64) -> bool {
        self.writers.is_empty() && self.add(value)
    }

    pub(crate) fn wait_to_read(&mut self, rcvid: u64) {
        self.readers.push_back(rcvid);
    }

    pub(crate) fn wait_to_write(&mut self, rcvid: u64, value: u64) {
        self.writers.push_back(Writer { rcvid, value });
    }

    /// Lets those go on who can.
    pub(crate) fn pump(&mut self) {
        // Bound: each turn answers a client.
        while self.serve_reader() || self.serve_writer() {}
    }

    fn serve_reader(&mut self) -> bool {
        let Some(&rcvid) = self.readers.front() else { return false };
        let Some(value) = self.take() else { return false };
        self.readers.pop_front();
        if message::reply(rcvid, BYTES as i64, &value.to_le_bytes()).is_err() {
            // The reader died: what it did not get is the next one's.
            self.count += value;
        }
        true
    }

    fn serve_writer(&mut self) -> bool {
        let Some(value) = self.writers.front().map(|writer| writer.value) else { return false };
        if !self.add(value) {
            return false;
        }
        if let Some(writer) = self.writers.pop_front() {
            let _it_may_be_gone = message::reply(writer.rcvid, BYTES as i64, &[]);
        }
        true
    }

    /// A client wants to leave; returns whether it waited here.
    pub(crate) fn unblock(&mut self, rcvid: u64) -> bool {
        let before = self.readers.len() + self.writers.len();
        self.readers.retain(|reader| *reader != rcvid);
        self.writers.retain(|writer| writer.rcvid != rcvid);
        let waited = self.readers.len() + self.writers.len() != before;
        if waited {
            let _it_may_be_gone = message::error(rcvid, Errno::EINTR);
        }
        waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_takes_all_or_one() {
        let mut all = Event::new(3, Taking::All);
        assert_eq!((all.take(), all.take()), (Some(3), None));
        let mut one = Event::new(2, Taking::One);
        assert_eq!((one.take(), one.take(), one.take()), (Some(1), Some(1), None));
    }

    #[test]
    fn a_counter_does_not_overflow() {
        let mut event = Event::new(0, Taking::All);
        assert!(event.add_next(MOST));
        assert_eq!(event.readiness(), ready::IN);
        assert!(!event.add_next(1));
        assert_eq!(event.take(), Some(MOST));
        assert_eq!(event.readiness(), ready::OUT);
    }

    #[test]
    fn nobody_goes_ahead_of_a_writer_that_waits() {
        let mut event = Event::new(MOST - 1, Taking::All);
        event.wait_to_write(7, 5);
        assert!(!event.add_next(1));
    }
}
