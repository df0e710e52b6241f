//! The framework's state, and the way of a message through it.

use crate::lock::Locks;
use crate::mount::{self, Mount};
use crate::ocb::Ocbs;
use crate::request::Request;
use crate::server::{Node, Outcome, Server};
use alloc::vec::Vec;
use io_msg::connect::Connect;
use io_msg::kind;
use neutrino_rt::Errno;
use neutrino_rt::abi::message::{Head, LET_GO};
use neutrino_rt::abi::pulse::{self, Pulse};

/// Most bytes that are kept for the next reply.
const SPARE_MAX: usize = 16 * 1024;

/// A server with its attachments and open files.
#[derive(Debug)]
pub struct Engine<S> {
    /// The server itself.
    pub server: S,
    /// Where it is attached.
    pub mounts: Vec<Mount>,
    /// Its open files.
    pub ocbs: Ocbs,
    pub(crate) locks: Locks,
    /// Room for the data of the next reply.
    spare: Vec<u8>,
}

impl<S: Server> Engine<S> {
    /// A server that is not attached anywhere yet.
    pub fn new(server: S) -> Self {
        let (ocbs, locks) = (Ocbs::default(), Locks::default());
        Self { server, mounts: Vec::new(), ocbs, locks, spare: Vec::new() }
    }

    /// Attaches `root` at a path of the name space (QNX: `resmgr_attach`); `flags` are
    /// `io_msg::proc::ATTACH_*`. Returns the attach id.
    ///
    /// # Errors
    /// EPERM without the right to, EINVAL for a path that is not absolute.
    pub fn attach(&mut self, chid: u32, path: &str, root: Node, flags: u32) -> Result<u32, Errno> {
        let mode = self.server.attributes(root)?.mode;
        let index = self.mounts.len();
        self.mounts.push(Mount::new(path.as_bytes(), root));
        let attached = mount::attach(chid, index, path.as_bytes(), flags, mode);
        if attached.is_err() {
            self.mounts.pop();
        }
        attached
    }

    /// Handles one message; returns what to answer now, with the data, or `Pending`.
    pub fn handle(&mut self, rcvid: u64, head: &Head, buffer: &[u8]) -> (Outcome, Vec<u8>) {
        let mut request = Request::new(rcvid, head, buffer);
        request.reply = core::mem::take(&mut self.spare);
        let outcome = self.dispatch(&mut request);
        self.server.idle(&mut self.ocbs);
        (outcome, request.reply)
    }

    /// Takes back the data of a reply that has been sent: their memory serves the next one.
    #[inline]
    pub fn recycle(&mut self, mut data: Vec<u8>) {
        if data.capacity() <= SPARE_MAX {
            data.clear();
            self.spare = data;
        }
    }

    fn dispatch(&mut self, request: &mut Request<'_>) -> Outcome {
        let kind = match request.header::<[u8; 2]>() {
            Ok(bytes) => u16::from_le_bytes(bytes),
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        match kind {
            kind::IO_CONNECT => match request.header::<Connect>() {
                Ok(message) => self.connect(request, &message),
                Err(errno) => Outcome::Reply(Err(errno)),
            },
            // Anybody can send this; only the kernel knows that nobody else has the file open.
            kind::IO_CLOSE if request.head.is_last => {
                self.close(request.head.badge);
                Outcome::Reply(Ok(LET_GO))
            }
            kind::IO_READ..=kind::IO_STATVFS => self.io(request, kind),
            _ => self.server.message(request, kind, &mut self.ocbs),
        }
    }

    /// Handles one pulse.
    pub fn pulse(&mut self, pulse: &Pulse) {
        match pulse.code {
            pulse::DISCONNECT => self.close(pulse.value),
            pulse::UNBLOCK => {
                self.locks.unblock(pulse.value);
                self.server.unblock(pulse.value);
            }
            kind::PULSE_COVERED => self.cover(pulse.value as u32),
            kind::PULSE_UNCOVERED => self.uncover(pulse.value as u32),
            _ => self.server.pulse(pulse, &mut self.ocbs),
        }
        self.server.idle(&mut self.ocbs);
    }

    /// The last descriptor of an open file is gone: the message or the pulse, whichever comes first.
    pub(crate) fn close(&mut self, badge: u64) {
        let Some(ocb) = self.ocbs.remove(badge) else { return };
        self.locks.release(ocb.node, badge);
        self.server.closed(&ocb, &self.ocbs);
        if !self.ocbs.iter().any(|other| other.node == ocb.node) {
            self.server.released(ocb.node);
        }
    }

    fn cover(&mut self, attach: u32) {
        // An attachment that is gone already covers nothing.
        let Ok(path) = mount::prefix_of(attach) else { return };
        self.mounts.iter_mut().for_each(|mount| mount.cover(attach, &path));
    }

    fn uncover(&mut self, attach: u32) {
        self.mounts.iter_mut().for_each(|mount| mount.covered.retain(|(id, _)| *id != attach));
    }
}
