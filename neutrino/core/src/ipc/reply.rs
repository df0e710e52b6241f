//! Answers: `MsgReply`, `MsgError`, `MsgReplyReceive`, and what a server does with a waiting
//! client's buffers.

use neutrino_abi::Errno;
use neutrino_abi::message::{LET_GO, WORDS_BYTES};

use crate::Kernel;
use crate::call::Outcome;
use crate::ipc::channel::ChannelId;
use crate::ipc::connection::Phase;
use crate::ipc::deliver::{rcvid_names, rcvid_parts};
use crate::ipc::receive::ReceiveFrom;
use crate::ipc::transfer::{Buffer, Side, Span};
use crate::machine::{Machine, Place};
use crate::memory::Extent;
use crate::sched::End;
use crate::step::Work;
use crate::thread::{Asked, Sending, State, Takes, ThreadId, slot};
use crate::trace::Answered;

/// As the error of `MsgError`: the one for which the unblock pulse was sent (QNX: -1).
const AS_ASKED: u32 = u32::MAX;

/// An answer: status, and data in the server's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) rcvid: u64,
    pub(crate) status: i64,
    pub(crate) message: u64,
    pub(crate) parts: i64,
}

/// The same with the answer's bytes found.
#[derive(Clone, Copy, Debug)]
struct Reply {
    rcvid: u64,
    status: i64,
    buffer: Buffer,
}

/// An answer in registers, and where its server receives next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RegisterAnswer {
    pub(crate) rcvid: u64,
    pub(crate) status: i32,
    pub(crate) chid: u32,
    pub(crate) length: u64,
}

impl RegisterAnswer {
    /// Takes `control` apart (see the call's row).
    pub(crate) const fn unpack(rcvid: u64, control: u64) -> Self {
        let [s0, s1, s2, s3, c0, c1, length, _] = control.to_le_bytes();
        Self {
            rcvid,
            status: i32::from_le_bytes([s0, s1, s2, s3]),
            chid: u16::from_le_bytes([c0, c1]) as u32,
            length: length as u64,
        }
    }
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
        let (index, wanted) = rcvid_parts(rcvid);
        let client = self.threads.lookup(index).ok_or(Errno::ESRCH)?;
        let State::Reply { channel, sending, sequence, .. } = self.threads[client].state else {
            return Err(Errno::ESRCH);
        };
        let is_own = self.channels[channel].process == self.process_of(t);
        if is_own && rcvid_names(wanted, sequence) {
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
        let place = Place { space: self.space(t), address: answer.message };
        let buffer = self.buffer(m, place, answer.parts)?;
        self.answer(m, t, &Reply { rcvid: answer.rcvid, status: answer.status, buffer }, End::Back)
    }

