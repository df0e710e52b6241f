//! Which compiler builds for `x86_64-unknown-none`.
//!
//! The tool chain that `cargo` came from is used if it has the bare-metal target, or if rustup can add
//! it. Otherwise Debian's `rustc-web` is, whose `core` is compiled from Debian's own source once
//! (module `sysroot`). All crates of the system compile with either, with stable features only.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::ToolchainChoice;
use crate::packages::{self, Need};
use crate::progress::step;
use crate::workspace::Workspace;
use crate::{shell, sysroot};

/// The bare-metal target.
pub(crate) const TARGET: &str = "x86_64-unknown-none";

/// What every crate of the system is compiled with; linker scripts come from each crate's build script.
const FLAGS: [&str; 2] = ["-Cforce-frame-pointers=yes", "-Clink-arg=--no-pie"];

/// Programs are linked where they are, too; but their code model has no addresses of 32 bits.
const PROGRAM_FLAGS: [&str; 1] = ["-Crelocation-model=pic"];

/// The kernel is one program of which most parts are rarely run: with LLVM's usual 225 it is a quarter
/// larger and hardly faster. Its place is fixed, in the top 2 GiB, so tables are reached by their addresses.
const KERNEL_FLAGS: [&str; 2] = ["-Cllvm-args=-inline-threshold=60", "-Crelocation-model=static"];

/// How long rustup may take to fetch the target before Debian's compiler is used instead.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// Debian's compiler, and the source that its `core` is built from.
const DEBIAN: &[Need] =
    &[Need::installed("rustc-web"), Need::installed("cargo-web"), Need::installed("rust-web-src")];

const DEBIAN_CLIPPY: &[Need] = &[Need::installed("rust-web-clippy")];

/// What is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Ring 0.
    Kernel,
    /// Everything else.
    Programs,
}

/// A compiler that can build for [`TARGET`].
#[derive(Clone, Debug)]
pub(crate) enum Toolchain {
    /// The one that `cargo` in the path belongs to.
    Rustup,
    /// Debian's, with a sysroot of our own that is made at the first use.
    Debian {
        /// An `ld.lld`.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds or makes one.
    ///
    /// # Errors
    /// When none can be had.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        let choice = workspace.toolchain;
        let is_debian_ready = sysroot::existing(workspace).is_some();
        if choice != ToolchainChoice::Debian {
            if has_target() || (!is_debian_ready && add_target()) {
                return Ok(Self::Rustup);
            }
            if choice == ToolchainChoice::Rustup {
                bail!("the target {TARGET} is not installed: rustup target add {TARGET}");
            }
        }
        packages::ensure(DEBIAN)?;
        Ok(Self::Debian { linker: find_linker()? })
    }

    /// `cargo SUBCOMMAND --target …`, ready for more arguments.
    ///
    /// # Errors
    /// When Debian's clippy is needed and cannot be installed, or the sysroot cannot be built.
    pub(crate) fn cargo(
        &self,
        workspace: &Workspace,
        subcommand: &str,
        part: Part,
    ) -> Result<Command> {
        let mut command = match self {
            Self::Rustup => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
            Self::Debian { .. } if subcommand == "clippy" => {
                packages::ensure(DEBIAN_CLIPPY)?;
                // By its path: rustup's cargo-clippy would come first.
                Command::new("/usr/bin/cargo-clippy")
            }
            Self::Debian { .. } => Command::new("/usr/bin/cargo"),
        };
        self.set_environment(workspace, &mut command, part)?;
        command.current_dir(&workspace.root).args([subcommand, "--target", TARGET]);
        command.arg("--target-dir").arg(workspace.target.join("system"));
        Ok(command)
    }

    fn set_environment(
        &self,
        workspace: &Workspace,
        command: &mut Command,
        part: Part,
    ) -> Result<()> {
        clean_environment(command);
        let mut flags: Vec<OsString> = FLAGS.iter().map(OsString::from).collect();
        match part {
            Part::Kernel => flags.extend(KERNEL_FLAGS.iter().map(OsString::from)),
            Part::Programs => flags.extend(PROGRAM_FLAGS.iter().map(OsString::from)),
        }
        if let Self::Debian { linker } = self {
            use_debian(command);
            command.env("CARGO_TARGET_X86_64_UNKNOWN_NONE_LINKER", linker);
            flags.extend(["--sysroot".into(), sysroot::build(workspace)?.into()]);
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}".as_ref()));
        Ok(())
    }
}

/// Makes `command`, Debian's cargo, use Debian's tools and nothing of rustup's.
pub(crate) fn use_debian(command: &mut Command) {
    clean_environment(command);
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("RUSTC", "/usr/bin/rustc")
        .env("CARGO", "/usr/bin/cargo")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH");
}

/// Takes away what the cargo that runs xtask, or its user, set for other builds.
pub(crate) fn clean_environment(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let is_of_this_package =
            text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
        if is_of_this_package || text.contains("RUSTFLAGS") || text == "CARGO_TARGET_DIR" {
            command.env_remove(name);
        }
    }
}

fn has_target() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let Ok(folder) = shell::output(&mut rustc) else { return false };
    let Ok(files) = Path::new(folder.trim()).read_dir() else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

fn add_target() -> bool {
    if shell::find("rustup").is_none() {
        return false;
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    let work = || shell::within(RUSTUP_LIMIT, &mut rustup);
    let status = step(&format!("asking rustup for the target {TARGET}"), work);
    status.ok().flatten().is_some_and(|status| status.success()) && has_target()
}

/// rustup's linker if there is one (it comes with every tool chain), else Debian's.
fn find_linker() -> Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]);
    if let Ok(folder) = shell::output(&mut rustc) {
        let host =
            Path::new(folder.trim()).join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
        if host.exists() {
            return Ok(host);
        }
    }
    packages::ensure(&[Need::program("ld.lld", "lld")])?;
    shell::find("ld.lld").context("ld.lld is not in the path")
}
