//! What a file is: status, permissions, owner, times, size (POSIX.1-2017, `<sys/stat.h>`).

use crate::block::{Scratch, int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::limit;
use crate::path::{self, Base, Found, Request, descriptor, request};
use crate::sys::{self, Errno, Outcome, part, room, user};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::connect::{FLAG_NOFOLLOW, FLAG_REAL_IDS, subtype};
use io_msg::io::{Chmod, Chown, SPACE_ALLOCATE, SPACE_TRUNCATE, Space, UTIME_NOW, Utime};
use io_msg::kind;
use io_msg::stat::{Stat, Statfs, mode};
use linux_raw_sys::general as linux;
use neutrino_abi::message::Iov;

const NOFOLLOW: u32 = linux::AT_SYMLINK_NOFOLLOW;
const EMPTY_PATH: u32 = linux::AT_EMPTY_PATH;

/// A file by name or descriptor.
#[derive(Clone, Copy, Debug)]
enum File {
    /// The path in buffer 0.
    Named(Base),
    /// An open file.
    Open(u32),
}

/// The file that (directory, path, flags) name.
fn file_at(caller: &mut Caller<'_>, from: u64, name: u64, flags: u32) -> Result<File, Errno> {
    let from = path::base(from);
    if flags & EMPTY_PATH == 0 {
        path::load(caller.scratch, 0, name)?;
        return Ok(File::Named(from));
    }
    let is_empty = path::load_or_empty(caller.scratch, name)?;
    if is_empty { from.coid(caller).map(File::Open) } else { Ok(File::Named(from)) }
}

fn named(caller: &mut Caller<'_>, name: u64) -> Result<File, Errno> {
    path::load(caller.scratch, 0, name)?;
    Ok(File::Named(Base::Cwd))
}

const fn follow(flags: u32) -> u32 {
    if flags & NOFOLLOW != 0 { FLAG_NOFOLLOW } else { 0 }
}

/// Sends the request for a file with a name; returns the descriptor if that is what it names.
fn by_name(caller: &mut Caller<'_>, file: File, request: &Request) -> Result<Option<u32>, Errno> {
    match file {
        File::Open(coid) => Ok(Some(coid)),
        File::Named(from) => match path::walk(caller, from, request)? {
            Found::Reply(_) => Ok(None),
            Found::Descriptor(coid) => Ok(Some(coid)),
        },
    }
}

/// Changes a file: by the request if it has a name, else by the message.
fn change(caller: &mut Caller<'_>, file: File, request: &Request, message: Iov) -> Outcome {
    let Some(coid) = by_name(caller, file, request)? else { return Ok(0) };
    match (caller.send(coid, &[message], &[], None), file) {
        // `/proc/self/fd/N` of a descriptor that is only a place (`O_PATH`): the place is changed.
        (Err(Errno::EBADF), File::Named(_)) => {
            let length = path::path_of(caller, coid)?;
            let Scratch { paths, reply, .. } = &mut *caller.scratch;
            paths[0].set(&reply[..length])?;
            path::walk(caller, Base::Cwd, request).map(|_| 0)
        }
        (outcome, File::Named(_) | File::Open(_)) => outcome.map(|_| 0),
    }
}

/// The status of a file, left in `Scratch::reply`.
fn status(caller: &mut Caller<'_>, file: File, flags: u32) -> Result<[u8; STAT], Errno> {
    let request = request(subtype::STAT, 0, follow(flags));
    let mut bytes = [0; STAT];
    match by_name(caller, file, &request)? {
        Some(coid) => {
            path::simple(caller, coid, kind::IO_STAT, room(&mut bytes))?;
        }
        None => bytes.copy_from_slice(&caller.scratch.reply[..STAT]),
    }
    Ok(bytes)
}
const STAT: usize = size_of::<Stat>();
/// The word of [`statx_words`] where the size starts.
const SIZE_IN_STATX: usize = 10;

/// `stat(path, buffer)`.
pub(crate) fn stat(caller: &mut Caller<'_>, [name, buffer, ..]: Args) -> Outcome {
    let file = named(caller, name)?;
    let bytes = status(caller, file, 0)?;
    copy::write(buffer, &bytes).map(|()| 0)
}

/// `lstat(path, buffer)`.
pub(crate) fn lstat(caller: &mut Caller<'_>, [name, buffer, ..]: Args) -> Outcome {
    let file = named(caller, name)?;
    let bytes = status(caller, file, NOFOLLOW)?;
    copy::write(buffer, &bytes).map(|()| 0)
}

/// `fstat(fd, buffer)`.
pub(crate) fn fstat(caller: &mut Caller<'_>, [fd, buffer, ..]: Args) -> Outcome {
    path::simple(caller, descriptor(fd)?, kind::IO_STAT, user(buffer, STAT as u64)).map(|_| 0)
}

/// `newfstatat(directory, path, buffer, flags)`.
pub(crate) fn newfstatat(
    caller: &mut Caller<'_>,
    [from, name, buffer, flags, ..]: Args,
) -> Outcome {
    let file = file_at(caller, from, name, low(flags))?;
    let bytes = status(caller, file, low(flags))?;
    copy::write(buffer, &bytes).map(|()| 0)
}

/// `statx(directory, path, flags, mask, buffer)`: the basic fields.
pub(crate) fn statx(caller: &mut Caller<'_>, [from, name, flags, _, buffer, _]: Args) -> Outcome {
    let file = file_at(caller, from, name, low(flags))?;
    let bytes = status(caller, file, low(flags))?;
    copy::write(buffer, &statx_words(&bytes)).map(|()| 0)
}

/// `struct statx` from `struct stat`, both as words.
fn statx_words(bytes: &[u8; STAT]) -> [u32; 64] {
    const BASIC: u32 = linux::STATX_BASIC_STATS;
    let word = |at: usize| {
        bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    let [dev, ino, nlink] = [word(0), word(8), word(16)];
    let (mode, uid, gid) = (low(word(24)), low(word(24) >> 32), low(word(32)));
    let [rdev, size, blksize, blocks] = [word(40), word(48), word(56), word(64)];
    let mut words = [0_u32; 64];
    words[..8].copy_from_slice(&[BASIC, low(blksize), 0, 0, low(nlink), uid, gid, mode & 0xffff]);
    let mut put = |at: usize, value: u64| {
        words[at] = low(value);
        words[at + 1] = low(value >> 32);
    };
    put(8, ino);
    put(10, size);
    put(12, blocks);
    for (at, from) in [(16, 72), (24, 104), (28, 88)] {
        put(at, word(from));
        put(at + 2, word(from + 8));
    }
    let device = |number: u64| {
        let major = (number >> 8 & 0xfff) | (number >> 32 & 0xffff_f000);
        let minor = (number & 0xff) | (number >> 12 & 0xffff_ff00);
        low(major).into_u64() | low(minor).into_u64() << 32
    };
    put(32, device(rdev));
    put(34, device(dev));
    words
}

/// Widens without a cast.
trait IntoU64 {
    fn into_u64(self) -> u64;
}

impl IntoU64 for u32 {
    fn into_u64(self) -> u64 {
        u64::from(self)
    }
}

/// `access(path, mode)`.
pub(crate) fn access(caller: &mut Caller<'_>, [name, mode, ..]: Args) -> Outcome {
    let file = named(caller, name)?;
    check_access(caller, file, low(mode), FLAG_REAL_IDS)
}

/// `faccessat(directory, path, mode)`.
pub(crate) fn faccessat(caller: &mut Caller<'_>, [from, name, mode, ..]: Args) -> Outcome {
    let file = file_at(caller, from, name, 0)?;
    check_access(caller, file, low(mode), FLAG_REAL_IDS)
}

/// `faccessat2(directory, path, mode, flags)`.
pub(crate) fn faccessat2(caller: &mut Caller<'_>, [from, name, mode, flags, ..]: Args) -> Outcome {
    let flags = low(flags);
    let file = file_at(caller, from, name, flags)?;
    let ids = if flags & linux::AT_EACCESS != 0 { 0 } else { FLAG_REAL_IDS };
    check_access(caller, file, low(mode), ids | follow(flags))
}

fn check_access(caller: &mut Caller<'_>, file: File, wanted: u32, flags: u32) -> Outcome {
    if wanted & !7 != 0 {
        return Err(Errno::EINVAL);
    }
    let request = request(subtype::ACCESS, wanted, flags);
    let Some(coid) = by_name(caller, file, &request)? else { return Ok(0) };
    let mut status = Stat::default();
    path::simple(caller, coid, kind::IO_STAT, room(&mut status))?;
    let user = caller.process.ids[usize::from(flags & FLAG_REAL_IDS == 0)].load(Relaxed);
    let granted = match user {
        0 => 6 | u32::from(status.mode & 0o111 != 0 || status.mode & mode::IFMT == mode::IFDIR),
        _ if user == status.uid => status.mode >> 6 & 7,
        _ => status.mode & 7,
    };
    if wanted & !granted == 0 { Ok(0) } else { Err(Errno::EACCES) }
}

/// `chmod(path, mode)`.
pub(crate) fn chmod(caller: &mut Caller<'_>, [name, mode, ..]: Args) -> Outcome {
    let file = named(caller, name)?;
    change_mode(caller, file, mode, 0)
}

/// `fchmod(fd, mode)`.
pub(crate) fn fchmod(caller: &mut Caller<'_>, [fd, mode, ..]: Args) -> Outcome {
    change_mode(caller, File::Open(descriptor(fd)?), mode, 0)
}

/// `fchmodat(directory, path, mode)`.
pub(crate) fn fchmodat(caller: &mut Caller<'_>, [from, name, mode, ..]: Args) -> Outcome {
    let file = file_at(caller, from, name, 0)?;
    change_mode(caller, file, mode, 0)
}

/// `fchmodat2(directory, path, mode, flags)`.
pub(crate) fn fchmodat2(caller: &mut Caller<'_>, [from, name, mode, flags, ..]: Args) -> Outcome {
    let file = file_at(caller, from, name, low(flags))?;
    change_mode(caller, file, mode, low(flags))
}

fn change_mode(caller: &mut Caller<'_>, file: File, mode: u64, flags: u32) -> Outcome {
    let mode = low(mode) & 0o7777;
    let request = request(subtype::CHMOD, mode, follow(flags));
    let message = Chmod { kind: kind::IO_CHMOD, subtype: 0, mode };
    change(caller, file, &request, part(&message))
}

/// `chown(path, user, group)`.
pub(crate) fn chown(caller: &mut Caller<'_>, [name, uid, gid, ..]: Args) -> Outcome {
    let file = named(caller, name)?;
    change_owner(caller, file, [uid, gid], 0)
}

/// `lchown(path, user, group)`.
pub(crate) fn lchown(caller: &mut Caller<'_>, [name, uid, gid, ..]: Args) -> Outcome {
    let file = named(caller, name)?;
    change_owner(caller, file, [uid, gid], NOFOLLOW)
}

/// `fchown(fd, user, group)`.
pub(crate) fn fchown(caller: &mut Caller<'_>, [fd, uid, gid, ..]: Args) -> Outcome {
    change_owner(caller, File::Open(descriptor(fd)?), [uid, gid], 0)
}

/// `fchownat(directory, path, user, group, flags)`.
pub(crate) fn fchownat(caller: &mut Caller<'_>, [from, name, uid, gid, flags, _]: Args) -> Outcome {
    let file = file_at(caller, from, name, low(flags))?;
    change_owner(caller, file, [uid, gid], low(flags))
}

fn change_owner(caller: &mut Caller<'_>, file: File, ids: [u64; 2], flags: u32) -> Outcome {
    let [uid, gid] = ids.map(low);
    let message = Chown { kind: kind::IO_CHOWN, subtype: 0, uid, gid };
    let request =
        Request { extra: Some(part(&message)), ..request(subtype::CHOWN, 0, follow(flags)) };
    change(caller, file, &request, part(&message))
}

/// `utimensat(directory, path, times, flags)`.
pub(crate) fn utimensat(caller: &mut Caller<'_>, [from, name, times, flags, ..]: Args) -> Outcome {
    let file = if name == 0 {
        File::Open(descriptor(from)?)
    } else {
        file_at(caller, from, name, low(flags))?
    };
    let times: [i64; 4] = if times == 0 { NOW } else { copy::read(times)? };
    change_times(caller, file, times, low(flags))
}
const NOW: [i64; 4] = [0, UTIME_NOW, 0, UTIME_NOW];

/// `utime(path, times)`: seconds.
pub(crate) fn utime(caller: &mut Caller<'_>, [name, times, ..]: Args) -> Outcome {
    let file = named(caller, name)?;
    let times = if times == 0 {
        NOW
    } else {
        let [access, modification]: [i64; 2] = copy::read(times)?;
        [access, 0, modification, 0]
    };
    change_times(caller, file, times, 0)
}

/// `utimes(path, times)`: microseconds.
pub(crate) fn utimes(caller: &mut Caller<'_>, [name, times, ..]: Args) -> Outcome {
    futimesat(caller, [crate::names::CWD, name, times, 0, 0, 0])
}

/// `futimesat(directory, path, times)`.
pub(crate) fn futimesat(caller: &mut Caller<'_>, [from, name, times, ..]: Args) -> Outcome {
    let file = file_at(caller, from, name, 0)?;
    let mut list = NOW;
    if times != 0 {
        list = copy::read(times)?;
        for micro in [1, 3] {
            if !(0..1_000_000).contains(&list[micro]) {
                return Err(Errno::EINVAL);
            }
            list[micro] *= 1000;
        }
    }
    change_times(caller, file, list, 0)
}

fn change_times(caller: &mut Caller<'_>, file: File, times: [i64; 4], flags: u32) -> Outcome {
    const LAST: i64 = 999_999_999;
    let [access_s, access_ns, modification_s, modification_ns] = times;
    for nanoseconds in [access_ns, modification_ns] {
        let is_special = matches!(nanoseconds, UTIME_NOW | io_msg::io::UTIME_OMIT);
        if !is_special && !(0..=LAST).contains(&nanoseconds) {
            return Err(Errno::EINVAL);
        }
    }
    let message = Utime {
        kind: kind::IO_UTIME,
        atime: [access_s, access_ns],
        mtime: [modification_s, modification_ns],
        ..Utime::default()
    };
    let request =
        Request { extra: Some(part(&message)), ..request(subtype::UTIME, 0, follow(flags)) };
    change(caller, file, &request, part(&message))
}

/// `truncate(path, length)`.
pub(crate) fn truncate(caller: &mut Caller<'_>, [name, length, ..]: Args) -> Outcome {
    let length = size_argument(length)?;
    if caller.process.file_limit.load(Relaxed) != limit::INFINITY {
        let file = named(caller, name)?;
        let words = statx_words(&status(caller, file, 0)?);
        let [low, high] = [SIZE_IN_STATX, SIZE_IN_STATX + 1].map(|word| u64::from(words[word]));
        limit::resizable(caller, length, high << 32 | low)?;
    }
    let file = named(caller, name)?;
    change_size(caller, file, SPACE_TRUNCATE, [0, length])
}

/// `ftruncate(fd, length)`.
pub(crate) fn ftruncate(caller: &mut Caller<'_>, [fd, length, ..]: Args) -> Outcome {
    let coid = descriptor(fd)?;
    let length = size_argument(length)?;
    check_size(caller, coid, length)?;
    change_size(caller, File::Open(coid), SPACE_TRUNCATE, [0, length])
}

/// A file's new size, which counts as signed.
const fn size_argument(length: u64) -> Result<u64, Errno> {
    if length.cast_signed() < 0 { Err(Errno::EINVAL) } else { Ok(length) }
}

/// `fallocate(fd, mode, offset, length)`: mode 0 only.
pub(crate) fn fallocate(caller: &mut Caller<'_>, [fd, mode, offset, length, ..]: Args) -> Outcome {
    let coid = descriptor(fd)?;
    if low(mode) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if length == 0 {
        return Err(Errno::EINVAL);
    }
    check_size(caller, coid, offset.saturating_add(length))?;
    change_size(caller, File::Open(coid), SPACE_ALLOCATE, [offset, length])
}

/// Holds a new size of an open file against `RLIMIT_FSIZE`.
fn check_size(caller: &Caller<'_>, coid: u32, size: u64) -> Result<(), Errno> {
    if caller.process.file_limit.load(Relaxed) == limit::INFINITY {
        return Ok(());
    }
    match limit::size_of_file(caller, coid) {
        Some(now) => limit::resizable(caller, size, now),
        None => Ok(()),
    }
}

fn change_size(
    caller: &mut Caller<'_>,
    file: File,
    operation: u16,
    [offset, size]: [u64; 2],
) -> Outcome {
    if offset.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let message = Space { kind: kind::IO_SPACE, operation, zero: 0, offset, size };
    let request = Request { extra: Some(part(&message)), ..request(subtype::TRUNCATE, 0, 0) };
    change(caller, file, &request, part(&message))
}

/// `statfs(path, buffer)`.
pub(crate) fn statfs(caller: &mut Caller<'_>, [name, buffer, ..]: Args) -> Outcome {
    const LENGTH: usize = size_of::<Statfs>();
    let file = named(caller, name)?;
    if let Some(coid) = by_name(caller, file, &request(subtype::STATVFS, 0, 0))? {
        return fstatfs(caller, [u64::from(coid), buffer, 0, 0, 0, 0]);
    }
    copy::write_slice(buffer, &caller.scratch.reply[..LENGTH]).map(|()| 0)
}

/// `fstatfs(fd, buffer)`.
pub(crate) fn fstatfs(caller: &mut Caller<'_>, [fd, buffer, ..]: Args) -> Outcome {
    let reply = user(buffer, size_of::<Statfs>() as u64);
    path::simple(caller, descriptor(fd)?, kind::IO_STATVFS, reply).map(|_| 0)
}

/// `fsync(fd)`, `fdatasync(fd)`, `syncfs(fd)`.
pub(crate) fn fsync(caller: &mut Caller<'_>, [fd, ..]: Args) -> Outcome {
    path::simple(caller, descriptor(fd)?, kind::IO_SYNC, user(0, 0)).map(|_| 0)
}

/// `sync()`: nothing of this process waits to be written; block drivers write at once.
pub(crate) fn sync(_: &mut Caller<'_>, _: Args) -> Outcome {
    Ok(0)
}

/// `fadvise64`, `readahead`, `sync_file_range`: the descriptor is checked, the advice not needed.
pub(crate) fn fadvise(_: &mut Caller<'_>, [fd, _, _, advice, ..]: Args) -> Outcome {
    sys::connect_flags(descriptor(fd)?, 0, 0)?;
    if int(advice) > 5 { Err(Errno::EINVAL) } else { Ok(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statx_shows_what_stat_shows() {
        let mut bytes = [0_u8; STAT];
        bytes[0..8].copy_from_slice(&0x803_u64.to_le_bytes());
        bytes[8..16].copy_from_slice(&77_u64.to_le_bytes());
        bytes[24..28].copy_from_slice(&0o100_644_u32.to_le_bytes());
        bytes[48..56].copy_from_slice(&4096_u64.to_le_bytes());
        bytes[88..96].copy_from_slice(&1_700_000_000_u64.to_le_bytes());
        let words = statx_words(&bytes);
        assert_eq!(words[7], 0o100_644);
        assert_eq!(words[8], 77);
        assert_eq!(words[SIZE_IN_STATX], 4096);
        assert_eq!(words[28], 1_700_000_000);
        assert_eq!((words[34], words[35]), (8, 3));
    }
}
