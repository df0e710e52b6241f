//! Paths: which server a path leads to, and messages with a path.
//!
//! An absolute path is resolved by the process manager to a mount connection and the length of the
//! prefix it covers; a relative one goes to the connection of the directory it counts from. A
//! server answers with a redirect where its part of the name space ends.
//!
//! `/proc/self/fd/N`, `/dev/fd/N`, `/dev/std*` and `/proc/self/cwd` name what the caller has open,
//! which only the caller can reach; [`parse_own`] knows them.

use crate::block::{PathBuffer, Scratch, index, int, low};
use crate::copy;
use crate::dispatch::Caller;
use crate::sys::{self, Errno, Outcome, Short, part, room, user};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::connect::{Connect, ConnectReply, PATH_MAX, REDIRECTS_MAX, RESULT_REDIRECT, subtype};
use io_msg::io::Simple;
use io_msg::kind;
use io_msg::proc::{PathResolve, PathResolveReply};
use neutrino_abi::handle::{COF_CLOEXEC, SIDE_CHANNEL, SYSMGR_COID};
use neutrino_abi::message::{Iov, SendExtra, WORDS_BYTES};
use zerocopy::{FromBytes, IntoBytes};

/// What a relative path counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// The current directory.
    Cwd,
    /// A directory that is open, by a number from the program.
    Descriptor(u32),
    /// A directory that the shim opened for itself.
    Own(u32),
}

/// What a walk comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// A server did it.
    Reply(ConnectReply),
    /// The path names a descriptor of the caller; nothing was done.
    Descriptor(u32),
}

/// A message with a path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Request {
    /// What to do; the lengths are filled in.
    pub(crate) connect: Connect,
    /// Data behind the path.
    pub(crate) extra: Option<Iov>,
    /// How many descriptors the reply gives, from which number on, with which flags.
    pub(crate) accept: SendExtra,
}

/// A request of a subtype, with a mode and `FLAG_*` bits.
pub(crate) fn request(subtype: u16, mode: u32, flags: u32) -> Request {
    let connect = Connect { kind: kind::IO_CONNECT, subtype, mode, flags, ..Connect::default() };
    Request { connect, ..Request::default() }
}

/// What a descriptor argument of an `…at` call means; a bad one counts only if the path is relative.
pub(crate) const fn base(raw: u64) -> Base {
    if int(raw) == linux_raw_sys::general::AT_FDCWD {
        Base::Cwd
    } else {
        Base::Descriptor(low(raw))
    }
}

impl Base {
    /// Its connection.
    ///
    /// # Errors
    /// EBADF: no descriptor has this number.
    pub(crate) fn coid(self, caller: &Caller<'_>) -> Result<u32, Errno> {
        match self {
            Self::Cwd => Ok(caller.process.cwd.load(Relaxed)),
            Self::Descriptor(number) => descriptor(u64::from(number)),
            Self::Own(coid) => Ok(coid),
        }
    }
}

/// A descriptor argument; whether it is open is the kernel's to say.
///
/// # Errors
/// EBADF: no descriptor has this number.
pub(crate) const fn descriptor(raw: u64) -> Result<u32, Errno> {
    let number = low(raw);
    if number < SIDE_CHANNEL { Ok(number) } else { Err(Errno::EBADF) }
}

/// Reads a path of the program's into buffer `which`.
///
/// # Errors
/// EFAULT, ENAMETOOLONG. ENOENT: it is empty.
pub(crate) fn load(scratch: &mut Scratch, which: usize, from: u64) -> Result<(), Errno> {
    let buffer = &mut scratch.paths[which];
    buffer.length = copy::read_string(from, &mut buffer.bytes)?;
    squeeze(buffer);
    if buffer.length == 0 { Err(Errno::ENOENT) } else { Ok(()) }
}

/// As [`load`], but an empty path is fine (`AT_EMPTY_PATH`); a null pointer is one.
///
/// # Errors
/// EFAULT, ENAMETOOLONG.
pub(crate) fn load_or_empty(scratch: &mut Scratch, from: u64) -> Result<bool, Errno> {
    if from == 0 {
        scratch.paths[0].length = 0;
        return Ok(true);
    }
    match load(scratch, 0, from) {
        Err(Errno::ENOENT) => Ok(true),
        other => other.map(|()| false),
    }
}

/// Whether there are two slashes in a row, eight bytes at a time; wrongly in rare cases.
fn may_have_double_slash(path: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let (words, rest) = path.as_chunks();
    let mut ended_with_slash = false;
    for word in words {
        let differs = u64::from_le_bytes(*word) ^ (ONES * b'/' as u64);
        let slashes = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        if slashes & (slashes << 8) != 0 || ended_with_slash && slashes & 0x80 != 0 {
            return true;
        }
        ended_with_slash = slashes >> 63 != 0;
    }
    let joined = ended_with_slash && rest.first() == Some(&b'/');
    joined || rest.windows(2).any(|pair| pair == b"//")
}

