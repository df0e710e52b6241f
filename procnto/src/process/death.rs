//! The record of a program that a fault ended: what, where, and how it got there.

use crate::process::symbols;
use crate::process::table::Process;
use crate::state::State;
use crate::system::System;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use neutrino_abi::info::ProcessInfo;
use neutrino_abi::signal::number;

/// Most frames of a back-trace.
const FRAMES_MAX: usize = 16;

/// What is known of the dead.
#[derive(Clone, Debug)]
pub struct Obituary {
    /// The sentence that says it all.
    pub headline: String,
    /// Return addresses, innermost first.
    pub frames: Vec<u64>,
    /// Its executable; the job that reports closes the object.
    pub executable: Option<crate::process::table::Executable>,
}

/// Whether a signal's death is worth a record.
#[must_use]
pub const fn is_reported(signal: u32) -> bool {
    matches!(
        signal,
        number::SIGILL
            | number::SIGTRAP
            | number::SIGABRT
            | number::SIGBUS
            | number::SIGFPE
            | number::SIGSEGV
            | number::SIGSYS
    )
}

/// The name of a signal that ends programs with a record.
#[must_use]
pub const fn signal_name(signal: u32) -> &'static str {
    match signal {
        number::SIGILL => "SIGILL (illegal instruction)",
        number::SIGTRAP => "SIGTRAP (trap)",
        number::SIGABRT => "SIGABRT (aborted)",
        number::SIGBUS => "SIGBUS (access beyond an object)",
        number::SIGFPE => "SIGFPE (arithmetic fault)",
        number::SIGSEGV => "SIGSEGV (bad address)",
        number::SIGSYS => "SIGSYS (bad system call)",
        _ => "a signal",
    }
}

/// Collects what is known, while the process's memory is still there.
#[must_use]
pub fn record(
    state: &State,
    system: &impl System,
    pid: u32,
    info: &ProcessInfo,
) -> Option<Obituary> {
    let process = state.processes.get(pid).ok()?;
    let signal = info.terminating;
    let mut headline =
        format!("{} ({pid}): {}", String::from_utf8_lossy(process.name()), signal_name(signal));
    if info.fault.trap != 0 || info.fault.value != 0 {
        let _infallible = write!(headline, ", address {:#x}", info.fault.value);
    }
    let _infallible = write!(headline, ", ip {:#x}, sp {:#x}", info.fault_ip, info.fault_sp);
    let executable = process.program.executable.and_then(|executable| {
        let object = system.duplicate(executable.object).ok()?;
        Some(crate::process::table::Executable { object, ..executable })
    });
    let frames = frames(system, process, info);
    Some(Obituary { headline, frames, executable })
}

/// Follows the chain of frame pointers, which must lead up the stack.
fn frames(system: &impl System, process: &Process, info: &ProcessInfo) -> Vec<u64> {
    let mut frames = Vec::from([info.fault_ip]);
    let Some(space) = process.handle.and_then(|handle| system.space_of(handle).ok()) else {
        return frames;
    };
    let mut frame = info.fault_bp;
    let mut lowest = info.fault_sp;
    while frames.len() < FRAMES_MAX && frame >= lowest && frame.is_multiple_of(8) {
        let mut words = [0; 16];
        if system.space_read(space, frame, &mut words) != Ok(16) {
            break;
        }
        let [next, back] = [0, 8].map(|at| {
            words[at..at + 8].iter().rev().fold(0_u64, |word, &byte| word << 8 | u64::from(byte))
        });
        if back == 0 {
            break;
        }
        frames.push(back);
        lowest = frame + 16;
        frame = next;
    }
    system.close(space);
    frames
}

/// Writes a record to the log, with the names of functions where the program has them.
pub fn report(system: &impl System, obituary: &Obituary) {
    let mut text = format!("procnto: {}\n", obituary.headline);
    for &address in &obituary.frames {
        let name = obituary
            .executable
            .and_then(|executable| symbols::name_of(system, &executable, address));
        let _infallible = match name {
            Some((name, offset)) => writeln!(text, "    {address:#x} {name}+{offset:#x}"),
            None => writeln!(text, "    {address:#x}"),
        };
    }
    system.log(&text);
    if let Some(executable) = obituary.executable {
        system.close(executable.object);
    }
}
