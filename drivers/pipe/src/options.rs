//! Addresses and options of sockets, as Linux programs see them.

use crate::socket::{CAPACITY, Maker, Socket};
use alloc::vec::Vec;
use io_msg::socket::AF_UNIX;
use neutrino_rt::Errno;

/// The level of options that all sockets have.
pub(crate) const SOL_SOCKET: u32 = 1;
/// What went wrong since it was asked last; asking clears it.
pub(crate) const SO_ERROR: u32 = 4;

/// A queue's size, which nobody can change.
const QUEUE_BYTES: u32 = 64 * 1024;
const _: () = assert!(QUEUE_BYTES as usize == CAPACITY);

const SO_REUSEADDR: u32 = 2;
const SO_TYPE: u32 = 3;
const SO_SNDBUF: u32 = 7;
const SO_RCVBUF: u32 = 8;
const SO_KEEPALIVE: u32 = 9;
const SO_PEERCRED: u32 = 17;
const SO_ACCEPTCONN: u32 = 30;
const SO_PROTOCOL: u32 = 38;
const SO_DOMAIN: u32 = 39;

/// The address of a socket without a name.
pub(crate) fn address() -> Vec<u8> {
    Vec::from(AF_UNIX.to_le_bytes())
}

/// A value as C's `int`.
pub(crate) fn number(value: u32) -> Vec<u8> {
    Vec::from(value.to_le_bytes())
}

/// The value of an option.
///
/// # Errors
/// ENOPROTOOPT: no such option.
pub(crate) fn get(socket: &Socket, peer: Option<&Socket>, option: u32) -> Result<Vec<u8>, Errno> {
    Ok(match option {
        SO_TYPE => number(socket.kind.number()),
        SO_DOMAIN => number(AF_UNIX.into()),
        SO_SNDBUF | SO_RCVBUF => number(QUEUE_BYTES),
        SO_PROTOCOL | SO_ACCEPTCONN | SO_REUSEADDR | SO_KEEPALIVE => number(0),
        SO_PEERCRED => {
            let Maker { pid, uid, gid } =
                peer.map_or(Maker { pid: 0, uid: u32::MAX, gid: u32::MAX }, |peer| peer.maker);
            [pid, uid, gid].into_iter().flat_map(u32::to_le_bytes).collect()
        }
        _ => return Err(Errno::ENOPROTOOPT),
    })
}

/// Sets an option: those that change nothing between processes of one system are accepted.
///
/// # Errors
/// EINVAL: the value is too short. ENOPROTOOPT: no such option.
pub(crate) fn set(option: u32, value: &[u8]) -> Result<(), Errno> {
    match option {
        SO_SNDBUF | SO_RCVBUF | SO_REUSEADDR | SO_KEEPALIVE if value.len() < 4 => {
            Err(Errno::EINVAL)
        }
        SO_SNDBUF | SO_RCVBUF | SO_REUSEADDR | SO_KEEPALIVE => Ok(()),
        _ => Err(Errno::ENOPROTOOPT),
    }
}
