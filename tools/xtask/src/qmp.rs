//! Talking to a running QEMU through its machine protocol: pictures of the display, keys.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cli::ScreendumpOptions;
use crate::workspace::Workspace;

/// Where a `run --display` of this checkout listens. A socket's path has to be short, so it is not
/// below `target`.
pub(crate) fn socket(workspace: &Workspace) -> PathBuf {
    let hash = format!("{:x}", Sha256::digest(workspace.target.as_os_str().as_encoded_bytes()));
    let user = rustix::process::geteuid().as_raw();
    env::temp_dir().join(format!("neutrino-{user}-{}.qmp", &hash[..12]))
}

/// `cargo xtask screendump`.
///
/// # Errors
/// When no machine with a display runs, or QEMU refuses.
pub(crate) fn screendump(workspace: &Workspace, options: &ScreendumpOptions) -> Result<ExitCode> {
    let mut qemu = Connection::open(&socket(workspace))?;
    if let Some(text) = &options.keys {
        for key in text.replace("\\n", "\n").chars() {
            qemu.press(key)?;
        }
        // The guest needs a moment to show what was typed.
        thread::sleep(Duration::from_secs(1));
    }
    let path = std::path::absolute(&options.output)?;
    qemu.ask("screendump", &json!({"filename": path, "format": "png"}))?;
    let size = fs::metadata(&path).with_context(|| format!("no {}", path.display()))?.len();
    eprintln!("{}: {size} bytes", path.display());
    Ok(ExitCode::SUCCESS)
}

struct Connection {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Connection {
    fn open(socket: &Path) -> Result<Self> {
        let writer = UnixStream::connect(socket)
            .context("no machine with a display is running: cargo xtask run --display")?;
        let mut connection = Self { reader: BufReader::new(writer.try_clone()?), writer };
        connection.receive()?;
        connection.ask("qmp_capabilities", &json!({}))?;
        Ok(connection)
    }

    fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let message = json!({"execute": command, "arguments": arguments});
        writeln!(self.writer, "{message}")?;
        loop {
            let mut answer = self.receive()?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {command}: {error}");
            }
            // Anything else is an event.
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("QEMU closed the connection");
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn press(&mut self, key: char) -> Result<()> {
        let codes = key_codes(key).with_context(|| format!("no key for {key:?}"))?;
        let keys: Vec<_> =
            codes.iter().map(|code| json!({"type": "qcode", "data": code})).collect();
        self.ask("send-key", &json!({"keys": keys, "hold-time": 20}))?;
        // The keyboard's queue is short.
        thread::sleep(Duration::from_millis(60));
        Ok(())
    }
}

/// The keys of a US keyboard that make a character.
fn key_codes(key: char) -> Option<Vec<String>> {
    const PLAIN: &[(char, &str)] = &[
        ('\n', "ret"),
        ('\t', "tab"),
        (' ', "spc"),
        ('-', "minus"),
        ('=', "equal"),
        ('[', "bracket_left"),
        (']', "bracket_right"),
        (';', "semicolon"),
        ('\'', "apostrophe"),
        ('`', "grave_accent"),
        ('\\', "backslash"),
        (',', "comma"),
        ('.', "dot"),
        ('/', "slash"),
    ];
    const SHIFTED: &str = "~`!1@2#3$4%5^6&7*8(9)0_-+={[}]|\\:;\"'<,>.?/";
    if key.is_ascii_lowercase() || key.is_ascii_digit() {
        return Some(vec![key.to_string()]);
    }
    if key.is_ascii_uppercase() {
        return Some(vec!["shift".into(), key.to_ascii_lowercase().to_string()]);
    }
    if let Some((_, code)) = PLAIN.iter().find(|(plain, _)| *plain == key) {
        return Some(vec![(*code).to_owned()]);
    }
    let pairs: Vec<char> = SHIFTED.chars().collect();
    let base = pairs.chunks_exact(2).find(|pair| pair[0] == key)?[1];
    let mut codes = vec!["shift".to_owned()];
    codes.extend(key_codes(base)?);
    Some(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printable_character_has_keys() {
        for key in ' '..='~' {
            assert!(key_codes(key).is_some(), "{key}");
        }
        assert_eq!(key_codes('|').unwrap(), ["shift", "backslash"]);
        assert_eq!(key_codes('A').unwrap(), ["shift", "a"]);
    }
}
