//! Everything that one boot needs: what is missing is installed, all is built, the image is filled.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, thread};

use anyhow::{Context, Result, anyhow, bail};

use crate::compile::{Compiled, compile};
use crate::image::{self, Label};
use crate::manifest::{self, Applets, Manifest};
use crate::packages;
use crate::recipe::{self, Prepared};
use crate::shell;
use crate::symbols;
use crate::toolchain::Toolchain;
use crate::tree::{Content, Tree};
use crate::workspace::Workspace;

/// Where the guest finds the command of `run --exec`.
/// Where added files go that are no programs: no server covers it at boot.
const DATA_FOLDER: &str = "/opt";
const EXEC_PATH: &str = "/etc/exec";

/// The system as it is built, before anything is added for one boot.
#[derive(Debug)]
pub(crate) struct System {
    /// The kernel's ELF file, as it is booted.
    pub(crate) kernel: PathBuf,
    tree: Tree,
    procnto: String,
    build_time: u64,
}

/// Reads `rootfs/image.toml`, or what the user gave in its place.
///
/// # Errors
/// When it is missing or wrong.
pub(crate) fn manifest(workspace: &Workspace) -> Result<Manifest> {
    manifest::read(&workspace.manifest)
}

impl System {
    /// Installs and builds what is missing or out of date.
    ///
    /// # Errors
    /// When something cannot be installed or built.
    pub(crate) fn build(workspace: &Workspace) -> Result<Self> {
        let manifest = manifest(workspace)?;
        let lock = workspace.lock()?;
        packages::ensure(packages::SYSTEM)?;
        let toolchain = Toolchain::find(workspace)?;
        let (compiled, recipes) = thread::scope(|scope| {
            let recipes = scope.spawn(|| recipe::prepare(workspace, &manifest.recipes));
            let compiled = compile(workspace, &toolchain, &manifest);
            (compiled, recipes.join())
        });
        let recipes = recipes.map_err(|_| anyhow!("the recipes' thread died"))??;
        let compiled = compiled?;
        let mut tree = fill(workspace, &manifest, &compiled, &recipes)?;
        let kernel = compiled.for_image(&manifest.kernel.package)?;
        let map = symbols::map(&fs::read(&kernel).context("reading the kernel")?)?;
        tree.add(symbols::PATH, 0o644, Content::Bytes(map))?;
        drop(lock);
        let build_time = workspace.build_time();
        Ok(Self { kernel, tree, procnto: manifest.procnto, build_time })
    }

    /// Adds a host file as `--add` names it.
    ///
    /// # Errors
    /// When there is no such file, it cannot run there, or its path in the image is impossible.
    pub(crate) fn add(&mut self, argument: &str) -> Result<()> {
        let (host, guest) = split_add(argument);
        let data = host.metadata().with_context(|| format!("--add {}", host.display()))?;
        if !data.is_file() {
            bail!("--add {}: not a file", host.display());
        }
        refuse_dynamic(host)?;
        let is_program = data.permissions().mode() & 0o111 != 0;
        let name = host.file_name().unwrap_or_default().to_string_lossy();
        let folder = if is_program { "/bin" } else { DATA_FOLDER };
        let guest = guest.map_or_else(|| format!("{folder}/{name}"), str::to_owned);
        let mode = if is_program { 0o755 } else { 0o644 };
        self.tree.add(&guest, mode, Content::Host(host.to_owned()))
    }

    /// Makes this boot run `command` and power off.
    ///
    /// # Errors
    /// When the image has a directory in the command's place.
    pub(crate) fn set_exec(&mut self, command: &str) -> Result<()> {
        let line = format!("{command}\n").into_bytes();
        self.tree.add(EXEC_PATH, 0o644, Content::Bytes(line))
    }

    /// The boot image.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn image(&self) -> Result<Vec<u8>> {
        let label = Label { procnto: &self.procnto, build_time: self.build_time };
        image::build(&self.tree, label).context("making the boot image")
    }
}

fn split_add(argument: &str) -> (&Path, Option<&str>) {
    // A colon may be part of the host's name: only an absolute path after it is the guest's.
    match argument.rsplit_once(':') {
        Some((host, guest)) if guest.starts_with('/') => (Path::new(host), Some(guest)),
        Some(_) | None => (Path::new(argument), None),
    }
}

