//! QNX's resource manager framework in C: `<sys/dispatch.h>` and `<sys/resmgr.h>`.
//!
//! A C server's handlers see the messages that QNX documents, in `ctp->msg`; on the wire go this
//! system's own (`io_msg`), the same that Rust servers answer. This module is what lies between:
//!
//! ```text
//! client -- io_msg --> context::dispatch_block -> connect, io: QNX's message -> handler
//! client <-- io_msg -- answer: this system's reply <- QNX's reply, status or error
//! ```
//!
//! [`dispatch`] has the loop's state, [`context`] receives, [`attach`] keeps the paths, [`binding`]
//! the open files, [`readiness`] what pollers see.

pub mod answer;
pub mod attach;
pub mod binding;
pub mod connect;
pub mod context;
pub mod directory;
pub mod dispatch;
pub mod event;
pub mod io;
pub mod layout;
pub mod mapping;
pub mod path;
pub mod pool;
pub mod readiness;
pub mod transfer;
