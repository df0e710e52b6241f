//! From the boot loader to the first user thread.

#[cfg(not(test))]
mod facts;
#[cfg(not(test))]
mod loader;
pub(crate) mod memory_map;
#[cfg(not(test))]
mod pvh;
#[cfg(not(test))]
pub(crate) mod smp;
#[cfg(not(test))]
mod start;

#[cfg(not(test))]
pub(crate) use facts::Facts;
#[cfg(not(test))]
pub(crate) use loader::image;
#[cfg(not(test))]
pub(crate) use start::{finish, start};
