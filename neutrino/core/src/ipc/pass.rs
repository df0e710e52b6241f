//! Handles in messages: `MsgGrant`, `MsgGive`, `MsgTake`.

use neutrino_abi::Errno;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::{Handle, Target};
use crate::ipc::connection::handle_bits;
use crate::machine::Machine;
use crate::thread::{NO_EXTRA, State, ThreadId};

impl Kernel {
    /// `MsgGrant`: a new connection to the channel that the message came on.
    pub(crate) fn msg_grant(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        rcvid: u64,
        badge: u64,
        bits: u32,
    ) -> Result<Outcome, Errno> {
        let client = self.client(t, rcvid)?;
        let State::Reply { channel, .. } = self.threads[client].state else {
            return Err(Errno::ESRCH);
        };
        if self.threads[client].extra.accepted_count == 0 {
            return Err(Errno::EPERM);
        }
        let process = self.process_of(client);
        let minimum = self.threads[client].extra.accepted_minimum;
        self.handle_room(process, minimum)?;
        let connection = self.connection_create(channel, badge, bits)?;
        let flags = handle_bits(self.threads[client].extra.accepted_flags);
        let handle = Handle { target: Target::Connection(connection), flags };
        let coid = match self.handle_add(process, minimum, handle) {
            Ok(coid) => coid,
            Err(errno) => {
                self.connection_free(connection);
                return Err(errno);
            }
        };
        self.accepted(m, client);
        let both = u64::from(connection.index()).wrapping_shl(32) | u64::from(coid);
        Ok(Outcome::Value(both.cast_signed()))
    }

    fn accepted(&mut self, _m: &mut impl Machine, client: ThreadId) {
        let extra = &mut self.threads[client].extra;
        extra.accepted_count = extra.accepted_count.saturating_sub(1);
        if extra.offered_count == 0 && extra.accepted_count == 0 {
            *extra = NO_EXTRA;
        }
    }

    /// `MsgGive`: a copy of a handle of the caller's for the client.
    pub(crate) fn msg_give(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        rcvid: u64,
        number: u32,
        flags: u32,
    ) -> Result<Outcome, Errno> {
        let client = self.client(t, rcvid)?;
        let Handle { target, .. } = self.handle_to_copy(self.process_of(t), number)?;
        if self.threads[client].extra.accepted_count == 0 {
            return Err(Errno::EPERM);
        }
        let flags = handle_bits(self.threads[client].extra.accepted_flags | flags);
        let process = self.process_of(client);
        let minimum = self.threads[client].extra.accepted_minimum;
        let given = self.handle_add(process, minimum, Handle { target, flags })?;
        self.target_share(target);
        self.accepted(m, client);
        Ok(Outcome::value(given))
    }

    /// `MsgTake`: a copy of a handle that the client offered.
    pub(crate) fn msg_take(
        &mut self,
        t: ThreadId,
        rcvid: u64,
        index: u32,
        minimum: u32,
        flags: u32,
    ) -> Result<Outcome, Errno> {
        let client = self.client(t, rcvid)?;
        if index >= self.threads[client].extra.offered_count {
            return Err(Errno::EINVAL);
        }
        let offered =
            self.threads[client].extra.offered.get(index as usize).copied().ok_or(Errno::EINVAL)?;
        let Handle { target, .. } = self.handle_to_copy(self.process_of(client), offered)?;
        let copy = Handle { target, flags: handle_bits(flags) };
        let number = self.handle_add(self.process_of(t), minimum, copy)?;
        self.target_share(target);
        Ok(Outcome::value(number))
    }
}
