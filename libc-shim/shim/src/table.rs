//! The table of Linux calls: what each is answered by, and how well. The last section of
//! `docs/limits.md` is made from it.

use crate::block::Restart;
use crate::dispatch::{Args, Caller};
use crate::rows::ROWS;
use crate::sys::{Errno, Outcome};

/// Carries out a call.
pub(crate) type Handler = fn(&mut Caller<'_>, Args) -> Outcome;

/// How far a call does what Linux does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// All that programs were seen to use.
    Supported,
    /// With these limits.
    Partial(&'static str),
    /// It fails with this error.
    Refused(Errno),
}

/// A call.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) handler: Handler,
    /// What becomes of it if a signal interrupts it.
    pub(crate) restart: Restart,
    pub(crate) support: Support,
}

/// Numbers run below this.
const NUMBERS: usize = 512;

/// Position in [`ROWS`] plus one, by number; 0: no such call.
static POSITIONS: [u16; NUMBERS] = positions();

#[allow(clippy::cast_possible_truncation, reason = "there are fewer than 512 rows")]
const fn positions() -> [u16; NUMBERS] {
    let mut positions = [0; NUMBERS];
    let mut at = 0;
    while at < ROWS.len() {
        positions[ROWS[at].number as usize] = at as u16 + 1;
        at += 1;
    }
    positions
}

/// The row of a call.
pub(crate) fn find(number: u64) -> Option<&'static Row> {
    let position = usize::from(*POSITIONS.get(crate::block::index(number))?);
    ROWS.get(position.checked_sub(1)?)
}

/// The section of `docs/limits.md` that the table makes.
#[cfg(not(target_os = "none"))]
#[derive(Debug)]
pub(crate) struct Limits;

#[cfg(not(target_os = "none"))]
impl core::fmt::Display for Limits {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(f, "{HEADING}\n")?;
        writeln!(f, "Made by `cargo run -p libc-shim` of `libc-shim/shim/src/rows.rs`.\n")?;
        let count =
            |wanted: fn(&Support) -> bool| ROWS.iter().filter(|row| wanted(&row.support)).count();
        let supported = count(|support| matches!(support, Support::Supported));
        let partial = count(|support| matches!(support, Support::Partial(_)));
        let refused = count(|support| matches!(support, Support::Refused(_)));
        writeln!(
            f,
            "{supported} calls are supported, {partial} with limits, {refused} are refused.\n"
        )?;
        writeln!(f, "| number | call | support |\n| --- | --- | --- |")?;
        for row in ROWS {
            let (number, name) = (row.number, row.name);
            match row.support {
                Support::Supported => writeln!(f, "| {number} | {name} | yes |")?,
                Support::Partial(limits) => writeln!(f, "| {number} | {name} | {limits} |")?,
                Support::Refused(error) => writeln!(f, "| {number} | {name} | no: {error} |")?,
            }
        }
        Ok(())
    }
}

#[cfg(not(target_os = "none"))]
const HEADING: &str = "## Linux calls";

#[cfg(not(target_os = "none"))]
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/limits.md");

/// The page as it should be, from the page as it is.
#[cfg(not(target_os = "none"))]
fn page(now: &str) -> String {
    let by_hand = now.split_once(HEADING).map_or(now, |(by_hand, _)| by_hand);
    format!("{}\n\n{Limits}", by_hand.trim_end())
}

/// Writes the section anew.
#[cfg(not(target_os = "none"))]
pub(crate) fn write_page() -> std::io::Result<()> {
    std::fs::write(PAGE, page(&std::fs::read_to_string(PAGE)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_limits_is_up_to_date() {
        let now = std::fs::read_to_string(PAGE).unwrap();
        assert!(now == page(&now), "run `cargo run -p libc-shim`");
    }

    #[test]
    fn every_row_is_found_by_its_number_and_comes_in_order() {
        for pair in ROWS.windows(2) {
            assert!(pair[0].number < pair[1].number, "{}", pair[1].name);
        }
        for row in ROWS {
            assert_eq!(find(u64::from(row.number)).unwrap().name, row.name);
        }
        assert!(find(511).is_none());
        assert!(find(1 << 40).is_none());
    }
}
