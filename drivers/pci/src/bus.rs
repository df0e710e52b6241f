//! Finding the functions: bus 0, and what is behind bridges as firmware has numbered them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use pci::PciAddress;
use pci::config::{Config, register};

use crate::access::Access;

const DEVICES: u8 = 32;
const FUNCTIONS: u8 = 8;
const NOBODY: u32 = u32::MAX;
const BRIDGE: u32 = 1;

/// The functions of all buses, in order.
pub(crate) fn enumerate(access: &Access) -> Vec<PciAddress> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut waiting = alloc::vec![0];
    // Bound: 256 buses, each once.
    while let Some(bus) = waiting.pop() {
        if seen.insert(bus) {
            scan(access, bus, &mut found, &mut waiting);
        }
    }
    found.sort_unstable();
    found
}

fn scan(access: &Access, bus: u8, found: &mut Vec<PciAddress>, waiting: &mut Vec<u8>) {
    for device in 0..DEVICES {
        let first = header(access, PciAddress::new(0, bus, device, 0));
        let functions = match first {
            None => 0,
            Some(header) if header & 0x80 != 0 => FUNCTIONS,
            Some(_) => 1,
        };
        for function in 0..functions {
            let address = PciAddress::new(0, bus, device, function);
            let Some(header) = header(access, address) else { continue };
            found.push(address);
            if header & 0x7f == BRIDGE {
                waiting.push((access.of(address).read(register::BUSES) >> 8) as u8);
            }
        }
    }
}

/// The header type of a function, if it is there.
fn header(access: &Access, address: PciAddress) -> Option<u32> {
    let config = access.of(address);
    let is_there = config.read(register::ID) != NOBODY;
    is_there.then(|| config.read(register::HEADER) >> 16 & 0xff)
}
