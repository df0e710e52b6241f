//! The ways into the kernel.

pub(crate) mod context;
pub(crate) mod dispatch;
