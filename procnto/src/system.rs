//! What procnto asks of the kernel: the one trait between policy and kernel calls.
//!
//! Handles are plain numbers here: whoever stores one also closes it. On target the calls are
//! `neutrino_rt`'s; tests record them.

use neutrino_abi::Errno;
use neutrino_abi::info::{HandleInfo, ProcessInfo, SystemInfo, ThreadInfo};
use neutrino_abi::memory::{MapArgs, MappingInfo, ObjectInfo};
use neutrino_abi::process::{Credentials, ExecArgs, ProcessArgs, ThreadArgs};
use neutrino_abi::sched::SchedParam;
use neutrino_abi::signal::SignalInfo;

/// The clocks that procnto reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Since boot.
    Monotonic,
    /// Since 1970.
    Realtime,
}

/// Changes to a process that are a command and a number (`ProcessCtl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Process group.
    Group(u32),
    /// Session.
    Session(u32),
    /// Abilities (`neutrino_abi::process::able`).
    Abilities(u64),
    /// Highest number of descriptors.
    DescriptorLimit(u32),
    /// Largest address space, in bytes.
    SpaceLimit(u64),
    /// Ends every thread and closes every handle.
    Terminate,
}

/// What a message to another server brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The server's status.
    pub status: i64,
}

/// The kernel, as procnto needs it.
///
/// # Errors
/// Every method that returns a `Result` gives the errors of the kernel call it stands for.
#[allow(clippy::missing_errors_doc, reason = "said once, above, for all methods")]
pub trait System {
    /// Answers a client; that it is gone is no error.
    fn reply(&self, rcvid: u64, answer: Result<i64, Errno>, data: &[u8]);
    /// Reads from a waiting client's message (`MsgRead`).
    fn read(&self, rcvid: u64, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno>;
    /// Copies an offered handle into procnto's table (`MsgTake`).
    fn take(&self, rcvid: u64, index: u32) -> Result<u32, Errno>;
    /// Copies a handle of procnto's into a client's table (`MsgGive`).
    fn give(&self, rcvid: u64, handle: u32) -> Result<u32, Errno>;
    /// Connects to a channel of another process (`ConnectAttach`).
    fn connect(&self, process: u32, chid: u32) -> Result<u32, Errno>;
    /// The credentials of a waiting client (`ConnectClientInfo`).
    fn client_credentials(&self, rcvid: u64) -> Result<Credentials, Errno>;
    /// Sends a pulse; a server that is gone is no error.
    fn pulse(&self, coid: u32, code: i8, value: u64);
    /// Sends a message to another server and waits. Only for workers, without the state lock.
    /// At most one handle is accepted.
    fn send(&self, coid: u32, message: &[u8], reply: &mut [u8]) -> Result<Sent, Errno>;
    /// As [`System::send`], accepting no handle, for so many nanoseconds at most.
    fn send_within(
        &self,
        coid: u32,
        message: &[u8],
        reply: &mut [u8],
        nanoseconds: u64,
    ) -> Result<i64, Errno>;
    /// Names the same object once more (`ConnectDup`).
    fn duplicate(&self, handle: u32) -> Result<u32, Errno>;
    /// Closes a handle.
    fn close(&self, handle: u32);

    /// Makes a process without threads (`ProcessCreate`).
    fn process_create(&self, arguments: &ProcessArgs) -> Result<u32, Errno>;
    /// Replaces a process's program (`ProcessExec`).
    fn process_exec(&self, process: u32, arguments: &ExecArgs) -> Result<(), Errno>;
    /// Changes a process (`ProcessCtl`).
    fn control(&self, process: u32, control: Control) -> Result<(), Errno>;
    /// Copies a handle of a process into procnto's table.
    fn copy_handle(&self, process: u32, number: u32) -> Result<u32, Errno>;
    /// Marks a mutex word as its owner's death does, if the thread owns it.
    fn owner_died(&self, process: u32, tid: u32, address: u64) -> Result<(), Errno>;
    /// Sets the credentials of a process.
    fn set_credentials(&self, process: u32, credentials: &Credentials) -> Result<(), Errno>;
    /// Sets the name that `pidin` and traces show.
    fn set_name(&self, process: u32, name: &[u8; 16]);
    /// Tells about a process.
    fn process_info(&self, process: u32) -> Result<ProcessInfo, Errno>;
    /// Starts a thread in a process.
    fn thread_create(&self, process: u32, arguments: &ThreadArgs) -> Result<u32, Errno>;
    /// Tells about the first thread of a process with at least this tid.
    fn thread_info(&self, process: u32, tid: u32) -> Result<ThreadInfo, Errno>;
    /// Reads a thread's scheduling parameters.
    fn sched_get(&self, process: u32, tid: u32) -> Result<SchedParam, Errno>;
    /// Sets them.
    fn sched_set(&self, process: u32, tid: u32, parameters: &SchedParam) -> Result<(), Errno>;
    /// Tells about the first handle of a process at or above a number.
    fn handle_info(&self, process: u32, from: u32) -> Result<(u32, HandleInfo), Errno>;
    /// Sends a signal to a process, or to one of its threads if `tid` is not 0.
    fn kill(&self, process: u32, tid: u32, info: &SignalInfo) -> Result<(), Errno>;

    /// Makes an empty address space.
    fn space_create(&self) -> Result<u32, Errno>;
    /// Copies a process's address space, copy on write.
    fn space_fork(&self, process: u32) -> Result<u32, Errno>;
    /// Makes a handle of a process's address space.
    fn space_of(&self, process: u32) -> Result<u32, Errno>;
    /// Reads an address space.
    fn space_read(&self, space: u32, address: u64, buffer: &mut [u8]) -> Result<usize, Errno>;
    /// Writes an address space, ignoring protection.
    fn space_write(&self, space: u32, address: u64, bytes: &[u8]) -> Result<usize, Errno>;
    /// Tells about the first mapping that ends above an address.
    fn space_mapping(&self, space: u32, address: u64) -> Result<MappingInfo, Errno>;
    /// Maps memory in an address space other than procnto's.
    fn map(&self, space: u32, arguments: &MapArgs) -> Result<u64, Errno>;
    /// Makes a memory object of a kind that needs no size (`object::BOOT_IMAGE`, `TIME_PAGE`).
    fn object_create(&self, kind: u32) -> Result<u32, Errno>;
    /// Tells about a memory object.
    fn object_info(&self, object: u32) -> Result<ObjectInfo, Errno>;
    /// Reads a memory object.
    fn object_read(&self, object: u32, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno>;
    /// Writes to a memory object of procnto's own.
    fn object_write(&self, object: u32, offset: u64, bytes: &[u8]);

    /// Nanoseconds on a clock.
    fn now(&self, clock: Clock) -> u64;
    /// Fills a buffer with random bytes.
    fn random(&self, buffer: &mut [u8]);
    /// Tells about the system.
    fn system_info(&self) -> SystemInfo;
    /// Switches the machine off (`SystemCtl` 1) with a status, for the emulator.
    fn power_off(&self, status: u32);
    /// Starts the machine anew (`SystemCtl` 2).
    fn reset(&self);
    /// Writes to the kernel's log.
    fn log(&self, text: &str);
    /// Sleeps. Only for workers, without the state lock.
    fn sleep(&self, nanoseconds: u64);
}
