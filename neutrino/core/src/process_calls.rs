//! Making, changing and ending processes: the process manager's calls.

use neutrino_abi::Errno;
use neutrino_abi::handle::{COF_CLOEXEC, COF_NOSHARE, FD_LIMIT, SIDE_CHANNEL};
use neutrino_abi::process::{Credentials, ExecArgs, ProcessArgs, able, process_ctl};
use neutrino_abi::signal::{SIGNAL_MAX, SignalInfo, number};
use neutrino_abi::trace::Kind;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Handle, Place as HandlePlace, Target};
use crate::machine::{Machine, Place, StartRegisters};
use crate::process::{Life, Process, ProcessId};
use crate::sched::End;
use crate::signal::Holder;
use crate::slab::Slot;
use crate::step::price::{CLOSE_HANDLE, END_THREAD, HANDLE, SKIP_PAGE};
use crate::step::{Budget, Work};
use crate::thread::{Latch, Plain, State, ThreadId, slot};

/// Whether exec closes a handle: it is marked so, or the new program could not know of it.
fn ends_at_exec(handle: &Handle) -> bool {
    let is_own = matches!(
        handle.target,
        Target::Channel(_) | Target::Timer(_) | Target::Interrupt(_) | Target::Watch(_)
    );
    is_own || u32::from(handle.flags) & COF_CLOEXEC != 0
}

impl Kernel {
    /// `ProcessCreate`.
    pub(crate) fn process_create(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let begun = core::mem::replace(&mut self.threads[t].work, Work::None);
        let made = self.process_make(m, t, address, &begun);
        if made.is_err()
            && let Work::Spawn { child, .. } = begun
        {
            self.process_unmake(m, child);
        }
        made
    }

    /// Makes a process, or goes on with one that was begun. What fails leaves that as it is.
    fn process_make(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
        begun: &Work,
    ) -> Result<Outcome, Errno> {
        self.needs(t, able::PROCESS)?;
        let arguments: ProcessArgs = self.load(m, Place { space: self.space(t), address })?;
        let caller = self.process_of(t);
        let space = self.handle_space(caller, arguments.space)?;
        let parent = match arguments.parent {
            0 => None,
            number => Some(self.handle_process(caller, number)?),
        };
        self.handle_room(caller, SIDE_CHANNEL)?;
        let (child, from) = match *begun {
            Work::Spawn { child, from } => (child, Some(from)),
            Work::None
            | Work::Until(_)
            | Work::Fork { .. }
            | Work::Populate { .. }
            | Work::Receive { .. }
            | Work::Free => {
                let pid = arguments.pid;
                if pid == 0 || self.process_by_pid(pid).is_some() {
                    return Err(Errno::EINVAL);
                }
                let new = self.process_like(parent, &arguments, t);
                let child = self.process_insert(new).ok_or(Errno::EAGAIN)?;
                (child, HandlePlace::from_number(0))
            }
        };
        let filled = match (parent, from) {
            (Some(parent), Some(from)) => self.handles_clone(parent, child, from),
            (Some(_), None) => Ok(None),
            (None, _) => self.handles_first(child).map(|()| None),
        };
        match filled {
            Ok(Some(from)) => return Ok(self.leave_off(t, Work::Spawn { child, from })),
            Ok(None) => {}
            Err(errno) => {
                if !matches!(begun, Work::Spawn { .. }) {
                    self.process_unmake(m, child);
                }
                return Err(errno);
            }
        }
        // Commit: nothing below fails.
        self.processes[child].space = Some(space);
        self.memory.space_share(space);
        let handle = Handle { target: Target::Process(child), flags: 0 };
        self.processes[child].references = 1;
        self.handle_add(caller, SIDE_CHANNEL, handle).map(Outcome::value)
    }

    /// Takes back a process that no handle names and that has no threads.
    pub(crate) fn process_unmake(&mut self, m: &mut impl Machine, id: ProcessId) {
        let mut from = HandlePlace::from_number(0);
        // Bound: its handles.
        while from.is_some() {
            from = self.handles_close_if(m, id, from, |_| true);
            self.memory.set_budget(Budget::ENTRY);
        }
        self.processes[id].life = Life::Dead;
        self.process_free(id);
    }

