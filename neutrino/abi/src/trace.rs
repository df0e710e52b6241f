//! Records of what the kernel does, and what `TraceEvent` takes (QNX: `<sys/trace.h>`).
//!
//! A trace is a sequence of [`Record`]s by time. A kernel call is a `CallEnter` and a `CallExit` of
//! the same thread; one that blocks has its exit when the wait ends. A message is a `Send` of the
//! client, a `Receive` of the server and a `Reply` or `Error` of whoever answers, the last three
//! tied by the rcvid; a client has one message on its way at most.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// One event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Record {
    /// Nanoseconds since boot.
    pub time: u64,
    /// What happened ([`Kind`]).
    pub kind: u8,
    /// The CPU that noted it.
    pub cpu: u8,
    /// A number whose meaning the kind tells.
    pub detail: u16,
    /// The thread it happened to or that did it (its system-wide number), 0: none.
    pub tid: u32,
    /// The first of two words whose meaning the kind tells.
    pub first: u64,
    /// The second of them.
    pub second: u64,
}
crate::assert_size!(Record, 32);

/// Sets of kinds, to choose what is noted (QNX: `_NTO_TRACE_*` classes).
pub mod class {
    /// The trace itself; always on.
    pub const CONTROL: u32 = 1 << 0;
    /// Kernel calls.
    pub const KERCALL: u32 = 1 << 1;
    /// States and priorities of threads.
    pub const THREAD: u32 = 1 << 2;
    /// Messages and pulses.
    pub const COMM: u32 = 1 << 3;
    /// Interrupts.
    pub const INT: u32 = 1 << 4;
    /// Faults of programs.
    pub const SYSTEM: u32 = 1 << 5;
    /// Processes and threads that begin and end, and their names.
    pub const PROCESS: u32 = 1 << 6;
    /// What programs insert.
    pub const USER: u32 = 1 << 7;
    /// Everything.
    pub const ALL: u32 = 0xff;

    /// Names of the classes.
    pub const NAMES: [(&str, u32); 8] = [
        ("control", CONTROL),
        ("kercall", KERCALL),
        ("thread", THREAD),
        ("comm", COMM),
        ("int", INT),
        ("system", SYSTEM),
        ("process", PROCESS),
        ("user", USER),
    ];
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $class:ident, $text:literal;)+) => {
        /// What a [`Record`] tells; `detail; first; second` are given for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[doc = $doc])+ $name = $number),+ }

        impl Kind {
            /// The kind with this number.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)+ _ => None }
            }

            /// The class that it belongs to.
            #[must_use]
            pub const fn class(self) -> u32 {
                match self { $(Self::$name => class::$class),+ }
            }

            /// Its name in a printed trace.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

kinds! {
    /// Tracing began: -; classes; -.
    Start = 1, CONTROL, "START";
    /// Tracing ended: -; -; -.
    Stop = 2, CONTROL, "STOP";
    /// Records did not fit: -; how many; -.
    Lost = 3, CONTROL, "LOST";
    /// A thread calls the kernel: number; first argument; second argument.
    CallEnter = 10, KERCALL, "CALL";
    /// The call ends: number, or 0 after a wait; result; -.
    CallExit = 11, KERCALL, "CALL_EXIT";
    /// A thread changes its state: `info::state`; on what it waits (SEND, REPLY: pid of the server
    /// and chid, RECEIVE: chid, MUTEX: tid of the owner); its priority and the state before.
    State = 20, THREAD, "STATE";
    /// A thread's priority changes: new; old; its own.
    Priority = 21, THREAD, "PRIORITY";
    /// A client sends a message: its type; pid of the server and chid; coid and length.
    Send = 30, COMM, "SEND";
    /// A server has it: its type; rcvid; tid of the client and chid.
    Receive = 31, COMM, "RECEIVE";
    /// A client is answered: -; rcvid; tid of the client and status.
    Reply = 32, COMM, "REPLY";
    /// A client is answered with an error: errno; rcvid; tid of the client.
    Error = 33, COMM, "ERROR";
    /// A pulse is sent (by an interrupt, a timer or the kernel: tid 0): code; value; pid of the
    /// server and chid.
    Pulse = 34, COMM, "PULSE";
    /// A server has it: code; value; how many pulses it stands for, and chid.
    PulseReceive = 35, COMM, "PULSE_RECEIVE";
    /// An interrupt of a device: line; -; -.
    Interrupt = 40, INT, "INTERRUPT";
    /// The timer's interrupt: -; -; -.
    Timer = 41, INT, "TIMER";
    /// Another CPU asks to choose again: -; -; -.
    Reschedule = 42, INT, "RESCHEDULE";
    /// An exception of a program: the trap's number; address; the CPU's error code.
    Fault = 50, SYSTEM, "FAULT";
    /// A process (its pid as the tid) is there: -; -; -.
    ProcessCreate = 60, PROCESS, "PROCESS";
    /// Its name: -; 16 bytes in both words.
    ProcessName = 61, PROCESS, "PROCESS_NAME";
    /// It is gone: -; -; -.
    ProcessEnd = 62, PROCESS, "PROCESS_END";
    /// A thread is there: its priority; pid; -.
    ThreadCreate = 63, PROCESS, "THREAD";
    /// Its name: -; 16 bytes in both words.
    ThreadName = 64, PROCESS, "THREAD_NAME";
    /// It is gone: -; -; -.
    ThreadEnd = 65, PROCESS, "THREAD_END";
    /// What a program inserted: its code; its words.
    User = 70, USER, "USER";
}

/// What `TraceEvent` does (QNX: `_NTO_TRACE_*`). All but `INSERT` and `QUERY` need `able::TRACE`.
pub mod command {
    /// Empties the rings and traces the classes in `first`, in mode `second`. EBUSY: it is on.
    pub const START: u32 = 1;
    /// Ends tracing and wakes the logger.
    pub const STOP: u32 = 2;
    /// Writes a [`super::TraceStatus`] at address `first`.
    pub const QUERY: u32 = 3;
    /// Moves records of CPU `first` to the address `second`, at most `third` and at most
    /// [`super::READ_MAX`]; returns how many. EINVAL, EFAULT.
    pub const READ: u32 = 4;
    /// Notes the processes, threads, names and states that there are, some at a time, beginning
    /// with place `first`; returns the place to go on with, or 0.
    pub const DESCRIBE: u32 = 5;
    /// `first` 1: the caller becomes the logger, whose `InterruptWait` ends when a ring is half full
    /// and when tracing ends. EBUSY: there is one. 0: it is the logger no more.
    pub const LOGGER: u32 = 6;
    /// Inserts an event of class `USER`: code (16 bits), and two words.
    pub const INSERT: u32 = 7;
    /// Traces the classes in `first` from now on.
    pub const CLASSES: u32 = 8;
}

/// What happens when a CPU's ring is full.
pub mod mode {
    /// New records are lost, and counted.
    pub const LINEAR: u64 = 0;
    /// Old records are (QNX: `_NTO_TRACE_SETRINGMODE`).
    pub const RING: u64 = 1;
}

/// Most records that one `READ` moves: a call stays short.
pub const READ_MAX: usize = 32;

/// What `QUERY` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct TraceStatus {
    /// The classes that are traced; 0: it is off.
    pub classes: u32,
    /// CPUs that have rings.
    pub cpus: u32,
    /// The logger's tid, or 0.
    pub logger: u32,
    /// How often tracing was started.
    pub starts: u32,
    /// Records in the rings.
    pub waiting: u64,
    /// Records that did not fit since the start.
    pub lost: u64,
}
crate::assert_size!(TraceStatus, 32);

