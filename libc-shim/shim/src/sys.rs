//! Kernel calls: the shim's native `syscall` instructions, and typed wrappers around them.
//!
//! Addresses of the program's memory are plain `u64`: Rust knows nothing of that memory, so the
//! kernel may write there at any time. Addresses of the shim's own values come from references.

use crate::block::index;
use core::ptr::{from_mut, from_ref};
use io_msg::io::Simple;
use io_msg::kind;
use neutrino_abi::calls::{Register, number};
use neutrino_abi::event::Event;
use neutrino_abi::handle::{POLL_AWAIT, SELF};
use neutrino_abi::info::{HandleInfo, ProcessInfo, SystemInfo, ThreadInfo};
use neutrino_abi::memory::{MapArgs, RemapArgs};
use neutrino_abi::message::{Iov, SendExtra, WORDS, WORDS_BYTES, Words};
use neutrino_abi::process::ThreadArgs;
use neutrino_abi::signal::{Personality, Registers, SignalInfo, SignalSet, how};
use neutrino_abi::time::{Itimer, TimerInfo};
use zerocopy::{Immutable, IntoBytes};

pub(crate) use neutrino_abi::Errno;

/// What a kernel call, a message and a Linux call end with.
pub(crate) type Outcome = Result<u64, Errno>;

/// Makes a kernel call.
///
/// # Safety
/// - Whatever the call makes the kernel write (or unmap) is memory that the program or the caller
///   of this function owns.
#[inline(always)]
unsafe fn invoke(number: u64, arguments: [u64; 6]) -> i64 {
    let result: i64;
    // SAFETY: the kernel preserves every register but rax, rcx and r11, which are declared; memory
    // is not declared untouched. What it writes is the caller's promise.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

macro_rules! define_stubs {
    ($($(#[doc = $doc:literal])+ $number:literal $name:ident { $($arg:ident: $ty:ty),* })+) => {
        /// One function for each row of the table of kernel calls.
        #[allow(
            non_snake_case,
            dead_code,
            clippy::missing_safety_doc,
            clippy::too_many_arguments,
            reason = "made from the table"
        )]
        mod raw {
            use super::{Errno, Outcome, Register, invoke, number};
            $(
                #[inline(always)]
                pub(super) unsafe fn $name($($arg: $ty),*) -> Outcome {
                    #[allow(unused_mut, unused_variables, reason = "calls without arguments")]
                    let mut arguments = [0_u64; 6];
                    #[allow(unused_mut, unused_variables, reason = "calls without arguments")]
                    let mut slots = arguments.iter_mut();
                    $(if let Some(slot) = slots.next() { *slot = Register::to_register($arg); })*
                    // SAFETY: repeated from the caller: what the kernel writes is ours.
                    let result = unsafe { invoke(number::$name, arguments) };
                    Errno::split(result).map(i64::cast_unsigned)
                }
            )+
        }
    };
}
neutrino_abi::for_each_call!(define_stubs);

/// The address of a value that the kernel reads.
pub(crate) fn address<T: ?Sized>(value: &T) -> u64 {
    from_ref(value).cast::<u8>().expose_provenance() as u64
}

/// The address of a value that the kernel may write.
pub(crate) fn address_mut<T: ?Sized>(value: &mut T) -> u64 {
    from_mut(value).cast::<u8>().expose_provenance() as u64
}

/// A part of a message: a value of the shim's.
pub(crate) fn part<T: ?Sized>(value: &T) -> Iov {
    Iov { base: address(value), length: size_of_val(value) as u64 }
}

/// A part of a reply: a value of the shim's.
pub(crate) fn room<T: ?Sized>(value: &mut T) -> Iov {
    Iov { base: address_mut(value), length: size_of_val(value) as u64 }
}

/// A part of a message or reply in the program's memory; the kernel checks it.
pub(crate) const fn user(base: u64, length: u64) -> Iov {
    Iov { base, length }
}

/// Wraps a kernel call that reads and writes nothing but what its arguments name.
macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        // SAFETY: the arguments name either values of this function's caller, which the references
        // they came from lend for the call, or memory of the program, which is no Rust object.
        unsafe { raw::$name($($argument),*) }
    }};
}

