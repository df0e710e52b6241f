//! `wait`: which children it tells of.

use super::{SHELL, exit, fork, send, status_pid, stop, wait};
use crate::fake::{Event, Fake, with_shell};
use crate::process::table::Condition;
use crate::server::handle_pulse;
use crate::state::{Answer, State};
use io_msg::kind;
use io_msg::proc::Wait;
use neutrino_abi::Errno;
use neutrino_abi::pulse::{self, Pulse};
use neutrino_abi::signal::number::SIGCHLD;
use zerocopy::IntoBytes;

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

const STOPPED: u32 = 2;
const EXITED: u32 = 4;
const CONTINUED: u32 = 8;
const NOHANG: u32 = 1;
const NOWAIT: u32 = 0x0100_0000;

/// As `waitid` asks: exactly these options.
fn waitid(state: &mut State, fake: &Fake, options: u32) -> Result<Answer, Errno> {
    let message = Wait { kind: kind::PROC_WAIT, subtype: 0, pid: -1, options };
    send(state, fake, SHELL, 9, message.as_bytes())
}

#[test]
fn who_waits_for_stops_does_not_learn_of_ends() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let ended = fork(&mut state, &fake, SHELL);
    exit(&mut state, &fake, ended, 0);
    assert_eq!(waitid(&mut state, &fake, STOPPED | NOHANG), Err(Errno::ECHILD));
    let running = fork(&mut state, &fake, SHELL);
    assert_eq!(status_pid(waitid(&mut state, &fake, STOPPED | NOHANG)), 0);
    stop(&mut state, &fake, running);
    assert_eq!(status_pid(waitid(&mut state, &fake, EXITED)), i64::from(ended));
    assert_eq!(status_pid(waitid(&mut state, &fake, STOPPED)), i64::from(running));
    assert_eq!(status_pid(waitid(&mut state, &fake, STOPPED | CONTINUED | NOHANG)), 0);
}

#[test]
fn a_child_that_is_only_looked_at_stays_as_it_is() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let child = fork(&mut state, &fake, SHELL);
    stop(&mut state, &fake, child);
    for _ in 0..2 {
        let seen = waitid(&mut state, &fake, STOPPED | NOWAIT | NOHANG);
        assert_eq!(status_pid(seen), i64::from(child));
    }
    exit(&mut state, &fake, child, 0);
    assert_eq!(status_pid(waitid(&mut state, &fake, EXITED | NOWAIT)), i64::from(child));
    assert_eq!(status_pid(waitid(&mut state, &fake, EXITED)), i64::from(child));
    assert_eq!(waitid(&mut state, &fake, EXITED), Err(Errno::ECHILD));
}

#[test]
fn who_waits_for_stops_is_told_when_the_last_child_ends() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let child = fork(&mut state, &fake, SHELL);
    assert_eq!(waitid(&mut state, &fake, STOPPED), Ok(Answer::Later));
    exit(&mut state, &fake, child, 0);
    assert!(fake.take_events().contains(&Event::Reply(9, Err(Errno::ECHILD))));
}
