//! Debian packages that building and running need: found missing, announced, installed.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::progress::{note, step};
use crate::shell;

/// A Debian package and how to see that it is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    sign: Sign,
    package: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Sign {
    Program(&'static str),
    File(&'static str),
    /// Only dpkg can tell: others have files of the same names.
    Dpkg,
}

impl Need {
    /// A package that is there when `program` is.
    pub(crate) const fn program(program: &'static str, package: &'static str) -> Self {
        Self { sign: Sign::Program(program), package }
    }

    /// A package that is there when `file` is.
    pub(crate) const fn file(file: &'static str, package: &'static str) -> Self {
        Self { sign: Sign::File(file), package }
    }

    /// A package that dpkg says is installed.
    pub(crate) const fn installed(package: &'static str) -> Self {
        Self { sign: Sign::Dpkg, package }
    }

    fn is_met(&self) -> bool {
        match self.sign {
            Sign::Program(program) => shell::find(program).is_some(),
            Sign::File(file) => Path::new(file).exists(),
            Sign::Dpkg => {
                let mut query = Command::new("dpkg-query");
                query.args(["-W", "-f", "${db:Status-Status}", self.package]);
                shell::output(&mut query).is_ok_and(|status| status == "installed")
            }
        }
    }
}

/// What building the image, the ISO and running it need, beside a compiler.
pub(crate) const SYSTEM: &[Need] = &[
    Need::program("qemu-system-x86_64", "qemu-system-x86"),
    Need::program("grub-mkimage", "grub-common"),
    Need::file("/usr/lib/grub/i386-pc/multiboot2.mod", "grub-pc-bin"),
    Need::file("/usr/lib/grub/x86_64-efi/multiboot2.mod", "grub-efi-amd64-bin"),
    Need::program("xorriso", "xorriso"),
    Need::program("mformat", "mtools"),
    Need::file(crate::qemu::OVMF, "ovmf"),
    Need::program("musl-gcc", "musl-tools"),
    Need::program("make", "make"),
    Need::program("tclsh", "tcl"),
    Need::program("dpkg-source", "dpkg-dev"),
    Need::program("strip", "binutils"),
];

/// QEMU's window, for `--display`.
pub(crate) const WINDOW: &[Need] =
    &[Need::file("/usr/lib/x86_64-linux-gnu/qemu/ui-gtk.so", "qemu-system-gui")];

/// Installs the packages among `needs` that are missing, after saying which.
///
/// # Errors
/// With the command to run by hand, when this user may not install packages; or when apt fails.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let by_hand = format!("apt-get install --no-install-recommends {list}");
    if shell::find("apt-get").is_none() {
        bail!("these Debian packages are missing and there is no apt-get here: {list}");
    }
    let Some(become_root) = way_to_root() else {
        bail!("these Debian packages are missing; install them with\n    sudo {by_hand}");
    };
    note(&format!("installing Debian packages: {list}"));
    // Other people's package sources may fail to update; what matters is seen at the install.
    step("fetching Debian's package lists", || {
        Ok(shell::quiet(&mut apt(become_root, &["update"])))
    })?
    .unwrap_or_else(|error| note(&format!("{error:#}")));
    let mut install = apt(become_root, &["install", "-y", "--no-install-recommends"]);
    install.args(&missing);
    step("installing Debian packages", || shell::quiet(&mut install))
        .with_context(|| format!("`{by_hand}` failed"))?;
    let still = self::missing(needs);
    if still.is_empty() { Ok(()) } else { bail!("still missing after `{by_hand}`: {still:?}") }
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    let mut packages: Vec<_> =
        needs.iter().filter(|need| !need.is_met()).map(|need| need.package).collect();
    packages.dedup();
    packages
}

/// How this process can act as root: the words to put before a command.
fn way_to_root() -> Option<&'static [&'static str]> {
    if rustix::process::geteuid().is_root() {
        return Some(&[]);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sudo.status().is_ok_and(|status| status.success()).then_some(&["sudo", "-n"])
}

fn apt(become_root: &[&str], arguments: &[&str]) -> Command {
    // apt waits for another apt itself when told to.
    let start = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"];
    let options = ["-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3"];
    let mut words = become_root.iter().chain(&start).chain(&options).chain(arguments);
    let mut command = Command::new(words.next().unwrap_or(&"apt-get"));
    command.args(words);
    command
}
