//! The kernel lock: CPUs enter the kernel in the order in which they came.
//!
//! A ticket lock in which the next in line may be passed over if it does not come: under an emulator
//! its host thread may not run for milliseconds, and nobody else could enter the kernel meanwhile
//! (measured: `docs/decisions/0002-one-kernel-lock.md`). CPUs of real hardware always come in time.

use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use neutrino_core::limits::CPUS;

use crate::cpu::{percpu, remote};

const LOCKED: u32 = 1;
/// One CPU that waits.
const WAITER: u32 = 2;
/// How often a CPU looks at a lock that is free, and not its turn, before it takes it.
const PATIENCE: u32 = 16;

/// The lock, and what it guards.
pub(crate) struct KernelLock<T> {
    /// [`LOCKED`], and [`WAITER`] for each that waits.
    state: AtomicU32,
    tickets: AtomicU64,
    /// The ticket of each CPU that waits, `u64::MAX` for the others.
    waiting: [AtomicU64; CPUS],
    value: UnsafeCell<T>,
}

// SAFETY: one CPU at a time holds the lock and reaches the value.
unsafe impl<T: Send> Sync for KernelLock<T> {}

impl<T> KernelLock<T> {
    /// An open lock.
    pub(crate) const fn new(value: T) -> Self {
        Self {
            state: AtomicU32::new(0),
            tickets: AtomicU64::new(0),
            waiting: [const { AtomicU64::new(u64::MAX) }; CPUS],
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the lock; serves what other CPUs ask of this one meanwhile, so that whoever holds
    /// it may wait for that.
    #[inline(always)]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let (acquire, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
        if self.state.compare_exchange(0, LOCKED, acquire, relaxed).is_err() {
            self.wait();
        }
        Guard { lock: self }
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        self.state.fetch_add(WAITER, Ordering::Relaxed);
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let own = self.waiting.get(percpu::index());
        own.inspect(|own| own.store(ticket, Ordering::Release));
        let mut patience = PATIENCE;
        // Bound: the kernel entries of the CPUs before this one.
        loop {
            let state = self.state.load(Ordering::Relaxed);
            let is_free = state & LOCKED == 0;
            if is_free && (patience == 0 || self.is_next(ticket)) {
                let taken = state.wrapping_sub(WAITER) | LOCKED;
                let (acquire, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
                if self.state.compare_exchange(state, taken, acquire, relaxed).is_ok() {
                    break;
                }
            } else if is_free {
                patience = patience.saturating_sub(1);
            }
            remote::serve();
            spin_loop();
        }
        own.inspect(|own| own.store(u64::MAX, Ordering::Release));
    }

    fn is_next(&self, ticket: u64) -> bool {
        self.waiting.iter().all(|other| other.load(Ordering::Acquire) >= ticket)
    }
}

/// The lock is held.
pub(crate) struct Guard<'a, T> {
    lock: &'a KernelLock<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists only while this CPU holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists only while this CPU holds the lock, and is borrowed here.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.state.fetch_sub(LOCKED, Ordering::Release);
    }
}
