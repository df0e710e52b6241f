//! The resource-manager framework: a server is a [`Server`], and everything it does not say has a
//! correct default.
//!
//! A device is a few functions over one node; a file system is a tree of nodes, numbered as it
//! likes. The framework walks paths (permissions, links, mount points, `..`), keeps the open files
//! ([`Ocb`]), checks access modes, does offsets, status, locks and readiness, answers what a server
//! does not support with the documented errno, and cleans up when clients go away.
//!
//! ```text
//! client -- IO_CONNECT --> Engine::handle -> walk -> Server::lookup …, Server::open -> MsgGrant
//! client -- IO_READ    --> Engine::handle -> Ocb -> Server::read -> reply, or Pending
//! ```
//!
//! [`serve`] is the loop of a server with one thread; a server with its own loop calls
//! [`Engine::handle`] and [`Engine::pulse`] itself.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "user space: overflow and bounds checks stay on in release; numbers cut short fit by construction"
)]

extern crate alloc;

mod aside;
pub mod attributes;
mod change;
mod connect;
mod engine;
mod io;
mod lock;
mod mount;
mod names;
mod ocb;
mod request;
mod serve;
mod server;
mod walk;

pub use aside::{Aside, PutAside};
pub use attributes::{Attributes, Change};
pub use attributes::{Identity, right};
pub use engine::Engine;
pub use mount::Mount;
pub use ocb::{Ocb, Ocbs};
pub use request::Request;
pub use serve::{serve, serve_with};
pub use server::{DataAt, DirectoryEntry, Node, Opening, Outcome, Server, Special, Taking};
