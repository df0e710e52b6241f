//! Mutexes, condition variables and semaphores in user memory.
//!
//! Locking and unlocking a free mutex, posting a semaphore nobody waits for, and signalling a
//! condition nobody waits on are a few instructions: no kernel call. A mutex's word holds its
//! owner's thread id, as musl's do, and the kernel raises the owner while others wait.

use crate::ceiling::{highest, settle};
use crate::kernel::{address_of, call, functions, load, own_tid, store};
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, futex};
use neutrino_abi::time::FOREVER;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// C's `sync_t`; all zeros is a free mutex with inheritance.
#[derive(Debug)]
#[repr(C)]
pub struct Sync {
    /// Mutex: the owner's tid and `futex` bits. Condition: count of signals. Semaphore: its value.
    word: AtomicU32,
    /// What it is ([`is`]).
    kind: AtomicU32,
    /// Condition and semaphore: who waits. Mutex: how often its owner has locked it again.
    count: AtomicU32,
    /// The ceiling of a mutex.
    pub(crate) ceiling: AtomicU32,
    /// The owner's next mutex with a ceiling.
    pub(crate) next: AtomicU64,
    /// The owner's policy and priority without ceilings.
    pub(crate) policy: AtomicU32,
    pub(crate) base: AtomicU32,
}
const _: () = assert!(size_of::<Sync>() == 32);

/// What a `sync_t` is.
mod is {
    pub(super) const MUTEX: u32 = 0;
    pub(super) const SEMAPHORE: u32 = 1;
    pub(super) const CONDITION: u32 = 2;
    pub(super) const KIND: u32 = 3;
    /// A mutex that raises its owner to its ceiling.
    pub(super) const PROTECT: u32 = 4;
    /// A mutex that raises nobody.
    pub(super) const NONE: u32 = 8;
    /// Its owner may lock it again.
    pub(super) const RECURSIVE: u32 = 0x10;
    /// Other processes use it, too.
    pub(super) const SHARED: u32 = 0x20;
    pub(super) const DESTROYED: u32 = 0x8000_0000;
}

/// C's `struct _sync_attr`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Attributes {
    protocol: i32,
    flags: u32,
    ceiling: i32,
    clock: i32,
    count: i32,
    reserved: [i32; 3],
}

/// `_NTO_SYNC_*` types.
const MUTEX_FREE: u32 = 0;
const SEMAPHORE: u32 = 1;
const CONDITION: u32 = 2;
/// `_NTO_SYNC_` flags of the attributes.
const FLAG_SHARED: u32 = 1;
const FLAG_RECURSIVE: u32 = 2;
const FLAG_ROBUST: u32 = 4;
/// `PTHREAD_PRIO_*` as musl numbers them.
const PRIO_NONE: i32 = 0;
const PRIO_INHERIT: i32 = 1;
const PRIO_PROTECT: i32 = 2;

const SEM_VALUE_MAX: u32 = 0x7fff_ffff;

/// The object at C's address.
///
/// # Errors
/// EFAULT: a null pointer. EINVAL: misaligned, destroyed, or not of this kind.
fn object(pointer: *const Sync, kind: u32) -> Result<&'static Sync, Errno> {
    if pointer.addr() < 0x1000 {
        return Err(Errno::EFAULT);
    }
    if !pointer.addr().is_multiple_of(align_of::<Sync>()) {
        return Err(Errno::EINVAL);
    }
    // SAFETY: C says that an object is there; it is all atomics, so that others may change it.
    let object = unsafe { &*pointer };
    let found = object.kind.load(SeqCst);
    if found & is::DESTROYED != 0 || found & is::KIND != kind {
        return Err(Errno::EINVAL);
    }
    Ok(object)
}

impl Sync {
    fn has(&self, flag: u32) -> bool {
        self.kind.load(SeqCst) & flag != 0
    }

    fn futex_flags(&self) -> u32 {
        if self.has(is::SHARED) { futex::SHARED } else { 0 }
    }

    fn wait(&self, expected: u32, flags: u32) -> Result<i64, Errno> {
        let address = address_of(&self.word);
        let (flags, bitset) = (self.futex_flags() | flags, futex::ANY);
        call(Call::FutexWait { address, expected, flags, deadline: FOREVER, bitset })
    }

    fn wake(&self, count: u32) {
        let (address, flags, bitset) = (address_of(&self.word), self.futex_flags(), futex::ANY);
        // Nobody may be waiting.
        let _woken = call(Call::FutexWake { address, count, flags, bitset });
    }

