//! I/O ports: ranges as handles.

use neutrino_abi::Errno;
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::process::able;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Handle, Target};
use crate::machine::Machine;
use crate::slab::{Id, Slot};
use crate::thread::ThreadId;

/// Index of a [`Port`].
pub type PortId = Id<Port>;

/// A range of I/O ports; empty: a free slot.
#[derive(Clone, Debug, Hash)]
pub struct Port {
    base: u16,
    count: u32,
    /// Handles of it beside the first.
    others: u32,
}

impl Slot for Port {
    const VACANT: Self = Self { base: 0, count: 0, others: 0 };
    fn is_vacant(&self) -> bool {
        self.count == 0
    }
}

impl Kernel {
    /// `PortAttach`.
    pub(crate) fn port_attach(
        &mut self,
        t: ThreadId,
        base: u32,
        count: u32,
    ) -> Result<Outcome, Errno> {
        self.needs(t, able::IO)?;
        let end = base.checked_add(count).ok_or(Errno::EINVAL)?;
        let first = u16::try_from(base).map_err(|_| Errno::EINVAL)?;
        if count == 0 || end > 0x1_0000 {
            return Err(Errno::EINVAL);
        }
        let process = self.process_of(t);
        self.handle_room(process, SIDE_CHANNEL)?;
        let id = self.ports.insert(Port { base: first, count, others: 0 }).ok_or(Errno::EAGAIN)?;
        // Commit: nothing below fails.
        let handle = Handle { target: Target::Port(id), flags: 0 };
        self.handle_add(process, SIDE_CHANNEL, handle).map(Outcome::value)
    }

    /// One more handle names a range.
    pub(crate) fn port_share(&mut self, id: PortId) {
        let others = &mut self.ports[id].others;
        *others = others.saturating_add(1);
    }

    /// A handle of a range is gone.
    pub(crate) fn port_end(&mut self, id: PortId) {
        match self.ports[id].others.checked_sub(1) {
            Some(fewer) => self.ports[id].others = fewer,
            None => {
                self.ports.remove(id);
            }
        }
    }

    fn port_at(&self, t: ThreadId, number: u32, offset: u32, width: u32) -> Result<u16, Errno> {
        let id = self.handle_port(self.process_of(t), number)?;
        let Port { base, count, .. } = self.ports[id];
        let end = offset.checked_add(width).ok_or(Errno::EINVAL)?;
        if !matches!(width, 1 | 2 | 4) || end > count {
            return Err(Errno::EINVAL);
        }
        let offset = u16::try_from(offset).map_err(|_| Errno::EINVAL)?;
        Ok(base.wrapping_add(offset))
    }

    /// `PortRead`.
    pub(crate) fn port_read(
        &self,
        m: &mut impl Machine,
        t: ThreadId,
        number: u32,
        offset: u32,
        width: u32,
    ) -> Result<Outcome, Errno> {
        let port = self.port_at(t, number, offset, width)?;
        Ok(Outcome::value(m.port_read(port, width)))
    }

    /// `PortWrite`.
    pub(crate) fn port_write(
        &self,
        m: &mut impl Machine,
        t: ThreadId,
        number: u32,
        offset: u32,
        wanted: (u32, u32),
    ) -> Result<Outcome, Errno> {
        let (width, value) = wanted;
        let port = self.port_at(t, number, offset, width)?;
        m.port_write(port, width, value);
        Ok(Outcome::DONE)
    }
}
