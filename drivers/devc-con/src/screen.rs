//! The picture: two grids, the cursor, the pen, the scrolling region, tabs and modes.
//!
//! Keeps: the cursor is inside the grid; `region` is not empty and inside the grid.

use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use bitflags::bitflags;

use crate::charset::Charsets;
use crate::emulator::Setting;
use crate::grid::{Direction, Grid, Shift};
use crate::{Attributes, Cell};

bitflags! {
    /// What `CSI h` and `CSI l` switch.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Modes: u16 {
        /// Characters push the rest of the line to the right (IRM).
        const INSERT = 1;
        /// A line feed also returns the carriage (LNM).
        const NEWLINE = 2;
        /// Arrow keys send `ESC O` (DECCKM).
        const CURSOR_KEYS = 4;
        /// The whole screen is reversed (DECSCNM).
        const REVERSE = 8;
        /// Rows count from the region's top (DECOM).
        const ORIGIN = 16;
        /// Text goes on in the next line (DECAWM).
        const WRAP = 32;
        /// The cursor shows (DECTCEM).
        const CURSOR = 64;
        /// The keypad sends sequences (DECKPAM).
        const KEYPAD = 128;
        /// Pasted text is marked; known, so that it is not printed.
        const BRACKETED_PASTE = 256;
    }
}

/// What to erase, seen from the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Erase {
    After,
    Before,
    All,
}

/// Where the next character goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wrap {
    #[default]
    Here,
    /// The last column is full: it goes to the next line.
    NextLine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    row: usize,
    column: usize,
    wrap: Wrap,
}

/// What `ESC 7` keeps.
#[derive(Clone, Copy, Debug, Default)]
struct Saved {
    cursor: Cursor,
    pen: Cell,
    charsets: Charsets,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Buffer {
    Primary,
    Alternate,
}

/// Answers that nobody takes are dropped beyond this.
const ANSWER_LIMIT: usize = 256;
/// `CSI b` beyond this is a mistake of the program.
const REPEAT_LIMIT: usize = 4096;
const TAB: usize = 8;

/// The picture.
#[derive(Debug)]
pub struct Screen {
    rows: usize,
    columns: usize,
    primary: Grid,
    alternate: Grid,
    buffer: Buffer,
    cursor: Cursor,
    saved: Saved,
    region: Range<usize>,
    tabs: Vec<usize>,
    last: char,
    pub(crate) pen: Cell,
    pub(crate) modes: Modes,
    pub(crate) charsets: Charsets,
    pub(crate) answers: Vec<u8>,
}

impl Default for Screen {
    fn default() -> Self {
        Self::new(25, 80)
    }
}

impl Screen {
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        let (rows, columns) = (rows.max(1), columns.max(1));
        Self {
            rows,
            columns,
            primary: Grid::new(rows, columns),
            alternate: Grid::new(rows, columns),
            buffer: Buffer::Primary,
            cursor: Cursor::default(),
            saved: Saved::default(),
            region: 0..rows,
            tabs: (0..columns).step_by(TAB).collect(),
            last: ' ',
            pen: Cell::default(),
            modes: Modes::WRAP | Modes::CURSOR,
            charsets: Charsets::default(),
            answers: Vec::new(),
        }
    }

    /// Gives the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Gives the number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Gives the modes: the keyboard sends other sequences in some.
    #[must_use]
    pub fn modes(&self) -> Modes {
        self.modes
    }

