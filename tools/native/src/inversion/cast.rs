//! Those who take part in a run, going through their steps.

use super::plan::{Plan, Step};
use super::record::{Event, Record};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use neutrino_rt::abi::sched::policy;
use neutrino_rt::abi::time::FOREVER;
use neutrino_rt::lock::{self, Condition, Lock};
use neutrino_rt::message::{self, Received};
use neutrino_rt::{Errno, clock, file, thread};

/// What a thread computes between two looks at the clock.
const CHUNK_NS: u64 = 5_000;
/// A longer time between two looks means that it did not run: a timer's interrupt alone takes less.
const GAP_NS: u64 = CHUNK_NS + 1_500;

/// Where a server receives, and the connection that leads there.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// Its channel.
    pub chid: u32,
    /// The connection.
    pub coid: u32,
}

/// One thread of the run.
#[derive(Debug, Default)]
pub struct Lane {
    /// Its number once it runs.
    pub tid: AtomicU32,
    /// Whether its part is over.
    pub is_over: AtomicBool,
    /// Whether the run waits for it.
    pub counts: bool,
}

/// All that the threads of a run share.
#[derive(Debug)]
pub struct World {
    /// What happens.
    pub record: Record,
    pub(super) locks: Vec<Lock>,
    pub(super) conditions: Vec<Condition>,
    pub(super) flags: Vec<AtomicBool>,
    pub(super) doors: Vec<Door>,
    pub(super) lanes: Vec<Lane>,
    /// Monotonic time of the run's start.
    pub(super) start: AtomicU64,
    /// Turns of the loop that make a chunk.
    pub(super) turns: u64,
    /// How many lanes the run still waits for.
    pub(super) remaining: AtomicU32,
    pub(super) is_stopped: AtomicBool,
}

impl World {
    /// What a plan needs, with the doors of its servers.
    #[must_use]
    pub fn new(plan: &Plan, doors: Vec<Door>, lanes: Vec<Lane>, turns: u64) -> Self {
        let remaining = lanes.iter().map(|lane| u32::from(lane.counts)).sum();
        Self {
            record: Record::default(),
            locks: plan.locks.iter().map(|protocol| Lock::new(*protocol)).collect(),
            conditions: (0..plan.conditions).map(|_| Condition::default()).collect(),
            flags: (0..plan.flags).map(|_| AtomicBool::new(false)).collect(),
            doors,
            lanes,
            start: AtomicU64::new(0),
            turns,
            remaining: AtomicU32::new(remaining),
            is_stopped: AtomicBool::new(false),
        }
    }

    /// Says that a lane's part is over, once.
    pub fn over(&self, lane: usize) {
        let Some(own) = self.lanes.get(lane) else { return };
        if !own.is_over.swap(true, Ordering::Relaxed) && own.counts {
            self.remaining.fetch_sub(1, Ordering::Release);
            lock::wake(&self.remaining, 1);
        }
    }

    /// Ends the run at once.
    fn reset(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.remaining.store(0, Ordering::Release);
        lock::wake(&self.remaining, 1);
    }

    fn at(&self, offset: u64) -> u64 {
        self.start.load(Ordering::Relaxed) + offset
    }
}

/// The work itself: the same number of instructions each turn.
#[inline(never)]
pub fn spin(turns: u64) {
    for turn in 0..turns {
        core::hint::black_box(turn);
    }
}

/// How many turns make a chunk, with the look at the clock behind it.
#[must_use]
pub fn calibrate() -> u64 {
    const TURNS: u64 = 100_000;
    const LOOKS: u64 = 100;
    let record = Record::default();
    spin(TURNS);
    let before = clock::ticks();
    spin(TURNS);
    let spin_ns = clock::ticks().wrapping_sub(before).max(1);
    let before = clock::ticks();
    for _ in 0..LOOKS {
        spin(0);
        core::hint::black_box(record.now());
    }
    let look_ns = clock::ticks().wrapping_sub(before) / LOOKS;
    (CHUNK_NS.saturating_sub(look_ns) * TURNS / spin_ns).max(1)
}

