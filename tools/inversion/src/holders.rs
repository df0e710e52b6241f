//! Who holds what, and who serves whom, over a run.

use crate::record::{Event, What};
use crate::scenario::Lane;

/// A stretch of time in which one lane has something of another's interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// From when to when.
    pub from: u64,
    #[allow(missing_docs, reason = "as above")]
    pub to: u64,
    /// Who has it.
    pub lane: usize,
    /// What: the mutex, or the client that is served.
    pub what: usize,
}

impl Hold {
    /// Whether it lasts at a point in time.
    #[must_use]
    pub const fn covers(&self, time: u64) -> bool {
        self.from <= time && time < self.to
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    /// Who had which mutex.
    pub mutexes: Vec<Hold>,
    /// Which server's thread had which client's message, until it answered.
    pub services: Vec<Hold>,
    /// The same until it received the next message: what it does then is still for that client.
    pub turns: Vec<Hold>,
}

/// Finds them.
#[must_use]
pub fn find(events: &[Event], end: u64) -> Holders {
    let mut all = Holders::default();
    for event in events {
        let Event { time, lane, what, .. } = *event;
        let open = |what| Hold { from: time, to: end, lane, what };
        match what {
            What::Got { mutex } => all.mutexes.push(open(mutex)),
            What::Free { mutex } => {
                close(&mut all.mutexes, time, |h| h.lane == lane && h.what == mutex)
            }
            What::Take { client } => {
                all.services.push(open(client));
                all.turns.push(open(client));
            }
            What::Answer { client } => {
                close(&mut all.services, time, |h| h.lane == lane && h.what == client);
            }
            What::Listen => close(&mut all.turns, time, |h| h.lane == lane),
            What::Killed => {
                close(&mut all.mutexes, time, |h| h.lane == lane);
                close(&mut all.services, time, |h| h.lane == lane || h.what == lane);
                close(&mut all.turns, time, |h| h.lane == lane);
            }
            // It gave up: nobody serves it any more.
            What::Unanswered => close(&mut all.services, time, |h| h.what == lane),
            What::Sleep { .. } | What::Awake | What::Gap { .. } | What::Ask { .. } => {}
            What::GaveUp { .. } | What::Wait { .. } | What::Send { .. } | What::Answered => {}
            What::Priority { .. } | What::End | What::Reset | What::On => {}
        }
    }
    all
}

fn close(holds: &mut [Hold], time: u64, is_meant: impl Fn(&Hold) -> bool) {
    for hold in holds.iter_mut().filter(|hold| hold.to > time && is_meant(hold)) {
        hold.to = time;
    }
}

impl Holders {
    /// Who has a mutex.
    #[must_use]
    pub fn owner(&self, mutex: usize, time: u64) -> Option<usize> {
        self.mutexes.iter().rfind(|h| h.what == mutex && h.covers(time)).map(|h| h.lane)
    }

    /// Who serves a client.
    #[must_use]
    pub fn server_of(&self, client: usize, time: u64) -> Option<usize> {
        self.services.iter().rfind(|h| h.what == client && h.covers(time)).map(|h| h.lane)
    }

    /// The client for whom a server's thread is busy.
    #[must_use]
    pub fn client_of(&self, lane: usize, time: u64) -> Option<usize> {
        self.turns.iter().rfind(|h| h.lane == lane && h.covers(time)).map(|h| h.what)
    }

    /// The threads of a server that are busy.
    pub fn busy(&self, server: usize, lanes: &[Lane], time: u64) -> Vec<usize> {
        let busy = self.turns.iter().filter(|h| h.covers(time)).map(|h| h.lane);
        busy.filter(|lane| lanes[*lane].server == Some(server)).collect()
    }
}
