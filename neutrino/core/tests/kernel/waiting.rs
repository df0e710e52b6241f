//! Sleeping, time-outs, timers, interrupts, polling, slices.

use neutrino_abi::Errno;
use neutrino_abi::calls::{Call, futex};
use neutrino_abi::event::{Event, MESSAGE_LINE, kind};
use neutrino_abi::handle::{SIDE_CHANNEL, ready};
use neutrino_abi::process::process_ctl;
use neutrino_abi::signal::how;
use neutrino_abi::time::{FOREVER, Itimer, TIMER_ABSTIME, clock, timeout};
use neutrino_abi::wire::Wire;
use neutrino_core::Input;
use neutrino_core::machine::Devices;

use crate::fast::{INTERRUPT, Twin};
use crate::world::{INFO, WORD, World, read_pulse, receive, world};

#[test]
fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
    world(|w| {
        let (sleeper, start) = (w.me(), w.machine.now);
        let clock = clock::MONOTONIC;
        w.blocks(&Call::ClockNanosleep { clock, flags: 0, time: 5000, remaining: 0 });
        assert!(w.machine.armed >= start + 5000);
        w.enter(Input::Timer);
        assert_eq!(w.running, None, "too early");
        w.machine.now = w.machine.armed;
        w.enter(Input::Timer);
        assert_eq!(w.running, Some(sleeper));
        assert_eq!(w.result_of(sleeper), Some(0));
    });
}

#[test]
fn a_receive_with_a_timeout_ends_with_etimedout() {
    world(|w| {
        let chid = w.number(&Call::ChannelCreate { flags: 0 });
        w.ok(&Call::TimerTimeout { states: timeout::RECEIVE, time: 700, flags: 0 });
        let caller = w.me();
        w.blocks(&receive(chid));
        w.wait(700);
        assert_eq!(w.result_of(caller), Some(Errno::ETIMEDOUT.to_result()));
    });
}

#[test]
fn the_earlier_of_a_timeout_and_a_calls_own_limit_ends_it() {
    for (states_time, own, expected) in [(700, 5000, 700), (5000, 700, 700)] {
        world(move |w| {
            let (caller, start) = (w.me(), w.machine.now);
            w.poke(WORD, &0_u32.to_le_bytes());
            w.ok(&Call::TimerTimeout { states: timeout::CONDVAR, time: states_time, flags: 0 });
            let deadline = start + own;
            let (address, bitset) = (WORD, futex::ANY);
            w.blocks(&Call::FutexWait { address, expected: 0, flags: 0, deadline, bitset });
            w.wait(expected);
            assert_eq!(w.result_of(caller), Some(Errno::ETIMEDOUT.to_result()));
        });
    }
}

#[test]
fn semaphores_and_joins_are_states_of_their_own() {
    for (flags, state, other) in [
        (futex::SEM, timeout::SEM, timeout::CONDVAR),
        (futex::JOIN, timeout::JOIN, timeout::SEM),
        (0, timeout::CONDVAR, timeout::JOIN),
    ] {
        world(move |w| {
            let (caller, deadline) = (w.me(), w.machine.now + 9000);
            w.poke(WORD, &0_u32.to_le_bytes());
            let (address, bitset) = (WORD, futex::ANY);
            let wait = Call::FutexWait { address, expected: 0, flags, deadline, bitset };
            w.ok(&Call::TimerTimeout { states: state, time: 700, flags: 0 });
            w.blocks(&wait);
            w.wait(700);
            assert_eq!(w.result_of(caller), Some(Errno::ETIMEDOUT.to_result()));
            w.ok(&Call::TimerTimeout { states: other, time: 700, flags: 0 });
            w.blocks(&wait);
            w.wait(700);
            assert_eq!(w.running, None, "the time-out was for another state");
        });
    }
}

