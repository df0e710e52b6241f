//! Buffers of one part or many, and the one place where message bytes are copied.

use neutrino_abi::Errno;
use neutrino_abi::message::{Iov, PARTS_MAX, WORDS, Words};
use neutrino_abi::wire::Wire;

use crate::Kernel;
use crate::machine::{CopyFault, Machine, Place, SpaceSlot};
use crate::thread::{ThreadId, slot};

/// Where the bytes of a message are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    /// In one piece.
    Flat,
    /// In so many pieces, which the `Iov`s at the address name.
    Parts(u16),
    /// In the registers of the thread.
    Words,
}

/// The bytes of a message. The length of several parts was summed up when the call was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffer {
    address: u64,
    /// Bytes in all.
    pub(crate) length: u64,
    form: Form,
}

impl Buffer {
    /// One piece of memory.
    pub(crate) const fn flat(address: u64, length: u64) -> Self {
        Self { address, length, form: Form::Flat }
    }

    /// The registers of the thread; at most [`neutrino_abi::message::WORDS_BYTES`].
    pub(crate) const fn words(length: u64) -> Self {
        Self { address: 0, length, form: Form::Words }
    }

    /// The address, if it is one piece of memory.
    pub(crate) const fn flat_address(&self) -> Option<u64> {
        match self.form {
            Form::Flat => Some(self.address),
            Form::Parts(_) | Form::Words => None,
        }
    }

    /// Whether it is in registers.
    pub(crate) const fn is_words(&self) -> bool {
        matches!(self.form, Form::Words)
    }
}

/// A buffer of some thread, from an offset on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) thread: ThreadId,
    pub(crate) buffer: Buffer,
    pub(crate) offset: u64,
}

/// Which side of a transfer could not be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

/// Walks a buffer: what is left of the part at hand, and how many parts follow.
struct Cursor {
    space: SpaceSlot,
    base: u64,
    left: u64,
    next: u64,
    parts: u16,
}

impl Cursor {
    fn new(space: SpaceSlot, buffer: &Buffer) -> Self {
        let Buffer { address, length, form } = *buffer;
        match form {
            Form::Flat => Self { space, base: address, left: length, next: 0, parts: 0 },
            Form::Parts(parts) => Self { space, base: 0, left: 0, next: address, parts },
            Form::Words => Self { space, base: 0, left: 0, next: 0, parts: 0 },
        }
    }

    /// Moves on to the next part that is not empty; false at the end.
    // Bound: one turn for each part, 1024.
    fn fill(&mut self, kernel: &mut Kernel, m: &mut impl Machine) -> Result<bool, Errno> {
        while self.left == 0 {
            if self.parts == 0 {
                return Ok(false);
            }
            let iov: Iov = kernel.load(m, Place { space: self.space, address: self.next })?;
            self.parts = self.parts.wrapping_sub(1);
            self.next = self.next.wrapping_add(Iov::SIZE as u64);
            (self.base, self.left) = (iov.base, iov.length);
        }
        Ok(true)
    }

    fn skip(&mut self, bytes: u64) {
        self.base = self.base.wrapping_add(bytes);
        self.left = self.left.wrapping_sub(bytes);
    }

    /// Skips `offset` bytes.
    fn seek(&mut self, k: &mut Kernel, m: &mut impl Machine, offset: u64) -> Result<(), Errno> {
        let mut offset = offset;
        while offset > 0 && self.fill(k, m)? {
            let step = offset.min(self.left);
            self.skip(step);
            offset = offset.wrapping_sub(step);
        }
        Ok(())
    }

    const fn place(&self) -> Place {
        Place { space: self.space, address: self.base }
    }
}

impl Kernel {
    /// The first two bytes of a message, where its type stands; 0 if it has none.
    pub(crate) fn leading(&mut self, m: &mut impl Machine, t: ThreadId, message: &Buffer) -> u16 {
        if message.length < 2 {
            return 0;
        }
        if message.is_words() {
            let [first, ..] = m.words(slot(t));
            let [low, high, ..] = first.to_le_bytes();
            return u16::from_le_bytes([low, high]);
        }
        let mut cursor = Cursor::new(self.space(t), message);
        if !cursor.fill(self, m).unwrap_or(false) || cursor.left < 2 {
            return 0;
        }
        self.load(m, cursor.place()).map_or(0, u16::from_le_bytes)
    }

