//! How many messages a command takes: by client, server and type. What the trace's own tools and
//! their start and end take is left out.

use std::collections::BTreeSet;
use std::ops::Range;

use native_tools::trace::Names;
use neutrino_abi::trace::{Kind, Record, unpack};

use super::{CONTROLLER, kind};

/// One kind of exchange.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    client: String,
    server: String,
    message: String,
    count: u32,
}

/// A table for people, in the order in which they first came.
pub(super) fn table(records: &[Record]) -> String {
    let rows = rows(records);
    let mut text =
        String::from("| client | server | message | exchanges |\n| --- | --- | --- | ---: |\n");
    for Row { client, server, message, count } in &rows {
        text += &format!("| {client} | {server} | {message} | {count} |\n");
    }
    let sum: u32 = rows.iter().map(|row| row.count).sum();
    text + &format!("| all | | | {sum} |\n")
}

fn rows(records: &[Record]) -> Vec<Row> {
    let (mut names, mut rows) = (Names::default(), Vec::<Row>::new());
    let window = window(records);
    for (at, record) in records.iter().enumerate() {
        names.learn(record);
        if kind(record) != Kind::Send || !window.contains(&at) {
            continue;
        }
        let client = names.process_of(record.tid).to_owned();
        let server = names.process(unpack(record.first).0).to_owned();
        let message = match io_msg::kind::name(record.detail) {
            "?" => format!("{:#x}", record.detail),
            name => name.to_owned(),
        };
        let same =
            |row: &&mut Row| row.client == client && row.server == server && row.message == message;
        match rows.iter_mut().find(same) {
            Some(row) => row.count += 1,
            None => rows.push(Row { client, server, message, count: 1 }),
        }
    }
    rows
}

/// The records of the command: behind the end of the first tool that controls the trace, before the
/// shell forks for the last.
fn window(records: &[Record]) -> Range<usize> {
    let mut names = Names::default();
    let mut tools = BTreeSet::new();
    for record in records {
        names.learn(record);
        if kind(record) == Kind::ProcessName && names.process(record.tid) == CONTROLLER {
            tools.insert(record.tid);
        }
    }
    let is_of = |record: &Record, what: Kind| kind(record) == what && tools.contains(&record.tid);
    let is_send =
        |record: &Record, message: u16| kind(record) == Kind::Send && record.detail == message;
    let from = records
        .iter()
        .position(|record| is_of(record, Kind::Send) && is_send(record, io_msg::kind::PROC_EXIT))
        .map_or(0, |at| at + 1);
    let born = records.iter().rposition(|record| is_of(record, Kind::ProcessCreate));
    let to = born.filter(|born| *born > from).and_then(|born| {
        records[..born].iter().rposition(|record| is_send(record, io_msg::kind::PROC_FORK))
    });
    from..to.unwrap_or(records.len())
}

#[cfg(test)]
mod tests {
    use neutrino_abi::trace::{name_words, pack};

    use super::*;
    use crate::trace::tests::{exchange, padded, record};

    #[test]
    fn what_the_tools_do_is_left_out() {
        let mut records = exchange();
        let tool = record(0, Kind::ProcessName, 20, 0, name_words(&padded(CONTROLLER)));
        let send = |tid, message| record(0, Kind::Send, tid, message, (pack(5, 1), 0));
        let kinds = [io_msg::kind::PROC_EXIT, io_msg::kind::PROC_FORK];
        let before = [tool, send(9, kinds[1]), send(20, kinds[0])];
        let born = record(0, Kind::ProcessCreate, 21, 0, (0, 0));
        let named = Record { tid: 21, ..tool };
        records.splice(0..0, before);
        records.extend([send(9, kinds[1]), born, named, send(21, kinds[0])]);
        let text = table(&records);
        assert!(!text.contains("PROC_"), "{text}");
        assert!(text.ends_with("| all | | | 2 |\n"), "{text}");
    }

    #[test]
    fn messages_are_counted_by_client_server_and_type() {
        let mut records = exchange();
        let sends: Vec<Record> =
            records.iter().copied().filter(|record| kind(record) == Kind::Send).collect();
        records.extend(sends);
        let text = table(&records);
        assert!(text.contains("| cat | fs-boot | IO_READ | 2 |"), "{text}");
        assert!(text.contains("| cat | fs-boot | IO_CLOSE | 2 |"), "{text}");
        assert!(text.ends_with("| all | | | 4 |\n"), "{text}");
    }
}
