//! The smallest machine that the core runs on: a kilobyte of memory that all spaces share, the
//! words of each thread's registers, a clock, and a note of every result that an entry gives.

use neutrino_abi::info::Framebuffer;
use neutrino_abi::message::{Head, MessagePlace, Words};
use neutrino_abi::signal::{Registers, SignalInfo};
use neutrino_abi::time::TimePage;
use neutrino_core_explored::limits::{CPUS, THREADS};
use neutrino_core_explored::machine::{
    Access, CallUnderWay, CopyFault, Devices, Fault, FrameNumber, FrameRecord, Looked, Page,
    PageTables, PhysicalRange, Place, SpaceSlot, StartRegisters, ThreadContexts, ThreadSlot,
    UserMemory,
};

/// Where the memory begins.
pub(crate) const DATA: u64 = 0x1000;
/// Its bytes.
const LENGTH: usize = 0x400;
/// Frames that the kernel manages, for its own tables.
pub(crate) const FRAMES: u32 = 32;
/// The first of them.
pub(crate) const FIRST_FRAME: u32 = 1;
/// Results that one entry can give.
const RESULTS: usize = 16;

/// A thread's result of a call, given in the last entry.
pub(crate) type Given = (u16, i64);

/// See above.
#[derive(Clone, Debug)]
pub(crate) struct ModelMachine {
    memory: [u8; LENGTH],
    records: [FrameRecord; (FRAMES + FIRST_FRAME) as usize],
    store: [u32; 8],
    stored: usize,
    words: [Words; THREADS],
    in_words: [bool; THREADS],
    given: [Given; RESULTS],
    given_count: usize,
    pub(crate) now: u64,
    /// Who is in the kernel.
    pub(crate) cpu: usize,
    /// When each CPU's timer interrupts.
    pub(crate) armed: [u64; CPUS],
    /// Whether an interrupt is on its way that asks a CPU to enter; it comes even if the CPU enters before for
    /// something else.
    pub(crate) asked: [bool; CPUS],
    /// Whether a CPU's thread was taken off it since it left the kernel.
    pub(crate) stopped: [bool; CPUS],
}

impl ModelMachine {
    pub(crate) fn new() -> Self {
        Self {
            memory: [0; LENGTH],
            records: [FrameRecord::default(); (FRAMES + FIRST_FRAME) as usize],
            store: [0; 8],
            stored: 0,
            words: [Words::default(); THREADS],
            in_words: [false; THREADS],
            given: [(0, 0); RESULTS],
            given_count: 0,
            now: 1000,
            cpu: 0,
            armed: [u64::MAX; CPUS],
            asked: [false; CPUS],
            stopped: [false; CPUS],
        }
    }

    /// Results of the last entry, in order.
    pub(crate) fn given(&self) -> &[Given] {
        &self.given[..self.given_count]
    }

    pub(crate) fn forget_results(&mut self) {
        self.given_count = 0;
    }

    pub(crate) fn set_registers_of_call(&mut self, thread: u16, words: Words) {
        self.words[usize::from(thread)] = words;
    }

    /// Whether a thread's last message came in registers.
    pub(crate) fn is_in_words(&self, thread: u16) -> bool {
        self.in_words[usize::from(thread)]
    }

    pub(crate) fn word(&self, address: u64) -> u64 {
        let at = (address - DATA) as usize;
        u64::from_le_bytes(self.memory[at..at + 8].try_into().unwrap_or_default())
    }

    pub(crate) fn half(&self, address: u64) -> u32 {
        (self.word(address) & 0xffff_ffff) as u32
    }

