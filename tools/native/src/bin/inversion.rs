//! `inversion FILE`: plays the scenarios in a file that `cargo xtask inversion` wrote, and prints what
//! every thread did when.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod program {
    use alloc::string::String;
    use core::fmt::Write;
    use native_tools::inversion::plan::{self, Plan};
    use native_tools::inversion::{cast, play};
    use neutrino_rt::abi::sched::policy;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{Errno, eprintln, file, memory, println, thread};

    fn main(arguments: &Arguments) -> i32 {
        let Some(path) = arguments.get(1) else {
            eprintln!("inversion: name the file that `cargo xtask inversion` wrote");
            return 2;
        };
        let text = match file::read_to_end(path.as_bytes()) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(errno) => {
                eprintln!("inversion: {path}: {errno}");
                return 1;
            }
        };
        let plans = match plan::parse(&text) {
            Ok(plans) => plans,
            Err(line) => {
                eprintln!("inversion: {path}:{line}: no such step, or a number is missing");
                return 1;
            }
        };
        if let Err(errno) = thread::set_priority(policy::FIFO, play::DIRECTOR_PRIORITY) {
            eprintln!("inversion: cannot run at priority {}: {errno}", play::DIRECTOR_PRIORITY);
            return 1;
        }
        let turns = cast::calibrate();
        for plan in &plans {
            if let Err(errno) = one(plan, turns) {
                eprintln!("inversion: {}: {errno}", plan.name);
                return 1;
            }
        }
        0
    }

    fn one(plan: &Plan, turns: u64) -> Result<(), Errno> {
        let before = memory::system_info().inversions;
        let played = play::play(plan, turns)?;
        let after = memory::system_info().inversions;
        let mut text = String::new();
        played.world.record.read(|time, lane, event, argument, priority| {
            let _infallible = writeln!(text, "{time} {lane} {event} {argument} {priority}");
        });
        let end = if played.world.record.is_full() {
            "overflow"
        } else if played.is_complete {
            "complete"
        } else {
            "late"
        };
        println!("run {}\n{text}{end} {}", plan.name, after.wrapping_sub(before));
        Ok(())
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
