//! `cargo xtask run`: one boot, with a terminal or for one command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::cli::RunOptions;
use crate::qemu::{Backend, Medium, Serial};
use crate::system::System;
use crate::workspace::Workspace;
use crate::{console, exec, iso, qemu, qmp, shell};

/// Builds, then boots as the options say.
///
/// # Errors
/// When something cannot be installed, built or started.
pub(crate) fn command(workspace: &Workspace, options: &RunOptions) -> Result<ExitCode> {
    let mut system = System::build(workspace)?;
    for argument in &options.content.add {
        system.add(argument)?;
    }
    if let Some(command) = &options.exec {
        system.set_exec(command)?;
    }
    let folder = BootFolder::new(workspace, options)?;
    let medium = if options.machine.direct {
        let image = iso::write_image(&system, &folder.path)?;
        Medium::Direct { kernel: system.kernel, image }
    } else {
        Medium::Iso(iso::write(workspace, &system, &folder.path)?)
    };
    let qmp = qmp::socket(workspace);
    if options.show_command {
        let serial = shown_serial(&folder, options);
        let command = qemu::command(&options.machine, &medium, &serial, &qmp)?;
        println!("{}", shell::display(&command));
        return Ok(ExitCode::SUCCESS);
    }
    if options.exec.is_none() {
        let command = qemu::command(&options.machine, &medium, &Serial::Terminal, &qmp)?;
        return console::attend(&command, options.machine.display.then_some(qmp.as_path()));
    }
    let limit = (options.timeout != 0).then(|| Duration::from_secs(options.timeout));
    exec::run(workspace, limit, |serial| qemu::command(&options.machine, &medium, serial, &qmp))
}

/// Where this boot's files are: the ordinary ones are kept and reused, those with additions are
/// only this boot's.
struct BootFolder {
    path: PathBuf,
    is_kept: bool,
}

impl BootFolder {
    fn new(workspace: &Workspace, options: &RunOptions) -> Result<Self> {
        let is_ordinary = options.content.add.is_empty() && options.exec.is_none();
        let name = match (is_ordinary, options.show_command) {
            (true, _) => "boot".to_owned(),
            (false, true) => "boot-shown".to_owned(),
            (false, false) => format!("boot-{}", std::process::id()),
        };
        remove_abandoned(workspace)?;
        let path = workspace.target.join(name);
        fs::create_dir_all(&path)?;
        Ok(Self { path, is_kept: is_ordinary || options.show_command })
    }
}

impl Drop for BootFolder {
    fn drop(&mut self) {
        if !self.is_kept {
            // What stays behind costs disk space and nothing else.
            fs::remove_dir_all(&self.path).unwrap_or_default();
        }
    }
}

/// A killed xtask could not clean up after itself.
fn remove_abandoned(workspace: &Workspace) -> Result<()> {
    for entry in workspace.target.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix("boot-"));
        let process: Option<u32> = process.and_then(|text| text.parse().ok());
        if process.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            // Somebody else may be removing it too.
            fs::remove_dir_all(entry.path()).unwrap_or_default();
        }
    }
    Ok(())
}

/// Without xtask nobody listens on sockets: a command's streams go to files.
fn shown_serial(folder: &BootFolder, options: &RunOptions) -> Serial {
    if options.exec.is_none() {
        return Serial::Terminal;
    }
    let ports = qemu::PORTS.map(|port| Backend::File(folder.path.join(port.name)));
    Serial::Exec { log: folder.path.join("console.log"), ports }
}
