//! The numbered invariants as functions; for tests and the explorer.

mod canon;
mod copy;
mod policy;
mod view;

use core::cmp::Reverse;
use core::hash::{Hash, Hasher};

use crate::Kernel;
use crate::cpu::Cpu;
use crate::handles::{Place, Target};
use crate::ipc::channel::Channel;
use crate::ipc::connection::{ConnectionId, Phase};
use crate::ipc::event::Action;
use crate::list::List;
use crate::smp::Attention;
use crate::step::Work;
use crate::thread::{NO_EXTRA, Plain, Priority, Queue, Server, State, Takes, Thread, ThreadId};

pub use view::{ThreadView, Waits};

type Verdict = Result<(), &'static str>;

/// `Err` with the broken invariant's name unless a claim holds.
fn claim(holds: bool, broken: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(broken) }
}

impl Kernel {
    /// Names the first invariant that does not hold. Costs a scan of every object.
    ///
    /// # Errors
    /// The broken invariant.
    pub fn check(&self) -> Verdict {
        self.check_queues()?;
        self.check_channels()?;
        self.check_connections()?;
        self.check_servers()?;
        self.check_priorities()?;
        self.check_running()?;
        self.check_pulses()?;
        self.check_processes()?;
        self.check_deadlines()?;
        self.check_plain()?;
        self.check_extras()?;
        self.check_sporadics()?;
        self.check_partitions()?;
        self.check_work()?;
        claim(self.monitor.inversions == 0, "I10: the monitor has counted an inversion")
    }

    /// I1, I3: every queue holds threads in its state, and every thread in such a state is queued.
    fn check_queues(&self) -> Verdict {
        let mut queued = 0_usize;
        let mut count = |list: &List<Thread, Queue>, belongs: &dyn Fn(&Thread) -> bool| {
            for id in list.iter(&self.threads) {
                queued = queued.saturating_add(1);
                claim(belongs(&self.threads[id]), "I3: a thread is on a queue of another state")?;
            }
            Ok(())
        };
        for (id, channel) in self.channels.iter() {
            count(
                &channel.senders,
                &|thread| matches!(thread.state, State::Send { channel, .. } if channel == id),
            )?;
            count(&channel.receivers, &|thread| {
                matches!(thread.state, State::Receive { channel, takes: Takes::All, .. }
                    if channel == id)
            })?;
            count(&channel.pulse_receivers, &|thread| {
                matches!(thread.state, State::Receive { channel, takes: Takes::Pulses, .. }
                    if channel == id)
            })?;
        }
        for bucket in &self.futexes {
            count(bucket, &|thread| matches!(thread.state, State::Futex { .. }))?;
        }
        for (id, mutex) in self.mutexes.iter() {
            count(
                &mutex.waiters,
                &|thread| matches!(thread.state, State::Mutex { mutex, .. } if mutex == id),
            )?;
        }
        for cpu in &self.cpus {
            for (number, ready) in cpu.ready.iter().enumerate() {
                for (level, queue) in ready.queues.iter().enumerate() {
                    count(queue, &|thread| {
                        let Priority(own, partition) = thread.effective;
                        thread.state == State::Ready
                            && (usize::from(own), usize::from(partition)) == (level, number)
                    })?;
                }
            }
        }
        let should = self.threads.iter().filter(|(_, thread)| is_queued(&thread.state)).count();
        claim(queued == should, "I3: a thread is on no queue, or on two")
    }

    /// Whether a thread was called to take what is queued on a channel.
    fn is_receiver_on_its_way(&self, channel: &Channel) -> bool {
        self.threads.iter().any(|(_, thread)| {
            thread.process == channel.process
                && matches!(thread.work, Work::Receive { chid, .. } if chid == channel.chid)
        })
    }