    fn owner(&self) -> u32 {
        self.word.load(SeqCst) & futex::TID_MASK
    }

    /// Takes a free mutex.
    fn try_lock(&self, tid: u32) -> bool {
        self.word.compare_exchange(0, tid, SeqCst, SeqCst).is_ok()
    }

    fn lock(&self) -> Result<i64, Errno> {
        let tid = own_tid();
        if self.has(is::PROTECT) && self.owner() != tid {
            let own = self.raise()?;
            let locked = self.lock_by_word(tid);
            if matches!(locked, Ok(_) | Err(Errno::EOWNERDEAD)) {
                self.hold_ceiling(own);
            } else {
                settle((own.0, highest(own.1)));
            }
            return locked;
        }
        self.lock_by_word(tid)
    }

    fn lock_by_word(&self, tid: u32) -> Result<i64, Errno> {
        if self.try_lock(tid) {
            return Ok(0);
        }
        if self.owner() == tid {
            if !self.has(is::RECURSIVE) {
                return Err(Errno::EDEADLK);
            }
            if self.count.fetch_add(1, SeqCst) == u32::MAX {
                self.count.store(u32::MAX, SeqCst);
                return Err(Errno::EAGAIN);
            }
            return Ok(0);
        }
        if self.has(is::NONE) {
            return self.lock_plain(tid);
        }
        let (address, flags) = (address_of(&self.word), self.futex_flags());
        match call(Call::SyncMutexLock { address, flags, deadline: FOREVER }) {
            Ok(_) if self.word.load(SeqCst) & futex::OWNER_DIED != 0 => Err(Errno::EOWNERDEAD),
            // No such owner: it died with nobody waiting.
            Err(Errno::ESRCH) => self.take_over(tid),
            other => other,
        }
    }

    /// Takes a mutex whose owner is no more.
    fn take_over(&self, tid: u32) -> Result<i64, Errno> {
        let seen = self.word.load(SeqCst);
        let taken = tid | futex::OWNER_DIED | seen & futex::WAITERS;
        match self.word.compare_exchange(seen, taken, SeqCst, SeqCst) {
            Ok(_) => Err(Errno::EOWNERDEAD),
            // Somebody else was quicker.
            Err(_) => self.lock_by_word(tid),
        }
    }