    fn process_like(
        &self,
        parent: Option<ProcessId>,
        arguments: &ProcessArgs,
        t: ThreadId,
    ) -> Process {
        let ProcessArgs { pid, pgrp, session, abilities, .. } = *arguments;
        let fresh = Process {
            life: Life::Alive,
            pid,
            fd_limit: FD_LIMIT,
            space_limit: u64::MAX,
            ..Process::VACANT
        };
        match parent {
            None => {
                let first_mask = self.threads[t].mask;
                Process { pgrp, session, abilities, first_mask, ..fresh }
            }
            Some(parent) => {
                let model = &self.processes[parent];
                Process {
                    credentials: model.credentials,
                    pgrp: model.pgrp,
                    session: model.session,
                    abilities: model.abilities,
                    fd_limit: model.fd_limit,
                    space_limit: model.space_limit,
                    name: model.name,
                    personality: model.personality,
                    ignored: model.ignored,
                    handled: model.handled,
                    ..fresh
                }
            }
        }
    }

    /// The first handle of a process: its connection to the process manager.
    fn handles_first(&mut self, id: ProcessId) -> Result<(), Errno> {
        let Some(manager) = self.manager else { return Ok(()) };
        let connection = self.connection_create(manager, 0, 0)?;
        let handle = Handle { target: Target::Connection(connection), flags: 0 };
        let added = self.handle_add(id, SIDE_CHANNEL, handle);
        if added.is_err() {
            self.connection_free(connection);
        }
        added.map(drop)
    }

    /// Gives a child what its parent has open from a place on, as far as the budget allows, and tells
    /// where it goes on.
    // Bound: the parent's handles, and the budget.
    fn handles_clone(
        &mut self,
        parent: ProcessId,
        child: ProcessId,
        start: HandlePlace,
    ) -> Result<Option<HandlePlace>, Errno> {
        let mut from = Some(start);
        while let Some(start) = from {
            if self.memory.is_spent() {
                break;
            }
            let table = &self.processes[parent].handles;
            let Some((place, handle)) = table.next(&self.chunks, start) else { return Ok(None) };
            from = place.next();
            self.memory.spend(HANDLE);
            let is_shared = matches!(handle.target, Target::Connection(_) | Target::Object(_));
            if !is_shared || u32::from(handle.flags) & COF_NOSHARE != 0 {
                continue;
            }
            if !self.handle_put(child, place, handle) {
                return Err(Errno::EAGAIN);
            }
            self.target_share(handle.target);
        }
        Ok(from)
    }

    /// Closes handles of a process, all or those that exec closes, from a place on as far as the
    /// budget allows, and tells where it goes on.
    // Bound: its handles, and the budget.
    fn handles_close_if(
        &mut self,
        m: &mut impl Machine,
        id: ProcessId,
        start: Option<HandlePlace>,
        closes: impl Fn(&Handle) -> bool,
    ) -> Option<HandlePlace> {
        let mut from = start;
        while let Some(start) = from {
            if self.memory.is_spent() {
                break;
            }
            let table = &self.processes[id].handles;
            let (place, handle) = table.next(&self.chunks, start)?;
            from = place.next();
            self.memory.spend(SKIP_PAGE);
            if closes(&handle) {
                self.handle_take(id, place);
                self.target_release(m, handle.target);
                self.memory.spend(CLOSE_HANDLE);
            }
        }
        from
    }

