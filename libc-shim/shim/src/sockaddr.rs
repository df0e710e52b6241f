//! Addresses of sockets (`struct sockaddr_un`): a path is looked up here, by the caller's rights, and
//! the socket server is told where the name is.

use crate::block::{int, low};
use crate::copy;
use crate::dispatch::Caller;
use crate::path::{self, Base, Found, request};
use crate::sys::{Errno, part, user};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::connect::{FLAG_NOFOLLOW, subtype};
use io_msg::socket::{ADDRESS_MAX, AF_UNIX, Place};
use io_msg::stat::{Stat, mode};
use neutrino_abi::message::Iov;
use zerocopy::FromBytes;

/// Bytes of the family.
const FAMILY: usize = 2;
/// `sizeof(struct sockaddr_un)`.
const LONGEST: usize = 110;
/// In `ACCESS`: may it be written.
const WRITE: u32 = 2;

/// An address of the program's, and where its name is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    place: Place,
    bytes: [u8; ADDRESS_MAX],
    used: usize,
}

impl Named {
    const NONE: Self =
        Self { place: Place { device: 0, inode: 0 }, bytes: [0; ADDRESS_MAX], used: 0 };

    /// Reads an address.
    ///
    /// # Errors
    /// EINVAL, EFAULT.
    pub(crate) fn read(address: u64, length: u64) -> Result<Self, Errno> {
        let used = usize::try_from(int(length)).map_err(|_| Errno::EINVAL)?;
        let mut named = Self::NONE;
        if !(FAMILY..=LONGEST).contains(&used) {
            return Err(Errno::EINVAL);
        }
        copy::read_slice(address, &mut named.bytes[..used])?;
        named.used = used;
        if let Some(path) = named.path() {
            // As Linux: a path ends with a zero, wherever the program says that the address ends.
            named.used = FAMILY + path.len() + 1;
            named.bytes[named.used - 1..].fill(0);
        }
        Ok(named)
    }

    /// The address of an existing socket, if there is an address.
    ///
    /// # Errors
    /// As [`Named::read`] and [`Named::find`].
    pub(crate) fn optional(
        caller: &mut Caller<'_>,
        address: u64,
        length: u64,
    ) -> Result<Self, Errno> {
        if address == 0 || low(length) == 0 {
            return Ok(Self::NONE);
        }
        let mut named = Self::read(address, length)?;
        named.find(caller)?;
        Ok(named)
    }

    /// The path in it, if it is one.
    fn path(&self) -> Option<&[u8]> {
        let is_local = self.bytes[..FAMILY] == AF_UNIX.to_le_bytes();
        let name = self.bytes.get(FAMILY..self.used).filter(|_| is_local)?;
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        Some(&name[..end]).filter(|path| !path.is_empty())
    }

    /// Its length with its place; 0: there is none.
    pub(crate) const fn length(&self) -> u32 {
        match self.used {
            0 => 0,
            used => low((size_of::<Place>() + used) as u64),
        }
    }

    /// Place and address, as parts of a message.
    pub(crate) fn parts(&self) -> [Iov; 2] {
        match self.used {
            0 => [user(0, 0); 2],
            used => [part(&self.place), part(&self.bytes[..used])],
        }
    }

    /// Looks up a path: the caller must be allowed to write to the socket.
    ///
    /// # Errors
    /// ECONNREFUSED: it is no socket. EACCES. What the path's server answers.
    pub(crate) fn find(&mut self, caller: &mut Caller<'_>) -> Result<(), Errno> {
        let Some(path) = self.path() else { return Ok(()) };
        caller.scratch.paths[0].set(path)?;
        let status = status(caller, 0)?;
        if status.mode & mode::IFMT != mode::IFSOCK {
            return Err(Errno::ECONNREFUSED);
        }
        caller.scratch.paths[0].set(path)?;
        path::walk(caller, Base::Cwd, &request(subtype::ACCESS, WRITE, 0))?;
        self.place = Place { device: status.dev, inode: status.ino };
        Ok(())
    }

    /// Makes the path's node.
    ///
    /// # Errors
    /// EADDRINUSE: there is something by this path. What its server answers.
    pub(crate) fn create(&mut self, caller: &mut Caller<'_>) -> Result<(), Errno> {
        let Some(path) = self.path() else { return Ok(()) };
        caller.scratch.paths[0].set(path)?;
        let bits = mode::IFSOCK | 0o777 & !caller.process.umask.load(Relaxed);
        let made = path::walk(caller, Base::Cwd, &request(subtype::MKNOD, bits, FLAG_NOFOLLOW));
        made.map_err(|errno| if errno == Errno::EEXIST { Errno::EADDRINUSE } else { errno })?;
        caller.scratch.paths[0].set(path)?;
        let status = status(caller, FLAG_NOFOLLOW)?;
        self.place = Place { device: status.dev, inode: status.ino };
        Ok(())
    }

    /// Takes the path's node away again.
    pub(crate) fn remove(&self, caller: &mut Caller<'_>) {
        let Some(path) = self.path() else { return };
        if caller.scratch.paths[0].set(path).is_ok() {
            let asked = request(subtype::UNLINK, 0, FLAG_NOFOLLOW);
            let _it_was_just_made = path::walk(caller, Base::Cwd, &asked);
        }
    }
}

/// The status of the path in buffer 0.
fn status(caller: &mut Caller<'_>, flags: u32) -> Result<Stat, Errno> {
    match path::walk(caller, Base::Cwd, &request(subtype::STAT, 0, flags))? {
        Found::Reply(_) => Stat::read_from_prefix(&caller.scratch.reply)
            .map(|(status, _)| status)
            .map_err(|_| Errno::EBADMSG),
        Found::Descriptor(_) => Err(Errno::ECONNREFUSED),
    }
}
