//! What each lane did from when to when, and where that was an inversion.
//!
//! An inversion, in words: somebody is ready or waits, and the CPU works for nobody as important. Work
//! is done for whoever waits for it, through any chain of mutexes and servers; so the owner of a
//! mutex that H waits for does H's work, and whoever keeps that owner from running does not.

use crate::holders::{self, Holders};
use crate::record::{Event, Run, What};
use crate::scenario::{Lane, Scenario};

/// What is too short to be seen, and to be worth a name: the kernel's own hand-overs.
const NOISE_NS: u64 = 15_000;

/// What a lane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It runs, at this priority.
    Runs(u8),
    /// It wants to.
    Ready,
    /// It waits for a mutex.
    Mutex(usize),
    /// Its message to a server was not received yet.
    Send(usize),
    /// It was received, and not answered.
    Reply(usize),
    /// Nothing: it sleeps, waits for a condition or for messages.
    Rests,
}

/// A stretch of one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Span {
    pub from: u64,
    pub to: u64,
    pub lane: usize,
    pub doing: Doing,
}

/// A stretch in which a lane suffered an inversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Inversion {
    pub from: u64,
    pub to: u64,
    pub lane: usize,
    /// Who ran.
    pub by: usize,
}

/// Everything about a run that the picture shows.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Timeline {
    pub end: u64,
    pub spans: Vec<Span>,
    pub inversions: Vec<Inversion>,
    pub holders: Holders,
}

/// Makes it.
#[must_use]
pub fn timeline(scenario: &Scenario, run: &Run) -> Timeline {
    let lanes = scenario.lanes();
    let ends = |event: &&Event| matches!(event.what, What::End | What::Reset | What::Killed);
    let last = run.events.iter().filter(ends).map(|event| event.time).max();
    let end = last.or(run.events.last().map(|event| event.time)).unwrap_or_default();
    let holders = holders::find(&run.events, end);
    let mut spans = Vec::new();
    for lane in 0..lanes.len() {
        spans.extend(Walk::new(lane, &run.events, &holders, end).spans());
    }
    let mut spans = one_at_a_time(spans);
    spans.retain(|span| span.from < span.to && span.from < end);
    spans.iter_mut().for_each(|span| span.to = span.to.min(end));
    let world = World { lanes: &lanes, events: &run.events, holders: &holders, spans: &spans };
    let mut inversions = world.inversions();
    inversions.retain(|inversion| !scenario.has_budgets(inversion.lane));
    let spans = without(joined(spans), &inversions);
    Timeline { end, spans, inversions, holders }
}

/// Goes through the events of one lane.
struct Walk<'a> {
    lane: usize,
    events: &'a [Event],
    holders: &'a Holders,
    end: u64,
    spans: Vec<Span>,
    since: u64,
    doing: Doing,
}

impl<'a> Walk<'a> {
    fn new(lane: usize, events: &'a [Event], holders: &'a Holders, end: u64) -> Self {
        Self { lane, events, holders, end, spans: Vec::new(), since: 0, doing: Doing::Rests }
    }

    fn spans(mut self) -> Vec<Span> {
        let mut target = 0;
        let mut is_over = false;
        let (events, own) = (self.events, self.lane);
        for event in events.iter().filter(|event| event.lane == own) {
            if is_over {
                break;
            }
            let Event { time, what, priority, .. } = *event;
            let runs = Doing::Runs(priority);
            match what {
                What::Sleep { until } => {
                    target = until;
                    self.turn(time, Doing::Rests);
                }
                What::Awake => {
                    self.turn(target.clamp(self.since, time), Doing::Ready);
                    self.turn(time, runs);
                }
                What::Gap { from } => {
                    self.turn(from.max(self.since), Doing::Ready);
                    self.turn(time, runs);
                }
                What::Ask { mutex } => self.turn(time, Doing::Mutex(mutex)),
                What::Wait { .. } | What::Listen => self.turn(time, Doing::Rests),
                What::Got { mutex } | What::GaveUp { mutex } => {
                    self.turn(self.freed(mutex, time), Doing::Ready);
                    self.turn(time, runs);
                }
                What::Send { server } => self.turn(time, Doing::Send(server)),
                What::Answered | What::Unanswered => {
                    self.served(time);
                    self.turn(time, runs);
                }
                What::Take { client } => {
                    self.turn(self.sent(client, time), Doing::Ready);
                    self.turn(time, runs);
                }
                What::Free { .. } | What::Answer { .. } | What::Priority { .. } | What::On => {
                    self.turn(time, runs);
                }
                What::Killed | What::End | What::Reset => {
                    self.turn(time, Doing::Rests);
                    is_over = true;
                }
            }
        }
        self.turn(self.end, Doing::Rests);
        self.spans
    }

