//! Signal frames: from a taken signal to the program's handler, and back by `rt_sigreturn`.
//!
//! The layout is Linux x86-64's `struct rt_sigframe`: return address, `ucontext`, `siginfo`, with
//! the floating-point state above it, 64-aligned. The red zone (128 bytes below rsp) is left alone.

use crate::block::{Process, Restart, Thread};
use crate::copy::{self, FpuFormat};
use crate::dispatch::{Args, Caller};
use crate::sys::{self, Errno, Outcome};
use linux_raw_sys::general as linux;
use neutrino_abi::signal::{Registers, SignalInfo, SignalSet, disposition, how, number};

/// `SIG_DFL` and `SIG_IGN`.
pub(crate) const DEFAULT: u64 = 0;
pub(crate) const IGNORE: u64 = 1;

/// Words of the frame: return address 1, `ucontext` 38, `siginfo` 16.
const FRAME_WORDS: usize = 1 + UCONTEXT_WORDS + INFO_WORDS;
const UCONTEXT_WORDS: usize = 38;
const INFO_WORDS: usize = 16;
/// Word offsets in `ucontext`.
const UC_STACK: usize = 2;
const UC_REGISTERS: usize = 5;
const UC_SEGMENTS: usize = 23;
const UC_ERROR: usize = 24;
const UC_TRAP: usize = 25;
const UC_OLD_MASK: usize = 26;
const UC_ADDRESS: usize = 27;
const UC_FPU: usize = 28;
const UC_MASK: usize = 37;
/// `UC_FP_XSTATE`, `UC_SIGCONTEXT_SS`, `UC_STRICT_RESTORE_SS`.
const UC_FLAGS: u64 = 2 | 4;
const UC_FLAG_XSTATE: u64 = 1;
/// CS 0x33, SS 0x2b, as Linux's.
const SEGMENTS: u64 = 0x002b_0000_0000_0033;

const RED_ZONE: u64 = 128;
const XSTATE_MAGIC1: u32 = 0x4650_5853;
const XSTATE_MAGIC2: u32 = 0x4650_5845;
/// Where the software's part of the FXSAVE area starts.
const SOFTWARE: u64 = 464;
const FXSAVE_SIZE: u64 = 512;

const SA_NOCLDSTOP: u64 = linux::SA_NOCLDSTOP as u64;
const SA_ONSTACK: u64 = linux::SA_ONSTACK as u64;
const SA_RESTART: u64 = linux::SA_RESTART as u64;
const SA_NODEFER: u64 = linux::SA_NODEFER as u64;
const SA_RESETHAND: u64 = linux::SA_RESETHAND as u64;
pub(crate) const SS_ONSTACK: u64 = linux::SS_ONSTACK as u64;
pub(crate) const SS_DISABLE: u64 = linux::SS_DISABLE as u64;
pub(crate) const SS_AUTODISARM: u64 = 1 << 31;

/// The bit of a signal in a set.
pub(crate) const fn bit(signal: u32) -> SignalSet {
    match signal.checked_sub(1) {
        Some(position) => 1_u64.wrapping_shl(position),
        None => 0,
    }
}

/// Takes a deliverable signal, to be handled on the way out; says whether there is one.
pub(crate) fn take_signal(thread: &Thread, process: &Process) -> bool {
    if thread.taken.get().is_some() {
        return true;
    }
    thread.clear_pending();
    loop {
        let mut info = SignalInfo::default();
        let mut mask = 0;
        match sys::signal_take(&mut info, &mut mask) {
            Ok(0) | Err(_) => return false,
            Ok(_) if is_unwanted(process, &info) => {
                let _same = sys::procmask(how::SET, mask);
            }
            Ok(_) => {
                thread.taken.set(Some((info, mask)));
                return true;
            }
        }
    }
}

/// A SIGCHLD for a stop or continuation that the program does not want to hear of.
fn is_unwanted(process: &Process, info: &SignalInfo) -> bool {
    const CLD_TRAPPED: i32 = 4;
    const CLD_CONTINUED: i32 = 6;
    info.number == number::SIGCHLD
        && (CLD_TRAPPED..=CLD_CONTINUED).contains(&info.code)
        && process.action(info.number).is_some_and(|action| action.load()[1] & SA_NOCLDSTOP != 0)
}

