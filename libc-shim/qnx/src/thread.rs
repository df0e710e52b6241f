//! Threads: musl's, with QNX's calls on them.
//!
//! musl makes a thread (it keeps a block of its own for each); the library remembers the ones that
//! `ThreadCreate` made, by tid, so that they can be joined, detached and cancelled by it. A thread
//! id is the kernel's, unique in the system.

use crate::kernel::{
    address_of, address_of_mut, at, call, cancellable, copy, functions, load, own_tid,
    store_optional, whoami,
};
use crate::sched::own_set;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, futex};
use neutrino_abi::handle::SELF;
use neutrino_abi::info::ThreadInfo;
use neutrino_abi::process::thread_ctl;
use neutrino_abi::time::FOREVER;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Most threads of a process that `ThreadCreate` made.
const THREADS: usize = 256;

/// Where a thread is in its life; a word to wait on.
mod phase {
    pub(super) const FREE: u32 = 0;
    pub(super) const RESERVED: u32 = 1;
    pub(super) const STARTED: u32 = 2;
    pub(super) const RUN: u32 = 3;
    pub(super) const DO_NOT_RUN: u32 = 4;
    pub(super) const ENDED: u32 = 5;
}

/// A thread that `ThreadCreate` made.
#[repr(C)]
struct Made {
    phase: AtomicU32,
    tid: AtomicU32,
    /// Not 0: nobody joins it.
    detached: AtomicU32,
    /// The tid of who joins it.
    joiner: AtomicU32,
    /// musl's name for it.
    pthread: AtomicU64,
    function: AtomicU64,
    argument: AtomicU64,
}

impl Made {
    const fn free() -> Self {
        Self {
            phase: AtomicU32::new(phase::FREE),
            tid: AtomicU32::new(0),
            detached: AtomicU32::new(0),
            joiner: AtomicU32::new(0),
            pthread: AtomicU64::new(0),
            function: AtomicU64::new(0),
            argument: AtomicU64::new(0),
        }
    }

    fn set(&self, phase: u32) {
        self.phase.store(phase, SeqCst);
        let address = address_of(&self.phase);
        let wake = Call::FutexWake { address, count: u32::MAX, flags: 0, bitset: futex::ANY };
        // Nobody may be waiting.
        let _woken = call(wake);
    }

    /// Waits, once, for the phase to change.
    fn wait(&self, seen: u32) -> Result<i64, Errno> {
        call(Call::FutexWait {
            address: address_of(&self.phase),
            expected: seen,
            flags: futex::JOIN,
            deadline: FOREVER,
            bitset: futex::ANY,
        })
    }

    fn wait_until(&self, wanted: impl Fn(u32) -> bool) -> u32 {
        // Bound: the other thread's next step.
        loop {
            let seen = self.phase.load(SeqCst);
            if wanted(seen) {
                return seen;
            }
            // A signal, or a change meanwhile: look again.
            let _again = self.wait(seen);
        }
    }
}

static MADE: [Made; THREADS] = [const { Made::free() }; THREADS];

/// The thread with a tid, if `ThreadCreate` made it; 0 is the caller.
fn made(tid: c_int) -> Result<&'static Made, Errno> {
    let tid = match u32::try_from(tid).map_err(|_| Errno::ESRCH)? {
        0 => own_tid(),
        tid => tid,
    };
    MADE.iter()
        .find(|one| one.phase.load(SeqCst) >= phase::RUN && one.tid.load(SeqCst) == tid)
        .ok_or(Errno::ESRCH)
}

/// C's `struct _thread_attr`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes)]
#[repr(C)]
pub struct Attributes {
    flags: u64,
    stack_size: u64,
    stack: u64,
    exit_function: u64,
    policy: u32,
    padding: u32,
    priority: u32,
    param_rest: [u32; 11],
    guard_size: u32,
    prealloc: u32,
    spare: [u32; 2],
}

/// `PTHREAD_CREATE_DETACHED` and `PTHREAD_EXPLICIT_SCHED` of the flags.
const DETACHED: u64 = 1;
const EXPLICIT: u64 = 2;

/// musl's `pthread_attr_t`.
type PthreadAttributes = [u64; 7];
/// musl's `struct __ptcb`.
type Cleanup = [u64; 3];
type Body = extern "C" fn(*const Made) -> *mut c_void;
type Function = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

