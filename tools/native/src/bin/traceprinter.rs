//! `traceprinter [-f] FILE`: prints a trace, one event a line (QNX: `traceprinter`).
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod program {
    use alloc::string::String;
    use native_tools::trace::{self, Names};
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{eprintln, file, print, println};

    const DEFAULT: &str = "/dev/shmem/tracebuffer.kev";
    /// Text is written in pieces of about so many bytes.
    const PIECE: usize = 16384;

    fn main(arguments: &Arguments) -> i32 {
        let path = arguments.rest().find(|word| *word != "-f").unwrap_or(DEFAULT);
        let bytes = match file::read_to_end(path.as_bytes()) {
            Ok(bytes) => bytes,
            Err(errno) => {
                eprintln!("traceprinter: {path}: {errno}");
                return 1;
            }
        };
        match trace::parse(&bytes) {
            Ok((records, lost)) => {
                show(&records, lost);
                0
            }
            Err(why) => {
                eprintln!("traceprinter: {path}: {why}");
                1
            }
        }
    }

    fn show(records: &[neutrino_rt::abi::trace::Record], lost: u64) {
        if lost != 0 {
            println!("# {lost} records were lost");
        }
        let (mut names, mut text) = (Names::default(), String::new());
        for record in records {
            names.learn(record);
            text.push_str(&trace::line(&names, record));
            text.push('\n');
            if text.len() > PIECE {
                print!("{text}");
                text.clear();
            }
        }
        print!("{text}");
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
