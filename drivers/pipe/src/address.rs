//! Addresses of sockets (`struct sockaddr_un`): none, a place in a file system, or a name that is in
//! none (Linux: an abstract one, which begins with a zero).

use alloc::vec::Vec;
use io_msg::socket::{AF_UNIX, Place};
use neutrino_rt::Errno;
use zerocopy::FromBytes;

/// Bytes of the family, which an address begins with.
const FAMILY: usize = 2;
/// The longest address, with the zero behind the longest path.
const LONGEST: usize = 111;

/// What a socket is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The name's place in a file system.
    Path(Place),
    /// The name.
    Abstract(Vec<u8>),
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// None: the address has no name.
    pub(crate) key: Option<Key>,
    /// As programs see it.
    pub(crate) bytes: Vec<u8>,
}

impl Address {
    /// The address of a socket without a name.
    pub(crate) fn unnamed() -> Vec<u8> {
        Vec::from(AF_UNIX.to_le_bytes())
    }

    /// From a message: the place and the address.
    ///
    /// # Errors
    /// EINVAL: it is none.
    pub(crate) fn parse(data: &[u8]) -> Result<Self, Errno> {
        let (place, bytes) = Place::read_from_prefix(data).map_err(|_| Errno::EINVAL)?;
        let (family, name) = bytes.split_at_checked(FAMILY).ok_or(Errno::EINVAL)?;
        if family != AF_UNIX.to_le_bytes() || bytes.len() > LONGEST {
            return Err(Errno::EINVAL);
        }
        let key = match name.first() {
            None => None,
            Some(0) => Some(Key::Abstract(Vec::from(name))),
            Some(_) if place == Place::default() => return Err(Errno::EINVAL),
            Some(_) => Some(Key::Path(place)),
        };
        Ok(Self { key, bytes: Vec::from(bytes) })
    }

    /// A name that nobody chose (Linux: autobind): five hexadecimal digits.
    pub(crate) fn numbered(number: u64) -> Self {
        let name = alloc::format!("\0{:05x}", number & 0xf_ffff).into_bytes();
        let bytes = [Self::unnamed().as_slice(), &name].concat();
        Self { key: Some(Key::Abstract(name)), bytes }
    }
}

/// Whether an address in a message says that there is to be no peer any more (`AF_UNSPEC`).
pub(crate) fn is_nobody(data: &[u8]) -> bool {
    data.get(size_of::<Place>()..size_of::<Place>() + FAMILY) == Some(&[0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(place: [u64; 2], bytes: &[u8]) -> Vec<u8> {
        [&place[0].to_le_bytes(), &place[1].to_le_bytes(), bytes].concat()
    }

    #[test]
    fn a_name_is_a_place_or_abstract() {
        let path = Address::parse(&message([3, 4], b"\x01\0/tmp/s\0")).unwrap();
        assert_eq!(path.key, Some(Key::Path(Place { device: 3, inode: 4 })));
        let other = Address::parse(&message([0, 0], b"\x01\0\0name")).unwrap();
        assert_eq!(other.key, Some(Key::Abstract(Vec::from(b"\0name"))));
        assert_eq!(Address::parse(&message([0, 0], b"\x01\0")).unwrap().key, None);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        assert_eq!(Address::parse(&message([0, 0], b"\x01")), Err(Errno::EINVAL));
        assert_eq!(Address::parse(&message([0, 0], b"\x02\0/x")), Err(Errno::EINVAL));
        assert_eq!(Address::parse(&message([0, 0], b"\x01\0/x")), Err(Errno::EINVAL));
        assert_eq!(Address::parse(&message([1, 1], &[1; 112])), Err(Errno::EINVAL));
        assert!(is_nobody(&message([0, 0], b"\0\0")));
    }
}
