//! Options of sockets, as Linux programs see them.

use crate::socket::{CAPACITY, Socket, Standing};
use alloc::vec::Vec;
use io_msg::socket::{AF_UNIX, Credentials};
use neutrino_rt::Errno;
use zerocopy::IntoBytes;

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
const SO_PASSCRED: u32 = 16;
const SO_PEERCRED: u32 = 17;
const SO_RCVTIMEO: u32 = 20;
const SO_SNDTIMEO: u32 = 21;
const SO_ACCEPTCONN: u32 = 30;
const SO_PROTOCOL: u32 = 38;
const SO_DOMAIN: u32 = 39;

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
        SO_PROTOCOL | SO_REUSEADDR | SO_KEEPALIVE => number(0),
        SO_ACCEPTCONN => number(matches!(socket.standing, Standing::Listening(_)).into()),
        SO_PASSCRED => number(socket.settings.credentials.into()),
        SO_RCVTIMEO => time(socket.settings.receive_limit),
        SO_SNDTIMEO => time(socket.settings.send_limit),
        SO_PEERCRED => {
            let nobody = Credentials { pid: 0, uid: u32::MAX, gid: u32::MAX };
            Vec::from(peer.map_or(nobody, |peer| peer.maker).as_bytes())
        }
        _ => return Err(Errno::ENOPROTOOPT),
    })
}

/// Sets an option; those that change nothing between processes of one system are accepted.
///
/// # Errors
/// EINVAL: the value is too short. EDOM: it is no time. ENOPROTOOPT: no such option.
pub(crate) fn set(socket: &mut Socket, option: u32, value: &[u8]) -> Result<(), Errno> {
    match option {
        SO_SNDBUF | SO_RCVBUF | SO_REUSEADDR | SO_KEEPALIVE | SO_PASSCRED if value.len() < 4 => {
            Err(Errno::EINVAL)
        }
        SO_SNDBUF | SO_RCVBUF | SO_REUSEADDR | SO_KEEPALIVE => Ok(()),
        SO_PASSCRED => {
            socket.settings.credentials = value.iter().take(4).any(|byte| *byte != 0);
            Ok(())
        }
        SO_RCVTIMEO => limit(value).map(|limit| socket.settings.receive_limit = limit),
        SO_SNDTIMEO => limit(value).map(|limit| socket.settings.send_limit = limit),
        _ => Err(Errno::ENOPROTOOPT),
    }
}

const MICROSECOND: u64 = 1000;
const SECOND: u64 = 1_000_000_000;

/// A limit as `struct timeval`; none is 0.
fn time(limit: u64) -> Vec<u8> {
    let limit = if limit == u64::MAX { 0 } else { limit };
    [limit / SECOND, limit % SECOND / MICROSECOND].into_iter().flat_map(u64::to_le_bytes).collect()
}

/// The limit that a `struct timeval` is.
fn limit(value: &[u8]) -> Result<u64, Errno> {
    let word = |at: usize| {
        let bytes = value.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(i64::from_le_bytes).ok_or(Errno::EINVAL)
    };
    let (seconds, microseconds) = (word(0)?, word(8)?);
    if !(0..1_000_000).contains(&microseconds) {
        return Err(Errno::EDOM);
    }
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let rest = microseconds.unsigned_abs() * MICROSECOND;
    Ok(match seconds.saturating_mul(SECOND).saturating_add(rest) {
        0 => u64::MAX,
        limit => limit,
    })
}
