//! What happens before a thread goes back to user space, and what a fault there means.

use neutrino_abi::process::able;
use neutrino_abi::signal::{Registers, SignalArea, SignalInfo};
use neutrino_abi::wire::Wire;

use crate::Kernel;
use crate::machine::{Machine, Place};
use crate::process::Life;
use crate::signal::{Effect, Holder, bit};
use crate::step::Work;
use crate::thread::{ThreadId, slot};

impl Kernel {
    /// Acts on the signals of a thread that is about to run. Afterwards it may be stopped or ended,
    /// or diverted to its signal entry.
    // Bound: one turn for each deliverable signal that is ignored.
    pub(crate) fn prepare(&mut self, m: &mut impl Machine, t: ThreadId) {
        let process = self.process_of(t);
        loop {
            let deliverable = self.deliverable(t);
            if deliverable == 0 {
                return;
            }
            let number = deliverable.trailing_zeros().wrapping_add(1);
            match self.effect(process, number) {
                // A handler waits for the end of the call.
                Effect::Handle if self.threads[t].work != Work::None => return,
                Effect::Handle => return self.divert(m, t),
                Effect::Ignore => {
                    self.take_lowest(t, bit(number));
                }
                Effect::Stop => {
                    self.take_lowest(t, bit(number));
                    self.process_stop(m, process, number);
                    return;
                }
                Effect::Terminate => {
                    let info = self.take_lowest(t, bit(number));
                    self.terminate(m, process, &info, Some(t));
                    return;
                }
            }
        }
    }

    /// Takes the lowest pending signal of a set, of the thread before that of its process.
    pub(crate) fn take_lowest(&mut self, t: ThreadId, set: u64) -> SignalInfo {
        let own = self.threads[t].pending.set & set;
        let process = self.process_of(t);
        let shared = self.processes[process].pending.set & set;
        let lowest = (own | shared) & (own | shared).wrapping_neg();
        let number = lowest.trailing_zeros().wrapping_add(1);
        let holder = if own & lowest != 0 { Holder::Thread(t) } else { Holder::Process(process) };
        self.take_pending(holder, number)
    }

    fn divert(&mut self, m: &mut impl Machine, t: ThreadId) {
        let personality = self.processes[self.process_of(t)].personality;
        let address = self.threads[t].signal_area;
        if personality.signal_entry == 0 || address == 0 {
            return;
        }
        let place = Place { space: self.space(t), address };
        let registers = m.registers(slot(t));
        let ip = registers.rip;
        if (personality.guard_start..personality.guard_end).contains(&ip) {
            // A bad area is the process's own loss: it does not learn of its signals.
            let _bad_area = self.memory.write(m, place, &1_u32.to_le_bytes());
            if (personality.restart_start..personality.restart_end).contains(&ip) {
                let rip = personality.restart_start;
                m.set_registers(slot(t), &Registers { rip, ..registers });
            }
            return;
        }
        let area = SignalArea { pending: 1, diverted: 1, registers };
        if self.store(m, place, &area).is_ok() {
            let rip = personality.signal_entry;
            m.set_registers(slot(t), &Registers { rip, ..registers });
        }
    }

    /// An exception of a thread in user space.
    pub(crate) fn fault(&mut self, m: &mut impl Machine, t: ThreadId, info: &SignalInfo) {
        let process = self.process_of(t);
        let personality = self.processes[process].personality;
        let registers = m.registers(slot(t));
        if (personality.copy_start..personality.copy_end).contains(&registers.rip) {
            let rip = personality.copy_fault;
            m.set_registers(slot(t), &Registers { rip, ..registers });
            return;
        }
        let guarded = (personality.guard_start..personality.guard_end).contains(&registers.rip);
        let can_handle = self.effect(process, info.number) == Effect::Handle
            && self.threads[t].mask & bit(info.number) == 0
            && !guarded;
        if can_handle && self.processes[process].life == Life::Alive {
            self.signal_send(m, process, Some(t), info);
        } else {
            self.terminate(m, process, info, Some(t));
        }
    }

    /// Whether a process may control others.
    pub(crate) fn is_manager(&self, t: ThreadId) -> bool {
        self.needs(t, able::PROCESS).is_ok()
    }
}

const _: () = assert!(SignalArea::SIZE == 152);
