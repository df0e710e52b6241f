//! Echo, and the erasing of characters, words and lines from the queue and from the screen.

use crate::line::Printing;
use crate::output::{Kind, is_continuation};
use crate::{Id, Line, LocalFlags};

/// How much is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Erase {
    Character,
    Word,
    Line,
}

/// Whether a tab precedes, and how many columns follow it: what erasing a tab must know.
enum Before {
    Tab(usize),
    LineStart(usize),
}

impl Line {
    /// Echoes a byte; with `ECHOCTL` a control character is shown as `^X`.
    pub(crate) fn echo(&mut self, byte: u8) {
        let shown = self.termios.local.contains(LocalFlags::ECHOCTL);
        if shown && byte.is_ascii_control() && byte != b'\t' {
            if self.output.put_raw(&[b'^', byte ^ 0x40], Kind::Echo) {
                self.output.advance(2);
            }
        } else if byte == 0xff {
            // N_TTY counts this one even where output is not processed.
            if self.output.put_raw(&[byte], Kind::Echo) {
                self.output.advance(1);
            }
        } else {
            self.echo_raw(byte);
        }
    }

    /// Closes an erasure printed with `ECHOPRT`.
    pub(crate) fn finish_erasing(&mut self) {
        match self.printing {
            Printing::Text => {}
            Printing::Erasure => {
                self.echo_raw(b'/');
                self.printing = Printing::Text;
            }
        }
    }

    /// Shows the line being edited again, on a new line.
    pub(crate) fn reprint(&mut self, byte: u8) {
        self.finish_erasing();
        self.echo(byte);
        self.echo_raw(b'\n');
        // The queue and the echo are both parts of `self`; the line is at most 4,095 bytes.
        let line: alloc::vec::Vec<u8> = self.input.edited().rev().collect();
        for byte in line {
            self.echo(byte);
        }
    }

    /// Erases a character, a word or the whole line being edited.
    pub(crate) fn erase(&mut self, what: Erase) {
        if self.input.is_line_start() {
            return;
        }
        if what == Erase::Line && self.kill_without_wiping() {
            return;
        }
        let mut seen_word = Word::NotYet;
        while let Some(size) = self.last_character() {
            let first = self.input.edited().nth(size - 1).unwrap_or(0);
            if what == Erase::Word {
                if first.is_ascii_alphanumeric() || first == b'_' || is_latin1_letter(first) {
                    seen_word = Word::Seen;
                } else if seen_word == Word::Seen {
                    break;
                }
            }
            self.erase_one(what, size, first);
            if what == Erase::Character {
                break;
            }
        }
        let echoing = self.termios.local.contains(LocalFlags::ECHO);
        if self.input.is_line_start() && echoing {
            self.finish_erasing();
        }
    }

    /// Kills the line where the screen is not to be wiped character by character.
    fn kill_without_wiping(&mut self) -> bool {
        let local = self.termios.local;
        let wiping = LocalFlags::ECHOK | LocalFlags::ECHOKE | LocalFlags::ECHOE;
        if local.contains(LocalFlags::ECHO) && local.contains(wiping) {
            return false;
        }
        self.input.erase(usize::MAX);
        if local.contains(LocalFlags::ECHO) {
            self.finish_erasing();
            self.echo(self.termios.character(Id::Kill).unwrap_or(0));
            if local.contains(LocalFlags::ECHOK) {
                self.echo_raw(b'\n');
            }
        }
        true
    }

    /// Gives the number of bytes of the last character; nothing if there is no whole one.
    fn last_character(&self) -> Option<usize> {
        let start = self.input.edited().position(|byte| !is_continuation(byte, &self.termios));
        start.map(|position| position + 1)
    }

    /// Removes one character of `size` bytes that begins with `first`, and wipes it.
    fn erase_one(&mut self, what: Erase, size: usize, first: u8) {
        let local = self.termios.local;
        if local.contains(LocalFlags::ECHO) && local.contains(LocalFlags::ECHOPRT) {
            self.print_erased(size, first);
            self.input.erase(size);
            return;
        }
        self.input.erase(size);
        if !local.contains(LocalFlags::ECHO) {
            return;
        }
        let shown = local.contains(LocalFlags::ECHOCTL);
        if what == Erase::Character && !local.contains(LocalFlags::ECHOE) {
            self.echo(self.termios.character(Id::Erase).unwrap_or(0));
        } else if first == b'\t' {
            self.wipe_tab();
        } else if first.is_ascii_control() {
            if shown {
                self.wipe_cell();
                self.wipe_cell();
            }
        } else {
            self.wipe_cell();
        }
    }

    fn print_erased(&mut self, size: usize, first: u8) {
        if self.printing == Printing::Text {
            self.echo_raw(b'\\');
            self.printing = Printing::Erasure;
        }
        self.echo(first);
        let rest: alloc::vec::Vec<u8> = self.input.edited().take(size - 1).collect();
        for byte in rest.into_iter().rev() {
            self.echo_raw(byte);
            self.output.step_back();
        }
    }

    fn wipe_cell(&mut self) {
        for byte in [0x08, b' ', 0x08] {
            self.echo_raw(byte);
        }
    }

    /// Moves the cursor back over a tab: to the column where it began.
    fn wipe_tab(&mut self) {
        let columns = match self.columns_before() {
            Before::Tab(columns) => columns,
            Before::LineStart(columns) => columns + self.output.canonical_column(),
        };
        for _ in 0..8 - columns % 8 {
            if self.output.put_raw(&[0x08], Kind::Echo) {
                self.output.step_back();
            }
        }
    }

    fn columns_before(&self) -> Before {
        let mut columns = 0;
        for byte in self.input.edited() {
            if byte == b'\t' {
                return Before::Tab(columns);
            }
            if byte.is_ascii_control() {
                if self.termios.local.contains(LocalFlags::ECHOCTL) {
                    columns += 2;
                }
            } else if !is_continuation(byte, &self.termios) {
                columns += 1;
            }
        }
        Before::LineStart(columns)
    }
}

/// Whether word erase has met the word yet, or only what follows it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    NotYet,
    Seen,
}

/// Tells if Linux's `isalnum` takes the byte for a letter of Latin-1, which word erase asks.
fn is_latin1_letter(byte: u8) -> bool {
    byte >= 0xc0 && byte != 0xd7 && byte != 0xf7
}
