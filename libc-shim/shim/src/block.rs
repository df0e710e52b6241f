//! The shim's state: one [`Space`] for each address space, one [`Process`] for each process in it
//! (a `vfork` child has its own), one [`Thread`] for each thread.
//!
//! All of it lies at fixed addresses (`io_msg::start`) in memory that the shim maps itself. Fields
//! that several threads use are atomic; those of a thread's own are cells. A thread finds its block
//! through GS, and the block finds the process.

use crate::copy::FpuFormat;
use crate::mounts::Mounts;
use crate::sys::{self, Errno};
use core::cell::{Cell, UnsafeCell};
use core::mem::offset_of;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use io_msg::connect::{Connect, ConnectReply, PATH_MAX};
use io_msg::start::{PROCESS_BLOCK_STRIDE, PROCESS_BLOCKS, THREAD_BLOCK_STRIDE, THREAD_BLOCKS};
use neutrino_abi::handle::PollEntry;
use neutrino_abi::memory::{MapArgs, PAGE_SIZE, map, prot};
use neutrino_abi::message::{Iov, PARTS_MAX};
use neutrino_abi::signal::{Registers, SIGNAL_MAX, SignalArea, SignalInfo, how};

/// Most threads of a process.
pub(crate) const THREADS_MAX: u64 = 1024;
/// Most processes that share an address space; slot 0 of the process blocks is the [`Space`].
pub(crate) const PROCESSES_MAX: u64 = 63;

/// Where the stack of a thread's block ends: behind a guard page and 60 KiB.
const STACK_END: u64 = 0x1_0000;
/// Where the [`Scratch`] starts.
const SCRATCH: u64 = STACK_END + PAGE_SIZE;

/// What all processes of one address space share.
#[repr(C)]
pub(crate) struct Space {
    /// Thread slots in use, a bit each.
    threads: [AtomicU64; (THREADS_MAX / 64) as usize],
    /// Process slots in use, a bit each.
    processes: AtomicU64,
    /// Slots whose blocks are mapped, and stay so: their pages serve the next one.
    mapped_threads: [AtomicU64; (THREADS_MAX / 64) as usize],
    mapped_processes: AtomicU64,
    /// Process slots whose exec buffers are mapped.
    exec_buffers: AtomicU64,
}

/// What a process does with one signal (Linux: `struct sigaction` of the kernel).
#[derive(Debug, Default)]
pub(crate) struct Action {
    pub(crate) handler: AtomicU64,
    pub(crate) flags: AtomicU64,
    pub(crate) restorer: AtomicU64,
    pub(crate) mask: AtomicU64,
}

impl Action {
    /// Handler, flags, restorer and mask; for a reader that holds the lock.
    pub(crate) fn load(&self) -> [u64; 4] {
        [&self.handler, &self.flags, &self.restorer, &self.mask].map(|field| field.load(Relaxed))
    }

    /// Sets all four; for a writer that holds the lock.
    pub(crate) fn store(&self, [handler, flags, restorer, mask]: [u64; 4]) {
        self.handler.store(handler, Relaxed);
        self.flags.store(flags, Relaxed);
        self.restorer.store(restorer, Relaxed);
        self.mask.store(mask, Relaxed);
    }
}

