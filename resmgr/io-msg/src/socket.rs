//! Messages on an open socket, beside `IO_READ` and `IO_WRITE`.
//!
//! A domain is a path, as in QNX: [`DIRECTORY`] and the number of the domain. Numbers of flags,
//! types and options are Linux's.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What the path of a domain begins with.
pub const DIRECTORY: &str = "/dev/socket/";
/// The domain of sockets within the system (`AF_UNIX`).
pub const AF_UNIX: u16 = 1;
/// Bytes that an address takes in messages; the longest is `struct sockaddr_un`.
pub const ADDRESS_MAX: usize = 112;
/// Descriptors that one message passes at most (Linux: `SCM_MAX_FD`).
pub const HANDLES_MAX: u32 = 253;

/// What stands before an address that a client gives: where the socket's name is in a file system.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(C)]
pub struct Place {
    /// Device of the name; 0: the name is in no file system.
    pub device: u64,
    /// Serial number of the name.
    pub inode: u64,
}

/// Process, user and group of who sent something (Linux: `struct ucred`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Credentials {
    /// Process.
    pub pid: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Types of sockets.
pub mod kind {
    /// Bytes (`SOCK_STREAM`).
    pub const STREAM: u32 = 1;
    /// Messages (`SOCK_DGRAM`).
    pub const DATAGRAM: u32 = 2;
    /// Messages on a connection (`SOCK_SEQPACKET`).
    pub const SEQPACKET: u32 = 5;
}

/// Flags of sending and receiving (`MSG_*`).
pub mod flag {
    /// What is received stays.
    pub const PEEK: u32 = 0x02;
    /// Descriptors that came were dropped.
    pub const CTRUNC: u32 = 0x08;
    /// The rest of a message was dropped; asked for: tell its whole length.
    pub const TRUNC: u32 = 0x20;
    /// Do not wait.
    pub const DONTWAIT: u32 = 0x40;
    /// Wait for as much as was asked for.
    pub const WAITALL: u32 = 0x100;
    /// The credentials in the message count; no flag of a program's.
    pub const CREDENTIALS: u32 = 1 << 31;
}

/// `SOCKET_SEND`: [`Place`] and address, if there is one, and the data follow; offers descriptors.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Send {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// [`flag`] bits.
    pub flags: u32,
    /// Length of the address with its place; 0: to the peer.
    pub address_length: u32,
    /// Descriptors that this message offers; those of `OFFER` messages before it go with them.
    pub handles: u32,
    /// Who the sender says it is, with [`flag::CREDENTIALS`].
    pub credentials: Credentials,
    /// Not used; 0.
    pub zero: u32,
    /// Length of the data.
    pub nbytes: u64,
}

/// `SOCKET_RECEIVE`; reply: [`Received`], numbers of descriptors, data; status = bytes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Receive {
    /// Type.
    pub kind: u16,
    /// Subtype; 0.
    pub subtype: u16,
    /// [`flag`] bits.
    pub flags: u32,
    /// Descriptors that there is room for: so many numbers are in the reply, used or not.
    pub handles_max: u32,
    /// Not used; 0.
    pub zero: u32,
    /// Most bytes of data.
    pub nbytes: u64,
}

/// The head of a reply to `SOCKET_RECEIVE`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Received {
    /// [`flag::TRUNC`], [`flag::CTRUNC`]; [`flag::CREDENTIALS`]: they were asked for.
    pub flags: u32,
    /// Length of the sender's address.
    pub address_length: u32,
    /// Descriptors that came.
    pub handles: u32,
    /// Who sent it.
    pub credentials: Credentials,
    /// The sender's address.
    pub address: [u8; ADDRESS_MAX],
}

impl Default for Received {
    fn default() -> Self {
        Self {
            flags: 0,
            address_length: 0,
            handles: 0,
            credentials: Credentials::default(),
            address: [0; ADDRESS_MAX],
        }
    }
}

/// What `SOCKET_CONTROL` does; its subtype.
pub mod control {
    /// End one or both directions; `argument`: `SHUT_*`.
    pub const SHUTDOWN: u16 = 0;
    /// The socket's address; reply: it.
    pub const NAME: u16 = 1;
    /// The peer's address; reply: it.
    pub const PEER: u16 = 2;
    /// The value of option `argument` at `level`; reply: it.
    pub const GET_OPTION: u16 = 3;
    /// Sets option `argument` at `level` to the data.
    pub const SET_OPTION: u16 = 4;
    /// Gives the socket the address in the data, which a [`super::Place`] comes before.
    pub const BIND: u16 = 5;
    /// Takes connections; `argument`: how many may wait.
    pub const LISTEN: u16 = 6;
    /// Connects to the address in the data, which a [`super::Place`] comes before.
    pub const CONNECT: u16 = 7;
    /// `argument` more descriptors for the next `SOCKET_SEND` of the same thread.
    pub const OFFER: u16 = 8;
}

/// `SOCKET_CONTROL`; `nbytes` of data follow; status = bytes of the reply.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Control {
    /// Type.
    pub kind: u16,
    /// What to do ([`control`]).
    pub subtype: u16,
    /// Level of an option (`SOL_SOCKET`).
    pub level: u32,
    /// See [`control`].
    pub argument: u32,
    /// Bytes of data.
    pub nbytes: u32,
}
