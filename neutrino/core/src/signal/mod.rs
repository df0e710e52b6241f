//! Signals: who gets one, what it does, and how a thread is diverted to its signal entry.

use neutrino_abi::Errno;
use neutrino_abi::signal::{SIGNAL_MAX, SignalInfo, SignalSet, number};

use crate::Kernel;
use crate::list::{Link, List};
use crate::machine::Machine;
use crate::process::{Life, ProcessId};
use crate::slab::{Id, Slot};
use crate::thread::{Plain, State, ThreadId, linked};
use crate::time::timer::TimerId;

mod calls;
mod divert;
mod stop;

/// A set with one signal.
pub(crate) const fn bit(number: u32) -> SignalSet {
    1_u64.wrapping_shl(number.wrapping_sub(1))
}

/// Signals that nobody can block, catch or ignore.
pub(crate) const UNBLOCKABLE: SignalSet = bit(number::SIGKILL) | bit(number::SIGSTOP);
/// Signals whose default is to do nothing.
const IGNORED_BY_DEFAULT: SignalSet =
    bit(number::SIGCHLD) | bit(number::SIGURG) | bit(number::SIGWINCH) | bit(number::SIGCONT);
/// Signals whose default is to stop.
const STOPS: SignalSet =
    bit(number::SIGSTOP) | bit(number::SIGTSTP) | bit(number::SIGTTIN) | bit(number::SIGTTOU);
/// First signal that queues as often as it is sent.
const FIRST_REALTIME: u32 = 32;

/// Lists of the details of pending signals.
#[derive(Clone, Copy, Debug)]
pub enum InPending {}

/// The details of a pending signal.
#[derive(Clone, Debug, Hash)]
pub struct Queued {
    pub(crate) info: SignalInfo,
    /// The timer whose signal this is; it knows of it, too.
    pub(crate) timer: Option<TimerId>,
    link: Link<Queued>,
}

const NOTHING: SignalInfo =
    SignalInfo { number: 0, code: 0, pid: 0, uid: 0, value: 0, status: 0, trap: 0 };

impl Slot for Queued {
    const VACANT: Self = Self { info: NOTHING, timer: None, link: Link::NONE };
    fn is_vacant(&self) -> bool {
        self.info.number == 0
    }
}
linked!(Queued, InPending, link);

/// Index of a [`Queued`].
pub type QueuedId = Id<Queued>;

/// Pending signals of a thread or a process.
#[derive(Clone, Debug, Hash)]
pub struct Pending {
    pub(crate) set: SignalSet,
    pub(crate) details: List<Queued, InPending>,
}

impl Pending {
    /// None.
    pub(crate) const EMPTY: Self = Self { set: 0, details: List::EMPTY };
}

/// Whose pending signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A thread's.
    Thread(ThreadId),
    /// A process's.
    Process(ProcessId),
}

/// What a signal does to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Ignore,
    /// The handler runs.
    Handle,
    /// The process stops.
    Stop,
    /// The process ends.
    Terminate,
}

impl Kernel {
    pub(crate) fn pending_mut(&mut self, holder: Holder) -> &mut Pending {
        match holder {
            Holder::Thread(t) => &mut self.threads[t].pending,
            Holder::Process(process) => &mut self.processes[process].pending,
        }
    }

    /// What a signal does to a process now.
    pub(crate) fn effect(&self, process: ProcessId, number: u32) -> Effect {
        let own = &self.processes[process];
        let one = bit(number);
        if one & UNBLOCKABLE == 0 {
            if own.ignored & one != 0 {
                return Effect::Ignore;
            }
            if own.handled & one != 0 {
                return Effect::Handle;
            }
        }
        if IGNORED_BY_DEFAULT & one != 0 {
            Effect::Ignore
        } else if STOPS & one != 0 {
            Effect::Stop
        } else {
            Effect::Terminate
        }
    }

    /// Signals that a thread would act on now.
    pub(crate) fn deliverable(&self, t: ThreadId) -> SignalSet {
        self.pending(t) & !self.threads[t].mask
    }

    /// Signals that are pending for a thread, or its process.
    pub(crate) fn pending(&self, t: ThreadId) -> SignalSet {
        let thread = &self.threads[t];
        thread.pending.set | self.processes[thread.process].pending.set
    }

    /// Sends a signal to a process, or to one thread of it.
    pub(crate) fn signal_send(
        &mut self,
        m: &mut impl Machine,
        process: ProcessId,
        thread: Option<ThreadId>,
        info: &SignalInfo,
    ) {
        self.signal_raise(m, process, thread, info, None);
    }

    /// Sends a signal, which may be a timer's that has none pending.
    pub(crate) fn signal_raise(
        &mut self,
        m: &mut impl Machine,
        process: ProcessId,
        thread: Option<ThreadId>,
        info: &SignalInfo,
        timer: Option<TimerId>,
    ) {
        let life = self.processes[process].life;
        if !(1..=SIGNAL_MAX).contains(&info.number) || !matches!(life, Life::Alive | Life::Stopped)
        {
            return;
        }
        if info.number == number::SIGKILL {
            self.terminate(m, process, info, None);
            return;
        }
        if info.number == number::SIGCONT {
            self.drop_pending(process, STOPS);
            self.process_continue(m, process);
        } else if STOPS & bit(info.number) != 0 {
            self.drop_pending(process, bit(number::SIGCONT));
        }
        let taker = self.taker(process, thread, info.number);
        let effect = self.effect(process, info.number);
        let is_awaited = taker.is_some_and(|t| self.awaits(t, info.number));
        let is_blocked = taker.is_none();
        if !is_awaited && !is_blocked {
            match effect {
                Effect::Ignore => return,
                // What comes to a stopped process waits until it goes on (POSIX.1-2017, 2.4.1).
                Effect::Terminate | Effect::Stop if life == Life::Stopped => {}
                Effect::Terminate => return self.terminate(m, process, info, taker),
                Effect::Stop => return self.process_stop(m, process, info.number),
                Effect::Handle => {}
            }
        }
        let holder = thread.map_or(Holder::Process(process), Holder::Thread);
        self.add_pending(holder, info, timer);
        if let Some(t) = taker {
            self.nudge(m, t, info.number);
        }
        let signal = bit(info.number);
        match thread {
            Some(t) => self.poll_signal(m, t, signal),
            // Bound: the threads of the process.
            None => self.each_thread(process, |kernel, t| kernel.poll_signal(m, t, signal)),
        }
    }