/// The state of a process.
#[repr(C)]
pub(crate) struct Process {
    /// Held to change `actions`, the heap and the timers: the holder's tid.
    lock: AtomicU32,
    /// Which process block this is.
    pub(crate) slot: u32,
    pub(crate) pid: AtomicU32,
    /// Threads that have not ended.
    pub(crate) threads: AtomicU32,
    pub(crate) umask: AtomicU32,
    /// Connection to the current directory; `chdir` replaces what it names, never the number.
    pub(crate) cwd: AtomicU32,
    /// Real and effective user, real and effective group.
    pub(crate) ids: [AtomicU32; 4],
    /// Parent, group and session, each behind the count of changes that it was told at.
    pub(crate) family: [AtomicU64; 3],
    /// `SHIM_TRACE`: 0 nothing, 1 unsupported calls, 2 every call.
    pub(crate) trace: u32,
    /// Size of an XSAVE area; 0: only FXSAVE.
    pub(crate) xsave_size: u32,
    /// Lowest break, and the present one.
    pub(crate) brk_start: AtomicU64,
    pub(crate) brk_end: AtomicU64,
    /// `RLIMIT_FSIZE`, `RLIMIT_DATA` (bytes), `RLIMIT_NOFILE`.
    pub(crate) file_limit: AtomicU64,
    pub(crate) data_limit: AtomicU64,
    pub(crate) descriptor_limit: AtomicU64,
    /// Timer of `alarm` and `setitimer(ITIMER_REAL)`, or 0.
    pub(crate) alarm: AtomicU32,
    /// Not 0: the process may hold record locks.
    pub(crate) has_locks: AtomicU32,
    /// Bytes of the exec buffer that were used last.
    pub(crate) exec_used: AtomicU64,
    /// Signals that a descriptor of the process may read (`signalfd`).
    pub(crate) signal_reads: AtomicU64,
    /// Unsupported calls already reported, a bit each.
    reported: [AtomicU64; 8],
    actions: [Action; SIGNAL_MAX as usize],
}

/// How the way out treats a call that a signal interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    /// It is made again, whatever the handler's flags: it has not begun, or has no effect twice.
    Always,
    /// It is made again if the handler has `SA_RESTART`, else it fails with EINTR.
    IfAsked,
    /// It fails with EINTR.
    Never,
}

/// What a thread that starts in the shim has to do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Birth {
    /// Nothing: it is the thread of a new program.
    Program,
    /// It is the only thread of a copy of the address space.
    Fork,
    /// It is another process in the same address space.
    Vfork,
    /// It is another thread of its process.
    Thread,
}

/// The state of a thread. The assembly of `entry` knows the first fields.
#[repr(C)]
pub(crate) struct Thread {
    myself: u64,
    /// Where registers are saved at entry: right below the end of the shim's stack.
    frame: u64,
    stack_end: u64,
    process: Cell<u64>,
    /// Written by the kernel.
    area: UnsafeCell<SignalArea>,
    pub(crate) slot: u32,
    pub(crate) tid: Cell<u32>,
    pub(crate) birth: Cell<Birth>,
    pub(crate) fs_base: Cell<u64>,
    /// Word that is cleared when the thread ends, or 0.
    pub(crate) clear_tid: Cell<u64>,
    /// Word that a new thread or process writes its tid to, or 0 (`CLONE_CHILD_SETTID`).
    pub(crate) set_tid: Cell<u64>,
    pub(crate) robust_list: Cell<u64>,
    /// Alternate signal stack: address, flags, size.
    pub(crate) alternate: Cell<[u64; 3]>,
    /// A signal that interrupts the call under way; its handler is yet to be called.
    pub(crate) taken: Cell<Option<(SignalInfo, u64)>>,
    /// The call under way was interrupted, and this is what to do about it.
    pub(crate) restart: Cell<Option<Restart>>,
    /// Number of the call under way.
    pub(crate) number: Cell<u64>,
    /// Mask to set when a child of `fork` starts, if signals were blocked around it.
    pub(crate) birth_mask: Cell<Option<u64>>,
    /// Connections to the servers of paths.
    pub(crate) mounts: Mounts,
}

/// Offsets for the assembly.
pub(crate) const THREAD_MYSELF: usize = offset_of!(Thread, myself);
pub(crate) const THREAD_FRAME: usize = offset_of!(Thread, frame);
pub(crate) const THREAD_STACK_END: usize = offset_of!(Thread, stack_end);
pub(crate) const THREAD_PENDING: usize = offset_of!(Thread, area) + offset_of!(SignalArea, pending);