/// Address and `parts` argument of a message; one part is told as itself, which the kernel has a
/// shorter way for.
fn shape(parts: &[Iov]) -> (u64, i64) {
    match parts {
        [] => (0, 0),
        [Iov { base, length }] => (*base, length.cast_signed().wrapping_neg()),
        parts => (address(parts), parts.len() as i64),
    }
}

/// Sends a message and waits for the reply (`MsgSend`).
pub(crate) fn msg_send(
    coid: u32,
    message: &[Iov],
    reply: &[Iov],
    extra: Option<&SendExtra>,
) -> Outcome {
    let extra = extra.map_or(0, address);
    let (message, message_parts) = shape(message);
    let (reply, reply_parts) = shape(reply);
    call!(MsgSend(coid, message, message_parts, reply, reply_parts, extra))
}

/// A message that travels in registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short {
    pub(crate) words: Words,
    /// At most `WORDS_BYTES`.
    pub(crate) length: u64,
}

impl Short {
    /// A structure of whole words.
    #[inline(always)]
    pub(crate) fn of<T: IntoBytes + Immutable>(message: &T) -> Self {
        const { assert!(size_of::<T>() <= index(WORDS_BYTES) && size_of::<T>().is_multiple_of(8)) };
        let mut words = [0; WORDS];
        let (chunks, _) = message.as_bytes().as_chunks();
        for (word, chunk) in words.iter_mut().zip(chunks) {
            *word = u64::from_le_bytes(*chunk);
        }
        Self { words, length: size_of::<T>() as u64 }
    }
}

impl Short {
    /// Bytes, as far as there is room for them.
    #[inline]
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..index(WORDS_BYTES)).unwrap_or(bytes);
        let mut words = [0; WORDS];
        let (chunks, rest) = bytes.as_chunks();
        for (word, chunk) in words.iter_mut().zip(chunks) {
            *word = u64::from_le_bytes(*chunk);
        }
        if let Some(word) = words.get_mut(chunks.len()) {
            *word = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        Self { words, length: bytes.len() as u64 }
    }
}

/// What a send in registers brings back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortReply {
    pub(crate) outcome: Outcome,
    /// The reply, if the room for it was no more than `WORDS_BYTES`.
    pub(crate) words: Words,
    /// Bytes of it.
    pub(crate) length: u64,
}

/// Sends a message in registers (`MsgSendRegisters`); a reply of more than `WORDS_BYTES` goes to the
/// memory that `reply` names.
#[inline(always)]
pub(crate) fn msg_send_short(coid: u32, message: &Short, reply: Iov) -> ShortReply {
    let [mut w0, mut w1, mut w2, mut w3, mut w4, mut w5] = message.words;
    let mut length = reply.length << 32 | message.length;
    let result: i64;
    // SAFETY: the kernel preserves every register but those declared; the memory it writes is
    // named by `reply`, of the caller's or the program's.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number::MsgSendRegisters => result,
            in("rdi") u64::from(coid), inlateout("rsi") length,
            inlateout("rdx") w0, inlateout("r10") w1, inlateout("r8") w2, inlateout("r9") w3,
            inlateout("r12") w4, inlateout("r13") w5, in("r14") reply.base,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    let outcome = Errno::split(result).map(i64::cast_unsigned);
    ShortReply { outcome, words: [w0, w1, w2, w3, w4, w5], length }
}

pub(crate) fn detach(coid: u32) -> Outcome {
    call!(ConnectDetach(coid))
}

/// Closes a descriptor; if it was the last of its open file, the server has let go of that.
pub(crate) fn close(coid: u32) -> Outcome {
    let message = Simple { kind: kind::IO_CLOSE, ..Simple::default() };
    match call!(ConnectClose(coid, address(&message), -(size_of::<Simple>() as i64))) {
        // The file is closed, whatever the server says or whether it has said it yet.
        Ok(_) | Err(Errno::EINTR | Errno::ENOSYS | Errno::ESRCH) => Ok(0),
        other => other,
    }
}

