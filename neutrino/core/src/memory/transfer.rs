//! Bytes in and out of spaces and objects.
//!
//! The machine copies and stops where a page is missing; here the fault is resolved and the copy
//! goes on. No page is ever taken away meanwhile, so the number of faults has a bound
//! ([`most_faults`]); past it the copy fails instead of looping.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::PAGE_SIZE;

use super::fault::{Intent, most_faults};
use super::mapping::Backing;
use super::page::{offset_in_page, page_of};
use super::{BadAccess, FutexKey, Memory, ObjectId};
use crate::machine::{Access, CopyFault, Fault, FrameNumber, Machine, Page, PageRights, Place};
use crate::step::price::{CLEAR_PAGE, COPY_PIECE, PROVIDE_PAGE};

/// What absent pages of an object read as.
static ZEROES: [u8; 4096] = [0; 4096];

/// A part of an object, and its place in a space.
#[derive(Clone, Copy)]
struct Span {
    object: ObjectId,
    offset: u64,
    length: u64,
    place: Place,
}

/// A part of one frame of an object, and its place in a space.
#[derive(Clone, Copy)]
struct Piece {
    page: u32,
    offset: u32,
    length: u32,
    place: Place,
}

impl Memory {
    /// Reads bytes of a space.
    ///
    /// # Errors
    /// `EFAULT`: not all of them can be read.
    #[inline(never)]
    pub fn read(
        &mut self,
        m: &mut impl Machine,
        place: Place,
        bytes: &mut [u8],
    ) -> Result<(), Errno> {
        let length = bytes.len();
        self.retry(m, place, length, |m| m.read(place, bytes))
    }

    /// Writes bytes of a space.
    ///
    /// # Errors
    /// `EFAULT`: not all of them can be written; some may have been.
    #[inline(never)]
    pub fn write(&mut self, m: &mut impl Machine, place: Place, bytes: &[u8]) -> Result<(), Errno> {
        self.retry(m, place, bytes.len(), |m| m.write(place, bytes))
    }

    /// Writes bytes of a space, also where it is read-only, as a debugger or a loader does. What a
    /// read-only shared mapping shows is not written.
    ///
    /// # Errors
    /// `EFAULT`: not all of them can be written; some may have been.
    pub fn write_forced(
        &mut self,
        m: &mut impl Machine,
        place: Place,
        bytes: &[u8],
    ) -> Result<(), Errno> {
        let mut rest = bytes;
        let mut address = place.address;
        // Bound: pages that `bytes` touch.
        while !rest.is_empty() {
            let room = PAGE_SIZE.saturating_sub(u64::from(offset_in_page(address)));
            let length = rest.len().min(usize::try_from(room).unwrap_or(0));
            let (now, later) = rest.split_at_checked(length).ok_or(Errno::EFAULT)?;
            self.write_page_forced(m, Place { address, ..place }, now)?;
            address = address.saturating_add(room);
            rest = later;
        }
        Ok(())
    }

    /// Copies bytes to a space, also where it is read-only, as [`Memory::write_forced`], as far as the
    /// budget allows; returns how many.
    ///
    /// # Errors
    /// `EFAULT`: a side cannot be accessed; some bytes may have been written. `ENOMEM`.
    pub fn copy_forced(
        &mut self,
        m: &mut impl Machine,
        from: Place,
        to: Place,
        length: u64,
    ) -> Result<u64, Errno> {
        let mut done = 0_u64;
        // Bound: pages that the bytes touch, and the budget.
        while done < length && !self.budget.is_spent() {
            let source = Place { address: from.address.saturating_add(done), ..from };
            let target = Place { address: to.address.saturating_add(done), ..to };
            let offset = offset_in_page(target.address);
            let room = PAGE_SIZE.saturating_sub(offset.into());
            let bytes = u32::try_from(room.min(length.saturating_sub(done))).unwrap_or(0);
            let page = self.own_page(m, target)?;
            let size = usize::try_from(bytes).unwrap_or(0);
            self.retry(m, source, size, |m| m.copy_to_frame(source, page.frame, offset, bytes))?;
            done = done.saturating_add(bytes.into());
            self.spend_copy(bytes.into());
            self.budget.spend(PROVIDE_PAGE);
        }
        Ok(done)
    }

