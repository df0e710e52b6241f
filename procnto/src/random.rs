//! Random bytes: ChaCha20, keyed from RDRAND and from timing, and anew for every long request and
//! every pool of bytes for short ones.
//!
//! What comes in is stirred into the key block by block: the next key is what the cipher puts out
//! under the old key xor the block. So a block that somebody knows, or chose, takes nothing away from
//! what the key held before. The key that makes bytes is replaced by output of its own before they
//! leave, and what leaves the pool is cleared there: whoever reads procnto's memory later cannot
//! compute what was handed out.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Where surprise comes from.
pub trait Entropy {
    /// A word of the CPU's generator, if it has one that works.
    fn hardware(&self) -> Option<u64>;
    /// The time stamp counter.
    fn time_stamp(&self) -> u64;
    /// What differs from boot to boot: clocks and counters.
    fn facts(&self) -> [u64; WORDS];
}

/// Words of a block.
pub const WORDS: usize = 4;
/// Blocks of time stamps at the start if the CPU's generator works.
const BLOCKS_BESIDE_HARDWARE: usize = 16;
/// The same if there is nothing else: some of the low bits of each stamp are noise.
const BLOCKS_ALONE: usize = 512;

/// Bytes of the pool: with a key, what the cipher makes in one go.
const POOL: usize = 224;
/// Longest request that the pool serves (a program's `AT_RANDOM` has 16 bytes).
const SHORT: usize = 32;

/// What a generator's bytes rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// On the CPU's generator, and on timing.
    Hardware,
    /// On timing alone: nothing to make keys of.
    TimingOnly,
}

/// The generator.
#[derive(Debug)]
pub struct Generator {
    key: [u8; 32],
    quality: Quality,
    /// Bytes for short requests, the last `left` of which nobody has got.
    pool: [u8; POOL],
    left: usize,
}

impl Generator {
    /// A generator that is ready.
    #[must_use]
    pub fn new(source: &impl Entropy) -> Self {
        let quality = Quality::TimingOnly;
        let mut new = Self { key: [0; 32], quality, pool: [0; POOL], left: 0 };
        new.stir(source.facts());
        let blocks = match new.stir_hardware(source) {
            Quality::Hardware => BLOCKS_BESIDE_HARDWARE,
            Quality::TimingOnly => BLOCKS_ALONE,
        };
        for _ in 0..blocks {
            new.stir_time(source);
        }
        new.quality = new.stir_hardware(source);
        new
    }

    /// What its bytes rest on.
    #[must_use]
    pub const fn quality(&self) -> Quality {
        self.quality
    }

    /// Fills a buffer.
    pub fn fill(&mut self, source: &impl Entropy, buffer: &mut [u8]) {
        if buffer.len() > SHORT {
            return self.draw(source, buffer);
        }
        if self.left < buffer.len() {
            let mut pool = [0; POOL];
            self.draw(source, &mut pool);
            (self.pool, self.left) = (pool, POOL);
        }
        let start = POOL - self.left;
        let taken = &mut self.pool[start..start + buffer.len()];
        buffer.copy_from_slice(taken);
        taken.fill(0);
        self.left -= buffer.len();
    }

    /// Fills a buffer from a key of its own.
    fn draw(&mut self, source: &impl Entropy, buffer: &mut [u8]) {
        self.stir_time(source);
        let _first_look_counts = self.stir_hardware(source);
        let mut stream = ChaCha20Rng::from_seed(self.key);
        stream.fill_bytes(&mut self.key);
        stream.fill_bytes(buffer);
    }

    /// Stirs in one block of the CPU's generator. One that says the same twice running is broken.
    fn stir_hardware(&mut self, source: &impl Entropy) -> Quality {
        let mut block = [0; WORDS];
        let mut before = None;
        for slot in &mut block {
            let word = source.hardware();
            match word {
                Some(word) if before != Some(word) => *slot = word,
                Some(_) | None => return Quality::TimingOnly,
            }
            before = word;
        }
        self.stir(block);
        Quality::Hardware
    }

    /// Stirs in one block of time stamps. The work between two blocks takes a time of its own, too.
    fn stir_time(&mut self, source: &impl Entropy) {
        self.stir(core::array::from_fn(|_| source.time_stamp()));
    }

