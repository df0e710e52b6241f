//! What is on its way to a socket: bytes, who sent them, and descriptors that go with them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use io_msg::socket::{Credentials, Received, flag};
use neutrino_rt::channel::{self, Handle};
use neutrino_rt::{abi, message};
use zerocopy::IntoBytes;

/// Where something comes from.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// The sender's address; empty: it has none.
    pub(crate) address: Vec<u8>,
    pub(crate) credentials: Credentials,
    /// Descriptors on their way.
    pub(crate) handles: Vec<Handle>,
}

impl Origin {
    /// For the next part of what is sent: descriptors go with the first.
    pub(crate) fn part(&mut self) -> Self {
        let handles = core::mem::take(&mut self.handles);
        Self { address: self.address.clone(), credentials: self.credentials, handles }
    }
}

/// A message, or a stretch of a stream.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    pub(crate) bytes: VecDeque<u8>,
    pub(crate) origin: Origin,
}

impl Packet {
    /// Whether a stream's bytes from somewhere can be appended: those of another sender, and those
    /// that descriptors go with, begin a stretch of their own.
    pub(crate) fn continues(&self, origin: &Origin) -> bool {
        self.origin.handles.is_empty()
            && origin.handles.is_empty()
            && self.origin.credentials == origin.credentials
    }
}

/// How the answer to a receiver looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Data alone (`IO_READ`).
    Data,
    /// With a head and numbers of descriptors, for which there is so much room (`SOCKET_RECEIVE`).
    Message(usize),
}

/// What a receiver asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) length: usize,
    pub(crate) flags: u32,
    pub(crate) form: Form,
}

impl Wanted {
    /// Whether what is received stays.
    pub(crate) const fn is_peek(&self) -> bool {
        self.flags & flag::PEEK != 0
    }
}

/// What it gets.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) bytes: Vec<u8>,
    pub(crate) status: usize,
    /// [`flag`] bits to tell.
    pub(crate) flags: u32,
    pub(crate) origin: Origin,
}

impl Taken {
    /// Hands the descriptors over; returns status and data of the reply.
    pub(crate) fn reply(&self, rcvid: u64, form: Form) -> (i64, Vec<u8>) {
        let status = self.status as i64;
        let Form::Message(room) = form else { return (status, self.bytes.clone()) };
        let given: Vec<u32> = self
            .origin
            .handles
            .iter()
            .take(room)
            .map_while(|handle| message::give(rcvid, handle.raw(), 0).ok())
            .collect();
        let is_cut = given.len() < self.origin.handles.len();
        let mut head = Received {
            flags: self.flags | if is_cut { flag::CTRUNC } else { 0 },
            address_length: u32::try_from(self.origin.address.len()).unwrap_or(0),
            handles: u32::try_from(given.len()).unwrap_or(0),
            credentials: self.origin.credentials,
            ..Received::default()
        };
        head.address.iter_mut().zip(&self.origin.address).for_each(|(to, from)| *to = *from);
        let mut data = Vec::from(head.as_bytes());
        let numbers = data.len();
        data.extend_from_slice(given.as_bytes());
        data.resize(numbers + room * size_of::<u32>(), 0);
        data.extend_from_slice(&self.bytes);
        (status, data)
    }
}

/// Other handles on the same descriptors.
pub(crate) fn copies(handles: &[Handle]) -> Vec<Handle> {
    let copy = |handle: &Handle| {
        channel::duplicate(handle.raw(), abi::handle::SIDE_CHANNEL, 0).map(Handle::from_raw).ok()
    };
    handles.iter().map_while(copy).collect()
}
