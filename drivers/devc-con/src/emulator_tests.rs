//! Golden tests of the emulator: bytes in, text and cursor out.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Attributes, CELL_HEIGHT, CELL_WIDTH, Colour, Emulator, Renderer, Surface};

fn shown(rows: usize, columns: usize, bytes: &[u8]) -> (Vec<String>, (usize, usize)) {
    let mut emulator = Emulator::new(rows, columns);
    emulator.feed(bytes);
    let screen = emulator.screen();
    let text = (0..rows)
        .map(|row| {
            let line: String = screen.row(row).iter().map(|cell| cell.glyph).collect();
            String::from(line.trim_end())
        })
        .collect();
    (text, screen.position())
}

#[track_caller]
fn check(bytes: &[u8], rows: &[&str], position: (usize, usize)) {
    let (text, at) = shown(rows.len(), 8, bytes);
    assert_eq!(text, rows);
    assert_eq!(at, position);
}

#[test]
fn text_wraps_and_scrolls() {
    check(b"hello", &["hello", ""], (0, 5));
    check(b"hello world", &["hello wo", "rld"], (1, 3));
    check(b"one\r\ntwo\r\nthree", &["two", "three"], (1, 5));
    check(b"12345678", &["12345678", ""], (0, 7));
    check(b"12345678\r\nx", &["12345678", "x"], (1, 1));
    check(b"\x1b[?7l123456789", &["12345679", ""], (0, 7));
}

#[test]
fn the_cursor_moves_and_stops_at_the_edges() {
    check(b"\x1b[2;3Hx\x1b[Ay", &["   y", "  x"], (0, 4));
    check(b"\x1b[99;99Hx\x1b[5Dy\x1b[99A", &["", "  y    x"], (0, 3));
    check(b"ab\x08c\rd\x1b[4Ge\tf", &["dc e   f", ""], (0, 7));
    check(b"\x1b7abc\x1b8x\x1b[2dy\x1b[1`z", &["xbc", "zy"], (1, 1));
}

#[test]
fn erasing_takes_what_it_should() {
    check(b"abcdef\x1b[3D\x1b[K", &["abc", ""], (0, 3));
    check(b"abcdef\x1b[3D\x1b[1K", &["    ef", ""], (0, 3));
    check(b"abc\r\ndef\x1b[2J", &["", ""], (1, 3));
    check(b"abc\r\ndef\x1b[H\x1b[J", &["", ""], (0, 0));
    check(b"abc\r\ndef\x1b[2;2H\x1b[1J", &["", "  f"], (1, 1));
    check(b"abcdef\r\x1b[2X", &["  cdef", ""], (0, 0));
}

#[test]
fn characters_and_lines_are_inserted_and_deleted() {
    check(b"abcdef\r\x1b[2@x", &["x abcdef"], (0, 1));
    check(b"abcdef\r\x1b[2P", &["cdef"], (0, 0));
    check(b"abc\r\x1b[4hx\x1b[4ly", &["xybc"], (0, 2));
    check(b"a\r\nb\r\nc\x1b[2;1H\x1b[L", &["a", "", "b"], (1, 0));
    check(b"a\r\nb\r\nc\x1b[1;1H\x1b[M", &["b", "c", ""], (0, 0));
}

#[test]
fn only_the_region_scrolls() {
    check(b"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3H\n", &["a", "c", "", "d"], (2, 0));
    check(b"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[2H\x1bM", &["a", "", "b", "d"], (1, 0));
    check(b"a\r\nb\r\nc\x1b[S", &["b", "c", ""], (2, 1));
    check(b"\x1b[2;3r\x1b[?6h\x1b[1;1Hx\x1b[9;1Hy", &["", "x", "y", ""], (2, 1));
}

#[test]
fn the_alternate_screen_leaves_the_first_as_it_was() {
    check(b"abc\x1b[?1049h\x1b[Hxyz\x1b[?1049l", &["abc", ""], (0, 3));
    check(b"abc\x1b[?1049h\x1b[Hxyz", &["xyz", ""], (0, 3));
}

