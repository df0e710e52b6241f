//! Reading, writing and file offsets. The data goes between server and program in one copy: the
//! program's buffers are parts of the message.

use crate::block::{index, int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::limit;
use crate::path::{self, descriptor};
use crate::signalfd;
use crate::sys::{self, Errno, Outcome, Short, part, room, user};
use io_msg::io::{Lseek, Transfer, XTYPE_NONE, XTYPE_OFFSET, XTYPE_READDIR};
use io_msg::kind;
use io_msg::special::READ_YOUR_SIGNALS;
use io_msg::stat::{Stat, mode};
use neutrino_abi::memory::USER_END;
use neutrino_abi::message::{Iov, PARTS_MAX, WORDS_BYTES};
use neutrino_abi::signal::{SignalInfo, number::SIGPIPE};
use zerocopy::IntoBytes;

/// Most bytes of one call (Linux: `MAX_RW_COUNT`).
const BYTES_MAX: u64 = 0x7fff_f000;

/// Where in the file a transfer starts.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// At the file offset, which follows.
    Here,
    /// At this offset.
    At(u64),
}

impl Start {
    /// An offset argument.
    const fn at(offset: u64) -> Result<Self, Errno> {
        if offset.cast_signed() < 0 { Err(Errno::EINVAL) } else { Ok(Self::At(offset)) }
    }

    /// The offset, if it is not the file's own.
    const fn offset(self) -> Option<u64> {
        match self {
            Self::Here => None,
            Self::At(offset) => Some(offset),
        }
    }

    const fn header(self, kind: u16, nbytes: u64) -> Transfer {
        let (xtype, offset) = match self {
            Self::Here => (XTYPE_NONE, 0),
            Self::At(offset) => (XTYPE_OFFSET, offset),
        };
        Transfer { kind, xtype, zero: 0, nbytes, offset }
    }
}

/// `read(fd, buffer, count)`.
pub(crate) fn read(caller: &mut Caller<'_>, [fd, buffer, count, ..]: Args) -> Outcome {
    match read_buffer(caller, fd, buffer, count, Start::Here) {
        Err(READ_YOUR_SIGNALS) => signalfd::read(caller, fd, buffer, count),
        other => other,
    }
}

/// `pread64(fd, buffer, count, offset)`.
pub(crate) fn pread64(caller: &mut Caller<'_>, [fd, buffer, count, offset, ..]: Args) -> Outcome {
    read_buffer(caller, fd, buffer, count, Start::at(offset)?)
}

fn read_buffer(caller: &Caller<'_>, fd: u64, buffer: u64, count: u64, start: Start) -> Outcome {
    let count = check(buffer, count)?;
    probe(buffer, count)?;
    let header = start.header(kind::IO_READ, count);
    caller.send_short(descriptor(fd)?, &Short::of(&header), user(buffer, count))
}

/// `write(fd, buffer, count)`.
pub(crate) fn write(caller: &mut Caller<'_>, [fd, buffer, count, ..]: Args) -> Outcome {
    write_buffer(caller, fd, buffer, count, Start::Here)
}

/// `pwrite64(fd, buffer, count, offset)`.
pub(crate) fn pwrite64(caller: &mut Caller<'_>, [fd, buffer, count, offset, ..]: Args) -> Outcome {
    write_buffer(caller, fd, buffer, count, Start::at(offset)?)
}

/// The bytes that one call moves; a buffer beyond user space is refused before anything is.
///
/// # Errors
/// EFAULT.
pub(crate) fn check(buffer: u64, count: u64) -> Result<u64, Errno> {
    match buffer.checked_add(count) {
        Some(end) if end <= USER_END => Ok(count.min(BYTES_MAX)),
        Some(_) | None => Err(Errno::EFAULT),
    }
}

/// Refuses a buffer that cannot be written before a server takes data out of a pipe or terminal
/// for it.
///
/// # Errors
/// EFAULT.
pub(crate) fn probe(buffer: u64, count: u64) -> Result<(), Errno> {
    if count == 0 { Ok(()) } else { copy::probe(buffer) }
}

