//! Draws the cells that changed since the last picture.
//!
//! What the surface shows is remembered, so a burst of output costs one comparison of the grid and
//! the pixels that differ; the surface is never read.

use alloc::vec;
use alloc::vec::Vec;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::boxes::{self, Patch};
use crate::{Attributes, Cell, Screen};

/// Pixels per cell, across.
pub const CELL_WIDTH: usize = get_raster_width(FontWeight::Regular, RasterHeight::Size16);
/// Pixels per cell, down.
pub const CELL_HEIGHT: usize = 16;

/// Where pixels go: 32 bits each, 0xRRGGBB.
pub trait Surface {
    /// Writes a run of pixels of one row, the first at `x`.
    fn put(&mut self, x: usize, y: usize, pixels: &[u32]);
}

/// Draws a screen on a surface.
#[derive(Debug)]
pub struct Renderer {
    /// What each cell shows; nothing before it was drawn first.
    shown: Vec<Option<Cell>>,
    columns: usize,
}

type Glyph = [[u8; CELL_WIDTH]; CELL_HEIGHT];

impl Renderer {
    /// Makes a renderer for a screen of this size, all of it to be drawn.
    #[must_use]
    pub fn new(rows: usize, columns: usize) -> Self {
        Self { shown: vec![None; rows * columns], columns }
    }

    /// Gives the rows and columns that fit on a surface of this size in pixels.
    #[must_use]
    pub const fn fit(width: usize, height: usize) -> (usize, usize) {
        (height / CELL_HEIGHT, width / CELL_WIDTH)
    }

    /// Draws what changed.
    pub fn draw(&mut self, screen: &Screen, surface: &mut impl Surface) {
        for (index, shown) in self.shown.iter_mut().enumerate() {
            let (row, column) = (index / self.columns, index % self.columns);
            let cell = screen.shown(row, column);
            if *shown != Some(cell) {
                *shown = Some(cell);
                draw_cell(cell, (column * CELL_WIDTH, row * CELL_HEIGHT), surface);
            }
        }
    }
}

fn draw_cell(cell: Cell, (x, y): (usize, usize), surface: &mut impl Surface) {
    let (foreground, background) = cell.colours();
    let glyph = glyph(cell);
    for (line, intensities) in glyph.iter().enumerate() {
        let pixels = intensities.map(|intensity| blend(foreground, background, intensity));
        surface.put(x, y + line, &pixels);
    }
}

/// Gives the intensities of a cell's pixels.
fn glyph(cell: Cell) -> Glyph {
    let mut glyph = [[0; CELL_WIDTH]; CELL_HEIGHT];
    if let Some(drawing) = boxes::drawing(cell.glyph) {
        for patch in drawing.patches.into_iter().flatten() {
            fill(&mut glyph, patch, drawing.intensity);
        }
    } else if cell.glyph != ' ' {
        let bold = cell.attributes.contains(Attributes::BOLD);
        let weight = if bold { FontWeight::Bold } else { FontWeight::Regular };
        let raster = get_raster(cell.glyph, weight, RasterHeight::Size16)
            .or_else(|| get_raster('\u{fffd}', weight, RasterHeight::Size16));
        for (target, source) in glyph.iter_mut().zip(raster.iter().flat_map(|one| one.rows())) {
            for (slot, intensity) in target.iter_mut().zip(source) {
                *slot = *intensity;
            }
        }
    }
    for (attribute, line) in [(Attributes::UNDERLINE, CELL_HEIGHT - 2), (Attributes::STRIKE, 8)] {
        if cell.attributes.contains(attribute) {
            glyph.iter_mut().skip(line).take(1).for_each(|row| row.fill(255));
        }
    }
    glyph
}

fn fill(glyph: &mut Glyph, patch: Patch, intensity: u8) {
    let scale = |eighths: u8, pixels: usize| (usize::from(eighths) * pixels).div_ceil(8);
    let (top, bottom) = (scale(patch.y.0, CELL_HEIGHT), scale(patch.y.1, CELL_HEIGHT));
    let (left, right) = (scale(patch.x.0, CELL_WIDTH), scale(patch.x.1, CELL_WIDTH));
    for row in glyph.iter_mut().take(bottom).skip(top) {
        row.iter_mut().take(right).skip(left).for_each(|pixel| *pixel = intensity);
    }
}

/// Mixes two colours; 255 is all foreground.
fn blend(foreground: u32, background: u32, intensity: u8) -> u32 {
    let mix = |shift: u32| {
        let (from, to) = (background >> shift & 0xff, foreground >> shift & 0xff);
        let share = u32::from(intensity);
        ((from * (255 - share) + to * share) / 255) << shift
    };
    match intensity {
        0 => background,
        255 => foreground,
        _ => mix(16) | mix(8) | mix(0),
    }
}
