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

/// How GRUB finds the rest after its start, whatever it was started from.
const EARLY_CONFIG: &str = "\
search --file --set=root /boot/neutrino
set prefix=($root)/boot/grub
";

/// What is in GRUB's own image, for either firmware.
const GRUB_MODULES: [&str; 8] = [
    "iso9660",
    "part_gpt",
    "part_msdos",
    "search",
    "search_fs_file",
    "normal",
    "multiboot2",
    "all_video",
];

/// GRUB before anything is loaded, for a BIOS and a disk or memory stick.
const HYBRID_MBR: &str = "/usr/lib/grub/i386-pc/boot_hybrid.img";
/// Volume serial of the EFI file system, which would be the time.
const EFI_SERIAL: &str = "4e545230";

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
    step("writing the ISO", || burn(workspace, folder))?;
    Ok(iso)
}

/// Not `grub-mkrescue`, which puts the time of day into the image: equal contents give equal bytes.
fn burn(workspace: &Workspace, folder: &Path) -> Result<()> {
    let grub = folder.join("iso/boot/grub");
    let early = folder.join("early.cfg");
    write_file(&early, EARLY_CONFIG.as_bytes())?;
    make_grub("i386-pc-eltorito", "biosdisk", &early, &grub.join("eltorito.img"))?;
    let efi = folder.join("BOOTX64.EFI");
    make_grub("x86_64-efi", "fat", &early, &efi)?;
    let time = workspace.build_time();
    make_efi_disk(&efi, &grub.join("efi.img"), time)?;
    // A run that is still using the old file keeps it.
    let unfinished = folder.join("unfinished.iso");
    let mut xorriso = Command::new("xorriso");
    xorriso.env("SOURCE_DATE_EPOCH", time.to_string());
    xorriso.args(["-as", "mkisofs", "-quiet", "-r", "-volid", "NEUTRINO"]);
    xorriso.arg("--set_all_file_dates").arg(format!("={time}"));
    xorriso.args(["-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4"]);
    xorriso.args(["-boot-info-table", "--grub2-boot-info", "--grub2-mbr", HYBRID_MBR]);
    xorriso.args(["--efi-boot", "boot/grub/efi.img", "-efi-boot-part", "--efi-boot-image"]);
    xorriso.arg("--protective-msdos-label");
    xorriso.arg("-o").arg(&unfinished).arg(folder.join("iso"));
    shell::quiet(&mut xorriso)?;
    fs::rename(&unfinished, folder.join("neutrino.iso"))?;
    Ok(())
}

fn make_grub(format: &str, reader: &str, config: &Path, to: &Path) -> Result<()> {
    let mut grub = Command::new("grub-mkimage");
    grub.args(["-O", format, "-p", "/boot/grub", "-c"]).arg(config).arg("-o").arg(to);
    shell::quiet(grub.arg(reader).args(GRUB_MODULES))
}

/// A file system with GRUB where UEFI looks for it.
fn make_efi_disk(efi: &Path, to: &Path, time: u64) -> Result<()> {
    let mtool = |name: &str| {
        let mut command = Command::new(name);
        command.env("SOURCE_DATE_EPOCH", time.to_string()).arg("-i").arg(to);
        command
    };
    if to.exists() {
        fs::remove_file(to)?;
    }
    let mut format = mtool("mformat");
    shell::quiet(format.args(["-C", "-f", "2880", "-L", "16", "-N", EFI_SERIAL, "::"]))?;
    shell::quiet(mtool("mmd").args(["::/EFI", "::/EFI/BOOT"]))?;
    shell::quiet(mtool("mcopy").arg(efi).arg("::/EFI/BOOT/"))
}

/// Says whether it had to write.
fn write_if_different(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    write_file(path, bytes)?;
    Ok(true)
}