/// Buffers too large for the stack.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Scratch {
    /// Paths being walked, with room for an end.
    pub(crate) paths: [PathBuffer; 2],
    /// A message with one or two paths, in one piece.
    pub(crate) message: [u8; size_of::<Connect>() + 2 * PATH_MAX],
    /// The head of a reply to such a message: the data follow it.
    pub(crate) head: [u8; size_of::<ConnectReply>()],
    /// Data of replies: paths, `struct stat` …
    pub(crate) reply: [u8; PATH_MAX + 256],
    /// Parts of a message.
    pub(crate) parts: [Iov; PARTS_MAX],
    /// Descriptors of `select`.
    pub(crate) poll: [PollEntry; 1024],
}

const _: () = assert!(
    offset_of!(Scratch, reply) == offset_of!(Scratch, head) + size_of::<ConnectReply>(),
    "head and data of a reply are one piece"
);

impl Scratch {
    /// Room for a reply with its head: `head` and `reply`.
    pub(crate) fn answer_room(&mut self) -> Iov {
        let length = (size_of::<ConnectReply>() + self.reply.len()) as u64;
        Iov { base: sys::address_mut(self) + offset_of!(Self, head) as u64, length }
    }
}

/// A path.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct PathBuffer {
    pub(crate) length: usize,
    pub(crate) bytes: [u8; PATH_MAX],
}

impl PathBuffer {
    /// The path's bytes.
    pub(crate) fn get(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Replaces the path.
    ///
    /// # Errors
    /// ENAMETOOLONG.
    pub(crate) fn set(&mut self, path: &[u8]) -> Result<(), Errno> {
        self.length = 0;
        self.push(path)
    }

    /// Appends to the path.
    ///
    /// # Errors
    /// ENAMETOOLONG.
    pub(crate) fn push(&mut self, more: &[u8]) -> Result<(), Errno> {
        let end = self.length + more.len();
        self.bytes.get_mut(self.length..end).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(more);
        self.length = end;
        Ok(())
    }
}

/// A number as an index; the shim runs on 64 bits.
#[allow(clippy::cast_possible_truncation, reason = "usize has 64 bits here")]
pub(crate) const fn index(number: u64) -> usize {
    number as usize
}

/// The low half of a register.
#[allow(clippy::cast_possible_truncation, reason = "that is what it is for")]
pub(crate) const fn low(register: u64) -> u32 {
    register as u32
}

/// The low half of a register, as a signed number: C's `int` arguments.
pub(crate) const fn int(register: u64) -> i32 {
    low(register).cast_signed()
}

/// Maps private memory at a fixed place of the shim's, charged when touched.
fn map_block(address: u64, length: u64) -> Result<u64, Errno> {
    sys::map(&MapArgs {
        address,
        length: length.next_multiple_of(PAGE_SIZE),
        protection: prot::READ | prot::WRITE,
        flags: map::PRIVATE | map::ANONYMOUS | map::FIXED | map::NORESERVE,
        ..MapArgs::default()
    })
}

/// Maps the memory of a slot, which is the caller's, unless its bit says that it is.
fn map_once(bits: &AtomicU64, slot: u32, (address, length): (u64, u64)) -> Result<(), Errno> {
    let bit = 1_u64.wrapping_shl(slot);
    if bits.load(Relaxed) & bit == 0 {
        map_block(address, length)?;
        bits.fetch_or(bit, Relaxed);
    }
    Ok(())
}

impl Space {
    /// The block of this address space.
    pub(crate) fn get() -> &'static Self {
        // SAFETY: mapped before the program's first instruction, never unmapped; all-zero bytes are
        // a value, and its fields are atomic.
        unsafe { &*with_exposed_provenance_mut::<Self>(index(PROCESS_BLOCKS)) }
    }

