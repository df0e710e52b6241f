//! Character sets: which one is in use, and the line drawing set of the DEC VT100.

/// A character set that `ESC (` and `ESC )` name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Charset {
    /// Unicode as it comes.
    #[default]
    Unicode,
    /// `0`: lines and corners in the place of small letters.
    Drawing,
}

/// Which of the two sets is in use (`SI`, `SO`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Slot {
    #[default]
    G0,
    G1,
}

/// The two sets and the choice between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charsets {
    g0: Charset,
    g1: Charset,
    active: Slot,
}

impl Charsets {
    pub(crate) fn select(&mut self, slot: Slot) {
        self.active = slot;
    }

    pub(crate) fn set(&mut self, slot: Slot, charset: Charset) {
        match slot {
            Slot::G0 => self.g0 = charset,
            Slot::G1 => self.g1 = charset,
        }
    }

    pub(crate) fn map(&self, glyph: char) -> char {
        let charset = match self.active {
            Slot::G0 => self.g0,
            Slot::G1 => self.g1,
        };
        match charset {
            Charset::Unicode => glyph,
            Charset::Drawing => drawing(glyph),
        }
    }
}

/// The characters from 0x60 to 0x7e of the drawing set.
const DRAWING: [char; 31] = [
    '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─', '⎼',
    '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
];

fn drawing(glyph: char) -> char {
    let index = u32::from(glyph).checked_sub(0x60).and_then(|index| usize::try_from(index).ok());
    index.and_then(|index| DRAWING.get(index)).copied().unwrap_or(glyph)
}
