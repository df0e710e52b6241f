//! Handles: a process's table from small integers to objects.
//!
//! The low part, [0, 1024), holds descriptors; the high part starts at `SIDE_CHANNEL`. Inside, both
//! are one row of places: descriptors first. Places live in chunks of 32 from a slab, so that a
//! process that has few handles costs little; a bitmap of full chunks finds the lowest free place.
//! I4: `full` says which chunks have no free place, `held` which are there; a chunk in a table has a
//! handle in it.

use neutrino_abi::Errno;
use neutrino_abi::handle::{FD_LIMIT, SIDE_CHANNEL};
use neutrino_abi::info::handle_kind;

use crate::Kernel;
use crate::interrupt::InterruptId;
use crate::ipc::channel::ChannelId;
use crate::ipc::connection::ConnectionId;
use crate::ipc::watch::WatchId;
use crate::limits;
use crate::machine::SpaceSlot;
use crate::memory::ObjectId;
use crate::port::PortId;
use crate::process::ProcessId;
use crate::slab::{Maybe, Slab, Slot};
use crate::time::timer::TimerId;

/// What a handle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Nothing: the place is free.
    None,
    /// A connection.
    Connection(ConnectionId),
    /// A channel.
    Channel(ChannelId),
    /// A memory object.
    Object(ObjectId),
    /// An address space.
    Space(SpaceSlot),
    /// A process.
    Process(ProcessId),
    /// A timer.
    Timer(TimerId),
    /// An interrupt attachment.
    Interrupt(InterruptId),
    /// A range of I/O ports.
    Port(PortId),
    /// A watch on a connection.
    Watch(WatchId),
}

impl Target {
    /// The number that `HandleInfo` tells.
    pub(crate) const fn kind(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Connection(_) => handle_kind::CONNECTION,
            Self::Channel(_) => handle_kind::CHANNEL,
            Self::Object(_) => handle_kind::OBJECT,
            Self::Space(_) => handle_kind::SPACE,
            Self::Process(_) => handle_kind::PROCESS,
            Self::Timer(_) => handle_kind::TIMER,
            Self::Interrupt(_) => handle_kind::INTERRUPT,
            Self::Port(_) => handle_kind::PORT,
            Self::Watch(_) => handle_kind::WATCH,
        }
    }
}

/// One handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// What it names.
    pub(crate) target: Target,
    /// `COF_*` flags.
    pub(crate) flags: u16,
}

impl Handle {
    const NONE: Self = Self { target: Target::None, flags: 0 };
}

const PLACES: usize = 32;
const FD_CHUNKS: usize = FD_LIMIT as usize / PLACES;
const CHUNKS: usize = FD_CHUNKS + limits::SIDE_HANDLES as usize / PLACES;
const WORDS: usize = CHUNKS.div_ceil(64);

/// 32 places of a table.
#[derive(Clone, Debug, Hash)]
pub struct Chunk {
    /// One bit for each place in use.
    used: u32,
    handles: [Handle; PLACES],
}

impl Slot for Chunk {
    const VACANT: Self = Self { used: 0, handles: [Handle::NONE; PLACES] };
    fn is_vacant(&self) -> bool {
        self.used == 0
    }
}

type Chunks = Slab<Chunk, { limits::HANDLE_CHUNKS }>;

/// A free place of a table, found and not yet filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u16);

impl Place {
    /// The place that a number names.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        if number < FD_LIMIT {
            return u16::try_from(number).ok().map(Self);
        }
        let side = number.checked_sub(SIDE_CHANNEL)?;
        if side >= limits::SIDE_HANDLES {
            return None;
        }
        u16::try_from(side.wrapping_add(FD_LIMIT)).ok().map(Self)
    }

    /// The number that user space sees.
    pub(crate) fn number(self) -> u32 {
        let place = u32::from(self.0);
        match place.checked_sub(FD_LIMIT) {
            Some(side) => SIDE_CHANNEL.wrapping_add(side),
            None => place,
        }
    }

    /// The place behind it.
    pub(crate) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    #[inline(always)]
    fn parts(self) -> (usize, u32) {
        (usize::from(self.0) / PLACES, u32::from(self.0) % 32)
    }
}

