//! Drivers are processes of ring 3: the processor itself is asked, while each of them runs.

use super::Test;
use boot_tests::console::{Console, PROMPT, SOON};
use boot_tests::gdb::{Debugger, Program, Stop};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const TESTS: [Test; 1] =
    [("every_driver_runs_at_privilege_level_3", every_driver_runs_at_privilege_level_3)];

/// Every driver and server, and a command that gives it work for some seconds.
const DRIVERS: [(&str, &str); 6] = [
    ("devc-ser8250", "echo some output"),
    ("devc-con", "echo >/dev/con1"),
    ("devc-pty", ": </dev/ptmx"),
    ("pipe", "echo x | cat"),
    ("fs-ram", "echo x >/tmp/work"),
    ("fs-boot", "cat /etc/passwd"),
];

/// Where QEMU's debugger stub listens.
pub(crate) fn socket() -> PathBuf {
    std::env::temp_dir().join(format!("neutrino-gdb-{}", std::process::id()))
}

fn level_3(name: &str, stop: Stop) -> Result<(), String> {
    if stop.cs & 3 == 3 { Ok(()) } else { Err(format!("{name} runs with {stop:x?}")) }
}

fn every_driver_runs_at_privilege_level_3(console: &mut Console) -> Result<(), String> {
    let folder = boot_tests::programs()?;
    let read =
        |&(name, work): &(&str, &'static str)| Ok((Program::read(&folder.join(name))?, work));
    let programs = DRIVERS.iter().map(read).collect::<Result<Vec<_>, String>>()?;
    for (at, (program, _)) in programs.iter().enumerate() {
        if programs[..at].iter().any(|(other, _)| program.resembles(other)) {
            return Err(format!("{:?} cannot be told from another", DRIVERS[at].0));
        }
    }
    let mut debugger = Debugger::attach(&socket())?;
    let result = programs.iter().zip(DRIVERS).try_for_each(|((program, work), (name, _))| {
        console.send(&format!("{work}\r"))?;
        level_3(name, debugger.catch(program, Duration::from_secs(60))?)
    });
    // At any moment: low addresses belong to processes and high ones to the kernel.
    let samples = debugger.sample(40, Duration::from_millis(20));
    debugger.detach()?;
    console.send("echo fin''ished\r")?;
    console.expect("finished\r\n", SOON)?;
    console.expect(PROMPT, SOON)?;
    result?;
    let crosses = |stop: &&Stop| (stop.rip >> 63 == 0) != (stop.cs & 3 == 3);
    match samples?.iter().find(crosses) {
        Some(stop) => Err(format!("{stop:x?} is neither a process nor the kernel")),
        None => Ok(()),
    }
}
