//! One socket: what came for it, and who waits at it.
//!
//! A socket has a queue of what came and a peer to send to; that is the whole of a connection.
//! Senders wait at the socket that they send to, whose queue is full.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use io_msg::socket::{Received, flag, kind};
use neutrino_rt::{Errno, message};
use resmgr::DataAt;
use zerocopy::IntoBytes;

/// Bytes that a queue holds.
pub(crate) const CAPACITY: usize = 64 * 1024;
/// Messages that a queue holds: empty ones take room, too.
const PACKETS_MAX: usize = 1024;

/// The type of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes, without borders.
    Stream,
    /// Messages; the other side may come and go.
    Datagram,
    /// Messages on a connection.
    SeqPacket,
}

impl Kind {
    /// By its number.
    ///
    /// # Errors
    /// ESOCKTNOSUPPORT.
    pub(crate) const fn of(number: u32) -> Result<Self, Errno> {
        match number {
            kind::STREAM => Ok(Self::Stream),
            kind::DATAGRAM => Ok(Self::Datagram),
            kind::SEQPACKET => Ok(Self::SeqPacket),
            _ => Err(Errno::ESOCKTNOSUPPORT),
        }
    }

    /// Its number.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Stream => kind::STREAM,
            Self::Datagram => kind::DATAGRAM,
            Self::SeqPacket => kind::SEQPACKET,
        }
    }
}

/// A direction of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Bytes may go.
    Open,
    /// None will.
    Shut,
}

/// Who made a socket (`SO_PEERCRED` of its peer).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Maker {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// How the answer to a receiver looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Data alone (`IO_READ`).
    Data,
    /// With a head and as many bytes of control data (`SOCKET_RECEIVE`).
    Message(usize),
}

/// What a receiver asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) length: usize,
    pub(crate) flags: u32,
    pub(crate) form: Form,
}

/// What it gets.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    bytes: Vec<u8>,
    status: usize,
    flags: u32,
}

impl Taken {
    /// Status and data of the reply.
    pub(crate) fn reply(&self, form: Form) -> (i64, Vec<u8>) {
        let data = match form {
            Form::Data => self.bytes.clone(),
            Form::Message(control) => {
                let head = Received { flags: self.flags, ..Received::default() };
                let mut data = Vec::from(head.as_bytes());
                data.resize(data.len() + control, 0);
                data.extend_from_slice(&self.bytes);
                data
            }
        };
        (self.status as i64, data)
    }
}

#[derive(Debug)]
struct Receiver {
    rcvid: u64,
    wanted: Wanted,
}

#[derive(Debug)]
struct Sender {
    rcvid: u64,
    data: DataAt,
    done: usize,
}

/// A socket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) kind: Kind,
    pub(crate) maker: Maker,
    /// Where it sends to; none: nobody, or nobody any more.
    pub(crate) peer: Option<u64>,
    pub(crate) receiving: Direction,
    pub(crate) sending: Direction,
    /// Told once, by the next call.
    pub(crate) error: Option<Errno>,
    /// Readiness as the kernel knows it.
    pub(crate) told: u32,
    packets: VecDeque<VecDeque<u8>>,
    bytes: usize,
    receivers: VecDeque<Receiver>,
    senders: VecDeque<Sender>,
}

impl Socket {
    pub(crate) const fn new(kind: Kind, maker: Maker, peer: u64) -> Self {
        Self {
            kind,
            maker,
            peer: Some(peer),
            receiving: Direction::Open,
            sending: Direction::Open,
            error: None,
            told: u32::MAX,
            packets: VecDeque::new(),
            bytes: 0,
            receivers: VecDeque::new(),
            senders: VecDeque::new(),
        }
    }

    /// Bytes that `FIONREAD` tells: all, but of datagrams those of the first.
    pub(crate) fn readable(&self) -> usize {
        match self.kind {
            Kind::Stream | Kind::SeqPacket => self.bytes,
            Kind::Datagram => self.packets.front().map_or(0, VecDeque::len),
        }
    }

    /// Whether something is queued.
    pub(crate) fn has_data(&self) -> bool {
        !self.packets.is_empty()
    }

    /// How much of `length` bytes the queue takes now; `None`: the sender has to wait.
    pub(crate) fn accepts(&self, length: usize) -> Option<usize> {
        let space = CAPACITY - self.bytes;
        match self.kind {
            Kind::Stream => (space > 0).then_some(length.min(space)),
            Kind::Datagram | Kind::SeqPacket => {
                (length <= space && self.packets.len() < PACKETS_MAX).then_some(length)
            }
        }
    }

    /// As [`Socket::accepts`], for a sender that may not go ahead of others.
    pub(crate) fn accepts_next(&self, length: usize) -> Option<usize> {
        if self.senders.is_empty() { self.accepts(length) } else { None }
    }

    /// Appends what the queue accepts.
    pub(crate) fn put(&mut self, data: &[u8]) {
        self.bytes += data.len();
        match (self.kind, self.packets.back_mut()) {
            (Kind::Stream, Some(last)) => last.extend(data),
            (Kind::Stream | Kind::Datagram | Kind::SeqPacket, _) => {
                self.packets.push_back(data.iter().copied().collect());
            }
        }
    }

