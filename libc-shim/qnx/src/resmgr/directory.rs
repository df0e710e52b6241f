//! Directory entries: QNX's `struct dirent`, as a C server fills it, and the records that clients
//! take.

use alloc::vec::Vec;
use io_msg::stat::put_dirent;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The head of C's `struct dirent` (`include/dirent.h`).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    ino: u64,
    offset: i64,
    reclen: u16,
    namelen: u16,
    name: [u8; 4],
}

/// `d_name` begins here, in the padding behind the head.
const NAME: usize = 20;

/// How many bytes of QNX's records surely fit into so many bytes of the client's: the name begins one
/// byte later in QNX's, but those are padded less.
pub(crate) fn room(client: usize) -> usize {
    client - client / 8
}

/// Records of this system's with the same entries, in `room` bytes at most.
pub(crate) fn translate(mut records: &[u8], room: usize) -> Vec<u8> {
    let mut out = alloc::vec![0_u8; room];
    let mut at = 0;
    while let Some((entry, name, rest)) = take(records) {
        // A client goes on behind an entry where the next begins.
        let next = take(rest).map_or(entry.offset.wrapping_add(1), |(next, ..)| next.offset);
        let node = (entry.ino.max(1), 0);
        let Some(end) = put_dirent(&mut out, at, node, next.cast_unsigned(), name) else { break };
        (at, records) = (end, rest);
    }
    out.truncate(at);
    out
}

/// The first record, its name, and what follows it.
fn take(records: &[u8]) -> Option<(Head, &[u8], &[u8])> {
    let mut head = Head::default();
    let bytes = records.get(..NAME)?;
    head.as_mut_bytes().get_mut(..NAME)?.copy_from_slice(bytes);
    let reclen = usize::from(head.reclen);
    // The last record may end with its name.
    let whole = records.get(NAME..).map(|name| name.get(..usize::from(head.namelen)))?;
    if reclen < NAME {
        return None;
    }
    let name = whole?.split(|&byte| byte == 0).next().unwrap_or_default();
    if name.is_empty() {
        return None;
    }
    Some((head, name, records.get(reclen..).unwrap_or_default()))
}
