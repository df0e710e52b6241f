//! Page tables of user spaces.
//!
//! Invariants, all kept here:
//! - The upper half of every top table is the kernel's; only the lower half changes.
//! - An entry that names a table holds, in bits 52 to 61, how many entries of that table are present;
//!   a table with none is taken out at once. So a space without pages is one top table, and looking
//!   for the next page meets no empty table.
//! - Tables are linked through frames that no mapping and no object holds (the core gives and takes
//!   them), and every frame in the store is linked through its first word.
//!
//! SDM vol. 3, 4.5 (4-level paging) and 4.10.4 (what INVLPG drops: the page's translations, and all
//! cached tables). Other CPUs that use a space are noted in `stale` when a page goes or changes there;
//! `settle` makes them leave the space, which drops all its translations. That happens before a frame
//! is filled anew or becomes a table, and before the kernel is left.

use core::arch::asm;

use neutrino_abi::memory::USER_END;
use neutrino_core::limits::{CPUS, SPACES};
use neutrino_core::machine::{FrameNumber, LOOKS, Looked, Page, PageRights, SpaceSlot};
use x86_64::VirtAddr;
use x86_64::instructions::tlb;

use crate::cpu::remote;

use super::direct_map::{self, PAGE, clear, read_word, write_word};

/// The entry is in use.
pub(super) const PRESENT: u64 = 1;
/// Stores are allowed.
pub(super) const WRITE: u64 = 2;
/// Ring 3 may use it.
pub(super) const USER: u64 = 4;
/// PWT and PCD: not cached.
pub(super) const UNCACHED: u64 = 0x18;
/// Instruction fetches are not allowed.
pub(super) const NO_EXECUTE: u64 = 1 << 63;
/// Bits of the physical address.
pub(super) const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const COUNT_SHIFT: u32 = 52;
const COUNT: u64 = 0x3ff << COUNT_SHIFT;
const USER_ENTRIES: usize = 256;
const ENTRIES: usize = 512;

const _: () = assert!(SPACES.is_power_of_two());

/// An entry of a table.
#[derive(Clone, Copy)]
struct Place {
    table: FrameNumber,
    index: usize,
}

impl Place {
    fn at(table: FrameNumber, level: Level, address: u64) -> Self {
        Self { table, index: level.index(address) }
    }

    fn get(self) -> u64 {
        read_word(self.table, self.index)
    }

    fn set(self, entry: u64) {
        write_word(self.table, self.index, entry);
    }
}

/// Levels of the tree, from the pages up.
#[derive(Clone, Copy)]
struct Level(u32);

const LEAF: Level = Level(0);
const MIDDLE: [Level; 3] = [Level(3), Level(2), Level(1)];

impl Level {
    const fn shift(self) -> u32 {
        12 + 9 * self.0
    }

    const fn index(self, address: u64) -> usize {
        (address >> self.shift()) as usize & (ENTRIES - 1)
    }

    /// The first address behind the entry that covers `address`; 0 at the end of all.
    const fn next(self, address: u64) -> u64 {
        (address | ((1 << self.shift()) - 1)).wrapping_add(1)
    }
}

fn frame_of(entry: u64) -> FrameNumber {
    direct_map::frame(entry & ADDRESS)
}

fn page_of(address: u64, entry: u64) -> Page {
    Page {
        address: address & !(PAGE - 1),
        frame: frame_of(entry),
        rights: PageRights {
            read: entry & USER != 0,
            write: entry & WRITE != 0,
            execute: entry & NO_EXECUTE == 0,
            uncached: entry & UNCACHED != 0,
        },
    }
}

fn entry_of(page: &Page) -> u64 {
    let mut entry = direct_map::address(page.frame) | PRESENT;
    if page.rights.read {
        entry |= USER;
    }
    if page.rights.write {
        entry |= WRITE;
    }
    if !page.rights.execute {
        entry |= NO_EXECUTE;
    }
    if page.rights.uncached {
        entry |= UNCACHED;
    }
    entry
}

/// The address spaces, and the store of frames for tables.
#[derive(Debug)]
pub(crate) struct Spaces {
    /// Frames of the top tables; 0 for none.
    roots: [u32; SPACES],
    store: FrameNumber,
    stored: usize,
    kernel: FrameNumber,
    /// What CR3 of each CPU holds. A CPU without a thread uses the kernel's table.
    loaded: [u64; CPUS],
    /// How many CPUs run.
    online: usize,
    /// The CPU that is in the kernel.
    cpu: usize,
    /// CPUs (bits) that may have translations that are no more.
    stale: u8,
}

const _: () = assert!(CPUS <= 8);

