//! A small language for scenarios.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{MapArgs, PAGE_SIZE, RemapArgs, USER_END, map, object, prot};
use neutrino_core::machine::{Access, FrameNumber, Place, SpaceSlot};
use neutrino_core::memory::{BadAccess, Extent, Mapped, Memory, ObjectId};
use neutrino_core::step::Budget;

use super::machine::{FIRST_FRAME, TestMachine};

/// Readable and writable.
pub(crate) const RW: u32 = prot::READ | prot::WRITE;
/// Where tests map things.
pub(crate) const BASE: u64 = 0x40_0000;

/// Address of a page at [`BASE`].
pub(crate) fn at(page: u64) -> u64 {
    BASE + page * PAGE_SIZE
}

/// Memory and its machine.
pub(crate) struct Scenario {
    pub(crate) m: TestMachine,
    pub(crate) memory: Box<Memory>,
    /// What one part of a call may do.
    budget: u32,
}

impl Scenario {
    pub(crate) fn new(frames: u32) -> Self {
        let mut m = TestMachine::new(frames);
        let mut memory = Box::new(Memory::new());
        memory.add_range(&mut m, FrameNumber(FIRST_FRAME), frames / 2);
        memory.add_range(&mut m, FrameNumber(FIRST_FRAME + frames / 2), frames - frames / 2);
        Self { m, memory, budget: u32::MAX }
    }

    /// From now on, calls take parts of 1 to `most` instructions.
    pub(crate) fn in_parts_of(&mut self, most: u32) {
        self.budget = most;
    }

    fn part(&mut self) {
        // Parts of different lengths.
        let budget = self.memory.counts().free.wrapping_mul(0x9e37_79b9) as u32;
        let is_endless = self.budget == u32::MAX;
        self.memory.set_budget(if is_endless {
            Budget::ENDLESS
        } else {
            Budget::new(1 + budget % self.budget)
        });
    }

    /// Does `act` on a range until it comes to the end of it.
    pub(crate) fn through(
        &mut self,
        (address, length): (u64, u64),
        mut act: impl FnMut(&mut Self, u64, u64) -> Result<u64, Errno>,
    ) -> Result<(), Errno> {
        let mut at = address;
        loop {
            self.part();
            let reached = act(self, at, length - (at - address));
            self.bury();
            at = reached?;
            if at >= address + length {
                return Ok(());
            }
        }
    }

    pub(crate) fn map(
        &mut self,
        space: SpaceSlot,
        arguments: &MapArgs,
        object: Option<ObjectId>,
    ) -> Result<u64, Errno> {
        loop {
            self.part();
            let mapped = self.memory.map(&mut self.m, space, arguments, object);
            self.bury();
            let Mapped::At(address) = mapped? else { continue };
            if arguments.flags & map::POPULATE != 0 {
                self.through((address, arguments.length), |s, at, rest| {
                    Ok(s.memory.populate(&mut s.m, space, at, at + rest))
                })?;
            }
            return Ok(address);
        }
    }

    /// Lets a space go.
    pub(crate) fn release(&mut self, space: SpaceSlot) {
        self.part();
        self.memory.space_release(&mut self.m, space);
        self.bury();
    }

    /// Frees what calls left over.
    fn bury(&mut self) {
        let mut dying = self.memory.take_dying();
        while !dying.is_nothing() {
            self.part();
            dying = self.memory.free_some(&mut self.m, dying);
        }
        self.memory.set_budget(Budget::ENDLESS);
    }

    pub(crate) fn fork(&mut self, parent: SpaceSlot) -> Result<SpaceSlot, Errno> {
        let child = self.memory.space_create(&mut self.m)?;
        let copied = self
            .through((0, USER_END), |s, at, _| s.memory.space_fork(&mut s.m, parent, child, at));
        if copied.is_err() {
            self.memory.space_release(&mut self.m, child);
        }
        copied.map(|()| child)
    }

    pub(crate) fn resize(&mut self, object: ObjectId, size: u64) -> Result<(), Errno> {
        loop {
            self.part();
            let resized = self.memory.object_resize(&mut self.m, object, size);
            self.bury();
            if resized? == Extent::Whole {
                return Ok(());
            }
        }
    }

