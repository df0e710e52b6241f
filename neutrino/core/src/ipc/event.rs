//! Events: how somebody is told, decoded when it is set up.

use neutrino_abi::Errno;
use neutrino_abi::event::{Event, kind};
use neutrino_abi::signal::SignalInfo;

use crate::Kernel;
use crate::call::Outcome;
use crate::ipc::connection::ConnectionId;
use crate::ipc::pulse::{NewPulse, Owner};
use crate::machine::{Machine, Place};
use crate::process::ProcessId;
use crate::thread::{Latch, Priority, State, ThreadId};

/// A decoded event; a connection in it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing.
    None,
    /// A pulse.
    Pulse {
        /// Where to.
        connection: ConnectionId,
        /// Its code.
        code: i8,
        /// Its priority; none: the default priority of programs.
        priority: Option<Priority>,
        /// Its value.
        value: u64,
    },
    /// A signal to the process, or one of its threads.
    Signal {
        /// The thread, or 0.
        tid: u32,
        /// The signal.
        number: u32,
        /// `si_code`.
        code: i32,
        /// `si_value`.
        value: u64,
    },
    /// End of an `InterruptWait`.
    Wake(ThreadId, u32),
}

impl Kernel {
    /// Decodes an event of a process; holds the connection in it.
    ///
    /// # Errors
    /// EINVAL, EBADF.
    pub(crate) fn event_decode(&mut self, t: ThreadId, event: &Event) -> Result<Action, Errno> {
        let process = self.process_of(t);
        match event.notify {
            kind::NONE | kind::UNBLOCK => Ok(Action::None),
            kind::PULSE => {
                let connection = self.handle_connection(process, event.target)?;
                let code = i8::try_from(event.code).map_err(|_| Errno::EINVAL)?;
                let priority = match event.priority {
                    -1 => None,
                    given => {
                        Some(Priority::system(u8::try_from(given).map_err(|_| Errno::EINVAL)?))
                    }
                };
                if code < 0 {
                    return Err(Errno::EINVAL);
                }
                self.connection_share(connection);
                Ok(Action::Pulse { connection, code, priority, value: event.value })
            }
            kind::SIGNAL | kind::SIGNAL_THREAD => {
                if !(1..=neutrino_abi::signal::SIGNAL_MAX).contains(&event.target) {
                    return Err(Errno::EINVAL);
                }
                let tid =
                    if event.notify == kind::SIGNAL { 0 } else { event.priority.unsigned_abs() };
                let (number, code, value) = (event.target, event.code, event.value);
                Ok(Action::Signal { tid, number, code, value })
            }
            kind::INTR => Ok(Action::Wake(t, self.threads[t].tid)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Lets go of what an event holds.
    pub(crate) fn event_release(&mut self, m: &mut impl Machine, action: &Action) {
        if let Action::Pulse { connection, .. } = action {
            self.connection_release(m, *connection);
        }
    }

    /// Carries out an event for a process.
    pub(crate) fn event_fire(
        &mut self,
        m: &mut impl Machine,
        process: ProcessId,
        action: &Action,
        owner: Owner,
    ) {
        match *action {
            Action::None => {}
            Action::Pulse { connection, code, priority, value } => {
                let Some(channel) = self.connections[connection].channel.get() else { return };
                let priority =
                    priority.unwrap_or(Priority::system(neutrino_abi::sched::PRIORITY_DEFAULT));
                let scoid = u32::from(connection.index());
                self.pulse_send(m, channel, NewPulse { code, value, priority, scoid }, owner);
            }
            Action::Signal { tid, number, code, value } => {
                let thread = if tid == 0 { None } else { self.thread_of(process, tid) };
                let info = SignalInfo { number, code, value, ..SignalInfo::default() };
                let timer = if let Owner::Timer(id) = owner { Some(id) } else { None };
                self.signal_raise(m, process, thread, &info, timer);
            }
            Action::Wake(t, tid) => {
                if self.threads[t].tid != tid || self.threads[t].process != process {
                    return;
                }
                if self.threads[t].state == State::Interrupt {
                    self.wake_with(m, t, Ok(0));
                } else {
                    self.threads[t].latch = Latch::Set;
                }
            }
        }
    }

    /// `MsgVerifyEvent`.
    pub(crate) fn msg_verify_event(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        rcvid: u64,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let event: Event = self.load(m, Place { space: self.space(t), address })?;
        let target = if rcvid == 0 { t } else { self.client(t, rcvid)? };
        let action = self.event_decode(target, &event)?;
        self.event_release(m, &action);
        Ok(Outcome::DONE)
    }

    /// `MsgDeliverEvent`.
    pub(crate) fn msg_deliver_event(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        rcvid: u64,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let event: Event = self.load(m, Place { space: self.space(t), address })?;
        let target = if rcvid == 0 { t } else { self.client(t, rcvid)? };
        self.pulse_allowance(self.process_of(t))?;
        let action = self.event_decode(target, &event)?;
        let process = self.process_of(target);
        self.event_fire(m, process, &action, Owner::Program(self.process_of(t)));
        self.event_release(m, &action);
        Ok(Outcome::DONE)
    }
}