    /// `ProcessExec`.
    pub(crate) fn process_exec(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        process: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        self.needs(t, able::PROCESS)?;
        let arguments: ExecArgs = self.load(m, Place { space: self.space(t), address })?;
        let caller = self.process_of(t);
        let id = self.handle_process(caller, process)?;
        let space = self.handle_space(caller, arguments.space)?;
        let survivor = self.thread_of(id, arguments.tid).ok_or(Errno::ESRCH)?;
        if !matches!(self.processes[id].life, Life::Alive | Life::Stopped) {
            return Err(Errno::ESRCH);
        }
        // Bound: the threads of the process, and the budget.
        while let Some(other) = self.other_thread(id, survivor) {
            if self.memory.is_spent() {
                return Ok(self.leave_off(t, Work::Until(0)));
            }
            self.thread_end(m, other);
            self.memory.spend(END_THREAD);
        }
        if let Some(left) = self.handles_close_rest(m, t, id, ends_at_exec) {
            return Ok(left);
        }
        // Commit: nothing below fails.
        self.unlink(m, survivor);
        self.take_off(m, survivor);
        self.transition(survivor, State::Stopped);
        self.stop_serving(survivor);
        self.memory.space_share(space);
        if let Some(old) = self.processes[id].space.replace(space) {
            self.memory.space_release(m, old);
        }
        self.reset_signals(id);
        let pid = self.processes[id].pid;
        let thread = &mut self.threads[survivor];
        thread.tid = pid;
        thread.signal_area = 0;
        thread.clear_tid = 0;
        thread.robust_list = 0;
        thread.saved_mask = None;
        thread.latch = Latch::Clear;
        let ExecArgs { entry, stack, argument, .. } = arguments;
        let start = StartRegisters { entry, stack, argument, fs_base: 0, gs_base: 0 };
        m.thread_start(slot(survivor), &start);
        self.settle(m, survivor);
        self.make_ready(survivor, End::Back);
        Ok(Outcome::DONE)
    }

    /// Closes handles of a process in as many parts as it takes, and before the last part of a call;
    /// how this part ends, if it is not that.
    fn handles_close_rest(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        id: ProcessId,
        closes: impl Fn(&Handle) -> bool,
    ) -> Option<Outcome> {
        let reached = u32::try_from(self.reached(t, 0)).unwrap_or(u32::MAX);
        let start = HandlePlace::from_number(reached);
        let from = self.handles_close_if(m, id, start, closes);
        if from.is_none() && !self.memory.is_spent() {
            return None;
        }
        let at = from.map_or(u64::MAX, |place| place.number().into());
        Some(self.leave_off(t, Work::Until(at)))
    }

    fn other_thread(&self, id: ProcessId, survivor: ThreadId) -> Option<ThreadId> {
        let threads = self.processes[id].threads;
        threads.iter(&self.threads).find(|&t| t != survivor)
    }

    /// What exec does to signals: handlers go, ignored ones stay ignored.
    fn reset_signals(&mut self, id: ProcessId) {
        let own = &mut self.processes[id];
        own.handled = 0;
        own.personality = Process::VACANT.personality;
    }