/// A process's table.
#[derive(Clone, Debug, Hash)]
pub struct Table {
    chunks: [Maybe<Chunk>; CHUNKS],
    /// One bit for each chunk without a free place.
    full: [u64; WORDS],
    /// One bit for each chunk that is there.
    held: [u64; WORDS],
    /// Handles in it.
    pub(crate) count: u32,
}

impl Table {
    /// A table without handles.
    pub(crate) const EMPTY: Self =
        Self { chunks: [Maybe::NOBODY; CHUNKS], full: [0; WORDS], held: [0; WORDS], count: 0 };

    /// What a number names.
    #[inline(always)]
    pub(crate) fn get(&self, chunks: &Chunks, place: Place) -> Option<Handle> {
        let (index, bit) = place.parts();
        let chunk = self.chunks.get(index)?.get()?;
        let handle = chunks[chunk].handles.get(bit as usize)?;
        (handle.target != Target::None).then_some(*handle)
    }

    /// The connection behind a register's number. The slot of chunks that is never used has none.
    #[inline(always)]
    fn connection(&self, chunks: &Chunks, number: u64) -> Option<ConnectionId> {
        let side = number.wrapping_sub(SIDE_CHANNEL.into());
        let place = if number < FD_LIMIT.into() {
            number
        } else if side < limits::SIDE_HANDLES.into() {
            side.wrapping_add(FD_LIMIT.into())
        } else {
            return None;
        };
        let (index, place) = ((place / 32) as usize, (place % 32) as usize);
        let chunk = self.chunks.get(index)?.slot();
        match chunks[chunk].handles.get(place)?.target {
            Target::Connection(id) => Some(id),
            Target::None
            | Target::Channel(_)
            | Target::Object(_)
            | Target::Space(_)
            | Target::Process(_)
            | Target::Timer(_)
            | Target::Interrupt(_)
            | Target::Port(_)
            | Target::Watch(_) => None,
        }
    }

    fn get_mut<'a>(&self, chunks: &'a mut Chunks, place: Place) -> Option<&'a mut Handle> {
        let (index, bit) = place.parts();
        let chunk = self.chunks.get(index)?.get()?;
        let handle = chunks[chunk].handles.get_mut(bit as usize)?;
        (handle.target != Target::None).then_some(handle)
    }

    /// The lowest free place in [from, end).
    fn lowest_free(&self, chunks: &Chunks, from: Place, end: u16) -> Option<Place> {
        let (first, bit) = from.parts();
        let mut wanted = u32::MAX.checked_shl(bit)?;
        let mut index = first;
        // Bound: one turn for each chunk, 160; full ones are skipped by words of 64.
        while let Some(slot) = self.chunks.get(index) {
            let used = slot.get().map_or(0, |chunk| chunks[chunk].used);
            let free = !used & wanted;
            if free != 0 {
                let place =
                    index.checked_mul(PLACES)?.checked_add(free.trailing_zeros() as usize)?;
                let place = u16::try_from(place).ok()?;
                return (place < end).then_some(Place(place));
            }
            wanted = u32::MAX;
            index = self.next_with_room(index.checked_add(1)?)?;
        }
        None
    }

    fn next_with_room(&self, from: usize) -> Option<usize> {
        first_set(from, |word| self.full.get(word).map(|full| !full))
    }

    fn next_held(&self, from: usize) -> Option<usize> {
        first_set(from, |word| self.held.get(word).copied())
    }

    /// Fills a free place; false if there is no chunk left.
    fn put(&mut self, chunks: &mut Chunks, place: Place, handle: Handle) -> bool {
        let (index, bit) = place.parts();
        let Some(slot) = self.chunks.get_mut(index) else { return false };
        let mask = 1_u32.wrapping_shl(bit);
        let chunk = match slot.get() {
            Some(chunk) => chunk,
            None => {
                let new = Chunk { used: mask, handles: [Handle::NONE; PLACES] };
                let Some(chunk) = chunks.insert(new) else { return false };
                *slot = Maybe::new(Some(chunk));
                mark(&mut self.held, index, true);
                chunk
            }
        };
        let chunk = &mut chunks[chunk];
        chunk.used |= mask;
        if let Some(entry) = chunk.handles.get_mut(bit as usize) {
            *entry = handle;
        }
        let is_full = chunk.used == u32::MAX;
        mark(&mut self.full, index, is_full);
        self.count = self.count.wrapping_add(1);
        true
    }

    /// Empties a place.
    fn take(&mut self, chunks: &mut Chunks, place: Place) -> Option<Handle> {
        let handle = self.get(chunks, place)?;
        let (index, bit) = place.parts();
        let slot = self.chunks.get_mut(index)?;
        let id = slot.get()?;
        let chunk = &mut chunks[id];
        if let Some(entry) = chunk.handles.get_mut(bit as usize) {
            *entry = Handle::NONE;
        }
        let left = chunk.used & !1_u32.wrapping_shl(bit);
        if left == 0 {
            chunks.remove(id);
            *slot = Maybe::NOBODY;
            mark(&mut self.held, index, false);
        } else {
            chunk.used = left;
        }
        mark(&mut self.full, index, false);
        self.count = self.count.wrapping_sub(1);
        Some(handle)
    }

    /// The first handle at or behind a place.
    pub(crate) fn next(&self, chunks: &Chunks, from: Place) -> Option<(Place, Handle)> {
        let (first, bit) = from.parts();
        let mut wanted = u32::MAX.checked_shl(bit)?;
        let mut index = first;
        // Bound: one turn for each chunk that is there, and the first.
        loop {
            let slot = self.chunks.get(index)?.get();
            let used = slot.map_or(0, |chunk| chunks[chunk].used) & wanted;
            if used != 0 {
                let place =
                    index.checked_mul(PLACES)?.checked_add(used.trailing_zeros() as usize)?;
                let place = Place(u16::try_from(place).ok()?);
                return self.get(chunks, place).map(|handle| (place, handle));
            }
            wanted = u32::MAX;
            index = self.next_held(index.checked_add(1)?)?;
        }
    }
}

