//! A grid of cells and the ways in which parts of it move.
//!
//! Keeps: `cells.len() == rows * columns`. Positions outside are ignored, never a panic.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::Cell;

/// Which way lines move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

/// Which way the rest of a line moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    /// To the right: room is made.
    Insert,
    /// To the left: cells go away.
    Delete,
}

/// A grid of cells.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    rows: usize,
    columns: usize,
    cells: Vec<Cell>,
}

impl Grid {
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        Self { rows, columns, cells: vec![Cell::default(); rows * columns] }
    }

    pub(crate) fn row(&self, row: usize) -> &[Cell] {
        let start = row * self.columns;
        self.cells.get(start..start + self.columns).unwrap_or(&[])
    }

    fn row_mut(&mut self, row: usize) -> &mut [Cell] {
        let start = row * self.columns;
        self.cells.get_mut(start..start + self.columns).unwrap_or(&mut [])
    }

    pub(crate) fn cell_mut(&mut self, row: usize, column: usize) -> Option<&mut Cell> {
        self.row_mut(row).get_mut(column)
    }

    /// Fills part of a row.
    pub(crate) fn fill(&mut self, row: usize, columns: Range<usize>, blank: Cell) {
        let end = columns.end.min(self.columns);
        if let Some(cells) = self.row_mut(row).get_mut(columns.start..end) {
            cells.fill(blank);
        }
    }

    /// Fills whole rows.
    pub(crate) fn fill_rows(&mut self, rows: Range<usize>, blank: Cell) {
        for row in rows {
            self.row_mut(row).fill(blank);
        }
    }

    /// Moves the lines of `region` by `count`; blanks come in at the other end.
    pub(crate) fn scroll(
        &mut self,
        region: Range<usize>,
        direction: Direction,
        count: usize,
        blank: Cell,
    ) {
        let region = region.start..region.end.min(self.rows);
        let count = count.min(region.len());
        let span = region.start * self.columns..region.end * self.columns;
        let distance = count * self.columns;
        let Some(cells) = self.cells.get_mut(span) else { return };
        match direction {
            Direction::Up => {
                cells.copy_within(distance.., 0);
                self.fill_rows(region.end - count..region.end, blank);
            }
            Direction::Down => {
                cells.copy_within(..cells.len() - distance, distance);
                self.fill_rows(region.start..region.start + count, blank);
            }
        }
    }

    /// Moves the rest of a row, from `column`, by `count` cells.
    pub(crate) fn shift(
        &mut self,
        (row, column): (usize, usize),
        shift: Shift,
        count: usize,
        blank: Cell,
    ) {
        let Some(rest) = self.row_mut(row).get_mut(column..) else { return };
        let count = count.min(rest.len());
        let kept = rest.len() - count;
        let freed = match shift {
            Shift::Insert => {
                rest.copy_within(..kept, count);
                0..count
            }
            Shift::Delete => {
                rest.copy_within(count.., 0);
                kept..rest.len()
            }
        };
        if let Some(cells) = rest.get_mut(freed) {
            cells.fill(blank);
        }
    }
}
