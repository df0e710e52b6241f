//! The state that the one lock guards, and the queue of work that must be done without it.

use crate::builtin::link::{Found, Question};
use crate::memory::space::Pieces;
use crate::path::tree::Tree;
use crate::process::death::Obituary;
use crate::process::session::Sessions;
use crate::process::table::Table;
use crate::process::wait::Waiter;
use crate::system::System;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem::offset_of;
use io_msg::start::Changes;
use neutrino_abi::message::MsgInfo;

/// Everything procnto knows.
#[derive(Debug, Default)]
pub struct State {
    /// The processes.
    pub processes: Table,
    /// The prefix tree.
    pub paths: Tree,
    /// Sessions with their terminals.
    pub sessions: Sessions,
    /// Clients in `PROC_WAIT`.
    pub waiters: Vec<Waiter>,
    /// Work for a worker without the lock.
    pub jobs: VecDeque<Job>,
    /// How many workers are busy with a job, and may be waiting for another server.
    pub busy: usize,
    /// What workers found out for `/proc`, whose thread fetches it.
    pub links: Vec<Found>,
    /// What every new address space gets.
    pub pieces: Pieces,
    /// Changes of families so far.
    pub families: u32,
    /// The process that serves `/`.
    pub first_server: u32,
    /// The first program has been started.
    pub first_program: FirstProgram,
}

/// Whether the name space has a root, and the first program may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstProgram {
    /// Nobody has attached `/` yet.
    #[default]
    WaitsForRoot,
    /// It was started; this is its process.
    Started(u32),
}

/// Work that may wait for another server.
#[derive(Debug)]
pub enum Job {
    /// Carry out a `PROC_EXEC`.
    Exec(Client),
    /// Report the death of a program.
    Report(Obituary),
    /// Tell a terminal that its session is over.
    HangUp {
        /// The session.
        session: u32,
        /// Absolute path of the terminal.
        terminal: Vec<u8>,
    },
    /// Ask for the target of a link in `/proc`.
    Link(Question),
    /// Start the first program.
    FirstProgram,
    /// Start the first server again.
    FirstServer,
    /// End all processes, then the system.
    Shutdown(Ending),
}

/// How the system ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Off, with a status for the emulator.
    PowerOff(u32),
    /// Anew.
    Reset,
}

/// A client that waits for a reply.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Names it.
    pub rcvid: u64,
    /// What the kernel says of it.
    pub info: MsgInfo,
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status alone.
    Status(i64),
    /// A status and data.
    Data(i64, Vec<u8>),
    /// The reply comes later, or never.
    Later,
}

/// A job may run only while this many workers are left to receive.
const WORKERS_LEFT: usize = 2;

impl State {
    /// Tells everybody that the name space has changed.
    pub fn tell_paths(&self, system: &impl System) {
        self.tell(system, offset_of!(Changes, paths), self.paths.generation);
    }

    /// Tells everybody that a parent, group or session of a process that runs has changed.
    pub fn tell_families(&mut self, system: &impl System) {
        self.families = self.families.wrapping_add(1);
        self.tell(system, offset_of!(Changes, families), self.families);
    }

    fn tell(&self, system: &impl System, place: usize, count: u32) {
        if self.pieces.shared_page != 0 {
            system.object_write(self.pieces.shared_page, place as u64, &count.to_le_bytes());
        }
    }

    /// The next job, if enough of `workers` are left without the caller.
    pub fn take_job(&mut self, workers: usize) -> Option<Job> {
        if self.busy + WORKERS_LEFT > workers {
            return None;
        }
        let job = self.jobs.pop_front()?;
        self.busy += 1;
        Some(job)
    }

    /// A worker is through with a job.
    pub fn job_done(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }
}

/// The state behind its lock; the closure runs with the lock held.
pub trait Shared {
    /// Runs `body` with the lock held.
    fn with<R>(&self, body: impl FnOnce(&mut State) -> R) -> R;
}
