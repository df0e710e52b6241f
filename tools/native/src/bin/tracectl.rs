//! `tracectl`: controls a trace that `tracelogger` makes.
//!
//! - `-s` ends it and returns when its file is whole; `-w` returns when one has begun. Both wait two
//!   seconds for a `tracelogger &` of the line before to get that far.
//! - `-c CLASS,…` traces these classes from now on; `-i CODE [WORD [WORD]]` inserts an event.
//! - Without an option it tells what is traced.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
mod program {
    use native_tools::trace::classes;
    use neutrino_rt::abi::trace::TraceStatus;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{Errno, clock, eprintln, println, trace};

    const STEP_NS: u64 = 1_000_000;
    const BEGIN_NS: u64 = 2_000_000_000;
    /// A long trace takes its time to be written.
    const FLUSH_NS: u64 = 60_000_000_000;

    fn main(arguments: &Arguments) -> i32 {
        let done = match (arguments.get(1), arguments.get(2)) {
            (None, _) => tell(),
            (Some("-w"), None) => begun(),
            (Some("-s"), None) => begun().and_then(|()| stop()),
            (Some("-c"), Some(list)) => match classes(list) {
                Some(set) => trace::set_classes(set),
                None => return usage(),
            },
            (Some("-i"), Some(code)) => {
                let word = |at| arguments.get(at).and_then(|word| word.parse().ok()).unwrap_or(0);
                match code.parse() {
                    Ok(code) => trace::insert(code, (word(3), word(4))),
                    Err(_) => return usage(),
                }
            }
            (Some(_), _) => return usage(),
        };
        match done {
            Ok(()) => 0,
            Err(Errno::ETIMEDOUT) => {
                eprintln!("tracectl: nothing is traced; start `tracelogger -f FILE &` before");
                1
            }
            Err(errno) => {
                eprintln!("tracectl: {errno}");
                1
            }
        }
    }

    fn usage() -> i32 {
        eprintln!("tracectl: use: tracectl [-s | -w | -c CLASS,… | -i CODE [WORD [WORD]]]");
        2
    }

    /// Waits until the trace is as wanted.
    // Bound: the time, in steps.
    fn wait(time: u64, mut is_so: impl FnMut(&TraceStatus) -> bool) -> Result<(), Errno> {
        let end = clock::monotonic() + time;
        while !is_so(&trace::status()?) {
            if clock::monotonic() >= end {
                return Err(Errno::ETIMEDOUT);
            }
            clock::sleep(STEP_NS);
        }
        Ok(())
    }

    fn begun() -> Result<(), Errno> {
        wait(BEGIN_NS, |status| status.classes != 0)
    }

    fn stop() -> Result<(), Errno> {
        trace::stop()?;
        wait(FLUSH_NS, |status| status.logger == 0)
    }

    fn tell() -> Result<(), Errno> {
        let TraceStatus { classes, logger, waiting, lost, .. } = trace::status()?;
        if classes == 0 {
            println!("nothing is traced");
        } else {
            println!("classes {classes:#x}, logger {logger}, {waiting} records wait, {lost} lost");
        }
        Ok(())
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
