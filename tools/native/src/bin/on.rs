//! `on [-p PRIORITY[f|r|o]] [-X aps=PARTITION] COMMAND [ARGUMENT…]`: runs a command at a priority and
//! policy, in an adaptive partition (QNX: `on`).
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
mod program {
    use neutrino_rt::abi::sched::policy;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{Errno, eprintln, partition, process, thread};

    fn main(arguments: &Arguments) -> i32 {
        let mut at = 1;
        // Bound: the arguments.
        while let Some(option @ ("-p" | "-X")) = arguments.get(at) {
            let wanted = arguments.get(at + 1);
            let done = if option == "-p" { set_priority(wanted) } else { join(wanted) };
            if let Err(status) = done {
                return status;
            }
            at += 2;
        }
        let command = arguments.arguments.get(at..).unwrap_or_default();
        let Some(name) = command.first() else {
            eprintln!("on: use: on [-p PRIORITY[f|r|o]] [-X aps=PARTITION] COMMAND [ARGUMENT…]");
            return 2;
        };
        let errno = start(name, command, &arguments.environment);
        let shown = core::str::from_utf8(name).unwrap_or("?");
        eprintln!("on: cannot run {shown}: {errno}");
        127
    }

    /// The exit status, if this fails.
    fn set_priority(wanted: Option<&str>) -> Result<(), i32> {
        let Some((priority, policy)) = wanted.and_then(parse) else {
            eprintln!("on: -p wants a priority from 1 to 255, with f, r or o behind it");
            return Err(2);
        };
        thread::set_priority(policy, priority).map_err(|errno| {
            eprintln!("on: cannot run at priority {priority}: {errno}");
            1
        })
    }

    /// The same.
    fn join(wanted: Option<&str>) -> Result<(), i32> {
        let Some(name) = wanted.and_then(|wanted| wanted.strip_prefix("aps=")) else {
            eprintln!("on: -X wants aps=PARTITION");
            return Err(2);
        };
        let id = partition::by_name(name).ok_or(Errno::ENOENT);
        id.and_then(|id| partition::join(id, 0)).map_err(|errno| {
            eprintln!("on: cannot join partition {name}: {errno}");
            1
        })
    }

    /// Becomes the command, as found by its path or in the usual directories.
    fn start(name: &[u8], command: &[&[u8]], environment: &[&[u8]]) -> Errno {
        if name.contains(&b'/') {
            return process::exec(name, command, environment);
        }
        let mut last = Errno::ENOENT;
        for directory in ["/bin/", "/sbin/", "/usr/bin/"] {
            let path = [directory.as_bytes(), name].concat();
            last = process::exec(&path, command, environment);
            if last != Errno::ENOENT {
                break;
            }
        }
        last
    }

    fn parse(text: &str) -> Option<(u8, u32)> {
        let (number, policy) = match text.as_bytes().last()? {
            b'f' => (text.strip_suffix('f')?, policy::FIFO),
            b'r' => (text.strip_suffix('r')?, policy::ROUND_ROBIN),
            b'o' => (text.strip_suffix('o')?, policy::OTHER),
            _ => (text, policy::ROUND_ROBIN),
        };
        number.parse().ok().map(|priority| (priority, policy))
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
