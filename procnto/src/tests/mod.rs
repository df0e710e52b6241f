//! Sentences about processes, on a kernel that only records. Here: what they share, and the life of
//! a process; the other files have an idea each.

mod children;
mod names;
mod priorities;
mod programs;
mod robust;

use crate::fake::{Event, Fake, client, with_shell};
use crate::process::table::Condition;
use crate::server::{handle, handle_pulse};
use crate::state::{Answer, Job, State};
use crate::system::Control;
use alloc::vec::Vec;
use io_msg::kind;
use io_msg::proc::{Exit, FORK_VFORK, Fork, Kill, SetIds, WEXITED, Wait, setids};
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
    let options = options | WEXITED;
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
fn a_vfork_child_does_not_stop_while_its_parent_waits_for_it() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let message =
        Fork { kind: kind::PROC_FORK, flags: FORK_VFORK, exit_signal: SIGCHLD, ..Fork::default() };
    assert_eq!(send(&mut state, &fake, SHELL, 77, message.as_bytes()), Ok(Answer::Later));
    let child = state.processes.children(SHELL).next().unwrap().pid;
    let handle = state.processes.get(child).unwrap().handle.unwrap();
    fake.take_events();
    stop(&mut state, &fake, child);
    let process = state.processes.get(child).unwrap();
    assert_eq!(process.condition, Condition::Running);
    assert_eq!(process.vfork_parent.unwrap().owed_stop, Some(SIGTSTP));
    let continues = Event::Signal { handle, number: SIGCONT, code: 0x80 };
    assert!(fake.take_events().contains(&continues));
}

#[test]
fn a_first_server_that_dies_at_its_start_is_not_started_again() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    state.first_server = SHELL;
    exit(&mut state, &fake, SHELL, 1);
    assert!(!state.jobs.iter().any(|job| matches!(job, Job::FirstServer)));
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
            Event::Reply(..)
            | Event::Signal { .. }
            | Event::Pulse { .. }
            | Event::Control(..)
            | Event::OwnerDied { .. }
            | Event::Priority { .. } => None,
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

#[test]
fn a_message_that_is_too_short_is_refused() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    assert_eq!(send(&mut state, &fake, SHELL, 1, &[0]), Err(Errno::EBADMSG));
    let cut_short = kind::PROC_FORK.to_le_bytes();
    assert_eq!(send(&mut state, &fake, SHELL, 1, &cut_short), Err(Errno::EBADMSG));
    assert_eq!(send(&mut state, &fake, SHELL, 1, &[0xff, 0xff]), Err(Errno::ENOSYS));
}
