//! Messages: parts, what a receiver learns of one, and what travels beside the bytes.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// One part of a message (C: `struct iovec`; QNX: `iov_t`).
///
/// Calls that take `parts` read a positive number as the length of an array of these at the
/// given address, and a negative number as minus the length in bytes of a single flat buffer
/// there. Zero is an empty message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Iov {
    /// Address of the first byte.
    pub base: u64,
    /// Length in bytes.
    pub length: u64,
}
crate::assert_size!(Iov, 16);

/// Most parts of one message (Linux: `UIO_MAXIOV`).
pub const PARTS_MAX: usize = 1024;
/// Most handles that one message can offer.
pub const OFFER_MAX: usize = 4;

/// What `MsgSend` passes beside the bytes; at its sixth argument, or 0 for "nothing".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SendExtra {
    /// Handles of the sender that the receiver may take copies of ([`OFFER_MAX`] at most).
    pub offered: [u32; OFFER_MAX],
    /// How many of them count.
    pub offered_count: u32,
    /// How many handles the receiver may give with its reply.
    pub accepted_count: u32,
    /// Lowest number that a given handle may get; [`crate::handle::SIDE_CHANNEL`] for the high part.
    pub accepted_minimum: u32,
    /// Connection flags (`COF_*`) that given handles get.
    pub accepted_flags: u32,
}
crate::assert_size!(SendExtra, 32);

/// Words of a message in registers: in rdx, r10, r8, r9, r12, r13.
pub const WORDS: usize = 6;
/// The most bytes of a message in registers.
pub const WORDS_BYTES: u64 = 48;

/// The words of a message in registers, in little-endian order of its bytes; a pulse's are those of
/// [`crate::pulse::Pulse`].
pub type Words = [u64; WORDS];

/// What every receive call tells in registers beside the rcvid (all 0 for a pulse).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Head {
    /// The server's name for the connection (rdi).
    pub badge: u64,
    /// Bytes the client sends in all (r14).
    pub srcmsglen: u64,
    /// Bytes the client can take as a reply (r15).
    pub dstmsglen: u64,
    /// Server-side id of the connection (rsi, second 16 bits).
    pub scoid: u16,
    /// Where the message is (rsi, lowest bit).
    pub place: MessagePlace,
    /// Whether it is the last one through the connection ([`MI_LAST`]; rsi, second bit).
    pub is_last: bool,
}

/// Where a received message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MessagePlace {
    /// In the receiver's buffer, as far as that reaches.
    #[default]
    Buffer,
    /// In the words.
    Words,
}

impl Head {
    /// rsi.
    #[inline]
    #[must_use]
    pub const fn packed(&self) -> u64 {
        let place = match self.place {
            MessagePlace::Buffer => 0,
            MessagePlace::Words => 1,
        };
        (self.scoid as u64) << 16 | (self.is_last as u64) << 1 | place
    }

    /// From rdi, rsi, r14 and r15.
    #[inline]
    #[must_use]
    pub const fn unpack(badge: u64, packed: u64, srcmsglen: u64, dstmsglen: u64) -> Self {
        let place = if packed & 1 == 0 { MessagePlace::Buffer } else { MessagePlace::Words };
        let [_, _, low, high, ..] = packed.to_le_bytes();
        let (scoid, is_last) = (u16::from_le_bytes([low, high]), packed & 2 != 0);
        Self { badge, srcmsglen, dstmsglen, scoid, place, is_last }
    }
}

/// What a receiver learns of a message (QNX: `struct _msg_info`, extended).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MsgInfo {
    /// The client's process.
    pub pid: u32,
    /// The client's thread, system-wide.
    pub tid: u32,
    /// The channel it arrived on.
    pub chid: u32,
    /// Server-side id of the connection.
    pub scoid: u32,
    /// The client's number of the connection.
    pub coid: u32,
    /// Effective priority of the client.
    pub priority: u16,
    /// `MI_*` flags.
    pub flags: u16,
    /// Bytes received.
    pub msglen: u64,
    /// Bytes the client sends in all.
    pub srcmsglen: u64,
    /// Bytes the client can take as a reply.
    pub dstmsglen: u64,
    /// What the server chose to name the connection by; 0 for one attached by number.
    pub badge: u64,
    /// Effective user of the client.
    pub euid: u32,
    /// Effective group of the client.
    pub egid: u32,
    /// Process group of the client.
    pub pgrp: u32,
    /// Session of the client.
    pub session: u32,
    /// Signals that the client's thread blocks or its process ignores; bit n-1 is signal n.
    pub signals_held: u64,
    /// Handles offered with the message.
    pub offered_count: u32,
    /// Handles that may be given with the reply.
    pub accepted_count: u32,
}
crate::assert_size!(MsgInfo, 88);

/// The client was asked to be let go: reply soon (QNX: `_NTO_MI_UNBLOCK_REQ`).
pub const MI_UNBLOCK_REQ: u16 = 0x100;
/// The connection's last message: the client closes it and waits for the server to let go.
pub const MI_LAST: u16 = 0x200;
/// Status of the answer to a message with [`MI_LAST`] by which the server says that it has let go of
/// the connection: no disconnect pulse follows. Any other answer leaves it to the pulse.
pub const LET_GO: i64 = 1;

/// Channel flags (QNX: `_NTO_CHF_*`).
pub mod chf {
    /// Receivers keep their own priority.
    pub const FIXED_PRIORITY: u32 = 0x0001;
    /// A client that wants to leave waits for the server's consent.
    pub const UNBLOCK: u32 = 0x0002;
    /// A pulse for the death of a thread blocked here.
    pub const THREAD_DEATH: u32 = 0x0004;
    /// A pulse for the last close of a connection.
    pub const DISCONNECT: u32 = 0x0008;
    /// `srcmsglen` is wanted (always given here).
    pub const SENDER_LEN: u32 = 0x0020;
    /// A pulse when a channel this process is connected to vanishes.
    pub const COID_DISCONNECT: u32 = 0x0040;
    /// `dstmsglen` is wanted (always given here).
    pub const REPLY_LEN: u32 = 0x0080;
    /// Other processes cannot connect by its number.
    pub const PRIVATE: u32 = 0x1000;
    /// Every flag that the kernel knows.
    pub const ALL: u32 = 0x10ef;
}
