//! Stopping, continuing and ending a process.

use neutrino_abi::signal::SignalInfo;
use neutrino_abi::{Errno, pulse};

use crate::Kernel;
use crate::ipc::pulse::{NewPulse, Owner};
use crate::list::List;
use crate::machine::Machine;
use crate::process::{End, Life, Notice, ProcessId};
use crate::sched;
use crate::thread::{Plain, Priority, Sibling, State, ThreadId, slot};

/// Priority of what the process manager is told.
const NOTICE_PRIORITY: Priority = Priority::system(20);

impl Kernel {
    /// Tells the process manager of a process.
    fn notify_manager(
        &mut self,
        m: &mut impl Machine,
        process: ProcessId,
        notice: Notice,
        detail: u32,
    ) {
        let Some(channel) = self.manager else { return };
        let code = match notice {
            Notice::Terminate => pulse::PROCESS_TERMINATE,
            Notice::Stopped => pulse::PROCESS_STOPPED,
            Notice::Continued => pulse::PROCESS_CONTINUED,
        };
        let pid = u64::from(self.processes[process].pid);
        let value = pid | u64::from(detail).wrapping_shl(32);
        let pulse = NewPulse { code, value, priority: NOTICE_PRIORITY, scoid: 0 };
        self.pulse_send(m, channel, pulse, Owner::Notice(process, notice));
    }

    /// The threads of a process, one by one; each may change its state meanwhile.
    pub(crate) fn each_thread(
        &mut self,
        process: ProcessId,
        mut each: impl FnMut(&mut Self, ThreadId),
    ) {
        let mut at = self.processes[process].threads.first();
        while let Some(t) = at {
            at = List::<_, Sibling>::next(&self.threads, t);
            each(self, t);
        }
    }

    /// Threads that could run stop; those that wait go on waiting and stop then.
    fn park(&mut self, m: &mut impl Machine, process: ProcessId) {
        self.each_thread(process, |kernel, t| match kernel.threads[t].state {
            State::Ready => {
                kernel.dequeue(t);
                kernel.transition(t, State::Stopped);
            }
            State::Running => {
                kernel.take_off(m, t);
                kernel.transition(t, State::Stopped);
            }
            State::Vacant
            | State::Stopped
            | State::Send { .. }
            | State::Receive { .. }
            | State::Reply { .. }
            | State::SigSuspend
            | State::SigWaitinfo { .. }
            | State::Nanosleep { .. }
            | State::Mutex { .. }
            | State::Futex { .. }
            | State::Interrupt
            | State::Poll(_) => {}
        });
    }

    /// Stops a process (job control); `number` is the signal.
    pub(crate) fn process_stop(&mut self, m: &mut impl Machine, process: ProcessId, number: u32) {
        if self.processes[process].life != Life::Alive {
            return;
        }
        self.processes[process].life = Life::Stopped;
        self.each_thread(process, |kernel, t| kernel.threads[t].plain = Plain::NO);
        self.park(m, process);
        self.notify_manager(m, process, Notice::Stopped, number);
    }

    /// Lets a stopped process go on.
    pub(crate) fn process_continue(&mut self, m: &mut impl Machine, process: ProcessId) {
        if self.processes[process].life != Life::Stopped {
            return;
        }
        self.processes[process].life = Life::Alive;
        self.release(process);
        self.notify_manager(m, process, Notice::Continued, 0);
    }

    /// Threads that are stopped and not held become ready.
    pub(crate) fn release(&mut self, process: ProcessId) {
        self.each_thread(process, |kernel, t| {
            if kernel.threads[t].state == State::Stopped {
                kernel.make_ready(t, sched::End::Back);
            }
        });
    }

    /// Ends a process by a signal: its threads never run again, everybody who waits for them is
    /// freed, and the process manager is told to bury it.
    pub(crate) fn terminate(
        &mut self,
        m: &mut impl Machine,
        process: ProcessId,
        info: &SignalInfo,
        thread: Option<ThreadId>,
    ) {
        if !matches!(self.processes[process].life, Life::Alive | Life::Stopped) {
            return;
        }
        let thread = thread.or(self.processes[process].threads.first());
        let registers = thread.map(|t| m.registers(slot(t))).unwrap_or_default();
        self.processes[process].end = End {
            signal: info.number,
            info: *info,
            ip: registers.rip,
            sp: registers.rsp,
            bp: registers.rbp,
        };
        self.processes[process].life = Life::Ending;
        self.each_thread(process, |kernel, t| kernel.threads[t].plain = Plain::NO);
        self.park(m, process);
        self.each_thread(process, |kernel, t| kernel.give_up(m, t));
        if self.manager.is_some_and(|channel| self.channels[channel].process == process) {
            m.log(b"kernel: the process manager died; the system stops\n");
            m.power_off(1);
        }
        self.notify_manager(m, process, Notice::Terminate, 0);
    }

    /// The last thread of a process ended: the process manager is told to bury it.
    pub(crate) fn process_run_out(
        &mut self,
        m: &mut impl Machine,
        process: ProcessId,
        status: u64,
    ) {
        let status = u32::try_from(status & 0xff).unwrap_or(0);
        let info = SignalInfo { status, ..SignalInfo::default() };
        self.terminate(m, process, &info, None);
    }

    /// A thread that will never run again leaves whatever it waits on; a server that works for it
    /// is told.
    pub(crate) fn give_up(&mut self, m: &mut impl Machine, t: ThreadId) {
        if let State::Reply { channel, .. } = self.threads[t].state
            && self.channels[channel].has(neutrino_abi::message::chf::UNBLOCK)
        {
            if self.threads[t].unblock_pulse.is_none() {
                self.ask_to_leave(m, t, channel, Errno::EINTR);
            }
            // The pulse outlives the thread.
            if let Some(pulse) = self.threads[t].unblock_pulse {
                self.orphan(pulse);
            }
        }
        if self.threads[t].state.is_blocked() {
            self.unlink(m, t);
            self.transition(t, State::Stopped);
        }
        self.stop_serving(t);
    }
}