    /// Without inheritance: a word to wait on.
    fn lock_plain(&self, tid: u32) -> Result<i64, Errno> {
        // Bound: one turn for each time that another thread gets the mutex first.
        loop {
            let seen = self.word.load(SeqCst);
            if seen & futex::TID_MASK == 0 {
                let taken = tid | futex::WAITERS;
                if self.word.compare_exchange(seen, taken, SeqCst, SeqCst).is_ok() {
                    return Ok(0);
                }
                continue;
            }
            let marked = seen | futex::WAITERS;
            if seen == marked || self.word.compare_exchange(seen, marked, SeqCst, SeqCst).is_ok() {
                match self.wait(marked, 0) {
                    Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
    }

    fn unlock(&self) -> Result<i64, Errno> {
        let tid = own_tid();
        if self.owner() != tid {
            return Err(Errno::EPERM);
        }
        if self.count.load(SeqCst) > 0 {
            self.count.fetch_sub(1, SeqCst);
            return Ok(0);
        }
        if !self.has(is::PROTECT) {
            return self.unlock_word(tid);
        }
        // The list is the owner's: it changes while the mutex is still held.
        let without = self.drop_ceiling();
        let result = self.unlock_word(tid);
        settle(without);
        result
    }

    fn unlock_word(&self, tid: u32) -> Result<i64, Errno> {
        if self.word.compare_exchange(tid, 0, SeqCst, SeqCst).is_ok() {
            return Ok(0);
        }
        if self.has(is::NONE) {
            self.word.store(0, SeqCst);
            self.wake(1);
            return Ok(0);
        }
        let (address, flags) = (address_of(&self.word), self.futex_flags());
        call(Call::SyncMutexUnlock { address, flags })
    }
}

/// Commands of `SyncCtl` (`_NTO_SCTL_*`).
mod command {
    use core::ffi::c_int;
    pub(super) const SET_CEILING: c_int = 1;
    pub(super) const GET_CEILING: c_int = 2;
    pub(super) const CONSISTENT: c_int = 5;
    pub(super) const SEM_VALUE: c_int = 6;
}

fn create(kind: u32, pointer: *mut Sync, attributes: &Attributes) -> Result<i64, Errno> {
    let shared = if attributes.flags & FLAG_SHARED != 0 { is::SHARED } else { 0 };
    if attributes.flags & !(FLAG_SHARED | FLAG_RECURSIVE | FLAG_ROBUST) != 0 {
        return Err(Errno::EINVAL);
    }
    let (mut word, mut ceiling) = (0, 0);
    let kind = match kind {
        MUTEX_FREE => {
            let recursive = if attributes.flags & FLAG_RECURSIVE != 0 { is::RECURSIVE } else { 0 };
            let protocol = match attributes.protocol {
                PRIO_INHERIT => 0,
                PRIO_NONE => is::NONE,
                PRIO_PROTECT => is::PROTECT,
                _ => return Err(Errno::EINVAL),
            };
            if protocol == is::PROTECT {
                ceiling = valid_ceiling(attributes.ceiling)?;
            }
            is::MUTEX | recursive | protocol
        }
        SEMAPHORE => {
            word = u32::try_from(attributes.count).map_err(|_| Errno::EINVAL)?;
            is::SEMAPHORE
        }
        CONDITION => is::CONDITION,
        _ => return Err(Errno::EINVAL),
    };
    let image: [u32; 8] = [word, kind | shared, 0, ceiling, 0, 0, 0, 0];
    store(pointer.cast(), &image).map(|()| 0)
}

fn valid_ceiling(ceiling: i32) -> Result<u32, Errno> {
    match u32::try_from(ceiling) {
        Ok(ceiling @ 1..=255) => Ok(ceiling),
        Ok(_) | Err(_) => Err(Errno::EINVAL),
    }
}

fn control(wanted: c_int, pointer: *mut Sync, data: *mut c_void) -> Result<i64, Errno> {
    let number = data.cast::<i32>();
    match wanted {
        command::SET_CEILING | command::GET_CEILING => {
            let mutex = object(pointer, is::MUTEX)?;
            if !mutex.has(is::PROTECT) {
                return Err(Errno::EINVAL);
            }
            let old = mutex.ceiling.load(SeqCst).cast_signed();
            if wanted == command::GET_CEILING {
                store(number, &old)?;
                return Ok(0);
            }
            let new = valid_ceiling(load(number.cast_const())?)?;
            store(number, &old)?;
            mutex.ceiling.store(new, SeqCst);
            Ok(0)
        }
        command::CONSISTENT => {
            let mutex = object(pointer, is::MUTEX)?;
            if mutex.owner() != own_tid() || mutex.word.load(SeqCst) & futex::OWNER_DIED == 0 {
                return Err(Errno::EINVAL);
            }
            mutex.word.fetch_and(!futex::OWNER_DIED, SeqCst);
            Ok(0)
        }
        command::SEM_VALUE => {
            let semaphore = object(pointer, is::SEMAPHORE)?;
            store(number, &semaphore.word.load(SeqCst).cast_signed())?;
            Ok(0)
        }
        // An event at the owner's death, and waking without unlocking.
        3 | 4 => Err(Errno::EOPNOTSUPP),
        _ => Err(Errno::EINVAL),
    }
}

fn condvar_wait(condition: *const Sync, mutex: *const Sync) -> Result<i64, Errno> {
    let (condition, mutex) = (object(condition, is::CONDITION)?, object(mutex, is::MUTEX)?);
    if mutex.owner() != own_tid() {
        return Err(Errno::EPERM);
    }
    let expected = condition.word.load(SeqCst);
    condition.count.fetch_add(1, SeqCst);
    let waited = if mutex.has(is::PROTECT | is::NONE) || mutex.count.load(SeqCst) > 0 {
        mutex.unlock().and_then(|_| condition.wait(expected, 0))
    } else {
        // In one kernel call, which a time-out for it covers.
        call(Call::SyncCondvarWait {
            address: address_of(&condition.word),
            expected,
            flags: condition.futex_flags(),
            mutex: address_of(&mutex.word),
            mutex_flags: mutex.futex_flags(),
        })
    };
    condition.count.fetch_sub(1, SeqCst);
    if mutex.owner() != own_tid() {
        mutex.lock()?;
    }
    match waited {
        // Somebody signalled meanwhile, or a signal came: POSIX allows to wake for nothing.
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
        other => other,
    }
}

fn semaphore_wait(pointer: *const Sync, tryto: c_int) -> Result<i64, Errno> {
    let semaphore = object(pointer, is::SEMAPHORE)?;
    // Bound: one turn for each post that another thread takes first.
    loop {
        let value = semaphore.word.load(SeqCst);
        if value > 0 {
            if semaphore.word.compare_exchange(value, value - 1, SeqCst, SeqCst).is_ok() {
                return Ok(0);
            }
            continue;
        }
        if tryto != 0 {
            return Err(Errno::EAGAIN);
        }
        semaphore.count.fetch_add(1, SeqCst);
        let waited = semaphore.wait(0, futex::SEM);
        semaphore.count.fetch_sub(1, SeqCst);
        match waited {
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(errno),
        }
    }
}

functions! {
    /// Makes a mutex, a semaphore or a condition variable.
    status SyncTypeCreate [SyncTypeCreate_r] (kind: u32, sync: *mut Sync, attr: *const Attributes) -> c_int {
        let default = Attributes { protocol: PRIO_INHERIT, flags: 0, ceiling: 0, clock: 0, count: 0, reserved: [0; 3] };
        let attributes = if attr.is_null() { default } else { load(attr)? };
        create(kind, sync, &attributes)
    }
    /// Ends the use of an object; EBUSY: it is locked or waited for.
    status SyncDestroy [SyncDestroy_r] (sync: *mut Sync) -> c_int {
        let found = [is::MUTEX, is::SEMAPHORE, is::CONDITION].map(|kind| object(sync, kind));
        let [mutex, semaphore, condition] = found;
        let (object, busy) = match (mutex, semaphore, condition) {
            (Ok(mutex), _, _) => (mutex, mutex.owner() != 0),
            (_, Ok(semaphore), _) => (semaphore, semaphore.count.load(SeqCst) != 0),
            (_, _, Ok(condition)) => (condition, condition.count.load(SeqCst) != 0),
            (Err(errno), _, _) => return Err(errno),
        };
        if busy {
            return Err(Errno::EBUSY);
        }
        object.kind.fetch_or(is::DESTROYED, SeqCst);
        Ok(0)
    }
    /// Reads or changes an object (`_NTO_SCTL_*`).
    /// Partial: SETEVENT and MUTEX_WAKEUP are ENOTSUP
    status SyncCtl [SyncCtl_r] (cmd: c_int, sync: *mut Sync, data: *mut c_void) -> c_int {
        control(cmd, sync, data)
    }
    /// Locks a mutex. EOWNERDEAD: it is locked, but its owner died with it.
    /// Partial: a change of the own priority while a ceiling is held is undone by the last unlock
    status SyncMutexLock [SyncMutexLock_r] (sync: *mut Sync) -> c_int {
        object(sync, is::MUTEX)?.lock()
    }
    /// Unlocks a mutex. EPERM: another thread's.
    status SyncMutexUnlock [SyncMutexUnlock_r] (sync: *mut Sync) -> c_int {
        object(sync, is::MUTEX)?.unlock()
    }
    /// Unlocks the mutex, waits for the condition, and locks the mutex again.
    /// Partial: no cancellation point
    status SyncCondvarWait [SyncCondvarWait_r] (sync: *mut Sync, mutex: *mut Sync) -> c_int {
        condvar_wait(sync, mutex)
    }
    /// Wakes one or all waiters of a condition.
    status SyncCondvarSignal [SyncCondvarSignal_r] (sync: *mut Sync, all: c_int) -> c_int {
        let condition = object(sync, is::CONDITION)?;
        condition.word.fetch_add(1, SeqCst);
        if condition.count.load(SeqCst) > 0 {
            condition.wake(if all == 0 { 1 } else { u32::MAX >> 1 });
        }
        Ok(0)
    }
    /// Adds one to a semaphore, and wakes a waiter.
    status SyncSemPost [SyncSemPost_r] (sync: *mut Sync) -> c_int {
        let semaphore = object(sync, is::SEMAPHORE)?;
        let more = |value| if value < SEM_VALUE_MAX { Some(value + 1) } else { None };
        semaphore.word.fetch_update(SeqCst, SeqCst, more).map_err(|_| Errno::EAGAIN)?;
        if semaphore.count.load(SeqCst) > 0 {
            semaphore.wake(1);
        }
        Ok(0)
    }
    /// Takes one from a semaphore; waits for it, or with `tryto` gives EAGAIN.
    status SyncSemWait [SyncSemWait_r] (sync: *mut Sync, tryto: c_int) -> c_int {
        semaphore_wait(sync, tryto)
    }
}