    pub(crate) fn space(&mut self) -> SpaceSlot {
        self.memory.space_create(&mut self.m).expect("a space")
    }

    pub(crate) fn object(&mut self, pages: u64) -> ObjectId {
        let size = pages * PAGE_SIZE;
        self.memory.object_create(&mut self.m, object::ANONYMOUS, size, 0).expect("an object")
    }

    /// Maps `pages` anonymous pages at page `page`.
    pub(crate) fn anonymous(&mut self, space: SpaceSlot, page: u64, pages: u64) {
        let flags = map::PRIVATE | map::ANONYMOUS | map::FIXED;
        let arguments = MapArgs {
            address: at(page),
            length: pages * PAGE_SIZE,
            protection: RW,
            flags,
            ..MapArgs::default()
        };
        self.map(space, &arguments, None).expect("memory is mapped");
    }

    /// Maps `pages` pages of an object at page `page`.
    pub(crate) fn window(
        &mut self,
        space: SpaceSlot,
        (page, pages): (u64, u64),
        object: ObjectId,
        flags: u32,
    ) -> Result<u64, Errno> {
        let arguments = MapArgs {
            address: at(page),
            length: pages * PAGE_SIZE,
            protection: RW,
            flags: flags | map::FIXED,
            ..MapArgs::default()
        };
        self.map(space, &arguments, Some(object))
    }

    pub(crate) fn unmap(&mut self, space: SpaceSlot, page: u64, pages: u64) {
        let range = (at(page), pages * PAGE_SIZE);
        let unmap = |s: &mut Self, at, rest| s.memory.unmap(&mut s.m, space, at, rest);
        self.through(range, unmap).expect("memory is unmapped");
    }

    pub(crate) fn protect(
        &mut self,
        space: SpaceSlot,
        (page, pages): (u64, u64),
        protection: u32,
    ) -> Result<(), Errno> {
        self.through((at(page), pages * PAGE_SIZE), |s, at, rest| {
            s.memory.protect(&mut s.m, space, at, rest, protection)
        })
    }

    pub(crate) fn remap(
        &mut self,
        space: SpaceSlot,
        page: u64,
        (old, new): (u64, u64),
        flags: u32,
    ) -> Result<u64, Errno> {
        let arguments = RemapArgs {
            address: at(page),
            old_length: old * PAGE_SIZE,
            new_length: new * PAGE_SIZE,
            flags,
            ..RemapArgs::default()
        };
        self.memory.remap(&mut self.m, space, &arguments)
    }

    pub(crate) fn write(&mut self, space: SpaceSlot, address: u64, text: &str) {
        let place = Place { space, address };
        self.memory.write(&mut self.m, place, text.as_bytes()).expect("memory is written");
    }

    /// The first bytes at `address`, as many as `text` has, are those of `text`.
    pub(crate) fn holds(&mut self, space: SpaceSlot, address: u64, text: &str) {
        let mut bytes = vec![0xff; text.len()];
        let place = Place { space, address };
        self.memory.read(&mut self.m, place, &mut bytes).expect("memory is read");
        assert_eq!(String::from_utf8_lossy(&bytes), text, "at {address:#x}");
    }

    pub(crate) fn touch(
        &mut self,
        space: SpaceSlot,
        page: u64,
        access: Access,
    ) -> Result<(), BadAccess> {
        self.memory.resolve(&mut self.m, space, at(page), access)
    }

    /// The mappings at [`BASE`] and above as (first page, pages).
    pub(crate) fn layout(&mut self, space: SpaceSlot) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        let mut address = 0;
        while let Some(info) = self.memory.mapping_info(&mut self.m, space, address) {
            address = info.end;
            let first = (info.start - BASE) / PAGE_SIZE;
            found.push((first, (info.end - info.start) / PAGE_SIZE));
        }
        found
    }

    /// Every frame is free but those in the machine's store.
    pub(crate) fn is_clean(&self) {
        use neutrino_core::machine::PageTables as _;
        let counts = self.memory.counts();
        let stored = self.m.table_frames() as u64;
        assert_eq!(counts.free + stored, counts.total, "a frame leaked");
        assert_eq!(counts.committed, stored, "a promise leaked");
    }
}

/// Runs a test on a stack that [`Memory`] fits on before it goes into its box.
pub(crate) fn run(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(test).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
