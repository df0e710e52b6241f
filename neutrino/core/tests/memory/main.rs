//! The memory module against a machine of byte vectors: sentences, then random sequences against a
//! model.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed test panics"
)]

mod machine;
mod model;
mod objects;
mod random;
mod scenario;
mod sentences;
mod steps;
