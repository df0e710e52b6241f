//! Messages and pulses: channels, connections, and the calls on them.
//!
//! A message is copied once, from the sender's memory to the receiver's. Queued sends and pulses of
//! a channel form one order: by priority, then by arrival. I5: nobody queues on a channel where
//! somebody waits who would take it.

pub mod brief;
pub mod channel;
pub mod close;
pub mod connection;
pub mod deliver;
pub mod event;
pub mod fast;
pub mod pass;
pub mod pulse;
pub mod receive;
pub mod reply;
pub mod send;
pub mod transfer;
pub mod watch;
