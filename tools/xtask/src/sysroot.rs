//! `core`, `alloc` and `compiler_builtins` for the bare-metal target, from Debian's Rust source.
//!
//! A scratch crate is built once with `-Zbuild-std`, the one thing here that a stable compiler must be
//! talked into (`RUSTC_BOOTSTRAP=1`); the libraries are kept in a sysroot that the ordinary builds name.
//! So no crate of ours is ever compiled with unstable features allowed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::step;
use crate::shell;
use crate::toolchain::{TARGET, use_debian};
use crate::workspace::{Workspace, write_file};

const MANIFEST: &str = r#"[package]
name = "sysroot"
version = "0.0.0"
edition = "2024"

[workspace]

[profile.release]
panic = "abort"
overflow-checks = false
"#;

/// The sysroot, if it was built already for the compiler that is installed.
pub(crate) fn existing(workspace: &Workspace) -> Option<PathBuf> {
    let folder = folder(workspace, &version().ok()?);
    folder.join("lib/rustlib").join(TARGET).exists().then_some(folder)
}

/// Builds the sysroot, or finds it built.
///
/// # Errors
/// When Debian's compiler fails.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(folder) = existing(workspace) {
        return Ok(folder);
    }
    let folder = folder(workspace, &version()?);
    let scratch = workspace.target.join("sysroot-build");
    step("building core and alloc for bare metal (once)", || compile(&scratch))?;
    let unfinished = folder.with_extension("new");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    collect(&scratch, &unfinished)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(&unfinished, &folder)?;
    fs::remove_dir_all(&scratch)?;
    Ok(folder)
}

fn folder(workspace: &Workspace, version: &str) -> PathBuf {
    workspace.target.join(format!("sysroot-{version}"))
}

fn version() -> Result<String> {
    let mut rustc = Command::new("/usr/bin/rustc");
    use_debian(&mut rustc);
    let text = shell::output(rustc.arg("--version"))?;
    let version = text.split(' ').nth(1).context("rustc does not say its version")?;
    Ok(version.to_owned())
}

fn compile(scratch: &Path) -> Result<()> {
    write_file(&scratch.join("Cargo.toml"), MANIFEST.as_bytes())?;
    write_file(&scratch.join("src/lib.rs"), b"#![no_std]\n")?;
    let mut cargo = Command::new("/usr/bin/cargo");
    use_debian(&mut cargo);
    cargo.current_dir(scratch).env("RUSTC_BOOTSTRAP", "1").args(["build", "--release"]);
    cargo.args(["--target", TARGET, "-Zbuild-std=core,alloc,compiler_builtins"]);
    cargo.arg("-Zbuild-std-features=compiler-builtins-mem").arg("--target-dir");
    shell::quiet(cargo.arg(scratch.join("target")))
}

fn collect(scratch: &Path, sysroot: &Path) -> Result<()> {
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&libraries)?;
    let built = scratch.join("target").join(TARGET).join("release/deps");
    let mut count = 0;
    for file in built.read_dir().with_context(|| format!("reading {}", built.display()))? {
        let file = file?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_library = ["libcore-", "liballoc-", "libcompiler_builtins-"]
            .iter()
            .any(|start| name.starts_with(start));
        if is_library && (name.ends_with(".rlib") || name.ends_with(".rmeta")) {
            fs::copy(&file, libraries.join(&name))?;
            count += 1;
        }
    }
    if count < 3 {
        bail!("the build of core left only {count} libraries in {}", built.display());
    }
    let mut rustc = Command::new("/usr/bin/rustc");
    use_debian(&mut rustc);
    let host = shell::output(rustc.args(["--print", "sysroot"]))?;
    let host = Path::new(host.trim()).join("lib/rustlib/x86_64-unknown-linux-gnu");
    symlink(host, sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu"))?;
    Ok(())
}
