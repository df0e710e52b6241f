//! Answers: QNX's replies as this system's clients take them.
//!
//! Most replies are the same in both worlds. The others are noted while a handler has the message, so
//! that they are translated also when the server itself answers later, by `MsgReply`.

use crate::kernel::{self, call};
use crate::memory::{Lock, bytes};
use crate::receive;
use crate::resmgr::binding::Binding;
use crate::resmgr::directory;
use crate::resmgr::layout::{
    Context, DevctlReply, Fdinfo, LinkReply, LockReply, answer as returned, number,
};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::c_int;
use core::sync::atomic::{AtomicUsize, Ordering};
use io_msg::connect::{ConnectReply, RESULT_REDIRECT};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::message::Iov;
use zerocopy::{FromBytes, IntoBytes};

/// How a reply is translated.
pub(crate) enum Turn {
    /// It is the same.
    Plain,
    /// The client gets a descriptor of what was bound; or it goes on elsewhere, with a path that
    /// counts from this one.
    Open { bound: Option<Arc<Binding>>, from: Vec<u8> },
    /// A path operation: nothing, or the way elsewhere.
    Named { from: Vec<u8> },
    /// The target of a symbolic link.
    Link,
    /// The new offset.
    Lseek,
    /// Data behind a head; the client takes so many bytes.
    Devctl { reply_max: u32 },
    /// Whose lock it is; the request has to be repeated in the reply.
    Lock(io_msg::io::Lock),
    /// A path behind a head.
    Fdinfo,
    /// Directory entries, so many bytes at most.
    Readdir { room: usize },
}

/// What goes to the client.
pub(crate) enum Reply {
    /// Nothing now.
    None,
    /// An error.
    Error(u32),
    /// A status and the parts of the context.
    Parts(i64, usize),
    /// A status and bytes.
    Bytes(i64, Vec<u8>),
}

/// Messages that handlers have and whose replies need translation.
static NOTED: Lock<Vec<(c_int, Turn)>> = Lock::new(Vec::new());
static NOTED_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Clients that a server keeps waiting, with the badge of their connection: one that dies leaves a
/// pulse with its receive id, of which the kernel knows nothing more.
static KEPT: Lock<Vec<(c_int, u64)>> = Lock::new(Vec::new());
static KEPT_COUNT: AtomicUsize = AtomicUsize::new(0);

/// A handler keeps its client waiting, unless it has answered by itself.
fn keep(context: &Context) {
    if context.client().is_ok() {
        let mut kept = KEPT.lock();
        kept.push((context.rcvid.get(), context.own().head.get().badge));
        KEPT_COUNT.store(kept.len(), Ordering::Release);
    }
}

/// A client waits no more; the badge of its connection, if it was kept waiting.
pub(crate) fn let_go(rcvid: c_int) -> Option<u64> {
    if KEPT_COUNT.load(Ordering::Acquire) == 0 {
        return None;
    }
    let mut kept = KEPT.lock();
    let index = kept.iter().position(|(other, _)| *other == rcvid)?;
    let (_, badge) = kept.swap_remove(index);
    KEPT_COUNT.store(kept.len(), Ordering::Release);
    Some(badge)
}

/// Notes how the reply to a client is to be translated.
pub(crate) fn note(rcvid: c_int, turn: Turn) {
    if matches!(turn, Turn::Plain) {
        return;
    }
    let mut noted = NOTED.lock();
    noted.retain(|(other, _)| *other != rcvid);
    noted.push((rcvid, turn));
    NOTED_COUNT.store(noted.len(), Ordering::Release);
}

/// Takes the note back.
fn recall(rcvid: c_int) -> Option<Turn> {
    if NOTED_COUNT.load(Ordering::Acquire) == 0 {
        return None;
    }
    let mut noted = NOTED.lock();
    let index = noted.iter().position(|(other, _)| *other == rcvid)?;
    let (_, turn) = noted.swap_remove(index);
    NOTED_COUNT.store(noted.len(), Ordering::Release);
    Some(turn)
}

/// The client has been answered, or is to be asked again. What it was about to open is given back.
pub(crate) fn forget(rcvid: c_int) -> Option<Arc<Binding>> {
    let_go(rcvid);
    if let Turn::Open { bound, .. } = recall(rcvid)? { bound } else { None }
}

