//! The pipe server: `pipe` serves `/dev/pipe`, from which `pipe()` gets both ends of a pipe, and
//! below which file systems send those who open a FIFO; and `/dev/socket/1`, the domain of UNIX
//! sockets.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

extern crate alloc;

#[cfg(any(test, target_os = "none"))]
#[cfg_attr(test, allow(dead_code, reason = "only the pure parts run on a host"))]
mod address;
#[cfg(target_os = "none")]
mod buffer;
#[cfg(any(test, target_os = "none"))]
#[cfg_attr(test, allow(dead_code, reason = "only the pure parts run on a host"))]
mod event;
#[cfg(target_os = "none")]
mod events;
#[cfg(target_os = "none")]
mod naming;
#[cfg(target_os = "none")]
mod node;
#[cfg(target_os = "none")]
mod opening;
#[cfg(target_os = "none")]
mod options;
#[cfg(target_os = "none")]
mod packet;
#[cfg(any(test, target_os = "none"))]
#[cfg_attr(test, allow(dead_code, reason = "only the pure parts run on a host"))]
mod ring;
#[cfg(target_os = "none")]
mod server;
#[cfg(target_os = "none")]
mod sets;
#[cfg(target_os = "none")]
mod socket;
#[cfg(target_os = "none")]
mod sockets;
#[cfg(target_os = "none")]
mod special;
#[cfg(target_os = "none")]
mod timers;

#[cfg(target_os = "none")]
mod program {
    use neutrino_rt::abi::message::chf;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{channel, eprintln};
    use resmgr::Engine;

    fn main(_arguments: &Arguments) -> i32 {
        let result = channel::create(chf::DISCONNECT | chf::UNBLOCK).and_then(|chid| {
            let pulses = channel::connect_self(chid, 0)?;
            let mut engine = Engine::new(super::server::Pipes::new(pulses.raw()));
            engine.attach(chid, "/dev/socket/1", 0, io_msg::proc::ATTACH_DIRECTORY)?;
            engine.attach(chid, "/dev/pipe", 0, io_msg::proc::ATTACH_DIRECTORY)?;
            Err(super::opening::serve(&mut engine, chid)) as Result<(), _>
        });
        if let Err(errno) = result {
            eprintln!("pipe: cannot serve its paths: {errno}");
        }
        1
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
