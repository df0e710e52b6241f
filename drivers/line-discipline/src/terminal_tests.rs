//! A terminal with clients made of variables: who waits, who is served, who is stopped.

extern crate std;
use std::cell::RefCell;
use std::rc::Rc;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::{Answer, Context, GroupState, Id, NoDevice, Request, Session, StopSignal, data_size};
use linux_raw_sys::ioctl;

type Log = Rc<RefCell<Vec<(u32, String)>>>;

/// A client whose answers are written down.
#[derive(Debug)]
struct Fake {
    number: u32,
    log: Log,
}

impl Client for Fake {
    fn finish(self, done: Done<'_>) {
        let text = match done {
            Done::Data(bytes) => bytes.escape_ascii().to_string(),
            Done::Count(count) => count.to_string(),
            Done::Failed(errno) => errno.name().to_string(),
        };
        self.log.borrow_mut().push((self.number, text));
    }
}

/// A process manager that knows the groups 10 (orphaned) to 19 of session 10.
#[derive(Default)]
struct Manager {
    signals: Vec<(i32, Signal)>,
    controlled: Vec<Session>,
}

impl System for Manager {
    fn group(&mut self, group: Group) -> Option<GroupState> {
        let orphaned = group.0 == 10;
        let parentage = if orphaned { Parentage::Orphaned } else { Parentage::Watched };
        (10..20).contains(&group.0).then_some(GroupState { session: Session(10), parentage })
    }
    fn is_alive(&mut self, session: Session) -> bool {
        session.0 < 100
    }
    fn signal(&mut self, _session: Session, group: Group, signal: Signal) {
        self.signals.push((group.0, signal));
    }
    fn gain(&mut self, session: Session) -> Result<(), Errno> {
        if self.controlled.contains(&session) {
            return Err(Errno::EPERM);
        }
        self.controlled.push(session);
        Ok(())
    }
    fn lose(&mut self, session: Session) {
        self.controlled.retain(|one| *one != session);
    }
}

fn caller(process: i32, group: i32) -> Caller {
    Caller {
        process,
        group: Group(group),
        session: Session(10),
        background_read: StopSignal::Acts,
        background_write: StopSignal::Acts,
    }
}

struct Scene {
    terminal: Terminal<Fake>,
    manager: Manager,
    log: Log,
    now: u64,
}

impl Scene {
    /// A terminal that session 10 controls; its shell (group 10) is in the foreground.
    fn new() -> Self {
        let terminal = Terminal::new(Termios::default(), WindowSize::default());
        let mut scene =
            Self { terminal, manager: Manager::default(), log: Log::default(), now: 1000 };
        scene.terminal.acquire_on_open(&caller(10, 10), &mut scene.manager);
        scene
    }

    fn client(&self, number: u32) -> Fake {
        Fake { number, log: self.log.clone() }
    }

    fn read(&mut self, number: u32, group: i32, mode: Mode) {
        let client = self.client(number);
        self.terminal.read(client, &caller(group, group), (100, mode), &mut self.manager);
        self.terminal.service(self.now);
    }

    fn write(&mut self, number: u32, data: &[u8], mode: Mode) {
        let client = self.client(number);
        let data = (data.to_vec(), mode);
        self.terminal.write(client, &caller(10, 10), data, &mut self.manager);
        self.terminal.service(self.now);
    }

    fn keys(&mut self, keys: &[u8]) {
        for key in keys {
            self.terminal.input(*key, &mut self.manager);
        }
        self.terminal.service(self.now);
    }

    fn request(&mut self, caller: &Caller, number: u32, data: &[u8]) -> Result<Answer, Errno> {
        let client = self.client(99);
        let mut result = Ok(Answer::Later);
        let (system, device) = (&mut self.manager, &mut NoDevice);
        let request = Request { number, argument: 0, data };
        let mut context = Context { caller, system, device };
        self.terminal.request(client, request, &mut context, |_, answer| result = answer);
        self.terminal.service(self.now);
        result
    }

    fn set(&mut self, change: impl FnOnce(&mut Termios)) {
        let mut termios = self.terminal.line().termios().clone();
        change(&mut termios);
        let done = self.request(&caller(10, 10), ioctl::TCSETS, &termios.to_bytes());
        assert_eq!(done, Ok(Answer::Done));
    }

    fn output(&mut self) -> usize {
        let mut buffer = [0; 8192];
        self.terminal.next_output(&mut buffer)
    }

    #[track_caller]
    fn expect(&self, expected: &[(u32, &str)]) {
        let log: Vec<(u32, String)> = self.log.borrow_mut().drain(..).collect();
        let log: Vec<(u32, &str)> = log.iter().map(|(number, text)| (*number, &**text)).collect();
        assert_eq!(log, expected);
    }
}

