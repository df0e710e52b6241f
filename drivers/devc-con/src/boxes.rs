//! Lines, corners and blocks, which the font has not: drawn as rectangles.

use core::ops::Range;

/// A rectangle in eighths of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) x: (u8, u8),
    pub(crate) y: (u8, u8),
}

/// How a patch covers what is behind it: a shade is a share of its intensity, out of 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drawing {
    pub(crate) patches: [Option<Patch>; 4],
    pub(crate) intensity: u8,
}

const LEFT: u8 = 1;
const RIGHT: u8 = 2;
const UP: u8 = 4;
const DOWN: u8 = 8;

/// The arms of the lines and corners; double and heavy lines are drawn as single ones.
const ARMS: [(Range<u32>, u8); 23] = [
    (0x2500..0x2502, LEFT | RIGHT),
    (0x2502..0x2504, UP | DOWN),
    (0x2504..0x2506, LEFT | RIGHT),
    (0x2506..0x2508, UP | DOWN),
    (0x250c..0x2510, RIGHT | DOWN),
    (0x2510..0x2514, LEFT | DOWN),
    (0x2514..0x2518, RIGHT | UP),
    (0x2518..0x251c, LEFT | UP),
    (0x251c..0x2524, UP | DOWN | RIGHT),
    (0x2524..0x252c, UP | DOWN | LEFT),
    (0x252c..0x2534, LEFT | RIGHT | DOWN),
    (0x2534..0x253c, LEFT | RIGHT | UP),
    (0x253c..0x254c, LEFT | RIGHT | UP | DOWN),
    (0x2550..0x2551, LEFT | RIGHT),
    (0x2551..0x2552, UP | DOWN),
    (0x2552..0x2555, RIGHT | DOWN),
    (0x2555..0x2558, LEFT | DOWN),
    (0x2558..0x255b, RIGHT | UP),
    (0x255b..0x255e, LEFT | UP),
    (0x255e..0x2561, UP | DOWN | RIGHT),
    (0x2561..0x2564, UP | DOWN | LEFT),
    (0x2564..0x2567, LEFT | RIGHT | DOWN),
    (0x2567..0x256a, LEFT | RIGHT | UP),
];

/// Gives the rectangles of a glyph that is drawn so.
pub(crate) fn drawing(glyph: char) -> Option<Drawing> {
    let code = u32::from(glyph);
    let full = |patch| Some(Drawing { patches: [Some(patch), None, None, None], intensity: 255 });
    match code {
        0x2500..0x2580 => lines(code),
        0x2580 => full(Patch { x: (0, 8), y: (0, 4) }),
        0x2581..=0x2588 => {
            let height = u8::try_from(code - 0x2580).unwrap_or(8);
            full(Patch { x: (0, 8), y: (8 - height, 8) })
        }
        0x2589..=0x258f => {
            let width = u8::try_from(0x2590 - code).unwrap_or(8);
            full(Patch { x: (0, width), y: (0, 8) })
        }
        0x2590 => full(Patch { x: (4, 8), y: (0, 8) }),
        0x2591..=0x2593 => {
            let patch = Patch { x: (0, 8), y: (0, 8) };
            let intensity = u8::try_from((code - 0x2590) * 64).unwrap_or(128);
            Some(Drawing { patches: [Some(patch), None, None, None], intensity })
        }
        _ => None,
    }
}

fn lines(code: u32) -> Option<Drawing> {
    let known = ARMS.iter().find(|(range, _)| range.contains(&code)).map(|(_, arms)| *arms);
    let rounded = [RIGHT | DOWN, LEFT | DOWN, LEFT | UP, RIGHT | UP];
    let index = code.checked_sub(0x256d).and_then(|index| usize::try_from(index).ok());
    let curved = index.and_then(|index| rounded.get(index)).copied();
    let cross = (0x256a..0x256d).contains(&code).then_some(LEFT | RIGHT | UP | DOWN);
    let arms = known.or(curved).or(cross)?;
    let arm = |bit: u8, patch: Patch| (arms & bit != 0).then_some(patch);
    Some(Drawing {
        patches: [
            arm(LEFT, Patch { x: (0, 5), y: (4, 5) }),
            arm(RIGHT, Patch { x: (4, 8), y: (4, 5) }),
            arm(UP, Patch { x: (4, 5), y: (0, 5) }),
            arm(DOWN, Patch { x: (4, 5), y: (4, 8) }),
        ],
        intensity: 255,
    })
}
