//! Clocks, sleeping, timers and time-outs. Times are nanoseconds; the clock has no ticks.

use neutrino_abi::Errno;
use neutrino_abi::process::able;
use neutrino_abi::time::{TIMER_ABSTIME, clock};

use crate::Kernel;
use crate::call::Outcome;
use crate::machine::{Machine, Place};
use crate::thread::{Plain, State, ThreadId, Timeout};
use crate::time::deadline::{Follows, Who};

pub mod deadline;
pub mod timer;

impl Kernel {
    /// What a clock says.
    ///
    /// # Errors
    /// EINVAL: no such clock.
    fn clock_read(&self, m: &impl Machine, t: ThreadId, clock: u32) -> Result<u64, Errno> {
        match clock {
            clock::MONOTONIC => Ok(m.now()),
            clock::REALTIME => Ok(m.now().saturating_add_signed(m.time().realtime_offset)),
            clock::THREAD_CPUTIME => Ok(self.threads[t].cpu_time),
            clock::PROCESS_CPUTIME => Ok(self.process_time(self.process_of(t))),
            _ => Err(Errno::EINVAL),
        }
    }

    /// CPU time of a process, its ended threads included.
    // Bound: its threads.
    pub(crate) fn process_time(&self, process: crate::process::ProcessId) -> u64 {
        let own = &self.processes[process];
        let living = own.threads.iter(&self.threads).map(|t| self.threads[t].cpu_time);
        living.fold(own.cpu_time, u64::wrapping_add)
    }

    /// `ClockTime`.
    pub(crate) fn clock_time(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        clock: u32,
        new: u64,
        old: u64,
    ) -> Result<Outcome, Errno> {
        let now = self.clock_read(m, t, clock)?;
        let space = self.space(t);
        if new != 0 {
            if clock != clock::REALTIME {
                return Err(Errno::EINVAL);
            }
            self.needs(t, able::CLOCKSET)?;
            let time: u64 = self.load(m, Place { space, address: new })?;
            let time = i64::try_from(time).map_err(|_| Errno::EINVAL)?;
            self.store_optional(m, Place { space, address: old }, &now)?;
            let offset = time.saturating_sub_unsigned(m.now());
            let moved = offset.saturating_sub(m.time().realtime_offset);
            m.set_realtime_offset(offset);
            self.realtime_moved(moved);
            return Ok(Outcome::DONE);
        }
        self.store_optional(m, Place { space, address: old }, &now)?;
        Ok(Outcome::DONE)
    }

    /// `ClockNanosleep`.
    pub(crate) fn clock_nanosleep(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        wanted: (u32, u32),
        time: u64,
        remaining: u64,
    ) -> Result<Outcome, Errno> {
        let (clock, flags) = wanted;
        let is_realtime = match clock {
            clock::REALTIME => true,
            clock::MONOTONIC => false,
            _ => return Err(Errno::EINVAL),
        };
        let is_point = flags & TIMER_ABSTIME != 0;
        let at =
            if is_point { self.point(m, time, is_realtime) } else { m.now().saturating_add(time) };
        if at <= m.now() {
            return Ok(Outcome::DONE);
        }
        self.may_wait(t)?;
        self.transition(t, State::Nanosleep { remaining });
        self.start_waiting(m, t);
        let follows = if is_point && is_realtime { Follows::Realtime } else { Follows::Nothing };
        self.deadline_point(t, at, follows);
        Ok(Outcome::Blocked)
    }

    /// What a sleeper has left.
    pub(crate) fn time_left(&self, m: &impl Machine, t: ThreadId) -> u64 {
        self.threads[t].deadline.map_or(0, |deadline| deadline.at.saturating_sub(m.now()))
    }

    /// `TimerTimeout`.
    pub(crate) fn timer_timeout(
        &mut self,
        m: &impl Machine,
        t: ThreadId,
        states: u32,
        time: u64,
        flags: u32,
    ) -> Outcome {
        let at = if flags & TIMER_ABSTIME != 0 { time } else { m.now().saturating_add(time) };
        self.threads[t].timeout = (states != 0).then_some(Timeout { states, at });
        self.threads[t].plain = Plain::NO;
        Outcome::DONE
    }

    /// The timer interrupt: everything whose time has come.
    // Bound: what is due.
    pub(crate) fn time_fire(&mut self, m: &mut impl Machine) {
        while let Some(who) = self.deadlines.due(m.now()) {
            match who {
                Who::Thread(t) => {
                    self.deadline_clear(t);
                    self.interrupt(m, t, Errno::ETIMEDOUT);
                }
                Who::Timer(timer) => self.timer_expire(m, timer),
                Who::Sporadic(id) => self.sporadic_replenish(m, id),
            }
        }
    }
}
