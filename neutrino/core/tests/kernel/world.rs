//! A small world to test the kernel in: a first process, calls of whoever runs, checks after each.

use std::collections::HashMap;

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, Frame};
use neutrino_abi::message::chf;
use neutrino_abi::process::{ProcessArgs, ThreadArgs};
use neutrino_abi::wire::Wire;
use neutrino_core::machine::{
    FrameNumber, Place, SpaceSlot, ThreadContexts, ThreadSlot, UserMemory,
};
use neutrino_core::{Input, Kernel};

use crate::fast::{Recorded, Took, Twin};
use crate::frames::FIRST_FRAME;
use crate::machine::Recorder;

/// Where the first process has memory to play with.
pub(crate) const DATA: u64 = 0x40_0000;
pub(crate) const DATA_LENGTH: u64 = 0x1_0000;
const FRAMES: u32 = 256;

/// The kernel, its machine, and who runs.
pub(crate) struct World {
    pub(crate) kernel: Box<Kernel>,
    pub(crate) machine: Recorder,
    pub(crate) running: Option<ThreadSlot>,
    /// The CPU that enters the kernel; `running` is what it runs.
    pub(crate) cpu: usize,
    pub(crate) space: SpaceSlot,
    next_pid: u32,
    /// How much time an entry takes.
    pub(crate) pace: u64,
    /// Whether the invariants are checked after each entry.
    pub(crate) is_checked: bool,
    /// The last call of each thread.
    calls: HashMap<u16, Frame>,
    /// Another kernel that is told the same.
    pub(crate) twin: Option<Twin>,
}

