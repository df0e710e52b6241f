//! The master's side of a pair: its clients read what the slave's line sends, and write what the
//! line receives.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use line_discipline::{Client, Done, Mode, System, Terminal};
use neutrino_rt::Errno;
use neutrino_rt::abi::handle::ready;

/// Bytes that one read takes at most.
const READ_LIMIT: usize = 8192;

/// Whether programs have the slave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slave {
    /// Not yet: the master waits for the first.
    NeverOpened,
    /// Some have.
    Open,
    /// No more: the master reads what is left, then EIO.
    Closed,
}

#[derive(Debug)]
struct Reader<C> {
    client: C,
    size: usize,
}

#[derive(Debug)]
struct Writer<C> {
    client: C,
    data: Vec<u8>,
    written: usize,
}

/// The master's side.
#[derive(Debug)]
pub struct Master<C> {
    readers: VecDeque<Reader<C>>,
    writers: VecDeque<Writer<C>>,
    slave: Slave,
}

impl<C: Client> Default for Master<C> {
    fn default() -> Self {
        Self { readers: VecDeque::new(), writers: VecDeque::new(), slave: Slave::NeverOpened }
    }
}

impl<C: Client> Master<C> {
    /// Takes note of the slave's state.
    pub fn set_slave(&mut self, slave: Slave) {
        self.slave = slave;
    }

    /// Reads for a client, which is answered now or in [`Master::service`].
    pub fn read(&mut self, client: C, size: usize, mode: Mode, terminal: &Terminal<C>) {
        let has_some = terminal.line().has_output() || self.slave == Slave::Closed || size == 0;
        if mode == Mode::NonBlocking && !has_some {
            return client.finish(Done::Failed(Errno::EAGAIN));
        }
        self.readers.push_back(Reader { client, size: size.min(READ_LIMIT) });
    }

    /// Writes for a client, which is answered now or in [`Master::service`].
    pub fn write(
        &mut self,
        client: C,
        (data, mode): (Vec<u8>, Mode),
        terminal: &mut Terminal<C>,
        system: &mut impl System,
    ) {
        match mode {
            Mode::Blocking => self.writers.push_back(Writer { client, data, written: 0 }),
            Mode::NonBlocking if !self.writers.is_empty() => {
                client.finish(Done::Failed(Errno::EAGAIN));
            }
            Mode::NonBlocking => client.finish(match type_in(&data, terminal, system) {
                0 if !data.is_empty() => Done::Failed(Errno::EAGAIN),
                count => Done::Count(count),
            }),
        }
    }

    /// Lets go of a client; tells if it waited here.
    pub fn cancel(&mut self, is_it: impl Fn(&C) -> bool) -> bool {
        let reader = self.readers.iter().position(|reader| is_it(&reader.client));
        if let Some(reader) = reader.and_then(|place| self.readers.remove(place)) {
            reader.client.finish(Done::Failed(Errno::EINTR));
            return true;
        }
        let writer = self.writers.iter().position(|writer| is_it(&writer.client));
        let writer = writer.and_then(|place| self.writers.remove(place));
        let found = writer.is_some();
        if let Some(writer) = writer {
            writer.client.finish(match writer.written {
                0 => Done::Failed(Errno::EINTR),
                count => Done::Count(count),
            });
        }
        found
    }

    /// Serves the clients that can be served.
    pub fn service(&mut self, terminal: &mut Terminal<C>, system: &mut impl System) {
        while let Some(writer) = self.writers.front_mut() {
            let rest = writer.data.get(writer.written..).unwrap_or(&[]);
            writer.written += type_in(rest, terminal, system);
            if writer.written < writer.data.len() {
                break;
            }
            if let Some(writer) = self.writers.pop_front() {
                writer.client.finish(Done::Count(writer.written));
            }
        }
        while let Some(size) = self.readers.front().map(|reader| reader.size) {
            let mut buffer = vec![0; size];
            let count = terminal.next_output(&mut buffer);
            let done = match (count, self.slave) {
                (0, _) if size == 0 => Done::Data(&[]),
                (0, Slave::Closed) => Done::Failed(Errno::EIO),
                (0, Slave::Open | Slave::NeverOpened) => break,
                (count, _) => Done::Data(buffer.get(..count).unwrap_or(&[])),
            };
            if let Some(reader) = self.readers.pop_front() {
                reader.client.finish(done);
            }
        }
    }

    /// Gives `poll`'s bits for the master.
    #[must_use]
    pub fn readiness(&self, terminal: &Terminal<C>) -> u32 {
        let hung_up = if self.slave == Slave::Closed { ready::HUP } else { 0 };
        let readable = if terminal.line().has_output() { ready::IN } else { 0 };
        let room = self.writers.is_empty() && terminal.line().input_room() > 0;
        hung_up | readable | if room { ready::OUT } else { 0 }
    }
}

/// Gives the line as much of `data` as it has room for; gives how much.
fn type_in<C: Client>(data: &[u8], terminal: &mut Terminal<C>, system: &mut impl System) -> usize {
    let mut count = 0;
    for byte in data {
        if terminal.line().input_room() == 0 {
            break;
        }
        terminal.input(*byte, system);
        count += 1;
    }
    count
}

#[cfg(test)]
#[path = "master_tests.rs"]
mod tests;