/// Bytes of data that a write in registers has room for, behind its header.
const SHORT_MAX: u64 = WORDS_BYTES - size_of::<Transfer>() as u64;
/// Most bytes that are put behind the header first: the kernel takes one piece of memory faster than
/// two, by more than it costs to copy this much.
const JOINED_MAX: u64 = 4096;

fn write_buffer(
    caller: &mut Caller<'_>,
    fd: u64,
    buffer: u64,
    count: u64,
    start: Start,
) -> Outcome {
    let coid = descriptor(fd)?;
    let count = limit::writable(caller, coid, start.offset(), check(buffer, count)?)?;
    let header = start.header(kind::IO_WRITE, count);
    let outcome = if count <= SHORT_MAX {
        let mut message = Short::of(&header);
        copy::read_words(buffer, &mut message.words[HEADER_WORDS..], count)?;
        message.length += count;
        caller.send_short(coid, &message, user(0, 0))
    } else if count <= JOINED_MAX {
        let joined = join(&mut caller.scratch.reply, &header, buffer, count)?;
        caller.send(coid, &[joined], &[], None)
    } else {
        caller.send(coid, &[part(&header), user(buffer, count)], &[], None)
    };
    raise_broken_pipe(caller, outcome)
}

/// Words of a header.
const HEADER_WORDS: usize = size_of::<Transfer>() / 8;

/// Puts header and data into one piece.
fn join(place: &mut [u8], header: &Transfer, buffer: u64, count: u64) -> Result<Iov, Errno> {
    const HEADER: usize = size_of::<Transfer>();
    let whole = place.get_mut(..HEADER + index(count)).ok_or(Errno::EFAULT)?;
    let (head, data) = whole.split_at_mut(HEADER);
    head.copy_from_slice(header.as_bytes());
    copy::read_slice(buffer, data)?;
    Ok(part(whole))
}

/// A write that nobody will read raises SIGPIPE in the thread that made it.
///
/// # Errors
/// Those of `outcome`.
pub(crate) fn raise_broken_pipe(caller: &Caller<'_>, outcome: Outcome) -> Outcome {
    if outcome == Err(Errno::EPIPE) {
        let pid = caller.process.pid.load(core::sync::atomic::Ordering::Relaxed);
        let info = SignalInfo { number: SIGPIPE, pid, ..SignalInfo::default() };
        let _sent = sys::signal_self(caller.tid(), &info);
    }
    outcome
}

/// `readv(fd, parts, count)`.
pub(crate) fn readv(caller: &mut Caller<'_>, [fd, parts, count, ..]: Args) -> Outcome {
    read_parts(caller, fd, parts, count, Start::Here)
}

/// `preadv(fd, parts, count, offset)`.
pub(crate) fn preadv(caller: &mut Caller<'_>, [fd, parts, count, offset, ..]: Args) -> Outcome {
    read_parts(caller, fd, parts, count, Start::at(offset)?)
}

/// `preadv2(fd, parts, count, offset, _, flags)`.
pub(crate) fn preadv2(
    caller: &mut Caller<'_>,
    [fd, parts, count, offset, _, flags]: Args,
) -> Outcome {
    read_parts(caller, fd, parts, count, second_version(offset, flags)?)
}

