//! The `Signal*` calls.

use neutrino_abi::Errno;
use neutrino_abi::signal::{
    Personality, Registers, SIGNAL_MAX, SignalInfo, SignalSet, disposition, how, number,
};

use crate::Kernel;
use crate::call::Outcome;
use crate::machine::{Machine, Place};
use crate::signal::{Effect, Holder, IGNORED_BY_DEFAULT, UNBLOCKABLE, bit};
use crate::thread::{Plain, State, ThreadId, slot};

impl Kernel {
    /// `SignalKill`.
    pub(crate) fn signal_kill(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        process: u32,
        tid: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let caller = self.process_of(t);
        let target = self.process_argument(caller, process)?;
        let mut info: SignalInfo = self.load(m, Place { space: self.space(t), address })?;
        if info.number > SIGNAL_MAX {
            return Err(Errno::EINVAL);
        }
        let thread = match tid {
            0 => None,
            tid => Some(self.thread_of(target, tid).ok_or(Errno::ESRCH)?),
        };
        if info.number == 0 {
            return Ok(Outcome::DONE);
        }
        if !self.is_manager(t) {
            // Only the process manager may speak for others.
            info.pid = self.processes[caller].pid;
            info.uid = self.processes[caller].credentials.ruid;
        }
        // The call is over before the signal acts: a handler finds its result.
        m.set_result(slot(t), 0);
        self.signal_send(m, target, thread, &info);
        Ok(Outcome::Gone)
    }

    /// `SignalAction`.
    pub(crate) fn signal_action(
        &mut self,
        t: ThreadId,
        process: u32,
        signal: u32,
        wanted: u32,
    ) -> Result<Outcome, Errno> {
        if !(1..=SIGNAL_MAX).contains(&signal) || bit(signal) & UNBLOCKABLE != 0 {
            return Err(Errno::EINVAL);
        }
        let target = self.process_argument(self.process_of(t), process)?;
        let one = bit(signal);
        let own = &mut self.processes[target];
        let old = if own.ignored & one != 0 {
            disposition::IGNORE
        } else if own.handled & one != 0 {
            disposition::HANDLER
        } else {
            disposition::DEFAULT
        };
        let (ignored, handled) = match wanted {
            disposition::DEFAULT => (0, 0),
            disposition::IGNORE => (one, 0),
            disposition::HANDLER => (0, one),
            _ => return Err(Errno::EINVAL),
        };
        own.ignored = own.ignored & !one | ignored;
        own.handled = own.handled & !one | handled;
        let drops = ignored != 0 || handled == 0 && IGNORED_BY_DEFAULT & one != 0;
        if drops {
            self.drop_pending(target, one);
        }
        Ok(Outcome::value(old))
    }

    /// `SignalProcmask`.
    pub(crate) fn signal_procmask(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        way: u32,
        set: SignalSet,
        old: u64,
    ) -> Result<Outcome, Errno> {
        let mask = self.threads[t].mask;
        let new = match way {
            how::BLOCK => mask | set,
            how::UNBLOCK => mask & !set,
            how::SET => set,
            how::QUERY => mask,
            _ => return Err(Errno::EINVAL),
        };
        self.store_optional(m, Place { space: self.space(t), address: old }, &mask)?;
        self.set_mask(t, new);
        Ok(Outcome::DONE)
    }

    /// `SignalSuspend`.
    pub(crate) fn signal_suspend(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        set: SignalSet,
    ) -> Result<Outcome, Errno> {
        let thread = &mut self.threads[t];
        thread.saved_mask = Some(thread.saved_mask.unwrap_or(thread.mask));
        thread.mask = set & !UNBLOCKABLE;
        self.unsettled = true;
        self.discard_ignored(t);
        self.may_wait(t)?;
        self.transition(t, State::SigSuspend);
        self.start_waiting(m, t);
        Ok(Outcome::Blocked)
    }

    /// Signals that became deliverable and do nothing end no wait.
    // Bound: SIGNAL_MAX.
    fn discard_ignored(&mut self, t: ThreadId) {
        let process = self.process_of(t);
        let mut set = self.deliverable(t);
        while set != 0 {
            let number = set.trailing_zeros().wrapping_add(1);
            set &= set.wrapping_sub(1);
            if self.effect(process, number) == Effect::Ignore {
                self.forget(Holder::Thread(t), bit(number));
                self.forget(Holder::Process(process), bit(number));
            }
        }
    }

