//! `/proc`: a file system of texts that are made when they are read.
//!
//! A node is `pid << 16 | what`, pid 0 for the system's own files.

use super::STATE;
use super::kernel::Kernel;
use super::links::Links;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use io_msg::proc::ATTACH_DIRECTORY;
use io_msg::stat::mode;
use neutrino_rt::abi::message::chf;
use neutrino_rt::{Errno, channel, log};
use procnto::builtin::link::Link;
use procnto::builtin::proc_process::{self, FILES as PROCESS_FILES, contents, descriptors};
use procnto::builtin::proc_system::{FILES, NTO, Row, SYS_KERNEL};
use procnto::state::Shared;
use resmgr::{Attributes, DirectoryEntry, Engine, Node, Ocb, Outcome, Request, Server};

/// Directories, and where the rows of each begin.
mod what {
    pub(super) const DIRECTORY: u64 = 1;
    pub(super) const SELF: u64 = 2;
    pub(super) const SYS: u64 = 3;
    pub(super) const KERNEL: u64 = 4;
    pub(super) const NTO: u64 = 5;
    pub(super) const FD: u64 = 6;
    pub(super) const EXE: u64 = 7;
    pub(super) const ROOT: u64 = 8;
    pub(super) const CWD: u64 = 9;
    pub(super) const FILES: u64 = 0x100;
    pub(super) const KERNEL_FILES: u64 = 0x200;
    pub(super) const NTO_FILES: u64 = 0x300;
    pub(super) const DESCRIPTORS: u64 = 0x1000;
}

const ROOT: Node = what::DIRECTORY;

fn pid_of(node: Node) -> u32 {
    u32::try_from(node >> 16).unwrap_or(0)
}

fn what_of(node: Node) -> u64 {
    node & 0xffff
}

fn at(pid: u32, what: u64) -> Node {
    u64::from(pid) << 16 | what
}

/// Name, node and type of everything in a directory.
fn list(directory: Node) -> Vec<(String, Node, u32)> {
    const FILE: u32 = mode::IFREG | 0o444;
    const DIRECTORY: u32 = mode::IFDIR | 0o555;
    const LINK: u32 = mode::IFLNK | 0o777;
    let rows = |rows: &[Row], first: u64| -> Vec<(String, Node, u32)> {
        let numbered = rows.iter().zip(first..);
        numbered.map(|(row, what)| (String::from(row.0), at(0, what), FILE)).collect()
    };
    let pid = pid_of(directory);
    match (pid, what_of(directory)) {
        (0, what::DIRECTORY) => {
            let mut all = rows(&FILES, what::FILES);
            all.push((String::from("self"), at(0, what::SELF), LINK));
            all.push((String::from("sys"), at(0, what::SYS), DIRECTORY));
            all.push((String::from("nto"), at(0, what::NTO), DIRECTORY));
            let pids: Vec<u32> = STATE.with(|s| s.processes.iter().map(|p| p.pid).collect());
            all.extend(
                pids.iter().map(|&pid| (format!("{pid}"), at(pid, what::DIRECTORY), DIRECTORY)),
            );
            all
        }
        (0, what::SYS) => Vec::from([(String::from("kernel"), at(0, what::KERNEL), DIRECTORY)]),
        (0, what::KERNEL) => rows(&SYS_KERNEL, what::KERNEL_FILES),
        (0, what::NTO) => rows(&NTO, what::NTO_FILES),
        (_, what::DIRECTORY) => {
            let numbered = PROCESS_FILES.iter().zip(what::FILES..);
            let mut all: Vec<_> = numbered
                .map(|((name, _), what)| (String::from(*name), at(pid, what), FILE))
                .collect();
            all.push((String::from("fd"), at(pid, what::FD), DIRECTORY));
            all.push((String::from("exe"), at(pid, what::EXE), LINK));
            all.push((String::from("root"), at(pid, what::ROOT), LINK));
            all.push((String::from("cwd"), at(pid, what::CWD), LINK));
            all
        }
        (_, what::FD) => {
            let numbers = STATE.with(|state| descriptors(state, &Kernel, pid));
            let entry = |n: u32| (format!("{n}"), at(pid, what::DESCRIPTORS + u64::from(n)), LINK);
            numbers.into_iter().map(entry).collect()
        }
        _ => Vec::new(),
    }
}

/// What `reader` reads there.
fn text(node: Node, reader: u32) -> Result<Vec<u8>, Errno> {
    let (pid, what) = (pid_of(node), what_of(node));
    let row = |rows: &[Row], first: u64| {
        let index = usize::try_from(what - first).map_err(|_| Errno::ENOENT)?;
        let (_, write) = rows.get(index).ok_or(Errno::ENOENT)?;
        Ok(STATE.with(|state| write(state, &Kernel)).into_bytes())
    };
    match (pid, what) {
        (0, what::FILES..what::KERNEL_FILES) => row(&FILES, what::FILES),
        (0, what::KERNEL_FILES..what::NTO_FILES) => row(&SYS_KERNEL, what::KERNEL_FILES),
        (0, what::NTO_FILES..what::DESCRIPTORS) => row(&NTO, what::NTO_FILES),
        (_, what::FILES..what::KERNEL_FILES) => {
            let index = usize::try_from(what - what::FILES).map_err(|_| Errno::ENOENT)?;
            let &(_, file): &(_, proc_process::File) =
                PROCESS_FILES.get(index).ok_or(Errno::ENOENT)?;
            STATE.with(|state| contents(state, &Kernel, (pid, reader), file))
        }
        _ => Err(Errno::EISDIR),
    }
}

