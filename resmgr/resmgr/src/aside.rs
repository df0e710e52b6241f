//! Requests that are put aside and handled again from the start when something has changed: for
//! what a request cannot wait for in the middle (an open of a FIFO, a link that another server knows).

use alloc::vec::Vec;
use neutrino_rt::Errno;
use neutrino_rt::abi::message::Head;
use neutrino_rt::message;

/// A request as it was received.
#[derive(Clone, Debug)]
pub struct PutAside {
    /// Names the client until the reply.
    pub rcvid: u64,
    /// What is known of it.
    pub head: Head,
    /// The beginning of the message.
    pub bytes: Vec<u8>,
}

/// The requests that were put aside, oldest first.
#[derive(Debug, Default)]
pub struct Aside(Vec<PutAside>);

impl Aside {
    /// Puts a request aside; `buffer` is what it was received into.
    pub fn put(&mut self, rcvid: u64, head: &Head, buffer: &[u8]) {
        let length = usize::try_from(head.srcmsglen).unwrap_or(usize::MAX).min(buffer.len());
        self.0.push(PutAside { rcvid, head: *head, bytes: Vec::from(&buffer[..length]) });
    }

    /// Takes a request back.
    pub fn take(&mut self, rcvid: u64) -> Option<PutAside> {
        let index = self.0.iter().position(|request| request.rcvid == rcvid)?;
        Some(self.0.remove(index))
    }

    /// The requests.
    pub fn iter(&self) -> impl Iterator<Item = &PutAside> {
        self.0.iter()
    }

    /// A client wants to leave, or has left: if its request is here it is dropped, and answered EINTR.
    pub fn unblock(&mut self, rcvid: u64) {
        if self.take(rcvid).is_some() {
            // Who has left needs no answer.
            let _gone = message::error(rcvid, Errno::EINTR);
        }
    }
}
