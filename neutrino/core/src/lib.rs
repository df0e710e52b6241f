//! The kernel's core: a pure state machine.
//!
//! Kernel calls, interrupts, faults and the clock go in ([`Kernel::enter`]); what is to be done with
//! hardware is asked of a [`machine::Machine`]; who runs next comes out. The core contains no
//! `unsafe`, no pointers and no allocation, so the code that boots is the code that the tests and
//! the model checker run.
//!
//! # Invariants
//! - I0: an [`slab::Id`] that the kernel holds names a live slot.
//! - I1: an object is on the list that its state names, once, and on no other of the same kind.
//! - I2: `transition` is the only writer of a thread's state.
//! - I3: a thread is on the queue that its state names and on no other.
//! - I4: a handle table's `full` bits say which chunks have no free place, its `held` bits which are there.
//! - I5: nobody queues on a channel where somebody waits who would take it, unless somebody else is
//!   on the way to take what is queued.
//! - I6: a connection is on the list of its channel, or its channel is gone.
//! - I7: a thread's effective priority is what `priority::wanted` says.
//! - I8: a CPU's current thread is Running, and no other thread is; no ready thread outranks what runs
//!   on a CPU that it may use, unless another CPU was asked for it.
//! - I9: two threads that are equally plain can take each other's place without the general path
//!   ([`thread::Plain`]).
//! - I12: a client that a thread works for waits on the channel that the thread serves, which is of
//!   its process.
//! - I11: a thread's CPU is one that it may use.
//! - I13: a sporadic thread has its budget, in what is left and in what comes back ([`sporadic`]).
//! - I14: what partitions used, shared out and who is in them add up ([`partition`]).
//! - I15: a thread whose call is not finished waits for nothing but a CPU.
//! - I10: the monitor of priority inversion has counted nothing ([`monitor`]).
#![no_std]
#![forbid(unsafe_code)]

mod boot;
mod call;
mod check;
pub mod cpu;
mod futex;
pub mod handles;
mod info;
mod input;
pub mod interrupt;
pub mod ipc;
pub mod limits;
pub mod list;
pub mod machine;
pub mod memory;
mod memory_calls;
mod monitor;
pub mod mutex;
mod partition;
pub mod poll;
pub mod port;
mod priority;
pub mod process;
mod process_calls;
mod sched;
pub mod signal;
pub mod slab;
mod smp;
pub mod sporadic;
pub mod step;
pub mod thread;
mod thread_calls;
pub mod time;
mod trace;
mod trace_calls;
mod unblock;

pub use boot::BootProcess;
pub use check::{ThreadView, Waits};
pub use input::Input;

use cpu::Cpu;
use handles::Chunk;
use interrupt::Interrupt;
use ipc::channel::{Channel, ChannelId};
use ipc::connection::Connection;
use ipc::pulse::Pulse;
use ipc::watch::Watch;
use list::List;
use mutex::Mutex;
use poll::PollNode;
use port::Port;
use process::{Process, ProcessId};
use signal::Queued;
use slab::Slab;
use thread::{Dirty, Queue, Thread, ThreadId};
use time::deadline::Deadlines;
use time::timer::Timer;

/// Counters that only people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Counters {
    pub(crate) switches: u64,
    pub(crate) interrupts: u64,
    pub(crate) calls: u64,
    /// Calls that switched on the fast path; counted there only.
    pub(crate) handovers: u64,
}

impl Counters {
    /// All switches.
    pub(crate) const fn all_switches(&self) -> u64 {
        self.switches.wrapping_add(self.handovers)
    }

    /// All calls.
    pub(crate) const fn all_calls(&self) -> u64 {
        self.calls.wrapping_add(self.handovers)
    }
}

/// All kernel state.
#[derive(Debug)]
pub struct Kernel {
    pub(crate) memory: memory::Memory,
    pub(crate) threads: Slab<Thread, { limits::THREADS }>,
    pub(crate) processes: Slab<Process, { limits::PROCESSES }>,
    pub(crate) channels: Slab<Channel, { limits::CHANNELS }>,
    pub(crate) connections: Slab<Connection, { limits::CONNECTIONS }>,
    pub(crate) pulses: Slab<Pulse, { limits::PULSES }>,
    pub(crate) chunks: Slab<Chunk, { limits::HANDLE_CHUNKS }>,
    pub(crate) timers: Slab<Timer, { limits::TIMERS }>,
    pub(crate) interrupts: Slab<Interrupt, { limits::INTERRUPTS }>,
    pub(crate) ports: Slab<Port, { limits::PORTS }>,
    pub(crate) watches: Slab<Watch, { limits::WATCHES }>,
    pub(crate) poll_nodes: Slab<PollNode, { limits::POLL_NODES }>,
    pub(crate) signals: Slab<Queued, { limits::SIGNALS }>,
    pub(crate) mutexes: Slab<Mutex, { limits::MUTEXES }>,
    pub(crate) sporadics: Slab<sporadic::Sporadic, { limits::SPORADICS }>,
    pub(crate) partitions: partition::Partitions,
    pub(crate) futexes: [List<Thread, Queue>; limits::FUTEX_BUCKETS],
    pub(crate) pids: [Option<ProcessId>; process::PID_BUCKETS],
    pub(crate) deadlines: Deadlines,
    pub(crate) cpus: [Cpu; limits::CPUS],
    /// How many of them run.
    pub(crate) online: usize,
    /// The CPU that is in the kernel.
    pub(crate) cpu: usize,
    /// Threads whose priority is to be computed again.
    pub(crate) dirty: List<Thread, Dirty>,
    pub(crate) tid_count: u32,
    /// Count of arrivals at queues: orders those of equal priority there.
    pub(crate) arrivals: u64,
    /// Upper part of the next rcvid.
    pub(crate) sequence: u64,
    pub(crate) program_pulses: u16,
    pub(crate) orphan_pulses: u16,
    /// Where the process manager is told of processes.
    pub(crate) manager: Option<ChannelId>,
    /// Whether this entry has changed what decides who runs, so that somebody is to be chosen.
    pub(crate) unsettled: bool,
    /// The thread whose call is being carried out.
    pub(crate) caller: Option<ThreadId>,
    pub(crate) counters: Counters,
    pub(crate) trace: trace::Trace,
    pub(crate) monitor: monitor::Monitor,
}

impl Kernel {
    /// A kernel without memory, processes and threads.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            memory: memory::Memory::new(),
            threads: Slab::new(),
            processes: Slab::new(),
            channels: Slab::new(),
            connections: Slab::new(),
            pulses: Slab::new(),
            chunks: Slab::new(),
            timers: Slab::new(),
            interrupts: Slab::new(),
            ports: Slab::new(),
            watches: Slab::new(),
            poll_nodes: Slab::new(),
            signals: Slab::new(),
            mutexes: Slab::new(),
            sporadics: Slab::new(),
            partitions: partition::Partitions::new(),
            futexes: [List::EMPTY; limits::FUTEX_BUCKETS],
            pids: [None; process::PID_BUCKETS],
            deadlines: Deadlines::new(),
            cpus: [Cpu::IDLE; limits::CPUS],
            online: 1,
            cpu: 0,
            dirty: List::EMPTY,
            tid_count: 0,
            arrivals: 0,
            sequence: 0,
            program_pulses: 0,
            orphan_pulses: 0,
            manager: None,
            unsettled: false,
            caller: None,
            counters: Counters { switches: 0, interrupts: 0, calls: 0, handovers: 0 },
            trace: trace::Trace::OFF,
            monitor: monitor::Monitor::NEW,
        }
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Self::new()
    }
}
