//! How long it takes until another thread runs, for `kernbench`: from what wakes it to its first
//! look at the clock.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use neutrino_rt::interrupt::{self, Interrupt};
use neutrino_rt::lock::{self, Lock, Protocol};
use neutrino_rt::port::IoPort;
use neutrino_rt::{Errno, clock, println, thread};

/// How often each is measured.
pub const ROUNDS: usize = 101;
/// `SCHED_FIFO`.
pub const FIFO: u32 = 1;
const LOW: u8 = 12;
const HIGH: u8 = 20;

/// The parallel port that `cargo xtask bench` adds.
const PORT: u16 = 0x378;
const LINE: u32 = 7;
const DATA: u16 = 0;
const STATUS: u16 = 1;
const CONTROL: u16 = 2;
/// Selected, not in reset, interrupts on: each further write without a strobe is one.
const INTERRUPTING: u8 = 0x1c;

/// The middle of many figures.
#[must_use]
pub fn middle(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// What reading the clock twice takes.
#[must_use]
pub fn clock_cost() -> u64 {
    let once = || {
        let start = clock::ticks();
        clock::ticks().wrapping_sub(start)
    };
    middle((0..ROUNDS).map(|_| once()).collect())
}

/// Prints the median of what `once` measures, without what reading the clock costs.
///
/// # Errors
/// What `once` gives.
pub fn print(name: &str, mut once: impl FnMut() -> Result<u64, Errno>) -> Result<(), Errno> {
    let figures: Result<Vec<u64>, Errno> = (0..ROUNDS).map(|_| once()).collect();
    println!("{name} {}", middle(figures?).saturating_sub(clock_cost()));
    Ok(())
}

/// Locks, threads of one process, interrupts and time.
///
/// # Errors
/// What threads cannot be had for.
pub fn measure() -> Result<(), Errno> {
    thread::set_priority(FIFO, LOW)?;
    uncontended()?;
    contended()?;
    yield_to_thread()?;
    from_interrupt()?;
    late()
}

fn uncontended() -> Result<(), Errno> {
    let lock = Lock::new(Protocol::Inherit);
    print("lock_uncontended", || {
        let start = clock::ticks();
        lock.lock()?;
        lock.unlock()?;
        Ok(clock::ticks().wrapping_sub(start))
    })
}

/// What two threads share.
struct Pair {
    lock: Lock,
    /// Counts the rounds; odd when the measuring side wants the other to begin.
    turn: AtomicU32,
    /// When the other ran.
    seen: AtomicU64,
}

impl Pair {
    fn new() -> Arc<Self> {
        let lock = Lock::new(Protocol::Inherit);
        Arc::new(Self { lock, turn: AtomicU32::new(0), seen: AtomicU64::new(0) })
    }

    fn now(&self) {
        self.seen.store(clock::ticks(), Ordering::Relaxed);
    }
}

/// From the unlock of a boosted owner to the thread that waited.
fn contended() -> Result<(), Errno> {
    let pair = Pair::new();
    let other = Arc::clone(&pair);
    let waiter = move || {
        let mut turn = 0;
        while thread::set_priority(FIFO, HIGH).is_ok() {
            let _changed_before = lock::wait(&other.turn, turn, neutrino_rt::abi::time::FOREVER);
            turn = other.turn.load(Ordering::Relaxed);
            let locked = other.lock.lock();
            other.now();
            if locked.and_then(|()| other.lock.unlock()).is_err() {
                break;
            }
        }
    };
    let tid = thread::spawn(waiter)?;
    thread::set_priority_of(tid, FIFO, HIGH)?;
    print("lock_handover", || {
        pair.lock.lock()?;
        pair.turn.fetch_add(1, Ordering::Relaxed);
        lock::wake(&pair.turn, 1);
        let start = clock::ticks();
        pair.lock.unlock()?;
        Ok(pair.seen.load(Ordering::Relaxed).wrapping_sub(start))
    })?;
    thread::end(tid)
}

fn yield_to_thread() -> Result<(), Errno> {
    let pair = Pair::new();
    let other = Arc::clone(&pair);
    let partner = move || {
        while other.turn.load(Ordering::Relaxed) == 0 {
            other.now();
            thread::give_way();
        }
    };
    let tid = thread::spawn(partner)?;
    thread::set_priority_of(tid, FIFO, LOW)?;
    print("yield_thread", || {
        let start = clock::ticks();
        thread::give_way();
        Ok(pair.seen.load(Ordering::Relaxed).wrapping_sub(start))
    })?;
    pair.turn.store(1, Ordering::Relaxed);
    Ok(())
}

/// From a device's interrupt to the thread in `InterruptWait`. The device is made to interrupt by a
/// write in a kernel call, which it cannot interrupt; so what the same call takes that causes no
/// interrupt is not counted, and the rest begins where user code is interrupted.
fn from_interrupt() -> Result<(), Errno> {
    let port = Arc::new(IoPort::attach(PORT, 3)?);
    port.write_u8(DATA, 0x5a);
    if port.read_u8(DATA) != 0x5a {
        println!("interrupt unsupported");
        return Ok(());
    }
    port.write_u8(CONTROL, INTERRUPTING);
    let pair = Pair::new();
    let (other, device) = (Arc::clone(&pair), Arc::clone(&port));
    let handler = move || {
        let Ok(line) = Interrupt::attach_thread(LINE) else { return };
        while interrupt::wait().is_ok() {
            other.now();
            let _ends_the_interrupt = device.read_u8(STATUS);
            line.unmask();
        }
    };
    let tid = thread::spawn(handler)?;
    thread::set_priority_of(tid, FIFO, HIGH)?;
    let write = |register| {
        let start = clock::ticks();
        port.write_u8(register, INTERRUPTING);
        (start, clock::ticks())
    };
    let calls = (0..ROUNDS).map(|_| write(DATA)).map(|(start, end)| end.wrapping_sub(start));
    let call = middle(calls.collect()).saturating_sub(clock_cost());
    print("interrupt", || {
        let (start, _) = write(CONTROL);
        Ok(pair.seen.load(Ordering::Relaxed).wrapping_sub(start).saturating_sub(call))
    })?;
    thread::end(tid)
}

/// How late an idle system lets a sleeper run.
fn late() -> Result<(), Errno> {
    print("timer_late", || {
        let deadline = clock::monotonic() + 100_000;
        clock::sleep_until(deadline);
        Ok(clock::monotonic().saturating_sub(deadline))
    })
}
