//! Threads and the states they can be in.
//!
//! I2: `transition` is the only writer of a thread's state. I3: a thread is on the queue that its
//! state names (a ready queue, a channel's, a futex bucket's, a mutex's) and on no other.

use neutrino_abi::info::state;
use neutrino_abi::message::{OFFER_MAX, SendExtra};
use neutrino_abi::signal::SignalSet;

use crate::Kernel;
use crate::ipc::channel::ChannelId;
use crate::ipc::connection::ConnectionId;
use crate::ipc::pulse::PulseId;
use crate::ipc::transfer::Buffer;
use crate::list::{Link, List};
use crate::machine::{Machine, SpaceSlot, ThreadSlot};
use crate::memory::{Dying, FutexKey};
use crate::mutex::{Mutex, MutexId};
use crate::partition;
use crate::poll::{Poll, PollNode};
use crate::process::ProcessId;
use crate::signal::Pending;
use crate::slab::{Id, Maybe, Slot};
use crate::smp::RunMask;
use crate::sporadic::SporadicId;
use crate::step::Work;
use crate::time::deadline::{Deadline, Position};

/// Index of a [`Thread`].
pub type ThreadId = Id<Thread>;

/// A scheduling priority, 0 (idle) to 255, a higher number being more important, and the partition
/// that pays while a thread runs at it: whoever inherits the one inherits the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8, pub(crate) partition::Number);

impl Priority {
    /// In the partition *System*.
    pub(crate) const fn system(level: u8) -> Self {
        Self(level, partition::SYSTEM)
    }

    /// What is left of it if another is lent: that, if it is more important.
    pub(crate) const fn lent(self, other: Self) -> Self {
        if other.0 > self.0 { other } else { self }
    }
}

/// How a thread shares its priority level with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// `SCHED_OTHER`: as round-robin.
    Other,
    /// `SCHED_FIFO`: until it blocks.
    Fifo,
    /// `SCHED_RR`: by slices.
    RoundRobin,
    /// `SCHED_SPORADIC`: until it blocks or has used its budget up.
    Sporadic(SporadicId),
}

/// A message on its way, and where its reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sending {
    /// The connection it goes through; holds a reference.
    pub(crate) connection: ConnectionId,
    /// The number that the client used.
    pub(crate) coid: u32,
    /// The message.
    pub(crate) message: Buffer,
    /// The reply buffer.
    pub(crate) reply: Buffer,
    /// If that is registers: how many bytes of them were written before the reply.
    pub(crate) written: u8,
}

/// Whether a server was told that its client wants to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Nothing happened.
    No,
    /// The unblock pulse was sent, because of a signal; there is one for each message.
    Interrupted,
    /// The same, because of a time-out.
    TimedOut,
}

/// What a thread does, with what it needs for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The slot is free.
    Vacant,
    /// On the ready queue of its CPU.
    Ready,
    /// On its CPU.
    Running,
    /// Could run, but it is held or its process is stopped or ends.
    Stopped,
    /// In `MsgSend`, not yet received.
    Send {
        /// Where it queues.
        channel: ChannelId,
        /// What it sends.
        sending: Sending,
    },
    /// In `MsgReceive`.
    Receive {
        /// Where it waits.
        channel: ChannelId,
        /// Where the message goes.
        buffer: Buffer,
        /// Address for the `MsgInfo`, or 0.
        info: u64,
        /// What it takes.
        takes: Takes,
    },
    /// In `MsgSend`, received, not yet replied to.
    Reply {
        /// Where it was received.
        channel: ChannelId,
        /// What it sent.
        sending: Sending,
        /// The upper part of its rcvid.
        sequence: u64,
        /// Whether it wants to leave.
        asked: Asked,
    },
    /// In `SignalSuspend`.
    SigSuspend,
    /// In `SignalWaitinfo`.
    SigWaitinfo {
        /// Signals it takes.
        set: SignalSet,
        /// Address for the `SignalInfo`, or 0.
        info: u64,
    },
    /// In `ClockNanosleep`.
    Nanosleep {
        /// Address for the time left, or 0.
        remaining: u64,
    },
    /// In `SyncMutexLock`.
    Mutex {
        /// What it waits for.
        mutex: MutexId,
        /// The word, in the thread's own space.
        address: u64,
    },
    /// In `FutexWait`.
    Futex {
        /// The word.
        key: FutexKey,
        /// Which wake-ups it takes.
        bitset: u32,
        /// What the word is to the program.
        meaning: Meaning,
    },
    /// In `InterruptWait`.
    Interrupt,
    /// In `ConnectPoll`.
    Poll(Poll),
}

