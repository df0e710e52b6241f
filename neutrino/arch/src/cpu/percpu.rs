//! What each CPU has for itself; GS base points here while the kernel runs.
//!
//! The assembly entries know the offsets of the first four words.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::offset_of;

use neutrino_core::limits::CPUS;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};
use x86_64::structures::gdt::GlobalDescriptorTable;
use x86_64::structures::tss::TaskStateSegment;

/// One CPU's block.
#[repr(C, align(64))]
pub(crate) struct PerCpu {
    scratch: u64,
    context_top: u64,
    kernel_stack: u64,
    foreign_entry: u64,
    index: u64,
    pub(super) tss: TaskStateSegment,
    pub(super) gdt: GlobalDescriptorTable<8>,
}

const _: () = assert!(offset_of!(PerCpu, scratch) == 0);
const _: () = assert!(offset_of!(PerCpu, context_top) == 8);
const _: () = assert!(offset_of!(PerCpu, kernel_stack) == 16);
const _: () = assert!(offset_of!(PerCpu, foreign_entry) == 24);
const _: () = assert!(offset_of!(PerCpu, index) == 32);
const RSP0: usize = offset_of!(PerCpu, tss) + offset_of!(TaskStateSegment, privilege_stack_table);

/// NMI, #DF, #MC and #DB.
pub(super) const EXCEPTION_STACKS: usize = 4;
const EXCEPTION_STACK_SIZE: usize = 8192;

#[repr(C, align(16))]
struct ExceptionStack([u8; EXCEPTION_STACK_SIZE]);

struct Shared<T>(UnsafeCell<T>);

// SAFETY: a CPU reaches only its own element, through `block` at boot and through GS afterwards.
unsafe impl<T> Sync for Shared<T> {}

static BLOCKS: Shared<[PerCpu; CPUS]> = Shared(UnsafeCell::new([const { PerCpu::new() }; CPUS]));

#[unsafe(link_section = ".bss..tables")]
static STACKS: Shared<[[ExceptionStack; EXCEPTION_STACKS]; CPUS]> = Shared(UnsafeCell::new(
    [const { [const { ExceptionStack([0; EXCEPTION_STACK_SIZE]) }; EXCEPTION_STACKS] }; CPUS],
));

/// Bytes of the kernel stack of a CPU other than 0, with the page at its end that is absent.
const KERNEL_STACK_SIZE: usize = 32768;

#[repr(C, align(4096))]
struct KernelStack([u8; KERNEL_STACK_SIZE]);

#[unsafe(link_section = ".bss..tables")]
static KERNEL_STACKS: Shared<[KernelStack; CPUS]> =
    Shared(UnsafeCell::new([const { KernelStack([0; KERNEL_STACK_SIZE]) }; CPUS]));

/// The end of the kernel stack of a CPU other than 0.
pub(crate) fn kernel_stack_top(cpu: usize) -> VirtAddr {
    VirtAddr::from_ptr(KERNEL_STACKS.0.get()) + ((cpu + 1) * KERNEL_STACK_SIZE) as u64
}

/// Whether a page lies below a kernel stack, to be left out.
pub(crate) fn is_stack_guard(page: u64) -> bool {
    let offset = page.wrapping_sub(KERNEL_STACKS.0.get().addr() as u64);
    offset < (CPUS * KERNEL_STACK_SIZE) as u64 && offset.is_multiple_of(KERNEL_STACK_SIZE as u64)
}

impl PerCpu {
    const fn new() -> Self {
        Self {
            scratch: 0,
            context_top: 0,
            kernel_stack: 0,
            foreign_entry: 0,
            index: 0,
            tss: TaskStateSegment::new(),
            gdt: GlobalDescriptorTable::empty(),
        }
    }
}

/// The block of a CPU, for its set-up at boot.
///
/// # Safety
/// - Called once for each CPU, at boot.
pub(super) unsafe fn block(cpu: usize) -> &'static mut PerCpu {
    let block = BLOCKS.0.get().cast::<PerCpu>().wrapping_add(cpu & (CPUS - 1));
    // SAFETY: the index is masked, so the element exists; called once, so this is the only reference
    // to it.
    let block = unsafe { &mut *block };
    block.index = cpu as u64;
    block
}

