//! `pidin`: processes and threads: number, thread, name, priority, state, what each is blocked on
//! (QNX: `pidin`); `pidin info`: the system.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
mod program {
    use native_tools::{name_of, proc_text, processes};
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{eprintln, memory, println};

    fn main(arguments: &Arguments) -> i32 {
        if arguments.get(1) == Some("info") {
            return info();
        }
        let pids = match processes() {
            Ok(pids) => pids,
            Err(errno) => {
                eprintln!("pidin: cannot read /proc: {errno}");
                return 1;
            }
        };
        println!(
            "{:>6} {:>8} {:<16} {:>5} {:<10} {}",
            "pid", "tid", "name", "prio", "STATE", "Blocked"
        );
        for pid in pids {
            let name = name_of(pid);
            for line in proc_text(pid, "threads").lines() {
                show(pid, &name, line);
            }
        }
        0
    }

    /// One thread: `tid state blocked-on priority policy name`.
    fn show(pid: u32, name: &str, line: &str) {
        let mut words = line.split_whitespace();
        let mut next = || words.next().unwrap_or("-");
        let (tid, state, blocked, priority, policy) = (next(), next(), next(), next(), next());
        println!("{pid:>6} {tid:>8} {name:<16} {priority:>4}{policy} {state:<10} {blocked}");
    }

    fn info() -> i32 {
        let info = memory::system_info();
        let mib = |pages: u64| pages / 256;
        println!(
            "CPU:X86_64 Release:0.1.0 FreeMem:{}MB/{}MB",
            mib(info.free_pages),
            mib(info.total_pages)
        );
        println!("Processes: {}, Threads: {}", info.processes, info.threads);
        println!("Processor1: {} MHz", info.tsc_hz / 1_000_000);
        0
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