/// What a word that a thread waits on is to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// A condition variable, or a Linux program's futex.
    Condition,
    /// A semaphore.
    Semaphore,
    /// The end of a thread.
    Join,
}

/// What a receiver takes from its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Takes {
    /// Messages and pulses.
    All,
    /// Pulses only.
    Pulses,
}

impl State {
    /// The number that `ThreadInfo` tells and `TimerTimeout` takes.
    pub(crate) const fn number(&self) -> u32 {
        match self {
            Self::Vacant => state::DEAD,
            Self::Ready => state::READY,
            Self::Running => state::RUNNING,
            Self::Stopped => state::STOPPED,
            Self::Send { .. } => state::SEND,
            Self::Receive { .. } => state::RECEIVE,
            Self::Reply { .. } => state::REPLY,
            Self::SigSuspend => state::SIGSUSPEND,
            Self::SigWaitinfo { .. } => state::SIGWAITINFO,
            Self::Nanosleep { .. } => state::NANOSLEEP,
            Self::Mutex { .. } => state::MUTEX,
            Self::Futex { meaning: Meaning::Condition, .. } => state::CONDVAR,
            Self::Futex { meaning: Meaning::Semaphore, .. } => state::SEM,
            Self::Futex { meaning: Meaning::Join, .. } => state::JOIN,
            Self::Interrupt => state::INTR,
            Self::Poll(_) => state::POLL,
        }
    }

    /// The channel that it waits on, if it does.
    pub(crate) const fn channel(&self) -> Option<ChannelId> {
        match *self {
            Self::Send { channel, .. }
            | Self::Receive { channel, .. }
            | Self::Reply { channel, .. } => Some(channel),
            Self::Vacant
            | Self::Ready
            | Self::Running
            | Self::Stopped
            | Self::SigSuspend
            | Self::SigWaitinfo { .. }
            | Self::Nanosleep { .. }
            | Self::Mutex { .. }
            | Self::Futex { .. }
            | Self::Interrupt
            | Self::Poll(_) => None,
        }
    }

    /// Whether it waits for something other than a CPU.
    pub(crate) const fn is_blocked(&self) -> bool {
        match self {
            Self::Vacant | Self::Ready | Self::Running | Self::Stopped => false,
            Self::Send { .. }
            | Self::Receive { .. }
            | Self::Reply { .. }
            | Self::SigSuspend
            | Self::SigWaitinfo { .. }
            | Self::Nanosleep { .. }
            | Self::Mutex { .. }
            | Self::Futex { .. }
            | Self::Interrupt
            | Self::Poll(_) => true,
        }
    }
}

/// A time-out that `TimerTimeout` set for the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timeout {
    /// The states it ends, as bits.
    pub(crate) states: u32,
    /// When, on the monotonic clock.
    pub(crate) at: u64,
}

/// Interrupts for a thread that does not wait for them now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Latch {
    /// None came.
    Clear,
    /// The next `InterruptWait` returns at once.
    Set,
}

/// Whether a thread was held by itself (not with its process).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// It may run.
    No,
    /// Until `ThreadCtl` `CONTINUE`.
    Held,
}

/// Whether the fast path may deal with a thread (I9).
///
/// Set when the general path lets the thread run, and taken back by whatever makes it special. Two
/// threads with the same value other than [`Plain::NO`] can take each other's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plain(pub(crate) u16);

impl Plain {
    /// It may have something that the fast path does not look at.
    pub(crate) const NO: Self = Self(0);

    /// It has no time-out, deadline, hold, contended mutex or deliverable signal, and its process is
    /// alive; while it waits to receive, it takes all that comes to the channel that boosts it, and
    /// wants no `MsgInfo` in memory; while it waits for an answer, it offers and takes no handles, none of
    /// its bytes were written yet, and it has not asked to leave.
    pub(crate) fn of(policy: Policy, cpu: u8) -> Self {
        let policy = match policy {
            Policy::Fifo => 1,
            Policy::Other | Policy::RoundRobin => 2,
            Policy::Sporadic(_) => return Self::NO,
        };
        Self(u16::from(cpu).wrapping_shl(8) | policy)
    }
}

