//! Signals: dispositions, masks, diversion, faults.

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::process::thread_ctl;
use neutrino_abi::pulse;
use neutrino_abi::signal::{SignalInfo, disposition, how, number};
use neutrino_abi::time::FOREVER;
use neutrino_core::Input;
use neutrino_core::machine::Access;

use crate::world::{DATA, INFO, WORD, World, kill, manager, read_pulse, receive, world};

fn personality(w: &mut World) {
    let mut bytes = Vec::new();
    for word in [0_u64, 0x7000, 0x9000, 0xa000, 0x9f00, 0x9f80, 0x9800, 0x9900, 0x9a00] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    w.poke(DATA + 0xa00, &bytes);
    w.ok(&Call::PersonalityAttach { personality: DATA + 0xa00 });
    w.ok(&Call::ThreadCtl { process: 0, tid: 0, command: 3, value: DATA + 0xb00 });
}

#[test]
fn a_handled_signal_diverts_its_thread_outside_the_guarded_text_only() {
    world(|w| {
        manager(w);
        personality(w);
        let me = w.me().0;
        let signal = number::SIGUSR1;
        w.ok(&Call::SignalAction { process: 0, signal, disposition: disposition::HANDLER });
        w.machine.registers.get_mut(&me).unwrap().rip = 0x9100;
        kill(w, 0, 0, signal);
        assert_eq!(w.machine.registers[&me].rip, 0x9100);
        assert_eq!(u32::from_le_bytes(w.peek(DATA + 0xb00)), 1, "pending");
        w.machine.registers.get_mut(&me).unwrap().rip = 0x9f10;
        w.enter(Input::Reschedule);
        assert_eq!(w.machine.registers[&me].rip, 0x9f00, "restarted");
        w.machine.registers.get_mut(&me).unwrap().rip = 0x5000;
        w.enter(Input::Reschedule);
        assert_eq!(w.machine.registers[&me].rip, 0x7000, "diverted");
        assert_eq!(u32::from_le_bytes(w.peek(DATA + 0xb04)), 1, "diverted");
        w.machine.registers.get_mut(&me).unwrap().rip = 0x9100;
        let take = Call::SignalTake { info: DATA + 0xc00, mask: DATA + 0xc80 };
        assert_eq!(w.ok(&take), u64::from(signal));
        assert_eq!(w.ok(&take), 0);
    });
}

#[test]
fn a_signal_ends_a_sleep_and_suspend_returns_with_the_mask_to_restore() {
    world(|w| {
        manager(w);
        personality(w);
        let signal = number::SIGUSR1;
        w.ok(&Call::SignalAction { process: 0, signal, disposition: disposition::HANDLER });
        let main = w.me();
        let tid = (w.ok(&Call::ThreadSelf {}) & 0xffff_ffff) as u32;
        w.machine.registers.get_mut(&main.0).unwrap().rip = 0x9100;
        w.ok(&Call::SignalProcmask { how: how::BLOCK, set: 1 << 9, old: 0 });
        w.spawn(19);
        w.blocks(&Call::SignalSuspend { set: 0 });
        w.ok(&Call::SignalProcmask { how: how::BLOCK, set: 1 << 9, old: 0 });
        kill(w, 0, tid, signal);
        assert_eq!(w.me(), main);
        assert_eq!(w.result_of(main), Some(Errno::EINTR.to_result()));
        assert_eq!(w.ok(&Call::SignalTake { info: INFO, mask: WORD }), u64::from(signal));
        assert_eq!(w.word(WORD), 1 << 9);
        w.ok(&Call::SignalProcmask { how: how::QUERY, set: 0, old: WORD });
        assert_ne!(w.word(WORD) & 1 << (signal - 1), 0, "it is blocked while it is handled");
    });
}

#[test]
fn a_fault_in_a_copy_routine_goes_on_at_its_fix_up_and_elsewhere_ends_the_process() {
    world(|w| {
        let chid = manager(w);
        let (_, pid) = w.child(10);
        w.blocks(&receive(chid));
        personality(w);
        let child = w.me();
        w.machine.registers.get_mut(&child.0).unwrap().rip = 0x9810;
        let access = neutrino_core::machine::Access::Read;
        w.enter(Input::PageFault { address: 0x1000, access, error: 4 });
        assert_eq!(w.machine.registers[&child.0].rip, 0x9a00);
        w.enter(Input::PageFault { address: 0x1000, access, error: 4 });
        assert_ne!(w.me(), child);
        assert_eq!(read_pulse(w), (pulse::PROCESS_TERMINATE, u64::from(pid), 1));
    });
}

#[test]
fn a_waiter_in_waitinfo_takes_a_blocked_signal() {
    world(|w| {
        manager(w);
        w.ok(&Call::SignalProcmask { how: how::BLOCK, set: 1 << 16, old: 0 });
        kill(w, 0, 0, number::SIGCHLD);
        let wait = Call::SignalWaitinfo { set: 1 << 16, info: INFO, timeout: FOREVER };
        assert_eq!(w.ok(&wait), 17);
        w.blocks(&Call::SignalWaitinfo { set: 1 << 16, info: INFO, timeout: 1000 });
        assert_eq!(w.running, None);
        w.wait(2000);
        assert_eq!(w.result_of(w.me()), Some(Errno::EAGAIN.to_result()));
    });
}

#[test]
fn an_ignored_signal_does_nothing_and_a_default_one_ends_the_process() {
    world(|w| {
        let chid = manager(w);
        let (process, pid) = w.fork(10);
        let (signal, disposition) = (number::SIGTERM, disposition::IGNORE);
        w.ok(&Call::SignalAction { process, signal, disposition });
        assert_eq!(kill(w, process, 0, number::SIGTERM), Some(0));
        w.ok(&Call::SchedYield {});
        assert_eq!(kill(w, process, 0, number::SIGINT), Some(0));
        assert_eq!(w.ok(&receive(chid)), 0);
        assert_eq!(read_pulse(w), (pulse::PROCESS_TERMINATE, u64::from(pid), 1));
    });
}

#[test]
fn a_bad_access_ends_the_process_and_tells_the_manager() {
    world(|w| {
        let chid = manager(w);
        let main = w.me();
        let (_, pid) = w.fork(10);
        w.blocks(&receive(chid));
        w.enter(Input::PageFault { address: 0, access: Access::Write, error: 6 });
        assert_eq!(w.me(), main);
        assert_eq!(w.result_of(main), Some(0), "a pulse");
        assert_eq!(read_pulse(w), (pulse::PROCESS_TERMINATE, u64::from(pid), 1));
    });
}

#[test]
fn a_trap_of_a_thread_that_another_cpu_stops_is_told_when_it_runs_again() {
    world(|w| {
        w.kernel.add_cpu();
        let tid = w.spawn(20);
        let ctl = |command| Call::ThreadCtl { process: 0, tid, command, value: 0 };
        w.on(1);
        w.enter(Input::Reschedule);
        let other = w.me();
        let trap = 1 << (number::SIGTRAP - 1);
        w.ok(&Call::SignalProcmask { how: how::BLOCK, set: trap, old: 0 });
        w.on(0);
        w.machine.trapped = Some(SignalInfo { number: number::SIGTRAP, ..SignalInfo::default() });
        w.ok(&ctl(thread_ctl::HOLD));
        w.ok(&ctl(thread_ctl::CONTINUE));
        w.on(1);
        w.enter(Input::Reschedule);
        assert_eq!(w.me(), other);
        assert_eq!(w.ok(&Call::SignalPending {}), trap);
    });
}
