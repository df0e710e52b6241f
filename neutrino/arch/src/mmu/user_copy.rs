//! Reading and writing user memory through the direct map.
//!
//! No user pointer is ever dereferenced: the page tables say which frame is meant and whether a user
//! may access it so. User memory changes under the kernel's hands (other CPUs, devices), so bytes move
//! by raw copies; a Rust reference never leads to them.

use core::sync::atomic::{AtomicU32, Ordering};

use neutrino_core::machine::{Access, CopyFault, Fault, FrameNumber, Place, SpaceSlot};

use super::direct_map::{self, PAGE, copy, frame_pointer};
use super::space::{ADDRESS, PRESENT, Spaces, USER, WRITE};

/// Bytes from `address` to the end of its page.
fn rest_of_page(address: u64) -> u64 {
    PAGE - (address & (PAGE - 1))
}

impl Spaces {
    #[inline(always)]
    fn pointer(&self, space: SpaceSlot, address: u64, access: Access) -> Result<*mut u8, Fault> {
        let needed = match access {
            Access::Read | Access::Execute => PRESENT | USER,
            Access::Write => PRESENT | USER | WRITE,
        };
        let entry = self.leaf(space, address);
        if entry & needed != needed {
            return Err(Fault { address, access });
        }
        Ok(direct_map::pointer(entry & ADDRESS | address & (PAGE - 1)))
    }

    /// Reads bytes of a space.
    pub(crate) fn read(&self, place: Place, bytes: &mut [u8]) -> Result<(), Fault> {
        let mut address = place.address;
        let mut rest = bytes;
        // Bound: the pages that the bytes lie in.
        while !rest.is_empty() {
            let from = self.pointer(place.space, address, Access::Read)?;
            let chunk = rest_of_page(address).min(rest.len() as u64);
            let (now, later) = rest.split_at_mut(chunk as usize);
            // SAFETY: `from` is a user page of RAM or device memory in the direct map, and the chunk
            // ends with it; `now` is a kernel buffer of that length.
            unsafe { copy(now.as_mut_ptr(), from, now.len()) };
            address = address.wrapping_add(chunk);
            rest = later;
        }
        Ok(())
    }

    /// Writes bytes of a space.
    pub(crate) fn write(&self, place: Place, bytes: &[u8]) -> Result<(), Fault> {
        let mut address = place.address;
        let mut rest = bytes;
        // Bound: the pages that the bytes lie in.
        while !rest.is_empty() {
            let to = self.pointer(place.space, address, Access::Write)?;
            let chunk = rest_of_page(address).min(rest.len() as u64);
            let (now, later) = rest.split_at(chunk as usize);
            // SAFETY: `to` is a page that the user may write, so no Rust object lives there, and the
            // chunk ends with it; `now` is a kernel buffer of that length.
            unsafe { copy(to, now.as_ptr(), now.len()) };
            address = address.wrapping_add(chunk);
            rest = later;
        }
        Ok(())
    }

    /// Copies between two spaces.
    pub(crate) fn copy(&self, from: Place, to: Place, length: u64) -> Result<(), CopyFault> {
        let mut done = 0;
        // Bound: the pages that source and target lie in; the core cuts long copies.
        while done < length {
            let source = from.address.wrapping_add(done);
            let target = to.address.wrapping_add(done);
            let read = self
                .pointer(from.space, source, Access::Read)
                .map_err(|fault| CopyFault::Source { done, address: fault.address })?;
            let written = self
                .pointer(to.space, target, Access::Write)
                .map_err(|fault| CopyFault::Target { done, address: fault.address })?;
            let chunk =
                rest_of_page(source).min(rest_of_page(target)).min(length.wrapping_sub(done));
            // SAFETY: both are user pages in the direct map, the target one that the user may write;
            // the chunk ends with the first page to end.
            unsafe { copy(written, read, chunk as usize) };
            done = done.wrapping_add(chunk);
        }
        Ok(())
    }

    /// Compares and exchanges an aligned word; returns what it held.
    pub(crate) fn compare_exchange(
        &self,
        place: Place,
        expected: u32,
        new: u32,
    ) -> Result<u32, Fault> {
        let fault = Fault { address: place.address, access: Access::Write };
        if !place.address.is_multiple_of(4) {
            return Err(fault);
        }
        let word = self.pointer(place.space, place.address, Access::Write)?.cast::<u32>();
        // SAFETY: an aligned word of a page that the user may write; others reach it by atomic
        // accesses or are user code.
        let word = unsafe { AtomicU32::from_ptr(word) };
        match word.compare_exchange(expected, new, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(held) | Err(held) => Ok(held),
        }
    }

    /// Copies from a frame to a space.
    pub(crate) fn copy_from_frame(&self, from: FramePart, to: Place) -> Result<(), Fault> {
        let mut done = 0;
        // Bound: two pages.
        while done < from.length {
            let target = to.address.wrapping_add(done);
            let written = self.pointer(to.space, target, Access::Write)?;
            let chunk = rest_of_page(target).min(from.length.wrapping_sub(done));
            // SAFETY: the part lies in a frame that the core manages; the target is a page that the
            // user may write, and the chunk ends with it.
            unsafe { copy(written, from.pointer(done), chunk as usize) };
            done = done.wrapping_add(chunk);
        }
        Ok(())
    }

    /// Copies from a space to a frame.
    pub(crate) fn copy_to_frame(&self, from: Place, to: FramePart) -> Result<(), Fault> {
        let mut done = 0;
        // Bound: two pages.
        while done < to.length {
            let source = from.address.wrapping_add(done);
            let read = self.pointer(from.space, source, Access::Read)?;
            let chunk = rest_of_page(source).min(to.length.wrapping_sub(done));
            // SAFETY: the source is a user page and the chunk ends with it; the part lies in a frame
            // that the core manages, so no Rust object lives there.
            unsafe { copy(to.pointer(done), read, chunk as usize) };
            done = done.wrapping_add(chunk);
        }
        Ok(())
    }
}

/// Bytes of a frame; never more than the frame has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FramePart {
    frame: FrameNumber,
    offset: u64,
    length: u64,
}

impl FramePart {
    /// Cuts off what lies beyond the frame.
    pub(crate) fn new(frame: FrameNumber, offset: u32, length: u32) -> Self {
        let offset = u64::from(offset).min(PAGE);
        Self { frame, offset, length: u64::from(length).min(PAGE - offset) }
    }

    fn pointer(&self, done: u64) -> *mut u8 {
        frame_pointer(self.frame).wrapping_add(self.offset as usize).wrapping_add(done as usize)
    }
}
