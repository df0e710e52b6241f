//! The bytes that wait to be read, and where lines end among them.
//!
//! Keeps: `committed <= cells.len() <= INPUT_LIMIT`; cells beyond `committed` are the line being
//! edited and are all [`Mark::Plain`].

use alloc::collections::VecDeque;

use crate::INPUT_LIMIT;

/// What a queued byte means to a canonical reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Plain,
    /// The last byte of a line.
    LineEnd,
    /// Ends a line but is itself not delivered.
    EndOfFile,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    byte: u8,
    mark: Mark,
}

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// This byte, which belongs to the line.
    Byte(u8),
    /// The end-of-file character.
    EndOfFile,
}

/// The input queue.
#[derive(Debug)]
pub(crate) struct InputQueue {
    cells: VecDeque<Cell>,
    committed: usize,
}

impl InputQueue {
    pub(crate) fn new() -> Self {
        Self { cells: VecDeque::with_capacity(INPUT_LIMIT), committed: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn has_line(&self) -> bool {
        self.committed > 0
    }

    /// Tells if the line being edited is empty.
    pub(crate) fn is_line_start(&self) -> bool {
        self.committed == self.cells.len()
    }

    pub(crate) fn clear(&mut self) {
        self.cells.clear();
        self.committed = 0;
    }

    /// Adds a byte; a byte too many is lost.
    pub(crate) fn push(&mut self, byte: u8) {
        if self.cells.len() < INPUT_LIMIT {
            self.cells.push_back(Cell { byte, mark: Mark::Plain });
        }
    }

    /// Ends the line being edited.
    pub(crate) fn commit(&mut self, end: End) {
        let cell = match end {
            End::Byte(byte) => Cell { byte, mark: Mark::LineEnd },
            End::EndOfFile => Cell { byte: 0, mark: Mark::EndOfFile },
        };
        if self.cells.len() < INPUT_LIMIT {
            self.cells.push_back(cell);
        }
        self.committed = self.cells.len();
    }

    /// Gives the bytes of the line being edited, the newest first.
    pub(crate) fn edited(&self) -> impl DoubleEndedIterator<Item = u8> + '_ {
        self.cells.range(self.committed..).rev().map(|cell| cell.byte)
    }

    /// Removes the newest `count` bytes of the line being edited.
    pub(crate) fn erase(&mut self, count: usize) {
        let keep = self.cells.len().saturating_sub(count).max(self.committed);
        self.cells.truncate(keep);
    }

    /// Forgets where lines end: canonical mode is over.
    pub(crate) fn make_raw(&mut self) {
        for cell in &mut self.cells {
            cell.mark = Mark::Plain;
        }
        self.committed = 0;
    }

    /// Makes everything queued one line: canonical mode begins.
    ///
    /// A NUL at its end counts as the end-of-file character, as on Linux, where both are the same
    /// byte in the queue.
    pub(crate) fn make_canonical(&mut self) {
        self.make_raw();
        if let Some(last) = self.cells.back_mut() {
            last.mark = if last.byte == 0 { Mark::EndOfFile } else { Mark::LineEnd };
        }
        self.committed = self.cells.len();
    }

    /// Takes what there is, up to the size of `buffer`.
    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.cells.len());
        for (slot, cell) in buffer.iter_mut().zip(self.cells.drain(..count)) {
            *slot = cell.byte;
        }
        self.committed = self.committed.saturating_sub(count);
        count
    }

    /// Takes one line, or as much of it as fits; the caller has checked that there is one.
    ///
    /// An end-of-file mark right behind a full buffer goes with it, so that `read` does not report
    /// an end twice.
    pub(crate) fn take_line(&mut self, buffer: &mut [u8]) -> usize {
        let mut count = 0;
        while self.committed > 0 {
            let Some(cell) = self.cells.front().copied() else { break };
            if cell.mark == Mark::EndOfFile {
                self.drop_front();
                break;
            }
            let Some(slot) = buffer.get_mut(count) else { break };
            *slot = cell.byte;
            count += 1;
            self.drop_front();
            if cell.mark == Mark::LineEnd {
                break;
            }
        }
        count
    }

    fn drop_front(&mut self) {
        self.cells.pop_front();
        self.committed = self.committed.saturating_sub(1);
    }

    /// Counts the bytes that canonical readers can have (`FIONREAD`).
    pub(crate) fn committed_bytes(&self) -> usize {
        self.cells.range(..self.committed).filter(|cell| cell.mark != Mark::EndOfFile).count()
    }
}
