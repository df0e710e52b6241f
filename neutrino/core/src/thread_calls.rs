//! Making, changing and ending threads.

use neutrino_abi::Errno;
use neutrino_abi::calls::futex;
use neutrino_abi::process::{ThreadArgs, able, thread_ctl, thread_flag};
use neutrino_abi::sched::{PRIORITY_MAX, SchedParam, policy};
use neutrino_abi::trace::Kind;

use crate::Kernel;
use crate::call::Outcome;
use crate::limits;
use crate::machine::{Machine, Place, StartRegisters};
use crate::process::{Life, ProcessId};
use crate::sched::End;
use crate::signal::Holder;
use crate::slab::Slot;
use crate::sporadic::{Sporadic, Terms};
use crate::thread::{Hold, Plain, Policy, Priority, State, Thread, ThreadId, slot};

/// The policy with an ABI number, of those that need no more than a priority.
fn policy_of(number: u32) -> Result<Policy, Errno> {
    match number {
        policy::OTHER => Ok(Policy::Other),
        policy::FIFO => Ok(Policy::Fifo),
        policy::ROUND_ROBIN => Ok(Policy::RoundRobin),
        _ => Err(Errno::EINVAL),
    }
}

/// The ABI number of a policy.
pub(crate) const fn policy_number(of: Policy) -> u32 {
    match of {
        Policy::Other => policy::OTHER,
        Policy::Fifo => policy::FIFO,
        Policy::RoundRobin => policy::ROUND_ROBIN,
        Policy::Sporadic(_) => policy::SPORADIC,
    }
}

impl Kernel {
    /// The thread that a call means.
    pub(crate) fn thread_argument(&self, t: ThreadId, who: (u32, u32)) -> Result<ThreadId, Errno> {
        let (process, tid) = who;
        let target = self.process_argument(self.process_of(t), process)?;
        match tid {
            0 if process == 0 => Ok(t),
            0 => self.processes[target].threads.first().ok_or(Errno::ESRCH),
            tid => self.thread_of(target, tid).ok_or(Errno::ESRCH),
        }
    }

    fn priority_argument(&self, t: ThreadId, wanted: u32) -> Result<Priority, Errno> {
        if wanted == 0 || wanted > u32::from(PRIORITY_MAX) {
            return Err(Errno::EINVAL);
        }
        if wanted >= limits::PRIVILEGED_PRIORITY {
            self.needs(t, able::PRIORITY)?;
        }
        let level = u8::try_from(wanted).map_err(|_| Errno::EINVAL)?;
        Ok(Priority(level, self.threads[t].base.1))
    }

    /// `ThreadCreate`.
    pub(crate) fn thread_create(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        process: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let arguments: ThreadArgs = self.load(m, Place { space: self.space(t), address })?;
        let target = self.process_argument(self.process_of(t), process)?;
        if !matches!(self.processes[target].life, Life::Alive | Life::Stopped) {
            return Err(Errno::ESRCH);
        }
        let like = match arguments.like_tid {
            0 => None,
            tid => {
                self.needs(t, able::PROCESS)?;
                Some(self.thread_by_tid(tid).ok_or(Errno::ESRCH)?)
            }
        };
        let model = &self.threads[like.unwrap_or(t)];
        let (mut base, mut policy, mask) = (model.base, model.policy, model.mask);
        let cpu = model.cpu_in(model.inherited_mask);
        if arguments.priority != 0 {
            base.0 = self.priority_argument(t, arguments.priority)?.0;
            policy = policy_of(arguments.policy)?;
        }
        let (run_mask, inherited_mask) = (model.inherited_mask, model.inherited_mask);
        let (policy, base) = self.policy_like(policy, base)?;
        let new = Thread { state: State::Stopped, base, mask, ..Thread::VACANT };
        let new = Thread { cpu, run_mask, inherited_mask, ..new };
        let id = self.thread_add(target, new).inspect_err(|_| self.policy_drop(policy))?;
        // Commit: nothing below fails.
        self.set_policy(id, policy, base);
        let thread = &mut self.threads[id];
        thread.signal_area = arguments.signal_area;
        thread.clear_tid = arguments.clear_tid;
        if arguments.flags & thread_flag::HELD != 0 {
            thread.hold = Hold::Held;
        }
        let ThreadArgs { entry, stack, argument, fs_base, gs_base, .. } = arguments;
        let start = StartRegisters { entry, stack, argument, fs_base, gs_base };
        m.thread_start(slot(id), &start);
        self.settle(m, id);
        if let Some(like) = like {
            m.copy_fpu(slot(like), slot(id));
        }
        self.make_ready(id, End::Back);
        Ok(Outcome::value(self.threads[id].tid))
    }

