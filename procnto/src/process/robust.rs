//! Robust mutexes of threads that end with their process: what they still hold is marked, so that
//! the next owner learns of it (Linux: `set_robust_list`).
//!
//! Called on the one way out of a program, exit and exec alike, while its memory is still there and
//! its threads run no more (or, for an exec, are about to be ended).

use crate::system::System;
use neutrino_abi::Errno;

/// Most mutexes of one list (Linux: `ROBUST_LIST_LIMIT`).
const LENGTH_MAX: u32 = 2048;

/// Marks what the threads of a process hold.
pub fn release(system: &impl System, process: u32) {
    let mut tid = 0;
    // Bound: the threads of the process.
    while let Ok(thread) = system.thread_info(process, tid) {
        if thread.robust_list != 0 {
            // A list that cannot be read ends there, as on Linux.
            let _read = release_list(system, (process, thread.tid), thread.robust_list);
        }
        let Some(next) = thread.tid.checked_add(1) else { return };
        tid = next;
    }
}

fn release_list(system: &impl System, owner: (u32, u32), head: u64) -> Result<(), Errno> {
    let space = system.space_of(owner.0)?;
    let walked = walk(system, owner, space, head);
    system.close(space);
    walked
}

/// The list: a ring of entries that starts and ends at the head; behind the head's link the
/// distance from an entry to its word, and the entry that was being locked or unlocked. Bit 0 of a
/// link says that the mutex inherits priorities, which the kernel knows better.
fn walk(
    system: &impl System,
    (process, tid): (u32, u32),
    space: u32,
    head: u64,
) -> Result<(), Errno> {
    let [first, distance, under_way]: [u64; 3] = words(system, space, head)?;
    let mark = |entry: u64| {
        // A word that cannot be written is the program's own loss, and only its.
        let _marked = system.owner_died(process, tid, (entry & !1).wrapping_add(distance));
    };
    let mut entry = first & !1;
    for _ in 0..LENGTH_MAX {
        if entry == head {
            break;
        }
        // Before the mark: the next owner may unlink the entry.
        let next = words::<1>(system, space, entry);
        if entry != under_way & !1 {
            mark(entry);
        }
        match next {
            Ok([next]) => entry = next & !1,
            Err(_) => break,
        }
    }
    if under_way != 0 {
        mark(under_way);
    }
    Ok(())
}

fn words<const N: usize>(
    system: &impl System,
    space: u32,
    address: u64,
) -> Result<[u64; N], Errno> {
    let mut found = [0; N];
    for (word, at) in found.iter_mut().zip((address..).step_by(8)) {
        let mut bytes = [0; 8];
        if system.space_read(space, at, &mut bytes)? != bytes.len() {
            return Err(Errno::EFAULT);
        }
        *word = u64::from_le_bytes(bytes);
    }
    Ok(found)
}
