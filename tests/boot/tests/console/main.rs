//! Boots the ordinary image twice and tests it by its serial console, as somebody at a terminal
//! would: keys that signal, jobs, an editor, programs that die; then drivers, each killed in turn.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test program that reports on standard output"
)]

mod terminal;

use boot_tests::console::Console;
use std::process::ExitCode;
use std::time::Instant;

/// A test: the sentence that it proves, and what it does with the console.
type Test = (&'static str, fn(&mut Console) -> Result<(), String>);

/// What came of the tests.
#[derive(Debug, Default)]
struct Tally {
    wanted: Option<String>,
    passed: u32,
    failed: u32,
}

impl Tally {
    fn is_wanted(&self, name: &str) -> bool {
        self.wanted.as_deref().is_none_or(|wanted| name.contains(wanted))
    }

    fn report(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("test {name} ... ok");
            }
            Err(why) => {
                self.failed += 1;
                println!("test {name} ... FAILED");
                println!("  {why}");
            }
        }
    }

    fn run(&mut self, session: &str, tests: &[Test], console: &mut Console) {
        for (name, test) in tests {
            let name = format!("{session}::{name}");
            if !self.is_wanted(&name) {
                continue;
            }
            let started = Instant::now();
            let result = test(console);
            if result.is_err() {
                console.recover();
            }
            eprintln!("{name}: {:.1} s", started.elapsed().as_secs_f32());
            self.report(&name, result);
        }
    }
}

/// The terminal, and what hangs on it.
fn terminal_session(tally: &mut Tally) -> Result<(), String> {
    let mut console = Console::boot(&["--direct"], &[])?;
    tally.run("terminal", &terminal::TESTS, &mut console);
    Ok(())
}

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).filter(|word| !word.starts_with('-'));
    let mut tally = Tally { wanted, ..Tally::default() };
    for (name, session) in [("terminal", terminal_session as fn(&mut Tally) -> _)] {
        if let Err(why) = session(&mut tally) {
            tally.report(name, Err(why));
        }
    }
    let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {verdict}. {} passed; {} failed; 0 ignored",
        tally.passed, tally.failed
    );
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
