//! Sets of descriptors to wait for (Linux: `epoll`). A set holds *watches* on connections, which do
//! not keep them open; the kernel sends a pulse when a readiness word is set or a connection is gone.
//!
//! What may be ready is queued. A client that takes events looks at the words of what is queued:
//! what is not ready any more leaves the queue, what is told as long as it lasts goes to its end.

use crate::node::{SET, SIGNALS, id_of, kind_of};
use crate::special::PULSE_WATCH;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use io_msg::special::{SetChange, SetEvent, SetTake, change, events};
use neutrino_rt::abi::event::Event;
use neutrino_rt::abi::handle::{PollEntry, SELF, ready};
use neutrino_rt::channel::{self, Handle};
use neutrino_rt::interrupt::pulse_event;
use neutrino_rt::{Errno, manager, message};
use resmgr::{Ocbs, Request};
use zerocopy::IntoBytes;

/// Sets in sets in sets (Linux: 5).
const DEPTH_MAX: usize = 5;
/// What is told whether it is waited for or not.
const ALWAYS: u32 = ready::ERR | ready::HUP;
/// What can be told: readiness, and `RDNORM`, `RDBAND`, `WRNORM`, `WRBAND`.
const SHOWN: u32 =
    ready::IN | ready::PRI | ready::OUT | ALWAYS | ready::RDHUP | 0x40 | 0x80 | 0x100 | 0x200;
/// Words that are looked at in one kernel call.
const BATCH: usize = 32;

/// What of this server a descriptor is, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    Plain,
    /// A set.
    Set(u64),
    /// The reader's signals; it has no readiness of its own.
    Signals(u64),
}

/// Whether a descriptor is in the queue of its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queued {
    No,
    Yes,
    /// It was told once and waits to be modified.
    Spent,
}

/// A descriptor in a set.
#[derive(Debug)]
struct Member {
    set: u64,
    /// The number that the client put it in by, and the connection behind it then.
    key: (i32, u32),
    nature: Nature,
    watch: Handle,
    wanted: u32,
    /// In halves, as a structure that is packed has it.
    data: [u32; 2],
    /// Its readiness word when it was looked at last.
    seen: u32,
    queued: Queued,
}

impl Member {
    const fn is_edge(&self) -> bool {
        self.wanted & events::EDGE != 0
    }

    /// What of its readiness is to be told.
    const fn told(&self, bits: u32) -> u32 {
        bits & (self.wanted | ALWAYS) & SHOWN
    }

    const fn event(&self, bits: u32) -> SetEvent {
        SetEvent { events: bits, data: self.data }
    }
}

#[derive(Debug, Default)]
struct Set {
    members: BTreeMap<(i32, u32), u64>,
    queue: VecDeque<u64>,
    told: u32,
}

/// The sets of the system.
#[derive(Debug)]
pub(crate) struct Sets {
    sets: BTreeMap<u64, Set>,
    members: BTreeMap<u64, Member>,
    last: u64,
    /// Members that are told of edges.
    edges: usize,
    pulses: u32,
    changed: Vec<u64>,
}

/// The word of what a handle watches; `None`: that is gone.
fn look(watch: &Handle) -> Option<u32> {
    let mut entries = [entry(watch)];
    channel::look(&mut entries).ok()?;
    word(&entries[0])
}

fn entry(watch: &Handle) -> PollEntry {
    let events = i16::try_from(SHOWN).unwrap_or(0);
    PollEntry { coid: watch.raw().cast_signed(), events, revents: 0 }
}

fn word(entry: &PollEntry) -> Option<u32> {
    let bits = u32::from(entry.revents.cast_unsigned());
    (bits & ready::NVAL == 0).then_some(bits)
}

