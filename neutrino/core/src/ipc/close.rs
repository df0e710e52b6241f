//! `ConnectClose`: a close that waits until the server has let go.
//!
//! A disconnect pulse tells a server of the last close, but not before it runs again: the closer
//! could look first, at a pipe's other end say, and find it as it was. `close` in QNX is a message
//! that the server answers. Here only the kernel knows which close is the last; so the caller brings
//! the message, and it is sent if it is wanted. The pulse comes behind it, unless the server answers
//! that it has let go.

use neutrino_abi::Errno;

use crate::Kernel;
use crate::call::Outcome;
use crate::handles::Target;
use crate::ipc::connection::{ConnectionId, Phase};
use crate::ipc::send::SendArgs;
use crate::machine::Machine;
use crate::process::ProcessId;
use crate::thread::ThreadId;

impl Kernel {
    /// `ConnectClose`.
    pub(crate) fn connect_close(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        coid: u32,
        (message, parts): (u64, i64),
    ) -> Result<Outcome, Errno> {
        let process = self.process_of(t);
        let target = self.handle(process, coid).ok_or(Errno::EBADF)?.target;
        let Some(connection) = self.last_handle(process, target) else {
            return self.handle_close(m, t, coid);
        };
        self.connections[connection].phase = Phase::Leaving;
        let arguments = SendArgs { coid, message, parts, reply: 0, reply_parts: 0, extra: 0 };
        match self.msg_send(m, t, &arguments) {
            Ok(outcome) => {
                // The message holds the connection from here on.
                self.handle_close(m, t, coid)?;
                Ok(outcome)
            }
            // A message that cannot be sent keeps nothing open: the pulse tells the server.
            Err(_) => self.handle_close(m, t, coid),
        }
    }

    /// The connection that a handle of a process is the last to hold, if another process serves it:
    /// one that is its own server would wait for itself.
    fn last_handle(&self, process: ProcessId, target: Target) -> Option<ConnectionId> {
        let Target::Connection(id) = target else { return None };
        let connection = &self.connections[id];
        let server = self.channels[connection.channel.get()?].process;
        (connection.references == 1 && server != process).then_some(id)
    }
}
