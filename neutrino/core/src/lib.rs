//! The kernel's core: a pure state machine.
#![no_std]
#![allow(missing_docs, reason = "skeleton")]
#![forbid(unsafe_code)]

pub mod limits;
pub mod machine;
pub mod memory;

use machine::{Access, FrameNumber, Machine, SpaceSlot, ThreadSlot};
use neutrino_abi::Errno;

/// What makes the kernel run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A kernel call of the current thread.
    Call(neutrino_abi::calls::Frame),
    /// A page fault of the current thread in user space.
    PageFault { address: u64, access: Access, error: u32 },
    /// Another exception of the current thread in user space.
    Exception { signal: u32, code: i32, trap: u32, error: u32, address: u64 },
    /// An interrupt; its line is masked.
    Interrupt { line: u32 },
    /// The timer.
    Timer,
    /// Another CPU asks to choose again.
    Reschedule,
}

/// The process that the boot loader's image starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootProcess {
    /// Its address space.
    pub space: SpaceSlot,
    /// Its first thread, held.
    pub thread: ThreadSlot,
}

/// The state.
#[derive(Debug)]
pub struct Kernel {
    memory: memory::Memory,
}

#[allow(missing_docs, clippy::missing_errors_doc, unused_variables, reason = "signatures first")]
impl Kernel {
    #[must_use]
    pub const fn new() -> Self {
        Self { memory: memory::Memory::new() }
    }
    pub fn add_memory(&mut self, m: &mut impl Machine, first: FrameNumber, count: u32) {
        self.memory.add_range(m, first, count);
    }
    pub fn boot_process(&mut self, m: &mut impl Machine) -> Result<BootProcess, Errno> {
        Err(Errno::ENOSYS)
    }
    pub fn boot_map(&mut self, m: &mut impl Machine, space: SpaceSlot, address: u64, length: u64, protection: u32, bytes: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    pub fn boot_start(&mut self, m: &mut impl Machine, thread: ThreadSlot, entry: u64, stack: u64, argument: u64) {}
    pub fn enter(&mut self, m: &mut impl Machine, cpu: usize, input: Input) -> Option<ThreadSlot> {
        None
    }
    pub fn foreign_entry(&self, thread: ThreadSlot) -> u64 {
        0
    }
    pub fn space_of(&self, thread: ThreadSlot) -> SpaceSlot {
        SpaceSlot(0)
    }
}
