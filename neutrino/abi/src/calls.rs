//! The one table of kernel calls.
//!
//! A row is the whole declaration of a call: its number, its name and its arguments in the order
//! of the registers rdi, rsi, rdx, r10, r8, r9, r12, r13, r14, r15. The decoder, the user-space
//! stubs, the trace names and `docs/kernel-calls.md` are made from it. The call number is in rax;
//! the result comes back in rax, an error as a negative errno. rcx and r11 are lost; calls that
//! send or receive messages in registers or give more than one result (see [`crate::message`])
//! lose their other argument registers, too. Errors that every call can give are
//! not repeated: ENOSYS for an unknown number, EINVAL for an argument that its type cannot hold.

use crate::Errno;

/// Numbers of native calls start here; lower ones belong to the process's personality.
pub const NATIVE_BASE: u64 = 0x1000;

/// Hands every row of the table to the macro `$with`.
#[macro_export]
macro_rules! for_each_call {
    ($with:path) => {
        $with! {
            /// Makes a channel to receive on; returns its chid (QNX: `ChannelCreate`). EINVAL: unknown
            /// flags. EAGAIN: a limit is reached.
            0x1001 ChannelCreate { flags: u32 }
            /// Destroys a channel; clients blocked on it get ESRCH. EBADF: no such channel.
            0x1002 ChannelDestroy { chid: u32 }
            /// Makes a connection to a channel of the caller (`process` 0) or of the process behind a
            /// handle; returns the lowest free coid from `minimum` on. EBADF, ESRCH, EAGAIN, EMFILE, EPERM.
            0x1003 ConnectAttach { process: u32, chid: u32, minimum: u32, flags: u32, badge: u64 }
            /// Closes a handle of any kind (QNX: `ConnectDetach`, `TimerDestroy`, `InterruptDetach`).
            /// EBADF.
            0x1004 ConnectDetach { coid: u32 }
            /// Changes the `COF_*` flags in `mask` to `bits`; returns the old flags. EBADF.
            0x1005 ConnectFlags { coid: u32, mask: u32, bits: u32 }
            /// Names the same object by the lowest free number from `minimum` on (`dup`, `F_DUPFD`).
            /// EBADF, EMFILE, EAGAIN.
            0x1006 ConnectDup { coid: u32, minimum: u32, flags: u32 }
            /// Names the same object by exactly `target`, closing what was there (`dup2`, `dup3`).
            /// EBADF, EAGAIN.
            0x1007 ConnectDupTo { coid: u32, target: u32, flags: u32 }
            /// As the server of a connection: sets its readiness word and wakes pollers. EBADF: not a
            /// connection to a channel of the caller, or another badge.
            0x1008 ConnectReady { scoid: u32, badge: u64, bits: u32 }
            /// Waits until a connection is ready (`ppoll`): `timeout` is relative nanoseconds
            /// (`FOREVER`: none), `mask` the address of a signal set to wait with, or 0; `flags`:
            /// [`crate::handle::POLL_AWAIT`]. Returns how many are. EFAULT, EINTR, EINVAL, EAGAIN.
            0x1009 ConnectPoll { entries: u64, count: u32, timeout: u64, mask: u64, flags: u32 }
            /// Tells about the first handle at or above `coid` in a process's table (a `HandleInfo`);
            /// returns its number. EBADF: none. EFAULT.
            0x100a ConnectServerInfo { process: u32, coid: u32, info: u64 }
            /// As a server: the credentials of the client behind a rcvid, or, if that is 0, of the one
            /// that the caller serves, or another that waits for a reply, on a connection; returns
            /// `session << 32 | pid`. EINVAL: nobody does. ESRCH, EFAULT.
            0x100b ConnectClientInfo { scoid: u32, badge: u64, rcvid: u64, credentials: u64 }
            /// Sends a message and waits for the reply; returns its status (QNX: `MsgSend` family).
            /// EBADF, EFAULT, EINTR, ESRCH, ETIMEDOUT, and what the server answers.
            0x100c MsgSend { coid: u32, message: u64, parts: i64, reply: u64, reply_parts: i64, extra: u64 }
            /// Waits for a message or pulse; returns its rcvid, or 0 for a pulse, and what
            /// [`crate::message::Head`] says in registers. A message in registers and a pulse come in
            /// registers, another message comes in the buffer; a `MsgInfo` goes to `info`, if that is not
            /// 0. EBADF, EFAULT, EINTR, ETIMEDOUT.
            0x100d MsgReceive { chid: u32, message: u64, parts: i64, info: u64 }
            /// As `MsgReceive`, but leaves messages queued.
            0x100e MsgReceivePulse { chid: u32, message: u64, parts: i64 }
            /// Answers a client with a status and data. ESRCH: it no longer waits. EFAULT.
            0x100f MsgReply { rcvid: u64, status: i64, message: u64, parts: i64 }
            /// `MsgReply` (left out if `rcvid` is 0; its failure is ignored) and `MsgReceive` in one
            /// entry; a negative status is an errno as for `MsgError`. As `MsgReceive`.
            0x1010 MsgReplyReceive { rcvid: u64, status: i64, answer: u64, answer_parts: i64, chid: u32, info: u64, message: u64, parts: i64 }
            /// Answers a client with an error. ESRCH.
            0x1011 MsgError { rcvid: u64, errno: u32 }
            /// Reads from the message of a client that waits for a reply; returns the number of bytes.
            /// ESRCH, EFAULT.
            0x1012 MsgRead { rcvid: u64, message: u64, parts: i64, offset: u64 }
            /// Writes into the reply buffer of a client that waits for a reply; returns the number of
            /// bytes. ESRCH, EFAULT.
            0x1013 MsgWrite { rcvid: u64, message: u64, parts: i64, offset: u64 }
            /// Moves bytes of the client's message straight into a memory object, growing nothing;
            /// returns the number of bytes. ESRCH, EBADF, EFAULT, ENOMEM.
            0x1014 MsgReadObject { rcvid: u64, message_offset: u64, object: u32, object_offset: u64, bytes: u64 }
            /// Moves bytes of a memory object straight into the client's reply buffer; returns the
            /// number of bytes. ESRCH, EBADF, EFAULT.
            0x1015 MsgWriteObject { rcvid: u64, message_offset: u64, object: u32, object_offset: u64, bytes: u64 }
            /// Tells about a client that waits for a reply. ESRCH, EFAULT.
            0x1016 MsgInfo { rcvid: u64, info: u64 }
            /// Makes a new connection to the channel that the message came on, names it by `badge`,
            /// with readiness `bits`, in the table of the client (which must accept it); returns `scoid
            /// << 32 | coid of the client`. ESRCH, EMFILE, EAGAIN, EPERM: not accepted.
            0x1017 MsgGrant { rcvid: u64, badge: u64, bits: u32 }
            /// Copies a handle of the caller into the table of the client (which must accept it);
            /// returns its number there. ESRCH, EBADF, EMFILE, EPERM.
            0x1018 MsgGive { rcvid: u64, handle: u32, flags: u32 }
            /// Copies the handle that the client offered at `index` into the caller's table; returns
            /// its number. ESRCH, EINVAL, EMFILE.
            0x1019 MsgTake { rcvid: u64, index: u32, minimum: u32, flags: u32 }
            /// Sends a pulse; priority -1 is the caller's (QNX: `MsgSendPulse`). EBADF, EINVAL, EAGAIN.
            /// ESRCH.
            0x101a MsgSendPulse { coid: u32, priority: i32, code: i32, value: u64 }
            /// Delivers an event to the process behind a rcvid, or to the caller if 0. ESRCH, EFAULT,
            /// EINVAL, EBADF, EAGAIN.
            0x101b MsgDeliverEvent { rcvid: u64, event: u64 }
            /// Makes a thread in the caller's process (0) or that of a handle; returns its system-wide
            /// tid. The first thread of a process has the pid as its tid. EAGAIN, EFAULT, EBADF.
            /// EPERM, ESRCH, EINVAL.
            0x101c ThreadCreate { process: u32, arguments: u64 }
            /// Ends a thread of the caller's process; 0 is the caller, which never returns. ESRCH.
            0x101d ThreadDestroy { tid: u32, status: u64 }
            /// Changes a thread (`thread_ctl`); tid 0 is the caller. EINVAL, ESRCH, EFAULT, EBADF, EPERM.
            0x101e ThreadCtl { process: u32, tid: u32, command: u32, value: u64 }
            /// Tells about the first thread of a process with at least this tid; returns its tid.
            /// ESRCH: none. EBADF, EFAULT.
            0x101f ThreadInfo { process: u32, tid: u32, info: u64 }
            /// Reads a thread's scheduling parameters. ESRCH, EFAULT, EBADF.
            0x1020 SchedGet { process: u32, tid: u32, parameters: u64 }
            /// Sets them. EBADF, ESRCH, EINVAL, EPERM, EFAULT. EAGAIN: too many sporadic threads.
            0x1021 SchedSet { process: u32, tid: u32, parameters: u64 }
            /// Goes behind the others of its priority.
            0x1022 SchedYield {}
            /// Makes a process without threads; returns its handle. Needs `able::PROCESS`. EPERM,
            /// EAGAIN, EFAULT, EBADF.
            0x1023 ProcessCreate { arguments: u64 }
            /// Gives a process another address space and one thread that starts afresh; closes handles
            /// marked `COF_CLOEXEC`. Needs `able::PROCESS`. EPERM, EBADF, EFAULT, ESRCH.
            0x1024 ProcessExec { process: u32, arguments: u64 }
            /// Changes or reads a process (`process_ctl`). Needs `able::PROCESS` but for reading one's
            /// own credentials. EPERM, EBADF, EFAULT, ESRCH.
            0x1025 ProcessCtl { process: u32, command: u32, value: u64 }
            /// Tells about a process. EBADF, EFAULT.
            0x1026 ProcessInfo { process: u32, info: u64 }
            /// Tells about the system. EFAULT.
            0x1027 SystemInfo { info: u64 }
            /// 0: the caller's channel `value` gets the process pulses. 1: power off with status
            /// `value`. 2: reset. 3: framebuffer data at address `value`. EPERM, EINVAL.
            0x1028 SystemCtl { command: u32, value: u64 }
            /// Makes an empty address space; returns its handle. Needs `able::PROCESS`.
            /// EPERM, EAGAIN, ENOMEM.
            0x1029 SpaceCreate {}
            /// Makes a copy-on-write copy of a process's address space; returns its handle. Needs
            /// `able::PROCESS`. ENOMEM, EPERM, EBADF, EAGAIN.
            0x102a SpaceFork { process: u32 }
            /// Makes a handle of the address space that a process has now. Needs `able::PROCESS`.
            /// EPERM, EBADF, EAGAIN.
            0x102b SpaceOf { process: u32 }
            /// Reads memory of an address space; returns the number of bytes. EFAULT, EBADF, EPERM.
            0x102c SpaceRead { space: u32, address: u64, buffer: u64, length: u64 }
            /// Writes it (breaking copy-on-write); ignores write protection. EFAULT, EBADF, EPERM.
            0x102d SpaceWrite { space: u32, address: u64, buffer: u64, length: u64 }
            /// Tells about the first mapping that ends above `address` (0 for `space`: the caller's).
            /// ESRCH: none. EBADF, EFAULT.
            0x102e SpaceMapping { space: u32, address: u64, info: u64 }
            /// Maps memory (0: in the caller's address space); returns its address (`mmap`). EINVAL,
            /// ENOMEM, EBADF, EACCES, EEXIST, EFAULT, EPERM.
            0x102f MemMap { space: u32, arguments: u64 }
            /// Unmaps whole pages (`munmap`). EINVAL, ENOMEM, EBADF.
            0x1030 MemUnmap { space: u32, address: u64, length: u64 }
            /// Changes protection (`mprotect`). EINVAL, ENOMEM, EACCES, EBADF.
            0x1031 MemProtect { space: u32, address: u64, length: u64, protection: u32 }
            /// Grows, shrinks or moves a mapping of the caller (`mremap`); returns its address. EINVAL,
            /// ENOMEM, EFAULT.
            0x1032 MemRemap { arguments: u64 }
            /// `madvise`: MADV_DONTNEED drops private pages; other advice has no effect. EINVAL, ENOMEM.
            0x1033 MemAdvise { address: u64, length: u64, advice: u32 }
            /// Makes a memory object; returns its handle. EINVAL, EPERM, ENOMEM, ENODEV.
            0x1034 MemObjectCreate { kind: u32, size: u64, physical: u64, flags: u32 }
            /// Grows or shrinks an anonymous object; pages behind the end are freed, the rest of the
            /// last page is cleared. EBADF, EINVAL, ENOMEM.
            0x1035 MemObjectResize { object: u32, size: u64 }
            /// Tells about an object. EBADF, EFAULT.
            0x1036 MemObjectInfo { object: u32, info: u64 }
            /// Reads an object; returns the number of bytes. EBADF, EFAULT.
            0x1037 MemObjectRead { object: u32, offset: u64, buffer: u64, length: u64 }
            /// Writes an object. EBADF, EFAULT, ENOMEM, EACCES.
            0x1038 MemObjectWrite { object: u32, offset: u64, buffer: u64, length: u64 }
            /// Reads and sets a clock; addresses of nanoseconds or 0 (QNX: `ClockTime`). EINVAL, EPERM,
            /// EFAULT.
            0x1039 ClockTime { clock: u32, new: u64, old: u64 }
            /// Sleeps for `time` nanoseconds, or until then with `TIMER_ABSTIME`; writes what is left
            /// at `remaining` if that is not 0. EINTR, EINVAL, EFAULT.
            0x103a ClockNanosleep { clock: u32, flags: u32, time: u64, remaining: u64 }
            /// Makes a timer; returns its handle. EINVAL, EAGAIN, EFAULT, EBADF.
            0x103b TimerCreate { clock: u32, event: u64 }
            /// Arms or disarms a timer. EBADF, EINVAL, EFAULT.
            0x103c TimerSettime { timer: u32, flags: u32, new: u64, old: u64 }
            /// Tells about a timer. EBADF, EFAULT.
            0x103d TimerInfo { timer: u32, info: u64 }
            /// Arms a time-out of `time` relative nanoseconds (or a monotonic point with
            /// `TIMER_ABSTIME`) for the next kernel call, if it blocks in one of `states`.
            0x103e TimerTimeout { states: u32, time: u64, flags: u32 }
            /// Delivers an event for each interrupt of a line (ISA numbers 0 to 15, else global
            /// interrupt numbers), masked until unmasked; returns a handle. Who has such a handle names
            /// the line by it and needs no ability. `event::MESSAGE_LINE`: a line of its own for a
            /// device that sends messages, which nothing masks. EPERM, EINVAL, EAGAIN, EFAULT, EBADF.
            0x103f InterruptAttachEvent { line: u32, event: u64, flags: u32 }
            /// Masks it. EBADF.
            0x1040 InterruptMask { interrupt: u32 }
            /// Unmasks it. EBADF.
            0x1041 InterruptUnmask { interrupt: u32 }
            /// Waits for an interrupt attached with `INTR`. EINTR, ETIMEDOUT, EINVAL.
            0x1042 InterruptWait { flags: u32 }
            /// Makes a handle on a range of I/O ports; needs `able::IO`. EPERM, EINVAL, EAGAIN.
            0x1043 PortAttach { base: u32, count: u32 }
            /// Reads 1, 2 or 4 bytes. EBADF, EINVAL.
            0x1044 PortRead { port: u32, offset: u32, width: u32 }
            /// Writes 1, 2 or 4 bytes. EBADF, EINVAL.
            0x1045 PortWrite { port: u32, offset: u32, width: u32, value: u32 }
            /// Sends the signal in a `SignalInfo` to a process (or one of its threads); number 0 only
            /// tests. EBADF, ESRCH, EINVAL, EAGAIN, EFAULT.
            0x1046 SignalKill { process: u32, tid: u32, info: u64 }
            /// Sets a disposition (`disposition`); returns the old one. EINVAL, EBADF.
            0x1047 SignalAction { process: u32, signal: u32, disposition: u32 }
            /// Changes the caller's mask; `set` is the set itself, `old` the address for the old one or
            /// 0. EINVAL, EFAULT.
            0x1048 SignalProcmask { how: u32, set: u64, old: u64 }
            /// Waits with this mask until a signal is deliverable, and keeps the mask until
            /// `SignalRestoreMask`; always EINTR, ETIMEDOUT by `TimerTimeout`.
            0x1049 SignalSuspend { set: u64 }
            /// Takes a pending signal of the set, waiting for one for `timeout` relative nanoseconds
            /// (`FOREVER`: no limit); returns its number. EINTR, EAGAIN: timed out, EFAULT.
            /// ETIMEDOUT by `TimerTimeout`.
            0x104a SignalWaitinfo { set: u64, info: u64, timeout: u64 }
            /// Takes the lowest deliverable signal of the caller, blocks it, and writes at `mask` (if not
            /// 0) the mask to restore when its handler ends (the one before `SignalSuspend` or
            /// `ConnectPoll`); returns its number, 0 for none. EFAULT.
            0x104b SignalTake { info: u64, mask: u64 }
            /// Loads all registers from a `Registers` and sets the signal mask; returns there. EFAULT:
            /// the process gets SIGSEGV.
            0x104c SignalReturn { registers: u64, mask: u64 }
            /// Returns the set of signals pending for the caller and blocked.
            0x104d SignalPending {}
            /// Sets where the process is entered for foreign calls and signals. EFAULT, EINVAL.
            0x104e PersonalityAttach { personality: u64 }
            /// Waits on a word while it holds `expected` until woken or a monotonic point in time
            /// (`FOREVER`: none; flag `futex::REALTIME`: wall clock). EAGAIN: other value. EINTR,
            /// ETIMEDOUT, EFAULT, EINVAL.
            0x104f FutexWait { address: u64, expected: u32, flags: u32, deadline: u64, bitset: u32 }
            /// Wakes waiters, most important first; returns how many. EFAULT, EINVAL.
            0x1050 FutexWake { address: u64, count: u32, flags: u32, bitset: u32 }
            /// Wakes some and moves others to another word; with `futex::COMPARE` only if the word
            /// holds `expected` (EAGAIN). Returns how many were woken and moved. EFAULT.
            0x1051 FutexRequeue { address: u64, wake: u32, requeue: u32, target: u64, expected: u32, flags: u32 }
            /// Locks a mutex word (owner's tid, `futex::WAITERS` bit) with priority inheritance,
            /// waiting until a point in time at most (Linux: `FUTEX_LOCK_PI`). EDEADLK, EINTR,
            /// ETIMEDOUT, EFAULT, ESRCH: no such owner.
            0x1052 SyncMutexLock { address: u64, flags: u32, deadline: u64 }
            /// Unlocks it, handing it to the most important waiter. EPERM: not the owner. EFAULT.
            0x1053 SyncMutexUnlock { address: u64, flags: u32 }
            /// Writes bytes to the kernel's log. EFAULT.
            0x1054 DebugWrite { address: u64, length: u32 }
            /// Returns `pid << 32 | tid` of the caller.
            0x1055 ThreadSelf {}
            /// Closes a connection as `ConnectDetach` does. If this is the last handle on it, its server
            /// gets the message first, marked `MI_LAST`, and the caller waits for the reply: when the
            /// call returns, the server has let go; a server that answers `LET_GO` gets no disconnect
            /// pulse. The handle is gone however the call ends, unless with EBADF. EINTR: it is not
            /// waited for the server.
            0x1056 ConnectClose { coid: u32, message: u64, parts: i64 }
            /// As `MsgSend` with a message of up to 48 bytes that travels in registers. `lengths` is the
            /// message's and, in its upper half, the reply's; a reply of up to 48 bytes comes back in
            /// the words, and its length in rsi; another goes to the memory at `reply`. As `MsgSend`.
            0x1057 MsgSendRegisters { coid: u32, lengths: u64, w0: u64, w1: u64, w2: u64, w3: u64, w4: u64, w5: u64, reply: u64 }
            /// As `MsgReplyReceive` with an answer in registers. `control` is the status (its lower
            /// half), the chid (16 bits) and the answer's length (8 bits).
            0x1058 MsgReplyReceiveRegisters { rcvid: u64, control: u64, w0: u64, w1: u64, w2: u64, w3: u64, w4: u64, w5: u64, message: u64, parts: i64 }
            /// Controls and reads the trace of what the kernel does (`trace::command`; QNX:
            /// `TraceEvent`). EPERM without `able::TRACE`, EINVAL, EFAULT, EBUSY.
            0x1078 TraceEvent { command: u32, first: u64, second: u64, third: u64 }
            /// Makes, changes and tells of partitions (`sched::partition`; QNX: `SchedCtl`). EINVAL: no such
            /// partition, a bad name or length. EDOM: more than the parent has. EEXIST, EAGAIN, EPERM,
            /// EBADF, ESRCH, EFAULT.
            0x1079 SchedCtl { command: u32, id: u32, value: u64, data: u64 }
            /// Makes the caller run at the priority of a client that waits for its reply. ESRCH.
            0x1059 MsgCurrent { rcvid: u64 }
            /// Says whether an event could be delivered to the process behind a rcvid, or to the caller
            /// if 0. ESRCH, EFAULT, EINVAL, EBADF.
            0x105a MsgVerifyEvent { rcvid: u64, event: u64 }
            /// Unlocks a mutex word and waits on a word that holds `expected`, in one entry; the mutex is
            /// not locked again. EAGAIN: other value, the mutex is still held. EPERM: it is another's.
            /// EINTR, ETIMEDOUT, EFAULT.
            0x105b SyncCondvarWait { address: u64, expected: u32, flags: u32, mutex: u64, mutex_flags: u32 }
            /// Delivers an event each time that the readiness word of a connection is set, and when
            /// nobody holds the connection any more; returns a handle, which does not hold it either.
            /// `ConnectPoll` takes the handle for the connection (`NVAL`: it is gone). EBADF, EINVAL,
            /// EAGAIN, EMFILE, EFAULT.
            0x105f ConnectWatch { coid: u32, event: u64 }
        }
    };
}

