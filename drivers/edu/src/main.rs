//! The driver of QEMU's `edu` device (`-device edu`), a worked example of a driver with registers,
//! interrupts and DMA.
//!
//! `/dev/edu` computes factorials: `echo 5 >/dev/edu; cat /dev/edu`. `/dev/edu.buffer` is the device's
//! own memory, which is read and written by DMA.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "user space: overflow checks stay on in release; the device has 32-bit registers"
)]

extern crate alloc;

#[cfg(target_os = "none")]
mod device;
#[cfg(target_os = "none")]
mod server;

#[cfg(target_os = "none")]
mod program {
    use neutrino_rt::abi::message::chf;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{Errno, channel, eprintln, process};
    use resmgr::{Engine, serve};

    use crate::device::Edu;
    use crate::server::{BUFFER, FACTORIAL, Server};

    fn start(name: Option<&str>) -> Result<(), Errno> {
        let chid = channel::create(chf::DISCONNECT | chf::UNBLOCK)?;
        let pulses = channel::connect_self(chid, 0)?;
        let edu = Edu::open(name, pulses.raw())?;
        let mut engine = Engine::new(Server::new(edu));
        engine.attach(chid, "/dev/edu.buffer", BUFFER, 0)?;
        engine.attach(chid, "/dev/edu", FACTORIAL, 0)?;
        // From here on it has its device and its paths, and can get at nothing else.
        process::confine()?;
        Err(serve(&mut engine, chid))
    }

    fn main(arguments: &Arguments) -> i32 {
        let failure = start(arguments.get(1)).err();
        match failure {
            Some(Errno::ENODEV) => eprintln!("edu: there is no such device that is free"),
            Some(errno) => eprintln!("edu: cannot serve /dev/edu: {errno}"),
            None => {}
        }
        1
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
