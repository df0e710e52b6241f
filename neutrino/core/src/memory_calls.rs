//! The calls on memory and address spaces; the work is [`crate::memory`]'s.

use neutrino_abi::Errno;
use neutrino_abi::handle::{SELF, SIDE_CHANNEL};
use neutrino_abi::memory::{MapArgs, PAGE_SIZE, RemapArgs, USER_END, map, object};
use neutrino_abi::process::able;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Handle, Target};
use crate::ipc::reply::Direction;
use crate::machine::{CopyFault, Machine, Place, SpaceSlot};
use crate::memory::Mapped;
use crate::step::Work;
use crate::thread::ThreadId;

impl Kernel {
    /// The space that a call means: the caller's for 0, else that of a handle.
    pub(crate) fn space_argument(&self, t: ThreadId, number: u32) -> Result<SpaceSlot, Errno> {
        if number == SELF {
            Ok(self.space(t))
        } else {
            self.handle_space(self.process_of(t), number)
        }
    }

    fn add_space(&mut self, t: ThreadId, space: SpaceSlot) -> Result<Outcome, Errno> {
        let handle = Handle { target: Target::Space(space), flags: 0 };
        self.handle_add(self.process_of(t), SIDE_CHANNEL, handle).map(Outcome::value)
    }

    /// `SpaceCreate`.
    pub(crate) fn space_create(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
    ) -> Result<Outcome, Errno> {
        self.needs(t, able::PROCESS)?;
        self.handle_room(self.process_of(t), SIDE_CHANNEL)?;
        let space = self.memory.space_create(m)?;
        self.add_space(t, space)
    }

    /// `SpaceFork`.
    pub(crate) fn space_fork(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        process: u32,
    ) -> Result<Outcome, Errno> {
        let begun = core::mem::replace(&mut self.threads[t].work, Work::None);
        let (parent, child, at) = match begun {
            Work::Fork { parent, child, at } => (parent, child, at),
            Work::None
            | Work::Until(_)
            | Work::Spawn { .. }
            | Work::Populate { .. }
            | Work::Receive { .. }
            | Work::Free => {
                self.needs(t, able::PROCESS)?;
                self.handle_room(self.process_of(t), SIDE_CHANNEL)?;
                let process = self.process_argument(self.process_of(t), process)?;
                let parent = self.processes[process].space.ok_or(Errno::ESRCH)?;
                let child = self.memory.space_create(m)?;
                self.memory.space_share(parent);
                (parent, child, 0)
            }
        };
        let ended = match self.memory.space_fork(m, parent, child, at) {
            Ok(at) if at < USER_END => {
                return Ok(self.leave_off(t, Work::Fork { parent, child, at }));
            }
            Ok(_) => self.add_space(t, child),
            Err(errno) => Err(errno),
        };
        self.memory.space_release(m, parent);
        if ended.is_err() {
            self.memory.space_release(m, child);
        }
        ended
    }

    /// `SpaceOf`.
    pub(crate) fn space_handle_of(&mut self, t: ThreadId, process: u32) -> Result<Outcome, Errno> {
        self.needs(t, able::PROCESS)?;
        let process = self.process_argument(self.process_of(t), process)?;
        let space = self.processes[process].space.ok_or(Errno::ESRCH)?;
        let added = self.add_space(t, space)?;
        self.memory.space_share(space);
        Ok(added)
    }

    /// `SpaceRead`.
    pub(crate) fn space_read(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        space: u32,
        address: u64,
        own: (u64, u64),
    ) -> Result<Outcome, Errno> {
        let (buffer, length) = own;
        let before = self.reached(t, 0);
        let at = |address: u64| address.wrapping_add(before);
        let from = Place { space: self.space_argument(t, space)?, address: at(address) };
        let to = Place { space: self.space(t), address: at(buffer) };
        match self.memory.copy(m, from, to, length.saturating_sub(before)) {
            Ok(done) => Ok(self.copied(t, before.saturating_add(done), length)),
            Err(CopyFault::Source { done, .. }) if before.saturating_add(done) > 0 => {
                Ok(Outcome::Value(before.saturating_add(done).cast_signed()))
            }
            Err(CopyFault::Source { .. } | CopyFault::Target { .. }) => Err(Errno::EFAULT),
        }
    }

    /// `SpaceWrite`.
    // Bound: one turn for each 256 bytes.
    pub(crate) fn space_write(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        space: u32,
        address: u64,
        own: (u64, u64),
    ) -> Result<Outcome, Errno> {
        self.needs(t, able::PROCESS)?;
        let (buffer, length) = own;
        let before = self.reached(t, 0);
        let at = |address: u64| address.wrapping_add(before);
        let to = Place { space: self.space_argument(t, space)?, address: at(address) };
        let from = Place { space: self.space(t), address: at(buffer) };
        let done = self.memory.copy_forced(m, from, to, length.saturating_sub(before))?;
        Ok(self.copied(t, before.saturating_add(done), length))
    }

    /// `SpaceMapping`.
    pub(crate) fn space_mapping(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        space: u32,
        address: u64,
        info: u64,
    ) -> Result<Outcome, Errno> {
        let of = self.space_argument(t, space)?;
        let found = self.memory.mapping_info(m, of, address).ok_or(Errno::ESRCH)?;
        self.store(m, Place { space: self.space(t), address: info }, &found)?;
        Ok(Outcome::DONE)
    }