    /// Answers a client, which becomes ready at an end of its level.
    fn answer(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        reply: &Reply,
        end: End,
    ) -> Result<Outcome, Errno> {
        let (client, sending) = self.client_sending(t, reply.rcvid)?;
        let before = self.reached(t, 0);
        let from = Span { thread: t, buffer: reply.buffer, offset: before };
        let to = Span { thread: client, buffer: sending.reply, offset: before };
        let whole = reply.buffer.is_words() && sending.reply.is_words() && sending.written == 0;
        let moved = if whole {
            // The words behind the answer's length are of no account: all of them move.
            m.move_words(slot(t), slot(client));
            Ok(reply.buffer.length.min(sending.reply.length))
        } else {
            self.transfer(m, &from, &to).map(|moved| before.saturating_add(moved))
        };
        match moved {
            Ok(bytes) if bytes < reply.buffer.length.min(sending.reply.length) => {
                Ok(self.leave_off(t, Work::Until(bytes)))
            }
            Ok(bytes) => {
                if sending.reply.is_words() {
                    m.set_answer_length(slot(client), bytes.max(sending.written.into()));
                }
                let connection = &mut self.connections[sending.connection];
                if reply.status == LET_GO && connection.phase == Phase::Leaving {
                    connection.phase = Phase::LetGo;
                }
                self.trace_reply(t, client, reply.rcvid, Answered::Status(reply.status));
                self.wake_at(m, client, Ok(reply.status), end);
                Ok(Outcome::DONE)
            }
            Err(Side::Source) => Err(Errno::EFAULT),
            Err(Side::Target) => {
                self.wake_at(m, client, Err(Errno::EFAULT), end);
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
        self.refuse(m, t, rcvid, errno, End::Back)
    }

    fn refuse(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        rcvid: u64,
        errno: u32,
        end: End,
    ) -> Result<Outcome, Errno> {
        let (client, sending) = self.client_sending(t, rcvid)?;
        let number = match errno {
            AS_ASKED => self.why_asked(client).number(),
            errno => u16::try_from(errno).map_err(|_| Errno::EINVAL)?,
        };
        let result = match number {
            0 => Ok(0),
            number => Err(Errno::from_number(number).unwrap_or(Errno::EIO)),
        };
        if sending.reply.is_words() {
            m.set_answer_length(slot(client), sending.written.into());
        }
        self.trace_reply(t, client, rcvid, Answered::Error(number));
        self.wake_at(m, client, result, end);
        Ok(Outcome::DONE)
    }

    /// Why a client wanted to leave.
    fn why_asked(&self, client: ThreadId) -> Errno {
        let is_late =
            matches!(self.threads[client].state, State::Reply { asked: Asked::TimedOut, .. });
        if is_late { Errno::ETIMEDOUT } else { Errno::EINTR }
    }

    /// `MsgReplyReceive`: the failure of the reply is ignored.
    pub(crate) fn msg_reply_receive(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        answer: &Answer,
        from: &ReceiveFrom,
    ) -> Result<Outcome, Errno> {
        self.handle_channel(self.process_of(t), from.chid)?;
        let place = Place { space: self.space(t), address: answer.message };
        let Answer { rcvid, status, .. } = *answer;
        // Only the bytes of a good answer are looked at.
        let parts = if rcvid == 0 || status < 0 { 0 } else { answer.parts };
        if let Ok(buffer) = self.buffer(m, place, parts)
            && self.reply_before(m, t, &Reply { rcvid, status, buffer }, from.chid) == Extent::Part
        {
            return Ok(Outcome::Unfinished);
        }
        self.msg_receive(m, t, from)
    }

    /// `MsgReplyReceiveRegisters`.
    pub(crate) fn msg_reply_receive_registers(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        answer: &RegisterAnswer,
        buffer: (u64, i64),
    ) -> Result<Outcome, Errno> {
        let (message, parts) = buffer;
        let RegisterAnswer { rcvid, status, chid, length } = *answer;
        self.handle_channel(self.process_of(t), chid)?;
        if length > WORDS_BYTES {
            return Err(Errno::EINVAL);
        }
        let reply = Reply { rcvid, status: i64::from(status), buffer: Buffer::words(length) };
        if self.reply_before(m, t, &reply, chid) == Extent::Part {
            return Ok(Outcome::Unfinished);
        }
        let takes = Takes::All;
        self.msg_receive(m, t, &ReceiveFrom { chid, message, parts, info: 0, takes })
    }

    /// Answers a client before the caller receives, unless that was in an earlier part of the call.
    /// If the caller is going to wait, the client takes its place on the CPU.
    fn reply_before(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        reply: &Reply,
        chid: u32,
    ) -> Extent {
        if reply.rcvid == 0 || matches!(self.threads[t].work, Work::Receive { .. }) {
            return Extent::Whole;
        }
        let channel = self.handle_channel(self.process_of(t), chid);
        let waits = channel.is_ok_and(|channel| self.is_quiet(channel));
        let end = if waits { End::InPlaceOf(t) } else { End::Back };
        // A client that is gone is no error.
        let answered = if reply.status < 0 {
            let errno = u32::try_from(reply.status.unsigned_abs()).unwrap_or(0);
            self.refuse(m, t, reply.rcvid, errno, end)
        } else {
            self.answer(m, t, reply, end)
        };
        if answered == Ok(Outcome::Unfinished) {
            return Extent::Part;
        }
        self.threads[t].work = Work::None;
        Extent::Whole
    }

    /// Whether nothing is queued on a channel.
    pub(crate) fn is_quiet(&self, channel: ChannelId) -> bool {
        let channel = &self.channels[channel];
        channel.senders.is_empty() && channel.pulses.is_empty()
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
        let before = self.reached(t, 0);
        let offset = offset.saturating_add(before);
        let own = Span { thread: t, buffer, offset: before };
        let moved = match direction {
            Direction::FromClient => {
                self.transfer(m, &Span { thread: client, buffer: sending.message, offset }, &own)
            }
            Direction::ToClient => {
                self.transfer(m, &own, &Span { thread: client, buffer: sending.reply, offset })
            }
        };
        let moved = moved.map_err(|_| Errno::EFAULT)?;
        if direction == Direction::ToClient && sending.reply.is_words() {
            self.note_written(client, offset.saturating_add(moved));
        }
        Ok(self.copied(t, before.saturating_add(moved), buffer.length))
    }

    /// So many bytes of a client's words are part of the answer.
    fn note_written(&mut self, client: ThreadId, end: u64) {
        if let State::Reply { sending, .. } = &mut self.threads[client].state {
            sending.written = sending.written.max(u8::try_from(end).unwrap_or(0));
            self.check_wait(client);
        }
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
        if buffer.is_words() {
            return Err(Errno::EINVAL);
        }
        let before = self.reached(t, 0);
        let offset = piece.message_offset.saturating_add(before);
        let span = Span { thread: client, buffer, offset };
        let start = piece.object_offset.saturating_add(before);
        let room = buffer.length.saturating_sub(piece.message_offset);
        let bytes = piece.bytes.min(room);
        let rest = bytes.saturating_sub(before);
        let moved = self.for_parts(m, &span, rest, |kernel, m, place, done, step| {
            let at = start.saturating_add(done);
            match direction {
                Direction::FromClient => kernel.memory.copy_to_object(m, id, at, place, step),
                Direction::ToClient => kernel.memory.copy_from_object(m, id, at, place, step),
            }
        });
        self.moved(t, before, moved, bytes)
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