    /// A thread that takes a signal now: it does not block it, or waits for it.
    // Bound: the threads of the process.
    fn taker(&self, process: ProcessId, thread: Option<ThreadId>, number: u32) -> Option<ThreadId> {
        let takes = |t: ThreadId| self.threads[t].mask & bit(number) == 0 || self.awaits(t, number);
        if let Some(t) = thread {
            return takes(t).then_some(t);
        }
        let threads = self.processes[process].threads;
        let waiting = threads.iter(&self.threads).find(|&t| self.awaits(t, number));
        waiting.or_else(|| threads.iter(&self.threads).find(|&t| takes(t)))
    }

    fn awaits(&self, t: ThreadId, number: u32) -> bool {
        matches!(self.threads[t].state, State::SigWaitinfo { set, .. } if set & bit(number) != 0)
    }

    /// Lets a thread know that a signal is pending.
    fn nudge(&mut self, m: &mut impl Machine, t: ThreadId, number: u32) {
        if self.awaits(t, number) {
            self.finish_waitinfo(m, t);
        } else if self.threads[t].state.is_blocked() {
            self.interrupt(m, t, Errno::EINTR);
        } else {
            self.ask_thread(m, t);
        }
    }

    /// A thread that was taken off its CPU had met a trap: it gets its signal when it runs again.
    pub(crate) fn trap_later(&mut self, t: ThreadId, info: &SignalInfo) {
        self.add_pending(Holder::Thread(t), info, None);
    }

    fn add_pending(&mut self, holder: Holder, info: &SignalInfo, timer: Option<TimerId>) {
        let one = bit(info.number);
        let is_new = self.pending_mut(holder).set & one == 0;
        self.pending_mut(holder).set |= one;
        self.unsettled = true;
        match holder {
            Holder::Thread(t) => self.threads[t].plain = Plain::NO,
            // Bound: its threads.
            Holder::Process(process) => {
                self.each_thread(process, |kernel, t| kernel.threads[t].plain = Plain::NO);
            }
        }
        // A timer's comes beside another's, because its overruns are counted until it is taken.
        if !is_new && info.number < FIRST_REALTIME && timer.is_none() {
            return;
        }
        // One that finds no room keeps its number.
        let new = Queued { info: *info, timer, link: Link::NONE };
        let Some(id) = self.signals.insert(new) else { return };
        if let Some(timer) = timer {
            self.timers[timer].signal = Some(id);
        }
        let mut details = self.pending_mut(holder).details;
        details.push_back(&mut self.signals, id);
        self.pending_mut(holder).details = details;
    }

    /// Takes a pending signal of a holder.
    // Bound: the details that the holder has.
    pub(crate) fn take_pending(&mut self, holder: Holder, number: u32) -> SignalInfo {
        let details = self.pending_mut(holder).details;
        let mut matching =
            details.iter(&self.signals).filter(|&id| self.signals[id].info.number == number);
        let (found, more) = (matching.next(), matching.next().is_some());
        drop(matching);
        if !more {
            self.pending_mut(holder).set &= !bit(number);
        }
        match found {
            Some(id) => self.remove_detail(holder, id),
            None => SignalInfo { number, ..NOTHING },
        }
    }

    fn remove_detail(&mut self, holder: Holder, id: QueuedId) -> SignalInfo {
        let mut details = self.pending_mut(holder).details;
        details.remove(&mut self.signals, id);
        self.pending_mut(holder).details = details;
        let Queued { info, timer, .. } = self.signals.remove(id);
        if let Some(timer) = timer {
            self.timer_signal_taken(timer);
        }
        info
    }

    /// A pending signal's timer is gone: the signal stays.
    pub(crate) fn signal_outlives_timer(&mut self, id: QueuedId) {
        self.signals[id].timer = None;
    }

    /// Forgets pending signals of a set, of a process and its threads.
    fn drop_pending(&mut self, process: ProcessId, set: SignalSet) {
        self.forget(Holder::Process(process), set);
        let mut at = self.processes[process].threads.first();
        while let Some(t) = at {
            at = List::<_, crate::thread::Sibling>::next(&self.threads, t);
            self.forget(Holder::Thread(t), set);
        }
    }

    /// Forgets pending signals of a holder.
    // Bound: SIGNAL_MAX signals, and the details that the holder has.
    pub(crate) fn forget(&mut self, holder: Holder, set: SignalSet) {
        while self.pending_mut(holder).set & set != 0 {
            let first = (self.pending_mut(holder).set & set).trailing_zeros().wrapping_add(1);
            self.take_pending(holder, first);
        }
    }
}
