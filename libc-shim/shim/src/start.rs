//! The start of a program: makes the blocks, attaches the personality, jumps to the program.

use crate::block::{Process, Scratch, Space, Thread, low};
use crate::copy;
use crate::dispatch::Caller;
use crate::frame::{self, IGNORE};
use crate::path::Base;
use crate::sys::{self, Errno};
use crate::{entry, process, timer};
use crate::{limit, open};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::start::{INHERITED_MAGIC, StartInfo};
use io_msg::stat::open as flag;
use neutrino_abi::process::thread_ctl;
use neutrino_abi::signal::{Registers, SIGNAL_MAX, how, number::SIGKILL};

/// The first Rust code of a program.
///
/// # Safety
/// - `info` is the program's start page, `stack` points to argc, and no block exists yet.
pub(crate) unsafe extern "C" fn shim_main(info: *const StartInfo, stack: u64) -> ! {
    // SAFETY: the process manager mapped the page; nobody writes it.
    let info = unsafe { &*info };
    if prepare(info, stack).is_err() {
        sys::debug(b"libc-shim: no memory for the blocks\n");
        process::send_exit(SIGKILL);
    }
    entry::enter_program(info.entry, stack)
}

fn prepare(info: &StartInfo, stack: u64) -> Result<(), Errno> {
    Space::create()?;
    let process = Process::create(trace_level(stack), frame::xsave_size())?;
    let thread = Thread::create(process)?;
    process.pid.store(info.pid, Relaxed);
    process.threads.store(1, Relaxed);
    process.umask.store(0o022, Relaxed);
    process.brk_start.store(info.brk, Relaxed);
    process.brk_end.store(info.brk, Relaxed);
    limit::start(process, info.limits);
    for (kept, id) in process.ids.iter().zip(info.ids) {
        kept.store(id, Relaxed);
    }
    thread.tid.set(low(sys::thread_self()?));
    sys::thread_ctl(0, thread_ctl::GS_BASE, thread.address())?;
    sys::thread_ctl(0, thread_ctl::SIGNAL_AREA, thread.area_address())?;
    sys::personality_attach(&entry::personality())?;
    take_ignored(process);
    take_inherited(process, thread, info);
    Ok(())
}

/// Signals that the program before the exec ignored are ignored still.
fn take_ignored(process: &Process) {
    let ignored = process::ignored_signals();
    for signal in 1..=SIGNAL_MAX {
        if ignored & frame::bit(signal) != 0 {
            let Some(action) = process.action(signal) else { continue };
            action.handler.store(IGNORE, Relaxed);
        }
    }
}

fn take_inherited(process: &Process, thread: &Thread, info: &StartInfo) {
    let inherited = &info.inherited;
    if inherited.magic == INHERITED_MAGIC && inherited.cwd != 0 {
        process.cwd.store(inherited.cwd, Relaxed);
        process.umask.store(inherited.umask, Relaxed);
        let _set = sys::procmask(how::SET, inherited.mask);
        if inherited.alarm != 0 {
            timer::restore_alarm(thread, inherited.alarm);
        }
        return;
    }
    if let Ok(coid) = open_root(process, thread) {
        let _kept = sys::connect_flags(coid, neutrino_abi::handle::COF_CLOEXEC, 0);
        process.cwd.store(coid, Relaxed);
    }
}

/// The first program of all starts in `/`.
fn open_root(process: &Process, thread: &Thread) -> Result<u32, Errno> {
    let mut registers = Registers::default();
    // SAFETY: this is the only thread, and nothing else of it uses the buffers.
    let scratch: &mut Scratch = unsafe { thread.scratch() };
    scratch.paths[0].set(b"/")?;
    let restart = crate::block::Restart::Always;
    let mut caller = Caller { thread, process, scratch, frame: &mut registers, restart };
    open::open_side(&mut caller, Base::Cwd, flag::DIRECTORY | flag::PATH, 0)
}

/// The digit behind `SHIM_TRACE=` in the environment.
fn trace_level(stack: u64) -> u32 {
    const NAME: &[u8] = b"SHIM_TRACE=";
    // argc, the arguments and their end come before the environment.
    let mut at = stack + 8 * (copy::read(stack).unwrap_or(0) + 2);
    while let Ok(string @ 1..) = copy::read::<u64>(at) {
        // Stops at the string's end: what is behind it may not be mapped.
        let mut head = [0; NAME.len() + 1];
        let _length = copy::read_string(string, &mut head);
        if let Some(&[digit]) = head.strip_prefix(NAME) {
            return u32::from(digit.saturating_sub(b'0'));
        }
        at += 8;
    }
    0
}