    /// I5, and the order of the queues.
    fn check_channels(&self) -> Verdict {
        for (_, channel) in self.channels.iter() {
            let waits = !channel.receivers.is_empty()
                && !channel.senders.is_empty()
                && !self.is_receiver_on_its_way(channel);
            claim(!waits, "I5: a sender and a receiver wait for each other")?;
            let takes_pulses = !channel.receivers.is_empty() || !channel.pulse_receivers.is_empty();
            let waits = takes_pulses && !channel.pulses.is_empty();
            claim(!waits, "I5: a pulse and a receiver wait for each other")?;
            claim(self.is_ordered(channel.senders), "I3: senders are out of order")?;
        }
        let mut mutexes = self.mutexes.iter();
        let ordered = mutexes.all(|(_, mutex)| self.is_ordered(mutex.waiters));
        claim(ordered, "I3: waiters for a mutex are out of order")
    }

    /// Whether a queue is ordered by priority, and equals by arrival.
    fn is_ordered(&self, queue: List<Thread, Queue>) -> bool {
        let order = |t: ThreadId| (Reverse(self.threads[t].effective.0), self.threads[t].arrival);
        queue.iter(&self.threads).map(order).is_sorted()
    }

    /// I6, and that references are counted right.
    fn check_connections(&self) -> Verdict {
        let mut listed = 0_usize;
        for (id, channel) in self.channels.iter() {
            for connection in channel.connections.iter(&self.connections) {
                listed = listed.saturating_add(1);
                let is_own = self.connections[connection].channel.get() == Some(id);
                claim(is_own, "I6: a connection is on the list of another channel")?;
            }
        }
        let attached = self.connections.iter().filter(|(_, c)| c.channel.get().is_some()).count();
        claim(listed == attached, "I6: a connection is not on its channel's list")?;
        for (id, connection) in self.connections.iter() {
            let counted = self.references_to(id);
            claim(counted == connection.references, "I6: references are miscounted")?;
            let closing = connection.phase == Phase::Closing;
            claim(closing == (counted == 0), "I6: a connection that nobody holds is open")?;
        }
        let watching = self.connections.iter().map(|(id, connection)| {
            let watches = connection.watches.iter(&self.watches);
            watches.filter(|&watch| self.watches[watch].connection() == Some(id)).count()
        });
        let watched = self.watches.iter().filter(|(_, watch)| watch.connection().is_some()).count();
        claim(watching.sum::<usize>() == watched, "I1: a watch is not on its connection's list")?;
        for (id, process) in self.processes.iter() {
            let own = |(_, connection): &(ConnectionId, &crate::ipc::connection::Connection)| {
                connection.channel.get().is_some_and(|channel| self.channels[channel].process == id)
            };
            let count = self.connections.iter().filter(own).count();
            let charged = usize::from(process.connection_count);
            claim(count == charged, "I6: a server is charged for other connections")?;
        }
        Ok(())
    }

    fn references_to(&self, id: ConnectionId) -> u32 {
        let mut count = 0_u32;
        for (_, process) in self.processes.iter() {
            let mut from = Place::from_number(0);
            while let Some((place, handle)) =
                from.and_then(|from| process.handles.next(&self.chunks, from))
            {
                count = count.wrapping_add(u32::from(handle.target == Target::Connection(id)));
                from = place.next();
            }
        }
        let sends = self.threads.iter().filter(|(_, thread)| {
            matches!(thread.state, State::Send { sending, .. } | State::Reply { sending, .. }
                if sending.connection == id)
        });
        let holds =
            |action: Action| matches!(action, Action::Pulse { connection, .. } if connection == id);
        let timers = self.timers.iter().filter(|(_, timer)| holds(timer.action()));
        let interrupts = self.interrupts.iter().filter(|(_, other)| holds(other.action()));
        let watches = self.watches.iter().filter(|(_, watch)| holds(watch.action()));
        let others = [sends.count(), timers.count(), interrupts.count(), watches.count()];
        let others = others.into_iter().fold(0_usize, usize::saturating_add);
        count.saturating_add(u32::try_from(others).unwrap_or(u32::MAX))
    }

