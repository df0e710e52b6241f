//! Compares the line discipline with the host's: the same random settings, keys, reads and writes
//! go to a [`Line`] and to a pseudo-terminal of the Linux kernel that runs the test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test on the host fails by panicking"
)]

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use line_discipline::{
    ControlFlags, Flow, Id, InputFlags, Line, LocalFlags, OutputFlags, Termios, WindowSize,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, SpecialCodeIndex};

/// A small generator of numbers; the seed is the test case.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// The host's pair and ours, side by side.
struct Pair {
    master: OwnedFd,
    slave: OwnedFd,
    line: Line,
    drained: Vec<u8>,
    log: Vec<String>,
    seed: u64,
}

fn flags(random: &mut Random, always: u32, maybe: &[u32], likely: &[u32]) -> u32 {
    let mut bits = always;
    for flag in maybe {
        if random.one_in(4) {
            bits |= flag;
        }
    }
    for flag in likely {
        if !random.one_in(4) {
            bits |= flag;
        }
    }
    bits
}

fn random_termios(random: &mut Random) -> Termios {
    use {InputFlags as I, LocalFlags as L, OutputFlags as O};
    let mut termios = Termios::default();
    let maybe = [I::ISTRIP, I::INLCR, I::IGNCR, I::PARMRK, I::IXANY, I::IUCLC, I::IUTF8];
    let likely = [I::ICRNL, I::IXON];
    termios.input = I::from_bits_retain(flags(
        random,
        0,
        &maybe.map(|flag| flag.bits()),
        &likely.map(|flag| flag.bits()),
    ));
    let maybe = [O::OCRNL, O::ONOCR, O::ONLRET, O::XTABS, O::OLCUC];
    let likely = [O::OPOST, O::ONLCR];
    termios.output = O::from_bits_retain(flags(
        random,
        0,
        &maybe.map(|flag| flag.bits()),
        &likely.map(|flag| flag.bits()),
    ));
    let maybe = [L::ECHONL, L::ECHOPRT];
    let likely =
        [L::ICANON, L::ECHO, L::ECHOE, L::ECHOK, L::ECHOCTL, L::ECHOKE, L::IEXTEN, L::ISIG];
    // What a signal flushes on the host depends on how far a work queue got.
    termios.local = L::from_bits_retain(flags(
        random,
        L::NOFLSH.bits(),
        &maybe.map(|flag| flag.bits()),
        &likely.map(|flag| flag.bits()),
    ));
    termios.characters[Id::EndOfLine.index()] = if random.one_in(3) { b';' } else { 0 };
    termios.characters[Id::EndOfLine2.index()] = if random.one_in(3) { b':' } else { 0 };
    termios.characters[Id::Minimum.index()] = random.below(4) as u8;
    if random.one_in(4) {
        termios.characters[Id::Erase.index()] = b'#';
    }
    termios
}

fn random_keys(random: &mut Random) -> Vec<u8> {
    let special =
        [b'\r', b'\n', 127, 21, 23, 18, 22, 4, 17, 19, 3, 28, 26, b'\t', b';', b':', b'#', 0, 0xff];
    let count = 1 + random.below(12);
    let mut keys = Vec::new();
    for _ in 0..count {
        match random.below(10) {
            0..4 => keys.push(special[random.below(special.len() as u64) as usize]),
            4 => keys.extend("ä€".bytes()),
            5 => keys.push(random.below(256) as u8),
            6 => keys.push(b' '),
            _ => keys.push(b'a' + random.below(26) as u8),
        }
    }
    keys
}

fn random_text(random: &mut Random) -> Vec<u8> {
    let count = 1 + random.below(10);
    let special = *b"\r\n\t\x08\x1bA";
    (0..count)
        .map(|_| match random.below(3) {
            0 => special[random.below(6) as usize],
            _ => b'a' + random.below(26) as u8,
        })
        .collect()
}