    fn stir(&mut self, block: [u64; WORDS]) {
        let bytes = block.into_iter().flat_map(u64::to_le_bytes);
        for (byte, new) in self.key.iter_mut().zip(bytes) {
            *byte ^= new;
        }
        ChaCha20Rng::from_seed(self.key).fill_bytes(&mut self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use core::cell::Cell;

    /// A source that counts from a seed; `None` for the hardware: there is none.
    struct Counting {
        time: Cell<u64>,
        hardware: Cell<Option<u64>>,
        step: u64,
    }

    const fn source(time: u64, hardware: Option<u64>) -> Counting {
        Counting { time: Cell::new(time), hardware: Cell::new(hardware), step: 1 }
    }

    impl Entropy for Counting {
        fn hardware(&self) -> Option<u64> {
            let word = self.hardware.get()?;
            self.hardware.set(Some(word.wrapping_add(self.step)));
            Some(word)
        }
        fn time_stamp(&self) -> u64 {
            self.time.set(self.time.get() + 1);
            self.time.get()
        }
        fn facts(&self) -> [u64; WORDS] {
            [1, 2, 3, 4]
        }
    }

    fn first_bytes(source: &Counting) -> [u8; 32] {
        let mut bytes = [0; 32];
        Generator::new(source).fill(source, &mut bytes);
        bytes
    }

    #[test]
    fn the_same_sources_give_the_same_bytes() {
        assert_eq!(first_bytes(&source(5, Some(9))), first_bytes(&source(5, Some(9))));
    }

    #[test]
    fn either_source_alone_makes_the_bytes_differ() {
        let bytes = first_bytes(&source(5, Some(9)));
        assert_ne!(bytes, first_bytes(&source(6, Some(9))));
        assert_ne!(bytes, first_bytes(&source(5, Some(10))));
        assert_ne!(first_bytes(&source(5, None)), first_bytes(&source(6, None)));
    }

    #[test]
    fn a_source_that_stands_still_does_not_repeat_bytes() {
        let (source, mut first, mut second) = (source(5, None), [0; 64], [0; 64]);
        let mut generator = Generator::new(&source);
        let time = source.time.get();
        generator.fill(&source, &mut first);
        source.time.set(time);
        generator.fill(&source, &mut second);
        assert_ne!(first, second);
    }

    #[test]
    fn the_key_that_made_the_bytes_is_gone_afterwards() {
        let source = source(5, Some(9));
        let mut generator = Generator::new(&source);
        let mut bytes = [0; 64];
        generator.fill(&source, &mut bytes);
        let mut again = [0; 64];
        ChaCha20Rng::from_seed(generator.key).fill_bytes(&mut again);
        assert!(bytes.chunks(32).all(|part| part != generator.key));
        assert_ne!(bytes, again);
    }

    #[test]
    fn short_requests_get_bytes_that_are_nowhere_afterwards() {
        let source = source(5, Some(9));
        let mut generator = Generator::new(&source);
        let (mut first, mut second) = ([0; 16], [0; 16]);
        generator.fill(&source, &mut first);
        generator.fill(&source, &mut second);
        assert_ne!(first, second);
        assert!(generator.pool.windows(16).all(|part| part != first && part != second));
        let time = source.time.get();
        for _ in 0..POOL / 16 {
            generator.fill(&source, &mut first);
        }
        assert!(source.time.get() > time, "no new pool was keyed");
    }

    #[test]
    fn a_generator_says_that_it_rests_on_timing_alone() {
        assert_eq!(Generator::new(&source(5, Some(9))).quality(), Quality::Hardware);
        assert_eq!(Generator::new(&source(5, None)).quality(), Quality::TimingOnly);
        let stuck = Counting { step: 0, ..source(5, Some(u64::MAX)) };
        assert_eq!(Generator::new(&stuck).quality(), Quality::TimingOnly);
    }

    #[test]
    fn bits_are_set_half_of_the_time_and_bytes_are_spread() {
        let source = source(5, Some(9));
        let mut bytes = vec![0; 65_536];
        Generator::new(&source).fill(&source, &mut bytes);
        let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        // 2^19 bits: the standard deviation is 362; this is ten of them.
        assert!((262_144 - 3_620..262_144 + 3_620).contains(&ones), "{ones} bits are set");
        let mut counts = [0_u32; 256];
        bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
        // 256 of each on average; the standard deviation is 16.
        assert!(counts.iter().all(|count| (128..384).contains(count)), "{counts:?}");
    }
}
