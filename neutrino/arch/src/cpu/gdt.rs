//! Segments, and the SYSCALL registers that name them.
//!
//! The order is SYSRET's: user data right below user code. The assembly entries and
//! `entry::context` know the user selectors 0x1b and 0x23.

use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::registers::model_specific::{Efer, EferFlags, LStar, SFMask, Star};
use x86_64::registers::rflags::RFlags;
use x86_64::structures::gdt::{Descriptor, SegmentSelector};

use super::percpu::{self, PerCpu};
use crate::panic::needed;

const KERNEL_CODE: SegmentSelector = SegmentSelector(0x08);
const KERNEL_DATA: SegmentSelector = SegmentSelector(0x10);
const USER_DATA: SegmentSelector = SegmentSelector(0x1b);
const USER_CODE: SegmentSelector = SegmentSelector(0x23);

/// Loads the segments and the TSS out of a CPU's block.
pub(super) fn install(block: &mut PerCpu) {
    let mut stacks = block.tss.interrupt_stack_table;
    for (place, top) in stacks.iter_mut().zip(percpu::exception_stack_tops(block.index())) {
        *place = top;
    }
    block.tss.interrupt_stack_table = stacks;
    block.gdt.append(Descriptor::kernel_code_segment());
    block.gdt.append(Descriptor::kernel_data_segment());
    block.gdt.append(Descriptor::user_data_segment());
    block.gdt.append(Descriptor::user_code_segment());
    // SAFETY: the block is static and its TSS stays where it is.
    let descriptor = unsafe { Descriptor::tss_segment_unchecked(&raw const block.tss) };
    let tss = block.gdt.append(descriptor);
    // SAFETY: the block is static, and its GDT is complete.
    unsafe { block.gdt.load_unsafe() };
    // SAFETY: the selector names the kernel code segment just loaded.
    unsafe { CS::set_reg(KERNEL_CODE) };
    // SAFETY: the selector names the kernel data segment just loaded.
    unsafe { SS::set_reg(KERNEL_DATA) };
    // SAFETY: the selector names the TSS descriptor just loaded.
    unsafe { load_tss(tss) };
}

/// Lets user space enter by SYSCALL.
pub(super) fn enable_syscall() {
    unsafe extern "C" {
        fn syscall_entry();
    }
    let written = Star::write(USER_CODE, USER_DATA, KERNEL_CODE, KERNEL_DATA);
    needed(written.ok(), "selectors in SYSRET's order");
    LStar::write(VirtAddr::new(syscall_entry as *const () as u64));
    SFMask::write(
        RFlags::DIRECTION_FLAG
            | RFlags::TRAP_FLAG
            | RFlags::NESTED_TASK
            | RFlags::ALIGNMENT_CHECK
            | RFlags::INTERRUPT_FLAG,
    );
    // SAFETY: STAR, LSTAR and SFMASK are set, so SYSCALL enters `syscall_entry` with interrupts off.
    unsafe { Efer::update(|flags| flags.insert(EferFlags::SYSTEM_CALL_EXTENSIONS)) };
}
