//! What the core may ask of the hardware layer.
//!
//! The real machine switches page tables and copies through the direct map; the one in tests keeps
//! bytes in vectors. Arguments are plain numbers; a machine never sees the kernel's state.

use neutrino_abi::info::Framebuffer;
use neutrino_abi::message::{Head, Words};
use neutrino_abi::signal::{Registers, SignalInfo};
use neutrino_abi::time::TimePage;
use neutrino_abi::trace::Record;

/// Index of a thread: below [`crate::limits::THREADS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadSlot(pub u16);

/// Index of an address space: below [`crate::limits::SPACES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceSlot(pub u16);

/// A physical page frame: its address divided by the page size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(pub u32);

/// What the core keeps for each frame of RAM; the machine stores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FrameRecord {
    /// How many page-table entries and memory objects hold the frame; 0 if it is free.
    pub references: u32,
    /// Next frame of the free list, or `u32::MAX`.
    pub next: u32,
}

/// An access that a page-table entry may or may not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Load.
    Read,
    /// Store.
    Write,
    /// Instruction fetch.
    Execute,
}

/// The hardware's rights of a mapped page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "they are the bits of a page-table entry")]
pub struct PageRights {
    /// User space may access the page at all. Without it the entry stays present, so that
    /// `PROT_NONE` keeps what is in the page, but is the supervisor's (x86: U/S = 0), and user
    /// copies fault on it like the program itself.
    pub read: bool,
    /// Stores are allowed.
    pub write: bool,
    /// Instruction fetches are allowed.
    pub execute: bool,
    /// Device memory: not cached.
    pub uncached: bool,
}

/// A present page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Page {
    /// Its address.
    pub address: u64,
    /// Its frame.
    pub frame: FrameNumber,
    /// Its rights.
    pub rights: PageRights,
}

/// Places of a page table that one search for pages looks at.
pub const LOOKS: u64 = 128;

/// What a search for mapped pages came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Looked {
    /// How many it found.
    pub pages: usize,
    /// Below this address, which is above where the search began, there are no others.
    pub until: u64,
}

/// What becomes of a call that a thread is about to make when its CPU is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallUnderWay {
    /// Nobody has looked at it: the thread makes it again when it runs again.
    New,
    /// It has begun, and the core goes on with it.
    Begun,
}

/// What a search for a mapped page came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// The page.
    Page(Page),
    /// There is none below this address, which is above where the search began.
    Nothing {
        /// The end of what was to be searched, or where to search next.
        until: u64,
    },
}

/// A page that a user copy needed was absent or did not allow the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The first address that could not be accessed.
    pub address: u64,
    /// What was tried there.
    pub access: Access,
}

/// Which side of a copy faulted, and how far it had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CopyFault {
    /// Reading from the source.
    Source {
        /// Bytes copied before.
        done: u64,
        /// Where it stopped.
        address: u64,
    },
    /// Writing to the destination.
    Target {
        /// Bytes copied before.
        done: u64,
        /// Where it stopped.
        address: u64,
    },
}

impl CopyFault {
    /// The same after bytes that were copied before it.
    #[must_use]
    pub const fn after(self, copied: u64) -> Self {
        match self {
            Self::Source { done, address } => {
                Self::Source { done: copied.saturating_add(done), address }
            }
            Self::Target { done, address } => {
                Self::Target { done: copied.saturating_add(done), address }
            }
        }
    }
}

/// A place in some address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The space.
    pub space: SpaceSlot,
    /// The address there.
    pub address: u64,
}

/// Registers of a thread that has not run yet; all others are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StartRegisters {
    /// First instruction.
    pub entry: u64,
    /// Stack pointer.
    pub stack: u64,
    /// rdi.
    pub argument: u64,
    /// FS base.
    pub fs_base: u64,
    /// GS base of user space.
    pub gs_base: u64,
}

/// Physical memory of a device or of the boot loader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PhysicalRange {
    /// First byte.
    pub address: u64,
    /// Length in bytes.
    pub length: u64,
}

/// Saved registers of threads.
pub trait ThreadContexts {
    /// Gives a thread its first registers and a fresh FPU state.
    fn thread_start(&mut self, thread: ThreadSlot, start: &StartRegisters);
    /// Tells where a thread runs from now on: its space, and where its foreign calls are bounced to
    /// (0: nowhere).
    fn set_home(&mut self, thread: ThreadSlot, space: SpaceSlot, foreign_entry: u64);
    /// Puts `value` where the thread reads the result of its call (rax).
    fn set_result(&mut self, thread: ThreadSlot, value: i64);
    /// The words of a thread's registers that carry messages.
    fn words(&self, thread: ThreadSlot) -> Words;
    /// Replaces them.
    fn set_words(&mut self, thread: ThreadSlot, words: &Words);
    /// Copies them from one thread to another.
    fn move_words(&mut self, from: ThreadSlot, to: ThreadSlot) {
        let words = self.words(from);
        self.set_words(to, &words);
    }
    /// Puts where the thread reads it how many bytes of its words are an answer.
    fn set_answer_length(&mut self, thread: ThreadSlot, bytes: u64);
    /// Puts where the thread reads them what a receive call tells beside its result.
    fn set_head(&mut self, thread: ThreadSlot, head: &Head);
    /// The saved user registers.
    fn registers(&self, thread: ThreadSlot) -> Registers;
    /// Replaces them all; privileged bits of the flags are forced, and an instruction pointer that
    /// is not a user address makes the thread fault in user space, never in the kernel.
    fn set_registers(&mut self, thread: ThreadSlot, registers: &Registers);
    /// Sets the FS base.
    fn set_fs_base(&mut self, thread: ThreadSlot, base: u64);
    /// The FS base.
    fn fs_base(&self, thread: ThreadSlot) -> u64;
    /// Sets the GS base of user space.
    fn set_gs_base(&mut self, thread: ThreadSlot, base: u64);
    /// Copies the FPU state of one thread to another.
    fn copy_fpu(&mut self, from: ThreadSlot, to: ThreadSlot);
}

