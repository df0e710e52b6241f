//! Boots the self-test image once for each way to boot and reports every test in it; then runs shell
//! tests, traces, and the programs of `tests/guest` with one CPU and with two, each in one boot of the
//! whole system.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test program that reports on standard output"
)]

use boot_tests::guest::{self, Suite};
use boot_tests::{boot, disk, exec, inversion, iso, reports, trace};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const MANIFEST: &str = "rootfs/selftest.toml";
const LIMIT: Duration = Duration::from_secs(180);

/// All the programs of `tests/guest`, in one boot; two CPUs may share one of the host's.
const GUEST_LIMIT: Duration = Duration::from_secs(600);

/// What the guest's shell is tested with.
const SHELL: &str = include_str!("../shell.sh");
const SHELL_TESTS: usize = 15;
/// And with what the kernel does for it.
const TRACE: &str = include_str!("../trace.sh");
const TRACE_TESTS: usize = 16;

/// And with what is on the PCI bus, on both of QEMU's machines.
const DISK: &str = include_str!("../disk.sh");
const DISK_TESTS: usize = 25;
const MACHINES: [(&str, &str); 2] = [("disk", "q35"), ("disk_i440fx", "pc")];

/// Tests that the image must report; fewer mean that it stopped early.
const TESTS_AT_LEAST: usize = 11;

/// Scenarios of priority inversion that ship, at least.
const SCENARIOS_AT_LEAST: usize = 20;

/// The ways to boot: a name, and options of `cargo xtask run`.
const WAYS: [(&str, &[&str]); 7] = [
    ("direct", &["--direct"]),
    ("direct_icount", &["--direct", "--icount"]),
    ("smp_2", &["--direct", "--smp", "2"]),
    ("smp_2_icount", &["--direct", "--smp", "2", "--icount"]),
    ("smp_8", &["--direct", "--smp", "8"]),
    ("bios", &[]),
    ("uefi", &["--uefi"]),
];

/// Suites of programs: a name, and how many CPUs they get.
const SUITES: [(&str, Suite, &str); 3] =
    [("guest", Suite::Guest, "1"), ("guest_smp_2", Suite::Guest, "2"), ("qnx", Suite::Qnx, "1")];

fn main() -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    let mut report = |name: &str, failure: Option<&str>| match failure {
        None => {
            passed += 1;
            println!("test {name} ... ok");
        }
        Some(why) => {
            failed += 1;
            println!("test {name} ... FAILED");
            println!("  {why}");
        }
    };
    for (way, options) in WAYS {
        match boot(MANIFEST, options, LIMIT) {
            Err(why) => report(way, Some(&why)),
            Ok(log) => {
                let found = reports(&log);
                for one in &found {
                    report(&format!("{way}::{}", one.name), one.failure.as_deref());
                }
                let is_short = found.len() < TESTS_AT_LEAST;
                let why = format!("only {} tests reported; the log:\n{log}", found.len());
                report(&format!("{way}::every_test_reports"), is_short.then_some(why.as_str()));
            }
        }
    }
    let made = iso(MANIFEST).and_then(|first| {
        // So that whatever writes the time of day writes another one.
        std::thread::sleep(Duration::from_secs(2));
        let second = iso(MANIFEST)?;
        if first == second { Ok(()) } else { Err("the second ISO differs".to_string()) }
    });
    report("two_builds_of_the_iso_are_equal", made.err().as_deref());
    scripts(&mut report);
    disks(&mut report);
    let traced = trace::two_traces_are_equal(Path::new(env!("CARGO_TARGET_TMPDIR")));
    report("two_traces_of_a_command_are_equal", traced.err().as_deref());
    match inversion(LIMIT) {
        Err(why) => report("inversion", Some(&why)),
        Ok(text) => {
            let found = reports(&text);
            for one in &found {
                report(&format!("inversion::{}", one.name), one.failure.as_deref());
            }
            let is_short = found.len() < SCENARIOS_AT_LEAST;
            report("inversion::every_scenario_reports", is_short.then_some(text.as_str()));
        }
    }
    for (way, suite, cpus) in SUITES {
        match guest::run(suite, Path::new(env!("CARGO_TARGET_TMPDIR")), cpus, GUEST_LIMIT) {
            Err(why) => report(way, Some(&why)),
            Ok(results) => {
                for one in &results {
                    report(&format!("{way}::{}", one.name), one.failure.as_deref());
                }
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The scripts of the guest's shell, each in one boot.
fn scripts(report: &mut impl FnMut(&str, Option<&str>)) {
    for (name, text, count) in [("shell", SHELL, SHELL_TESTS), ("trace", TRACE, TRACE_TESTS)] {
        script(report, name, (text, count), &["--direct"]);
    }
}

/// A script in one boot, and how many tests it has.
fn script(
    report: &mut impl FnMut(&str, Option<&str>),
    name: &str,
    (text, count): (&str, usize),
    options: &[&str],
) {
    match exec(text, options, LIMIT) {
        Err(why) => report(name, Some(&why)),
        Ok(text) => {
            let found = reports(&text);
            for one in &found {
                report(&format!("{name}::{}", one.name), one.failure.as_deref());
            }
            let is_short = found.len() < count;
            report(&format!("{name}::every_test_reports"), is_short.then_some(text.as_str()));
        }
    }
}

/// The bus and the disks, whose images are looked at afterwards.
fn disks(report: &mut impl FnMut(&str, Option<&str>)) {
    for (name, machine) in MACHINES {
        let images = match disk::images(Path::new(env!("CARGO_TARGET_TMPDIR"))) {
            Ok(images) => images,
            Err(why) => return report(name, Some(&why)),
        };
        let [first, second] = images.each_ref().map(String::as_str);
        let edu = "edu,dma_mask=0xffffffff";
        let options = [
            "--direct", "--disk", first, "--disk", second, "--", "-machine", machine, "-device",
            edu,
        ];
        script(report, name, (DISK, DISK_TESTS), &options);
        let left = disk::has_last_words(first);
        report(&format!("{name}::what_was_synced_is_in_the_image"), left.err().as_deref());
    }
}