unsafe extern "C" {
    fn pthread_attr_init(attributes: *mut PthreadAttributes) -> c_int;
    fn pthread_attr_setstacksize(attributes: *mut PthreadAttributes, size: usize) -> c_int;
    fn pthread_attr_setstack(a: *mut PthreadAttributes, stack: *mut c_void, size: usize) -> c_int;
    fn pthread_create(
        id: *mut u64,
        a: *const PthreadAttributes,
        f: Body,
        made: *const Made,
    ) -> c_int;
    fn pthread_join(id: u64, status: *mut u64) -> c_int;
    fn pthread_detach(id: u64) -> c_int;
    fn pthread_cancel(id: u64) -> c_int;
    fn pthread_exit(status: *mut c_void) -> !;
    fn sched_getaffinity(tid: c_int, size: usize, mask: *mut u64) -> c_int;
    fn sched_setaffinity(tid: c_int, size: usize, mask: *const u64) -> c_int;
    fn _pthread_cleanup_push(block: *mut Cleanup, f: extern "C" fn(*const Made), made: *const Made);
    fn _pthread_cleanup_pop(block: *mut Cleanup, execute: c_int);
}

/// What every thread that `ThreadCreate` makes runs.
extern "C" fn body(made: *const Made) -> *mut c_void {
    // SAFETY: `create` passes a reference to an element of MADE, which lives for ever.
    let made = unsafe { &*made };
    made.tid.store(whoami().1, SeqCst);
    made.set(phase::STARTED);
    if made.wait_until(|phase| phase != phase::STARTED) != phase::RUN {
        return core::ptr::null_mut();
    }
    let mut block = [0; 3];
    // SAFETY: the block lives in this frame until it is popped below, or the thread ends in it.
    unsafe { _pthread_cleanup_push(&raw mut block, ended, made) };
    let function = made.function.load(SeqCst) as usize;
    let argument = core::ptr::with_exposed_provenance_mut(made.argument.load(SeqCst) as usize);
    // SAFETY: `ThreadCreate`'s caller gave a function of this type, and not null.
    let function: Function = unsafe { core::mem::transmute(function) };
    // SAFETY: C answers for its function.
    let status = unsafe { function(argument) };
    // SAFETY: it is the block that was pushed last: C pushes and pops in pairs.
    unsafe { _pthread_cleanup_pop(&raw mut block, 1) };
    status
}

/// A thread's last act, however it ends.
extern "C" fn ended(made: *const Made) {
    // SAFETY: as in `body`.
    let made = unsafe { &*made };
    made.set(phase::ENDED);
    if made.detached.load(SeqCst) != 0 {
        release(made);
    }
}

/// Makes the place of an ended thread free again.
fn release(made: &Made) {
    let ended = made.phase.compare_exchange(phase::ENDED, phase::FREE, SeqCst, SeqCst);
    // Who detaches and who ends may both come here: one of them frees it.
    let _freed = ended.is_ok();
}

fn reserve() -> Result<&'static Made, Errno> {
    let take = |made: &&Made| {
        let (free, reserved) = (phase::FREE, phase::RESERVED);
        made.phase.compare_exchange(free, reserved, SeqCst, SeqCst).is_ok()
    };
    MADE.iter().find(take).ok_or(Errno::EAGAIN)
}

fn pthread_attributes(given: &Attributes) -> Result<PthreadAttributes, Errno> {
    let mut attributes = [0; 7];
    let place = &raw mut attributes;
    // SAFETY: a local of the structure's size.
    unsafe { pthread_attr_init(place) };
    let size = given.stack_size as usize;
    let result = if given.stack != 0 {
        let stack = core::ptr::with_exposed_provenance_mut(given.stack as usize);
        // SAFETY: initialised above; the stack is C's to give.
        unsafe { pthread_attr_setstack(place, stack, size) }
    } else if size != 0 {
        // SAFETY: initialised above.
        unsafe { pthread_attr_setstacksize(place, size) }
    } else {
        0
    };
    if result == 0 { Ok(attributes) } else { Err(Errno::EINVAL) }
}

fn create(function: u64, argument: u64, given: &Attributes) -> Result<i64, Errno> {
    let attributes = pthread_attributes(given)?;
    let made = reserve()?;
    made.function.store(function, SeqCst);
    made.argument.store(argument, SeqCst);
    made.joiner.store(0, SeqCst);
    made.detached.store(u32::from(given.flags & DETACHED != 0), SeqCst);
    let mut id = 0;
    // SAFETY: the attributes are initialised; `body` takes a reference to a static.
    if unsafe { pthread_create(&raw mut id, &raw const attributes, body, made) } != 0 {
        made.phase.store(phase::FREE, SeqCst);
        return Err(Errno::EAGAIN);
    }
    made.pthread.store(id, SeqCst);
    made.wait_until(|phase| phase == phase::STARTED);
    let tid = made.tid.load(SeqCst);
    if given.flags & EXPLICIT != 0
        && let Err(errno) = own_set(tid, given.policy, given.priority)
    {
        made.set(phase::DO_NOT_RUN);
        // SAFETY: a thread of ours that nobody else knows and that ends now.
        unsafe { pthread_join(id, core::ptr::null_mut()) };
        made.phase.store(phase::FREE, SeqCst);
        return Err(errno);
    }
    if given.flags & DETACHED != 0 {
        // SAFETY: a thread that is neither joined nor detached yet.
        unsafe { pthread_detach(id) };
    }
    made.set(phase::RUN);
    Ok(i64::from(tid))
}