/// Makes one slash of several.
fn squeeze(path: &mut PathBuffer) {
    if !may_have_double_slash(path.get()) {
        return;
    }
    let mut to = 0;
    for from in 0..path.length {
        let byte = path.bytes[from];
        if byte == b'/' && to > 0 && path.bytes[to - 1] == b'/' {
            continue;
        }
        path.bytes[to] = byte;
        to += 1;
    }
    path.length = to;
}

/// What of the caller's a path names, and what of the path follows it.
pub(crate) fn parse_own(path: &[u8], pid: u32) -> Option<(Base, &[u8])> {
    // Most paths are others.
    if !path.starts_with(b"/dev/") && !path.starts_with(b"/proc/") {
        return None;
    }
    for (name, number) in [(&b"/dev/stdin"[..], 0), (b"/dev/stdout", 1), (b"/dev/stderr", 2)] {
        if path == name {
            return Some((Base::Descriptor(number), b""));
        }
    }
    let own = path.strip_prefix(b"/proc/self/").or_else(|| own_folder(path, pid));
    let (found, rest) = match own.and_then(|own| own.strip_prefix(b"cwd")) {
        Some(rest) => (Base::Cwd, rest),
        None => {
            let numbers = path.strip_prefix(b"/dev/fd/");
            let (number, rest) = parse_number(numbers.or_else(|| own?.strip_prefix(b"fd/"))?)?;
            (Base::Descriptor(number), rest)
        }
    };
    match rest {
        [] => Some((found, rest)),
        [b'/', rest @ ..] => Some((found, rest)),
        _ => None,
    }
}

/// What follows `/proc/PID/`.
fn own_folder(path: &[u8], pid: u32) -> Option<&[u8]> {
    let (number, rest) = parse_number(path.strip_prefix(b"/proc/")?)?;
    if number == pid { rest.strip_prefix(b"/") } else { None }
}

/// A decimal number at the start, and what follows.
fn parse_number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits)?;
    let value = number.iter().try_fold(0_u32, |value, digit| {
        value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))
    })?;
    if digits == 0 || value >= SIDE_CHANNEL { None } else { Some((value, rest)) }
}

/// Where a path is sent to: a connection, how much of the path it knows already, and whether the
/// connection is to be closed afterwards.
#[derive(Clone, Copy, Debug)]
struct Target {
    coid: u32,
    covered: usize,
    hold: Hold,
}

/// Whose a connection is.
#[derive(Clone, Copy, Debug)]
enum Hold {
    /// Somebody's who keeps it.
    Lent,
    /// The holder's, to be closed afterwards; it leads to this attachment.
    Own(u32),
}

impl Target {
    fn close(self) {
        match self.hold {
            Hold::Own(_) => {
                let _closed = sys::detach(self.coid);
            }
            Hold::Lent => {}
        }
    }

    const fn attach(self) -> Option<u32> {
        match self.hold {
            Hold::Own(attach) => Some(attach),
            Hold::Lent => None,
        }
    }
}

/// Who serves an absolute path, from memory if it can be.
fn lookup(caller: &Caller<'_>, path: &[u8]) -> Result<Target, Errno> {
    let mounts = &caller.thread.mounts;
    if let Some((coid, covered)) = mounts.find(path) {
        return Ok(Target { coid, covered, hold: Hold::Lent });
    }
    let answer = ask(caller, path)?;
    let target = target_of(path, &answer);
    Ok(if mounts.keep(path, &answer) { Target { hold: Hold::Lent, ..target } } else { target })
}

fn target_of(path: &[u8], answer: &PathResolveReply) -> Target {
    let covered = (answer.prefix_length as usize).min(path.len());
    Target { coid: answer.coid, covered, hold: Hold::Own(answer.attach) }
}

/// Asks the process manager who serves an absolute path.
fn resolve(caller: &Caller<'_>, path: &[u8]) -> Result<Target, Errno> {
    ask(caller, path).map(|answer| target_of(path, &answer))
}

fn ask(caller: &Caller<'_>, path: &[u8]) -> Result<PathResolveReply, Errno> {
    let message = PathResolve {
        kind: kind::PATH_RESOLVE,
        path_length: low(path.len() as u64),
        ..PathResolve::default()
    };
    let mut reply = PathResolveReply::default();
    let extra = SendExtra {
        accepted_count: 1,
        accepted_minimum: SIDE_CHANNEL,
        accepted_flags: COF_CLOEXEC,
        ..SendExtra::default()
    };
    caller.send(SYSMGR_COID, &[part(&message), part(path)], &[room(&mut reply)], Some(&extra))?;
    Ok(reply)
}

