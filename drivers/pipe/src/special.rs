//! What is a descriptor and no file: counters, timers, sets of descriptors, the reader's signals.

use crate::events::{Events, Patience};
use crate::node::{COUNTER, SET, SIGNALS, TIMER, id_of, kind_of, node};
use crate::sets::Sets;
use crate::timers::Timers;
use alloc::collections::BTreeMap;
use io_msg::kind;
use io_msg::special::{READ_YOUR_SIGNALS, SetChange, SetTake, Signals, TimerSet};
use neutrino_rt::Errno;
use neutrino_rt::abi::handle::ready;
use neutrino_rt::abi::pulse::Pulse;
use resmgr::{DataAt, Node, Ocb, Ocbs, Outcome, Request, Special};

/// Codes of the server's own pulses.
pub(crate) const PULSE_TIMER: i8 = 1;
pub(crate) const PULSE_WATCH: i8 = 2;
pub(crate) const PULSE_TIMEOUT: i8 = 3;

/// All of them.
#[derive(Debug)]
pub(crate) struct Specials {
    events: Events,
    timers: Timers,
    sets: Sets,
    /// Which signals a descriptor reads.
    signals: BTreeMap<u64, u64>,
    last: u64,
}

fn patience_of(ocb: &Ocb) -> Patience {
    if ocb.is_nonblocking() { Patience::None } else { Patience::Waits }
}

impl Specials {
    /// `pulses` is a connection to the server's own channel.
    pub(crate) fn new(pulses: u32) -> Self {
        Self {
            events: Events::default(),
            timers: Timers::new(pulses),
            sets: Sets::new(pulses),
            signals: BTreeMap::new(),
            last: 0,
        }
    }

    /// Makes one; returns its node and its readiness.
    pub(crate) fn make(&mut self, what: Special) -> Result<(Node, u32), Errno> {
        self.last += 1;
        let id = self.last;
        Ok(match what {
            Special::Counter(count, taking) => {
                let (id, readiness) = self.events.add(count, taking);
                (node(id, COUNTER), readiness)
            }
            Special::Timer(clock) => {
                self.timers.add(id, clock)?;
                (node(id, TIMER), 0)
            }
            Special::Set => {
                self.sets.add(id);
                (node(id, SET), ready::SET)
            }
            Special::Socket(_) | Special::Connection(_) => return Err(Errno::ENOSYS),
            Special::Signals(set) => {
                self.signals.insert(id, set);
                (node(id, SIGNALS), ready::SIGNALS)
            }
        })
    }

    /// The last descriptor of one is gone.
    pub(crate) fn close(&mut self, which: Node) {
        let id = id_of(which);
        match kind_of(which) {
            COUNTER => self.events.close(id),
            TIMER => self.timers.close(id),
            SET => self.sets.close(id),
            _ => {
                self.signals.remove(&id);
            }
        }
    }

    pub(crate) fn read(&mut self, request: &mut Request<'_>, ocb: &Ocb, length: usize) -> Outcome {
        let (id, patience) = (id_of(ocb.node), patience_of(ocb));
        match kind_of(ocb.node) {
            COUNTER => self.events.read(request, id, length, patience),
            TIMER => self.timers.read(request, id, length, patience),
            SIGNALS => Outcome::Reply(Err(READ_YOUR_SIGNALS)),
            _ => Outcome::Reply(Err(Errno::EINVAL)),
        }
    }

    pub(crate) fn write(&mut self, request: &Request<'_>, ocb: &Ocb, data: DataAt) -> Outcome {
        match kind_of(ocb.node) {
            COUNTER => self.events.write(request, id_of(ocb.node), data, patience_of(ocb)),
            _ => Outcome::Reply(Err(Errno::EINVAL)),
        }
    }

    /// The messages of `io_msg::special`.
    pub(crate) fn message(
        &mut self,
        request: &mut Request<'_>,
        which: (Node, u32),
        kind: u16,
        ocbs: &Ocbs,
    ) -> Outcome {
        Outcome::Reply(self.answer(request, which, kind, ocbs))
    }

    fn answer(
        &mut self,
        request: &mut Request<'_>,
        (which, ioflag): (Node, u32),
        kind: u16,
        ocbs: &Ocbs,
    ) -> Result<i64, Errno> {
        let id = id_of(which);
        match (kind, kind_of(which)) {
            (kind::TIMER_SET, TIMER) => {
                let message: TimerSet = request.header()?;
                self.timers.set(request, id, &message)
            }
            (kind::TIMER_GET, TIMER) => self.timers.get(request, id),
            (kind::SET_CHANGE, SET) => {
                let message: SetChange = request.header()?;
                self.sets.change(request, id, &message, ocbs).map(|()| 0)
            }
            (kind::SET_TAKE, SET) => {
                let message: SetTake = request.header()?;
                self.sets.take(request, id, &message, &self.signals)
            }
            (kind::SIGNALS, SIGNALS) => {
                let message: Signals = request.header()?;
                let set = self.signals.get_mut(&id).ok_or(Errno::EBADF)?;
                request.reply.clear();
                request.reply.extend_from_slice(&set.to_le_bytes());
                if message.subtype == 1 {
                    *set = message.set;
                }
                Ok(i64::from(ioflag & io_msg::stat::open::NONBLOCK != 0))
            }
            _ => Err(Errno::ENOSYS),
        }
    }

    /// A pulse of the server's own.
    pub(crate) fn pulse(&mut self, pulse: &Pulse) {
        match pulse.code {
            PULSE_TIMER => self.timers.expire(pulse.value),
            PULSE_WATCH => self.sets.changed(pulse.value),
            _ => {}
        }
    }

    /// Whether who watches wants to be told of what comes to what is ready already.
    pub(crate) const fn wants_edges(&self) -> bool {
        self.sets.has_edges()
    }

    /// A client wants to leave; returns whether it waited here.
    pub(crate) fn unblock(&mut self, rcvid: u64) -> bool {
        self.events.unblock(rcvid) || self.timers.unblock(rcvid)
    }

    /// Lets the clients of what has changed go on; `tell` gets each one's new readiness.
    pub(crate) fn settle(&mut self, mut tell: impl FnMut(Node, u32)) {
        let edges = self.wants_edges();
        self.events.settle(edges, |id, bits| tell(node(id, COUNTER), bits));
        self.timers.settle(|id, bits| tell(node(id, TIMER), bits));
        self.sets.settle(|id, bits| tell(node(id, SET), bits));
    }
}
