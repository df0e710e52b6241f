//! Buffers of one part or many, and the one place where message bytes are copied.

use neutrino_abi::Errno;
use neutrino_abi::message::{Iov, PARTS_MAX};
use neutrino_abi::wire::Wire;

use crate::Kernel;
use crate::machine::{CopyFault, Machine, Place, SpaceSlot};

/// A buffer in user memory, as calls name it: `parts` parts at `address`, or `-parts` flat bytes.
/// The length was summed up when the call was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffer {
    address: u64,
    parts: i64,
    /// Bytes in all.
    pub(crate) length: u64,
}

impl Buffer {
    const fn is_flat(&self) -> bool {
        self.parts <= 0
    }
}

/// A buffer of some space, from an offset on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) space: SpaceSlot,
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
    parts: u64,
}

impl Cursor {
    fn new(span: &Span) -> Self {
        let Span { space, buffer, .. } = *span;
        if buffer.is_flat() {
            Self { space, base: buffer.address, left: buffer.length, next: 0, parts: 0 }
        } else {
            let parts = buffer.parts.unsigned_abs();
            Self { space, base: 0, left: 0, next: buffer.address, parts }
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
            return Ok(Buffer { address, parts, length: parts.unsigned_abs() });
        }
        if parts.unsigned_abs() > PARTS_MAX as u64 {
            return Err(Errno::EINVAL);
        }
        let mut length = 0_u64;
        for index in 0..parts.unsigned_abs() {
            let at = address.wrapping_add(index.wrapping_mul(Iov::SIZE as u64));
            let iov: Iov = self.load(m, Place { space: place.space, address: at })?;
            length = length.saturating_add(iov.length);
        }
        if length > i64::MAX.unsigned_abs() {
            return Err(Errno::EINVAL);
        }
        Ok(Buffer { address, parts, length })
    }

    /// Copies as many bytes as both sides have, and returns how many.
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
        if from.buffer.is_flat() && to.buffer.is_flat() {
            let at = |span: &Span| Place {
                space: span.space,
                address: span.buffer.address.wrapping_add(span.offset),
            };
            self.memory.copy(m, at(from), at(to), length).map_err(|fault| side(&fault))?;
            return Ok(length);
        }
        self.transfer_parts(m, from, to, length)
    }

    // Bound: one turn for each part of either side, and the bytes.
    fn transfer_parts(
        &mut self,
        m: &mut impl Machine,
        from: &Span,
        to: &Span,
        length: u64,
    ) -> Result<u64, Side> {
        let (mut source, mut target) = (Cursor::new(from), Cursor::new(to));
        source.seek(self, m, from.offset).map_err(|_| Side::Source)?;
        target.seek(self, m, to.offset).map_err(|_| Side::Target)?;
        let mut left = length;
        while left > 0 {
            let more = source.fill(self, m).map_err(|_| Side::Source)?;
            if !more || !target.fill(self, m).map_err(|_| Side::Target)? {
                break;
            }
            let step = left.min(source.left).min(target.left);
            let copied = self.memory.copy(m, source.place(), target.place(), step);
            copied.map_err(|fault| side(&fault))?;
            source.skip(step);
            target.skip(step);
            left = left.wrapping_sub(step);
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
        let mut cursor = Cursor::new(span);
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

const fn side(fault: &CopyFault) -> Side {
    match fault {
        CopyFault::Source { .. } => Side::Source,
        CopyFault::Target { .. } => Side::Target,
    }
}
