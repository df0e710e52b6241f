//! Start-up of a block driver, when it has its device.

use alloc::format;
use alloc::string::String;

use io_msg::stat::mode;
use neutrino_rt::channel::Handle;
use neutrino_rt::mmio::Dma;
use neutrino_rt::{Errno, eprintln, path, process};
use resmgr::{Attributes, Engine, serve_with};

use crate::disk::{Disk, SECTOR, Writing};
use crate::partition::{Partition, partitions};
use crate::server::{Disks, Volume};

/// The pulse that a driver lets its interrupt send.
pub const INTERRUPT: i8 = 1;
/// The pulse of the timer that watches the device.
pub(crate) const TIMER: i8 = 2;
/// Linux's number of virtio disks, and the minor numbers of one disk.
const MAJOR: u64 = 254;
const MINORS: u64 = 16;
/// Bytes of a message that are received at once: data are moved where they belong.
const BUFFER_BYTES: usize = 1024;
/// Disks that names are looked for.
const DISKS: u32 = 64;

/// Where a driver serves its disk.
#[derive(Debug)]
pub struct Place {
    /// The driver's name, for messages to people.
    pub program: &'static str,
    /// Its channel.
    pub chid: u32,
    /// The connection that its pulses come on.
    pub pulses: Handle,
}

/// Serves a disk as the first `/dev/hdN` that nobody has, with the cache in `memory`: reads the
/// partition table, attaches all paths, gives up every other right, and then answers for ever. The
/// disk itself is attached last, so that the partitions are there when it is.
///
/// # Errors
/// EAGAIN if there is no name left; EPERM without the right to attach paths; and what ends the loop.
pub fn serve<D: Disk>(disk: D, memory: Dma, place: Place) -> Result<(), Errno> {
    let Place { program, chid, pulses } = place;
    let number = (0..DISKS).find(|number| is_free(&name(*number))).ok_or(Errno::EAGAIN)?;
    let name = name(number);
    let mut disks = Disks::new(disk, memory, &format!("{program}: {name}"), pulses)?;
    let (bytes, block_bytes) = (disks.queue.bytes(), disks.queue.shape.block_bytes);
    let read = |offset, into: &mut [u8]| disks.read_now(chid, offset, into);
    let (found, complaints) = partitions(bytes, block_bytes, read);
    complaints.iter().for_each(|complaint| eprintln!("{program}: {name}: {complaint}"));
    let minor = u64::from(number) * MINORS;
    let permissions = match disks.queue.shape.writing {
        Writing::Allowed => 0o660,
        Writing::Refused => 0o440,
    };
    let whole = Partition { number: 0, first: 0, bytes };
    disks.volumes = core::iter::once(&whole)
        .chain(&found)
        .map(|partition| volume(partition, minor, permissions))
        .collect();
    let mut engine = Engine::new(disks);
    for (node, partition) in (1..).zip(&found) {
        engine.attach(chid, &format!("{name}.{}", partition.number), node, 0)?;
    }
    engine.attach(chid, &name, 0, 0)?;
    process::confine()?;
    Err(serve_with(&mut engine, chid, BUFFER_BYTES))
}

fn name(number: u32) -> String {
    format!("/dev/hd{number}")
}

fn is_free(name: &str) -> bool {
    !path::resolve(name.as_bytes())
        .is_ok_and(|(_, reply)| reply.prefix_length as usize == name.len())
}

fn volume(partition: &Partition, minor: u64, permissions: u32) -> Volume {
    let Partition { number, first, bytes } = *partition;
    let mut attributes = Attributes::new(minor + u64::from(number) + 1, mode::IFBLK | permissions);
    attributes.size = bytes;
    attributes.blocks = bytes / SECTOR;
    attributes.rdev = MAJOR << 8 | (minor + u64::from(number)) & 0xff;
    Volume { first, bytes, attributes }
}
