//! From saved registers to an input of the core, and on to the thread that runs next.
//!
//! Everything here runs with interrupts off, on the CPU's kernel stack, and ends by returning the
//! context to load (0: idle) to `leave_kernel`.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};

use neutrino_abi::signal::SignalInfo;
use neutrino_abi::signal::number::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
use neutrino_core::ipc::fast::{Handover, Switch, WordsOf};
use neutrino_core::machine::{Access, ThreadSlot};
use neutrino_core::{Input, Kernel};
use x86_64::registers::control::Cr2;

use super::context::{CallFrame, Frame};
use crate::cpu::{fpu, percpu};
use crate::irq::Source;
use crate::lock::KernelLock;
use crate::machine::Machine;

/// The core, whose address is known when the kernel is linked, so that its tables need no pointer.
#[derive(Debug)]
pub(crate) struct Core(());

struct Place(UnsafeCell<Kernel>);

// SAFETY: only the one `Core` leads to it.
unsafe impl Sync for Place {}

static KERNEL: Place = Place(UnsafeCell::new(Kernel::new()));

impl Core {
    /// Takes hold of the core.
    ///
    /// # Safety
    /// - Called once.
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }
}

impl Deref for Core {
    type Target = Kernel;
    #[inline(always)]
    fn deref(&self) -> &Kernel {
        // SAFETY: only `self`, which is unique and borrowed here, leads to the core.
        unsafe { &*KERNEL.0.get() }
    }
}

impl DerefMut for Core {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Kernel {
        // SAFETY: only `self`, which is unique and borrowed mutably here, leads to the core.
        unsafe { &mut *KERNEL.0.get() }
    }
}

/// What the one kernel lock guards.
#[derive(Debug)]
pub(crate) struct System {
    /// The core.
    pub(crate) kernel: Core,
    /// The hardware.
    pub(crate) machine: Machine,
}

/// The kernel lock.
pub(crate) static SYSTEM: KernelLock<Option<System>> = KernelLock::new(None);