    /// Servers and the clients they work for know each other.
    fn check_servers(&self) -> Verdict {
        for (id, thread) in self.threads.iter() {
            if let Some(client) = thread.serving.get() {
                let is_mutual = self.threads[client].served_by.get() == Some(id)
                    && matches!(self.threads[client].state, State::Reply { .. });
                claim(is_mutual, "I7: a server works for a client that does not know it")?;
                let channel = self.threads[client].state.channel();
                let process = channel.map(|channel| self.channels[channel].process);
                let is_own = channel == thread.serves && process == Some(thread.process);
                claim(
                    is_own,
                    "I12: a server works for a client of a channel that it does not serve",
                )?;
            }
            if let Some(server) = thread.served_by.get() {
                let is_mutual = self.threads[server].serving.get() == Some(id);
                claim(is_mutual, "I7: a client is served by somebody who does not know it")?;
            }
            claim(!thread.is_dirty, "I7: a priority was left to be computed")?;
        }
        let listed = self.channels.iter().map(|(id, channel)| {
            let servers: List<Thread, Server> = channel.servers;
            servers.iter(&self.threads).filter(|&t| self.threads[t].serves == Some(id)).count()
        });
        let serving = self.threads.iter().filter(|(_, thread)| thread.serves.is_some()).count();
        claim(listed.sum::<usize>() == serving, "I1: a server is on another channel's list")
    }

    /// I7.
    fn check_priorities(&self) -> Verdict {
        let right = self.threads.iter().all(|(id, thread)| thread.effective == self.wanted(id));
        claim(right, "I7: a thread runs at another priority than its clients need")
    }

    /// I8, and that nobody more important waits for the CPU.
    fn check_running(&self) -> Verdict {
        for (id, thread) in self.threads.iter() {
            let is_current = self.cpus.iter().any(|cpu| cpu.current.get() == Some(id));
            let is_running = thread.state == State::Running;
            claim(is_current == is_running, "I8: the current thread does not run")?;
        }
        let quiet = |cpu: &Cpu| cpu.attention == Attention::Quiet;
        for (index, cpu) in self.cpus.iter().enumerate().take(self.online) {
            let rank = |t: ThreadId| self.partitions.rank(self.threads[t].effective);
            let runs = cpu.current.get().map(rank);
            let outranks = |t: ThreadId| runs.is_none_or(|runs| runs < rank(t));
            let ready = self.threads.iter().filter(|(_, thread)| thread.state == State::Ready);
            let mut waiting =
                ready.filter(|&(t, _)| self.allows(t, index) && !self.is_asked_for(t));
            let outranked = waiting.any(|(t, _)| outranks(t));
            claim(!outranked || !quiet(cpu), "I8: a more important thread is ready")?;
        }
        self.check_cpus()
    }

    /// Whether a CPU was asked to run a thread.
    fn is_asked_for(&self, t: ThreadId) -> bool {
        let asked = self.cpus.iter().filter(|cpu| cpu.attention == Attention::Asked);
        asked.filter_map(|cpu| cpu.first(&self.partitions)).any(|first| first == t)
    }

    /// I11, and that some CPU's timer comes before the first deadline.
    fn check_cpus(&self) -> Verdict {
        for (id, thread) in self.threads.iter() {
            let cpu = usize::from(thread.cpu);
            claim(cpu < self.online && self.allows(id, cpu), "I11: a thread is on a wrong CPU")?;
        }
        for (index, cpu) in self.cpus.iter().enumerate() {
            let queues = cpu.ready.iter().flat_map(|ready| &ready.queues);
            let mut queued = queues.flat_map(|queue| queue.iter(&self.threads));
            let all_own = queued.all(|t| usize::from(self.threads[t].cpu) == index);
            claim(all_own, "I11: a thread is on the queue of another CPU")?;
        }
        let first = self.deadlines.first();
        let is_watched = self.cpus.iter().take(self.online).any(|cpu| cpu.timer <= first);
        claim(first == u64::MAX || is_watched, "no timer comes before the first deadline")
    }

