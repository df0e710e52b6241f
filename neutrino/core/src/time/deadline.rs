//! All deadlines in one heap: a thread's time-out and a timer's expiry have one place each, so that
//! no deadline ever lacks room.

use neutrino_abi::time::FOREVER;

use crate::Kernel;
use crate::limits::{SPORADICS, THREADS, TIMERS};
use crate::slab::Id;
use crate::sporadic::SporadicId;
use crate::thread::{Plain, ThreadId};
use crate::time::timer::TimerId;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// A waiting thread's.
    Thread(ThreadId),
    /// A timer's.
    Timer(TimerId),
    /// Of budget that comes back.
    Sporadic(SporadicId),
}

/// Whether a deadline moves when the wall clock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Follows {
    /// It is so far away, or a point of the monotonic clock.
    Nothing,
    /// It is a point of the wall clock.
    Realtime,
}

/// A deadline of a thread or a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deadline {
    /// When, on the monotonic clock.
    pub(crate) at: u64,
    pub(crate) follows: Follows,
}

/// Where in the heap a deadline is: its index and one, or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position(u16);

impl Position {
    /// Nowhere.
    pub(crate) const NONE: Self = Self(0);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    at: u64,
    who: Who,
}

const ROOM: usize = THREADS + TIMERS + SPORADICS;

/// The heap.
#[derive(Clone, Debug, Hash)]
pub struct Deadlines {
    nodes: [Node; ROOM],
    length: usize,
}

impl Deadlines {
    pub(crate) const fn new() -> Self {
        Self { nodes: [Node { at: 0, who: Who::Thread(Id::NOBODY) }; ROOM], length: 0 }
    }

    fn node(&self, index: usize) -> Option<Node> {
        if index < self.length { self.nodes.get(index).copied() } else { None }
    }

    /// The earliest deadline; never: `u64::MAX`.
    pub(crate) fn first(&self) -> u64 {
        self.node(0).map_or(u64::MAX, |node| node.at)
    }

    /// Whose deadlines there are, in an order that says who comes first among equals.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Who, u64)> {
        self.nodes.iter().take(self.length).map(|node| (node.who, node.at))
    }

    /// Whose deadline has come, the earliest first.
    pub(crate) fn due(&self, now: u64) -> Option<Who> {
        self.node(0).filter(|node| node.at <= now).map(|node| node.who)
    }
}

impl Kernel {
    fn heap_put(&mut self, index: usize, node: Node) {
        if let Some(place) = self.deadlines.nodes.get_mut(index) {
            *place = node;
        }
        let position = Position(u16::try_from(index.wrapping_add(1)).unwrap_or(0));
        match node.who {
            Who::Thread(t) => self.threads[t].position = position,
            Who::Timer(timer) => self.timers[timer].position = position,
            Who::Sporadic(id) => self.sporadics[id].position = position,
        }
    }

    fn heap_position(&self, who: Who) -> usize {
        let Position(index) = match who {
            Who::Thread(t) => self.threads[t].position,
            Who::Timer(timer) => self.timers[timer].position,
            Who::Sporadic(id) => self.sporadics[id].position,
        };
        usize::from(index).wrapping_sub(1)
    }

    // Bound: the height of the heap, 11.
    fn heap_up(&mut self, start: usize, node: Node) {
        let mut index = start;
        while index > 0 {
            let above = index.wrapping_sub(1) / 2;
            let Some(parent) = self.deadlines.node(above).filter(|parent| parent.at > node.at)
            else {
                break;
            };
            self.heap_put(index, parent);
            index = above;
        }
        self.heap_put(index, node);
    }

    // Bound: the height of the heap, 11.
    fn heap_down(&mut self, start: usize, node: Node) {
        let mut index = start;
        loop {
            let left = index.wrapping_mul(2).wrapping_add(1);
            let right = left.wrapping_add(1);
            let (Some(first), second) = (self.deadlines.node(left), self.deadlines.node(right))
            else {
                break;
            };
            let (below, child) = match second {
                Some(second) if second.at < first.at => (right, second),
                Some(_) | None => (left, first),
            };
            if child.at >= node.at {
                break;
            }
            self.heap_put(index, child);
            index = below;
        }
        self.heap_put(index, node);
    }

    /// Adds or moves a deadline.
    pub(crate) fn heap_set(&mut self, who: Who, at: u64) {
        self.unsettled = true;
        self.heap_remove(who);
        let index = self.deadlines.length;
        if index >= ROOM {
            debug_assert!(false, "a deadline without a place");
            return;
        }
        self.deadlines.length = index.wrapping_add(1);
        self.heap_up(index, Node { at, who });
    }

    /// Takes a deadline out, if it is in.
    pub(crate) fn heap_remove(&mut self, who: Who) {
        self.unsettled = true;
        let index = self.heap_position(who);
        if self.deadlines.node(index).is_none_or(|node| node.who != who) {
            return;
        }
        match who {
            Who::Thread(t) => self.threads[t].position = Position::NONE,
            Who::Timer(timer) => self.timers[timer].position = Position::NONE,
            Who::Sporadic(id) => self.sporadics[id].position = Position::NONE,
        }
        let last = self.deadlines.length.wrapping_sub(1);
        let moved = self.deadlines.node(last);
        self.deadlines.length = last;
        if let Some(node) = moved
            && index != last
        {
            self.heap_down(index, node);
            let index = self.heap_position(node.who);
            self.heap_up(index, node);
        }
    }

    /// A waiting thread goes on at this time at the latest.
    pub(crate) fn deadline_set(&mut self, t: ThreadId, at: u64) {
        self.threads[t].deadline = Some(Deadline { at, follows: Follows::Nothing });
        self.threads[t].plain = Plain::NO;
        self.heap_set(Who::Thread(t), at);
    }

    /// A waiting thread's call has a limit of its own; one that `TimerTimeout` set and that comes
    /// earlier stays.
    pub(crate) fn deadline_limit(&mut self, t: ThreadId, at: u64) {
        let is_earlier = self.threads[t].deadline.is_none_or(|known| at < known.at);
        if at != FOREVER && is_earlier {
            self.deadline_set(t, at);
        }
    }

    /// As [`Kernel::deadline_limit`], for a limit that may be a point of the wall clock.
    pub(crate) fn deadline_point(&mut self, t: ThreadId, at: u64, follows: Follows) {
        self.deadline_limit(t, at);
        if let Some(known) = &mut self.threads[t].deadline
            && known.at == at
        {
            known.follows = follows;
        }
    }

    /// The wall clock was set forward (or back) by so much: what is due at one of its points moves.
    // Bound: the tables of threads and timers.
    pub(crate) fn realtime_moved(&mut self, by: i64) {
        let mut next = self.threads.first_from(0);
        while let Some(t) = next {
            next = self.threads.first_from(t.index());
            if let Some(Deadline { at, follows: Follows::Realtime }) = self.threads[t].deadline {
                let at = at.saturating_sub_signed(by);
                self.threads[t].deadline = Some(Deadline { at, follows: Follows::Realtime });
                self.heap_set(Who::Thread(t), at);
            }
        }
        let mut next = self.timers.first_from(0);
        while let Some(timer) = next {
            next = self.timers.first_from(timer.index());
            self.timer_moved(timer, by);
        }
    }

    /// It has no deadline any more.
    pub(crate) fn deadline_clear(&mut self, t: ThreadId) {
        if self.threads[t].deadline.take().is_some() {
            self.heap_remove(Who::Thread(t));
        }
    }
}
