//! Both sides of a pair, with clients made of variables.

extern crate std;
use std::cell::RefCell;
use std::rc::Rc;
use std::string::{String, ToString};

use super::*;
use line_discipline::{
    Caller, Group, GroupState, Sending, Session, Signal, StopSignal, Termios, WindowSize,
};

type Log = Rc<RefCell<Vec<(u32, String)>>>;

struct Fake(u32, Log);

impl Client for Fake {
    fn finish(self, done: Done<'_>) {
        let text = match done {
            Done::Data(bytes) => bytes.escape_ascii().to_string(),
            Done::Count(count) => count.to_string(),
            Done::Failed(errno) => errno.name().to_string(),
        };
        self.1.borrow_mut().push((self.0, text));
    }
}

struct Nobody;

impl System for Nobody {
    fn group(&mut self, _group: Group) -> Option<GroupState> {
        None
    }
    fn is_alive(&mut self, _session: Session) -> bool {
        true
    }
    fn signal(&mut self, _session: Session, _group: Group, _signal: Signal) {}
    fn gain(&mut self, _session: Session) -> Result<(), Errno> {
        Ok(())
    }
    fn lose(&mut self, _session: Session) {}
}

struct Scene {
    master: Master<Fake>,
    terminal: Terminal<Fake>,
    log: Log,
}

impl Scene {
    fn new() -> Self {
        let terminal = Terminal::new(Termios::default(), WindowSize::default());
        let terminal = terminal.with_sending(Sending::AtOnce);
        Self { master: Master::default(), terminal, log: Log::default() }
    }

    fn client(&self, number: u32) -> Fake {
        Fake(number, self.log.clone())
    }

    fn write(&mut self, number: u32, data: &[u8], mode: Mode) {
        let client = self.client(number);
        self.master.write(client, (data.to_vec(), mode), &mut self.terminal, &mut Nobody);
        self.service();
    }

    fn read(&mut self, number: u32, mode: Mode) {
        let client = self.client(number);
        self.master.read(client, 100, mode, &self.terminal);
        self.service();
    }

    fn slave_read(&mut self, number: u32) {
        let caller = Caller {
            process: 1,
            group: Group(1),
            session: Session(1),
            background_read: StopSignal::Acts,
            background_write: StopSignal::Acts,
        };
        let client = self.client(number);
        self.terminal.read(client, &caller, (5000, Mode::Blocking), &mut Nobody);
        self.service();
    }

    fn service(&mut self) {
        self.master.service(&mut self.terminal, &mut Nobody);
        self.terminal.service(0);
        self.master.service(&mut self.terminal, &mut Nobody);
    }

    #[track_caller]
    fn expect(&self, expected: &[(u32, &str)]) {
        let log: Vec<(u32, String)> = self.log.borrow_mut().drain(..).collect();
        let log: Vec<(u32, &str)> = log.iter().map(|(number, text)| (*number, &**text)).collect();
        assert_eq!(log, expected);
    }
}

#[test]
fn what_the_master_writes_is_echoed_and_read_by_the_slave() {
    let mut scene = Scene::new();
    scene.read(1, Mode::Blocking);
    scene.slave_read(2);
    scene.write(3, b"hi\r", Mode::Blocking);
    scene.expect(&[(3, "3"), (1, "hi\\r\\n"), (2, "hi\\n")]);
}

#[test]
fn the_master_waits_before_the_slave_is_opened_and_fails_after_it_is_closed() {
    let mut scene = Scene::new();
    scene.read(1, Mode::NonBlocking);
    scene.expect(&[(1, "EAGAIN")]);
    scene.read(2, Mode::Blocking);
    scene.master.set_slave(Slave::Open);
    scene.service();
    scene.expect(&[]);
    scene.master.set_slave(Slave::Closed);
    scene.service();
    scene.expect(&[(2, "EIO")]);
    assert_eq!(scene.master.readiness(&scene.terminal) & ready::HUP, ready::HUP);
}

#[test]
fn a_master_that_writes_too_much_waits_until_the_slave_reads() {
    let mut scene = Scene::new();
    scene.write(1, &[b'\r'; 5000], Mode::Blocking);
    scene.expect(&[]);
    scene.write(2, b"x", Mode::NonBlocking);
    scene.expect(&[(2, "EAGAIN")]);
    assert_eq!(scene.master.readiness(&scene.terminal) & ready::OUT, 0);
    for _ in 0..1000 {
        scene.slave_read(3);
    }
    assert!(scene.log.borrow().contains(&(1, "5000".to_string())));
}

#[test]
fn a_client_that_leaves_is_let_go() {
    let mut scene = Scene::new();
    scene.read(1, Mode::Blocking);
    assert!(scene.master.cancel(|client| client.0 == 1));
    assert!(!scene.master.cancel(|client| client.0 == 1));
    scene.expect(&[(1, "EINTR")]);
}
