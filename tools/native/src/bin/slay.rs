//! `slay [-s SIGNAL] NAME|PID…`: sends a signal (SIGTERM unless told) to processes by name or
//! number; the exit status is how many there were (QNX: `slay`).
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
mod program {
    use native_tools::{name_of, processes, signal_number};
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{eprintln, process};

    const SIGTERM: u32 = 15;

    fn main(arguments: &Arguments) -> i32 {
        let mut signal = SIGTERM;
        let mut count = 0;
        let mut words = arguments.rest();
        // Bound: the number of arguments.
        while let Some(word) = words.next() {
            if word == "-s" {
                let Some(number) = words.next().and_then(signal_number) else {
                    eprintln!("slay: -s wants a signal, as TERM or 15");
                    return 0;
                };
                signal = number;
            } else {
                count += slay(word, signal);
            }
        }
        count
    }

    fn slay(word: &str, signal: u32) -> i32 {
        let wanted = word.parse::<u32>().ok();
        let own = process::id();
        let mut count = 0;
        for pid in processes().unwrap_or_default() {
            let hit =
                wanted.map_or_else(|| pid != own && name_of(pid) == word, |number| number == pid);
            let Ok(target) = i32::try_from(pid) else { continue };
            if !hit {
                continue;
            }
            match process::kill(target, signal) {
                Ok(()) => count += 1,
                Err(errno) => eprintln!("slay: process {pid}: {errno}"),
            }
        }
        if count == 0 {
            eprintln!("slay: no process matches {word}");
        }
        count
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
