//! Compiles the kernel and the programs of the system for the bare-metal target.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::discarded;
use crate::manifest::Manifest;
use crate::progress::step;
use crate::shell;
use crate::symbols;
use crate::toolchain::{Part, TARGET, Toolchain};
use crate::workspace::Workspace;

/// Where the results are.
#[derive(Debug)]
pub(crate) struct Compiled {
    folder: PathBuf,
    stripped: PathBuf,
    kernel: String,
}

impl Compiled {
    /// A binary with its debug information, for tools on the host.
    pub(crate) fn with_debug(&self, name: &str) -> PathBuf {
        let part = if name == self.kernel { Part::Kernel } else { Part::Programs };
        self.folder.join(profile(part)).join(name)
    }

    /// A binary with its symbols, for back-traces in the guest, but no debug information.
    ///
    /// # Errors
    /// When `strip` fails.
    pub(crate) fn for_image(&self, name: &str) -> Result<PathBuf> {
        let to = self.stripped.join(name);
        let unfinished = to.with_extension("new");
        fs::create_dir_all(&self.stripped)?;
        let mut strip = Command::new("strip");
        strip.arg("--strip-debug").arg("-o").arg(&unfinished).arg(self.with_debug(name));
        shell::quiet(&mut strip)?;
        let named = symbols::demangled(fs::read(&unfinished)?)
            .with_context(|| format!("the symbols of {name}"))?;
        fs::write(&unfinished, named)?;
        // In one step: another xtask may be about to boot the old one.
        fs::rename(&unfinished, &to)?;
        Ok(to)
    }
}

/// Compiles the kernel, then all programs that the manifest names.
///
/// # Errors
/// With the compiler's messages when it has any to say about an error.
pub(crate) fn compile(
    workspace: &Workspace,
    toolchain: &Toolchain,
    manifest: &Manifest,
) -> Result<Compiled> {
    // One by one: features of shared dependencies that a program wants stay out of the kernel.
    let kernel = [manifest.kernel.package.as_str()];
    step("building the kernel", || build(workspace, toolchain, Part::Kernel, &kernel))?;
    let mut programs: Vec<&str> = manifest.binary.iter().map(|b| b.package.as_str()).collect();
    programs.sort_unstable();
    programs.dedup();
    let part = Part::Programs;
    step("building the system's programs", || build(workspace, toolchain, part, &programs))?;
    let folder = workspace.target.join("system").join(TARGET);
    let kernel = manifest.kernel.package.clone();
    let compiled = Compiled { stripped: folder.join("stripped"), folder, kernel };
    discarded::check(&compiled.with_debug(&compiled.kernel))?;
    Ok(compiled)
}

/// The profile in `Cargo.toml`.
const fn profile(part: Part) -> &'static str {
    match part {
        Part::Kernel => "kernel",
        Part::Programs => "release",
    }
}

fn build(
    workspace: &Workspace,
    toolchain: &Toolchain,
    part: Part,
    packages: &[&str],
) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let mut cargo = toolchain.cargo(workspace, "build", part)?;
    cargo.args(["--profile", profile(part), "--bins"]);
    for package in packages {
        cargo.args(["-p", package]);
    }
    shell::quiet(&mut cargo).context("compiling for bare metal")
}
