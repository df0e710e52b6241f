//! The laboratory of priority inversion, on the host's side.
//!
//! A scenario is a TOML file (`tests/scenario/*.toml`). [`file`] reads it into a [`scenario::Scenario`]
//! or says in one sentence what is wrong where; [`compile`] writes it as the program
//! `tools/native/src/bin/inversion.rs` plays it, once without inheritance and once with it;
//! [`record`] reads what the program printed; [`timeline`] finds out who ran, who waited for whom and
//! when that was an inversion; [`verdict`] holds it against the bound; [`svg`] and [`page`] show it.
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a host tool: a panic here ends a report, not a system"
)]

pub mod compile;
pub mod file;
pub mod holders;
pub mod page;
pub mod record;
pub mod scenario;
pub mod steps;
pub mod svg;
pub mod timeline;
pub mod units;
pub mod verdict;