/// The first bit set at or behind `from`, of words of 64.
// Bound: the words of a table, 3.
fn first_set(from: usize, word_at: impl Fn(usize) -> Option<u64>) -> Option<usize> {
    let mut word = from / 64;
    let mut bits = word_at(word)? & u64::MAX.checked_shl(u32::try_from(from % 64).ok()?)?;
    while bits == 0 {
        word = word.checked_add(1)?;
        bits = word_at(word)?;
    }
    word.checked_mul(64)?.checked_add(bits.trailing_zeros() as usize)
}

fn mark(words: &mut [u64; WORDS], index: usize, is_set: bool) {
    let bit = 1_u64.wrapping_shl(u32::try_from(index % 64).unwrap_or(0));
    if let Some(word) = words.get_mut(index / 64) {
        *word = if is_set { *word | bit } else { *word & !bit };
    }
}

impl Kernel {
    /// The connection that a register names.
    #[inline(always)]
    pub(crate) fn connection_in(&self, process: ProcessId, number: u64) -> Option<ConnectionId> {
        self.processes[process].handles.connection(&self.chunks, number)
    }

    /// What a number names in a process's table.
    #[inline(always)]
    pub(crate) fn handle(&self, process: ProcessId, number: u32) -> Option<Handle> {
        let place = Place::from_number(number)?;
        self.processes[process].handles.get(&self.chunks, place)
    }

    /// Puts a handle at the lowest free number from `minimum` on and returns that. This is the last
    /// step of a call that can fail.
    ///
    /// # Errors
    /// EMFILE: no number is free. EAGAIN: no room for the table. EINVAL: no such number.
    pub(crate) fn handle_add(
        &mut self,
        process: ProcessId,
        minimum: u32,
        handle: Handle,
    ) -> Result<u32, Errno> {
        let from = Place::from_number(minimum).ok_or(Errno::EINVAL)?;
        let end = if minimum < FD_LIMIT {
            self.processes[process].fd_limit.min(FD_LIMIT)
        } else {
            FD_LIMIT.wrapping_add(limits::SIDE_HANDLES)
        };
        let end = u16::try_from(end).unwrap_or(u16::MAX);
        let table = &mut self.processes[process].handles;
        let place = table.lowest_free(&self.chunks, from, end).ok_or(Errno::EMFILE)?;
        if !table.put(&mut self.chunks, place, handle) {
            return Err(Errno::EAGAIN);
        }
        Ok(place.number())
    }

