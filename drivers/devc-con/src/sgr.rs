//! `CSI m`: colours and attributes.

use vte::Params;

use crate::{Attributes, Cell, Colour};

/// Applies all parameters of one `CSI m` to the pen.
pub(crate) fn apply(pen: &mut Cell, parameters: &Params) {
    let mut parameters = parameters.iter();
    while let Some(group) = parameters.next() {
        match group.first().copied().unwrap_or(0) {
            code @ (38 | 48) => {
                // Both spellings: `38:5:n` in one group, `38;5;n` in several.
                let colour = if group.len() > 1 {
                    extended(&mut group.iter().skip(1).copied())
                } else {
                    extended(&mut parameters.by_ref().filter_map(|group| group.first().copied()))
                };
                match (code, colour) {
                    (38, Some(colour)) => pen.foreground = colour,
                    (_, Some(colour)) => pen.background = colour,
                    (_, None) => {}
                }
            }
            code => simple(pen, code),
        }
    }
}

/// Reads `5;n` or `2;r;g;b`.
fn extended(numbers: &mut dyn Iterator<Item = u16>) -> Option<Colour> {
    let byte = |numbers: &mut dyn Iterator<Item = u16>| {
        numbers.next().map(|number| u8::try_from(number).unwrap_or(u8::MAX))
    };
    match numbers.next()? {
        5 => Some(Colour::Indexed(byte(numbers)?)),
        2 => Some(Colour::Rgb(byte(numbers)?, byte(numbers)?, byte(numbers)?)),
        _ => None,
    }
}

fn simple(pen: &mut Cell, code: u16) {
    let index = |base: u16| u8::try_from(code - base).unwrap_or(0);
    match code {
        0 => *pen = Cell::default(),
        1 => pen.attributes.insert(Attributes::BOLD),
        2 => pen.attributes.insert(Attributes::DIM),
        3 => pen.attributes.insert(Attributes::ITALIC),
        4 | 21 => pen.attributes.insert(Attributes::UNDERLINE),
        5 | 6 => pen.attributes.insert(Attributes::BLINK),
        7 => pen.attributes.insert(Attributes::REVERSE),
        8 => pen.attributes.insert(Attributes::HIDDEN),
        9 => pen.attributes.insert(Attributes::STRIKE),
        22 => pen.attributes.remove(Attributes::BOLD | Attributes::DIM),
        23 => pen.attributes.remove(Attributes::ITALIC),
        24 => pen.attributes.remove(Attributes::UNDERLINE),
        25 => pen.attributes.remove(Attributes::BLINK),
        27 => pen.attributes.remove(Attributes::REVERSE),
        28 => pen.attributes.remove(Attributes::HIDDEN),
        29 => pen.attributes.remove(Attributes::STRIKE),
        30..=37 => pen.foreground = Colour::Indexed(index(30)),
        39 => pen.foreground = Colour::Default,
        40..=47 => pen.background = Colour::Indexed(index(40)),
        49 => pen.background = Colour::Default,
        90..=97 => pen.foreground = Colour::Indexed(index(90) + 8),
        100..=107 => pen.background = Colour::Indexed(index(100) + 8),
        _ => {}
    }
}
