//! Mutexes with priority inheritance: `SyncMutexLock`, `SyncMutexUnlock` (Linux: `FUTEX_LOCK_PI`).
//!
//! The word holds its owner's tid, so an uncontended lock never comes here. The kernel has an
//! object only while somebody waits.

use neutrino_abi::Errno;
use neutrino_abi::calls::futex;

use crate::Kernel;
use crate::call::Outcome;
use crate::ipc::channel::Existence;
use crate::list::{Link, List};
use crate::machine::{Machine, Place, SpaceSlot};
use crate::memory::FutexKey;
use crate::slab::{Id, Slot};
use crate::thread::{Plain, Queue, State, Thread, ThreadId, linked, precedes};
use crate::time::deadline::Follows;

/// When a wait ends, and by which clock.
type Limit = (u64, Follows);

/// Index of a [`Mutex`].
pub type MutexId = Id<Mutex>;

/// Lists of the contended mutexes of an owner.
#[derive(Clone, Copy, Debug)]
pub enum Owned {}

/// A mutex that somebody waits for.
#[derive(Clone, Debug, Hash)]
pub struct Mutex {
    existence: Existence,
    pub(crate) key: FutexKey,
    pub(crate) owner: ThreadId,
    pub(crate) waiters: List<Thread, Queue>,
    pub(crate) owned: Link<Mutex>,
}

impl Slot for Mutex {
    const VACANT: Self = Self {
        existence: Existence::Vacant,
        key: FutexKey::Private { space: SpaceSlot(0), address: 0 },
        owner: Id::NOBODY,
        waiters: List::EMPTY,
        owned: Link::NONE,
    };
    fn is_vacant(&self) -> bool {
        self.existence == Existence::Vacant
    }
}
linked!(Mutex, Owned, owned);

/// How often a lock is tried while threads on other CPUs change the word.
const TURNS: u32 = 64;

impl Kernel {
    fn mutex_find(&self, owner: ThreadId, key: &FutexKey) -> Option<MutexId> {
        let owned = self.threads[owner].mutexes;
        owned.iter(&self.mutexes).find(|&id| self.mutexes[id].key == *key)
    }

    /// `SyncMutexLock`.
    pub(crate) fn mutex_lock(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
        flags: u32,
        deadline: u64,
    ) -> Result<Outcome, Errno> {
        let key = self.futex_key(m, t, address, flags)?;
        let place = Place { space: self.space(t), address };
        let tid = self.threads[t].tid;
        let mut word: u32 = self.load(m, place)?;
        // Bound: TURNS.
        for _ in 0..TURNS {
            let owner_tid = word & futex::TID_MASK;
            if owner_tid == tid {
                return Err(Errno::EDEADLK);
            }
            let owner = self.thread_by_tid(owner_tid);
            let wanted = match owner {
                _ if owner_tid == 0 => tid | word & futex::OWNER_DIED,
                Some(_) => word | futex::WAITERS,
                // It may have unlocked it and ended since the word was read.
                None => word,
            };
            let ready =
                owner.map(|owner| self.mutex_wait_at(m, t, (owner, &key), (deadline, flags)));
            let ready = ready.transpose()?;
            let found = self.memory.compare_exchange(m, place, word, wanted)?;
            if found != word {
                word = found;
                continue;
            }
            if owner_tid == 0 {
                return Ok(Outcome::DONE);
            }
            let (owner, at) = owner.zip(ready).ok_or(Errno::ESRCH)?;
            return self.mutex_wait(m, t, (owner, key), (address, at));
        }
        Err(Errno::EAGAIN)
    }

    /// When a wait for a mutex would end.
    ///
    /// # Errors
    /// What keeps the caller from waiting.
    fn mutex_wait_at(
        &self,
        m: &impl Machine,
        t: ThreadId,
        (owner, key): (ThreadId, &FutexKey),
        (deadline, flags): (u64, u32),
    ) -> Result<Limit, Errno> {
        self.may_wait(t)?;
        let (at, follows) = self.limit(m, deadline, flags);
        if at <= m.now() {
            return Err(Errno::ETIMEDOUT);
        }
        if self.mutex_find(owner, key).is_none() && !self.mutexes.has_room(1) {
            return Err(Errno::EAGAIN);
        }
        Ok((at, follows))
    }

    /// Waits for a mutex whose word says that somebody waits.
    fn mutex_wait(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        (owner, key): (ThreadId, FutexKey),
        (address, (at, follows)): (u64, Limit),
    ) -> Result<Outcome, Errno> {
        let known = self.mutex_find(owner, &key);
        let Some(mutex) = known.or_else(|| self.mutex_add(owner, key)) else {
            return Err(Errno::EAGAIN);
        };
        self.threads[t].arrival = self.arrive();
        self.transition(t, State::Mutex { mutex, address });
        let mut waiters = self.mutexes[mutex].waiters;
        waiters.insert_ordered(&mut self.threads, t, precedes);
        self.mutexes[mutex].waiters = waiters;
        self.start_waiting(m, t);
        self.deadline_point(t, at, follows);
        self.refresh(m, owner);
        Ok(Outcome::Blocked)
    }

    fn mutex_add(&mut self, owner: ThreadId, key: FutexKey) -> Option<MutexId> {
        let new = Mutex { existence: Existence::Exists, key, owner, ..Mutex::VACANT };
        let id = self.mutexes.insert(new)?;
        let mut owned = self.threads[owner].mutexes;
        owned.push_back(&mut self.mutexes, id);
        self.threads[owner].mutexes = owned;
        self.threads[owner].plain = Plain::NO;
        Some(id)
    }

