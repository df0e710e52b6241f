//! `cargo xtask trace`, as a user calls it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is traced.
const COMMAND: &str = "cat /etc/rc >/dev/null";

/// A trace: the table of exchanges, the JSON file, and what `tracelogger` wrote.
struct Trace {
    table: String,
    json: String,
    raw: Vec<u8>,
}

fn trace(folder: &Path) -> Result<Trace, String> {
    let xtask = std::env::var("XTASK").map_err(|_| "run me with `cargo xtask test`".to_string())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (json, raw) = (folder.join("trace.json"), folder.join("trace.kev"));
    let output = Command::new(xtask)
        .args(["trace", "--timeout", "180", "--exec", COMMAND, "-o"])
        .arg(&json)
        .arg("--raw")
        .arg(&raw)
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start xtask: {error}"))?;
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("{}:\n{table}", output.status));
    }
    let json = fs::read_to_string(json).map_err(|error| error.to_string())?;
    let raw = fs::read(raw).map_err(|error| error.to_string())?;
    Ok(Trace { table, json, raw })
}

/// Traces the same command twice: both are one another's equal, with as many ends of arrows as
/// starts, and the command's messages are counted.
///
/// # Errors
/// A sentence about what is not so.
pub fn two_traces_are_equal(folder: &Path) -> Result<(), String> {
    let (first, second) = (trace(folder)?, trace(folder)?);
    if first.raw != second.raw || first.json != second.json || first.table != second.table {
        return Err("the second trace differs".into());
    }
    let count = |what: &str| first.json.matches(what).count();
    let (starts, ends) = (count("\"ph\":\"s\""), count("\"ph\":\"f\""));
    if starts == 0 || starts != ends {
        return Err(format!("{starts} arrows start and {ends} end"));
    }
    // A call's end names the call that began, so that its slice can be drawn.
    if count("\"cat\":\"call\"") == 0 {
        return Err("no kernel call has both its ends".into());
    }
    for row in ["| cat | procnto | PATH_RESOLVE |", "| cat | fs-boot | IO_READ |"] {
        if !first.table.contains(row) {
            return Err(format!("no row {row}:\n{}", first.table));
        }
    }
    Ok(())
}
