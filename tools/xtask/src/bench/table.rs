//! The tables for people, in Markdown.

use super::record::{Peers, Record};

/// A table; ratios below 1 are better than the peer. Columns without any figure are left out.
pub(super) fn markdown(records: &[Record]) -> String {
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| records.iter().any(|r| (column.cell)(r).is_some()))
        .collect();
    let mut text = String::from("| measure | here |");
    for column in &columns {
        text += &format!(" {} |", column.head);
    }
    text += &format!("\n| --- | ---: |{}\n", " ---: |".repeat(columns.len()));
    for record in records.iter().filter(|record| record.is_shown()) {
        let here = record.value.map_or("unsupported".to_owned(), |value| format!("{value}"));
        text += &format!("| {} | {here} |", record.measure);
        for column in &columns {
            text += &format!(" {} |", (column.cell)(record).unwrap_or_default());
        }
        text += "\n";
    }
    text
}

struct Column {
    head: &'static str,
    cell: fn(&Record) -> Option<String>,
}

const COLUMNS: [Column; 6] = [
    Column { head: "Linux", cell: |record| peer(record, |peers| peers.linux) },
    Column { head: "ratio", cell: |record| ratio(record, |peers| peers.linux) },
    Column { head: "Linux RT", cell: |record| peer(record, |peers| peers.linux_rt) },
    Column { head: "ratio", cell: |record| ratio(record, |peers| peers.linux_rt) },
    Column { head: "seL4", cell: |record| peer(record, |peers| peers.sel4) },
    Column { head: "ratio", cell: |record| ratio(record, |peers| peers.sel4) },
];

fn peer(record: &Record, of: fn(&Peers) -> Option<f64>) -> Option<String> {
    of(&record.peers).map(|value| format!("{value}"))
}

fn ratio(record: &Record, of: fn(&Peers) -> Option<f64>) -> Option<String> {
    record.ratio(of(&record.peers)).map(|ratio| format!("{ratio:.2}"))
}

/// Puts `text` between the marks `<!-- NAME -->` and `<!-- end of NAME -->` of a page.
pub(super) fn replace(page: &str, name: &str, text: &str) -> Option<String> {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let from = page.find(&start)? + start.len();
    let to = from + page.get(from..)?.find(&end)?;
    Some(format!("{}{text}{}", page.get(..from)?, page.get(to..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record;

    #[test]
    fn a_table_has_the_peers_that_there_are() {
        let peers = toml::from_str("[read_1]\nlinux = 1000\n").unwrap();
        let records = record::read("read_1 500\neventfd_rt unsupported 38\n", "bench", &peers);
        let expected = "| measure | here | Linux | ratio |\n| --- | ---: | ---: | ---: |\n\
            | read_1 | 500 | 1000 | 0.50 |\n| eventfd_rt | unsupported |  |  |\n";
        assert_eq!(markdown(&records), expected);
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = "a\n<!-- t -->\nold\n<!-- end of t -->\nb\n";
        let new = replace(page, "t", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- t -->\nnew\n<!-- end of t -->\nb\n");
        assert_eq!(replace(page, "u", "new\n"), None);
    }
}
