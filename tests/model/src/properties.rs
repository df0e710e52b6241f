//! What must hold after a step, beside the kernel's own invariants. Nothing here asks a function of
//! the kernel that also decides: only plain views of its state.

use neutrino_core_explored::limits::THREADS;
use neutrino_core_explored::{Kernel, ThreadView, Waits};

/// What waits at a channel, by priority: a pulse (0) or the message of a thread.
pub(crate) type Waiting = Vec<(u8, u16)>;

/// Of all that wait at a channel and can be received: the most important.
pub(crate) fn next(kernel: &Kernel, channel: u16, is_bad: impl Fn(u16) -> bool) -> Waiting {
    let senders = kernel.view().filter(|t| t.waits == Waits::Send(channel) && !is_bad(t.slot));
    let pulses = kernel.pulses_at(channel).map(|(priority, _)| (priority, 0));
    let all: Waiting = senders.map(|t| (t.effective, t.slot)).chain(pulses).collect();
    let most = all.iter().map(|(priority, _)| *priority).max();
    all.into_iter().filter(|(priority, _)| Some(*priority) == most).collect()
}

/// Whether a receive took one of these.
///
/// # Errors
/// It did not.
pub(crate) fn received(next: &Waiting, result: Option<i64>, kernel: &Kernel) -> Result<(), String> {
    let waits = |client: u16| {
        let mut threads = kernel.view();
        threads.any(|t| t.slot == client && matches!(t.waits, Waits::Reply { .. }))
    };
    let fits = match result {
        None => next.is_empty(),
        Some(..0) => true,
        Some(rcvid) => {
            let from = (rcvid.cast_unsigned() & 0xffff) as u16;
            next.iter().any(|(_, slot)| *slot == from) && (from == 0 || waits(from))
        }
    };
    if fits { Ok(()) } else { Err(format!("a receive gave {result:?} and not one of {next:?}")) }
}

/// Properties of a state.
///
/// # Errors
/// The one that does not hold.
pub(crate) fn state(kernel: &Kernel) -> Result<(), String> {
    let mut threads = [None; THREADS];
    kernel.view().for_each(|t| threads[usize::from(t.slot)] = Some(t));
    no_wait_for_the_dead(kernel, &threads)?;
    priorities(kernel, &threads)
}

type Threads = [Option<ThreadView>; THREADS];

fn no_wait_for_the_dead(kernel: &Kernel, threads: &Threads) -> Result<(), String> {
    let lives = |slot: u16| threads[usize::from(slot)].is_some();
    for thread in threads.iter().flatten() {
        let holds = match thread.waits {
            Waits::Nothing | Waits::Stopped | Waits::Else => true,
            Waits::Send(channel) | Waits::Receive(channel) => kernel.has_channel(channel),
            Waits::Reply { channel, server, .. } => {
                kernel.has_channel(channel) && (server == 0 || lives(server))
            }
            Waits::Mutex(owner) => lives(owner),
        };
        if !holds {
            return Err(format!("thread {} waits for what is gone", thread.slot));
        }
    }
    Ok(())
}

/// A thread's priority is the smallest solution of its definition: what it is given by the client
/// that it works for, or else kept from the last one, or else its own, and no less than that of
/// anybody who waits for it: a mutex, or its turn at the channel where it serves.
fn priorities(kernel: &Kernel, threads: &Threads) -> Result<(), String> {
    let mut solution = [0_u8; THREADS];
    let mut queued = [0_u8; THREADS];
    for thread in threads.iter().flatten().filter(|t| t.serves != 0) {
        let is_waiting = matches!(thread.waits, Waits::Receive(_));
        let most = kernel.pulses_at(thread.serves).map(|(priority, _)| priority).max();
        queued[usize::from(thread.slot)] = most.filter(|_| !is_waiting).unwrap_or(0);
    }
    loop {
        let before = solution;
        for thread in threads.iter().flatten() {
            let at = usize::from(thread.slot);
            solution[at] = definition(thread, threads, &before).max(queued[at]);
        }
        if solution == before {
            break;
        }
    }
    for thread in threads.iter().flatten() {
        let wanted = solution[usize::from(thread.slot)];
        if wanted != thread.effective {
            let (slot, runs) = (thread.slot, thread.effective);
            return Err(format!("thread {slot} runs at {runs}, its definition says {wanted}"));
        }
    }
    Ok(())
}

fn definition(thread: &ThreadView, threads: &Threads, now: &[u8; THREADS]) -> u8 {
    let mut given = None;
    let mut raised = 0;
    let serves = !matches!(thread.waits, Waits::Receive(_));
    for other in threads.iter().flatten() {
        let theirs = now[usize::from(other.slot)];
        match other.waits {
            Waits::Reply { server, .. } if server == thread.slot => given = Some(theirs),
            Waits::Mutex(owner) if owner == thread.slot => raised = raised.max(theirs),
            Waits::Send(channel) if serves && channel == thread.serves => {
                raised = raised.max(theirs);
            }
            Waits::Nothing | Waits::Stopped | Waits::Else => {}
            Waits::Send(_) | Waits::Receive(_) | Waits::Reply { .. } | Waits::Mutex(_) => {}
        }
    }
    given.or(thread.inherited).unwrap_or(thread.base).max(raised)
}
