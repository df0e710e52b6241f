//! Bytes to actions: the parser of escape sequences, and which action each one is.

use vte::{Params, Parser, Perform};

use crate::charset::{Charset, Slot};
use crate::grid::{Direction, Shift};
use crate::palette_filter::PaletteFilter;
use crate::screen::{Erase, Modes, Screen};
use crate::sgr;

/// A terminal as `TERM=linux` describes it.
#[derive(Default)]
pub struct Emulator {
    parser: Parser,
    filter: PaletteFilter,
    screen: Screen,
}

impl core::fmt::Debug for Emulator {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Emulator").field("screen", &self.screen).finish_non_exhaustive()
    }
}

impl Emulator {
    /// Makes a blank terminal of this size.
    #[must_use]
    pub fn new(rows: usize, columns: usize) -> Self {
        Self { screen: Screen::new(rows, columns), ..Self::default() }
    }

    /// Gives the picture.
    #[must_use]
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Shows `bytes`.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let seen = self.filter.pass(*byte);
            self.parser.advance(&mut self.screen, seen);
        }
    }

    /// Takes what the terminal answers to questions (`CSI 6 n`): it goes where keys go.
    pub fn take_answers(&mut self) -> alloc::vec::Vec<u8> {
        core::mem::take(&mut self.screen.answers)
    }
}

/// Gives parameter `index`, or `default` where it is missing or 0.
fn parameter(parameters: &Params, index: usize, default: usize) -> usize {
    let group = parameters.iter().nth(index);
    let value = group.and_then(|group| group.first()).copied().unwrap_or(0);
    if value == 0 { default } else { usize::from(value) }
}

impl Perform for Screen {
    fn print(&mut self, glyph: char) {
        self.put(glyph);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            0x08 => self.move_columns(-1),
            0x09 => self.tab(1),
            0x0a..=0x0c => {
                self.line_feed();
                if self.modes.contains(Modes::NEWLINE) {
                    self.column_to(0);
                }
            }
            0x0d => self.column_to(0),
            0x0e => self.charsets.select(Slot::G1),
            0x0f => self.charsets.select(Slot::G0),
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _ignore: bool, byte: u8) {
        match (intermediates, byte) {
            ([], b'c') => self.reset(),
            ([], b'D') => self.line_feed(),
            ([], b'E') => {
                self.column_to(0);
                self.line_feed();
            }
            ([], b'H') => self.set_tab(),
            ([], b'M') => self.reverse_line_feed(),
            ([], b'Z') => self.answer(b"\x1b[?6c"),
            ([], b'7') => self.save_cursor(),
            ([], b'8') => self.restore_cursor(),
            ([], b'=') => self.modes.insert(Modes::KEYPAD),
            ([], b'>') => self.modes.remove(Modes::KEYPAD),
            ([b'#'], b'8') => self.fill_with_e(),
            ([b'('], set) => self.charsets.set(Slot::G0, charset(set)),
            ([b')'], set) => self.charsets.set(Slot::G1, charset(set)),
            _ => {}
        }
    }

    fn csi_dispatch(
        &mut self,
        parameters: &Params,
        intermediates: &[u8],
        _ignore: bool,
        action: char,
    ) {
        match intermediates {
            [] => self.standard(parameters, action),
            [b'?'] => self.private(parameters, action),
            [b'!'] if action == 'p' => self.reset(),
            _ => {}
        }
    }
}

fn charset(name: u8) -> Charset {
    if name == b'0' { Charset::Drawing } else { Charset::Unicode }
}

