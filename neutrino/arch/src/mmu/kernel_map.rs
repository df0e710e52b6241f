//! The kernel's half of the address space, made once at boot.
//!
//! Text is executable and read-only, read-only data is neither writable nor executable, everything
//! else is writable and never executable; the same holds for the direct map's view of the image. The
//! page below the boot stack is absent. After boot nothing here changes but that the code of boot goes
//! (`boot::finish`), so every top table can hold a copy of the upper half.

use core::cell::{Cell, RefCell};

use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

use super::direct_map::{self, PAGE, read_word, write_word};
use super::space::{ADDRESS, NO_EXECUTE, PRESENT, UNCACHED, WRITE};
use crate::boot::memory_map::{MemoryMap, Range};
use crate::cpu::features::Features;
use crate::cpu::percpu;
use crate::panic::needed;

const GLOBAL: u64 = 0x100;
const LARGE: u64 = 0x80;
const ENTRIES: usize = 512;
/// What the link script subtracts.
const KERNEL_OFFSET: u64 = 0xffff_ffff_8000_0000;
/// The loader's mappings reach so far; tables must be below while they are in use.
const BOOT_LIMIT: u64 = 1 << 32;

/// Rights of a kernel mapping.
#[derive(Clone, Copy, Debug)]
enum Rights {
    Text,
    ReadOnly,
    Data,
    Device,
}

impl Rights {
    const fn bits(self) -> u64 {
        PRESENT
            | GLOBAL
            | match self {
                Self::Text => 0,
                Self::ReadOnly => NO_EXECUTE,
                Self::Data => NO_EXECUTE | WRITE,
                Self::Device => NO_EXECUTE | WRITE | UNCACHED,
            }
    }
}

/// Boundaries that the link script sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    init: Range,
    text: Range,
    read_only: Range,
    data: Range,
    tables: Range,
    guard: u64,
}

impl Image {
    /// Reads them.
    pub(crate) fn new() -> Self {
        unsafe extern "C" {
            static init_start: u8;
            static text_start: u8;
            static text_end: u8;
            static rodata_end: u8;
            static kernel_end: u8;
            static tables_start: u8;
            static tables_end: u8;
            static boot_stack_guard: u8;
        }
        let at = |symbol: *const u8| symbol.addr() as u64;
        let init_limit = at(&raw const text_start);
        let text_limit = at(&raw const text_end);
        let rodata_limit = at(&raw const rodata_end);
        Self {
            init: Range { start: at(&raw const init_start), end: init_limit },
            text: Range { start: init_limit, end: text_limit },
            read_only: Range { start: text_limit, end: rodata_limit },
            data: Range { start: rodata_limit, end: at(&raw const kernel_end) },
            tables: Range { start: at(&raw const tables_start), end: at(&raw const tables_end) },
            guard: at(&raw const boot_stack_guard),
        }
    }

    /// The physical memory that the loaded image takes, from the first MiB on.
    pub(crate) fn physical(&self) -> Range {
        Range { start: 1 << 20, end: physical(self.data.end) }
    }

    /// Kernel text, for back-traces.
    pub(crate) fn text(&self) -> Range {
        Range { start: self.init.start, end: self.text.end }
    }

    /// The code that only boot runs.
    pub(crate) fn init(&self) -> Range {
        self.init
    }
}

/// The physical address of something in the loaded image.
pub(crate) fn physical(address: u64) -> u64 {
    address.wrapping_sub(KERNEL_OFFSET)
}

/// Builds the mappings out of free memory.
#[derive(Debug)]
pub(crate) struct KernelMap {
    root: Cell<u64>,
    free: RefCell<MemoryMap>,
    has_huge_pages: bool,
}

impl KernelMap {
    /// Maps the image, its tables, and `ram` at the direct map, and switches to them.
    ///
    /// # Safety
    /// - Called once, on the loader's mappings; `free` is memory that nobody uses.
    pub(crate) unsafe fn new(
        free: MemoryMap,
        ram: &MemoryMap,
        image: &Image,
        features: &Features,
    ) -> Self {
        let map = Self {
            root: Cell::new(0),
            free: RefCell::new(free),
            has_huge_pages: features.huge_pages,
        };
        map.root.set(map.table());
        map.map_image(image);
        map.map_ram(ram, image);
        map.switch();
        map
    }

    fn switch(&self) {
        let frame = PhysFrame::containing_address(x86_64::PhysAddr::new(self.root()));
        // SAFETY: the new tables map the running code, its stack and data where they are, and all
        // RAM at the direct map; nothing below is used any more.
        unsafe { Cr3::write(frame, Cr3Flags::empty()) };
    }

    /// The top table.
    pub(crate) fn root(&self) -> u64 {
        self.root.get()
    }

    /// Ends boot: what is left of free memory.
    pub(crate) fn into_free(self) -> MemoryMap {
        self.free.into_inner()
    }

