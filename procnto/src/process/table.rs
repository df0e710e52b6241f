//! The table of processes: pid, parent, group, session, state.
//!
//! Invariants: every process but 1 has a parent in the table; a zombie's kernel handle is closed;
//! a pid is not given out again while it names a process, a group or a session.

use crate::process::limits::Limits;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use io_msg::proc::Usage;
use neutrino_abi::Errno;
use neutrino_abi::handle::SYSMGR_PID;
use neutrino_abi::process::Credentials;

/// Pids run from 2 to this (Linux: `pid_max`).
pub const PID_MAX: u32 = 32_767;

/// What a process does, as its parent may learn by `wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It runs, or waits for something.
    Running,
    /// It went on after a stop; the parent has yet to learn of it.
    Continued,
    /// A signal stopped it.
    Stopped {
        /// Which.
        signal: u32,
        /// Whether the parent knows.
        report: Report,
    },
    /// It ended and waits for its parent's `wait`.
    Zombie {
        /// Wait status.
        status: u32,
        /// What it used.
        usage: Consumption,
    },
}

/// Whether a parent has waited for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Not yet.
    Due,
    /// It has.
    Done,
}

/// Resource usage, as [`Usage`] but comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumption {
    /// CPU time in nanoseconds.
    pub cpu_ns: u64,
    /// Most resident pages.
    pub max_resident_pages: u64,
}

impl Consumption {
    /// The usage of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_add(other.cpu_ns),
            max_resident_pages: self.max_resident_pages.max(other.max_resident_pages),
        }
    }

    /// As a message holds it.
    #[must_use]
    pub fn to_message(self) -> Usage {
        Usage { user_ns: self.cpu_ns, system_ns: 0, max_resident_pages: self.max_resident_pages }
    }
}

/// The executable of a process, kept for `/proc` and for names in death records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executable {
    /// Handle of its memory object; the process record owns it.
    pub object: u32,
    /// Where the file starts in the object.
    pub offset: u64,
    /// Its size.
    pub size: u64,
    /// What was added to the file's addresses (position-independent programs).
    pub load_bias: u64,
}

/// What a process runs.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Name for `ps`, NUL-padded.
    pub name: [u8; 16],
    /// Absolute path.
    pub path: Vec<u8>,
    /// Arguments, each with its NUL.
    pub arguments: Vec<u8>,
    /// Number of its connection to the current directory, or 0: not known.
    pub cwd: u32,
    /// The file.
    pub executable: Option<Executable>,
    /// It has executed a program since its fork (`setpgid` by the parent is over then).
    pub generation: Generation,
}

/// Whether a child still runs its parent's program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generation {
    /// The program it was forked with.
    #[default]
    Forked,
    /// One of its own.
    Executed,
}

/// One process.
#[derive(Debug)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// Process group.
    pub group: u32,
    /// Session.
    pub session: u32,
    /// Kernel handle, while it is no zombie.
    pub handle: Option<u32>,
    /// What it does.
    pub condition: Condition,
    /// User and group ids.
    pub credentials: Credentials,
    /// Special rights.
    pub abilities: u64,
    /// Resource limits.
    pub limits: Limits,
    /// What it runs.
    pub program: Program,
    /// Signal to the parent at its end, or 0.
    pub exit_signal: u32,
    /// Nice value ([`crate::process::priority::of_nice`]).
    pub nice: i32,
    /// Monotonic time of its start.
    pub started_ns: u64,
    /// What the children it waited for have used.
    pub children_usage: Consumption,
    /// A parent in `vfork` that waits for this process's exec or exit.
    pub vfork_parent: Option<VforkParent>,
}

/// A parent that a child holds up with `vfork`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VforkParent {
    /// Names it.
    pub rcvid: u64,
    /// A stop signal that came meanwhile: the child stops when the parent no longer waits for it,
    /// else nobody could report the stop, and the keyboard would be without effect.
    pub owed_stop: Option<u32>,
}

