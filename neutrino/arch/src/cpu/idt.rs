//! The interrupt descriptor table: vector n goes to stub n of `entry/trap.s`.

use spin::Once;
use x86_64::structures::idt::InterruptDescriptorTable;
use x86_64::{PrivilegeLevel, VirtAddr};

const STUB_SIZE: u64 = 16;
const FIRST_INTERRUPT: u8 = 32;
const NMI_STACK: u16 = 0;
const DOUBLE_FAULT_STACK: u16 = 1;
const MACHINE_CHECK_STACK: u16 = 2;
const DEBUG_STACK: u16 = 3;

static TABLE: Once<InterruptDescriptorTable> = Once::new();

/// Builds the table and loads it.
pub(super) fn install() {
    TABLE.call_once(build).load();
}

fn stub(vector: u8) -> VirtAddr {
    unsafe extern "C" {
        static trap_stubs: u8;
    }
    VirtAddr::from_ptr(&raw const trap_stubs) + u64::from(vector) * STUB_SIZE
}

fn build() -> InterruptDescriptorTable {
    let mut table = InterruptDescriptorTable::new();
    macro_rules! exceptions {
        ($($vector:literal $field:ident),*) => { $(
            // SAFETY: the stub takes what the CPU pushes for this vector, error code or not.
            unsafe { table.$field.set_handler_addr(stub($vector)) };
        )* };
    }
    exceptions!(
        0 divide_error, 1 debug, 2 non_maskable_interrupt, 3 breakpoint, 4 overflow,
        5 bound_range_exceeded, 6 invalid_opcode, 7 device_not_available, 8 double_fault,
        10 invalid_tss, 11 segment_not_present, 12 stack_segment_fault,
        13 general_protection_fault, 14 page_fault, 16 x87_floating_point, 17 alignment_check,
        18 machine_check, 19 simd_floating_point, 20 virtualization, 21 cp_protection_exception,
        28 hv_injection_exception, 29 vmm_communication_exception, 30 security_exception
    );
    for vector in FIRST_INTERRUPT..=u8::MAX {
        // SAFETY: the stub takes what the CPU pushes for an interrupt.
        unsafe { table[vector].set_handler_addr(stub(vector)) };
    }
    exceptions_with_stacks(&mut table);
    // SAFETY: the same stub as above; user code may run `int3`.
    unsafe { table.breakpoint.set_handler_addr(stub(3)) }
        .set_privilege_level(PrivilegeLevel::Ring3);
    table
}

fn exceptions_with_stacks(table: &mut InterruptDescriptorTable) {
    macro_rules! stacks {
        ($($vector:literal $field:ident $stack:ident),*) => { $(
            // SAFETY: the stub takes what the CPU pushes for this vector.
            let options = unsafe { table.$field.set_handler_addr(stub($vector)) };
            // SAFETY: the TSS holds a stack at that index, used by this vector alone.
            unsafe { options.set_stack_index($stack) };
        )* };
    }
    stacks!(
        1 debug DEBUG_STACK,
        2 non_maskable_interrupt NMI_STACK,
        8 double_fault DOUBLE_FAULT_STACK,
        18 machine_check MACHINE_CHECK_STACK
    );
}
