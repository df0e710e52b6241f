//! What threads do, as data: a configuration lists the moves of each of its threads.

use neutrino_abi::calls::Call;
use neutrino_abi::process::{process_ctl, thread_ctl};
use neutrino_abi::time::FOREVER;

use crate::machine::DATA;

/// A move of whoever runs. Channels, connections and mutexes count from 0, threads are slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Receives on a channel.
    Receive(u32),
    /// Receives a pulse.
    ReceivePulse(u32),
    /// Sends a message in memory.
    Send(u32),
    /// Sends one in registers.
    SendWords(u32),
    /// Sends through a bad address.
    SendBadly(u32),
    /// Answers the message that it received longest ago, or the one after it.
    Reply(usize),
    /// Refuses it.
    Refuse(usize),
    /// Answers and receives.
    ReplyReceive(usize, u32),
    /// The same with an answer in registers.
    ReplyReceiveWords(usize, u32),
    /// Reads a message again.
    Read(usize),
    /// Sends a pulse of this priority, if fewer than two are queued there.
    Pulse(u32, i32),
    /// Sets a time-out of so many nanoseconds for the next call.
    Timeout(u64),
    /// Locks a mutex.
    Lock(u64),
    /// Locks a mutex, with a deadline.
    LockFor(u64, u64),
    /// Unlocks it.
    Unlock(u64),
    /// Waits on a word.
    FutexWait,
    /// Wakes who waits on it.
    FutexWake,
    /// Sleeps.
    Sleep(u64),
    /// Gives way.
    Yield,
    /// Works for so many nanoseconds, or until the timer comes, and gives way.
    Work(u64),
    /// Takes another priority.
    Priority(u32),
    /// Gives another thread one.
    PriorityOf(u16, u32),
    /// Sends a signal to a thread.
    Kill(u16),
    /// Takes a signal that arrived.
    TakeSignal,
    /// Holds a thread, and lets it go on.
    Hold(u16),
    /// See above.
    Continue(u16),
    /// Runs on some CPUs only.
    Pin(u64),
    /// Lets another thread run on some CPUs only.
    PinOf(u16, u64),
    /// Closes a connection.
    Detach(u32),
    /// Opens the connection again.
    Attach(u32),
    /// Copies a connection to the next number.
    Dup(u32),
    /// Closes the copy.
    DetachCopy,
    /// Makes the channel again.
    CreateChannel(u32),
    /// Ends it.
    DestroyChannel(u32),
    /// Ends the caller.
    EndThread,
    /// Ends another thread.
    EndOther(u16),
    /// Starts a thread of this priority, if there are fewer than the configuration has.
    Spawn(u32),
    /// Ends the other process.
    EndProcess,
}

/// What somebody asked the kernel for last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Something else.
    #[default]
    Else,
    /// A message or a pulse.
    Receives,
    /// An answer to memory.
    Sends,
    /// Somebody that takes a message that cannot be read.
    SendsBadly,
    /// An answer to registers.
    SendsWords,
}

impl Move {
    pub(crate) const fn doing(self) -> Doing {
        match self {
            Self::Receive(_) | Self::ReceivePulse(_) => Doing::Receives,
            Self::ReplyReceive(..) | Self::ReplyReceiveWords(..) => Doing::Receives,
            Self::Send(_) => Doing::Sends,
            Self::SendBadly(_) => Doing::SendsBadly,
            Self::SendWords(_) => Doing::SendsWords,
            _ => Doing::Else,
        }
    }

    /// Which of the messages that the caller has received it answers.
    pub(crate) const fn answers(self) -> Option<usize> {
        match self {
            Self::Reply(which) | Self::Refuse(which) => Some(which),
            Self::ReplyReceive(which, _) | Self::ReplyReceiveWords(which, _) => Some(which),
            _ => None,
        }
    }

    /// Which channel it receives on, if it takes messages.
    pub(crate) const fn receives(self) -> Option<u32> {
        match self {
            Self::Receive(channel) => Some(channel),
            Self::ReplyReceive(_, channel) | Self::ReplyReceiveWords(_, channel) => Some(channel),
            _ => None,
        }
    }
}

const fn of(base: u64, slot: u16) -> u64 {
    DATA + base + slot as u64 * 16
}
/// Where a thread has its message.
pub(crate) const fn message(slot: u16) -> u64 {
    of(0x80, slot)
}
/// Where it wants the answer.
pub(crate) const fn answer(slot: u16) -> u64 {
    of(0x100, slot)
}
/// Where it receives.
pub(crate) const fn received(slot: u16) -> u64 {
    of(0x180, slot)
}
/// What it answers.
pub(crate) const fn given(slot: u16) -> u64 {
    of(0x200, slot)
}
/// A mutex.
pub(crate) const fn mutex(number: u64) -> u64 {
    DATA + number * 8
}
/// How many there are.
pub(crate) const MUTEXES: u64 = 2;
const FUTEX: u64 = DATA + 0x20;
/// `ThreadArgs` and such.
pub(crate) const ARGUMENTS: u64 = DATA + 0x280;
/// `SchedParameters`.
pub(crate) const PARAMETERS: u64 = DATA + 0x380;
/// A `SignalInfo` of the signal that is sent.
pub(crate) const SIGNAL: u64 = DATA + 0x3d0;
/// What an answer to a thread says.
pub(crate) const fn tag(client: u16) -> u64 {
    100 + client as u64
}

/// What a call needs to know of the state.
pub(crate) struct Caller {
    pub(crate) slot: u16,
    pub(crate) rcvid: u64,
    pub(crate) now: u64,
    /// The number of the thread that the move is about.
    pub(crate) tid: u32,
    /// The handle of the other process.
    pub(crate) process: u32,
}