    /// The policy and priority of a new thread that is to have what another has: a sporadic one has a
    /// budget of its own.
    ///
    /// # Errors
    /// EAGAIN: there are too many sporadic threads.
    fn policy_like(&mut self, model: Policy, base: Priority) -> Result<(Policy, Priority), Errno> {
        let Policy::Sporadic(id) = model else { return Ok((model, base)) };
        let terms = self.sporadics[id].terms;
        let new = self.sporadics.insert(Sporadic::new(terms)).ok_or(Errno::EAGAIN)?;
        Ok((Policy::Sporadic(new), terms.normal))
    }

    /// Gives back what a policy takes that nobody got.
    fn policy_drop(&mut self, policy: Policy) {
        if let Policy::Sporadic(id) = policy {
            self.sporadics.remove(id);
        }
    }

    /// Puts a new thread into the table and its process.
    pub(crate) fn thread_add(
        &mut self,
        process: ProcessId,
        new: Thread,
    ) -> Result<ThreadId, Errno> {
        let effective = new.base;
        let slice_left = limits::SLICE_NS;
        let new = Thread { process, effective, slice_left, ..new };
        let id = self.threads.insert(new).ok_or(Errno::EAGAIN)?;
        let is_first = self.processes[process].threads.is_empty();
        if is_first {
            self.processes[process].partition = effective.1;
        }
        let tid = if is_first { self.processes[process].pid } else { self.next_tid(id) };
        self.threads[id].tid = tid;
        let mut threads = self.processes[process].threads;
        threads.push_back(&mut self.threads, id);
        let own = &mut self.processes[process];
        own.threads = threads;
        own.thread_count = own.thread_count.wrapping_add(1);
        self.trace_thread(id, Kind::ThreadCreate);
        Ok(id)
    }

    /// `ThreadDestroy`.
    pub(crate) fn thread_destroy(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        tid: u32,
        status: u64,
    ) -> Result<Outcome, Errno> {
        let target = self.thread_argument(t, (0, tid))?;
        let process = self.process_of(target);
        self.thread_end(m, target);
        if self.processes[process].threads.is_empty() {
            self.process_run_out(m, process, status);
        }
        if target == t { Ok(Outcome::Gone) } else { Ok(Outcome::DONE) }
    }

    /// Ends a thread: wakes who waits for its word, passes on its mutexes, and frees it.
    pub(crate) fn thread_end(&mut self, m: &mut impl Machine, t: ThreadId) {
        self.give_up(m, t);
        self.abandon_work(m, t);
        if self.threads[t].state == State::Ready {
            self.dequeue(t);
        }
        self.take_off(m, t);
        self.transition(t, State::Stopped);
        self.deadline_clear(t);
        self.sporadic_end(t);
        self.mutexes_abandon(m, t);
        let address = self.threads[t].clear_tid;
        if address != 0 {
            self.clear_word(m, t, address);
        }
        self.tell_thread_death(m, t);
        self.forget(Holder::Thread(t), u64::MAX);
        let process = self.process_of(t);
        let mut threads = self.processes[process].threads;
        threads.remove(&mut self.threads, t);
        let time = self.threads[t].cpu_time;
        let own = &mut self.processes[process];
        own.threads = threads;
        own.thread_count = own.thread_count.wrapping_sub(1);
        own.cpu_time = own.cpu_time.wrapping_add(time);
        if self.caller == Some(t) {
            self.caller = None;
        }
        self.trace_thread(t, Kind::ThreadEnd);
        self.threads.remove(t);
    }

    /// Clears the word that tells of a thread's end, and wakes who waits on it.
    fn clear_word(&mut self, m: &mut impl Machine, t: ThreadId, address: u64) {
        let place = Place { space: self.space(t), address };
        if self.memory.write(m, place, &0_u32.to_le_bytes()).is_err() {
            return;
        }
        for flags in [0, futex::SHARED] {
            if let Ok(key) = self.futex_key(m, t, address, flags) {
                self.futex_wake_key(m, &key, u32::MAX, futex::ANY);
            }
        }
    }

