//! Any process but procnto and the console's driver may be killed: the shell goes on.

use super::{Test, same};
use boot_tests::console::{Console, PROMPT, SOON};
use std::time::Duration;

pub(crate) const TESTS: [Test; 2] = [
    ("clients_of_a_killed_server_get_an_error", clients_of_a_killed_server_get_an_error),
    ("any_process_may_be_killed", any_process_may_be_killed),
];

/// Never killed: the system itself, and the way to see it.
const SPARED: [&str; 2] = ["procnto", "devc-ser8250"];

/// How soon a client has to learn of its server's death.
const LIMIT: Duration = Duration::from_secs(20);

/// A server, and a command line that waits for it for ever; an empty one would be answered.
const CLIENTS: [(&str, &str); 3] = [
    ("devc-con", "cat /dev/con1"),
    ("devc-pty", "cat /dev/ptmx"),
    ("pipe", "{ sleep 1000 & } | cat"),
];

fn clients_of_a_killed_server_get_an_error(console: &mut Console) -> Result<(), String> {
    for (server, client) in CLIENTS {
        console.send(&format!("{client} &\r"))?;
        console.expect("&\r\n", SOON)?;
        console.expect(PROMPT, SOON)?;
        let killed = console.run(&format!("sleep 1; slay -s KILL {server}"), SOON)?;
        if killed.status != 1 {
            return Err(format!("{server} is not there once: {killed:?}"));
        }
        let output = console.run("wait $!", LIMIT)?;
        if output.status == 0 || output.status > 128 {
            return Err(format!("the client of {server} ended so: {output:?}"));
        }
        same("the shell goes on", &console.succeed("ls -d /bin", SOON)?, "/bin")?;
    }
    // Whoever needs a server starts another.
    console.send("pipe &\r")?;
    console.expect(PROMPT, SOON)?;
    same("a pipeline", &console.succeed("waitfor /dev/pipe; echo x | cat", SOON)?, "x")?;
    // Files that are open, not waited for.
    console.succeed("cd /; exec 5>/tmp/held; echo one >&5", SOON)?;
    console.run("slay -s KILL fs-ram", SOON)?;
    let refused = console.run("echo two >&5", LIMIT)?;
    if refused.status == 0 {
        return Err(format!("a dead server takes data: {refused:?}"));
    }
    console.run("exec 5>&-", LIMIT)?;
    let gone = console.run("cat /tmp/held", LIMIT)?;
    if gone.status == 0 { Err(format!("the file is there still: {gone:?}")) } else { Ok(()) }
}

/// Processes by number and name.
fn processes(console: &mut Console) -> Result<Vec<(u32, String)>, String> {
    let text = console.succeed("pidin", SOON)?;
    let mut found = Vec::new();
    for line in text.lines().skip(1) {
        let mut words = line.split_whitespace();
        let pid = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let name = words.nth(1).unwrap_or_default().to_owned();
        if pid != 0 && !found.iter().any(|(known, _)| *known == pid) {
            found.push((pid, name));
        }
    }
    Ok(found)
}

fn any_process_may_be_killed(console: &mut Console) -> Result<(), String> {
    let own: u32 = console.succeed("echo $$", SOON)?.parse().map_err(|_| "no pid")?;
    // The shell itself: another takes its place.
    console.send(&format!("kill -9 {own}\r"))?;
    console.expect(PROMPT, SOON)?;
    let own: u32 = console.succeed("echo $$", SOON)?.parse().map_err(|_| "no pid")?;
    let victims = processes(console)?;
    let is_spared = |name: &str| SPARED.contains(&name) || name == "pidin";
    for (pid, name) in &victims {
        if *pid == own || is_spared(name) {
            continue;
        }
        console.run(&format!("kill -9 {pid}"), SOON)?;
        let alive = console.succeed("echo alive", SOON);
        same("the shell goes on", &alive?, "alive").map_err(|why| format!("{name}: {why}"))?;
        // The server of / is started again, and so programs can be.
        let listed = console.succeed("sleep 0.3; ls -d /bin", SOON);
        same("ls", &listed?, "/bin").map_err(|why| format!("{name} ({pid}): {why}"))?;
    }
    let left = processes(console)?;
    let survivor = |(pid, name): &&(u32, String)| {
        *pid != own && !is_spared(name) && victims.iter().any(|(victim, _)| victim == pid)
    };
    match left.iter().find(survivor) {
        Some(survivor) => Err(format!("still there: {survivor:?}")),
        None => Ok(()),
    }
}