#[test]
fn poll_wakes_when_a_server_says_ready() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        let main = w.me();
        w.ok(&Call::ConnectServerInfo { process: 0, coid, info: INFO });
        let scoid = u32::from_le_bytes(w.peek(INFO + 16));
        let mut entry = Vec::new();
        entry.extend_from_slice(&coid.to_le_bytes());
        entry.extend_from_slice(&(ready::IN as u16).to_le_bytes());
        entry.extend_from_slice(&0_u16.to_le_bytes());
        w.poke(WORD, &entry);
        let poll =
            |timeout| Call::ConnectPoll { entries: WORD, count: 1, timeout, mask: 0, flags: 0 };
        assert_eq!(w.ok(&poll(0)), 0);
        w.spawn(30);
        let poller = w.me();
        w.blocks(&poll(FOREVER));
        assert_eq!(w.me(), main);
        w.ok(&Call::ConnectReady { scoid, badge: 77, bits: ready::OUT });
        assert_eq!(w.me(), main);
        assert_eq!(
            w.call(&Call::ConnectReady { scoid, badge: 77, bits: ready::IN | ready::OUT }),
            Some(0)
        );
        assert_eq!(w.me(), poller);
        assert_eq!(w.result_of(poller), Some(1));
        let entry: [u8; 8] = w.peek(WORD);
        assert_eq!(entry[6], 1);
        w.ok(&Call::ChannelDestroy { chid });
        assert_eq!(w.ok(&poll(FOREVER)), 1, "a dead connection is ready with HUP");
    });
}

/// An event that sends a pulse at priority 15, where calls find it.
fn poke_pulse(w: &mut World, coid: u32, code: u32, value: u64) {
    let mut event = Vec::new();
    for half in [kind::PULSE, coid, code, 15] {
        event.extend_from_slice(&half.to_le_bytes());
    }
    event.extend_from_slice(&value.to_le_bytes());
    w.poke(WORD, &event);
}

#[test]
fn a_periodic_timer_sends_pulses_that_coalesce() {
    world(|w| {
        let (chid, coid) = w.channel(0);
        poke_pulse(w, coid, 9, 1234);
        let timer = w.ok(&Call::TimerCreate { clock: 1, event: WORD }) as u32;
        w.poke(WORD, &[1000_u64.to_le_bytes(), 500_u64.to_le_bytes()].concat());
        w.ok(&Call::TimerSettime { timer, flags: 0, new: WORD, old: 0 });
        w.wait(1100);
        w.wait(500);
        w.wait(500);
        assert_eq!(w.ok(&receive(chid)), 0);
        assert_eq!(read_pulse(w), (9, 1234, 3));
        w.ok(&Call::ConnectDetach { coid: timer });
        w.blocks(&receive(chid));
        w.wait(10_000);
        assert_eq!(w.running, None);
    });
}

#[test]
fn an_interrupt_wakes_its_waiter_and_stays_masked_until_unmasked() {
    world(|w| {
        let mut event = [0; 24];
        event[0] = 6;
        w.poke(WORD, &event);
        let handle = w.ok(&Call::InterruptAttachEvent { line: 4, event: WORD, flags: 0 }) as u32;
        let main = w.me();
        w.blocks(&Call::InterruptWait { flags: 0 });
        w.machine.masked.push(4);
        w.enter(Input::Interrupt { line: 4 });
        assert_eq!(w.me(), main);
        assert_eq!(w.result_of(main), Some(0));
        assert!(w.machine.masked.contains(&4));
        w.ok(&Call::InterruptUnmask { interrupt: handle });
        assert!(!w.machine.masked.contains(&4));
        w.enter(Input::Interrupt { line: 4 });
        assert_eq!(w.ok(&Call::InterruptWait { flags: 0 }), 0, "it was latched");
    });
}

