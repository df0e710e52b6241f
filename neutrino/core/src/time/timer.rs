//! Timers.

use neutrino_abi::Errno;
use neutrino_abi::event::Event;
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::time::{Itimer, TIMER_ABSTIME, TimerInfo, clock};

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Handle, Target};
use crate::ipc::event::Action;
use crate::ipc::pulse::{Owner, PulseId};
use crate::machine::{Machine, Place};
use crate::process::ProcessId;
use crate::signal::QueuedId;
use crate::slab::{Id, Slot};
use crate::thread::ThreadId;
use crate::time::deadline::{Follows, Position, Who};

/// Index of a [`Timer`].
pub type TimerId = Id<Timer>;

/// A timer.
#[derive(Clone, Debug, Hash)]
pub struct Timer {
    process: Option<ProcessId>,
    clock: u32,
    action: Action,
    /// Next expiry on the monotonic clock; none: disarmed.
    next: Option<u64>,
    follows: Follows,
    interval: u64,
    /// Expiries that its last pulse or signal also stands for.
    overruns: u32,
    /// Those that the pending signal stands for so far.
    missed: u32,
    /// Its signal, from when it is sent until it is taken: a timer has one at most.
    pub(crate) signal: Option<QueuedId>,
    pub(crate) position: Position,
    pub(crate) pulse: Option<PulseId>,
}

impl Slot for Timer {
    const VACANT: Self = Self {
        process: None,
        clock: 0,
        action: Action::None,
        next: None,
        follows: Follows::Nothing,
        interval: 0,
        overruns: 0,
        missed: 0,
        signal: None,
        position: Position::NONE,
        pulse: None,
    };
    fn is_vacant(&self) -> bool {
        self.process.is_none()
    }
}

impl Timer {
    /// What happens when its time comes.
    pub(crate) const fn action(&self) -> Action {
        self.action
    }
}

impl Kernel {
    /// `TimerCreate`.
    pub(crate) fn timer_create(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        clock: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        if !matches!(clock, clock::REALTIME | clock::MONOTONIC) {
            return Err(Errno::EINVAL);
        }
        let event: Event = self.load(m, Place { space: self.space(t), address })?;
        let process = self.process_of(t);
        self.handle_room(process, SIDE_CHANNEL)?;
        if !self.timers.has_room(1) {
            return Err(Errno::EAGAIN);
        }
        let action = self.event_decode(t, &event)?;
        // Commit: nothing below fails.
        let new = Timer { process: Some(process), clock, action, ..Timer::VACANT };
        let id = self.timers.insert(new).ok_or(Errno::EAGAIN)?;
        let handle = Handle { target: Target::Timer(id), flags: 0 };
        self.handle_add(process, SIDE_CHANNEL, handle).map(Outcome::value)
    }

    /// `TimerSettime`.
    pub(crate) fn timer_settime(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        timer: u32,
        flags: u32,
        addresses: (u64, u64),
    ) -> Result<Outcome, Errno> {
        let (new, old) = addresses;
        let id = self.handle_timer(self.process_of(t), timer)?;
        let space = self.space(t);
        let setting: Itimer = self.load(m, Place { space, address: new })?;
        let before = self.timer_setting(m, id);
        self.store_optional(m, Place { space, address: old }, &before)?;
        // Commit: nothing below fails.
        let is_realtime = self.timers[id].clock == clock::REALTIME;
        let is_point = flags & TIMER_ABSTIME != 0;
        let next = match (setting.nsec, is_point) {
            (0, _) => None,
            (at, true) => Some(self.point(m, at, is_realtime)),
            (distance, false) => Some(m.now().saturating_add(distance)),
        };
        self.heap_remove(Who::Timer(id));
        let own = &mut self.timers[id];
        (own.next, own.interval) = (next, setting.interval_nsec);
        own.follows = if is_point && is_realtime { Follows::Realtime } else { Follows::Nothing };
        (own.overruns, own.missed) = (0, 0);
        if let Some(at) = next {
            self.heap_set(Who::Timer(id), at);
        }
        Ok(Outcome::DONE)
    }

    /// The wall clock was set forward (or back) by so much.
    pub(crate) fn timer_moved(&mut self, id: TimerId, by: i64) {
        let timer = &mut self.timers[id];
        if let (Some(at), Follows::Realtime) = (timer.next, timer.follows) {
            let at = at.saturating_sub_signed(by);
            timer.next = Some(at);
            self.heap_set(Who::Timer(id), at);
        }
    }

    fn timer_setting(&self, m: &impl Machine, id: TimerId) -> Itimer {
        let timer = &self.timers[id];
        let nsec = timer.next.map_or(0, |at| at.saturating_sub(m.now()).max(1));
        Itimer { nsec, interval_nsec: timer.interval }
    }

    /// `TimerInfo`.
    pub(crate) fn timer_info(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        timer: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let id = self.handle_timer(self.process_of(t), timer)?;
        let Timer { clock, overruns, .. } = self.timers[id];
        let info = TimerInfo { remaining: self.timer_setting(m, id), overruns, clock };
        self.store(m, Place { space: self.space(t), address }, &info)?;
        Ok(Outcome::DONE)
    }

    /// A timer's time has come; missed intervals count as overruns.
    pub(crate) fn timer_expire(&mut self, m: &mut impl Machine, id: TimerId) {
        self.heap_remove(Who::Timer(id));
        let now = m.now();
        let timer = &mut self.timers[id];
        let (Some(process), Some(at)) = (timer.process, timer.next) else { return };
        let action = timer.action;
        timer.next = None;
        let mut missed = 0_u32;
        if timer.interval > 0 {
            let intervals = now.saturating_sub(at).checked_div(timer.interval).unwrap_or(0);
            missed = u32::try_from(intervals).unwrap_or(u32::MAX);
            let steps = intervals.saturating_add(1).saturating_mul(timer.interval);
            let next = at.saturating_add(steps);
            timer.next = Some(next);
            self.heap_set(Who::Timer(id), next);
        }
        let timer = &mut self.timers[id];
        if timer.signal.is_some() {
            timer.missed = timer.missed.saturating_add(missed).saturating_add(1);
            return;
        }
        (timer.overruns, timer.missed) = (missed, missed);
        self.event_fire(m, process, &action, Owner::Timer(id));
    }

    /// A timer's signal is taken: what it stands for is what the timer tells from now on.
    pub(crate) fn timer_signal_taken(&mut self, id: TimerId) {
        let timer = &mut self.timers[id];
        timer.signal = None;
        timer.overruns = timer.missed;
    }

    /// A timer's handle is gone.
    pub(crate) fn timer_end(&mut self, m: &mut impl Machine, id: TimerId) {
        self.heap_remove(Who::Timer(id));
        if let Some(pulse) = self.timers[id].pulse {
            self.orphan(pulse);
        }
        if let Some(signal) = self.timers[id].signal {
            self.signal_outlives_timer(signal);
        }
        let Timer { action, .. } = self.timers.remove(id);
        self.event_release(m, &action);
    }
}
