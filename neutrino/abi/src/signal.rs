//! Signals: numbers are Linux x86-64's; sets are 64 bits, bit n-1 for signal n.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A set of signals.
pub type SignalSet = u64;

/// Signals run from 1 to this.
pub const SIGNAL_MAX: u32 = 64;

/// The numbers that the kernel itself knows.
pub mod number {
    /// Hang-up.
    pub const SIGHUP: u32 = 1;
    /// Interrupt from the keyboard.
    pub const SIGINT: u32 = 2;
    /// Quit from the keyboard.
    pub const SIGQUIT: u32 = 3;
    /// Illegal instruction.
    pub const SIGILL: u32 = 4;
    /// Breakpoint.
    pub const SIGTRAP: u32 = 5;
    /// `abort`.
    pub const SIGABRT: u32 = 6;
    /// Access beyond an object.
    pub const SIGBUS: u32 = 7;
    /// Arithmetic fault.
    pub const SIGFPE: u32 = 8;
    /// Cannot be caught.
    pub const SIGKILL: u32 = 9;
    /// For programs.
    pub const SIGUSR1: u32 = 10;
    /// Bad address.
    pub const SIGSEGV: u32 = 11;
    /// For programs.
    pub const SIGUSR2: u32 = 12;
    /// Nobody reads the pipe.
    pub const SIGPIPE: u32 = 13;
    /// `alarm`.
    pub const SIGALRM: u32 = 14;
    /// Please end.
    pub const SIGTERM: u32 = 15;
    /// A child changed state.
    pub const SIGCHLD: u32 = 17;
    /// Go on.
    pub const SIGCONT: u32 = 18;
    /// Stop; cannot be caught.
    pub const SIGSTOP: u32 = 19;
    /// Stop from the keyboard.
    pub const SIGTSTP: u32 = 20;
    /// Background read.
    pub const SIGTTIN: u32 = 21;
    /// Background write.
    pub const SIGTTOU: u32 = 22;
    /// Urgent data.
    pub const SIGURG: u32 = 23;
    /// Window changed.
    pub const SIGWINCH: u32 = 28;
    /// Bad system call.
    pub const SIGSYS: u32 = 31;
}

/// What a process does with a signal, as far as the kernel must know.
pub mod disposition {
    /// The signal's default.
    pub const DEFAULT: u32 = 0;
    /// Dropped.
    pub const IGNORE: u32 = 1;
    /// The process's signal entry is called.
    pub const HANDLER: u32 = 2;
}

/// How `SignalProcmask` changes the mask (Linux values).
pub mod how {
    /// Add to it.
    pub const BLOCK: u32 = 0;
    /// Take from it.
    pub const UNBLOCK: u32 = 1;
    /// Replace it.
    pub const SET: u32 = 2;
    /// Only tell it.
    pub const QUERY: u32 = 3;
}

/// A pending signal, as a thread takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SignalInfo {
    /// The signal (`si_signo`).
    pub number: u32,
    /// Why (`si_code`, Linux values).
    pub code: i32,
    /// Sender (`si_pid`), 0 for the kernel.
    pub pid: u32,
    /// Sender's real user (`si_uid`).
    pub uid: u32,
    /// `si_value`, or `si_addr` for a fault.
    pub value: u64,
    /// For a child's signal: exit status or signal (`si_status`). For a fault: the trap's error code.
    pub status: u32,
    /// For a fault: the trap's number.
    pub trap: u32,
}
crate::assert_size!(SignalInfo, 32);

/// The registers of an interrupted thread, as the kernel saves them when it diverts the thread to
/// its signal entry, and as `SignalReturn` loads them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Registers {
    /// r8 to r15.
    pub r8: u64,
    #[doc(hidden)]
    pub r9: u64,
    #[doc(hidden)]
    pub r10: u64,
    #[doc(hidden)]
    pub r11: u64,
    #[doc(hidden)]
    pub r12: u64,
    #[doc(hidden)]
    pub r13: u64,
    #[doc(hidden)]
    pub r14: u64,
    #[doc(hidden)]
    pub r15: u64,
    /// rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags: the order of Linux's `gregset_t`.
    pub rdi: u64,
    #[doc(hidden)]
    pub rsi: u64,
    #[doc(hidden)]
    pub rbp: u64,
    #[doc(hidden)]
    pub rbx: u64,
    #[doc(hidden)]
    pub rdx: u64,
    #[doc(hidden)]
    pub rax: u64,
    #[doc(hidden)]
    pub rcx: u64,
    #[doc(hidden)]
    pub rsp: u64,
    #[doc(hidden)]
    pub rip: u64,
    #[doc(hidden)]
    pub rflags: u64,
}
crate::assert_size!(Registers, 144);

/// The part of a thread's block that the kernel writes (see `ThreadCtl` with
/// [`crate::process::thread_ctl::SIGNAL_AREA`]).
///
/// If a signal is deliverable when the thread is about to return to user space at an address
/// outside the guarded text, the kernel saves the registers here and sends the thread to the
/// signal entry. Inside the guarded text it only sets `pending`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SignalArea {
    /// Not 0: a signal became deliverable; the owner clears it before it takes signals.
    pub pending: u32,
    /// Not 0: `registers` holds a context that the signal entry has yet to move away.
    pub diverted: u32,
    /// The registers at the interrupted instruction.
    pub registers: Registers,
}
crate::assert_size!(SignalArea, 152);

/// Where a process that handles signals or foreign system calls wants to be entered; argument of
/// `PersonalityAttach`. All addresses are in the caller's address space; 0 switches a part off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Personality {
    /// Entry for system calls with numbers below 0x1000 (rax = number << 47 | return address).
    pub system_call_entry: u64,
    /// Entry for signals.
    pub signal_entry: u64,
    /// First address of the guarded text: no signal diverts a thread there.
    pub guard_start: u64,
    /// Address behind the guarded text.
    pub guard_end: u64,
    /// The way out of the guarded text, a restartable sequence: a thread that returns to user space
    /// inside [`restart_start`, `restart_end`) with a signal pending goes on at `restart_start`.
    pub restart_start: u64,
    /// Address behind the sequence.
    pub restart_end: u64,
    /// Routines that touch memory of the program and may fault: [`copy_start`, `copy_end`).
    pub copy_start: u64,
    /// Address behind those routines.
    pub copy_end: u64,
    /// Where a fault in them goes on.
    pub copy_fault: u64,
}
crate::assert_size!(Personality, 72);
