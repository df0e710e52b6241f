//! A kernel that only records, for tests.

use crate::state::{Client, State};
use crate::system::{Clock, Control, Sent, System};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use neutrino_abi::Errno;
use neutrino_abi::info::{HandleInfo, ProcessInfo, SystemInfo, ThreadInfo};
use neutrino_abi::memory::{MapArgs, MappingInfo, ObjectInfo};
use neutrino_abi::message::MsgInfo;
use neutrino_abi::process::{Credentials, ExecArgs, ProcessArgs, ThreadArgs};
use neutrino_abi::sched::SchedParam;
use neutrino_abi::signal::SignalInfo;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Reply(u64, Result<i64, Errno>),
    Signal { handle: u32, number: u32, code: i32 },
    Pulse { coid: u32, code: i8, value: u64 },
    Control(u32, Control),
    OwnerDied { tid: u32, address: u64 },
    Priority { tid: u32, priority: u32 },
}

#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) events: RefCell<Vec<Event>>,
    pub(crate) open: RefCell<BTreeSet<u32>>,
    pub(crate) info: Cell<ProcessInfo>,
    pub(crate) file: RefCell<Vec<u8>>,
    pub(crate) mappings: RefCell<Vec<MapArgs>>,
    pub(crate) written: RefCell<Vec<(u64, Vec<u8>)>>,
    /// The threads of every process.
    pub(crate) threads: RefCell<Vec<ThreadInfo>>,
    /// Words of every space, by address.
    pub(crate) words: RefCell<BTreeMap<u64, u64>>,
    /// What other servers answer, in turn: an outcome, and data.
    pub(crate) answers: RefCell<VecDeque<(Result<i64, Errno>, Vec<u8>)>>,
    next: Cell<u32>,
}

impl Fake {
    pub(crate) fn handle(&self) -> u32 {
        self.next.set(self.next.get() + 1);
        let handle = 100 + self.next.get();
        self.open.borrow_mut().insert(handle);
        handle
    }

    pub(crate) fn take_events(&self) -> Vec<Event> {
        self.events.take()
    }

    fn note(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }
}

