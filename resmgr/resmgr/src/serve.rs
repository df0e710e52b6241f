//! The loop of a server with one thread.

use crate::engine::Engine;
use crate::server::{Outcome, Server};
use neutrino_rt::Errno;
use neutrino_rt::message::{self, Received};

/// Bytes of a message that are received at once; handlers fetch the rest where it is needed.
const BUFFER_BYTES: usize = 20 * 1024;

/// Receives and answers for ever; returns only if the channel is gone.
pub fn serve<S: Server>(engine: &mut Engine<S>, chid: u32) -> Errno {
    serve_with(engine, chid, BUFFER_BYTES)
}

/// As [`serve`], receiving at most so many bytes at once: fewer for a server that moves the data of
/// writes itself, and would receive them for nothing.
pub fn serve_with<S: Server>(engine: &mut Engine<S>, chid: u32, buffer_bytes: usize) -> Errno {
    let mut buffer = alloc::vec![0_u8; buffer_bytes];
    let mut received = message::receive(chid, &mut buffer);
    // Bound: none; this is what a server does.
    loop {
        received = match received {
            Ok(Received::Message { rcvid, head }) => match engine.handle(rcvid, &head, &buffer) {
                (Outcome::Reply(answer), data) => {
                    let next = message::reply_receive(rcvid, answer, &data, chid, &mut buffer);
                    engine.recycle(data);
                    next
                }
                (Outcome::Pending, _) => message::receive(chid, &mut buffer),
            },
            Ok(Received::Pulse(pulse)) => {
                engine.pulse(&pulse);
                message::receive(chid, &mut buffer)
            }
            Err(Errno::EINTR | Errno::ETIMEDOUT | Errno::EFAULT) => {
                message::receive(chid, &mut buffer)
            }
            Err(errno) => return errno,
        };
    }
}