/// Sends the thread to the handlers of all deliverable signals; says whether there was any.
pub(crate) fn deliver(thread: &Thread, process: &Process, registers: &mut Registers) -> bool {
    let mut any = false;
    // The kernel tells of more by the same word.
    let mut may_be_more = true;
    while may_be_more && take_signal(thread, process) {
        let Some((info, mask)) = thread.taken.take() else { break };
        let Some(action) = process.action(info.number) else { continue };
        let taken = {
            let _held = process.lock(thread);
            let taken = action.load();
            if taken[1] & SA_RESETHAND != 0 && taken[0] > IGNORE {
                action.handler.store(DEFAULT, core::sync::atomic::Ordering::Relaxed);
                let _set = sys::signal_action(info.number, disposition::DEFAULT);
            }
            taken
        };
        match taken[0] {
            DEFAULT => resend(thread, &info, mask),
            IGNORE => {
                let _same = sys::procmask(how::SET, mask);
            }
            _ => {
                restart(thread, registers, taken[1] & SA_RESTART != 0);
                push(thread, process, registers, &Delivery { info, mask, action: taken });
                any = true;
            }
        }
        may_be_more = thread.is_pending();
    }
    // No handler was called: the call is made again, unseen.
    if thread.restart.take().is_some() {
        rewind(thread, registers);
    }
    any
}

/// The disposition became the default after the kernel chose the handler: the kernel decides anew.
fn resend(thread: &Thread, info: &SignalInfo, mask: SignalSet) {
    let _same = sys::procmask(how::SET, mask);
    let _sent = sys::signal_self(thread.tid.get(), info);
}

/// Makes the interrupted call fail, or be made again when the handler has returned.
fn restart(thread: &Thread, registers: &mut Registers, is_asked: bool) {
    match thread.restart.take() {
        None | Some(Restart::Never) => {}
        Some(Restart::IfAsked) if !is_asked => {}
        Some(Restart::IfAsked | Restart::Always) => rewind(thread, registers),
    }
}

/// Goes back to the call's instruction, two bytes before the return address.
fn rewind(thread: &Thread, registers: &mut Registers) {
    registers.rip = registers.rip.wrapping_sub(2);
    registers.rax = thread.number.get();
}

/// A signal on its way to its handler.
struct Delivery {
    info: SignalInfo,
    /// The mask to restore when the handler ends.
    mask: SignalSet,
    /// Handler, flags, restorer, mask.
    action: [u64; 4],
}

/// Builds a frame and points the registers at the handler; a frame that cannot be written is the
/// end of the program.
fn push(thread: &Thread, process: &Process, registers: &mut Registers, delivery: &Delivery) {
    let [_, flags, _, blocked] = delivery.action;
    if try_push(thread, process, registers, delivery).is_err() {
        let _set = sys::signal_action(number::SIGSEGV, disposition::DEFAULT);
        let _set = sys::procmask(how::UNBLOCK, bit(number::SIGSEGV));
        let fault = SignalInfo { number: number::SIGSEGV, code: 0x80, ..SignalInfo::default() };
        let _sent = sys::signal_self(thread.tid.get(), &fault);
        return;
    }
    // The kernel has blocked the signal itself.
    if flags & SA_NODEFER != 0 {
        let _set = sys::procmask(how::UNBLOCK, bit(delivery.info.number));
    }
    if blocked != 0 {
        let _set = sys::procmask(how::BLOCK, blocked);
    }
}

fn try_push(
    thread: &Thread,
    process: &Process,
    registers: &mut Registers,
    delivery: &Delivery,
) -> Result<(), Errno> {
    let [handler, flags, restorer, _] = delivery.action;
    let alternate = thread.alternate.get();
    let top = stack_top(registers.rsp, alternate, flags & SA_ONSTACK != 0);
    let format = process.fpu_format();
    let place = Place::below(top, fpu_size(format));
    save_fpu(place.fpu, format)?;
    let mut words = [0_u64; FRAME_WORDS];
    words[0] = restorer;
    let context = &mut words[1..=UCONTEXT_WORDS];
    fill_context(context, registers, delivery);
    context[0] = UC_FLAGS | if format == FpuFormat::Fxsave { 0 } else { UC_FLAG_XSTATE };
    context[UC_STACK..UC_STACK + 3].copy_from_slice(&alternate);
    context[UC_STACK + 1] = stack_flags(registers.rsp, alternate);
    context[UC_FPU] = place.fpu;
    words[1 + UCONTEXT_WORDS..].copy_from_slice(&info_words(&delivery.info));
    copy::write(place.frame, &words)?;
    if alternate[1] & SS_AUTODISARM != 0 {
        thread.alternate.set([0, SS_DISABLE, 0]);
    }
    reset_fpu();
    registers.rip = handler;
    registers.rsp = place.frame;
    registers.rdi = u64::from(delivery.info.number);
    registers.rsi = place.frame + 8 * (1 + UCONTEXT_WORDS as u64);
    registers.rdx = place.frame + 8;
    registers.rax = 0;
    Ok(())
}

/// Where a frame and its floating-point state lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    frame: u64,
    fpu: u64,
}