pub(crate) fn connect_flags(coid: u32, mask: u32, bits: u32) -> Outcome {
    call!(ConnectFlags(coid, mask, bits))
}

pub(crate) fn duplicate(coid: u32, minimum: u32, flags: u32) -> Outcome {
    call!(ConnectDup(coid, minimum, flags))
}

pub(crate) fn duplicate_to(coid: u32, target: u32, flags: u32) -> Outcome {
    call!(ConnectDupTo(coid, target, flags))
}

/// The first handle of this process at or above `coid`.
pub(crate) fn next_handle(coid: u32, info: &mut HandleInfo) -> Outcome {
    call!(ConnectServerInfo(SELF, coid, address_mut(info)))
}

/// Waits for readiness; `entries` is an array of `count` `PollEntry` of the program or the shim.
pub(crate) fn poll(entries: u64, count: u32, timeout: u64, sets: &PollSets) -> Outcome {
    let flags = if sets.0.is_some() { POLL_AWAIT } else { 0 };
    call!(ConnectPoll(entries, count, timeout, sets.0.as_ref().map_or(0, address), flags))
}

/// The mask to wait with, and signals that end the wait though they are blocked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PollSets(Option<[SignalSet; 2]>);

impl PollSets {
    /// Without a mask, the caller's stays.
    pub(crate) fn new(mask: Option<SignalSet>, awaited: SignalSet) -> Self {
        if mask.is_none() && awaited == 0 {
            return Self(None);
        }
        Self(Some([mask.unwrap_or_else(signal_mask), awaited]))
    }
}

pub(crate) fn thread_create(arguments: &ThreadArgs) -> Outcome {
    call!(ThreadCreate(SELF, address(arguments)))
}

pub(crate) fn thread_ctl(tid: u32, command: u32, value: u64) -> Outcome {
    call!(ThreadCtl(SELF, tid, command, value))
}

/// `pid << 32 | tid` of the caller.
pub(crate) fn thread_self() -> Outcome {
    call!(ThreadSelf())
}

pub(crate) fn sched_yield() -> Outcome {
    call!(SchedYield())
}

pub(crate) fn thread_info(tid: u32, info: &mut ThreadInfo) -> Outcome {
    call!(ThreadInfo(SELF, tid, address_mut(info)))
}

pub(crate) fn process_info(info: &mut ProcessInfo) -> Outcome {
    call!(ProcessInfo(SELF, address_mut(info)))
}

pub(crate) fn system_info(info: &mut SystemInfo) -> Outcome {
    call!(SystemInfo(address_mut(info)))
}

pub(crate) fn map(arguments: &MapArgs) -> Outcome {
    call!(MemMap(SELF, address(arguments)))
}

pub(crate) fn unmap(address: u64, length: u64) -> Outcome {
    call!(MemUnmap(SELF, address, length))
}

pub(crate) fn protect(address: u64, length: u64, protection: u32) -> Outcome {
    call!(MemProtect(SELF, address, length, protection))
}

pub(crate) fn remap(arguments: &RemapArgs) -> Outcome {
    call!(MemRemap(address(arguments)))
}

pub(crate) fn advise(address: u64, length: u64, advice: u32) -> Outcome {
    call!(MemAdvise(address, length, advice))
}

/// The first mapping of this process that ends above `address`.
pub(crate) fn mapping(address: u64, info: &mut neutrino_abi::memory::MappingInfo) -> Outcome {
    call!(SpaceMapping(SELF, address, address_mut(info)))
}

pub(crate) fn object_create(kind: u32, size: u64) -> Outcome {
    call!(MemObjectCreate(kind, size, 0, 0))
}

pub(crate) fn clock_time(clock: u32, new: Option<&u64>, old: Option<&mut u64>) -> Outcome {
    call!(ClockTime(clock, new.map_or(0, address), old.map_or(0, address_mut)))
}

pub(crate) fn clock_nanosleep(clock: u32, flags: u32, time: u64, remaining: &mut u64) -> Outcome {
    call!(ClockNanosleep(clock, flags, time, address_mut(remaining)))
}

