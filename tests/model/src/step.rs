//! A step: what happens next, and on which CPU.

/// A step, packed: the search keeps millions of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step(u8);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The thread that runs there makes one of the moves of its role.
    Move(usize),
    /// The call of the thread that runs there goes on.
    GoOn,
    /// The CPU's timer interrupts.
    Timer,
    /// The CPU enters as it was asked to.
    Asked,
    /// The CPU enters for a call of a thread that was taken off it meanwhile.
    Late,
}

const TIMER: u8 = 63;
const ASKED: u8 = 62;
const LATE: u8 = 61;
const GO_ON: u8 = 60;
const CPU: u8 = 64;

impl Step {
    /// No step: the start has one, too.
    pub(crate) const START: Self = Self(0);

    pub(crate) fn new(cpu: usize, event: Event) -> Self {
        let low = match event {
            Event::Move(number) => {
                assert!(number < usize::from(GO_ON), "a role has too many moves");
                number as u8
            }
            Event::Timer => TIMER,
            Event::Asked => ASKED,
            Event::Late => LATE,
            Event::GoOn => GO_ON,
        };
        Self(cpu as u8 * CPU + low)
    }

    pub(crate) fn cpu(self) -> usize {
        usize::from(self.0 / CPU)
    }

    pub(crate) fn event(self) -> Event {
        match self.0 % CPU {
            TIMER => Event::Timer,
            ASKED => Event::Asked,
            LATE => Event::Late,
            GO_ON => Event::GoOn,
            number => Event::Move(usize::from(number)),
        }
    }
}