    /// Makes the block of a new address space.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn create() -> Result<(), Errno> {
        map_block(PROCESS_BLOCKS, size_of::<Self>() as u64).map(|_| ())
    }

    /// Only this thread and process are left: a `fork` child's view.
    pub(crate) fn keep_only(&self, thread: &Thread, process: &Process) {
        for (word, base) in self.threads.iter().zip((0..).step_by(64)) {
            let mine = u64::from(thread.slot).wrapping_sub(base);
            word.store(if mine < 64 { 1 << mine } else { 0 }, Relaxed);
        }
        self.processes.store(1 << process.slot, Relaxed);
    }

    /// Takes the lowest free slot of a bitmap.
    fn take_slot(words: &[AtomicU64], limit: u64) -> Result<u32, Errno> {
        for (number, word) in words.iter().enumerate() {
            let taken = word.fetch_update(Relaxed, Relaxed, |bits| {
                let free = bits.trailing_ones();
                (free < 64).then(|| bits | 1_u64.wrapping_shl(free))
            });
            if let Ok(before) = taken {
                let slot = number as u64 * 64 + u64::from(before.trailing_ones());
                return if slot < limit { Ok(low(slot)) } else { Err(Errno::EAGAIN) };
            }
        }
        Err(Errno::EAGAIN)
    }

    /// Address of the bitmap that the end of a thread clears its bit in.
    pub(crate) fn thread_bits(&self) -> u64 {
        sys::address(&self.threads)
    }

    /// Gives back the slot of a thread that never ran or whose process is gone.
    pub(crate) fn release_thread(&self, slot: u32) {
        if let Some(word) = self.threads.get(index(u64::from(slot / 64))) {
            word.fetch_and(!(1 << (slot % 64)), Relaxed);
        }
    }

    /// Gives back the slot of a process that shares the address space no longer.
    pub(crate) fn release_process(&self, slot: u32) {
        self.processes.fetch_and(!(1 << slot), Relaxed);
    }
}