/// A program that wants an interpreter would only fail later, in the guest.
fn refuse_dynamic(host: &Path) -> Result<()> {
    let bytes = fs::read(host).with_context(|| format!("--add {}", host.display()))?;
    let Ok(file) = elf::ElfBytes::<elf::endian::AnyEndian>::minimal_parse(&bytes) else {
        return Ok(());
    };
    let is_dynamic = file.segments().is_some_and(|segments| {
        segments.iter().any(|segment| segment.p_type == elf::abi::PT_INTERP)
    });
    if is_dynamic {
        bail!(
            "--add {}: this program is dynamically linked and the system has no dynamic linker; \
             link it with -static",
            host.display()
        );
    }
    Ok(())
}

fn fill(
    workspace: &Workspace,
    manifest: &Manifest,
    compiled: &Compiled,
    recipes: &[Prepared],
) -> Result<Tree> {
    let mut tree = Tree::new();
    for path in &manifest.directories {
        tree.add_directory(path)?;
    }
    for binary in &manifest.binary {
        let file = compiled.for_image(binary.file_name())?;
        tree.add(&binary.path, 0o755, Content::Host(file))?;
    }
    for prepared in recipes {
        for file in &prepared.recipe.files {
            let host = prepared.out().join(&file.from);
            tree.add(&file.to, file.mode, Content::Host(host))?;
        }
    }
    for copy in &manifest.tree {
        add_folder(&mut tree, &workspace.rootfs().join(&copy.source), &copy.path)?;
    }
    for copy in &manifest.file {
        let host = workspace.rootfs().join(&copy.source);
        tree.add(&copy.path, copy.mode, Content::Host(host))?;
    }
    for link in &manifest.symlink {
        tree.add(&link.path, 0o777, Content::Symlink(link.target.clone()))?;
    }
    if let Some(applets) = &manifest.applets {
        add_applets(&mut tree, applets)?;
    }
    Ok(tree)
}

fn add_folder(tree: &mut Tree, host: &Path, guest: &str) -> Result<()> {
    let entries = host.read_dir().with_context(|| format!("reading {}", host.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let path = format!("{guest}/{}", name.to_str().context("a file name that is not UTF-8")?);
        let data = entry.metadata()?;
        if data.is_dir() {
            tree.add_directory(&path)?;
            add_folder(tree, &entry.path(), &path)?;
        } else {
            // Whether git made it executable is all that a checkout keeps of a file's mode.
            let mode = if data.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            tree.add(&path, mode, Content::Host(entry.path()))?;
        }
    }
    Ok(())
}

fn add_applets(tree: &mut Tree, applets: &Applets) -> Result<()> {
    let program = tree.find(&applets.program).map(|node| &node.content);
    let Some(Content::Host(host)) = program else {
        bail!("image.toml: applets: {} is not in the image", applets.program);
    };
    let names = shell::output(Command::new(host).args(&applets.list))?;
    let names: BTreeSet<&str> = names.split_whitespace().collect();
    for name in names {
        let is_taken = ["/bin", "/sbin", "/usr/bin", "/usr/sbin"]
            .iter()
            .any(|folder| tree.find(&format!("{folder}/{name}")).is_some());
        if !is_taken && !applets.except.iter().any(|except| except == name) {
            let path = format!("{}/{name}", applets.directory);
            tree.add(&path, 0o777, Content::Symlink(applets.program.clone()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_path_of_add_is_what_follows_the_last_colon_and_a_slash() {
        assert_eq!(split_add("a:/b"), (Path::new("a"), Some("/b")));
        assert_eq!(split_add("a"), (Path::new("a"), None));
        assert_eq!(split_add("./a:b"), (Path::new("./a:b"), None));
    }

    #[test]
    fn a_dynamic_program_is_refused_in_one_sentence() {
        // The host's own shell is dynamic on every ordinary system.
        let error = refuse_dynamic(Path::new("/bin/sh")).unwrap_err().to_string();
        assert!(error.contains("dynamically linked"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
