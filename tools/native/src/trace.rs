//! Traces as files and as text, for `tracelogger` and `traceprinter`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use neutrino_rt::Errno;
use neutrino_rt::abi::calls::name_of;
use neutrino_rt::abi::info::state;
use neutrino_rt::abi::trace::{FileHead, Kind, MAGIC, Record, VERSION, class, unpack};
use zerocopy::FromBytes;

const RECORD_SIZE: u32 = 32;
const _: () = assert!(RECORD_SIZE as usize == size_of::<Record>());

/// The head of a file with these records.
#[must_use]
pub fn head(count: usize, lost: u64) -> FileHead {
    FileHead { magic: MAGIC, version: VERSION, record_size: RECORD_SIZE, count: count as u64, lost }
}

/// The records of a file, and how many were lost.
///
/// # Errors
/// A sentence about what is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, u64), String> {
    let (head, rest) =
        FileHead::read_from_prefix(bytes).map_err(|_| "it is too short".to_string())?;
    if head.magic != MAGIC {
        return Err("it is no trace".to_string());
    }
    if head.version != VERSION || head.record_size as usize != size_of::<Record>() {
        return Err(format!("its version is {} and not {VERSION}", head.version));
    }
    let records: Vec<Record> = rest
        .chunks_exact(size_of::<Record>())
        .filter_map(|r| Record::read_from_bytes(r).ok())
        .collect();
    if records.len() as u64 != head.count {
        return Err(format!("{} of its {} records are there", records.len(), head.count));
    }
    Ok((records, head.lost))
}

/// A set of classes by names with commas between them, or QNX's numbers of `-F` (1: kernel calls,
/// 2: interrupts, 3: processes, 4: threads, 6: communication, 7: system).
#[must_use]
pub fn classes(text: &str) -> Option<u32> {
    const NUMBERS: [(&str, u32); 6] = [
        ("1", class::KERCALL),
        ("2", class::INT),
        ("3", class::PROCESS),
        ("4", class::THREAD),
        ("6", class::COMM),
        ("7", class::SYSTEM),
    ];
    let one = |word: &str| {
        let known = class::NAMES.iter().chain(&NUMBERS).find(|(name, _)| *name == word);
        known.map(|(_, class)| *class)
    };
    text.split(',').try_fold(0, |set, word| one(word).map(|class| set | class))
}

/// What a trace has told so far of who is who.
#[derive(Debug, Default)]
pub struct Names {
    processes: BTreeMap<u32, String>,
    threads: BTreeMap<u32, (u32, String)>,
    /// The call that each thread is in.
    calls: BTreeMap<u32, u16>,
}

impl Names {
    /// Learns from a record.
    pub fn learn(&mut self, record: &Record) {
        let name = || {
            let bytes = record.name();
            let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
        };
        match record.kind() {
            Some(Kind::ProcessName) => {
                self.processes.insert(record.tid, name());
            }
            Some(Kind::ThreadCreate) => {
                let (_, pid) = unpack(record.first);
                self.threads.insert(record.tid, (pid, String::new()));
            }
            Some(Kind::ThreadName) => {
                self.threads.entry(record.tid).or_default().1 = name();
            }
            Some(Kind::CallEnter) => {
                self.calls.insert(record.tid, record.detail);
            }
            Some(_) | None => {}
        }
    }

    /// The process of a thread.
    #[must_use]
    pub fn owner(&self, tid: u32) -> u32 {
        self.threads.get(&tid).map_or(tid, |(pid, _)| *pid)
    }

    /// The name of a thread's process.
    #[must_use]
    pub fn process_of(&self, tid: u32) -> &str {
        self.process(self.owner(tid))
    }

    /// The name of a process.
    #[must_use]
    pub fn process(&self, pid: u32) -> &str {
        self.processes.get(&pid).map_or("?", String::as_str)
    }

    /// Name, pid, and tid where it is not the pid.
    #[must_use]
    pub fn thread(&self, tid: u32) -> String {
        if tid == 0 {
            return "-".to_string();
        }
        let (pid, own) = self.threads.get(&tid).map_or((tid, ""), |(pid, own)| (*pid, own));
        let name = if own.is_empty() { self.process(pid) } else { own };
        if pid == tid { format!("{name}[{pid}]") } else { format!("{name}[{pid}.{tid}]") }
    }

    fn server(&self, word: u64) -> String {
        let (pid, chid) = unpack(word);
        format!("{}[{pid}] chid {chid}", self.process(pid))
    }
}

/// One line for a record, which the names have learnt from already.
#[must_use]
pub fn line(names: &Names, record: &Record) -> String {
    let Record { time, cpu, tid, .. } = *record;
    let kind = record.kind().map_or("?", Kind::name);
    let (seconds, rest) = (time / 1_000_000_000, time % 1_000_000_000);
    let thread = names.thread(tid);
    let text = record.kind().map_or_else(String::new, |kind| text(names, record, kind));
    let line = format!("{seconds:>4}.{rest:09} {cpu} {kind:<13} {thread:<22} {text}");
    line.trim_end().to_string()
}