    /// From then on it does something else.
    fn turn(&mut self, time: u64, doing: Doing) {
        let time = time.max(self.since);
        if time > self.since {
            self.spans.push(Span {
                from: self.since,
                to: time,
                lane: self.lane,
                doing: self.doing,
            });
        }
        (self.since, self.doing) = (time, doing);
    }

    /// When the mutex that this lane has at last became free for it.
    fn freed(&self, mutex: usize, time: u64) -> u64 {
        let others = self.holders.mutexes.iter().filter(|hold| {
            hold.what == mutex && hold.lane != self.lane && self.since < hold.to && hold.to <= time
        });
        others.map(|hold| hold.to).max().unwrap_or(time)
    }

    /// When the message was sent that this server's thread has at last.
    fn sent(&self, client: usize, time: u64) -> u64 {
        let is_it = |event: &&Event| {
            event.lane == client && event.time <= time && matches!(event.what, What::Send { .. })
        };
        let sent = self.events.iter().rfind(is_it).map_or(time, |event| event.time);
        sent.max(self.since)
    }

    /// The message of this lane was received, and answered.
    fn served(&mut self, time: u64) {
        let since = self.since;
        let service = self
            .holders
            .services
            .iter()
            .find(|hold| hold.what == self.lane && since <= hold.from && hold.from <= time);
        if let (Some(hold), Doing::Send(server)) = (service, self.doing) {
            self.turn(hold.from, Doing::Reply(server));
            self.turn(hold.to.min(time), Doing::Ready);
        }
    }
}

/// On one CPU, who begins to run while another seems to has taken its place.
fn one_at_a_time(spans: Vec<Span>) -> Vec<Span> {
    let is_running = |span: &Span| matches!(span.doing, Doing::Runs(_));
    let mut runs: Vec<Span> = spans.iter().copied().filter(is_running).collect();
    runs.sort_by_key(|span| span.from);
    let mut result = Vec::new();
    for span in spans {
        if !is_running(&span) {
            result.push(span);
            continue;
        }
        let mut from = span.from;
        for other in runs.iter().filter(|other| {
            other.lane != span.lane && span.from < other.from && other.from < span.to
        }) {
            if other.to <= from {
                continue;
            }
            let to = other.to.min(span.to);
            result.push(Span { from, to: other.from.max(from), ..span });
            result.push(Span { from: other.from.max(from), to, doing: Doing::Ready, ..span });
            from = to;
        }
        result.push(Span { from, ..span });
    }
    result
}

/// Makes one span of neighbours that do the same, whatever interrupted them for a moment.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.lane, span.from));
    let mut all: Vec<Span> = Vec::new();
    for span in spans {
        let is_short = span.to - span.from < NOISE_NS;
        let before = all.last().filter(|last| last.lane == span.lane && last.to == span.from);
        if let Some(last) = before
            && (last.doing == span.doing || is_short && last.doing != Doing::Rests)
        {
            let at = all.len() - 1;
            all[at].to = span.to;
        } else {
            all.push(span);
        }
    }
    all
}

