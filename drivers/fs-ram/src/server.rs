//! The file system: what the framework asks, answered from the tree.

use crate::tree::{Body, Inode};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use io_msg::io::MmapReply;
use io_msg::stat::{Statfs, mode};
use neutrino_rt::abi::handle::ready;
use neutrino_rt::abi::memory::prot;
use neutrino_rt::{Errno, clock};
use resmgr::{
    Attributes, Change, DataAt, DirectoryEntry, Node, Ocb, Opening, Outcome, Request, Server,
};

/// Bytes that a node is charged, beside its data.
const NODE_BYTES: u64 = 512;
pub(crate) const PAGE: u64 = 4096;

/// All trees of one server; a node number is never used again.
#[derive(Debug)]
pub(crate) struct RamFs {
    nodes: BTreeMap<Node, Inode>,
    next: Node,
    pub(crate) limit: u64,
    pub(crate) used: u64,
}

impl RamFs {
    pub(crate) const fn new(limit: u64) -> Self {
        Self { nodes: BTreeMap::new(), next: 1, limit, used: 0 }
    }

    pub(crate) const fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Makes the root of another tree.
    pub(crate) fn add_root(&mut self, permissions: u32) -> Result<Node, Errno> {
        let root = self.next;
        let mut attributes = Attributes::new(0, mode::IFDIR | permissions);
        attributes.links = 2;
        self.add_node(attributes, Body::directory(root))
    }

    pub(crate) fn node(&self, node: Node) -> Result<&Inode, Errno> {
        self.nodes.get(&node).ok_or(Errno::ENOENT)
    }

    pub(crate) fn node_mut(&mut self, node: Node) -> Result<&mut Inode, Errno> {
        self.nodes.get_mut(&node).ok_or(Errno::ENOENT)
    }

    pub(crate) fn charge(&mut self, bytes: u64) -> Result<(), Errno> {
        let used = self.used.checked_add(bytes).ok_or(Errno::ENOSPC)?;
        if used > self.limit {
            return Err(Errno::ENOSPC);
        }
        self.used = used;
        Ok(())
    }

    fn add_node(&mut self, attributes: Attributes, body: Body) -> Result<Node, Errno> {
        self.charge(NODE_BYTES)?;
        let node = self.next;
        self.next += 1;
        let attributes = Attributes { inode: node, ..attributes };
        self.nodes.insert(node, Inode { attributes, body, charged: 0, is_mapped: false });
        Ok(node)
    }

    fn touch(&mut self, directory: Node, links: i32) {
        if let Some(inode) = self.nodes.get_mut(&directory) {
            let now = clock::timestamp();
            inode.attributes.mtime = now;
            inode.attributes.ctime = now;
            inode.attributes.links = inode.attributes.links.saturating_add_signed(links);
        }
    }

    /// Puts a new node under a name.
    fn add(
        &mut self,
        directory: Node,
        name: &[u8],
        attributes: Attributes,
        body: Body,
    ) -> Result<Node, Errno> {
        // A directory that was removed while somebody is in it takes no new names.
        if self.node(directory)?.attributes.links == 0 {
            return Err(Errno::ENOENT);
        }
        let is_directory = attributes.is_directory();
        let node = self.add_node(attributes, body)?;
        self.node_mut(directory)?.add(name, node);
        self.touch(directory, i32::from(is_directory));
        Ok(node)
    }

    /// Takes a name of a node away, as the name has been removed from its directory.
    fn drop_name(&mut self, directory: Node, node: Node) {
        let Some(inode) = self.nodes.get_mut(&node) else { return };
        let is_directory = inode.attributes.is_directory();
        let lost = if is_directory { 2 } else { 1 };
        inode.attributes.links = inode.attributes.links.saturating_sub(lost);
        inode.attributes.ctime = clock::timestamp();
        self.touch(directory, -i32::from(is_directory));
    }

