//! `rtc hw`: sets wall-clock time from the PC's real-time clock (QNX: `rtc`).
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
mod program {
    use native_tools::calendar::{Reading, seconds};
    use neutrino_rt::port::IoPort;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{clock, eprintln};

    const INDEX: u16 = 0;
    const DATA: u16 = 1;
    const STATUS_A: u8 = 0x0a;
    const STATUS_B: u8 = 0x0b;
    const UPDATING: u8 = 0x80;

    fn main(_arguments: &Arguments) -> i32 {
        let set = IoPort::attach(0x70, 2).and_then(|port| {
            let now = seconds(&settled(&port)).ok_or(neutrino_rt::Errno::EIO)?;
            clock::set_realtime(now * 1_000_000_000)
        });
        match set {
            Ok(()) => 0,
            Err(errno) => {
                eprintln!("rtc: cannot set the time from the real-time clock: {errno}");
                1
            }
        }
    }

    fn register(port: &IoPort, index: u8) -> u8 {
        port.write_u8(INDEX, index);
        port.read_u8(DATA)
    }

    /// Two equal readings, none of them during an update.
    // Bound: 1000 tries; the clock updates once a second for 2 ms.
    fn settled(port: &IoPort) -> Reading {
        let mut last = reading(port);
        for _ in 0..1000 {
            let next = reading(port);
            if register(port, STATUS_A) & UPDATING == 0 && next == last {
                break;
            }
            last = next;
        }
        last
    }

    fn reading(port: &IoPort) -> Reading {
        let [second, minute, hour, day, month, year] =
            [0, 2, 4, 7, 8, 9].map(|index| register(port, index));
        Reading { second, minute, hour, day, month, year, status_b: register(port, STATUS_B) }
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
