//! `cargo xtask library`: QNX's kernel calls for C programs, which `libc-shim/cc` links.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::progress::step;
use crate::shell;
use crate::toolchain::{Part, TARGET, Toolchain};
use crate::workspace::Workspace;

/// The crate of `libneutrino.a`.
pub(crate) const PACKAGE: &str = "neutrino-c";

/// Builds the library and prints its folder.
///
/// # Errors
/// With the compiler's messages when it has any to say about an error.
pub(crate) fn command(workspace: &Workspace) -> Result<ExitCode> {
    println!("{}", build(workspace)?.display());
    Ok(ExitCode::SUCCESS)
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    let lock = workspace.lock()?;
    let toolchain = Toolchain::find(workspace)?;
    let mut cargo = toolchain.cargo(workspace, "build", Part::Programs)?;
    cargo.args(["--profile", "release", "-p", PACKAGE]);
    step("building libneutrino.a", || shell::quiet(&mut cargo))
        .context("compiling libneutrino.a")?;
    drop(lock);
    Ok(workspace.target.join("system").join(TARGET).join("release"))
}
