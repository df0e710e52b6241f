//! Adaptive partitions: shares of the time of all CPUs that are guaranteed under overload (QNX: the
//! adaptive partitioning scheduler).
//!
//! A thread's priority names the partition whose budget pays while it runs, and where it inherits the
//! priority it inherits the partition: a server's time is its client's, and whoever lends a priority
//! pays. So handing a CPU over with a message changes no account, and the fast path asks none.
//!
//! A partition has budget while it has used less than its share of the last [`SLOTS`] slots of the
//! window. Who runs is chosen by [`Rank`]: threads whose partition has budget come first, then the
//! priority decides. Time that the others leave is anybody's, by priority. While there is no partition
//! but *System*, it always has budget, and nothing of this is looked at.
//!
//! Nothing ticks: the end of a budget, or its return, needs a timer only while a thread of another
//! partition is ready.
//!
//! I14: what is used is the sum of the slots, shares make up 100 %, threads name partitions that
//! exist.

use core::num::NonZeroU64;

use neutrino_abi::Errno;
use neutrino_abi::process::able;
use neutrino_abi::sched::{PARTITIONS_MAX, PartitionInfo, partition};

use crate::Kernel;
use crate::call::Outcome;
use crate::cpu::Cpu;
use crate::limits::{PARTITIONS, WINDOW_NS};
use crate::machine::{Machine, Place};
use crate::thread::{Priority, ThreadId};

const _: () = assert!(PARTITIONS <= PARTITIONS_MAX as usize);

/// Which partition; below [`PARTITIONS`].
pub(crate) type Number = u8;
/// The one that is always there.
pub(crate) const SYSTEM: Number = 0;
/// Pieces of the window.
pub(crate) const SLOTS: usize = 20;
const SLOT_COUNT: NonZeroU64 = NonZeroU64::MIN.saturating_add(SLOTS as u64 - 1);
/// The length of one, unless `SchedCtl` sets another.
const SLOT: NonZeroU64 = NonZeroU64::MIN.saturating_add(WINDOW_NS / SLOTS as u64 - 1);
/// A window's least and greatest length (QNX: 8 and 400 ms).
const WINDOWS: core::ops::RangeInclusive<u64> = 8_000_000..=400_000_000;

/// How much a thread counts when it is chosen who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(u16);

/// One of them.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Partition {
    name: [u8; 16],
    parent: Number,
    /// Percent of all CPUs.
    pub(crate) share: u8,
    /// Nanoseconds in each slot of the window.
    pub(crate) slots: [u64; SLOTS],
    /// Their sum.
    pub(crate) used: u64,
    /// Nanoseconds ever.
    total: u64,
}

/// All of them.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Partitions {
    pub(crate) all: [Partition; PARTITIONS],
    pub(crate) count: usize,
    /// Those that have budget, one bit each.
    rich: u8,
    /// The number of the slot that is now, since the beginning of time.
    slot: u64,
    slot_length: NonZeroU64,
    /// CPUs that run.
    cpus: u64,
}

impl Partitions {
    pub(crate) const fn new() -> Self {
        let none = Partition {
            name: [0; 16],
            parent: SYSTEM,
            share: 0,
            slots: [0; SLOTS],
            used: 0,
            total: 0,
        };
        let system = Partition { name: *b"System\0\0\0\0\0\0\0\0\0\0", share: 100, ..none };
        let mut all = [none; PARTITIONS];
        all[0] = system;
        Self { all, count: 1, rich: 1, slot: 0, slot_length: SLOT, cpus: 1 }
    }

    /// Whether there are others beside *System*.
    #[inline(always)]
    pub(crate) const fn are_several(&self) -> bool {
        self.count > 1
    }

    fn existing(&self) -> impl Iterator<Item = (Number, &Partition)> {
        (0..).zip(&self.all).take(self.count)
    }

    fn is_rich(&self, number: Number) -> bool {
        self.rich.wrapping_shr(number.into()) & 1 != 0
    }

