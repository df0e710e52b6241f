//! `model [--states N] [NAME …]`: explores further than the test command does.

use std::process::ExitCode;

use model::configurations::CONFIGURATIONS;
use model::explored;
use model::search::Bound;

fn main() -> ExitCode {
    let mut states = 20_000_000;
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--states" {
            match arguments.next().and_then(|number| number.parse().ok()) {
                Some(number) => states = number,
                None => return ExitCode::FAILURE,
            }
        } else {
            names.push(argument);
        }
    }
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let mut sum = 0_usize;
    for configuration in CONFIGURATIONS.iter().filter(|it| is_wanted(it.name)) {
        let found = explored(configuration, Bound { depth: usize::MAX, states });
        sum = sum.saturating_add(found.states);
    }
    println!("{sum} states");
    ExitCode::SUCCESS
}
