//! Saved registers of threads.
//!
//! The frame's layout is what the entries push (`entry/syscall.s`, `entry/trap.s`). Every frame can be
//! loaded without a fault in ring 0: its selectors are the user's, its flags are legal, and its
//! instruction pointer is canonical. Only this module writes frames.

use core::cell::UnsafeCell;
use core::mem::offset_of;

use neutrino_abi::calls::Registers as CallRegisters;
use neutrino_abi::memory::USER_END;
use neutrino_abi::message::{Head, Words};
use neutrino_abi::signal::{Registers, SignalInfo};
use neutrino_core::limits::THREADS;
use neutrino_core::machine::{StartRegisters, ThreadSlot};

use super::dispatch::{BREAKPOINT, STEP, signal_of};
use crate::cpu::fpu::{Area, Floats};
use crate::cpu::percpu::Canonical;

const USER_CODE: u64 = 0x23;
const USER_DATA: u64 = 0x1b;
/// The frame is not one that SYSCALL made: all registers are loaded, by IRET.
const KIND_FULL: u64 = 0;
/// SYSCALL made it.
const KIND_CALL: u64 = 0x100;
/// CF PF AF ZF SF TF DF OF, RF, AC, ID: what a user may set.
const USER_FLAGS: u64 = 0x25_0dd5;
/// IF, and the bit that is always 1.
const FORCED_FLAGS: u64 = 0x202;
/// Makes any address one of the kernel's half: canonical, and a fault in user space.
const KERNEL_HALF: u64 = 0xffff_8000_0000_0000;

/// What an entry saves.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Frame {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    rbp: u64,
    rbx: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    rax: u64,
    rcx: u64,
    rdx: u64,
    rsi: u64,
    rdi: u64,
    kind: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

const FRAME_SIZE: u64 = 176;
const _: () = assert!(size_of::<Frame>() == 176);

impl Frame {
    const fn new() -> Self {
        Self {
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            rbp: 0,
            rbx: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rax: 0,
            rcx: 0,
            rdx: 0,
            rsi: 0,
            rdi: 0,
            kind: KIND_FULL,
            error: 0,
            rip: 0,
            cs: 0,
            rflags: 0,
            rsp: 0,
            ss: 0,
        }
    }

    /// Vector of a trap.
    pub(crate) fn vector(&self) -> u64 {
        self.kind
    }

    /// Error code of a trap.
    pub(crate) fn error(&self) -> u64 {
        self.error
    }

    /// Where it was.
    pub(crate) fn ip(&self) -> u64 {
        self.rip
    }

    /// Its frame pointer.
    pub(crate) fn frame_pointer(&self) -> u64 {
        self.rbp
    }

    /// Whether user code was interrupted.
    pub(crate) fn is_user(&self) -> bool {
        self.cs & 3 != 0
    }

    /// All registers, in the order of signals.
    pub(crate) fn registers(&self) -> Registers {
        Registers {
            r8: self.r8,
            r9: self.r9,
            r10: self.r10,
            r11: self.r11,
            r12: self.r12,
            r13: self.r13,
            r14: self.r14,
            r15: self.r15,
            rdi: self.rdi,
            rsi: self.rsi,
            rbp: self.rbp,
            rbx: self.rbx,
            rdx: self.rdx,
            rax: self.rax,
            rcx: self.rcx,
            rsp: self.rsp,
            rip: self.rip,
            rflags: self.rflags,
        }
    }

    fn set_registers(&mut self, registers: &Registers) {
        let rip = registers.rip;
        *self = Self {
            r15: registers.r15,
            r14: registers.r14,
            r13: registers.r13,
            r12: registers.r12,
            rbp: registers.rbp,
            rbx: registers.rbx,
            r11: registers.r11,
            r10: registers.r10,
            r9: registers.r9,
            r8: registers.r8,
            rax: registers.rax,
            rcx: registers.rcx,
            rdx: registers.rdx,
            rsi: registers.rsi,
            rdi: registers.rdi,
            kind: KIND_FULL,
            error: 0,
            rip: if rip < USER_END { rip } else { rip | KERNEL_HALF },
            cs: USER_CODE,
            rflags: registers.rflags & USER_FLAGS | FORCED_FLAGS,
            rsp: registers.rsp,
            ss: USER_DATA,
        };
    }
}

/// The frame of the call that made the kernel run.
///
/// A pointer, not a reference: the kernel changes frames while it looks at this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallFrame {
    frame: *const Frame,
    number: u64,
    first: u64,
    second: u64,
}

