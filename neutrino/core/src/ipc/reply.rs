//! Answers: `MsgReply`, `MsgError`, `MsgReplyReceive`, and what a server does with a waiting
//! client's buffers.

use neutrino_abi::Errno;
use neutrino_abi::message::ReceiveArgs;

use crate::Kernel;
use crate::call::Outcome;
use crate::ipc::receive::ReceiveFrom;
use crate::ipc::transfer::{Side, Span};
use crate::machine::{Machine, Place};
use crate::thread::{Sending, State, Takes, ThreadId};

/// An answer: status, and data in the server's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) rcvid: u64,
    pub(crate) status: i64,
    pub(crate) message: u64,
    pub(crate) parts: i64,
}

impl Kernel {
    /// The client of the caller's process that a rcvid names.
    ///
    /// # Errors
    /// ESRCH: it no longer waits.
    pub(crate) fn client(&self, t: ThreadId, rcvid: u64) -> Result<ThreadId, Errno> {
        self.client_sending(t, rcvid).map(|(client, _)| client)
    }

    pub(crate) fn client_sending(
        &self,
        t: ThreadId,
        rcvid: u64,
    ) -> Result<(ThreadId, Sending), Errno> {
        let client = self.threads.lookup(rcvid & 0xffff).ok_or(Errno::ESRCH)?;
        let State::Reply { channel, sending, sequence, .. } = self.threads[client].state else {
            return Err(Errno::ESRCH);
        };
        let is_own = self.channels[channel].process == self.process_of(t);
        if sequence == rcvid.wrapping_shr(16) && is_own {
            Ok((client, sending))
        } else {
            Err(Errno::ESRCH)
        }
    }

    /// `MsgReply`.
    pub(crate) fn msg_reply(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        answer: &Answer,
    ) -> Result<Outcome, Errno> {
        let (client, sending) = self.client_sending(t, answer.rcvid)?;
        let place = Place { space: self.space(t), address: answer.message };
        let buffer = self.buffer(m, place, answer.parts)?;
        let from = Span { space: place.space, buffer, offset: 0 };
        let to = Span { space: self.space(client), buffer: sending.reply, offset: 0 };
        match self.transfer(m, &from, &to) {
            Ok(_) => {
                self.wake_with(m, client, Ok(answer.status));
                Ok(Outcome::DONE)
            }
            Err(Side::Source) => Err(Errno::EFAULT),
            Err(Side::Target) => {
                self.wake_with(m, client, Err(Errno::EFAULT));
                Err(Errno::EFAULT)
            }
        }
    }

    /// `MsgError`.
    pub(crate) fn msg_error(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        rcvid: u64,
        errno: u32,
    ) -> Result<Outcome, Errno> {
        let client = self.client(t, rcvid)?;
        let number = u16::try_from(errno).map_err(|_| Errno::EINVAL)?;
        let result = match number {
            0 => Ok(0),
            number => Err(Errno::from_number(number).unwrap_or(Errno::EIO)),
        };
        self.wake_with(m, client, result);
        Ok(Outcome::DONE)
    }

    /// `MsgReplyReceive`: the failure of the reply is ignored.
    pub(crate) fn msg_reply_receive(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        answer: &Answer,
        receive: u64,
    ) -> Result<Outcome, Errno> {
        let place = Place { space: self.space(t), address: receive };
        let arguments: ReceiveArgs = self.load(m, place)?;
        self.handle_channel(self.process_of(t), arguments.chid)?;
        if answer.rcvid != 0 {
            let _a_client_that_is_gone = if answer.status < 0 {
                let errno = u32::try_from(answer.status.unsigned_abs()).unwrap_or(0);
                self.msg_error(m, t, answer.rcvid, errno)
            } else {
                self.msg_reply(m, t, answer)
            };
        }
        let ReceiveArgs { chid, message, parts, info, .. } = arguments;
        self.msg_receive(m, t, &ReceiveFrom { chid, message, parts, info, takes: Takes::All })
    }

    /// `MsgRead` and `MsgWrite`.
    pub(crate) fn msg_move(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        answer: &Answer,
        offset: u64,
        direction: Direction,
    ) -> Result<Outcome, Errno> {
        let (client, sending) = self.client_sending(t, answer.rcvid)?;
        let place = Place { space: self.space(t), address: answer.message };
        let buffer = self.buffer(m, place, answer.parts)?;
        let own = Span { space: place.space, buffer, offset: 0 };
        let space = self.space(client);
        let moved = match direction {
            Direction::FromClient => {
                self.transfer(m, &Span { space, buffer: sending.message, offset }, &own)
            }
            Direction::ToClient => {
                self.transfer(m, &own, &Span { space, buffer: sending.reply, offset })
            }
        };
        moved.map(|n| Outcome::Value(n.cast_signed())).map_err(|_| Errno::EFAULT)
    }

    /// `MsgReadObject` and `MsgWriteObject`.
    pub(crate) fn msg_move_object(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        rcvid: u64,
        piece: &ObjectPiece,
        direction: Direction,
    ) -> Result<Outcome, Errno> {
        let (client, sending) = self.client_sending(t, rcvid)?;
        let id = self.handle_object(self.process_of(t), piece.object)?;
        let buffer = match direction {
            Direction::FromClient => sending.message,
            Direction::ToClient => sending.reply,
        };
        let span = Span { space: self.space(client), buffer, offset: piece.message_offset };
        let start = piece.object_offset;
        let room = buffer.length.saturating_sub(piece.message_offset);
        let bytes = piece.bytes.min(room);
        let moved = self.for_parts(m, &span, bytes, |kernel, m, place, done, step| {
            let at = start.saturating_add(done);
            match direction {
                Direction::FromClient => kernel.memory.copy_to_object(m, id, at, place, step),
                Direction::ToClient => kernel.memory.copy_from_object(m, id, at, place, step),
            }
        })?;
        Ok(Outcome::Value(moved.cast_signed()))
    }

    /// `MsgInfo`.
    pub(crate) fn msg_info(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        rcvid: u64,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let client = self.client(t, rcvid)?;
        let State::Reply { channel, sending, asked, .. } = self.threads[client].state else {
            return Err(Errno::ESRCH);
        };
        let length = sending.message.length;
        let info = self.message_info(client, &sending, channel, asked, length);
        self.store(m, Place { space: self.space(t), address }, &info)?;
        Ok(Outcome::DONE)
    }

    /// The state of a waiting client, to change.
    pub(crate) fn sending_mut(&mut self, client: ThreadId) -> Option<&mut Sending> {
        let State::Reply { sending, .. } = &mut self.threads[client].state else { return None };
        Some(sending)
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client's message.
    FromClient,
    /// Into the client's reply buffer.
    ToClient,
}

/// A piece of an object and its place in a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectPiece {
    pub(crate) message_offset: u64,
    pub(crate) object: u32,
    pub(crate) object_offset: u64,
    pub(crate) bytes: u64,
}