impl Pair {
    /// Opens a pair; nothing on a host that has none.
    fn open(seed: u64) -> Option<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).ok()?;
        grantpt(&master).ok()?;
        unlockpt(&master).ok()?;
        let name = ptsname(&master, Vec::new()).ok()?;
        let mode = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK;
        let slave = rustix::fs::open(name.as_c_str(), mode, rustix::fs::Mode::empty()).ok()?;
        rustix::fs::fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK).ok()?;
        let line = Line::new(Termios::default(), WindowSize::default());
        Some(Self { master, slave, line, drained: Vec::new(), log: Vec::new(), seed })
    }

    /// One session in four is ASCII only and may change case.
    fn is_cased(&self) -> bool {
        self.seed.is_multiple_of(4)
    }

    fn set(&mut self, termios: &Termios) {
        self.log.push(format!("{termios:?}"));
        let mut host = rustix::termios::tcgetattr(&self.slave).unwrap();
        host.input_modes = rustix::termios::InputModes::from_bits_retain(termios.input.bits());
        host.output_modes = rustix::termios::OutputModes::from_bits_retain(termios.output.bits());
        host.local_modes = rustix::termios::LocalModes::from_bits_retain(termios.local.bits());
        let ids = [
            (Id::EndOfLine, SpecialCodeIndex::VEOL),
            (Id::EndOfLine2, SpecialCodeIndex::VEOL2),
            (Id::Minimum, SpecialCodeIndex::VMIN),
            (Id::Erase, SpecialCodeIndex::VERASE),
        ];
        for (ours, theirs) in ids {
            host.special_codes[theirs] = termios.characters[ours.index()];
        }
        rustix::termios::tcsetattr(&self.slave, OptionalActions::Now, &host).unwrap();
        self.line.set_termios(termios.clone());
    }

    /// Makes the host finish what it does in the background.
    fn settle(&self) {
        for fd in [&self.slave, &self.master] {
            let mut polled = [PollFd::new(fd, PollFlags::IN)];
            let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
            rustix::event::poll(&mut polled, Some(&zero)).unwrap();
        }
        std::thread::sleep(Duration::from_micros(300));
    }

    fn keys(&mut self, keys: &[u8]) {
        // The host changes the case of Latin-1, even inside UTF-8; ours leaves it alone.
        let cased = self.is_cased();
        let keys: Vec<u8> = keys.iter().map(|key| if cased { key & 0x7f } else { *key }).collect();
        self.log.push(format!("keys {keys:?}"));
        // The host echoes at the end of a batch, so a stop character must begin one.
        for keys in keys.chunk_by(|_, next| *next != 19) {
            assert_eq!(rustix::io::write(&self.master, keys).unwrap(), keys.len());
            for key in keys {
                let _signal = self.line.input(*key);
                self.drain();
            }
            self.settle();
        }
    }

    fn write(&mut self, text: &[u8]) {
        if self.line.flow() != Flow::Running {
            return;
        }
        self.log.push(format!("write {text:?}"));
        assert_eq!(rustix::io::write(&self.slave, text).unwrap(), text.len());
        assert_eq!(self.line.write(text), text.len());
        self.settle();
    }

    fn read(&mut self, size: usize) {
        let mut ours = vec![0; size];
        let count = self.line.read_now(&mut ours);
        ours.truncate(count.unwrap_or(0));
        let mut theirs = vec![0; size];
        let deadline = Instant::now() + Duration::from_millis(200);
        let count = loop {
            let result = rustix::io::read(&self.slave, &mut theirs);
            let wrong = result.ok().is_none() && count.is_some();
            if !wrong || Instant::now() > deadline {
                break result.ok();
            }
        };
        theirs.truncate(count.unwrap_or(0));
        self.log.push(format!("read {size}: ours {ours:?}, host {theirs:?} {count:?}"));
        assert_eq!((ours, self.log.len()), (theirs, self.log.len()), "{}", self.story());
    }

    fn drain(&mut self) {
        let mut chunk = [0; 256];
        loop {
            let count = self.line.next_output(&mut chunk);
            if count == 0 {
                return;
            }
            self.drained.extend(&chunk[..count]);
        }
    }

    fn compare_output(&mut self) {
        self.drain();
        let ours = std::mem::take(&mut self.drained);
        let mut theirs = Vec::new();
        let deadline = Instant::now() + Duration::from_millis(200);
        loop {
            let mut chunk = [0; 4096];
            if let Ok(count) = rustix::io::read(&self.master, &mut chunk) {
                theirs.extend(&chunk[..count]);
            }
            if theirs.len() >= ours.len() || Instant::now() > deadline {
                break;
            }
        }
        let (ours, theirs) = (show(&ours), show(&theirs));
        self.log.push(format!("output ours {ours}\n       host {theirs}"));
        assert_eq!(ours, theirs, "{}", self.story());
    }

    fn story(&self) -> String {
        format!("seed {}\n{}", self.seed, self.log.join("\n"))
    }
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn run(seed: u64) -> Option<()> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..8 {
        random.next();
    }
    let mut pair = Pair::open(seed)?;
    for _ in 0..4 {
        // Held echo is processed by the host only when it is released, with the new settings.
        while pair.line.flow() != Flow::Running {
            pair.keys(&[17]);
        }
        pair.compare_output();
        let mut termios = random_termios(&mut random);
        if !pair.is_cased() {
            termios.output.remove(OutputFlags::OLCUC);
            termios.input.remove(InputFlags::IUCLC);
        }
        pair.set(&termios);
        pair.compare_output();
        for _ in 0..6 {
            match random.below(6) {
                0 => pair.write(&random_text(&mut random)),
                1 => pair.read(1 + random.below(8) as usize),
                2 => pair.read(4096),
                _ => pair.keys(&random_keys(&mut random)),
            }
            pair.compare_output();
        }
    }
    Some(())
}

/// The host's line discipline works in a kernel thread of its own: on a busy host it may lag behind a
/// session. A real difference shows in every run of a seed.
fn run_in_time(seed: u64) -> Option<()> {
    for _ in 0..4 {
        if let Ok(outcome) = std::panic::catch_unwind(|| run(seed)) {
            return outcome;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    run(seed)
}

#[test]
fn random_sessions_go_as_on_the_host() {
    let seeds = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let first = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    for seed in first..first + seeds {
        if run_in_time(seed).is_none() {
            println!("skipped: this host has no pseudo-terminals");
            return;
        }
    }
}

#[test]
fn settings_have_the_layout_of_the_host() {
    let Some(pair) = Pair::open(0) else { return };
    let host = rustix::termios::tcgetattr(&pair.slave).unwrap();
    let ours = Termios::default();
    assert_eq!(host.input_modes.bits(), ours.input.bits());
    assert_eq!(host.output_modes.bits(), ours.output.bits());
    assert_eq!(host.local_modes.bits(), ours.local.bits());
    let codes = ControlFlags::CSTOPB | ControlFlags::CREAD | ControlFlags::PARENB;
    assert_eq!(host.control_modes.bits() & codes.bits(), (ours.control & codes).bits());
    assert_eq!(Termios::from_bytes(&ours.to_bytes(), &ours), ours);
    assert_eq!(Termios::from_bytes2(&ours.to_bytes2(), &ours), ours);
}
