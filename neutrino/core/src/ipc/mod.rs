//! Messages and pulses: channels, connections, and the calls on them.
//!
//! A message is copied once, from the sender's memory to the receiver's. Queued sends and pulses of
//! a channel form one order: by priority, then by arrival. I5: nobody queues on a channel where
//! somebody waits who would take it.

pub(crate) mod channel;
pub(crate) mod connection;
pub(crate) mod deliver;
pub(crate) mod event;
pub(crate) mod pass;
pub(crate) mod pulse;
pub(crate) mod receive;
pub(crate) mod reply;
pub(crate) mod send;
pub(crate) mod transfer;
