//! The directory of functions, and what their drivers ask for.

use alloc::format;
use alloc::vec::Vec;

use io_msg::stat::mode;
use neutrino_rt::abi::handle::ready;
use neutrino_rt::{Errno, message};
use pci::config::{self, Config, command};
use pci::message::{Ask, PCI_BAR, PCI_DMA, PCI_INTERRUPT, PCI_MASTER};
use resmgr::{
    Attributes, Change, DirectoryEntry, Node, Ocb, Ocbs, Opening, Outcome, Request, Server,
};
use zerocopy::IntoBytes;

use crate::access::Access;
use crate::bus;
use crate::function::{Function, Gift};

/// The node of the directory; functions follow.
const ROOT: Node = 0;
const PAGE: u64 = 4096;

/// The bus.
#[derive(Debug)]
pub(crate) struct Bus {
    access: Access,
    root: Attributes,
    functions: Vec<Function>,
}

impl Bus {
    /// Finds all functions.
    ///
    /// # Errors
    /// EPERM without the right to ports.
    pub(crate) fn new() -> Result<Self, Errno> {
        let access = Access::new()?;
        let functions = (2..)
            .zip(bus::enumerate(&access))
            .map(|(inode, address)| {
                // Everybody may look; a driver has to be root's, or the node given to its user.
                let mut attributes = Attributes::new(inode, mode::IFREG | 0o644);
                attributes.size = access.bytes().into();
                Function::new(address, &access.of(address), attributes)
            })
            .collect();
        Ok(Self { access, root: Attributes::new(1, mode::IFDIR | 0o755), functions })
    }

    fn function(&self, node: Node) -> Result<&Function, Errno> {
        let at = usize::try_from(node).ok().and_then(|node| node.checked_sub(1));
        at.and_then(|at| self.functions.get(at)).ok_or(Errno::ENOENT)
    }

    /// A function, to change, and the way to its registers.
    fn reach(&mut self, node: Node) -> Result<(&mut Function, &Access), Errno> {
        let Self { access, functions, .. } = self;
        let at = usize::try_from(node).ok().and_then(|node| node.checked_sub(1));
        let function = at.and_then(|at| functions.get_mut(at)).ok_or(Errno::ENOENT)?;
        Ok((function, access))
    }

    /// Whether the pages of a range have nothing of another function's in them.
    fn is_alone(&self, node: Node, index: usize) -> Result<bool, Errno> {
        let own = self.function(node)?;
        let Some((start, end)) = own.window(index) else { return Ok(true) };
        let (first, last) = (start & !(PAGE - 1), end.next_multiple_of(PAGE));
        let mut others = self.functions.iter().filter(|other| other.address != own.address);
        Ok(!others.any(|other| other.touches(first, last)))
    }

    fn ask(&mut self, node: Node, ask: &Ask) -> Result<Gift, Errno> {
        let index = usize::from(ask.index);
        if ask.kind == PCI_BAR && !self.is_alone(node, index)? {
            return Err(Errno::EPERM);
        }
        let (function, access) = self.reach(node)?;
        let config = access.of(function.address);
        match ask.kind {
            PCI_BAR => function.range(index, &config),
            PCI_DMA => function.memory(ask.size),
            PCI_INTERRUPT => function.interrupt(ask.index, &config),
            _ => Err(Errno::ENOSYS),
        }
    }

    fn answer(&mut self, request: &mut Request<'_>, node: Node) -> Result<i64, Errno> {
        let ask = request.header::<Ask>()?;
        if ask.kind == PCI_MASTER {
            let (function, access) = self.reach(node)?;
            config::command(&access.of(function.address), command::MASTER, 0);
            return Ok(0);
        }
        let gift = self.ask(node, &ask)?;
        let mut given = gift.given;
        given.handle = message::give(request.rcvid, gift.number, 0)?;
        request.reply.clear();
        request.reply.extend_from_slice(given.as_bytes());
        Ok(0)
    }
}

impl Server for Bus {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        match node {
            ROOT => Ok(self.root),
            _ => self.function(node).map(|function| function.attributes),
        }
    }

    fn change(&mut self, node: Node, change: &Change) -> Result<(), Errno> {
        match node {
            ROOT => change.apply(&mut self.root),
            _ => change.apply(&mut self.reach(node)?.0.attributes),
        }
        Ok(())
    }

    fn lookup(&mut self, _: Node, name: &[u8]) -> Result<Node, Errno> {
        let functions = (ROOT + 1..).zip(&self.functions);
        let mut named = functions.filter(|(_, f)| format!("{}", f.address).as_bytes() == name);
        named.next().map(|(node, _)| node).ok_or(Errno::ENOENT)
    }

    fn entry(&mut self, _: Node, position: u64) -> Option<DirectoryEntry> {
        let function = self.functions.get(usize::try_from(position).ok()?)?;
        Some(DirectoryEntry {
            inode: function.attributes.inode,
            mode: function.attributes.mode,
            name: format!("{}", function.address).into_bytes(),
            next: position + 1,
        })
    }

    fn open(&mut self, _: &Request<'_>, node: Node, ioflag: u32) -> Result<Opening, Errno> {
        let writes = ioflag & io_msg::stat::open::ACCMODE != io_msg::stat::open::RDONLY;
        if writes && self.function(node)?.is_taken() {
            return Err(Errno::EBUSY);
        }
        Ok(Opening::Open(node, ready::IN | ready::OUT))
    }

    fn opened(&mut self, _: &Request<'_>, ocb: &mut Ocb) {
        if ocb.is_writable()
            && let Ok((function, _)) = self.reach(ocb.node)
        {
            function.take();
        }
    }

    fn closed(&mut self, ocb: &Ocb, _: &Ocbs) {
        if ocb.is_writable()
            && let Ok((function, access)) = self.reach(ocb.node)
        {
            function.release(&access.of(function.address));
        }
    }

    fn read(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        length: usize,
    ) -> Outcome {
        let Ok(function) = self.function(ocb.node) else {
            return Outcome::Reply(Err(Errno::ENOENT));
        };
        let config = self.access.of(function.address);
        let size = u64::from(self.access.bytes());
        let end = offset.saturating_add(length as u64).min(size);
        request.reply.clear();
        for at in offset..end {
            let at = at as u16;
            let register = config.read(at & !3).to_le_bytes();
            request.reply.push(register[usize::from(at & 3)]);
        }
        Outcome::Reply(Ok(request.reply.len() as i64))
    }

    fn message(&mut self, request: &mut Request<'_>, _: u16, ocbs: &mut Ocbs) -> Outcome {
        let ocb = ocbs.get(request.head.badge).filter(|ocb| ocb.is_writable());
        let Some(node) = ocb.map(|ocb| ocb.node) else {
            return Outcome::Reply(Err(Errno::EBADF));
        };
        Outcome::Reply(self.answer(request, node))
    }
}
