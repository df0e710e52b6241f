//! What somebody types and sees: control characters, jobs, an editor.

use super::{Test, same};
use boot_tests::console::{Console, PROMPT, SOON};
use std::time::Duration;

pub(crate) const TESTS: [Test; 13] = [
    ("nothing_follows_the_prompt", nothing_follows_the_prompt),
    ("interrupt_ends_cat", interrupt_ends_cat),
    ("interrupt_ends_a_busy_loop", interrupt_ends_a_busy_loop),
    ("end_of_file_ends_cat", end_of_file_ends_cat),
    ("quit_ends_a_program_and_is_said", quit_ends_a_program_and_is_said),
    ("a_job_stops_and_comes_to_the_foreground", a_job_stops_and_comes_to_the_foreground),
    ("a_stopped_job_goes_on_in_the_background", a_stopped_job_goes_on_in_the_background),
    ("a_stopped_reader_stops_again_in_the_background", a_stopped_reader_stops_again),
    ("a_background_job_is_waited_for", a_background_job_is_waited_for),
    ("a_background_reader_of_the_terminal_stops", a_background_reader_of_the_terminal_stops),
    ("a_trap_catches_the_keyboards_interrupt", a_trap_catches_the_keyboards_interrupt),
    ("vi_edits_and_saves", vi_edits_and_saves),
    ("end_of_file_at_the_prompt_gives_a_new_shell", end_of_file_at_the_prompt_gives_a_new_shell),
];

fn nothing_follows_the_prompt(console: &mut Console) -> Result<(), String> {
    console.send("\r")?;
    console.prompt()?;
    // An escape sequence would be some editor's question about the terminal.
    let more = console.expect("\x1b", Duration::from_secs(1));
    if more.is_ok() { Err("an escape sequence at the prompt".into()) } else { Ok(()) }
}

/// The status of the last command.
fn status(console: &mut Console) -> Result<String, String> {
    console.send("echo $?\r")?;
    console.expect("$?\r\n", SOON)?;
    let status = console.expect("\r\n", SOON)?;
    console.expect(PROMPT, SOON)?;
    Ok(status)
}

fn interrupt_ends_cat(console: &mut Console) -> Result<(), String> {
    console.send("cat\r")?;
    console.expect("cat\r\n", SOON)?;
    console.send("abc\r")?;
    // Once the echo, once cat.
    console.expect("abc\r\nabc\r\n", SOON)?;
    console.send("unfinished")?;
    // The key drops output that is still on its way, so that comes first.
    console.expect("unfinished", SOON)?;
    console.send("\x03")?;
    console.expect("^C", SOON)?;
    console.prompt()?;
    same("$?", &status(console)?, "130")
}

fn interrupt_ends_a_busy_loop(console: &mut Console) -> Result<(), String> {
    console.send("while :; do :; done\r")?;
    console.expect("done\r\n", SOON)?;
    std::thread::sleep(Duration::from_secs(1));
    console.send("\x03")?;
    console.prompt()?;
    same("$?", &status(console)?, "130")?;
    // A program of its own that never makes a call, too.
    console.send("awk 'BEGIN { for (;;) n++ }'\r")?;
    console.expect("'\r\n", SOON)?;
    std::thread::sleep(Duration::from_secs(1));
    console.send("\x03")?;
    console.prompt()?;
    same("$?", &status(console)?, "130")
}

fn end_of_file_ends_cat(console: &mut Console) -> Result<(), String> {
    console.send("cat; echo left $?\r")?;
    console.expect("$?\r\n", SOON)?;
    console.send("line\r")?;
    console.expect("line\r\nline\r\n", SOON)?;
    console.send("half\x04")?;
    console.expect("halfhalf", SOON)?;
    console.send("\x04")?;
    console.expect("left 0", SOON)?;
    console.prompt().map(drop)
}

fn quit_ends_a_program_and_is_said(console: &mut Console) -> Result<(), String> {
    // Between fork and exec the shell's child ignores keys still, so it says when it is there.
    console.send("sh -c 'echo up; exec sleep 100'\r")?;
    console.expect("\r\nup\r\n", SOON)?;
    console.send("\x1c")?;
    console.expect("Quit", SOON)?;
    console.prompt()?;
    same("$?", &status(console)?, "131")
}

fn a_job_stops_and_comes_to_the_foreground(console: &mut Console) -> Result<(), String> {
    console.send("cat\r")?;
    console.expect("cat\r\n", SOON)?;
    console.send("first\r")?;
    console.expect("first\r\nfirst\r\n", SOON)?;
    console.send("\x1a")?;
    console.expect("[1] + Stopped", SOON)?;
    console.prompt()?;
    same("$?", &status(console)?, "148")?;
    console.send("jobs\r")?;
    console.expect("[1] + Stopped", SOON)?;
    console.prompt()?;
    console.send("fg\r")?;
    console.expect("fg\r\ncat\r\n", SOON)?;
    console.send("again\r")?;
    console.expect("again\r\nagain\r\n", SOON)?;
    console.send("\x04")?;
    console.expect(PROMPT, SOON)?;
    same("$?", &status(console)?, "0")
}

