//! Floating-point state, saved eagerly when another thread runs.
//!
//! A thread that has never used any ([`Floats::Never`]) has none to save, and most servers stay so. While one
//! runs, the registers hold their first values, and CR0.TS makes its first use a trap. So nothing of
//! another thread is ever in the registers of one that runs.
//!
//! The kernel itself uses no floating point. State that the CPU has beyond AVX is not enabled in XCR0,
//! so that one area has one size.

use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};

use x86_64::registers::control::{Cr0, Cr0Flags};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

use super::features::Features;

/// Bytes of legacy, header and AVX state (SDM vol. 1, 13.4).
const AREA_SIZE: usize = 832;
const CONTROL_WORD: u16 = 0x37f;
const MXCSR: u32 = 0x1f80;

/// The saved state of one thread.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(crate) struct Area {
    control: u16,
    before: [u8; 22],
    mxcsr: u32,
    rest: [u8; AREA_SIZE - 28],
}

const _: () = assert!(size_of::<Area>() == AREA_SIZE);

impl Area {
    /// All zero; [`Area::reset`] comes before its first use.
    pub(crate) const fn new() -> Self {
        Self { control: 0, before: [0; 22], mxcsr: 0, rest: [0; AREA_SIZE - 28] }
    }

    /// The state of a thread that has computed nothing.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            control: CONTROL_WORD,
            before: [0; 22],
            mxcsr: MXCSR,
            rest: [0; AREA_SIZE - 28],
        };
    }
}

/// Whether a thread computes with floating point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floats {
    /// It has not, so far. Zero, as contexts begin.
    Never = 0,
    /// It has.
    Used = 1,
}

/// Makes the next use of floating point a trap.
pub(crate) fn forbid() {
    // SAFETY: TS only makes floating-point instructions trap, and `enter_trap` handles that.
    unsafe { Cr0::update(|flags| flags.insert(Cr0Flags::TASK_SWITCHED)) };
}

/// Allows it.
pub(crate) fn allow() {
    // SAFETY: clears TS only.
    unsafe { asm!("clts", options(nomem, nostack, preserves_flags)) };
}

static USES_XSAVE: AtomicBool = AtomicBool::new(false);

/// Saves the live state, for another CPU that asks for it.
pub(super) fn save_asked(area: &mut Area) {
    let method = if USES_XSAVE.load(Ordering::Relaxed) { Method::Xsave } else { Method::Fxsave };
    method.save(area);
}

/// How this CPU saves state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Method {
    /// FXSAVE and FXRSTOR.
    Fxsave,
    /// XSAVE and XRSTOR.
    Xsave,
    /// XSAVEOPT and XRSTOR.
    Xsaveopt,
}

impl Method {
    /// Chooses, and enables the state that is saved.
    pub(crate) fn enable(features: &Features) -> Self {
        if !features.xsave {
            return Self::Fxsave;
        }
        let mut state = XCr0Flags::X87 | XCr0Flags::SSE;
        state.set(XCr0Flags::AVX, features.avx);
        // SAFETY: the CPU has XSAVE and each state named; CR4.OSXSAVE is set.
        unsafe { XCr0::write(state) };
        USES_XSAVE.store(true, Ordering::Relaxed);
        if features.xsaveopt { Self::Xsaveopt } else { Self::Xsave }
    }

    /// Saves the live state.
    pub(crate) fn save(self, area: &mut Area) {
        let area = &raw mut *area;
        match self {
            // SAFETY: the area is aligned and large enough; FXSAVE writes nothing else.
            Self::Fxsave => unsafe { asm!("fxsave64 [{}]", in(reg) area, options(nostack)) },
            // SAFETY: the area is aligned and holds all state in XCR0; its header was zeroed.
            Self::Xsave => unsafe {
                asm!("xsave64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX,
                    options(nostack));
            },
            // SAFETY: as for XSAVE; the area was the one loaded last, or is written whole.
            Self::Xsaveopt => unsafe {
                asm!("xsaveopt64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX,
                    options(nostack));
            },
        }
    }

    /// Loads a saved state.
    pub(crate) fn load(self, area: &Area) {
        let area = &raw const *area;
        match self {
            // SAFETY: the area was made by `reset` or FXSAVE, so no reserved bit is set; the kernel
            // keeps nothing in the registers that it loads.
            Self::Fxsave => unsafe {
                asm!("fxrstor64 [{}]", in(reg) area, options(nostack, readonly));
            },
            // SAFETY: the area was made by `reset` or XSAVE, so no reserved bit is set; the kernel
            // keeps nothing in the registers that it loads.
            Self::Xsave | Self::Xsaveopt => unsafe {
                asm!("xrstor64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX,
                    options(nostack, readonly));
            },
        }
    }
}

/// The `si_code` of an x87 (16) or SSE (19) exception of the running thread.
pub(crate) fn exception_code(vector: u64) -> i32 {
    let raised = if vector == 16 { x87_raised() } else { sse_raised() };
    // Linux: FPE_FLTINV, FPE_FLTDIV, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES.
    match raised {
        bits if bits & 0x01 != 0 => 7,
        bits if bits & 0x04 != 0 => 3,
        bits if bits & 0x08 != 0 => 4,
        bits if bits & 0x12 != 0 => 5,
        _ => 6,
    }
}

fn x87_raised() -> u16 {
    let status: u16;
    let mut control: u16 = 0;
    // SAFETY: reads the status word without a wait; nothing else changes.
    unsafe { asm!("fnstsw ax", out("ax") status, options(nomem, nostack)) };
    // SAFETY: writes two bytes at `control`.
    unsafe { asm!("fnstcw [{}]", in(reg) &raw mut control, options(nostack)) };
    status & !control
}

fn sse_raised() -> u16 {
    let mut mxcsr: u32 = 0;
    // SAFETY: writes four bytes at `mxcsr`.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack)) };
    let raised = mxcsr & !(mxcsr >> 7) & 0x3f;
    u16::try_from(raised).unwrap_or(0)
}
