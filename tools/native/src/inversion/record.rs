//! What happened when: one fixed table that every thread of a run writes to without a lock.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use neutrino_rt::{clock, thread};

/// Most events of a run; the rest is lost, and the record says so.
const EVENTS: usize = 8192;

/// What can happen; the letter is what the record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It sleeps from now on; the argument is when it wants to wake, after the start.
    Sleep,
    /// It goes on after sleeping.
    Awake,
    /// It did not run between the time in the argument and now.
    Gap,
    /// It asks for a lock; it has it; it gives up; it frees it.
    Ask,
    #[allow(missing_docs, reason = "as above")]
    Got,
    #[allow(missing_docs, reason = "as above")]
    GaveUp,
    #[allow(missing_docs, reason = "as above")]
    Free,
    /// It waits for a condition.
    Wait,
    /// It sends to a server; it is answered; it gives up.
    Send,
    #[allow(missing_docs, reason = "as above")]
    Answered,
    #[allow(missing_docs, reason = "as above")]
    Unanswered,
    /// A server's thread waits for messages; it has one of the lane in the argument; it answers.
    Listen,
    #[allow(missing_docs, reason = "as above")]
    Take,
    #[allow(missing_docs, reason = "as above")]
    Answer,
    /// It gives the lane in the argument's upper bytes the priority in its lowest.
    Priority,
    /// It was ended; it has ended by itself.
    Killed,
    #[allow(missing_docs, reason = "as above")]
    End,
    /// The system was reset.
    Reset,
    /// It goes on after freeing or answering, by when others may have run.
    On,
}

impl Event {
    const ALL: [(Self, &'static str); 19] = [
        (Self::Sleep, "sleep"),
        (Self::Awake, "awake"),
        (Self::Gap, "gap"),
        (Self::Ask, "ask"),
        (Self::Got, "got"),
        (Self::GaveUp, "gave-up"),
        (Self::Free, "free"),
        (Self::Wait, "wait"),
        (Self::Send, "send"),
        (Self::Answered, "answered"),
        (Self::Unanswered, "unanswered"),
        (Self::Listen, "listen"),
        (Self::Take, "take"),
        (Self::Answer, "answer"),
        (Self::Priority, "priority"),
        (Self::Killed, "killed"),
        (Self::End, "end"),
        (Self::Reset, "reset"),
        (Self::On, "on"),
    ];

    fn number(self) -> u64 {
        Self::ALL.iter().zip(0..).find(|((event, _), _)| *event == self).map_or(0, |(_, n)| n)
    }
}

/// The table.
#[derive(Debug)]
pub struct Record {
    start: AtomicU64,
    next: AtomicUsize,
    slots: Vec<[AtomicU64; 3]>,
}

impl Default for Record {
    fn default() -> Self {
        // Written now, so that no page of it is touched for the first time during the run.
        let slots = (0..EVENTS).map(|_| [const { AtomicU64::new(u64::MAX) }; 3]).collect();
        Self { start: AtomicU64::new(0), next: AtomicUsize::new(0), slots }
    }
}

impl Record {
    /// Sets the time that events are counted from.
    pub fn start_at(&self, ticks: u64) {
        self.start.store(ticks, Ordering::Relaxed);
    }

    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> u64 {
        clock::ticks().saturating_sub(self.start.load(Ordering::Relaxed))
    }

    /// Notes an event of a lane, with the priority that the caller runs at.
    pub fn note(&self, lane: usize, event: Event, argument: u64) {
        self.note_at(self.now(), lane, event, argument);
    }

    /// The same with the time at which it happened.
    pub fn note_at(&self, time: u64, lane: usize, event: Event, argument: u64) {
        let slot = self.next.fetch_add(1, Ordering::Relaxed);
        let Some([when, what, more]) = self.slots.get(slot) else { return };
        let priority = u64::from(thread::running_priority());
        when.store(time, Ordering::Relaxed);
        what.store(event.number() << 32 | priority << 16 | lane as u64, Ordering::Relaxed);
        more.store(argument, Ordering::Relaxed);
    }

    /// Calls `each` with the time, lane, name, argument and priority of every event.
    pub fn read(&self, mut each: impl FnMut(u64, u64, &str, u64, u64)) {
        for [when, what, more] in &self.slots {
            let (when, what) = (when.load(Ordering::Relaxed), what.load(Ordering::Relaxed));
            if what == u64::MAX {
                return;
            }
            let name = usize::try_from(what >> 32).ok().and_then(|n| Event::ALL.get(n));
            let name = name.map_or("?", |(_, name)| name);
            let more = more.load(Ordering::Relaxed);
            each(when, what & 0xffff, name, more, what >> 16 & 0xffff);
        }
    }

    /// Whether events were lost.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.next.load(Ordering::Relaxed) > EVENTS
    }
}
