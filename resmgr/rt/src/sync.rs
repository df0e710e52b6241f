//! A mutex with priority inheritance; an uncontended lock makes no kernel call.

use crate::sys::{address_of, pure};
use crate::thread;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};
use neutrino_abi::calls::Call;
use neutrino_abi::time::FOREVER;

/// A value that one thread at a time may touch.
#[derive(Debug, Default)]
pub struct Mutex<T> {
    /// 0, or the owner's tid, with `futex::WAITERS` if somebody waits.
    word: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the lock word lets one thread at a time reach the value, so sending the value is enough.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// Makes an unlocked mutex.
    pub const fn new(value: T) -> Self {
        Self { word: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// Waits for the mutex; its owner runs at no less than the caller's priority meanwhile.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let tid = thread::current();
        while self.word.compare_exchange(0, tid, Ordering::Acquire, Ordering::Relaxed).is_err() {
            let address = address_of(&self.word);
            // Interrupted waits are taken up again; EDEADLK cannot be cured here and spins, which
            // a debugger finds.
            if pure(Call::SyncMutexLock { address, flags: 0, deadline: FOREVER }).is_ok() {
                break;
            }
        }
        MutexGuard { mutex: self }
    }
}

/// Unlocks its mutex when it is dropped.
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard exists only while this thread holds the lock word.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists only while this thread holds the lock word.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        let tid = thread::current();
        let word = &self.mutex.word;
        if word.compare_exchange(tid, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            let _it_is_ours = pure(Call::SyncMutexUnlock { address: address_of(word), flags: 0 });
        }
    }
}