impl System for Fake {
    fn reply(&self, rcvid: u64, answer: Result<i64, Errno>, _data: &[u8]) {
        self.note(Event::Reply(rcvid, answer));
    }
    fn read(&self, _rcvid: u64, _offset: u64, _buffer: &mut [u8]) -> Result<usize, Errno> {
        Ok(0)
    }
    fn take(&self, _rcvid: u64, _index: u32) -> Result<u32, Errno> {
        Ok(self.handle())
    }
    fn give(&self, _rcvid: u64, handle: u32) -> Result<u32, Errno> {
        Ok(handle)
    }
    fn connect(&self, _process: u32, chid: u32) -> Result<u32, Errno> {
        if chid == 1 { Ok(self.handle()) } else { Err(Errno::ESRCH) }
    }
    fn client_credentials(&self, _rcvid: u64) -> Result<Credentials, Errno> {
        Ok(Credentials::default())
    }
    fn pulse(&self, coid: u32, code: i8, value: u64) {
        self.note(Event::Pulse { coid, code, value });
    }
    fn send(&self, _coid: u32, _message: &[u8], _reply: &mut [u8]) -> Result<Sent, Errno> {
        Err(Errno::ENOSYS)
    }
    fn send_within(
        &self,
        _coid: u32,
        _message: &[u8],
        reply: &mut [u8],
        _nanoseconds: u64,
    ) -> Result<i64, Errno> {
        let Some((outcome, data)) = self.answers.borrow_mut().pop_front() else {
            return Err(Errno::ENOSYS);
        };
        reply[..data.len()].copy_from_slice(&data);
        outcome
    }
    fn duplicate(&self, _handle: u32) -> Result<u32, Errno> {
        Ok(self.handle())
    }
    fn close(&self, handle: u32) {
        assert!(self.open.borrow_mut().remove(&handle), "closed twice: {handle}");
    }
    fn process_create(&self, _arguments: &ProcessArgs) -> Result<u32, Errno> {
        Ok(self.handle())
    }
    fn process_exec(&self, _process: u32, _arguments: &ExecArgs) -> Result<(), Errno> {
        Ok(())
    }
    fn control(&self, process: u32, control: Control) -> Result<(), Errno> {
        self.note(Event::Control(process, control));
        Ok(())
    }
    fn copy_handle(&self, _process: u32, number: u32) -> Result<u32, Errno> {
        if number == 99 { Err(Errno::EBADF) } else { Ok(self.handle()) }
    }
    fn owner_died(&self, _process: u32, tid: u32, address: u64) -> Result<(), Errno> {
        self.note(Event::OwnerDied { tid, address });
        Ok(())
    }
    fn set_credentials(&self, _process: u32, _credentials: &Credentials) -> Result<(), Errno> {
        Ok(())
    }
    fn set_name(&self, _process: u32, _name: &[u8; 16]) {}
    fn process_info(&self, _process: u32) -> Result<ProcessInfo, Errno> {
        Ok(self.info.get())
    }
    fn thread_create(&self, _process: u32, _arguments: &ThreadArgs) -> Result<u32, Errno> {
        Ok(1)
    }
    fn thread_info(&self, _process: u32, tid: u32) -> Result<ThreadInfo, Errno> {
        let threads = self.threads.borrow();
        threads.iter().find(|thread| thread.tid >= tid).copied().ok_or(Errno::ESRCH)
    }
    fn sched_get(&self, _process: u32, _tid: u32) -> Result<SchedParam, Errno> {
        Ok(SchedParam::default())
    }
    fn sched_set(&self, _process: u32, tid: u32, new: &SchedParam) -> Result<(), Errno> {
        self.note(Event::Priority { tid, priority: new.priority });
        Ok(())
    }
    fn handle_info(&self, _process: u32, _from: u32) -> Result<(u32, HandleInfo), Errno> {
        Err(Errno::EBADF)
    }
    fn kill(&self, process: u32, _tid: u32, info: &SignalInfo) -> Result<(), Errno> {
        self.note(Event::Signal { handle: process, number: info.number, code: info.code });
        Ok(())
    }
    fn space_create(&self) -> Result<u32, Errno> {
        Ok(self.handle())
    }
    fn space_fork(&self, _process: u32) -> Result<u32, Errno> {
        Ok(self.handle())
    }
    fn space_of(&self, _process: u32) -> Result<u32, Errno> {
        Ok(self.handle())
    }
    fn space_read(&self, _space: u32, address: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let words = self.words.borrow();
        let word = words.get(&address).ok_or(Errno::EFAULT)?;
        buffer.copy_from_slice(&word.to_le_bytes());
        Ok(8)
    }
    fn space_write(&self, _space: u32, address: u64, bytes: &[u8]) -> Result<usize, Errno> {
        self.written.borrow_mut().push((address, bytes.to_vec()));
        Ok(bytes.len())
    }
    fn space_mapping(&self, _space: u32, _address: u64) -> Result<MappingInfo, Errno> {
        Err(Errno::ESRCH)
    }
    fn map(&self, _space: u32, arguments: &MapArgs) -> Result<u64, Errno> {
        self.mappings.borrow_mut().push(*arguments);
        Ok(arguments.address)
    }
    fn object_create(&self, _kind: u32) -> Result<u32, Errno> {
        Ok(self.handle())
    }
    fn object_info(&self, _object: u32) -> Result<ObjectInfo, Errno> {
        Ok(ObjectInfo::default())
    }
    fn object_read(&self, _object: u32, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let file = self.file.borrow();
        let start = usize::try_from(offset).unwrap().min(file.len());
        let n = buffer.len().min(file.len() - start);
        buffer[..n].copy_from_slice(&file[start..start + n]);
        Ok(n)
    }
    fn object_write(&self, _object: u32, offset: u64, bytes: &[u8]) {
        self.written.borrow_mut().push((offset, bytes.to_vec()));
    }
    fn now(&self, _clock: Clock) -> u64 {
        0
    }
    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
    fn system_info(&self) -> SystemInfo {
        SystemInfo::default()
    }
    fn power_off(&self, _status: u32) {}
    fn reset(&self) {}
    fn log(&self, _text: &str) {}
    fn sleep(&self, _nanoseconds: u64) {}
}

/// A client of a process.
pub(crate) fn client(pid: u32, rcvid: u64) -> Client {
    Client { rcvid, info: MsgInfo { pid, tid: pid, ..MsgInfo::default() } }
}

/// A state with a shell (pid 2, leader of session and group 2), started by procnto.
pub(crate) fn with_shell(fake: &Fake) -> State {
    let mut state = State::default();
    let program = crate::process::table::Program::default();
    let pid = state.processes.free_pid().expect("an empty table has numbers");
    crate::boot::enter(&mut state, fake, (pid, fake.handle()), program);
    state
}
