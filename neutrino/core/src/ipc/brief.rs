//! Short ways of calls that make a thread ready, give way, or wait while others are ready: answers
//! and receives of servers that do both by calls of their own, pulses, and yields.
//!
//! As on the fast path ([`super::fast`]), all who are concerned are plain (I9); in every other case
//! nothing has changed but the bill of the caller's time (and user bytes), and the general path does
//! the call. With several CPUs that path is the only one, since the others are to be looked at.

use neutrino_abi::calls::{Registers, number};
use neutrino_abi::event::{Event, kind};
use neutrino_abi::sched::PRIORITY_DEFAULT;

use crate::Kernel;
use crate::ipc::connection::ConnectionId;
use crate::ipc::deliver::{rcvid_names, rcvid_parts, write_pulse};
use crate::ipc::fast::{Handover, WordsOf, flat};
use crate::ipc::pulse::NewPulse;
use crate::limits::SLICE_NS;
use crate::machine::{Machine, Place, ThreadSlot};
use crate::sched::End;
use crate::slab::Maybe;
use crate::thread::{Plain, Policy, Priority, State, Takes, ThreadId, slot};

/// A plain thread and the CPU that it runs on, which is the only one.
#[derive(Clone, Copy)]
struct Caller {
    cpu: usize,
    thread: ThreadId,
}

impl Kernel {
    /// Carries out the running thread's call, if there is a short way, and tells who runs now.
    #[inline(never)]
    pub fn brief(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        call: &impl Registers,
    ) -> Option<Handover> {
        if self.trace.is_on() {
            return None;
        }
        match call.number() {
            number::MsgReply => self.brief_reply(m, cpu, call),
            number::MsgReceive if call.argument(3) == 0 => self.brief_receive(m, cpu, call),
            number::SchedYield => self.brief_yield(m, cpu),
            number::MsgSendPulse => self.brief_pulse(m, cpu, call),
            number::MsgDeliverEvent => self.brief_event(m, cpu, call),
            _ => self.fast_memory(m, cpu, call),
        }
    }

    /// Who calls; bills the time. None if it is not plain, its slice is over, another CPU runs, or
    /// there are partitions to choose from.
    #[inline(always)]
    fn caller(&mut self, m: &mut impl Machine, cpu: usize) -> Option<Caller> {
        let thread = self.runner(cpu);
        if self.online > 1
            || self.partitions.are_several()
            || self.threads[thread].plain == Plain::NO
        {
            return None;
        }
        self.account(m, cpu);
        let own = self.cpus.get(cpu)?;
        let goes_on = own.slice_end > own.since || self.threads[thread].policy == Policy::Fifo;
        goes_on.then_some(Caller { cpu, thread })
    }

    fn is_plain(&self, t: ThreadId) -> bool {
        self.threads[t].plain != Plain::NO
    }

    /// `MsgReply` of a server that goes on, since it does not run below its client.
    fn brief_reply(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        call: &impl Registers,
    ) -> Option<Handover> {
        let answer = flat(call.argument(2), call.argument(3))?;
        let (index, wanted) = rcvid_parts(call.argument(0));
        let client = self.threads.lookup(index)?;
        let State::Reply { channel, sending, sequence, .. } = self.threads[client].state else {
            return None;
        };
        let caller = self.caller(m, cpu)?;
        let t = caller.thread;
        if !self.is_plain(client)
            || !rcvid_names(wanted, sequence)
            || self.channels[channel].process != self.threads[t].process
            || self.threads[client].effective > self.threads[t].effective
            || self.connections[sending.connection].references < 2
            || !self.fast_copy(m, (t, &answer), (client, &sending.reply))
        {
            return None;
        }
        // Commit: nothing below fails.
        if sending.reply.is_words() {
            m.set_answer_length(slot(client), answer.length.min(sending.reply.length));
        }
        m.set_result(slot(client), call.argument(1).cast_signed());
        let connection = &mut self.connections[sending.connection];
        connection.references = connection.references.wrapping_sub(1);
        let served_by = core::mem::replace(&mut self.threads[client].served_by, Maybe::NOBODY);
        if let Some(server) = served_by.get() {
            self.threads[server].serving = Maybe::NOBODY;
            self.threads[server].inherited = Some(self.threads[client].effective);
        }
        self.stay(m, caller, client)
    }