impl Process {
    /// Makes a process block with everything at its default.
    ///
    /// # Errors
    /// EAGAIN: too many share the address space. ENOMEM.
    pub(crate) fn create(trace: u32, xsave_size: u32) -> Result<&'static Self, Errno> {
        let space = Space::get();
        space.processes.fetch_or(1, Relaxed);
        let slot = Space::take_slot(core::slice::from_ref(&space.processes), PROCESSES_MAX)?;
        let address = PROCESS_BLOCKS + u64::from(slot) * PROCESS_BLOCK_STRIDE;
        let length = size_of::<Self>() as u64;
        if let Err(error) = map_once(&space.mapped_processes, slot, (address, length)) {
            space.release_process(slot);
            return Err(error);
        }
        let block = with_exposed_provenance_mut::<Self>(index(address));
        // SAFETY: the block of the slot that is now ours, which nobody else refers to.
        unsafe { block.write_bytes(0, 1) };
        // SAFETY: as above; zero is a value of each field.
        let fresh = unsafe { &mut *block };
        fresh.slot = slot;
        fresh.trace = trace;
        fresh.xsave_size = xsave_size;
        Ok(fresh)
    }

    /// Makes a copy for a process that will share the address space.
    ///
    /// # Errors
    /// As [`Process::create`].
    pub(crate) fn copy(&self) -> Result<&'static Self, Errno> {
        let copy = Self::create(self.trace, self.xsave_size)?;
        let copied = [
            (&copy.umask, &self.umask),
            (&copy.cwd, &self.cwd),
            (&copy.ids[0], &self.ids[0]),
            (&copy.ids[1], &self.ids[1]),
            (&copy.ids[2], &self.ids[2]),
            (&copy.ids[3], &self.ids[3]),
        ];
        for (to, from) in copied {
            to.store(from.load(Relaxed), Relaxed);
        }
        let copied = [
            (&copy.brk_start, &self.brk_start),
            (&copy.brk_end, &self.brk_end),
            (&copy.file_limit, &self.file_limit),
            (&copy.data_limit, &self.data_limit),
            (&copy.descriptor_limit, &self.descriptor_limit),
            (&copy.signal_reads, &self.signal_reads),
        ];
        for (to, from) in copied {
            to.store(from.load(Relaxed), Relaxed);
        }
        for (to, from) in copy.actions.iter().zip(&self.actions) {
            to.store(from.load());
        }
        Ok(copy)
    }

    /// Takes the lock until the guard is dropped.
    pub(crate) fn lock<'a>(&'a self, thread: &'a Thread) -> Guard<'a> {
        let tid = thread.tid.get();
        if self.lock.compare_exchange(0, tid, Relaxed, Relaxed).is_err() {
            // A pending signal would make the kernel call give up at once, again and again.
            let mask = sys::procmask(how::SET, u64::MAX).unwrap_or(0);
            while sys::mutex_lock(sys::address(&self.lock), 0, u64::MAX).is_err() {}
            let _same = sys::procmask(how::SET, mask);
        }
        core::sync::atomic::fence(core::sync::atomic::Ordering::Acquire);
        Guard { process: self, tid }
    }

    /// The lock of a `fork` child, whose parent's thread held it.
    pub(crate) fn reset_lock(&self) {
        self.lock.store(0, Relaxed);
    }

    /// What to do with a signal.
    pub(crate) fn action(&self, signal: u32) -> Option<&Action> {
        self.actions.get(index(u64::from(signal)).checked_sub(1)?)
    }

    /// Says whether a call is unsupported for the first time.
    pub(crate) fn report_once(&self, number: u64) -> bool {
        self.reported.get(index(number / 64)).is_some_and(|word| {
            let bit = 1 << (number % 64);
            word.fetch_or(bit, Relaxed) & bit == 0
        })
    }

    /// How this processor saves floating-point state.
    pub(crate) const fn fpu_format(&self) -> FpuFormat {
        match self.xsave_size {
            0 => FpuFormat::Fxsave,
            size => FpuFormat::Xsave(size),
        }
    }

    /// Address and size of the place where an exec gathers its strings.
    pub(crate) fn exec_strings(&self) -> (u64, u64) {
        let start = (size_of::<Self>() as u64).next_multiple_of(PAGE_SIZE);
        let block = PROCESS_BLOCKS + u64::from(self.slot) * PROCESS_BLOCK_STRIDE;
        (block + start, PROCESS_BLOCK_STRIDE - start)
    }

    /// Maps that place, unless it is.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn map_exec_strings(&self) -> Result<(), Errno> {
        map_once(&Space::get().exec_buffers, self.slot, self.exec_strings())
    }

    /// Gives it back, if much of it was used; a little serves the next exec.
    pub(crate) fn release_exec_strings(&self) {
        const KEPT: u64 = 16 * PAGE_SIZE;
        if self.exec_used.swap(0, Relaxed) > KEPT {
            let (address, length) = self.exec_strings();
            let _unmapped = sys::unmap(address, length);
            Space::get().exec_buffers.fetch_and(!(1 << self.slot), Relaxed);
        }
    }
}

/// The lock of a process is held while this lives.
#[derive(Debug)]
pub(crate) struct Guard<'a> {
    process: &'a Process,
    tid: u32,
}

impl core::fmt::Debug for Process {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Process({})", self.pid.load(Relaxed))
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        core::sync::atomic::fence(core::sync::atomic::Ordering::Release);
        let lock = &self.process.lock;
        if lock.compare_exchange(self.tid, 0, Relaxed, Relaxed).is_err() {
            let _woken = sys::mutex_unlock(sys::address(lock), 0);
        }
    }
}

