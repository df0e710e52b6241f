//! Options, attachments and the loop.

use crate::server::RamFs;
use neutrino_rt::Errno;
use neutrino_rt::abi::message::chf;
use neutrino_rt::start::Arguments;
use neutrino_rt::{channel, eprintln};
use resmgr::{Engine, serve_with};

const USAGE: &str = "fs-ram: use: fs-ram [-s MIB] PATH[=MODE]…";

/// Default limit: half of the memory that is free at start, in bytes.
fn default_limit() -> u64 {
    neutrino_rt::memory::system_info().free_pages / 2 * 4096
}

/// Bytes of a message that are received at once: most paths. Data go straight to a file's memory.
const BUFFER_BYTES: usize = 256;

fn main(arguments: &Arguments) -> i32 {
    let mut limit = default_limit();
    let mut words = arguments.rest();
    let mut engine = Engine::new(RamFs::new(limit));
    let chid = match channel::create(chf::DISCONNECT | chf::UNBLOCK) {
        Ok(chid) => chid,
        Err(errno) => {
            eprintln!("fs-ram: cannot make a channel: {errno}");
            return 1;
        }
    };
    // Bound: the number of arguments.
    while let Some(word) = words.next() {
        if word == "-s" {
            let Some(mib) = words.next().and_then(|text| text.parse::<u32>().ok()) else {
                eprintln!("{USAGE}");
                return 2;
            };
            limit = u64::from(mib) << 20;
            engine.server.set_limit(limit);
        } else if let Err(errno) = attach(&mut engine, chid, word) {
            eprintln!("fs-ram: cannot attach at {word}: {errno}");
            return 1;
        }
    }
    if engine.mounts.is_empty() {
        eprintln!("{USAGE}");
        return 2;
    }
    let errno = serve_with(&mut engine, chid, BUFFER_BYTES);
    eprintln!("fs-ram: the channel is gone: {errno}");
    1
}

/// Attaches a new tree at `PATH` or `PATH=MODE` (octal).
fn attach(engine: &mut Engine<RamFs>, chid: u32, word: &str) -> Result<(), Errno> {
    let (path, bits) = word.split_once('=').unwrap_or((word, "755"));
    let bits = u32::from_str_radix(bits, 8).map_err(|_| Errno::EINVAL)?;
    let root = engine.server.add_root(bits & 0o7777)?;
    engine.attach(chid, path, root, io_msg::proc::ATTACH_DIRECTORY).map(drop)
}

neutrino_rt::entry!(main);