impl Spaces {
    /// No spaces; `kernel` is the top table in use.
    pub(crate) fn new(kernel: FrameNumber) -> Self {
        let loaded = [direct_map::address(kernel); CPUS];
        let store = FrameNumber(0);
        Self { roots: [0; SPACES], store, stored: 0, kernel, loaded, online: 1, cpu: 0, stale: 0 }
    }

    /// One more CPU runs.
    pub(crate) fn add_cpu(&mut self) {
        self.online = self.online.saturating_add(1);
    }

    /// The kernel's own top table.
    pub(crate) fn kernel_root(&self) -> u64 {
        direct_map::address(self.kernel)
    }

    /// Names the CPU that is in the kernel.
    pub(crate) fn set_cpu(&mut self, cpu: usize) {
        self.cpu = cpu;
    }

    /// Ends the use that other CPUs make of translations that are no more.
    #[inline(always)]
    pub(crate) fn settle(&mut self) {
        if self.stale != 0 {
            self.leave_stale();
        }
    }

    #[cold]
    #[inline(never)]
    fn leave_stale(&mut self) {
        let stale = core::mem::take(&mut self.stale);
        remote::leave_space(stale);
        // Bound: CPUS.
        for cpu in (0..CPUS).filter(|cpu| stale >> cpu & 1 != 0) {
            self.set_left(cpu);
        }
    }

    /// Notes that a CPU has left the space that it used.
    pub(crate) fn set_left(&mut self, cpu: usize) {
        if let Some(loaded) = self.loaded.get_mut(cpu) {
            *loaded = direct_map::address(self.kernel);
        }
    }

    /// Notes the other CPUs that use a table.
    fn note_stale(&mut self, root: u64) {
        if self.online == 1 {
            return;
        }
        // Bound: CPUS.
        for (cpu, loaded) in self.loaded.iter().enumerate().take(self.online) {
            if *loaded == root && cpu != self.cpu {
                self.stale |= 1 << cpu;
            }
        }
    }

    fn is_loaded(&self, root: u64) -> bool {
        self.loaded.get(self.cpu) == Some(&root)
    }

    /// Frames in the store.
    pub(crate) const fn stored(&self) -> usize {
        self.stored
    }

    /// Puts a frame into the store.
    pub(crate) fn store(&mut self, frame: FrameNumber) {
        write_word(frame, 0, self.store.0.into());
        self.store = frame;
        self.stored = self.stored.wrapping_add(1);
    }

    /// Takes a frame out of the store.
    pub(crate) fn take(&mut self) -> Option<FrameNumber> {
        self.stored = self.stored.checked_sub(1)?;
        let frame = self.store;
        self.store = FrameNumber(read_word(frame, 0) as u32);
        Some(frame)
    }

    fn root(&self, space: SpaceSlot) -> Option<FrameNumber> {
        let frame = *self.roots.get(usize::from(space.0) & (SPACES - 1))?;
        (frame != 0).then_some(FrameNumber(frame))
    }

    /// The top table, if the address is one of user space.
    fn user_root(&self, space: SpaceSlot, address: u64) -> Option<FrameNumber> {
        if address < USER_END { self.root(space) } else { None }
    }

    fn set_root(&mut self, space: SpaceSlot, frame: u32) {
        if let Some(root) = self.roots.get_mut(usize::from(space.0) & (SPACES - 1)) {
            *root = frame;
        }
    }

    /// Makes an empty space.
    pub(crate) fn create(&mut self, space: SpaceSlot) {
        let Some(root) = self.take() else {
            debug_assert!(false, "the core stores a table frame before it makes a space");
            return;
        };
        clear(root, 0, PAGE / 2);
        // Bound: the kernel's 256 entries.
        for index in USER_ENTRIES..ENTRIES {
            write_word(root, index, read_word(self.kernel, index));
        }
        self.set_root(space, root.0);
    }

    /// Forgets a space without pages.
    pub(crate) fn destroy(&mut self, space: SpaceSlot) {
        let Some(root) = self.root(space) else { return };
        let address = direct_map::address(root);
        if self.is_loaded(address) {
            self.activate(self.cpu, direct_map::address(self.kernel));
        }
        self.note_stale(address);
        self.settle();
        self.set_root(space, 0);
        self.store(root);
    }

    /// The top table of a space, as [`Spaces::activate`] takes it; the kernel's if there is none.
    pub(crate) fn root_address(&self, space: SpaceSlot) -> u64 {
        direct_map::address(self.root(space).unwrap_or(self.kernel))
    }

    /// Makes the kernel's own table the one in use, while a CPU has no thread.
    pub(crate) fn rest(&mut self, cpu: usize) {
        self.activate(cpu, direct_map::address(self.kernel));
    }

