//! `cargo xtask trace`: one command in the system, with everything that the kernel does for it.
//!
//! The system boots under `--icount`, so that two runs give the same trace; `tracelogger` there writes
//! it, and it comes back behind the command's own output. `json` makes of it what Perfetto opens,
//! `exchanges` counts messages.

mod exchanges;
mod json;

use std::fs;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use native_tools::trace::parse;
use neutrino_abi::trace::{Kind, Record};

use crate::cli::TraceOptions;
use crate::workspace::Workspace;

/// What stands between the command's output and the trace, which is in hexadecimal digits: a serial
/// line keeps text only.
const MARK: &str = "@@@ the trace @@@";

/// The program that the guest's script controls the trace with.
const CONTROLLER: &str = "tracectl";

/// Traces a command, and writes and prints what comes of it.
///
/// # Errors
/// When the system cannot be built or booted, or gives no trace.
pub(crate) fn command(workspace: &Workspace, options: &TraceOptions) -> Result<ExitCode> {
    let mut run = Command::new(std::env::current_exe()?);
    run.current_dir(&workspace.root).env("CARGO_TARGET_DIR", &workspace.target);
    run.arg("--manifest").arg(&workspace.manifest);
    run.args(["run", "--direct", "--icount", "--timeout", &options.timeout.to_string()]);
    for file in &options.content.add {
        run.args(["--add", file]);
    }
    run.args(["--exec", &script(&options.exec)]);
    let output = run.stderr(Stdio::inherit()).output().context("starting xtask run")?;
    let (said, trace) = split(&output.stdout)
        .with_context(|| format!("the run ended without a trace ({})", output.status))?;
    std::io::stdout().write_all(said)?;
    let bytes = bytes(trace)?;
    let (records, lost) = parse(&bytes).map_err(|why| anyhow!("the trace: {why}"))?;
    if lost != 0 {
        bail!("{lost} records were lost: the trace would have holes");
    }
    let text = serde_json::to_string(&json::events(&records))?;
    fs::write(&options.output, text)
        .with_context(|| format!("writing {}", options.output.display()))?;
    if let Some(raw) = &options.raw {
        fs::write(raw, &bytes).with_context(|| format!("writing {}", raw.display()))?;
    }
    print!("{}", exchanges::table(&records));
    eprintln!("{}: {} events", options.output.display(), records.len());
    let status = output.status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(status.unwrap_or(1)))
}

/// The guest's side.
fn script(command: &str) -> String {
    format!(
        "tracelogger -f /tmp/.trace.kev &\n/bin/{CONTROLLER} -w\n{command}\nstatus=$?\n\
         /bin/{CONTROLLER} -s\nwait\n\
         echo '{MARK}'\nxxd -p /tmp/.trace.kev\nexit $status"
    )
}

/// The command's own output, and the trace behind the mark.
fn split(output: &[u8]) -> Option<(&[u8], &[u8])> {
    let mark = MARK.as_bytes();
    let at = output.windows(mark.len()).rposition(|window| window == mark)?;
    Some((&output[..at], &output[at + mark.len()..]))
}

/// What pairs of hexadecimal digits say; line ends are left out.
fn bytes(digits: &[u8]) -> Result<Vec<u8>> {
    let digits: Vec<u8> =
        digits.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let text = std::str::from_utf8(&digits)?;
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..(at + 2).min(text.len())], 16))
        .collect::<Result<_, _>>()
        .context("the trace is no hexadecimal text")
}

/// The kind of a record; those of a later version tell nothing here.
fn kind(record: &Record) -> Kind {
    record.kind().unwrap_or(Kind::User)
}

#[cfg(test)]
pub(crate) mod tests {
    use neutrino_abi::info::state;
    use neutrino_abi::trace::{name_words, pack};

    use super::*;

    pub(crate) fn record(
        time: u64,
        kind: Kind,
        tid: u32,
        detail: u16,
        words: (u64, u64),
    ) -> Record {
        let (first, second) = words;
        Record { time, kind: kind as u8, cpu: 0, detail, tid, first, second }
    }

    pub(crate) fn padded(name: &str) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes
    }

    /// `cat` (9) reads from `fs-boot` (5), whose answer it has at the end.
    pub(crate) fn exchange() -> Vec<Record> {
        let [running, receive, reply, ready] =
            [state::RUNNING, state::RECEIVE, state::REPLY, state::READY]
                .map(|state| u16::try_from(state).unwrap());
        let mut records = Vec::new();
        for (pid, name) in [(5, "fs-boot"), (9, "cat")] {
            records.push(record(900, Kind::ProcessCreate, pid, 0, (0, 0)));
            records.push(record(900, Kind::ProcessName, pid, 0, name_words(&padded(name))));
            records.push(record(900, Kind::ThreadCreate, pid, 10, (pid.into(), 0)));
        }
        let read = io_msg::kind::IO_READ;
        let server = pack(5, 1);
        records.extend([
            record(900, Kind::State, 5, receive, (1, pack(10, 5))),
            record(1000, Kind::State, 9, running, (0, pack(10, 2))),
            record(1100, Kind::CallEnter, 9, 0x1005, (3, 0)),
            record(1150, Kind::CallExit, 9, 0x1005, (0, 0)),
            record(2000, Kind::CallEnter, 9, 0x100c, (3, 0)),
            record(2000, Kind::Send, 9, read, (server, pack(3, 24))),
            record(2000, Kind::Receive, 5, read, (0x10009, pack(9, 1))),
            record(2000, Kind::State, 9, reply, (server, pack(10, 1))),
            record(2000, Kind::CallExit, 5, 0, (0x10009, 0)),
            record(2000, Kind::State, 5, ready, (0, pack(10, 5))),
            record(2300, Kind::State, 5, running, (0, pack(10, 2))),
            record(3000, Kind::Reply, 5, 0, (0x10009, pack(9, 4))),
            record(3000, Kind::CallExit, 9, 0, (4, 0)),
            record(3000, Kind::State, 9, ready, (0, pack(10, 6))),
            record(3000, Kind::State, 5, receive, (1, pack(10, 1))),
            record(3200, Kind::State, 9, running, (0, pack(10, 2))),
            record(3900, Kind::Interrupt, 0, 4, (0, 0)),
            record(4000, Kind::Send, 9, io_msg::kind::IO_CLOSE, (server, pack(3, 8))),
        ]);
        records
    }

    #[test]
    fn the_trace_comes_behind_the_last_mark() {
        let output = format!("hello\n{MARK}\n4e\n54\n");
        let (said, trace) = split(output.as_bytes()).unwrap();
        assert_eq!(said, b"hello\n");
        assert_eq!(bytes(trace).unwrap(), b"NT");
        assert!(split(b"hello\n").is_none());
        assert!(bytes(b"4g").is_err());
    }
}