    /// Gives the cells of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[Cell] {
        match self.buffer {
            Buffer::Primary => self.primary.row(row),
            Buffer::Alternate => self.alternate.row(row),
        }
    }

    /// Gives the cursor's row and column.
    #[must_use]
    pub fn position(&self) -> (usize, usize) {
        (self.cursor.row, self.cursor.column)
    }

    /// Gives a cell as it is to be drawn: with the cursor, and reversed if the screen is.
    #[must_use]
    pub fn shown(&self, row: usize, column: usize) -> Cell {
        let mut cell = self.row(row).get(column).copied().unwrap_or_default();
        let at_cursor = self.modes.contains(Modes::CURSOR) && (row, column) == self.position();
        if at_cursor != self.modes.contains(Modes::REVERSE) {
            cell.attributes.toggle(Attributes::REVERSE);
        }
        cell
    }

    fn grid(&mut self) -> &mut Grid {
        match self.buffer {
            Buffer::Primary => &mut self.primary,
            Buffer::Alternate => &mut self.alternate,
        }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.rows, self.columns);
    }

    pub(crate) fn answer(&mut self, bytes: &[u8]) {
        if self.answers.len() + bytes.len() <= ANSWER_LIMIT {
            self.answers.extend_from_slice(bytes);
        }
    }

    pub(crate) fn report(&mut self, what: usize) {
        match what {
            5 => self.answer(b"\x1b[0n"),
            6 => {
                let text = format!("\x1b[{};{}R", self.cursor.row + 1, self.cursor.column + 1);
                self.answer(text.as_bytes());
            }
            _ => {}
        }
    }

    pub(crate) fn put(&mut self, glyph: char) {
        // Combining marks have no cell of their own and cannot be drawn here.
        if ('\u{300}'..='\u{36f}').contains(&glyph) {
            return;
        }
        let glyph = self.charsets.map(glyph);
        if self.cursor.wrap == Wrap::NextLine && self.modes.contains(Modes::WRAP) {
            self.column_to(0);
            self.line_feed();
        }
        let (row, column) = self.position();
        if self.modes.contains(Modes::INSERT) {
            self.shift(Shift::Insert, 1);
        }
        let cell = Cell { glyph, ..self.pen };
        if let Some(slot) = self.grid().cell_mut(row, column) {
            *slot = cell;
        }
        self.last = glyph;
        if column + 1 < self.columns {
            self.column_to(column + 1);
        } else {
            self.cursor.wrap = Wrap::NextLine;
        }
    }

    pub(crate) fn repeat(&mut self, count: usize) {
        for _ in 0..count.min(REPEAT_LIMIT) {
            self.put(self.last);
        }
    }

    pub(crate) fn column_to(&mut self, column: usize) {
        self.cursor.column = column.min(self.columns - 1);
        self.cursor.wrap = Wrap::Here;
    }

    /// Moves to a row, counted from the region's top in origin mode.
    pub(crate) fn row_to(&mut self, row: usize) {
        self.cursor.row = if self.modes.contains(Modes::ORIGIN) {
            self.region.start.saturating_add(row).min(self.region.end - 1)
        } else {
            row.min(self.rows - 1)
        };
        self.cursor.wrap = Wrap::Here;
    }

    pub(crate) fn move_to(&mut self, row: usize, column: usize) {
        self.row_to(row);
        self.column_to(column);
    }

    pub(crate) fn move_columns(&mut self, steps: isize) {
        self.column_to(self.cursor.column.saturating_add_signed(steps));
    }

    /// Moves up or down; the region's edges stop a cursor that is inside.
    pub(crate) fn move_rows(&mut self, steps: isize) {
        let row = self.cursor.row;
        let target = row.saturating_add_signed(steps);
        let top = if row >= self.region.start { self.region.start } else { 0 };
        let bottom = if row < self.region.end { self.region.end } else { self.rows };
        self.cursor.row = target.clamp(top, bottom - 1);
        self.cursor.wrap = Wrap::Here;
    }

    pub(crate) fn line_feed(&mut self) {
        self.cursor.wrap = Wrap::Here;
        if self.cursor.row + 1 == self.region.end {
            self.scroll(Direction::Up, 1);
        } else if self.cursor.row + 1 < self.rows {
            self.cursor.row += 1;
        }
    }

    pub(crate) fn reverse_line_feed(&mut self) {
        self.cursor.wrap = Wrap::Here;
        if self.cursor.row == self.region.start {
            self.scroll(Direction::Down, 1);
        } else {
            self.cursor.row = self.cursor.row.saturating_sub(1);
        }
    }

    pub(crate) fn scroll(&mut self, direction: Direction, count: usize) {
        let (region, blank) = (self.region.clone(), self.pen.blank());
        self.grid().scroll(region, direction, count, blank);
    }

    /// Inserts (down) or deletes (up) lines at the cursor.
    pub(crate) fn move_lines(&mut self, direction: Direction, count: usize) {
        if !self.region.contains(&self.cursor.row) {
            return;
        }
        let (region, blank) = (self.cursor.row..self.region.end, self.pen.blank());
        self.grid().scroll(region, direction, count, blank);
        self.column_to(0);
    }

    pub(crate) fn shift(&mut self, shift: Shift, count: usize) {
        let (place, blank) = (self.position(), self.pen.blank());
        self.grid().shift(place, shift, count, blank);
        self.cursor.wrap = Wrap::Here;
    }

    pub(crate) fn erase_cells(&mut self, count: usize) {
        let (row, column) = self.position();
        let blank = self.pen.blank();
        self.grid().fill(row, column..column.saturating_add(count), blank);
    }

    pub(crate) fn erase_line(&mut self, what: Erase) {
        let (row, column) = self.position();
        let columns = match what {
            Erase::After => column..self.columns,
            Erase::Before => 0..column + 1,
            Erase::All => 0..self.columns,
        };
        let blank = self.pen.blank();
        self.grid().fill(row, columns, blank);
        self.cursor.wrap = Wrap::Here;
    }

    pub(crate) fn erase_screen(&mut self, what: Erase) {
        let row = self.cursor.row;
        let rows = match what {
            Erase::After => row + 1..self.rows,
            Erase::Before => 0..row,
            Erase::All => 0..self.rows,
        };
        let blank = self.pen.blank();
        self.grid().fill_rows(rows, blank);
        self.erase_line(what);
    }

    pub(crate) fn set_region(&mut self, top: usize, bottom: usize) {
        let region = top..bottom.min(self.rows);
        // A region has two lines at least.
        if region.len() >= 2 || self.rows < 2 {
            self.region = if self.rows < 2 { 0..self.rows } else { region };
            self.move_to(0, 0);
        }
    }

    pub(crate) fn save_cursor(&mut self) {
        self.saved = Saved { cursor: self.cursor, pen: self.pen, charsets: self.charsets };
    }

    pub(crate) fn restore_cursor(&mut self) {
        let Saved { cursor, pen, charsets } = self.saved;
        (self.cursor, self.pen, self.charsets) = (cursor, pen, charsets);
    }

    pub(crate) fn use_alternate(&mut self, setting: Setting) {
        self.buffer = match setting {
            Setting::On => Buffer::Alternate,
            Setting::Off => Buffer::Primary,
        };
    }

    pub(crate) fn tab(&mut self, count: usize) {
        let column = self.cursor.column;
        let next = self.tabs.iter().filter(|tab| **tab > column).nth(count - 1);
        self.column_to(next.copied().unwrap_or(self.columns - 1));
    }

    pub(crate) fn tab_back(&mut self, count: usize) {
        let column = self.cursor.column;
        let before = self.tabs.iter().rev().filter(|tab| **tab < column).nth(count - 1);
        self.column_to(before.copied().unwrap_or(0));
    }

    pub(crate) fn set_tab(&mut self) {
        if let Err(place) = self.tabs.binary_search(&self.cursor.column) {
            self.tabs.insert(place, self.cursor.column);
        }
    }

    /// Removes the tab here (0) or all (3).
    pub(crate) fn clear_tabs(&mut self, what: usize) {
        match what {
            0 => self.tabs.retain(|tab| *tab != self.cursor.column),
            3 => self.tabs.clear(),
            _ => {}
        }
    }

    /// `ESC # 8`: a test picture.
    pub(crate) fn fill_with_e(&mut self) {
        let rows = 0..self.rows;
        self.grid().fill_rows(rows, Cell { glyph: 'E', ..Cell::default() });
        self.move_to(0, 0);
    }
}