fn second_version(offset: u64, flags: u64) -> Result<Start, Errno> {
    match (flags, offset) {
        (0, u64::MAX) => Ok(Start::Here),
        (0, _) => Start::at(offset),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

fn read_parts(caller: &mut Caller<'_>, fd: u64, parts: u64, count: u64, start: Start) -> Outcome {
    let coid = descriptor(fd)?;
    let (count, bytes) = load_parts(caller, parts, count, 0)?;
    for part in &caller.scratch.parts[..count] {
        probe(part.base, part.length)?;
    }
    let header = start.header(kind::IO_READ, bytes);
    caller.send(coid, &[part(&header)], &caller.scratch.parts[..count], None)
}

/// `writev(fd, parts, count)`.
pub(crate) fn writev(caller: &mut Caller<'_>, [fd, parts, count, ..]: Args) -> Outcome {
    write_parts(caller, fd, parts, count, Start::Here)
}

/// `pwritev(fd, parts, count, offset)`.
pub(crate) fn pwritev(caller: &mut Caller<'_>, [fd, parts, count, offset, ..]: Args) -> Outcome {
    write_parts(caller, fd, parts, count, Start::at(offset)?)
}

/// `pwritev2(fd, parts, count, offset, _, flags)`.
pub(crate) fn pwritev2(
    caller: &mut Caller<'_>,
    [fd, parts, count, offset, _, flags]: Args,
) -> Outcome {
    write_parts(caller, fd, parts, count, second_version(offset, flags)?)
}

fn write_parts(caller: &mut Caller<'_>, fd: u64, parts: u64, count: u64, start: Start) -> Outcome {
    let coid = descriptor(fd)?;
    let (count, bytes) = load_parts(caller, parts, count, 1)?;
    let bytes = limit::writable(caller, coid, start.offset(), bytes)?;
    limit::cut(&mut caller.scratch.parts[1..=count], bytes);
    let header = start.header(kind::IO_WRITE, bytes);
    caller.scratch.parts[0] = part(&header);
    let outcome = caller.send(coid, &caller.scratch.parts[..=count], &[], None);
    raise_broken_pipe(caller, outcome)
}

/// Reads an array of parts to `scratch.parts[first..]`; returns how many there are and their bytes.
/// A header takes a part of its own: of 1024 parts a `writev` then writes 1023.
///
/// # Errors
/// EINVAL, EFAULT.
pub(crate) fn load_parts(
    caller: &mut Caller<'_>,
    parts: u64,
    count: u64,
    first: usize,
) -> Result<(usize, u64), Errno> {
    let count = u32::try_from(int(count)).map_err(|_| Errno::EINVAL)? as usize;
    if count > PARTS_MAX {
        return Err(Errno::EINVAL);
    }
    let count = count.min(PARTS_MAX - first);
    let loaded = &mut caller.scratch.parts[first..first + count];
    copy::read_slice(parts, loaded)?;
    let mut bytes = 0_u64;
    for part in loaded {
        if part.length.cast_signed() < 0 {
            return Err(Errno::EINVAL);
        }
        part.length = part.length.min(BYTES_MAX - bytes);
        bytes += part.length;
    }
    Ok((count, bytes))
}

/// `lseek(fd, offset, whence)`.
pub(crate) fn lseek(caller: &mut Caller<'_>, [fd, offset, whence, ..]: Args) -> Outcome {
    let whence = u16::try_from(low(whence)).map_err(|_| Errno::EINVAL)?;
    if whence > 4 {
        return Err(Errno::EINVAL);
    }
    let message =
        Lseek { kind: kind::IO_LSEEK, whence, offset: offset.cast_signed(), ..Lseek::default() };
    caller.send_short(descriptor(fd)?, &Short::of(&message), user(0, 0))
}

/// `getdents64(fd, buffer, bytes)`.
pub(crate) fn getdents64(caller: &mut Caller<'_>, [fd, buffer, bytes, ..]: Args) -> Outcome {
    let bytes = u64::from(low(bytes));
    let header = directory_header(bytes);
    caller.send(descriptor(fd)?, &[part(&header)], &[user(buffer, bytes)], None)
}

const fn directory_header(nbytes: u64) -> Transfer {
    Transfer { kind: kind::IO_READ, xtype: XTYPE_READDIR, zero: 0, nbytes, offset: 0 }
}

/// `getdents(fd, buffer, bytes)`: the records of `getdents64`, with the type at their end. They are
/// as long: 18 bytes before the name and one behind its end, against 19.
pub(crate) fn getdents(caller: &mut Caller<'_>, [fd, buffer, bytes, ..]: Args) -> Outcome {
    let room_bytes = caller.scratch.reply.len().min(low(bytes) as usize);
    let header = directory_header(room_bytes as u64);
    let reply = room(&mut caller.scratch.reply[..room_bytes]);
    let length = index(caller.send(descriptor(fd)?, &[part(&header)], &[reply], None)?);
    let records = caller.scratch.reply.get_mut(..length).ok_or(Errno::EIO)?;
    convert_records(records);
    copy::write_slice(buffer, records)?;
    Ok(length as u64)
}

/// Turns `linux_dirent64` records into `linux_dirent` records of the same lengths.
fn convert_records(records: &mut [u8]) {
    let mut at = 0;
    while let Some(&[low, high]) = records.get(at + 16..at + 18) {
        let length = usize::from(u16::from_le_bytes([low, high]));
        let Some(record) = records.get_mut(at..at + length).filter(|record| record.len() > 19)
        else {
            return;
        };
        let kind = record[18];
        record.copy_within(19.., 18);
        record[length - 1] = kind;
        at += length;
    }
}

/// `sendfile(out, in, offset, count)`.
pub(crate) fn sendfile(caller: &mut Caller<'_>, [out, from, offset, count, ..]: Args) -> Outcome {
    let mut ends = Ends { from, to: out, from_offset: None, to_offset: None };
    if offset != 0 {
        ends.from_offset = Some(copy::read::<u64>(offset)?);
    }
    let copied = copy_between(caller, &mut ends, count)?;
    if let Some(end) = ends.from_offset {
        copy::write(offset, &end)?;
    }
    Ok(copied)
}

/// `copy_file_range(in, in offset, out, out offset, count, flags)`.
pub(crate) fn copy_file_range(
    caller: &mut Caller<'_>,
    [from, from_offset, to, to_offset, count, flags]: Args,
) -> Outcome {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let mut ends = Ends { from, to, from_offset: None, to_offset: None };
    if from_offset != 0 {
        ends.from_offset = Some(copy::read::<u64>(from_offset)?);
    }
    if to_offset != 0 {
        ends.to_offset = Some(copy::read::<u64>(to_offset)?);
    }
    let copied = copy_between(caller, &mut ends, count)?;
    for (end, address) in [(ends.from_offset, from_offset), (ends.to_offset, to_offset)] {
        if let Some(end) = end {
            copy::write(address, &end)?;
        }
    }
    Ok(copied)
}

/// What a copy between two files goes from and to; an offset `None` is the file's own.
struct Ends {
    from: u64,
    to: u64,
    from_offset: Option<u64>,
    to_offset: Option<u64>,
}

/// Copies through the scratch buffer until `count` bytes are copied or the input ends.
fn copy_between(caller: &mut Caller<'_>, ends: &mut Ends, count: u64) -> Outcome {
    // As on Linux: a terminal or pipe might give less now and more later, for which the program's
    // own loop is the right place.
    let mut status = Stat::default();
    path::simple(caller, descriptor(ends.from)?, kind::IO_STAT, room(&mut status))?;
    if status.mode & mode::IFMT != mode::IFREG {
        return Err(Errno::EINVAL);
    }
    let mut copied = 0;
    let count = count.min(BYTES_MAX);
    while copied < count {
        let Iov { base, length } = room(&mut caller.scratch.poll);
        let chunk = length.min(count - copied);
        let from = ends.from_offset.map_or(Ok(Start::Here), Start::at)?;
        let read = match read_buffer(caller, ends.from, base, chunk, from) {
            Ok(0) => break,
            Ok(read) => read,
            Err(_) if copied > 0 => break,
            Err(error) => return Err(error),
        };
        let to = ends.to_offset.map_or(Ok(Start::Here), Start::at)?;
        let written = match write_buffer(caller, ends.to, base, read, to) {
            Ok(written) => written,
            Err(_) if copied > 0 => 0,
            Err(error) => return Err(error),
        };
        if ends.from_offset.is_none() && written < read {
            let back = (read - written).cast_signed().wrapping_neg().cast_unsigned();
            let _moved = lseek(caller, [ends.from, back, 1, 0, 0, 0]);
        }
        for offset in [&mut ends.from_offset, &mut ends.to_offset].into_iter().flatten() {
            *offset += written;
        }
        copied += written;
        if written < read {
            break;
        }
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_directory_records_have_their_type_at_the_end() {
        let mut records = [0_u8; 64];
        let end = io_msg::stat::put_dirent(&mut records, 0, (5, 0o040_000), 9, b"bin").unwrap();
        let end = io_msg::stat::put_dirent(&mut records, end, (6, 0o100_000), 10, b"a").unwrap();
        convert_records(&mut records[..end]);
        assert_eq!(&records[18..22], b"bin\0");
        assert_eq!(records[usize::from(records[16]) - 1], 4);
        assert_eq!(records[end - 1], 8);
    }
}
