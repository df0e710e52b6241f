//! Processes, death and signals.

use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::{SIDE_CHANNEL, SYSMGR_COID};
use neutrino_abi::message::chf;
use neutrino_abi::process::process_ctl;
use neutrino_abi::signal::{disposition, number};
use neutrino_core::Input;
use neutrino_core::machine::Access;

use crate::world::{MEMORY, World};

const BUFFER: u64 = MEMORY + 0x200;

/// A world whose first process is the manager, on channel 1.
fn managed() -> World {
    let mut world = World::new();
    let chid = world.number(&Call::ChannelCreate { flags: chf::UNBLOCK | chf::DISCONNECT });
    world.good(&Call::SystemCtl { command: 0, value: u64::from(chid) });
    world
}

fn receive() -> Call {
    Call::MsgReceive { chid: 1, message: BUFFER, parts: -64, info: 0 }
}

#[test]
fn a_child_sends_to_the_manager_through_its_first_handle() {
    let mut world = managed();
    world.fork(2, 10);
    assert_eq!(world.call(&receive()), None);
    let send = Call::MsgSend {
        coid: SYSMGR_COID,
        message: MEMORY,
        parts: -4,
        reply: 0,
        reply_parts: 0,
        extra: 0,
    };
    assert_eq!(world.call(&send), None);
    assert!(world.result(world.running()).expect("a message") > 0);
}

#[test]
fn a_bad_access_ends_the_process_and_tells_the_manager() {
    let mut world = managed();
    let manager = world.running();
    world.fork(2, 10);
    world.call(&receive());
    world.enter(Input::PageFault { address: 0, access: Access::Write, error: 6 });
    assert_eq!(world.running(), manager);
    assert_eq!(world.result(manager), Ok(0), "a pulse");
    assert_eq!(world.peek(BUFFER + 4, 1), [(-64_i8).cast_unsigned()]);
    assert_eq!(world.peek(BUFFER + 8, 8), 2_u64.to_le_bytes());
}

#[test]
fn burying_a_process_gives_every_object_and_frame_back() {
    let mut world = managed();
    let count = |world: &mut World| {
        world.good(&Call::SystemInfo { info: BUFFER });
        world.peek(BUFFER + 8, 40)
    };
    let live_and_die = |world: &mut World, pid| {
        let process = world.fork(pid, 10);
        world.good(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
        world.good(&Call::ConnectDetach { coid: process });
        // Its connection's end is a pulse, which holds the connection until it is received.
        assert_eq!(world.good(&receive()), 0);
    };
    // The first time fills the store of frames for page tables.
    live_and_die(&mut world, 2);
    let before = count(&mut world);
    for pid in 3..20 {
        live_and_die(&mut world, pid);
    }
    assert_eq!(count(&mut world), before);
}

#[test]
fn a_killed_client_frees_its_server_of_the_request() {
    let mut world = managed();
    let manager = world.running();
    let process = world.fork(2, 10);
    world.call(&receive());
    let send = Call::MsgSend {
        coid: SYSMGR_COID,
        message: MEMORY,
        parts: -4,
        reply: 0,
        reply_parts: 0,
        extra: 0,
    };
    world.call(&send);
    assert_eq!(world.running(), manager);
    let rcvid = world.result(manager).expect("a message").cast_unsigned();
    world.good(&Call::ProcessCtl { process, command: process_ctl::TERMINATE, value: 0 });
    let reply = Call::MsgReply { rcvid, status: 0, message: 0, parts: 0 };
    assert_eq!(world.call(&reply), Some(Err(Errno::ESRCH)));
    assert_eq!(world.good(&receive()), 0);
    let code = world.peek(BUFFER + 4, 1)[0].cast_signed();
    assert!(code == -32 || code == -33, "told to drop the request, or of the close: {code}");
}

#[test]
fn an_ignored_signal_does_nothing_and_a_default_one_ends_the_process() {
    let mut world = managed();
    let process = world.fork(2, 10);
    let signal = |world: &mut World, process: u32, signal: u32| {
        let mut info = vec![0; 32];
        info[..4].copy_from_slice(&signal.to_le_bytes());
        world.poke(BUFFER, &info);
        world.good(&Call::SignalKill { process, tid: 0, info: BUFFER })
    };
    let ignore =
        Call::SignalAction { process, signal: number::SIGTERM, disposition: disposition::IGNORE };
    world.good(&ignore);
    signal(&mut world, process, number::SIGTERM);
    assert_eq!(world.call(&Call::SchedYield {}), Some(Ok(0)));
    signal(&mut world, process, number::SIGINT);
    assert_eq!(world.good(&receive()), 0);
    assert_eq!(world.peek(BUFFER + 4, 1), [(-64_i8).cast_unsigned()]);
}

#[test]
fn a_process_without_the_ability_makes_no_processes_and_maps_no_devices() {
    let mut world = managed();
    world.fork(2, 10);
    world.call(&receive());
    assert_eq!(world.call(&Call::SpaceCreate {}), Some(Err(Errno::EPERM)));
    let ports = Call::PortAttach { base: 0x3f8, count: 8 };
    assert_eq!(world.call(&ports), Some(Err(Errno::EPERM)));
    let device = Call::MemObjectCreate { kind: 2, size: 4096, physical: 0, flags: 0 };
    assert_eq!(world.call(&device), Some(Err(Errno::EPERM)));
}

#[test]
fn no_call_with_numbers_that_name_nothing_breaks_an_invariant() {
    let mut world = World::new();
    for raw in 0x1001..0x1060_u64 {
        let frame = neutrino_abi::calls::Frame {
            number: raw,
            arguments: [u64::from(SIDE_CHANNEL) + 3000, u64::MAX, 1, u64::MAX, 2, 3],
        };
        let before = world.running();
        world.enter(Input::Call(frame));
        let Some(after) = world.current else {
            world = World::new();
            continue;
        };
        assert_eq!(before, after);
    }
}