fn text(names: &Names, record: &Record, kind: Kind) -> String {
    let Record { detail, first, second, .. } = *record;
    let (upper, lower) = unpack(second);
    let message = || match io_msg::kind::name(detail) {
        "?" => format!("type {detail:#x}"),
        name => name.to_string(),
    };
    match kind {
        Kind::Start => {
            let names = class::NAMES.iter().filter(|(_, class)| first & u64::from(*class) != 0);
            names.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
        }
        Kind::Lost => format!("{first} records"),
        Kind::CallEnter => format!("{}({first:#x}, {second:#x})", call(detail)),
        Kind::CallExit => {
            let number = names.calls.get(&record.tid).copied().unwrap_or_default();
            let number = if detail == 0 { number } else { detail };
            format!("{} = {}", call(number), result(first.cast_signed()))
        }
        Kind::State => state_text(names, record),
        Kind::Priority => format!("{first} to {detail}, its own {second}"),
        Kind::Send => {
            format!("{} to {}, coid {upper}, {lower} bytes", message(), names.server(first))
        }
        Kind::Receive => {
            format!("{} from {}, chid {lower}, rcvid {first:#x}", message(), names.thread(upper))
        }
        Kind::Reply => {
            format!("to {}, status {}, rcvid {first:#x}", names.thread(upper), lower.cast_signed())
        }
        Kind::Error => {
            let errno = result(-i64::from(detail));
            format!("to {}, {errno}, rcvid {first:#x}", names.thread(upper))
        }
        Kind::Pulse => {
            format!("code {}, value {first:#x} to {}", code(detail), names.server(second))
        }
        Kind::PulseReceive => {
            format!("code {}, value {first:#x}, chid {lower}, {upper} times", code(detail))
        }
        Kind::Interrupt => format!("line {detail}"),
        Kind::Fault => format!("trap {detail} at {first:#x}, error {second:#x}"),
        Kind::ThreadCreate => format!("of process {first}, priority {detail}"),
        Kind::User => format!("code {detail}: {first:#x}, {second:#x}"),
        Kind::Stop
        | Kind::Timer
        | Kind::Reschedule
        | Kind::ProcessCreate
        | Kind::ProcessName
        | Kind::ProcessEnd
        | Kind::ThreadName
        | Kind::ThreadEnd => String::new(),
    }
}

fn state_text(names: &Names, record: &Record) -> String {
    let (priority, before) = unpack(record.second);
    let number = u32::from(record.detail);
    let on = match number {
        state::SEND | state::REPLY => format!(" on {}", names.server(record.first)),
        state::RECEIVE => format!(" chid {}", record.first),
        state::MUTEX => format!(" of {}", names.thread(unpack(record.first).1)),
        _ => String::new(),
    };
    format!("{}{on}, was {}, priority {priority}", state::name(number), state::name(before))
}

/// The name of a kernel call.
#[must_use]
pub fn call(number: u16) -> String {
    match name_of(number.into()) {
        Some(name) => name.to_string(),
        None => format!("call {number:#x}"),
    }
}

fn result(value: i64) -> String {
    match Errno::split(value) {
        Ok(value) => format!("{value}"),
        Err(errno) => format!("{errno:?}"),
    }
}

/// Codes of pulses are signed bytes.
fn code(detail: u16) -> i8 {
    let [low, _] = detail.to_le_bytes();
    low.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neutrino_rt::abi::trace::{name_words, pack};
    use zerocopy::IntoBytes;

    fn record(kind: Kind, tid: u32, detail: u16, first: u64, second: u64) -> Record {
        Record { time: 1_000_000_002, kind: kind as u8, cpu: 0, detail, tid, first, second }
    }

    fn named() -> Names {
        let mut names = Names::default();
        for (pid, name) in
            [(5, b"fs-boot\0\0\0\0\0\0\0\0\0"), (9, b"cat\0\0\0\0\0\0\0\0\0\0\0\0\0")]
        {
            let (first, second) = name_words(name);
            names.learn(&record(Kind::ProcessName, pid, 0, first, second));
        }
        names.learn(&record(Kind::ThreadCreate, 0x40_0401, 10, 5, 0));
        names
    }

    #[test]
    fn a_message_is_told_with_both_names_and_its_type() {
        let send = record(Kind::Send, 9, io_msg::kind::IO_READ, pack(5, 1), pack(3, 24));
        let text = line(&named(), &send);
        assert_eq!(
            text,
            "   1.000000002 0 SEND          cat[9]                 IO_READ to fs-boot[5] chid 1, coid 3, 24 bytes"
        );
        let receive = record(Kind::Receive, 0x40_0401, io_msg::kind::IO_READ, 0x10009, pack(9, 1));
        assert!(line(&named(), &receive).contains("fs-boot[5.4195329]"), "{text}");
    }

    #[test]
    fn the_end_of_a_wait_is_told_with_the_call_that_waited() {
        let mut names = named();
        names.learn(&record(Kind::CallEnter, 9, 0x100c, 3, 0));
        let exit = record(Kind::CallExit, 9, 0, Errno::ENOENT.to_result().cast_unsigned(), 0);
        assert!(line(&names, &exit).ends_with("MsgSend = ENOENT"), "{}", line(&names, &exit));
    }

    #[test]
    fn a_file_comes_back_as_it_was_written_and_a_cut_one_is_refused() {
        let records = [record(Kind::Timer, 0, 0, 0, 0), record(Kind::Stop, 9, 0, 0, 0)];
        let bytes = [head(2, 7).as_bytes(), records.as_bytes()].concat();
        assert_eq!(parse(&bytes), Ok((records.to_vec(), 7)));
        assert!(parse(bytes.get(..bytes.len() - 1).unwrap()).is_err());
        assert!(parse(b"").is_err());
    }

    #[test]
    fn classes_go_by_name_or_by_qnxs_number() {
        assert_eq!(classes("comm,1"), Some(class::COMM | class::KERCALL));
        assert_eq!(classes("comm,5"), None);
    }
}
