//! `kernbench`: what kernel calls cost, from user space to user space, in the clock's ticks (under
//! QEMU's instruction count: instructions). One line for each measure: its name and the median.
//!
//! The client is a process of its own: this program starts itself again, and the copy finds the
//! server's channel behind descriptor 3.
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
    use alloc::vec;
    use alloc::vec::Vec;
    use native_tools::latency::{self, ROUNDS};
    use neutrino_rt::abi::event::Event;
    use neutrino_rt::interrupt::pulse_event;
    use neutrino_rt::message::Received;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{Errno, channel, clock, eprintln, message, println, spawn, thread};

    /// Where the copy finds the server.
    const SERVER: u32 = 3;
    const PRIORITY: u8 = 20;
    /// The code of pulses whose way is measured.
    const PULSE: i8 = 7;
    const SCHED_FIFO: u32 = 1;
    /// Message sizes whose round trip is measured.
    const SIZES: [usize; 7] = [0, 8, 48, 64, 512, 4096, SIZE_MAX];
    const SIZE_MAX: usize = 65536;

    fn main(arguments: &Arguments) -> i32 {
        let ended = match arguments.get(1) {
            None => serve(Server::Words)
                .and_then(|()| serve(Server::Combined))
                .and_then(|()| serve(Server::Separate))
                .and_then(|()| serve(Server::Pulses))
                .and_then(|()| serve(Server::Yields))
                .and_then(|()| latency::measure()),
            Some("words") => words(),
            Some("combined") => measure("round_trip"),
            Some("separate") => measure("round_trip_separate"),
            Some("pulses") => pulses(),
            Some("yields") => yields(),
            Some(other) => {
                eprintln!("kernbench: unknown measure {other}; run it without arguments");
                return 2;
            }
        };
        match ended {
            Ok(()) => 0,
            Err(errno) => {
                eprintln!("kernbench: {errno}");
                1
            }
        }
    }

    /// How a server answers and waits.
    #[derive(Clone, Copy)]
    enum Server {
        /// `MsgReplyReceive`, with answers of a size known when it is compiled.
        Words,
        /// `MsgReplyReceive`.
        Combined,
        /// `MsgReply`, then `MsgReceive`.
        Separate,
        /// Answers with the time when its last pulse came.
        Pulses,
        /// Gives way as often as the copy, from its first message on.
        Yields,
    }

    impl Server {
        const fn measure(self) -> &'static str {
            match self {
                Self::Words => "words",
                Self::Combined => "combined",
                Self::Separate => "separate",
                Self::Pulses => "pulses",
                Self::Yields => "yields",
            }
        }
    }

    /// Echoes what the copy sends, until it ends.
    fn serve(kind: Server) -> Result<(), Errno> {
        let chid = channel::create(neutrino_rt::abi::message::chf::DISCONNECT)?;
        let own = channel::connect_self(chid, 1)?;
        channel::duplicate_to(own.raw(), SERVER, 0)?;
        thread::set_priority(SCHED_FIFO, PRIORITY)?;
        let child = spawn::spawn("/bin/kernbench", &["kernbench", kind.measure()])?;
        channel::detach(SERVER)?;
        drop(own);
        let (answer, mut buffer) = (vec![0x33_u8; SIZE_MAX], vec![0_u8; SIZE_MAX]);
        let mut next = message::receive(chid, &mut buffer)?;
        if matches!(kind, Server::Words) {
            next = answer_words(chid, next)?;
        }
        let mut pulsed = 0_u64;
        loop {
            let (rcvid, head) = match next {
                Received::Message { rcvid, head } => (rcvid, head),
                Received::Pulse(pulse) if pulse.code == PULSE => {
                    pulsed = clock::ticks();
                    next = message::receive(chid, &mut buffer)?;
                    continue;
                }
                Received::Pulse(_) => break,
            };
            let length = usize::try_from(head.dstmsglen).unwrap_or(usize::MAX).min(SIZE_MAX);
            let data = answer.get(..length).unwrap_or_default();
            next = match kind {
                Server::Words | Server::Combined => {
                    message::reply_receive(rcvid, Ok(0), data, chid, &mut buffer)?
                }
                Server::Separate => {
                    message::reply(rcvid, 0, data)?;
                    message::receive(chid, &mut buffer)?
                }
                Server::Pulses => {
                    let time = pulsed.to_le_bytes();
                    message::reply_receive(rcvid, Ok(0), &time, chid, &mut buffer)?
                }
                Server::Yields => {
                    message::reply(rcvid, 0, &[])?;
                    (0..=2 * ROUNDS).for_each(|_| thread::give_way());
                    message::receive(chid, &mut buffer)?
                }
            };
        }
        spawn::wait(child)?;
        Ok(())
    }

    /// The loop of a server whose messages and answers are short.
    fn answer_words(chid: u32, first: Received) -> Result<Received, Errno> {
        let mut next = first;
        let mut buffer = [0; 48];
        while let Received::Message { rcvid, .. } = next {
            next = message::reply_receive(rcvid, Ok(0), &[0x33; 48], chid, &mut buffer)?;
        }
        Ok(next)
    }

    fn measure(name: &str) -> Result<(), Errno> {
        for size in SIZES {
            let sent = vec![0x5a_u8; size];
            let mut back = vec![0_u8; size];
            let median = median(|| message::send(SERVER, &sent, &mut back).map(drop))?;
            println!("{name}_{size} {median}");
        }
        Ok(())
    }

    /// Short messages of a size known when the program is compiled, as real ones are.
    fn words() -> Result<(), Errno> {
        let median_0 = median(|| message::send(SERVER, &[], &mut []).map(drop))?;
        println!("round_trip_words_0 {median_0}");
        let mut back = [0; 48];
        let median_48 = median(|| message::send(SERVER, &[0x5a; 48], &mut back).map(drop))?;
        println!("round_trip_words_48 {median_48}");
        let median_flags = median(|| channel::flags(SERVER, 0, 0).map(drop))?;
        println!("connect_flags {median_flags}");
        Ok(())
    }

    /// From a pulse, and from an event that is one, to the receiver, which runs at its higher priority.
    fn pulses() -> Result<(), Errno> {
        let priority = i32::from(PRIORITY) + 5;
        let until_seen = |start: u64| {
            let mut seen = [0; 8];
            message::send(SERVER, &[], &mut seen)?;
            Ok(u64::from_le_bytes(seen).wrapping_sub(start))
        };
        latency::print("pulse", || {
            let start = clock::ticks();
            channel::send_pulse(SERVER, priority, PULSE, 0)?;
            until_seen(start)
        })?;
        let event = Event { priority, ..pulse_event(SERVER, PULSE, 0) };
        latency::print("notification", || {
            let start = clock::ticks();
            channel::deliver(&event)?;
            until_seen(start)
        })
    }

    /// To the server, which does the same, and back: two switches between processes.
    fn yields() -> Result<(), Errno> {
        message::send(SERVER, &[], &mut [])?;
        let there_and_back = || {
            let start = clock::ticks();
            thread::give_way();
            clock::ticks().wrapping_sub(start)
        };
        let figures = (0..ROUNDS).map(|_| there_and_back()).collect();
        println!("yield {}", latency::middle(figures).saturating_sub(latency::clock_cost()) / 2);
        Ok(())
    }

    /// The median of many runs, without what reading the clock costs.
    fn median(mut run: impl FnMut() -> Result<(), Errno>) -> Result<u64, Errno> {
        let mut once = || {
            let start = clock::ticks();
            run()?;
            Ok(clock::ticks().wrapping_sub(start))
        };
        let figures: Result<Vec<u64>, Errno> = (0..ROUNDS).map(|_| once()).collect();
        Ok(latency::middle(figures?).saturating_sub(latency::clock_cost()))
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