    /// Whether [`Kernel::handle_add`] would work now.
    ///
    /// # Errors
    /// As that.
    #[inline(never)]
    pub(crate) fn handle_room(&self, process: ProcessId, minimum: u32) -> Result<(), Errno> {
        let from = Place::from_number(minimum).ok_or(Errno::EINVAL)?;
        let limit = self.processes[process].fd_limit.min(FD_LIMIT);
        let all = FD_LIMIT.wrapping_add(limits::SIDE_HANDLES);
        let end = u16::try_from(if minimum < FD_LIMIT { limit } else { all }).unwrap_or(u16::MAX);
        let table = &self.processes[process].handles;
        table.lowest_free(&self.chunks, from, end).ok_or(Errno::EMFILE)?;
        if self.chunks.has_room(1) { Ok(()) } else { Err(Errno::EAGAIN) }
    }

    /// Puts a handle at exactly a free place; false if there is no room.
    pub(crate) fn handle_put(&mut self, process: ProcessId, place: Place, handle: Handle) -> bool {
        self.processes[process].handles.put(&mut self.chunks, place, handle)
    }

    /// Takes a handle out of a table. The caller releases what it names.
    pub(crate) fn handle_take(&mut self, process: ProcessId, place: Place) -> Option<Handle> {
        self.processes[process].handles.take(&mut self.chunks, place)
    }

    /// Changes the flags of a handle.
    pub(crate) fn handle_flags(&mut self, process: ProcessId, place: Place, flags: u16) {
        if let Some(handle) = self.processes[process].handles.get_mut(&mut self.chunks, place) {
            handle.flags = flags;
        }
    }
}

macro_rules! lookup {
    ($(#[doc = $doc:literal] $name:ident: $variant:ident -> $type:ty;)+) => {
        impl Kernel { $(
            #[doc = $doc]
            ///
            /// # Errors
            /// EBADF: the number names nothing, or something else.
            pub(crate) fn $name(&self, process: ProcessId, number: u32) -> Result<$type, Errno> {
                match self.handle(process, number) {
                    Some(Handle { target: Target::$variant(id), .. }) => Ok(id),
                    _ => Err(Errno::EBADF),
                }
            }
        )+ }
    };
}
lookup! {
    /// The connection behind a number.
    handle_connection: Connection -> ConnectionId;
    /// The memory object behind a number.
    handle_object: Object -> ObjectId;
    /// The address space behind a number.
    handle_space: Space -> SpaceSlot;
    /// The process behind a number.
    handle_process: Process -> ProcessId;
    /// The timer behind a number.
    handle_timer: Timer -> TimerId;
    /// The interrupt attachment behind a number.
    handle_interrupt: Interrupt -> InterruptId;
    /// The port range behind a number.
    handle_port: Port -> PortId;
}

impl Kernel {
    /// The channel that a chid names; chids are written without the bit of the high part.
    ///
    /// # Errors
    /// EBADF: none.
    pub(crate) fn handle_channel(&self, process: ProcessId, chid: u32) -> Result<ChannelId, Errno> {
        match self.handle(process, chid | SIDE_CHANNEL) {
            Some(Handle { target: Target::Channel(id), .. }) => Ok(id),
            Some(_) | None => Err(Errno::EBADF),
        }
    }

    /// The process that a call means: the caller's for 0, else the one behind a handle.
    ///
    /// # Errors
    /// EBADF: no such handle.
    #[inline(never)]
    pub(crate) fn process_argument(
        &self,
        caller: ProcessId,
        number: u32,
    ) -> Result<ProcessId, Errno> {
        if number == neutrino_abi::handle::SELF {
            return Ok(caller);
        }
        self.handle_process(caller, number)
    }
}
