//! All counters, by number, and the requests on them.

use crate::event::{BYTES, Event};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use neutrino_rt::Errno;
use resmgr::{DataAt, Outcome, Request, Taking};

/// The counters of the system.
#[derive(Debug, Default)]
pub(crate) struct Events {
    events: BTreeMap<u64, Event>,
    last: u64,
    changed: Vec<u64>,
}

/// Whether a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Waits,
    /// It fails with EAGAIN (`O_NONBLOCK`).
    None,
}

impl Events {
    /// Makes a counter; returns its number and its readiness.
    pub(crate) fn add(&mut self, count: u32, taking: Taking) -> (u64, u32) {
        self.last += 1;
        let event = Event::new(u64::from(count), taking);
        let readiness = event.readiness();
        self.events.insert(self.last, event);
        (self.last, readiness)
    }

    /// The last descriptor of a counter is gone.
    pub(crate) fn close(&mut self, id: u64) {
        self.events.remove(&id);
    }

    fn get_mut(&mut self, id: u64) -> Result<&mut Event, Errno> {
        self.changed.push(id);
        self.events.get_mut(&id).ok_or(Errno::EBADF)
    }

    pub(crate) fn read(
        &mut self,
        request: &mut Request<'_>,
        id: u64,
        length: usize,
        patience: Patience,
    ) -> Outcome {
        let event = match self.get_mut(id) {
            Ok(_) if length < BYTES => return Outcome::Reply(Err(Errno::EINVAL)),
            Ok(event) => event,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        match event.take() {
            Some(value) => {
                request.reply.clear();
                request.reply.extend_from_slice(&value.to_le_bytes());
                Outcome::Reply(Ok(BYTES as i64))
            }
            None if patience == Patience::None => Outcome::Reply(Err(Errno::EAGAIN)),
            None => {
                event.wait_to_read(request.rcvid);
                Outcome::Pending
            }
        }
    }

    pub(crate) fn write(
        &mut self,
        request: &Request<'_>,
        id: u64,
        data: DataAt,
        patience: Patience,
    ) -> Outcome {
        let value = match number(request, data) {
            Ok(value) => value,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        let event = match self.get_mut(id) {
            Ok(event) => event,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        if event.add_next(value) {
            return Outcome::Reply(Ok(BYTES as i64));
        }
        if patience == Patience::None {
            return Outcome::Reply(Err(Errno::EAGAIN));
        }
        event.wait_to_write(request.rcvid, value);
        Outcome::Pending
    }

    /// A client wants to leave; returns whether it waited at a counter.
    pub(crate) fn unblock(&mut self, rcvid: u64) -> bool {
        let found =
            self.events.iter_mut().find_map(|(&id, event)| event.unblock(rcvid).then_some(id));
        self.changed.extend(found);
        found.is_some()
    }

    /// Lets the clients of what has changed go on; `tell` gets each counter's new readiness.
    pub(crate) fn settle(&mut self, edges: bool, mut tell: impl FnMut(u64, u32)) {
        // Bound: settling adds none.
        while let Some(id) = self.changed.pop() {
            let Some(event) = self.events.get_mut(&id) else { continue };
            event.pump();
            let bits = event.readiness();
            let is_fresh = core::mem::take(&mut event.is_fresh) && edges;
            if event.told != bits || is_fresh {
                event.told = bits;
                tell(id, bits);
            }
        }
    }
}

/// The number that a write adds.
///
/// # Errors
/// EINVAL: there are fewer bytes than one has, or it is the one that no counter can take.
fn number(request: &Request<'_>, data: DataAt) -> Result<u64, Errno> {
    if data.length < BYTES {
        return Err(Errno::EINVAL);
    }
    let bytes = match request.inline(data.offset, BYTES) {
        Some(bytes) => bytes.try_into().ok(),
        None => request.data(data.offset, BYTES)?.try_into().ok(),
    };
    match bytes.map(u64::from_le_bytes) {
        Some(u64::MAX) | None => Err(Errno::EINVAL),
        Some(value) => Ok(value),
    }
}
