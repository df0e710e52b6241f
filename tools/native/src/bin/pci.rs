//! `pci [-q|-v] [VENDOR:DEVICE…]`: the functions on the PCI buses, from `/dev/pci`.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "user space: overflow checks stay on in release; registers are cut to their fields"
)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod program {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{eprintln, println};
    use pci::Device;
    use pci::config::{BARS, Config, register};
    use pci_types::device_type::DeviceType;

    /// How much is told.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Detail {
        Name,
        Line,
        Everything,
    }

    fn main(arguments: &Arguments) -> i32 {
        let mut detail = Detail::Line;
        let mut wanted = Vec::new();
        for argument in arguments.rest() {
            match (argument, parse(argument)) {
                ("-q", _) => detail = Detail::Name,
                ("-v", _) => detail = Detail::Everything,
                (_, Some(id)) => wanted.push(id),
                (_, None) => {
                    eprintln!("pci: use: pci [-q|-v] [VENDOR:DEVICE...], numbers in hexadecimal");
                    eprintln!(
                        "  -q  only the names below /dev/pci   -v  registers and capabilities"
                    );
                    eprintln!("The exit status is 1 if there is no such function.");
                    return 2;
                }
            }
        }
        let names = match pci::functions() {
            Ok(names) => names,
            Err(errno) => {
                eprintln!("pci: cannot read /dev/pci: {errno}; is pci-server running?");
                return 2;
            }
        };
        let functions = names.iter().filter_map(|name| Some((name, Device::look(name).ok()?)));
        let mut shown = 0;
        for (name, device) in functions {
            if wanted.is_empty() || wanted.contains(&device.id()) {
                show(name, &device, detail);
                shown += 1;
            }
        }
        i32::from(shown == 0)
    }

    fn parse(text: &str) -> Option<(u16, u16)> {
        let (vendor, device) = text.split_once(':')?;
        Some((u16::from_str_radix(vendor, 16).ok()?, u16::from_str_radix(device, 16).ok()?))
    }

    fn show(name: &str, device: &Device, detail: Detail) {
        let (vendor, id) = device.id();
        let [class, sub_class, ..] = device.class();
        match detail {
            Detail::Name => println!("{name}"),
            Detail::Line | Detail::Everything => {
                let kind = words(&format!("{:?}", DeviceType::from((class, sub_class))));
                println!("{name} {vendor:04x}:{id:04x} {kind}");
            }
        }
        if detail == Detail::Everything {
            registers(device);
        }
    }

    /// `NvmeController` as `nvme controller`.
    fn words(name: &str) -> String {
        let mut words = String::new();
        for character in name.chars() {
            if character.is_ascii_uppercase() && !words.is_empty() {
                words.push(' ');
            }
            words.push(character.to_ascii_lowercase());
        }
        words
    }

    fn registers(device: &Device) {
        for index in 0..BARS as u16 {
            match device.read(register::BAR + 4 * index) {
                0 => {}
                ports if ports & 1 != 0 => println!("    range {index}: ports {:#x}", ports & !3),
                memory => println!("    range {index}: memory {:#x}", memory & !0xf),
            }
        }
        for (id, at) in device.capabilities() {
            let name = match id {
                0x01 => "power management",
                pci::config::capability::MSI => "interrupt message",
                pci::config::capability::VENDOR => "vendor's own",
                0x10 => "PCI express",
                pci::config::capability::MSIX => "table of interrupt messages",
                0x12 => "SATA",
                _ => "unknown",
            };
            println!("    capability {id:#04x} at {at:#04x}: {name}");
        }
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
