//! Where things are: the checkout, the build results, and the lock on them.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cli::ToolchainChoice;

/// The checkout that xtask was started from.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder with the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Everything that is built lies below this.
    pub(crate) target: PathBuf,
    /// Which compiler the user asked for.
    pub(crate) toolchain: ToolchainChoice,
    /// The description of the image.
    pub(crate) manifest: PathBuf,
}

impl Workspace {
    /// Finds the checkout; cargo says where this package is.
    ///
    /// # Errors
    /// When there is no checkout there, or the target folder cannot be made.
    pub(crate) fn open(toolchain: ToolchainChoice, manifest: &Path) -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.join("../..");
        let root = root.canonicalize().with_context(|| format!("no {}", root.display()))?;
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let target = if target.is_absolute() { target } else { root.join(target) };
        fs::create_dir_all(&target).with_context(|| format!("making {}", target.display()))?;
        let manifest = root.join(manifest);
        Ok(Self { root, target, toolchain, manifest })
    }

    /// The root file system's folder.
    pub(crate) fn rootfs(&self) -> PathBuf {
        self.root.join("rootfs")
    }

    /// The seconds since 1970 that go into the image: `SOURCE_DATE_EPOCH`, else the last commit's,
    /// so that one commit gives one image.
    pub(crate) fn build_time(&self) -> u64 {
        let commit = || {
            let mut git = std::process::Command::new("git");
            git.args(["log", "-1", "--format=%ct"]).current_dir(&self.root);
            let output = git.output().ok().filter(|output| output.status.success())?;
            String::from_utf8(output.stdout).ok()
        };
        let text = env::var("SOURCE_DATE_EPOCH").ok().or_else(commit);
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(FALLBACK_TIME)
    }

    /// Waits until no other xtask builds here, and keeps others waiting until the result is dropped.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked.
    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.target.join("xtask.lock");
        let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
        if file.try_lock().is_err() {
            eprintln!("waiting for another xtask to finish building");
            file.lock().with_context(|| format!("locking {}", path.display()))?;
        }
        Ok(file)
    }
}

/// 2026-01-01, for a checkout without git.
const FALLBACK_TIME: u64 = 1_767_225_600;

/// Replaces `path` by `bytes` in one step, so that a reader sees the old file or the new one.
///
/// # Errors
/// When the folder cannot be made or the file cannot be written.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file needs a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    fs::write(&temporary, bytes).with_context(|| format!("writing {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("writing {}", path.display()))
}