#[test]
fn colours_and_attributes_are_kept_per_cell() {
    let mut emulator = Emulator::new(1, 8);
    emulator.feed(b"\x1b[1;31;44ma\x1b[0;38;5;200mb\x1b[48;2;1;2;3mc\x1b[39;49;7;97md\x1b[me");
    let row = emulator.screen().row(0);
    assert_eq!((row[0].foreground, row[0].background), (Colour::Indexed(1), Colour::Indexed(4)));
    assert_eq!(row[0].attributes, Attributes::BOLD);
    assert_eq!((row[1].foreground, row[1].attributes), (Colour::Indexed(200), Attributes::empty()));
    assert_eq!(row[2].background, Colour::Rgb(1, 2, 3));
    assert_eq!((row[3].foreground, row[3].attributes), (Colour::Indexed(15), Attributes::REVERSE));
    assert_eq!(row[4].foreground, Colour::Default);
}

#[test]
fn line_drawing_comes_with_the_drawing_set() {
    check(b"\x1b(0lqk\x1b(Bq", &["┌─┐q"], (0, 4));
    check(b"\x1b)0\x0ex\x0fx", &["│x"], (0, 2));
}

#[test]
fn questions_are_answered() {
    let mut emulator = Emulator::new(5, 20);
    emulator.feed(b"\x1b[2;7H\x1b[6n\x1b[c");
    assert_eq!(emulator.take_answers(), b"\x1b[2;7R\x1b[?6c");
    assert!(emulator.take_answers().is_empty());
}

#[test]
fn palette_sequences_swallow_no_text() {
    check(b"a\x1b]Rb\x1b]P1ff00ffc", &["abc"], (0, 3));
    check(b"a\x1b]0;title\x07b", &["ab"], (0, 2));
    check(b"a\x1b\x1b[Cb", &["a b"], (0, 3));
}

#[test]
fn broken_sequences_never_panic() {
    let mut state = 1_u32;
    let mut emulator = Emulator::new(3, 5);
    let alphabet =
        b"\x1b[?;0123456789hlrHABCDJKLMPXSTmnc@dG\x1b\x1b[[;;9\r\n\tab\x08\x0e(0\xc3\xa4";
    for _ in 0..200_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let index = usize::try_from(state >> 16).unwrap_or(0) % alphabet.len();
        emulator.feed(&alphabet[index..=index]);
        let (row, column) = emulator.screen().position();
        assert!(row < 3 && column < 5);
    }
    for (rows, columns) in [(0, 0), (1, 1), (1, 2), (2, 1)] {
        let mut tiny = Emulator::new(rows, columns);
        tiny.feed(b"abc\n\x1b[5;5Hx\x1b[2;3r\n\x1b[L\x1b[M\x1bM\x1b[J\x1b[9@\t");
    }
}

/// Pixels in memory.
struct Memory {
    width: usize,
    pixels: Vec<u32>,
    written: usize,
}

impl Surface for Memory {
    fn put(&mut self, x: usize, y: usize, pixels: &[u32]) {
        let start = y * self.width + x;
        self.pixels[start..start + pixels.len()].copy_from_slice(pixels);
        self.written += pixels.len();
    }
}

#[test]
fn only_cells_that_changed_are_drawn() {
    let mut emulator = Emulator::new(2, 4);
    let mut renderer = Renderer::new(2, 4);
    let (width, cell) = (4 * CELL_WIDTH, CELL_WIDTH * CELL_HEIGHT);
    let pixels = alloc::vec![1; width * 2 * CELL_HEIGHT];
    let mut memory = Memory { width, pixels, written: 0 };
    renderer.draw(emulator.screen(), &mut memory);
    assert_eq!(memory.written, 8 * cell);
    assert!(memory.pixels.iter().all(|pixel| *pixel != 1));
    emulator.feed(b"x");
    renderer.draw(emulator.screen(), &mut memory);
    // The new character, and the cursor behind it.
    assert_eq!(memory.written, 10 * cell);
    renderer.draw(emulator.screen(), &mut memory);
    assert_eq!(memory.written, 10 * cell);
}

#[test]
fn a_line_is_drawn_from_edge_to_edge() {
    let mut emulator = Emulator::new(1, 2);
    let mut renderer = Renderer::new(1, 2);
    emulator.feed("\x1b[?25l──".as_bytes());
    let width = 2 * CELL_WIDTH;
    let mut memory = Memory { width, pixels: alloc::vec![0; width * CELL_HEIGHT], written: 0 };
    renderer.draw(emulator.screen(), &mut memory);
    assert!(memory.pixels.chunks(width).any(|row| row.iter().all(|pixel| *pixel == 0xaa_aaaa)));
}