/// Lists that hold threads by what they wait for or run on.
#[derive(Clone, Copy, Debug)]
pub enum Queue {}
/// Lists of the threads of a process.
#[derive(Clone, Copy, Debug)]
pub enum Sibling {}
/// Lists of the threads that serve a channel.
#[derive(Clone, Copy, Debug)]
pub enum Server {}
/// The list of threads whose priority is to be computed again.
#[derive(Clone, Copy, Debug)]
pub enum Dirty {}

/// One thread.
#[derive(Clone, Debug, Hash)]
pub struct Thread {
    pub(crate) state: State,
    pub(crate) tid: u32,
    pub(crate) process: ProcessId,
    pub(crate) queue: Link<Thread>,
    pub(crate) sibling: Link<Thread>,

    // Scheduling.
    pub(crate) base: Priority,
    /// The priority it runs at: a function of the rest (see [`crate::priority`]).
    pub(crate) effective: Priority,
    pub(crate) policy: Policy,
    /// Where it runs, is queued, or ran last (I11).
    pub(crate) cpu: u8,
    /// CPUs that it may use, and those that threads it makes may use.
    pub(crate) run_mask: RunMask,
    pub(crate) inherited_mask: RunMask,
    pub(crate) hold: Hold,
    pub(crate) plain: Plain,
    /// While it does not run: what is left of its slice.
    pub(crate) slice_left: u64,
    pub(crate) cpu_time: u64,
    pub(crate) dirty: Link<Thread>,
    pub(crate) is_dirty: bool,

    // As a server: what it received last, on which channel; as a client: who serves it.
    pub(crate) inherited: Option<Priority>,
    pub(crate) serving: Maybe<Thread>,
    /// The channel whose queue boosts it, unless it waits there itself: where it received last.
    pub(crate) serves: Option<ChannelId>,
    pub(crate) server: Link<Thread>,
    pub(crate) served_by: Maybe<Thread>,
    pub(crate) unblock_pulse: Option<PulseId>,
    /// Order among those that wait in the same queue.
    pub(crate) arrival: u64,
    /// Handles that go with the message that it sends, and room for others; none while it does not
    /// send.
    pub(crate) extra: SendExtra,

    /// Contended mutexes that it owns.
    pub(crate) mutexes: List<Mutex, crate::mutex::Owned>,
    pub(crate) polls: List<PollNode, crate::poll::ByThread>,

    /// What its call has yet to do; while there is something, it runs in the kernel only.
    pub(crate) work: Work,
    /// What it let go and has to free before it returns to user space.
    pub(crate) dying: Dying,

    // Time-outs.
    pub(crate) timeout: Option<Timeout>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) position: Position,
    pub(crate) latch: Latch,

    // Signals.
    pub(crate) mask: SignalSet,
    pub(crate) saved_mask: Option<SignalSet>,
    pub(crate) pending: Pending,
    pub(crate) signal_area: u64,

    pub(crate) clear_tid: u64,
    /// Address of its robust list; the kernel only tells it.
    pub(crate) robust_list: u64,
    pub(crate) name: [u8; 16],
}

impl Thread {
    /// Its own CPU, or the first of a mask that leaves that out.
    pub(crate) fn cpu_in(&self, mask: RunMask) -> u8 {
        let is_in = mask.wrapping_shr(self.cpu.into()) & 1 != 0;
        if is_in { self.cpu } else { mask.trailing_zeros().to_le_bytes()[0] & 7 }
    }
}

/// A message without handles.
pub(crate) const NO_EXTRA: SendExtra = SendExtra {
    offered: [0; OFFER_MAX],
    offered_count: 0,
    accepted_count: 0,
    accepted_minimum: 0,
    accepted_flags: 0,
};

impl Slot for Thread {
    const VACANT: Self = Self {
        state: State::Vacant,
        tid: 0,
        process: Id::NOBODY,
        queue: Link::NONE,
        sibling: Link::NONE,
        base: Priority::system(0),
        effective: Priority::system(0),
        policy: Policy::Other,
        cpu: 0,
        run_mask: RunMask::MAX,
        inherited_mask: RunMask::MAX,
        hold: Hold::No,
        plain: Plain::NO,
        slice_left: 0,
        cpu_time: 0,
        dirty: Link::NONE,
        is_dirty: false,
        inherited: None,
        serving: Maybe::NOBODY,
        serves: None,
        server: Link::NONE,
        served_by: Maybe::NOBODY,
        unblock_pulse: None,
        arrival: 0,
        extra: NO_EXTRA,
        mutexes: List::EMPTY,
        polls: List::EMPTY,
        work: Work::None,
        dying: Dying::NOTHING,
        timeout: None,
        deadline: None,
        position: Position::NONE,
        latch: Latch::Clear,
        mask: 0,
        saved_mask: None,
        pending: Pending::EMPTY,
        signal_area: 0,
        clear_tid: 0,
        robust_list: 0,
        name: [0; 16],
    };
    fn is_vacant(&self) -> bool {
        matches!(self.state, State::Vacant)
    }
}

