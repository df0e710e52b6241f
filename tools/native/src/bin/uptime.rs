//! `uptime`: how long the system runs, and how much of that time it was idle.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
mod program {
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{memory, println};

    fn main(_arguments: &Arguments) -> i32 {
        let info = memory::system_info();
        let seconds = info.uptime / 1_000_000_000;
        let idle = info.idle.saturating_mul(100).checked_div(info.uptime).unwrap_or(0);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        println!("up {hours}:{minutes:02}:{:02}, {idle} % idle", seconds % 60);
        0
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
