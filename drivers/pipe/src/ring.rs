//! The bytes of a pipe: a ring whose pieces are handed out as slices, so that they go between it and
//! the clients' memory in one copy.

use alloc::vec::Vec;

/// Bytes that a ring holds (Linux's default for a pipe).
pub(crate) const CAPACITY: usize = 64 * 1024;
/// Bytes that a ring has memory for until it needs more: most pipes carry little at once.
const FIRST: usize = 4096;

/// A ring of bytes; its memory comes with the first of them.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    memory: Vec<u8>,
    /// Where the first byte is.
    start: usize,
    length: usize,
}

impl Ring {
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes that can still be put in.
    pub(crate) const fn space(&self) -> usize {
        CAPACITY - self.length
    }

    /// The first `count` bytes at most, in the two pieces in which they lie.
    pub(crate) fn front(&self, count: usize) -> (&[u8], &[u8]) {
        let count = count.min(self.length);
        let one = count.min(self.memory.len() - self.start);
        let first = self.memory.get(self.start..self.start + one).unwrap_or_default();
        (first, self.memory.get(..count - one).unwrap_or_default())
    }

    /// Takes the first `count` bytes away.
    pub(crate) fn forget(&mut self, count: usize) {
        let count = count.min(self.length);
        self.length -= count;
        self.start = match self.start + count {
            // From the beginning again, so that what comes lies in one piece.
            _ if self.length == 0 => 0,
            start if start >= self.memory.len() => start - self.memory.len(),
            start => start,
        };
    }

    /// Appends up to `count` bytes, which `fill` writes to one or two pieces in turn; it tells how
    /// many it wrote, and fewer than there is room for end it. Returns how many came.
    pub(crate) fn append<E>(
        &mut self,
        count: usize,
        mut fill: impl FnMut(&mut [u8], usize) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let count = count.min(self.space());
        self.reserve(count);
        let mut done = 0;
        // Bound: two pieces.
        while done < count {
            let size = self.memory.len();
            let end = self.start + self.length;
            let at = if end >= size { end - size } else { end };
            let piece = (count - done).min(size - at);
            let Some(room) = self.memory.get_mut(at..at + piece) else { break };
            match fill(room, done) {
                Ok(written) => {
                    let written = written.min(piece);
                    self.length += written;
                    done += written;
                    if written < piece {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Appends bytes, as far as there is room; returns how many.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> usize {
        let copied = self.append(bytes.len(), |room, done| {
            room.copy_from_slice(bytes.get(done..done + room.len()).unwrap_or_default());
            Ok::<usize, ()>(room.len())
        });
        copied.unwrap_or(0)
    }

    /// Makes memory for `more` bytes.
    fn reserve(&mut self, more: usize) {
        if self.length + more <= self.memory.len() {
            return;
        }
        let size = if self.length + more <= FIRST { FIRST } else { CAPACITY };
        let mut memory = Vec::with_capacity(size);
        let (first, second) = self.front(self.length);
        memory.extend_from_slice(first);
        memory.extend_from_slice(second);
        memory.resize(size, 0);
        (self.memory, self.start) = (memory, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(ring: &Ring) -> Vec<u8> {
        let (first, second) = ring.front(ring.len());
        [first, second].concat()
    }

    #[test]
    fn bytes_come_out_in_the_order_in_which_they_went_in() {
        let mut ring = Ring::default();
        let mut expected = alloc::collections::VecDeque::new();
        for step in 0..2000_usize {
            let bytes: Vec<u8> =
                (0..step * 37 % 5000).map(|n| ((n + step) % 251).to_le_bytes()[0]).collect();
            let put = ring.put(&bytes);
            expected.extend(&bytes[..put]);
            let taken = step * 53 % 4900;
            ring.forget(taken);
            expected.drain(..taken.min(expected.len()));
            assert_eq!(ring.len(), expected.len());
        }
        assert_eq!(content(&ring), Vec::from(expected));
    }

    #[test]
    fn a_full_ring_takes_no_more() {
        let mut ring = Ring::default();
        assert_eq!(ring.put(&[7; CAPACITY + 10]), CAPACITY);
        assert_eq!(ring.put(&[8]), 0);
        ring.forget(1);
        assert_eq!(ring.put(&[9, 9]), 1);
        assert_eq!(ring.front(CAPACITY).1, [9]);
    }

    #[test]
    fn a_source_that_fails_leaves_the_ring_as_it_was() {
        let mut ring = Ring::default();
        ring.put(b"abc");
        assert_eq!(ring.append(10, |_, _| Err(5)), Err(5));
        assert_eq!(
            ring.append(10, |room, _| {
                room[..2].copy_from_slice(b"de");
                Ok::<_, u8>(2)
            }),
            Ok(2)
        );
        assert_eq!(content(&ring), b"abcde");
    }
}