/// Access to user memory. Page tables are walked and bytes move through the direct map; nothing
/// here resolves a fault: it says where it stopped, and the core resolves it and tries again.
pub trait UserMemory {
    /// Reads bytes of a space.
    ///
    /// # Errors
    /// The first address that is not mapped for user reading; bytes before it may have been read.
    fn read(&mut self, place: Place, bytes: &mut [u8]) -> Result<(), Fault>;
    /// Writes bytes of a space.
    ///
    /// # Errors
    /// The first address that is not mapped for user writing; bytes before it may be written.
    fn write(&mut self, place: Place, bytes: &[u8]) -> Result<(), Fault>;
    /// Copies between two spaces (or within one; then ranges may overlap with any result).
    ///
    /// # Errors
    /// The side that is not mapped as needed, with the number of bytes copied before.
    fn copy(&mut self, from: Place, to: Place, length: u64) -> Result<(), CopyFault>;
    /// Compares the aligned 32-bit word at `place` with `expected` and stores `new` if they are
    /// equal, atomically; returns what it held.
    ///
    /// # Errors
    /// The word is not mapped for user writing.
    fn compare_exchange(&mut self, place: Place, expected: u32, new: u32) -> Result<u32, Fault>;
    /// Copies from a frame to a space; `offset + length` is at most a page.
    ///
    /// # Errors
    /// The first address that is not mapped for user writing.
    fn copy_from_frame(
        &mut self,
        frame: FrameNumber,
        offset: u32,
        to: Place,
        length: u32,
    ) -> Result<(), Fault>;
    /// Copies from a space to a frame; `offset + length` is at most a page.
    ///
    /// # Errors
    /// The first address that is not mapped for user reading.
    fn copy_to_frame(
        &mut self,
        from: Place,
        frame: FrameNumber,
        offset: u32,
        length: u32,
    ) -> Result<(), Fault>;
}

/// Page tables and frames. Frames that page tables are made of come from a small store that the
/// core fills before it maps ([`PageTables::table_frames`] at least 3, plus 1 for a new space) and
/// drains afterwards.
pub trait PageTables {
    /// The record of a frame of RAM.
    fn frame(&mut self, frame: FrameNumber) -> &mut FrameRecord;
    /// Fills a frame with zeroes.
    fn clear_frame(&mut self, frame: FrameNumber);
    /// Fills part of a frame with zeroes.
    fn clear_part(&mut self, frame: FrameNumber, offset: u32, length: u32);
    /// Copies a whole frame.
    fn copy_frame(&mut self, from: FrameNumber, to: FrameNumber);
    /// Reads word `index` (below 1024) of a frame that the core uses as a table.
    fn table_word(&self, frame: FrameNumber, index: usize) -> u32;
    /// Writes it.
    fn set_table_word(&mut self, frame: FrameNumber, index: usize, word: u32);

    /// Frames in the store for page tables.
    fn table_frames(&self) -> usize;
    /// Adds one; its bytes are whatever they were.
    fn add_table_frame(&mut self, frame: FrameNumber);
    /// Takes one out.
    fn remove_table_frame(&mut self) -> Option<FrameNumber>;