/// Whether a thread goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// With the next step.
    On,
    /// Behind the unlocking of a lock that it did not get.
    Without(usize),
    /// Not at all.
    Stop,
}

/// One who plays.
struct Player<'a> {
    world: &'a World,
    lane: usize,
    /// The client that a server's thread has to answer.
    client: Option<(u64, u64)>,
}

/// A thread's part: from its first step to its last.
pub fn perform(world: &World, lane: usize, steps: &[Step]) {
    let mut player = Player { world, lane, client: None };
    player.sleep_until(0);
    player.all(steps);
    world.record.note(lane, Event::End, 0);
    world.over(lane);
}

/// A server thread's part: until its channel is gone.
pub fn serve(world: &World, lane: usize, chid: u32, steps: &[Step]) {
    let mut player = Player { world, lane, client: None };
    let mut buffer = [0_u8; 8];
    loop {
        world.record.note(lane, Event::Listen, 0);
        match message::receive(chid, &mut buffer) {
            Ok(Received::Message { rcvid, .. }) => {
                let client = u64::from_le_bytes(buffer);
                world.record.note(lane, Event::Take, client);
                player.client = Some((rcvid, client));
                if player.all(steps) == Flow::Stop {
                    break;
                }
                player.reply();
            }
            Ok(Received::Pulse(_)) | Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
    world.over(lane);
}

impl Player<'_> {
    fn note(&self, event: Event, argument: usize) {
        self.world.record.note(self.lane, event, argument as u64);
    }

    fn all(&mut self, steps: &[Step]) -> Flow {
        let mut left_out = None;
        for step in steps {
            if let Some(lock) = left_out {
                if *step == Step::Unlock(lock) {
                    left_out = None;
                }
                continue;
            }
            match self.one(step) {
                Flow::On => {}
                Flow::Without(lock) => left_out = Some(lock),
                Flow::Stop => return Flow::Stop,
            }
        }
        Flow::On
    }

    fn one(&mut self, step: &Step) -> Flow {
        if self.world.is_stopped.load(Ordering::Relaxed) {
            return Flow::Stop;
        }
        match *step {
            Step::Compute(time) => self.compute(time),
            Step::Until(offset) => self.sleep_until(offset),
            Step::Sleep(time) => self.sleep_until(self.world.record.now() + time),
            Step::Period(period) => {
                let now = self.world.record.now();
                self.sleep_until((now / period + 1) * period);
            }
            Step::Lock(lock) => return self.lock(lock, FOREVER),
            Step::LockWithin(lock, limit) => {
                return self.lock(lock, clock::monotonic() + limit);
            }
            Step::Unlock(lock) => {
                self.note(Event::Free, lock);
                let _it_is_ours = self.world.locks.get(lock).map(Lock::unlock);
                self.note(Event::On, 0);
            }
            Step::Send(server) => self.send(server, None),
            Step::SendWithin(server, limit) => self.send(server, Some(limit)),
            Step::Reply => self.reply(),
            Step::Wait(condition, lock) => self.wait(condition, lock),
            Step::Signal(condition) => {
                self.world.conditions.get(condition).into_iter().for_each(Condition::signal);
                self.note(Event::On, 0);
            }
            Step::Broadcast(condition) => {
                self.world.conditions.get(condition).into_iter().for_each(Condition::broadcast);
                self.note(Event::On, 0);
            }
            Step::Priority(lane, priority) => self.set_priority(lane, priority),
            Step::Kill(lane) => self.kill(lane),
            Step::Mark(flag) => {
                self.flag(flag, true);
            }
            Step::Check(flag) => return self.check(flag),
            Step::Read(ref path) => self.read(path),
            Step::Repeat(count, ref steps) => {
                for _ in 0..count {
                    if self.all(steps) == Flow::Stop {
                        return Flow::Stop;
                    }
                }
            }
        }
        Flow::On
    }

    fn compute(&mut self, time: u64) {
        let mut last = self.world.record.now();
        for _ in 0..time / CHUNK_NS {
            if self.world.is_stopped.load(Ordering::Relaxed) {
                return;
            }
            spin(self.world.turns);
            let now = self.world.record.now();
            if now - last > GAP_NS {
                self.world.record.note_at(now, self.lane, Event::Gap, last + CHUNK_NS);
                last = self.world.record.now();
            } else {
                last = now;
            }
        }
        spin(self.world.turns * (time % CHUNK_NS) / CHUNK_NS);
    }

    fn sleep_until(&mut self, offset: u64) {
        self.world.record.note(self.lane, Event::Sleep, offset);
        clock::sleep_until(self.world.at(offset));
        self.note(Event::Awake, 0);
    }

    fn lock(&mut self, index: usize, deadline: u64) -> Flow {
        let Some(lock) = self.world.locks.get(index) else { return Flow::On };
        self.note(Event::Ask, index);
        match lock.lock_until(deadline) {
            Ok(()) => {
                self.note(Event::Got, index);
                Flow::On
            }
            Err(_) => {
                self.note(Event::GaveUp, index);
                Flow::Without(index)
            }
        }
    }

    fn wait(&mut self, condition: usize, lock: usize) {
        let (Some(condition), Some(own)) =
            (self.world.conditions.get(condition), self.world.locks.get(lock))
        else {
            return;
        };
        self.note(Event::Free, lock);
        self.note(Event::Wait, lock);
        let _it_is_ours = condition.wait_freeing(own);
        self.note(Event::Ask, lock);
        let _no_deadlock = own.lock();
        self.note(Event::Got, lock);
    }

    fn send(&mut self, server: usize, limit: Option<u64>) {
        let Some(door) = self.world.doors.get(server) else { return };
        let own = (self.lane as u64).to_le_bytes();
        self.note(Event::Send, server);
        let answered = match limit {
            None => message::send(door.coid, &own, &mut []),
            Some(limit) => message::send_within(door.coid, &own, &mut [], limit),
        };
        let event = if answered.is_ok() { Event::Answered } else { Event::Unanswered };
        self.note(event, server);
    }

    /// The servers of files are nobody's lane: they count as the one behind the last.
    fn read(&mut self, path: &str) {
        let files = self.world.doors.len();
        self.note(Event::Send, files);
        let read = file::read_to_end(path.as_bytes());
        self.note(if read.is_ok() { Event::Answered } else { Event::Unanswered }, files);
    }

    fn reply(&mut self) {
        if let Some((rcvid, client)) = self.client.take() {
            self.world.record.note(self.lane, Event::Answer, client);
            // A client that has given up is gone.
            let _it_may_be_gone = message::reply(rcvid, 0, &[]);
            self.note(Event::On, 0);
        }
    }

    fn set_priority(&mut self, lane: usize, priority: u8) {
        let Some(target) = self.world.lanes.get(lane) else { return };
        self.note(Event::Priority, lane << 8 | usize::from(priority));
        let tid = target.tid.load(Ordering::Relaxed);
        let _it_may_have_ended = thread::set_priority_of(tid, policy::FIFO, priority);
        self.note(Event::On, 0);
    }

    fn kill(&mut self, lane: usize) {
        let Some(target) = self.world.lanes.get(lane) else { return };
        self.note(Event::On, 0);
        self.world.record.note(lane, Event::Killed, self.lane as u64);
        if !target.is_over.load(Ordering::Relaxed) {
            let _it_may_have_ended = thread::end(target.tid.load(Ordering::Relaxed));
        }
        self.world.over(lane);
        self.note(Event::On, 0);
    }

    fn flag(&self, flag: usize, value: bool) -> bool {
        let flag = self.world.flags.get(flag);
        flag.is_none_or(|flag| flag.swap(value, Ordering::Relaxed))
    }

    fn check(&mut self, flag: usize) -> Flow {
        if self.flag(flag, false) {
            return Flow::On;
        }
        self.note(Event::Reset, flag);
        self.world.reset();
        Flow::Stop
    }
}
