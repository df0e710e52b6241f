//! Ranges of physical memory, as boot loaders tell them and boot takes from them.

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Pieces that a map can have; a machine with more loses the smallest use: the last ones.
const PIECES: usize = 96;

/// From `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    /// First byte.
    pub(crate) start: u64,
    /// Behind the last byte.
    pub(crate) end: u64,
}

impl Range {
    /// The page that starts at `start`.
    pub(crate) const fn page(start: u64) -> Self {
        Self { start, end: start.saturating_add(PAGE) }
    }

    /// Bytes.
    pub(crate) const fn length(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Addresses of its pages.
    pub(crate) fn pages(self) -> impl Iterator<Item = u64> {
        (self.start..self.end).step_by(PAGE as usize)
    }

    /// Whether they share a byte.
    pub(crate) const fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The whole pages inside.
    const fn shrunk(self) -> Self {
        Self {
            start: self.start.saturating_add(PAGE - 1) & !(PAGE - 1),
            end: self.end & !(PAGE - 1),
        }
    }

    /// The pages that it touches.
    const fn grown(self) -> Self {
        Self {
            start: self.start & !(PAGE - 1),
            end: self.end.saturating_add(PAGE - 1) & !(PAGE - 1),
        }
    }
}

/// Disjoint ranges of whole pages.
#[derive(Clone, Debug)]
pub(crate) struct MemoryMap {
    pieces: [Range; PIECES],
    count: usize,
}

impl MemoryMap {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self { pieces: [Range { start: 0, end: 0 }; PIECES], count: 0 }
    }

    /// The ranges.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range> {
        self.pieces.iter().take(self.count).copied()
    }

    /// Whether a range shares a byte with the map.
    pub(crate) fn overlaps(&self, range: &Range) -> bool {
        self.iter().any(|piece| piece.overlaps(range))
    }

    /// The end of the highest range.
    pub(crate) fn end(&self) -> u64 {
        self.iter().map(|piece| piece.end).max().unwrap_or(0)
    }

    /// Bytes in all ranges.
    pub(crate) fn length(&self) -> u64 {
        self.iter().fold(0, |sum: u64, piece| sum.saturating_add(piece.length()))
    }

    /// Adds the whole pages of a range that are not in the map yet.
    pub(crate) fn add(&mut self, range: Range) {
        let range = range.shrunk();
        self.remove(range);
        self.push(range);
    }

    fn push(&mut self, range: Range) {
        if range.start >= range.end {
            return;
        }
        if let Some(place) = self.pieces.get_mut(self.count) {
            *place = range;
            self.count = self.count.saturating_add(1);
        }
    }

    /// Takes every page out that a range touches.
    pub(crate) fn remove(&mut self, range: Range) {
        if range.start >= range.end {
            return;
        }
        let range = range.grown();
        let before = core::mem::replace(self, Self::new());
        for piece in before.iter() {
            self.push(Range {
                start: piece.start,
                end: piece.end.min(range.start).max(piece.start),
            });
            self.push(Range { start: piece.start.max(range.end).min(piece.end), end: piece.end });
        }
    }

    /// Takes `length` bytes (whole pages) from the top of the highest range below `limit` that has
    /// them.
    pub(crate) fn take(&mut self, length: u64, limit: u64) -> Option<u64> {
        let fits = |piece: &Range| piece.end.min(limit).saturating_sub(piece.start) >= length;
        let pieces = self.pieces.iter_mut().take(self.count);
        let best = pieces.filter(|piece| fits(piece)).max_by_key(|piece| piece.start)?;
        let end = best.end.min(limit);
        let start = end.checked_sub(length)?;
        if best.end == end {
            best.end = start;
        } else {
            self.remove(Range { start, end });
        }
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryMap, Range};

    fn map(ranges: &[(u64, u64)]) -> MemoryMap {
        let mut map = MemoryMap::new();
        for &(start, end) in ranges {
            map.add(Range { start, end });
        }
        map
    }

    fn pieces(map: &MemoryMap) -> Vec<(u64, u64)> {
        let mut pieces: Vec<_> = map.iter().map(|piece| (piece.start, piece.end)).collect();
        pieces.sort_unstable();
        pieces
    }

    #[test]
    fn only_whole_pages_are_added() {
        assert_eq!(pieces(&map(&[(0x1001, 0x4fff)])), [(0x2000, 0x4000)]);
        assert_eq!(pieces(&map(&[(0x1001, 0x1fff)])), []);
    }

    #[test]
    fn overlapping_ranges_count_once() {
        let map = map(&[(0x1000, 0x5000), (0x3000, 0x8000)]);
        assert_eq!(map.length(), 0x7000);
        assert_eq!(map.end(), 0x8000);
    }

    #[test]
    fn removing_splits_and_takes_every_page_touched() {
        let mut map = map(&[(0x1000, 0x8000)]);
        map.remove(Range { start: 0x3fff, end: 0x4001 });
        assert_eq!(pieces(&map), [(0x1000, 0x3000), (0x5000, 0x8000)]);
        map.remove(Range { start: 0, end: 0x10000 });
        assert_eq!(pieces(&map), []);
    }

    #[test]
    fn memory_is_taken_from_the_top_below_the_limit() {
        let mut map = map(&[(0x1000, 0x8000), (0x10000, 0x20000)]);
        assert_eq!(map.take(0x2000, 0x18000), Some(0x16000));
        assert_eq!(map.take(0x7000, u64::MAX), Some(0x19000));
        assert_eq!(map.take(0x7000, 0x10000), Some(0x1000));
        assert_eq!(map.take(0x7000, 0x10000), None);
    }
}
