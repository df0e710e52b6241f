//! A booted kernel on the byte-vector machine, and words to act in it.

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, Frame};
use neutrino_abi::process::ThreadArgs;
use neutrino_core::machine::{
    Fault, FrameNumber, Place, SpaceSlot, ThreadContexts, ThreadSlot, UserMemory,
};
use neutrino_core::{Input, Kernel};

use crate::frames::FIRST_FRAME;
use crate::machine::Recorder;

/// Where every process of a world has 64 KiB of memory.
pub(crate) const MEMORY: u64 = 0x10_0000;
const FRAMES: u32 = 512;

/// See above.
pub(crate) struct World {
    pub(crate) kernel: Box<Kernel>,
    pub(crate) machine: Recorder,
    pub(crate) space: SpaceSlot,
    /// Whoever runs.
    pub(crate) current: Option<ThreadSlot>,
    /// How much time an entry takes.
    pub(crate) pace: u64,
    /// Whether the invariants are checked after each entry.
    pub(crate) is_checked: bool,
}

/// The bytes of a call's structure: its members one after the other.
pub(crate) fn words(parts: &[u64]) -> Vec<u8> {
    parts.iter().flat_map(|word| word.to_le_bytes()).collect()
}

impl World {
    /// Process 1 with one running thread.
    pub(crate) fn new() -> Self {
        let mut kernel = Box::new(Kernel::new());
        let mut machine = Recorder::new(FRAMES);
        kernel.add_memory(&mut machine, FrameNumber(FIRST_FRAME), FRAMES);
        let boot = kernel.boot_process(&mut machine).expect("there is memory");
        let at = Place { space: boot.space, address: MEMORY };
        kernel.boot_map(&mut machine, at, 0x1_0000, 3, &[1; 0x1_0000]).expect("there is memory");
        kernel.boot_start(&mut machine, boot.thread, 0x40_0000, MEMORY, 0);
        let mut world =
            Self { kernel, machine, space: boot.space, current: None, pace: 100, is_checked: true };
        world.enter(Input::Reschedule);
        world
    }

    pub(crate) fn enter(&mut self, input: Input) {
        self.machine.now += self.pace;
        self.current = self.kernel.enter(&mut self.machine, 0, input);
        if self.is_checked {
            assert_eq!(self.kernel.check(), Ok(()), "after {input:?}");
        }
    }

    /// The running thread.
    pub(crate) fn running(&self) -> ThreadSlot {
        self.current.expect("a thread runs")
    }

    /// Makes a call of the running thread; its result, if it still runs.
    pub(crate) fn call(&mut self, call: &Call) -> Option<Result<i64, Errno>> {
        let caller = self.running();
        let Frame { number, arguments } = call.encode();
        self.enter(Input::Call(Frame { number, arguments }));
        (self.current == Some(caller)).then(|| self.result(caller))
    }

    /// Makes a call that succeeds and goes on.
    pub(crate) fn good(&mut self, call: &Call) -> u64 {
        match self.call(call) {
            Some(Ok(value)) => value.cast_unsigned(),
            other => panic!("{call:?} gave {other:?}"),
        }
    }

    /// A number that a call gave.
    pub(crate) fn number(&mut self, call: &Call) -> u32 {
        u32::try_from(self.good(call)).expect("a small number")
    }

    /// What a thread finds in rax.
    pub(crate) fn result(&self, thread: ThreadSlot) -> Result<i64, Errno> {
        Errno::split(self.machine.registers(thread).rax.cast_signed())
    }

    pub(crate) fn poke(&mut self, address: u64, bytes: &[u8]) {
        let place = Place { space: self.space, address };
        if let Err(fault) = self.machine.write(place, bytes) {
            // A thread of the first process touches it, as the program would.
            let Fault { address, access } = fault;
            self.enter(Input::PageFault { address, access, error: 7 });
            self.machine.write(place, bytes).expect("mapped memory");
        }
    }

    pub(crate) fn peek(&mut self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let place = Place { space: self.space, address };
        self.machine.read(place, &mut bytes).expect("mapped memory");
        bytes
    }

    /// Starts another thread of the first process; returns its tid. It runs as soon as it outranks
    /// the caller.
    pub(crate) fn spawn(&mut self, priority: u32) -> u32 {
        let args = ThreadArgs { entry: 0x40_0000, priority, ..ThreadArgs::default() };
        self.poke_thread_args(&args);
        self.number_of(&Call::ThreadCreate { process: 0, arguments: MEMORY + 0xf000 })
    }

    fn number_of(&mut self, call: &Call) -> u32 {
        let caller = self.running();
        self.call(call);
        let value = self.result(caller).expect("success");
        u32::try_from(value).expect("a small number")
    }

    fn poke_thread_args(&mut self, args: &ThreadArgs) {
        let mut bytes = words(&[
            args.entry,
            args.stack,
            args.argument,
            args.fs_base,
            args.gs_base,
            args.signal_area,
            args.clear_tid,
        ]);
        for word in [args.priority, args.policy, args.like_tid, args.flags] {
            bytes.extend(word.to_le_bytes());
        }
        self.poke(MEMORY + 0xf000, &bytes);
    }

    /// Makes process `pid` with a copy of the caller's memory and one thread of this priority;
    /// returns the handle. Its thread runs when it outranks the others.
    pub(crate) fn fork(&mut self, pid: u32, priority: u32) -> u32 {
        let space = self.number(&Call::SpaceFork { process: 0 });
        let mut bytes = Vec::new();
        for word in [pid, space, 0, pid, pid, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(0_u64.to_le_bytes());
        self.poke(MEMORY + 0xe000, &bytes);
        let process = self.number(&Call::ProcessCreate { arguments: MEMORY + 0xe000 });
        self.good(&Call::ConnectDetach { coid: space });
        let args = ThreadArgs { entry: 0x40_0000, priority, ..ThreadArgs::default() };
        self.poke_thread_args(&args);
        self.number_of(&Call::ThreadCreate { process, arguments: MEMORY + 0xf000 });
        process
    }
}
