//! `TraceEvent`: what is traced, and who reads it.

use neutrino_abi::Errno;
use neutrino_abi::process::able;
use neutrino_abi::trace::{Kind, READ_MAX, Record, TraceStatus, class, command, mode};
use neutrino_abi::wire::Wire;

use crate::Kernel;
use crate::call::Outcome;
use crate::limits;
use crate::machine::{Machine, Place, WhenFull};
use crate::thread::ThreadId;

/// Threads that one `DESCRIBE` looks at.
const DESCRIBED: u16 = 8;

/// The arguments of `TraceEvent`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceArgs {
    pub(crate) command: u32,
    pub(crate) words: (u64, u64, u64),
}

impl Kernel {
    /// `TraceEvent`.
    pub(crate) fn trace_event(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        arguments: &TraceArgs,
    ) -> Result<Outcome, Errno> {
        let TraceArgs { command, words: (first, second, third) } = *arguments;
        if !matches!(command, command::INSERT | command::QUERY) {
            self.needs(t, able::TRACE)?;
        }
        match command {
            command::START => self.trace_start(m, t, first, second),
            command::STOP => {
                self.trace_stop(m, t);
                Ok(Outcome::DONE)
            }
            command::QUERY => self.trace_query(m, t, first),
            command::READ => self.trace_read(m, t, first, (second, third)),
            command::DESCRIBE => self.trace_describe(m, first),
            command::LOGGER => self.trace_logger(t, first),
            command::INSERT => {
                let code = u16::try_from(first).map_err(|_| Errno::EINVAL)?;
                if self.trace.classes & class::USER != 0 {
                    let tid = self.threads[t].tid;
                    self.trace.note(Kind::User, tid, code, (second, third));
                }
                Ok(Outcome::DONE)
            }
            command::CLASSES if self.trace.is_on() => {
                self.trace.classes = classes(first)?;
                Ok(Outcome::DONE)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn trace_start(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        wanted: u64,
        when_full: u64,
    ) -> Result<Outcome, Errno> {
        let wanted = classes(wanted)?;
        let when_full = match when_full {
            mode::LINEAR => WhenFull::Stop,
            mode::RING => WhenFull::Overwrite,
            _ => return Err(Errno::EINVAL),
        };
        if self.trace.is_on() {
            return Err(Errno::EBUSY);
        }
        // Commit: nothing below fails.
        m.trace_reset(when_full);
        self.trace.lost = 0;
        self.trace.starts = self.trace.starts.wrapping_add(1);
        self.trace.classes = wanted;
        // From here on the fast path is not taken, and this entry is told like any other.
        self.trace_begin(usize::from(self.threads[t].cpu));
        self.trace.note(Kind::Start, self.threads[t].tid, 0, (wanted.into(), 0));
        Ok(Outcome::DONE)
    }

    fn trace_stop(&mut self, m: &mut impl Machine, t: ThreadId) {
        if self.trace.is_on() {
            self.trace.note(Kind::Stop, self.threads[t].tid, 0, (0, 0));
            self.trace.classes = 0;
        }
        if self.trace.logger != 0 {
            self.wake_logger(m);
        }
    }

    fn trace_query(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        address: u64,
    ) -> Result<Outcome, Errno> {
        let counts = m.trace_counts();
        let status = TraceStatus {
            classes: self.trace.classes,
            cpus: u32::try_from(limits::CPUS).unwrap_or(0),
            logger: self.trace.logger,
            starts: self.trace.starts,
            waiting: counts.waiting,
            lost: counts.lost.saturating_add(self.trace.lost),
        };
        self.store(m, Place { space: self.space(t), address }, &status)?;
        Ok(Outcome::DONE)
    }

    fn trace_read(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        cpu: u64,
        into: (u64, u64),
    ) -> Result<Outcome, Errno> {
        let cpu = usize::try_from(cpu).ok().filter(|&cpu| cpu < limits::CPUS);
        let cpu = cpu.ok_or(Errno::EINVAL)?;
        let (address, most) = into;
        let most = usize::try_from(most).unwrap_or(READ_MAX).min(READ_MAX);
        let mut records = [Record::default(); READ_MAX];
        let count = m.trace_read(cpu, records.get_mut(..most).unwrap_or_default()).min(most);
        let found = records.bytes().get(..count.wrapping_mul(Record::SIZE)).unwrap_or_default();
        let place = Place { space: self.space(t), address };
        self.memory.write(m, place, found)?;
        // Commit: nothing below fails.
        m.trace_drop(cpu, count);
        Ok(Outcome::Value(i64::try_from(count).unwrap_or(0)))
    }

    /// Notes some of what there was before.
    // Bound: DESCRIBED.
    fn trace_describe(&mut self, m: &mut impl Machine, first: u64) -> Result<Outcome, Errno> {
        let first = u16::try_from(first).map_err(|_| Errno::EINVAL)?;
        let end = first.saturating_add(DESCRIBED);
        for index in first..end {
            let index = u64::from(index);
            let Some(t) = self.threads.lookup(index) else { continue };
            let process = self.process_of(t);
            if self.processes[process].threads.first() == Some(t) {
                self.trace_process(process, Kind::ProcessCreate);
            }
            self.trace_thread(t, Kind::ThreadCreate);
            let state = self.threads[t].state;
            self.trace_state(t, &state);
            self.trace_flush(m);
        }
        let is_over = usize::from(end) >= limits::THREADS;
        Ok(Outcome::Value(if is_over { 0 } else { end.into() }))
    }

    fn trace_logger(&mut self, t: ThreadId, first: u64) -> Result<Outcome, Errno> {
        let tid = self.threads[t].tid;
        match first {
            0 if self.trace.logger == tid => self.trace.logger = 0,
            1 if self.trace.logger == 0 => self.trace.logger = tid,
            0 | 1 => return Err(Errno::EBUSY),
            _ => return Err(Errno::EINVAL),
        }
        Ok(Outcome::DONE)
    }
}

/// A set of classes; control is always among them.
fn classes(wanted: u64) -> Result<u32, Errno> {
    let wanted = u32::try_from(wanted).map_err(|_| Errno::EINVAL)?;
    if wanted & !class::ALL != 0 { Err(Errno::EINVAL) } else { Ok(wanted | class::CONTROL) }
}
