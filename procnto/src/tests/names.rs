//! Paths: who attaches them, and who is told; terminals of sessions; links in `/proc`.

use super::{SHELL, exit, send};
use crate::builtin::link::{Link, Question, ask, check};
use crate::fake::{Event, Fake, with_shell};
use crate::state::{Answer, Shared, State};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use io_msg::kind;
use io_msg::proc::{Attach, PathAttach, SetTty, Target};
use io_msg::stat::Stat;
use neutrino_abi::Errno;
use neutrino_abi::message::MsgInfo;
use zerocopy::IntoBytes;

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

fn set_terminal(state: &mut State, fake: &Fake, path: &[u8]) -> Result<Answer, Errno> {
    let path_length = u32::try_from(path.len()).unwrap();
    let message =
        SetTty { kind: kind::PROC_SET_TTY, subtype: 0, session: SHELL, path_length, rdev: 1 };
    send(state, fake, SHELL, 8, &[message.as_bytes(), path].concat())
}

#[test]
fn a_session_has_one_terminal() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    assert_eq!(set_terminal(&mut state, &fake, b"/dev/ser1"), Ok(Answer::Status(0)));
    assert_eq!(set_terminal(&mut state, &fake, b"/dev/ser1"), Ok(Answer::Status(0)));
    assert_eq!(set_terminal(&mut state, &fake, b"/dev/con1"), Err(Errno::EPERM));
    assert_eq!(state.sessions.terminal(SHELL).unwrap().path, b"/dev/ser1");
    assert_eq!(set_terminal(&mut state, &fake, b""), Ok(Answer::Status(0)));
    assert_eq!(set_terminal(&mut state, &fake, b"/dev/con1"), Ok(Answer::Status(0)));
}

struct One(RefCell<State>);

impl Shared for One {
    fn with<R>(&self, body: impl FnOnce(&mut State) -> R) -> R {
        body(&mut self.0.borrow_mut())
    }
}

/// What a link of the shell says if servers answer so.
fn target_of(link: Link, answers: &[(Result<i64, Errno>, &[u8])]) -> Result<Vec<u8>, Errno> {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    state.processes.get_mut(SHELL).unwrap().program.cwd = 1030;
    let before = fake.open.borrow().len();
    *fake.answers.borrow_mut() = answers.iter().map(|(r, data)| (*r, data.to_vec())).collect();
    let question = Question { pid: SHELL, link, rcvid: 1 };
    let found = ask(&One(RefCell::new(state)), &fake, &question);
    assert_eq!(fake.open.borrow().len(), before);
    assert_eq!(found.question, question);
    found.target
}

#[test]
fn a_link_of_another_process_is_what_its_server_says() {
    assert_eq!(target_of(Link::Cwd, &[(Ok(4), b"/tmp")]), Ok(b"/tmp".to_vec()));
    assert_eq!(target_of(Link::Descriptor(3), &[(Ok(4), b"/etc")]), Ok(b"/etc".to_vec()));
    assert_eq!(target_of(Link::Descriptor(99), &[]), Err(Errno::ENOENT));
    let late = [(Err(Errno::ETIMEDOUT), vec![])];
    let late: Vec<_> = late.iter().map(|(r, d): &(_, Vec<u8>)| (*r, d.as_slice())).collect();
    assert_eq!(target_of(Link::Cwd, &late), Err(Errno::ETIMEDOUT));
}

#[test]
fn a_process_that_asked_for_no_directory_is_at_the_root() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    state.processes.get_mut(SHELL).unwrap().program.cwd = 0;
    let question = Question { pid: SHELL, link: Link::Cwd, rcvid: 1 };
    let found = ask(&One(RefCell::new(state)), &fake, &question);
    assert_eq!(found.target, Ok(b"/".to_vec()));
}

#[test]
fn what_has_no_path_is_named_by_its_kind_and_number() {
    let stat = Stat { mode: 0o014_0777, ino: 12, ..Stat::default() };
    let answers = [(Err(Errno::ENOSYS), &b""[..]), (Ok(0), stat.as_bytes())];
    assert_eq!(target_of(Link::Descriptor(3), &answers), Ok(b"socket:[12]".to_vec()));
}

#[test]
fn only_root_and_the_user_look_at_what_a_process_has_open() {
    let state = with_shell(&Fake::default());
    let mut process = state.processes;
    let process = process.get_mut(SHELL).unwrap();
    process.credentials.ruid = 5;
    process.credentials.euid = 5;
    process.credentials.suid = 5;
    let client = |euid| MsgInfo { euid, ..MsgInfo::default() };
    assert_eq!(check(&client(0), process), Ok(()));
    assert_eq!(check(&client(5), process), Ok(()));
    assert_eq!(check(&client(6), process), Err(Errno::EACCES));
    process.credentials.euid = 0;
    assert_eq!(check(&client(5), process), Err(Errno::EACCES));
}

#[test]
fn a_connection_to_another_processs_channel_is_given_and_not_kept() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let mut ask = |pid, chid| {
        let message = Attach { kind: kind::PROC_ATTACH, subtype: 0, pid, chid };
        send(&mut state, &fake, SHELL, 6, message.as_bytes())
    };
    let Ok(Answer::Status(given)) = ask(SHELL, 1) else { panic!("no connection") };
    assert_eq!(ask(SHELL, 2), Err(Errno::ESRCH));
    assert_eq!(ask(30_000, 1), Err(Errno::ESRCH));
    let given = u32::try_from(given).unwrap();
    assert!(!fake.open.borrow().contains(&given), "procnto's own handle is closed");
}
