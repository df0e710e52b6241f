//! What the native utilities share.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

extern crate alloc;

pub mod calendar;
pub mod inversion;
pub mod latency;
pub mod trace;

use alloc::string::String;
use alloc::vec::Vec;
use neutrino_rt::{Errno, file, path};

/// The numbers of the processes that there are, from `/proc`.
///
/// # Errors
/// ENOENT if `/proc` is not served.
pub fn processes() -> Result<Vec<u32>, Errno> {
    let directory = path::open(b"/proc", io_msg::stat::open::DIRECTORY, 0, 0)?;
    let mut found = Vec::new();
    let mut buffer = [0_u8; 4096];
    // Bound: the entries of /proc.
    loop {
        let length = file::read_directory(directory.raw(), &mut buffer)?;
        if length == 0 {
            found.sort_unstable();
            return Ok(found);
        }
        file::names(buffer.get(..length).unwrap_or_default(), |name| {
            found.extend(name.parse::<u32>().ok());
        });
    }
}

/// The text of a file of a process in `/proc`; empty if it is gone.
#[must_use]
pub fn proc_text(pid: u32, name: &str) -> String {
    let path = alloc::format!("/proc/{pid}/{name}");
    let bytes = file::read_to_end(path.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The name of a process.
#[must_use]
pub fn name_of(pid: u32) -> String {
    String::from(proc_text(pid, "comm").trim_end())
}

/// The number of a signal, by number or by name with or without `SIG`.
#[must_use]
pub fn signal_number(text: &str) -> Option<u32> {
    const NAMES: [(&str, u32); 14] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("ABRT", 6),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", 15),
        ("CONT", 18),
        ("STOP", 19),
    ];
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let named = NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    named.or_else(|| text.parse().ok().filter(|number| *number <= 64))
}