const _: () = assert!(CPUS.is_power_of_two());

/// The number of the CPU that runs.
#[inline(always)]
pub(crate) fn index() -> usize {
    let index: usize;
    // SAFETY: GS points to this CPU's block in the kernel; the word never changes after its set-up.
    unsafe {
        asm!("mov {}, gs:[32]", out(reg) index, options(nostack, preserves_flags, readonly));
    }
    // So that no index needs a look at it.
    index & (CPUS - 1)
}

/// The tops of a CPU's exception stacks.
pub(super) fn exception_stack_tops(cpu: u64) -> [VirtAddr; EXCEPTION_STACKS] {
    let first = VirtAddr::from_ptr(STACKS.0.get());
    let mut size = cpu * (EXCEPTION_STACKS * EXCEPTION_STACK_SIZE) as u64;
    [(); EXCEPTION_STACKS].map(|()| {
        size += EXCEPTION_STACK_SIZE as u64;
        first + size
    })
}

impl PerCpu {
    /// Its CPU's number.
    pub(super) const fn index(&self) -> u64 {
        self.index
    }
}

/// Points GS at a block and gives it the kernel stack that ends at `stack`.
pub(super) fn install(block: &mut PerCpu, stack: VirtAddr) {
    block.kernel_stack = stack.as_u64();
    GsBase::write(VirtAddr::from_ptr(block));
    KernelGsBase::write(VirtAddr::zero());
}

/// Makes traps from user space save registers in the frame that ends at `top`.
#[inline(always)]
pub(crate) fn set_context_top(top: u64) {
    // SAFETY: GS points to this CPU's block in the kernel; the word is read by the entries only.
    unsafe { asm!("mov gs:[8], {}", in(reg) top, options(nostack, preserves_flags)) };
    // SAFETY: GS points to this CPU's block in the kernel; the word is RSP0 of its TSS.
    unsafe {
        asm!("mov gs:[{offset}], {}", in(reg) top, offset = const RSP0,
            options(nostack, preserves_flags));
    };
}

/// Sets where foreign system calls of the running thread continue; 0 for nowhere. One that is not
/// canonical would make SYSRET fault in ring 0.
#[inline(always)]
pub(crate) fn set_foreign_entry(entry: Canonical) {
    let entry = entry.address();
    // SAFETY: GS points to this CPU's block in the kernel; the word is read by `syscall_entry` only.
    unsafe { asm!("mov gs:[24], {}", in(reg) entry, options(nostack, preserves_flags)) };
}

/// An address that WRMSR and SYSRET take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Canonical(u64);

impl Canonical {
    /// Address 0.
    pub(crate) const ZERO: Self = Self(0);

    /// The core checks what users give; what slips through is 0.
    pub(crate) fn new(address: u64) -> Self {
        Self(VirtAddr::try_new(address).map_or(0, VirtAddr::as_u64))
    }

    /// The address.
    pub(crate) const fn address(self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn write(self, msr: u32) {
        let (low, high) = (self.0 as u32, (self.0 >> 32) as u32);
        // SAFETY: called for the FS base and the user's GS base only, in which the kernel keeps
        // nothing; a canonical address cannot fault.
        unsafe {
            asm!("wrmsr", in("ecx") msr, in("eax") low, in("edx") high,
                options(nomem, nostack, preserves_flags));
        }
    }
}

/// Sets the FS base of the running thread.
#[inline(always)]
pub(crate) fn set_fs_base(base: Canonical) {
    base.write(FS_BASE);
}

/// Sets the GS base that the running thread gets back on its way to user space.
#[inline(always)]
pub(crate) fn set_user_gs_base(base: Canonical) {
    base.write(KERNEL_GS_BASE);
}

/// SDM vol. 4, table 2-2.
const FS_BASE: u32 = 0xc000_0100;
const KERNEL_GS_BASE: u32 = 0xc000_0102;
