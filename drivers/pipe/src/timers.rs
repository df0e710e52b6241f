//! Timers that are read (Linux: `timerfd`). How often one has expired is reckoned when it is read; the
//! kernel's timer only says that there is something to read.

use crate::event::BYTES;
use crate::events::Patience;
use crate::special::PULSE_TIMER;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use io_msg::special::{TIMER_ABSOLUTE, TimerSet, TimerValue};
use neutrino_rt::abi::event::Event;
use neutrino_rt::abi::handle::ready;
use neutrino_rt::abi::time::clock as clocks;
use neutrino_rt::clock::{self, Timer};
use neutrino_rt::interrupt::pulse_event;
use neutrino_rt::{Errno, message};
use resmgr::{Outcome, Request};
use zerocopy::IntoBytes;

/// When a timer expires: in monotonic time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Course {
    /// The first expiry that was not read; none: it is not armed.
    next: Option<u64>,
    /// Distance between expiries; 0: there is one only.
    interval: u64,
}

impl Course {
    /// Expiries up to now that were not read.
    fn expired(self, now: u64) -> u64 {
        match self.next {
            Some(next) if next <= now => {
                1 + (now - next).checked_div(self.interval).unwrap_or_default()
            }
            Some(_) | None => 0,
        }
    }

    /// Takes them.
    fn take(&mut self, now: u64) -> u64 {
        let count = self.expired(now);
        if count > 0 {
            self.next = self.following(count);
        }
        count
    }

    /// The expiry behind so many.
    fn following(self, count: u64) -> Option<u64> {
        let next = self.next.filter(|_| self.interval > 0)?;
        Some(next.saturating_add(self.interval.saturating_mul(count)))
    }

    /// The first expiry to come.
    fn to_come(self, now: u64) -> Option<u64> {
        match self.expired(now) {
            0 => self.next,
            count => self.following(count),
        }
    }

    /// As it is told.
    fn value(self, now: u64) -> TimerValue {
        let value = self.to_come(now).map_or(0, |at| at - now);
        TimerValue { value, interval: self.interval }
    }
}

#[derive(Debug)]
struct Clocked {
    clock: u32,
    course: Course,
    /// The kernel's, with the priority of who armed it.
    timer: Option<Timer>,
    readers: VecDeque<u64>,
    told: u32,
    /// The kernel's has expired since this was looked at.
    rang: bool,
}

/// The timers of the system.
#[derive(Debug)]
pub(crate) struct Timers {
    timers: BTreeMap<u64, Clocked>,
    pulses: u32,
    changed: Vec<u64>,
}

impl Timers {
    pub(crate) const fn new(pulses: u32) -> Self {
        Self { timers: BTreeMap::new(), pulses, changed: Vec::new() }
    }

    /// Makes a timer.
    ///
    /// # Errors
    /// EINVAL: no such clock.
    pub(crate) fn add(&mut self, id: u64, clock: u32) -> Result<(), Errno> {
        if !matches!(clock, clocks::REALTIME | clocks::MONOTONIC) {
            return Err(Errno::EINVAL);
        }
        let (course, readers) = (Course::default(), VecDeque::new());
        let new = Clocked { clock, course, timer: None, readers, told: 0, rang: false };
        self.timers.insert(id, new);
        Ok(())
    }

    /// The last descriptor of a timer is gone.
    pub(crate) fn close(&mut self, id: u64) {
        self.timers.remove(&id);
    }

    /// Arms or disarms a timer; the reply is its setting before.
    pub(crate) fn set(
        &mut self,
        request: &mut Request<'_>,
        id: u64,
        message: &TimerSet,
    ) -> Result<i64, Errno> {
        let priority = i32::from(request.info().priority);
        let event = Event { priority, ..pulse_event(self.pulses, PULSE_TIMER, id) };
        let timer = self.timers.get_mut(&id).ok_or(Errno::EBADF)?;
        let now = clock::monotonic();
        let before = timer.course.value(now);
        let TimerValue { value, interval } = message.new;
        let is_absolute = message.subtype == TIMER_ABSOLUTE;
        let next = match (is_absolute, timer.clock) {
            _ if value == 0 => None,
            (false, _) => Some(now.saturating_add(value)),
            (true, clocks::REALTIME) => {
                let since_1970 = clock::realtime();
                Some(now.saturating_add(value.saturating_sub(since_1970)))
            }
            (true, _) => Some(value),
        };
        let kernel = if next.is_some() { Some(Timer::create_for(&event)?) } else { None };
        // Commit: nothing below fails.
        timer.course = Course { next, interval };
        timer.timer = kernel;
        timer.arm(now);
        self.changed.push(id);
        request.reply.clear();
        request.reply.extend_from_slice(before.as_bytes());
        Ok(0)
    }

