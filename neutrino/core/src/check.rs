//! The numbered invariants as functions; for tests and the explorer.

use crate::Kernel;
use crate::thread::State;

impl Kernel {
    /// Names the first invariant that does not hold. Costs a scan of every object.
    ///
    /// # Errors
    /// The broken invariant.
    pub fn check(&self) -> Result<(), &'static str> {
        self.check_queues()?;
        self.check_priorities()?;
        self.check_running()
    }

    fn check_queues(&self) -> Result<(), &'static str> {
        for (_, channel) in self.channels.iter() {
            if channel.receivers.first().is_some() && channel.senders.first().is_some() {
                return Err("I5: a sender and a receiver wait for each other");
            }
            let takes_pulses = channel.receivers.first().or(channel.pulse_receivers.first());
            if takes_pulses.is_some() && channel.pulses.first().is_some() {
                return Err("I5: a pulse and a receiver wait for each other");
            }
            for sender in channel.senders.iter(&self.threads) {
                if !matches!(self.threads[sender].state, State::Send { .. }) {
                    return Err("I3: a queued sender does not send");
                }
            }
            for client in channel.clients.iter(&self.threads) {
                if !matches!(self.threads[client].state, State::Reply { .. }) {
                    return Err("I3: a client does not wait for a reply");
                }
            }
        }
        Ok(())
    }

    fn check_priorities(&self) -> Result<(), &'static str> {
        for (id, thread) in self.threads.iter() {
            if thread.effective != self.wanted(id) {
                return Err("I7: a thread runs at another priority than its clients need");
            }
        }
        Ok(())
    }

    fn check_running(&self) -> Result<(), &'static str> {
        for (id, thread) in self.threads.iter() {
            let is_current = self.cpus.iter().any(|cpu| cpu.current == Some(id));
            if is_current != (thread.state == State::Running) {
                return Err("I8: the current thread does not run, or another does");
            }
        }
        Ok(())
    }
}

impl Kernel {
    /// The priority that a thread runs at; for tests.
    #[must_use]
    pub fn priority_of(&self, thread: crate::machine::ThreadSlot) -> u8 {
        let id = crate::slab::Id::from_index(thread.0);
        id.map_or(0, |t| self.threads[t].effective.0)
    }

    /// The server-side number of a thread's connection; for tests.
    #[must_use]
    pub fn scoid_of(&self, thread: crate::machine::ThreadSlot, coid: u32) -> u32 {
        crate::slab::Id::from_index(thread.0)
            .and_then(|t| self.handle_connection(self.process_of(t), coid).ok())
            .map_or(0, |id| u32::from(id.index()))
    }
}