    /// Makes an empty space (uses 1 table frame).
    fn space_create(&mut self, space: SpaceSlot);
    /// Forgets a space in which no page is mapped any more; its table frames go to the store.
    fn space_destroy(&mut self, space: SpaceSlot);
    /// Maps a page, replacing what was there (uses up to 3 table frames); flushes the TLB for it.
    fn map(&mut self, space: SpaceSlot, page: Page);
    /// Maps pages of one table, which exists, where none is mapped; returns how many those were.
    // Bound: the pages.
    fn map_absent(&mut self, space: SpaceSlot, pages: &[Page]) -> u64 {
        let mut mapped = 0_u64;
        for page in pages {
            if self.lookup(space, page.address).is_none() {
                self.map(space, *page);
                mapped = mapped.saturating_add(1);
            }
        }
        mapped
    }
    /// As [`PageTables::map`], of pages that [`PageTables::next_pages`] has found together, in this
    /// space or another.
    // Bound: the pages.
    fn map_pages(&mut self, space: SpaceSlot, pages: &[Page]) {
        for page in pages {
            self.map(space, *page);
        }
    }
    /// As [`PageTables::unmap`], of pages that [`PageTables::next_pages`] has found together.
    // Bound: the pages.
    fn unmap_pages(&mut self, space: SpaceSlot, pages: &[Page]) {
        for page in pages {
            self.unmap(space, page.address);
        }
    }
    /// Unmaps a page, flushes the TLB for it, and tells what was there.
    fn unmap(&mut self, space: SpaceSlot, address: u64) -> Option<Page>;
    /// What is mapped at an address.
    fn lookup(&self, space: SpaceSlot, address: u64) -> Option<Page>;
    /// Looks for the first pages mapped at or after `from` and before `end`: as many as lie in one table
    /// and there is room for. The search is short: it may end before it finds any.
    fn next_pages(&self, space: SpaceSlot, from: u64, end: u64, into: &mut [Page]) -> Looked;
    /// Looks for the first page of those.
    fn next_page(&self, space: SpaceSlot, from: u64, end: u64) -> Found {
        let mut page = [Page::default()];
        let Looked { pages, until } = self.next_pages(space, from, end, &mut page);
        let [page] = page;
        if pages == 0 { Found::Nothing { until } } else { Found::Page(page) }
    }
}

/// Time, interrupts, ports and power.
pub trait Devices {
    /// Nanoseconds since boot.
    fn now(&self) -> u64;
    /// Asks for a timer input of this CPU at `deadline` (nanoseconds since boot); `u64::MAX` for never.
    fn arm_timer(&mut self, deadline: u64);
    /// Asks another CPU to enter the kernel.
    fn reschedule(&mut self, cpu: usize);
    /// Waits until another CPU, which runs a thread, is about to enter the kernel, with the thread's
    /// registers saved; if that was for a new call or a fault, the thread makes it again when it runs
    /// again, and if it was for a trap, its signal is told. What the CPU enters the kernel for follows
    /// as its next input.
    fn stop_cpu(&mut self, cpu: usize, call: CallUnderWay) -> Option<SignalInfo>;
    /// Masks or unmasks an interrupt line.
    fn mask_line(&mut self, line: u32);
    /// Unmasks it.
    fn unmask_line(&mut self, line: u32);
    /// Whether there is such a line.
    fn has_line(&self, line: u32) -> bool;
    /// What a device has to write to raise a line: address in the upper half, data in the lower;
    /// 0 for a line that is wired.
    fn line_message(&self, line: u32) -> u64;
    /// Reads an I/O port; `width` is 1, 2 or 4.
    fn port_read(&mut self, port: u16, width: u32) -> u32;
    /// Writes an I/O port.
    fn port_write(&mut self, port: u16, width: u32, value: u32);
    /// Switches the machine off; `status` reaches the emulator where there is a way.
    fn power_off(&mut self, status: u64);
    /// Starts the machine again.
    fn reset(&mut self);
    /// Writes to the kernel's log.
    fn log(&mut self, bytes: &[u8]);
    /// Where the boot loader left the boot image.
    fn boot_image(&self) -> PhysicalRange;
    /// The boot framebuffer, if there is one.
    fn framebuffer(&self) -> Option<(PhysicalRange, Framebuffer)>;
    /// Whether a physical range is free of RAM that the kernel manages (device memory).
    fn is_device_memory(&self, range: PhysicalRange) -> bool;
    /// The frame that holds the clock page.
    fn time_page(&self) -> FrameNumber;
    /// Reads the clock page's contents.
    fn time(&self) -> TimePage;
    /// Moves wall-clock time: its value at monotonic time 0.
    fn set_realtime_offset(&mut self, offset: i64);
    /// TSC ticks a second, and the TSC when the kernel was entered.
    fn tsc(&self) -> (u64, u64);

    /// Puts a record into the ring of its CPU. A machine without rings keeps nothing.
    fn trace(&mut self, _record: &Record) {}
    /// Empties the rings.
    fn trace_reset(&mut self, _when_full: WhenFull) {}
    /// Copies the oldest records of a CPU's ring; returns how many.
    fn trace_read(&mut self, _cpu: usize, _into: &mut [Record]) -> usize {
        0
    }
    /// Forgets the oldest records of a CPU's ring.
    fn trace_drop(&mut self, _cpu: usize, _count: usize) {}
    /// What is in the rings.
    fn trace_counts(&self) -> TraceCounts {
        TraceCounts::default()
    }
}

/// What becomes of records when a ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhenFull {
    /// The new ones are lost.
    Stop,
    /// They take the place of the oldest.
    Overwrite,
}

/// What is in the rings of all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceCounts {
    /// Records.
    pub waiting: u64,
    /// Records that were lost since the rings were emptied.
    pub lost: u64,
    /// Whether a ring is half full, so that it is to be read, if new records are what is lost.
    pub is_half_full: bool,
}

/// Everything that the core may ask for.
pub trait Machine: ThreadContexts + UserMemory + PageTables + Devices {}

impl<T: ThreadContexts + UserMemory + PageTables + Devices> Machine for T {}