    fn mutex_disown(&mut self, id: MutexId) {
        let owner = self.mutexes[id].owner;
        let mut owned = self.threads[owner].mutexes;
        owned.remove(&mut self.mutexes, id);
        self.threads[owner].mutexes = owned;
    }

    /// `SyncMutexUnlock`: hands the mutex to the most important waiter.
    pub(crate) fn mutex_unlock(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
        flags: u32,
    ) -> Result<Outcome, Errno> {
        let key = self.futex_key(m, t, address, flags)?;
        let place = Place { space: self.space(t), address };
        let word: u32 = self.load(m, place)?;
        if word & futex::TID_MASK != self.threads[t].tid {
            return Err(Errno::EPERM);
        }
        match self.mutex_find(t, &key) {
            None => self.memory.write(m, place, &0_u32.to_le_bytes())?,
            Some(id) => {
                self.mutex_hand_over(m, id, place, 0)?;
                self.refresh(m, t);
            }
        }
        Ok(Outcome::DONE)
    }

    /// Gives a contended mutex to its first waiter.
    fn mutex_hand_over(
        &mut self,
        m: &mut impl Machine,
        id: MutexId,
        place: Place,
        died: u32,
    ) -> Result<(), Errno> {
        let Some(next) = self.mutexes[id].waiters.first() else { return Ok(()) };
        let others = List::<Thread, Queue>::next(&self.threads, next).is_some();
        let flag = if others { futex::WAITERS } else { 0 };
        let word = self.threads[next].tid | flag | died;
        self.memory.write(m, place, &word.to_le_bytes())?;
        // Commit: nothing below fails.
        self.mutex_disown(id);
        self.mutexes[id].owner = next;
        let mut owned = self.threads[next].mutexes;
        owned.push_back(&mut self.mutexes, id);
        self.threads[next].mutexes = owned;
        self.threads[next].plain = Plain::NO;
        // The new owner leaves the queue; the object goes if it was the last.
        self.wake_with(m, next, Ok(0));
        Ok(())
    }

    /// Takes a waiter off a mutex.
    pub(crate) fn mutex_leave(&mut self, m: &mut impl Machine, t: ThreadId, id: MutexId) {
        let mut waiters = self.mutexes[id].waiters;
        waiters.remove(&mut self.threads, t);
        self.mutexes[id].waiters = waiters;
        self.transition(t, State::Running);
        let owner = self.mutexes[id].owner;
        if waiters.is_empty() {
            self.mutex_disown(id);
            self.mutexes.remove(id);
        }
        self.refresh(m, owner);
    }

    /// The owner ends: waiters of its mutexes get them, marked.
    // Bound: its contended mutexes.
    pub(crate) fn mutexes_abandon(&mut self, m: &mut impl Machine, t: ThreadId) {
        while let Some(id) = self.threads[t].mutexes.first() {
            self.mutex_inherit(m, id);
        }
    }

    /// Gives a dead owner's mutex to its first waiter, by the word as that waiter sees it. One that
    /// has unmapped the word meanwhile gets an error, and the next its turn.
    fn mutex_inherit(&mut self, m: &mut impl Machine, id: MutexId) {
        let Some(next) = self.mutexes[id].waiters.first() else { return };
        let State::Mutex { address, .. } = self.threads[next].state else { return };
        let place = Place { space: self.space(next), address };
        if self.mutex_hand_over(m, id, place, futex::OWNER_DIED).is_err() {
            self.wake_with(m, next, Err(Errno::EOWNERDEAD));
        }
    }

    /// The owner of a mutex on a robust list is about to end (`thread_ctl::OWNER_DIED`).
    ///
    /// # Errors
    /// EFAULT, EINVAL for a bad address.
    // Bound: one turn for each time that another CPU's thread changes the word.
    pub(crate) fn mutex_owner_died(
        &mut self,
        m: &mut impl Machine,
        owner: ThreadId,
        address: u64,
    ) -> Result<(), Errno> {
        let private = self.futex_key(m, owner, address, 0)?;
        let shared = self.futex_key(m, owner, address, futex::SHARED)?;
        let place = Place { space: self.space(owner), address };
        let mut word: u32 = self.load(m, place)?;
        if word & futex::TID_MASK == 0 {
            // It was unlocked, and nobody may have been told yet.
            self.wake_one(m, &private, &shared);
            return Ok(());
        }
        if word & futex::TID_MASK != self.threads[owner].tid {
            return Ok(());
        }
        let known = self.mutex_find(owner, &private).or_else(|| self.mutex_find(owner, &shared));
        if let Some(id) = known {
            self.mutex_inherit(m, id);
            return Ok(());
        }
        loop {
            let marked = word & futex::WAITERS | futex::OWNER_DIED;
            let found = self.memory.compare_exchange(m, place, word, marked)?;
            if found == word {
                break;
            }
            // A waiter has said that it waits.
            word = found;
        }
        if word & futex::WAITERS != 0 {
            self.wake_one(m, &private, &shared);
        }
        Ok(())
    }

    /// Wakes a waiter on a word. Nothing says whether waiters share it with other processes.
    fn wake_one(&mut self, m: &mut impl Machine, private: &FutexKey, shared: &FutexKey) {
        let woken = self.futex_wake_key(m, private, 1, futex::ANY);
        if private != shared && woken == 0 {
            self.futex_wake_key(m, shared, 1, futex::ANY);
        }
    }
}
