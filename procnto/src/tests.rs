//! Sentences about processes, on a kernel that only records.

use crate::fake::{Event, Fake, client, with_shell};
use crate::memory::elf::{self, Personality};
use crate::memory::space::{self, Pieces, Secure, Source};
use crate::memory::stack::{self, Strings};
use crate::process::table::Condition;
use crate::server::{handle, handle_pulse};
use crate::state::{Answer, State};
use crate::system::Control;
use alloc::vec;
use alloc::vec::Vec;
use io_msg::kind;
use io_msg::proc::{Exit, FORK_VFORK, Fork, Kill, PathAttach, SetIds, Target, Wait, setids};
use io_msg::start::{STACK_TOP, StartInfo};
use neutrino_abi::Errno;
use neutrino_abi::pulse::{self, Pulse};
use neutrino_abi::signal::number::{SIGCHLD, SIGCONT, SIGHUP, SIGTERM, SIGTSTP};
use zerocopy::IntoBytes;

const SHELL: u32 = 2;

fn send(
    state: &mut State,
    fake: &Fake,
    pid: u32,
    rcvid: u64,
    bytes: &[u8],
) -> Result<Answer, Errno> {
    handle(state, fake, &client(pid, rcvid), bytes)
}

fn fork(state: &mut State, fake: &Fake, pid: u32) -> u32 {
    let message = Fork { kind: kind::PROC_FORK, exit_signal: SIGCHLD, ..Fork::default() };
    match send(state, fake, pid, 1, message.as_bytes()) {
        Ok(Answer::Status(child)) => u32::try_from(child).unwrap(),
        other => panic!("fork: {other:?}"),
    }
}

fn exit(state: &mut State, fake: &Fake, pid: u32, code: u32) {
    let message = Exit { kind: kind::PROC_EXIT, subtype: 0, status: code << 8 };
    assert_eq!(send(state, fake, pid, 2, message.as_bytes()), Ok(Answer::Later));
}

fn wait(
    state: &mut State,
    fake: &Fake,
    rcvid: u64,
    pid: i32,
    options: u32,
) -> Result<Answer, Errno> {
    let message = Wait { kind: kind::PROC_WAIT, subtype: 0, pid, options };
    send(state, fake, SHELL, rcvid, message.as_bytes())
}

fn set_group(
    state: &mut State,
    fake: &Fake,
    caller: u32,
    pid: u32,
    group: u32,
) -> Result<Answer, Errno> {
    let mut message =
        SetIds { kind: kind::PROC_SETIDS, subtype: setids::PGID, count: 2, ..SetIds::default() };
    message.values[..2].copy_from_slice(&[pid, group]);
    send(state, fake, caller, 3, message.as_bytes())
}

fn kill(state: &mut State, fake: &Fake, from: u32, pid: i32, signal: u32) -> Result<Answer, Errno> {
    let message = Kill { kind: kind::PROC_KILL, pid, signal, ..Kill::default() };
    send(state, fake, from, 4, message.as_bytes())
}

fn status_pid(answer: Result<Answer, Errno>) -> i64 {
    match answer {
        Ok(Answer::Data(pid, _)) => pid,
        other => panic!("wait: {other:?}"),
    }
}

fn stop(state: &mut State, fake: &Fake, pid: u32) {
    let value = u64::from(pid) | u64::from(SIGTSTP) << 32;
    handle_pulse(state, fake, &Pulse { code: pulse::PROCESS_STOPPED, value, ..Pulse::default() });
}

#[test]
fn a_child_that_ended_is_a_zombie_until_its_parent_waits() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let child = fork(&mut state, &fake, SHELL);
    exit(&mut state, &fake, child, 3);
    assert!(state.processes.get(child).unwrap().is_zombie());
    assert_eq!(status_pid(wait(&mut state, &fake, 9, -1, 0)), i64::from(child));
    assert!(state.processes.get(child).is_err());
    assert_eq!(wait(&mut state, &fake, 9, -1, 0), Err(Errno::ECHILD));
}

