//! `waitfor PATH [SECONDS]`: waits until a path exists (5 seconds unless told; QNX: `waitfor`).
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
mod program {
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{clock, eprintln, path};

    const STEP_NS: u64 = 5_000_000;

    fn main(arguments: &Arguments) -> i32 {
        let Some(wanted) = arguments.get(1) else {
            eprintln!("waitfor: use: waitfor PATH [SECONDS]");
            return 2;
        };
        let seconds = arguments.get(2).and_then(|text| text.parse::<u64>().ok()).unwrap_or(5);
        let end = clock::monotonic() + seconds * 1_000_000_000;
        // Bound: the seconds, in steps.
        while path::stat(wanted.as_bytes()).is_err() {
            if clock::monotonic() >= end {
                eprintln!("waitfor: {wanted} did not appear within {seconds} s");
                return 1;
            }
            clock::sleep(STEP_NS);
        }
        0
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