/// Beside the address of a context: its thread's call is not finished.
const AGAIN: u64 = 1;
const FIRST_INTERRUPT: u64 = 32;
const DEVICE_NOT_AVAILABLE: u64 = 7;
const PAGE_FAULT: u64 = 14;
/// Traps: they come behind the instruction that they are of.
pub(super) const STEP: u64 = 1;
pub(super) const BREAKPOINT: u64 = 3;
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

    /// A call that the fast path leaves, by its short way, if it has one; the contexts to load.
    #[inline(never)]
    fn brief(&mut self, cpu: usize, call: CallFrame) -> (u64, u64) {
        self.machine.set_cpu(cpu);
        let Some(next) = self.kernel.brief(&mut self.machine, cpu, &call) else {
            let context = self.call(cpu, &call);
            return (context, context);
        };
        let context = self.machine.switch(cpu, next.to);
        (context, words(context, next.words, &call))
    }

    /// A kernel call by the general path.
    #[inline(never)]
    fn call(&mut self, cpu: usize, call: &CallFrame) -> u64 {
        let next = self.kernel.call_slow(&mut self.machine, cpu, call);
        self.leave(cpu, next)
    }

    /// Ends a kernel entry by the general path.
    #[inline(always)]
    fn leave(&mut self, cpu: usize, next: Option<ThreadSlot>) -> u64 {
        self.machine.spaces.settle();
        match next {
            Some(thread) if self.kernel.is_unfinished(thread) => {
                self.machine.switch(cpu, thread) | AGAIN
            }
            Some(thread) => self.machine.switch(cpu, thread),
            None => {
                self.machine.rest(cpu);
                0
            }
        }
    }

    /// Goes on with the call of the thread that runs, which it makes once more for that.
    fn again(&mut self, cpu: usize) -> u64 {
        self.machine.set_cpu(cpu);
        match self.kernel.running_on(cpu) {
            Some(thread) if self.kernel.is_unfinished(thread) => {
                let frame = self.machine.contexts.call_frame(thread);
                self.call(cpu, &frame)
            }
            // Another CPU took the thread off, or ended it.
            Some(_) | None => self.run(cpu, Input::Reschedule),
        }
    }

    /// Handles an interrupt; `None` if the core has nothing to do with it.
    fn interrupt(&mut self, cpu: usize, vector: u8) -> Option<u64> {
        let machine = &mut self.machine;
        let input = match Source::of(vector) {
            Source::Line(line) => {
                machine.router.mask(line);
                machine.local.acknowledge();
                machine.set_cpu(cpu);
                if let Some(next) = self.kernel.brief_interrupt(machine, cpu, line) {
                    return Some(machine.switch(cpu, next));
                }
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

fn idle() -> ! {
    // SAFETY: `leave_kernel` idles if rax is 0, on a stack that it begins anew.
    unsafe { asm!("jmp leave_kernel", in("rax") 0_u64, options(noreturn)) };
}

/// A kernel call.
#[unsafe(no_mangle)]
extern "C" fn enter_call(first: u64, second: u64, frame: *const Frame, number: u64) -> ! {
    let call = CallFrame::new(frame, number, first, second);
    let cpu = percpu::index();
    let mut guard = SYSTEM.lock();
    let Some(system) = guard.as_mut() else { idle() };
    let Some((context, source)) = system.kernel.fast::<_, Load>(&mut system.machine, cpu, call)
    else {
        // Made anew: one that is needed here would be written to memory at the beginning.
        let (context, words) = system.brief(cpu, CallFrame::new(frame, number, first, second));
        drop(guard);
        // SAFETY: `leave_kernel_pair` takes the contexts in rax (0: idle) and rcx and leaves this
        // stack for good; nothing on it is still needed.
        unsafe {
            asm!("jmp leave_kernel_pair", in("rax") context, in("rcx") words, options(noreturn));
        }
    };
    let words = words(context, source, &call);
    drop(guard);
    // SAFETY: as above, for a context that is not 0.
    unsafe {
        asm!("jmp leave_kernel_words", in("rax") context, in("rcx") words, options(noreturn));
    }
}

/// The end of the fast path: the context to load, and whose words go with it.
enum Load {}

impl Switch<Machine> for Load {
    type Loaded = (u64, WordsOf);
    #[inline(always)]
    fn switch(machine: &mut Machine, cpu: usize, next: Handover) -> (u64, WordsOf) {
        (machine.switch_to_other(cpu, next.to), next.words)
    }
}

/// The context that the words of the next thread are loaded from.
#[inline(always)]
fn words(context: u64, words: WordsOf, call: &CallFrame) -> u64 {
    match words {
        WordsOf::Caller => call.address(),
        WordsOf::Next => context,
    }
}

/// The next part of the running thread's call: interrupts were let come before.
#[unsafe(no_mangle)]
extern "C" fn enter_again() -> u64 {
    let cpu = percpu::index();
    let mut guard = SYSTEM.lock();
    guard.as_mut().map_or(0, |system| system.again(cpu))
}

/// What a trap of user code is.
enum Trap {
    /// The first use of floating point.
    Floats,
    Interrupt(u8),
    Exception(Input),
}

impl Trap {
    fn read(frame: &Frame) -> Self {
        let vector = frame.vector();
        match u8::try_from(vector) {
            Ok(interrupt) if vector >= FIRST_INTERRUPT => Self::Interrupt(interrupt),
            _ if vector == DEVICE_NOT_AVAILABLE => Self::Floats,
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
        Trap::Floats => {
            system.machine.start_floats(cpu);
            system.run(cpu, Input::Reschedule)
        }
        Trap::Interrupt(vector) => match system.interrupt(cpu, vector) {
            Some(context) => context,
            None if system.machine.online == 1 => same,
            None => system.run(cpu, Input::Reschedule),
        },
    }
}

/// An interrupt of the idle loop, or between two parts of a call.
#[unsafe(no_mangle)]
extern "C" fn enter_idle(vector: u64) -> u64 {
    let cpu = percpu::index();
    let mut guard = SYSTEM.lock();
    let Some(system) = guard.as_mut() else { return 0 };
    let vector = u8::try_from(vector).unwrap_or(0);
    match system.interrupt(cpu, vector) {
        Some(context) => context,
        None if system.kernel.running_on(cpu).is_some() => system.run(cpu, Input::Reschedule),
        None => 0,
    }
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
    let SignalInfo { number, code, trap, status, value, .. } = signal_of(frame);
    Input::Exception { signal: number, code, trap, error: status, address: value }
}

/// The signal that an exception is.
pub(super) fn signal_of(frame: &Frame) -> SignalInfo {
    let vector = frame.vector();
    let ip = frame.ip();
    let (number, code, value) = match vector {
        0 => (SIGFPE, FPE_INTDIV, ip),
        STEP => (SIGTRAP, TRAP_TRACE, ip),
        BREAKPOINT => (SIGTRAP, SI_KERNEL, 0),
        6 => (SIGILL, ILL_ILLOPN, ip),
        11 | 12 => (SIGBUS, SI_KERNEL, 0),
        16 | 19 => (SIGFPE, fpu::exception_code(vector), ip),
        17 => (SIGBUS, BUS_ADRALN, 0),
        _ => (SIGSEGV, SI_KERNEL, 0),
    };
    let (trap, status) = (vector as u32, frame.error() as u32);
    SignalInfo { number, code, value, status, trap, ..SignalInfo::default() }
}
