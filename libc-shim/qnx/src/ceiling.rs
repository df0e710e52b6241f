//! Priority ceilings (`PTHREAD_PRIO_PROTECT`): what a thread runs at while it holds mutexes that have
//! one.
//!
//! The mutexes with ceilings that a thread holds are a list through them, which only the thread
//! itself reads and changes. Each remembers the level that the thread has without ceilings.

use crate::kernel::address_of;
use crate::sched::{own_get, own_set};
use crate::sync::Sync;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use neutrino_abi::Errno;

unsafe extern "C" {
    fn pthread_key_create(key: *mut u32, destructor: Option<extern "C" fn(*mut c_void)>) -> c_int;
    safe fn pthread_getspecific(key: u32) -> *mut c_void;
    fn pthread_setspecific(key: u32, value: *const c_void) -> c_int;
}

/// Policy and priority.
pub(crate) type Level = (u32, u32);

/// The caller's mutexes with ceilings are a list, whose head is a thread-specific value of musl's.
fn key() -> u32 {
    static KEY: AtomicU32 = AtomicU32::new(u32::MAX);
    let known = KEY.load(SeqCst);
    if known != u32::MAX {
        return known;
    }
    let mut key = 0;
    // SAFETY: a local. Two threads may each make one: the first that is stored counts.
    unsafe { pthread_key_create(&raw mut key, None) };
    match KEY.compare_exchange(u32::MAX, key, SeqCst, SeqCst) {
        Ok(_) => key,
        Err(first) => first,
    }
}

fn head() -> u64 {
    pthread_getspecific(key()).addr() as u64
}

fn set_head(address: u64) {
    let value = core::ptr::with_exposed_provenance::<c_void>(address as usize);
    // SAFETY: the key is made, and its value is the calling thread's.
    unsafe { pthread_setspecific(key(), value) };
}

/// An element of the list.
fn element(address: u64) -> Option<&'static Sync> {
    let pointer = core::ptr::with_exposed_provenance::<Sync>(address as usize);
    // SAFETY: null, or a mutex that the calling thread holds: C keeps it where it is while it is held.
    unsafe { pointer.as_ref() }
}

/// Makes the caller run at a level.
pub(crate) fn settle((policy, priority): Level) {
    // It had this level before, or one that its ceilings allow.
    let _as_before = own_set(0, policy, priority);
}

/// The highest of a priority and the ceilings that the caller holds.
pub(crate) fn highest(base: u32) -> u32 {
    let (mut found, mut at) = (base, element(head()));
    // Bound: the mutexes with ceilings that the caller holds.
    while let Some(held) = at {
        found = found.max(held.ceiling.load(SeqCst));
        at = element(held.next.load(SeqCst));
    }
    found
}

impl Sync {
    /// Raises the caller to the ceiling; returns its level without ceilings.
    pub(crate) fn raise(&self) -> Result<Level, Errno> {
        let (policy, base) = match element(head()) {
            Some(first) => (first.policy.load(SeqCst), first.base.load(SeqCst)),
            None => own_get(0).map(|known| (known.policy, known.priority))?,
        };
        let ceiling = self.ceiling.load(SeqCst);
        if base > ceiling {
            return Err(Errno::EINVAL);
        }
        if highest(base) < ceiling {
            own_set(0, policy, ceiling)?;
        }
        Ok((policy, base))
    }

    /// Puts the mutex on the caller's list.
    pub(crate) fn hold_ceiling(&self, (policy, base): Level) {
        self.policy.store(policy, SeqCst);
        self.base.store(base, SeqCst);
        self.next.store(head(), SeqCst);
        set_head(address_of(self));
    }

    /// Takes it off, wherever it is; returns the level that the caller has without it.
    pub(crate) fn drop_ceiling(&self) -> Level {
        let (own, next) = (address_of(self), self.next.load(SeqCst));
        if head() == own {
            set_head(next);
        }
        let mut at = element(head());
        // Bound: the mutexes with ceilings that the caller holds.
        while let Some(held) = at {
            if held.next.load(SeqCst) == own {
                held.next.store(next, SeqCst);
            }
            at = element(held.next.load(SeqCst));
        }
        (self.policy.load(SeqCst), highest(self.base.load(SeqCst)))
    }
}
