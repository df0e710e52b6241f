//! The canonical form of a state: equal for states between which no sequence of inputs can tell.
//!
//! Objects are walked from the processes and threads on and numbered as they are reached, so that
//! slots and free lists do not count; times count as differences to now; arrivals count by order
//! within their queue; numbers of messages, statistics, and what is in free slots do not count.
//! Threads and processes keep their slots: they are what a checker's inputs speak of.

use core::hash::{Hash, Hasher};

use crate::Kernel;
use crate::handles::{Place, Target};
use crate::ipc::channel::ChannelId;
use crate::ipc::connection::ConnectionId;
use crate::ipc::pulse::{Owner, PulseId};
use crate::limits;
use crate::list::List;
use crate::mutex::MutexId;
use crate::process::{Process, ProcessId};
use crate::signal::Pending;
use crate::slab::{Id, Maybe};
use crate::sporadic::Sporadic;
use crate::step::Work;
use crate::thread::{Policy, Queue, Sending, State, Thread, ThreadId};
use crate::thread_calls::policy_number;
use crate::time::deadline::Who;

/// Folds words by multiplication.
struct Mix(u64);

impl Mix {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the halves of a product")]
    fn word(&mut self, word: u64) {
        let input = self.0 ^ word.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let product = u128::from(input).wrapping_mul(0xd6e8_feb8_6659_fd93_9e37_79b9_7f4a_7c15);
        self.0 = (product as u64).rotate_left(29) ^ (product.wrapping_shr(64) as u64);
    }
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.word(u64::from_le_bytes(word));
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.word(word);
    }
    fn write_u32(&mut self, word: u32) {
        self.word(word.into());
    }
    fn write_u16(&mut self, word: u16) {
        self.word(word.into());
    }
    fn write_u8(&mut self, word: u8) {
        self.word(word.into());
    }
}

/// Numbers of objects in the order in which they were reached.
struct Numbers<const N: usize> {
    numbers: [u16; N],
    order: [u16; N],
    count: u16,
}

impl<const N: usize> Numbers<N> {
    const NEW: Self = Self { numbers: [0; N], order: [0; N], count: 0 };

    fn of(&mut self, slot: u16) -> u64 {
        let Some(number) = self.numbers.get_mut(usize::from(slot)) else { return 0 };
        if *number == 0 {
            if let Some(place) = self.order.get_mut(usize::from(self.count)) {
                *place = slot;
            }
            self.count = self.count.wrapping_add(1);
            *number = self.count;
        }
        (*number).into()
    }

    /// The slot that was reached as number `at + 1`.
    fn at(&self, at: u16) -> Option<u16> {
        let slot = self.order.get(usize::from(at)).copied();
        slot.filter(|_| at < self.count)
    }
}

/// The walk.
struct Walk<'a> {
    kernel: &'a Kernel,
    now: u64,
    mix: Mix,
    /// Whether slices count: threads that run until they block hand theirs on to others.
    slices: bool,
    channels: Numbers<{ limits::CHANNELS }>,
    connections: Numbers<{ limits::CONNECTIONS }>,
    mutexes: Numbers<{ limits::MUTEXES }>,
}

impl Kernel {
    /// A hash of the canonical form of a state at a time.
    #[must_use]
    pub fn canon(&self, now: u64) -> u64 {
        let mut walk = Walk {
            kernel: self,
            now,
            mix: Mix(0),
            slices: self.threads.iter().any(|(_, thread)| is_sliced(thread.policy)),
            channels: Numbers::NEW,
            connections: Numbers::NEW,
            mutexes: Numbers::NEW,
        };
        walk.all();
        walk.mix.finish()
    }

    /// Whether a number names a thread that waits for the answer to that message.
    #[must_use]
    pub fn awaits_answer(&self, rcvid: u64) -> bool {
        let (slot, wanted) = crate::ipc::deliver::rcvid_parts(rcvid);
        self.threads.lookup(slot).is_some_and(|client| {
            matches!(self.threads[client].state, State::Reply { sequence, .. } if sequence == wanted)
        })
    }
}

fn slot<T>(id: Option<Id<T>>) -> u64 {
    Maybe::new(id).get().map_or(0, |id| id.index().into())
}

