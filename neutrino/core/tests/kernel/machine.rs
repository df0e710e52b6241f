//! The byte-vector machine with registers, a clock and devices that record what is asked of them.

use std::collections::HashMap;

use neutrino_abi::info::Framebuffer;
use neutrino_abi::message::{Head, Words};
use neutrino_abi::signal::{Registers, SignalInfo};
use neutrino_abi::time::TimePage;
use neutrino_abi::trace::Record;
use neutrino_core::machine::{
    CallUnderWay, CopyFault, Devices, Fault, FrameNumber, FrameRecord, Looked, Page, PageTables,
    PhysicalRange, Place, SpaceSlot, StartRegisters, ThreadContexts, ThreadSlot, TraceCounts,
    UserMemory, WhenFull,
};

use crate::frames::TestMachine;

/// See above.
#[derive(Debug)]
pub(crate) struct Recorder {
    memory: TestMachine,
    /// Results of calls, by thread.
    pub(crate) results: HashMap<u16, i64>,
    /// What calls leave in registers, by thread.
    pub(crate) words: HashMap<u16, Words>,
    pub(crate) heads: HashMap<u16, Head>,
    pub(crate) lengths: HashMap<u16, u64>,
    pub(crate) homes: HashMap<u16, (SpaceSlot, u64)>,
    pub(crate) registers: HashMap<u16, Registers>,
    fs: HashMap<u16, u64>,
    pub(crate) now: u64,
    pub(crate) armed: u64,
    pub(crate) masked: Vec<u32>,
    offset: i64,
    pub(crate) off: Option<u64>,
    pub(crate) traced: Vec<Record>,
    pub(crate) is_half_full: bool,
    /// What the next thread that is stopped had trapped for.
    pub(crate) trapped: Option<SignalInfo>,
}

impl Recorder {
    pub(crate) fn new(frames: u32) -> Self {
        Self {
            memory: TestMachine::new(frames),
            results: HashMap::new(),
            words: HashMap::new(),
            heads: HashMap::new(),
            lengths: HashMap::new(),
            homes: HashMap::new(),
            registers: HashMap::new(),
            fs: HashMap::new(),
            now: 1000,
            armed: u64::MAX,
            masked: Vec::new(),
            offset: 0,
            off: None,
            traced: Vec::new(),
            is_half_full: false,
            trapped: None,
        }
    }
}

impl Recorder {
    /// Whether the pages of every space are those of the other machine, with the same in them.
    pub(crate) fn has_memory_of(&self, other: &Self) -> bool {
        self.memory.pages().eq(other.memory.pages())
    }
}

impl ThreadContexts for Recorder {
    fn thread_start(&mut self, thread: ThreadSlot, start: &StartRegisters) {
        let StartRegisters { entry, stack, argument, fs_base, .. } = *start;
        let registers = Registers { rip: entry, rsp: stack, rdi: argument, ..Registers::default() };
        self.registers.insert(thread.0, registers);
        self.fs.insert(thread.0, fs_base);
    }
    fn set_result(&mut self, thread: ThreadSlot, value: i64) {
        self.results.insert(thread.0, value);
        self.registers.entry(thread.0).or_default().rax = value.cast_unsigned();
    }
    fn set_home(&mut self, thread: ThreadSlot, space: SpaceSlot, foreign_entry: u64) {
        self.homes.insert(thread.0, (space, foreign_entry));
    }
    fn words(&self, thread: ThreadSlot) -> Words {
        self.words.get(&thread.0).copied().unwrap_or_default()
    }
    fn set_words(&mut self, thread: ThreadSlot, words: &Words) {
        self.words.insert(thread.0, *words);
    }
    fn set_answer_length(&mut self, thread: ThreadSlot, bytes: u64) {
        self.lengths.insert(thread.0, bytes);
    }
    fn set_head(&mut self, thread: ThreadSlot, head: &Head) {
        self.heads.insert(thread.0, *head);
    }
    fn registers(&self, thread: ThreadSlot) -> Registers {
        self.registers.get(&thread.0).copied().unwrap_or_default()
    }
    fn set_registers(&mut self, thread: ThreadSlot, registers: &Registers) {
        self.registers.insert(thread.0, *registers);
    }
    fn set_fs_base(&mut self, thread: ThreadSlot, base: u64) {
        self.fs.insert(thread.0, base);
    }
    fn fs_base(&self, thread: ThreadSlot) -> u64 {
        self.fs.get(&thread.0).copied().unwrap_or(0)
    }
    fn set_gs_base(&mut self, _: ThreadSlot, _: u64) {}
    fn copy_fpu(&mut self, _: ThreadSlot, _: ThreadSlot) {}
}

