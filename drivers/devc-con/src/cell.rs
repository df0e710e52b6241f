//! One character cell: its glyph, its colours and how it is drawn.

use bitflags::bitflags;

/// A colour as programs name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// The terminal's own: light grey on black.
    #[default]
    Default,
    /// One of 256: 16 named, a cube of 216, 24 greys.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

bitflags! {
    /// How a cell is drawn.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Attributes: u8 {
        /// Bold, and bright if the colour is one of the first eight.
        const BOLD = 1;
        /// At half brightness.
        const DIM = 2;
        /// Drawn as dim: there is no slanted font.
        const ITALIC = 4;
        /// With a line below.
        const UNDERLINE = 8;
        /// Kept, not shown: nothing blinks here.
        const BLINK = 16;
        /// Colours exchanged.
        const REVERSE = 32;
        /// Not drawn.
        const HIDDEN = 64;
        /// With a line through it.
        const STRIKE = 128;
    }
}

/// One character cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The character.
    pub glyph: char,
    /// The colour of the character.
    pub foreground: Colour,
    /// The colour behind it.
    pub background: Colour,
    /// How it is drawn.
    pub attributes: Attributes,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            glyph: ' ',
            foreground: Colour::Default,
            background: Colour::Default,
            attributes: Attributes::empty(),
        }
    }
}

impl Cell {
    /// Gives the blank that erasing with this pen leaves: only the background stays.
    #[must_use]
    pub fn blank(self) -> Self {
        Self { background: self.background, ..Self::default() }
    }
}

/// The first sixteen colours, as the Linux console has them.
const NAMED: [u32; 16] = [
    0x00_0000, 0xaa_0000, 0x00_aa00, 0xaa_5500, 0x00_00aa, 0xaa_00aa, 0x00_aaaa, 0xaa_aaaa,
    0x55_5555, 0xff_5555, 0x55_ff55, 0xff_ff55, 0x55_55ff, 0xff_55ff, 0x55_ffff, 0xff_ffff,
];

/// Gives the colour of an index as 0xRRGGBB: xterm's cube and greys above the named ones.
fn indexed(index: u8) -> u32 {
    let index = usize::from(index);
    if let Some(named) = NAMED.get(index) {
        return *named;
    }
    if index >= 232 {
        let level = u32::try_from(8 + (index - 232) * 10).unwrap_or(0);
        return level << 16 | level << 8 | level;
    }
    let level = |step: usize| {
        let step = u32::try_from(step % 6).unwrap_or(0);
        if step == 0 { 0 } else { 55 + 40 * step }
    };
    let cube = index - 16;
    level(cube / 36) << 16 | level(cube / 6) << 8 | level(cube)
}

impl Cell {
    /// Gives the colours to draw with, foreground first, as 0xRRGGBB.
    #[must_use]
    pub fn colours(self) -> (u32, u32) {
        let bold = self.attributes.contains(Attributes::BOLD);
        let foreground = match self.foreground {
            Colour::Default => {
                if bold {
                    NAMED[15]
                } else {
                    NAMED[7]
                }
            }
            Colour::Indexed(index @ 0..8) if bold => indexed(index + 8),
            Colour::Indexed(index) => indexed(index),
            Colour::Rgb(red, green, blue) => u32::from_be_bytes([0, red, green, blue]),
        };
        let background = match self.background {
            Colour::Default => NAMED[0],
            Colour::Indexed(index) => indexed(index),
            Colour::Rgb(red, green, blue) => u32::from_be_bytes([0, red, green, blue]),
        };
        let dim = self.attributes.intersects(Attributes::DIM | Attributes::ITALIC) && !bold;
        let foreground = if dim { foreground >> 1 & 0x7f_7f7f } else { foreground };
        let hidden = self.attributes.contains(Attributes::HIDDEN);
        let foreground = if hidden { background } else { foreground };
        if self.attributes.contains(Attributes::REVERSE) {
            (background, foreground)
        } else {
            (foreground, background)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cube_and_the_greys_are_xterms() {
        assert_eq!(indexed(16), 0);
        assert_eq!(indexed(21), 0x00_00ff);
        assert_eq!(indexed(196), 0xff_0000);
        assert_eq!(indexed(231), 0xff_ffff);
        assert_eq!(indexed(232), 0x08_0808);
        assert_eq!(indexed(255), 0xee_eeee);
    }

    #[test]
    fn reverse_exchanges_and_bold_brightens() {
        let mut cell = Cell { foreground: Colour::Indexed(1), ..Cell::default() };
        assert_eq!(cell.colours(), (0xaa_0000, 0));
        cell.attributes = Attributes::BOLD | Attributes::REVERSE;
        assert_eq!(cell.colours(), (0, 0xff_5555));
    }
}