impl CallFrame {
    /// The frame that `syscall_entry` has filled, and what of it is in registers still.
    #[inline(always)]
    pub(super) const fn new(frame: *const Frame, number: u64, first: u64, second: u64) -> Self {
        Self { frame, number, first, second }
    }

    /// The address of the caller's context.
    #[inline(always)]
    pub(super) fn address(self) -> u64 {
        self.frame.addr() as u64
    }

    #[inline(always)]
    fn word(self, offset: usize) -> u64 {
        let word = self.frame.wrapping_byte_add(offset).cast::<u64>();
        // SAFETY: `syscall_entry` and `Contexts::call_frame` make `CallFrame`s: the pointer leads to a
        // frame in the table of contexts, which is never freed, and every offset used is one of its
        // words.
        unsafe { word.read() }
    }
}

impl CallRegisters for CallFrame {
    #[inline(always)]
    fn number(&self) -> u64 {
        self.number
    }

    #[inline(always)]
    fn argument(&self, index: usize) -> u64 {
        match index {
            0 => self.first,
            1 => self.second,
            2 => self.word(offset_of!(Frame, rdx)),
            3 => self.word(offset_of!(Frame, r10)),
            4 => self.word(offset_of!(Frame, r8)),
            5 => self.word(offset_of!(Frame, r9)),
            6 => self.word(offset_of!(Frame, r12)),
            7 => self.word(offset_of!(Frame, r13)),
            8 => self.word(offset_of!(Frame, r14)),
            9 => self.word(offset_of!(Frame, r15)),
            _ => 0,
        }
    }
}

/// Whether a thread has more registers than its frame: what most servers have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// No floating-point state, and a GS base of 0. Zero, as contexts begin.
    Unused = 0,
    /// Some.
    Used = 1,
}

/// One thread's registers, and where it runs.
#[repr(C, align(64))]
pub(crate) struct Context {
    frame: Frame,
    /// Where it runs.
    pub(crate) home: Home,
    /// Whether it has floating-point state, or a GS base other than 0.
    pub(crate) rest: Rest,
    /// Whether it computes with floating point.
    pub(crate) floats: Floats,
    /// FS base.
    pub(crate) fs_base: Canonical,
    /// GS base of user space.
    pub(crate) gs_base: Canonical,
    /// Floating-point state.
    pub(crate) area: Area,
}

impl Context {
    const fn new() -> Self {
        Self {
            frame: Frame::new(),
            home: Home { root: 0, foreign_entry: Canonical::ZERO },
            rest: Rest::Unused,
            floats: Floats::Never,
            fs_base: Canonical::ZERO,
            gs_base: Canonical::ZERO,
            area: Area::new(),
        }
    }

    /// The registers that carry messages.
    #[inline(always)]
    pub(crate) fn words(&self) -> Words {
        let Frame { rdx, r10, r8, r9, r12, r13, .. } = self.frame;
        [rdx, r10, r8, r9, r12, r13]
    }

    /// Replaces them.
    #[inline(always)]
    pub(crate) fn set_words(&mut self, words: &Words) {
        let frame = &mut self.frame;
        [frame.rdx, frame.r10, frame.r8, frame.r9, frame.r12, frame.r13] = *words;
    }

    /// Puts the length of an answer in its register.
    #[inline(always)]
    pub(crate) fn set_answer_length(&mut self, bytes: u64) {
        self.frame.rsi = bytes;
    }

    /// Puts a receive call's other results in their registers.
    #[inline(always)]
    pub(crate) fn set_head(&mut self, head: &Head) {
        self.frame.rdi = head.badge;
        self.frame.rsi = head.packed();
        self.frame.r14 = head.srcmsglen;
        self.frame.r15 = head.dstmsglen;
    }

    /// The frame was not looked at yet. A call is made again when the thread runs again, and a fault
    /// comes again; a trap, which comes behind its instruction, is told.
    pub(crate) fn call_again(&mut self) -> Option<SignalInfo> {
        /// Bytes of SYSCALL.
        const LENGTH: u64 = 2;
        match self.frame.kind {
            KIND_CALL => {
                self.frame.rip = self.frame.rip.wrapping_sub(LENGTH);
                None
            }
            STEP | BREAKPOINT => Some(signal_of(&self.frame)),
            _ => None,
        }
    }

