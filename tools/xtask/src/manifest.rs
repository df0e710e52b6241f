//! `rootfs/image.toml`: what goes into the boot image.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The kernel: a binary that is booted and not in the image.
    pub(crate) kernel: Kernel,
    /// Where the kernel finds the first process.
    pub(crate) procnto: String,
    /// Folders, with mode 0755.
    pub(crate) directories: Vec<String>,
    /// Programs of this workspace.
    pub(crate) binary: Vec<Binary>,
    /// Third-party programs: names of folders in `rootfs/recipes`.
    pub(crate) recipes: Vec<String>,
    /// A program that answers to many names.
    pub(crate) applets: Option<Applets>,
    /// Folders of the checkout that are copied with all that is in them.
    #[serde(default)]
    pub(crate) tree: Vec<TreeCopy>,
    /// Single files of the checkout.
    #[serde(default)]
    pub(crate) file: Vec<FileCopy>,
    /// Symbolic links.
    #[serde(default)]
    pub(crate) symlink: Vec<Symlink>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kernel {
    /// Its package; the binary has the same name.
    pub(crate) package: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Binary {
    /// The package that builds it.
    pub(crate) package: String,
    /// The binary's name, where it is not the package's.
    pub(crate) name: Option<String>,
    /// Where it goes.
    pub(crate) path: String,
}

impl Binary {
    /// The file that cargo makes.
    pub(crate) fn file_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.package)
    }
}

/// `program` is asked for its names, each of which becomes a link to it in `directory`, unless the
/// image has something of that name in /bin, /sbin or /usr/bin already.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Applets {
    /// The program's path in the image; it must also run on the host.
    pub(crate) program: String,
    /// The arguments that make it list its names.
    pub(crate) list: Vec<String>,
    /// Where the links go.
    pub(crate) directory: String,
    /// Names that it offers and that are not wanted.
    #[serde(default)]
    pub(crate) except: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TreeCopy {
    /// A folder below `rootfs`.
    pub(crate) source: String,
    /// Where it goes.
    pub(crate) path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileCopy {
    /// A file below `rootfs`.
    pub(crate) source: String,
    /// Where it goes.
    pub(crate) path: String,
    /// Permissions, in octal.
    #[serde(default = "mode_of_a_file", deserialize_with = "octal")]
    pub(crate) mode: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Symlink {
    /// Where the link goes.
    pub(crate) path: String,
    /// What it says.
    pub(crate) target: String,
}

fn mode_of_a_file() -> u32 {
    0o644
}

/// Reads permissions written as a string in octal.
///
/// # Errors
/// When they are not.
pub(crate) fn octal<'de, D: serde::Deserializer<'de>>(source: D) -> Result<u32, D::Error> {
    let text = String::deserialize(source)?;
    u32::from_str_radix(&text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| serde::de::Error::custom(format!("{text}: not octal permissions")))
}

/// Reads any of this project's TOML files.
///
/// # Errors
/// When the file cannot be read or does not say what `T` expects.
pub(crate) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}
