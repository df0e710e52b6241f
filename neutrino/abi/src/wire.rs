//! Structures that cross the border between kernel and user space, as bytes.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A structure without padding (so nothing leaks) that any bytes are a value of; zerocopy's derives
/// prove both.
pub trait Wire: FromBytes + IntoBytes + Immutable + Sized {
    /// Its size in bytes.
    const SIZE: usize = size_of::<Self>();

    /// All zeroes.
    #[must_use]
    fn zeroed() -> Self {
        Self::new_zeroed()
    }

    /// What user space sees.
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    /// Where user space's bytes go.
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.as_mut_bytes()
    }
}

impl<T: FromBytes + IntoBytes + Immutable> Wire for T {}
