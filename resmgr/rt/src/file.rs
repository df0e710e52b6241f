//! Reading and writing open files.

use crate::message;
use alloc::vec::Vec;
use io_msg::io::{Simple, Transfer, XTYPE_NONE, XTYPE_READDIR};
use io_msg::kind;
use neutrino_abi::Errno;
use zerocopy::IntoBytes;

/// Reads at most as many bytes as `buffer` holds; 0 at the end.
///
/// # Errors
/// As POSIX `read`.
pub fn read(fd: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
    transfer(fd, XTYPE_NONE, buffer)
}

/// Reads directory entries (`struct linux_dirent64`).
///
/// # Errors
/// As Linux `getdents64`.
pub fn read_directory(fd: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
    transfer(fd, XTYPE_READDIR, buffer)
}

/// Calls `each` with every name in a buffer of `struct linux_dirent64`.
pub fn names(mut records: &[u8], mut each: impl FnMut(&str)) {
    const HEADER: usize = 19;
    while let Some(&[low, high]) = records.get(16..18) {
        let length = usize::from(u16::from_le_bytes([low, high]));
        let Some(record) = records.get(HEADER..length) else { return };
        let end = record.iter().position(|&byte| byte == 0).unwrap_or(record.len());
        each(record.get(..end).and_then(|name| core::str::from_utf8(name).ok()).unwrap_or(""));
        records = records.get(length..).unwrap_or_default();
    }
}

fn transfer(fd: u32, xtype: u16, buffer: &mut [u8]) -> Result<usize, Errno> {
    let nbytes = buffer.len() as u64;
    let request = Transfer { kind: kind::IO_READ, xtype, nbytes, ..Transfer::default() };
    let n = message::send(fd, request.as_bytes(), buffer)?;
    usize::try_from(n).map_err(|_| Errno::EIO)
}

/// Writes some bytes; returns how many.
///
/// # Errors
/// As POSIX `write`.
pub fn write(fd: u32, bytes: &[u8]) -> Result<usize, Errno> {
    let nbytes = bytes.len() as u64;
    let request =
        Transfer { kind: kind::IO_WRITE, xtype: XTYPE_NONE, nbytes, ..Transfer::default() };
    let parts: [&[u8]; 2] = [request.as_bytes(), bytes];
    let n = message::send_parts(fd, &parts, (&mut [], &mut []), None)?;
    usize::try_from(n).map_err(|_| Errno::EIO)
}

/// Writes all bytes.
///
/// # Errors
/// As POSIX `write`; EIO if a server takes none.
pub fn write_all(fd: u32, mut bytes: &[u8]) -> Result<(), Errno> {
    // Bound: each turn takes at least a byte.
    while !bytes.is_empty() {
        let n = write(fd, bytes)?;
        bytes = bytes.get(n.max(1)..).filter(|_| n > 0).ok_or(Errno::EIO)?;
    }
    Ok(())
}

/// Reads a whole file.
///
/// # Errors
/// As POSIX `open` and `read`.
pub fn read_to_end(path: &[u8]) -> Result<Vec<u8>, Errno> {
    let file = crate::path::open(path, 0, 0, 0)?;
    let mut contents = Vec::new();
    let mut chunk = [0_u8; 4096];
    // Bound: the file's length.
    loop {
        let n = read(file.raw(), &mut chunk)?;
        if n == 0 {
            return Ok(contents);
        }
        contents.extend_from_slice(chunk.get(..n).unwrap_or_default());
    }
}

/// The absolute path of an open file.
///
/// # Errors
/// ENOSYS if its server does not know.
pub fn path_of(fd: u32) -> Result<Vec<u8>, Errno> {
    let request = Simple { kind: kind::IO_FDINFO, ..Simple::default() };
    let mut path = alloc::vec![0_u8; io_msg::connect::PATH_MAX];
    let n = message::send(fd, request.as_bytes(), &mut path)?;
    path.truncate(usize::try_from(n).map_err(|_| Errno::EIO)?);
    Ok(path)
}