/// Runs a test on a stack that the kernel's tables fit on.
pub(crate) fn world(test: impl FnOnce(&mut World) + Send + 'static) {
    let run = move || test(&mut World::new());
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(run).unwrap();
    if let Err(failure) = thread.join() {
        std::panic::resume_unwind(failure);
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let mut kernel = Box::new(Kernel::new());
        let mut machine = Recorder::new(FRAMES);
        kernel.add_memory(&mut machine, FrameNumber(FIRST_FRAME), FRAMES);
        let boot = kernel.boot_process(&mut machine).unwrap();
        let place = Place { space: boot.space, address: DATA };
        kernel.boot_map(&mut machine, place, DATA_LENGTH, 3, b"hello").unwrap();
        kernel.boot_start(&mut machine, boot.thread, DATA, DATA + DATA_LENGTH, 7);
        let (running, space) = (None, boot.space);
        let (next_pid, pace, is_checked) = (2, 0, true);
        let (twin, cpu, calls) = (None, 0, HashMap::new());
        let mut world =
            Self { kernel, machine, running, cpu, space, next_pid, pace, is_checked, calls, twin };
        world.enter(Input::Reschedule);
        world
    }

    /// One kernel entry, and those that go on with calls which are not finished.
    pub(crate) fn enter(&mut self, input: Input) {
        if let (Input::Call(frame), Some(caller)) = (&input, self.running) {
            self.calls.insert(caller.0, *frame);
        }
        self.enter_once(input);
        while let Some(caller) = self.running.filter(|&t| self.kernel.is_unfinished(t)) {
            self.enter_once(Input::Call(self.calls[&caller.0]));
        }
    }

    /// One kernel entry, and the invariants after it.
    pub(crate) fn enter_once(&mut self, input: Input) {
        self.machine.now += self.pace;
        if self.twin.is_some() {
            self.enter_both(input);
        } else {
            self.running = self.kernel.enter(&mut self.machine, self.cpu, input);
            assert_eq!(self.running, self.kernel.running_on(self.cpu));
        }
        if self.is_checked {
            assert_eq!(self.kernel.check(), Ok(()), "after {input:?}");
        }
    }

    /// The same for the twin, which never takes the fast path.
    fn enter_both(&mut self, input: Input) {
        let Some(twin) = &mut self.twin else { return };
        let before = Recorded::of(&self.machine);
        let fast = self.kernel.enter_fast(&mut self.machine, self.cpu, &input);
        let took = if fast.is_some() { Took::Fast } else { Took::Slow };
        self.running = fast.or_else(|| self.kernel.enter_slow(&mut self.machine, self.cpu, input));
        let running = twin.follow(input, before, (took, self.cpu));
        if self.is_checked {
            assert_eq!(running, self.running, "who runs after {input:?}");
            twin.compare(&self.kernel, &self.machine, &input);
        }
    }

    /// The first part of a call of the running thread.
    pub(crate) fn begin(&mut self, call: &Call) {
        let caller = self.running.expect("nobody runs").0;
        self.machine.results.remove(&caller);
        self.calls.insert(caller, call.encode());
        self.enter_once(Input::Call(call.encode()));
    }

    /// Another part of the running thread's call; false if it has none.
    pub(crate) fn goes_on(&mut self) -> bool {
        let unfinished = self.running.filter(|&thread| self.kernel.is_unfinished(thread));
        let Some(caller) = unfinished else { return false };
        self.enter_once(Input::Call(self.calls[&caller.0]));
        true
    }

    /// Goes on with another CPU.
    pub(crate) fn on(&mut self, cpu: usize) {
        self.cpu = cpu;
        self.running = self.kernel.running_on(cpu);
    }

    /// A call of the running thread: its result, or `None` if it has none yet.
    pub(crate) fn call(&mut self, call: &Call) -> Option<i64> {
        let caller = self.running.expect("nobody runs").0;
        self.machine.results.remove(&caller);
        let frame = call.encode();
        // The registers of the words are those of the third argument and of what follows it.
        let [_, _, words @ .., _, _] = frame.arguments;
        self.machine.words.insert(caller, words);
        self.enter(Input::Call(frame));
        self.machine.results.get(&caller).copied()
    }

    /// A call that must succeed at once.
    pub(crate) fn ok(&mut self, call: &Call) -> u64 {
        match self.call(call) {
            Some(value) if value >= 0 => value.cast_unsigned(),
            other => panic!("{call:?} gave {other:?}"),
        }
    }

    /// A call that gives a small number.
    pub(crate) fn number(&mut self, call: &Call) -> u32 {
        u32::try_from(self.ok(call)).expect("a small number")
    }

    /// A call that must fail.
    pub(crate) fn fails(&mut self, call: &Call, errno: Errno) {
        assert_eq!(self.call(call), Some(errno.to_result()), "{call:?}");
    }

    /// A call that must block.
    pub(crate) fn blocks(&mut self, call: &Call) {
        assert_eq!(self.call(call), None, "{call:?} did not block");
    }

    /// What a thread found as the result of its blocked call.
    pub(crate) fn result_of(&self, thread: ThreadSlot) -> Option<i64> {
        self.machine.results.get(&thread.0).copied()
    }

    pub(crate) fn me(&self) -> ThreadSlot {
        self.running.expect("nobody runs")
    }

    /// Lets time pass, with the timer's interrupt if it is due.
    pub(crate) fn wait(&mut self, nanoseconds: u64) {
        self.machine.now += nanoseconds;
        if self.machine.armed <= self.machine.now {
            self.enter(Input::Timer);
        }
    }

    pub(crate) fn poke(&mut self, address: u64, bytes: &[u8]) {
        let place = Place { space: self.space, address };
        if self.machine.write(place, bytes).is_err() {
            // Not touched yet.
            self.enter(Input::PageFault {
                address,
                access: neutrino_core::machine::Access::Write,
                error: 6,
            });
            self.machine.write(place, bytes).unwrap();
        }
        if let Some(twin) = &mut self.twin {
            twin.machine().write(place, bytes).unwrap();
        }
    }

    pub(crate) fn peek<const N: usize>(&mut self, address: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.machine.read(Place { space: self.space, address }, &mut bytes).unwrap();
        bytes
    }

    pub(crate) fn word(&mut self, address: u64) -> u64 {
        u64::from_le_bytes(self.peek(address))
    }

    /// Makes a thread of the first process with a priority; it does not run before the maker waits,
    /// unless it outranks it. Returns its tid.
    pub(crate) fn spawn(&mut self, priority: u32) -> u32 {
        let at = DATA + 0x8000;
        let stack = DATA + DATA_LENGTH;
        let args = ThreadArgs { entry: DATA, stack, priority, policy: 2, ..Default::default() };
        self.poke(at, args.bytes());
        let tid = self.ok(&Call::ThreadCreate { process: 0, arguments: at });
        u32::try_from(tid).unwrap()
    }

    /// A channel and a connection to it.
    pub(crate) fn channel(&mut self, flags: u32) -> (u32, u32) {
        let chid = self.ok(&Call::ChannelCreate { flags }) as u32;
        let attach = Call::ConnectAttach { process: 0, chid, minimum: 3, flags: 0, badge: 77 };
        (chid, self.ok(&attach) as u32)
    }

    /// A new process in the address space of the first one, which has its handles; its thread
    /// starts ready. Returns its handle and pid.
    pub(crate) fn child(&mut self, priority: u32) -> (u32, u32) {
        self.process(&Call::SpaceOf { process: 0 }, priority)
    }

    /// The same, with a copy of the first one's address space.
    pub(crate) fn fork(&mut self, priority: u32) -> (u32, u32) {
        self.process(&Call::SpaceFork { process: 0 }, priority)
    }

    fn process(&mut self, space: &Call, priority: u32) -> (u32, u32) {
        let space = self.number(space);
        let pid = self.next_pid;
        self.next_pid += 1;
        let at = DATA + 0x8100;
        let args = ProcessArgs { pid, space, pgrp: pid, session: pid, ..Default::default() };
        self.poke(at, args.bytes());
        let process = self.ok(&Call::ProcessCreate { arguments: at }) as u32;
        self.ok(&Call::ConnectDetach { coid: space });
        let args =
            ThreadArgs { entry: DATA, stack: DATA, priority, policy: 2, ..Default::default() };
        let arguments = DATA + 0x8200;
        self.poke(arguments, args.bytes());
        assert_eq!(self.ok(&Call::ThreadCreate { process, arguments }), u64::from(pid));
        (process, pid)
    }

    /// Priority that a thread of the first process runs at.
    pub(crate) fn priority_of(&mut self, tid: u32) -> u32 {
        let at = DATA + 0x8400;
        self.ok(&Call::SchedGet { process: 0, tid, parameters: at });
        u32::from_le_bytes(self.peek(at + 8))
    }
}

