//! The messages that clients, resource managers and the process manager exchange.
//!
//! Every message starts with a 16-bit type ([`kind`]) and a 16-bit subtype. Structures are plain
//! bytes (`zerocopy`), little-endian, and the same for everybody. Where a reply is a structure that
//! a C program expects (`struct stat`, `struct statfs`, `struct linux_dirent64`, termios, locks), it
//! has Linux x86-64's layout, so that the personality passes it on unchanged.
//!
//! - [`connect`]: messages with a path: open, stat, unlink, rename and so on.
//! - [`io`]: messages on an open descriptor.
//! - [`proc`]: messages to the process manager: processes, identities, the name space.
//! - [`socket`]: messages on an open socket.
//! - [`special`]: timers, sets of descriptors, signals.
//! - [`start`]: what a new program finds in memory.
#![no_std]
#![forbid(unsafe_code)]

pub mod connect;
pub mod io;
pub mod kind;
pub mod proc;
pub mod socket;
pub mod special;
pub mod start;
pub mod stat;
