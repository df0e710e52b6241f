//! One run: sets the scene, lets everybody play, and cleans up.

use super::cast::{self, Door, Lane, World};
use super::plan::{Actor, Plan, Policy, Role, Rule, Terms};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use neutrino_rt::abi::message::chf;
use neutrino_rt::abi::sched::{SchedParam, policy};
use neutrino_rt::channel::{self, Handle};
use neutrino_rt::{Errno, clock, lock, partition, thread};

/// Above everybody who plays.
pub const DIRECTOR_PRIORITY: u8 = 62;
/// Time for everybody to reach the first line.
const SETUP_NS: u64 = 2_000_000;
/// Names of partitions, which outlive a run.
const PARTITIONS: [&str; 6] = ["play0", "play1", "play2", "play3", "play4", "play5"];
/// The window over which their use is averaged.
const WINDOW_NS: u64 = 100_000_000;
/// Time for those whose channel is gone to leave.
const LEAVE_NS: u64 = 1_000_000;

/// How a run ended, and the shared state with its record.
#[derive(Debug)]
pub struct Played {
    /// The world as it was left.
    pub world: Arc<World>,
    /// Whether everybody came to the end in time.
    pub is_complete: bool,
}

/// Plays a plan.
///
/// # Errors
/// EAGAIN, ENOMEM: too many threads or channels.
pub fn play(plan: &Plan, turns: u64) -> Result<Played, Errno> {
    let (mut doors, mut handles, mut lanes) = (Vec::new(), Vec::new(), Vec::new());
    for actor in &plan.actors {
        match actor.role {
            Role::Thread(_) => lanes.push(Lane { counts: true, ..Lane::default() }),
            Role::Server(rule, threads) => {
                let (door, handle) = open(rule)?;
                doors.push(door);
                handles.push(handle);
                lanes.extend((0..threads).map(|_| Lane::default()));
            }
        }
    }
    let partitions = divide(&plan.partitions)?;
    let world = Arc::new(World::new(plan, doors, lanes, turns));
    let start = clock::monotonic() + SETUP_NS;
    world.record.start_at(clock::ticks() + SETUP_NS);
    world.start.store(start, Ordering::Relaxed);
    enter(plan, &world, &partitions)?;
    let end = start + plan.limit_ns;
    loop {
        let remaining = world.remaining.load(Ordering::Acquire);
        if remaining == 0 || clock::monotonic() >= end {
            break;
        }
        let _woken_or_late = lock::wait(&world.remaining, remaining, end);
    }
    let is_complete = world.remaining.load(Ordering::Acquire) == 0;
    world.is_stopped.store(true, Ordering::Relaxed);
    clear(&world, handles);
    for id in partitions {
        partition::modify(id, 0)?;
    }
    Ok(Played { world, is_complete })
}

/// Gives partitions of the laboratory's own these shares; what was used before does not count.
fn divide(percents: &[u32]) -> Result<Vec<u32>, Errno> {
    let one = |(name, percent): (&&str, &u32)| match partition::by_name(name) {
        Some(id) => partition::modify(id, *percent).map(|()| id),
        None => partition::create(0, name, *percent),
    };
    let ids = PARTITIONS.iter().zip(percents).map(one).collect::<Result<Vec<u32>, Errno>>()?;
    if !ids.is_empty() {
        partition::window(WINDOW_NS)?;
    }
    Ok(ids)
}

fn open(rule: Rule) -> Result<(Door, Handle), Errno> {
    let flags = match rule {
        Rule::Fixed => chf::FIXED_PRIORITY,
        Rule::Inherit => 0,
    };
    let chid = channel::create(flags)?;
    let handle = channel::connect_self(chid, 0)?;
    Ok((Door { chid, coid: handle.raw() }, handle))
}

/// Starts every thread; each waits for the start.
fn enter(plan: &Plan, world: &Arc<World>, partitions: &[u32]) -> Result<(), Errno> {
    let (mut lane, mut server) = (0, 0);
    for actor in &plan.actors {
        let partition = actor.partition.and_then(|number| partitions.get(number)).copied();
        match actor.role {
            Role::Thread(_) => {
                let tid = start(world, lane, actor, None)?;
                if let Some(id) = partition {
                    partition::join(id, tid)?;
                }
                lane += 1;
            }
            Role::Server(_, threads) => {
                for _ in 0..threads {
                    start(world, lane, actor, Some(server))?;
                    lane += 1;
                }
                server += 1;
            }
        }
    }
    Ok(())
}

fn start(
    world: &Arc<World>,
    lane: usize,
    actor: &Actor,
    server: Option<usize>,
) -> Result<u32, Errno> {
    let Actor { role, priority, ref steps, .. } = *actor;
    let (shared, steps) = (Arc::clone(world), steps.clone());
    let chid = server.and_then(|server| world.doors.get(server)).map(|door| door.chid);
    let own =
        SchedParam { policy: policy::FIFO, priority: priority.into(), ..SchedParam::default() };
    let own = match role {
        Role::Thread(Policy::RoundRobin) => SchedParam { policy: policy::ROUND_ROBIN, ..own },
        Role::Thread(Policy::Fifo) | Role::Server(..) => own,
        Role::Thread(Policy::Sporadic(Terms { low, budget, period, pending })) => SchedParam {
            policy: policy::SPORADIC,
            low_priority: low.into(),
            budget,
            period,
            replenishments: pending,
            ..own
        },
    };
    let tid = thread::spawn(move || {
        let _valid = thread::set_scheduling(0, &own);
        match chid {
            None => cast::perform(&shared, lane, &steps),
            Some(chid) => cast::serve(&shared, lane, chid, &steps),
        }
    })?;
    if let Some(lane) = world.lanes.get(lane) {
        lane.tid.store(tid, Ordering::Relaxed);
    }
    Ok(tid)
}

/// Ends whoever is still there.
fn clear(world: &World, handles: Vec<Handle>) {
    drop(handles);
    for door in &world.doors {
        let _it_is_ours = channel::destroy(door.chid);
    }
    clock::sleep(LEAVE_NS);
    for lane in &world.lanes {
        if !lane.is_over.load(Ordering::Relaxed) {
            let _it_may_have_ended = thread::end(lane.tid.load(Ordering::Relaxed));
        }
    }
}