/// What is left of the spans where no inversion of the same lane is.
fn without(spans: Vec<Span>, inversions: &[Inversion]) -> Vec<Span> {
    let mut left = Vec::new();
    for span in spans {
        let mut from = span.from;
        let own = inversions.iter().filter(|i| i.lane == span.lane);
        for inversion in own.filter(|i| i.from < span.to && span.from < i.to) {
            left.push(Span { from, to: inversion.from.max(from), ..span });
            from = inversion.to.clamp(from, span.to);
        }
        left.push(Span { from, ..span });
    }
    left.retain(|span| span.from < span.to);
    left
}

/// Who is how important at a point in time.
struct World<'a> {
    lanes: &'a [Lane],
    events: &'a [Event],
    holders: &'a Holders,
    spans: &'a [Span],
}

impl World<'_> {
    fn inversions(&self) -> Vec<Inversion> {
        let mut points: Vec<u64> =
            self.spans.iter().flat_map(|span| [span.from, span.to]).collect();
        points.sort_unstable();
        points.dedup();
        let mut found: Vec<Inversion> = Vec::new();
        for pair in points.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let doing = self.at(from);
            let runner = doing.iter().position(|doing| matches!(doing, Doing::Runs(_)));
            let Some(by) = runner else { continue };
            let worth = self.worth(by, &doing, from);
            for (lane, doing) in doing.iter().enumerate() {
                let waits = match doing {
                    Doing::Ready | Doing::Mutex(_) | Doing::Send(_) | Doing::Reply(_) => true,
                    Doing::Runs(_) | Doing::Rests => false,
                };
                if waits && self.importance(lane, from) > worth {
                    let mut same = found.iter_mut().rev();
                    match same.find(|i| i.lane == lane && i.by == by && from - i.to < NOISE_NS) {
                        Some(last) => last.to = to,
                        None => found.push(Inversion { from, to, lane, by }),
                    }
                }
            }
        }
        found.retain(|inversion| inversion.to - inversion.from > NOISE_NS);
        found
    }

    fn at(&self, time: u64) -> Vec<Doing> {
        let mut doing = vec![Doing::Rests; self.lanes.len()];
        for span in self.spans.iter().filter(|span| span.from <= time && time < span.to) {
            doing[span.lane] = span.doing;
        }
        doing
    }

    /// The priority that a lane's work has by itself: its own, or its client's.
    fn importance(&self, lane: usize, time: u64) -> u8 {
        match self.holders.client_of(lane, time) {
            Some(client) if client != lane && self.lanes[client].server.is_none() => {
                self.own(client, time)
            }
            Some(client) if client != lane => self.importance(client, time),
            Some(_) | None => self.own(lane, time),
        }
    }

    fn own(&self, lane: usize, time: u64) -> u8 {
        let mut priority = self.lanes[lane].priority;
        for event in self.events.iter().take_while(|event| event.time <= time) {
            if let What::Priority { lane: changed, to } = event.what
                && changed == lane
            {
                priority = to;
            }
        }
        priority
    }

    /// The priority that its work has for all who wait for it.
    fn worth(&self, lane: usize, doing: &[Doing], time: u64) -> u8 {
        let (mut worth, mut helped) = (0, vec![lane]);
        // Each lane once: a chain has no more links than there are lanes.
        let mut next = 0;
        while let Some(&helper) = helped.get(next) {
            next += 1;
            worth = worth.max(self.importance(helper, time));
            for (waiter, doing) in doing.iter().enumerate() {
                let waits_for = match *doing {
                    Doing::Mutex(mutex) => self.holders.owner(mutex, time).into_iter().collect(),
                    Doing::Reply(_) => self.holders.server_of(waiter, time).into_iter().collect(),
                    Doing::Send(server) => self.holders.busy(server, self.lanes, time),
                    Doing::Runs(_) | Doing::Ready | Doing::Rests => Vec::new(),
                };
                if waits_for.contains(&helper) && !helped.contains(&waiter) {
                    helped.push(waiter);
                }
            }
        }
        worth
    }
}
