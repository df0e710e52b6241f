//! Breadth-first search: levels of states, the moves that lead to them, and a set of hashes.
//!
//! A state is kept as its parent and the move from there, and made again by repeating the moves; as
//! neighbours share nearly all of them, that costs about one step. Hashes of canonical forms have 64
//! bits: among n states the odds that two different ones count as one are below n² / 2^65 (for ten
//! million: one in 370,000).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::configurations::Configuration;
use crate::state::State;
use crate::step::Step;

/// Workers; the test command has two cores.
const WORKERS: usize = 2;
/// Neighbouring states that a worker takes at once.
const CHUNK: usize = 512;
/// Room in the set before it grows.
const SMALLEST: usize = 1 << 16;

/// A state: where it comes from.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    step: Step,
}

/// A violated property and the shortest way there.
#[derive(Debug)]
pub struct Violation {
    /// What does not hold.
    pub what: String,
    /// The moves that lead to it.
    pub trail: Vec<String>,
}

/// What a search found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Distinct states.
    pub states: usize,
    /// Steps made and checked.
    pub steps: u64,
    /// The longest sequence of moves.
    pub depth: usize,
    /// Whether no state is left that was not looked at from.
    pub is_complete: bool,
}

/// A set of hashes that workers share.
struct Seen {
    slots: Vec<AtomicU64>,
    count: AtomicUsize,
}

impl Seen {
    fn new(room: usize) -> Self {
        let slots = (0..room).map(|_| AtomicU64::new(0)).collect();
        Self { slots, count: AtomicUsize::new(0) }
    }

    /// Adds a hash; says whether it is new.
    fn insert(&self, hash: u64) -> bool {
        let hash = hash.max(1);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        // A set that is full is a bug of `grown`.
        for _ in 0..self.slots.len() {
            let found = self.slots[at].load(Ordering::Relaxed);
            let found = if found == 0 {
                let order = (Ordering::Relaxed, Ordering::Relaxed);
                match self.slots[at].compare_exchange(0, hash, order.0, order.1) {
                    Ok(_) => {
                        self.count.fetch_add(1, Ordering::Relaxed);
                        return true;
                    }
                    Err(other) => other,
                }
            } else {
                found
            };
            if found == hash {
                return false;
            }
            at = (at + 1) & mask;
        }
        panic!("the set of states is full");
    }

    /// The set with room for so many more.
    fn grown(self, more: usize) -> Self {
        let needed = (self.count.load(Ordering::Relaxed) + more) * 2;
        if needed <= self.slots.len() {
            return self;
        }
        let larger = Self::new(needed.next_power_of_two());
        for slot in &self.slots {
            let hash = slot.load(Ordering::Relaxed);
            if hash != 0 {
                larger.insert(hash);
            }
        }
        larger
    }
}

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Longest sequence of moves.
    pub depth: usize,
    /// No further level after so many states.
    pub states: usize,
}

/// Explores a configuration level by level; `tell` hears of each.
///
/// # Errors
/// The first property that does not hold.
pub fn explore(
    configuration: &'static Configuration,
    bound: Bound,
    mut tell: impl FnMut(&Found),
) -> Result<Found, Violation> {
    let start = State::new(configuration);
    let mut seen = Seen::new(SMALLEST);
    seen.insert(start.canon());
    let mut nodes = vec![Node { parent: 0, step: Step::START }];
    let (mut level, mut found) = (0..1, Found { states: 1, ..Found::default() });
    while !level.is_empty() && found.depth < bound.depth && found.states < bound.states {
        let most = configuration.moves().len();
        seen = seen.grown(level.len() * most.min(6) + SMALLEST / 4);
        let round = Round {
            start: &start,
            nodes: &nodes,
            seen: &seen,
            first: level.start,
            end: level.end,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            steps: AtomicU64::new(0),
            results: Mutex::new(Vec::new()),
        };
        let mut results = round.run();
        found.steps += round.steps.load(Ordering::Relaxed);
        results.sort_by_key(|result| result.first);
        let mut new = Vec::new();
        for result in results {
            if let Some((node, step, what)) = result.broken {
                return Err(violation(configuration, &nodes, (node, step), what));
            }
            new.extend(result.new);
        }
        nodes.extend(new);
        level = level.end..nodes.len();
        found.states = nodes.len();
        found.depth += 1;
        tell(&found);
    }
    found.is_complete = level.is_empty();
    Ok(found)
}

