//! Files of `/proc` about the system.

use crate::memory::space::CLOCK_TICKS;
use crate::path::tree::Extent;
use crate::state::State;
use crate::system::{Clock, System};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::fmt::Write;

/// Nanoseconds of a clock tick.
pub(super) const TICK_NS: u64 = 1_000_000_000 / CLOCK_TICKS;
const SECOND_NS: u64 = 1_000_000_000;
/// What `uname -r` says too.
const RELEASE: &str = "6.1.0-neutrino";

/// The files, with the functions that write them.
pub type Row = (&'static str, fn(&State, &dyn SystemFacts) -> String);

/// What the texts need of the kernel; every [`System`] has it.
pub trait SystemFacts {
    /// Tells about the system.
    fn facts(&self) -> neutrino_abi::info::SystemInfo;
    /// Wall-clock time of the boot, in seconds.
    fn boot_time(&self) -> u64;
}

impl<Y: System> SystemFacts for Y {
    fn facts(&self) -> neutrino_abi::info::SystemInfo {
        self.system_info()
    }
    fn boot_time(&self) -> u64 {
        self.now(Clock::Realtime).saturating_sub(self.now(Clock::Monotonic)) / SECOND_NS
    }
}

/// Files of `/proc` itself.
pub const FILES: [Row; 11] = [
    ("meminfo", meminfo),
    ("uptime", uptime),
    ("loadavg", loadavg),
    ("stat", stat),
    ("mounts", mounts),
    ("version", version),
    ("cpuinfo", cpuinfo),
    ("filesystems", filesystems),
    ("cmdline", |_, _| String::from("neutrino\n")),
    ("swaps", |_, _| String::from("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")),
    ("devices", |_, _| String::from("Character devices:\n  1 mem\n  4 tty\n  5 /dev/tty\n")),
];

/// Files of `/proc/sys/kernel`.
pub const SYS_KERNEL: [Row; 5] = [
    ("hostname", |_, _| String::from("neutrino\n")),
    ("osrelease", |_, _| format!("{RELEASE}\n")),
    ("ostype", |_, _| String::from("Linux\n")),
    ("version", |_, _| String::from("#1 SMP\n")),
    ("pid_max", |_, _| format!("{}\n", crate::process::table::PID_MAX)),
];

/// Files of `/proc/nto`.
pub const NTO: [Row; 1] = [("system", counters)];

fn meminfo(_: &State, system: &dyn SystemFacts) -> String {
    let info = system.facts();
    let (total, free) = (info.total_pages * 4, info.free_pages * 4);
    let committed = info.committed_pages * 4;
    format!(
        "MemTotal:       {total:>8} kB\nMemFree:        {free:>8} kB\nMemAvailable:   {free:>8} kB\n\
         Buffers:               0 kB\nCached:                0 kB\nSwapCached:            0 kB\n\
         SwapTotal:             0 kB\nSwapFree:              0 kB\nShmem:                 0 kB\n\
         Slab:                  0 kB\nSReclaimable:          0 kB\nCommitted_AS:   {committed:>8} kB\n"
    )
}

fn uptime(_: &State, system: &dyn SystemFacts) -> String {
    let info = system.facts();
    let text = |ns: u64| format!("{}.{:02}", ns / SECOND_NS, ns % SECOND_NS / 10_000_000);
    format!("{} {}\n", text(info.uptime), text(info.idle))
}

fn loadavg(state: &State, _: &dyn SystemFacts) -> String {
    let last = state.processes.iter().map(|process| process.pid).max().unwrap_or(1);
    format!("0.00 0.00 0.00 1/{} {last}\n", state.processes.iter().count())
}

fn stat(state: &State, system: &dyn SystemFacts) -> String {
    let info = system.facts();
    let all = info.uptime.saturating_mul(u64::from(info.cpus.max(1)));
    let (busy, idle) = (all.saturating_sub(info.idle) / TICK_NS, info.idle / TICK_NS);
    let processes = state.processes.iter().count();
    format!(
        "cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 {busy} 0 0 {idle} 0 0 0 0 0 0\nintr {}\nctxt {}\n\
         btime {}\nprocesses {processes}\nprocs_running 1\nprocs_blocked 0\n",
        info.interrupts,
        info.switches,
        system.boot_time()
    )
}

fn mounts(state: &State, _: &dyn SystemFacts) -> String {
    let mut text = String::new();
    for attachment in state.paths.iter().filter(|a| a.extent == Extent::Tree) {
        let name = state.processes.get(attachment.pid).map(|p| p.name()).unwrap_or(b"-");
        let name = String::from_utf8_lossy(name);
        let path = String::from_utf8_lossy(&attachment.prefix);
        let path = if path.is_empty() { "/".into() } else { path };
        let _infallible = writeln!(text, "{name} {path} {name} rw 0 0");
    }
    text
}

fn version(_: &State, _: &dyn SystemFacts) -> String {
    format!("Linux version {RELEASE} (Neutrino) #1 SMP\n")
}

fn cpuinfo(_: &State, system: &dyn SystemFacts) -> String {
    let info = system.facts();
    let mut text = String::new();
    for cpu in 0..info.cpus.max(1) {
        let _infallible = write!(
            text,
            "processor\t: {cpu}\nvendor_id\t: x86-64\nmodel name\t: x86-64\ncpu MHz\t\t: {}.000\n\n",
            info.tsc_hz / 1_000_000
        );
    }
    text
}

/// The servers of trees are the kinds of file system that there are.
fn filesystems(state: &State, _: &dyn SystemFacts) -> String {
    let trees = state.paths.iter().filter(|a| a.extent == Extent::Tree);
    let servers = trees.filter_map(|a| state.processes.get(a.pid).ok());
    let names: BTreeSet<&[u8]> = servers.map(|process| process.name()).collect();
    names.iter().map(|name| format!("nodev\t{}\n", String::from_utf8_lossy(name))).collect()
}

fn counters(_: &State, system: &dyn SystemFacts) -> String {
    let info = system.facts();
    format!(
        "total_pages {}\nfree_pages {}\ncommitted_pages {}\nthreads {}\nprocesses {}\nchannels {}\n\
         connections {}\nobjects {}\nspaces {}\nmappings {}\ntimers {}\ncpus {}\nuptime_ns {}\n\
         idle_ns {}\nswitches {}\ninterrupts {}\ncalls {}\ninversions {}\n",
        info.total_pages,
        info.free_pages,
        info.committed_pages,
        info.threads,
        info.processes,
        info.channels,
        info.connections,
        info.objects,
        info.spaces,
        info.mappings,
        info.timers,
        info.cpus,
        info.uptime,
        info.idle,
        info.switches,
        info.interrupts,
        info.calls,
        info.inversions
    )
}
