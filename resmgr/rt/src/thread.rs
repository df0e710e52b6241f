//! Threads of a native program.

use crate::memory;
use crate::sys::{self, address_of, address_of_mut, pure, pure_u32};
use alloc::boxed::Box;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::SELF;
use neutrino_abi::process::{ThreadArgs, thread_ctl};
use neutrino_abi::sched::SchedParam;

const STACK_BYTES: u64 = 64 * 1024;

/// The caller's system-wide thread id.
#[must_use]
pub fn current() -> u32 {
    #[cfg(target_os = "none")]
    {
        let tid: u32;
        // SAFETY: FS base of every native thread leads to a block whose first word is its tid,
        // before any lock is taken; the load reads that word and nothing else.
        unsafe {
            core::arch::asm!("mov {:e}, fs:[0]", out(reg) tid, options(nostack, readonly, preserves_flags));
        }
        tid
    }
    #[cfg(not(target_os = "none"))]
    1
}

/// Gives the calling thread its block; before any lock is taken.
#[cfg(target_os = "none")]
pub(crate) fn adopt(block: &'static core::sync::atomic::AtomicU64) {
    let ids = pure(Call::ThreadSelf {}).unwrap_or(0);
    block.store(ids.cast_unsigned() & 0xffff_ffff, core::sync::atomic::Ordering::Relaxed);
    let value = address_of(block);
    let call = Call::ThreadCtl { process: SELF, tid: 0, command: thread_ctl::FS_BASE, value };
    let _valid_command = pure(call);
}

/// Starts a thread that runs `body` and ends.
///
/// # Errors
/// EAGAIN, ENOMEM.
pub fn spawn(body: impl FnOnce() + Send + 'static) -> Result<u32, Errno> {
    let stack = memory::map_anonymous(STACK_BYTES)?;
    let body: Box<dyn FnOnce() + Send> = Box::new(body);
    let argument = Box::into_raw(Box::new(body)).addr() as u64;
    let arguments = ThreadArgs {
        entry: trampoline_address(),
        // The block lies at the stack's very top; 8 below a multiple of 16, as after a call.
        stack: stack + STACK_BYTES - 72,
        argument,
        fs_base: stack + STACK_BYTES - 64,
        ..ThreadArgs::default()
    };
    pure_u32(Call::ThreadCreate { process: SELF, arguments: address_of(&arguments) })
}

#[cfg(target_os = "none")]
fn trampoline_address() -> u64 {
    trampoline as *const () as usize as u64
}

#[cfg(not(target_os = "none"))]
fn trampoline_address() -> u64 {
    0
}

/// First code of a thread: `argument` is the boxed body.
#[cfg(target_os = "none")]
extern "C" fn trampoline(argument: *mut Box<dyn FnOnce() + Send>) -> ! {
    let ids = pure(Call::ThreadSelf {}).unwrap_or(0);
    let tid = ids.cast_unsigned() & 0xffff_ffff;
    // SAFETY: FS base is the block that `spawn` reserved at the top of this thread's own stack.
    unsafe {
        core::arch::asm!("mov fs:[0], {:r}", in(reg) tid, options(nostack, preserves_flags));
    }
    // SAFETY: `spawn` made the pointer with `Box::into_raw` and gave it to this thread alone.
    let body = unsafe { Box::from_raw(argument) };
    body();
    loop {
        let _never_returns = pure(Call::ThreadDestroy { tid: 0, status: 0 });
    }
}

/// Sets policy and priority of the calling thread.
///
/// # Errors
/// EINVAL, EPERM.
pub fn set_priority(policy: u32, priority: u8) -> Result<(), Errno> {
    set_priority_of(0, policy, priority)
}

/// Sets policy and priority of another thread of the process, by its number.
///
/// # Errors
/// EINVAL, EPERM, ESRCH.
pub fn set_priority_of(tid: u32, policy: u32, priority: u8) -> Result<(), Errno> {
    set_scheduling(
        tid,
        &SchedParam { policy, priority: u32::from(priority), ..SchedParam::default() },
    )
}

/// Sets all scheduling parameters of a thread of the process; 0 is the caller.
///
/// # Errors
/// EINVAL, EPERM, ESRCH, EAGAIN: too many sporadic threads.
pub fn set_scheduling(tid: u32, parameters: &SchedParam) -> Result<(), Errno> {
    let parameters = address_of(parameters);
    pure(Call::SchedSet { process: SELF, tid, parameters }).map(drop)
}

/// Gives way to others of the caller's priority (QNX: `SchedYield`).
pub fn give_way() {
    let _valid_call = pure(Call::SchedYield {});
}

/// The priority that the calling thread runs at, inherited or its own.
#[must_use]
pub fn running_priority() -> u32 {
    let mut parameters = SchedParam::default();
    let call =
        Call::SchedGet { process: SELF, tid: 0, parameters: address_of_mut(&mut parameters) };
    // SAFETY: the only memory written is `parameters`, borrowed mutably for the whole call.
    let _valid_thread = unsafe { sys::call(call) };
    parameters.current_priority
}

/// Ends another thread of the process where it is; what it holds stays as it is, but inheriting
/// locks that somebody waits for.
///
/// # Errors
/// ESRCH.
pub fn end(tid: u32) -> Result<(), Errno> {
    pure(Call::ThreadDestroy { tid, status: 0 }).map(drop)
}

/// Names the calling thread for `pidin`; at most 15 bytes.
pub fn set_name(name: &str) {
    let mut bytes = [0_u8; 16];
    for (slot, byte) in bytes.iter_mut().take(15).zip(name.bytes()) {
        *slot = byte;
    }
    let value = address_of(&bytes);
    let _valid_command =
        pure(Call::ThreadCtl { process: SELF, tid: 0, command: thread_ctl::NAME, value });
}

/// The address of the calling thread's block, which FS leads to.
#[must_use]
pub(crate) fn block_address() -> u64 {
    let command = thread_ctl::GET_FS_BASE;
    let call = Call::ThreadCtl { process: SELF, tid: 0, command, value: 0 };
    pure(call).unwrap_or(0).cast_unsigned()
}
