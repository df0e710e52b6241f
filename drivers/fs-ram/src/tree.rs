//! Nodes and names.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use neutrino_rt::memory::MemObject;
use resmgr::{Attributes, Node};

/// A name in a directory.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) node: Node,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Body {
    /// A regular file; the object is made with the first byte.
    File(Option<MemObject>),
    /// A directory: entries by position, which only grows, so that readers keep their place.
    Directory {
        parent: Node,
        entries: BTreeMap<u64, Entry>,
        names: BTreeMap<Vec<u8>, u64>,
        next: u64,
    },
    /// A symbolic link.
    Link(Vec<u8>),
    /// A FIFO, device or socket node: only a name.
    Special,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Inode {
    /// `blocks` is not kept here: see [`Inode::blocks`].
    pub(crate) attributes: Attributes,
    pub(crate) body: Body,
    /// Bytes of its data that count as used.
    pub(crate) charged: u64,
    /// Somebody got the memory object: pages may come into being behind the server's back.
    pub(crate) is_mapped: bool,
}

impl Body {
    pub(crate) const fn directory(parent: Node) -> Self {
        Self::Directory { parent, entries: BTreeMap::new(), names: BTreeMap::new(), next: 0 }
    }
}

impl Inode {
    pub(crate) fn find(&self, name: &[u8]) -> Option<Node> {
        let Body::Directory { entries, names, .. } = &self.body else { return None };
        names.get(name).and_then(|position| entries.get(position)).map(|entry| entry.node)
    }

    pub(crate) fn add(&mut self, name: &[u8], node: Node) {
        if let Body::Directory { entries, names, next, .. } = &mut self.body {
            entries.insert(*next, Entry { name: Vec::from(name), node });
            names.insert(Vec::from(name), *next);
            *next += 1;
        }
    }

    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<Node> {
        let Body::Directory { entries, names, .. } = &mut self.body else { return None };
        let position = names.remove(name)?;
        entries.remove(&position).map(|entry| entry.node)
    }

    pub(crate) fn is_empty(&self) -> bool {
        match &self.body {
            Body::Directory { entries, .. } => entries.is_empty(),
            Body::File(_) | Body::Link(_) | Body::Special => true,
        }
    }
}