fn join(tid: c_int, status: *mut u64) -> Result<i64, Errno> {
    let made = made(tid)?;
    let own = own_tid();
    if made.tid.load(SeqCst) == own {
        return Err(Errno::EDEADLK);
    }
    if made.detached.load(SeqCst) != 0 {
        return Err(Errno::EINVAL);
    }
    if made.joiner.compare_exchange(0, own, SeqCst, SeqCst).is_err() {
        return Err(Errno::EBUSY);
    }
    while made.phase.load(SeqCst) != phase::ENDED {
        match made.wait(phase::RUN) {
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(errno) => {
                made.joiner.store(0, SeqCst);
                return Err(errno);
            }
        }
    }
    let mut result = 0;
    // SAFETY: a thread that was not joined yet, by the one who may; the status goes to a local.
    unsafe { pthread_join(made.pthread.load(SeqCst), &raw mut result) };
    made.phase.store(phase::FREE, SeqCst);
    store_optional(status, &result)?;
    Ok(0)
}

/// Commands of `ThreadCtl` (`_NTO_TCTL_*`).
mod command {
    pub(super) const THREADS_HOLD: c_int = 2;
    pub(super) const THREADS_CONT: c_int = 3;
    pub(super) const RUNMASK: c_int = 4;
    pub(super) const RUNMASK_GET_AND_SET: c_int = 6;
    pub(super) const ONE_THREAD_HOLD: c_int = 8;
    pub(super) const ONE_THREAD_CONT: c_int = 9;
    pub(super) const NAME: c_int = 11;
    use core::ffi::c_int;
}

/// The longest name of a thread, with its end.
const NAME: usize = 16;

fn info(tid: u32) -> Result<ThreadInfo, Errno> {
    let mut info = ThreadInfo::default();
    call(Call::ThreadInfo { process: SELF, tid, info: address_of_mut(&mut info) })?;
    Ok(info)
}

/// `_NTO_TCTL_NAME`: lengths of the new name (negative: none) and of the buffer, then the buffer,
/// which holds the new name and gets the old one.
fn name(data: *mut c_void) -> Result<i64, Errno> {
    let [new, room]: [i32; 2] = load(data.cast_const().cast())?;
    let buffer = at(data) + 8;
    let old = info(whoami().1)?.name;
    let mut wanted = [0_u8; NAME];
    let length = usize::try_from(new).unwrap_or(0);
    if length >= NAME {
        return Err(Errno::EINVAL);
    }
    copy(buffer, address_of_mut(&mut wanted), length as u64)?;
    let told = usize::try_from(room).unwrap_or(0).min(NAME);
    copy(address_of(&old), buffer, told as u64)?;
    if new >= 0 {
        let (command, value) = (thread_ctl::NAME, address_of(&wanted));
        call(Call::ThreadCtl { process: SELF, tid: 0, command, value })?;
    }
    Ok(0)
}

/// Holds the caller's other threads, or lets them go on.
fn others(command: u32) -> Result<i64, Errno> {
    let own = whoami().1;
    let mut tid = 0;
    // Bound: the threads of the process.
    while let Ok(thread) = info(tid) {
        if thread.tid != own {
            // One that ends meanwhile needs nothing.
            let _gone = call(Call::ThreadCtl { process: SELF, tid: thread.tid, command, value: 0 });
        }
        tid = thread.tid.saturating_add(1);
    }
    Ok(0)
}

fn run_mask(mask: u64) -> Result<i64, Errno> {
    // SAFETY: the mask is a local of the size given.
    let result = unsafe { sched_setaffinity(0, 8, &raw const mask) };
    if result == 0 { Ok(0) } else { Err(Errno::EINVAL) }
}

