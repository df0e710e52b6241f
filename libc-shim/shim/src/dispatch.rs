//! From the assembly to the handler of a call and back, and what a call that a signal interrupted
//! ends with.

use crate::block::{Birth, Process, Restart, Scratch, Space, Thread};
use crate::copy;
use crate::entry;
use crate::frame;
use crate::sys::{self, Errno, Outcome, Short, ShortReply};
use crate::table::{self, Row, Support};
use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;
use neutrino_abi::message::{Iov, SendExtra, WORDS_BYTES};
use neutrino_abi::signal::{Registers, how};

/// The arguments of a Linux call, in order: rdi, rsi, rdx, r10, r8, r9.
pub(crate) type Args = [u64; 6];

/// The thread that makes a call, and all that a handler may use.
pub(crate) struct Caller<'a> {
    pub(crate) thread: &'a Thread,
    pub(crate) process: &'a Process,
    pub(crate) scratch: &'a mut Scratch,
    /// The program's registers, at the call.
    pub(crate) frame: &'a mut Registers,
    /// What becomes of the call if a signal interrupts it.
    pub(crate) restart: Restart,
}

impl Caller<'_> {
    /// Makes a kernel call that a signal may interrupt: again, if there is no handler to call.
    ///
    /// # Errors
    /// EINTR: a handler is to be called; and what the call gives.
    pub(crate) fn interruptible(&self, mut call: impl FnMut() -> Outcome) -> Outcome {
        loop {
            match call() {
                Err(Errno::EINTR | Errno::ERESTART) => {
                    if frame::take_signal(self.thread, self.process) {
                        return Err(Errno::EINTR);
                    }
                }
                other => return other,
            }
        }
    }

    /// After a kernel call that a signal ended: whether there is a handler to call.
    pub(crate) fn is_interrupted(&self) -> bool {
        frame::take_signal(self.thread, self.process)
    }

    /// Sends a message and waits for the reply; returns its status.
    ///
    /// # Errors
    /// EINTR: a handler is to be called. EIO: the server is gone. What the server answers.
    pub(crate) fn send(
        &self,
        coid: u32,
        message: &[Iov],
        reply: &[Iov],
        extra: Option<&SendExtra>,
    ) -> Outcome {
        match self.interruptible(|| sys::msg_send(coid, message, reply, extra)) {
            Err(Errno::ESRCH) if coid != neutrino_abi::handle::SYSMGR_COID => Err(Errno::EIO),
            other => other,
        }
    }

    /// As [`Caller::send`], for a message in registers; the reply goes to the memory of the program
    /// or the caller that `reply` names.
    ///
    /// # Errors
    /// As [`Caller::send`]; EFAULT.
    #[inline]
    pub(crate) fn send_short(&self, coid: u32, message: &Short, reply: Iov) -> Outcome {
        let reply = Iov { length: reply.length.min(u64::from(u32::MAX)), ..reply };
        let answer = sys::msg_send_short(coid, message, reply);
        match answer.outcome {
            Ok(status) => take_words(&answer, reply).map(|()| status),
            Err(error) => self.send_short_again(coid, message, reply, error),
        }
    }

    /// A send in registers did not succeed: it is made again if a signal interrupted it that has no
    /// handler to call.
    #[cold]
    #[inline(never)]
    fn send_short_again(&self, coid: u32, message: &Short, reply: Iov, error: Errno) -> Outcome {
        let mut error = error;
        while matches!(error, Errno::EINTR | Errno::ERESTART) {
            if frame::take_signal(self.thread, self.process) {
                return Err(Errno::EINTR);
            }
            let answer = sys::msg_send_short(coid, message, reply);
            match answer.outcome {
                Ok(status) => return take_words(&answer, reply).map(|()| status),
                Err(again) => error = again,
            }
        }
        let is_manager = coid == neutrino_abi::handle::SYSMGR_COID;
        Err(if error == Errno::ESRCH && !is_manager { Errno::EIO } else { error })
    }

    /// The thread's number.
    pub(crate) fn tid(&self) -> u32 {
        self.thread.tid.get()
    }
}

/// Carries out the call in `frame` and leaves its result there.
///
/// # Safety
/// - `registers` and `thread` are the frame and the block of the calling thread.
pub(crate) unsafe extern "C" fn shim_dispatch(registers: *mut Registers, thread: *const Thread) {
    // SAFETY: the entry passes the frame that it has just pushed.
    let registers = unsafe { &mut *registers };
    // SAFETY: GS leads to the thread's block, which lives as long as the thread.
    let thread = unsafe { &*thread };
    let process = thread.process();
    let number = registers.rax;
    thread.number.set(number);
    thread.restart.set(None);
    let arguments = arguments(registers);
    let row = table::find(number);
    // SAFETY: this is the thread, and nothing else of it runs.
    let scratch = unsafe { thread.scratch() };
    let restart = row.map_or(Restart::Never, |row| row.restart);
    let mut caller = Caller { thread, process, scratch, frame: registers, restart };
    let outcome = row.map_or(Err(Errno::ENOSYS), |row| (row.handler)(&mut caller, arguments));
    let restart = caller.restart;
    if process.trace > 0 {
        trace(process, number, row, &arguments, outcome);
    }
    registers.rax = match outcome {
        Ok(value) => value,
        Err(error) => error.to_result().cast_unsigned(),
    };
    if outcome == Err(Errno::EINTR) {
        thread.restart.set(Some(restart));
    }
    if thread.taken.get().is_some() {
        frame::deliver(thread, process, registers);
    }
}