#[test]
fn a_parent_that_waits_is_answered_when_the_child_ends() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let child = fork(&mut state, &fake, SHELL);
    assert_eq!(wait(&mut state, &fake, 9, child.cast_signed(), 0), Ok(Answer::Later));
    fake.take_events();
    exit(&mut state, &fake, child, 0);
    let events = fake.take_events();
    assert!(events.contains(&Event::Reply(9, Ok(i64::from(child)))), "{events:?}");
    assert!(events.iter().any(|e| matches!(e, Event::Signal { number: SIGCHLD, code: 1, .. })));
    assert!(state.processes.get(child).is_err());
}

#[test]
fn a_wait_that_is_interrupted_is_forgotten() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    fork(&mut state, &fake, SHELL);
    assert_eq!(wait(&mut state, &fake, 9, -1, 0), Ok(Answer::Later));
    let unblock = Pulse { code: pulse::UNBLOCK, value: 9, ..Pulse::default() };
    handle_pulse(&mut state, &fake, &unblock);
    assert!(fake.take_events().contains(&Event::Reply(9, Err(Errno::EINTR))));
    assert!(state.waiters.is_empty());
}

#[test]
fn a_parent_that_ignores_sigchld_has_no_zombies() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let child = fork(&mut state, &fake, SHELL);
    fake.info
        .set(neutrino_abi::info::ProcessInfo { ignored: 1 << (SIGCHLD - 1), ..Default::default() });
    assert_eq!(wait(&mut state, &fake, 9, -1, 0), Ok(Answer::Later));
    exit(&mut state, &fake, child, 0);
    assert!(state.processes.get(child).is_err());
    assert!(fake.take_events().contains(&Event::Reply(9, Err(Errno::ECHILD))));
}

#[test]
fn children_of_the_dead_go_to_procnto_and_leave_nothing() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let child = fork(&mut state, &fake, SHELL);
    let grandchild = fork(&mut state, &fake, child);
    exit(&mut state, &fake, child, 0);
    assert_eq!(state.processes.get(grandchild).unwrap().parent, 1);
    exit(&mut state, &fake, grandchild, 0);
    assert!(state.processes.get(grandchild).is_err());
}

#[test]
fn a_vfork_parent_goes_on_when_its_child_ends() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let message =
        Fork { kind: kind::PROC_FORK, flags: FORK_VFORK, exit_signal: SIGCHLD, ..Fork::default() };
    assert_eq!(send(&mut state, &fake, SHELL, 77, message.as_bytes()), Ok(Answer::Later));
    let child = state.processes.children(SHELL).next().unwrap().pid;
    exit(&mut state, &fake, child, 0);
    assert!(fake.take_events().contains(&Event::Reply(77, Ok(i64::from(child)))));
}

#[test]
fn every_handle_of_a_dead_process_is_closed() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let before = fake.open.borrow().clone();
    let child = fork(&mut state, &fake, SHELL);
    exit(&mut state, &fake, child, 0);
    assert_eq!(*fake.open.borrow(), before);
}

#[test]
fn a_stopped_child_is_reported_once_to_who_asked_for_it() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let child = fork(&mut state, &fake, SHELL);
    stop(&mut state, &fake, child);
    assert_eq!(status_pid(wait(&mut state, &fake, 9, -1, 1)), 0);
    assert_eq!(status_pid(wait(&mut state, &fake, 9, -1, 1 | 2)), i64::from(child));
    assert_eq!(status_pid(wait(&mut state, &fake, 9, -1, 1 | 2)), 0);
    let value = u64::from(child);
    let goes_on = Pulse { code: pulse::PROCESS_CONTINUED, value, ..Pulse::default() };
    handle_pulse(&mut state, &fake, &goes_on);
    assert_eq!(state.processes.get(child).unwrap().condition, Condition::Continued);
    assert_eq!(status_pid(wait(&mut state, &fake, 9, -1, 1 | 8)), i64::from(child));
}

