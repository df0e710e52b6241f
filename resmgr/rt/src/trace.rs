//! Tracing what the kernel does.

use crate::sys::{self, address_of_mut, pure};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::trace::{READ_MAX, Record, TraceStatus, command};

fn event(command: u32, first: u64, second: u64, third: u64) -> Result<i64, Errno> {
    // Commands that write memory are made below.
    pure(Call::TraceEvent { command, first, second, third })
}

/// Starts to trace classes of events, in a mode of [`neutrino_abi::trace::mode`].
///
/// # Errors
/// EPERM, EINVAL; EBUSY: it is on.
pub fn start(classes: u32, mode: u64) -> Result<(), Errno> {
    event(command::START, classes.into(), mode, 0).map(drop)
}

/// Ends tracing.
///
/// # Errors
/// EPERM.
pub fn stop() -> Result<(), Errno> {
    event(command::STOP, 0, 0, 0).map(drop)
}

/// Traces these classes from now on.
///
/// # Errors
/// EPERM; EINVAL: nothing is traced.
pub fn set_classes(classes: u32) -> Result<(), Errno> {
    event(command::CLASSES, classes.into(), 0, 0).map(drop)
}

/// What is traced, and how much waits to be read.
///
/// # Errors
/// ENOSYS on the host.
pub fn status() -> Result<TraceStatus, Errno> {
    let mut status = TraceStatus::default();
    let first = address_of_mut(&mut status);
    let call = Call::TraceEvent { command: command::QUERY, first, second: 0, third: 0 };
    // SAFETY: the only memory written is `status`, borrowed mutably for the whole call.
    unsafe { sys::call(call) }.map(|_| status)
}

/// Takes records out of a CPU's ring; returns how many.
///
/// # Errors
/// EPERM, EINVAL.
pub fn read(cpu: u32, into: &mut [Record; READ_MAX]) -> Result<usize, Errno> {
    let (second, third) = (address_of_mut(into), READ_MAX as u64);
    let call = Call::TraceEvent { command: command::READ, first: cpu.into(), second, third };
    // SAFETY: the only memory written is `into`, borrowed mutably for the whole call.
    let count = unsafe { sys::call(call) }?;
    usize::try_from(count).map_err(|_| Errno::EIO)
}

/// Notes the processes and threads that there are.
///
/// # Errors
/// EPERM.
// Bound: the kernel's threads.
pub fn describe() -> Result<(), Errno> {
    let mut place = 0;
    loop {
        place = event(command::DESCRIBE, place, 0, 0)?.cast_unsigned();
        if place == 0 {
            return Ok(());
        }
    }
}

/// Makes the caller the logger, or no more.
///
/// # Errors
/// EPERM; EBUSY: another thread is.
pub fn set_logger(role: Logger) -> Result<(), Errno> {
    event(command::LOGGER, role as u64, 0, 0).map(drop)
}

/// Whether a thread is the logger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logger {
    /// It is not.
    No = 0,
    /// It is: it waits by [`wait`].
    Yes = 1,
}

/// As the logger: waits until there is much to read, tracing ends, a signal comes, or the time is
/// up.
///
/// # Errors
/// EINTR, ETIMEDOUT.
pub fn wait(nanoseconds: u64) -> Result<(), Errno> {
    let states = 1 << neutrino_abi::info::state::INTR;
    pure(Call::TimerTimeout { states, time: nanoseconds, flags: 0 })?;
    pure(Call::InterruptWait { flags: 0 }).map(drop)
}

/// Inserts an event of the program's own (QNX: `trace_logi`).
///
/// # Errors
/// ENOSYS on the host.
pub fn insert(code: u16, words: (u64, u64)) -> Result<(), Errno> {
    event(command::INSERT, code.into(), words.0, words.1).map(drop)
}