impl Place {
    /// The highest place below `top`; at the handler's entry rsp is 8 off 16, as after a call.
    const fn below(top: u64, fpu_size: u64) -> Self {
        let fpu = top.wrapping_sub(fpu_size) & !63;
        let frame = (fpu.wrapping_sub(8 * FRAME_WORDS as u64) & !15).wrapping_sub(8);
        Self { frame, fpu }
    }
}

/// Where the frame may start: below the red zone, or at the top of the alternate stack.
fn stack_top(rsp: u64, [start, flags, size]: [u64; 3], is_alternate_wanted: bool) -> u64 {
    let is_usable = flags & SS_DISABLE == 0 && !is_on_stack(rsp, [start, flags, size]);
    if is_alternate_wanted && is_usable {
        start.wrapping_add(size)
    } else {
        rsp.wrapping_sub(RED_ZONE)
    }
}

/// Says whether rsp is on the alternate stack.
const fn is_on_stack(rsp: u64, [start, flags, size]: [u64; 3]) -> bool {
    flags & (SS_DISABLE | SS_AUTODISARM) == 0 && rsp > start && rsp.wrapping_sub(start) <= size
}

/// The flags that `sigaltstack` and a frame show.
pub(crate) const fn stack_flags(rsp: u64, alternate: [u64; 3]) -> u64 {
    alternate[1] | if is_on_stack(rsp, alternate) { SS_ONSTACK } else { 0 }
}

/// Fills the part of the `ucontext` that comes from the registers and the signal.
fn fill_context(context: &mut [u64], registers: &Registers, delivery: &Delivery) {
    context[UC_REGISTERS..UC_SEGMENTS].copy_from_slice(&register_words(registers));
    context[UC_SEGMENTS] = SEGMENTS;
    context[UC_OLD_MASK] = delivery.mask;
    context[UC_MASK] = delivery.mask;
    if is_fault(&delivery.info) {
        context[UC_ERROR] = u64::from(delivery.info.status);
        context[UC_TRAP] = u64::from(delivery.info.trap);
        context[UC_ADDRESS] = delivery.info.value;
    }
}

/// The registers in the order of Linux's `gregset_t`, which is that of [`Registers`].
const fn register_words(r: &Registers) -> [u64; 18] {
    [
        r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx, r.rdx,
        r.rax, r.rcx, r.rsp, r.rip, r.rflags,
    ]
}

const fn registers_of(words: &[u64; 18]) -> Registers {
    let [r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags] =
        *words;
    Registers {
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rax,
        rcx,
        rsp,
        rip,
        rflags,
    }
}

/// A signal that an instruction of the thread itself caused.
const fn is_fault(info: &SignalInfo) -> bool {
    info.code > 0
        && matches!(
            info.number,
            number::SIGSEGV | number::SIGBUS | number::SIGFPE | number::SIGILL | number::SIGTRAP
        )
}

/// `siginfo_t`.
pub(crate) fn info_words(info: &SignalInfo) -> [u64; INFO_WORDS] {
    let mut words = [0; INFO_WORDS];
    words[0] = u64::from(info.number);
    words[1] = u64::from(info.code.cast_unsigned());
    if is_fault(info) {
        words[2] = info.value;
        return words;
    }
    words[2] = u64::from(info.pid) | u64::from(info.uid) << 32;
    words[3] = if info.number == number::SIGCHLD && info.code > 0 {
        u64::from(info.status)
    } else {
        info.value
    };
    words
}

/// Bytes that the floating-point state takes in a frame, with the magic behind it.
const fn fpu_size(format: FpuFormat) -> u64 {
    match format {
        FpuFormat::Fxsave => FXSAVE_SIZE,
        FpuFormat::Xsave(size) => size as u64 + 4,
    }
}

/// Saves the floating-point state into the frame, and says how long it is (Linux:
/// `struct _fpx_sw_bytes`).
fn save_fpu(area: u64, format: FpuFormat) -> Result<(), Errno> {
    let FpuFormat::Xsave(size) = format else {
        copy::save_fpu(area, format)?;
        return copy::write(area + SOFTWARE, &[0_u64; 6]);
    };
    // XRSTOR wants the reserved words of the header to be zero.
    copy::write(area + FXSAVE_SIZE, &[0_u64; 8])?;
    copy::save_fpu(area, format)?;
    let software = [XSTATE_MAGIC1, size + 4, u32::MAX, 0, size, 0, 0, 0, 0, 0, 0, 0];
    copy::write(area + SOFTWARE, &software)?;
    copy::write(area + u64::from(size), &XSTATE_MAGIC2)
}

