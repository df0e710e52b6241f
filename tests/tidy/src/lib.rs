//! The rules of the tree are the tests of this crate; there is no code.
#![no_std]
