//! The kernel's calls and rules, on the code that boots.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "test code may fail loudly"
)]

mod closing;
mod death;
mod dice;
mod explore;
mod fast;
#[path = "../memory/machine.rs"]
#[allow(dead_code, reason = "shared with the tests of memory")]
mod frames;
mod interface;
mod inversions;
mod locks;
mod machine;
mod messages;
mod partitions;
mod parts;
mod processes;
mod signals;
mod sporadic;
mod talks;
mod traces;
mod waiting;
mod walks;
mod watches;
mod words;
mod world;
