//! One socket: what came for it, and who waits at it.
//!
//! A socket has a queue of what came and a peer to send to; that is the whole of a connection.
//! Senders wait at the socket that they send to, whose queue is full.

use crate::address::Address;
use crate::packet::{Origin, Packet, Taken, Wanted, copies};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use io_msg::socket::{Credentials, flag, kind};
use neutrino_rt::channel::Handle;
use neutrino_rt::{Errno, message};
use resmgr::DataAt;

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

/// Somebody who waits to connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connector {
    pub(crate) rcvid: u64,
    pub(crate) socket: u64,
    pub(crate) deadline: u64,
}

/// What waits at a socket that listens.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    /// How many connections may wait beside the next one.
    pub(crate) backlog: usize,
    pub(crate) waiting: VecDeque<u64>,
    pub(crate) connectors: VecDeque<Connector>,
}

/// What a socket is used for.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nothing yet; datagrams need no more.
    Fresh,
    /// Others connect to it.
    Listening(Listener),
    /// It has a peer, or had one.
    Connected,
}

/// What a program has set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Receivers are told who sent (`SO_PASSCRED`).
    pub(crate) credentials: bool,
    /// How long receivers and senders wait, in nanoseconds; `u64::MAX`: as long as it takes.
    pub(crate) receive_limit: u64,
    pub(crate) send_limit: u64,
}

#[derive(Debug)]
struct Receiver {
    rcvid: u64,
    wanted: Wanted,
    deadline: u64,
}

/// Somebody who waits to send.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) rcvid: u64,
    pub(crate) data: DataAt,
    pub(crate) done: usize,
    pub(crate) origin: Origin,
    pub(crate) deadline: u64,
}

/// A socket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) kind: Kind,
    /// Who made, connected or listened with it (`SO_PEERCRED` of its peer).
    pub(crate) maker: Credentials,
    pub(crate) name: Option<Address>,
    pub(crate) standing: Standing,
    pub(crate) settings: Settings,
    /// Where it sends to; none: nobody, or nobody any more.
    pub(crate) peer: Option<u64>,
    pub(crate) receiving: Direction,
    pub(crate) sending: Direction,
    /// Told once, by the next call.
    pub(crate) error: Option<Errno>,
    /// Readiness as the kernel knows it.
    pub(crate) told: u32,
    /// Something came since that was told.
    pub(crate) is_fresh: bool,
    /// Descriptors that a thread will send with its next message.
    pub(crate) offered: Vec<(u32, Handle)>,
    packets: VecDeque<Packet>,
    bytes: usize,
    receivers: VecDeque<Receiver>,
    senders: VecDeque<Sender>,
}

impl Socket {
    pub(crate) const fn new(kind: Kind, maker: Credentials, standing: Standing) -> Self {
        Self {
            kind,
            maker,
            name: None,
            standing,
            settings: Settings {
                credentials: false,
                receive_limit: u64::MAX,
                send_limit: u64::MAX,
            },
            peer: None,
            receiving: Direction::Open,
            sending: Direction::Open,
            error: None,
            told: u32::MAX,
            is_fresh: false,
            offered: Vec::new(),
            packets: VecDeque::new(),
            bytes: 0,
            receivers: VecDeque::new(),
            senders: VecDeque::new(),
        }
    }

    /// Its address, as programs see it.
    pub(crate) fn address(&self) -> Vec<u8> {
        self.name.as_ref().map_or_else(Address::unnamed, |name| name.bytes.clone())
    }