/// The file system, and the links that somebody has to ask other servers for.
#[derive(Debug, Default)]
pub(super) struct ProcFs {
    pub(super) links: Links,
}

impl Server for ProcFs {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        let (pid, what) = (pid_of(node), what_of(node));
        let kind = match what {
            what::SELF | what::EXE | what::ROOT | what::CWD | what::DESCRIPTORS.. => {
                mode::IFLNK | 0o777
            }
            what::FILES..what::DESCRIPTORS => mode::IFREG | 0o444,
            what::FD => mode::IFDIR | 0o500,
            _ => mode::IFDIR | 0o555,
        };
        let mut attributes = Attributes::new(node, kind);
        if pid != 0 {
            let ids = STATE.with(|state| state.processes.get(pid).map(|p| p.credentials));
            let ids = ids.map_err(|_| Errno::ENOENT)?;
            attributes.uid = ids.euid;
            attributes.gid = ids.egid;
        }
        Ok(attributes)
    }

    fn device(&self) -> u64 {
        6
    }

    fn lookup(&mut self, directory: Node, name: &[u8]) -> Result<Node, Errno> {
        if directory == ROOT
            && let Some(pid) = core::str::from_utf8(name).ok().and_then(|n| n.parse().ok())
        {
            STATE.with(|s| s.processes.get(pid).map(drop)).map_err(|_| Errno::ENOENT)?;
            return Ok(at(pid, what::DIRECTORY));
        }
        let all = list(directory);
        let found = all.iter().find(|(own, ..)| own.as_bytes() == name);
        found.map(|&(_, node, _)| node).ok_or(Errno::ENOENT)
    }

    fn parent(&self, directory: Node) -> Node {
        match what_of(directory) {
            what::KERNEL => at(0, what::SYS),
            what::FD => at(pid_of(directory), what::DIRECTORY),
            _ => ROOT,
        }
    }

    fn read_link(&self, request: &Request<'_>, node: Node) -> Result<Vec<u8>, Errno> {
        let pid = pid_of(node);
        match what_of(node) {
            what::SELF => Ok(format!("{}", request.info().pid).into_bytes()),
            what::ROOT => Ok(b"/".to_vec()),
            what::EXE => STATE.with(|state| {
                let path = state.processes.get(pid)?.program.path.clone();
                if path.is_empty() { Err(Errno::ENOENT) } else { Ok(path) }
            }),
            what::CWD => self.links.target(request, pid, Link::Cwd),
            what @ what::DESCRIPTORS.. => {
                let number = u32::try_from(what - what::DESCRIPTORS).map_err(|_| Errno::ENOENT)?;
                self.links.target(request, pid, Link::Descriptor(number))
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn entry(&mut self, directory: Node, position: u64) -> Option<DirectoryEntry> {
        // Processes come and go: their position is their number, behind all others'.
        const PROCESSES: u64 = 1000;
        let place = |index: usize, node: Node| match (directory, pid_of(node)) {
            (ROOT, pid) if pid != 0 => PROCESSES + u64::from(pid),
            (_, _) => index as u64,
        };
        let all = list(directory);
        let numbered = all.into_iter().enumerate();
        let (place, (name, inode, mode)) = numbered
            .map(|(index, entry)| (place(index, entry.1), entry))
            .find(|(place, _)| *place >= position)?;
        Some(DirectoryEntry { inode, mode, name: name.into_bytes(), next: place + 1 })
    }

    fn unblock(&mut self, rcvid: u64) {
        self.links.forget(rcvid);
    }

    fn read(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        offset: u64,
        length: usize,
    ) -> Outcome {
        let text = match text(ocb.node, request.info().pid) {
            Ok(text) => text,
            Err(errno) => return Outcome::Reply(Err(errno)),
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
        let end = start.saturating_add(length).min(text.len());
        request.reply = text[start..end].to_vec();
        Outcome::Reply(i64::try_from(end - start).map_err(|_| Errno::EINVAL))
    }
}

/// The thread of `/proc`.
pub(super) fn serve() {
    let mut engine = Engine::new(ProcFs::default());
    let result = channel::create(chf::DISCONNECT | chf::UNBLOCK).and_then(|chid| {
        engine.attach(chid, "/proc", ROOT, ATTACH_DIRECTORY)?;
        Err(super::links::serve(&mut engine, chid)) as Result<(), _>
    });
    if let Err(errno) = result {
        log!("procnto: cannot serve /proc: {errno}");
    }
}
