//! The device (virtio 1.2, 5.2). A request is a header, the data, and a byte for how it ended.

use block::{Disk, Done, Flushing, Operation, Segment, Shape, Writing};
use neutrino_rt::Errno;
use neutrino_rt::channel::Handle;
use neutrino_rt::mmio::Dma;
use virtio::{Part, Queue, Transport, Way};

/// Numbers of the type: of today's devices, and of those of the time between.
const TYPE: (u16, u16) = (2, 0x1001);

/// Features.
mod feature {
    pub(super) const READ_ONLY: u64 = 1 << 5;
    pub(super) const BLOCK_SIZE: u64 = 1 << 6;
    pub(super) const FLUSH: u64 = 1 << 9;
}

/// Registers.
const CAPACITY: usize = 0;
const BLOCK_SIZE: usize = 20;

/// Descriptors of the queue, and pieces of data of a request.
const DESCRIPTORS: u16 = 256;
const SEGMENTS: u16 = 16;

/// What a header says.
const IN: u32 = 0;
const OUT: u32 = 1;
const FLUSH: u32 = 4;
const HEADER: u32 = 16;
/// How a request ended.
const GOOD: u8 = 0;
const UNKNOWN: u8 = 0xff;
/// Bytes of the header and status of a request, in the memory for all of them.
const EACH: u64 = 32;

/// The disk.
#[derive(Debug)]
pub(crate) struct VirtioDisk {
    transport: Transport,
    queue: Queue,
    /// Headers and statuses.
    headers: Dma,
    shape: Shape,
}

impl VirtioDisk {
    /// Takes a device and gives it a queue; also gives memory for a cache.
    ///
    /// # Errors
    /// ENODEV if there is none; EIO if it is not as it should be; ENOMEM.
    pub(crate) fn open(
        name: Option<&str>,
        pulses: (&Handle, i8),
        cache_bytes: u64,
    ) -> Result<(Self, Dma), Errno> {
        let mut transport = Transport::open(name, TYPE, pulses)?;
        let wanted = feature::READ_ONLY | feature::BLOCK_SIZE | feature::FLUSH;
        let features = transport.negotiate(wanted, 0)?;
        let queue = transport.queue(DESCRIPTORS, SEGMENTS + 2)?;
        let headers = transport.function().dma(EACH * u64::from(queue.requests()))?;
        let cache = transport.function().dma(cache_bytes)?;
        let shape = shape(&transport, features, queue.requests())?;
        transport.start();
        Ok((Self { transport, queue, headers, shape }, cache))
    }
}

fn shape(transport: &Transport, features: u64, transfers: u16) -> Result<Shape, Errno> {
    const LARGEST: u32 = 4096;
    let has = |feature| features & feature != 0;
    let block_bytes =
        if has(feature::BLOCK_SIZE) { transport.config.read_u32(BLOCK_SIZE) } else { 512 };
    let sectors = transport.config.read_u64(CAPACITY);
    if !block_bytes.is_power_of_two() || !(512..=LARGEST).contains(&block_bytes) {
        return Err(Errno::EIO);
    }
    let flushing = if has(feature::FLUSH) { Flushing::Needed } else { Flushing::Needless };
    let writing = if has(feature::READ_ONLY) { Writing::Refused } else { Writing::Allowed };
    Ok(Shape {
        // A byte's place is a number of 63 bits.
        sectors: sectors.min(1 << 53),
        block_bytes,
        writing,
        flushing,
        transfers,
        segments: SEGMENTS.into(),
    })
}

impl Disk for VirtioDisk {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn submit(&mut self, number: u16, operation: Operation, segments: &[Segment]) {
        let (kind, sector, way) = match operation {
            Operation::Read(sector) => (IN, sector, Way::FromDevice),
            Operation::Write(sector) => (OUT, sector, Way::ToDevice),
            Operation::Flush => (FLUSH, 0, Way::ToDevice),
        };
        let at = EACH * u64::from(number);
        let memory = self.headers.memory();
        memory.write_u32(at as usize, kind);
        memory.write_u32(at as usize + 4, 0);
        memory.write_u64(at as usize + 8, sector);
        memory.write_u8((at + u64::from(HEADER)) as usize, UNKNOWN);
        let header =
            Part { physical: self.headers.physical(at), bytes: HEADER, way: Way::ToDevice };
        let status = Part {
            physical: self.headers.physical(at + u64::from(HEADER)),
            bytes: 1,
            way: Way::FromDevice,
        };
        let data = segments.iter().map(|s| Part { physical: s.physical, bytes: s.bytes, way });
        self.queue.tell(number, core::iter::once(header).chain(data).chain([status]));
    }

    fn kick(&mut self) {
        if self.queue.is_to_be_notified() {
            self.transport.notify(0);
        }
    }

    fn interrupt(&mut self) {
        self.transport.acknowledge();
    }

    fn completed(&mut self) -> Result<Option<Done>, Errno> {
        Ok(self.queue.take()?.map(|(number, _)| {
            let at = EACH * u64::from(number) + u64::from(HEADER);
            let status = self.headers.memory().read_u8(at as usize);
            let result = if status == GOOD { Ok(()) } else { Err(Errno::EIO) };
            Done { number, result }
        }))
    }

    fn stop(&mut self) {
        // One that does not come to rest is kept from memory by the bus server, when this ends.
        let _rest = self.transport.reset();
    }
}