pub(crate) fn timer_create(clock: u32, event: &Event) -> Outcome {
    call!(TimerCreate(clock, address(event)))
}

pub(crate) fn timer_settime(timer: u32, flags: u32, new: &Itimer, old: &mut Itimer) -> Outcome {
    call!(TimerSettime(timer, flags, address(new), address_mut(old)))
}

pub(crate) fn timer_info(timer: u32, info: &mut TimerInfo) -> Outcome {
    call!(TimerInfo(timer, address_mut(info)))
}

/// Sends a signal to this process, or to one of its threads.
pub(crate) fn signal_self(tid: u32, info: &SignalInfo) -> Outcome {
    call!(SignalKill(SELF, tid, address(info)))
}

pub(crate) fn signal_action(signal: u32, disposition: u32) -> Outcome {
    call!(SignalAction(SELF, signal, disposition))
}

/// Changes the caller's signal mask (`how`); returns the mask before.
pub(crate) fn procmask(how: u32, set: SignalSet) -> Result<SignalSet, Errno> {
    let mut old = 0;
    call!(SignalProcmask(how, set, address_mut(&mut old)))?;
    Ok(old)
}

/// The caller's signal mask.
pub(crate) fn signal_mask() -> SignalSet {
    procmask(how::QUERY, 0).unwrap_or(0)
}

pub(crate) fn signal_suspend(set: SignalSet) -> Outcome {
    call!(SignalSuspend(set))
}

pub(crate) fn signal_wait(set: SignalSet, info: &mut SignalInfo, timeout: u64) -> Outcome {
    call!(SignalWaitinfo(set, address_mut(info), timeout))
}

pub(crate) fn signal_take(info: &mut SignalInfo, mask: &mut SignalSet) -> Outcome {
    call!(SignalTake(address_mut(info), address_mut(mask)))
}

/// Loads all registers and the mask; comes back only if it fails.
pub(crate) fn signal_return(registers: &Registers, mask: SignalSet) -> Outcome {
    call!(SignalReturn(address(registers), mask))
}

pub(crate) fn signal_pending() -> Outcome {
    call!(SignalPending())
}

pub(crate) fn personality_attach(personality: &Personality) -> Outcome {
    call!(PersonalityAttach(address(personality)))
}

/// What `FutexWait` waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FutexWait {
    pub(crate) address: u64,
    pub(crate) expected: u32,
    pub(crate) flags: u32,
    pub(crate) deadline: u64,
    pub(crate) bitset: u32,
}

pub(crate) fn futex_wait(wait: &FutexWait) -> Outcome {
    call!(FutexWait(wait.address, wait.expected, wait.flags, wait.deadline, wait.bitset))
}

pub(crate) fn futex_wake(address: u64, count: u32, flags: u32, bitset: u32) -> Outcome {
    call!(FutexWake(address, count, flags, bitset))
}

/// What `FutexRequeue` moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FutexRequeue {
    pub(crate) address: u64,
    pub(crate) wake: u32,
    pub(crate) requeue: u32,
    pub(crate) target: u64,
    pub(crate) expected: u32,
    pub(crate) flags: u32,
}

pub(crate) fn futex_requeue(move_: &FutexRequeue) -> Outcome {
    call!(FutexRequeue(
        move_.address,
        move_.wake,
        move_.requeue,
        move_.target,
        move_.expected,
        move_.flags
    ))
}

pub(crate) fn mutex_lock(address: u64, flags: u32, deadline: u64) -> Outcome {
    call!(SyncMutexLock(address, flags, deadline))
}

pub(crate) fn mutex_unlock(address: u64, flags: u32) -> Outcome {
    call!(SyncMutexUnlock(address, flags))
}

/// Writes to the kernel's log; a log that cannot take it has nobody to complain to.
pub(crate) fn debug(text: &[u8]) {
    let length = u32::try_from(text.len()).unwrap_or(0);
    let _written = call!(DebugWrite(address(text), length));
}
