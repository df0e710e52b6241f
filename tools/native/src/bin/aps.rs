//! `aps show`, `aps create -b PERCENT NAME`, `aps modify -b PERCENT NAME`, `aps modify -w MS`: shows
//! and changes adaptive partitions (QNX: `aps`).
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
mod program {
    use neutrino_rt::abi::sched::PartitionInfo;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{Errno, eprintln, partition, println};

    const USE: &str = "use: aps show | create -b PERCENT [-p PARENT] NAME | \
                       modify -b PERCENT NAME | modify -w MILLISECONDS";
    const RULE: &str = "------------------+----+--------+---------+--------";

    fn main(arguments: &Arguments) -> i32 {
        let words: [Option<&str>; 7] = core::array::from_fn(|index| arguments.get(index + 1));
        let done = match words {
            [Some("show") | None, None, ..] => {
                show();
                Ok(())
            }
            [
                Some("create"),
                Some("-b"),
                Some(share),
                Some("-p"),
                Some(parent),
                Some(name),
                None,
            ] => create(share, parent, name),
            [Some("create"), Some("-b"), Some(share), Some(name), None, ..] => {
                create(share, "System", name)
            }
            [Some("modify"), Some("-b"), Some(share), Some(name), None, ..] => modify(share, name),
            [Some("modify"), Some("-w"), Some(length), None, ..] => window(length),
            _ => {
                eprintln!("{USE}");
                return 2;
            }
        };
        match done {
            Ok(()) => 0,
            Err(why) => {
                eprintln!("aps: {why}");
                1
            }
        }
    }

    fn show() {
        println!("Partition name    | id | Budget |    Used | Parent\n{RULE}");
        let (mut budgets, mut all) = (0, 0);
        let mut id = 0;
        // Bound: the partitions.
        while let Ok(info) = partition::info(id) {
            let used = percent(&info);
            let (name, share) = (partition::name(&info), info.share);
            let parent = partition::info(info.parent);
            let parent = parent.as_ref().ok().filter(|_| id != 0).map_or("", partition::name);
            println!(
                "{name:17} | {id:2} | {share:5}% | {:3}.{:02}% | {parent}",
                used / 100,
                used % 100
            );
            (budgets, all) = (budgets + share, all + used);
            id += 1;
        }
        println!(
            "{RULE}\nTotal             |    | {budgets:5}% | {:3}.{:02}% |",
            all / 100,
            all % 100
        );
    }

    /// Hundredths of a percent of all CPUs that it used in the last window.
    fn percent(info: &PartitionInfo) -> u64 {
        let window = info.window * u64::from(info.cpus);
        (info.used * 10_000).checked_div(window).unwrap_or(0)
    }

    fn number(text: &str) -> Result<u32, &'static str> {
        text.trim_end_matches('%').parse().map_err(|_| "that is not a number")
    }

    const NOT_THERE: &str = "there is no partition of that name; aps show lists them";

    fn create(share: &str, parent: &str, name: &str) -> Result<(), &'static str> {
        let parent = partition::by_name(parent).ok_or(NOT_THERE)?;
        let id = partition::create(parent, name, number(share)?).map_err(why)?;
        println!("{name} is partition {id}");
        Ok(())
    }

    fn modify(share: &str, name: &str) -> Result<(), &'static str> {
        let id = partition::by_name(name).ok_or(NOT_THERE)?;
        partition::modify(id, number(share)?).map_err(why)
    }

    fn window(length: &str) -> Result<(), &'static str> {
        partition::window(u64::from(number(length)?) * 1_000_000)
            .map_err(|_| "a window is 8 to 400 milliseconds long")
    }

    fn why(errno: Errno) -> &'static str {
        let known = [
            (Errno::EDOM, "the parent partition has not so much to give"),
            (Errno::EEXIST, "there is a partition of that name"),
            (Errno::EAGAIN, "there are as many partitions as there can be"),
            (Errno::EPERM, "you have not the right to"),
        ];
        let found = known.iter().find(|(which, _)| *which == errno);
        let other = "a name has 1 to 15 bytes, and the share of System is what the others leave";
        found.map_or(other, |(_, why)| why)
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
