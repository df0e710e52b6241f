//! The one generator of random bytes, made when the first program needs some.

use neutrino_rt::sync::Mutex;
use neutrino_rt::{clock, log, memory};
use procnto::random::{Entropy, Generator, Quality, WORDS};

// Lock: taken last of all (the state may be locked); nothing is waited for under it.
static GENERATOR: Mutex<Option<Generator>> = Mutex::new(None);

struct Machine;

impl Entropy for Machine {
    fn hardware(&self) -> Option<u64> {
        memory::hardware_random()
    }
    fn time_stamp(&self) -> u64 {
        memory::time_stamp()
    }
    fn facts(&self) -> [u64; WORDS] {
        let info = memory::system_info();
        [clock::realtime(), info.uptime, info.interrupts << 32 | info.switches, info.tsc_hz]
    }
}

/// Fills a buffer with random bytes.
pub(super) fn fill(buffer: &mut [u8]) {
    GENERATOR.lock().get_or_insert_with(make).fill(&Machine, buffer);
}

fn make() -> Generator {
    let generator = Generator::new(&Machine);
    if generator.quality() == Quality::TimingOnly {
        log!(
            "procnto: the CPU has no RDRAND that works: random bytes rest on timing alone, make no keys of them"
        );
    }
    generator
}
