//! The PCI bus server: `pci-server` serves each function as `/dev/pci/0000:00:04.0`. Reading gives its
//! configuration space; who opens it for writing has it alone, and is given its registers, interrupts
//! and memory (see the library). When the last descriptor is gone, the function reaches no memory and
//! raises no interrupt any more, before what it was given goes back to the kernel.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "user space: overflow and bounds checks stay on in release; registers are cut to their fields"
)]

extern crate alloc;

#[cfg(target_os = "none")]
mod access;
#[cfg(target_os = "none")]
mod bus;
#[cfg(target_os = "none")]
mod function;
#[cfg(target_os = "none")]
mod server;

#[cfg(target_os = "none")]
mod program {
    use neutrino_rt::abi::message::chf;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{Errno, channel, eprintln};
    use resmgr::{Engine, serve};

    fn start() -> Result<(), Errno> {
        let bus = crate::server::Bus::new()?;
        let chid = channel::create(chf::DISCONNECT | chf::UNBLOCK)?;
        let mut engine = Engine::new(bus);
        engine.attach(chid, "/dev/pci", 0, io_msg::proc::ATTACH_DIRECTORY)?;
        Err(serve(&mut engine, chid))
    }

    fn main(_arguments: &Arguments) -> i32 {
        if let Err(errno) = start() {
            eprintln!("pci-server: cannot serve /dev/pci: {errno}");
        }
        1
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