    /// Bytes that `FIONREAD` tells: all, but of datagrams those of the first.
    pub(crate) fn readable(&self) -> usize {
        match self.kind {
            Kind::Stream | Kind::SeqPacket => self.bytes,
            Kind::Datagram => self.packets.front().map_or(0, |packet| packet.bytes.len()),
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
    pub(crate) fn put(&mut self, data: &[u8], origin: Origin) {
        self.bytes += data.len();
        self.is_fresh = true;
        match (self.kind, self.packets.back_mut()) {
            (Kind::Stream, Some(last)) if last.continues(&origin) => last.bytes.extend(data),
            (Kind::Stream | Kind::Datagram | Kind::SeqPacket, _) => {
                self.packets.push_back(Packet { bytes: data.iter().copied().collect(), origin });
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
        let waits_for_all = wanted.flags & flag::WAITALL != 0 && !is_over;
        let mut taken = match self.kind {
            Kind::Stream if waits_for_all && self.bytes < wanted.length.min(CAPACITY) => {
                return None;
            }
            Kind::Stream => self.take_stretch(wanted),
            Kind::Datagram | Kind::SeqPacket => self.take_packet(wanted),
        };
        if self.settings.credentials {
            taken.flags |= flag::CREDENTIALS;
        }
        Some(Ok(taken))
    }

    /// Takes bytes of one sender, up to and with the first that descriptors go with.
    fn take_stretch(&mut self, wanted: &Wanted) -> Taken {
        let mut taken = Taken::default();
        if wanted.length == 0 {
            return taken;
        }
        let mut at = 0;
        while let Some(packet) = self.packets.get_mut(at) {
            let is_first = taken.bytes.is_empty();
            let is_others = packet.origin.credentials != taken.origin.credentials;
            if !is_first && (taken.bytes.len() == wanted.length || is_others) {
                break;
            }
            let count = packet.bytes.len().min(wanted.length - taken.bytes.len());
            taken.bytes.extend(packet.bytes.iter().take(count));
            let passes = !packet.origin.handles.is_empty();
            let handles = if wanted.is_peek() {
                copies(&packet.origin.handles)
            } else {
                core::mem::take(&mut packet.origin.handles)
            };
            if is_first {
                taken.origin.address.clone_from(&packet.origin.address);
                taken.origin.credentials = packet.origin.credentials;
            }
            taken.origin.handles.extend(handles);
            if wanted.is_peek() {
                at += 1;
            } else {
                packet.bytes.drain(..count);
                self.bytes -= count;
                if !packet.bytes.is_empty() {
                    break;
                }
                self.packets.pop_front();
            }
            if passes {
                break;
            }
        }
        taken.status = taken.bytes.len();
        taken
    }

    fn take_packet(&mut self, wanted: &Wanted) -> Taken {
        let Some(packet) = self.packets.front() else { return Taken::default() };
        let whole = packet.bytes.len();
        let count = whole.min(wanted.length);
        let bytes = packet.bytes.iter().copied().take(count).collect();
        let flags = if count < whole { flag::TRUNC } else { 0 };
        let status = if wanted.flags & flag::TRUNC != 0 { whole } else { count };
        let origin = if wanted.is_peek() {
            let Origin { address, credentials, handles } = &packet.origin;
            let (address, handles) = (address.clone(), copies(handles));
            Origin { address, credentials: *credentials, handles }
        } else {
            self.bytes -= whole;
            self.packets.pop_front().map(|packet| packet.origin).unwrap_or_default()
        };
        Taken { bytes, status, flags, origin }
    }

    pub(crate) fn wait_to_receive(&mut self, rcvid: u64, wanted: Wanted, deadline: u64) {
        self.receivers.push_back(Receiver { rcvid, wanted, deadline });
    }

    pub(crate) fn wait_to_send(&mut self, sender: Sender) {
        self.senders.push_back(sender);
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
                let (status, data) = taken.reply(receiver.rcvid, wanted.form);
                let failed = message::reply(receiver.rcvid, status, &data).is_err();
                if failed && !wanted.is_peek() {
                    self.give_back(taken);
                }
            }
        }
        true
    }

    /// The receiver died: what it did not get is the next one's.
    fn give_back(&mut self, taken: Taken) {
        if taken.bytes.is_empty() && taken.origin.handles.is_empty() {
            return;
        }
        self.bytes += taken.bytes.len();
        self.packets.push_front(Packet { bytes: taken.bytes.into(), origin: taken.origin });
    }

    fn serve_sender(&mut self) -> bool {
        let is_shut = self.receiving == Direction::Shut;
        let Some(sender) = self.senders.front_mut() else { return false };
        let (rest, offset) = (sender.data.length - sender.done, sender.data.offset + sender.done);
        let rcvid = sender.rcvid;
        let accepted = if is_shut { Some(0) } else { self.accepts(rest) };
        let Some(count) = accepted else { return false };
        let mut chunk = alloc::vec![0; count];
        let read = if is_shut { Ok(0) } else { message::read(rcvid, &mut chunk, offset as u64) };
        let outcome = match read {
            // A message whose memory is bad does not come in part.
            Ok(n) if !is_shut && (n == count || self.kind == Kind::Stream && n > 0) => {
                let Some(sender) = self.senders.front_mut() else { return false };
                sender.done += n;
                let is_done = sender.done == sender.data.length;
                let origin = sender.origin.part();
                self.put(chunk.get(..n).unwrap_or_default(), origin);
                if !is_done {
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

    /// The socket goes: who sends or connects to it is told.
    pub(crate) fn dismiss(&mut self, errno: Errno) {
        self.senders.drain(..).for_each(|sender| Self::answer(&sender, Err(errno)));
        if let Standing::Listening(listener) = &mut self.standing {
            for connector in listener.connectors.drain(..) {
                let _it_may_be_gone = message::error(connector.rcvid, Errno::ECONNREFUSED);
            }
        }
    }

    /// Lets those go who are chosen by rcvid and deadline; returns whether there was one.
    pub(crate) fn let_go(&mut self, chosen: impl Fn(u64, u64) -> bool, errno: Errno) -> bool {
        let mut found = false;
        self.receivers.retain(|receiver| {
            let goes = chosen(receiver.rcvid, receiver.deadline);
            if goes {
                let _it_may_be_gone = message::error(receiver.rcvid, errno);
            }
            found |= goes;
            !goes
        });
        self.senders.retain(|sender| {
            let goes = chosen(sender.rcvid, sender.deadline);
            if goes {
                Self::answer(sender, Err(errno));
            }
            found |= goes;
            !goes
        });
        if let Standing::Listening(listener) = &mut self.standing {
            listener.connectors.retain(|connector| {
                let goes = chosen(connector.rcvid, connector.deadline);
                if goes {
                    let _it_may_be_gone = message::error(connector.rcvid, errno);
                }
                found |= goes;
                !goes
            });
        }
        found
    }

    /// The earliest deadline of those who wait.
    pub(crate) fn deadline(&self) -> u64 {
        let receivers = self.receivers.iter().map(|receiver| receiver.deadline);
        let senders = self.senders.iter().map(|sender| sender.deadline);
        let connectors = match &self.standing {
            Standing::Listening(listener) => Some(&listener.connectors),
            Standing::Fresh | Standing::Connected => None,
        };
        let connectors = connectors.into_iter().flatten().map(|connector| connector.deadline);
        receivers.chain(senders).chain(connectors).min().unwrap_or(u64::MAX)
    }
}
