//! The way into the kernel.

use neutrino_abi::calls::{Call, Frame, Registers};
use neutrino_abi::signal::{SignalInfo, number};

use crate::Kernel;
use crate::call::Outcome;
use crate::ipc::fast::{Handover, Later, WordsOf};
use crate::machine::{Access, Machine, ThreadSlot};
use crate::memory::BadAccess;
use crate::step::{Budget, Work};
use crate::thread::{ThreadId, slot};

/// What makes the kernel run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A kernel call of the current thread.
    Call(Frame),
    /// A page fault of the current thread in user space.
    PageFault {
        /// The address (CR2).
        address: u64,
        /// What was tried.
        access: Access,
        /// The CPU's error code.
        error: u32,
    },
    /// Another exception of the current thread in user space.
    Exception {
        /// The signal that it means.
        signal: u32,
        /// Its `si_code`.
        code: i32,
        /// The trap's number.
        trap: u32,
        /// The CPU's error code.
        error: u32,
        /// The address that the signal tells.
        address: u64,
    },
    /// An interrupt; its line is masked.
    Interrupt {
        /// The line.
        line: u32,
    },
    /// The timer.
    Timer,
    /// Another CPU asks to choose again.
    Reschedule,
}

/// The trap number of a page fault.
const PAGE_FAULT: u32 = 14;

impl Kernel {
    /// Handles what happened on a CPU and tells which thread runs there now; none: it idles.
    pub fn enter(&mut self, m: &mut impl Machine, cpu: usize, input: Input) -> Option<ThreadSlot> {
        if let Some(to) = self.enter_fast(m, cpu, &input) {
            return Some(to);
        }
        self.enter_slow(m, cpu, input)
    }

    /// Handles a call or an interrupt on the fast path or a short way, if one of them can.
    pub fn enter_fast<M: Machine>(
        &mut self,
        m: &mut M,
        cpu: usize,
        input: &Input,
    ) -> Option<ThreadSlot> {
        let call = match input {
            Input::Call(call) => call,
            Input::Interrupt { line } => return self.brief_interrupt(m, cpu, *line),
            Input::PageFault { .. }
            | Input::Exception { .. }
            | Input::Timer
            | Input::Reschedule => return None,
        };
        let caller = self.cpus.get(cpu).and_then(|cpu| cpu.current.get());
        if caller.is_some_and(|caller| self.threads[caller].work != Work::None) {
            return None;
        }
        let fast = self.fast::<M, Later>(m, cpu, *call);
        let Handover { to, words } = fast.or_else(|| self.brief(m, cpu, call))?;
        if let (WordsOf::Caller, Some(caller)) = (words, caller) {
            m.move_words(slot(caller), to);
        }
        Some(to)
    }

    /// As [`Kernel::enter`], by the general path only.
    #[inline(never)]
    pub fn enter_slow(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        input: Input,
    ) -> Option<ThreadSlot> {
        if let Input::Call(frame) = &input {
            return self.call_slow(m, cpu, frame);
        }
        let current = self.cpus.get(cpu).and_then(|cpu| cpu.current.get());
        self.caller = current;
        self.cpu = cpu;
        self.account(m, cpu);
        self.memory.set_budget(Budget::ENTRY);
        self.trace_begin(cpu);
        self.trace_input(&input, current);
        if let (Input::PageFault { address, access, error }, Some(caller)) = (&input, current) {
            self.unsettled = false;
            self.page_fault(m, caller, *address, *access, *error);
            // As after a call: a page more or less changes nobody's turn.
            if !self.unsettled {
                self.caller = None;
                self.trace_flush(m);
                return Some(slot(caller));
            }
        }
        current.into_iter().for_each(|t| self.touch(t));
        match (input, current) {
            (Input::Exception { signal, code, trap, error, address }, Some(caller)) => {
                let info = SignalInfo {
                    number: signal,
                    code,
                    value: address,
                    status: error,
                    trap,
                    ..SignalInfo::default()
                };
                self.fault(m, caller, &info);
            }
            (Input::Interrupt { line }, _) => {
                self.counters.interrupts = self.counters.interrupts.wrapping_add(1);
                self.interrupt_fire(m, line);
            }
            (Input::Timer, _) => self.time_fire(m),
            // Calls have gone to `call_slow`.
            (Input::Reschedule | Input::Call(_) | Input::PageFault { .. }, _) => {}
            // Another CPU took the thread off while this one waited for its turn in the kernel: the
            // thread does it again when it runs again (`Devices::stop_cpu`). Faults likewise.
            (Input::Exception { .. }, None) => {}
        }
        self.caller = None;
        self.trace_alarm(m);
        let next = self.choose(m, cpu);
        self.watch_inversions(cpu);
        self.trace_flush(m);
        next
    }

