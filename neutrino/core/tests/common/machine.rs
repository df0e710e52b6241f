//! A machine made of vectors: frames are arrays, page tables are a map, devices remember.

use std::collections::{BTreeMap, HashMap, VecDeque};

use neutrino_abi::info::Framebuffer;
use neutrino_abi::signal::Registers;
use neutrino_abi::time::TimePage;
use neutrino_core::machine::{
    Access, CopyFault, Devices, Fault, FrameNumber, FrameRecord, Page, PageTables, PhysicalRange,
    Place, SpaceSlot, StartRegisters, ThreadContexts, ThreadSlot, UserMemory,
};

pub const PAGE: usize = 4096;

/// The hardware that the tests run on.
#[derive(Clone, Debug, Default)]
pub struct TestMachine {
    pub frames: Vec<Vec<u8>>,
    pub records: Vec<FrameRecord>,
    pub tables: BTreeMap<(u16, u64), Page>,
    pub store: VecDeque<FrameNumber>,
    pub results: HashMap<u16, i64>,
    pub registers: HashMap<u16, Registers>,
    pub fs: HashMap<u16, u64>,
    pub now: u64,
    pub armed: u64,
    pub masked: Vec<u32>,
    pub log: Vec<u8>,
    pub offset: i64,
    pub off: Option<u64>,
}

impl TestMachine {
    pub fn new(frames: usize) -> Self {
        Self {
            frames: vec![Vec::new(); frames],
            records: vec![FrameRecord::default(); frames],
            now: 1_000,
            armed: u64::MAX,
            ..Self::default()
        }
    }

    fn bytes(&mut self, frame: FrameNumber) -> &mut Vec<u8> {
        let bytes = &mut self.frames[frame.0 as usize];
        if bytes.is_empty() {
            bytes.resize(PAGE, 0);
        }
        bytes
    }

    fn page(&self, place: Place, access: Access) -> Result<(FrameNumber, usize), Fault> {
        let offset = place.address % PAGE as u64;
        let base = place.address - offset;
        let fault = Fault { address: place.address, access };
        let page = self.tables.get(&(place.space.0, base)).ok_or(fault)?;
        if access == Access::Write && !page.rights.write {
            return Err(fault);
        }
        Ok((page.frame, offset as usize))
    }

    fn step(&self, place: Place, left: u64) -> u64 {
        left.min(PAGE as u64 - place.address % PAGE as u64)
    }
}

fn at(place: Place, offset: u64) -> Place {
    Place { space: place.space, address: place.address.wrapping_add(offset) }
}