    /// Takes what a receiver asks for; `None`: it has to wait.
    pub(crate) fn take(&mut self, wanted: &Wanted) -> Option<Result<Taken, Errno>> {
        let is_over = self.receiving == Direction::Shut;
        if self.packets.is_empty() {
            return match self.error.take() {
                Some(errno) => Some(Err(errno)),
                None => is_over.then(|| Ok(Taken::default())),
            };
        }
        if self.kind != Kind::Stream {
            return Some(Ok(self.take_packet(wanted)));
        }
        let waits_for_all = wanted.flags & flag::WAITALL != 0 && !is_over;
        if waits_for_all && self.bytes < wanted.length.min(CAPACITY) {
            return None;
        }
        let count = wanted.length.min(self.bytes);
        let mut bytes = Vec::with_capacity(count);
        // A stream's bytes are one packet.
        if let Some(packet) = self.packets.front_mut() {
            bytes.extend(packet.iter().take(count));
            if wanted.flags & flag::PEEK == 0 {
                packet.drain(..count);
                self.bytes -= count;
                if packet.is_empty() {
                    self.packets.pop_front();
                }
            }
        }
        Some(Ok(Taken { bytes, status: count, flags: 0 }))
    }

    fn take_packet(&mut self, wanted: &Wanted) -> Taken {
        let Some(packet) = self.packets.front() else { return Taken::default() };
        let whole = packet.len();
        let count = whole.min(wanted.length);
        let bytes = packet.iter().copied().take(count).collect();
        let flags = if count < whole { flag::TRUNC } else { 0 };
        let status = if wanted.flags & flag::TRUNC != 0 { whole } else { count };
        if wanted.flags & flag::PEEK == 0 {
            self.packets.pop_front();
            self.bytes -= whole;
        }
        Taken { bytes, status, flags }
    }

    pub(crate) fn wait_to_receive(&mut self, rcvid: u64, wanted: Wanted) {
        self.receivers.push_back(Receiver { rcvid, wanted });
    }

    pub(crate) fn wait_to_send(&mut self, rcvid: u64, data: DataAt) {
        self.senders.push_back(Sender { rcvid, data, done: 0 });
    }

    /// Moves data from waiting senders to waiting receivers as far as it goes.
    pub(crate) fn pump(&mut self) {
        // Bound: each turn answers a client or fills the queue.
        while self.serve_receiver() || self.serve_sender() {}
    }

    fn serve_receiver(&mut self) -> bool {
        let Some(wanted) = self.receivers.front().map(|receiver| receiver.wanted) else {
            return false;
        };
        let Some(taken) = self.take(&wanted) else { return false };
        let Some(receiver) = self.receivers.pop_front() else { return false };
        match taken {
            Err(errno) => {
                let _it_may_be_gone = message::error(receiver.rcvid, errno);
            }
            Ok(taken) => {
                let (status, data) = taken.reply(wanted.form);
                let failed = message::reply(receiver.rcvid, status, &data).is_err();
                if failed && wanted.flags & flag::PEEK == 0 {
                    self.give_back(taken);
                }
            }
        }
        true
    }

    /// The receiver died: what it did not get is the next one's.
    fn give_back(&mut self, taken: Taken) {
        if taken.bytes.is_empty() {
            return;
        }
        self.bytes += taken.bytes.len();
        match (self.kind, self.packets.front_mut()) {
            (Kind::Stream, Some(first)) => {
                taken.bytes.iter().rev().for_each(|&byte| first.push_front(byte));
            }
            (Kind::Stream | Kind::Datagram | Kind::SeqPacket, _) => {
                self.packets.push_front(taken.bytes.into());
            }
        }
    }

    fn serve_sender(&mut self) -> bool {
        let is_shut = self.receiving == Direction::Shut;
        let Some(sender) = self.senders.front() else { return false };
        let (rest, offset) = (sender.data.length - sender.done, sender.data.offset + sender.done);
        let accepted = if is_shut { Some(0) } else { self.accepts(rest) };
        let Some(count) = accepted else { return false };
        let mut chunk = alloc::vec![0; count];
        let read = match self.senders.front() {
            Some(sender) if !is_shut => message::read(sender.rcvid, &mut chunk, offset as u64),
            Some(_) | None => Err(Errno::EPIPE),
        };
        let outcome = match read {
            // A message whose memory is bad does not come in part.
            Ok(n) if n == count || self.kind == Kind::Stream && n > 0 => {
                self.put(chunk.get(..n).unwrap_or_default());
                let Some(sender) = self.senders.front_mut() else { return false };
                sender.done += n;
                if sender.done < sender.data.length {
                    return true;
                }
                Ok(())
            }
            Ok(_) | Err(_) => Err(if is_shut { Errno::EPIPE } else { Errno::EFAULT }),
        };
        if let Some(sender) = self.senders.pop_front() {
            Self::answer(&sender, outcome);
        }
        true
    }

    /// Answers a sender: what it has sent, or why it has sent nothing.
    fn answer(sender: &Sender, outcome: Result<(), Errno>) {
        let _it_may_be_gone = match outcome {
            Err(errno) if sender.done == 0 => message::error(sender.rcvid, errno),
            Ok(()) | Err(_) => message::reply(sender.rcvid, sender.done as i64, &[]),
        };
    }

    /// The socket goes: who sends to it is told.
    pub(crate) fn dismiss_senders(&mut self, errno: Errno) {
        self.senders.drain(..).for_each(|sender| Self::answer(&sender, Err(errno)));
    }

    /// A client wants to leave; returns whether it waited here.
    pub(crate) fn unblock(&mut self, rcvid: u64) -> bool {
        let before = self.receivers.len();
        self.receivers.retain(|receiver| receiver.rcvid != rcvid);
        if self.receivers.len() != before {
            let _it_may_be_gone = message::error(rcvid, Errno::EINTR);
            return true;
        }
        let at = self.senders.iter().position(|sender| sender.rcvid == rcvid);
        let Some(sender) = at.and_then(|index| self.senders.remove(index)) else { return false };
        Self::answer(&sender, Err(Errno::EINTR));
        true
    }
}
