//! `struct winsize` as Linux x86-64 lays it out (`TIOCGWINSZ`).

/// `struct winsize`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSize {
    /// Rows of characters.
    pub rows: u16,
    /// Columns of characters.
    pub columns: u16,
    /// Width in pixels, or 0.
    pub width: u16,
    /// Height in pixels, or 0.
    pub height: u16,
}

impl WindowSize {
    /// Bytes of `struct winsize`.
    pub const SIZE: usize = 8;

    /// Lays the size out as `struct winsize`.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [a, b] = self.rows.to_le_bytes();
        let [c, d] = self.columns.to_le_bytes();
        let [e, f] = self.width.to_le_bytes();
        let [g, h] = self.height.to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// Reads `struct winsize`.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self {
            rows: u16::from_le_bytes([a, b]),
            columns: u16::from_le_bytes([c, d]),
            width: u16::from_le_bytes([e, f]),
            height: u16::from_le_bytes([g, h]),
        }
    }
}
