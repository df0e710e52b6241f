//! `shutdown [-b] [STATUS]`: ends the system; `-b` starts it again (QNX: `shutdown`).
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
mod program {
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{eprintln, process};

    fn main(arguments: &Arguments) -> i32 {
        let mut reset = false;
        let mut status = 0;
        for word in arguments.rest() {
            match word.parse::<u32>() {
                Ok(number) => status = number,
                Err(_) if word == "-b" => reset = true,
                Err(_) => {
                    eprintln!("shutdown: use: shutdown [-b] [STATUS]");
                    return 2;
                }
            }
        }
        match process::shutdown(reset, status) {
            Ok(()) => 0,
            Err(errno) => {
                eprintln!("shutdown: refused: {errno}; only root may");
                1
            }
        }
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