macro_rules! linked {
    ($type:ty, $kind:ty, $member:ident) => {
        impl $crate::list::Linked<$kind> for $type {
            fn link(&self) -> &$crate::list::Link<Self> {
                &self.$member
            }
            fn link_mut(&mut self) -> &mut $crate::list::Link<Self> {
                &mut self.$member
            }
        }
    };
}
pub(crate) use linked;

linked!(Thread, Queue, queue);
linked!(Thread, Sibling, sibling);
linked!(Thread, Server, server);
linked!(Thread, Dirty, dirty);

/// Order of waiting threads: the more important first, then the longer waiting.
pub(crate) fn precedes(waiting: &Thread, new: &Thread) -> bool {
    let is_equal = waiting.effective.0 == new.effective.0;
    waiting.effective.0 > new.effective.0 || is_equal && waiting.arrival < new.arrival
}

/// The machine's name of a thread.
pub(crate) const fn slot(thread: ThreadId) -> ThreadSlot {
    ThreadSlot(thread.index())
}

impl Kernel {
    /// Moves a thread to another state. The caller puts it on the queue that the state names, and
    /// has taken it off the one it was on.
    #[inline(always)]
    pub(crate) fn transition(&mut self, thread: ThreadId, to: State) {
        self.trace_state(thread, &to);
        self.transition_untraced(thread, to);
    }

    /// What [`Kernel::transition`] does beside telling it; else for the fast path only, which is not
    /// taken while something is traced.
    #[inline(always)]
    pub(crate) fn transition_untraced(&mut self, thread: ThreadId, to: State) {
        debug_assert!(!self.threads[thread].is_vacant() || !matches!(to, State::Running), "I2");
        self.unsettled = true;
        self.threads[thread].state = to;
    }

    /// Tells the machine where a thread runs, after that changed.
    pub(crate) fn settle(&self, m: &mut impl Machine, t: ThreadId) {
        let entry = self.processes[self.threads[t].process].personality.system_call_entry;
        m.set_home(slot(t), self.space(t), entry);
    }

    /// The address space that a thread runs in.
    #[inline(never)]
    pub(crate) fn space(&self, thread: ThreadId) -> SpaceSlot {
        self.processes[self.threads[thread].process].space.unwrap_or(SpaceSlot(0))
    }

    /// The live thread with this system-wide number.
    pub(crate) fn thread_by_tid(&self, tid: u32) -> Option<ThreadId> {
        let thread = if tid < FIRST_TID {
            let process = self.process_by_pid(tid)?;
            let siblings = self.processes[process].threads;
            return siblings.iter(&self.threads).find(|&id| self.threads[id].tid == tid);
        } else {
            self.threads.lookup(u64::from(tid & TID_SLOT_MASK))?
        };
        (self.threads[thread].tid == tid).then_some(thread)
    }

    /// The thread of a process with this number.
    pub(crate) fn thread_of(&self, process: ProcessId, tid: u32) -> Option<ThreadId> {
        let thread = self.thread_by_tid(tid)?;
        (self.threads[thread].process == process).then_some(thread)
    }

    /// A number for the thread in a slot: the slot below, a count above, so that a number comes
    /// again only after a million threads.
    pub(crate) fn next_tid(&mut self, thread: ThreadId) -> u32 {
        self.tid_count = self.tid_count.wrapping_add(1) % TID_COUNTS;
        let above = FIRST_TID.wrapping_add(self.tid_count.wrapping_shl(TID_SLOT_BITS));
        above | u32::from(thread.index())
    }
}

/// Numbers of threads that are not the first of their process start here.
pub(crate) const FIRST_TID: u32 = 0x40_0000;
const TID_SLOT_BITS: u32 = 10;
const TID_SLOT_MASK: u32 = 0x3ff;
/// Numbers stay below 2^30, the bits that a mutex word has for its owner.
const TID_COUNTS: u32 = 0xf_f000;
const _: () = assert!(crate::limits::THREADS <= 1 << TID_SLOT_BITS);
const _: () = assert!((TID_COUNTS << TID_SLOT_BITS) + FIRST_TID <= 1 << 30);
