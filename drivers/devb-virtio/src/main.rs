//! The driver of virtio disks: `devb-virtio [-c MiB] [0000:00:04.0]` serves one as the next free
//! `/dev/hdN`, and its partitions as `/dev/hdN.1` and so on; without a name the first one that no
//! driver has. `-c` is the size of the cache.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "user space: overflow checks stay on in release; registers are cut to their fields"
)]

extern crate alloc;

#[cfg(target_os = "none")]
mod disk;

#[cfg(target_os = "none")]
mod program {
    use block::{INTERRUPT, Place};
    use neutrino_rt::abi::message::chf;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{Errno, channel, eprintln};

    use crate::disk::VirtioDisk;

    const PROGRAM: &str = "devb-virtio";
    const MIB: u64 = 1 << 20;

    /// The command line.
    struct Options {
        cache_mib: u64,
        name: Option<&'static str>,
    }

    fn parse(arguments: &Arguments) -> Option<Options> {
        let mut options = Options { cache_mib: 8, name: None };
        let mut rest = arguments.rest();
        while let Some(argument) = rest.next() {
            match argument {
                "-c" => {
                    let size = rest.next().and_then(|text| text.parse().ok());
                    options.cache_mib = size.filter(|size| (1..=32).contains(size))?;
                }
                _ if argument.starts_with('-') => return None,
                name => options.name = Some(name),
            }
        }
        Some(options)
    }

    fn start(options: &Options) -> Result<(), Errno> {
        let chid = channel::create(chf::DISCONNECT | chf::UNBLOCK)?;
        let pulses = channel::connect_self(chid, 0)?;
        let (disk, cache) =
            VirtioDisk::open(options.name, (&pulses, INTERRUPT), options.cache_mib * MIB)?;
        block::serve(disk, cache, Place { program: PROGRAM, chid, pulses })
    }

    fn main(arguments: &Arguments) -> i32 {
        let Some(options) = parse(arguments) else {
            eprintln!("{PROGRAM}: use: {PROGRAM} [-c MiB] [DEVICE], a name below /dev/pci");
            return 2;
        };
        match start(&options) {
            Ok(()) => {}
            Err(Errno::ENODEV) => eprintln!("{PROGRAM}: there is no virtio disk that is free"),
            Err(errno) => eprintln!("{PROGRAM}: cannot serve a disk: {errno}"),
        }
        1
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
