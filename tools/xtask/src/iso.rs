//! The bootable ISO: GRUB for BIOS and UEFI, the kernel, the boot image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::cli::ContentOptions;
use crate::progress::{note, step};
use crate::shell;
use crate::system::System;
use crate::workspace::{Workspace, write_file};

/// `all_video` brings what either firmware needs, so that the kernel gets a frame buffer.
const GRUB_CONFIG: &str = "\
set timeout=0
set default=0
insmod all_video
set gfxpayload=1024x768x32
menuentry \"Neutrino\" {
    multiboot2 /boot/neutrino
    module2 /boot/image image
    boot
}
";

/// What GRUB itself loads after its start, for either firmware. Its own start script asks for every kind
/// of partition table and complains about those that are missing.
const GRUB_MODULES: &str = "--install-modules=normal multiboot2 all_video part_acorn part_amiga \
    part_apple part_bsd part_dfly part_dvh part_gpt part_msdos part_plan part_sun part_sunpc";

/// `cargo xtask iso`.
///
/// # Errors
/// When something cannot be installed or built.
pub(crate) fn command(workspace: &Workspace, options: &ContentOptions) -> Result<ExitCode> {
    let mut system = System::build(workspace)?;
    for argument in &options.add {
        system.add(argument)?;
    }
    let iso = write(workspace, &system, &workspace.target.join("boot"))?;
    note(&format!("the ISO is {}", iso.display()));
    Ok(ExitCode::SUCCESS)
}

/// Writes the boot image to `folder/image`, for QEMU's own loader.
///
/// # Errors
/// When the image cannot be made or written.
pub(crate) fn write_image(system: &System, folder: &Path) -> Result<PathBuf> {
    let path = folder.join("image");
    write_if_different(&path, &system.image()?)?;
    Ok(path)
}

/// Writes `folder/neutrino.iso`, unless it is there with the same contents.
///
/// # Errors
/// When the image cannot be made or GRUB's tools fail.
pub(crate) fn write(workspace: &Workspace, system: &System, folder: &Path) -> Result<PathBuf> {
    let root = folder.join("iso/boot");
    let kernel = fs::read(&system.kernel).context("reading the kernel")?;
    let is_different = [
        write_if_different(&root.join("neutrino"), &kernel)?,
        write_if_different(&root.join("image"), &system.image()?)?,
        write_if_different(&root.join("grub/grub.cfg"), GRUB_CONFIG.as_bytes())?,
    ];
    let iso = folder.join("neutrino.iso");
    if iso.exists() && !is_different.contains(&true) {
        return Ok(iso);
    }
    // A run that is still using the old file keeps it.
    let unfinished = folder.join("unfinished.iso");
    let mut grub = Command::new("grub-mkrescue");
    grub.arg("-o").arg(&unfinished).args([GRUB_MODULES, "--fonts=", "--locales=", "--themes="]);
    grub.arg(folder.join("iso")).args(["--", "-volid", "NEUTRINO"]);
    grub.env("SOURCE_DATE_EPOCH", workspace.build_time().to_string());
    step("writing the ISO", || shell::quiet(&mut grub))?;
    fs::rename(&unfinished, &iso)?;
    Ok(iso)
}

/// Says whether it had to write.
fn write_if_different(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    write_file(path, bytes)?;
    Ok(true)
}
