//! Everyday programs on the whole tree and on a large file of the host's. What needs neither is in
//! `tests/guest/scripts`.

use super::{Test, same};
use boot_tests::console::{Console, SOON};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) const TESTS: [Test; 6] = [
    ("a_large_file_has_the_hosts_md5_sum", a_large_file_has_the_hosts_md5_sum),
    ("the_whole_tree_is_listed", the_whole_tree_is_listed),
    ("find_searches_the_whole_tree", find_searches_the_whole_tree),
    ("an_archive_of_the_programs_passes_gzip", an_archive_of_the_programs_passes_gzip),
    ("top_shows_processes_once", top_shows_processes_once),
    ("ps_shows_the_servers", ps_shows_the_servers),
];

/// What long commands may take.
const LONG: Duration = Duration::from_secs(120);
const LARGE: usize = 16 << 20;

/// Files that go into the image, in a folder that goes with this value.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    /// Options of `cargo xtask run` that add them.
    pub(crate) options: Vec<String>,
}

fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("neutrino-files-{}", std::process::id()))
}

/// Pseudo-random bytes, so that no block is like another.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..LARGE / 8).flat_map(next).collect()
}

fn succeed(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

impl Files {
    /// Makes the large file and the program that faults.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn make() -> Result<Self, String> {
        let folder = folder();
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let (large, faults) = (folder.join("large"), folder.join("faults"));
        std::fs::write(&large, noise()).map_err(|error| error.to_string())?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest/faults.c");
        let flags = ["-static", "-O2", "-std=gnu11", "-pthread", "-o"];
        succeed(Command::new("musl-gcc").args(flags).arg(&faults).arg(source))?;
        let add =
            |path: &Path, guest: &str| ["--add".to_owned(), format!("{}:{guest}", path.display())];
        let options = [add(&large, "/usr/share/large"), add(&faults, "/bin/faults")].concat();
        Ok(Self { folder, options })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _left_behind_is_no_harm = std::fs::remove_dir_all(&self.folder);
    }
}

fn a_large_file_has_the_hosts_md5_sum(console: &mut Console) -> Result<(), String> {
    let host = succeed(Command::new("md5sum").arg(folder().join("large")))?;
    let sum = host.split(' ').next().unwrap_or_default();
    let guest = console.succeed("md5sum /usr/share/large | cut -d' ' -f1", LONG)?;
    same("md5sum", &guest, sum)?;
    let copy = "dd if=/usr/share/large of=/tmp/large bs=64k 2>&1 | grep -c 256+0";
    same("records in and out", &console.succeed(copy, LONG)?, "2")?;
    let copied = console.succeed("md5sum /tmp/large | cut -d' ' -f1; rm /tmp/large", LONG)?;
    same("md5sum of a copy", &copied, sum)
}

fn the_whole_tree_is_listed(console: &mut Console) -> Result<(), String> {
    // The entries of processes that end meanwhile, those of the pipeline, may be gone.
    let list = "ls -laR / >/tmp/list 2>/tmp/errors; grep -vc '/proc/' /tmp/errors";
    same("errors", console.run(list, LONG)?.text.trim(), "0")?;
    let count = console.succeed("grep -c '^/' /tmp/list", SOON)?;
    let folders: u32 = count.parse().map_err(|_| format!("not a number: {count}"))?;
    if folders < 20 {
        return Err(format!("only {folders} folders"));
    }
    let one = console.succeed("grep -c 'sh -> dash' /tmp/list", SOON)?;
    same("links shown", &one, "1")?;
    let between = console.succeed("ls /dev/socket", SOON)?;
    same("a directory on the way to what a server attached", &between, "1")
}

fn find_searches_the_whole_tree(console: &mut Console) -> Result<(), String> {
    let found = console.succeed("find / -name 'passw[d]' -type f 2>/dev/null", LONG)?;
    same("find", &found, "/etc/passwd")?;
    let counted = console.succeed("grep -rl root: /etc | sort | tr '\\n' ' '", LONG)?;
    same("grep -r", &counted, "/etc/group /etc/passwd ")
}

fn an_archive_of_the_programs_passes_gzip(console: &mut Console) -> Result<(), String> {
    let tar = "cd /etc; tar c . | gzip | gunzip | tar t | sort >/tmp/tar; \
               find . -type f | sort >/tmp/find; grep -vc '/$' /tmp/tar; wc -l </tmp/find";
    let counts = console.succeed(&format!("{tar}; cd"), LONG)?;
    let (archived, found) = counts.split_once('\n').unwrap_or_default();
    same("files in the archive", archived, found)?;
    if found.len() == 1 && found >= "4" { Ok(()) } else { Err(format!("files: {found}")) }
}

fn top_shows_processes_once(console: &mut Console) -> Result<(), String> {
    let text = console.succeed("top -b -n1", SOON)?;
    let wanted = ["Mem:", "CPU:", "Load average:", "PID", "procnto", "fs-ram"];
    match wanted.iter().find(|word| !text.contains(**word)) {
        Some(word) => Err(format!("no {word} in {text}")),
        None => Ok(()),
    }
}

fn ps_shows_the_servers(console: &mut Console) -> Result<(), String> {
    let text = console.succeed("ps; pidin", SOON)?;
    for server in ["procnto", "fs-boot", "fs-ram", "pipe", "devc-ser8250", "devc-pty"] {
        let count = text.lines().filter(|line| line.contains(server)).count();
        if count < 2 {
            return Err(format!("{server} is not shown twice: {text}"));
        }
    }
    Ok(())
}