fn target(caller: &Caller<'_>, from: Base, path: &[u8]) -> Result<Target, Errno> {
    match (path.first(), from) {
        (Some(b'/'), _) => lookup(caller, path),
        (_, from) => Ok(Target { coid: from.coid(caller)?, covered: 0, hold: Hold::Lent }),
    }
}

/// Sends a request with the path in buffer 0 to whoever serves it. The reply's data is left in
/// `Scratch::reply`.
///
/// # Errors
/// ELOOP: too many redirects. What the servers answer.
pub(crate) fn walk(caller: &mut Caller<'_>, from: Base, request: &Request) -> Result<Found, Errno> {
    let mut from = from;
    for _ in 0..=REDIRECTS_MAX {
        let pid = caller.process.pid.load(Relaxed);
        if let Some((own, rest)) = parse_own(caller.scratch.paths[0].get(), pid) {
            if rest.is_empty() && !wants_link(request) {
                let coid = own.coid(caller)?;
                sys::connect_flags(coid, 0, 0).map_err(|_| Errno::ENOENT)?;
                return Ok(Found::Descriptor(coid));
            }
            if !rest.is_empty() {
                let start = caller.scratch.paths[0].length - rest.len();
                let end = caller.scratch.paths[0].length;
                caller.scratch.paths[0].bytes.copy_within(start..end, 0);
                caller.scratch.paths[0].length = end - start;
                from = own;
            }
        }
        let place = target(caller, from, caller.scratch.paths[0].get())?;
        let outcome = exchange(caller, place, request);
        place.close();
        let reply = outcome?;
        if reply.result != RESULT_REDIRECT {
            return Ok(Found::Reply(reply));
        }
        take_redirect(caller, 0, &reply)?;
    }
    Err(Errno::ELOOP)
}

/// A request about the name itself, not about what it leads to.
fn wants_link(request: &Request) -> bool {
    match request.connect.subtype {
        subtype::READLINK
        | subtype::UNLINK
        | subtype::SYMLINK
        | subtype::LINK
        | subtype::RENAME => true,
        _ => request.connect.flags & io_msg::connect::FLAG_NOFOLLOW != 0,
    }
}

/// Sends the request, with the path from `place.covered` on.
fn exchange(
    caller: &mut Caller<'_>,
    place: Target,
    request: &Request,
) -> Result<ConnectReply, Errno> {
    let reply = caller.scratch.answer_room();
    let Scratch { paths, message: whole, .. } = &mut *caller.scratch;
    let path = &paths[0].get()[place.covered..];
    let extra = request.extra.unwrap_or_else(|| user(0, 0));
    let connect = Connect {
        path_length: low(path.len() as u64),
        extra_length: low(extra.length),
        ..request.connect
    };
    let length = size_of::<Connect>() + path.len();
    let (head, rest) = whole.split_at_mut(size_of::<Connect>());
    head.copy_from_slice(connect.as_bytes());
    rest[..path.len()].copy_from_slice(path);
    let accept = (request.accept.accepted_count > 0).then_some(&request.accept);
    if let (None, 0, true) = (accept, extra.length, length <= index(WORDS_BYTES)) {
        let message = Short::of_bytes(&whole[..length]);
        caller.send_short(place.coid, &message, reply)?;
    } else if extra.length == 0 {
        let whole = part(&whole[..length]);
        caller.send(place.coid, &[whole], &[reply], accept)?;
    } else {
        let whole = part(&whole[..length]);
        caller.send(place.coid, &[whole, extra], &[reply], accept)?;
    }
    ConnectReply::read_from_bytes(&caller.scratch.head).map_err(|_| Errno::EIO)
}

/// Goes on with the path that the reply holds.
fn take_redirect(caller: &mut Caller<'_>, which: usize, reply: &ConnectReply) -> Result<(), Errno> {
    let length = reply.data_length as usize;
    let Scratch { paths, reply, .. } = &mut *caller.scratch;
    let path = reply.get(..length).filter(|_| length < PATH_MAX).ok_or(Errno::ENAMETOOLONG)?;
    paths[which].set(path)?;
    if paths[which].get().first() == Some(&b'/') { Ok(()) } else { Err(Errno::EIO) }
}