    /// Reads the shape of a buffer and sums up its length.
    ///
    /// # Errors
    /// EINVAL: too many parts, or a length beyond 2^63. EFAULT: the parts cannot be read.
    // Bound: one turn for each part, 1024.
    pub(crate) fn buffer(
        &mut self,
        m: &mut impl Machine,
        place: Place,
        parts: i64,
    ) -> Result<Buffer, Errno> {
        let address = place.address;
        if parts <= 0 {
            return Ok(Buffer::flat(address, parts.unsigned_abs()));
        }
        let count = u16::try_from(parts).map_err(|_| Errno::EINVAL)?;
        if usize::from(count) > PARTS_MAX {
            return Err(Errno::EINVAL);
        }
        let mut length = 0_u64;
        for index in 0..u64::from(count) {
            let at = address.wrapping_add(index.wrapping_mul(Iov::SIZE as u64));
            let iov: Iov = self.load(m, Place { space: place.space, address: at })?;
            length = length.saturating_add(iov.length);
        }
        if length > i64::MAX.unsigned_abs() {
            return Err(Errno::EINVAL);
        }
        Ok(Buffer { address, length, form: Form::Parts(count) })
    }

    /// Copies as many bytes as both sides have and the budget allows, and returns how many.
    ///
    /// # Errors
    /// The side that could not be accessed; bytes before that were copied.
    pub(crate) fn transfer(
        &mut self,
        m: &mut impl Machine,
        from: &Span,
        to: &Span,
    ) -> Result<u64, Side> {
        let source = from.buffer.length.saturating_sub(from.offset);
        let target = to.buffer.length.saturating_sub(to.offset);
        let length = source.min(target);
        if length == 0 {
            return Ok(0);
        }
        match (from.buffer.form, to.buffer.form) {
            (Form::Flat, Form::Flat) => {
                let (from, to) = (self.flat_place(from), self.flat_place(to));
                self.memory.copy(m, from, to, length).map_err(|fault| side(&fault))
            }
            (Form::Words, _) => self.transfer_from_words(m, from, to, length),
            (_, Form::Words) => self.transfer_to_words(m, from, to, length),
            (Form::Flat | Form::Parts(_), Form::Flat | Form::Parts(_)) => {
                self.transfer_parts(m, from, to, length)
            }
        }
    }

    fn flat_place(&self, span: &Span) -> Place {
        let address = span.buffer.address.wrapping_add(span.offset);
        Place { space: self.space(span.thread), address }
    }

    fn transfer_from_words(
        &mut self,
        m: &mut impl Machine,
        from: &Span,
        to: &Span,
        length: u64,
    ) -> Result<u64, Side> {
        let bytes = to_bytes(&m.words(slot(from.thread)));
        let bytes = range(from.offset, length).and_then(|range| bytes.get(range));
        let bytes = bytes.ok_or(Side::Source)?;
        if to.buffer.is_words() {
            let mut all = to_bytes(&m.words(slot(to.thread)));
            let place = range(to.offset, length).and_then(|range| all.get_mut(range));
            place.ok_or(Side::Target)?.copy_from_slice(bytes);
            m.set_words(slot(to.thread), &to_words(&all));
            return Ok(length);
        }
        let written = self.for_parts(m, to, length, |kernel, m, place, done, step| {
            let part = range(done, step).and_then(|range| bytes.get(range)).unwrap_or_default();
            kernel.memory.write(m, place, part).map(|()| step)
        });
        if written == Ok(length) { Ok(length) } else { Err(Side::Target) }
    }

    fn transfer_to_words(
        &mut self,
        m: &mut impl Machine,
        from: &Span,
        to: &Span,
        length: u64,
    ) -> Result<u64, Side> {
        let mut all = to_bytes(&m.words(slot(to.thread)));
        let bytes = range(to.offset, length).and_then(|range| all.get_mut(range));
        let bytes = bytes.ok_or(Side::Target)?;
        let read = self.for_parts(m, from, length, |kernel, m, place, done, step| {
            let part = range(done, step).and_then(|range| bytes.get_mut(range));
            kernel.memory.read(m, place, part.unwrap_or_default()).map(|()| step)
        });
        if read != Ok(length) {
            return Err(Side::Source);
        }
        m.set_words(slot(to.thread), &to_words(&all));
        Ok(length)
    }

