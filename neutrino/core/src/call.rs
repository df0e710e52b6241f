//! From a decoded call to the function that carries it out; nothing else, so that a new call does
//! not compile until it is handled.

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, futex};
use neutrino_abi::event::Event;
use neutrino_abi::time::FOREVER;

use crate::Kernel;
use crate::futex::{Requeue, Wait};
use crate::interrupt::Gate;
use crate::ipc::receive::ReceiveFrom;
use crate::ipc::reply::{Answer, Direction, ObjectPiece, RegisterAnswer};
use crate::ipc::send::SendArgs;
use crate::machine::Machine;
use crate::memory::Extent;
use crate::poll::PollArgs;
use crate::step::Work;
use crate::thread::{Takes, ThreadId};
use crate::trace_calls::TraceArgs;

/// How a call that did not fail ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a result.
    Value(i64),
    /// The caller waits; its result comes later.
    Blocked,
    /// Not yet: the same call is made again and goes on ([`crate::step`]).
    Unfinished,
    /// The caller's registers are what they should be, or it is no more.
    Gone,
}

impl Outcome {
    /// Success without a value.
    pub(crate) const DONE: Self = Self::Value(0);

    /// A number.
    pub(crate) fn value(value: u32) -> Self {
        Self::Value(i64::from(value))
    }
}

type Result = core::result::Result<Outcome, Errno>;