impl Screen {
    /// `CSI` without a mark.
    fn standard(&mut self, parameters: &Params, action: char) {
        let count = parameter(parameters, 0, 1);
        let steps = isize::try_from(count).unwrap_or(isize::MAX);
        match action {
            'A' => self.move_rows(-steps),
            'B' | 'e' => self.move_rows(steps),
            'C' | 'a' => self.move_columns(steps),
            'D' => self.move_columns(-steps),
            'E' => {
                self.move_rows(steps);
                self.column_to(0);
            }
            'F' => {
                self.move_rows(-steps);
                self.column_to(0);
            }
            'G' | '`' => self.column_to(count - 1),
            'H' | 'f' => self.move_to(count - 1, parameter(parameters, 1, 1) - 1),
            'I' => self.tab(count),
            'Z' => self.tab_back(count),
            'd' => self.row_to(count - 1),
            's' => self.save_cursor(),
            'u' => self.restore_cursor(),
            _ => self.edit(parameters, action, count),
        }
    }

    /// The sequences that change cells, modes or regions.
    fn edit(&mut self, parameters: &Params, action: char, count: usize) {
        match action {
            '@' => self.shift(Shift::Insert, count),
            'P' => self.shift(Shift::Delete, count),
            'X' => self.erase_cells(count),
            'J' => self.erase_screen(erase(parameter(parameters, 0, 0))),
            'K' => self.erase_line(erase(parameter(parameters, 0, 0))),
            'L' => self.move_lines(Direction::Down, count),
            'M' => self.move_lines(Direction::Up, count),
            'S' => self.scroll(Direction::Up, count),
            'T' => self.scroll(Direction::Down, count),
            'b' => self.repeat(count),
            'c' => self.answer(b"\x1b[?6c"),
            'g' => self.clear_tabs(parameter(parameters, 0, 0)),
            'h' => self.set_modes(parameters, Setting::On),
            'l' => self.set_modes(parameters, Setting::Off),
            'm' => sgr::apply(&mut self.pen, parameters),
            'n' => self.report(parameter(parameters, 0, 0)),
            'r' => self.set_region(count - 1, parameter(parameters, 1, usize::MAX)),
            _ => {}
        }
    }

    /// `CSI ?`: DEC's private modes.
    fn private(&mut self, parameters: &Params, action: char) {
        let setting = match action {
            'h' => Setting::On,
            'l' => Setting::Off,
            'J' => return self.erase_screen(erase(parameter(parameters, 0, 0))),
            'K' => return self.erase_line(erase(parameter(parameters, 0, 0))),
            _ => return,
        };
        for group in parameters {
            self.private_mode(group.first().copied().unwrap_or(0), setting);
        }
    }

    fn set_modes(&mut self, parameters: &Params, setting: Setting) {
        for group in parameters {
            match group.first() {
                Some(4) => self.modes.set(Modes::INSERT, setting == Setting::On),
                Some(20) => self.modes.set(Modes::NEWLINE, setting == Setting::On),
                Some(_) | None => {}
            }
        }
    }

    fn private_mode(&mut self, mode: u16, setting: Setting) {
        let on = setting == Setting::On;
        match mode {
            1 => self.modes.set(Modes::CURSOR_KEYS, on),
            5 => self.modes.set(Modes::REVERSE, on),
            6 => {
                self.modes.set(Modes::ORIGIN, on);
                self.move_to(0, 0);
            }
            7 => self.modes.set(Modes::WRAP, on),
            25 => self.modes.set(Modes::CURSOR, on),
            47 | 1047 => self.use_alternate(setting),
            1048 if on => self.save_cursor(),
            1048 => self.restore_cursor(),
            1049 if on => {
                self.save_cursor();
                self.use_alternate(setting);
                self.erase_screen(Erase::All);
            }
            1049 => {
                self.use_alternate(setting);
                self.restore_cursor();
            }
            2004 => self.modes.set(Modes::BRACKETED_PASTE, on),
            _ => {}
        }
    }
}

/// Whether a mode is set or reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    On,
    Off,
}

fn erase(number: usize) -> Erase {
    match number {
        0 => Erase::After,
        1 => Erase::Before,
        _ => Erase::All,
    }
}

#[cfg(test)]
#[path = "emulator_tests.rs"]
mod tests;
