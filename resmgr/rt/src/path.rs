//! From a path to the server that owns it.

use crate::channel::Handle;
use crate::message;
use crate::process;
use alloc::vec::Vec;
use io_msg::connect::{self, Connect, ConnectReply};
use io_msg::kind;
use io_msg::proc::{PathResolve, PathResolveReply};
use io_msg::stat::{Stat, mode, open as flag};
use neutrino_abi::Errno;
use neutrino_abi::handle::{COF_CLOEXEC, SIDE_CHANNEL, SYSMGR_COID};
use neutrino_abi::message::SendExtra;
use zerocopy::{FromZeros, IntoBytes};

/// Asks the process manager who owns an absolute path.
///
/// # Errors
/// ENOENT if nobody does.
pub fn resolve(path: &[u8]) -> Result<(Handle, PathResolveReply), Errno> {
    let path_length = u32::try_from(path.len()).map_err(|_| Errno::ENAMETOOLONG)?;
    let request = PathResolve { kind: kind::PATH_RESOLVE, subtype: 0, path_length };
    let mut reply = PathResolveReply::default();
    let extra =
        SendExtra { accepted_count: 1, accepted_minimum: SIDE_CHANNEL, ..SendExtra::default() };
    let parts: [&[u8]; 2] = [request.as_bytes(), path];
    message::send_parts(SYSMGR_COID, &parts, (reply.as_mut_bytes(), &mut []), Some(&extra))?;
    Ok((Handle::from_raw(reply.coid), reply))
}

/// Where a connect message goes.
enum Target {
    /// A mount, with the path below it.
    Mount(Handle, Vec<u8>),
    /// The current directory, with a relative path.
    Directory(u32, Vec<u8>),
}

fn target(path: &[u8]) -> Result<Target, Errno> {
    if path.first() == Some(&b'/') {
        let (mount, reply) = resolve(path)?;
        let rest = path.get(reply.prefix_length as usize..).unwrap_or_default();
        return Ok(Target::Mount(mount, Vec::from(rest)));
    }
    match process::current_directory() {
        Some(coid) => Ok(Target::Directory(coid, Vec::from(path))),
        None => target(&[b"/", path].concat()),
    }
}

/// Sends a connect message wherever the path leads, following redirects; returns the reply's head.
///
/// # Errors
/// ENOENT for an empty path, ELOOP after 40 redirects, and what the server answers.
pub fn connect(
    path: &[u8],
    message: &Connect,
    extra: &SendExtra,
    data: &mut [u8],
) -> Result<ConnectReply, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut path = Vec::from(path);
    // Bound: REDIRECTS_MAX turns.
    for _ in 0..connect::REDIRECTS_MAX {
        let mut buffer = alloc::vec![0; connect::PATH_MAX.max(data.len())];
        let reply = connect_once(&path, message, extra, &mut buffer)?;
        let length = (reply.data_length as usize).min(buffer.len());
        let found = buffer.get(..length).unwrap_or_default();
        if reply.result != connect::RESULT_REDIRECT {
            for (slot, byte) in data.iter_mut().zip(found) {
                *slot = *byte;
            }
            return Ok(reply);
        }
        path = Vec::from(found);
    }
    Err(Errno::ELOOP)
}

fn connect_once(
    path: &[u8],
    message: &Connect,
    extra: &SendExtra,
    data: &mut [u8],
) -> Result<ConnectReply, Errno> {
    let target = target(path)?;
    let (coid, rest) = match &target {
        Target::Mount(mount, rest) => (mount.raw(), rest),
        Target::Directory(coid, rest) => (*coid, rest),
    };
    let path_length = u32::try_from(rest.len()).map_err(|_| Errno::ENAMETOOLONG)?;
    let message = Connect { kind: kind::IO_CONNECT, path_length, ..*message };
    let mut reply = ConnectReply::new_zeroed();
    let parts: [&[u8]; 2] = [message.as_bytes(), rest];
    message::send_parts(coid, &parts, (reply.as_mut_bytes(), data), Some(extra))?;
    Ok(reply)
}

/// Opens a file; `flags` are `O_*`, `mode` the permissions of a new one, `how` are `FLAG_*`.
///
/// # Errors
/// As POSIX `open`.
pub fn open(path: &[u8], flags: u32, permissions: u32, how: u32) -> Result<Handle, Errno> {
    let accepted_flags = if flags & flag::CLOEXEC != 0 { COF_CLOEXEC } else { 0 };
    let extra = SendExtra { accepted_count: 1, accepted_flags, ..SendExtra::default() };
    let message = Connect {
        subtype: connect::subtype::OPEN,
        ioflag: flags,
        mode: mode::IFREG | (permissions & !process::umask()),
        flags: how,
        ..Connect::default()
    };
    let reply = connect(path, &message, &extra, &mut [])?;
    u32::try_from(reply.coid).map(Handle::from_raw).map_err(|_| Errno::EIO)
}

/// Status of a path.
///
/// # Errors
/// As POSIX `stat`.
pub fn stat(path: &[u8]) -> Result<Stat, Errno> {
    let message = Connect { subtype: connect::subtype::STAT, ..Connect::default() };
    let mut stat = Stat::default();
    connect(path, &message, &SendExtra::default(), stat.as_mut_bytes())?;
    Ok(stat)
}