pub(crate) const BUFFER: u64 = DATA + 0x200;
pub(crate) const INFO: u64 = DATA + 0x300;
pub(crate) const WORD: u64 = DATA + 0x400;

pub(crate) fn receive(chid: u32) -> Call {
    Call::MsgReceive { chid, message: BUFFER, parts: -64, info: INFO }
}

pub(crate) fn sleep() -> Call {
    Call::ClockNanosleep { clock: 1, flags: 0, time: 1 << 40, remaining: 0 }
}

/// Code, value and count of the pulse that the running thread received last.
pub(crate) fn read_pulse(w: &World) -> (i8, u64, u32) {
    pulse_of(w, w.me())
}

/// The same of another thread.
pub(crate) fn pulse_of(w: &World, thread: ThreadSlot) -> (i8, u64, u32) {
    let [head, value, last, ..] = w.machine.words(thread);
    ((head >> 32) as i8, value, (last >> 32) as u32)
}

/// The first process as process manager: channel 1 gets the process pulses.
pub(crate) fn manager(w: &mut World) -> u32 {
    let chid = w.ok(&Call::ChannelCreate { flags: chf::UNBLOCK | chf::DISCONNECT }) as u32;
    assert_eq!(chid, 1);
    w.ok(&Call::SystemCtl { command: 0, value: 1 });
    chid
}

pub(crate) fn kill(w: &mut World, process: u32, tid: u32, signal: u32) -> Option<i64> {
    let mut info = [0; 32];
    info[..4].copy_from_slice(&signal.to_le_bytes());
    w.poke(DATA + 0x600, &info);
    w.call(&Call::SignalKill { process, tid, info: DATA + 0x600 })
}
