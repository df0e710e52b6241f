//! Lock words of either kind, with time-outs, and condition variables: what [`crate::sync::Mutex`]
//! does not offer, for programs that measure what priority inheritance is worth.

use crate::sys::{address_of, pure};
use crate::thread;
use core::sync::atomic::{AtomicU32, Ordering};
use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, futex};
use neutrino_abi::time::FOREVER;

/// What becomes of the owner's priority while somebody more important waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Nothing: a plain futex lock.
    None,
    /// The owner runs at no less than its most important waiter.
    Inherit,
}

/// A lock that guards no value of its own.
#[derive(Debug)]
pub struct Lock {
    protocol: Protocol,
    /// Inherit: 0 or the owner's tid and flags. None: [`FREE`], [`HELD`] or [`AWAITED`].
    word: AtomicU32,
}

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may wait.
const AWAITED: u32 = 2;

impl Lock {
    /// Makes a free one.
    #[must_use]
    pub const fn new(protocol: Protocol) -> Self {
        Self { protocol, word: AtomicU32::new(0) }
    }

    /// Waits for the lock until a point of monotonic time at most.
    ///
    /// # Errors
    /// ETIMEDOUT; EDEADLK if the caller owns it.
    pub fn lock_until(&self, deadline: u64) -> Result<(), Errno> {
        match self.protocol {
            Protocol::None => self.lock_plain(deadline),
            Protocol::Inherit => self.lock_inheriting(deadline),
        }
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// EDEADLK if the caller owns it.
    pub fn lock(&self) -> Result<(), Errno> {
        self.lock_until(FOREVER)
    }

    fn lock_inheriting(&self, deadline: u64) -> Result<(), Errno> {
        let (tid, address) = (thread::current(), address_of(&self.word));
        while self.word.compare_exchange(0, tid, Ordering::Acquire, Ordering::Relaxed).is_err() {
            match pure(Call::SyncMutexLock { address, flags: 0, deadline }) {
                Ok(_) => break,
                Err(Errno::EINTR | Errno::ESRCH) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn lock_plain(&self, deadline: u64) -> Result<(), Errno> {
        if self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            return Ok(());
        }
        while self.word.swap(AWAITED, Ordering::Acquire) != FREE {
            match wait(&self.word, AWAITED, deadline) {
                Ok(()) | Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Frees a lock of the caller.
    ///
    /// # Errors
    /// EPERM: it is another thread's (inheriting locks only).
    pub fn unlock(&self) -> Result<(), Errno> {
        match self.protocol {
            Protocol::None => {
                if self.word.swap(FREE, Ordering::Release) == AWAITED {
                    wake(&self.word, 1);
                }
                Ok(())
            }
            Protocol::Inherit => {
                let tid = thread::current();
                let freed =
                    self.word.compare_exchange(tid, 0, Ordering::Release, Ordering::Relaxed);
                match freed {
                    Ok(_) => Ok(()),
                    Err(_) => {
                        let address = address_of(&self.word);
                        pure(Call::SyncMutexUnlock { address, flags: 0 }).map(drop)
                    }
                }
            }
        }
    }
}

/// A condition variable for [`Lock`]s of either kind.
#[derive(Debug, Default)]
pub struct Condition {
    /// Counts signals.
    word: AtomicU32,
}

impl Condition {
    /// Frees the lock and waits for a signal. To take the lock again is the caller's.
    ///
    /// # Errors
    /// As [`Lock::unlock`].
    pub fn wait_freeing(&self, lock: &Lock) -> Result<(), Errno> {
        let seen = self.word.load(Ordering::Acquire);
        lock.unlock()?;
        let _woken_or_signalled_before = wait(&self.word, seen, FOREVER);
        Ok(())
    }

    /// Wakes the most important waiter.
    pub fn signal(&self) {
        self.word.fetch_add(1, Ordering::Release);
        wake(&self.word, 1);
    }

    /// Wakes every waiter.
    pub fn broadcast(&self) {
        self.word.fetch_add(1, Ordering::Release);
        wake(&self.word, u32::MAX);
    }
}

/// Waits while a word holds a value, until a point of monotonic time at most.
///
/// # Errors
/// EAGAIN: it holds another. EINTR, ETIMEDOUT.
pub fn wait(word: &AtomicU32, expected: u32, deadline: u64) -> Result<(), Errno> {
    let address = address_of(word);
    pure(Call::FutexWait { address, expected, flags: 0, deadline, bitset: futex::ANY }).map(drop)
}

/// Wakes so many of those who wait on a word.
pub fn wake(word: &AtomicU32, count: u32) {
    let address = address_of(word);
    let _valid_word = pure(Call::FutexWake { address, count, flags: 0, bitset: futex::ANY });
}
