//! `ioctl`s of block devices, as Linux has them.

use alloc::vec::Vec;

use linux_raw_sys::ioctl as request;
use neutrino_rt::Errno;

use crate::cache::LINE;
use crate::disk::{SECTOR, Shape, Writing};

/// `struct hd_geometry`'s request.
const HDIO_GETGEO: u32 = 0x0301;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Answer with this.
    Tell(Vec<u8>),
    /// Write out what is cached.
    Sync,
}

/// Understands a request about `bytes` of a device that begin at byte `first`.
///
/// # Errors
/// ENOTTY for what is none of a disk's; EINVAL; EBUSY for a new partition table, which only a new
/// driver reads.
pub(crate) fn control(
    number: u32,
    shape: &Shape,
    (first, bytes): (u64, u64),
) -> Result<Control, Errno> {
    let int = |value: u32| Ok(Control::Tell(Vec::from(value.to_le_bytes())));
    let long = |value: u64| Ok(Control::Tell(Vec::from(value.to_le_bytes())));
    match number {
        request::BLKGETSIZE64 => long(bytes),
        request::BLKGETSIZE => long(bytes / SECTOR),
        request::BLKSSZGET | request::BLKPBSZGET | request::BLKIOMIN => int(shape.block_bytes),
        request::BLKBSZGET => int(LINE as u32),
        request::BLKIOOPT | request::BLKALIGNOFF | request::BLKDISCARDZEROES => int(0),
        request::BLKROGET => int(u32::from(shape.writing == Writing::Refused)),
        request::BLKFLSBUF => Ok(Control::Sync),
        request::BLKRRPART => Err(Errno::EBUSY),
        HDIO_GETGEO => Ok(Control::Tell(geometry(first, bytes))),
        _ => Err(Errno::ENOTTY),
    }
}

/// The geometry that everybody makes up.
fn geometry(first: u64, bytes: u64) -> Vec<u8> {
    const HEADS: u8 = 255;
    const SECTORS: u8 = 63;
    let cylinders = bytes / SECTOR / u64::from(HEADS) / u64::from(SECTORS);
    let cylinders = u16::try_from(cylinders).unwrap_or(u16::MAX);
    let mut told = alloc::vec![HEADS, SECTORS];
    told.extend_from_slice(&cylinders.to_le_bytes());
    told.extend_from_slice(&[0; 4]);
    told.extend_from_slice(&(first / SECTOR).to_le_bytes());
    told
}