    pub(crate) fn poke(&mut self, address: u64, bytes: &[u8]) {
        let at = (address - DATA) as usize;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn range(&self, address: u64, length: usize, access: Access) -> Result<usize, Fault> {
        let at = address.checked_sub(DATA).map_or(LENGTH, |at| at as usize);
        let fits = at < LENGTH && LENGTH - at >= length;
        if fits { Ok(at) } else { Err(Fault { address, access }) }
    }
}

impl ThreadContexts for ModelMachine {
    fn thread_start(&mut self, _: ThreadSlot, _: &StartRegisters) {}
    fn set_result(&mut self, thread: ThreadSlot, value: i64) {
        self.given[self.given_count] = (thread.0, value);
        self.given_count += 1;
    }
    fn set_home(&mut self, _: ThreadSlot, _: SpaceSlot, _: u64) {}
    fn words(&self, thread: ThreadSlot) -> Words {
        self.words[usize::from(thread.0)]
    }
    fn set_words(&mut self, thread: ThreadSlot, words: &Words) {
        self.words[usize::from(thread.0)] = *words;
    }
    fn set_answer_length(&mut self, _: ThreadSlot, _: u64) {}
    fn set_head(&mut self, thread: ThreadSlot, head: &Head) {
        self.in_words[usize::from(thread.0)] = head.place == MessagePlace::Words;
    }
    fn registers(&self, _: ThreadSlot) -> Registers {
        Registers::default()
    }
    fn set_registers(&mut self, _: ThreadSlot, _: &Registers) {}
    fn set_fs_base(&mut self, _: ThreadSlot, _: u64) {}
    fn fs_base(&self, _: ThreadSlot) -> u64 {
        0
    }
    fn set_gs_base(&mut self, _: ThreadSlot, _: u64) {}
    fn copy_fpu(&mut self, _: ThreadSlot, _: ThreadSlot) {}
}

impl UserMemory for ModelMachine {
    fn read(&mut self, place: Place, bytes: &mut [u8]) -> Result<(), Fault> {
        let at = self.range(place.address, bytes.len(), Access::Read)?;
        bytes.copy_from_slice(&self.memory[at..at + bytes.len()]);
        Ok(())
    }
    fn write(&mut self, place: Place, bytes: &[u8]) -> Result<(), Fault> {
        let at = self.range(place.address, bytes.len(), Access::Write)?;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
    fn copy(&mut self, from: Place, to: Place, length: u64) -> Result<(), CopyFault> {
        let length = length as usize;
        let source = self.range(from.address, length, Access::Read);
        let source = source.map_err(|f| CopyFault::Source { done: 0, address: f.address })?;
        let target = self.range(to.address, length, Access::Write);
        let target = target.map_err(|f| CopyFault::Target { done: 0, address: f.address })?;
        self.memory.copy_within(source..source + length, target);
        Ok(())
    }
    fn compare_exchange(&mut self, place: Place, expected: u32, new: u32) -> Result<u32, Fault> {
        let mut word = [0; 4];
        self.read(place, &mut word)?;
        let old = u32::from_le_bytes(word);
        if old == expected {
            self.write(place, &new.to_le_bytes())?;
        }
        Ok(old)
    }
    fn copy_from_frame(&mut self, _: FrameNumber, _: u32, to: Place, _: u32) -> Result<(), Fault> {
        Err(Fault { address: to.address, access: Access::Write })
    }
    fn copy_to_frame(&mut self, from: Place, _: FrameNumber, _: u32, _: u32) -> Result<(), Fault> {
        Err(Fault { address: from.address, access: Access::Read })
    }
}

/// No page is ever mapped: the memory is simply there.
impl PageTables for ModelMachine {
    fn frame(&mut self, frame: FrameNumber) -> &mut FrameRecord {
        &mut self.records[frame.0 as usize]
    }
    fn clear_frame(&mut self, _: FrameNumber) {}
    fn clear_part(&mut self, _: FrameNumber, _: u32, _: u32) {}
    fn copy_frame(&mut self, _: FrameNumber, _: FrameNumber) {}
    fn table_word(&self, _: FrameNumber, _: usize) -> u32 {
        0
    }
    fn set_table_word(&mut self, _: FrameNumber, _: usize, _: u32) {}
    fn table_frames(&self) -> usize {
        self.stored
    }
    fn add_table_frame(&mut self, frame: FrameNumber) {
        self.store[self.stored] = frame.0;
        self.stored += 1;
    }
    fn remove_table_frame(&mut self) -> Option<FrameNumber> {
        self.stored = self.stored.checked_sub(1)?;
        Some(FrameNumber(self.store[self.stored]))
    }
    fn space_create(&mut self, _: SpaceSlot) {
        self.stored -= 1;
    }
    fn space_destroy(&mut self, _: SpaceSlot) {}
    fn map(&mut self, _: SpaceSlot, _: Page) {}
    fn unmap(&mut self, _: SpaceSlot, _: u64) -> Option<Page> {
        None
    }
    fn lookup(&self, _: SpaceSlot, _: u64) -> Option<Page> {
        None
    }
    fn next_pages(&self, _: SpaceSlot, _: u64, end: u64, _: &mut [Page]) -> Looked {
        Looked { pages: 0, until: end }
    }
}

impl Devices for ModelMachine {
    fn now(&self) -> u64 {
        self.now
    }
    fn arm_timer(&mut self, deadline: u64) {
        self.armed[self.cpu] = deadline;
    }
    fn reschedule(&mut self, cpu: usize) {
        self.asked[cpu] = true;
    }
    fn stop_cpu(&mut self, cpu: usize, _: CallUnderWay) -> Option<SignalInfo> {
        (self.asked[cpu], self.stopped[cpu]) = (true, true);
        None
    }
    fn mask_line(&mut self, _: u32) {}
    fn unmask_line(&mut self, _: u32) {}
    fn has_line(&self, _: u32) -> bool {
        false
    }
    fn line_message(&self, _: u32) -> u64 {
        0
    }
    fn port_read(&mut self, _: u16, _: u32) -> u32 {
        0
    }
    fn port_write(&mut self, _: u16, _: u32, _: u32) {}
    fn power_off(&mut self, _: u64) {}
    fn reset(&mut self) {}
    fn log(&mut self, _: &[u8]) {}
    fn boot_image(&self) -> PhysicalRange {
        PhysicalRange::default()
    }
    fn framebuffer(&self) -> Option<(PhysicalRange, Framebuffer)> {
        None
    }
    fn is_device_memory(&self, _: PhysicalRange) -> bool {
        false
    }
    fn time_page(&self) -> FrameNumber {
        FrameNumber(0)
    }
    fn time(&self) -> TimePage {
        TimePage::default()
    }
    fn set_realtime_offset(&mut self, _: i64) {}
    fn tsc(&self) -> (u64, u64) {
        (1_000_000_000, self.now)
    }
}
