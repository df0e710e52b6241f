//! What files hold: memory objects that cost what is written, so that a hole costs nothing.
//!
//! A file is charged for the pages that its object has. Who maps a file writes to it without asking
//! here; such pages are charged when the server looks at the file the next time.

use crate::server::{PAGE, RamFs};
use crate::tree::{Body, Inode};
use neutrino_rt::memory::MemObject;
use neutrino_rt::{Errno, clock, message};
use resmgr::{DataAt, Node, Request};

/// Largest file in bytes: what a memory object can hold.
const FILE_MAX: u64 = 1 << 40;

/// Memory that has run out is, for a file, a full device.
fn no_space(errno: Errno) -> Errno {
    if errno == Errno::ENOMEM || errno == Errno::EAGAIN { Errno::ENOSPC } else { errno }
}

impl Inode {
    /// The file's object, which is made when it is first needed.
    ///
    /// # Errors
    /// ENODEV: not a file. ENOSPC.
    pub(crate) fn object(&mut self) -> Result<&MemObject, Errno> {
        let Body::File(object) = &mut self.body else { return Err(Errno::ENODEV) };
        if object.is_none() {
            *object = Some(MemObject::sparse(self.attributes.size).map_err(no_space)?);
        }
        object.as_ref().ok_or(Errno::ENOSPC)
    }

    /// Bytes of the pages that there are.
    fn resident(&self) -> u64 {
        let Body::File(Some(object)) = &self.body else { return 0 };
        object.info().map_or(0, |info| info.resident_pages * PAGE)
    }

    /// `st_blocks`.
    pub(crate) fn blocks(&self) -> u64 {
        let bytes = if self.is_mapped { self.resident() } else { self.charged };
        bytes / 512
    }

    /// Most bytes that writing from `offset` to `end` can cost.
    fn cost(&self, offset: u64, end: u64) -> u64 {
        let first = offset / PAGE;
        let behind = end.div_ceil(PAGE);
        let old = self.attributes.size.div_ceil(PAGE);
        let holes = old.saturating_sub(self.charged / PAGE);
        let inside = old.min(behind).saturating_sub(first);
        let beyond = behind.saturating_sub(old.max(first));
        (inside.min(holes) + beyond) * PAGE
    }

    fn set_size(&mut self, size: u64) -> Result<(), Errno> {
        let Body::File(object) = &mut self.body else { return Err(Errno::EINVAL) };
        if let Some(object) = object {
            object.resize(size).map_err(no_space)?;
        }
        self.attributes.size = size;
        self.attributes.mtime = clock::timestamp();
        self.attributes.ctime = self.attributes.mtime;
        Ok(())
    }
}

impl RamFs {
    /// Changes a file's size; what is new is a hole.
    ///
    /// # Errors
    /// EFBIG, EINVAL.
    pub(crate) fn resize(&mut self, node: Node, size: u64) -> Result<(), Errno> {
        if size > FILE_MAX {
            return Err(Errno::EFBIG);
        }
        let shrinks = size < self.node(node)?.attributes.size;
        self.node_mut(node)?.set_size(size)?;
        if shrinks {
            self.recount(node);
        }
        Ok(())
    }

    /// Charges a file for the pages that it has now.
    fn recount(&mut self, node: Node) {
        let Ok(inode) = self.node_mut(node) else { return };
        let now = inode.resident();
        let before = core::mem::replace(&mut inode.charged, now);
        self.used = self.used.saturating_sub(before).saturating_add(now);
    }

    /// Whether there is room for what writing from `offset` to `end` can cost.
    fn room(&mut self, node: Node, offset: u64, end: u64) -> Result<u64, Errno> {
        let inode = self.node(node)?;
        if inode.is_mapped {
            self.recount(node);
        }
        let cost = self.node(node)?.cost(offset, end);
        let used = self.used.checked_add(cost).ok_or(Errno::ENOSPC)?;
        if used > self.limit { Err(Errno::ENOSPC) } else { Ok(cost) }
    }

