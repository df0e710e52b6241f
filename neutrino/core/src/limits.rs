//! Every limit of the kernel, in one place with its reason.
//!
//! Tables are static, so that no kernel entry ever waits for memory or fails half-way; sizes are
//! powers of two, so that an index is masked, never checked. An empty slot costs its bytes of .bss
//! and nothing else. Slot 0 of a table is never used: an index is not 0.

/// Threads in the system.
pub const THREADS: usize = 1024;
/// Processes in the system; more than the hundred that a shell session starts, by far.
pub const PROCESSES: usize = 512;
/// Address spaces: one a process, and those that an exec is about to enter.
pub const SPACES: usize = 1024;
/// CPUs.
pub const CPUS: usize = 8;
/// Channels: a server has one or two, the process manager a few.
pub const CHANNELS: usize = 1024;
/// Connection objects: each `open` makes one; dup and fork share it.
pub const CONNECTIONS: usize = 8192;
/// Connections to the channels of one process, closed ones whose pulse it has not received
/// included; so no server can fill the table for the others by not receiving.
pub const CONNECTIONS_EACH: u16 = 4096;
/// Timers.
pub const TIMERS: usize = 1024;
/// Interrupt attachments.
pub const INTERRUPTS: usize = 64;
/// Interrupt lines: ISA lines and the pins of the I/O APICs.
pub const LINES: u32 = 256;
/// Ranges of I/O ports.
pub const PORTS: usize = 64;
/// Queued pulses. Each connection, thread, timer and interrupt has one at most in the queues, a
/// process three; orphans (below) and the pulses of programs fill the rest, and no kernel pulse can
/// fail to be queued: see the assertion in `ipc::pulse`.
pub const PULSES: usize = 16384;
/// Queued pulses that programs sent, in the whole system.
pub const PROGRAM_PULSES: u16 = 2048;
/// Queued pulses that one program sent.
pub const PROGRAM_PULSES_EACH: u16 = 256;
/// Queued pulses that outlived what they tell of: deaths of threads and servers, and requests of
/// clients that were killed. Beyond that a death is not told; the server still learns it with ESRCH.
pub const ORPHAN_PULSES: u16 = 1024;
/// Pieces of handle tables.
pub const HANDLE_CHUNKS: usize = 2048;
/// Handles of one process beside its descriptors.
pub const SIDE_HANDLES: u32 = 4096;
/// Pairs of a polling thread and a connection.
pub const POLL_NODES: usize = 4096;
/// Queued signals that carry a value; one that does not fit keeps its number only.
pub const SIGNALS: usize = 1024;
/// Contended inheritance mutexes: one a waiting thread at most.
pub const MUTEXES: usize = 1024;
/// Buckets of the futex table; a power of two.
pub const FUTEX_BUCKETS: usize = 256;
/// Records in the trace ring of one CPU: half of them is what a CPU does in a millisecond at its
/// busiest, the time that the logger has to come and read.
pub const TRACE_RECORDS: usize = 16384;
/// Round-robin slice (QNX: four ticks of a millisecond).
pub const SLICE_NS: u64 = 4_000_000;
/// Lowest priority that needs `able::PRIORITY`.
pub const PRIVILEGED_PRIORITY: u32 = 64;
/// Longest log line of one `DebugWrite`.
pub const LOG_BYTES: u32 = 4096;