    /// How much a priority counts now.
    #[inline(always)]
    pub(crate) fn rank(&self, Priority(level, number): Priority) -> Rank {
        Rank(u16::from(self.is_rich(number)).wrapping_shl(8) | u16::from(level))
    }

    fn get(&self, number: Number) -> Option<&Partition> {
        self.all.get(usize::from(number)).filter(|_| usize::from(number) < self.count)
    }

    fn window(&self) -> u64 {
        self.slot_length.get().saturating_mul(SLOT_COUNT.get())
    }

    /// What a partition may use in a window.
    fn budget(&self, of: &Partition) -> u64 {
        let window = self.window().saturating_mul(self.cpus);
        window.saturating_mul(of.share.into()) / 100
    }

    /// Whether a larger part of a partition's budget is left than of another's.
    pub(crate) fn is_richer(&self, one: Number, other: Number) -> bool {
        let part = |number: Number| {
            let of = self.get(number)?;
            let budget = self.budget(of);
            budget.saturating_sub(of.used).saturating_mul(1000).checked_div(budget)
        };
        part(one) > part(other)
    }

    /// Forgets what is behind the window.
    // Bound: the slots of each partition.
    fn advance(&mut self, now: u64) {
        let slot = now / self.slot_length;
        let steps = slot.saturating_sub(self.slot).min(SLOTS as u64);
        for of in self.all.iter_mut().take(self.count) {
            for step in 0..steps {
                let place = of.slots.get_mut(index(slot.wrapping_sub(step)));
                let gone = place.map_or(0, core::mem::take);
                of.used = of.used.wrapping_sub(gone);
            }
        }
        self.slot = slot.max(self.slot);
    }

    /// Bills a partition for a time that ends now, slot by slot.
    // Bound: the slots.
    fn charge(&mut self, number: Number, from: u64, to: u64) {
        let length = self.slot_length;
        let window = self.window().saturating_sub(length.get());
        let Some(of) = self.all.get_mut(usize::from(number)) else { return };
        of.total = of.total.wrapping_add(to.saturating_sub(from));
        let mut at = from.max(to.saturating_sub(window));
        while at < to {
            let slot = at / length;
            let end = slot.saturating_add(1).saturating_mul(length.get()).min(to);
            if let Some(place) = of.slots.get_mut(index(slot)) {
                *place = place.wrapping_add(end.wrapping_sub(at));
                of.used = of.used.wrapping_add(end.wrapping_sub(at));
            }
            at = end;
        }
    }

    /// Says anew who has budget.
    fn assess(&mut self) {
        let bits = self.existing().filter(|(_, of)| of.used < self.budget(of));
        self.rich = bits.fold(0, |all, (number, _)| all | 1_u8.wrapping_shl(number.into()));
    }

    /// When a partition that runs on so many CPUs has used its budget up.
    fn ends(&self, of: &Partition, cpus: u64, now: u64) -> u64 {
        let left = self.budget(of).saturating_sub(of.used);
        now.saturating_add(left.div_ceil(cpus.max(1)))
    }

    /// When a partition that uses no more has budget again; never: `u64::MAX`.
    // Bound: the slots.
    fn returns(&self, of: &Partition) -> u64 {
        let (mut used, budget) = (of.used, self.budget(of));
        let oldest = self.slot.wrapping_add(1);
        for slot in oldest..oldest.saturating_add(SLOTS as u64) {
            used = used.saturating_sub(of.slots.get(index(slot)).copied().unwrap_or(0));
            if used < budget {
                return slot.saturating_mul(self.slot_length.get());
            }
        }
        u64::MAX
    }

    fn forget_use(&mut self) {
        for of in &mut self.all {
            (of.slots, of.used) = ([0; SLOTS], 0);
        }
    }
}

