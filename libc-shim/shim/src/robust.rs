//! Robust mutexes: what a thread that ends still holds is marked, and a waiter woken, so that the
//! next owner learns of it (Linux: `set_robust_list`).
//!
//! This is for a thread that ends before its process; the rest is the process manager's, which
//! knows of the list, too, and walks it whatever ends the process.

use crate::copy;
use crate::dispatch::Caller;
use crate::sys::{self, Errno};
use neutrino_abi::calls::futex;

/// Most mutexes of one list (Linux: `ROBUST_LIST_LIMIT`).
const LENGTH_MAX: u32 = 2048;

/// Marks the mutexes on the caller's list.
pub(crate) fn release(caller: &Caller<'_>) {
    let head = caller.thread.robust_list.replace(0);
    if head != 0 {
        // A list that cannot be read ends here, as on Linux.
        let _read = walk(head, caller.tid());
    }
}

/// The list: a ring of entries that starts and ends at the head; behind the head's link the
/// distance from an entry to its word, and the entry that is being locked or unlocked.
fn walk(head: u64, tid: u32) -> Result<(), Errno> {
    let [first, distance, under_way]: [u64; 3] = copy::read(head)?;
    let mut entry = first & !1;
    for _ in 0..LENGTH_MAX {
        if entry == head {
            break;
        }
        // Before the mark: the next owner may unlink the entry.
        let next: u64 = copy::read(entry)?;
        if entry != under_way & !1 {
            mark(entry.wrapping_add(distance), tid)?;
        }
        entry = next & !1;
    }
    if under_way == 0 { Ok(()) } else { mark((under_way & !1).wrapping_add(distance), tid) }
}

/// Marks a word, if the thread owns it.
fn mark(word: u64, tid: u32) -> Result<(), Errno> {
    loop {
        let value: u32 = copy::read(word)?;
        if value & futex::TID_MASK != tid {
            return Ok(());
        }
        if copy::exchange(word, value, value & futex::WAITERS | futex::OWNER_DIED)? != value {
            continue;
        }
        if value & futex::WAITERS != 0 {
            // Nothing says whether the waiters share the word with other processes.
            for flags in [0, futex::SHARED] {
                let _woken = sys::futex_wake(word, 1, flags, futex::ANY);
            }
        }
        return Ok(());
    }
}
