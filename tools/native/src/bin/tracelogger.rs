//! `tracelogger [-f FILE] [-M ring|linear] [-r] [-F CLASS] [-n BUFFERS] [-s SECONDS] [-v]`: writes
//! what the kernel does to a file, until `tracectl -s` or the time is up (QNX: `tracelogger`).
//!
//! - `-M linear` keeps everything from the start on; `-M ring` (`-r`) the last that the kernel's
//!   rings hold.
//! - `-F` leaves classes out, by name or QNX's number; it may come several times.
//! - `-n` ends the trace after so many buffers of 1024 records.
//!
//! Records stay in memory until the end: writing a file is messages, which would be traced, too.
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
    use alloc::vec::Vec;
    use io_msg::stat::open;
    use native_tools::trace::{classes, head};
    use neutrino_rt::abi::sched::policy;
    use neutrino_rt::abi::trace::{READ_MAX, Record, class, mode};
    use neutrino_rt::start::Arguments;
    use neutrino_rt::trace::{self, Logger};
    use neutrino_rt::{Errno, clock, eprintln, file, path, thread};
    use zerocopy::IntoBytes;

    const SECOND_NS: u64 = 1_000_000_000;
    /// Records of a buffer, and buffers unless told (32 MiB).
    const BUFFER: usize = 1024;
    const BUFFERS: usize = 1024;
    /// Above all programs that need no ability for their priority: the rings must not overflow.
    const PRIORITY: u8 = 63;

    struct Options {
        file: &'static str,
        mode: u64,
        classes: u32,
        records: usize,
        nanoseconds: u64,
        is_verbose: bool,
    }

    fn parse(arguments: &Arguments) -> Option<Options> {
        let mut options = Options {
            file: "/dev/shmem/tracebuffer.kev",
            mode: mode::LINEAR,
            classes: class::ALL,
            records: BUFFERS * BUFFER,
            nanoseconds: u64::MAX,
            is_verbose: false,
        };
        let mut words = arguments.rest();
        // Bound: the number of arguments.
        while let Some(word) = words.next() {
            match word {
                "-f" => options.file = words.next()?,
                "-r" => options.mode = mode::RING,
                "-v" => options.is_verbose = true,
                "-F" => options.classes &= !classes(words.next()?)?,
                "-n" => options.records = words.next()?.parse::<usize>().ok()? * BUFFER,
                "-s" => options.nanoseconds = words.next()?.parse::<u64>().ok()? * SECOND_NS,
                "-M" => {
                    options.mode = match words.next()? {
                        "ring" => mode::RING,
                        "linear" => mode::LINEAR,
                        _ => return None,
                    };
                }
                _ => return None,
            }
        }
        Some(options)
    }

    fn main(arguments: &Arguments) -> i32 {
        let Some(options) = parse(arguments) else {
            eprintln!(
                "tracelogger: use: tracelogger [-f FILE] [-M ring|linear] [-r] [-F CLASS] \
                 [-n BUFFERS] [-s SECONDS] [-v]"
            );
            return 2;
        };
        match run(&options) {
            Ok((count, lost)) => {
                if lost != 0 && options.mode == mode::LINEAR {
                    eprintln!("tracelogger: {lost} records were lost");
                }
                if options.is_verbose {
                    eprintln!("tracelogger: {count} records are in {}", options.file);
                }
                0
            }
            Err(Errno::EBUSY) => {
                eprintln!("tracelogger: somebody traces already; end it with tracectl -s");
                1
            }
            Err(errno) => {
                eprintln!("tracelogger: {}: {errno}", options.file);
                1
            }
        }
    }

    fn run(options: &Options) -> Result<(usize, u64), Errno> {
        let flags = open::WRONLY | open::CREAT | open::TRUNC;
        let out = path::open(options.file.as_bytes(), flags, 0o666, 0)?;
        thread::set_priority(policy::FIFO, PRIORITY)?;
        trace::set_logger(Logger::Yes)?;
        let mut records = Vec::new();
        let logged = trace::start(options.classes, options.mode)
            .and_then(|()| trace::describe())
            .and_then(|()| log(options, &mut records));
        let lost = trace::status()?.lost;
        let written = logged.and_then(|()| write(out.raw(), records, lost));
        trace::set_logger(Logger::No)?;
        written.map(|count| (count, lost))
    }

    /// Reads the rings until the trace ends.
    // Bound: the time, or somebody's tracectl -s.
    fn log(options: &Options, records: &mut Vec<Record>) -> Result<(), Errno> {
        let end = clock::monotonic().saturating_add(options.nanoseconds);
        loop {
            let left = end.saturating_sub(clock::monotonic());
            let is_full = options.mode == mode::LINEAR && records.len() >= options.records;
            if left == 0 || is_full {
                trace::stop()?;
            }
            let status = trace::status()?;
            let is_over = status.classes == 0;
            if is_over || options.mode == mode::LINEAR {
                // Bound: the CPUs.
                for cpu in 0..status.cpus {
                    drain(cpu, records)?;
                }
            }
            if is_over {
                return Ok(());
            }
            match trace::wait(left) {
                Ok(()) | Err(Errno::EINTR | Errno::ETIMEDOUT) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    // Bound: the ring's length; nothing else runs on this CPU meanwhile.
    fn drain(cpu: u32, records: &mut Vec<Record>) -> Result<(), Errno> {
        let mut some = [Record::default(); READ_MAX];
        loop {
            let count = trace::read(cpu, &mut some)?;
            records.extend_from_slice(some.get(..count).unwrap_or_default());
            if count < READ_MAX {
                return Ok(());
            }
        }
    }

    fn write(fd: u32, mut records: Vec<Record>, lost: u64) -> Result<usize, Errno> {
        // Each ring is in order; equal times keep theirs.
        records.sort_by_key(|record| record.time);
        file::write_all(fd, head(records.len(), lost).as_bytes())?;
        file::write_all(fd, records.as_bytes())?;
        Ok(records.len())
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