/// What a client is about to open has been bound.
pub(crate) fn note_bound(rcvid: c_int, binding: &Arc<Binding>) {
    for (_, turn) in NOTED.lock().iter_mut().filter(|(other, _)| *other == rcvid) {
        if let Turn::Open { bound, .. } = turn {
            *bound = Some(Arc::clone(binding));
        }
    }
}

/// Whether the server's own reply to a client needs translation: then this is it.
///
/// # Errors
/// As `MsgReply`.
pub(crate) fn by_hand(
    rcvid: c_int,
    status: i64,
    message: u64,
    parts: i64,
) -> Option<Result<i64, Errno>> {
    let_go(rcvid);
    let turn = recall(rcvid)?;
    let data = gather(message, parts);
    Some(turn.translate(rcvid, status, data).and_then(|(status, data)| send(rcvid, status, &data)))
}

/// The bytes of a buffer or of parts.
fn gather(message: u64, parts: i64) -> Vec<u8> {
    let address = |at: u64| core::ptr::with_exposed_provenance::<u8>(at as usize);
    if parts <= 0 {
        return Vec::from(bytes(address(message), parts.unsigned_abs() as usize));
    }
    let first = address(message).cast::<core::cell::Cell<Iov>>();
    let mut data = Vec::new();
    for part in crate::memory::slice(first, parts.unsigned_abs() as usize) {
        let Iov { base, length } = part.get();
        data.extend_from_slice(bytes(address(base), length as usize));
    }
    data
}

/// Sends a reply as it is.
///
/// # Errors
/// ESRCH: the client waits no more.
pub(crate) fn send(rcvid: c_int, status: i64, data: &[u8]) -> Result<i64, Errno> {
    let parts = kernel::flat(data.len())?;
    let message = kernel::address_of(data);
    call(Call::MsgReply { rcvid: receive::rcvid(rcvid)?, status, message, parts })
}

/// Answers a context's client with an error.
pub(crate) fn error(context: &Context, errno: Errno) {
    Reply::Error(u32::from(errno.number())).send(context);
}

/// Answers a context's client with a status and bytes of this system's.
pub(crate) fn done(context: &Context, status: i64, data: &[u8]) {
    forget(context.rcvid.get());
    // Who has gone needs no answer.
    let _gone = send(context.rcvid.get(), status, data);
}

impl Reply {
    /// What a handler's return value asks for; `default` is the library's own answer.
    pub(crate) fn of(context: &Context, value: c_int, default: Errno) -> Self {
        match value {
            returned::NOREPLY => Self::None,
            returned::DEFAULT => Self::Error(u32::from(default.number())),
            1.. => Self::Error(value.cast_unsigned()),
            _ => Self::translated(context, value.unsigned_abs() as usize),
        }
    }

    fn translated(context: &Context, parts: usize) -> Self {
        let status = context.status.get();
        match recall(context.rcvid.get()) {
            None => Self::Parts(status, parts),
            Some(turn) => {
                let data = gather_parts(context, parts);
                match turn.translate(context.rcvid.get(), status, data) {
                    Ok((status, data)) => Self::Bytes(status, data),
                    Err(errno) => Self::Error(u32::from(errno.number())),
                }
            }
        }
    }

    /// The same, independent of memory of the server's that it may change now.
    pub(crate) fn kept(self, context: &Context) -> Self {
        match self {
            Self::Parts(status, parts) if parts > 0 => {
                Self::Bytes(status, gather_parts(context, parts))
            }
            other @ (Self::None | Self::Error(_) | Self::Parts(..) | Self::Bytes(..)) => other,
        }
    }

    /// Sends it. A client that has gone needs none.
    pub(crate) fn send(self, context: &Context) {
        let id = context.rcvid.get();
        let Ok(rcvid) = receive::rcvid(id) else { return };
        let _gone = match self {
            Self::None => {
                keep(context);
                Ok(0)
            }
            Self::Error(errno) => {
                forget(id);
                call(Call::MsgError { rcvid, errno })
            }
            Self::Parts(status, parts) => {
                let message = kernel::address_of(&context.iov);
                call(Call::MsgReply { rcvid, status, message, parts: parts as i64 })
            }
            Self::Bytes(status, data) => send(id, status, &data),
        };
    }
}

