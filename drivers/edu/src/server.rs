//! Both files. The device does one thing at a time: clients wait in a queue for it.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use io_msg::stat::mode;
use neutrino_rt::abi::pulse::Pulse;
use neutrino_rt::{Errno, message};
use resmgr::{Attributes, Change, DataAt, Node, Ocb, Ocbs, Outcome, Request};

use crate::device::{BUFFER_BYTES, Done, Edu, INTERRUPT};

/// The node of `/dev/edu`.
pub(crate) const FACTORIAL: Node = 0;
/// The node of `/dev/edu.buffer`.
pub(crate) const BUFFER: Node = 1;

/// What a client waits for.
struct Work {
    /// The client; nobody if it has left while the device was at work for it.
    rcvid: Option<u64>,
    task: Task,
}

enum Task {
    Compute { number: u32, length: usize },
    Write { offset: u64, data: Vec<u8> },
    Read { offset: u64, bytes: u64 },
}

/// The server.
pub(crate) struct Server {
    edu: Edu,
    factorial: Attributes,
    buffer: Attributes,
    result: u32,
    /// The first one is what the device does now.
    queue: VecDeque<Work>,
}

impl Server {
    /// A server of a device that is at rest.
    pub(crate) fn new(edu: Edu) -> Self {
        let factorial = Attributes::new(1, mode::IFCHR | 0o666);
        let mut buffer = Attributes::new(2, mode::IFCHR | 0o666);
        buffer.size = BUFFER_BYTES;
        Self { edu, factorial, buffer, result: 1, queue: VecDeque::new() }
    }

    fn enqueue(&mut self, request: &Request<'_>, task: Task) -> Outcome {
        self.queue.push_back(Work { rcvid: Some(request.rcvid), task });
        if self.queue.len() == 1 {
            self.begin();
        }
        Outcome::Pending
    }

    /// Gives the device the first task.
    fn begin(&mut self) {
        let Some(work) = self.queue.front() else { return };
        match &work.task {
            Task::Compute { number, .. } => self.edu.compute(*number),
            Task::Read { offset, bytes } => self.edu.copy_out(*offset, *bytes),
            Task::Write { offset, data } => {
                self.edu.memory.memory().write_bytes(0, data);
                self.edu.copy_in(*offset, data.len() as u64);
            }
        }
    }

    /// Answers whom the device has worked for, and begins with the next one.
    fn finish(&mut self, done: Done) {
        let Some(work) = self.queue.pop_front() else { return };
        let mut data = Vec::new();
        let status = match (&work.task, done) {
            (Task::Compute { length, .. }, Done::Factorial(result)) => {
                self.result = result;
                Ok(*length as i64)
            }
            (Task::Write { data, .. }, Done::Copy) => Ok(data.len() as i64),
            (Task::Read { bytes, .. }, Done::Copy) => {
                data.resize(*bytes as usize, 0);
                self.edu.memory.memory().read_bytes(0, &mut data);
                Ok(*bytes as i64)
            }
            _ => Err(Errno::EIO),
        };
        if let Some(rcvid) = work.rcvid {
            // A client that is gone needs no answer.
            let _gone = match status {
                Ok(status) => message::reply(rcvid, status, &data),
                Err(errno) => message::error(rcvid, errno),
            };
        }
        self.begin();
    }
}

fn parse(data: &[u8]) -> Option<u32> {
    core::str::from_utf8(data).ok()?.trim().parse().ok()
}

impl resmgr::Server for Server {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        Ok(if node == BUFFER { self.buffer } else { self.factorial })
    }

    fn change(&mut self, node: Node, change: &Change) -> Result<(), Errno> {
        change.apply(if node == BUFFER { &mut self.buffer } else { &mut self.factorial });
        Ok(())
    }

    fn is_seekable(&self, ocb: &Ocb) -> bool {
        ocb.node == BUFFER
    }

    fn read(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        length: usize,
    ) -> Outcome {
        if ocb.node == FACTORIAL {
            let text = format!("{}\n", self.result).into_bytes();
            let rest = text.get(offset as usize..).unwrap_or_default();
            request.reply = Vec::from(rest.get(..length).unwrap_or(rest));
            return Outcome::Reply(Ok(request.reply.len() as i64));
        }
        let bytes = BUFFER_BYTES.saturating_sub(offset).min(length as u64);
        if bytes == 0 {
            return Outcome::Reply(Ok(0));
        }
        request.move_offset(ocb, bytes);
        self.enqueue(request, Task::Read { offset, bytes })
    }

    fn write(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        data: DataAt,
    ) -> Outcome {
        let bytes = BUFFER_BYTES.saturating_sub(offset).min(data.length as u64);
        let (task, bytes) = match request.data(data.offset, bytes as usize) {
            Err(errno) => return Outcome::Reply(Err(errno)),
            Ok(_) if data.length == 0 => return Outcome::Reply(Ok(0)),
            Ok(data) if ocb.node == FACTORIAL => match parse(&data) {
                Some(number) => (Task::Compute { number, length: data.len() }, 0),
                None => return Outcome::Reply(Err(Errno::EINVAL)),
            },
            Ok(data) if data.is_empty() => return Outcome::Reply(Err(Errno::ENOSPC)),
            Ok(data) => (Task::Write { offset, data }, bytes),
        };
        request.move_offset(ocb, bytes);
        self.enqueue(request, task)
    }

    fn pulse(&mut self, pulse: &Pulse, _: &mut Ocbs) {
        if pulse.code == INTERRUPT
            && let Some(done) = self.edu.interrupt()
        {
            self.finish(done);
        }
    }

    fn unblock(&mut self, rcvid: u64) {
        let Some(at) = self.queue.iter().position(|work| work.rcvid == Some(rcvid)) else { return };
        if at == 0 {
            // The device cannot be stopped: it works for nobody.
            self.queue.iter_mut().take(1).for_each(|work| work.rcvid = None);
        } else {
            self.queue.remove(at);
        }
        let _gone = message::error(rcvid, Errno::EINTR);
    }
}
