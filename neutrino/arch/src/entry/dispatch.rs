//! From saved registers to an input of the core, and on to the thread that runs next.
//!
//! Everything here runs with interrupts off, on the CPU's kernel stack, and ends by returning the
//! context to load (0: idle) to `leave_kernel`.

use core::arch::asm;

use neutrino_abi::signal::number::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
use neutrino_core::machine::{Access, ThreadSlot};
use neutrino_core::{Input, Kernel};
use x86_64::registers::control::Cr2;

use super::context::{CallFrame, Frame};
use crate::cpu::{fpu, percpu};
use crate::irq::Source;
use crate::lock::KernelLock;
use crate::machine::Machine;

/// What the one kernel lock guards.
#[derive(Debug)]
pub(crate) struct System {
    /// The core.
    pub(crate) kernel: &'static mut Kernel,
    /// The hardware.
    pub(crate) machine: Machine,
}

/// The kernel lock.
pub(crate) static SYSTEM: KernelLock<Option<System>> = KernelLock::new(None);

const FIRST_INTERRUPT: u64 = 32;
const PAGE_FAULT: u64 = 14;
const SI_KERNEL: i32 = 0x80;
const FPE_INTDIV: i32 = 1;
const TRAP_TRACE: i32 = 2;
const ILL_ILLOPN: i32 = 2;
const BUS_ADRALN: i32 = 1;

impl System {
    /// Gives the core an input and the CPU to whom it chooses.
    #[inline(never)]
    pub(crate) fn run(&mut self, cpu: usize, input: Input) -> u64 {
        self.machine.set_cpu(cpu);
        let next = self.kernel.enter_slow(&mut self.machine, cpu, input);
        self.leave(cpu, next)
    }

    /// A kernel call that the fast path leaves.
    #[inline(never)]
    fn call(&mut self, cpu: usize, frame: &CallFrame) -> u64 {
        self.machine.set_cpu(cpu);
        let next = self.kernel.call_slow(&mut self.machine, cpu, frame);
        self.leave(cpu, next)
    }

    /// Ends a kernel entry by the general path.
    #[inline(always)]
    fn leave(&mut self, cpu: usize, next: Option<ThreadSlot>) -> u64 {
        self.machine.spaces.settle();
        match next {
            Some(thread) => self.resume(cpu, thread),
            None => {
                self.machine.rest(cpu);
                0
            }
        }
    }

    /// Gives the CPU to a thread and tells where its registers are.
    #[inline(always)]
    fn resume(&mut self, cpu: usize, thread: ThreadSlot) -> u64 {
        self.machine.switch(cpu, thread)
    }

    /// Handles an interrupt; `None` if the core has nothing to do with it.
    fn interrupt(&mut self, cpu: usize, vector: u8) -> Option<u64> {
        let machine = &mut self.machine;
        let input = match Source::of(vector) {
            Source::Line(line) => {
                machine.router.mask(line);
                machine.local.acknowledge();
                Input::Interrupt { line }
            }
            Source::Timer => {
                machine.local.acknowledge();
                if !machine.timer.has_expired(cpu, &machine.clock, &mut machine.local) {
                    return None;
                }
                Input::Timer
            }
            Source::Reschedule => {
                machine.local.acknowledge();
                Input::Reschedule
            }
            Source::Error => {
                machine.local.acknowledge();
                return None;
            }
            Source::Spurious => return None,
        };
        Some(self.run(cpu, input))
    }
}

/// A kernel call.
#[unsafe(no_mangle)]
extern "C" fn enter_call(frame: CallFrame) -> ! {
    let context = {
        let cpu = percpu::index();
        let mut guard = SYSTEM.lock();
        match guard.as_mut() {
            None => 0,
            Some(system) => match system.kernel.fast(&mut system.machine, cpu, &frame) {
                Some(thread) => system.resume(cpu, thread),
                None => system.call(cpu, &frame),
            },
        }
    };
    // SAFETY: `leave_kernel` takes the context in rax and leaves this stack for good; nothing on it
    // is still needed.
    unsafe { asm!("jmp leave_kernel", in("rax") context, options(noreturn)) };
}

/// What a trap of user code is.
enum Trap {
    Interrupt(u8),
    Exception(Input),
}

impl Trap {
    fn read(frame: &Frame) -> Self {
        let vector = frame.vector();
        match u8::try_from(vector) {
            Ok(interrupt) if vector >= FIRST_INTERRUPT => Self::Interrupt(interrupt),
            _ if vector == PAGE_FAULT => Self::Exception(page_fault(frame.error())),
            _ => Self::Exception(exception(frame)),
        }
    }
}

/// An exception or interrupt of user code.
///
/// The frame is read before the lock is there: the thread may be taken off this CPU until then.
#[unsafe(no_mangle)]
extern "C" fn enter_trap(frame: &Frame) -> u64 {
    let same = (&raw const *frame).addr() as u64;
    let (cpu, trap) = (percpu::index(), Trap::read(frame));
    let mut guard = SYSTEM.lock();
    let Some(system) = guard.as_mut() else { return 0 };
    match trap {
        Trap::Exception(input) => system.run(cpu, input),
        Trap::Interrupt(vector) => match system.interrupt(cpu, vector) {
            Some(context) => context,
            None if system.machine.online == 1 => same,
            None => system.run(cpu, Input::Reschedule),
        },
    }
}

/// An interrupt of the idle loop.
#[unsafe(no_mangle)]
extern "C" fn enter_idle(vector: u64) -> u64 {
    let cpu = percpu::index();
    let mut guard = SYSTEM.lock();
    let Some(system) = guard.as_mut() else { return 0 };
    u8::try_from(vector).ok().and_then(|vector| system.interrupt(cpu, vector)).unwrap_or(0)
}

fn page_fault(error: u64) -> Input {
    let access = match error {
        _ if error & 0x10 != 0 => Access::Execute,
        _ if error & 2 != 0 => Access::Write,
        _ => Access::Read,
    };
    Input::PageFault { address: Cr2::read_raw(), access, error: error as u32 }
}

/// What Linux makes of exceptions.
fn exception(frame: &Frame) -> Input {
    let vector = frame.vector();
    let ip = frame.ip();
    let (signal, code, address) = match vector {
        0 => (SIGFPE, FPE_INTDIV, ip),
        1 => (SIGTRAP, TRAP_TRACE, ip),
        3 => (SIGTRAP, SI_KERNEL, 0),
        6 => (SIGILL, ILL_ILLOPN, ip),
        11 | 12 => (SIGBUS, SI_KERNEL, 0),
        16 | 19 => (SIGFPE, fpu::exception_code(vector), ip),
        17 => (SIGBUS, BUS_ADRALN, 0),
        _ => (SIGSEGV, SI_KERNEL, 0),
    };
    Input::Exception { signal, code, trap: vector as u32, error: frame.error() as u32, address }
}