    /// Gives a thread its first registers.
    pub(crate) fn start(&mut self, start: &StartRegisters) {
        self.frame.set_registers(&Registers {
            rip: start.entry,
            rsp: start.stack,
            rdi: start.argument,
            ..Registers::default()
        });
        self.fs_base = Canonical::new(start.fs_base);
        self.set_gs_base(Canonical::new(start.gs_base));
        self.area.reset();
        self.set_floats(Floats::Never);
    }

    /// Notes whether it computes with floating point.
    pub(crate) fn set_floats(&mut self, floats: Floats) {
        self.floats = floats;
        self.note_rest();
    }

    /// Sets the GS base.
    pub(crate) fn set_gs_base(&mut self, base: Canonical) {
        self.gs_base = base;
        self.note_rest();
    }

    fn note_rest(&mut self) {
        let is_used = self.gs_base != Canonical::ZERO || self.floats == Floats::Used;
        self.rest = if is_used { Rest::Used } else { Rest::Unused };
    }

    /// The saved registers.
    pub(crate) fn registers(&self) -> Registers {
        self.frame.registers()
    }

    /// Replaces them all.
    pub(crate) fn set_registers(&mut self, registers: &Registers) {
        self.frame.set_registers(registers);
    }

    /// Puts the result of a call in its register.
    #[inline(always)]
    pub(crate) fn set_result(&mut self, value: i64) {
        self.frame.rax = value.cast_unsigned();
    }

    /// Where the frame is.
    pub(crate) fn address(&self) -> u64 {
        (&raw const *self).addr() as u64
    }

    /// The address that traps push below.
    pub(crate) fn top(&self) -> u64 {
        self.address().wrapping_add(FRAME_SIZE)
    }
}

struct Table<T>(UnsafeCell<T>);

// SAFETY: reached through `Contexts` only, of which there is one, inside the kernel lock; and by the
// entries, for the thread that runs, when no CPU is in the kernel on its behalf.
unsafe impl<T> Sync for Table<T> {}

#[unsafe(link_section = ".bss..tables")]
static CONTEXTS: Table<[Context; THREADS]> =
    Table(UnsafeCell::new([const { Context::new() }; THREADS]));

/// Where a thread runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    /// Its top page table, as CR3 takes it.
    pub(crate) root: u64,
    /// Where its foreign calls continue; 0 for nowhere.
    pub(crate) foreign_entry: Canonical,
}

/// The contexts of all threads.
#[derive(Debug)]
pub(crate) struct Contexts(());

impl Contexts {
    /// Takes hold of the tables.
    ///
    /// # Safety
    /// - Called once.
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }

    /// Where a thread runs.
    #[inline(always)]
    pub(crate) fn home(&mut self, thread: ThreadSlot) -> &mut Home {
        &mut self.get_mut(thread).home
    }

    /// The call that a thread made.
    pub(crate) fn call_frame(&self, thread: ThreadSlot) -> CallFrame {
        let frame = &self.get(thread).frame;
        CallFrame::new(&raw const *frame, frame.rax, frame.rdi, frame.rsi)
    }

    /// Copies the registers that carry messages, one by one: six at once do not fit in registers.
    pub(crate) fn move_words(&mut self, from: ThreadSlot, to: ThreadSlot) {
        self.get_mut(to).frame.rdx = self.get(from).frame.rdx;
        self.get_mut(to).frame.r10 = self.get(from).frame.r10;
        self.get_mut(to).frame.r8 = self.get(from).frame.r8;
        self.get_mut(to).frame.r9 = self.get(from).frame.r9;
        self.get_mut(to).frame.r12 = self.get(from).frame.r12;
        self.get_mut(to).frame.r13 = self.get(from).frame.r13;
    }

    /// The registers of a thread.
    #[inline(always)]
    pub(crate) fn get(&self, thread: ThreadSlot) -> &Context {
        let place = CONTEXTS.0.get().cast::<Context>().wrapping_add(index(thread));
        // SAFETY: the index is masked, so the element exists; only `self`, which is unique, leads to
        // the table while the kernel runs.
        unsafe { &*place }
    }

    /// The registers of a thread.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, thread: ThreadSlot) -> &mut Context {
        let place = CONTEXTS.0.get().cast::<Context>().wrapping_add(index(thread));
        // SAFETY: the index is masked, so the element exists; only `self`, which is unique and
        // borrowed here, leads to the table while the kernel runs.
        unsafe { &mut *place }
    }
}

const _: () = assert!(THREADS.is_power_of_two());

fn index(thread: ThreadSlot) -> usize {
    usize::from(thread.0) & (THREADS - 1)
}