    /// Takes whole pages of free memory, for good.
    ///
    /// # Panics
    /// If there is not enough memory in one piece.
    pub(crate) fn take(&self, length: u64) -> u64 {
        let taken = self.free.borrow_mut().take(length.next_multiple_of(PAGE), BOOT_LIMIT);
        needed(taken, "too little memory to start: give the machine at least 64 MiB")
    }

    fn table(&self) -> u64 {
        let table = self.take(PAGE);
        direct_map::clear(direct_map::frame(table), 0, PAGE);
        table
    }

    fn map_image(&self, image: &Image) {
        // Boot's code page by page, as it is unmapped.
        for page in image.init.pages() {
            self.map(Range::page(page), physical(page), Rights::Text);
        }
        self.map(image.text, physical(image.text.start), Rights::Text);
        self.map(image.read_only, physical(image.read_only.start), Rights::ReadOnly);
        // Bound: pages of the image.
        for page in image.data.pages() {
            if page != image.guard {
                self.map(Range::page(page), physical(page), Rights::Data);
            }
        }
        // Bound: pages of the static tables.
        for page in image.tables.pages().filter(|&page| !percpu::is_stack_guard(page)) {
            let frame = self.table();
            self.map(Range::page(page), frame, Rights::Data);
        }
    }

    fn map_ram(&self, ram: &MemoryMap, image: &Image) {
        let fixed = Range { start: physical(image.text.start), end: physical(image.read_only.end) };
        self.map_direct(fixed, Rights::ReadOnly);
        // The first MiB holds firmware tables and the loader's data; boot's code follows.
        self.map_direct(Range { start: 0, end: fixed.start }, Rights::Data);
        let mut rest = ram.clone();
        rest.remove(Range { start: 0, end: fixed.end });
        for range in rest.iter() {
            self.map_direct(range, Rights::Data);
        }
    }

    fn map_direct(&self, physical: Range, rights: Rights) {
        let start = direct_map::BASE | physical.start;
        let end = direct_map::BASE | physical.end;
        self.map(Range { start, end }, physical.start, rights);
    }

    /// Makes the registers of a device accessible at the direct map.
    pub(crate) fn map_device(&self, physical: u64) -> u64 {
        let page = physical & !(PAGE - 1);
        self.map_direct(Range { start: page, end: page + PAGE }, Rights::Device);
        direct_map::BASE | physical
    }

    /// Makes firmware tables readable at the direct map, where they are not.
    pub(crate) fn map_tables(&self, physical: u64, length: u64) -> *mut u8 {
        let end = physical.saturating_add(length).next_multiple_of(PAGE);
        for page in (Range { start: physical & !(PAGE - 1), end }).pages() {
            if !self.is_mapped(direct_map::BASE | page) {
                self.map_direct(Range::page(page), Rights::ReadOnly);
            }
        }
        direct_map::pointer(physical)
    }

    fn is_mapped(&self, address: u64) -> bool {
        let mut table = self.root();
        for level in (0..4_u32).rev() {
            let entry = read_word(direct_map::frame(table), index(address, level));
            if entry & PRESENT == 0 {
                return false;
            }
            if entry & LARGE != 0 {
                return true;
            }
            table = entry & ADDRESS;
        }
        true
    }

    /// Maps a range with the largest pages that fit.
    fn map(&self, range: Range, physical: u64, rights: Rights) {
        let mut address = range.start;
        let mut target = physical;
        // Bound: pages of the range.
        while address < range.end {
            let rest = range.end.wrapping_sub(address);
            let level = self.level(address | target, rest);
            self.map_page(address, target, (level, rights));
            address = address.wrapping_add(size(level));
            target = target.wrapping_add(size(level));
            if address == 0 {
                return;
            }
        }
    }

    fn level(&self, alignment: u64, rest: u64) -> u32 {
        let fits = |level: u32| alignment.is_multiple_of(size(level)) && rest >= size(level);
        match () {
            () if self.has_huge_pages && fits(2) => 2,
            () if fits(1) => 1,
            () => 0,
        }
    }

    fn map_page(&self, address: u64, physical: u64, (level, rights): (u32, Rights)) {
        let mut table = direct_map::frame(self.root());
        // Bound: four levels.
        for above in (level..4).rev() {
            let index = index(address, above);
            if above == level {
                let large = if level > 0 { LARGE } else { 0 };
                write_word(table, index, physical | rights.bits() | large);
                return;
            }
            let entry = read_word(table, index);
            if entry & PRESENT == 0 {
                let below = self.table();
                write_word(table, index, below | PRESENT | WRITE);
                table = direct_map::frame(below);
            } else {
                table = direct_map::frame(entry & ADDRESS);
            }
        }
    }
}

const fn size(level: u32) -> u64 {
    PAGE << (9 * level)
}

const fn index(address: u64, level: u32) -> usize {
    (address >> (12 + 9 * level)) as usize & (ENTRIES - 1)
}