impl Kernel {
    /// Bills partitions for the time until now, and looks who has budget; before anything changes
    /// who runs or who pays.
    // Bound: the CPUs and the slots of each partition.
    #[inline(never)]
    pub(crate) fn partitions_settle(&mut self, now: u64) {
        self.partitions.cpus = u64::try_from(self.online).unwrap_or(1);
        self.partitions.advance(now);
        for own in self.cpus.iter_mut().take(self.online) {
            let from = core::mem::replace(&mut own.billed, now);
            if let Some(current) = own.current.get() {
                self.partitions.charge(self.threads[current].effective.1, from, now);
            }
        }
        self.partitions.assess();
    }

    /// When budgets are to be looked at again on behalf of a CPU: its thread's ends, or that of a
    /// ready thread comes back; never while no thread of another partition is ready.
    // Bound: the CPUs, the partitions of each, and their slots.
    #[inline(never)]
    pub(crate) fn partition_limit(&self, current: ThreadId, now: u64) -> u64 {
        let own = self.threads[current].effective.1;
        let waits = |number: Number| {
            let queues =
                |cpu: &Cpu| cpu.ready.get(usize::from(number)).is_some_and(|r| !r.is_empty());
            self.cpus.iter().take(self.online).any(queues)
        };
        let others = self.partitions.existing().filter(|&(number, _)| number != own);
        let mut waiting = others.filter(|&(number, _)| waits(number)).peekable();
        if waiting.peek().is_none() {
            return u64::MAX;
        }
        let poor = waiting.filter(|&(number, _)| !self.partitions.is_rich(number));
        let returns = poor.map(|(_, of)| self.partitions.returns(of)).min().unwrap_or(u64::MAX);
        let ends = match self.partitions.get(own) {
            Some(of) if self.partitions.is_rich(own) => {
                let currents = self.cpus.iter().filter_map(|cpu| cpu.current.get());
                let users = currents.filter(|&t| self.threads[t].effective.1 == own).count();
                self.partitions.ends(of, users as u64, now)
            }
            Some(_) | None => u64::MAX,
        };
        ends.min(returns)
    }

