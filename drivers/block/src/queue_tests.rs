//! Requests against a model: a disk that does its transfers in any order, and a cache that is too
//! small for it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use neutrino_rt::Errno;

use crate::cache::LINE;
use crate::disk::{Disk, Done, Flushing, Operation, SECTOR, Segment, Shape, Writing};
use crate::job::{Durability, Job, Mover, Step};
use crate::queue::Queue;

const LINES: usize = 12;
/// Not whole lines.
const SECTORS: u64 = 40 * 8 + 3;
const BYTES: usize = (SECTORS * SECTOR) as usize;
/// Where the memory is, for the device.
const PHYSICAL: u64 = 0x10_0000;
const MESSAGE: u64 = 24;

/// The disk, its memory, and the clients.
#[derive(Default)]
struct World {
    platter: Vec<u8>,
    memory: Vec<u8>,
    pending: Vec<(u16, Operation, Vec<Segment>)>,
    done: Vec<Done>,
    bad: BTreeSet<u64>,
    clients: BTreeMap<u64, Vec<u8>>,
    most_at_once: usize,
    is_stopped: bool,
}

#[derive(Clone)]
struct Fake(Rc<RefCell<World>>);

impl Disk for Fake {
    fn shape(&self) -> Shape {
        Shape {
            sectors: SECTORS,
            block_bytes: 512,
            writing: Writing::Allowed,
            flushing: Flushing::Needed,
            transfers: 3,
            segments: 4,
        }
    }

    fn submit(&mut self, number: u16, operation: Operation, segments: &[Segment]) {
        let mut world = self.0.borrow_mut();
        assert!(!world.is_stopped, "a stopped device is left alone");
        assert!(world.pending.iter().all(|(other, ..)| *other != number), "{number} is in use");
        world.pending.push((number, operation, segments.to_vec()));
        world.most_at_once = world.most_at_once.max(world.pending.len());
    }

    fn kick(&mut self) {}

    fn interrupt(&mut self) {}

    fn completed(&mut self) -> Result<Option<Done>, Errno> {
        Ok(self.0.borrow_mut().done.pop())
    }

    fn stop(&mut self) {
        self.0.borrow_mut().is_stopped = true;
    }
}

impl World {
    /// Does one of the pending transfers.
    fn complete(&mut self, which: usize) {
        let (number, operation, segments) = self.pending.remove(which % self.pending.len());
        let mut result = Ok(());
        let (Operation::Read(first) | Operation::Write(first)) = operation else {
            self.done.push(Done { number, result });
            return;
        };
        let mut at = (first * SECTOR) as usize;
        for Segment { physical, bytes } in segments {
            let memory =
                (physical - PHYSICAL) as usize..(physical - PHYSICAL) as usize + bytes as usize;
            let platter = at..at + bytes as usize;
            if self.bad.contains(&(at as u64 / LINE)) {
                result = Err(Errno::EIO);
            } else if operation == Operation::Read(first) {
                self.memory[memory].copy_from_slice(&self.platter[platter]);
            } else {
                self.platter[platter].copy_from_slice(&self.memory[memory]);
            }
            at += bytes as usize;
        }
        self.done.push(Done { number, result });
    }
}

impl Mover for Fake {
    fn give(&mut self, rcvid: u64, to: u64, from: u64, bytes: u64) -> Result<(), Errno> {
        let World { memory, clients, .. } = &mut *self.0.borrow_mut();
        let client = clients.get_mut(&rcvid).ok_or(Errno::ESRCH)?;
        client.resize(client.len().max((to + bytes) as usize), 0);
        let range = from as usize..(from + bytes) as usize;
        client[to as usize..(to + bytes) as usize].copy_from_slice(&memory[range]);
        Ok(())
    }

    fn get(&mut self, from: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        let memory = &self.0.borrow().memory;
        bytes.copy_from_slice(&memory[from as usize..from as usize + bytes.len()]);
        Ok(())
    }

