//! The Linux console's two palette sequences, which end unlike every other `ESC ]` sequence.
//!
//! `ESC ] P nrrggbb` and `ESC ] R` have no terminator; a parser that follows ECMA-48 would swallow
//! the text behind them. They are taken out before it sees them. Colours stay as they are.

/// How far into such a sequence the stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    Bracket,
    /// So many digits are still to come.
    Digits(u8),
}

/// Digits of `ESC ] P`.
const DIGITS: u8 = 7;

/// The filter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PaletteFilter {
    state: State,
}

impl PaletteFilter {
    /// Takes a byte; gives what the parser shall see of it and of what was held back.
    pub(crate) fn pass(&mut self, byte: u8) -> &'static [u8] {
        let (state, held): (_, &'static [u8]) = match (self.state, byte) {
            (State::Text, 0x1b) => (State::Escape, &[]),
            (State::Text, _) => (State::Text, single(byte)),
            (State::Escape, b']') => (State::Bracket, &[]),
            (State::Escape, 0x1b) => (State::Escape, &[0x1b]),
            (State::Escape, _) => (State::Text, escaped(byte)),
            (State::Bracket, b'P') => (State::Digits(DIGITS), &[]),
            (State::Bracket, b'R') => (State::Text, &[]),
            (State::Bracket, _) => return self.end_bracket(byte),
            (State::Digits(1), _) => (State::Text, &[]),
            (State::Digits(left), _) if byte.is_ascii_hexdigit() => (State::Digits(left - 1), &[]),
            (State::Digits(_), _) => (State::Text, single(byte)),
        };
        self.state = state;
        held
    }

    fn end_bracket(&mut self, byte: u8) -> &'static [u8] {
        self.state = State::Text;
        TRIPLES.get(usize::from(byte)).map_or(&[], |triple| triple)
    }
}

const fn table<const LENGTH: usize>(start: [u8; LENGTH]) -> [[u8; LENGTH]; 256] {
    let mut table = [start; 256];
    let mut byte = 0;
    #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
    #[allow(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
    while byte < 256 {
        table[byte][LENGTH - 1] = byte as u8;
        byte += 1;
    }
    table
}

static SINGLES: [[u8; 1]; 256] = table([0]);
static PAIRS: [[u8; 2]; 256] = table([0x1b, 0]);
static TRIPLES: [[u8; 3]; 256] = table([0x1b, b']', 0]);

fn single(byte: u8) -> &'static [u8] {
    SINGLES.get(usize::from(byte)).map_or(&[], |single| single)
}

fn escaped(byte: u8) -> &'static [u8] {
    PAIRS.get(usize::from(byte)).map_or(&[], |pair| pair)
}