    /// Whether `node` is `above` or lies below it.
    fn is_below(&self, mut node: Node, above: Node) -> bool {
        // Bound: the depth of the tree.
        loop {
            if node == above {
                return true;
            }
            let parent = self.parent(node);
            if parent == node {
                return false;
            }
            node = parent;
        }
    }
}

impl Server for RamFs {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        let inode = self.node(node)?;
        Ok(Attributes { blocks: inode.blocks(), ..inode.attributes })
    }

    fn device(&self) -> u64 {
        0x101
    }

    fn lookup(&mut self, directory: Node, name: &[u8]) -> Result<Node, Errno> {
        self.node(directory)?.find(name).ok_or(Errno::ENOENT)
    }

    fn parent(&self, directory: Node) -> Node {
        match self.nodes.get(&directory).map(|inode| &inode.body) {
            Some(Body::Directory { parent, .. }) => *parent,
            Some(Body::File(_) | Body::Link(_) | Body::Special) | None => directory,
        }
    }

    fn path(&self, node: Node) -> Option<Vec<u8>> {
        if !self.nodes.get(&node)?.attributes.is_directory() {
            return None;
        }
        let mut parts = Vec::new();
        let mut here = node;
        // Bound: the depth of the tree.
        loop {
            let parent = self.parent(here);
            if parent == here {
                break;
            }
            let Body::Directory { entries, .. } = &self.nodes.get(&parent)?.body else {
                return None;
            };
            parts.push(entries.values().find(|entry| entry.node == here)?.name.as_slice());
            here = parent;
        }
        parts.reverse();
        Some(parts.join(&b'/'))
    }

    fn read_link(&self, _request: &Request<'_>, node: Node) -> Result<Vec<u8>, Errno> {
        match &self.node(node)?.body {
            Body::Link(target) => Ok(target.clone()),
            Body::File(_) | Body::Directory { .. } | Body::Special => Err(Errno::EINVAL),
        }
    }

    fn entry(&mut self, directory: Node, position: u64) -> Option<DirectoryEntry> {
        let Body::Directory { entries, .. } = &self.nodes.get(&directory)?.body else {
            return None;
        };
        let (at, entry) = entries.range(position..).next()?;
        let attributes = &self.nodes.get(&entry.node)?.attributes;
        Some(DirectoryEntry {
            inode: attributes.inode,
            mode: attributes.mode,
            name: entry.name.clone(),
            next: at + 1,
        })
    }

    fn create(
        &mut self,
        directory: Node,
        name: &[u8],
        attributes: &Attributes,
    ) -> Result<Node, Errno> {
        let mut attributes = *attributes;
        let body = match attributes.kind() {
            mode::IFREG => Body::File(None),
            mode::IFDIR => {
                attributes.links = 2;
                Body::directory(directory)
            }
            _ => Body::Special,
        };
        self.add(directory, name, attributes, body)
    }

    fn symlink(
        &mut self,
        directory: Node,
        name: &[u8],
        target: &[u8],
        attributes: &Attributes,
    ) -> Result<Node, Errno> {
        let attributes = Attributes { size: target.len() as u64, ..*attributes };
        self.add(directory, name, attributes, Body::Link(Vec::from(target)))
    }

    fn link(&mut self, node: Node, directory: Node, name: &[u8]) -> Result<(), Errno> {
        if self.node(directory)?.attributes.links == 0 {
            return Err(Errno::ENOENT);
        }
        let inode = self.node_mut(node)?;
        inode.attributes.links = inode.attributes.links.checked_add(1).ok_or(Errno::EMLINK)?;
        inode.attributes.ctime = clock::timestamp();
        self.node_mut(directory)?.add(name, node);
        self.touch(directory, 0);
        Ok(())
    }

    fn unlink(&mut self, directory: Node, name: &[u8], node: Node) -> Result<(), Errno> {
        if !self.node(node)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.node_mut(directory)?.remove(name).ok_or(Errno::ENOENT)?;
        self.drop_name(directory, node);
        Ok(())
    }

    fn rename(&mut self, from: (Node, &[u8]), to: (Node, &[u8])) -> Result<(), Errno> {
        let node = self.lookup(from.0, from.1)?;
        let is_directory = self.node(node)?.attributes.is_directory();
        if is_directory && self.is_below(to.0, node) {
            return Err(Errno::EINVAL);
        }
        let replaced = self.node(to.0)?.find(to.1);
        if let Some(replaced) = replaced
            && !self.node(replaced)?.is_empty()
        {
            return Err(Errno::ENOTEMPTY);
        }
        if self.node(to.0)?.attributes.links == 0 {
            return Err(Errno::ENOENT);
        }
        // Commit: nothing below fails.
        self.node_mut(from.0)?.remove(from.1);
        if let Some(replaced) = replaced {
            self.node_mut(to.0)?.remove(to.1);
            self.drop_name(to.0, replaced);
        }
        self.node_mut(to.0)?.add(to.1, node);
        self.touch(from.0, -i32::from(is_directory));
        self.touch(to.0, i32::from(is_directory));
        let inode = self.node_mut(node)?;
        inode.attributes.ctime = clock::timestamp();
        if let Body::Directory { parent, .. } = &mut inode.body {
            *parent = to.0;
        }
        Ok(())
    }

    fn change(&mut self, node: Node, change: &Change) -> Result<(), Errno> {
        change.apply(&mut self.node_mut(node)?.attributes);
        Ok(())
    }

    fn truncate(&mut self, node: Node, size: u64) -> Result<(), Errno> {
        self.resize(node, size)
    }

    fn allocate(&mut self, node: Node, offset: u64, end: u64) -> Result<(), Errno> {
        self.reserve(node, offset, end)
    }

    fn statfs(&self) -> Result<Statfs, Errno> {
        let free = self.limit.saturating_sub(self.used) / PAGE;
        Ok(Statfs {
            fs_type: 0x0102_1994,
            bsize: PAGE.cast_signed(),
            blocks: self.limit / PAGE,
            bfree: free,
            bavail: free,
            files: self.limit / NODE_BYTES,
            ffree: self.limit.saturating_sub(self.used) / NODE_BYTES,
            namelen: 255,
            frsize: PAGE.cast_signed(),
            ..Statfs::default()
        })
    }

    /// A FIFO is the pipe server's, a device node nobody's.
    fn open(&mut self, _: &Request<'_>, node: Node, _ioflag: u32) -> Result<Opening, Errno> {
        let attributes = self.node(node)?.attributes;
        match attributes.kind() {
            mode::IFIFO => {
                let name = alloc::format!("/dev/pipe/fifo-{}-{node}", self.device());
                Ok(Opening::Redirect(name.into_bytes()))
            }
            mode::IFREG | mode::IFDIR => Ok(Opening::Open(node, ready::IN | ready::OUT)),
            _ => Err(Errno::ENXIO),
        }
    }

    fn released(&mut self, node: Node) {
        let gone = self.nodes.get(&node).is_some_and(|inode| inode.attributes.links == 0);
        if gone && let Some(inode) = self.nodes.remove(&node) {
            self.used = self.used.saturating_sub(NODE_BYTES + inode.charged);
        }
    }

    fn read(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        length: usize,
    ) -> Outcome {
        Outcome::Reply(self.read_at(request, ocb.node, offset, length).map(u64::cast_signed))
    }

    fn write(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        data: DataAt,
    ) -> Outcome {
        Outcome::Reply(self.write_at(request, ocb.node, offset, data).map(u64::cast_signed))
    }

    fn mmap(&mut self, node: Node, _writable: bool) -> Result<(u32, MmapReply), Errno> {
        let inode = self.node_mut(node)?;
        let size = inode.attributes.size;
        let object = inode.object()?.raw();
        inode.is_mapped = true;
        let protection = prot::READ | prot::WRITE | prot::EXEC;
        Ok((object, MmapReply { object: 0, protection, offset: 0, size }))
    }
}
