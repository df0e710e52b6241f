//! A machine of byte vectors: RAM is a vector of frames, page tables are ordered maps. It is
//! strict: it panics where the hardware would be used wrongly.

use std::collections::{BTreeMap, BTreeSet};

use neutrino_abi::info::Framebuffer;
use neutrino_abi::memory::PAGE_SIZE;
use neutrino_abi::message::{Head, Words};
use neutrino_abi::signal::{Registers, SignalInfo};
use neutrino_abi::time::TimePage;
use neutrino_core::machine::{
    Access, CallUnderWay, CopyFault, Devices, Fault, FrameNumber, FrameRecord, Looked, Page,
    PageTables, PhysicalRange, Place, SpaceSlot, StartRegisters, ThreadContexts, ThreadSlot,
    UserMemory,
};

/// Frame of the clock page.
pub(crate) const TIME_FRAME: u32 = 3;
/// First frame of the boot image, which has two and begins 16 bytes into the first.
pub(crate) const IMAGE_FRAME: u32 = 4;
/// First frame that the kernel manages.
pub(crate) const FIRST_FRAME: u32 = 16;
/// First frame of device memory, which has eight.
pub(crate) const DEVICE_FRAME: u32 = 0x10_0000;

/// Page tables of one space.
#[derive(Debug, Default)]
struct Tables {
    pages: BTreeMap<u64, Page>,
    tables: BTreeSet<(u32, u64)>,
    frames: Vec<FrameNumber>,
}

/// The machine.
#[derive(Debug)]
pub(crate) struct TestMachine {
    ram: Vec<[u8; 4096]>,
    device: Vec<[u8; 4096]>,
    records: Vec<FrameRecord>,
    spaces: BTreeMap<u16, Tables>,
    store: Vec<FrameNumber>,
}

impl TestMachine {
    pub(crate) fn new(managed: u32) -> Self {
        let frames = (FIRST_FRAME + managed) as usize;
        let mut ram = vec![[0xaa; 4096]; frames];
        ram[IMAGE_FRAME as usize][16..20].copy_from_slice(b"boot");
        Self {
            ram,
            device: vec![[0; 4096]; 8],
            records: vec![FrameRecord::default(); frames],
            spaces: BTreeMap::new(),
            store: Vec::new(),
        }
    }

    /// Every page of RAM that is mapped, with the space and what is in it.
    #[allow(dead_code, reason = "for the tests of the kernel")]
    pub(crate) fn pages(&self) -> impl Iterator<Item = (u16, Page, Option<&[u8; 4096]>)> {
        self.spaces.iter().flat_map(move |(&space, tables)| {
            let pages = tables.pages.values();
            pages.map(move |page| (space, *page, self.ram.get(page.frame.0 as usize)))
        })
    }

    fn bytes(&mut self, frame: FrameNumber) -> &mut [u8; 4096] {
        if frame.0 >= DEVICE_FRAME {
            return &mut self.device[(frame.0 - DEVICE_FRAME) as usize];
        }
        &mut self.ram[frame.0 as usize]
    }

    /// A frame of RAM that somebody holds.
    fn held(&mut self, frame: FrameNumber) -> &mut [u8; 4096] {
        let record = self.records[frame.0 as usize];
        assert!(frame.0 < FIRST_FRAME || record.references > 0, "{frame:?} is free");
        &mut self.ram[frame.0 as usize]
    }

    fn access(&mut self, place: Place, access: Access) -> Result<&mut u8, Fault> {
        let address = place.address & !(PAGE_SIZE - 1);
        let tables = self.spaces.get(&place.space.0).expect("a space");
        let page = tables.pages.get(&address).copied();
        let page = page.filter(|page| {
            page.rights.read
                && match access {
                    Access::Read => true,
                    Access::Write => page.rights.write,
                    Access::Execute => page.rights.execute,
                }
        });
        let page = page.ok_or(Fault { address: place.address, access })?;
        Ok(&mut self.bytes(page.frame)[(place.address % PAGE_SIZE) as usize])
    }

