//! Processes: what threads share, and what the process manager and signals do to them.

use neutrino_abi::Errno;
use neutrino_abi::process::Credentials;
use neutrino_abi::signal::{Personality, SignalInfo, SignalSet};
use neutrino_abi::trace::Kind;

use crate::Kernel;
use crate::handles::Table;
use crate::ipc::channel::ChannelId;
use crate::ipc::pulse::{Charged, Pulse, PulseId};
use crate::list::List;
use crate::machine::SpaceSlot;
use crate::partition;
use crate::signal::Pending;
use crate::slab::{Id, Slot};
use crate::thread::{Sibling, Thread, ThreadId};

/// Index of a [`Process`].
pub type ProcessId = Id<Process>;

/// Whether a process's threads may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    /// The slot is free.
    Vacant,
    /// They may.
    Alive,
    /// A signal or the process manager stopped them.
    Stopped,
    /// They never will again; the process manager has been told to bury it.
    Ending,
    /// Nothing is left but the object.
    Dead,
}

/// How a process ends: what `ProcessInfo` tells its undertaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// The signal that ends it, or 0.
    pub(crate) signal: u32,
    /// What came with the signal.
    pub(crate) info: SignalInfo,
    /// Registers at that time.
    pub(crate) ip: u64,
    pub(crate) sp: u64,
    pub(crate) bp: u64,
}

const NO_SIGNAL: SignalInfo =
    SignalInfo { number: 0, code: 0, pid: 0, uid: 0, value: 0, status: 0, trap: 0 };

/// What the process manager is told of a process, each at most once in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// It must end.
    Terminate,
    /// It was stopped.
    Stopped,
    /// It goes on.
    Continued,
}

/// One process.
#[derive(Clone, Debug, Hash)]
pub struct Process {
    pub(crate) life: Life,
    pub(crate) pid: u32,
    /// Next process with the same hash of its pid.
    pub(crate) same_hash: Option<ProcessId>,
    /// How many handles name it.
    pub(crate) references: u16,
    pub(crate) space: Option<SpaceSlot>,
    pub(crate) threads: List<Thread, Sibling>,
    pub(crate) thread_count: u32,
    pub(crate) handles: Table,
    pub(crate) fd_limit: u32,
    /// Most bytes that it may have mapped.
    pub(crate) space_limit: u64,
    pub(crate) credentials: Credentials,
    pub(crate) pgrp: u32,
    pub(crate) session: u32,
    pub(crate) abilities: u64,
    pub(crate) name: [u8; 16],
    pub(crate) cpu_time: u64,
    /// What pays for whoever receives a pulse here.
    pub(crate) partition: partition::Number,

    pub(crate) personality: Personality,
    pub(crate) ignored: SignalSet,
    pub(crate) handled: SignalSet,
    pub(crate) pending: Pending,
    /// Mask of its first thread, inherited from its parent.
    pub(crate) first_mask: SignalSet,
    pub(crate) end: End,
    pub(crate) notices: [Option<PulseId>; 3],

    /// Channels of this process that are told of deaths.
    pub(crate) thread_death: Option<ChannelId>,
    pub(crate) coid_death: Option<ChannelId>,
    /// Pulses that it sent and nobody received.
    pub(crate) pulses: List<Pulse, Charged>,
    pub(crate) pulse_count: u16,
    /// Connections to its channels.
    pub(crate) connection_count: u16,
}

impl Slot for Process {
    const VACANT: Self = Self {
        life: Life::Vacant,
        pid: 0,
        same_hash: None,
        references: 0,
        space: None,
        threads: List::EMPTY,
        thread_count: 0,
        handles: Table::EMPTY,
        fd_limit: 0,
        space_limit: 0,
        credentials: Credentials {
            ruid: 0,
            euid: 0,
            suid: 0,
            rgid: 0,
            egid: 0,
            sgid: 0,
            group_count: 0,
            groups: [0; neutrino_abi::process::GROUPS_MAX],
        },
        pgrp: 0,
        session: 0,
        abilities: 0,
        name: [0; 16],
        cpu_time: 0,
        partition: partition::SYSTEM,
        personality: Personality {
            system_call_entry: 0,
            signal_entry: 0,
            guard_start: 0,
            guard_end: 0,
            restart_start: 0,
            restart_end: 0,
            copy_start: 0,
            copy_end: 0,
            copy_fault: 0,
        },
        ignored: 0,
        handled: 0,
        pending: Pending::EMPTY,
        first_mask: 0,
        end: End { signal: 0, info: NO_SIGNAL, ip: 0, sp: 0, bp: 0 },
        notices: [None; 3],
        thread_death: None,
        coid_death: None,
        pulses: List::EMPTY,
        pulse_count: 0,
        connection_count: 0,
    };
    fn is_vacant(&self) -> bool {
        matches!(self.life, Life::Vacant)
    }
}

/// Buckets of the table from pid to process.
pub(crate) const PID_BUCKETS: usize = 256;

impl Kernel {
    /// The process of a thread.
    pub(crate) fn process_of(&self, thread: ThreadId) -> ProcessId {
        self.threads[thread].process
    }

    fn pid_bucket(&mut self, pid: u32) -> &mut Option<ProcessId> {
        let [low, ..] = pid.to_le_bytes();
        let [first, rest @ ..] = &mut self.pids;
        match usize::from(low).checked_sub(1) {
            Some(index) => rest.get_mut(index).unwrap_or(first),
            None => first,
        }
    }

    /// The process with this number.
    // Bound: one turn for each process whose pid has the same low byte.
    pub(crate) fn process_by_pid(&self, pid: u32) -> Option<ProcessId> {
        let [low, ..] = pid.to_le_bytes();
        let mut at = self.pids.get(usize::from(low)).copied().flatten();
        while let Some(process) = at {
            if self.processes[process].pid == pid {
                return at;
            }
            at = self.processes[process].same_hash;
        }
        None
    }

    /// Puts a new process into the table and the hash.
    pub(crate) fn process_insert(&mut self, process: Process) -> Option<ProcessId> {
        let pid = process.pid;
        let id = self.processes.insert(process)?;
        let next = self.pid_bucket(pid).replace(id);
        self.processes[id].same_hash = next;
        self.trace_process(id, Kind::ProcessCreate);
        Some(id)
    }

    /// Takes a dead process without handles out of the table.
    pub(crate) fn process_free(&mut self, id: ProcessId) {
        let (pid, next) = (self.processes[id].pid, self.processes[id].same_hash);
        let bucket = self.pid_bucket(pid);
        if *bucket == Some(id) {
            *bucket = next;
        } else {
            let mut at = *bucket;
            while let Some(other) = at {
                at = self.processes[other].same_hash;
                if at == Some(id) {
                    self.processes[other].same_hash = next;
                    break;
                }
            }
        }
        self.pulses_orphan(id);
        self.trace_process(id, Kind::ProcessEnd);
        self.processes.remove(id);
    }

    /// Whether the caller's process has an ability.
    ///
    /// # Errors
    /// EPERM if not.
    #[inline(never)]
    pub(crate) fn needs(&self, caller: ThreadId, ability: u64) -> Result<(), Errno> {
        if self.processes[self.process_of(caller)].abilities & ability == 0 {
            return Err(Errno::EPERM);
        }
        Ok(())
    }
}