impl UserMemory for Recorder {
    fn read(&mut self, place: Place, bytes: &mut [u8]) -> Result<(), Fault> {
        self.memory.read(place, bytes)
    }
    fn write(&mut self, place: Place, bytes: &[u8]) -> Result<(), Fault> {
        self.memory.write(place, bytes)
    }
    fn copy(&mut self, from: Place, to: Place, length: u64) -> Result<(), CopyFault> {
        self.memory.copy(from, to, length)
    }
    fn compare_exchange(&mut self, place: Place, expected: u32, new: u32) -> Result<u32, Fault> {
        self.memory.compare_exchange(place, expected, new)
    }
    fn copy_from_frame(
        &mut self,
        frame: FrameNumber,
        offset: u32,
        to: Place,
        length: u32,
    ) -> Result<(), Fault> {
        self.memory.copy_from_frame(frame, offset, to, length)
    }
    fn copy_to_frame(
        &mut self,
        from: Place,
        frame: FrameNumber,
        offset: u32,
        length: u32,
    ) -> Result<(), Fault> {
        self.memory.copy_to_frame(from, frame, offset, length)
    }
}

impl PageTables for Recorder {
    fn frame(&mut self, frame: FrameNumber) -> &mut FrameRecord {
        self.memory.frame(frame)
    }
    fn clear_frame(&mut self, frame: FrameNumber) {
        self.memory.clear_frame(frame);
    }
    fn clear_part(&mut self, frame: FrameNumber, offset: u32, length: u32) {
        self.memory.clear_part(frame, offset, length);
    }
    fn copy_frame(&mut self, from: FrameNumber, to: FrameNumber) {
        self.memory.copy_frame(from, to);
    }
    fn table_word(&self, frame: FrameNumber, index: usize) -> u32 {
        self.memory.table_word(frame, index)
    }
    fn set_table_word(&mut self, frame: FrameNumber, index: usize, word: u32) {
        self.memory.set_table_word(frame, index, word);
    }
    fn table_frames(&self) -> usize {
        self.memory.table_frames()
    }
    fn add_table_frame(&mut self, frame: FrameNumber) {
        self.memory.add_table_frame(frame);
    }
    fn remove_table_frame(&mut self) -> Option<FrameNumber> {
        self.memory.remove_table_frame()
    }
    fn space_create(&mut self, space: SpaceSlot) {
        self.memory.space_create(space);
    }
    fn space_destroy(&mut self, space: SpaceSlot) {
        self.memory.space_destroy(space);
    }
    fn map(&mut self, space: SpaceSlot, page: Page) {
        self.memory.map(space, page);
    }
    fn unmap(&mut self, space: SpaceSlot, address: u64) -> Option<Page> {
        self.memory.unmap(space, address)
    }
    fn lookup(&self, space: SpaceSlot, address: u64) -> Option<Page> {
        self.memory.lookup(space, address)
    }
    fn next_pages(&self, space: SpaceSlot, from: u64, end: u64, into: &mut [Page]) -> Looked {
        self.memory.next_pages(space, from, end, into)
    }
}

impl Devices for Recorder {
    fn now(&self) -> u64 {
        self.now
    }
    fn arm_timer(&mut self, deadline: u64) {
        self.armed = deadline;
    }
    fn reschedule(&mut self, _: usize) {}
    fn stop_cpu(&mut self, _: usize, _: CallUnderWay) -> Option<SignalInfo> {
        self.trapped.take()
    }
    fn mask_line(&mut self, line: u32) {
        self.masked.push(line);
    }
    fn unmask_line(&mut self, line: u32) {
        self.masked.retain(|&other| other != line);
    }
    fn has_line(&self, line: u32) -> bool {
        line < 24 || (128..130).contains(&line)
    }
    fn line_message(&self, line: u32) -> u64 {
        if line < 128 { 0 } else { 0xfee0_0000 << 32 | u64::from(line) }
    }
    fn port_read(&mut self, port: u16, _: u32) -> u32 {
        u32::from(port)
    }
    fn port_write(&mut self, _: u16, _: u32, _: u32) {}
    fn power_off(&mut self, status: u64) {
        self.off = Some(status);
    }
    fn reset(&mut self) {}
    fn log(&mut self, _: &[u8]) {}
    fn boot_image(&self) -> PhysicalRange {
        self.memory.boot_image()
    }
    fn framebuffer(&self) -> Option<(PhysicalRange, Framebuffer)> {
        None
    }
    fn is_device_memory(&self, range: PhysicalRange) -> bool {
        self.memory.is_device_memory(range)
    }
    fn time_page(&self) -> FrameNumber {
        self.memory.time_page()
    }
    fn time(&self) -> TimePage {
        TimePage { realtime_offset: self.offset, ..TimePage::default() }
    }
    fn set_realtime_offset(&mut self, offset: i64) {
        self.offset = offset;
    }
    fn tsc(&self) -> (u64, u64) {
        (1_000_000_000, self.now)
    }
    fn trace(&mut self, record: &Record) {
        self.traced.push(*record);
    }
    fn trace_reset(&mut self, _: WhenFull) {
        self.traced.clear();
    }
    fn trace_read(&mut self, _: usize, into: &mut [Record]) -> usize {
        let count = self.traced.len().min(into.len());
        into[..count].copy_from_slice(&self.traced[..count]);
        count
    }
    fn trace_drop(&mut self, _: usize, count: usize) {
        self.traced.drain(..count);
    }
    fn trace_counts(&self) -> TraceCounts {
        let waiting = self.traced.len() as u64;
        TraceCounts { waiting, lost: 0, is_half_full: self.is_half_full }
    }
}
