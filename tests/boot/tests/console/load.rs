//! Many processes, and that nothing of them is left.

use super::Test;
use boot_tests::console::{Console, SOON};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const TESTS: [Test; 3] = [
    ("five_hundred_forks_in_a_row_leave_nothing_behind", five_hundred_forks),
    ("a_hundred_processes_live_at_once_and_leave_nothing_behind", a_hundred_processes),
    ("a_file_server_killed_at_work_leaves_nothing_behind", a_file_server_killed_at_work),
];

const LIMIT: Duration = Duration::from_secs(180);

/// The kernel's counts that must come back exactly. The rest are totals, or times.
const COUNTS: [&str; 9] = [
    "committed_pages",
    "threads",
    "processes",
    "channels",
    "connections",
    "objects",
    "spaces",
    "mappings",
    "timers",
];

/// Pages of what they have committed that the processes that stay may touch for the first time:
/// stacks and heaps get deeper by accident of scheduling. A page for each of the processes of a load
/// would be many more.
const TOUCHED_MAX: i64 = 32;

/// Counts, and `resident`, the pages of all processes that stay.
type Counts = BTreeMap<String, i64>;

fn counts(console: &mut Console) -> Result<Counts, String> {
    // What servers do behind an answer is done within a second. The shell itself reads the files,
    // so that no other process is counted.
    let line = "sleep 1; while read -r l; do echo \"$l\"; done </proc/nto/system; t=0; \
                for f in /proc/[0-9]*/statm; do read -r a b c <$f; t=$((t+b)); done; \
                echo resident $t";
    let text = console.succeed(line, SOON)?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    let counts = pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    Ok(counts.collect())
}

/// Runs a load twice: the first time fills what servers keep for later.
fn leaves_nothing(console: &mut Console, load: &str) -> Result<(), String> {
    console.succeed(load, LIMIT)?;
    let before = counts(console)?;
    console.succeed(load, LIMIT)?;
    let after = counts(console)?;
    let difference = |name: &str| -> Result<i64, String> {
        let missing = || format!("no {name} in /proc");
        Ok(after.get(name).ok_or_else(missing)? - before.get(name).ok_or_else(missing)?)
    };
    for name in COUNTS {
        if difference(name)? != 0 {
            return Err(format!("{name}: {:?} and then {:?}", before.get(name), after.get(name)));
        }
    }
    let (free, resident) = (difference("free_pages")?, difference("resident")?);
    if free + resident == 0 && resident <= TOUCHED_MAX {
        Ok(())
    } else {
        Err(format!("{free} free pages, while the processes have {resident} more"))
    }
}

fn five_hundred_forks(console: &mut Console) -> Result<(), String> {
    // `(:)` is a fork without exec; every tenth runs a program.
    let load = "i=0; while [ $i -lt 500 ]; do (:) || break; i=$((i+1)); \
                [ $((i % 10)) -ne 0 ] || /bin/true || break; done; [ $i -eq 500 ]";
    leaves_nothing(console, load)
}

fn a_hundred_processes(console: &mut Console) -> Result<(), String> {
    // In a shell of its own, which says nothing of the jobs' ends.
    let load = "sh -c 'i=0; while [ $i -lt 100 ]; do sleep 1000 & p=\"$p $!\"; i=$((i+1)); done; \
                n=0; for q in $p; do kill -0 $q && n=$((n+1)); done; \
                a=$(grep ^processes /proc/nto/system); kill $p; wait; \
                [ $n -eq 100 ] && [ ${a#* } -gt 100 ]'";
    leaves_nothing(console, load)
}

fn a_file_server_killed_at_work(console: &mut Console) -> Result<(), String> {
    // In a shell of its own, so that the jobs' numbers and ends are not shown.
    let load = "sh -c 'for n in 1 2 3; do fs-ram /ram=1777 & f=$!; waitfor /ram; \
                dd if=/dev/zero of=/ram/x bs=64k count=100000 2>/dev/null & d=$!; sleep 0.2; \
                kill -9 $f; wait $d; [ $? -eq 1 ] || exit 1; wait $f; done; :'";
    leaves_nothing(console, load)
}