impl Kernel {
    /// Carries out one call of `t`; a call that fails has changed nothing.
    #[expect(clippy::too_many_lines, reason = "one arm for each call, and nothing else")]
    pub(crate) fn call(&mut self, m: &mut impl Machine, t: ThreadId, call: &Call) -> Result {
        match *call {
            Call::ChannelCreate { flags } => self.channel_create(t, flags),
            Call::ChannelDestroy { chid } => self.channel_destroy(m, t, chid),
            Call::ConnectAttach { process, chid, minimum, flags, badge } => {
                self.connect_attach(t, (process, chid), minimum, flags, badge)
            }
            Call::ConnectDetach { coid } => self.handle_close(m, t, coid),
            Call::ConnectClose { coid, message, parts } => {
                self.connect_close(m, t, coid, (message, parts))
            }
            Call::ConnectFlags { coid, mask, bits } => self.connect_flags(t, coid, mask, bits),
            Call::ConnectDup { coid, minimum, flags } => self.connect_dup(t, coid, minimum, flags),
            Call::ConnectDupTo { coid, target, flags } => {
                self.connect_dup_to(m, t, coid, target, flags)
            }
            Call::ConnectReady { scoid, badge, bits } => {
                self.connect_ready(m, t, scoid, badge, bits)
            }
            Call::ConnectPoll { entries, count, timeout, mask, flags } => {
                self.connect_poll(m, t, &PollArgs { entries, count, timeout, mask, flags })
            }
            Call::ConnectWatch { coid, event } => self.connect_watch(m, t, coid, event),
            Call::ConnectServerInfo { process, coid, info } => {
                self.handle_info(m, t, process, coid, info)
            }
            Call::ConnectClientInfo { scoid, rcvid, credentials, .. } => {
                self.connect_client_info(m, t, (rcvid, scoid), credentials)
            }
            Call::MsgSend { coid, message, parts, reply, reply_parts, extra } => {
                self.msg_send(m, t, &SendArgs { coid, message, parts, reply, reply_parts, extra })
            }
            Call::MsgReceive { chid, message, parts, info } => {
                let takes = Takes::All;
                self.msg_receive(m, t, &ReceiveFrom { chid, message, parts, info, takes })
            }
            Call::MsgReceivePulse { chid, message, parts } => {
                let takes = Takes::Pulses;
                self.msg_receive(m, t, &ReceiveFrom { chid, message, parts, info: 0, takes })
            }
            Call::MsgReply { rcvid, status, message, parts } => {
                self.msg_reply(m, t, &Answer { rcvid, status, message, parts })
            }
            Call::MsgSendRegisters { coid, lengths, reply, .. } => {
                self.msg_send_registers(m, t, coid, lengths, reply)
            }
            Call::MsgReplyReceive {
                rcvid,
                status,
                answer,
                answer_parts,
                chid,
                info,
                message,
                parts,
            } => {
                let answer = Answer { rcvid, status, message: answer, parts: answer_parts };
                let takes = Takes::All;
                let from = ReceiveFrom { chid, message, parts, info, takes };
                self.msg_reply_receive(m, t, &answer, &from)
            }
            Call::MsgReplyReceiveRegisters { rcvid, control, message, parts, .. } => {
                let answer = RegisterAnswer::unpack(rcvid, control);
                self.msg_reply_receive_registers(m, t, &answer, (message, parts))
            }
            Call::MsgError { rcvid, errno } => self.msg_error(m, t, rcvid, errno),
            Call::MsgRead { rcvid, message, parts, offset } => {
                let own = Answer { rcvid, status: 0, message, parts };
                self.msg_move(m, t, &own, offset, Direction::FromClient)
            }
            Call::MsgWrite { rcvid, message, parts, offset } => {
                let own = Answer { rcvid, status: 0, message, parts };
                self.msg_move(m, t, &own, offset, Direction::ToClient)
            }
            Call::MsgReadObject { rcvid, message_offset, object, object_offset, bytes } => {
                let piece = ObjectPiece { message_offset, object, object_offset, bytes };
                self.msg_move_object(m, t, rcvid, &piece, Direction::FromClient)
            }
            Call::MsgWriteObject { rcvid, message_offset, object, object_offset, bytes } => {
                let piece = ObjectPiece { message_offset, object, object_offset, bytes };
                self.msg_move_object(m, t, rcvid, &piece, Direction::ToClient)
            }
            Call::MsgInfo { rcvid, info } => self.msg_info(m, t, rcvid, info),
            Call::MsgGrant { rcvid, badge, bits } => self.msg_grant(m, t, rcvid, badge, bits),
            Call::MsgGive { rcvid, handle, flags } => self.msg_give(m, t, rcvid, handle, flags),
            Call::MsgTake { rcvid, index, minimum, flags } => {
                self.msg_take(t, rcvid, index, minimum, flags)
            }
            Call::MsgSendPulse { coid, priority, code, value } => {
                let event = Event { priority, code, value, ..Event::default() };
                self.msg_send_pulse(m, t, coid, &event)
            }
            Call::MsgDeliverEvent { rcvid, event } => self.msg_deliver_event(m, t, rcvid, event),
            Call::MsgVerifyEvent { rcvid, event } => self.msg_verify_event(m, t, rcvid, event),
            Call::MsgCurrent { rcvid } => self.msg_current(m, t, rcvid),
            Call::ThreadCreate { process, arguments } => {
                self.thread_create(m, t, process, arguments)
            }
            Call::ThreadDestroy { tid, status } => self.thread_destroy(m, t, tid, status),
            Call::ThreadCtl { process, tid, command, value } => {
                self.thread_ctl(m, t, (process, tid), command, value)
            }
            Call::ThreadInfo { process, tid, info } => self.thread_info(m, t, process, tid, info),
            Call::SchedGet { process, tid, parameters } => {
                self.sched_get(m, t, (process, tid), parameters)
            }
            Call::SchedSet { process, tid, parameters } => {
                self.sched_set(m, t, (process, tid), parameters)
            }
            Call::SchedCtl { command, id, value, data } => {
                self.sched_ctl(m, t, command, (id, value), data)
            }
            Call::SchedYield {} => {
                m.set_result(crate::thread::slot(t), 0);
                self.sched_yield(t);
                Ok(Outcome::Gone)
            }
            Call::ProcessCreate { arguments } => self.process_create(m, t, arguments),
            Call::ProcessExec { process, arguments } => self.process_exec(m, t, process, arguments),
            Call::ProcessCtl { process, command, value } => {
                self.process_ctl(m, t, process, command, value)
            }
            Call::ProcessInfo { process, info } => self.process_info(m, t, process, info),
            Call::SystemInfo { info } => self.system_info(m, t, info),
            Call::SystemCtl { command, value } => self.system_ctl(m, t, command, value),
            Call::ThreadSelf {} => Ok(self.thread_self(t)),
            Call::DebugWrite { address, length } => self.debug_write(m, t, address, length),
            Call::SpaceCreate {} => self.space_create(m, t),
            Call::SpaceFork { process } => self.space_fork(m, t, process),
            Call::SpaceOf { process } => self.space_handle_of(t, process),
            Call::SpaceRead { space, address, buffer, length } => {
                self.space_read(m, t, space, address, (buffer, length))
            }
            Call::SpaceWrite { space, address, buffer, length } => {
                self.space_write(m, t, space, address, (buffer, length))
            }
            Call::SpaceMapping { space, address, info } => {
                self.space_mapping(m, t, space, address, info)
            }
            Call::MemMap { space, arguments } => self.mem_map(m, t, space, arguments),
            Call::MemUnmap { space, address, length } => {
                let space = self.space_argument(t, space)?;
                self.by_parts(t, (address, length), |kernel, start, rest| {
                    kernel.memory.unmap(m, space, start, rest)
                })
            }
            Call::MemProtect { space, address, length, protection } => {
                let space = self.space_argument(t, space)?;
                self.by_parts(t, (address, length), |kernel, start, rest| {
                    kernel.memory.protect(m, space, start, rest, protection)
                })
            }
            Call::MemRemap { arguments } => self.mem_remap(m, t, arguments),
            Call::MemAdvise { address, length, advice } => {
                let space = self.space(t);
                self.by_parts(t, (address, length), |kernel, start, rest| {
                    kernel.memory.advise(m, space, start, rest, advice)
                })
            }
            Call::MemObjectCreate { kind, size, physical, .. } => {
                self.mem_object_create(m, t, kind, size, physical)
            }
            Call::MemObjectResize { object, size } => {
                let id = self.handle_object(self.process_of(t), object)?;
                match self.memory.object_resize(m, id, size)? {
                    Extent::Whole => Ok(Outcome::DONE),
                    Extent::Part => Ok(self.leave_off(t, Work::Until(0))),
                }
            }
            Call::MemObjectInfo { object, info } => self.mem_object_info(m, t, object, info),
            Call::MemObjectRead { object, offset, buffer, length } => {
                self.mem_object_move(m, t, (object, offset), (buffer, length), Direction::ToClient)
            }
            Call::MemObjectWrite { object, offset, buffer, length } => {
                let way = Direction::FromClient;
                self.mem_object_move(m, t, (object, offset), (buffer, length), way)
            }
            Call::ClockTime { clock, new, old } => self.clock_time(m, t, clock, new, old),
            Call::ClockNanosleep { clock, flags, time, remaining } => {
                self.clock_nanosleep(m, t, (clock, flags), time, remaining)
            }
            Call::TimerCreate { clock, event } => self.timer_create(m, t, clock, event),
            Call::TimerSettime { timer, flags, new, old } => {
                self.timer_settime(m, t, timer, flags, (new, old))
            }
            Call::TimerInfo { timer, info } => self.timer_info(m, t, timer, info),
            Call::TimerTimeout { states, time, flags } => {
                Ok(self.timer_timeout(m, t, states, time, flags))
            }
            Call::InterruptAttachEvent { line, event, .. } => {
                self.interrupt_attach(m, t, line, event)
            }
            Call::InterruptMask { interrupt } => self.interrupt_gate(m, t, interrupt, Gate::Masked),
            Call::InterruptUnmask { interrupt } => self.interrupt_gate(m, t, interrupt, Gate::Open),
            Call::InterruptWait { .. } => self.interrupt_wait(m, t),
            Call::PortAttach { base, count } => self.port_attach(t, base, count),
            Call::PortRead { port, offset, width } => self.port_read(m, t, port, offset, width),
            Call::PortWrite { port, offset, width, value } => {
                self.port_write(m, t, port, offset, (width, value))
            }
            Call::SignalKill { process, tid, info } => self.signal_kill(m, t, process, tid, info),
            Call::SignalAction { process, signal, disposition } => {
                self.signal_action(t, process, signal, disposition)
            }
            Call::SignalProcmask { how, set, old } => self.signal_procmask(m, t, how, set, old),
            Call::SignalSuspend { set } => self.signal_suspend(m, t, set),
            Call::SignalWaitinfo { set, info, timeout } => {
                self.signal_waitinfo(m, t, set, info, timeout)
            }
            Call::SignalTake { info, mask } => self.signal_take(m, t, info, mask),
            Call::SignalReturn { registers, mask } => self.signal_return(m, t, registers, mask),
            Call::SignalPending {} => Ok(self.signal_pending(t)),
            Call::PersonalityAttach { personality } => self.personality_attach(m, t, personality),
            Call::FutexWait { address, expected, flags, deadline, bitset } => {
                self.futex_wait(m, t, &Wait { address, expected, flags, deadline, bitset })
            }
            Call::FutexWake { address, count, flags, bitset } => {
                self.futex_wake(m, t, (address, count), flags, bitset)
            }
            Call::FutexRequeue { address, wake, requeue, target, expected, flags } => {
                let wanted = Requeue { wake, requeue, target, expected, flags };
                self.futex_requeue(m, t, address, &wanted)
            }
            Call::SyncMutexLock { address, flags, deadline } => {
                self.mutex_lock(m, t, address, flags, deadline)
            }
            Call::SyncCondvarWait { address, expected, flags, mutex, mutex_flags } => {
                let (deadline, bitset) = (FOREVER, futex::ANY);
                let wait = Wait { address, expected, flags, deadline, bitset };
                self.condvar_wait(m, t, &wait, (mutex, mutex_flags))
            }
            Call::SyncMutexUnlock { address, flags } => self.mutex_unlock(m, t, address, flags),
            Call::TraceEvent { command, first, second, third } => {
                self.trace_event(m, t, &TraceArgs { command, words: (first, second, third) })
            }
        }
    }
}
