//! Plays scenarios of priority inversion: threads and servers that compute, lock and send as a
//! script says, and a record of what each did when.
//!
//! `cargo xtask inversion` writes the scripts (`tools/inversion/src/compile.rs`) and reads the record.

pub mod cast;
pub mod plan;
pub mod play;
pub mod record;