    /// Queued pulses are counted and listed once.
    fn check_pulses(&self) -> Verdict {
        let listed = self.channels.iter().map(|(_, c)| c.pulses.iter(&self.pulses).count());
        let all = usize::from(self.pulses.live());
        claim(listed.sum::<usize>() == all, "I1: a pulse is on no queue")?;
        let program = self.processes.iter().map(|(_, process)| process.pulse_count);
        claim(program.sum::<u16>() == self.program_pulses, "pulses of programs are miscounted")
    }

    /// Threads are on their process's list.
    fn check_processes(&self) -> Verdict {
        for (id, process) in self.processes.iter() {
            let own = process.threads.iter(&self.threads);
            let count = own.filter(|&t| self.threads[t].process == id).count();
            let right = u32::try_from(count).is_ok_and(|count| count == process.thread_count);
            claim(right, "I1: threads of a process are miscounted")?;
        }
        let sum: u32 = self.processes.iter().map(|(_, process)| process.thread_count).sum();
        claim(sum == u32::from(self.threads.live()), "I1: a thread has no process")
    }

    /// Threads that have a deadline wait for something.
    fn check_deadlines(&self) -> Verdict {
        let waits = |thread: &Thread| thread.deadline.is_none() || thread.state.is_blocked();
        let right = self.threads.iter().all(|(_, thread)| waits(thread));
        claim(right, "a thread that does not wait has a deadline")
    }

    /// I15.
    fn check_work(&self) -> Verdict {
        let waits = |thread: &Thread| thread.work != Work::None && thread.state.is_blocked();
        let wrong = self.threads.iter().any(|(_, thread)| waits(thread));
        claim(!wrong, "I15: a thread waits before its call is finished")
    }

    /// I9.
    fn check_plain(&self) -> Verdict {
        let right = self
            .threads
            .iter()
            .all(|(id, thread)| thread.plain == Plain::NO || thread.plain == self.plain(id));
        claim(right, "I9: a special thread passes for plain")
    }

    /// Handles go with messages only.
    fn check_extras(&self) -> Verdict {
        let sends =
            |thread: &Thread| matches!(thread.state, State::Send { .. } | State::Reply { .. });
        let right = self.threads.iter().all(|(_, t)| sends(t) || t.extra == NO_EXTRA);
        claim(right, "a thread that does not send has handles to pass")
    }