    /// The frame and rights of a page, for tests.
    pub(crate) fn page(&self, space: SpaceSlot, address: u64) -> Option<Page> {
        self.spaces.get(&space.0)?.pages.get(&address).copied()
    }

    pub(crate) fn references(&self, frame: FrameNumber) -> u32 {
        self.records[frame.0 as usize].references
    }
}

fn ahead(place: Place, by: u64) -> Place {
    Place { address: place.address + by, ..place }
}

impl UserMemory for TestMachine {
    fn read(&mut self, place: Place, bytes: &mut [u8]) -> Result<(), Fault> {
        for (by, byte) in (0..).zip(bytes) {
            *byte = *self.access(ahead(place, by), Access::Read)?;
        }
        Ok(())
    }
    fn write(&mut self, place: Place, bytes: &[u8]) -> Result<(), Fault> {
        for (by, byte) in (0..).zip(bytes) {
            *self.access(ahead(place, by), Access::Write)? = *byte;
        }
        Ok(())
    }
    fn copy(&mut self, from: Place, to: Place, length: u64) -> Result<(), CopyFault> {
        for done in 0..length {
            let byte = *self
                .access(ahead(from, done), Access::Read)
                .map_err(|fault| CopyFault::Source { done, address: fault.address })?;
            *self
                .access(ahead(to, done), Access::Write)
                .map_err(|fault| CopyFault::Target { done, address: fault.address })? = byte;
        }
        Ok(())
    }
    fn compare_exchange(&mut self, place: Place, expected: u32, new: u32) -> Result<u32, Fault> {
        let mut word = [0; 4];
        self.access(place, Access::Write)?;
        self.read(place, &mut word)?;
        let old = u32::from_ne_bytes(word);
        if old == expected {
            self.write(place, &new.to_ne_bytes())?;
        }
        Ok(old)
    }
    fn copy_from_frame(
        &mut self,
        frame: FrameNumber,
        offset: u32,
        to: Place,
        length: u32,
    ) -> Result<(), Fault> {
        let source = *self.held(frame);
        self.write(to, &source[offset as usize..(offset + length) as usize])
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
        self.held(frame)[offset as usize..(offset + length) as usize].copy_from_slice(&bytes);
        Ok(())
    }
}

impl PageTables for TestMachine {
    fn frame(&mut self, frame: FrameNumber) -> &mut FrameRecord {
        assert!(frame.0 >= FIRST_FRAME, "{frame:?} is not managed");
        &mut self.records[frame.0 as usize]
    }
    fn clear_frame(&mut self, frame: FrameNumber) {
        *self.held(frame) = [0; 4096];
    }
    fn clear_part(&mut self, frame: FrameNumber, offset: u32, length: u32) {
        self.held(frame)[offset as usize..(offset + length) as usize].fill(0);
    }
    fn copy_frame(&mut self, from: FrameNumber, to: FrameNumber) {
        *self.held(to) = *self.held(from);
    }
    fn table_word(&self, frame: FrameNumber, index: usize) -> u32 {
        assert!(self.records[frame.0 as usize].references > 0, "{frame:?} is free");
        let bytes = &self.ram[frame.0 as usize][index * 4..index * 4 + 4];
        u32::from_ne_bytes(bytes.try_into().expect("four bytes"))
    }
    fn set_table_word(&mut self, frame: FrameNumber, index: usize, word: u32) {
        self.held(frame)[index * 4..index * 4 + 4].copy_from_slice(&word.to_ne_bytes());
    }

    fn table_frames(&self) -> usize {
        self.store.len()
    }
    fn add_table_frame(&mut self, frame: FrameNumber) {
        self.store.push(frame);
    }
    fn remove_table_frame(&mut self) -> Option<FrameNumber> {
        self.store.pop()
    }

