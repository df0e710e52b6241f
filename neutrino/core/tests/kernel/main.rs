//! The kernel's calls and rules, on the code that boots.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    reason = "tests"
)]

mod explore;
#[path = "../memory/machine.rs"]
#[allow(dead_code, reason = "shared with the tests of memory")]
mod frames;
mod machine;
mod messages;
mod processes;
mod waiting;
mod world;