/// An argument that a register can hold.
pub trait Register: Sized {
    /// Reads the argument, or says that the register holds no such value.
    ///
    /// # Errors
    /// [`Errno::EINVAL`] if the value does not fit the argument's type.
    fn from_register(raw: u64) -> Result<Self, Errno>;
    /// Puts the argument into a register.
    fn to_register(self) -> u64;
}

impl Register for u64 {
    fn from_register(raw: u64) -> Result<Self, Errno> {
        Ok(raw)
    }
    #[inline(always)]
    fn to_register(self) -> u64 {
        self
    }
}

impl Register for u32 {
    fn from_register(raw: u64) -> Result<Self, Errno> {
        Self::try_from(raw).map_err(|_| Errno::EINVAL)
    }
    #[inline(always)]
    fn to_register(self) -> u64 {
        u64::from(self)
    }
}

impl Register for i64 {
    fn from_register(raw: u64) -> Result<Self, Errno> {
        Ok(raw.cast_signed())
    }
    #[inline(always)]
    fn to_register(self) -> u64 {
        self.cast_unsigned()
    }
}

impl Register for i32 {
    fn from_register(raw: u64) -> Result<Self, Errno> {
        Self::try_from(raw.cast_signed()).map_err(|_| Errno::EINVAL)
    }
    #[inline(always)]
    fn to_register(self) -> u64 {
        i64::from(self).cast_unsigned()
    }
}

