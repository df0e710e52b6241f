//! QEMU's command line.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::cli::{Accel, MachineOptions};
use crate::packages;

/// Debian's UEFI firmware for QEMU.
pub(crate) const OVMF: &str = "/usr/share/ovmf/OVMF.fd";

/// What the machine boots from.
#[derive(Debug)]
pub(crate) enum Medium {
    /// A CD with GRUB on it.
    Iso(PathBuf),
    /// QEMU's own loader.
    Direct {
        /// The kernel's ELF file, with a PVH note.
        kernel: PathBuf,
        /// The boot image.
        image: PathBuf,
    },
}

/// Where the serial ports lead.
#[derive(Debug)]
pub(crate) enum Serial {
    /// The console is this terminal; there is no other port.
    Terminal,
    /// The console goes to a file, and a command's streams have ports of their own.
    Exec {
        /// The console's file.
        log: PathBuf,
        /// The backends of the command's ports, in [`Port`]'s order.
        ports: [Backend; 3],
    },
}

/// The far end of one of the command's ports.
#[derive(Debug)]
pub(crate) enum Backend {
    /// A UNIX socket that somebody listens on.
    Socket(PathBuf),
    /// A file that the guest's output is written to.
    File(PathBuf),
}

/// The ports of a command: the addresses of COM2 to COM4, with interrupts of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port {
    /// What passes through it.
    pub(crate) name: &'static str,
    base: u16,
    interrupt: u8,
}

/// `/dev/ser4`, `/dev/ser3` and `/dev/ser2` in the guest. UEFI firmware writes its own messages to COM1
/// and COM2, so only the control port, whose reader takes no notice, may be COM2.
pub(crate) const PORTS: [Port; 3] = [
    Port { name: "stdout", base: 0x2e8, interrupt: 11 },
    Port { name: "stderr", base: 0x3e8, interrupt: 10 },
    Port { name: "control", base: 0x2f8, interrupt: 3 },
];

/// One instruction is one nanosecond, and nothing of the host shows: runs are identical.
pub(crate) const ICOUNT: [&str; 8] = [
    "-icount",
    "shift=0,sleep=off",
    "-cpu",
    "max,-erms,-fsrm",
    "-seed",
    "1",
    "-rtc",
    "base=2024-01-01,clock=vm",
];

/// Writes the command line.
///
/// # Errors
/// When options contradict each other, or the window's package cannot be installed.
pub(crate) fn command(
    options: &MachineOptions,
    medium: &Medium,
    serial: &Serial,
    qmp: &Path,
) -> Result<Command> {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-nodefaults", "-no-user-config", "-machine", "q35"]);
    add_processor(&mut qemu, options)?;
    qemu.args(["-m", &options.memory, "-smp", &options.smp.to_string()]);
    // A panicking kernel ends QEMU through this port, with an odd status.
    qemu.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
    add_serial(&mut qemu, serial);
    add_display(&mut qemu, options, qmp)?;
    if options.uefi {
        qemu.args(["-bios", OVMF]);
    }
    match medium {
        Medium::Iso(iso) => {
            let drive = "if=none,id=cd,media=cdrom,readonly=on,format=raw";
            qemu.args(["-drive", &format!("{drive},file={}", escape(iso))]);
            qemu.args(["-device", "ide-cd,drive=cd,bus=ide.1,bootindex=0"]);
        }
        Medium::Direct { kernel, image } => {
            qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(image);
        }
    }
    for (number, disk) in options.disk.iter().enumerate() {
        let is_qcow2 = disk.extension().is_some_and(|extension| extension == "qcow2");
        let format = if is_qcow2 { "qcow2" } else { "raw" };
        if !disk.exists() {
            bail!("--disk {}: no such file", disk.display());
        }
        let file = escape(&std::path::absolute(disk)?);
        qemu.args(["-drive", &format!("if=none,id=disk{number},format={format},file={file}")]);
        qemu.args(["-device", &format!("virtio-blk-pci,drive=disk{number}")]);
    }
    qemu.args(&options.qemu);
    Ok(qemu)
}

fn add_processor(qemu: &mut Command, options: &MachineOptions) -> Result<()> {
    match (options.accel, options.icount) {
        (Accel::Kvm, true) => bail!("--icount counts emulated instructions: it needs --accel tcg"),
        (Accel::Kvm, false) => qemu.args(["-accel", "kvm", "-cpu", "host"]),
        (Accel::Tcg, true) => qemu.args(["-accel", "tcg"]).args(ICOUNT),
        (Accel::Tcg, false) => qemu.args(["-accel", "tcg", "-cpu", "max"]),
    };
    Ok(())
}

fn add_serial(qemu: &mut Command, serial: &Serial) {
    match serial {
        Serial::Terminal => {
            // signal=off: ^C is the guest's, and Ctrl-A leads to QEMU.
            qemu.args(["-chardev", "stdio,id=console,mux=on,signal=off"]);
            qemu.args(["-serial", "chardev:console", "-mon", "chardev=console,mode=readline"]);
        }
        Serial::Exec { log, ports } => {
            qemu.args(["-chardev", &format!("file,id=console,path={}", escape(log))]);
            qemu.args(["-serial", "chardev:console"]);
            for (Port { name, base, interrupt }, backend) in PORTS.iter().zip(ports) {
                let backend = match backend {
                    Backend::Socket(path) => format!("socket,id={name},path={}", escape(path)),
                    Backend::File(path) => format!("file,id={name},path={}", escape(path)),
                };
                let device = format!("isa-serial,chardev={name},iobase={base:#x},irq={interrupt}");
                qemu.args(["-chardev", &backend, "-device", &device]);
            }
            // A guest that restarts would wait for a command that it has run already.
            qemu.arg("-no-reboot");
        }
    }
}

fn add_display(qemu: &mut Command, options: &MachineOptions, qmp: &Path) -> Result<()> {
    qemu.args(["-vga", "std"]);
    if !options.display {
        qemu.args(["-display", "none"]);
        return Ok(());
    }
    qemu.args(["-qmp", &format!("unix:{},server=on,wait=off", escape(qmp))]);
    let has_window = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    if has_window {
        packages::ensure(packages::WINDOW)?;
        qemu.args(["-display", "gtk"]);
    } else {
        qemu.args(["-display", "none"]);
    }
    Ok(())
}

/// QEMU's options end at a comma, and a doubled one stands for itself.
fn escape(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> MachineOptions {
        MachineOptions {
            smp: 2,
            memory: "1G".into(),
            icount: false,
            display: false,
            uefi: false,
            disk: vec![],
            direct: true,
            accel: Accel::Tcg,
            qemu: vec!["-s".into()],
        }
    }

    fn line(options: &MachineOptions) -> Result<String> {
        let medium = Medium::Direct { kernel: "k".into(), image: "i,j".into() };
        let command = command(options, &medium, &Serial::Terminal, Path::new("/q,r"))?;
        Ok(crate::shell::display(&command))
    }

    #[test]
    fn the_users_own_arguments_come_last() {
        let line = line(&options()).unwrap();
        assert!(line.ends_with("-kernel k -initrd i,j -s"), "{line}");
        assert!(line.contains("-m 1G -smp 2"), "{line}");
    }

    #[test]
    fn counting_instructions_needs_emulation() {
        let options = MachineOptions { icount: true, accel: Accel::Kvm, ..options() };
        assert!(line(&options).is_err());
    }

    #[test]
    fn a_comma_in_a_path_is_doubled() {
        let options = MachineOptions { display: true, ..options() };
        assert!(line(&options).unwrap().contains("unix:/q,,r,server=on"));
    }
}