    /// `MsgReceive` of a server that waits where it received last, while somebody is ready.
    fn brief_receive(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        call: &impl Registers,
    ) -> Option<Handover> {
        let buffer = flat(call.argument(1), call.argument(2))?;
        let chid = u32::try_from(call.argument(0)).ok()?;
        let caller = self.caller(m, cpu)?;
        let t = caller.thread;
        // By I12 that is a channel of its process.
        let channel = self.threads[t].serves?;
        let next = self.cpus.get(cpu)?.first(&self.partitions)?;
        if !self.is_quiet_at(channel, chid) || !self.is_plain(next) {
            return None;
        }
        // Commit: nothing below fails.
        self.serve_nobody(t);
        self.channels[channel].receivers.push_front_inline(&mut self.threads, t);
        let server = &mut self.threads[t];
        server.effective = server.base;
        server.state = State::Receive { channel, buffer, info: 0, takes: Takes::All };
        self.dequeue(next);
        self.counters.handovers = self.counters.handovers.wrapping_add(1);
        self.give_cpu(m, caller, next)
    }

    /// `SchedYield`: gives way to the first of its equals.
    fn brief_yield(&mut self, m: &mut impl Machine, cpu: usize) -> Option<Handover> {
        let caller = self.caller(m, cpu)?;
        let t = caller.thread;
        let level = usize::from(self.threads[t].effective.0);
        let own = self.cpus.get_mut(cpu)?;
        let queue = own.ready.first_mut()?.queues.get_mut(level)?;
        let next = queue.first().unwrap_or(t);
        if self.threads[next].plain == Plain::NO {
            return None;
        }
        // Commit: nothing below fails.
        m.set_result(slot(t), 0);
        self.threads[t].slice_left = SLICE_NS;
        if next != t {
            queue.remove_inline(&mut self.threads, next);
            queue.push_back(&mut self.threads, t);
            self.threads[t].state = State::Ready;
        }
        self.counters.handovers = self.counters.handovers.wrapping_add(1);
        self.give_cpu(m, caller, next)
    }

    /// `MsgSendPulse`.
    fn brief_pulse(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        call: &impl Registers,
    ) -> Option<Handover> {
        let caller = self.caller(m, cpu)?;
        let Caller { thread, .. } = caller;
        let connection = self.connection_in(self.threads[thread].process, call.argument(0))?;
        let narrow = |index| i32::try_from(call.argument(index).cast_signed()).ok();
        let priority = match narrow(1)? {
            -1 => self.threads[thread].effective,
            given => Priority::system(u8::try_from(given).ok()?.max(1)),
        };
        let code = narrow(2)?;
        self.pulse_waiting(m, caller, connection, (code, priority, call.argument(3)))
    }

    /// `MsgDeliverEvent` of a pulse.
    fn brief_event(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        call: &impl Registers,
    ) -> Option<Handover> {
        let caller = self.caller(m, cpu)?;
        let t = caller.thread;
        let target = match call.argument(0) {
            0 => t,
            rcvid => self.client(t, rcvid).ok()?,
        };
        self.pulse_allowance(self.threads[t].process).ok()?;
        let place = Place { space: self.space(t), address: call.argument(1) };
        let event: Event = self.load(m, place).ok()?;
        if event.notify != kind::PULSE {
            return None;
        }
        let connection =
            self.connection_in(self.threads[target].process, u64::from(event.target))?;
        let priority = match event.priority {
            -1 => Priority::system(PRIORITY_DEFAULT),
            given => Priority::system(u8::try_from(given).ok()?),
        };
        self.pulse_waiting(m, caller, connection, (event.code, priority, event.value))
    }