    fn space_create(&mut self, space: SpaceSlot) {
        let frame = self.store.pop().expect("a frame for the space");
        let tables = Tables { frames: vec![frame], ..Tables::default() };
        assert!(self.spaces.insert(space.0, tables).is_none(), "the space is new");
    }
    fn space_destroy(&mut self, space: SpaceSlot) {
        let tables = self.spaces.remove(&space.0).expect("a space");
        assert!(tables.pages.is_empty(), "all pages are unmapped");
        self.store.extend(tables.frames);
    }
    fn map(&mut self, space: SpaceSlot, page: Page) {
        assert_eq!(page.address % PAGE_SIZE, 0);
        if page.frame.0 < DEVICE_FRAME {
            self.held(page.frame);
        }
        let tables = self.spaces.get_mut(&space.0).expect("a space");
        for level in 1..4 {
            if tables.tables.insert((level, page.address >> (3 + 9 * (level + 1)))) {
                tables.frames.push(self.store.pop().expect("a frame for a page table"));
            }
        }
        tables.pages.insert(page.address, page);
    }
    fn unmap(&mut self, space: SpaceSlot, address: u64) -> Option<Page> {
        self.spaces.get_mut(&space.0).expect("a space").pages.remove(&address)
    }
    fn lookup(&self, space: SpaceSlot, address: u64) -> Option<Page> {
        let tables = self.spaces.get(&space.0).expect("a space");
        tables.pages.get(&(address & !(PAGE_SIZE - 1))).copied()
    }
    fn next_pages(&self, space: SpaceSlot, from: u64, end: u64, into: &mut [Page]) -> Looked {
        let tables = self.spaces.get(&space.0).expect("a space");
        assert!(from < end, "a search in nothing");
        // A longer range is searched in parts.
        let until = end.min(from + 5 * PAGE_SIZE);
        let (mut pages, room) = (0, into.len());
        for (place, (address, page)) in into.iter_mut().zip(tables.pages.range(from..until)) {
            *place = *page;
            pages += 1;
            if pages == room {
                return Looked { pages, until: address + PAGE_SIZE };
            }
        }
        Looked { pages, until }
    }
}

impl ThreadContexts for TestMachine {
    fn thread_start(&mut self, _: ThreadSlot, _: &StartRegisters) {}
    fn set_home(&mut self, _: ThreadSlot, _: SpaceSlot, _: u64) {}
    fn set_result(&mut self, _: ThreadSlot, _: i64) {}
    fn words(&self, _: ThreadSlot) -> Words {
        Words::default()
    }
    fn set_words(&mut self, _: ThreadSlot, _: &Words) {}
    fn set_answer_length(&mut self, _: ThreadSlot, _: u64) {}
    fn set_head(&mut self, _: ThreadSlot, _: &Head) {}
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

impl Devices for TestMachine {
    fn now(&self) -> u64 {
        0
    }
    fn arm_timer(&mut self, _: u64) {}
    fn reschedule(&mut self, _: usize) {}
    fn stop_cpu(&mut self, _: usize, _: CallUnderWay) -> Option<SignalInfo> {
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
        PhysicalRange { address: u64::from(IMAGE_FRAME) * PAGE_SIZE + 16, length: 5000 }
    }
    fn framebuffer(&self) -> Option<(PhysicalRange, Framebuffer)> {
        None
    }
    fn is_device_memory(&self, range: PhysicalRange) -> bool {
        let first = u64::from(DEVICE_FRAME) * PAGE_SIZE;
        range.address >= first && range.address + range.length <= first + 8 * PAGE_SIZE
    }
    fn time_page(&self) -> FrameNumber {
        FrameNumber(TIME_FRAME)
    }
    fn time(&self) -> TimePage {
        TimePage::default()
    }
    fn set_realtime_offset(&mut self, _: i64) {}
    fn tsc(&self) -> (u64, u64) {
        (0, 0)
    }
}
