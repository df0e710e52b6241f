//! `selftest`: tries the system from inside, without a shell: run as the first program, it starts
//! servers, uses files, pipes and memory, writes `ok NAME` or `FAILED NAME` to the kernel's log for
//! each test, and switches the system off.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "user space: overflow checks stay on in release"
)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod program {
    use alloc::vec::Vec;
    use io_msg::stat::{mode, open};
    use neutrino_rt::channel::Handle;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{Errno, clock, file, log, memory, path, process, spawn};

    type Test = (&'static str, fn() -> Result<(), Errno>);

    const TESTS: [Test; 11] = [
        ("the_boot_image_is_served_at_the_root", root),
        ("a_file_of_the_boot_image_cannot_be_written", read_only),
        ("a_path_that_nobody_has_is_enoent", missing),
        ("the_null_device_takes_everything_and_gives_nothing", null),
        ("servers_started_by_name_attach_their_paths", servers),
        ("a_file_in_memory_holds_what_was_written", ram_file),
        ("a_directory_lists_what_was_made_in_it", listing),
        ("a_child_that_ends_tells_its_status", status),
        ("sleeping_takes_the_time_that_was_asked_for", sleep),
        ("what_processes_leave_behind_is_given_back", leaks),
        ("the_kernels_monitor_has_counted_no_priority_inversion", inversions),
    ];

    fn main(_arguments: &Arguments) -> i32 {
        let mut failed = 0;
        for (name, test) in TESTS {
            match test() {
                Ok(()) => log!("selftest: ok {name}"),
                Err(errno) => {
                    failed += 1;
                    log!("selftest: FAILED {name}: {errno}");
                }
            }
        }
        log!("selftest: {} passed, {failed} failed", TESTS.len() - failed);
        let _ends_the_system = process::shutdown(false, 0);
        0
    }

    fn expect(holds: bool) -> Result<(), Errno> {
        if holds { Ok(()) } else { Err(Errno::EIO) }
    }

    fn root() -> Result<(), Errno> {
        let stat = path::stat(b"/")?;
        expect(stat.mode & mode::IFMT == mode::IFDIR)?;
        let text = file::read_to_end(b"/etc/hostname")?;
        expect(text == b"neutrino\n")
    }

    fn read_only() -> Result<(), Errno> {
        let opened = path::open(b"/etc/new", open::CREAT | open::WRONLY, 0o644, 0);
        expect(opened.err() == Some(Errno::EROFS))
    }

    fn missing() -> Result<(), Errno> {
        expect(path::stat(b"/no/such/path").err() == Some(Errno::ENOENT))?;
        expect(path::stat(b"/etc/hostname/x").err() == Some(Errno::ENOTDIR))
    }

    fn null() -> Result<(), Errno> {
        let null = path::open(b"/dev/null", open::RDWR, 0, 0)?;
        expect(file::write(null.raw(), b"gone")? == 4)?;
        expect(file::read(null.raw(), &mut [0; 8])? == 0)
    }

    fn waitfor(wanted: &[u8]) -> Result<(), Errno> {
        for _ in 0..1000 {
            if path::stat(wanted).is_ok_and(|stat| stat.dev != 0x100) {
                return Ok(());
            }
            clock::sleep(1_000_000);
        }
        Err(Errno::ETIMEDOUT)
    }

    fn servers() -> Result<(), Errno> {
        spawn::spawn("/sbin/fs-ram", &["fs-ram", "/tmp=1777", "/var"])?;
        spawn::spawn("/sbin/pipe", &["pipe"])?;
        waitfor(b"/tmp")?;
        waitfor(b"/dev/pipe")
    }

    fn ram_file() -> Result<(), Errno> {
        let text: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
        let made = path::open(b"/tmp/file", open::CREAT | open::RDWR, 0o600, 0)?;
        file::write_all(made.raw(), &text)?;
        expect(file::read_to_end(b"/tmp/file")? == text)?;
        let stat = path::stat(b"/tmp/file")?;
        expect(stat.size == 20_000 && stat.mode == mode::IFREG | 0o600)
    }

    fn listing() -> Result<(), Errno> {
        drop(path::open(b"/tmp/second", open::CREAT | open::WRONLY, 0o600, 0)?);
        let directory: Handle = path::open(b"/tmp", open::DIRECTORY, 0, 0)?;
        let mut buffer = [0_u8; 1024];
        let length = file::read_directory(directory.raw(), &mut buffer)?;
        let records = buffer.get(..length).unwrap_or_default();
        let has = |name: &[u8]| records.windows(name.len()).any(|part| part == name);
        expect(has(b"file\0") && has(b"second\0"))
    }

    fn status() -> Result<(), Errno> {
        let child = spawn::spawn("/bin/uptime", &["uptime"])?;
        expect(spawn::wait(child)? == 0)?;
        let child = spawn::spawn("/bin/none", &["none"])?;
        expect(spawn::wait(child)? == 127 << 8)
    }

    fn sleep() -> Result<(), Errno> {
        let before = clock::monotonic();
        clock::sleep(3_000_000);
        let spent = clock::monotonic() - before;
        expect((3_000_000..300_000_000).contains(&spent))
    }

    fn leaks() -> Result<(), Errno> {
        let one = || {
            let child = spawn::spawn("/bin/uptime", &["uptime"])?;
            spawn::wait(child)
        };
        one()?;
        clock::sleep(1_000_000);
        let before = memory::system_info();
        for _ in 0..20 {
            one()?;
        }
        clock::sleep(1_000_000);
        let after = memory::system_info();
        log!("selftest: free pages {} then {}", before.free_pages, after.free_pages);
        // Each child's stack stays mapped in this process: 16 pages, touched or not.
        expect(after.processes == before.processes)?;
        expect(after.threads == before.threads)?;
        expect(after.spaces == before.spaces)?;
        expect(after.connections == before.connections)
    }

    fn inversions() -> Result<(), Errno> {
        expect(memory::system_info().inversions == 0)
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
