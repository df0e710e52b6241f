//! Interrupts: a line's interrupt fires the events attached to it and stays masked until unmasked.

use neutrino_abi::Errno;
use neutrino_abi::event::{Event, MESSAGE_LINE};
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::process::able;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Handle, Target};
use crate::ipc::event::Action;
use crate::ipc::pulse::{Owner, PulseId};
use crate::limits::{LINES, MESSAGE_LINES};
use crate::machine::{Machine, Place};
use crate::process::ProcessId;
use crate::slab::{Id, Slot};
use crate::thread::{Latch, Plain, State, ThreadId};

/// Index of an [`Interrupt`].
pub type InterruptId = Id<Interrupt>;

/// An attachment to a line.
#[derive(Clone, Debug, Hash)]
pub struct Interrupt {
    process: Option<ProcessId>,
    line: u32,
    action: Action,
    pub(crate) pulse: Option<PulseId>,
    /// Handles of it beside the first.
    others: u32,
}

impl Slot for Interrupt {
    const VACANT: Self =
        Self { process: None, line: 0, action: Action::None, pulse: None, others: 0 };
    fn is_vacant(&self) -> bool {
        self.process.is_none()
    }
}

impl Interrupt {
    /// What happens when the interrupt comes.
    pub(crate) const fn action(&self) -> Action {
        self.action
    }
}

impl Kernel {
    /// `InterruptAttachEvent`.
    pub(crate) fn interrupt_attach(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        line: u32,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let line = self.interrupt_line(m, t, line)?;
        let event: Event = self.load(m, Place { space: self.space(t), address })?;
        let process = self.process_of(t);
        self.handle_room(process, SIDE_CHANNEL)?;
        if !self.interrupts.has_room(1) {
            return Err(Errno::EAGAIN);
        }
        let action = self.event_decode(t, &event)?;
        // Commit: nothing below fails.
        let new = Interrupt { process: Some(process), line, action, pulse: None, others: 0 };
        let id = self.interrupts.insert(new).ok_or(Errno::EAGAIN)?;
        let handle = Handle { target: Target::Interrupt(id), flags: 0 };
        let number = self.handle_add(process, SIDE_CHANNEL, handle)?;
        m.unmask_line(line);
        Ok(Outcome::value(number))
    }

    /// The line that a caller means, and may attach to.
    // Bound: MESSAGE_LINES by 127 attachments.
    fn interrupt_line(&self, m: &impl Machine, t: ThreadId, named: u32) -> Result<u32, Errno> {
        if named != MESSAGE_LINE && named >= SIDE_CHANNEL {
            let id = self.handle_interrupt(self.process_of(t), named)?;
            return Ok(self.interrupts[id].line);
        }
        self.needs(t, able::INTERRUPT)?;
        let is_free =
            |line: &u32| m.has_line(*line) && self.interrupts.iter().all(|(_, i)| i.line != *line);
        match named {
            MESSAGE_LINE => MESSAGE_LINES.into_iter().find(is_free).ok_or(Errno::EAGAIN),
            _ if named < LINES && m.has_line(named) => Ok(named),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The line of an attachment, and the message that raises it.
    pub(crate) fn interrupt_info(&self, m: &impl Machine, id: InterruptId) -> (u32, u64) {
        let line = self.interrupts[id].line;
        (line, m.line_message(line))
    }

    /// `InterruptMask` and `InterruptUnmask`.
    pub(crate) fn interrupt_gate(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        number: u32,
        gate: Gate,
    ) -> Result<Outcome, Errno> {
        let id = self.handle_interrupt(self.process_of(t), number)?;
        let line = self.interrupts[id].line;
        match gate {
            Gate::Masked => m.mask_line(line),
            Gate::Open => m.unmask_line(line),
        }
        Ok(Outcome::DONE)
    }

    /// `InterruptWait`.
    pub(crate) fn interrupt_wait(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
    ) -> Result<Outcome, Errno> {
        if self.threads[t].latch == Latch::Set {
            self.threads[t].latch = Latch::Clear;
            return Ok(Outcome::DONE);
        }
        self.may_wait(t)?;
        self.transition(t, State::Interrupt);
        self.start_waiting(m, t);
        Ok(Outcome::Blocked)
    }

    /// The one thread that an interrupt of a line wakes, if nothing else is attached to it, and the
    /// thread waits for it and is plain (I9).
    // Bound: one turn for each attachment, 63.
    pub(crate) fn interrupt_waiter(&self, line: u32) -> Option<ThreadId> {
        let mut attached = self.interrupts.iter().filter(|(_, other)| other.line == line);
        let (_, only) = attached.next()?;
        let Action::Wake(t, tid) = only.action else { return None };
        let thread = &self.threads[t];
        let waits = matches!(thread.state, State::Interrupt)
            && thread.tid == tid
            && Some(thread.process) == only.process
            && thread.plain != Plain::NO;
        (waits && attached.next().is_none()).then_some(t)
    }

    /// An interrupt came.
    // Bound: one turn for each attachment, 127.
    pub(crate) fn interrupt_fire(&mut self, m: &mut impl Machine, line: u32) {
        let mut at = self.interrupts.first_from(0);
        while let Some(id) = at {
            at = self.interrupts.first_from(id.index());
            let Interrupt { process, line: own, action, .. } = self.interrupts[id];
            if let Some(process) = process
                && own == line
            {
                self.event_fire(m, process, &action, Owner::Interrupt(id));
            }
        }
    }

    /// Whether the handle can be passed on: its holder is told nothing, it only holds the line.
    pub(crate) fn interrupt_is_passed(&self, id: InterruptId) -> bool {
        self.interrupts[id].action == Action::None
    }

    /// One more handle names an attachment.
    pub(crate) fn interrupt_share(&mut self, id: InterruptId) {
        let others = &mut self.interrupts[id].others;
        *others = others.saturating_add(1);
    }

    /// A handle of an attachment is gone.
    pub(crate) fn interrupt_end(&mut self, m: &mut impl Machine, id: InterruptId) {
        if let Some(fewer) = self.interrupts[id].others.checked_sub(1) {
            self.interrupts[id].others = fewer;
            return;
        }
        if let Some(pulse) = self.interrupts[id].pulse {
            self.orphan(pulse);
        }
        let Interrupt { line, action, .. } = self.interrupts.remove(id);
        let shared = self.interrupts.iter().any(|(_, other)| other.line == line);
        if !shared {
            m.mask_line(line);
        }
        self.event_release(m, &action);
    }
}

/// Whether interrupts come through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// They do not.
    Masked,
    /// They do.
    Open,
}
