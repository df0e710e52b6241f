//! Nice values and what they do.

use super::{SHELL, send};
use crate::fake::{Event, Fake, with_shell};
use crate::process::priority::of_nice;
use crate::state::{Answer, State};
use alloc::vec::Vec;
use io_msg::kind;
use io_msg::proc::Priority;
use neutrino_abi::Errno;
use neutrino_abi::info::ThreadInfo;
use neutrino_abi::sched::policy;
use zerocopy::IntoBytes;

fn set_nice(state: &mut State, fake: &Fake, nice: i32) -> Result<Answer, Errno> {
    let message = Priority { kind: kind::PROC_PRIORITY, subtype: 1, nice, ..Priority::default() };
    send(state, fake, SHELL, 9, message.as_bytes())
}

#[test]
fn nice_values_are_priorities_from_20_down_to_1() {
    let all: Vec<u32> = (-20..20).map(of_nice).collect();
    assert!(all.is_sorted_by(|more, less| more >= less), "{all:?}");
    assert_eq!((all[0], of_nice(0), of_nice(19)), (20, 10, 1));
    assert_eq!((of_nice(1), of_nice(-1)), (9, 11));
    assert!((-20..17).all(|nice| of_nice(nice) > of_nice(nice + 3)), "{all:?}");
    assert_eq!((of_nice(i32::MIN), of_nice(i32::MAX)), (20, 1));
}

#[test]
fn a_nice_value_moves_the_threads_that_are_not_realtime() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let thread = |tid, policy| ThreadInfo { tid, policy, ..ThreadInfo::default() };
    *fake.threads.borrow_mut() =
        Vec::from([thread(2, policy::OTHER), thread(7, policy::FIFO), thread(8, policy::OTHER)]);
    fake.take_events();
    assert_eq!(set_nice(&mut state, &fake, 19), Ok(Answer::Status(0)));
    let moved = |tid| Event::Priority { tid, priority: 1 };
    assert_eq!(fake.take_events(), [moved(2), moved(8)]);
    assert_eq!(state.processes.get(SHELL).unwrap().nice, 19);
}

#[test]
fn only_root_becomes_less_nice() {
    let fake = Fake::default();
    let mut state = with_shell(&fake);
    let shell = state.processes.get_mut(SHELL).unwrap();
    (shell.credentials.ruid, shell.credentials.euid) = (5, 5);
    assert_eq!(set_nice(&mut state, &fake, -1), Err(Errno::EACCES));
    assert_eq!(set_nice(&mut state, &fake, 1), Ok(Answer::Status(0)));
    assert_eq!(set_nice(&mut state, &fake, 0), Err(Errno::EACCES));
}