#[test]
fn a_stopped_group_that_becomes_orphaned_is_hung_up_and_woken() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let job = fork(&mut state, &fake, SHELL);
    set_group(&mut state, &fake, SHELL, job, job).unwrap();
    let handle = state.processes.get(job).unwrap().handle.unwrap();
    stop(&mut state, &fake, job);
    fake.take_events();
    exit(&mut state, &fake, SHELL, 0);
    let signals: Vec<u32> = fake
        .take_events()
        .iter()
        .filter_map(|event| match *event {
            Event::Signal { handle: to, number, .. } if to == handle => Some(number),
            Event::Reply(..) | Event::Signal { .. } | Event::Pulse { .. } | Event::Control(..) => {
                None
            }
        })
        .collect();
    assert_eq!(signals, [SIGHUP, SIGCONT]);
}

#[test]
fn a_session_leader_cannot_change_its_group() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    assert_eq!(set_group(&mut state, &fake, SHELL, 0, 0), Err(Errno::EPERM));
    let child = fork(&mut state, &fake, SHELL);
    assert_eq!(set_group(&mut state, &fake, child, 0, 99), Err(Errno::EPERM));
    assert_eq!(set_group(&mut state, &fake, child, 0, 0), Ok(Answer::Status(0)));
    assert_eq!(set_group(&mut state, &fake, child, SHELL, 0), Err(Errno::ESRCH));
}

#[test]
fn a_group_whose_leader_is_a_zombie_can_still_be_joined() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let first = fork(&mut state, &fake, SHELL);
    set_group(&mut state, &fake, SHELL, first, first).unwrap();
    let second = fork(&mut state, &fake, SHELL);
    exit(&mut state, &fake, first, 0);
    assert_eq!(set_group(&mut state, &fake, second, 0, first), Ok(Answer::Status(0)));
}

#[test]
fn kill_reaches_a_group_and_refuses_strangers() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let child = fork(&mut state, &fake, SHELL);
    assert_eq!(kill(&mut state, &fake, SHELL, -2, SIGTERM), Ok(Answer::Status(0)));
    let sent = fake.take_events();
    assert_eq!(sent.iter().filter(|e| matches!(e, Event::Signal { .. })).count(), 2);
    let stranger = state.processes.get_mut(child).unwrap();
    stranger.credentials.ruid = 5;
    stranger.credentials.euid = 5;
    assert_eq!(kill(&mut state, &fake, child, 2, SIGTERM), Err(Errno::EPERM));
    assert_eq!(kill(&mut state, &fake, child, 2, SIGCONT), Ok(Answer::Status(0)));
    assert_eq!(kill(&mut state, &fake, child, 99, SIGTERM), Err(Errno::ESRCH));
    assert_eq!(kill(&mut state, &fake, child, 2, 65), Err(Errno::EINVAL));
}

#[test]
fn setuid_takes_the_abilities_of_root_away() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let mut message =
        SetIds { kind: kind::PROC_SETIDS, subtype: setids::UID, count: 1, ..SetIds::default() };
    message.values[0] = 5;
    fake.take_events();
    assert_eq!(send(&mut state, &fake, SHELL, 5, message.as_bytes()), Ok(Answer::Status(0)));
    let shell = state.processes.get(SHELL).unwrap();
    assert_eq!(shell.abilities, 0);
    let told = Event::Control(shell.handle.unwrap(), Control::Abilities(0));
    assert!(fake.take_events().contains(&told));
}

fn attach(state: &mut State, fake: &Fake, path: &str) -> Result<Answer, Errno> {
    let message = PathAttach {
        kind: kind::PATH_ATTACH,
        subtype: 0,
        flags: 1,
        path_length: u32::try_from(path.len()).unwrap(),
        mode: 0o40755,
    };
    let mut bytes = message.as_bytes().to_vec();
    bytes.extend_from_slice(path.as_bytes());
    send(state, fake, SHELL, 6, &bytes)
}

