//! Advisory locks on ranges of files: who holds which, who waits. POSIX record locks belong to a
//! process, `flock` locks to an open file, and the two kinds do not see each other.
//!
//! The crate knows no messages: both frameworks, Rust's and C's, ask it and answer their clients.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;

/// Who holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A process (`fcntl`).
    Process(u32),
    /// An open file (`flock`).
    OpenFile(u64),
}

/// Whether others may hold the same range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Others that share it, too.
    Shared,
    /// Nobody.
    Exclusive,
}

/// A lock that somebody holds, or wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The file.
    pub node: u64,
    /// Whose it is.
    pub owner: Owner,
    /// The open file that it was set through: its close releases it.
    pub badge: u64,
    /// Whether others may hold it.
    pub sharing: Sharing,
    /// First byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
}

impl Held {
    /// Length in bytes, 0 if it reaches to the end of all files (`l_len`).
    #[must_use]
    pub const fn length(&self) -> u64 {
        if self.end == u64::MAX { 0 } else { self.end.saturating_sub(self.start) }
    }

    /// The process, if it is a record lock.
    #[must_use]
    pub const fn process(&self) -> Option<u32> {
        match self.owner {
            Owner::Process(pid) => Some(pid),
            Owner::OpenFile(_) => None,
        }
    }

    fn conflicts_with(&self, other: &Self) -> bool {
        let same_kind = matches!(
            (self.owner, other.owner),
            (Owner::Process(_), Owner::Process(_)) | (Owner::OpenFile(_), Owner::OpenFile(_))
        );
        let is_exclusive =
            self.sharing == Sharing::Exclusive || other.sharing == Sharing::Exclusive;
        same_kind
            && self.node == other.node
            && self.owner != other.owner
            && is_exclusive
            && self.start < other.end
            && other.start < self.end
    }
}

/// The bytes from `start` to behind `end` that a request names: `start` counts from `base`, and a
/// `length` of 0 reaches to the end of all files, a negative one before the start. `None`: outside.
#[must_use]
pub fn range(base: u64, start: i64, length: i64) -> Option<(u64, u64)> {
    let from = base.checked_add_signed(start)?;
    match length {
        0 => Some((from, u64::MAX)),
        1.. => Some((from, from.saturating_add(length.unsigned_abs()))),
        _ => Some((from.checked_sub(length.unsigned_abs())?, from)),
    }
}

/// The locks of a server, and the clients that wait for one, by receive id.
#[derive(Debug, Default)]
pub struct Locks {
    held: Vec<Held>,
    waiting: Vec<(u64, Held)>,
}

impl Locks {
    /// A lock that stands in the way.
    #[must_use]
    pub fn conflict(&self, wanted: &Held) -> Option<&Held> {
        self.held.iter().find(|held| held.conflicts_with(wanted))
    }

    /// Whether nothing is held or waited for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.held.is_empty() && self.waiting.is_empty()
    }

    /// Those that are held.
    pub fn iter(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    /// Sets a lock in place of what its owner held there; one that another holds is not set, and
    /// `false`.
    pub fn set(&mut self, wanted: &Held) -> bool {
        if self.conflict(wanted).is_some() {
            return false;
        }
        self.clear(wanted);
        self.held.push(*wanted);
        true
    }

    /// Notes a client that waits for a lock.
    pub fn wait(&mut self, client: u64, wanted: &Held) {
        self.waiting.push((client, *wanted));
    }

    /// Takes the owner's locks out of a range, splitting those that reach beyond it.
    pub fn clear(&mut self, range: &Held) {
        let mut kept = Vec::with_capacity(self.held.len().saturating_add(1));
        for held in self.held.drain(..) {
            let is_apart = held.end <= range.start || range.end <= held.start;
            if held.node != range.node || held.owner != range.owner || is_apart {
                kept.push(held);
                continue;
            }
            if held.start < range.start {
                kept.push(Held { end: range.start, ..held });
            }
            if range.end < held.end {
                kept.push(Held { start: range.end, ..held });
            }
        }
        self.held = kept;
    }

    /// Gives waiting clients what has become free, in their order; `answer` tells them, or that they
    /// have gone.
    pub fn wake(&mut self, mut answer: impl FnMut(u64) -> bool) {
        let mut index = 0_usize;
        while let Some((client, wanted)) = self.waiting.get(index).copied() {
            if self.conflict(&wanted).is_some() {
                index = index.saturating_add(1);
                continue;
            }
            self.waiting.remove(index);
            if answer(client) {
                self.set(&wanted);
            }
        }
    }

    /// An open file is closed: its locks go.
    pub fn release(&mut self, node: u64, badge: u64) {
        self.held.retain(|held| held.node != node || held.badge != badge);
    }

    /// A client waits no more; whether it did.
    pub fn cancel(&mut self, client: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(other, _)| *other != client);
        self.waiting.len() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pid: u32, sharing: Sharing, start: u64, end: u64) -> Held {
        Held { node: 1, owner: Owner::Process(pid), badge: u64::from(pid), sharing, start, end }
    }

    #[test]
    fn one_writer_keeps_others_out_of_its_range_only() {
        let mut locks = Locks::default();
        assert!(locks.set(&record(1, Sharing::Exclusive, 10, 20)));
        assert!(!locks.set(&record(2, Sharing::Shared, 19, 30)));
        assert!(locks.set(&record(2, Sharing::Shared, 20, 30)));
    }

    #[test]
    fn unlocking_the_middle_leaves_both_ends() {
        let mut locks = Locks::default();
        assert!(locks.set(&record(1, Sharing::Exclusive, 0, 30)));
        locks.clear(&record(1, Sharing::Exclusive, 10, 20));
        assert!(locks.set(&record(2, Sharing::Exclusive, 10, 20)));
        assert!(!locks.set(&record(2, Sharing::Exclusive, 9, 10)));
        assert!(!locks.set(&record(2, Sharing::Exclusive, 20, 21)));
    }

    #[test]
    fn who_waits_gets_the_lock_when_its_holder_closes() {
        let mut locks = Locks::default();
        assert!(locks.set(&record(1, Sharing::Exclusive, 0, u64::MAX)));
        locks.wait(77, &record(2, Sharing::Exclusive, 0, 5));
        locks.release(1, 1);
        let mut woken = Vec::new();
        locks.wake(|client| {
            woken.push(client);
            true
        });
        assert_eq!(woken, [77]);
        assert!(!locks.set(&record(1, Sharing::Shared, 4, 5)));
        assert!(!locks.cancel(77));
    }

    #[test]
    fn record_locks_and_whole_file_locks_do_not_see_each_other() {
        let mut locks = Locks::default();
        assert!(locks.set(&record(1, Sharing::Exclusive, 0, u64::MAX)));
        let owner = Owner::OpenFile(9);
        let whole = Held { owner, ..record(2, Sharing::Exclusive, 0, u64::MAX) };
        assert!(locks.set(&whole));
    }

    #[test]
    fn a_negative_length_is_before_the_start() {
        assert_eq!(range(10, 5, -5), Some((10, 15)));
        assert_eq!(range(10, -20, 1), None);
        assert_eq!(range(0, 3, 0), Some((3, u64::MAX)));
        assert_eq!(range(0, 3, -4), None);
    }
}