    /// Copies between two spaces, or within one, as far as the budget allows; returns how many bytes.
    ///
    /// # Errors
    /// Which side cannot be accessed, and how many bytes were copied before.
    pub fn copy(
        &mut self,
        m: &mut impl Machine,
        from: Place,
        to: Place,
        length: u64,
    ) -> Result<u64, CopyFault> {
        let (mut copied, mut faults) = (0_u64, most_faults(length).saturating_mul(2));
        let ahead =
            |place: Place, by: u64| Place { address: place.address.saturating_add(by), ..place };
        // Bound: the bytes and their faults, and the budget.
        while copied < length && !self.budget.is_spent() {
            let piece = length.saturating_sub(copied).min(PAGE_SIZE);
            let (from, to) = (ahead(from, copied), ahead(to, copied));
            let Err(fault) = m.copy(from, to, piece) else {
                copied = copied.saturating_add(piece);
                self.spend_copy(piece);
                continue;
            };
            let (done, resolved) = match fault {
                CopyFault::Source { done, address } => {
                    (done, self.resolve(m, from.space, address, Access::Read))
                }
                CopyFault::Target { done, address } => {
                    (done, self.resolve(m, to.space, address, Access::Write))
                }
            };
            if resolved.is_err() || faults == 0 {
                return Err(fault.after(copied));
            }
            faults = faults.saturating_sub(1);
            copied = copied.saturating_add(done).min(length);
            self.spend_copy(done);
            self.budget.spend(PROVIDE_PAGE);
        }
        Ok(copied)
    }

    /// What copying takes: words, and walks through page tables.
    fn spend_copy(&mut self, bytes: u64) {
        let words = u32::try_from(bytes / 8).unwrap_or(u32::MAX);
        self.budget.spend(words.saturating_add(COPY_PIECE));
    }

    /// Copies bytes of an object to a space, at most to the object's end and as far as the budget
    /// allows; returns how many. Absent pages read as zeroes and stay absent.
    ///
    /// # Errors
    /// - `EFAULT`: the first byte cannot be written.
    /// - `EINVAL`: the object is device memory.
    pub fn copy_from_object(
        &mut self,
        m: &mut impl Machine,
        id: ObjectId,
        offset: u64,
        to: Place,
        length: u64,
    ) -> Result<u64, Errno> {
        self.by_pieces(m, Span { object: id, offset, length, place: to }, |memory, m, piece| {
            let place = piece.place;
            let length = usize::try_from(piece.length).unwrap_or(0);
            Ok(match memory.object_frame(m, id, piece.page) {
                Some(frame) => m.copy_from_frame(frame, piece.offset, place, piece.length),
                None => m.write(place, ZEROES.get(..length).ok_or(Errno::EFAULT)?),
            })
        })
    }

    /// Copies bytes of a space to an object, at most to the object's end and as far as the budget
    /// allows; returns how many.
    ///
    /// # Errors
    /// - `EFAULT`: the first byte cannot be read.
    /// - `ENOMEM`: there is no memory for the first page.
    /// - `EACCES`: the object is read-only.
    /// - `EINVAL`: the object is device memory.
    pub fn copy_to_object(
        &mut self,
        m: &mut impl Machine,
        id: ObjectId,
        offset: u64,
        from: Place,
        length: u64,
    ) -> Result<u64, Errno> {
        if !self.objects[id].is_writable() {
            return Err(Errno::EACCES);
        }
        self.by_pieces(m, Span { object: id, offset, length, place: from }, |memory, m, piece| {
            let frame: FrameNumber = match memory.object_frame(m, id, piece.page) {
                Some(frame) => frame,
                None => {
                    memory.budget.spend(CLEAR_PAGE);
                    memory.reach_object_frame(m, id, piece.page)?
                }
            };
            Ok(m.copy_to_frame(piece.place, frame, piece.offset, piece.length))
        })
    }

    /// Compares the word at `place` with `expected` and stores `new` if they are equal; returns what
    /// it held.
    ///
    /// # Errors
    /// - `EINVAL`: the address is not aligned.
    /// - `EFAULT`: the word cannot be written.
    pub fn compare_exchange(
        &mut self,
        m: &mut impl Machine,
        place: Place,
        expected: u32,
        new: u32,
    ) -> Result<u32, Errno> {
        if !place.address.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        self.retry(m, place, 4, |m| m.compare_exchange(place, expected, new))
    }

