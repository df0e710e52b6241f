//! The crates of this workspace: which run on the host, which only on bare metal.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use serde::Deserialize;

use crate::manifest::Manifest;
use crate::shell;
use crate::workspace::Workspace;

/// Libraries that do not link on a host: they bring a program's entry point.
const BARE_LIBRARIES: [&str; 2] = ["neutrino-rt", crate::library::PACKAGE];

/// The workspace's packages by where they run.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// Compile, run and are tested on the host.
    pub(crate) host: Vec<String>,
    /// Only make sense for the bare-metal target.
    pub(crate) bare: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// Asks cargo for the packages and the image's manifest for those that are bare-metal programs.
///
/// # Errors
/// When cargo fails.
pub(crate) fn members(workspace: &Workspace, manifest: &Manifest) -> Result<Members> {
    let mut members = Members::default();
    for package in packages(workspace)? {
        let name = package.name;
        let is_program = manifest.binary.iter().any(|binary| binary.package == name);
        let is_bare = is_program
            || manifest.kernel.package == name
            || BARE_LIBRARIES.contains(&name.as_str());
        if is_bare { members.bare.push(name) } else { members.host.push(name) }
    }
    Ok(members)
}

/// The folder of each package named in `names`.
///
/// # Errors
/// When cargo fails.
pub(crate) fn folders(workspace: &Workspace, names: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let wanted = packages(workspace)?.into_iter().filter(|p| names.contains(&p.name.as_str()));
    Ok(wanted
        .map(|mut p| {
            (p.name, {
                p.manifest_path.pop();
                p.manifest_path
            })
        })
        .collect())
}

fn packages(workspace: &Workspace) -> Result<Vec<Package>> {
    let mut cargo = host_cargo(workspace, "metadata");
    let text = shell::output(cargo.args(["--format-version", "1", "--no-deps"]))?;
    let metadata: Metadata = serde_json::from_str(&text)?;
    Ok(metadata.packages)
}

/// The cargo that xtask was started by, for host builds.
pub(crate) fn host_cargo(workspace: &Workspace, subcommand: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    crate::toolchain::clean_environment(&mut command);
    command.arg(subcommand).current_dir(&workspace.root);
    command.env("CARGO_TARGET_DIR", &workspace.target);
    command
}
