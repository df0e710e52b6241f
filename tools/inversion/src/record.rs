//! What the playing program printed: for each run its events, and how it ended.

use std::collections::HashMap;

/// What happened. What the numbers mean: `tools/native/src/inversion/record.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum What {
    Sleep {
        until: u64,
    },
    Awake,
    /// It did not run from then on.
    Gap {
        from: u64,
    },
    Ask {
        mutex: usize,
    },
    Got {
        mutex: usize,
    },
    GaveUp {
        mutex: usize,
    },
    Free {
        mutex: usize,
    },
    Wait {
        mutex: usize,
    },
    Send {
        server: usize,
    },
    Answered,
    Unanswered,
    Listen,
    Take {
        client: usize,
    },
    Answer {
        client: usize,
    },
    /// It gave a lane another priority.
    Priority {
        lane: usize,
        to: u8,
    },
    Killed,
    End,
    Reset,
    /// It goes on after a call in which others may have run.
    On,
}

/// When what happened to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds after the start.
    pub time: u64,
    /// The lane.
    pub lane: usize,
    /// What.
    pub what: What,
    /// The priority that it ran at, of whoever noted it.
    pub priority: u8,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everybody came to the end.
    Complete,
    /// Somebody did not, within the limit.
    Late,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its events in the order of time.
    pub events: Vec<Event>,
    /// How it ended.
    pub ended: Ended,
    /// What the kernel's monitor counted meanwhile.
    pub inversions: u64,
}

/// Reads all runs, by name.
///
/// # Errors
/// The first line that means nothing.
pub fn read(text: &str) -> Result<HashMap<String, Run>, String> {
    let mut runs = HashMap::new();
    let mut current: Option<(String, Vec<Event>)> = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let wrong = || format!("the playing program printed `{line}`, which means nothing here");
        match *words {
            ["run", name] => current = Some((name.to_owned(), Vec::new())),
            [end @ ("complete" | "late"), count] => {
                let (name, mut events) = current.take().ok_or_else(wrong)?;
                events.sort_by_key(|event: &Event| event.time);
                let ended = if end == "late" { Ended::Late } else { Ended::Complete };
                let inversions = count.parse().map_err(|_| wrong())?;
                runs.insert(name, Run { events, ended, inversions });
            }
            ["overflow", _] => {
                let name = current.take().map(|(name, _)| name).unwrap_or_default();
                return Err(format!(
                    "{name}: more happened than the record holds; make it shorter"
                ));
            }
            _ => {
                let event = event(&words).ok_or_else(wrong)?;
                current.as_mut().ok_or_else(wrong)?.1.push(event);
            }
        }
    }
    match current {
        Some((name, _)) => Err(format!("{name}: the record ends in the middle")),
        None => Ok(runs),
    }
}

fn event(words: &[&str]) -> Option<Event> {
    let [time, lane, name, argument, priority] = *words else { return None };
    let number: u64 = argument.parse().ok()?;
    let index = usize::try_from(number).ok()?;
    let what = match name {
        "sleep" => What::Sleep { until: number },
        "awake" => What::Awake,
        "gap" => What::Gap { from: number },
        "ask" => What::Ask { mutex: index },
        "got" => What::Got { mutex: index },
        "gave-up" => What::GaveUp { mutex: index },
        "free" => What::Free { mutex: index },
        "wait" => What::Wait { mutex: index },
        "send" => What::Send { server: index },
        "answered" => What::Answered,
        "unanswered" => What::Unanswered,
        "listen" => What::Listen,
        "take" => What::Take { client: index },
        "answer" => What::Answer { client: index },
        "priority" => What::Priority { lane: index >> 8, to: number as u8 },
        "killed" => What::Killed,
        "end" => What::End,
        "reset" => What::Reset,
        "on" => What::On,
        _ => return None,
    };
    let (time, lane) = (time.parse().ok()?, lane.parse().ok()?);
    Some(Event { time, lane, what, priority: priority.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_by_name() {
        let runs = read("run a.on\n5 1 got 2 30\n4 0 awake 0 9\ncomplete 0\n").unwrap();
        let run = &runs["a.on"];
        assert_eq!(run.events[0].time, 4);
        assert_eq!(run.events[1].what, What::Got { mutex: 2 });
        assert_eq!(run.ended, Ended::Complete);
        assert!(read("run a.on\n5 1 jumped 2 30\n").unwrap_err().contains("jumped"));
        assert!(read("run a.on\n").unwrap_err().contains("middle"));
    }
}