    /// The setting of a timer.
    pub(crate) fn get(&mut self, request: &mut Request<'_>, id: u64) -> Result<i64, Errno> {
        let timer = self.timers.get(&id).ok_or(Errno::EBADF)?;
        request.reply.clear();
        request.reply.extend_from_slice(timer.course.value(clock::monotonic()).as_bytes());
        Ok(0)
    }

    pub(crate) fn read(
        &mut self,
        request: &mut Request<'_>,
        id: u64,
        length: usize,
        patience: Patience,
    ) -> Outcome {
        self.changed.push(id);
        let Some(timer) = self.timers.get_mut(&id) else {
            return Outcome::Reply(Err(Errno::EBADF));
        };
        if length < BYTES {
            return Outcome::Reply(Err(Errno::EINVAL));
        }
        match (timer.take(), patience) {
            (0, Patience::None) => Outcome::Reply(Err(Errno::EAGAIN)),
            (0, Patience::Waits) => {
                timer.readers.push_back(request.rcvid);
                Outcome::Pending
            }
            (count, _) => {
                request.reply.clear();
                request.reply.extend_from_slice(&count.to_le_bytes());
                Outcome::Reply(Ok(BYTES as i64))
            }
        }
    }

    /// The kernel's timer of a timer has expired.
    pub(crate) fn expire(&mut self, id: u64) {
        if let Some(timer) = self.timers.get_mut(&id) {
            timer.rang = true;
            self.changed.push(id);
        }
    }

    /// A client wants to leave; returns whether it waited at a timer.
    pub(crate) fn unblock(&mut self, rcvid: u64) -> bool {
        for timer in self.timers.values_mut() {
            let before = timer.readers.len();
            timer.readers.retain(|reader| *reader != rcvid);
            if timer.readers.len() != before {
                let _it_may_be_gone = message::error(rcvid, Errno::EINTR);
                return true;
            }
        }
        false
    }

    /// Lets the readers of what has changed go on; `tell` gets each timer's new readiness.
    pub(crate) fn settle(&mut self, mut tell: impl FnMut(u64, u32)) {
        // Bound: settling adds none.
        while let Some(id) = self.changed.pop() {
            let Some(timer) = self.timers.get_mut(&id) else { continue };
            timer.pump();
            let now = clock::monotonic();
            let bits = if timer.course.expired(now) > 0 { ready::IN } else { 0 };
            if core::mem::take(&mut timer.rang) && bits == 0 {
                // It was too early.
                timer.arm(now);
            }
            if timer.told != bits {
                timer.told = bits;
                tell(id, bits);
            }
        }
    }
}

impl Clocked {
    /// Takes what a read gets; 0: it has to wait.
    fn take(&mut self) -> u64 {
        let now = clock::monotonic();
        let count = self.course.take(now);
        if count > 0 {
            self.arm(now);
        }
        count
    }

    /// Lets the kernel tell of the next expiry.
    fn arm(&self, now: u64) {
        if let Some(timer) = &self.timer {
            // One that has expired already rings at once.
            timer.arm_at(self.course.to_come(now).or(self.course.next).unwrap_or(0));
        }
    }

    fn pump(&mut self) {
        // Bound: each turn answers a client.
        while let Some(&rcvid) = self.readers.front() {
            let before = self.course;
            let count = self.take();
            if count == 0 {
                return;
            }
            self.readers.pop_front();
            if message::reply(rcvid, BYTES as i64, &count.to_le_bytes()).is_err() {
                // The reader died: what it did not get is the next one's.
                self.course = before;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiries_are_counted_up_to_the_reading() {
        let mut course = Course { next: Some(100), interval: 10 };
        assert_eq!((course.expired(99), course.expired(100)), (0, 1));
        assert_eq!(course.value(95), TimerValue { value: 5, interval: 10 });
        assert_eq!(course.value(134), TimerValue { value: 6, interval: 10 });
        assert_eq!((course.take(134), course.next), (4, Some(140)));
        assert_eq!(course.take(134), 0);
    }

    #[test]
    fn one_without_an_interval_expires_once() {
        let mut course = Course { next: Some(100), interval: 0 };
        assert_eq!(course.value(200), TimerValue::default());
        assert_eq!((course.take(200), course.take(300)), (1, 0));
    }
}