    /// Whether a process may map `length` bytes more; those in the place of others, at `replacing`,
    /// do not count.
    ///
    /// # Errors
    /// ENOMEM (`RLIMIT_AS`).
    fn within_limit(&self, t: ThreadId, length: u64, replacing: Option<u64>) -> Result<(), Errno> {
        let limit = self.processes[self.process_of(t)].space_limit;
        if limit == u64::MAX {
            return Ok(());
        }
        let space = self.space(t);
        let replaced = replacing.map_or(0, |start| self.memory.mapped_within(space, start, length));
        let length = length.div_ceil(PAGE_SIZE).saturating_mul(PAGE_SIZE);
        let mapped = self.memory.space_usage(space).mapped_bytes.saturating_sub(replaced);
        if mapped.saturating_add(length) > limit { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// `MemMap`.
    pub(crate) fn mem_map(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        space: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let arguments: MapArgs = self.load(m, Place { space: self.space(t), address })?;
        if let Work::Populate { start, at } = self.threads[t].work {
            let space = self.space_argument(t, space)?;
            return Ok(self.populate(m, t, space, (start, at, arguments.length)));
        }
        self.threads[t].work = Work::None;
        if space == SELF {
            let MapArgs { address, length, flags, .. } = arguments;
            let is_fixed = flags & (map::FIXED | map::FIXED_NOREPLACE) == map::FIXED;
            self.within_limit(t, length, if is_fixed { Some(address) } else { None })?;
        }
        let space = self.space_argument(t, space)?;
        let object = match arguments.object {
            0 => None,
            number => Some(self.handle_object(self.process_of(t), number)?),
        };
        match self.memory.map(m, space, &arguments, object)? {
            Mapped::NotYet => Ok(self.leave_off(t, Work::Until(0))),
            Mapped::At(start) if arguments.flags & map::POPULATE != 0 => {
                Ok(self.populate(m, t, space, (start, start, arguments.length)))
            }
            Mapped::At(start) => Ok(Outcome::Value(start.cast_signed())),
        }
    }

    /// Makes pages of new memory present.
    fn populate(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        space: SpaceSlot,
        (start, at, length): (u64, u64, u64),
    ) -> Outcome {
        self.threads[t].work = Work::None;
        let end = start.saturating_add(length);
        let at = self.memory.populate(m, space, at, end);
        if at < end {
            return self.leave_off(t, Work::Populate { start, at });
        }
        Outcome::Value(start.cast_signed())
    }

    /// `MemRemap`.
    pub(crate) fn mem_remap(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let space = self.space(t);
        let arguments: RemapArgs = self.load(m, Place { space, address })?;
        self.within_limit(t, arguments.new_length.saturating_sub(arguments.old_length), None)?;
        let moved = self.memory.remap(m, space, &arguments)?;
        Ok(Outcome::Value(moved.cast_signed()))
    }

    /// `MemObjectCreate`.
    pub(crate) fn mem_object_create(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        kind: u32,
        size: u64,
        physical: u64,
    ) -> Result<Outcome, Errno> {
        if !matches!(kind, object::ANONYMOUS | object::SPARSE | object::TIME_PAGE) {
            self.needs(t, able::PHYSICAL)?;
        }
        let process = self.process_of(t);
        self.handle_room(process, SIDE_CHANNEL)?;
        let id = self.memory.object_create(m, kind, size, physical)?;
        // Commit: nothing below fails.
        let handle = Handle { target: Target::Object(id), flags: 0 };
        self.handle_add(process, SIDE_CHANNEL, handle).map(Outcome::value)
    }

    /// `MemObjectInfo`.
    pub(crate) fn mem_object_info(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        object: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let id = self.handle_object(self.process_of(t), object)?;
        let info = self.memory.object_info(m, id);
        self.store(m, Place { space: self.space(t), address }, &info)?;
        Ok(Outcome::DONE)
    }

    /// `MemObjectRead` (to the caller) and `MemObjectWrite` (from it).
    pub(crate) fn mem_object_move(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        from: (u32, u64),
        own: (u64, u64),
        direction: Direction,
    ) -> Result<Outcome, Errno> {
        let (object, offset) = from;
        let (address, length) = own;
        let before = self.reached(t, 0);
        let id = self.handle_object(self.process_of(t), object)?;
        let place = Place { space: self.space(t), address: address.wrapping_add(before) };
        let (offset, rest) = (offset.saturating_add(before), length.saturating_sub(before));
        let moved = match direction {
            Direction::ToClient => self.memory.copy_from_object(m, id, offset, place, rest),
            Direction::FromClient => self.memory.copy_to_object(m, id, offset, place, rest),
        };
        self.moved(t, before, moved, length)
    }

    /// A handle more names an object.
    pub(crate) fn target_share(&mut self, target: Target) {
        match target {
            Target::Connection(id) => self.connection_share(id),
            Target::Object(id) => self.memory.object_share(id),
            Target::Space(space) => self.memory.space_share(space),
            Target::Process(id) => {
                let references = &mut self.processes[id].references;
                *references = references.saturating_add(1);
            }
            Target::Interrupt(id) => self.interrupt_share(id),
            Target::Port(id) => self.port_share(id),
            Target::None | Target::Channel(_) | Target::Timer(_) | Target::Watch(_) => {}
        }
    }

    /// A handle less names an object.
    pub(crate) fn target_release(&mut self, m: &mut impl Machine, target: Target) {
        match target {
            Target::None => {}
            Target::Connection(id) => self.connection_release(m, id),
            Target::Channel(id) => self.channel_end(m, id),
            Target::Object(id) => self.memory.object_release(m, id),
            Target::Space(space) => self.memory.space_release(m, space),
            Target::Process(id) => self.process_release(m, id),
            Target::Timer(id) => self.timer_end(m, id),
            Target::Interrupt(id) => self.interrupt_end(m, id),
            Target::Watch(id) => self.watch_end(m, id),
            Target::Port(id) => self.port_end(id),
        }
    }
}
