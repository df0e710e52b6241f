//! The POSIX layer of a C server: `<sys/iofunc.h>`, with a default for every message.
//!
//! What a server does not do itself the functions here do, on the attributes ([`attr`]) and open
//! control blocks ([`ocb`]) that it shares with them. They return EOK, an error, or a number of parts,
//! as handlers do, and never set `errno`.

pub mod access;
pub mod attr;
pub mod change;
pub mod defaults;
pub mod devctl;
pub mod lock;
pub mod names;
pub mod notify;
pub mod ocb;
pub mod open;
pub mod position;
pub mod stat;