#[test]
fn a_line_of_messages_is_attached_to_by_whoever_was_handed_it() {
    world(|w| {
        // Nothing happens for the bus server that makes them.
        w.poke(WORD, &[0; 24]);
        let attach = |line| Call::InterruptAttachEvent { line, event: WORD, flags: 0 };
        let first = w.number(&attach(MESSAGE_LINE));
        let second = w.number(&attach(MESSAGE_LINE));
        w.fails(&attach(MESSAGE_LINE), Errno::EAGAIN);
        let mut told = |handle| {
            w.ok(&Call::ConnectServerInfo { process: 0, coid: handle, info: INFO });
            (u32::from_le_bytes(w.peek(INFO + 16)), u64::from_le_bytes(w.peek(INFO + 24)))
        };
        assert_eq!(told(first), (128, 0xfee0_0000 << 32 | 128));
        assert_eq!(told(second), (129, 0xfee0_0000 << 32 | 129));
        // Without any ability: by the handle, and by no other way.
        let abilities = process_ctl::SET_ABILITIES;
        w.ok(&Call::ProcessCtl { process: 0, command: abilities, value: 0 });
        w.fails(&attach(MESSAGE_LINE), Errno::EPERM);
        w.fails(&attach(128), Errno::EPERM);
        w.fails(&attach(first + 9), Errno::EBADF);
        let copy = |coid| Call::ConnectDup { coid, minimum: SIDE_CHANNEL, flags: 0 };
        let passed = w.number(&copy(second));
        w.ok(&Call::ConnectDetach { coid: second });
        let (chid, coid) = w.channel(0);
        poke_pulse(w, coid, 5, 7);
        let own = w.number(&attach(passed));
        w.fails(&copy(own), Errno::EBADF);
        w.blocks(&receive(chid));
        w.enter(Input::Interrupt { line: 128 });
        assert_eq!(w.running, None, "that is another device's");
        w.enter(Input::Interrupt { line: 129 });
        assert_eq!(read_pulse(w), (5, 7, 1));
        w.ok(&Call::ConnectDetach { coid: own });
        w.ok(&Call::ConnectDetach { coid: passed });
    });
}

#[test]
fn a_range_of_ports_is_there_until_its_last_handle_is_gone() {
    world(|w| {
        let port = w.number(&Call::PortAttach { base: 0x60, count: 4 });
        let copy = Call::ConnectDup { coid: port, minimum: SIDE_CHANNEL, flags: 0 };
        let other = w.number(&copy);
        w.ok(&Call::ConnectDetach { coid: port });
        let read = |port| Call::PortRead { port, offset: 1, width: 1 };
        w.fails(&read(port), Errno::EBADF);
        assert_eq!(w.ok(&read(other)), 0x61);
        w.ok(&Call::ConnectDetach { coid: other });
        w.fails(&read(other), Errno::EBADF);
    });
}

/// The overruns that a timer tells.
fn overruns(w: &mut World, timer: u32) -> u32 {
    w.ok(&Call::TimerInfo { timer, info: INFO });
    u32::from_le_bytes(w.peek(INFO + 16))
}

#[test]
fn a_timer_has_one_signal_pending_and_counts_what_it_also_stands_for() {
    world(|w| {
        let (signal, set) = (40, 1 << 39);
        w.ok(&Call::SignalProcmask { how: how::BLOCK, set, old: 0 });
        w.poke(WORD, &[1_u64 | signal << 32, 0, 7].map(u64::to_le_bytes).concat());
        let timer = w.number(&Call::TimerCreate { clock: clock::MONOTONIC, event: WORD });
        w.poke(WORD, &[1_000_000_u64; 2].map(u64::to_le_bytes).concat());
        w.ok(&Call::TimerSettime { timer, flags: 0, new: WORD, old: 0 });
        for _ in 0..4 {
            w.wait(1_000_000);
        }
        assert_eq!(overruns(w, timer), 0, "nothing is taken yet");
        let take = Call::SignalWaitinfo { set, info: 0, timeout: 0 };
        assert_eq!(w.ok(&take), signal);
        assert_eq!(overruns(w, timer), 3);
        w.fails(&take, Errno::EAGAIN);
        w.wait(1_000_000);
        assert_eq!(w.ok(&take), signal);
        assert_eq!(overruns(w, timer), 0);
        w.wait(1_000_000);
        w.ok(&Call::ConnectDetach { coid: timer });
        assert_eq!(w.ok(&take), signal, "the signal outlives its timer");
    });
}

#[test]
fn equals_share_by_slices() {
    world(|w| {
        let main = w.me();
        w.spawn(20);
        assert_eq!(w.me(), main);
        w.wait(4_000_001);
        assert_ne!(w.me(), main);
        w.wait(4_000_001);
        assert_eq!(w.me(), main);
    });
}