/// The head of a trace file; records follow, by time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct FileHead {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: u32,
    /// Size of a record.
    pub record_size: u32,
    /// How many there are.
    pub count: u64,
    /// Records that were lost.
    pub lost: u64,
}
crate::assert_size!(FileHead, 32);

/// First bytes of a trace file.
pub const MAGIC: [u8; 8] = *b"NTOTRACE";
/// Version of its format.
pub const VERSION: u32 = 1;

/// Two numbers in a word; the first is its upper half.
#[must_use]
pub const fn pack(upper: u32, lower: u32) -> u64 {
    (upper as u64) << 32 | lower as u64
}

/// The inverse of [`pack`].
#[must_use]
pub const fn unpack(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    (u32::from_le_bytes([e, f, g, h]), u32::from_le_bytes([a, b, c, d]))
}

impl Record {
    /// What it tells; `None`: a kind of a later version.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind)
    }

    /// The name in the words of a `ProcessName` or `ThreadName`.
    #[must_use]
    pub const fn name(&self) -> [u8; 16] {
        let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]) =
            (self.first.to_le_bytes(), self.second.to_le_bytes());
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }
}

/// The words of a name; the inverse of [`Record::name`].
#[must_use]
pub const fn name_words(name: &[u8; 16]) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *name;
    (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_names_and_pairs() {
        let name = *b"devc-ser8250\0\0\0\0";
        let (first, second) = name_words(&name);
        assert_eq!(Record { first, second, ..Record::default() }.name(), name);
        assert_eq!(unpack(pack(7, 0xffff_fff0)), (7, 0xffff_fff0));
    }

    #[test]
    fn a_kind_has_one_class_and_keeps_its_number() {
        for number in 0..=u8::MAX {
            let Some(kind) = Kind::from_number(number) else { continue };
            assert_eq!(kind as u8, number);
            assert_eq!(kind.class().count_ones(), 1, "{kind:?}");
            assert!(class::NAMES.iter().any(|(_, class)| *class == kind.class()), "{kind:?}");
        }
    }
}
