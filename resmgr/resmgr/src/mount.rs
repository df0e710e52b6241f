//! Where a server is attached in the name space, and who is attached below it.

use crate::server::Node;
use alloc::vec::Vec;
use io_msg::kind;
use io_msg::proc::{PathAttach, Target};
use neutrino_rt::abi::handle::SYSMGR_COID;
use neutrino_rt::abi::message::SendExtra;
use neutrino_rt::{Errno, channel, message};
use zerocopy::IntoBytes;

/// Badges of mount connections have this bit.
const MOUNT_BADGE: u64 = 1 << 63;

/// One attachment.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Its absolute path, without a slash at the end; empty for the root of the name space.
    pub prefix: Vec<u8>,
    /// The node at the path.
    pub root: Node,
    /// Paths below the prefix (relative) where somebody else is attached, with the attach id.
    pub covered: Vec<(u32, Vec<u8>)>,
}

impl Mount {
    /// An attachment at `prefix`, as the process manager made it or will make it.
    #[must_use]
    pub fn new(prefix: &[u8], root: Node) -> Self {
        let end = prefix.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
        Self { prefix: Vec::from(&prefix[..end]), root, covered: Vec::new() }
    }

    /// The badge of the connection that clients reach the attachment by.
    #[must_use]
    pub const fn badge(index: usize) -> u64 {
        MOUNT_BADGE | index as u64
    }

    /// The attachment that a badge names, if it is a mount connection's.
    #[must_use]
    pub const fn index(badge: u64) -> Option<usize> {
        if badge & MOUNT_BADGE == 0 { None } else { Some((badge & !MOUNT_BADGE) as usize) }
    }

    /// The absolute path of a path below this attachment.
    #[must_use]
    pub fn absolute(&self, below: &[u8]) -> Vec<u8> {
        let mut path = self.prefix.clone();
        if !below.is_empty() || path.is_empty() {
            path.push(b'/');
            path.extend_from_slice(below);
        }
        path
    }

    /// Whether somebody else owns this path below the attachment.
    #[must_use]
    pub fn is_covered(&self, below: &[u8]) -> bool {
        self.covered.iter().any(|(_, path)| path == below)
    }

    /// Notes what a pulse told: somebody attached below.
    pub fn cover(&mut self, attach: u32, absolute: &[u8]) {
        let below =
            absolute.strip_prefix(self.prefix.as_slice()).and_then(|p| p.strip_prefix(b"/"));
        if let Some(below) = below.filter(|below| !below.is_empty()) {
            self.covered.push((attach, Vec::from(below)));
        }
    }
}

/// Attaches a channel of the caller at a path; returns the attach id.
///
/// # Errors
/// EPERM without the right, EINVAL for a relative path.
pub(crate) fn attach(
    chid: u32,
    index: usize,
    path: &[u8],
    flags: u32,
    mode: u32,
) -> Result<u32, Errno> {
    let connection = channel::connect_self(chid, Mount::badge(index))?;
    let path_length = u32::try_from(path.len()).map_err(|_| Errno::ENAMETOOLONG)?;
    let request = PathAttach { kind: kind::PATH_ATTACH, subtype: 0, flags, path_length, mode };
    let extra = SendExtra {
        offered: [connection.raw(), 0, 0, 0],
        offered_count: 1,
        ..SendExtra::default()
    };
    let parts: [&[u8]; 2] = [request.as_bytes(), path];
    let id = message::send_parts(SYSMGR_COID, &parts, (&mut [], &mut []), Some(&extra))?;
    u32::try_from(id).map_err(|_| Errno::EIO)
}

/// The path of an attachment, from the process manager.
///
/// # Errors
/// ENOENT if it is gone.
pub(crate) fn prefix_of(attach: u32) -> Result<Vec<u8>, Errno> {
    let id = i32::try_from(attach).map_err(|_| Errno::EINVAL)?;
    let request = Target { kind: kind::PATH_PREFIX, subtype: 0, id };
    let mut path = alloc::vec![0; io_msg::connect::PATH_MAX];
    let n = message::send(SYSMGR_COID, request.as_bytes(), &mut path)?;
    path.truncate(usize::try_from(n).map_err(|_| Errno::EIO)?);
    Ok(path)
}