impl Thread {
    /// Makes a thread block for a thread of `process`.
    ///
    /// # Errors
    /// EAGAIN: too many threads. ENOMEM.
    pub(crate) fn create(process: &Process) -> Result<&'static Self, Errno> {
        let space = Space::get();
        let slot = Space::take_slot(&space.threads, THREADS_MAX)?;
        let base = THREAD_BLOCKS + u64::from(slot) * THREAD_BLOCK_STRIDE;
        let length = SCRATCH + size_of::<Scratch>() as u64 - PAGE_SIZE;
        let bits = space.mapped_threads.get(index(u64::from(slot / 64))).ok_or(Errno::EAGAIN)?;
        if let Err(error) = map_once(bits, slot % 64, (base + PAGE_SIZE, length)) {
            space.release_thread(slot);
            return Err(error);
        }
        let stack_end = base + STACK_END;
        let block = with_exposed_provenance_mut::<Self>(index(stack_end));
        let fresh = Self {
            myself: stack_end,
            frame: stack_end - size_of::<Registers>() as u64,
            stack_end,
            process: Cell::new(sys::address(process)),
            area: UnsafeCell::new(SignalArea::default()),
            slot,
            tid: Cell::new(0),
            birth: Cell::new(Birth::Program),
            fs_base: Cell::new(0),
            clear_tid: Cell::new(0),
            set_tid: Cell::new(0),
            robust_list: Cell::new(0),
            alternate: Cell::new([0, u64::from(linux_raw_sys::general::SS_DISABLE), 0]),
            taken: Cell::new(None),
            restart: Cell::new(None),
            number: Cell::new(0),
            birth_mask: Cell::new(None),
            mounts: Mounts::new(),
        };
        // SAFETY: mapped for the slot that is now ours, a page that holds nothing else.
        unsafe { block.write(fresh) };
        // SAFETY: just written; it stays mapped until the slot is given back.
        Ok(unsafe { &*block })
    }

    /// Where the thread's registers are saved while it is in the shim.
    pub(crate) const fn frame_address(&self) -> u64 {
        self.frame
    }

    /// Address of the block, which is the thread's GS base.
    pub(crate) const fn address(&self) -> u64 {
        self.myself
    }

    /// Address of the part that the kernel writes.
    pub(crate) fn area_address(&self) -> u64 {
        self.area.get().expose_provenance() as u64
    }

    /// A field of the part that the kernel writes.
    const fn area_field<T>(&self, offset: usize) -> *mut T {
        self.area.get().wrapping_byte_add(offset).cast()
    }

    /// Forgets that a signal is pending, before taking signals.
    pub(crate) fn clear_pending(&self) {
        let pending = self.area_field::<u32>(offset_of!(SignalArea, pending));
        // SAFETY: a field of this thread's area; the kernel writes it only while the thread is not
        // running, and a volatile store of one word cannot tear.
        unsafe { pending.write_volatile(0) };
    }

    /// Whether a signal became deliverable since.
    pub(crate) fn is_pending(&self) -> bool {
        let pending = self.area_field::<u32>(offset_of!(SignalArea, pending));
        // SAFETY: as for storing.
        unsafe { pending.read_volatile() != 0 }
    }

    /// The registers that the kernel saved when it diverted the thread; it may divert again now.
    pub(crate) fn take_diverted(&self) -> Registers {
        let saved = self.area_field::<Registers>(offset_of!(SignalArea, registers));
        // SAFETY: a field of this thread's area, which the kernel leaves alone while `diverted` is
        // set.
        let registers = unsafe { saved.read_volatile() };
        let diverted = self.area_field::<u32>(offset_of!(SignalArea, diverted));
        // SAFETY: as for `pending`.
        unsafe { diverted.write_volatile(0) };
        registers
    }

    /// The process that the thread belongs to.
    pub(crate) fn process(&self) -> &'static Process {
        let block = with_exposed_provenance_mut::<Process>(index(self.process.get()));
        // SAFETY: set from a reference when the block was made; the process block stays mapped as
        // long as a thread of it lives.
        unsafe { &*block }
    }

    /// Writes the registers that a new thread starts the program with.
    pub(crate) fn set_frame(&self, registers: &Registers) {
        let frame = with_exposed_provenance_mut::<Registers>(index(self.frame));
        // SAFETY: the place right below the end of the stack of a thread that does not run yet.
        unsafe { frame.write(*registers) };
    }

    /// The buffers of the thread.
    ///
    /// # Safety
    /// - The thread is the caller, and nobody else has a reference to its buffers.
    pub(crate) unsafe fn scratch<'a>(&self) -> &'a mut Scratch {
        let base = self.stack_end - STACK_END;
        let scratch = with_exposed_provenance_mut::<Scratch>(index(base + SCRATCH));
        // SAFETY: mapped with the block; any bytes are a value; alone by the caller's promise.
        unsafe { &mut *scratch }
    }
}