    // Bound: one turn for each part of either side, and the bytes.
    fn transfer_parts(
        &mut self,
        m: &mut impl Machine,
        from: &Span,
        to: &Span,
        length: u64,
    ) -> Result<u64, Side> {
        let mut source = Cursor::new(self.space(from.thread), &from.buffer);
        let mut target = Cursor::new(self.space(to.thread), &to.buffer);
        source.seek(self, m, from.offset).map_err(|_| Side::Source)?;
        target.seek(self, m, to.offset).map_err(|_| Side::Target)?;
        let mut left = length;
        while left > 0 && !self.memory.is_spent() {
            let more = source.fill(self, m).map_err(|_| Side::Source)?;
            if !more || !target.fill(self, m).map_err(|_| Side::Target)? {
                break;
            }
            let step = left.min(source.left).min(target.left);
            let copied = self.memory.copy(m, source.place(), target.place(), step);
            let copied = copied.map_err(|fault| side(&fault))?;
            source.skip(copied);
            target.skip(copied);
            left = left.wrapping_sub(copied);
        }
        Ok(length.wrapping_sub(left))
    }

    /// Moves bytes between an object and a buffer, part by part; `each` moves one piece and tells
    /// how many bytes it moved.
    ///
    /// # Errors
    /// What `each` gives, if nothing was moved before.
    pub(crate) fn for_parts<M: Machine>(
        &mut self,
        m: &mut M,
        span: &Span,
        bytes: u64,
        mut each: impl FnMut(&mut Self, &mut M, Place, u64, u64) -> Result<u64, Errno>,
    ) -> Result<u64, Errno> {
        let mut cursor = Cursor::new(self.space(span.thread), &span.buffer);
        cursor.seek(self, m, span.offset)?;
        let mut done = 0_u64;
        // Bound: one turn for each part, 1024.
        while done < bytes && cursor.fill(self, m)? {
            let step = bytes.wrapping_sub(done).min(cursor.left);
            let moved = match each(self, m, cursor.place(), done, step) {
                Ok(moved) => moved,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            };
            cursor.skip(moved);
            done = done.wrapping_add(moved);
            if moved < step {
                break;
            }
        }
        Ok(done)
    }

    /// Reads a structure.
    ///
    /// # Errors
    /// EFAULT.
    pub(crate) fn load<T: Wire>(&mut self, m: &mut impl Machine, at: Place) -> Result<T, Errno> {
        let mut value = T::zeroed();
        self.memory.read(m, at, value.bytes_mut())?;
        Ok(value)
    }

    /// Writes a structure.
    ///
    /// # Errors
    /// EFAULT.
    pub(crate) fn store<T: Wire>(
        &mut self,
        m: &mut impl Machine,
        at: Place,
        value: &T,
    ) -> Result<(), Errno> {
        self.memory.write(m, at, value.bytes())
    }

    /// Writes a structure where the address is not 0.
    ///
    /// # Errors
    /// EFAULT.
    pub(crate) fn store_optional<T: Wire>(
        &mut self,
        m: &mut impl Machine,
        at: Place,
        value: &T,
    ) -> Result<(), Errno> {
        if at.address == 0 { Ok(()) } else { self.store(m, at, value) }
    }
}

/// A part of the 48 bytes of the words.
fn range(offset: u64, length: u64) -> Option<core::ops::Range<usize>> {
    let from = usize::try_from(offset).ok()?;
    Some(from..from.checked_add(usize::try_from(length).ok()?)?)
}

/// Bytes of the words.
const BYTES: usize = size_of::<Words>();

pub(crate) fn to_bytes(words: &Words) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

pub(crate) fn to_words(bytes: &[u8; BYTES]) -> Words {
    let mut words = [0; WORDS];
    for (word, place) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*place);
    }
    words
}

const fn side(fault: &CopyFault) -> Side {
    match fault {
        CopyFault::Source { .. } => Side::Source,
        CopyFault::Target { .. } => Side::Target,
    }
}
