//! The name space: which server owns which prefix.
//!
//! [`tree`] is the data structure, [`attach`] the messages about it.

pub mod attach;
pub mod tree;
