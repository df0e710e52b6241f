//! Attachments in the name space, and which part of a path is theirs.

use crate::kernel::{call, manager};
use crate::memory::{Address, Lock};
use crate::resmgr::layout::{ConnectFuncs, IoFuncs};
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use io_msg::kind;
use io_msg::proc::{ATTACH_AFTER, ATTACH_DIRECTORY, PathAttach, Target};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::{SELF, SIDE_CHANNEL};
use neutrino_abi::message::SendExtra;

/// Badges of mount connections have this bit.
const MOUNT_BADGE: u64 = 1 << 63;

/// What of the name space is below an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Nothing: a file or device.
    Node,
    /// Everything: `_RESMGR_FLAG_DIR`.
    Tree,
}

/// One attachment (`resmgr_attach`).
pub(crate) struct Mount {
    /// The number by which C knows it.
    pub(crate) id: c_int,
    /// The process manager's number; none for one without a name.
    attach: Option<u32>,
    /// Its absolute path, without a slash at the end.
    pub(crate) prefix: Vec<u8>,
    pub(crate) extent: Extent,
    pub(crate) connect: Address<ConnectFuncs>,
    pub(crate) io: Address<IoFuncs>,
    pub(crate) handle: Address<c_void>,
    /// Paths below the prefix where somebody else is attached, with the attach id.
    covered: Lock<Vec<(u32, Vec<u8>)>>,
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To this server: the path below the attachment.
    Here(Vec<u8>),
    /// Elsewhere: an absolute path.
    Elsewhere(Vec<u8>),
}

/// The attachment that a badge names, if it is a mount connection's.
pub(crate) fn index_of(badge: u64) -> Option<usize> {
    if badge & MOUNT_BADGE == 0 { None } else { Some((badge & !MOUNT_BADGE) as usize) }
}

/// What `resmgr_attach` is told of the server's.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    pub(crate) connect: Address<ConnectFuncs>,
    pub(crate) io: Address<IoFuncs>,
    pub(crate) handle: Address<c_void>,
}

impl Mount {
    /// Attaches a channel at an absolute path, or at none.
    ///
    /// # Errors
    /// EPERM, EINVAL.
    pub(crate) fn attach(
        (chid, index, id): (u32, usize, c_int),
        path: Option<Vec<u8>>,
        (extent, flags): (Extent, u32),
        served: Served,
    ) -> Result<Self, Errno> {
        let Served { connect, io, handle } = served;
        let prefix = path.clone().unwrap_or_default();
        let attach = path.map(|path| publish(chid, index, &path, flags)).transpose()?;
        let covered = Lock::new(Vec::new());
        Ok(Self { id, attach, prefix, extent, connect, io, handle, covered })
    }

    /// Takes the name away.
    pub(crate) fn withdraw(&self) {
        let Some(attach) = self.attach else { return };
        let message = Target { kind: kind::PATH_DETACH, subtype: 0, id: attach.cast_signed() };
        // Who has gone already needs no detaching.
        let _gone = manager(&message, &[], &mut [0_u8; 0], &SendExtra::default());
    }

    /// The absolute path of a path below this attachment.
    pub(crate) fn absolute(&self, below: &[u8]) -> Vec<u8> {
        let mut path = self.prefix.clone();
        if !below.is_empty() || path.is_empty() {
            path.push(b'/');
            path.extend_from_slice(below);
        }
        path
    }

    /// Somebody else is attached at an absolute path.
    pub(crate) fn cover(&self, attach: u32, absolute: &[u8]) {
        let below = absolute.strip_prefix(self.prefix.as_slice());
        let below = below.and_then(|path| path.strip_prefix(b"/"));
        if let Some(below) = below.filter(|below| !below.is_empty()) {
            self.covered.lock().push((attach, Vec::from(below)));
        }
    }

    /// Somebody else is attached no more.
    pub(crate) fn uncover(&self, attach: u32) {
        self.covered.lock().retain(|(id, _)| *id != attach);
    }

    /// Finds out where a path leads that starts in the directory `from` below the attachment: without
    /// `.` and `..` and empty names, which the server's links do not change.
    pub(crate) fn locate(&self, from: &[u8], path: &[u8]) -> Place {
        let mut here: Vec<&[u8]> = from.split(|&byte| byte == b'/').collect();
        here.retain(|name| !name.is_empty());
        let mut rest = path.split(|&byte| byte == b'/');
        while let Some(name) = rest.next() {
            match name {
                b"" | b"." => {}
                b".." => {
                    if here.pop().is_none() {
                        let up = self.prefix.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                        let above = Vec::from(self.prefix.get(..up).unwrap_or_default());
                        return Place::Elsewhere(joined(above, rest));
                    }
                }
                name => {
                    here.push(name);
                    let below = here.join(&b'/');
                    if self.covered.lock().iter().any(|(_, path)| *path == below) {
                        return Place::Elsewhere(joined(self.absolute(&below), rest));
                    }
                }
            }
        }
        Place::Here(here.join(&b'/'))
    }
}

/// A path with the rest of another behind it.
fn joined<'a>(mut path: Vec<u8>, rest: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    for name in rest.filter(|name| !name.is_empty()) {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// `_RESMGR_FLAG_*` and `_FTYPE_*` that matter here, as the process manager takes them.
pub(crate) fn attach_flags(flags: u32) -> (Extent, u32) {
    const DIR: u32 = 0x100;
    const AFTER: u32 = 0x2;
    let extent = if flags & DIR != 0 { Extent::Tree } else { Extent::Node };
    let tree = if flags & DIR != 0 { ATTACH_DIRECTORY } else { 0 };
    (extent, tree | if flags & AFTER != 0 { ATTACH_AFTER } else { 0 })
}

fn publish(chid: u32, index: usize, path: &[u8], flags: u32) -> Result<u32, Errno> {
    let badge = MOUNT_BADGE | index as u64;
    let own = Call::ConnectAttach { process: SELF, chid, minimum: SIDE_CHANNEL, flags: 0, badge };
    let coid = call(own)? as u32;
    let path_length = u32::try_from(path.len()).map_err(|_| Errno::ENAMETOOLONG)?;
    // What a server's handle is only the server knows: a listing tells no type.
    let mode = if flags & ATTACH_DIRECTORY != 0 { io_msg::stat::mode::IFDIR } else { 0 };
    let message = PathAttach { kind: kind::PATH_ATTACH, subtype: 0, flags, path_length, mode };
    let extra = SendExtra { offered: [coid, 0, 0, 0], offered_count: 1, ..SendExtra::default() };
    let id = manager(&message, path, &mut [0_u8; 0], &extra);
    let _closed = call(Call::ConnectDetach { coid });
    u32::try_from(id?).map_err(|_| Errno::EIO)
}

/// The path of an attachment, from the process manager.
///
/// # Errors
/// ENOENT: it is gone.
pub(crate) fn prefix_of(attach: u32) -> Result<Vec<u8>, Errno> {
    let message = Target { kind: kind::PATH_PREFIX, subtype: 0, id: attach.cast_signed() };
    let mut path = [0_u8; io_msg::connect::PATH_MAX];
    let length = manager(&message, &[], &mut path, &SendExtra::default())?;
    Ok(Vec::from(path.get(..length as usize).unwrap_or_default()))
}