    /// A number that changes with the state: what two equal ones hide is for the tests to bear.
    /// Counters, and slots that are free, do not count.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        for (id, thread) in self.threads.iter() {
            // What is left of a slice is set when a thread becomes ready, and means nothing before.
            let is_ready = thread.state == State::Ready;
            let slice_left = if is_ready { thread.slice_left } else { 0 };
            (id, &Thread { slice_left, ..thread.clone() }).hash(&mut hash);
        }
        self.processes.iter().for_each(|(id, process)| (id, process).hash(&mut hash));
        self.channels.iter().for_each(|(id, channel)| (id, channel).hash(&mut hash));
        self.connections.iter().for_each(|(id, connection)| (id, connection).hash(&mut hash));
        self.pulses.iter().for_each(|(id, pulse)| (id, pulse).hash(&mut hash));
        self.chunks.iter().for_each(|(id, chunk)| (id, chunk).hash(&mut hash));
        self.timers.iter().for_each(|(id, timer)| (id, timer).hash(&mut hash));
        self.mutexes.iter().for_each(|(id, mutex)| (id, mutex).hash(&mut hash));
        self.sporadics.iter().for_each(|(id, sporadic)| (id, sporadic).hash(&mut hash));
        self.signals.iter().for_each(|(id, signal)| (id, signal).hash(&mut hash));
        self.poll_nodes.iter().for_each(|(id, node)| (id, node).hash(&mut hash));
        hash.finish()
    }

    /// The same for what the CPUs do. The end of a slice that is over counts as now, as does a timer.
    #[must_use]
    pub fn schedule(&self) -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        for cpu in &self.cpus {
            let slice_end = cpu.slice_end.max(cpu.since);
            let timer = cpu.timer.max(cpu.since);
            crate::cpu::Cpu { slice_end, timer, billed: 0, ..*cpu }.hash(&mut hash);
        }
        let counters = &self.counters;
        (counters.all_switches(), counters.all_calls(), counters.interrupts).hash(&mut hash);
        self.sequence.hash(&mut hash);
        hash.finish()
    }

    /// A number of what a walk through the states tells apart: who waits where at which priority,
    /// who serves whom, and how much is queued. Times, buffers and counts of arrivals are left out.
    #[must_use]
    pub fn outline(&self) -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        for (id, thread) in self.threads.iter() {
            let waits = (thread.state.number(), thread.state.channel());
            let times = (thread.timeout.is_some(), thread.deadline.is_some());
            let serves = (thread.serving, thread.serves, thread.served_by, thread.inherited);
            (id, waits, thread.base, thread.effective, times, serves).hash(&mut hash);
            (thread.cpu, thread.run_mask, thread.hold).hash(&mut hash);
            thread.mutexes.is_empty().hash(&mut hash);
        }
        for cpu in &self.cpus {
            (cpu.current, cpu.attention).hash(&mut hash);
        }
        for (id, channel) in self.channels.iter() {
            (id, channel.pulses.iter(&self.pulses).count()).hash(&mut hash);
            channel.connections.iter(&self.connections).count().hash(&mut hash);
        }
        for (id, process) in self.processes.iter() {
            (id, process.life, process.thread_count).hash(&mut hash);
        }
        hash.finish()
    }
}

/// Whether a state has a queue.
const fn is_queued(state: &State) -> bool {
    match state {
        State::Ready
        | State::Send { .. }
        | State::Receive { .. }
        | State::Mutex { .. }
        | State::Futex { .. } => true,
        State::Vacant
        | State::Running
        | State::Stopped
        | State::Reply { .. }
        | State::SigSuspend
        | State::SigWaitinfo { .. }
        | State::Nanosleep { .. }
        | State::Interrupt
        | State::Poll(_) => false,
    }
}

/// The Fowler-Noll-Vo hash.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Kernel {
    /// The priority that a thread runs at; for tests.
    #[must_use]
    pub fn priority_of(&self, thread: crate::machine::ThreadSlot) -> u8 {
        let id = crate::slab::Id::from_index(thread.0);
        id.map_or(0, |t| self.threads[t].effective.0)
    }

    /// Gives a thread a priority past all rules, and counts it among those that this entry has
    /// touched; for tests of the monitor.
    pub fn plant_priority(&mut self, thread: crate::machine::ThreadSlot, priority: u8) {
        if let Some(t) = crate::slab::Id::from_index(thread.0) {
            self.threads[t].effective.0 = priority;
            self.touch(t);
        }
    }

    /// Lets the monitor look now, and tells how many inversions it finds; for tests.
    pub fn find_inversions(&mut self) -> u32 {
        let before = self.monitor.inversions;
        self.watch_inversions(0);
        self.monitor.inversions.wrapping_sub(before)
    }

    /// The server-side number of a thread's connection; for tests.
    #[must_use]
    pub fn scoid_of(&self, thread: crate::machine::ThreadSlot, coid: u32) -> u32 {
        crate::slab::Id::from_index(thread.0)
            .and_then(|t| self.handle_connection(self.process_of(t), coid).ok())
            .map_or(0, |id| u32::from(id.index()))
    }
}
