//! A small world to test the kernel in: a first process, calls of whoever runs, checks after each.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "test code may fail loudly; each test file uses a part"
)]

pub mod machine;

use machine::TestMachine;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_core::machine::{FrameNumber, Place, SpaceSlot, ThreadSlot, UserMemory};
use neutrino_core::{Input, Kernel};

/// Where the first process has memory to play with.
pub const DATA: u64 = 0x40_0000;
pub const DATA_LENGTH: u64 = 0x1_0000;
/// Handles of the first process.
pub const CHID: u32 = 1;

/// The kernel, its machine, and who runs.
pub struct World {
    pub kernel: Box<Kernel>,
    pub machine: TestMachine,
    pub running: Option<ThreadSlot>,
    pub space: SpaceSlot,
    next_pid: u32,
}

/// Runs a test on a stack that the kernel's tables fit on.
pub fn world(test: impl FnOnce(&mut World) + Send + 'static) {
    let run = move || test(&mut World::new());
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(run).unwrap();
    if let Err(failure) = thread.join() {
        std::panic::resume_unwind(failure);
    }
}

impl World {
    pub fn new() -> Self {
        let mut kernel = Box::new(Kernel::new());
        let mut machine = TestMachine::new(4096);
        kernel.add_memory(&mut machine, FrameNumber(1), 4000);
        let boot = kernel.boot_process(&mut machine).unwrap();
        let place = Place { space: boot.space, address: DATA };
        kernel.boot_map(&mut machine, place, DATA_LENGTH, 3, b"hello").unwrap();
        kernel.boot_start(&mut machine, boot.thread, DATA, DATA + DATA_LENGTH, 7);
        let mut world = Self { kernel, machine, running: None, space: boot.space, next_pid: 2 };
        world.enter(Input::Reschedule);
        world
    }

    /// One kernel entry, and the invariants after it.
    pub fn enter(&mut self, input: Input) {
        let next = self.kernel.enter(&mut self.machine, 0, input);
        self.running = next;
        if let Err(broken) = self.kernel.check() {
            panic!("after {input:?}: {broken}");
        }
    }

    /// A call of the running thread: its result, or `None` if it has none yet.
    pub fn call(&mut self, call: &Call) -> Option<i64> {
        let caller = self.running.expect("nobody runs").0;
        self.machine.results.remove(&caller);
        self.enter(Input::Call(call.encode()));
        self.machine.results.get(&caller).copied()
    }

    /// A call that must succeed at once.
    pub fn ok(&mut self, call: &Call) -> u64 {
        match self.call(call) {
            Some(value) if value >= 0 => value.cast_unsigned(),
            other => panic!("{call:?} gave {other:?}"),
        }
    }

    /// A call that must fail.
    pub fn fails(&mut self, call: &Call, errno: Errno) {
        assert_eq!(self.call(call), Some(errno.to_result()), "{call:?}");
    }

    /// A call that must block.
    pub fn blocks(&mut self, call: &Call) {
        assert_eq!(self.call(call), None, "{call:?} did not block");
    }

    /// What a thread found as the result of its blocked call.
    pub fn result_of(&self, thread: ThreadSlot) -> Option<i64> {
        self.machine.results.get(&thread.0).copied()
    }

    pub fn me(&self) -> ThreadSlot {
        self.running.expect("nobody runs")
    }

    /// Lets time pass, with the timer's interrupt if it is due.
    pub fn wait(&mut self, nanoseconds: u64) {
        self.machine.now += nanoseconds;
        if self.machine.armed <= self.machine.now {
            self.enter(Input::Timer);
        }
    }

    pub fn poke(&mut self, address: u64, bytes: &[u8]) {
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
    }

    pub fn peek<const N: usize>(&mut self, address: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.machine.read(Place { space: self.space, address }, &mut bytes).unwrap();
        bytes
    }

    pub fn word(&mut self, address: u64) -> u64 {
        u64::from_le_bytes(self.peek(address))
    }

    /// Makes a thread of the first process with a priority; it does not run before the maker waits,
    /// unless it outranks it. Returns its tid.
    pub fn spawn(&mut self, priority: u32) -> u32 {
        let at = DATA + 0x8000;
        let mut bytes = Vec::new();
        for word in [DATA, DATA + DATA_LENGTH, 0, 0, 0, 0, 0] {
            bytes.extend_from_slice(&u64::to_le_bytes(word));
        }
        for half in [priority, 2, 0, 0] {
            bytes.extend_from_slice(&u32::to_le_bytes(half));
        }
        self.poke(at, &bytes);
        let tid = self.ok(&Call::ThreadCreate { process: 0, arguments: at });
        u32::try_from(tid).unwrap()
    }

    /// A channel and a connection to it.
    pub fn channel(&mut self, flags: u32) -> (u32, u32) {
        let chid = self.ok(&Call::ChannelCreate { flags }) as u32;
        let attach = Call::ConnectAttach { process: 0, chid, minimum: 3, flags: 0, badge: 77 };
        (chid, self.ok(&attach) as u32)
    }

    /// A new process in the address space of the first one, which has its handles; its thread
    /// starts ready. Returns its handle and pid.
    pub fn child(&mut self, priority: u32) -> (u32, u32) {
        let space = self.ok(&Call::SpaceOf { process: 0 }) as u32;
        let pid = self.next_pid;
        self.next_pid += 1;
        let at = DATA + 0x8100;
        let mut bytes = Vec::new();
        for half in [pid, space, 0, pid, pid, 0] {
            bytes.extend_from_slice(&u32::to_le_bytes(half));
        }
        bytes.extend_from_slice(&0_u64.to_le_bytes());
        self.poke(at, &bytes);
        let process = self.ok(&Call::ProcessCreate { arguments: at }) as u32;
        self.ok(&Call::ConnectDetach { coid: space });
        let args = DATA + 0x8200;
        let mut bytes = Vec::new();
        for word in [DATA, DATA, 0, 0, 0, 0, 0] {
            bytes.extend_from_slice(&u64::to_le_bytes(word));
        }
        for half in [priority, 2, 0, 0] {
            bytes.extend_from_slice(&u32::to_le_bytes(half));
        }
        self.poke(args, &bytes);
        assert_eq!(self.ok(&Call::ThreadCreate { process, arguments: args }), u64::from(pid));
        (process, pid)
    }

    /// Priority that a thread of the first process runs at.
    pub fn priority_of(&mut self, tid: u32) -> u32 {
        let at = DATA + 0x8400;
        self.ok(&Call::SchedGet { process: 0, tid, parameters: at });
        u32::from_le_bytes(self.peek(at + 8))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