impl ThreadContexts for TestMachine {
    fn thread_start(&mut self, thread: ThreadSlot, start: &StartRegisters) {
        let registers = Registers {
            rip: start.entry,
            rsp: start.stack,
            rdi: start.argument,
            ..Registers::default()
        };
        self.registers.insert(thread.0, registers);
        self.fs.insert(thread.0, start.fs_base);
    }
    fn set_result(&mut self, thread: ThreadSlot, value: i64) {
        self.results.insert(thread.0, value);
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
    fn set_gs_base(&mut self, _thread: ThreadSlot, _base: u64) {}
    fn copy_fpu(&mut self, _from: ThreadSlot, _to: ThreadSlot) {}
}

impl UserMemory for TestMachine {
    fn read(&mut self, place: Place, bytes: &mut [u8]) -> Result<(), Fault> {
        let mut done = 0;
        while done < bytes.len() {
            let here = at(place, done as u64);
            let (frame, offset) = self.page(here, Access::Read)?;
            let step = self.step(here, (bytes.len() - done) as u64) as usize;
            bytes[done..done + step].copy_from_slice(&self.bytes(frame)[offset..offset + step]);
            done += step;
        }
        Ok(())
    }
    fn write(&mut self, place: Place, bytes: &[u8]) -> Result<(), Fault> {
        let mut done = 0;
        while done < bytes.len() {
            let here = at(place, done as u64);
            let (frame, offset) = self.page(here, Access::Write)?;
            let step = self.step(here, (bytes.len() - done) as u64) as usize;
            self.bytes(frame)[offset..offset + step].copy_from_slice(&bytes[done..done + step]);
            done += step;
        }
        Ok(())
    }
    fn copy(&mut self, from: Place, to: Place, length: u64) -> Result<(), CopyFault> {
        let mut done = 0;
        while done < length {
            let (source, target) = (at(from, done), at(to, done));
            let step = self.step(source, length - done).min(self.step(target, length - done));
            let mut bytes = vec![0; step as usize];
            self.read(source, &mut bytes)
                .map_err(|fault| CopyFault::Source { done, address: fault.address })?;
            self.write(target, &bytes)
                .map_err(|fault| CopyFault::Target { done, address: fault.address })?;
            done += step;
        }
        Ok(())
    }
    fn compare_exchange(&mut self, place: Place, expected: u32, new: u32) -> Result<u32, Fault> {
        self.page(place, Access::Write)?;
        let mut word = [0; 4];
        self.read(place, &mut word)?;
        let held = u32::from_le_bytes(word);
        if held == expected {
            self.write(place, &new.to_le_bytes())?;
        }
        Ok(held)
    }
    fn copy_from_frame(
        &mut self,
        frame: FrameNumber,
        offset: u32,
        to: Place,
        length: u32,
    ) -> Result<(), Fault> {
        let bytes = self.bytes(frame)[offset as usize..(offset + length) as usize].to_vec();
        self.write(to, &bytes)
    }
    fn copy_to_frame(
        &mut self,
        from: Place,
        frame: FrameNumber,
        offset: u32,
        length: u32,
    ) -> Result<(), Fault> {
        let mut bytes = vec![0; length as usize];
        self.read(from, &mut bytes)?;
        self.bytes(frame)[offset as usize..(offset + length) as usize].copy_from_slice(&bytes);
        Ok(())
    }
}

impl PageTables for TestMachine {
    fn frame(&mut self, frame: FrameNumber) -> &mut FrameRecord {
        &mut self.records[frame.0 as usize]
    }
    fn clear_frame(&mut self, frame: FrameNumber) {
        self.bytes(frame).fill(0);
    }
    fn clear_part(&mut self, frame: FrameNumber, offset: u32, length: u32) {
        self.bytes(frame)[offset as usize..(offset + length) as usize].fill(0);
    }
    fn copy_frame(&mut self, from: FrameNumber, to: FrameNumber) {
        let bytes = self.bytes(from).clone();
        *self.bytes(to) = bytes;
    }
    fn table_word(&self, frame: FrameNumber, index: usize) -> u32 {
        let bytes = &self.frames[frame.0 as usize];
        bytes
            .get(index * 4..index * 4 + 4)
            .map_or(0, |word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
    }
    fn set_table_word(&mut self, frame: FrameNumber, index: usize, word: u32) {
        self.bytes(frame)[index * 4..index * 4 + 4].copy_from_slice(&word.to_le_bytes());
    }
    fn table_frames(&self) -> usize {
        self.store.len()
    }
    fn add_table_frame(&mut self, frame: FrameNumber) {
        self.store.push_back(frame);
    }
    fn remove_table_frame(&mut self) -> Option<FrameNumber> {
        self.store.pop_front()
    }
    fn space_create(&mut self, _space: SpaceSlot) {}
    fn space_destroy(&mut self, space: SpaceSlot) {
        assert!(!self.tables.keys().any(|(own, _)| *own == space.0), "pages left in a space");
    }
    fn map(&mut self, space: SpaceSlot, page: Page) {
        self.tables.insert((space.0, page.address), page);
    }
    fn unmap(&mut self, space: SpaceSlot, address: u64) -> Option<Page> {
        self.tables.remove(&(space.0, address))
    }
    fn lookup(&self, space: SpaceSlot, address: u64) -> Option<Page> {
        self.tables.get(&(space.0, address / PAGE as u64 * PAGE as u64)).copied()
    }
    fn next_page(&self, space: SpaceSlot, from: u64, end: u64) -> Option<Page> {
        if from >= end {
            return None;
        }
        self.tables.range((space.0, from)..(space.0, end)).next().map(|(_, page)| *page)
    }
}

impl Devices for TestMachine {
    fn now(&self) -> u64 {
        self.now
    }
    fn arm_timer(&mut self, deadline: u64) {
        self.armed = deadline;
    }
    fn reschedule(&mut self, _cpu: usize) {}
    fn mask_line(&mut self, line: u32) {
        self.masked.push(line);
    }
    fn unmask_line(&mut self, line: u32) {
        self.masked.retain(|&other| other != line);
    }
    fn has_line(&self, line: u32) -> bool {
        line < 24
    }
    fn port_read(&mut self, _port: u16, _width: u32) -> u32 {
        0
    }
    fn port_write(&mut self, _port: u16, _width: u32, _value: u32) {}
    fn power_off(&mut self, status: u64) {
        self.off = Some(status);
    }
    fn reset(&mut self) {}
    fn log(&mut self, bytes: &[u8]) {
        self.log.extend_from_slice(bytes);
    }
    fn boot_image(&self) -> PhysicalRange {
        PhysicalRange::default()
    }
    fn framebuffer(&self) -> Option<(PhysicalRange, Framebuffer)> {
        None
    }
    fn is_device_memory(&self, _range: PhysicalRange) -> bool {
        false
    }
    fn time_page(&self) -> FrameNumber {
        FrameNumber(0)
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
}