fn control(wanted: c_int, data: *mut c_void) -> Result<i64, Errno> {
    let one = |command| {
        let tid = u32::try_from(at(data)).map_err(|_| Errno::ESRCH)?;
        call(Call::ThreadCtl { process: SELF, tid, command, value: 0 })
    };
    match wanted {
        command::THREADS_HOLD => others(thread_ctl::HOLD),
        command::THREADS_CONT => others(thread_ctl::CONTINUE),
        command::RUNMASK => run_mask(at(data)),
        command::RUNMASK_GET_AND_SET => {
            let new: u32 = load(data.cast_const().cast())?;
            let mut old = 0_u64;
            // SAFETY: the mask is a local of the size given.
            unsafe { sched_getaffinity(0, 8, &raw mut old) };
            if new != 0 {
                run_mask(u64::from(new))?;
            }
            crate::kernel::store(data.cast(), &(old as u32))?;
            Ok(0)
        }
        command::ONE_THREAD_HOLD => one(thread_ctl::HOLD),
        command::ONE_THREAD_CONT => one(thread_ctl::CONTINUE),
        command::NAME => name(data),
        // I/O ports are reached through the kernel (`PortAttach`), not by a thread's privilege.
        1 | 14 | 19 => Err(Errno::EOPNOTSUPP),
        _ => Err(Errno::EINVAL),
    }
}

functions! {
    /// Makes a thread of the caller's process; returns its id.
    /// Partial: own process, 256 threads at a time; no exit function, guard size or preallocation
    value ThreadCreate [ThreadCreate_r] (pid: c_int, function: *const c_void, arg: *mut c_void, attr: *const Attributes) -> c_int {
        match u32::try_from(pid) {
            Ok(pid) if pid == 0 || pid == whoami().0 => {}
            Ok(_) => return Err(Errno::EPERM),
            Err(_) => return Err(Errno::ESRCH),
        }
        if function.is_null() {
            return Err(Errno::EFAULT);
        }
        let attributes = if attr.is_null() { Attributes::new_zeroed() } else { load(attr)? };
        create(at(function), at(arg), &attributes)
    }
    /// Ends the calling thread; another ends only by `ThreadCancel`.
    /// Partial: the calling thread; another is ENOTSUP (use ThreadCancel), and so is -1
    status ThreadDestroy [ThreadDestroy_r] (tid: c_int, priority: c_int, status: *mut c_void) -> c_int {
        let _of_a_thread_that_ends = priority;
        let wanted = u32::try_from(tid).map_err(|_| Errno::EOPNOTSUPP)?;
        let own = whoami().1;
        if wanted != 0 && wanted != own {
            let is_there = info(wanted).is_ok_and(|found| found.tid == wanted);
            return Err(if is_there { Errno::EOPNOTSUPP } else { Errno::ESRCH });
        }
        // SAFETY: no frame of Rust's on this stack needs its end.
        unsafe { pthread_exit(status) }
    }
    /// Waits for the end of a thread that `ThreadCreate` made.
    /// Partial: threads of ThreadCreate; for those of pthread_create there is pthread_join
    status ThreadJoin [ThreadJoin_r] (tid: c_int, status: *mut u64) -> c_int {
        cancellable(|| join(tid, status))
    }
    /// Nobody will join the thread.
    /// Partial: threads of ThreadCreate
    status ThreadDetach [ThreadDetach_r] (tid: c_int) -> c_int {
        let made = made(tid)?;
        if made.detached.swap(1, SeqCst) != 0 {
            return Err(Errno::EINVAL);
        }
        // SAFETY: neither joined nor detached yet: the word above says so.
        unsafe { pthread_detach(made.pthread.load(SeqCst)) };
        release(made);
        Ok(0)
    }
    /// Asks a thread that `ThreadCreate` made to end. The stub is musl's.
    /// Partial: threads of ThreadCreate
    status ThreadCancel [ThreadCancel_r] (tid: c_int, stub: *const c_void) -> c_int {
        let _musl_has_its_own = stub;
        let made = made(tid)?;
        if made.phase.load(SeqCst) == phase::RUN {
            // SAFETY: a thread that is not joined yet.
            unsafe { pthread_cancel(made.pthread.load(SeqCst)) };
        }
        Ok(0)
    }
    /// Changes threads of the caller's process.
    /// Partial: THREADS_HOLD, THREADS_CONT, ONE_THREAD_HOLD, ONE_THREAD_CONT, RUNMASK, RUNMASK_GET_AND_SET, NAME (15 characters); IO, IO_PRIV, IO_LEVEL are ENOTSUP
    value ThreadCtl [ThreadCtl_r] (cmd: c_int, data: *mut c_void) -> c_int {
        control(cmd, data)
    }
}
