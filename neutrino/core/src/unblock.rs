//! Every way a wait begins and ends.

use neutrino_abi::message::chf;
use neutrino_abi::time::FOREVER;
use neutrino_abi::{Errno, pulse};

use crate::Kernel;
use crate::ipc::pulse::{NewPulse, Owner};
use crate::machine::{Machine, Place};
use crate::sched::End;
use crate::slab::Maybe;
use crate::thread::{Asked, NO_EXTRA, State, Takes, ThreadId, slot};

impl Kernel {
    /// Whether a call may block the caller.
    ///
    /// # Errors
    /// EINTR: a signal is deliverable.
    pub(crate) fn may_wait(&self, t: ThreadId) -> Result<(), Errno> {
        if self.deliverable(t) != 0 { Err(Errno::EINTR) } else { Ok(()) }
    }

    /// Takes a caller that has entered a waiting state off its CPU, and starts its time-out.
    pub(crate) fn start_waiting(&mut self, m: &mut impl Machine, t: ThreadId) {
        self.leave_cpu(t);
        self.watch(m, t);
    }

    /// Starts the time-out that `TimerTimeout` set, if it covers the state that the thread is in.
    pub(crate) fn watch(&mut self, _m: &mut impl Machine, t: ThreadId) {
        let Some(timeout) = self.threads[t].timeout else { return };
        let bit = 1_u32.wrapping_shl(self.threads[t].state.number());
        if timeout.states & bit != 0 && timeout.at != FOREVER {
            self.deadline_set(t, timeout.at);
        }
    }

    /// Takes a waiting thread off whatever it waits on; its state is the caller's to set.
    pub(crate) fn unlink(&mut self, m: &mut impl Machine, t: ThreadId) {
        self.deadline_clear(t);
        self.threads[t].timeout = None;
        match self.threads[t].state {
            State::Vacant | State::Running | State::Stopped | State::SigSuspend => {}
            State::SigWaitinfo { .. } | State::Nanosleep { .. } | State::Interrupt => {}
            State::Ready => self.dequeue(t),
            State::Send { channel, sending } => {
                let mut queue = self.channels[channel].senders;
                queue.remove(&mut self.threads, t);
                self.channels[channel].senders = queue;
                self.transition(t, State::Running);
                self.threads[t].extra = NO_EXTRA;
                self.boost_servers(m, channel);
                self.connection_release(m, sending.connection);
            }
            State::Receive { channel, takes, .. } => {
                let all = takes == Takes::All;
                let own = &mut self.channels[channel];
                let queue = if all { &mut own.receivers } else { &mut own.pulse_receivers };
                queue.remove(&mut self.threads, t);
                // The queue of the channel where it received last boosts it again.
                self.transition(t, State::Running);
                if self.threads[t].serves.is_some() {
                    self.refresh(m, t);
                }
            }
            State::Reply { channel, sending, .. } => self.unlink_reply(m, t, channel, &sending),
            State::Mutex { mutex, .. } => self.mutex_leave(m, t, mutex),
            State::Futex { key, .. } => self.futex_leave(t, &key),
            State::Poll(_) => self.poll_leave(t),
        }
    }

    fn unlink_reply(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        channel: crate::ipc::channel::ChannelId,
        sending: &crate::thread::Sending,
    ) {
        let served_by = core::mem::replace(&mut self.threads[t].served_by, Maybe::NOBODY);
        if let Some(server) = served_by.get() {
            // It keeps the priority that it has until it receives again.
            self.threads[server].serving = Maybe::NOBODY;
            self.threads[server].inherited = Some(self.threads[t].effective);
        }
        if let Some(pulse) = self.threads[t].unblock_pulse {
            self.pulse_take(channel, pulse);
            self.boost_servers(m, channel);
        }
        self.transition(t, State::Running);
        self.threads[t].extra = NO_EXTRA;
        self.connection_release(m, sending.connection);
    }

    /// Ends a wait with a result.
    pub(crate) fn wake_with(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        result: Result<i64, Errno>,
    ) {
        self.wake_at(m, t, result, End::Back);
    }

    /// Ends a wait with a result; the thread becomes ready at an end of its level.
    pub(crate) fn wake_at(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        result: Result<i64, Errno>,
        end: End,
    ) {
        self.trace_wake(m, t, result.unwrap_or_else(Errno::to_result));
        let was_poll = matches!(self.threads[t].state, State::Poll(_));
        self.unlink(m, t);
        if was_poll
            && result.is_ok()
            && let Some(mask) = self.threads[t].saved_mask.take()
        {
            self.unsettled = true;
            self.threads[t].mask = mask;
        }
        m.set_result(slot(t), result.unwrap_or_else(Errno::to_result));
        self.make_ready(t, end);
    }

    /// A deliverable signal or a time-out wants a waiting thread to go on.
    pub(crate) fn interrupt(&mut self, m: &mut impl Machine, t: ThreadId, why: Errno) {
        match self.threads[t].state {
            State::Vacant | State::Ready | State::Running | State::Stopped => {}
            State::Reply { channel, asked, .. } if self.channels[channel].has(chf::UNBLOCK) => {
                if asked == Asked::No {
                    self.ask_to_leave(m, t, channel, why);
                }
            }
            State::Nanosleep { remaining } => {
                if why == Errno::EINTR && remaining != 0 {
                    let left = self.time_left(m, t);
                    let place = Place { space: self.space(t), address: remaining };
                    // A bad address is the sleeper's own loss: the sleep ends anyway.
                    let _bad_address = self.store(m, place, &left);
                }
                let result = if why == Errno::ETIMEDOUT { Ok(0) } else { Err(why) };
                self.wake_with(m, t, result);
            }
            State::Poll(_) if why == Errno::ETIMEDOUT => self.wake_with(m, t, Ok(0)),
            State::SigWaitinfo { .. } if why == Errno::ETIMEDOUT => {
                self.wake_with(m, t, Err(Errno::EAGAIN));
            }
            State::Send { .. }
            | State::Receive { .. }
            | State::Reply { .. }
            | State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Mutex { .. }
            | State::Futex { .. }
            | State::Interrupt
            | State::Poll(_) => self.wake_with(m, t, Err(why)),
        }
    }

    /// Tells a server, once for each message, that its client wants to leave.
    pub(crate) fn ask_to_leave(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        channel: crate::ipc::channel::ChannelId,
        why: Errno,
    ) {
        let State::Reply { asked, sequence, sending, .. } = &mut self.threads[t].state else {
            return;
        };
        let timed_out = why == Errno::ETIMEDOUT;
        *asked = if timed_out { Asked::TimedOut } else { Asked::Interrupted };
        let (sequence, scoid) = (*sequence, u32::from(sending.connection.index()));
        self.check_wait(t);
        let value = crate::ipc::deliver::rcvid(t, sequence);
        let priority = self.threads[t].effective;
        let pulse = NewPulse { code: pulse::UNBLOCK, value, priority, scoid };
        self.pulse_send(m, channel, pulse, Owner::Unblock(t));
    }
}