#[test]
fn readers_are_served_in_turn_by_lines() {
    let mut scene = Scene::new();
    scene.read(1, 10, Mode::Blocking);
    scene.read(2, 10, Mode::Blocking);
    scene.keys(b"one");
    scene.expect(&[]);
    scene.keys(b"\rtwo\r");
    scene.expect(&[(1, "one\\n"), (2, "two\\n")]);
    scene.read(3, 10, Mode::NonBlocking);
    scene.expect(&[(3, "EAGAIN")]);
    scene.read(4, 10, Mode::Blocking);
    scene.keys(b"\x04");
    scene.expect(&[(4, "")]);
}

#[test]
fn a_background_reader_is_stopped_and_an_orphan_fails() {
    let mut scene = Scene::new();
    scene.read(1, 11, Mode::Blocking);
    scene.expect(&[(1, "ERESTART")]);
    assert_eq!(scene.manager.signals, [(11, Signal::BackgroundRead)]);
    let done = scene.request(&caller(10, 10), ioctl::TIOCSPGRP, &11_i32.to_le_bytes());
    assert_eq!(done, Ok(Answer::Done));
    scene.read(2, 10, Mode::Blocking);
    scene.expect(&[(2, "EIO")]);
}

#[test]
fn a_reader_that_was_put_in_the_background_comes_again() {
    let mut scene = Scene::new();
    let shell = Caller { background_write: StopSignal::Ignored, ..caller(10, 10) };
    let foreground = |scene: &mut Scene, group: i32| {
        scene.request(&shell, ioctl::TIOCSPGRP, &group.to_le_bytes()).unwrap();
    };
    foreground(&mut scene, 11);
    scene.read(1, 11, Mode::Blocking);
    scene.keys(b"\x1a");
    assert_eq!(scene.manager.signals, [(11, Signal::Suspend)]);
    foreground(&mut scene, 10);
    scene.expect(&[(1, "ERESTART")]);
    scene.read(2, 10, Mode::Blocking);
    scene.keys(b"bg\r");
    scene.expect(&[(2, "bg\\n")]);
    scene.manager.signals.clear();
    scene.read(3, 11, Mode::Blocking);
    scene.expect(&[(3, "ERESTART")]);
    assert_eq!(scene.manager.signals, [(11, Signal::BackgroundRead)]);
}

#[test]
fn a_writer_waits_for_room_and_a_cancelled_one_learns_how_far_it_came() {
    let mut scene = Scene::new();
    scene.write(1, &[b'x'; 5000], Mode::Blocking);
    scene.write(2, b"y", Mode::Blocking);
    scene.write(3, b"z", Mode::NonBlocking);
    scene.expect(&[(3, "EAGAIN")]);
    assert_eq!(scene.terminal.readiness(), 0);
    assert!(scene.terminal.cancel(|client| client.number == 1));
    let (_, text) = scene.log.borrow_mut().remove(0);
    assert!((4000..4096).contains(&text.parse::<usize>().unwrap()), "{text}");
    scene.output();
    scene.terminal.service(scene.now);
    scene.expect(&[(2, "1")]);
    assert!(!scene.terminal.cancel(|client| client.number == 2));
}

#[test]
fn settings_wait_for_output_where_asked() {
    let mut scene = Scene::new();
    scene.write(1, b"x", Mode::Blocking);
    let mut termios = scene.terminal.line().termios().clone();
    termios.local.remove(LocalFlags::ECHO);
    let done = scene.request(&caller(10, 10), ioctl::TCSETSW, &termios.to_bytes());
    assert_eq!(done, Ok(Answer::Later));
    assert_ne!(scene.terminal.line().termios(), &termios);
    scene.output();
    assert_eq!(scene.terminal.service(scene.now), Changed::Settings);
    assert_eq!(scene.terminal.line().termios(), &termios);
    scene.expect(&[(1, "1"), (99, "0")]);
}

#[test]
fn the_time_between_bytes_ends_a_read() {
    let mut scene = Scene::new();
    scene.set(|termios| {
        termios.local.remove(LocalFlags::ICANON);
        termios.characters[Id::Minimum.index()] = 3;
        termios.characters[Id::Time.index()] = 2;
    });
    scene.read(1, 10, Mode::Blocking);
    assert_eq!(scene.terminal.deadline(), None);
    scene.keys(b"a");
    assert_eq!(scene.terminal.deadline(), Some(scene.now + 200_000_000));
    scene.now += 100_000_000;
    scene.terminal.service(scene.now);
    assert_eq!(scene.terminal.deadline(), Some(scene.now + 100_000_000));
    scene.keys(b"b");
    assert_eq!(scene.terminal.deadline(), Some(scene.now + 200_000_000));
    scene.now += 200_000_000;
    scene.terminal.service(scene.now);
    scene.expect(&[(1, "ab")]);
}

#[test]
fn without_a_minimum_a_read_ends_with_nothing_in_time() {
    let mut scene = Scene::new();
    scene.set(|termios| {
        termios.local.remove(LocalFlags::ICANON);
        termios.characters[Id::Minimum.index()] = 0;
        termios.characters[Id::Time.index()] = 1;
    });
    scene.read(1, 10, Mode::Blocking);
    scene.now += 100_000_000;
    scene.terminal.service(scene.now);
    scene.expect(&[(1, "")]);
    scene.set(|termios| termios.characters[Id::Time.index()] = 0);
    scene.read(2, 10, Mode::Blocking);
    scene.expect(&[(2, "")]);
}