    /// What names the futex word at `place`: with `is_shared` its place in a shared object, if it is
    /// in one, else its address.
    ///
    /// # Errors
    /// - `EINVAL`: the address is not aligned.
    /// - `EFAULT`: nothing is mapped there.
    pub fn futex_key(
        &mut self,
        _m: &mut impl Machine,
        place: Place,
        is_shared: bool,
    ) -> Result<FutexKey, Errno> {
        let Place { space, address } = place;
        if !address.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        let private = FutexKey::Private { space, address };
        if !is_shared {
            return Ok(private);
        }
        let id = self.mapping_at(space, address).ok_or(Errno::EFAULT)?;
        Ok(match self.mappings[id].backing_at(page_of(address)) {
            Backing::Anonymous | Backing::Private(_) => private,
            Backing::Shared(window) => FutexKey::Shared {
                object: window.object,
                offset: u64::from(window.page)
                    .saturating_mul(PAGE_SIZE)
                    .saturating_add(u64::from(offset_in_page(address))),
            },
        })
    }

    /// Tries `step` until it succeeds, resolving the faults of `length` bytes at `place`.
    fn retry<M: Machine, T>(
        &mut self,
        m: &mut M,
        place: Place,
        length: usize,
        mut step: impl FnMut(&mut M) -> Result<T, Fault>,
    ) -> Result<T, Errno> {
        for _ in 0..most_faults(u64::try_from(length).unwrap_or(u64::MAX)) {
            match step(m) {
                Ok(value) => return Ok(value),
                Err(fault) => self.resolve(m, place.space, fault.address, fault.access)?,
            }
        }
        Err(Errno::EFAULT)
    }

    /// Does `step` for each page's part of a span, which ends at the object's end at most, as far as
    /// the budget allows; the number of bytes before the first error, or that error.
    fn by_pieces<M: Machine>(
        &mut self,
        m: &mut M,
        span: Span,
        mut step: impl FnMut(&mut Self, &mut M, Piece) -> Result<Result<(), Fault>, Errno>,
    ) -> Result<u64, Errno> {
        let object = &self.objects[span.object];
        if !object.is_ram() {
            return Err(Errno::EINVAL);
        }
        let length = span.length.min(object.size().saturating_sub(span.offset));
        let (mut done, mut faults) = (0_u64, most_faults(length));
        // Bound: pages of the span and their faults, and the budget.
        while done < length && !self.budget.is_spent() {
            let at = span.offset.saturating_add(done);
            let offset = offset_in_page(at);
            let bytes =
                PAGE_SIZE.saturating_sub(u64::from(offset)).min(length.saturating_sub(done));
            let piece = Piece {
                page: u32::try_from(at / PAGE_SIZE).map_err(|_| Errno::EINVAL)?,
                offset,
                length: u32::try_from(bytes).map_err(|_| Errno::EINVAL)?,
                place: Place { address: span.place.address.saturating_add(done), ..span.place },
            };
            let moved = step(self, m, piece).and_then(|moved| match moved {
                Ok(()) => Ok(bytes),
                Err(_) if faults == 0 => Err(Errno::EFAULT),
                Err(fault) => {
                    faults = faults.saturating_sub(1);
                    self.budget.spend(PROVIDE_PAGE);
                    self.resolve(m, span.place.space, fault.address, fault.access)?;
                    Ok(0)
                }
            });
            match moved {
                Ok(moved) => {
                    done = done.saturating_add(moved);
                    self.spend_copy(moved);
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Writes bytes of one page, whatever its protection is.
    fn write_page_forced(
        &mut self,
        m: &mut impl Machine,
        place: Place,
        bytes: &[u8],
    ) -> Result<(), Errno> {
        let page = self.own_page(m, place)?;
        let opened = PageRights { read: true, write: true, ..page.rights };
        m.map(place.space, Page { rights: opened, ..page });
        let written = m.write(place, bytes);
        m.map(place.space, page);
        written.map_err(|_| Errno::EFAULT)
    }

    /// The page at `place`, for a store that its protection may not allow.
    fn own_page(&mut self, m: &mut impl Machine, place: Place) -> Result<Page, Errno> {
        let id = self.mapping_at(place.space, place.address).ok_or(Errno::EFAULT)?;
        let mapping = self.mappings[id];
        match mapping.backing {
            Backing::Shared(_) if !mapping.protection.allows(Access::Write) => Err(Errno::EFAULT),
            Backing::Shared(_) | Backing::Anonymous | Backing::Private(_) => {
                Ok(self.provide(m, &mapping, page_of(place.address), Intent::Store)?)
            }
        }
    }
}

impl From<BadAccess> for Errno {
    fn from(bad: BadAccess) -> Self {
        match bad {
            BadAccess::NotMapped | BadAccess::Protection | BadAccess::BeyondObject => Self::EFAULT,
            BadAccess::NoMemory => Self::ENOMEM,
        }
    }
}