fn a_stopped_job_goes_on_in_the_background(console: &mut Console) -> Result<(), String> {
    console.send("sh -c 'echo up; sleep 2; echo ended >/tmp/bg'\r")?;
    console.expect("\r\nup\r\n", SOON)?;
    console.send("\x1a")?;
    console.expect("Stopped", SOON)?;
    console.prompt()?;
    console.succeed("[ ! -e /tmp/bg ]", SOON)?;
    console.send("bg\r")?;
    console.expect("bg\r\n[1] sh -c", SOON)?;
    console.prompt()?;
    same("wait", &console.succeed("wait; cat /tmp/bg", SOON)?, "ended")
}

fn a_stopped_reader_stops_again(console: &mut Console) -> Result<(), String> {
    console.send("cat\r")?;
    console.expect("cat\r\n", SOON)?;
    console.send("first\r")?;
    console.expect("first\r\nfirst\r\n", SOON)?;
    console.send("\x1a")?;
    console.expect("Stopped", SOON)?;
    console.prompt()?;
    console.send("bg; sleep 1\r")?;
    console.expect("sleep 1\r\n", SOON)?;
    console.expect("Stopped (tty input)", SOON)?;
    console.prompt()?;
    console.send("fg\r")?;
    console.expect("fg\r\ncat\r\n", SOON)?;
    console.send("more\r")?;
    console.expect("more\r\nmore\r\n", SOON)?;
    console.send("\x04")?;
    console.expect(PROMPT, SOON).map(drop)
}

fn a_background_job_is_waited_for(console: &mut Console) -> Result<(), String> {
    console.send("sh -c 'sleep 1; exit 7' &\r")?;
    console.expect("&\r\n", SOON)?;
    console.expect(PROMPT, SOON)?;
    let output = console.run("wait $!", SOON)?;
    same("$?", &output.status.to_string(), "7")
}

fn a_background_reader_of_the_terminal_stops(console: &mut Console) -> Result<(), String> {
    console.send("cat &\r")?;
    console.expect("&\r\n", SOON)?;
    console.expect(PROMPT, SOON)?;
    let state = "for i in 1 2 3 4 5 6 7 8 9; do grep -q '^State:.T' /proc/$!/status && break; \
                 sleep 0.2; done; grep -c '^State:.T' /proc/$!/status";
    let stopped = console.run(state, SOON)?;
    let ended = console.run("kill -9 $!; wait $!", SOON)?;
    same("$? of the killed", &ended.status.to_string(), "137")?;
    if stopped.text.contains("1\n") { Ok(()) } else { Err(format!("not stopped: {stopped:?}")) }
}

fn a_trap_catches_the_keyboards_interrupt(console: &mut Console) -> Result<(), String> {
    let program = "trap \"echo caught; exit 9\" INT; echo up; while :; do sleep 1; done";
    console.send(&format!("sh -c '{program}'\r"))?;
    console.expect("\r\nup\r\n", SOON)?;
    console.send("\x03")?;
    console.expect("caught", SOON)?;
    console.prompt()?;
    same("$?", &status(console)?, "9")
}

fn vi_edits_and_saves(console: &mut Console) -> Result<(), String> {
    console.send("vi /tmp/letter\r")?;
    // The whole screen is drawn when the last line is.
    console.expect("/tmp/letter", SOON)?;
    console.expect("1/1 100%", SOON)?;
    console.send("iHello, world\rsecond line\rthird\x1b")?;
    // The dash says that ESC was taken for itself: with a k right behind it would be another key.
    console.expect("- /tmp/letter [Modified]", SOON)?;
    console.send("kdd")?;
    console.send(":wq\r")?;
    console.expect("2L, 19C", SOON)?;
    console.expect(PROMPT, SOON)?;
    same("the file", &console.succeed("cat /tmp/letter", SOON)?, "Hello, world\nthird")?;
    // The terminal is as it was: it echoes and edits lines.
    console.send("echo tesu\x7ft\r")?;
    console.expect("\r\ntest\r\n", SOON)?;
    console.expect(PROMPT, SOON).map(drop)
}

fn end_of_file_at_the_prompt_gives_a_new_shell(console: &mut Console) -> Result<(), String> {
    let old = console.succeed("echo $$", SOON)?;
    console.send("\x04")?;
    console.prompt()?;
    let new = console.succeed("echo $$", SOON)?;
    if old == new { Err(format!("the shell is {new} still")) } else { Ok(()) }
}