impl Move {
    /// The thread that it is about.
    pub(crate) const fn about(self) -> Option<u16> {
        match self {
            Self::PriorityOf(slot, _) | Self::Kill(slot) | Self::Hold(slot) => Some(slot),
            Self::Continue(slot) | Self::EndOther(slot) | Self::PinOf(slot, _) => Some(slot),
            _ => None,
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table: one row for each move")]
    pub(crate) fn call(self, caller: &Caller) -> Call {
        let Caller { slot, rcvid, now, tid, process } = *caller;
        let (own, reply, to) = (message(slot), answer(slot), received(slot));
        let client = (rcvid & 0xffff) as u16;
        let status = tag(client) as i64;
        let (from, parts) = (given(slot), -8);
        match self {
            Self::Receive(channel) => {
                Call::MsgReceive { chid: channel + 1, message: to, parts, info: 0 }
            }
            Self::ReceivePulse(channel) => {
                Call::MsgReceivePulse { chid: channel + 1, message: to, parts }
            }
            Self::Send(coid) => {
                Call::MsgSend { coid, message: own, parts, reply, reply_parts: -8, extra: 0 }
            }
            Self::SendBadly(coid) => {
                Call::MsgSend { coid, message: 8, parts, reply, reply_parts: -8, extra: 0 }
            }
            Self::SendWords(coid) => {
                let (lengths, w0) = (8 | 8 << 32, u64::from(slot));
                let [w1, w2, w3, w4, w5] = [1, 2, 3, 4, 5];
                Call::MsgSendRegisters { coid, lengths, w0, w1, w2, w3, w4, w5, reply }
            }
            Self::Reply(_) => Call::MsgReply { rcvid, status, message: from, parts },
            Self::Refuse(_) => Call::MsgError { rcvid, errno: 5 },
            Self::ReplyReceive(_, channel) => Call::MsgReplyReceive {
                rcvid,
                status,
                answer: from,
                answer_parts: -8,
                chid: channel + 1,
                info: 0,
                message: to,
                parts,
            },
            Self::ReplyReceiveWords(_, channel) => {
                let control = tag(client) | u64::from(channel + 1) << 32 | 8 << 48;
                let (w0, message) = (tag(client), to);
                let [w1, w2, w3, w4, w5] = [1, 2, 3, 4, 5];
                Call::MsgReplyReceiveRegisters {
                    rcvid,
                    control,
                    w0,
                    w1,
                    w2,
                    w3,
                    w4,
                    w5,
                    message,
                    parts,
                }
            }
            Self::Read(_) => Call::MsgRead { rcvid, message: to, parts, offset: 0 },
            Self::Pulse(coid, priority) => Call::MsgSendPulse { coid, priority, code: 1, value: 1 },
            Self::Timeout(time) => Call::TimerTimeout { states: 0x7ff0, time, flags: 0 },
            Self::Lock(number) => {
                Call::SyncMutexLock { address: mutex(number), flags: 0, deadline: FOREVER }
            }
            Self::LockFor(number, time) => {
                Call::SyncMutexLock { address: mutex(number), flags: 0, deadline: now + time }
            }
            Self::Unlock(number) => Call::SyncMutexUnlock { address: mutex(number), flags: 0 },
            Self::FutexWait => Call::FutexWait {
                address: FUTEX,
                expected: 0,
                flags: 0,
                deadline: FOREVER,
                bitset: 1,
            },
            Self::FutexWake => Call::FutexWake { address: FUTEX, count: 1, flags: 0, bitset: 1 },
            Self::Sleep(time) => Call::ClockNanosleep { clock: 1, flags: 0, time, remaining: 0 },
            Self::Yield | Self::Work(_) => Call::SchedYield {},
            Self::Priority(_) => Call::SchedSet { process: 0, tid: 0, parameters: PARAMETERS },
            Self::PriorityOf(..) => Call::SchedSet { process: 0, tid, parameters: PARAMETERS },
            Self::Kill(_) => Call::SignalKill { process: 0, tid, info: SIGNAL },
            Self::TakeSignal => Call::SignalTake { info: ARGUMENTS, mask: 0 },
            Self::Hold(_) => {
                Call::ThreadCtl { process: 0, tid, command: thread_ctl::HOLD, value: 0 }
            }
            Self::Continue(_) => {
                Call::ThreadCtl { process: 0, tid, command: thread_ctl::CONTINUE, value: 0 }
            }
            Self::Pin(value) => {
                Call::ThreadCtl { process: 0, tid: 0, command: thread_ctl::RUN_MASK, value }
            }
            Self::PinOf(_, value) => {
                Call::ThreadCtl { process: 0, tid, command: thread_ctl::RUN_MASK, value }
            }
            Self::Detach(coid) => Call::ConnectDetach { coid },
            Self::Attach(coid) => Call::ConnectAttach {
                process: 0,
                chid: coid + 1,
                minimum: coid,
                flags: 0,
                badge: 7,
            },
            Self::Dup(coid) => Call::ConnectDup { coid, minimum: 4, flags: 0 },
            Self::DetachCopy => Call::ConnectDetach { coid: 4 },
            Self::CreateChannel(flags) => Call::ChannelCreate { flags },
            Self::DestroyChannel(channel) => Call::ChannelDestroy { chid: channel + 1 },
            Self::EndThread => Call::ThreadDestroy { tid: 0, status: 0 },
            Self::EndOther(_) => Call::ThreadDestroy { tid, status: 0 },
            Self::Spawn(_) => Call::ThreadCreate { process: 0, arguments: ARGUMENTS },
            Self::EndProcess => {
                Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 }
            }
        }
    }
}