    /// `SignalWaitinfo`.
    pub(crate) fn signal_waitinfo(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        set: SignalSet,
        info: u64,
        timeout: u64,
    ) -> Result<Outcome, Errno> {
        let set = set & !UNBLOCKABLE;
        if self.pending(t) & set != 0 {
            let place = Place { space: self.space(t), address: info };
            self.store_optional(m, place, &SignalInfo::default())?;
            let taken = self.take_lowest(t, set);
            self.store_optional(m, place, &taken)?;
            return Ok(Outcome::value(taken.number));
        }
        if timeout == 0 {
            return Err(Errno::EAGAIN);
        }
        self.may_wait(t)?;
        self.transition(t, State::SigWaitinfo { set, info });
        self.start_waiting(m, t);
        self.deadline_limit(t, m.now().saturating_add(timeout));
        Ok(Outcome::Blocked)
    }

    /// A signal that a thread waits for in `SignalWaitinfo` has come.
    pub(crate) fn finish_waitinfo(&mut self, m: &mut impl Machine, t: ThreadId) {
        let State::SigWaitinfo { set, info } = self.threads[t].state else { return };
        let taken = self.take_lowest(t, set);
        let place = Place { space: self.space(t), address: info };
        let stored = self.store_optional(m, place, &taken);
        self.wake_with(m, t, stored.map(|()| i64::from(taken.number)));
    }

    /// `SignalTake`.
    pub(crate) fn signal_take(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        info: u64,
        mask: u64,
    ) -> Result<Outcome, Errno> {
        let space = self.space(t);
        let at = |address| Place { space, address };
        self.discard_ignored(t);
        let deliverable = self.deliverable(t);
        let restored = self.threads[t].saved_mask.unwrap_or(self.threads[t].mask);
        self.store_optional(m, at(info), &SignalInfo::default())?;
        self.store_optional(m, at(mask), &restored)?;
        if deliverable == 0 {
            if let Some(saved) = self.threads[t].saved_mask.take() {
                self.unsettled = true;
                self.threads[t].mask = saved;
            }
            return Ok(Outcome::value(0));
        }
        let process = self.process_of(t);
        let number = deliverable.trailing_zeros().wrapping_add(1);
        if self.effect(process, number) != Effect::Handle {
            // `prepare` acts on it before the thread runs again.
            return Ok(Outcome::value(0));
        }
        self.threads[t].saved_mask = None;
        let taken = self.take_lowest(t, bit(number));
        self.store_optional(m, at(info), &taken)?;
        self.set_mask(t, self.threads[t].mask | bit(number));
        Ok(Outcome::value(taken.number))
    }

    /// Changes the mask of the caller. Who runs, and what the fast path may know of it, is another
    /// question only if a signal is deliverable then.
    fn set_mask(&mut self, t: ThreadId, mask: SignalSet) {
        self.threads[t].mask = mask & !UNBLOCKABLE;
        if self.deliverable(t) != 0 {
            self.unsettled = true;
        } else if self.threads[t].plain == Plain::NO {
            self.threads[t].plain = self.plain(t);
        }
    }

    /// `SignalReturn`.
    pub(crate) fn signal_return(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
        mask: SignalSet,
    ) -> Result<Outcome, Errno> {
        const MAPERR: i32 = 1;
        let place = Place { space: self.space(t), address };
        let loaded: Result<Registers, Errno> = self.load(m, place);
        match loaded {
            Ok(registers) => {
                m.set_registers(slot(t), &registers);
                self.set_mask(t, mask);
            }
            Err(_) => {
                let number = number::SIGSEGV;
                let info =
                    SignalInfo { number, code: MAPERR, value: address, ..SignalInfo::default() };
                self.terminate(m, self.process_of(t), &info, Some(t));
            }
        }
        Ok(Outcome::Gone)
    }

    /// `SignalPending`.
    pub(crate) fn signal_pending(&self, t: ThreadId) -> Outcome {
        Outcome::Value((self.pending(t) & self.threads[t].mask).cast_signed())
    }

    /// `PersonalityAttach`.
    pub(crate) fn personality_attach(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let personality: Personality = self.load(m, Place { space: self.space(t), address })?;
        let end = neutrino_abi::memory::USER_END;
        let entries =
            [personality.system_call_entry, personality.signal_entry, personality.copy_fault];
        if entries.iter().any(|&entry| entry >= end) {
            return Err(Errno::EINVAL);
        }
        let process = self.process_of(t);
        self.processes[process].personality = personality;
        // Bound: the threads of the process.
        let threads = self.processes[process].threads;
        threads.iter(&self.threads).for_each(|thread| self.settle(m, thread));
        Ok(Outcome::DONE)
    }
}
