//! `cargo xtask check`: formatting and lints of every crate, with the compiler that builds it.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::members::{Members, host_cargo, members};
use crate::progress::{note, step};
use crate::toolchain::{Part, Toolchain};
use crate::workspace::Workspace;
use crate::{shell, system};

/// Runs all checks, and says at the end which failed.
///
/// # Errors
/// When a check could not be run.
pub(crate) fn command(workspace: &Workspace) -> Result<ExitCode> {
    let manifest = system::manifest(workspace)?;
    let members = members(workspace, &manifest)?;
    for component in ["rustfmt", "clippy"] {
        ensure_component(component)?;
    }
    let toolchain = Toolchain::find(workspace)?;
    let mut format = host_cargo(workspace, "fmt");
    format.args(["--all", "--check"]);
    let mut checks = vec![
        ("formatting", format),
        ("lints of host crates", lint_host(workspace, &members)),
        ("lints of bare-metal crates", lint_bare(workspace, &toolchain, &members)?),
    ];
    let mut failed = Vec::new();
    for (what, command) in &mut checks {
        if let Err(error) = step(what, || shell::quiet(command)) {
            note(&format!("{error:#}"));
            failed.push(*what);
        }
    }
    if failed.is_empty() {
        note("all checks passed");
        return Ok(ExitCode::SUCCESS);
    }
    note(&format!("failed: {}", failed.join(", ")));
    Ok(ExitCode::FAILURE)
}

fn lint_host(workspace: &Workspace, members: &Members) -> Command {
    let mut clippy = host_cargo(workspace, "clippy");
    clippy.arg("--all-targets");
    finish(clippy, &members.host)
}

fn lint_bare(workspace: &Workspace, toolchain: &Toolchain, members: &Members) -> Result<Command> {
    let mut clippy = toolchain.cargo(workspace, "clippy", Part::Programs)?;
    clippy.arg("--release");
    Ok(finish(clippy, &members.bare))
}

fn finish(mut clippy: Command, packages: &[String]) -> Command {
    for package in packages {
        clippy.args(["-p", package]);
    }
    clippy.args(["--keep-going", "--", "-D", "warnings"]);
    clippy
}

/// rustup's small profile comes without these.
fn ensure_component(component: &str) -> Result<()> {
    let program = if component == "clippy" { "cargo-clippy" } else { "cargo-fmt" };
    let works = shell::quiet(Command::new(program).arg("--version")).is_ok();
    if works {
        return Ok(());
    }
    if shell::find("rustup").is_none() {
        bail!("{program} is missing");
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["component", "add", component]);
    step(&format!("installing {component}"), || shell::quiet(&mut rustup))
        .with_context(|| format!("{program} is missing and rustup cannot add it"))
}
