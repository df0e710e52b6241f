//! Open files (QNX: the open control block).

use crate::server::Node;
use alloc::vec::Vec;
use io_msg::stat::{mode, open};
use neutrino_rt::channel;

/// One open file: what `open` made, shared by all descriptors that came of it.
#[derive(Debug, Clone)]
pub struct Ocb {
    /// What is open.
    pub node: Node,
    /// Type of the node (`S_IFMT` bits).
    pub kind: u32,
    /// `O_*` flags.
    pub ioflag: u32,
    /// File offset; for directories the position of the next entry.
    pub offset: u64,
    /// Attachment that it was opened through.
    pub mount: usize,
    /// Path below the mount that it was opened by; it follows when that is renamed.
    pub path: Vec<u8>,
    /// Its name on the connection.
    pub badge: u64,
    /// Server-side number of the connection.
    pub scoid: u32,
    /// Process that opened it.
    pub pid: u32,
    /// For the server's use.
    pub extra: u64,
}

impl Ocb {
    /// Whether it is a directory.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        self.kind == mode::IFDIR
    }

    /// Whether it was opened for reading.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        let access = self.ioflag & open::ACCMODE;
        self.ioflag & open::PATH == 0 && (access == open::RDONLY || access == open::RDWR)
    }

    /// Whether it was opened for writing.
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        let access = self.ioflag & open::ACCMODE;
        self.ioflag & open::PATH == 0 && (access == open::WRONLY || access == open::RDWR)
    }

    /// Whether calls must not wait.
    #[must_use]
    pub const fn is_nonblocking(&self) -> bool {
        self.ioflag & open::NONBLOCK != 0
    }
}

/// What follows the directory or file `above` in a path: nothing, or a slash and more.
fn below<'a>(path: &'a [u8], above: &[u8]) -> Option<&'a [u8]> {
    path.strip_prefix(above).filter(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// All open files of a server, by badge.
#[derive(Debug, Default)]
pub struct Ocbs {
    slots: Vec<Option<Ocb>>,
    generation: u32,
}

impl Ocbs {
    /// The badge that the next open file will have.
    #[must_use]
    pub fn next_badge(&self) -> u64 {
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        u64::from(self.generation.wrapping_add(1) & 0x7fff_ffff) << 32 | (free as u64 + 1)
    }

    /// Adds an open file under the badge that [`Ocbs::next_badge`] told.
    pub fn insert(&mut self, ocb: Ocb) {
        self.generation = self.generation.wrapping_add(1) & 0x7fff_ffff;
        let index = Self::index(ocb.badge);
        if index == self.slots.len() {
            self.slots.push(None);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(ocb);
        }
    }

    /// The open file with this badge.
    #[must_use]
    pub fn get(&self, badge: u64) -> Option<&Ocb> {
        self.slots.get(Self::index(badge))?.as_ref().filter(|ocb| ocb.badge == badge)
    }

    /// The open file with this badge, to change.
    #[must_use]
    pub fn get_mut(&mut self, badge: u64) -> Option<&mut Ocb> {
        self.slots.get_mut(Self::index(badge))?.as_mut().filter(|ocb| ocb.badge == badge)
    }

    /// Takes one out of its place, to be put back by [`Ocbs::put_back`].
    #[inline]
    pub(crate) fn borrow(&mut self, badge: u64) -> Option<Ocb> {
        self.slots.get_mut(Self::index(badge))?.take_if(|ocb| ocb.badge == badge)
    }

    /// Puts one back where it was.
    #[inline]
    pub(crate) fn put_back(&mut self, ocb: Ocb) {
        if let Some(slot) = self.slots.get_mut(Self::index(ocb.badge)) {
            *slot = Some(ocb);
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, badge: u64) -> Option<Ocb> {
        self.get(badge)?;
        self.slots.get_mut(Self::index(badge))?.take()
    }

    /// The path of a node is `to` now, and what was below `from` is below that.
    pub(crate) fn renamed(&mut self, (mount, node): (usize, Node), from: &[u8], to: &[u8]) {
        for ocb in self.slots.iter_mut().flatten().filter(|ocb| ocb.mount == mount) {
            // Another node with this very path has been unlinked.
            if let Some(rest) = below(&ocb.path, from)
                && (!rest.is_empty() || ocb.node == node)
            {
                ocb.path = [to, rest].concat();
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Ocb> {
        self.slots.iter().flatten()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the readiness of every open file of a node (`abi::handle::ready` bits).
    pub fn notify(&self, node: Node, bits: u32) {
        for ocb in self.iter().filter(|ocb| ocb.node == node) {
            // A connection that is closing needs no readiness.
            let _gone = channel::set_ready(ocb.scoid, ocb.badge, bits);
        }
    }

    fn index(badge: u64) -> usize {
        ((badge & 0xffff_ffff) as usize).wrapping_sub(1)
    }
}