    /// `SchedCtl`.
    pub(crate) fn sched_ctl(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        command: u32,
        (id, value): (u32, u64),
        address: u64,
    ) -> Result<Outcome, Errno> {
        let number = u8::try_from(id).map_err(|_| Errno::EINVAL)?;
        let place = Place { space: self.space(t), address };
        match command {
            partition::INFO => {
                let info = self.partition_info(number)?;
                self.store(m, place, &info)?;
            }
            partition::CREATE => {
                let wanted = self.load(m, place)?;
                return self.partition_create(t, number, &wanted);
            }
            partition::MODIFY => self.partition_modify(t, number, value)?,
            partition::WINDOW => {
                self.needs(t, able::PRIORITY)?;
                if !WINDOWS.contains(&value) {
                    return Err(Errno::EINVAL);
                }
                self.partitions.slot_length = piece(value);
                self.partitions.slot = 0;
                self.partitions.forget_use();
                self.partitions_begin();
            }
            partition::JOIN => {
                self.partitions.get(number).ok_or(Errno::EINVAL)?;
                self.partition_join(m, t, number, value)?;
            }
            partition::OF => {
                let [tid, process] = halves(value);
                let thread = &self.threads[self.thread_argument(t, (process, tid))?];
                let both = [thread.base.1, thread.effective.1, 0, 0];
                return Ok(Outcome::value(u32::from_le_bytes(both)));
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(Outcome::DONE)
    }

    fn partition_info(&self, number: Number) -> Result<PartitionInfo, Errno> {
        let of = self.partitions.get(number).ok_or(Errno::EINVAL)?;
        Ok(PartitionInfo {
            name: of.name,
            parent: of.parent.into(),
            share: of.share.into(),
            count: self.partitions.count.to_le_bytes()[0].into(),
            cpus: self.online.to_le_bytes()[0].into(),
            window: self.partitions.window(),
            used: of.used,
            total: of.total,
        })
    }

    /// Starts bills afresh.
    fn partitions_begin(&mut self) {
        let now = self.entry_time();
        for own in &mut self.cpus {
            own.billed = now;
        }
        self.partitions_settle(now);
        self.unsettled = true;
    }

    /// Makes a partition out of a part of its parent's share.
    fn partition_create(
        &mut self,
        t: ThreadId,
        parent: Number,
        wanted: &PartitionInfo,
    ) -> Result<Outcome, Errno> {
        self.needs(t, able::PRIORITY)?;
        let from = self.partitions.get(parent).ok_or(Errno::EINVAL)?;
        let share = u8::try_from(wanted.share).map_err(|_| Errno::EDOM)?;
        let rest = from.share.checked_sub(share).ok_or(Errno::EDOM)?;
        if wanted.name[0] == 0 || wanted.name[15] != 0 {
            return Err(Errno::EINVAL);
        }
        if self.partitions.existing().any(|(_, of)| of.name == wanted.name) {
            return Err(Errno::EEXIST);
        }
        let number = self.partitions.count;
        let model = Partition { name: wanted.name, parent, share, total: 0, ..*from };
        let place = self.partitions.all.get_mut(number).ok_or(Errno::EAGAIN)?;
        // Commit: nothing below fails.
        *place = Partition { slots: [0; SLOTS], used: 0, ..model };
        self.partitions.count = number.wrapping_add(1);
        self.set_share(parent, rest);
        if number == 1 {
            self.partitions_begin();
        }
        self.partitions.assess();
        Ok(Outcome::value(number.to_le_bytes()[0].into()))
    }

    fn set_share(&mut self, number: Number, share: u8) {
        if let Some(of) = self.partitions.all.get_mut(usize::from(number)) {
            of.share = share;
        }
    }

    /// Gives a partition another share; its parent gets or gives the difference.
    fn partition_modify(&mut self, t: ThreadId, number: Number, share: u64) -> Result<(), Errno> {
        self.needs(t, able::PRIORITY)?;
        let of = self.partitions.get(number).filter(|_| number != SYSTEM).ok_or(Errno::EINVAL)?;
        let share = u8::try_from(share).map_err(|_| Errno::EDOM)?;
        let parent = of.parent;
        let both = self.partitions.get(parent).map_or(0, |parent| parent.share);
        let both = both.saturating_add(of.share);
        let rest = both.checked_sub(share).ok_or(Errno::EDOM)?;
        // Commit: nothing below fails.
        self.set_share(number, share);
        self.set_share(parent, rest);
        self.partitions.assess();
        self.unsettled = true;
        Ok(())
    }

    /// A thread joins a partition, or with [`partition::PULSES`] for its number a process: that is
    /// where its pulses are paid.
    fn partition_join(
        &mut self,
        m: &mut impl Machine,
        t: ThreadId,
        number: Number,
        whom: u64,
    ) -> Result<(), Errno> {
        let [tid, process] = halves(whom);
        if tid == partition::PULSES {
            let process = self.process_argument(self.process_of(t), process)?;
            self.processes[process].partition = number;
            return Ok(());
        }
        let target = self.thread_argument(t, (process, tid))?;
        let thread = &mut self.threads[target];
        thread.base.1 = number;
        if thread.serving.get().is_none() {
            thread.inherited = None;
        }
        self.unsettled = true;
        self.refresh(m, target);
        Ok(())
    }
}

/// The length of a slot of a window.
fn piece(window: u64) -> NonZeroU64 {
    NonZeroU64::new(window / SLOT_COUNT).unwrap_or(NonZeroU64::MIN)
}

/// Where a slot is kept.
fn index(slot: u64) -> usize {
    usize::try_from(slot % SLOT_COUNT).unwrap_or(0)
}

/// The lower and the upper half of a word.
const fn halves(word: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}
