//! Futexes: waiting on words of user memory.

use neutrino_abi::Errno;
use neutrino_abi::calls::futex;
use neutrino_abi::time::FOREVER;

use crate::Kernel;
use crate::call::Outcome;
use crate::limits::FUTEX_BUCKETS;
use crate::list::List;
use crate::machine::{Machine, Place};
use crate::memory::FutexKey;
use crate::thread::{Meaning, Queue, State, Thread, ThreadId, precedes};
use crate::time::deadline::Follows;

/// The bucket of a key.
fn bucket(key: &FutexKey) -> usize {
    let word = match *key {
        FutexKey::Private { space, address } => address.wrapping_add(u64::from(space.0)),
        FutexKey::Shared { object, offset } => offset.wrapping_add(u64::from(object.0)),
    };
    let mixed = word.wrapping_shr(2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed.wrapping_shr(56)).unwrap_or(0) % FUTEX_BUCKETS
}

/// What a waiter asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) address: u64,
    pub(crate) expected: u32,
    pub(crate) flags: u32,
    pub(crate) deadline: u64,
    pub(crate) bitset: u32,
}

/// What a waker asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requeue {
    pub(crate) wake: u32,
    pub(crate) requeue: u32,
    pub(crate) target: u64,
    pub(crate) expected: u32,
    pub(crate) flags: u32,
}

impl Kernel {
    pub(crate) fn futex_key(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
        flags: u32,
    ) -> Result<FutexKey, Errno> {
        let place = Place { space: self.space(t), address };
        self.memory.futex_key(m, place, flags & futex::SHARED != 0)
    }

    fn queue_of(&mut self, key: &FutexKey) -> &mut List<Thread, Queue> {
        let index = bucket(key);
        let [head, rest @ ..] = &mut self.futexes;
        match index.checked_sub(1) {
            Some(index) => rest.get_mut(index).unwrap_or(head),
            None => head,
        }
    }

    /// `FutexWait`.
    pub(crate) fn futex_wait(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        wanted: &Wait,
    ) -> Result<Outcome, Errno> {
        let Wait { flags, deadline, bitset, .. } = *wanted;
        let key = self.futex_waitable(m, t, wanted)?;
        let (at, follows) = self.limit(m, deadline, flags);
        if at <= m.now() {
            return Err(Errno::ETIMEDOUT);
        }
        let meaning = match (flags & futex::SEM != 0, flags & futex::JOIN != 0) {
            (false, false) => Meaning::Condition,
            (true, _) => Meaning::Semaphore,
            (false, true) => Meaning::Join,
        };
        self.futex_block(m, t, State::Futex { key, bitset, meaning }, key);
        self.deadline_point(t, at, follows);
        Ok(Outcome::Blocked)
    }

    /// Whether a thread may wait on a word: it holds the value, and no signal is deliverable.
    fn futex_waitable(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        wanted: &Wait,
    ) -> Result<FutexKey, Errno> {
        let Wait { address, expected, flags, bitset, .. } = *wanted;
        if bitset == 0 {
            return Err(Errno::EINVAL);
        }
        let key = self.futex_key(m, t, address, flags)?;
        let word: u32 = self.load(m, Place { space: self.space(t), address })?;
        if word != expected {
            return Err(Errno::EAGAIN);
        }
        self.may_wait(t)?;
        Ok(key)
    }

    /// `SyncCondvarWait`.
    pub(crate) fn condvar_wait(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        wanted: &Wait,
        mutex: (u64, u32),
    ) -> Result<Outcome, Errno> {
        let key = self.futex_waitable(m, t, wanted)?;
        // The last that can fail; nothing has changed if it does.
        self.mutex_unlock(m, t, mutex.0, mutex.1)?;
        let meaning = Meaning::Condition;
        self.futex_block(m, t, State::Futex { key, bitset: wanted.bitset, meaning }, key);
        Ok(Outcome::Blocked)
    }

