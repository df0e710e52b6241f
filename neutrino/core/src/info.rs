//! What the kernel tells about threads, processes, handles and itself.

use neutrino_abi::Errno;
use neutrino_abi::info::{HandleInfo, ProcessInfo, SystemInfo, ThreadInfo};

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Place as HandlePlace, Target};
use crate::machine::{Machine, Place};
use crate::process::Life;
use crate::thread::{State, ThreadId, slot};
use crate::thread_calls::policy_number;

impl Kernel {
    /// `ThreadInfo`.
    // Bound: the threads of the process.
    pub(crate) fn thread_info(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        process: u32,
        tid: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let target = self.process_argument(self.process_of(t), process)?;
        let threads = self.processes[target].threads;
        let found = threads
            .iter(&self.threads)
            .filter(|&id| self.threads[id].tid >= tid)
            .min_by_key(|&id| self.threads[id].tid)
            .ok_or(Errno::ESRCH)?;
        let info = self.describe_thread(m, found);
        self.store(m, Place { space: self.space(t), address }, &info)?;
        Ok(Outcome::value(info.tid))
    }

    fn describe_thread(&self, m: &impl Machine, t: ThreadId) -> ThreadInfo {
        let thread = &self.threads[t];
        let registers = m.registers(slot(t));
        let channel = self.channel_waited_on(t);
        let (blocked_on, blocked_channel) = match (thread.state, channel) {
            (State::Receive { .. }, Some(channel)) => (self.channels[channel].chid, 0),
            (_, Some(channel)) => {
                let server = self.channels[channel].process;
                (self.processes[server].pid, self.channels[channel].chid)
            }
            (State::Mutex { mutex, .. }, None) => (self.threads[self.mutexes[mutex].owner].tid, 0),
            (_, None) => (0, 0),
        };
        ThreadInfo {
            tid: thread.tid,
            state: thread.state.number(),
            blocked_on,
            blocked_channel,
            priority: u32::from(thread.base.0),
            current_priority: u32::from(thread.effective.0),
            policy: policy_number(thread.policy),
            cpu: u32::from(thread.cpu),
            cpu_time: thread.cpu_time,
            ip: registers.rip,
            sp: registers.rsp,
            mask: thread.mask,
            pending: thread.pending.set,
            robust_list: thread.robust_list,
            name: thread.name,
        }
    }

    /// `ProcessInfo`.
    pub(crate) fn process_info(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        process: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let id = self.process_argument(self.process_of(t), process)?;
        let own = &self.processes[id];
        let usage = own.space.map(|space| self.memory.space_usage(space)).unwrap_or_default();
        let info = ProcessInfo {
            pid: own.pid,
            pgrp: own.pgrp,
            session: own.session,
            threads: own.thread_count,
            handles: own.handles.count,
            terminating: if own.life == Life::Ending { own.end.signal } else { 0 },
            ignored: own.ignored,
            handled: own.handled,
            cpu_time: self.process_time(id),
            mapped_bytes: usage.mapped_bytes,
            resident_pages: usage.resident_pages,
            fault: own.end.info,
            fault_ip: own.end.ip,
            fault_sp: own.end.sp,
            fault_bp: own.end.bp,
            name: own.name,
        };
        self.store(m, Place { space: self.space(t), address }, &info)?;
        Ok(Outcome::DONE)
    }

    /// `SystemInfo`.
    pub(crate) fn system_info(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let memory = self.memory.counts();
        let (tsc_hz, tsc_entry) = m.tsc();
        let live = |count: u16| u32::from(count);
        let info = SystemInfo {
            total_pages: memory.total,
            free_pages: memory.free,
            committed_pages: memory.committed,
            threads: live(self.threads.live()),
            processes: live(self.processes.live()),
            channels: live(self.channels.live()),
            connections: live(self.connections.live()),
            objects: self.memory.object_count(),
            spaces: self.memory.space_count(),
            mappings: self.memory.mapping_count(),
            timers: live(self.timers.live()),
            cpus: u32::try_from(self.online).unwrap_or(1),
            inversions: self.monitor.inversions,
            uptime: m.now(),
            idle: self.cpus.iter().map(|cpu| cpu.idle).fold(0, u64::wrapping_add),
            switches: self.counters.all_switches(),
            interrupts: self.counters.interrupts,
            calls: self.counters.all_calls(),
            tsc_hz,
            tsc_entry,
        };
        self.store(m, Place { space: self.space(t), address }, &info)?;
        Ok(Outcome::DONE)
    }

    /// `ConnectServerInfo`: the first handle at or above a number.
    pub(crate) fn handle_info(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        process: u32,
        number: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let target = self.process_argument(self.process_of(t), process)?;
        let from = HandlePlace::from_number(number).ok_or(Errno::EBADF)?;
        let table = &self.processes[target].handles;
        let (place, handle) = table.next(&self.chunks, from).ok_or(Errno::EBADF)?;
        let mut info = HandleInfo {
            kind: handle.target.kind(),
            flags: self.visible_flags(handle),
            ..HandleInfo::default()
        };
        if let Target::Interrupt(id) = handle.target {
            (info.scoid, info.badge) = self.interrupt_info(m, id);
        }
        if let Target::Connection(id) = handle.target {
            let connection = &self.connections[id];
            info.scoid = u32::from(id.index());
            info.ready = connection.ready;
            info.badge = connection.badge;
            if let Some(channel) = connection.channel.get() {
                info.chid = self.channels[channel].chid;
                info.pid = self.processes[self.channels[channel].process].pid;
            }
        }
        self.store(m, Place { space: self.space(t), address }, &info)?;
        Ok(Outcome::value(place.number()))
    }
}
