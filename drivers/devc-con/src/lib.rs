//! The parts of `devc-con` that need no machine: the terminal emulator, its picture, the keyboard.
//!
//! [`Emulator`] turns bytes into a grid of cells as `TERM=linux` describes it; [`Renderer`] draws
//! the cells that changed on any [`Surface`]; [`Keyboard`] turns scan codes into bytes.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release builds"
)]

extern crate alloc;

mod boxes;
mod cell;
mod charset;
mod emulator;
mod grid;
mod keyboard;
mod palette_filter;
mod render;
mod screen;
mod sgr;

pub use cell::{Attributes, Cell, Colour};
pub use emulator::Emulator;
pub use keyboard::{Keyboard, Typed};
pub use render::{CELL_HEIGHT, CELL_WIDTH, Renderer, Surface};
pub use screen::{Modes, Screen};