#[test]
fn the_server_around_an_attachment_is_told_of_it() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    assert_eq!(attach(&mut state, &fake, "/dev"), Ok(Answer::Status(1)));
    assert_eq!(attach(&mut state, &fake, "/"), Ok(Answer::Status(2)));
    let root = state.paths.get(2).unwrap().connection;
    let covered = |value| Event::Pulse { coid: root, code: kind::PULSE_COVERED, value };
    assert!(fake.take_events().contains(&covered(1)));
    assert_eq!(attach(&mut state, &fake, "/tmp"), Ok(Answer::Status(3)));
    assert!(fake.take_events().contains(&covered(3)));
    let message = Target { kind: kind::PATH_PREFIX, subtype: 0, id: 3 };
    let prefix = send(&mut state, &fake, SHELL, 7, message.as_bytes());
    assert_eq!(prefix, Ok(Answer::Data(4, b"/tmp".to_vec())));
}

#[test]
fn the_attachments_of_a_dead_server_are_gone() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let before = fake.open.borrow().len();
    attach(&mut state, &fake, "/").unwrap();
    exit(&mut state, &fake, SHELL, 0);
    assert_eq!(state.paths.resolve(b"/etc"), Err(Errno::ENOENT));
    assert_eq!(fake.open.borrow().len(), before - 1);
}

#[test]
fn only_a_process_with_the_ability_attaches_paths() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    state.processes.get_mut(SHELL).unwrap().abilities = 0;
    assert_eq!(attach(&mut state, &fake, "/x"), Err(Errno::EPERM));
}

#[test]
fn a_message_that_is_too_short_is_refused() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    assert_eq!(send(&mut state, &fake, SHELL, 1, &[0]), Err(Errno::EBADMSG));
    let cut_short = kind::PROC_FORK.to_le_bytes();
    assert_eq!(send(&mut state, &fake, SHELL, 1, &cut_short), Err(Errno::EBADMSG));
    assert_eq!(send(&mut state, &fake, SHELL, 1, &[0xff, 0xff]), Err(Errno::ENOSYS));
}