/// Puts a reply that came in registers where there is room for it.
#[inline(always)]
fn take_words(answer: &ShortReply, reply: Iov) -> Result<(), Errno> {
    if reply.length == 0 || reply.length > WORDS_BYTES {
        return Ok(());
    }
    copy::write_words(reply.base, &answer.words, answer.length.min(reply.length))
}

const fn arguments(registers: &Registers) -> Args {
    [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9]
}

/// Calls the handlers of signals that became deliverable in the shim.
///
/// # Safety
/// - As [`shim_dispatch`].
pub(crate) unsafe extern "C" fn shim_deliver(registers: *mut Registers, thread: *const Thread) {
    // SAFETY: the way out passes the frame that it is about to load.
    let registers = unsafe { &mut *registers };
    // SAFETY: GS leads to the thread's block, which lives as long as the thread.
    let thread = unsafe { &*thread };
    frame::deliver(thread, thread.process(), registers);
}

/// Calls the handlers of signals that came while the program ran; comes back only if there is one.
///
/// # Safety
/// - As [`shim_dispatch`].
pub(crate) unsafe extern "C" fn shim_diverted(registers: *mut Registers, thread: *const Thread) {
    // SAFETY: the thread was outside the shim, so that the place of its frame is free.
    let registers = unsafe { &mut *registers };
    // SAFETY: GS leads to the thread's block, which lives as long as the thread.
    let thread = unsafe { &*thread };
    *registers = thread.take_diverted();
    thread.restart.set(None);
    if !frame::deliver(thread, thread.process(), registers) {
        let _failed = sys::signal_return(registers, sys::signal_mask());
    }
}

/// Prepares a new thread or process for the program.
///
/// # Safety
/// - As [`shim_dispatch`].
pub(crate) unsafe extern "C" fn shim_child_started(
    registers: *mut Registers,
    thread: *const Thread,
) {
    // SAFETY: the creator wrote the frame (fork: the copy of the parent's).
    let registers = unsafe { &mut *registers };
    // SAFETY: GS was given to the thread by its creator.
    let thread = unsafe { &*thread };
    let process = thread.process();
    let myself = sys::thread_self().unwrap_or(0);
    thread.tid.set(crate::block::low(myself));
    match thread.birth.get() {
        Birth::Program | Birth::Thread => {}
        Birth::Fork => {
            process.reset_lock();
            Space::get().keep_only(thread, process);
            process.alarm.store(0, Relaxed);
            process.has_locks.store(0, Relaxed);
            own_process(process, myself);
        }
        Birth::Vfork => own_process(process, myself),
    }
    thread.clear_pending();
    thread.taken.set(None);
    thread.restart.set(None);
    registers.rax = 0;
    let word = thread.set_tid.replace(0);
    if word != 0 {
        let _ignored_as_linux_does = copy::write(word, &thread.tid.get());
    }
    if let Some(mask) = thread.birth_mask.take() {
        let _set = sys::procmask(how::SET, mask);
    }
}

fn own_process(process: &Process, myself: u64) {
    process.pid.store(crate::block::low(myself >> 32), Relaxed);
    process.threads.store(1, Relaxed);
    process.family.iter().for_each(|kept| kept.store(0, Relaxed));
}

/// Reports a call on the kernel's log: every call, or unsupported ones once.
fn trace(process: &Process, number: u64, row: Option<&Row>, arguments: &Args, outcome: Outcome) {
    let refused = match row.map(|row| row.support) {
        None | Some(Support::Refused(_)) => true,
        Some(Support::Supported | Support::Partial(_)) => false,
    };
    if process.trace < 2 && !(refused && process.report_once(number)) {
        return;
    }
    let mut line = Line::new();
    let name = row.map_or("?", |row| row.name);
    let [first, second, third, fourth, ..] = arguments;
    let pid = process.pid.load(Relaxed);
    let _fits = write!(
        line,
        "[{pid}] {name}#{number}({first:#x}, {second:#x}, {third:#x}, {fourth:#x}) = "
    );
    let _fits = match outcome {
        Ok(value) => writeln!(line, "{value:#x}"),
        Err(error) => writeln!(line, "{error}"),
    };
    line.log();
}

/// A line of text for the kernel's log; what does not fit is cut off.
pub(crate) struct Line {
    bytes: [u8; 200],
    length: usize,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; 200], length: 0 }
    }

    /// What was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn log(&self) {
        sys::debug(self.bytes());
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for &byte in text.as_bytes() {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
        Ok(())
    }
}

/// Ends the program because the shim itself failed.
#[cfg(target_os = "none")]
pub(crate) fn abort(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut line = Line::new();
    let _fits = writeln!(line, "libc-shim: {info}");
    line.log();
    crate::process::send_exit(neutrino_abi::signal::number::SIGABRT)
}

/// Ends the calling thread for good.
pub(crate) fn end_thread(thread: &Thread) -> ! {
    thread.mounts.close();
    entry::end_thread(Space::get().thread_bits(), thread.slot)
}