    /// `ThreadCtl`.
    pub(crate) fn thread_ctl(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        who: (u32, u32),
        command: u32,
        value: u64,
    ) -> Result<Outcome, Errno> {
        let target = self.thread_argument(t, who)?;
        match command {
            thread_ctl::FS_BASE | thread_ctl::GS_BASE
                if value >= neutrino_abi::memory::USER_END =>
            {
                return Err(Errno::EPERM);
            }
            thread_ctl::FS_BASE => m.set_fs_base(slot(target), value),
            thread_ctl::GS_BASE => m.set_gs_base(slot(target), value),
            thread_ctl::SIGNAL_AREA => self.threads[target].signal_area = value,
            thread_ctl::CLEAR_TID => self.threads[target].clear_tid = value,
            thread_ctl::ROBUST_LIST => self.threads[target].robust_list = value,
            thread_ctl::OWNER_DIED => {
                self.needs(t, able::PROCESS)?;
                self.mutex_owner_died(m, target, value)?;
            }
            thread_ctl::NAME => {
                let place = Place { space: self.space(t), address: value };
                let mut name: [u8; 16] = self.load(m, place)?;
                name[15] = 0;
                self.threads[target].name = name;
                self.trace_thread(target, Kind::ThreadName);
            }
            thread_ctl::HOLD => {
                self.thread_hold(m, target);
                let begun = self.threads[target].work;
                self.pass_on(m, target, &begun);
            }
            thread_ctl::CONTINUE => {
                self.threads[target].hold = Hold::No;
                if self.threads[target].state == State::Stopped {
                    self.make_ready(target, End::Back);
                }
            }
            thread_ctl::RUN_MASK => self.set_run_mask(m, target, value)?,
            thread_ctl::RUN_MASK_INHERIT => {
                self.set_run_mask(m, target, value)?;
                self.threads[target].inherited_mask = self.threads[target].run_mask;
            }
            thread_ctl::GET_RUN_MASK => {
                return Ok(Outcome::Value(self.run_mask(target).cast_signed()));
            }
            thread_ctl::GET_FS_BASE => {
                return Ok(Outcome::Value(m.fs_base(slot(target)).cast_signed()));
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(Outcome::DONE)
    }

    fn thread_hold(&mut self, m: &mut impl Machine, t: ThreadId) {
        self.threads[t].hold = Hold::Held;
        self.threads[t].plain = Plain::NO;
        if self.threads[t].state == State::Ready {
            self.dequeue(t);
        } else if self.threads[t].state == State::Running {
            self.take_off(m, t);
        } else {
            return;
        }
        self.transition(t, State::Stopped);
    }

    /// `SchedGet`.
    pub(crate) fn sched_get(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        who: (u32, u32),
        address: u64,
    ) -> Result<Outcome, Errno> {
        let thread = &self.threads[self.thread_argument(t, who)?];
        let parameters = SchedParam {
            policy: policy_number(thread.policy),
            priority: u32::from(thread.base.0),
            current_priority: u32::from(thread.effective.0),
            ..SchedParam::default()
        };
        let parameters = match thread.policy {
            Policy::Other | Policy::Fifo | Policy::RoundRobin => parameters,
            Policy::Sporadic(id) => self.sporadics[id].terms.tell(&parameters),
        };
        self.store(m, Place { space: self.space(t), address }, &parameters)?;
        Ok(Outcome::DONE)
    }

    /// `SchedSet`.
    pub(crate) fn sched_set(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        who: (u32, u32),
        address: u64,
    ) -> Result<Outcome, Errno> {
        let target = self.thread_argument(t, who)?;
        let wanted: SchedParam = self.load(m, Place { space: self.space(t), address })?;
        let level = self.priority_argument(t, wanted.priority)?.0;
        let base = Priority(level, self.threads[target].base.1);
        let policy = if wanted.policy == policy::SPORADIC {
            let low = self.priority_argument(t, wanted.low_priority)?;
            let new = Sporadic::new(Terms::new(&wanted, base, low)?);
            Policy::Sporadic(self.sporadics.insert(new).ok_or(Errno::EAGAIN)?)
        } else {
            policy_of(wanted.policy)?
        };
        // Commit: nothing below fails.
        if self.threads[target].state == State::Running {
            self.account(m, self.threads[target].cpu.into());
        }
        self.set_policy(target, policy, base);
        let thread = &mut self.threads[target];
        thread.plain = Plain::NO;
        self.unsettled = true;
        if thread.serving.get().is_none() {
            thread.inherited = None;
        }
        self.refresh(m, target);
        Ok(Outcome::DONE)
    }

    /// `ThreadSelf`.
    pub(crate) fn thread_self(&self, t: ThreadId) -> Outcome {
        let pid = u64::from(self.processes[self.process_of(t)].pid);
        let both = pid.wrapping_shl(32) | u64::from(self.threads[t].tid);
        Outcome::Value(both.cast_signed())
    }
}