impl Walk<'_> {
    fn words(&mut self, words: &[u64]) {
        words.iter().for_each(|word| self.mix.word(*word));
    }
    fn pack(&mut self, parts: [u16; 4]) {
        let [a, b, c, d] = parts.map(u64::from);
        self.mix.word(a | b.wrapping_shl(16) | c.wrapping_shl(32) | d.wrapping_shl(48));
    }
    fn later(&self, time: u64) -> u64 {
        if time == u64::MAX { time } else { time.saturating_sub(self.now) }
    }
    fn channel(&mut self, id: Option<ChannelId>) -> u64 {
        id.map_or(0, |id| self.channels.of(id.index()))
    }
    fn connection(&mut self, id: ConnectionId) -> u64 {
        self.connections.of(id.index())
    }
    fn mutex(&mut self, id: MutexId) -> u64 {
        self.mutexes.of(id.index())
    }

    fn all(&mut self) {
        let kernel = self.kernel;
        for (id, process) in kernel.processes.iter() {
            self.process(id, process);
        }
        for (id, thread) in kernel.threads.iter() {
            self.thread(id, thread);
        }
        self.cpus();
        let manager = self.channel(kernel.manager);
        let pulses = [kernel.program_pulses.into(), kernel.orphan_pulses.into()];
        self.words(&[manager]);
        self.words(&pulses);
        for bucket in &kernel.futexes {
            self.arrivals(bucket);
        }
        for (who, _) in kernel.deadlines.iter() {
            who_slot(who).hash(&mut self.mix);
        }
        self.reached();
        // None of these are in the checker's configurations but by number.
        kernel.timers.iter().for_each(|(id, timer)| (id, timer).hash(&mut self.mix));
        kernel.watches.iter().for_each(|(id, watch)| (id, watch).hash(&mut self.mix));
        kernel.poll_nodes.iter().for_each(|(id, node)| (id, node).hash(&mut self.mix));
    }

    /// What was reached on the way and is reached from that.
    fn reached(&mut self) {
        let (mut channel, mut connection, mut mutex) = (0, 0, 0);
        loop {
            if let Some(slot) = self.channels.at(channel) {
                channel = channel.wrapping_add(1);
                self.one_channel(slot);
            } else if let Some(slot) = self.connections.at(connection) {
                connection = connection.wrapping_add(1);
                self.one_connection(slot);
            } else if let Some(slot) = self.mutexes.at(mutex) {
                mutex = mutex.wrapping_add(1);
                self.one_mutex(slot);
            } else {
                return;
            }
        }
    }

    fn process(&mut self, id: ProcessId, process: &Process) {
        let kernel = self.kernel;
        let life = process.life as u16;
        let [own, space, count] =
            [id.index(), process.space.map_or(0, |space| space.0), process.references];
        self.pack([own, life, space, count]);
        self.words(&[process.thread_count.into(), process.pulse_count.into()]);
        self.words(&[process.ignored, process.handled, process.end.signal.into()]);
        self.pending(&process.pending);
        for notice in process.notices {
            self.mix.word(u64::from(notice.is_some()));
        }
        let deaths = [process.thread_death, process.coid_death].map(|id| self.channel(id));
        self.words(&deaths);
        for thread in process.threads.iter(&kernel.threads) {
            self.mix.word(thread.index().into());
        }
        let mut from = Place::from_number(0);
        while let Some((place, handle)) =
            from.and_then(|from| process.handles.next(&kernel.chunks, from))
        {
            let target = match handle.target {
                Target::Connection(id) => self.connection(id),
                Target::Channel(id) => self.channel(Some(id)),
                Target::None => 0,
                Target::Object(id) => id.0.into(),
                Target::Space(id) => id.0.into(),
                Target::Process(id) => id.index().into(),
                Target::Timer(id) => id.index().into(),
                Target::Interrupt(id) => id.index().into(),
                Target::Port(id) => id.index().into(),
                Target::Watch(id) => id.index().into(),
            };
            let number = u64::from(place.number()).wrapping_shl(32);
            self.words(&[number, target, handle.target.kind().into(), handle.flags.into()]);
            from = place.next();
        }
    }

    fn thread(&mut self, id: ThreadId, thread: &Thread) {
        let kernel = self.kernel;
        self.pack([
            id.index(),
            thread.process.index(),
            thread.base.0.into(),
            thread.effective.0.into(),
        ]);
        let inherited = thread.inherited.map_or(256, |priority| priority.0.into());
        let policy = policy_number(thread.policy).to_le_bytes()[0].into();
        if let Policy::Sporadic(id) = thread.policy {
            self.sporadic(thread, &kernel.sporadics[id]);
        }
        self.pack([policy, thread.hold as u16, thread.plain.0, inherited]);
        let [serving, served_by] = [thread.serving, thread.served_by].map(|id| slot(id.get()));
        let serves = self.channel(thread.serves);
        self.words(&[serving, served_by, serves, u64::from(thread.unblock_pulse.is_some())]);
        self.state(&thread.state);
        if let Some(timeout) = thread.timeout {
            let at = self.later(timeout.at);
            self.words(&[timeout.states.into(), at]);
        }
        if let Some(deadline) = thread.deadline {
            let at = self.later(deadline.at);
            self.words(&[1, at]);
        }
        if thread.state == State::Ready && self.slices {
            self.mix.word(thread.slice_left);
        }
        if kernel.online > 1 {
            self.words(&[thread.cpu.into(), thread.run_mask.into()]);
        }
        if thread.work != Work::None {
            (thread.work, thread.dying).hash(&mut self.mix);
        }
        thread.extra.hash(&mut self.mix);
        (thread.mask, thread.saved_mask, thread.latch).hash(&mut self.mix);
        self.pending(&thread.pending);
        for mutex in thread.mutexes.iter(&kernel.mutexes) {
            let mutex = self.mutex(mutex);
            self.mix.word(mutex);
        }
    }

    /// What a budget's account says, as of now.
    fn sporadic(&mut self, thread: &Thread, own: &Sporadic) {
        let is_normal = thread.base.0 == own.terms.normal.0;
        let left = if is_normal { own.left_at(thread.cpu_time) } else { own.left };
        let began = if left == own.left { 0 } else { self.now.wrapping_sub(own.began) };
        own.terms.hash(&mut self.mix);
        self.words(&[left, own.left, began]);
        for (at, amount) in own.pending() {
            let at = self.later(at);
            self.words(&[at, amount]);
        }
    }

    fn sending(&mut self, sending: &Sending) {
        let connection = self.connection(sending.connection);
        self.words(&[connection, sending.coid.into(), sending.written.into()]);
        (sending.message, sending.reply).hash(&mut self.mix);
    }

    fn state(&mut self, state: &State) {
        self.mix.word(state.number().into());
        match state {
            State::Vacant | State::Ready | State::Running | State::Stopped => {}
            State::SigSuspend | State::Interrupt => {}
            State::Send { channel, sending } => {
                let channel = self.channel(Some(*channel));
                self.mix.word(channel);
                self.sending(sending);
            }
            State::Receive { channel, buffer, info, takes } => {
                let channel = self.channel(Some(*channel));
                self.words(&[channel, *info]);
                (buffer, takes).hash(&mut self.mix);
            }
            State::Reply { channel, sending, asked, .. } => {
                let channel = self.channel(Some(*channel));
                self.words(&[channel, *asked as u64]);
                self.sending(sending);
            }
            State::SigWaitinfo { set, info } => self.words(&[*set, *info]),
            State::Nanosleep { remaining } => self.mix.word(*remaining),
            State::Mutex { mutex, address } => {
                let mutex = self.mutex(*mutex);
                self.words(&[mutex, *address]);
            }
            State::Futex { key, bitset, meaning } => {
                (key, bitset, meaning).hash(&mut self.mix);
            }
            State::Poll(poll) => poll.hash(&mut self.mix),
        }
    }

    fn queue(&mut self, queue: &List<Thread, Queue>) {
        for thread in queue.iter(&self.kernel.threads) {
            self.mix.word(thread.index().into());
        }
        self.mix.word(u64::MAX);
    }

    /// A queue whose threads keep their order of arrival when their priorities change.
    fn arrivals(&mut self, queue: &List<Thread, Queue>) {
        let threads = &self.kernel.threads;
        for thread in queue.iter(threads) {
            let arrival = threads[thread].arrival;
            let older = queue.iter(threads).filter(|&t| threads[t].arrival < arrival).count();
            self.words(&[thread.index().into(), older as u64]);
        }
        self.mix.word(u64::MAX);
    }

    /// Pending signals: where the table holds their details does not count.
    fn pending(&mut self, pending: &Pending) {
        self.mix.word(pending.set);
        for signal in pending.details.iter(&self.kernel.signals) {
            let signal = &self.kernel.signals[signal];
            (signal.info, signal.timer).hash(&mut self.mix);
        }
        self.mix.word(u64::MAX);
    }

    fn cpus(&mut self) {
        let kernel = self.kernel;
        for cpu in kernel.cpus.iter().take(kernel.online) {
            self.mix.word(slot(cpu.current.get()));
            if kernel.online > 1 {
                let timer = self.later(cpu.timer);
                self.words(&[cpu.attention as u64, timer]);
            }
            if self.slices {
                let left = self.later(cpu.slice_end);
                self.mix.word(left);
            }
            // The words of `levels` say which queues are worth a look; `check` that they are right.
            let ready = cpu.ready.iter().flat_map(|r| r.levels.iter().zip(r.queues.chunks(64)));
            for (word, queues) in ready {
                self.mix.word(*word);
                let filled = queues.iter().filter(|queue| *word != 0 && !queue.is_empty());
                filled.for_each(|queue| self.queue(queue));
            }
        }
    }

    fn one_channel(&mut self, slot: u16) {
        let kernel = self.kernel;
        let Some(id) = Id::from_index(slot) else { return };
        let channel = &kernel.channels[id];
        let process = u64::from(channel.process.index());
        self.words(&[process, channel.chid.into(), channel.flags.into()]);
        self.queue(&channel.receivers);
        self.queue(&channel.pulse_receivers);
        self.arrivals(&channel.senders);
        for server in channel.servers.iter(&kernel.threads) {
            self.mix.word(server.index().into());
        }
        for pulse in channel.pulses.iter(&kernel.pulses) {
            self.pulse(id, pulse);
        }
        for connection in channel.connections.iter(&kernel.connections) {
            let connection = self.connection(connection);
            self.mix.word(connection);
        }
    }

    fn pulse(&mut self, channel: ChannelId, id: PulseId) {
        let kernel = self.kernel;
        let pulse = &kernel.pulses[id];
        let (kind, whose) = match pulse.owner {
            Owner::Vacant => (0, 0),
            Owner::Program(process) => (1, process.index().into()),
            Owner::Orphan => (2, 0),
            Owner::Disconnect(connection) => (3, self.connection(connection)),
            Owner::Unblock(thread) => (4, thread.index().into()),
            Owner::Timer(timer) => (5, timer.index().into()),
            Owner::Interrupt(interrupt) => (6, interrupt.index().into()),
            Owner::Watch(watch) => (8, watch.index().into()),
            Owner::Notice(process, notice) => {
                (7, u64::from(process.index()) | (notice as u64).wrapping_shl(16))
            }
        };
        // A rcvid is of account as long as somebody waits for it.
        let is_rcvid = pulse.value > 0xffff;
        let value = if is_rcvid && !kernel.awaits_answer(pulse.value) {
            1 << 32
        } else {
            pulse.value & 0xffff
        };
        let before = kernel.channels[channel].senders.iter(&kernel.threads);
        let older = before.filter(|&t| kernel.threads[t].arrival < pulse.arrival).count();
        self.words(&[kind, whose, value, pulse.priority.0.into()]);
        self.words(&[
            u64::from(pulse.code.cast_unsigned()),
            pulse.count.min(3).into(),
            older as u64,
        ]);
    }

    fn one_connection(&mut self, slot: u16) {
        let Some(id) = Id::from_index(slot) else { return };
        let connection = &self.kernel.connections[id];
        let channel = self.channel(connection.channel.get());
        self.words(&[connection.phase as u64, channel, connection.references.into()]);
        self.words(&[connection.badge, connection.ready.into()]);
    }

    fn one_mutex(&mut self, slot: u16) {
        let Some(id) = Id::from_index(slot) else { return };
        let mutex = &self.kernel.mutexes[id];
        self.mix.word(mutex.owner.index().into());
        mutex.key.hash(&mut self.mix);
        self.arrivals(&mutex.waiters);
    }
}

const fn is_sliced(policy: Policy) -> bool {
    matches!(policy, Policy::Other | Policy::RoundRobin)
}

fn who_slot(who: Who) -> (u8, u16) {
    match who {
        Who::Thread(thread) => (0, thread.index()),
        Who::Timer(timer) => (1, timer.index()),
        Who::Sporadic(id) => (2, id.index()),
    }
}
