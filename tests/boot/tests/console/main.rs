//! Boots the ordinary image twice and tests it by its serial console, as somebody at a terminal
//! would: keys that signal, jobs, an editor, programs that die; then drivers, each killed in turn.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test program that reports on standard output"
)]

mod deaths;
mod drivers;
mod faults;
mod load;
mod programs;
mod terminal;

use boot_tests::console::{Console, PROMPT};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A test: the sentence that it proves, and what it does with the console.
type Test = (&'static str, fn(&mut Console) -> Result<(), String>);

fn same(what: &str, got: &str, wanted: &str) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got:?} and not {wanted:?}")) }
}

/// A boot, and the tests that share it.
type Session = fn(&mut Tally) -> Result<(), String>;

/// How long a boot may take: the host may be busy with other things.
const BOOT: Duration = Duration::from_secs(120);

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

/// The terminal and what hangs on it, programs, load, and programs that die.
fn terminal_session(tally: &mut Tally) -> Result<(), String> {
    let files = programs::Files::make()?;
    let options: Vec<&str> = files.options.iter().map(String::as_str).collect();
    let mut console = Console::boot(&[&["--direct"], options.as_slice()].concat(), &[])?;
    let before = console.expect(PROMPT, BOOT)?;
    let name = "terminal::the_prompt_comes_first_of_all";
    tally.report(name, same("before the prompt", &before, ""));
    tally.run("terminal", &terminal::TESTS, &mut console);
    tally.run("programs", &programs::TESTS, &mut console);
    tally.run("faults", &faults::TESTS, &mut console);
    tally.run("load", &load::TESTS, &mut console);
    Ok(())
}

/// The drivers: where they run, and what their deaths do. With GRUB, whose frame buffer the display's
/// driver needs.
fn driver_session(tally: &mut Tally) -> Result<(), String> {
    let socket = drivers::socket();
    let chardev = format!("socket,id=gdb,path={},server=on,wait=off", socket.display());
    let extra = ["-chardev", &chardev, "-gdb", "chardev:gdb"];
    let mut console = Console::boot(&[], &extra)?;
    console.expect(PROMPT, BOOT)?;
    tally.run("drivers", &drivers::TESTS, &mut console);
    tally.run("deaths", &deaths::TESTS, &mut console);
    Ok(())
}

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).filter(|word| !word.starts_with('-'));
    let mut tally = Tally { wanted, ..Tally::default() };
    let sessions: [(&str, Session); 2] =
        [("terminal_session", terminal_session), ("driver_session", driver_session)];
    for (name, session) in sessions {
        if let Err(why) = session(&mut tally) {
            tally.report(name, Err(why));
        }
    }
    let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {} passed; {} failed; 0 ignored", tally.passed, tally.failed);
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