/// Gives the handler the state that a function expects: empty x87 stack, default rounding.
fn reset_fpu() {
    let control = 0x1f80_u32;
    // SAFETY: the program's state is saved; the shim is built without floating point.
    unsafe {
        core::arch::asm!("fninit", "ldmxcsr [{}]", in(reg) &raw const control, options(nostack));
    }
}

/// Loads the floating-point state of a frame.
fn load_fpu(process: &Process, area: u64) -> Result<(), Errno> {
    if area == 0 {
        return Ok(());
    }
    let magic: u32 = copy::read(area + SOFTWARE)?;
    let format = if magic == XSTATE_MAGIC1 { process.fpu_format() } else { FpuFormat::Fxsave };
    copy::load_fpu(area, format)
}

/// `rt_sigreturn`: the frame's context becomes the thread's.
pub(crate) fn rt_sigreturn(caller: &mut Caller<'_>, _: Args) -> Outcome {
    let context = caller.frame.rsp;
    if let Err(error) = try_return(caller, context) {
        let _set = sys::signal_action(number::SIGSEGV, disposition::DEFAULT);
        let _set = sys::procmask(how::UNBLOCK, bit(number::SIGSEGV));
        let fault = SignalInfo { number: number::SIGSEGV, code: 0x80, ..SignalInfo::default() };
        let _sent = sys::signal_self(caller.tid(), &fault);
        return Err(error);
    }
    Ok(0)
}

fn try_return(caller: &Caller<'_>, context: u64) -> Result<(), Errno> {
    let words: [u64; UCONTEXT_WORDS] = copy::read(context)?;
    let mut registers = [0_u64; 18];
    registers.copy_from_slice(&words[UC_REGISTERS..UC_SEGMENTS]);
    load_fpu(caller.process, words[UC_FPU])?;
    let [start, flags, size] = [words[UC_STACK], words[UC_STACK + 1], words[UC_STACK + 2]];
    caller.thread.alternate.set([start, flags & (SS_DISABLE | SS_AUTODISARM), size]);
    sys::signal_return(&registers_of(&registers), words[UC_MASK])?;
    Ok(())
}

/// Size of the XSAVE area of what the kernel enabled; 0 if there is only FXSAVE.
pub(crate) fn xsave_size() -> u32 {
    const OSXSAVE: u32 = 1 << 27;
    let features = core::arch::x86_64::__cpuid(1).ecx;
    if features & OSXSAVE == 0 {
        return 0;
    }
    core::arch::x86_64::__cpuid_count(0xd, 0).ebx
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux_raw_sys::general::{SIGCHLD, SIGSEGV};

    #[test]
    fn a_frame_is_as_long_as_linuxs() {
        assert_eq!(FRAME_WORDS * 8, 440);
        assert_eq!(UCONTEXT_WORDS * 8, 304);
    }

    #[test]
    fn a_handler_finds_its_stack_as_after_a_call_and_its_fpu_state_aligned() {
        for top in 0x7000_0000_u64..0x7000_0080 {
            let place = Place::below(top, 836);
            assert_eq!(place.frame % 16, 8);
            assert_eq!(place.fpu % 64, 0);
            assert!(place.fpu + 836 <= top);
            assert!(place.frame + 440 <= place.fpu);
        }
    }

    #[test]
    fn registers_survive_the_frame() {
        let mut words = [0_u64; 18];
        words.iter_mut().zip(100..).for_each(|(word, value)| *word = value);
        assert_eq!(register_words(&registers_of(&words)), words);
        assert_eq!(registers_of(&words).rip, 116);
    }

    #[test]
    fn the_red_zone_is_left_alone() {
        assert_eq!(stack_top(0x1000, [0, SS_DISABLE, 0], true), 0x1000 - 128);
    }

    #[test]
    fn a_handler_that_asks_for_it_runs_on_the_alternate_stack_once() {
        let alternate = [0x8000, 0, 0x2000];
        assert_eq!(stack_top(0x1000, alternate, true), 0xa000);
        assert_eq!(stack_top(0x9000, alternate, true), 0x9000 - 128);
        assert_eq!(stack_top(0x1000, alternate, false), 0x1000 - 128);
        assert_eq!(stack_flags(0x9000, alternate), SS_ONSTACK);
    }

    #[test]
    fn a_childs_status_and_a_faults_address_are_where_programs_look() {
        let child = SignalInfo {
            number: SIGCHLD,
            code: 1,
            pid: 7,
            uid: 3,
            status: 9,
            ..Default::default()
        };
        let words = info_words(&child);
        assert_eq!((words[0], words[1], words[2], words[3]), (17, 1, 7 | 3 << 32, 9));
        let fault = SignalInfo { number: SIGSEGV, code: 1, value: 0xdead, ..Default::default() };
        assert_eq!(info_words(&fault)[2], 0xdead);
    }
}
