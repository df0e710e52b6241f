//! The model checker: the kernel's core, as it boots, in every state that some threads can bring it
//! to.
//!
//! A [`configurations::Configuration`] says which threads, channels and mutexes there are and what
//! each thread may do. [`search::explore`] tries every sequence of moves, the short ones first, and
//! after each step asks for the kernel's invariants and for the properties of steps in `properties`.
//! The core is `neutrino-core-explored`: the same sources with small tables.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "a checker may fail loudly"
)]

pub mod configurations;
mod machine;
mod moves;
mod properties;
pub mod search;
mod state;
mod step;

pub use moves::Move;

use configurations::Configuration;
use search::{Bound, Found};

/// Explores a configuration, prints what it found, and panics with the way to a violation.
pub fn explored(configuration: &'static Configuration, bound: Bound) -> Found {
    let start = std::time::Instant::now();
    let name = configuration.name;
    let mut told = start;
    let found = search::explore(configuration, bound, |found| {
        if told.elapsed().as_secs() >= 10 {
            told = std::time::Instant::now();
            println!("{name}: {} states, depth {} …", found.states, found.depth);
        }
    });
    match found {
        Ok(found) => {
            let Found { states, steps, depth, is_complete } = found;
            let all = if is_complete { "all" } else { "bounded" };
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{name:<20} {states:>10} states {steps:>11} steps depth {depth:>3} {all:<8} {seconds:>7.1} s"
            );
            found
        }
        Err(violation) => {
            println!("{name}: {}\n  {}", violation.what, violation.trail.join("\n  "));
            panic!("a property does not hold")
        }
    }
}