#[test]
fn who_may_take_and_name_the_terminal() {
    let mut scene = Scene::new();
    let get = |scene: &mut Scene, caller: &Caller, number| scene.request(caller, number, &[]);
    let member = caller(12, 12);
    let stranger = Caller { session: Session(30), ..caller(30, 30) };
    assert_eq!(get(&mut scene, &member, ioctl::TIOCGPGRP), Ok(Answer::Int(10)));
    assert_eq!(get(&mut scene, &member, ioctl::TIOCGSID), Ok(Answer::Int(10)));
    assert_eq!(get(&mut scene, &stranger, ioctl::TIOCGPGRP), Err(Errno::ENOTTY));
    assert_eq!(get(&mut scene, &stranger, ioctl::TIOCSCTTY), Err(Errno::EPERM));
    assert_eq!(get(&mut scene, &member, ioctl::TIOCSCTTY), Err(Errno::EPERM));
    let shell = caller(10, 10);
    assert_eq!(get(&mut scene, &shell, ioctl::TIOCSCTTY), Ok(Answer::Done));
    let bad = scene.request(&shell, ioctl::TIOCSPGRP, &77_i32.to_le_bytes());
    assert_eq!(bad, Err(Errno::ESRCH));
    assert_eq!(get(&mut scene, &shell, ioctl::TIOCNOTTY), Ok(Answer::Done));
    assert_eq!(scene.manager.signals, [(10, Signal::HangUp), (10, Signal::Continue)]);
    assert_eq!(get(&mut scene, &stranger, ioctl::TIOCSCTTY), Ok(Answer::Done));
    assert_eq!(scene.manager.controlled, [Session(30)]);
}

#[test]
fn a_terminal_whose_sessions_leader_is_gone_can_be_taken() {
    let mut scene = Scene::new();
    let dead = Caller { session: Session(100), ..caller(100, 100) };
    scene.terminal.control = Control::Owned { session: Session(100), foreground: Group(101) };
    assert_eq!(scene.request(&dead, ioctl::TIOCGSID, &[]), Ok(Answer::Int(100)));
    scene.manager.controlled.clear();
    let done = scene.request(&caller(10, 10), ioctl::TIOCSCTTY, &[]);
    assert_eq!(done, Ok(Answer::Done));
    assert_eq!(scene.terminal.control().session(), Some(Session(10)));
}

#[test]
fn a_new_window_size_is_signalled_once() {
    let mut scene = Scene::new();
    let size = WindowSize { rows: 50, columns: 100, ..WindowSize::default() };
    for _ in 0..2 {
        scene.request(&caller(10, 10), ioctl::TIOCSWINSZ, &size.to_bytes()).unwrap();
    }
    assert_eq!(scene.manager.signals, [(10, Signal::WindowChange)]);
    let answer = scene.request(&caller(10, 10), ioctl::TIOCGWINSZ, &[]);
    assert_eq!(answer, Ok(Answer::bytes(&size.to_bytes())));
}

#[test]
fn tostop_stops_background_writers_only() {
    let mut scene = Scene::new();
    let client = scene.client(1);
    let background = caller(11, 11);
    let data = (b"x".to_vec(), Mode::Blocking);
    scene.terminal.write(client, &background, data.clone(), &mut scene.manager);
    scene.terminal.service(scene.now);
    scene.set(|termios| termios.local.insert(LocalFlags::TOSTOP));
    let client = scene.client(2);
    scene.terminal.write(client, &background, data, &mut scene.manager);
    scene.expect(&[(1, "1"), (2, "ERESTART")]);
    assert_eq!(scene.manager.signals, [(11, Signal::BackgroundWrite)]);
}

#[test]
fn a_hang_up_ends_every_wait() {
    let mut scene = Scene::new();
    scene.read(1, 10, Mode::Blocking);
    scene.write(2, &[b'x'; 9000], Mode::Blocking);
    scene.set(|termios| termios.local.remove(LocalFlags::ECHO));
    scene.terminal.hang_up(&mut scene.manager);
    assert_eq!(scene.manager.signals, [(0, Signal::HangUp), (0, Signal::Continue)]);
    assert_eq!(scene.terminal.line().termios(), &Termios::default());
    let log = scene.log.borrow();
    assert_eq!(log[0], (1, String::new()));
    assert_eq!(log[1].0, 2);
}

#[test]
fn requests_that_are_unknown_or_short_are_refused() {
    let mut scene = Scene::new();
    assert_eq!(scene.request(&caller(10, 10), 0x1234, &[]), Err(Errno::ENOTTY));
    assert_eq!(scene.request(&caller(10, 10), ioctl::TCSETS, &[0; 10]), Err(Errno::EINVAL));
    assert_eq!(data_size(ioctl::TCSETS), 36);
    assert_eq!(data_size(ioctl::TCSETS2), 44);
}
