//! `cargo xtask setup`: everything that is installed or built once, ahead of its first use.

use std::process::ExitCode;

use anyhow::Result;

use crate::packages;
use crate::progress::note;
use crate::sysroot;
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// Installs and builds, then says what will be used.
///
/// # Errors
/// When something cannot be installed or built.
pub(crate) fn command(workspace: &Workspace) -> Result<ExitCode> {
    let _lock = workspace.lock()?;
    packages::ensure(packages::SYSTEM)?;
    match Toolchain::find(workspace)? {
        Toolchain::Rustup => note("compiler for bare metal: the one that cargo came from"),
        Toolchain::Debian { linker } => {
            let sysroot = sysroot::build(workspace)?;
            note("compiler for bare metal: Debian's rustc-web");
            note(&format!("  core and alloc: {}", sysroot.display()));
            note(&format!("  linker: {}", linker.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}
