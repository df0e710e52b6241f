//! The end of the system: SIGTERM to all, a moment, SIGKILL to all, off.

use crate::process::signal::signal_process;
use crate::state::{Ending, Shared};
use crate::system::System;
use alloc::vec::Vec;
use neutrino_abi::handle::SYSMGR_PID;
use neutrino_abi::signal::number::{SIGCONT, SIGTERM};

/// How long programs may take to end, in steps.
const STEPS: u32 = 10;
/// One step, in nanoseconds.
const STEP_NS: u64 = 50_000_000;

/// Ends the system. Servers (processes that own a path) are left to the end, so that programs
/// can still write their last words.
pub fn run<Y: System>(shared: &impl Shared, system: &Y, ending: Ending) {
    for signal in [SIGTERM, SIGCONT] {
        shared.with(|state| {
            let pids: Vec<u32> = programs(state);
            pids.iter().for_each(|&pid| signal_process(state, system, pid, signal));
        });
    }
    for _ in 0..STEPS {
        if shared.with(|state| programs(state).is_empty()) {
            break;
        }
        system.sleep(STEP_NS);
    }
    match ending {
        Ending::PowerOff(status) => system.power_off(status),
        Ending::Reset => system.reset(),
    }
}

fn programs(state: &crate::state::State) -> Vec<u32> {
    let is_server = |pid: u32| state.paths.iter().any(|attachment| attachment.pid == pid);
    let all = state.processes.iter().filter(|p| p.handle.is_some());
    all.map(|p| p.pid).filter(|&pid| pid != SYSMGR_PID && !is_server(pid)).collect()
}
