//! What the user sees while something long runs, on standard error.
//!
//! On a terminal one line counts the seconds of all steps that run; in a log each step longer than a
//! moment leaves one line, and a very long one says now and then that it is still at work.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Steps shorter than this leave no line.
const WORTH_A_LINE: Duration = Duration::from_millis(500);
/// How often a log hears from a long step.
const STILL_AT_IT: Duration = Duration::from_secs(30);

/// The steps that run now, and since when; its lock also keeps lines whole.
static RUNNING: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// Runs `work` and shows `what` with the time that it took.
///
/// # Errors
/// Those of `work`.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    running().push((what.to_owned(), started));
    let (done, is_done) = mpsc::channel::<()>();
    let result = thread::scope(|scope| {
        scope.spawn(move || watch(what, started, &is_done));
        let result = work();
        drop(done);
        result
    });
    let mut steps = running();
    steps.retain(|step| *step != (what.to_owned(), started));
    if started.elapsed() > WORTH_A_LINE || result.is_err() {
        let mark = if result.is_ok() { "" } else { "failed after " };
        line(&format!("{what} … {mark}{:.1} s", started.elapsed().as_secs_f32()));
    } else if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    result
}

/// One line on standard error.
pub(crate) fn note(text: &str) {
    let steps = running();
    line(text);
    drop(steps);
}

fn running() -> MutexGuard<'static, Vec<(String, Instant)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn line(text: &str) {
    let clear = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
    eprintln!("{clear}{text}");
}

fn watch(what: &str, started: Instant, is_done: &mpsc::Receiver<()>) {
    let is_terminal = std::io::stderr().is_terminal();
    let period = if is_terminal { Duration::from_secs(1) } else { STILL_AT_IT };
    while is_done.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
        let steps = running();
        if is_terminal {
            let mut text = String::new();
            for (what, since) in steps.iter() {
                let gap = if text.is_empty() { "" } else { ", " };
                write!(text, "{gap}{what} … {} s", since.elapsed().as_secs()).unwrap_or_default();
            }
            // Longer than the terminal is wide would leave lines behind.
            let text: String = text.chars().take(78).collect();
            eprint!("\r\x1b[K{text}");
            std::io::stderr().flush().unwrap_or_default();
        } else {
            line(&format!("{what} … {} s so far", started.elapsed().as_secs()));
        }
    }
}