    /// Makes the file's pages from `offset` to `end` present (`posix_fallocate`).
    ///
    /// # Errors
    /// EFBIG, ENOSPC.
    pub(crate) fn reserve(&mut self, node: Node, offset: u64, end: u64) -> Result<(), Errno> {
        let old = self.node(node)?.attributes.size;
        if end > FILE_MAX {
            return Err(Errno::EFBIG);
        }
        if self.room(node, offset, end)? > 0 {
            if end > old {
                self.resize(node, end)?;
            }
            let touched = self.touch_pages(node, offset, (end, old));
            self.recount(node);
            touched.inspect_err(|_| {
                let _shrinking_never_fails = self.resize(node, old);
            })?;
        } else if end > old {
            self.resize(node, end)?;
        }
        Ok(())
    }

    /// Rewrites a byte of each page. Where somebody maps the file, this could undo what they write
    /// at the same time: there only what is new is touched, which nobody has written yet.
    fn touch_pages(
        &mut self,
        node: Node,
        offset: u64,
        (end, old): (u64, u64),
    ) -> Result<(), Errno> {
        let inode = self.node_mut(node)?;
        let first = if inode.is_mapped { old.next_multiple_of(PAGE).max(offset) } else { offset };
        let object = inode.object()?;
        // Bound: pages of the range.
        for page in first / PAGE..end.div_ceil(PAGE) {
            let mut byte = [0];
            object.read(page * PAGE, &mut byte).map_err(no_space)?;
            object.write(page * PAGE, &byte).map_err(no_space)?;
        }
        Ok(())
    }

    /// Reads straight from the object.
    ///
    /// # Errors
    /// EINVAL: not a file. EFAULT.
    pub(crate) fn read_at(
        &mut self,
        request: &mut Request<'_>,
        node: Node,
        offset: u64,
        length: usize,
    ) -> Result<u64, Errno> {
        let inode = self.node_mut(node)?;
        if !inode.attributes.is_file() {
            return Err(Errno::EINVAL);
        }
        let bytes = inode.attributes.size.saturating_sub(offset).min(length as u64);
        inode.attributes.atime = clock::timestamp();
        if bytes == 0 {
            return Ok(0);
        }
        // A file that is nothing but a hole has no object before this.
        let object = inode.object()?.raw();
        request.reply_object(object, offset, bytes)
    }

    /// Writes straight to the object.
    ///
    /// # Errors
    /// EFBIG, ENOSPC, EFAULT.
    pub(crate) fn write_at(
        &mut self,
        request: &Request<'_>,
        node: Node,
        offset: u64,
        data: DataAt,
    ) -> Result<u64, Errno> {
        let bytes = data.length as u64;
        if bytes == 0 {
            return Ok(0);
        }
        let old = self.node(node)?.attributes.size;
        let end = offset.checked_add(bytes).ok_or(Errno::EFBIG)?;
        let cost = self.room(node, offset, end)?;
        if end > old {
            self.resize(node, end)?;
        }
        let inode = self.node_mut(node)?;
        let object = inode.object()?;
        let moved = match request.inline(data.offset, data.length) {
            Some(inline) => object.write(offset, inline).map(|count| count as u64),
            None => {
                let (rcvid, from) = (request.rcvid, data.offset as u64);
                message::read_object(rcvid, from, object.raw(), offset, bytes)
            }
        };
        let done = *moved.as_ref().unwrap_or(&0);
        inode.attributes.mtime = clock::timestamp();
        inode.attributes.ctime = inode.attributes.mtime;
        if done < bytes && end > old {
            // What the client's bad memory kept from being written does not lengthen the file.
            self.resize(node, old.max(offset + done))?;
        }
        if cost > 0 {
            self.recount(node);
        }
        match moved {
            Ok(0) => Err(Errno::EFAULT),
            other => other.map_err(no_space),
        }
    }
}