fn violation(
    configuration: &'static Configuration,
    nodes: &[Node],
    at: (usize, Step),
    what: String,
) -> Violation {
    let mut steps: Vec<Step> = path(nodes, at.0).iter().map(|node| nodes[*node].step).collect();
    steps.push(at.1);
    let mut state = State::new(configuration);
    let mut trail = Vec::new();
    let count = steps.len();
    for (place, step) in steps.into_iter().enumerate() {
        trail.push(state.tell(step));
        if place + 1 < count {
            state.repeat(step);
        }
    }
    Violation { what, trail }
}

/// The nodes from the start (left out) to one.
fn path(nodes: &[Node], mut node: usize) -> Vec<usize> {
    let mut path = Vec::new();
    while node != 0 {
        path.push(node);
        node = nodes[node].parent as usize;
    }
    path.reverse();
    path
}

/// What came of a chunk.
struct Chunk {
    first: usize,
    new: Vec<Node>,
    broken: Option<(usize, Step, String)>,
}

/// One level.
struct Round<'a> {
    start: &'a State,
    nodes: &'a [Node],
    seen: &'a Seen,
    first: usize,
    end: usize,
    next: AtomicUsize,
    stop: AtomicBool,
    steps: AtomicU64,
    results: Mutex<Vec<Chunk>>,
}

impl Round<'_> {
    fn run(&self) -> Vec<Chunk> {
        let workers = if self.end - self.first > CHUNK { WORKERS } else { 1 };
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let work = || self.work();
                if let Err(why) =
                    std::thread::Builder::new().stack_size(8 << 20).spawn_scoped(scope, work)
                {
                    panic!("no thread: {why}");
                }
            }
        });
        let mut results = self.results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut *results)
    }

    fn work(&self) {
        let mut replay = Replay { path: Vec::new(), states: vec![self.start.clone()] };
        let mut scratch = self.start.clone();
        while !self.stop.load(Ordering::Relaxed) {
            let first = self.first + self.next.fetch_add(CHUNK, Ordering::Relaxed);
            if first >= self.end {
                return;
            }
            let mut chunk = Chunk { first, new: Vec::new(), broken: None };
            for node in first..self.end.min(first + CHUNK) {
                let from = replay.to(self.nodes, node);
                self.expand(from, &mut scratch, node, &mut chunk);
                if chunk.broken.is_some() {
                    self.stop.store(true, Ordering::Relaxed);
                    break;
                }
            }
            self.results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(chunk);
        }
    }

    fn expand(&self, from: &State, scratch: &mut State, node: usize, chunk: &mut Chunk) {
        let before = from.core();
        let mut steps = 0;
        for step in from.possible() {
            scratch.clone_from(from);
            steps += 1;
            let made = catch_unwind(AssertUnwindSafe(|| scratch.make(step, before)));
            let made = made.unwrap_or_else(|_| Err("the kernel panicked (see above)".into()));
            match made {
                Ok(hash) => {
                    if self.seen.insert(hash) {
                        let parent = u32::try_from(node).unwrap_or(u32::MAX);
                        chunk.new.push(Node { parent, step });
                    }
                }
                Err(what) => {
                    chunk.broken = Some((node, step, what));
                    break;
                }
            }
        }
        self.steps.fetch_add(steps, Ordering::Relaxed);
    }
}

/// The states on the way to the one at hand.
struct Replay {
    path: Vec<usize>,
    /// One more than `path`: the start comes first. Those behind are kept to be used again.
    states: Vec<State>,
}

impl Replay {
    /// Goes to a node, from where the way to it leaves the way to the last one.
    fn to(&mut self, nodes: &[Node], node: usize) -> &State {
        let path = path(nodes, node);
        let common = self.path.iter().zip(&path).take_while(|(old, new)| old == new).count();
        for (at, node) in path.iter().enumerate().skip(common) {
            if self.states.len() < at + 2 {
                let copy = self.states[at].clone();
                self.states.push(copy);
            } else {
                let (done, rest) = self.states.split_at_mut(at + 1);
                rest[0].clone_from(&done[at]);
            }
            self.states[at + 1].repeat(nodes[*node].step);
        }
        self.path = path;
        &self.states[self.path.len()]
    }
}
