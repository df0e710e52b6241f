//! The first process, which the hardware layer loads from the boot image.

use neutrino_abi::Errno;
use neutrino_abi::handle::SYSMGR_PID;
use neutrino_abi::memory::{MapArgs, map};
use neutrino_abi::process::able;

use crate::Kernel;
use crate::limits::SLICE_NS;
use crate::machine::{FrameNumber, Machine, Place, SpaceSlot, StartRegisters, ThreadSlot};
use crate::process::{Life, Process};
use crate::sched::End;
use crate::slab::{Id, Slot};
use crate::thread::{Hold, Policy, Priority, State, Thread, slot};

/// Priority of the process manager.
const MANAGER_PRIORITY: Priority = Priority::system(20);

/// The first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootProcess {
    /// Its address space.
    pub space: SpaceSlot,
    /// Its only thread, which waits for [`Kernel::boot_start`].
    pub thread: ThreadSlot,
}

impl Kernel {
    /// Adds RAM that nobody uses: `count` frames from `first` on.
    pub fn add_memory(&mut self, m: &mut impl Machine, first: FrameNumber, count: u32) {
        self.memory.add_range(m, first, count);
    }

    /// Makes process 1, with every ability, an empty address space and one held thread.
    ///
    /// # Errors
    /// ENOMEM, EAGAIN: there is no memory.
    pub fn boot_process(&mut self, m: &mut impl Machine) -> Result<BootProcess, Errno> {
        let space = self.memory.space_create(m)?;
        let new = Process {
            life: Life::Alive,
            pid: SYSMGR_PID,
            pgrp: SYSMGR_PID,
            session: SYSMGR_PID,
            abilities: able::ALL,
            fd_limit: neutrino_abi::handle::FD_LIMIT,
            space_limit: u64::MAX,
            space: Some(space),
            references: 1,
            name: *b"procnto\0\0\0\0\0\0\0\0\0",
            ..Process::VACANT
        };
        let process = self.process_insert(new).ok_or(Errno::EAGAIN)?;
        let thread = Thread {
            state: State::Stopped,
            hold: Hold::Held,
            base: MANAGER_PRIORITY,
            policy: Policy::RoundRobin,
            slice_left: SLICE_NS,
            ..Thread::VACANT
        };
        let thread = self.thread_add(process, thread)?;
        Ok(BootProcess { space, thread: slot(thread) })
    }

    /// Maps memory of the first process and fills it with `bytes`, then with zeroes.
    ///
    /// # Errors
    /// ENOMEM, EINVAL.
    pub fn boot_map(
        &mut self,
        m: &mut impl Machine,
        at: Place,
        length: u64,
        protection: u32,
        bytes: &[u8],
    ) -> Result<(), Errno> {
        let Place { space, address } = at;
        let offset = address % neutrino_abi::memory::PAGE_SIZE;
        let arguments = MapArgs {
            address: address.wrapping_sub(offset),
            length: length.saturating_add(offset),
            protection,
            flags: map::PRIVATE | map::ANONYMOUS | map::FIXED,
            ..MapArgs::default()
        };
        self.memory.map(m, space, &arguments, None)?;
        self.memory.write_forced(m, at, bytes)
    }

    /// Lets the first process go.
    pub fn boot_start(
        &mut self,
        m: &mut impl Machine,
        thread: ThreadSlot,
        entry: u64,
        stack: u64,
        argument: u64,
    ) {
        let Some(t) = Id::from_index(thread.0) else { return };
        let start = StartRegisters { entry, stack, argument, fs_base: 0, gs_base: 0 };
        m.thread_start(thread, &start);
        self.settle(m, t);
        self.threads[t].hold = Hold::No;
        self.make_ready(t, End::Back);
    }
}