    /// Makes a space the one that user code of the CPU that runs sees.
    #[inline(always)]
    pub(crate) fn activate(&mut self, cpu: usize, root: u64) {
        let Some(loaded) = self.loaded.get_mut(cpu) else { return };
        if *loaded == root {
            return;
        }
        *loaded = root;
        // SAFETY: the upper half of every top table maps the kernel, the same in all; a root comes
        // from `root_address`, and `destroy` leaves a table before it goes.
        unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
    }

    /// Takes a page that no CPU uses out of the kernel's half, where it is not part of a larger one.
    pub(crate) fn unmap_kernel(&mut self, address: u64) {
        let mut table = self.kernel;
        for level in MIDDLE {
            table = frame_of(Place::at(table, level, address).get());
        }
        Place::at(table, LEAF, address).set(0);
        tlb::flush(VirtAddr::new_truncate(address));
    }

    fn flush(&mut self, root: FrameNumber, address: u64) {
        let root = direct_map::address(root);
        if self.is_loaded(root) {
            tlb::flush(VirtAddr::new_truncate(address));
        }
        self.note_stale(root);
    }

    /// Maps a page, replacing what was there.
    pub(crate) fn map(&mut self, space: SpaceSlot, page: &Page) {
        let Some(root) = self.user_root(space, page.address) else { return };
        let mut table = root;
        let mut parent: Option<Place> = None;
        // Bound: three levels.
        for level in MIDDLE {
            let place = Place::at(table, level, page.address);
            let mut entry = place.get();
            if entry & PRESENT == 0 {
                let Some(new) = self.take() else {
                    debug_assert!(false, "the core stores three table frames before it maps");
                    return;
                };
                clear(new, 0, PAGE);
                entry = direct_map::address(new) | PRESENT | WRITE | USER;
                place.set(entry);
                count_up(parent);
            }
            table = frame_of(entry);
            parent = Some(place);
        }
        let place = Place::at(table, LEAF, page.address);
        let was_present = place.get() & PRESENT != 0;
        place.set(entry_of(page));
        if was_present {
            self.flush(root, page.address);
        } else {
            count_up(parent);
        }
    }

    /// Maps pages of one table, replacing what was there.
    pub(crate) fn map_pages(&mut self, space: SpaceSlot, pages: &[Page]) {
        let Some((first, rest)) = pages.split_first() else { return };
        // Makes the tables.
        self.map(space, first);
        let (Some(root), Some(parent)) = (self.root(space), self.leaf_table(space, first.address))
        else {
            return;
        };
        let table = frame_of(parent.get());
        let mut added = 0;
        // Bound: the pages, of which a table has no more than 512.
        for page in rest {
            let place = Place::at(table, LEAF, page.address);
            let was_present = place.get() & PRESENT != 0;
            place.set(entry_of(page));
            if was_present {
                self.flush(root, page.address);
            } else {
                added += 1;
            }
        }
        parent.set(parent.get().wrapping_add(added << COUNT_SHIFT));
    }

    /// Unmaps pages of one table, which are mapped.
    pub(crate) fn unmap_pages(&mut self, space: SpaceSlot, pages: &[Page]) {
        let Some((last, others)) = pages.split_last() else { return };
        let (Some(root), Some(parent)) = (self.root(space), self.leaf_table(space, last.address))
        else {
            return;
        };
        let table = frame_of(parent.get());
        // Bound: the pages, of which a table has no more than 512.
        for page in others {
            Place::at(table, LEAF, page.address).set(0);
            self.flush(root, page.address);
        }
        let removed = others.len() as u64;
        parent.set(parent.get().wrapping_sub(removed << COUNT_SHIFT));
        // Takes the tables out that are empty now.
        self.unmap(space, last.address);
    }

    /// Maps pages of one table where none is mapped; tells how many.
    pub(crate) fn map_absent(&mut self, space: SpaceSlot, pages: &[Page]) -> u64 {
        let Some(first) = pages.first() else { return 0 };
        let Some(parent) = self.leaf_table(space, first.address) else { return 0 };
        let table = frame_of(parent.get());
        let mut mapped = 0;
        // Bound: the pages, of which a table has no more than 512.
        for page in pages {
            let place = Place::at(table, LEAF, page.address);
            if place.get() & PRESENT == 0 {
                place.set(entry_of(page));
                mapped += 1;
            }
        }
        parent.set(parent.get().wrapping_add(mapped << COUNT_SHIFT));
        mapped
    }

    /// The entry that names the table of the pages around an address.
    fn leaf_table(&self, space: SpaceSlot, address: u64) -> Option<Place> {
        let top = Place::at(self.user_root(space, address)?, MIDDLE[0], address);
        let directories = Place::at(below(top)?, MIDDLE[1], address);
        let tables = Place::at(below(directories)?, MIDDLE[2], address);
        below(tables).map(|_| tables)
    }