    /// `ProcessCtl`.
    pub(crate) fn process_ctl(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        process: u32,
        command: u32,
        value: u64,
    ) -> Result<Outcome, Errno> {
        let caller = self.process_of(t);
        let id = self.process_argument(caller, process)?;
        let place = Place { space: self.space(t), address: value };
        if command == process_ctl::GET_CREDENTIALS {
            let credentials = self.processes[id].credentials;
            self.store(m, place, &credentials)?;
            return Ok(Outcome::DONE);
        }
        self.needs(t, able::PROCESS)?;
        let small = u32::try_from(value);
        match command {
            process_ctl::SET_CREDENTIALS => {
                let credentials: Credentials = self.load(m, place)?;
                self.processes[id].credentials = credentials;
            }
            process_ctl::SET_PGRP => {
                self.processes[id].pgrp = small.map_err(|_| Errno::EINVAL)?;
            }
            process_ctl::SET_SESSION => {
                self.processes[id].session = small.map_err(|_| Errno::EINVAL)?;
            }
            process_ctl::SET_ABILITIES => self.processes[id].abilities = value,
            process_ctl::SET_NAME => {
                let mut name: [u8; 16] = self.load(m, place)?;
                name[15] = 0;
                self.processes[id].name = name;
                self.trace_process(id, Kind::ProcessName);
            }
            process_ctl::SET_FD_LIMIT => {
                let limit = small.map_err(|_| Errno::EINVAL)?;
                self.processes[id].fd_limit = limit.min(FD_LIMIT);
            }
            process_ctl::RESET_SIGNALS => self.reset_signals(id),
            process_ctl::STOP => self.process_stop(m, id, number::SIGSTOP),
            process_ctl::CONTINUE => self.process_continue(m, id),
            process_ctl::TERMINATE => return self.process_bury(m, t, id),
            process_ctl::SET_SPACE_LIMIT => self.processes[id].space_limit = value,
            process_ctl::COPY_HANDLE => {
                let number = small.map_err(|_| Errno::EBADF)?;
                let Handle { target, .. } = self.handle_to_copy(id, number)?;
                let copy = Handle { target, flags: 0 };
                let number = self.handle_add(caller, SIDE_CHANNEL, copy)?;
                self.target_share(target);
                return Ok(Outcome::value(number));
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(Outcome::DONE)
    }

    /// Ends all that a process has: threads, handles, memory.
    fn process_bury(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        id: ProcessId,
    ) -> Result<Outcome, Errno> {
        if id == self.process_of(t) {
            return Err(Errno::EINVAL);
        }
        if self.processes[id].life == Life::Dead {
            return Ok(Outcome::DONE);
        }
        if self.processes[id].life != Life::Ending {
            self.processes[id].life = Life::Ending;
            // Bound: its threads.
            self.each_thread(id, |kernel, t| kernel.threads[t].plain = Plain::NO);
        }
        // Bound: its threads, and the budget.
        while let Some(thread) = self.processes[id].threads.first() {
            if self.memory.is_spent() {
                return Ok(self.leave_off(t, Work::Until(0)));
            }
            self.thread_end(m, thread);
            self.memory.spend(END_THREAD);
        }
        if let Some(left) = self.handles_close_rest(m, t, id, |_| true) {
            return Ok(left);
        }
        self.forget(Holder::Process(id), u64::MAX);
        if let Some(space) = self.processes[id].space.take() {
            self.memory.space_release(m, space);
        }
        self.processes[id].life = Life::Dead;
        if self.processes[id].references == 0 {
            self.process_free(id);
        }
        Ok(Outcome::DONE)
    }

    /// A handle on a process is gone; the object goes with the last one if the process is dead.
    pub(crate) fn process_release(&mut self, m: &mut impl Machine, id: ProcessId) {
        let own = &mut self.processes[id];
        own.references = own.references.saturating_sub(1);
        if own.references > 0 {
            return;
        }
        match own.life {
            Life::Dead => self.process_free(id),
            Life::Alive | Life::Stopped => {
                // Nobody is left who could bury it.
                let info = SignalInfo { number: number::SIGKILL, ..SignalInfo::default() };
                self.terminate(m, id, &info, None);
            }
            Life::Vacant | Life::Ending => {}
        }
    }

    /// `SystemCtl`.
    pub(crate) fn system_ctl(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        command: u32,
        value: u64,
    ) -> Result<Outcome, Errno> {
        match command {
            0 => {
                self.needs(t, able::PROCESS)?;
                let chid = u32::try_from(value).map_err(|_| Errno::EINVAL)?;
                self.manager = Some(self.handle_channel(self.process_of(t), chid)?);
            }
            1 => {
                self.needs(t, able::REBOOT)?;
                m.power_off(value);
            }
            2 => {
                self.needs(t, able::REBOOT)?;
                m.reset();
            }
            3 => {
                self.needs(t, able::PHYSICAL)?;
                let (_, shape) = m.framebuffer().ok_or(Errno::ENODEV)?;
                self.store(m, Place { space: self.space(t), address: value }, &shape)?;
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(Outcome::DONE)
    }

    /// `DebugWrite`.
    pub(crate) fn debug_write(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
        length: u32,
    ) -> Result<Outcome, Errno> {
        const CHUNK: u32 = 128;
        let length = length.min(crate::limits::LOG_BYTES);
        let mut bytes = [0_u8; CHUNK as usize];
        let mut done = 0_u32;
        // Bound: LOG_BYTES / CHUNK turns.
        while done < length {
            let step = length.wrapping_sub(done).min(CHUNK);
            let part = bytes.get_mut(..step as usize).ok_or(Errno::EFAULT)?;
            let at = address.wrapping_add(u64::from(done));
            self.memory.read(m, Place { space: self.space(t), address: at }, part)?;
            m.log(part);
            done = done.wrapping_add(step);
        }
        Ok(Outcome::value(done))
    }
}

const _: () = assert!(SIGNAL_MAX == 64);