    /// A kernel call by the general path. Most calls ask or move bytes: they end here, without the
    /// question who runs, if they have changed nothing that decides it.
    #[inline(never)]
    pub fn call_slow(
        &mut self,
        m: &mut impl Machine,
        cpu: usize,
        frame: &impl Registers,
    ) -> Option<ThreadSlot> {
        let Some(caller) = self.cpus.get(cpu).and_then(|cpu| cpu.current.get()) else {
            // As in `enter_slow`.
            self.cpu = cpu;
            return self.choose(m, cpu);
        };
        self.caller = Some(caller);
        self.cpu = cpu;
        self.account(m, cpu);
        self.memory.set_budget(Budget::ENTRY);
        self.unsettled = false;
        let has_begun = self.threads[caller].work != Work::None;
        if has_begun {
            self.trace_begin(cpu);
        } else {
            self.trace_call(cpu, caller, frame);
        }
        if !self.free_some(m, caller) {
            self.call_frame(m, caller, frame);
        }
        // Others had a part of the time, and the caller may be plain again.
        self.unsettled |= has_begun;
        self.caller = None;
        self.trace_alarm(m);
        if !self.unsettled {
            self.trace_flush(m);
            return Some(slot(caller));
        }
        self.touch(caller);
        let next = self.choose(m, cpu);
        self.watch_inversions(cpu);
        self.trace_flush(m);
        next
    }

    fn call_frame(&mut self, m: &mut impl Machine, caller: ThreadId, frame: &impl Registers) {
        self.counters.calls = self.counters.calls.wrapping_add(1);
        // The result takes the number's place in the registers.
        let number = frame.number();
        let result = match Call::decode(frame) {
            Ok(call) => self.call(m, caller, &call),
            Err(errno) => Err(errno),
        };
        if !matches!(result, Ok(Outcome::Unfinished)) {
            self.threads[caller].work = Work::None;
        }
        self.take_over_dying(caller, result.as_ref().ok());
        match result {
            Ok(Outcome::Value(value)) => self.call_end(m, caller, number, value),
            Err(errno) => self.call_end(m, caller, number, errno.to_result()),
            Ok(Outcome::Gone) if self.caller == Some(caller) => {
                self.trace_result(m, caller, number, 0);
            }
            Ok(Outcome::Blocked | Outcome::Gone | Outcome::Unfinished) => return,
        }
        if self.threads[caller].timeout.is_some()
            && number != neutrino_abi::calls::number::TimerTimeout
            && !self.threads[caller].state.is_blocked()
        {
            self.threads[caller].timeout = None;
            self.unsettled = true;
        }
    }

    fn call_end(&mut self, m: &mut impl Machine, caller: ThreadId, number: u64, result: i64) {
        m.set_result(slot(caller), result);
        self.trace_result(m, caller, number, result);
    }

    fn page_fault(
        &mut self,
        m: &mut impl Machine,
        caller: ThreadId,
        address: u64,
        access: Access,
        error: u32,
    ) {
        const MAPERR: i32 = 1;
        const ACCERR: i32 = 2;
        const ADRERR: i32 = 2;
        let space = self.space(caller);
        let (number, code) = match self.memory.resolve(m, space, address, access) {
            Ok(()) => return,
            Err(BadAccess::NotMapped) => (number::SIGSEGV, MAPERR),
            Err(BadAccess::Protection) => (number::SIGSEGV, ACCERR),
            Err(BadAccess::BeyondObject | BadAccess::NoMemory) => (number::SIGBUS, ADRERR),
        };
        self.unsettled = true;
        let trap = PAGE_FAULT;
        let info = SignalInfo { number, code, value: address, status: error, trap, pid: 0, uid: 0 };
        self.fault(m, caller, &info);
    }
}