    fn put(&mut self, to: u64, bytes: &[u8]) -> Result<(), Errno> {
        let memory = &mut self.0.borrow_mut().memory;
        memory[to as usize..to as usize + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn take(&mut self, rcvid: u64, from: u64, to: u64, bytes: u64) -> Result<(), Errno> {
        let World { memory, clients, .. } = &mut *self.0.borrow_mut();
        let client = clients.get(&rcvid).ok_or(Errno::ESRCH)?;
        let from = (from - MESSAGE) as usize;
        let range = to as usize..(to + bytes) as usize;
        memory[range].copy_from_slice(&client[from..from + bytes as usize]);
        Ok(())
    }
}

/// Numbers that look like chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

fn world() -> (Queue<Fake>, Fake) {
    let world = World {
        platter: (0..BYTES).map(|at| (at / 512 + at % 251) as u8).collect(),
        memory: alloc::vec![0xee; LINES * LINE as usize],
        ..World::default()
    };
    let fake = Fake(Rc::new(RefCell::new(world)));
    (Queue::new(fake.clone(), PHYSICAL, LINES), fake)
}

/// Runs one request to its end, with transfers done in any order.
fn finish(
    queue: &mut Queue<Fake>,
    fake: &Fake,
    mut job: Job,
    dice: &mut Dice,
) -> Result<i64, Errno> {
    for _ in 0..10_000 {
        let step: Step = job.advance(queue, &mut fake.clone());
        queue.pump(0);
        if let Some(result) = step {
            let gathered = job.take_gathered();
            if !gathered.is_empty() {
                fake.0.borrow_mut().clients.insert(job.rcvid, gathered);
            }
            return result;
        }
        assert!(!fake.0.borrow().pending.is_empty(), "{job:?} waits, and nothing is done");
        fake.0.borrow_mut().complete(dice.below(100));
        queue.interrupt();
    }
    Err(Errno::ETIMEDOUT)
}

fn read(queue: &mut Queue<Fake>, fake: &Fake, at: usize, bytes: usize, dice: &mut Dice) -> Vec<u8> {
    // The kernel moves nothing into a short reply, which goes in registers.
    if bytes > 48 {
        fake.0.borrow_mut().clients.insert(1, Vec::new());
    }
    let job = Job::read(1, at as u64, bytes as u64);
    assert_eq!(finish(queue, fake, job, dice), Ok(bytes as i64));
    fake.0.borrow_mut().clients.remove(&1).unwrap_or_default()
}

fn write(
    queue: &mut Queue<Fake>,
    fake: &Fake,
    at: usize,
    data: &[u8],
    durability: Durability,
    dice: &mut Dice,
) -> Result<i64, Errno> {
    // A few bytes come with the message itself.
    let received = if data.len() < 100 { Some(data) } else { None };
    if received.is_none() {
        fake.0.borrow_mut().clients.insert(2, data.to_vec());
    }
    let range = (at as u64, data.len() as u64);
    let job = Job::write(2, range, MESSAGE, received, durability);
    finish(queue, fake, job, dice)
}

#[test]
fn what_is_read_is_what_was_written_whatever_order_the_device_works_in() {
    for seed in 0..20 {
        let (mut queue, fake) = world();
        let mut dice = Dice(seed);
        let mut model = fake.0.borrow().platter.clone();
        for step in 0..300 {
            let at = dice.below(BYTES);
            let bytes = (1 + dice.below([60, 9000, 70_000][step % 3])).min(BYTES - at);
            if dice.below(2) == 0 {
                let got = read(&mut queue, &fake, at, bytes, &mut dice);
                assert!(got == model[at..at + bytes], "seed {seed} step {step}: {at} {bytes}");
            } else {
                let data: Vec<u8> = (0..bytes).map(|_| dice.below(256) as u8).collect();
                model[at..at + bytes].copy_from_slice(&data);
                let (cached, durable) = (Durability::Cached, Durability::Durable);
                let durability = if dice.below(8) == 0 { durable } else { cached };
                let done = write(&mut queue, &fake, at, &data, durability, &mut dice);
                assert_eq!(done, Ok(bytes as i64));
                let platter = &fake.0.borrow().platter[at..at + bytes];
                assert!(durability == cached || platter == data, "a durable write is there");
            }
        }
        let sync = Job::sync(3, &queue);
        assert_eq!(finish(&mut queue, &fake, sync, &mut dice), Ok(0));
        assert!(fake.0.borrow().platter == model, "seed {seed}: all is there after a sync");
        assert_eq!(fake.0.borrow().most_at_once, 3, "several transfers at a time");
    }
}

#[test]
fn a_block_that_cannot_be_read_is_an_error_for_who_asks_for_it_alone() {
    let (mut queue, fake) = world();
    let mut dice = Dice(1);
    fake.0.borrow_mut().bad.insert(9);
    fake.0.borrow_mut().clients.insert(1, Vec::new());
    let job = Job::read(1, 9 * LINE, 100);
    assert_eq!(finish(&mut queue, &fake, job, &mut dice), Err(Errno::EIO));
    assert_eq!(read(&mut queue, &fake, 20 * LINE as usize, 100, &mut dice).len(), 100);
    fake.0.borrow_mut().bad.clear();
    assert_eq!(read(&mut queue, &fake, 9 * LINE as usize, 100, &mut dice).len(), 100);
}

#[test]
fn a_write_that_fails_is_told_by_the_next_sync() {
    let (mut queue, fake) = world();
    let mut dice = Dice(1);
    fake.0.borrow_mut().bad.insert(9);
    let data = alloc::vec![7; LINE as usize];
    let at = 9 * LINE as usize;
    assert_eq!(write(&mut queue, &fake, at, &data, Durability::Cached, &mut dice), Ok(4096));
    let sync = Job::sync(3, &queue);
    assert_eq!(finish(&mut queue, &fake, sync, &mut dice), Err(Errno::EIO));
    let sync = Job::sync(3, &queue);
    assert_eq!(finish(&mut queue, &fake, sync, &mut dice), Ok(0));
}

#[test]
fn a_device_that_tells_of_what_it_was_not_asked_for_is_stopped_and_everybody_gets_an_error() {
    let (mut queue, fake) = world();
    let mut dice = Dice(1);
    let mut job = Job::read(1, 0, 5000);
    assert_eq!(job.advance(&mut queue, &mut fake.clone()), None);
    queue.pump(0);
    for number in [2, 999] {
        fake.0.borrow_mut().done.push(Done { number, result: Ok(()) });
    }
    queue.interrupt();
    assert!(fake.0.borrow().is_stopped);
    assert_eq!(job.advance(&mut queue, &mut fake.clone()), Some(Err(Errno::EIO)));
    let sync = Job::sync(3, &queue);
    assert_eq!(finish(&mut queue, &fake, sync, &mut dice), Err(Errno::EIO));
}
