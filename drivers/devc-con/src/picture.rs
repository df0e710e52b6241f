//! The boot framebuffer as a surface.

use devc_con::Surface;
use neutrino_rt::abi::info::Framebuffer;
use neutrino_rt::mmio::Mmio;
use neutrino_rt::{Errno, memory};

/// Bytes of a pixel; other depths are not served.
const PIXEL: usize = 4;
/// Pixels of the longest run that is drawn at once.
const RUN: usize = 32;

/// The framebuffer.
#[derive(Debug)]
pub(crate) struct Picture {
    memory: Mmio,
    shape: Framebuffer,
    pitch: usize,
}

impl Picture {
    /// Maps the framebuffer that the boot loader set up.
    ///
    /// # Errors
    /// ENODEV if there is none with 32 bits per pixel.
    pub(crate) fn open() -> Result<Self, Errno> {
        let (object, shape) = memory::framebuffer()?;
        if shape.width == 0 || shape.depth != 32 {
            return Err(Errno::ENODEV);
        }
        let pitch = usize::try_from(shape.pitch).map_err(|_| Errno::ENODEV)?;
        let length = u64::from(shape.pitch) * u64::from(shape.height);
        Ok(Self { memory: Mmio::map(object, length)?, shape, pitch })
    }

    /// Gives width and height in pixels.
    pub(crate) fn size(&self) -> (usize, usize) {
        let pixels = |pixels: u32| usize::try_from(pixels).unwrap_or(0);
        (pixels(self.shape.width), pixels(self.shape.height))
    }

    fn encode(&self, pixel: u32) -> u32 {
        let [_, red, green, blue] = pixel.to_be_bytes();
        let place = |value: u8, shift: u8| u32::from(value).checked_shl(u32::from(shift));
        let parts = [
            place(red, self.shape.red),
            place(green, self.shape.green),
            place(blue, self.shape.blue),
        ];
        parts.into_iter().flatten().fold(0, |all, part| all | part)
    }
}

impl Surface for Picture {
    fn put(&mut self, x: usize, y: usize, pixels: &[u32]) {
        let mut bytes = [0; RUN * PIXEL];
        let mut offset = y * self.pitch + x * PIXEL;
        for run in pixels.chunks(RUN) {
            let (slots, _) = bytes.as_chunks_mut::<PIXEL>();
            for (slot, pixel) in slots.iter_mut().zip(run) {
                *slot = self.encode(*pixel).to_le_bytes();
            }
            let length = run.len() * PIXEL;
            self.memory.write_bytes(offset, bytes.get(..length).unwrap_or(&[]));
            offset += length;
        }
    }
}