impl Process {
    /// A process as it is at its start.
    #[must_use]
    pub fn new(pid: u32, parent: u32) -> Self {
        Self {
            pid,
            parent,
            group: pid,
            session: pid,
            handle: None,
            condition: Condition::Running,
            credentials: Credentials::default(),
            abilities: 0,
            limits: Limits::default(),
            program: Program::default(),
            exit_signal: 0,
            nice: 0,
            started_ns: 0,
            children_usage: Consumption::default(),
            vfork_parent: None,
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        matches!(self.condition, Condition::Zombie { .. })
    }

    /// Its name without padding.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let end = self.program.name.iter().position(|&b| b == 0).unwrap_or(16);
        &self.program.name[..end]
    }

    /// Its kernel handle.
    ///
    /// # Errors
    /// ESRCH if it has ended.
    pub fn live_handle(&self) -> Result<u32, Errno> {
        self.handle.ok_or(Errno::ESRCH)
    }
}

/// All processes, by pid.
#[derive(Debug)]
pub struct Table {
    by_pid: BTreeMap<u32, Process>,
    last_pid: u32,
}

impl Default for Table {
    /// Only procnto itself.
    fn default() -> Self {
        let mut manager = Process::new(SYSMGR_PID, 0);
        manager.program.name[..7].copy_from_slice(b"procnto");
        manager.program.path = b"/sbin/procnto".to_vec();
        manager.program.arguments = b"procnto\0".to_vec();
        manager.program.generation = Generation::Executed;
        manager.abilities = u64::MAX;
        manager.group = 0;
        manager.session = 0;
        Self { by_pid: BTreeMap::from([(SYSMGR_PID, manager)]), last_pid: SYSMGR_PID }
    }
}

impl Table {
    /// The process, zombies included.
    ///
    /// # Errors
    /// ESRCH.
    pub fn get(&self, pid: u32) -> Result<&Process, Errno> {
        self.by_pid.get(&pid).ok_or(Errno::ESRCH)
    }

    /// As [`Table::get`], to change it.
    ///
    /// # Errors
    /// ESRCH.
    pub fn get_mut(&mut self, pid: u32) -> Result<&mut Process, Errno> {
        self.by_pid.get_mut(&pid).ok_or(Errno::ESRCH)
    }

    /// All processes, by pid.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        self.by_pid.values()
    }

    /// All processes, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.by_pid.values_mut()
    }

    /// The children of a process, zombies included.
    pub fn children(&self, parent: u32) -> impl Iterator<Item = &Process> {
        self.by_pid.values().filter(move |process| process.parent == parent)
    }

    /// The live members of a process group.
    pub fn group(&self, group: u32) -> impl Iterator<Item = &Process> {
        self.by_pid.values().filter(move |p| p.group == group && !p.is_zombie())
    }

    /// All members of a process group: one whose members are all zombies still exists.
    pub fn members(&self, group: u32) -> impl Iterator<Item = &Process> {
        self.by_pid.values().filter(move |process| process.group == group)
    }

    /// Adds a process.
    pub fn insert(&mut self, process: Process) {
        self.by_pid.insert(process.pid, process);
    }

    /// Forgets a process.
    pub fn remove(&mut self, pid: u32) -> Option<Process> {
        self.by_pid.remove(&pid)
    }

    /// How many processes a real user has.
    #[must_use]
    pub fn count_of_user(&self, uid: u32) -> u64 {
        self.by_pid.values().filter(|p| p.credentials.ruid == uid).count() as u64
    }

    /// A number for a new process: not in use, and not used for as long as possible.
    ///
    /// # Errors
    /// EAGAIN if all are in use.
    pub fn free_pid(&mut self) -> Result<u32, Errno> {
        for _ in 0..PID_MAX {
            self.last_pid = if self.last_pid >= PID_MAX { 2 } else { self.last_pid + 1 };
            if !self.is_used(self.last_pid) {
                return Ok(self.last_pid);
            }
        }
        Err(Errno::EAGAIN)
    }

    fn is_used(&self, number: u32) -> bool {
        self.by_pid.contains_key(&number)
            || self.by_pid.values().any(|p| p.group == number || p.session == number)
    }
}
