//! The ways in and out of the shim: system calls, signals, new threads, new programs.
//!
//! | routine | on entry | leaves |
//! | --- | --- | --- |
//! | `shim_call_entry` | rax = number << 47 \| rip, rsp = the program's, r11 = flags | through `shim_exit` |
//! | `shim_signal_entry` | registers in the signal area | through `shim_exit` or `SignalReturn` |
//! | `shim_child` | rdi = rsp = frame of the new thread | through `shim_exit` |
//! | `shim_start` | rdi = `StartInfo`, rsp = argc | to the program's first instruction |
//!
//! `shim_exit` is the restartable sequence: if a signal becomes deliverable anywhere between its
//! test and its jump, the kernel sends the thread back to the test. It only reads memory, so that
//! it can start again at any point.

use crate::block::{THREAD_FRAME, THREAD_MYSELF, THREAD_PENDING, THREAD_STACK_END};
use crate::copy::{shim_copy_end, shim_copy_fault, shim_copy_start};
use crate::dispatch::{shim_child_started, shim_deliver, shim_dispatch, shim_diverted};
use neutrino_abi::calls::number;
use neutrino_abi::signal::Personality;

core::arch::global_asm!(
    ".pushsection .text.shim_entry, \"ax\", @progbits",
    ".globl shim_call_entry",
    "shim_call_entry:",
    "mov rcx, rsp",
    "mov rsp, gs:[{stack_end}]",
    // From here on the order of `Registers`, backwards.
    "push r11",
    "mov r11, rax",
    "shr r11, 47",
    "shl rax, 17",
    "shr rax, 17",
    "push rax",
    "push rcx",
    "push rax",
    "push r11",
    "push rdx",
    "push rbx",
    "push rbp",
    "push rsi",
    "push rdi",
    "push r15",
    "push r14",
    "push r13",
    "push r12",
    "push [rsp + 13 * 8]",
    "push r10",
    "push r9",
    "push r8",
    "cld",
    "mov rdi, rsp",
    "mov rsi, gs:[{myself}]",
    // A frame for back-traces: they go on in the program.
    "push [rdi + 128]",
    "push rbp",
    "mov rbp, rsp",
    "call {dispatch}",
    // Falls through: the way out.
    ".globl shim_exit",
    "shim_exit:",
    "mov rsp, gs:[{frame}]",
    "cmp dword ptr gs:[{pending}], 0",
    "jne 2f",
    "mov r8, [rsp]",
    "mov r9, [rsp + 8]",
    "mov r10, [rsp + 16]",
    "mov r11, [rsp + 24]",
    "mov r12, [rsp + 32]",
    "mov r13, [rsp + 40]",
    "mov r14, [rsp + 48]",
    "mov r15, [rsp + 56]",
    "mov rdi, [rsp + 64]",
    "mov rsi, [rsp + 72]",
    "mov rbp, [rsp + 80]",
    "mov rbx, [rsp + 88]",
    "mov rdx, [rsp + 96]",
    "mov rax, [rsp + 104]",
    "mov rcx, [rsp + 128]",
    "mov rsp, [rsp + 120]",
    "jmp rcx",
    ".globl shim_exit_end",
    "shim_exit_end:",
    "2:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "mov rsi, gs:[{myself}]",
    "call {deliver}",
    "jmp shim_exit",
    ".globl shim_signal_entry",
    "shim_signal_entry:",
    "cld",
    "xor ebp, ebp",
    "mov rsp, gs:[{frame}]",
    "mov rdi, rsp",
    "mov rsi, gs:[{myself}]",
    "call {diverted}",
    "jmp shim_exit",
    ".globl shim_child",
    "shim_child:",
    "cld",
    "xor ebp, ebp",
    "mov rsp, gs:[{frame}]",
    "mov rdi, rsp",
    "mov rsi, gs:[{myself}]",
    "call {child}",
    "jmp shim_exit",
    // rdi: bitmap of thread slots, rsi: slot. Once the bit is clear, the stack may be somebody
    // else's: no memory is touched from there on.
    ".globl shim_thread_end",
    "shim_thread_end:",
    "lock btr qword ptr [rdi], rsi",
    "mov eax, {thread_destroy}",
    "xor edi, edi",
    "xor esi, esi",
    "syscall",
    "ud2",
    ".globl shim_start",
    "shim_start:",
    "mov rsi, rsp",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    // rdi: first instruction, rsi: stack.
    ".globl shim_enter_program",
    "shim_enter_program:",
    "mov rsp, rsi",
    "mov rcx, rdi",
    "xor eax, eax",
    "xor ebx, ebx",
    "xor edx, edx",
    "xor esi, esi",
    "xor edi, edi",
    "xor ebp, ebp",
    "xor r8d, r8d",
    "xor r9d, r9d",
    "xor r10d, r10d",
    "xor r11d, r11d",
    "xor r12d, r12d",
    "xor r13d, r13d",
    "xor r14d, r14d",
    "xor r15d, r15d",
    "jmp rcx",
    ".popsection",
    stack_end = const THREAD_STACK_END,
    frame = const THREAD_FRAME,
    myself = const THREAD_MYSELF,
    pending = const THREAD_PENDING,
    thread_destroy = const number::ThreadDestroy,
    dispatch = sym shim_dispatch,
    deliver = sym shim_deliver,
    diverted = sym shim_diverted,
    child = sym shim_child_started,
    start = sym crate::start::shim_main,
);

unsafe extern "C" {
    fn shim_call_entry();
    fn shim_signal_entry();
    fn shim_exit();
    fn shim_exit_end();
    fn shim_child();
    fn shim_thread_end(bits: u64, slot: u64) -> !;
    fn shim_enter_program(entry: u64, stack: u64) -> !;
    #[cfg(target_os = "none")]
    fn shim_text_start();
    #[cfg(target_os = "none")]
    fn shim_text_end();
}

fn text_address(routine: unsafe extern "C" fn()) -> u64 {
    routine as usize as u64
}

/// Where new threads and processes start.
pub(crate) fn child_entry() -> u64 {
    text_address(shim_child)
}

/// Ends the calling thread and gives its slot back.
pub(crate) fn end_thread(bits: u64, slot: u32) -> ! {
    // SAFETY: the slot is the caller's own, which needs its stack no more.
    unsafe { shim_thread_end(bits, u64::from(slot)) }
}

/// Starts the program.
pub(crate) fn enter_program(entry: u64, stack: u64) -> ! {
    // SAFETY: leaves the shim for good; its state is in the blocks.
    unsafe { shim_enter_program(entry, stack) }
}

/// What the kernel has to know of this text.
pub(crate) fn personality() -> Personality {
    #[cfg(target_os = "none")]
    let (guard_start, guard_end) = (text_address(shim_text_start), text_address(shim_text_end));
    #[cfg(not(target_os = "none"))]
    let (guard_start, guard_end) = (0, 0);
    Personality {
        system_call_entry: text_address(shim_call_entry),
        signal_entry: text_address(shim_signal_entry),
        guard_start,
        guard_end,
        restart_start: text_address(shim_exit),
        restart_end: text_address(shim_exit_end),
        copy_start: text_address(shim_copy_start),
        copy_end: text_address(shim_copy_end),
        copy_fault: text_address(shim_copy_fault),
    }
}