    /// Unmaps a page and tells what was there.
    pub(crate) fn unmap(&mut self, space: SpaceSlot, address: u64) -> Option<Page> {
        let root = self.user_root(space, address)?;
        let top = Place::at(root, MIDDLE[0], address);
        let directories = Place::at(below(top)?, MIDDLE[1], address);
        let tables = Place::at(below(directories)?, MIDDLE[2], address);
        let leaf = Place::at(below(tables)?, LEAF, address);
        let entry = leaf.get();
        if entry & PRESENT == 0 {
            return None;
        }
        leaf.set(0);
        // Bound: three levels.
        for place in [tables, directories, top] {
            if count_down(place) {
                break;
            }
            let table = frame_of(place.get());
            place.set(0);
            self.flush(root, address);
            self.settle();
            self.store(table);
        }
        self.flush(root, address);
        Some(page_of(address, entry))
    }

    /// The entry that maps `address`, if it is present; 0 otherwise.
    ///
    /// Every message copy comes here twice, so it walks by addresses and not by frames.
    #[inline(always)]
    pub(super) fn leaf(&self, space: SpaceSlot, address: u64) -> u64 {
        let Some(root) = self.user_root(space, address) else { return 0 };
        let mut table = direct_map::address(root);
        // Bound: three levels.
        for level in MIDDLE {
            let entry = direct_map::read_entry(table, level.index(address));
            if entry & PRESENT == 0 {
                return 0;
            }
            table = entry & ADDRESS;
        }
        direct_map::read_entry(table, LEAF.index(address))
    }

    /// What is mapped at an address.
    pub(crate) fn lookup(&self, space: SpaceSlot, address: u64) -> Option<Page> {
        let entry = self.leaf(space, address);
        (entry & PRESENT != 0).then(|| page_of(address, entry))
    }

    /// The first pages mapped at or after `from` and before `end` that lie in one table, if a short
    /// search finds them.
    pub(crate) fn next_pages(
        &self,
        space: SpaceSlot,
        from: u64,
        end: u64,
        into: &mut [Page],
    ) -> Looked {
        let nothing = Looked { pages: 0, until: end };
        let Some(root) = self.root(space) else { return nothing };
        let last = end.min(USER_END);
        let mut address = from & !(PAGE - 1);
        // Bound: TURNS.
        'descend: for _ in 0..TURNS {
            if address >= last {
                return nothing;
            }
            let mut table = root;
            for level in MIDDLE {
                match below(Place::at(table, level, address)) {
                    Some(next) => table = next,
                    None => {
                        address = level.next(address);
                        continue 'descend;
                    }
                }
            }
            let stop = MIDDLE[2].next(address).min(last).min(address + LOOKS * PAGE);
            let pages = pages_of(direct_map::address(table), (address, stop), into);
            let full = into.last().filter(|_| pages == into.len()).map(|page| page.address + PAGE);
            return Looked { pages, until: full.unwrap_or(if stop == last { end } else { stop }) };
        }
        Looked { pages: 0, until: if address < last { address } else { end } }
    }
}

/// Entries of upper tables that a search for pages passes.
const TURNS: usize = 12;
/// Entries that are looked at together: most of a sparse table is absent.
const GROUP: usize = 8;

/// The present pages of a part of a table.
fn pages_of(table: u64, (start, stop): (u64, u64), into: &mut [Page]) -> usize {
    let mut address = start;
    let mut found = 0;
    // Bound: LOOKS.
    while address < stop {
        let index = LEAF.index(address);
        if index.is_multiple_of(GROUP) && is_group_absent(table, index) {
            address += GROUP as u64 * PAGE;
            continue;
        }
        let entry = direct_map::read_entry(table, index);
        if entry & PRESENT != 0 {
            let Some(place) = into.get_mut(found) else { break };
            *place = page_of(address, entry);
            found += 1;
        }
        address += PAGE;
    }
    found
}

/// Whether no entry from `index` on, of a group, is present. One that is not is 0.
fn is_group_absent(table: u64, index: usize) -> bool {
    (0..GROUP).fold(0, |all, at| all | direct_map::read_entry(table, index | at)) == 0
}

/// The table that an entry names.
fn below(place: Place) -> Option<FrameNumber> {
    let entry = place.get();
    (entry & PRESENT != 0).then(|| frame_of(entry))
}

/// One more entry of the table behind `parent` is present.
fn count_up(parent: Option<Place>) {
    if let Some(parent) = parent {
        parent.set(parent.get().wrapping_add(1 << COUNT_SHIFT));
    }
}

/// One entry less; says whether any is left.
fn count_down(parent: Place) -> bool {
    let entry = parent.get().wrapping_sub(1 << COUNT_SHIFT);
    parent.set(entry);
    entry & COUNT != 0
}