    /// Hands a pulse to a thread that waits for anything.
    fn pulse_waiting(
        &mut self,
        m: &mut impl Machine,
        caller: Caller,
        connection: ConnectionId,
        (code, priority, value): (i32, Priority, u64),
    ) -> Option<Handover> {
        let code = i8::try_from(code).ok().filter(|code| *code >= 0)?;
        let channel = self.connections[connection].channel.get()?;
        let own = &mut self.channels[channel];
        let receiver = own.receivers.first()?;
        if !own.pulse_receivers.is_empty() || self.threads[receiver].plain == Plain::NO {
            return None;
        }
        // Commit: nothing below fails. By I9 the receiver serves the channel, which inherits.
        own.receivers.remove_first_inline(&mut self.threads);
        let pulse = NewPulse { code, value, priority, scoid: connection.index().into() };
        write_pulse(m, receiver, &pulse, 1);
        m.set_result(slot(receiver), 0);
        let server = &mut self.threads[receiver];
        server.inherited = Some(priority);
        server.effective = priority;
        let t = caller.thread;
        if priority <= self.threads[t].effective {
            return self.stay(m, caller, receiver);
        }
        m.set_result(slot(t), 0);
        self.counters.handovers = self.counters.handovers.wrapping_add(1);
        self.preempt(m, caller, receiver)
    }

    /// An interrupt that one thread waits for, in `InterruptWait`: who runs now.
    #[inline(never)]
    pub fn brief_interrupt(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        line: u32,
    ) -> Option<ThreadSlot> {
        if self.trace.is_on() {
            return None;
        }
        let caller = self.caller(m, cpu)?;
        let waiter = self.interrupt_waiter(line)?;
        // Commit: nothing below fails.
        self.counters.interrupts = self.counters.interrupts.wrapping_add(1);
        m.set_result(slot(waiter), 0);
        let t = caller.thread;
        if self.threads[waiter].effective <= self.threads[t].effective {
            self.be_ready(m, caller, waiter);
            return Some(slot(t));
        }
        self.counters.switches = self.counters.switches.wrapping_add(1);
        self.preempt(m, caller, waiter)?;
        Some(slot(waiter))
    }

    /// The caller goes on with result 0, and another thread, which does not outrank it and waits for
    /// nothing any more, is ready.
    #[inline(always)]
    fn stay(&mut self, m: &mut impl Machine, caller: Caller, other: ThreadId) -> Option<Handover> {
        let thread = caller.thread;
        m.set_result(slot(thread), 0);
        self.counters.calls = self.counters.calls.wrapping_add(1);
        self.be_ready(m, caller, other);
        Some(Handover { to: slot(thread), words: WordsOf::Next })
    }

    /// A thread that does not outrank the caller is ready from now on.
    fn be_ready(&mut self, m: &mut impl Machine, caller: Caller, other: ThreadId) {
        let Caller { cpu, thread } = caller;
        self.threads[other].state = State::Ready;
        self.threads[other].slice_left = SLICE_NS;
        let is_equal = self.threads[other].effective == self.threads[thread].effective;
        self.enqueue(other, End::Back);
        if is_equal && self.threads[thread].policy != Policy::Fifo {
            self.arm_slice(m, cpu, thread);
        }
    }

    /// A thread that outranks the caller, and waits for nothing any more, takes its place.
    fn preempt(
        &mut self,
        m: &mut impl Machine,
        caller: Caller,
        other: ThreadId,
    ) -> Option<Handover> {
        let t = caller.thread;
        self.threads[other].slice_left = SLICE_NS;
        self.threads[t].slice_left = self.slice_left(t);
        self.threads[t].state = State::Ready;
        self.enqueue(t, End::Front);
        self.give_cpu(m, caller, other)
    }

    /// A thread that is on no queue gets the CPU of the caller, which has another state by now.
    #[inline(always)]
    fn give_cpu(
        &mut self,
        m: &mut impl Machine,
        caller: Caller,
        next: ThreadId,
    ) -> Option<Handover> {
        self.threads[next].state = State::Running;
        let own = self.cpus.get_mut(caller.cpu)?;
        own.current = Maybe::new(Some(next));
        own.slice_end = own.since.saturating_add(self.threads[next].slice_left);
        let fifo = Plain::of(Policy::Fifo, self.threads[next].cpu);
        if self.threads[next].plain != fifo || self.threads[caller.thread].plain != fifo {
            self.arm_slice(m, caller.cpu, next);
        }
        Some(Handover { to: slot(next), words: WordsOf::Next })
    }
}