/// An ELF file with one program header for each (type, flags, offset, address, sizes).
fn elf_file(kind: u16, headers: &[(u32, u32, u64, u64, u64, u64)], size: usize) -> Vec<u8> {
    let mut file = vec![0_u8; size];
    file[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    let count = u16::try_from(headers.len()).unwrap();
    let halves = [(16, kind), (18, 62), (52, 64), (54, 56), (56, count), (58, 64)];
    for (at, value) in halves {
        file[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    file[20..24].copy_from_slice(&1_u32.to_le_bytes());
    file[24..32].copy_from_slice(&0x40_1000_u64.to_le_bytes());
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    for (index, &(kind, flags, offset, address, file_size, memory_size)) in
        headers.iter().enumerate()
    {
        let at = 64 + index * 56;
        file[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        file[at + 4..at + 8].copy_from_slice(&flags.to_le_bytes());
        let words = [offset, address, address, file_size, memory_size, 0x1000];
        for (number, word) in words.iter().enumerate() {
            let place = at + 8 + number * 8;
            file[place..place + 8].copy_from_slice(&word.to_le_bytes());
        }
    }
    file
}

fn parse(file: &[u8]) -> Result<elf::Program, Errno> {
    let read = |offset: u64, buffer: &mut [u8]| {
        let start = usize::try_from(offset).unwrap();
        let part = file.get(start..start + buffer.len()).ok_or(Errno::EIO)?;
        buffer.copy_from_slice(part);
        Ok(())
    };
    elf::parse(read, file.len() as u64)
}

#[test]
fn a_static_program_is_mapped_as_its_headers_say() {
    let text = (1, 5, 0, 0x40_0000, 0x1800, 0x1800);
    let data = (1, 6, 0x1f00, 0x40_2f00, 0x80, 0x2000);
    let program = parse(&elf_file(2, &[text, data], 0x2000)).unwrap();
    assert_eq!(program.entry, 0x40_1000);
    assert_eq!(program.personality, Personality::Foreign);
    assert_eq!(program.headers_address, 0x40_0040);
    assert_eq!(program.heap, 0x40_5000);
    let data = program.segments[1];
    assert_eq!((data.start, data.file_end, data.end), (0x40_2000, 0x40_3000, 0x40_5000));
    assert_eq!((data.file_offset, data.zero_from), (0x1000, 0x40_2f80));
}

#[test]
fn what_is_no_static_program_is_refused() {
    let text = (1, 5, 0, 0x40_0000, 0x1800, 0x1800);
    let interpreter = (3, 4, 0x200, 0, 8, 8);
    assert_eq!(parse(&elf_file(2, &[text, interpreter], 0x2000)), Err(Errno::ENOEXEC));
    assert_eq!(parse(&elf_file(1, &[text], 0x2000)), Err(Errno::ENOEXEC));
    assert_eq!(parse(b"#!/bin/sh\n"), Err(Errno::ENOEXEC));
    let outside = (1, 5, 0, 0x40_0000, 0x9000, 0x9000);
    assert_eq!(parse(&elf_file(2, &[outside], 0x2000)), Err(Errno::ENOEXEC));
    let in_the_kernel = (1, 5, 0, 0xffff_8000_0000_0000, 0x1000, 0x1000);
    assert_eq!(parse(&elf_file(2, &[in_the_kernel], 0x2000)), Err(Errno::ENOEXEC));
    let overlaps = (1, 6, 0, 0x40_0000, 0x1000, 0x1000);
    assert_eq!(parse(&elf_file(2, &[text, overlaps], 0x2000)), Err(Errno::ENOEXEC));
}

#[test]
fn any_bytes_at_all_are_parsed_without_a_panic() {
    let good = elf_file(2, &[(1, 5, 0, 0x40_0000, 0x1000, 0x1000)], 0x1000);
    for at in 0..120 {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] = value;
            drop(parse(&bad));
        }
    }
}

#[test]
fn the_stack_holds_what_the_abi_says() {
    let strings = Strings::new(b"/bin/ls\0ls\0-l\0A=1\0".to_vec(), 2, 1).unwrap();
    let stack = stack::build(STACK_TOP, &strings, &[(6, 4096)], [9; 16]);
    assert_eq!(stack.pointer % 16, 0);
    assert!(stack.pointer + stack.bytes.len() as u64 <= STACK_TOP);
    let word = |n: usize| u64::from_le_bytes(stack.bytes[n * 8..n * 8 + 8].try_into().unwrap());
    let text = |address: u64| {
        let rest = &stack.bytes[usize::try_from(address - stack.pointer).unwrap()..];
        rest.split(|&byte| byte == 0).next().unwrap().to_vec()
    };
    assert_eq!(word(0), 2);
    assert_eq!(text(word(1)), b"ls");
    assert_eq!(text(word(2)), b"-l");
    assert_eq!(word(3), 0);
    assert_eq!(text(word(4)), b"A=1");
    assert_eq!((word(5), word(6), word(7)), (0, 6, 4096));
    assert_eq!(strings.arguments(), b"ls\0-l\0");
    assert_eq!(strings.path(), b"/bin/ls");
}

#[test]
fn strings_that_are_not_as_many_as_was_said_are_refused() {
    assert_eq!(Strings::new(b"/bin/ls\0ls\0".to_vec(), 2, 0), Err(Errno::EINVAL));
    assert_eq!(Strings::new(b"/bin/ls\0ls".to_vec(), 1, 0), Err(Errno::EINVAL));
    assert_eq!(Strings::new(Vec::new(), 0, 0), Err(Errno::EINVAL));
}

#[test]
fn a_space_whose_program_cannot_be_run_is_closed_again() {
    let fake = Fake::default();
    *fake.file.borrow_mut() = elf_file(2, &[(1, 5, 0, 0x40_0000, 0x1000, 0x1000)], 0x1000);
    let strings = Strings::new(b"x\0x\0".to_vec(), 1, 0).unwrap();
    let source = Source { object: 1, offset: 0, size: 0x1000 };
    let info = StartInfo::default();
    // A foreign program, and no shim.
    let built = space::build(&fake, &Pieces::default(), source, &strings, (&info, Secure::No));
    assert_eq!(built.map(|ready| ready.entry), Err(Errno::ENOEXEC));
    assert!(fake.open.borrow().is_empty());
}