/// The most arguments that a call has.
pub const ARGUMENTS: usize = 10;

/// The raw registers of a kernel call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Call number (rax).
    pub number: u64,
    /// rdi, rsi, rdx, r10, r8, r9, r12, r13, r14, r15.
    pub arguments: [u64; ARGUMENTS],
}

/// Registers of a kernel call, wherever they are.
pub trait Registers {
    /// Call number (rax).
    fn number(&self) -> u64;
    /// An argument, in the order of [`Frame::arguments`]; 0 if there is none at the index.
    fn argument(&self, index: usize) -> u64;
}

impl Registers for Frame {
    fn number(&self) -> u64 {
        self.number
    }
    fn argument(&self, index: usize) -> u64 {
        self.arguments.get(index).copied().unwrap_or_default()
    }
}

macro_rules! define_calls {
    ($($(#[doc = $doc:literal])+ $number:literal $name:ident { $($arg:ident: $ty:ty),* })+) => {
        /// A kernel call whose arguments have been decoded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Call { $(
            $(#[doc = $doc])+
            $name { $(#[doc = concat!("Argument `", stringify!($arg), "`.")] $arg: $ty),* }
        ),+ }

        impl Call {
            /// Decodes the registers of a call.
            ///
            /// # Errors
            /// [`Errno::ENOSYS`] for an unknown number; [`Errno::EINVAL`] for an argument that its
            /// type cannot hold.
            #[inline]
            pub fn decode(frame: &impl Registers) -> Result<Self, Errno> {
                match frame.number() {
                    $($number => {
                        #[allow(unused_mut, unused_variables, reason = "calls without arguments")]
                        let mut index = 0..;
                        Ok(Self::$name { $($arg: {
                            let index = index.next().unwrap_or(usize::MAX);
                            Register::from_register(frame.argument(index))?
                        }),* })
                    })+
                    _ => Err(Errno::ENOSYS),
                }
            }

            /// The registers of the call; the inverse of [`Call::decode`].
            #[must_use]
            #[inline(always)]
            pub fn encode(&self) -> Frame {
                match *self { $(Self::$name { $($arg),* } => {
                    #[allow(unused_mut, unused_variables, reason = "calls without arguments")]
                    let mut arguments = [0_u64; ARGUMENTS];
                    #[allow(unused_mut, unused_variables, reason = "calls without arguments")]
                    let mut slots = arguments.iter_mut();
                    $(if let Some(slot) = slots.next() { *slot = Register::to_register($arg); })*
                    Frame { number: $number, arguments }
                }),+ }
            }

            /// The call's name, for traces and messages.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name { .. } => stringify!($name)),+ }
            }
        }

        /// The name of the call with this number.
        #[must_use]
        pub const fn name_of(number: u64) -> Option<&'static str> {
            match number { $($number => Some(stringify!($name)),)+ _ => None }
        }

        /// The call numbers by name.
        #[allow(non_upper_case_globals, reason = "these are the names of the calls")]
        pub mod number { $($(#[doc = $doc])+ pub const $name: u64 = $number;)+ }
    };
}
for_each_call!(define_calls);

/// Flags and bits of futex words.
pub mod futex {
    /// The word is shared between processes: it is named by its place in its memory object.
    pub const SHARED: u32 = 1;
    /// The deadline is wall-clock time.
    pub const REALTIME: u32 = 2;
    /// `FutexRequeue` compares first.
    pub const COMPARE: u32 = 4;
    /// `FutexWait` is a semaphore's: the state is SEM, not CONDVAR.
    pub const SEM: u32 = 8;
    /// `FutexWait` is for a thread's end: the state is JOIN, not CONDVAR.
    pub const JOIN: u32 = 16;
    /// In a mutex word: somebody waits (Linux: `FUTEX_WAITERS`).
    pub const WAITERS: u32 = 0x8000_0000;
    /// In a mutex word: the owner died (Linux: `FUTEX_OWNER_DIED`).
    pub const OWNER_DIED: u32 = 0x4000_0000;
    /// In a mutex word: the owner's tid.
    pub const TID_MASK: u32 = 0x3fff_ffff;
    /// Matches every bitset.
    pub const ANY: u32 = u32::MAX;
}
