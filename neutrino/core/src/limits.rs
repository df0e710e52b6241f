//! Every limit of the kernel, in one place with its reason.
//!
//! Tables are static, so that no kernel entry ever waits for memory or fails half-way; sizes are
//! powers of two, so that an index is masked, never checked. An empty slot costs its bytes of .bss
//! and nothing else. Slot 0 of a table is never used: an index is not 0.
//!
//! A table has two sizes: the kernel's, and that in the core of the model checker (`tests/model`),
//! which copies all of it for each state that it looks at (see decision 2).

/// Whether this is the core of the checker.
const EXPLORED: bool = option_env!("NEUTRINO_TABLES_FOR_MODEL").is_some();

/// The size of a table in the core that boots, or in the one that is explored.
pub(crate) const fn size(boots: usize, explored: usize) -> usize {
    if EXPLORED { explored } else { boots }
}

/// Threads in the system.
pub const THREADS: usize = size(1024, 8);
/// Processes in the system; more than the hundred that a shell session starts, by far.
pub const PROCESSES: usize = size(512, 4);
/// Address spaces: one a process, and those that an exec is about to enter.
pub const SPACES: usize = size(1024, 4);
/// CPUs.
pub const CPUS: usize = size(8, 2);
/// Channels: a server has one or two, the process manager a few.
pub const CHANNELS: usize = size(1024, 4);
/// Connection objects: each `open` makes one; dup and fork share it.
pub const CONNECTIONS: usize = size(8192, 8);
/// Connections to the channels of one process, closed ones whose pulse it has not received
/// included; so no server can fill the table for the others by not receiving.
pub const CONNECTIONS_EACH: u16 = 4096;
/// Timers.
pub const TIMERS: usize = size(1024, 2);
/// Interrupt attachments; a PCI device has two to each message, the bus server's and the driver's.
pub const INTERRUPTS: usize = size(128, 2);
/// Interrupt lines: ISA lines, the pins of the I/O APICs, and those of messages.
pub const LINES: u32 = MESSAGE_LINES.end;
/// Lines that devices raise by messages; a machine has as many of them as it has vectors.
pub const MESSAGE_LINES: core::ops::Range<u32> = 128..192;
/// Ranges of I/O ports.
pub const PORTS: usize = size(64, 2);
/// Watches on connections: one for each descriptor in a set of `epoll`.
pub const WATCHES: usize = size(2048, 2);
/// Queued pulses. Each connection, thread, timer, interrupt and watch has one at most in the queues, a
/// process three; orphans (below) and the pulses of programs fill the rest, and no kernel pulse can
/// fail to be queued: see the assertion in `ipc::pulse`.
pub const PULSES: usize = size(16384, 32);
/// Queued pulses that programs sent, in the whole system.
pub const PROGRAM_PULSES: u16 = 2048;
/// Queued pulses that one program sent.
pub const PROGRAM_PULSES_EACH: u16 = 256;
/// Queued pulses that outlived what they tell of: deaths of threads and servers, and requests of
/// clients that were killed. Beyond that a death is not told; the server still learns it with ESRCH.
pub const ORPHAN_PULSES: u16 = 1024;
/// Pieces of handle tables.
pub const HANDLE_CHUNKS: usize = size(2048, 16);
/// Handles of one process beside its descriptors.
pub const SIDE_HANDLES: u32 = if EXPLORED { 64 } else { 4096 };
/// Pairs of a polling thread and a connection.
pub const POLL_NODES: usize = size(4096, 4);
/// Queued signals that carry a value; one that does not fit keeps its number only.
pub const SIGNALS: usize = size(1024, 8);
/// Contended inheritance mutexes: one a waiting thread at most.
pub const MUTEXES: usize = size(1024, 8);
/// Buckets of the futex table; a power of two.
pub const FUTEX_BUCKETS: usize = size(256, 2);
/// Records in the trace ring of one CPU: half of them is what a CPU does in a millisecond at its
/// busiest, the time that the logger has to come and read.
pub const TRACE_RECORDS: usize = 16384;
/// Sporadic threads; each has a list of its own of budget that comes back.
pub const SPORADICS: usize = size(64, 4);
/// Replenishments that can be pending for one of them.
pub const REPLENISHMENTS: usize = neutrino_abi::sched::REPLENISHMENTS_MAX as usize;
/// Partitions; each has ready queues of its own on every CPU.
pub const PARTITIONS: usize = size(8, 1);
/// The window over which their use is averaged, unless `SchedCtl` sets another (QNX: 100 ms).
pub const WINDOW_NS: u64 = 100_000_000;
/// Round-robin slice (QNX: four ticks of a millisecond).
pub const SLICE_NS: u64 = 4_000_000;
/// Lowest priority that needs `able::PRIORITY`.
pub const PRIVILEGED_PRIORITY: u32 = 64;
/// Longest log line of one `DebugWrite`.
pub const LOG_BYTES: u32 = 4096;
/// Longest message in memory that a sender copies to a waiting receiver by the general path; the
/// receiver takes a longer one by itself. With the way into the kernel and out it makes up one entry.
pub const SHORT: u64 = 1024;
/// The same by the fast path, which takes less beside: a page.
pub const SHORT_FAST: u64 = 4096;
