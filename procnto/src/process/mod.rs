//! Processes: who exists, who waits for whom, what each may do.
//!
//! | file | idea |
//! |---|---|
//! | [`table`] | the processes and their relations |
//! | [`fork`], [`exec`], [`exit`], [`wait`] | a process's life, one file per step |
//! | [`death`] | the record of a program that a fault ended |
//! | [`signal`] | who may signal whom |
//! | [`session`] | groups, sessions, terminals, orphans |
//! | [`credentials`], [`limits`], [`priority`] | what a process may do |

pub mod credentials;
pub mod death;
pub mod exec;
pub mod exit;
pub mod fork;
pub mod identity;
pub mod limits;
pub mod priority;
pub mod robust;
pub mod session;
pub mod shutdown;
pub mod signal;
pub mod symbols;
pub mod table;
pub mod wait;
