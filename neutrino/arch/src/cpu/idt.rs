//! The interrupt descriptor table: vector n goes to stub n of `entry/trap.s`.

use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

const VECTORS: usize = 256;
const STUB_SIZE: u64 = 16;
const KERNEL_CODE: u64 = 0x08;
const PRESENT_INTERRUPT_GATE: u64 = 0x8e;
const USER: u64 = 0x60;

const DEBUG: u8 = 1;
const NMI: u8 = 2;
const BREAKPOINT: u8 = 3;
const DOUBLE_FAULT: u8 = 8;
const MACHINE_CHECK: u8 = 18;

/// An interrupt gate (SDM vol. 3, 7.14.1).
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Gate {
    low: u64,
    high: u64,
}

impl Gate {
    fn new(vector: u8) -> Self {
        let handler = stub(vector);
        // User code may run `int3`.
        let rights = if vector == BREAKPOINT {
            PRESENT_INTERRUPT_GATE | USER
        } else {
            PRESENT_INTERRUPT_GATE
        };
        Self {
            low: handler & 0xffff
                | KERNEL_CODE << 16
                | stack(vector) << 32
                | rights << 40
                | (handler >> 16 & 0xffff) << 48,
            high: handler >> 32,
        }
    }
}

/// Which of the TSS's stacks a vector has to itself; 0: the one in use.
const fn stack(vector: u8) -> u64 {
    match vector {
        NMI => 1,
        DOUBLE_FAULT => 2,
        MACHINE_CHECK => 3,
        DEBUG => 4,
        _ => 0,
    }
}

static TABLE: Once<[Gate; VECTORS]> = Once::new();

/// Builds the table and loads it.
pub(super) fn install() {
    let table = TABLE.call_once(|| {
        let mut table = [Gate { low: 0, high: 0 }; VECTORS];
        for (vector, gate) in (0_u8..=u8::MAX).zip(&mut table) {
            *gate = Gate::new(vector);
        }
        table
    });
    let limit = (size_of::<[Gate; VECTORS]>() - 1) as u16;
    let pointer = DescriptorTablePointer { limit, base: VirtAddr::from_ptr(&raw const *table) };
    // SAFETY: the table is static and complete; each stub takes what the CPU pushes for its vector,
    // and the TSS holds the stacks that the gates name.
    unsafe { lidt(&pointer) };
}

fn stub(vector: u8) -> u64 {
    unsafe extern "C" {
        static trap_stubs: u8;
    }
    let first = (&raw const trap_stubs).addr() as u64;
    first + u64::from(vector) * STUB_SIZE
}