#[test]
fn three_equals_take_turns_on_two_cpus() {
    world(|w| {
        w.kernel.add_cpu();
        for _ in 0..2 {
            w.spawn(20);
        }
        let mut turns = std::collections::BTreeMap::<_, usize>::new();
        for _ in 0..60 {
            w.machine.now += 4_000_001;
            for cpu in [0, 1] {
                w.on(cpu);
                w.enter(Input::Timer);
            }
            // What a CPU was asked for by the other.
            for cpu in [0, 1] {
                w.on(cpu);
                w.enter(Input::Reschedule);
                *turns.entry(w.me()).or_default() += 1;
            }
        }
        assert_eq!(turns.len(), 3);
        assert!(turns.values().all(|&turns| turns >= 38), "{turns:?}");
    });
}

/// Sets the wall clock so much forward.
fn set_forward(w: &mut World, by: i64) {
    let now = w.machine.now.saturating_add_signed(w.machine.time().realtime_offset + by);
    w.poke(WORD, &now.to_le_bytes());
    w.ok(&Call::ClockTime { clock: clock::REALTIME, new: WORD, old: 0 });
}

#[test]
fn points_of_the_wall_clock_move_when_it_is_set_and_distances_do_not() {
    world(|w| {
        let start = w.machine.now;
        let sleep = |time, flags| Call::ClockNanosleep {
            clock: clock::REALTIME,
            flags,
            time,
            remaining: 0,
        };
        w.spawn(30);
        let by_point = w.me();
        w.blocks(&sleep(start + 9000, TIMER_ABSTIME));
        w.spawn(30);
        let by_distance = w.me();
        w.blocks(&sleep(9000, 0));
        set_forward(w, 5000);
        w.wait(4000);
        assert_eq!((w.me(), w.result_of(by_point)), (by_point, Some(0)));
        assert_eq!(w.result_of(by_distance), None);
        w.blocks(&sleep(start + 5000 + 9000, TIMER_ABSTIME));
        set_forward(w, -3000);
        w.wait(5000);
        assert_eq!((w.me(), w.result_of(by_distance)), (by_distance, Some(0)));
        w.blocks(&sleep(1 << 40, 0));
        w.machine.results.remove(&by_point.0);
        w.wait(2000);
        assert_eq!(w.result_of(by_point), None);
        w.wait(1000);
        assert_eq!(w.result_of(by_point), Some(0));
    });
}

#[test]
fn timers_of_the_wall_clock_move_with_it() {
    world(|w| {
        let start = w.machine.now;
        let (chid, coid) = w.channel(0);
        let event = Event {
            notify: neutrino_abi::event::kind::PULSE,
            target: coid,
            code: 3,
            priority: 20,
            value: 0,
        };
        w.poke(INFO, event.bytes());
        let timer = w.number(&Call::TimerCreate { clock: clock::REALTIME, event: INFO });
        let setting = Itimer { nsec: start + 9000, interval_nsec: 0 };
        w.poke(INFO, setting.bytes());
        w.ok(&Call::TimerSettime { timer, flags: TIMER_ABSTIME, new: INFO, old: 0 });
        set_forward(w, 5000);
        w.blocks(&receive(chid));
        w.wait(3999);
        assert_eq!(w.running, None);
        w.wait(1);
        assert_eq!(read_pulse(w).0, 3);
    });
}

/// The waiter outranks who runs, is its equal, or is below it.
#[test]
fn an_interrupt_takes_a_short_way_to_its_waiter() {
    for runs_at in [20_u32, 40, 50] {
        world(move |w| {
            w.twin = Some(Twin::new());
            let main = w.me();
            w.spawn(40);
            let waiter = w.me();
            let event = Event { notify: kind::INTR, ..Event::default() };
            w.poke(WORD, event.bytes());
            w.ok(&Call::InterruptAttachEvent { line: 4, event: WORD, flags: 0 });
            w.blocks(&Call::InterruptWait { flags: 0 });
            assert_eq!(w.me(), main);
            let policy = [1, runs_at, 0, 0].map(u32::to_le_bytes);
            w.poke(INFO, policy.as_flattened());
            w.ok(&Call::SchedSet { process: 0, tid: 0, parameters: INFO });
            w.enter(Input::Interrupt { line: 4 });
            assert_eq!(w.me(), if runs_at < 40 { waiter } else { main });
            assert_eq!(w.result_of(waiter), Some(0));
            assert_eq!(w.twin.as_ref().map(|twin| twin.taken(INTERRUPT)), Some(1));
        });
    }
}
