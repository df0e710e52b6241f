//! The tree: a node is the index of its entry in the image.

use alloc::vec::Vec;
use io_msg::io::MmapReply;
use io_msg::stat::{Statfs, mode};
use neutrino_rt::Errno;
use neutrino_rt::abi::image::{Entry, Image};
use neutrino_rt::abi::memory::prot;
use neutrino_rt::memory::MemObject;
use resmgr::{Attributes, DirectoryEntry, Node, Ocb, Outcome, Request, Server};

/// The image and the object that holds it.
#[derive(Debug)]
pub(crate) struct BootImage {
    object: MemObject,
    image: Image<'static>,
}

impl BootImage {
    pub(crate) const fn new(object: MemObject, image: Image<'static>) -> Self {
        Self { object, image }
    }

    fn at(&self, node: Node) -> Result<Entry<'static>, Errno> {
        let index = u32::try_from(node).map_err(|_| Errno::ENOENT)?;
        self.image.entry(index).ok_or(Errno::ENOENT)
    }
}

impl Server for BootImage {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        let entry = self.at(node)?;
        let time = [entry.mtime().cast_signed(), 0];
        Ok(Attributes {
            inode: node.wrapping_add(1),
            mode: entry.mode(),
            uid: entry.uid(),
            gid: entry.gid(),
            links: 1,
            size: entry.size(),
            blocks: entry.size().div_ceil(512),
            rdev: 0,
            atime: time,
            mtime: time,
            ctime: time,
        })
    }

    fn device(&self) -> u64 {
        0x100
    }

    fn lookup(&mut self, directory: Node, name: &[u8]) -> Result<Node, Errno> {
        let index = u32::try_from(directory).map_err(|_| Errno::ENOENT)?;
        self.image.child(index, name).map(|entry| u64::from(entry.index())).ok_or(Errno::ENOENT)
    }

    fn parent(&self, directory: Node) -> Node {
        self.at(directory).map_or(0, |entry| u64::from(entry.parent()))
    }

    fn read_link(&self, _request: &Request<'_>, node: Node) -> Result<Vec<u8>, Errno> {
        let entry = self.at(node)?;
        let is_link = entry.mode() & mode::IFMT == mode::IFLNK;
        if is_link { Ok(Vec::from(entry.data())) } else { Err(Errno::EINVAL) }
    }

    fn entry(&mut self, directory: Node, position: u64) -> Option<DirectoryEntry> {
        let children = self.at(directory).ok()?.children();
        let index = children.start.checked_add(u32::try_from(position).ok()?)?;
        let entry = children.contains(&index).then(|| self.image.entry(index))??;
        Some(DirectoryEntry {
            inode: u64::from(index).wrapping_add(1),
            mode: entry.mode(),
            name: Vec::from(entry.name()),
            next: position.checked_add(1)?,
        })
    }

    fn statfs(&self) -> Result<Statfs, Errno> {
        const ST_RDONLY: i64 = 1;
        Ok(Statfs {
            fs_type: 0x4e54_524e,
            bsize: 4096,
            blocks: self.image.total_size().div_ceil(4096),
            files: u64::from(self.image.entry_count()),
            namelen: 255,
            frsize: 4096,
            flags: ST_RDONLY,
            ..Statfs::default()
        })
    }

    fn read(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        length: usize,
    ) -> Outcome {
        let moved = self.at(ocb.node).and_then(|entry| {
            let rest = entry.size().saturating_sub(offset);
            let bytes = rest.min(length as u64);
            if bytes == 0 {
                return Ok(0);
            }
            let at = entry.data_offset().checked_add(offset).ok_or(Errno::EINVAL)?;
            request.reply_object(self.object.raw(), at, bytes)
        });
        Outcome::Reply(moved.map(u64::cast_signed))
    }

    fn mmap(&mut self, node: Node, writable: bool) -> Result<(u32, MmapReply), Errno> {
        let entry = self.at(node)?;
        if writable {
            return Err(Errno::EACCES);
        }
        let reply = MmapReply {
            object: 0,
            protection: prot::READ | prot::EXEC,
            offset: entry.data_offset(),
            size: entry.size(),
        };
        Ok((self.object.raw(), reply))
    }
}