    fn futex_block(&mut self, m: &mut impl Machine, t: ThreadId, state: State, key: FutexKey) {
        self.threads[t].arrival = self.arrive();
        self.transition(t, state);
        self.futex_enter(t, &key);
        self.start_waiting(m, t);
    }

    /// Puts a waiter on its bucket.
    pub(crate) fn futex_enter(&mut self, t: ThreadId, key: &FutexKey) {
        let mut queue = *self.queue_of(key);
        queue.insert_ordered(&mut self.threads, t, precedes);
        *self.queue_of(key) = queue;
    }

    /// The end of a wait of which `futex` flags say by which clock.
    pub(crate) fn limit(&self, m: &impl Machine, deadline: u64, flags: u32) -> (u64, Follows) {
        let is_realtime = flags & futex::REALTIME != 0;
        let follows = if is_realtime { Follows::Realtime } else { Follows::Nothing };
        (self.point(m, deadline, is_realtime), follows)
    }

    /// A point on the monotonic clock.
    pub(crate) fn point(&self, m: &impl Machine, deadline: u64, is_realtime: bool) -> u64 {
        if deadline == FOREVER || !is_realtime {
            return deadline;
        }
        deadline.saturating_sub(m.time().realtime_offset.max(0).cast_unsigned())
    }

    /// Takes a waiter off its bucket.
    pub(crate) fn futex_leave(&mut self, t: ThreadId, key: &FutexKey) {
        let mut queue = *self.queue_of(key);
        queue.remove(&mut self.threads, t);
        *self.queue_of(key) = queue;
    }

    /// The first waiter on a word that takes a wake-up.
    // Bound: the waiters in a bucket.
    fn futex_waiter(&mut self, key: &FutexKey, bits: u32) -> Option<ThreadId> {
        let queue = *self.queue_of(key);
        queue.iter(&self.threads).find(|&id| {
            matches!(&self.threads[id].state, State::Futex { key: own, bitset, .. }
                if own == key && bitset & bits != 0)
        })
    }

    /// Wakes up to `count` waiters.
    pub(crate) fn futex_wake_key(
        &mut self,
        m: &mut impl Machine,
        key: &FutexKey,
        count: u32,
        bits: u32,
    ) -> u32 {
        let mut woken = 0_u32;
        while woken < count {
            let Some(waiter) = self.futex_waiter(key, bits) else { break };
            self.wake_with(m, waiter, Ok(0));
            woken = woken.wrapping_add(1);
        }
        woken
    }

    /// `FutexWake`.
    pub(crate) fn futex_wake(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        wanted: (u64, u32),
        flags: u32,
        bitset: u32,
    ) -> Result<Outcome, Errno> {
        let (address, count) = wanted;
        if bitset == 0 {
            return Err(Errno::EINVAL);
        }
        let key = self.futex_key(m, t, address, flags)?;
        Ok(Outcome::value(self.futex_wake_key(m, &key, count, bitset)))
    }

    /// `FutexRequeue`.
    pub(crate) fn futex_requeue(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
        wanted: &Requeue,
    ) -> Result<Outcome, Errno> {
        let from = self.futex_key(m, t, address, wanted.flags)?;
        let to = self.futex_key(m, t, wanted.target, wanted.flags)?;
        if wanted.flags & futex::COMPARE != 0 {
            let word: u32 = self.load(m, Place { space: self.space(t), address })?;
            if word != wanted.expected {
                return Err(Errno::EAGAIN);
            }
        }
        let woken = self.futex_wake_key(m, &from, wanted.wake, futex::ANY);
        let mut moved = 0_u32;
        while from != to && moved < wanted.requeue {
            let Some(waiter) = self.futex_waiter(&from, futex::ANY) else { break };
            let State::Futex { bitset, meaning, .. } = self.threads[waiter].state else { break };
            self.futex_leave(waiter, &from);
            self.transition(waiter, State::Futex { key: to, bitset, meaning });
            self.futex_enter(waiter, &to);
            moved = moved.wrapping_add(1);
        }
        Ok(Outcome::value(woken.wrapping_add(moved)))
    }
}