impl Sets {
    pub(crate) const fn new(pulses: u32) -> Self {
        Self {
            sets: BTreeMap::new(),
            members: BTreeMap::new(),
            last: 0,
            edges: 0,
            pulses,
            changed: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, id: u64) {
        self.sets.insert(id, Set { told: ready::SET, ..Set::default() });
    }

    /// Whether anybody is told of edges.
    pub(crate) const fn has_edges(&self) -> bool {
        self.edges > 0
    }

    /// The last descriptor of a set is gone.
    pub(crate) fn close(&mut self, id: u64) {
        let Some(set) = self.sets.remove(&id) else { return };
        for member in set.members.values() {
            self.forget(*member);
        }
    }

    fn forget(&mut self, id: u64) {
        if let Some(member) = self.members.remove(&id)
            && member.is_edge()
        {
            self.edges -= 1;
        }
    }

    fn remove(&mut self, id: u64) {
        let Some(member) = self.members.get(&id) else { return };
        if let Some(set) = self.sets.get_mut(&member.set) {
            set.members.remove(&member.key);
            set.queue.retain(|queued| *queued != id);
            self.changed.push(member.set);
        }
        self.forget(id);
    }

    /// Changes what is in a set.
    ///
    /// # Errors
    /// EBADF, EEXIST, ENOENT, EINVAL, ELOOP, ENOSPC.
    pub(crate) fn change(
        &mut self,
        request: &Request<'_>,
        id: u64,
        message: &SetChange,
        ocbs: &Ocbs,
    ) -> Result<(), Errno> {
        let file = message::take(request.rcvid, 0)?;
        let (_, info) = manager::handle_info(SELF, file.raw())?;
        let (_, own) = manager::handle_info(SELF, self.pulses)?;
        let is_own = (info.pid, info.chid) == (own.pid, own.chid);
        let node = ocbs.get(info.badge).filter(|_| is_own).map_or(0, |ocb| ocb.node);
        let nature = match kind_of(node) {
            SET => Nature::Set(id_of(node)),
            SIGNALS => Nature::Signals(id_of(node)),
            _ => Nature::Plain,
        };
        if nature == Nature::Set(id) {
            return Err(Errno::EINVAL);
        }
        let key = (message.descriptor, info.scoid);
        let known = self.sets.get(&id).ok_or(Errno::EBADF)?.members.get(&key).copied();
        match (message.subtype, known) {
            (change::ADD, Some(_)) => Err(Errno::EEXIST),
            (change::REMOVE | change::MODIFY, None) => Err(Errno::ENOENT),
            (change::ADD, None) => self.put((id, key), nature, &file, (request, message)),
            (change::REMOVE, Some(member)) => {
                self.remove(member);
                Ok(())
            }
            (change::MODIFY, Some(_)) if message.events & events::EXCLUSIVE != 0 => {
                Err(Errno::EINVAL)
            }
            (change::MODIFY, Some(member)) => {
                self.modify(member, message);
                Ok(())
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn put(
        &mut self,
        (set, key): (u64, (i32, u32)),
        nature: Nature,
        file: &Handle,
        (request, message): (&Request<'_>, &SetChange),
    ) -> Result<(), Errno> {
        if let Nature::Set(inner) = nature {
            if message.events & events::EXCLUSIVE != 0 {
                return Err(Errno::EINVAL);
            }
            let below = self.depth(inner, set, 0).ok_or(Errno::ELOOP)?;
            if below + self.height(set, 0) >= DEPTH_MAX {
                return Err(Errno::ELOOP);
            }
        }
        let id = self.last + 1;
        let priority = i32::from(request.info().priority);
        let event = Event { priority, ..pulse_event(self.pulses, PULSE_WATCH, id) };
        let watch = channel::watch(file.raw(), &event)
            .map_err(|errno| if errno == Errno::EAGAIN { Errno::ENOSPC } else { errno })?;
        // Commit: nothing below fails.
        self.last = id;
        let member = Member {
            set,
            key,
            nature,
            watch,
            wanted: 0,
            data: [0; 2],
            seen: 0,
            queued: Queued::No,
        };
        self.members.insert(id, member);
        if let Some(set) = self.sets.get_mut(&set) {
            set.members.insert(key, id);
        }
        self.modify(id, message);
        Ok(())
    }

    /// Levels of sets below one; `None`: the forbidden one is among them.
    // Bound: DEPTH_MAX levels.
    fn depth(&self, id: u64, forbidden: u64, level: usize) -> Option<usize> {
        if id == forbidden || level > DEPTH_MAX {
            return None;
        }
        let mut deepest = 1;
        for inner in self.sets.get(&id).into_iter().flat_map(|set| set.members.values()) {
            if let Some(Nature::Set(inner)) = self.members.get(inner).map(|member| member.nature) {
                deepest = deepest.max(1 + self.depth(inner, forbidden, level + 1)?);
            }
        }
        Some(deepest)
    }

    /// Levels of sets above one.
    // Bound: DEPTH_MAX levels.
    fn height(&self, id: u64, level: usize) -> usize {
        let holders = self.members.values().filter(|member| member.nature == Nature::Set(id));
        let above = holders.map(|member| match level {
            DEPTH_MAX => 0,
            _ => 1 + self.height(member.set, level + 1),
        });
        above.max().unwrap_or(0)
    }

    fn modify(&mut self, id: u64, message: &SetChange) {
        let Some(member) = self.members.get_mut(&id) else { return };
        self.edges -= usize::from(member.is_edge());
        (member.wanted, member.data) = (message.events, message.data);
        self.edges += usize::from(member.is_edge());
        if member.queued == Queued::Spent {
            member.queued = Queued::No;
        }
        member.seen = 0;
        self.changed(id);
    }

    /// The word of a member was set, or it is gone.
    pub(crate) fn changed(&mut self, id: u64) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(bits) = look(&member.watch) else { return self.remove(id) };
        let Some(set) = self.sets.get_mut(&member.set) else { return };
        // What was only taken away is no news; what is as it was has been set again.
        let is_news = bits & !member.seen != 0 || bits == member.seen;
        member.seen = bits;
        self.changed.push(member.set);
        match (member.queued, member.told(bits) != 0) {
            (Queued::No, true) if is_news || !member.is_edge() => {
                member.queued = Queued::Yes;
                set.queue.push_back(id);
            }
            (Queued::Yes, false) => {
                member.queued = Queued::No;
                set.queue.retain(|queued| *queued != id);
            }
            (Queued::No | Queued::Yes | Queued::Spent, _) => {}
        }
    }

    /// Takes what is ready, as far as the client has room; returns how many.
    ///
    /// # Errors
    /// EINVAL.
    pub(crate) fn take(
        &mut self,
        request: &mut Request<'_>,
        id: u64,
        message: &SetTake,
        signals: &BTreeMap<u64, u64>,
    ) -> Result<i64, Errno> {
        let room = usize::try_from(request.head.dstmsglen).unwrap_or(usize::MAX);
        let most = (message.most as usize).min(room / size_of::<SetEvent>());
        if most == 0 {
            return Err(Errno::EINVAL);
        }
        let mut told = self.signalled(id, message.pending, signals)?;
        told.truncate(most);
        self.take_queued(id, &mut told, most)?;
        request.reply.clear();
        request.reply.extend_from_slice(told.as_bytes());
        Ok(told.len() as i64)
    }

    /// The members of a set that read signals which are pending.
    fn signalled(
        &self,
        id: u64,
        pending: u64,
        signals: &BTreeMap<u64, u64>,
    ) -> Result<Vec<SetEvent>, Errno> {
        let set = self.sets.get(&id).ok_or(Errno::EBADF)?;
        if pending == 0 {
            return Ok(Vec::new());
        }
        let members = set.members.values().filter_map(|member| self.members.get(member));
        let reads = |member: &&Member| {
            let Nature::Signals(which) = member.nature else { return false };
            signals.get(&which).is_some_and(|own| own & pending != 0) && member.told(ready::IN) != 0
        };
        Ok(members.filter(reads).map(|member| member.event(ready::IN)).collect())
    }

    /// Takes what is queued and ready, up to so many events.
    fn take_queued(&mut self, id: u64, told: &mut Vec<SetEvent>, most: usize) -> Result<(), Errno> {
        let set = self.sets.get_mut(&id).ok_or(Errno::EBADF)?;
        self.changed.push(id);
        let mut again = Vec::new();
        let mut left = set.queue.len();
        // Bound: what is queued.
        while left > 0 && told.len() < most {
            let batch = left.min(BATCH).min(most - told.len());
            left -= batch;
            let taken: Vec<u64> = set.queue.drain(..batch).collect();
            let watched = taken.iter().filter_map(|member| self.members.get(member));
            let mut entries: Vec<PollEntry> = watched.map(|member| entry(&member.watch)).collect();
            channel::look(&mut entries)?;
            for (number, entry) in taken.iter().zip(&entries) {
                let Some(member) = self.members.get_mut(number) else { continue };
                let bits = member.told(word(entry).unwrap_or(0));
                member.queued = Queued::No;
                if bits == 0 {
                    continue;
                }
                told.push(member.event(bits));
                if member.wanted & events::ONE_SHOT != 0 {
                    member.queued = Queued::Spent;
                } else if !member.is_edge() {
                    member.queued = Queued::Yes;
                    again.push(*number);
                }
            }
        }
        set.queue.extend(again);
        Ok(())
    }

    /// Tells each changed set's readiness.
    pub(crate) fn settle(&mut self, mut tell: impl FnMut(u64, u32)) {
        // Bound: settling adds none.
        while let Some(id) = self.changed.pop() {
            let Some(set) = self.sets.get_mut(&id) else { continue };
            let bits = ready::SET | if set.queue.is_empty() { 0 } else { ready::IN };
            if set.told != bits {
                set.told = bits;
                tell(id, bits);
            }
        }
    }
}
