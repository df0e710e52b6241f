//! Opening a FIFO: an open for reading waits for a writer, and the other way round (POSIX.1-2017
//! `open`). Who waits counts as present for the other end, so that two who wait for each other are
//! let in together.

use crate::buffer::ATOMIC;
use crate::node::{READING, WRITING};
use crate::server::Pipes;
use alloc::vec::Vec;
use neutrino_rt::Errno;
use neutrino_rt::abi::message::Head;
use neutrino_rt::message::{self, Received};
use resmgr::{Aside, Engine, Node, Outcome};

/// Bytes of a message that are received at once: an atomic write. Longer ones go straight from the
/// client's memory to where they are kept.
const BUFFER_BYTES: usize = ATOMIC + 256;

/// Somebody who waits to open an end of a pipe.
#[derive(Clone, Copy, Debug)]
struct Opener {
    rcvid: u64,
    pipe: u64,
    end: Node,
}

/// Who waits, and what the request in hand is about.
#[derive(Debug, Default)]
pub(crate) struct Openers {
    waiting: Vec<Opener>,
    requests: Aside,
    /// The request in hand has to wait: it is the last of `waiting`.
    has_to_wait: bool,
    /// The request in hand has waited and may enter.
    admitted: Option<u64>,
}

impl Openers {
    /// Whether somebody waits to open this end.
    pub(crate) fn has(&self, pipe: u64, end: Node) -> bool {
        self.waiting.iter().any(|opener| opener.pipe == pipe && opener.end == end)
    }

    /// Whether anybody waits at this pipe.
    pub(crate) fn any(&self, pipe: u64) -> bool {
        self.has(pipe, READING) || self.has(pipe, WRITING)
    }

    /// Whether a request has waited already.
    pub(crate) fn is_admitted(&self, rcvid: u64) -> bool {
        self.admitted == Some(rcvid)
    }

    /// The request in hand has to wait; its handler fails, and nobody sees the error.
    pub(crate) fn wait(&mut self, rcvid: u64, pipe: u64, end: Node) -> Errno {
        self.waiting.push(Opener { rcvid, pipe, end });
        self.has_to_wait = true;
        Errno::EAGAIN
    }

    /// A client wants to leave; returns the pipe that it waited at.
    pub(crate) fn unblock(&mut self, rcvid: u64) -> Option<u64> {
        let index = self.waiting.iter().position(|opener| opener.rcvid == rcvid)?;
        self.requests.unblock(rcvid);
        Some(self.waiting.remove(index).pipe)
    }
}

/// Receives and answers for ever; returns only if the channel is gone.
pub(crate) fn serve(engine: &mut Engine<Pipes>, chid: u32) -> Errno {
    let mut buffer = alloc::vec![0; BUFFER_BYTES];
    let mut received = message::receive(chid, &mut buffer);
    // Bound: none; this is what a server does.
    loop {
        let answer = match received {
            Ok(Received::Message { rcvid, head }) => {
                handle(engine, rcvid, &head, &buffer).map(|(result, data)| (rcvid, result, data))
            }
            Ok(Received::Pulse(pulse)) => {
                engine.pulse(&pulse);
                None
            }
            Err(Errno::EINTR | Errno::ETIMEDOUT | Errno::EFAULT) => None,
            Err(errno) => return errno,
        };
        admit(engine);
        received = match answer {
            Some((rcvid, result, data)) => {
                let next = message::reply_receive(rcvid, result, &data, chid, &mut buffer);
                engine.recycle(data);
                next
            }
            None => message::receive(chid, &mut buffer),
        };
    }
}

/// Handles a message; returns what to answer now.
fn handle(
    engine: &mut Engine<Pipes>,
    rcvid: u64,
    head: &Head,
    buffer: &[u8],
) -> Option<(Result<i64, Errno>, Vec<u8>)> {
    let (outcome, data) = engine.handle(rcvid, head, buffer);
    let openers = &mut engine.server.openers;
    if core::mem::take(&mut openers.has_to_wait) {
        openers.requests.put(rcvid, head, buffer);
        return None;
    }
    match outcome {
        Outcome::Reply(result) => Some((result, data)),
        Outcome::Pending => {
            engine.recycle(data);
            None
        }
    }
}

/// Lets those in whose other end is open by now.
// Bound: each turn takes one off the list.
fn admit(engine: &mut Engine<Pipes>) {
    loop {
        let server = &mut engine.server;
        let waiting = &server.openers.waiting;
        if waiting.is_empty() {
            return;
        }
        let may_enter = |opener: &Opener| server.is_open(opener.pipe, opener.end ^ 1);
        let Some(index) = waiting.iter().position(may_enter) else { return };
        let Opener { rcvid, .. } = server.openers.waiting.remove(index);
        let Some(request) = server.openers.requests.take(rcvid) else { continue };
        server.openers.admitted = Some(rcvid);
        if let Some((result, data)) = handle(engine, rcvid, &request.head, &request.bytes) {
            // A client that is gone needs no answer.
            let _gone = match result {
                Ok(status) => message::reply(rcvid, status, &data),
                Err(errno) => message::error(rcvid, errno),
            };
        }
        engine.server.openers.admitted = None;
    }
}

const _: () = assert!(READING ^ 1 == WRITING);
