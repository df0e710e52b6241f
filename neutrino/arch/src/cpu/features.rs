//! Which features the CPU has, and switching on those that protect the kernel.

use core::arch::x86_64::{__cpuid, __cpuid_count};

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};

/// What the rest of arch asks about.
#[allow(clippy::struct_excessive_bools, reason = "bits of CPUID, independent of each other")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    /// CLAC exists.
    pub(crate) smap: bool,
    /// 1 GiB pages.
    pub(crate) huge_pages: bool,
    /// XSAVE.
    pub(crate) xsave: bool,
    /// XSAVEOPT.
    pub(crate) xsaveopt: bool,
    /// AVX state.
    pub(crate) avx: bool,
    /// The local APIC timer compares with the TSC.
    pub(crate) tsc_deadline: bool,
}

struct Raw {
    leaf1_ecx: u32,
    leaf7_ebx: u32,
    leaf7_ecx: u32,
    leaf_d1_eax: u32,
    extended_edx: u32,
}

fn raw() -> Raw {
    let highest = __cpuid(0).eax;
    let leaf1 = __cpuid(1);
    let (leaf7_ebx, leaf7_ecx) = if highest >= 7 {
        let leaf = __cpuid_count(7, 0);
        (leaf.ebx, leaf.ecx)
    } else {
        (0, 0)
    };
    let leaf_d1_eax = if highest >= 0xd { __cpuid_count(0xd, 1).eax } else { 0 };
    let extended_edx =
        if __cpuid(0x8000_0000).eax >= 0x8000_0001 { __cpuid(0x8000_0001).edx } else { 0 };
    Raw { leaf1_ecx: leaf1.ecx, leaf7_ebx, leaf7_ecx, leaf_d1_eax, extended_edx }
}

/// Reads the features and switches the protecting ones on.
pub(crate) fn enable() -> Features {
    let raw = raw();
    let has = |word: u32, bit: u32| word & (1 << bit) != 0;
    let xsave = has(raw.leaf1_ecx, 26);
    let features = Features {
        smap: has(raw.leaf7_ebx, 20),
        huge_pages: has(raw.extended_edx, 26),
        xsave,
        xsaveopt: xsave && has(raw.leaf_d1_eax, 0),
        avx: xsave && has(raw.leaf1_ecx, 28),
        tsc_deadline: has(raw.leaf1_ecx, 24),
    };
    let mut cr4 = Cr4Flags::PHYSICAL_ADDRESS_EXTENSION
        | Cr4Flags::PAGE_GLOBAL
        | Cr4Flags::OSFXSR
        | Cr4Flags::OSXMMEXCPT_ENABLE;
    cr4.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, has(raw.leaf7_ebx, 7));
    cr4.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, features.smap);
    cr4.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, has(raw.leaf7_ecx, 2));
    cr4.set(Cr4Flags::OSXSAVE, xsave);
    // SAFETY: paging stays on; every flag set is one that the CPU has, and the kernel runs from
    // supervisor pages only. FSGSBASE stays off, so user code cannot move GS.
    unsafe { Cr4::write(cr4) };
    let cr0 = Cr0Flags::PROTECTED_MODE_ENABLE
        | Cr0Flags::MONITOR_COPROCESSOR
        | Cr0Flags::EXTENSION_TYPE
        | Cr0Flags::NUMERIC_ERROR
        | Cr0Flags::WRITE_PROTECT
        | Cr0Flags::ALIGNMENT_MASK
        | Cr0Flags::PAGING;
    // SAFETY: protection and paging stay on; the rest selects native floating-point errors, write
    // protection and alignment checks of user code.
    unsafe { Cr0::write(cr0) };
    features
}
