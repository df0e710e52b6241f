//! Frames, memory objects, address spaces and what is mapped in them.
//!
//! This is bookkeeping: page tables and bytes are the machine's. Frames of RAM are held by private
//! pages (once for each page-table entry) and by objects (once); a mapping holds its object, and
//! page-table entries that show an object's frame are not counted.
//!
//! Every call checks and reserves first and then changes what it must, so a failed call changes
//! nothing. One that may take long stops when the budget of the kernel entry is spent, with
//! everything in order, and tells how far it came; what it has to go on with is that. What is promised when memory is mapped is counted ([`MemoryCounts::committed`]), so
//! that touching it cannot fail: private writable mappings and anonymous objects when they are
//! made; `MAP_NORESERVE` and what was never writable page by page.
//!
//! The kernel never maps anything writable and executable for itself; user programs may.
//!
//! Slots that callers pass name living spaces and objects; a stale one does harm to nobody but the
//! one who uses it.

mod change;
mod dying;
mod fault;
mod frames;
mod layout;
pub mod limits;
mod map;
mod mapping;
mod object;
mod page;
mod radix;
mod run;
mod space;
mod table;
mod transfer;
mod tree;

pub use self::dying::Dying;
use self::frames::Frames;
use self::limits::OBJECTS;
pub use self::map::Mapped;
use self::object::Object;
use self::space::Space;
use self::table::Table;
use self::tree::Mappings;
use crate::limits::SPACES;
use crate::machine::{FrameNumber, Machine, SpaceSlot};
use crate::step::Budget;

/// Names a memory object; 0 names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u16);

/// Why an access cannot be made possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BadAccess {
    /// Nothing is mapped there (SIGSEGV, `SEGV_MAPERR`).
    NotMapped,
    /// The mapping does not allow it (SIGSEGV, `SEGV_ACCERR`).
    Protection,
    /// The page lies behind the end of the mapped object (SIGBUS, `BUS_ADRERR`).
    BeyondObject,
    /// There is no frame for it (SIGBUS, `BUS_ADRERR`).
    NoMemory,
}

/// How much of what was asked for is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// All of it.
    Whole,
    /// As much as the budget allowed; the same call goes on with the rest.
    Part,
}

/// What names a futex word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FutexKey {
    /// A word of one address space.
    Private {
        /// The space.
        space: SpaceSlot,
        /// Its address there.
        address: u64,
    },
    /// A word of an object that processes may share.
    Shared {
        /// The object.
        object: ObjectId,
        /// Offset into it in bytes.
        offset: u64,
    },
}

/// Counts of frames, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MemoryCounts {
    /// All frames.
    pub total: u64,
    /// Frames that nobody holds.
    pub free: u64,
    /// Pages promised, and frames of tables.
    pub committed: u64,
}

/// What a space uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SpaceUsage {
    /// Bytes mapped.
    pub mapped_bytes: u64,
    /// Pages present.
    pub resident_pages: u64,
}

/// All of the kernel's bookkeeping about memory.
#[derive(Clone, Debug)]
pub struct Memory {
    frames: Frames,
    objects: Table<Object, OBJECTS>,
    mappings: Mappings,
    spaces: Table<Space, SPACES>,
    /// What nobody holds any more and nobody frees yet.
    dying: Dying,
    budget: Budget,
}

impl Memory {
    /// No memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            frames: Frames::new(),
            objects: Table::new(),
            mappings: Table::new(),
            spaces: Table::new(),
            dying: Dying::NOTHING,
            budget: Budget::ENDLESS,
        }
    }

    /// Says how much the kernel entry that begins may do.
    pub const fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Uses some of that up.
    pub(crate) fn spend(&mut self, instructions: u32) {
        self.budget.spend(instructions);
    }

    /// Whether the kernel entry is to end.
    pub(crate) const fn is_spent(&self) -> bool {
        self.budget.is_spent()
    }

    /// Adds free RAM.
    pub fn add_range(&mut self, _m: &mut impl Machine, first: FrameNumber, count: u32) {
        self.frames.add(first, count);
    }

    /// Live memory objects.
    #[must_use]
    pub fn object_count(&self) -> u32 {
        live(OBJECTS, self.objects.room())
    }

    /// Live address spaces.
    #[must_use]
    pub fn space_count(&self) -> u32 {
        live(SPACES, self.spaces.room())
    }

    /// Live mappings.
    #[must_use]
    pub fn mapping_count(&self) -> u32 {
        live(self::limits::MAPPINGS, self.mappings.room())
    }

    /// How much memory there is, and how much of it is in use.
    #[must_use]
    pub const fn counts(&self) -> MemoryCounts {
        MemoryCounts {
            total: self.frames.total(),
            free: self.frames.free(),
            committed: self.frames.committed(),
        }
    }
}

/// Slots in use of a table of `slots`, the first of which is never used.
fn live(slots: usize, room: usize) -> u32 {
    u32::try_from(slots.saturating_sub(1).saturating_sub(room)).unwrap_or(u32::MAX)
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}
