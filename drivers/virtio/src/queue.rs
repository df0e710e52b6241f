//! A split virtqueue (virtio 1.2, 2.7). Its descriptors are dealt out once: each request in flight has
//! a number, and as many descriptors of its own as it may have parts.

use core::sync::atomic::{Ordering, fence};

use neutrino_rt::Errno;
use neutrino_rt::mmio::Dma;

/// Bytes of a descriptor and of a used element.
const DESCRIPTOR: usize = 16;
const USED: usize = 8;
/// Flags of a descriptor.
const NEXT: u16 = 1;
const WRITE: u16 = 2;
/// The device wants not to be notified.
const NO_NOTIFY: u16 = 1;

/// Which way a part goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The device reads it.
    ToDevice,
    /// The device writes it.
    FromDevice,
}

/// A part of a request.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Address as the device sees it.
    pub physical: u64,
    /// Bytes.
    pub bytes: u32,
    /// Which way.
    pub way: Way,
}

/// The device broke the rules: it told of a request that it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl From<Broken> for Errno {
    fn from(_: Broken) -> Self {
        Self::EIO
    }
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    ring: Dma,
    size: u16,
    /// Descriptors of a request.
    parts: u16,
    /// Requests told to the device, and taken back from it, in all.
    told: u16,
    taken: u16,
    /// Which requests the device has.
    in_flight: alloc::vec::Vec<bool>,
}

impl Queue {
    /// Bytes of the rings of a queue.
    #[must_use]
    pub const fn bytes(size: u16) -> u64 {
        (Self::used_at(size) + 6 + USED * size as usize) as u64
    }

    const fn available_at(size: u16) -> usize {
        DESCRIPTOR * size as usize
    }

    const fn used_at(size: u16) -> usize {
        (Self::available_at(size) + 6 + 2 * size as usize).next_multiple_of(4)
    }

    /// A queue of `size` descriptors in this memory, for requests of at most so many parts.
    ///
    /// # Errors
    /// EINVAL if not even one request has room.
    pub fn new(ring: Dma, size: u16, parts: u16) -> Result<Self, Errno> {
        if parts == 0 || size < parts || (ring.memory().len() as u64) < Self::bytes(size) {
            return Err(Errno::EINVAL);
        }
        let in_flight = alloc::vec![false; usize::from(size / parts)];
        Ok(Self { ring, size, parts, told: 0, taken: 0, in_flight })
    }

    /// Requests that can be in flight.
    #[must_use]
    pub fn requests(&self) -> u16 {
        self.size / self.parts
    }

    /// Where descriptors, available ring and used ring are.
    #[must_use]
    pub const fn places(&self) -> [u64; 3] {
        let (available, used) = (Self::available_at(self.size), Self::used_at(self.size));
        [
            self.ring.physical(0),
            self.ring.physical(available as u64),
            self.ring.physical(used as u64),
        ]
    }

    /// Tells the device a request under a number below [`Queue::requests`] that is not in flight. The
    /// parts that the device reads come first. Parts beyond what a request may have are not told.
    pub fn tell(&mut self, number: u16, parts: impl IntoIterator<Item = Part>) {
        let memory = self.ring.memory();
        let first = number * self.parts;
        let mut parts = parts.into_iter().take(self.parts.into()).peekable();
        let mut place = first;
        while let Some(Part { physical, bytes, way }) = parts.next() {
            let at = DESCRIPTOR * usize::from(place);
            let way = if way == Way::FromDevice { WRITE } else { 0 };
            let next = if parts.peek().is_some() { NEXT } else { 0 };
            memory.write_u64(at, physical);
            memory.write_u32(at + 8, bytes);
            memory.write_u16(at + 12, way | next);
            memory.write_u16(at + 14, place + 1);
            place += 1;
        }
        let available = Self::available_at(self.size);
        memory.write_u16(available + 4 + 2 * usize::from(self.told % self.size), first);
        self.in_flight[usize::from(number)] = true;
        // The device must not see the index before what it counts.
        fence(Ordering::Release);
        self.told = self.told.wrapping_add(1);
        memory.write_u16(available + 2, self.told);
    }

    /// Whether the device wants to be notified of what it was told.
    #[must_use]
    pub fn is_to_be_notified(&self) -> bool {
        // Its wish must not be read before it can see the index.
        fence(Ordering::SeqCst);
        self.ring.memory().read_u16(Self::used_at(self.size)) & NO_NOTIFY == 0
    }

    /// The next request that the device is done with: its number, and how many bytes were written.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn take(&mut self) -> Result<Option<(u16, u32)>, Broken> {
        let memory = self.ring.memory();
        let used = Self::used_at(self.size);
        if memory.read_u16(used + 2) == self.taken {
            return Ok(None);
        }
        // Nor the element before the index that counts it.
        fence(Ordering::Acquire);
        let at = used + 4 + USED * usize::from(self.taken % self.size);
        let (head, written) = (memory.read_u32(at), memory.read_u32(at + 4));
        self.taken = self.taken.wrapping_add(1);
        let head = u16::try_from(head).map_err(|_| Broken)?;
        let number = head / self.parts;
        let flag = self.in_flight.get_mut(usize::from(number)).ok_or(Broken)?;
        let is_sound = head % self.parts == 0 && core::mem::replace(flag, false);
        if is_sound { Ok(Some((number, written))) } else { Err(Broken) }
    }
}
