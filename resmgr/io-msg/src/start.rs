//! What a new program finds in memory, and where things lie in an address space.
//!
//! The process manager builds the stack as Linux does (argc, argv, environment, auxiliary vector),
//! and beside it a page with a [`StartInfo`]. The first instruction is the personality's (foreign
//! programs) or the program's own (native ones), with rsp at argc and rdi at the [`StartInfo`].

use core::sync::atomic::AtomicU32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

// All that a foreign program has beside its own segments lies in one gigabyte, and what every program
// touches in few stretches of 2 MiB of it: each stretch costs a page table in every space.

/// Address behind the main stack.
pub const STACK_TOP: u64 = 0x7f00_1007_0000;
/// Most that the main stack may have (reserved, not promised); `RLIMIT_STACK` makes it smaller.
pub const STACK_SIZE: u64 = 8 << 20;
/// Where position-independent programs are loaded.
pub const PIE_BASE: u64 = 0x5555_5555_4000;
/// Where the personality's text is linked.
pub const SHIM_BASE: u64 = 0x7f00_1008_0000;
/// The personality's vDSO (`AT_SYSINFO_EHDR`), behind its text.
pub const VDSO: u64 = SHIM_BASE + 0x10_0000;
/// The page with the [`StartInfo`] (and the inherited state behind it).
pub const START_INFO: u64 = VDSO + 0x1_0000;
/// The kernel's clock page, read-only (`neutrino_abi::time::TimePage`).
pub const TIME_PAGE: u64 = VDSO + 0x2_0000;
/// What the process manager tells everybody, read-only ([`Changes`]).
pub const SHARED_PAGE: u64 = TIME_PAGE + 0x1000;
/// Process blocks of the personality, by slot (a `vfork` child has its own in the shared space).
pub const PROCESS_BLOCKS: u64 = 0x7f00_1020_0000;
/// Distance of two process blocks.
pub const PROCESS_BLOCK_STRIDE: u64 = 0x10_0000;
/// Thread blocks of the personality: one each [`THREAD_BLOCK_STRIDE`], by slot.
pub const THREAD_BLOCKS: u64 = 0x7f00_2000_0000;
/// Distance of two thread blocks.
pub const THREAD_BLOCK_STRIDE: u64 = 0x4_0000;

/// Counters of changes: who remembers an answer of the process manager's asks again when the counter
/// is another than before the question.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Changes {
    /// Changes of the name space: attachments that come or go.
    pub paths: AtomicU32,
    /// Changes of parents, groups and sessions of processes that run.
    pub families: AtomicU32,
}

/// "NTOSTART", little-endian.
pub const START_MAGIC: u64 = 0x5452_4154_534f_544e;

/// See above.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StartInfo {
    /// [`START_MAGIC`].
    pub magic: u64,
    /// The process.
    pub pid: u32,
    /// Its parent when it was started.
    pub ppid: u32,
    /// The program's own first instruction.
    pub entry: u64,
    /// Where its argc lies.
    pub stack: u64,
    /// Where its heap may start (`brk`): behind its last segment, page-aligned.
    pub brk: u64,
    /// Real, effective user; real, effective group.
    pub ids: [u32; 4],
    /// Process group and session.
    pub pgrp: u32,
    /// Session.
    pub session: u32,
    /// Soft limits that the personality keeps, too: `RLIMIT_FSIZE`, `RLIMIT_DATA`, `RLIMIT_NOFILE`.
    pub limits: [u64; 3],
    /// Not used; 0.
    pub zero: u64,
    /// What the program before the exec handed over.
    pub inherited: Inherited,
}

/// "NTOINHER", little-endian.
pub const INHERITED_MAGIC: u64 = 0x5245_484e_494f_544e;

/// State that survives an exec in user space. All zero for the first program of all.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Inherited {
    /// [`INHERITED_MAGIC`] if the rest counts.
    pub magic: u64,
    /// Connection to the current directory (a side-channel coid that exec leaves open).
    pub cwd: u32,
    /// `umask`.
    pub umask: u32,
    /// Absolute point in monotonic time of a pending `alarm`, or 0.
    pub alarm: u64,
    /// Signal mask.
    pub mask: u64,
    /// Room to grow.
    pub reserved: [u64; 4],
}