/// The bytes of a context's parts.
pub(crate) fn gather_parts(context: &Context, parts: usize) -> Vec<u8> {
    let count = context.parts(parts).len();
    if count == 0 {
        return Vec::new();
    }
    gather(kernel::address_of(&context.iov), count as i64)
}

impl Turn {
    /// The reply on the wire.
    ///
    /// # Errors
    /// Of an open: ENXIO if nothing was bound, and as `MsgGrant`.
    fn translate(self, rcvid: c_int, status: i64, data: Vec<u8>) -> Result<(i64, Vec<u8>), Errno> {
        Ok(match self {
            Self::Plain => (status, data),
            Self::Open { from, .. } if status & number::RET_LINK != 0 => redirect(&from, &data),
            Self::Open { bound, .. } => {
                let coid = bound.ok_or(Errno::ENXIO)?.grant(rcvid)?;
                (0, Vec::from(ConnectReply { coid, ..ConnectReply::default() }.as_bytes()))
            }
            Self::Named { from } if status & number::RET_LINK != 0 => redirect(&from, &data),
            Self::Named { .. } => connected(&[]),
            Self::Link => connected(linked(&data)),
            Self::Lseek => {
                let offset = i64::read_from_prefix(&data).map_or(status, |(offset, _)| offset);
                (offset, Vec::new())
            }
            Self::Devctl { reply_max } => {
                let Ok((head, rest)) = DevctlReply::read_from_prefix(&data) else {
                    return Ok((status, Vec::new()));
                };
                let rest = rest.get(..rest.len().min(reply_max as usize)).unwrap_or_default();
                (i64::from(head.ret_val), Vec::from(rest))
            }
            Self::Lock(asked) => {
                let Ok((reply, _)) = LockReply::read_from_prefix(&data) else {
                    return Ok((status, Vec::new()));
                };
                let told = io_msg::io::Lock {
                    lock_type: reply.flock.l_type.cast_unsigned(),
                    whence: reply.flock.l_whence.cast_unsigned(),
                    start: reply.flock.l_start,
                    length: reply.flock.l_len,
                    pid: reply.flock.l_pid.cast_unsigned(),
                    ..asked
                };
                (0, Vec::from(told.as_bytes()))
            }
            Self::Fdinfo => {
                let path = data.get(size_of::<Fdinfo>()..).unwrap_or_default();
                let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
                (path.len() as i64, Vec::from(path))
            }
            Self::Readdir { room } => {
                let sent = data.get(..(status.max(0) as usize).min(data.len())).unwrap_or_default();
                let records = directory::translate(sent, room);
                (records.len() as i64, records)
            }
        })
    }
}

/// The reply to a message with a path, with data.
pub(crate) fn connected(data: &[u8]) -> (i64, Vec<u8>) {
    let head = ConnectReply { data_length: data.len() as u32, ..ConnectReply::default() };
    (0, [head.as_bytes(), data].concat())
}

/// The path behind a link reply.
fn linked(data: &[u8]) -> &[u8] {
    let Ok((head, path)) = LinkReply::read_from_prefix(data) else { return &[] };
    let path = path.get(..path.len().min(usize::from(head.path_len))).unwrap_or(path);
    path.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Sends the client elsewhere: to the path of a link reply, which counts from `from` if it is
/// relative.
fn redirect(from: &[u8], data: &[u8]) -> (i64, Vec<u8>) {
    let path = linked(data);
    let path = if path.first() == Some(&b'/') {
        Vec::from(path)
    } else {
        let up = from.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        [from.get(..up).unwrap_or_default(), b"/", path].concat()
    };
    elsewhere(&path)
}

/// The reply that sends the client elsewhere.
pub(crate) fn elsewhere(path: &[u8]) -> (i64, Vec<u8>) {
    let data_length = path.len() as u32;
    let head = ConnectReply { result: RESULT_REDIRECT, data_length, ..ConnectReply::default() };
    (0, [head.as_bytes(), path].concat())
}
