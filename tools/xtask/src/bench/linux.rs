//! Linux in the same emulator: Debian's kernels run the same static program, as their process 1.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::record::{self, Peers};
use super::suite;
use crate::progress::step;
use crate::workspace::Workspace;
use crate::{qemu, recipe, shell};

/// As little in Linux's way as it allows; the processor without ERMS makes it copy by 8 bytes, too.
const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 nokaslr mitigations=off init_on_alloc=0 \
    randomize_kstack_offset=off hardened_usercopy=off audit=0 no5lvl";

/// What process 1 executes. The real-time throttle would stop a FIFO loop.
const SCRIPT: &str = "export PATH=/bin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t tmpfs tmpfs /tmp
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
echo BEGIN
/bin/peerbench -d /tmp -x /bin/hello -b /bin/busybox
echo END
/bin/busybox poweroff -f
";

/// Longer than the slowest machine needs.
const LIMIT: Duration = Duration::from_secs(3600);

/// Runs both kernels, and puts their figures in place of recorded ones.
///
/// # Errors
/// When a kernel or busybox cannot be had from Debian, or a run does not end.
pub(super) fn measure(workspace: &Workspace, peers: &mut BTreeMap<String, Peers>) -> Result<()> {
    let names = ["linux", "linux-rt", "busybox"].map(str::to_owned);
    let recipes = recipe::prepare(workspace, &names)?;
    let [linux, linux_rt, busybox] = recipes.as_slice() else {
        bail!("three recipes were asked for");
    };
    let image = initramfs(workspace, &busybox.out().join("busybox"))?;
    for peer in peers.values_mut() {
        (peer.linux, peer.linux_rt) = (None, None);
    }
    for (measure, value) in run(workspace, "linux", &linux.out().join("vmlinuz"), &image)? {
        peers.entry(measure).or_default().linux = value;
    }
    for (measure, value) in run(workspace, "linux-rt", &linux_rt.out().join("vmlinuz"), &image)? {
        peers.entry(measure).or_default().linux_rt = value;
    }
    Ok(())
}

/// The measures of one kernel. An earlier run of the same files is taken as it is: it would be repeated exactly.
fn run(
    workspace: &Workspace,
    name: &str,
    kernel: &Path,
    image: &Path,
) -> Result<Vec<(String, Option<f64>)>> {
    let stamp = stamp(workspace, kernel)?;
    let log = suite::folder(workspace)?.join(format!("{name}-{stamp}.log"));
    if !log.exists() {
        let part = log.with_extension("part");
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-accel", "tcg"]).args(qemu::ICOUNT);
        qemu.args(["-m", "512", "-nodefaults", "-display", "none", "-no-reboot"]);
        qemu.args(["-serial", &format!("file:{}", part.display()), "-append", COMMAND_LINE]);
        qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(image);
        step(&format!("measuring {name}"), || {
            shell::within(LIMIT, &mut qemu)?.context("Linux did not end within an hour")
        })?;
        fs::rename(&part, &log).with_context(|| format!("{name} wrote nothing"))?;
    }
    let said = fs::read_to_string(&log).with_context(|| format!("reading {}", log.display()))?;
    figures(&said).with_context(|| format!("{name}'s log {}", log.display()))
}

/// Stands for all that decides what a run measures.
fn stamp(workspace: &Workspace, kernel: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(COMMAND_LINE);
    hash.update(SCRIPT);
    let programs = suite::programs(workspace)?;
    for file in programs.iter().map(|(_, program)| program.as_path()).chain([kernel]) {
        hash.update(fs::read(file).with_context(|| format!("reading {}", file.display()))?);
    }
    Ok(format!("{:x}", hash.finalize()).chars().take(16).collect())
}

/// What stands between the marks.
fn figures(said: &str) -> Result<Vec<(String, Option<f64>)>> {
    let (_, said) = said.split_once("BEGIN").context("the benchmark did not start")?;
    let (said, _) = said.split_once("\nEND").context("the benchmark did not end")?;
    Ok(record::values(said).collect())
}

/// Makes the root file system.
fn initramfs(workspace: &Workspace, busybox: &Path) -> Result<PathBuf> {
    let folder = suite::folder(workspace)?;
    let image = folder.join("initramfs");
    let programs = suite::programs(workspace)?;
    let root = folder.join("initramfs.d");
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("emptying {}", root.display()))?;
    }
    for name in ["bin", "etc", "proc", "sys", "dev", "tmp"] {
        fs::create_dir_all(root.join(name))?;
    }
    for (name, program) in &programs {
        fs::copy(program, root.join("bin").join(name))?;
    }
    fs::copy(busybox, root.join("bin/busybox"))?;
    symlink("busybox", root.join("bin/sh"))?;
    symlink("bin/peerbench", root.join("init"))?;
    fs::write(root.join("etc/rc"), SCRIPT)?;
    fs::write(&image, archive(busybox, &root)?)
        .with_context(|| format!("writing {}", image.display()))?;
    Ok(image)
}

/// Packs a folder, with busybox itself, as every host can run it.
fn archive(busybox: &Path, root: &Path) -> Result<Vec<u8>> {
    let list = root.with_extension("list");
    let mut names = Vec::new();
    collect(root, Path::new("."), &mut names)?;
    names.sort();
    fs::write(&list, names.join("\n"))?;
    let mut cpio = Command::new(busybox);
    cpio.args(["cpio", "-o", "-H", "newc"]).current_dir(root);
    let output = cpio.stdin(File::open(&list)?).stderr(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("busybox cpio failed ({})", output.status);
    }
    Ok(output.stdout)
}

fn collect(root: &Path, folder: &Path, names: &mut Vec<String>) -> Result<()> {
    for entry in root.join(folder).read_dir()? {
        let path = folder.join(entry?.file_name());
        if root.join(&path).is_dir() {
            collect(root, &path, names)?;
        }
        names.push(path.display().to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_between_the_marks() {
        let said = "boot 1\nBEGIN\nread_1 5 4 6 ns\nmutex unsupported 38\nEND\nlate 2\n";
        let found = figures(said).unwrap();
        assert_eq!(found, [("read_1".to_owned(), Some(5.0)), ("mutex".to_owned(), None)]);
        assert!(figures("BEGIN\nread_1 5\n").is_err());
    }
}
