//! The real [`System`]: each method is one kernel call.

use neutrino_rt::abi::handle::SIDE_CHANNEL;
use neutrino_rt::abi::info::{HandleInfo, ProcessInfo, SystemInfo, ThreadInfo};
use neutrino_rt::abi::memory::{MapArgs, MappingInfo, ObjectInfo};
use neutrino_rt::abi::message::SendExtra;
use neutrino_rt::abi::process::{Credentials, ExecArgs, ProcessArgs, ThreadArgs, process_ctl};
use neutrino_rt::abi::sched::SchedParam;
use neutrino_rt::abi::signal::SignalInfo;
use neutrino_rt::{Errno, channel, clock, manager, memory, message, stdio};
use procnto::system::{Clock, Control, Sent, System};

/// The kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel;

/// Where failure means that the other side is gone, which somebody else deals with.
fn let_go(_outcome: Result<(), Errno>) {}

impl System for Kernel {
    fn reply(&self, rcvid: u64, answer: Result<i64, Errno>, data: &[u8]) {
        let_go(match answer {
            Ok(status) => message::reply(rcvid, status, data),
            Err(errno) => message::error(rcvid, errno),
        });
    }
    fn read(&self, rcvid: u64, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        message::read(rcvid, buffer, offset)
    }
    fn take(&self, rcvid: u64, index: u32) -> Result<u32, Errno> {
        message::take(rcvid, index).map(channel::Handle::into_raw)
    }
    fn give(&self, rcvid: u64, handle: u32) -> Result<u32, Errno> {
        message::give(rcvid, handle, 0)
    }
    fn connect(&self, process: u32, chid: u32) -> Result<u32, Errno> {
        manager::connect(process, chid)
    }
    fn client_credentials(&self, rcvid: u64) -> Result<Credentials, Errno> {
        message::credentials(rcvid)
    }
    fn pulse(&self, coid: u32, code: i8, value: u64) {
        let_go(channel::send_pulse(coid, -1, code, value));
    }
    fn send(&self, coid: u32, bytes: &[u8], reply: &mut [u8]) -> Result<Sent, Errno> {
        let extra =
            SendExtra { accepted_count: 1, accepted_minimum: SIDE_CHANNEL, ..SendExtra::default() };
        message::send_extra(coid, bytes, reply, Some(&extra)).map(|status| Sent { status })
    }
    fn send_within(
        &self,
        coid: u32,
        bytes: &[u8],
        reply: &mut [u8],
        nanoseconds: u64,
    ) -> Result<i64, Errno> {
        message::send_within(coid, bytes, reply, nanoseconds)
    }
    fn duplicate(&self, handle: u32) -> Result<u32, Errno> {
        manager::duplicate(handle)
    }
    fn close(&self, handle: u32) {
        let_go(channel::detach(handle));
    }

    fn process_create(&self, arguments: &ProcessArgs) -> Result<u32, Errno> {
        manager::process_create(arguments)
    }
    fn process_exec(&self, process: u32, arguments: &ExecArgs) -> Result<(), Errno> {
        manager::process_exec(process, arguments)
    }
    fn control(&self, process: u32, control: Control) -> Result<(), Errno> {
        let (command, value) = match control {
            Control::Group(group) => (process_ctl::SET_PGRP, u64::from(group)),
            Control::Session(session) => (process_ctl::SET_SESSION, u64::from(session)),
            Control::Abilities(abilities) => (process_ctl::SET_ABILITIES, abilities),
            Control::DescriptorLimit(limit) => (process_ctl::SET_FD_LIMIT, u64::from(limit)),
            Control::SpaceLimit(limit) => (process_ctl::SET_SPACE_LIMIT, limit),
            Control::Terminate => (process_ctl::TERMINATE, 0),
        };
        manager::process_control(process, command, value)
    }
    fn copy_handle(&self, process: u32, number: u32) -> Result<u32, Errno> {
        manager::copy_handle(process, number)
    }
    fn owner_died(&self, process: u32, tid: u32, address: u64) -> Result<(), Errno> {
        manager::owner_died(process, tid, address)
    }
    fn set_credentials(&self, process: u32, credentials: &Credentials) -> Result<(), Errno> {
        manager::set_credentials(process, credentials)
    }
    fn set_name(&self, process: u32, name: &[u8; 16]) {
        let_go(manager::set_name(process, name));
    }
    fn process_info(&self, process: u32) -> Result<ProcessInfo, Errno> {
        manager::process_info(process)
    }
    fn thread_create(&self, process: u32, arguments: &ThreadArgs) -> Result<u32, Errno> {
        manager::thread_create(process, arguments)
    }
    fn thread_info(&self, process: u32, tid: u32) -> Result<ThreadInfo, Errno> {
        manager::thread_info(process, tid)
    }
    fn sched_get(&self, process: u32, tid: u32) -> Result<SchedParam, Errno> {
        manager::sched_get(process, tid)
    }
    fn sched_set(&self, process: u32, tid: u32, parameters: &SchedParam) -> Result<(), Errno> {
        manager::sched_set(process, tid, parameters)
    }
    fn handle_info(&self, process: u32, from: u32) -> Result<(u32, HandleInfo), Errno> {
        manager::handle_info(process, from)
    }
    fn kill(&self, process: u32, tid: u32, info: &SignalInfo) -> Result<(), Errno> {
        manager::signal(process, tid, info)
    }

    fn space_create(&self) -> Result<u32, Errno> {
        manager::space_create()
    }
    fn space_fork(&self, process: u32) -> Result<u32, Errno> {
        manager::space_fork(process)
    }
    fn space_of(&self, process: u32) -> Result<u32, Errno> {
        manager::space_of(process)
    }
    fn space_read(&self, space: u32, address: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        manager::space_read(space, address, buffer)
    }
    fn space_write(&self, space: u32, address: u64, bytes: &[u8]) -> Result<usize, Errno> {
        manager::space_write(space, address, bytes)
    }
    fn space_mapping(&self, space: u32, address: u64) -> Result<MappingInfo, Errno> {
        manager::space_mapping(space, address)
    }
    fn map(&self, space: u32, arguments: &MapArgs) -> Result<u64, Errno> {
        manager::space_map(space, arguments)
    }
    fn object_create(&self, kind: u32) -> Result<u32, Errno> {
        manager::object_create(kind, 0)
    }
    fn object_info(&self, object: u32) -> Result<ObjectInfo, Errno> {
        manager::object_info(object)
    }
    fn object_read(&self, object: u32, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        manager::object_read(object, offset, buffer)
    }
    fn object_write(&self, object: u32, offset: u64, bytes: &[u8]) {
        let_go(manager::object_write(object, offset, bytes).map(drop));
    }

    fn now(&self, which: Clock) -> u64 {
        match which {
            Clock::Monotonic => clock::monotonic(),
            Clock::Realtime => clock::realtime(),
        }
    }
    fn random(&self, buffer: &mut [u8]) {
        super::random::fill(buffer);
    }
    fn system_info(&self) -> SystemInfo {
        memory::system_info()
    }
    fn power_off(&self, status: u32) {
        let_go(manager::power_off(status));
    }
    fn reset(&self) {
        let_go(manager::reset());
    }
    fn log(&self, text: &str) {
        stdio::print_to(stdio::Log, format_args!("{text}"));
    }
    fn sleep(&self, nanoseconds: u64) {
        clock::sleep(nanoseconds);
    }
}