/// Sends a request with two paths (`RENAME`, `LINK`), in buffers 0 and 1.
///
/// # Errors
/// EXDEV: they are on different mounts. ELOOP. What the servers answer.
pub(crate) fn walk_two(
    caller: &mut Caller<'_>,
    bases: [Base; 2],
    request: &Request,
) -> Result<ConnectReply, Errno> {
    make_absolute(caller, 0, bases[0])?;
    make_absolute(caller, 1, bases[1])?;
    for _ in 0..=REDIRECTS_MAX {
        let first = resolve(caller, caller.scratch.paths[0].get())?;
        let second = match resolve(caller, caller.scratch.paths[1].get()) {
            Ok(second) => second,
            Err(error) => {
                first.close();
                return Err(error);
            }
        };
        second.close();
        let rest = &caller.scratch.paths[1].get()[second.covered..];
        let both = Request { extra: Some(part(rest)), ..*request };
        let outcome = if first.attach() == second.attach() {
            exchange(caller, first, &both)
        } else {
            Err(Errno::EXDEV)
        };
        first.close();
        let reply = outcome?;
        if reply.result != RESULT_REDIRECT {
            return Ok(reply);
        }
        take_redirect(caller, usize::from(reply.which != 0), &reply)?;
    }
    Err(Errno::ELOOP)
}

/// Puts the path of the directory it counts from before a relative path.
fn make_absolute(caller: &mut Caller<'_>, which: usize, from: Base) -> Result<(), Errno> {
    if caller.scratch.paths[which].get().first() == Some(&b'/') {
        return Ok(());
    }
    let coid = from.coid(caller)?;
    let length = path_of(caller, coid)?;
    let Scratch { paths, reply, .. } = &mut *caller.scratch;
    let path = &mut paths[which];
    let slash = usize::from(length != 1);
    let end = path.length;
    let start = length + slash;
    if start + end >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    path.bytes.copy_within(0..end, start);
    path.bytes[..length].copy_from_slice(&reply[..length]);
    path.bytes[length..start].fill(b'/');
    path.length = start + end;
    Ok(())
}

/// The absolute path of something open, left in `Scratch::reply`; returns its length.
///
/// # Errors
/// EBADF. What the server answers.
pub(crate) fn path_of(caller: &mut Caller<'_>, coid: u32) -> Result<usize, Errno> {
    let message = Simple { kind: kind::IO_FDINFO, ..Simple::default() };
    let reply = room(&mut caller.scratch.reply[..PATH_MAX]);
    let status = caller.send(coid, &[part(&message)], &[reply], None)?;
    let bytes = &caller.scratch.reply[..PATH_MAX];
    let claimed = crate::block::index(status).min(PATH_MAX);
    let length = if claimed > 0 { claimed } else { PATH_MAX };
    Ok(bytes[..length].iter().position(|&byte| byte == 0).unwrap_or(length))
}

/// Sends a message that is its type alone and takes a structure as the reply.
pub(crate) fn simple(caller: &Caller<'_>, coid: u32, kind: u16, reply: Iov) -> Outcome {
    caller.send_short(coid, &Short::of(&Simple { kind, ..Simple::default() }), reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(text: &[u8]) -> PathBuffer {
        let mut path = PathBuffer { length: 0, bytes: [0; PATH_MAX] };
        path.set(text).unwrap();
        path
    }

    #[test]
    fn several_slashes_become_one() {
        let mut path = buffer(b"//usr///bin//");
        squeeze(&mut path);
        assert_eq!(path.get(), b"/usr/bin/");
    }

    #[test]
    fn double_slashes_are_seen_wherever_they_are() {
        for at in 0..30 {
            let mut text = [b'a'; 40];
            text[at..at + 2].fill(b'/');
            assert!(may_have_double_slash(&text[..]), "{at}");
            assert!(may_have_double_slash(&text[..at + 2]), "{at}");
            text[at + 1] = b'b';
            assert!(!may_have_double_slash(&text[..]), "{at}");
        }
    }

    #[test]
    fn paths_of_what_the_caller_has_open_are_known() {
        let fd = |number, rest: &'static [u8]| Some((Base::Descriptor(number), rest));
        assert_eq!(parse_own(b"/dev/stdin", 9), fd(0, b""));
        assert_eq!(parse_own(b"/dev/fd/63", 9), fd(63, b""));
        assert_eq!(parse_own(b"/proc/self/fd/3/etc", 9), fd(3, b"etc"));
        assert_eq!(parse_own(b"/proc/9/fd/4", 9), fd(4, b""));
        assert_eq!(parse_own(b"/proc/self/cwd/x", 9), Some((Base::Cwd, &b"x"[..])));
    }

    #[test]
    fn paths_of_other_things_are_left_to_their_servers() {
        for path in [
            &b"/proc/8/fd/4"[..],
            b"/dev/fd",
            b"/dev/fd/",
            b"/dev/fd/x",
            b"/dev/fd/3x",
            b"/proc/8/cwd",
            b"/proc/self/cwd2",
            b"/proc/self/fd",
        ] {
            assert_eq!(parse_own(path, 9), None, "{path:?}");
        }
    }

    #[test]
    fn a_negative_descriptor_is_none() {
        assert_eq!(descriptor(u64::MAX), Err(Errno::EBADF));
        assert_eq!(base(crate::names::CWD), Base::Cwd);
        assert_eq!(base(0xffff_ff9c), Base::Cwd);
    }
}
